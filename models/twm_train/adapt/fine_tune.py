"""Fine-tuning of the three graphs of a CDWM on recorded forecasts in hindsight: free-running rollouts, as in serving.

Loss: fair CRPS of sampled demand in log, negative log likelihood of the KPI mixture in z, and a pull towards the weights it
began with (L2-SP, Li et al. 2018), since recorded shares cover little of what a planner may ask. The weights with the best
score on the validation part are kept; those it began with are among the candidates.

Shape suffixes: E members, M samples, B windows, W history steps, H horizon steps, X exogenous columns, S slices, P KPIs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twm.core.features import action_vector, exogenous_of, history_matrix
from twm.core.hindsight import Origin
from twm.core.kpis import DELAY_FLOOR_MS, LOSS_SCALE_RATIO, kpi_to_z
from twm.core.network import NetworkSpec
from twm_train.adapt.torch_graph import TorchGraph
from twm_train.layers import fair_crps

ENCODE, EXOGENOUS, CONTROLLABLE = "encode.onnx", "exogenous_step.onnx", "controllable_step.onnx"
SIGMA_MIN = 0.02
DEMAND_SPREAD_MIN = 0.05


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """How long and how far."""

    steps: int = 80
    batch: int = 8
    samples: int = 2
    rate: float = 4e-4
    anchor: float = 3.0
    """Weight of the pull towards the weights it began with, relative to their own mean square."""
    look_every: int = 10
    """Steps between two looks at the validation part."""
    look_windows: int = 16


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Recorded forecasts as tensors; NaN where not measured."""

    history: Tensor
    """[B, W, D_h]"""
    action: Tensor
    """[B, H, A]"""
    demand: Tensor
    """log(1 + Mbps) [B, H, C*S]"""
    kpi_z: Tensor
    """[B, H, S, P]"""

    def take(self, which: Tensor) -> Windows:
        """Some of them."""
        return Windows(
            history=self.history[which], action=self.action[which], demand=self.demand[which], kpi_z=self.kpi_z[which]
        )


def windows_of(found: Sequence[Origin], window: int, spec: NetworkSpec) -> Windows:
    """Tensors of forecasts in hindsight."""
    c, s, _ = spec.sizes
    h = spec.timing.horizon_steps
    demand = np.full((len(found), h, c * s), np.nan, np.float32)
    kpi_z = np.full((len(found), h, s, 4), np.nan, np.float32)
    for i, at in enumerate(found):
        seen = np.stack([exogenous_of(frame.blocks(), spec)[: c * s] for frame in at.ahead])
        demand[i, at.offset_O] = np.log1p(np.maximum(seen, 0.0))
        kpi_z[i, at.offset_O] = np.where(np.isfinite(at.seen_OSP), kpi_to_z(np.nan_to_num(at.seen_OSP)), np.nan)
    return Windows(
        history=torch.from_numpy(np.stack([history_matrix(at.history, spec, window) for at in found])),
        action=torch.from_numpy(np.concatenate([action_vector(at.policy) for at in found])),
        demand=torch.from_numpy(demand),
        kpi_z=torch.from_numpy(kpi_z),
    )


