"""Free-running predictions of a trained CDWM, as inference makes them: E members x J exogenous samples over the horizon.

Shape suffixes: M = E x J components, B windows, W history steps, H horizon steps, S slices, P KPIs, X exogenous columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twm.core.features import exogenous_layout
from twm.core.frames import Float
from twm.core.kpis import horizon_kpis, kpi_draw
from twm.core.network import NetworkSpec
from twm.core.scm import least_margin, scm
from twm_train.controllable import ControllableModel
from twm_train.exogenous import ExogenousModel


@dataclass(frozen=True)
class Predictions:
    """Components of the predictive mixture, physical units."""

    kpi_mean_MBHSP: Float
    kpi_std_MBHSP: Float
    exogenous_MBHX: Float

    @staticmethod
    def concatenate(parts: Sequence[Predictions]) -> Predictions:
        """All windows of `parts`."""
        return Predictions(*(np.concatenate([getattr(part, f.name) for part in parts], 1) for f in fields(Predictions)))

    def take(self, which_B: NDArray[np.bool_ | np.intp]) -> Predictions:
        """Some of the windows."""
        return Predictions(*(getattr(self, f.name)[:, which_B] for f in fields(Predictions)))

    def scores(self, spec: NetworkSpec, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(mean SCM [B], mean least margin before the floor at 0 [B]).

        One draw of KPI noise per component, the same for all windows.
        """
        m, _, h, s, p = self.kpi_mean_MBHSP.shape
        noise = np.random.default_rng(seed).standard_normal((m, 1, h, s, p))
        demand, _, _ = exogenous_layout(spec).split(self.exogenous_MBHX)
        drawn = kpi_draw(self.kpi_mean_MBHSP, self.kpi_std_MBHSP, noise)
        kpis, topology = horizon_kpis(drawn, demand.sum(-2)), spec.topology()
        return scm(*kpis, topology).mean(0), least_margin(*kpis, topology).mean(0)


@torch.no_grad()
def predict(
    exogenous: ExogenousModel,
    controllable: ControllableModel,
    history_BWD: Tensor,
    action_BHA: Tensor,
    samples: int,
    seed: int,
    *,
    shared: bool = True,
) -> Predictions:
    """Predict B windows.

    `shared`: every window gets the same noise, so that candidates from one history share their futures. Else each has its own,
    in antithetic pairs, as decisions that are served have: what is fitted to intervals must not fit one draw of noise.
    """
    generator = torch.Generator().manual_seed(seed)
    e = exogenous.members
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    steps = action_BHA.shape[1]
    noises = [torch.randn(steps, e, samples, 1, part.stoch, generator=generator) for part in (exogenous, controllable)]
    for history, action in zip(history_BWD.split(128), action_BHA.split(128), strict=True):
        b = len(history)
        if not shared:
            noises = [_antithetic(steps, e, samples, b, part.stoch, generator) for part in (exogenous, controllable)]
        rows = history.unsqueeze(0).expand(e, *history.shape)
        wide = lambda x, b=b: x.unsqueeze(1).expand(e, samples, b, x.shape[-1]).reshape(e, samples * b, -1)
        exo, ctl = [[wide(x) for x in model.encode(rows)] for model in (exogenous, controllable)]
        out: list[tuple[Tensor, Tensor, Tensor]] = []
        for t in range(steps):
            exo_noise, ctl_noise = (n[t].expand(e, samples, b, -1).reshape(e, samples * b, -1) for n in noises)
            *exo, future = exogenous.step(exo[0], exo[1], exo_noise)
            shares = action[:, t].unsqueeze(0).expand(samples, *action[:, t].shape).reshape(1, samples * b, -1)
            *ctl, mean, std = controllable.step(ctl[0], ctl[1], ctl_noise, shares, future)
            out.append((mean, std, future))
        stacked = [torch.stack([o[i] for o in out], 2).unflatten(1, (samples, b)).flatten(0, 1) for i in range(3)]
        parts.append((stacked[0], stacked[1], stacked[2]))
    mean, std, future = (torch.cat([part[i] for part in parts], 1).numpy() for i in range(3))
    return Predictions(mean, std, future)


def _antithetic(steps: int, members: int, samples: int, rows: int, width: int, generator: torch.Generator) -> Tensor:
    """Standard normal noise [steps, members, samples, rows, width] in pairs of opposite sign over the samples."""
    half = torch.randn(steps, members, (samples + 1) // 2, rows, width, generator=generator)
    return torch.stack([half, -half], 3).flatten(2, 3)[:, :, :samples]
