"""Training and use of the trace model: overshooting over the whole horizon, scored by CRPS; intervals on a split of their own.

Shape suffixes as in model.py; B windows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twm_train.layers import fair_crps, free_bits, normal_kl
from twm_train.optimise import Schedule, Terms, train
from twm_train.traces.model import STOCH, TraceControllable, TraceExogenous, action_features
from twm_train.traces.windows import Float, Windows

FREE_NATS, KL_WEIGHT = 1.0, 0.05
SAMPLES = 2
HUBER = 4.0
LEVELS = tuple((q + 0.5) / 20 for q in range(20))
"""Levels of the predicted quantiles."""


@dataclass(frozen=True, kw_only=True)
class TraceRecipe:
    """Sizes of a run."""

    members: int = 4
    batch: int = 32
    steps: int = 500
    peak_rate: float = 3e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1
    """Share of history inputs of a window and slice that training blinds."""
    samples: int = 4
    """Exogenous samples of a member in a prediction."""


class TraceModel(nn.Module):
    """Both parts of the ensemble."""

    def __init__(self, members: int, slices: int) -> None:
        super().__init__()
        self.exogenous = TraceExogenous(members, slices)
        self.controllable = TraceControllable(members, slices)

    @property
    def members(self) -> int:
        """Ensemble members E."""
        return self.controllable.members

    def roll(self, w: dict[str, Tensor], samples: int) -> tuple[Tensor, Tensor, Tensor]:
        """Free-running (mean [M, E, B, H, S, P], points [M, E, B, H, S, P, Q], offered [M, E, B, H, S, 1])."""
        e, b, _, s = w["history"].shape[:4]
        wide = lambda x: x.unsqueeze(1).expand(e, samples, *x.shape[1:]).flatten(1, 2)
        level = wide(w["level"])
        exo = [wide(x) for x in self.exogenous.encode(w["history"], w["level"])]
        ctl = [wide(x) for x in self.controllable.encode(w["history"], w["level"])]
        actions, memory = w["action"], w["memory"]
        means, points, futures = [], [], []
        for t in range(memory.shape[2]):
            exo_noise, ctl_noise = torch.randn(2, e, samples * b, s, STOCH)
            *exo, offered = self.exogenous.step(exo[0], exo[1], exo_noise, level)
            pooled, base = self.controllable.pool(wide(actions[:, :, t]), wide(memory[:, :, t]), level, offered.detach())
            following, mean, std = self.controllable.advance(ctl[0], ctl[1], pooled)
            ctl = [following, mean + std * ctl_noise]
            point, quantiles = self.controllable.decode(*ctl, pooled, base, level)
            means.append(point)
            points.append(quantiles)
            futures.append(offered)
        fold = lambda parts: torch.stack(parts, 2).unflatten(1, (samples, b)).transpose(0, 1)
        return fold(means), fold(points), fold(futures)


def tensors(windows: Windows, members: int) -> dict[str, Tensor]:
    """Inputs and targets of a batch [E, B, ...] from E x B windows."""

    def shaped(array: Float) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).unflatten(0, (members, -1))

    ues = shaped(windows.level_NSF[..., -1]).unsqueeze(2)
    action = shaped(windows.action_NHS)
    acted = shaped(windows.acted_N)[:, :, None].expand(action.shape[:-1])
    features = action_features(action, shaped(windows.before_NHS), shaped(windows.scheduler_NHSK), acted, ues.expand_as(action))
    return {
        "history": shaped(windows.history_NWSF),
        "level": shaped(windows.level_NSF),
        "memory": shaped(windows.memory_NHSF),
        "action": features,
        "target": shaped(windows.target_NHSP),
        "offered": shaped(windows.offered_NHS).unsqueeze(-1),
    }


def loss_of(model: TraceModel, w: dict[str, Tensor]) -> tuple[Tensor, Terms]:
    """Loss of both parts and its terms."""
    truth, known = _known(w["target"])
    offered, offered_known = _known(w["offered"])
    mean, points, futures = model.roll(w, SAMPLES)
    crps = fair_crps(points.movedim(-1, 1).flatten(0, 1), truth, known)
    error = nn.functional.huber_loss(mean, truth.expand_as(mean), delta=HUBER, reduction="none").mean(0)
    squared = (error * known).sum() / known.sum().clamp(min=1)
    crps_offered = fair_crps(futures, offered, offered_known)
    posterior, divergence = _posterior_path(model, w, truth, known, offered, offered_known)
    loss = 2.0 * crps + squared + crps_offered + 0.3 * posterior + KL_WEIGHT * divergence
    terms = {"crps": crps, "squared": squared, "offered": crps_offered, "posterior": posterior, "kl": divergence}
    return loss, {name: float(value.detach()) for name, value in terms.items()}


def _posterior_path(
    model: TraceModel, w: dict[str, Tensor], truth: Tensor, known: Tensor, offered: Tensor, offered_known: Tensor
) -> tuple[Tensor, Tensor]:
    """(error, divergence) along the posterior path, which teaches the prior what to expect."""
    exogenous, controllable, level = model.exogenous, model.controllable, w["level"]
    (h_x, z_x), (h_c, z_c) = exogenous.encode(w["history"], level), controllable.encode(w["history"], level)
    errors, kls = [], []
    for t in range(truth.shape[2]):
        h_x, prior_mean, prior_std = exogenous.advance(h_x, z_x)
        mean, std = exogenous.posterior(h_x, offered[:, :, t].clamp(-6, 6))
        z_x = mean + std * torch.randn_like(std)
        missed = (exogenous.decode(h_x, z_x, level) - offered[:, :, t]).abs() * offered_known[:, :, t]
        kls.append(normal_kl(mean, std, prior_mean, prior_std))
        pooled, base = controllable.pool(w["action"][:, :, t], w["memory"][:, :, t], level, offered[:, :, t].clamp(-6, 6))
        h_c, prior_mean, prior_std = controllable.advance(h_c, z_c, pooled)
        mean, std = controllable.posterior(h_c, truth[:, :, t].clamp(-6, 6))
        z_c = mean + std * torch.randn_like(std)
        kls.append(normal_kl(mean, std, prior_mean, prior_std))
        _, points = controllable.decode(h_c, z_c, pooled, base, level)
        crps = fair_crps(points.movedim(-1, 0), truth[:, :, t], known[:, :, t])
        errors.append(crps + missed.sum() / offered_known[:, :, t].sum().clamp(min=1))
    return torch.stack(errors).mean(), free_bits(torch.stack(kls), FREE_NATS)


def fit(
    training: Windows, slices: int, recipe: TraceRecipe, *, seed: int, progress: Callable[[int, Terms], None] | None = None
) -> TraceModel:
    """Train an ensemble; every member sees its own bootstrap of the experiments."""
    torch.manual_seed(seed)
    model = TraceModel(recipe.members, slices)
    by_experiment = [np.flatnonzero(training.experiment_N == i) for i in np.unique(training.experiment_N)]
    generator = np.random.default_rng([seed, 1])
    n = len(by_experiment)
    pools = [np.concatenate([by_experiment[i] for i in generator.integers(n, size=n)]) for _ in range(recipe.members)]

    def batch_loss(step: int) -> tuple[Tensor, Terms]:
        draw = np.random.default_rng([seed, 2, step])
        rows = np.concatenate([draw.choice(pool, recipe.batch) for pool in pools])
        w = tensors(training.take(rows), recipe.members)
        e, b, _, s, f = w["history"].shape
        keep = torch.from_numpy((draw.random((e, b, 1, s, f)) > recipe.dropout).astype(np.float32))
        return loss_of(model, {**w, "history": w["history"] * keep})

    schedule = Schedule(steps=recipe.steps, peak_rate=recipe.peak_rate, weight_decay=recipe.weight_decay)
    train(model, batch_loss, schedule, seed=seed, progress=progress)
    return model


@dataclass(frozen=True)
class Forecast:
    """Normalised predictions of N windows."""

    mean_NHSP: Float
    quantiles_QNHSP: Float
    """At LEVELS."""


@torch.no_grad()
def predict(model: TraceModel, windows: Windows, *, samples: int = 4, seed: int = 0, batch: int = 256) -> Forecast:
    """Free-running predictions; the mixture over members, samples and points gives the quantiles."""
    torch.manual_seed(seed)
    e = model.members
    means, quantiles = [], []
    for begin in range(0, windows.count, batch):
        part = windows.take(slice(begin, begin + batch))
        w = {name: x.expand(e, *x.shape[1:]) for name, x in tensors(part, 1).items()}
        mean, points, _ = model.roll(w, samples)
        # the mean head and the mean of the points err differently
        means.append(((mean + points.mean(-1)) / 2).mean((0, 1)).numpy())
        pooled = points.movedim(-1, 0).flatten(0, 2).sort(0).values
        at = ((torch.tensor(LEVELS) * len(pooled)).long()).clamp(max=len(pooled) - 1)
        quantiles.append(pooled[at].numpy())
    return Forecast(np.concatenate(means), np.concatenate(quantiles, 1))


def conform(forecast: Forecast, truth_NHSP: Float, level: float = 0.9) -> NDArray[np.float64]:
    """Margin [H, S, P] by which the interval of `level` has to move outwards to hold it (Romano et al. 2019).

    1 - level is shared by both ends; negative where the interval is too wide; 0 where nothing was measured.
    """
    low, high = interval(forecast, level)
    scores = np.maximum(low - truth_NHSP, truth_NHSP - high)
    out = np.zeros(scores.shape[1:])
    for at in np.ndindex(*out.shape):
        known = scores[:, *at][np.isfinite(scores[:, *at])]
        if len(known):
            out[at] = np.quantile(known, min(np.ceil((len(known) + 1) * level) / len(known), 1.0), method="higher")
    return out


def interval(forecast: Forecast, level: float = 0.9) -> tuple[Float, Float]:
    """(low, high) [N, H, S, P] of the central interval, interpolated between the nearest of LEVELS."""
    low, high = (_quantile(forecast, wanted) for wanted in ((1 - level) / 2, (1 + level) / 2))
    return low, high


def _quantile(forecast: Forecast, wanted: float) -> Float:
    at = float(np.interp(wanted, LEVELS, np.arange(len(LEVELS))))
    below = int(at)
    above, rest = min(below + 1, len(LEVELS) - 1), at - below
    return np.asarray(forecast.quantiles_QNHSP[below] * (1 - rest) + forecast.quantiles_QNHSP[above] * rest, np.float32)


def _known(x: Tensor) -> tuple[Tensor, Tensor]:
    known = torch.isfinite(x)
    return torch.where(known, x, torch.zeros_like(x)), known.to(x.dtype)