class TunedDynamics:
    """The three graphs of a CDWM in torch."""

    def __init__(self, folder: Path) -> None:
        """Raises ModelMismatchError where a graph has an operator that cannot be tuned."""
        self.encode, self.exogenous, self.controllable = (TorchGraph(folder / f) for f in (ENCODE, EXOGENOUS, CONTROLLABLE))
        self.graphs = {ENCODE: self.encode, EXOGENOUS: self.exogenous, CONTROLLABLE: self.controllable}

    def parameters(self) -> list[torch.nn.Parameter]:
        """Everything that is tuned."""
        return [p for graph in self.graphs.values() for p in graph.parameters()]

    def check(self, history_WD: Tensor) -> None:
        """Raise ModelMismatchError where torch and ONNX Runtime differ."""
        self.encode.check({"history": history_WD})

    def rollout(self, windows: Windows, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(exogenous [E, M, B, H, X], KPI mean, KPI deviation [E, M, B, H, S, P]) in physical units."""
        names = self.encode.outputs
        states = torch.vmap(lambda h: tuple(self.encode({"history": h})[n] for n in names))(windows.history)
        b, steps = windows.action.shape[:2]
        # [B, E, .] to rows [E, M * B, .]
        wide = {
            n: state.transpose(0, 1).unsqueeze(1).expand(-1, samples, -1, -1).flatten(1, 2)
            for n, state in zip(names, states, strict=True)
        }
        exo, ctl = ((wide[f"{part}_deter"], wide[f"{part}_stoch"]) for part in ("exo", "ctl"))
        out: list[tuple[Tensor, Tensor, Tensor]] = []
        for t in range(steps):
            noise = [torch.randn(state[1].shape, generator=generator) for state in (exo, ctl)]
            e = self.exogenous({"deter": exo[0], "stoch": exo[1], "noise": noise[0]})
            exo = e["next_deter"], e["next_stoch"]
            action = windows.action[:, t].unsqueeze(0).expand(samples, -1, -1).flatten(0, 1)
            c = self.controllable(
                {"deter": ctl[0], "stoch": ctl[1], "noise": noise[1], "action": action, "exogenous": e["exogenous"]}
            )
            ctl = c["next_deter"], c["next_stoch"]
            out.append((e["exogenous"], c["kpi_mean"], c["kpi_std"]))
        fold = lambda i: torch.stack([o[i] for o in out], 2).unflatten(1, (samples, b))
        return fold(0), fold(1), fold(2)

    def loss(self, windows: Windows, spread_X: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """Mean score of the windows."""
        exogenous, mean, std = self.rollout(windows, samples, generator)
        known = torch.isfinite(windows.demand)
        truth = torch.where(known, windows.demand, torch.zeros_like(windows.demand)) / spread_X
        drawn = torch.log1p(exogenous[..., : truth.shape[-1]].clamp(min=0)) / spread_X
        e = drawn.shape[0]
        crps = fair_crps(drawn.transpose(0, 1), truth.expand(e, *truth.shape), known.to(truth.dtype).expand(e, *known.shape))
        mu, sigma = gaussian_z(mean, std)
        seen = torch.isfinite(windows.kpi_z)
        y = torch.where(seen, windows.kpi_z, torch.zeros_like(windows.kpi_z))
        density = -0.5 * ((y - mu) / sigma) ** 2 - torch.log(sigma) - 0.5 * math.log(2 * math.pi)
        mixture = (torch.logsumexp(density, 1) - math.log(samples)).clamp(min=-12.0)
        nll = -(mixture * seen).sum() / (e * seen.sum()).clamp(min=1)
        return 3.0 * crps + nll


def gaussian_z(mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """(mu, sigma) in z, as twm.core.kpis.kpi_gaussian."""
    loss, delay, used, served = mean.unbind(-1)
    mu = torch.stack(
        [
            torch.log1p(loss.clamp(min=0) / LOSS_SCALE_RATIO),
            torch.log(delay.clamp(min=DELAY_FLOOR_MS)),
            used,
            torch.log1p(served.clamp(min=0)),
        ],
        -1,
    )
    slope = torch.stack(
        [
            1 / (loss.clamp(min=0) + LOSS_SCALE_RATIO),
            1 / delay.clamp(min=DELAY_FLOOR_MS),
            torch.ones_like(used),
            1 / (1 + served.clamp(min=0)),
        ],
        -1,
    )
    return mu, (std * slope).clamp(min=SIGMA_MIN)


def fine_tune(
    model: TunedDynamics,
    fit: Windows,
    validation: Windows,
    options: TuneOptions,
    *,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> tuple[float, float]:
    """Tune in place. Returns the validation loss before and after; the weights are the best that were seen.

    Raises FloatingPointError where a loss is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    known = torch.isfinite(fit.demand)
    filled = torch.where(known, fit.demand, torch.zeros_like(fit.demand)).flatten(0, 1)
    count = known.flatten(0, 1).sum(0).clamp(min=1)
    centre = filled.sum(0) / count
    spread_X = (((filled - centre) ** 2 * known.flatten(0, 1)).sum(0) / count).sqrt().clamp(min=DEMAND_SPREAD_MIN)
    parameters = model.parameters()
    anchors = [p.detach().clone() for p in parameters]
    scales = [1.0 / a.square().mean().clamp(min=1e-8) for a in anchors]
    optimiser = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=0.0, betas=(0.9, 0.98))
    n = len(validation.history)
    looked_at = validation.take(torch.linspace(0, n - 1, min(options.look_windows, n)).round().long())

    def look() -> float:
        with torch.no_grad():
            return float(model.loss(looked_at, spread_X, 4, torch.Generator().manual_seed(seed + 1)))

    before = best = look()
    kept = anchors
    for step in range(options.steps):
        at = step / options.steps
        for group in optimiser.param_groups:
            group["lr"] = options.rate * (min(1.0, 10 * at + 0.1) * 0.5 * (1 + math.cos(math.pi * at)) + 0.01)
        pick = torch.randint(len(fit.history), (options.batch,), generator=generator)
        loss = model.loss(fit.take(pick), spread_X, options.samples, generator)
        pull = sum(((p - a).square().mean() * k for p, a, k in zip(parameters, anchors, scales, strict=True)), torch.zeros(()))
        total = loss + options.anchor * pull
        if not torch.isfinite(total):
            raise FloatingPointError(f"loss: {float(total.detach())} in step {step}, expected a finite number")
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        if (step + 1) % options.look_every == 0 or step + 1 == options.steps:
            found = look()
            if found < best:
                best, kept = found, [p.detach().clone() for p in parameters]
            if progress:
                progress(step + 1, found)
    with torch.no_grad():
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.copy_(value)
    return before, best
