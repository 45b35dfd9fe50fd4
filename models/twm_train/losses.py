"""Losses: pinball for the Field World Model; likelihood, KL and overshooting for the controllable part of the CDWM.

Overshooting: from the encoded history the prior runs free for H steps, as in serving, and is scored there on the exogenous
future that came. Scoring it on sampled futures as well, by the likelihood of their mixture, teaches it to follow no future
too closely: better forecasts of KPIs, worse plans (ADR 8).

Shape suffixes: E members, B windows, H steps, M samples, X exogenous columns, S slices, P KPIs, C cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twm_train.controllable import ControllableModel
from twm_train.exogenous import ExogenousModel
from twm_train.fwm import DEMAND_LEVELS, DEMAND_SCALE, FIELD_LEVELS, FieldModel, pinball, to_field_z
from twm_train.layers import free_bits, normal_kl
from twm_train.normalise import CLIP
from twm_train.windows import Windows

FREE_NATS = 1.0
KL_WEIGHT = 0.1
CONTROLLABLE_SAMPLES = 2
Terms = dict[str, float]


def summed_prb(action: Tensor, sizes: tuple[int, int, int]) -> Tensor:
    """Summed PRB share per cell [..., C] of actions [..., A]."""
    c, s, _ = sizes
    return action[..., : c * s].unflatten(-1, (c, s)).sum(-1)


def demand_truth(exogenous: Tensor, model: FieldModel) -> tuple[Tensor, Tensor]:
    """(log(1 + demand), known flags) [..., C, S] of observed exogenous states [..., X] with NaN."""
    c, s, _ = model.sizes
    truth = torch.log1p(exogenous[..., : c * s].clamp(min=0)).unflatten(-1, (c, s))
    known = torch.isfinite(truth)
    return torch.where(known, truth, torch.zeros_like(truth)), known.to(truth.dtype)


def field_truth(windows: Windows, model: FieldModel) -> tuple[Tensor, Tensor]:
    """(normalised field features, known flags) [E, B, T, C, F] at the model's offsets."""
    ahead = [offset - 1 for offset in model.offsets if offset]
    truth = torch.cat([windows.field_now.unsqueeze(2), windows.field[:, :, ahead]], 2)
    normal = (to_field_z(truth) - model.feature_mean) / model.feature_std
    known = torch.isfinite(normal)
    return torch.where(known, normal.clamp(-CLIP, CLIP), torch.zeros_like(normal)), known.to(normal.dtype)


def field_loss(model: FieldModel, windows: Windows) -> tuple[Tensor, Terms]:
    """Loss of the Field World Model, and its terms."""
    c, s, n_links = model.sizes
    forecast = model.forecast(windows.history)
    truth, known = demand_truth(windows.exogenous, model)
    demand = pinball(forecast.demand_log / DEMAND_SCALE, DEMAND_LEVELS, truth / DEMAND_SCALE, known, 3)
    field = pinball(model.field(forecast, windows.field_now), FIELD_LEVELS, *field_truth(windows, model), 3)
    down = torch.zeros(())
    if n_links:
        capacity = windows.exogenous[..., c * s + c :]
        seen = torch.isfinite(capacity).to(demand.dtype)
        is_down = (capacity < 0.5 * model.nominal).to(demand.dtype)
        entropy = nn.functional.binary_cross_entropy_with_logits(forecast.down_logit, is_down, reduction="none")
        down = (entropy * seen).sum() / seen.sum().clamp(min=1)
    return demand + 0.5 * field + 2.0 * down, _floats(demand=demand, field=field, down=down)


@dataclass(frozen=True)
class Paths:
    """What the controllable part learns from: weights of the terms of its loss."""

    posterior: float
    """Likelihood along the posterior path, which sees each KPI before it predicts the next (teacher forcing)."""
    divergence: float
    """KL from posterior to prior."""
    prior: float
    """Likelihood of the free-running prior on the exogenous future that came (overshooting)."""
    sampled: float
    """Likelihood of the mixture of free-running priors on sampled futures."""


OVERSHOOTING = Paths(posterior=0.3, divergence=0.1 * KL_WEIGHT, prior=1.0, sampled=0.0)
TEACHER_FORCED = Paths(posterior=1.0, divergence=KL_WEIGHT, prior=0.0, sampled=0.0)
SAMPLED_FUTURES = Paths(posterior=0.3, divergence=0.1 * KL_WEIGHT, prior=1.0, sampled=0.7)


def controllable_loss(
    model: ControllableModel, exogenous: ExogenousModel, windows: Windows, paths: Paths = OVERSHOOTING
) -> tuple[Tensor, Terms]:
    """Loss of the controllable part along `paths`, and its terms; the exogenous part is fixed."""
    truth, known = model.to_normal(windows.kpi_z)
    e, b, steps = truth.shape[:3]
    priors, samples = int(paths.prior > 0 or paths.sampled > 0), CONTROLLABLE_SAMPLES if paths.sampled > 0 else 0
    with torch.no_grad():
        drawn = exogenous.sample(windows.history, max(samples, 1))
        seen = exogenous.action_free(windows.exogenous, summed_prb(windows.action, exogenous.sizes))
        seen = torch.where(torch.isfinite(seen), seen, drawn[:, 0])
        # rows: prior path on the true future, which the posterior path shares, then prior paths on sampled futures
        futures = torch.cat([seen.unsqueeze(1), drawn[:, :samples]], 1)
    action = windows.action.unsqueeze(1).expand(e, 1 + samples, b, steps, windows.action.shape[-1])
    pooled, base = model.pool(action.reshape(e, -1, action.shape[-1]), futures.reshape(e, -1, futures.shape[-1]))
    groups = 1 + priors + samples
    unfold = lambda x: x.reshape(e, 1 + samples, b, steps, *x.shape[2:])
    pooled, base = (torch.cat([x[:, :1], x], 1)[:, -groups:].flatten(1, 2) for x in (unfold(pooled), unfold(base)))
    wide = lambda x: x.unsqueeze(1).expand(e, groups, b, x.shape[-1]).reshape(e, groups * b, -1)
    deter, stoch = model.encode(windows.history)
    h, z = wide(deter), wide(stoch)
    kl, hs, zs = [], [], []
    for t in range(steps):
        h, prior_mean, prior_std = model.advance(h, z, pooled[:, :, t])
        mean, std = model.posterior(h[:, :b], truth[:, :, t])
        kl.append(normal_kl(mean, std, prior_mean[:, :b], prior_std[:, :b]))
        z = torch.cat([mean, prior_mean[:, b:]], 1) + torch.cat([std, prior_std[:, b:]], 1) * torch.randn_like(prior_std)
        hs.append(h)
        zs.append(z)
    flat = lambda parts: torch.stack(parts, 2).flatten(1, 2)
    mean, std = model.decode(flat(hs), flat(zs), pooled.flatten(1, 2), base.flatten(1, 2))
    mean, std = mean.unflatten(1, (groups, b, steps)), std.unflatten(1, (groups, b, steps))
    log_density = -0.5 * ((truth.unsqueeze(1) - mean) / std) ** 2 - torch.log(std) - 0.5 * math.log(2 * math.pi)
    count = known.sum().clamp(min=1)
    # beta-NLL (Seitzer et al. 2022): without it the variance soaks up what the mean has yet to learn
    weighted = -(log_density * std.detach()).mul(known.unsqueeze(1)).sum((0, 2, 3, 4, 5)) / count
    terms = {"posterior": weighted[0], "kl": free_bits(torch.stack(kl), FREE_NATS)}
    loss = paths.posterior * terms["posterior"] + paths.divergence * terms["kl"]
    if priors:
        terms["prior"] = weighted[1]
        loss = loss + paths.prior * terms["prior"]
    if samples:
        mixture = torch.logsumexp(log_density[:, 2:], 1) - math.log(samples)
        terms["sampled"] = -(mixture.clamp(min=-30) * known).sum() / count
        loss = loss + paths.sampled * terms["sampled"]
    return loss, _floats(**terms)


def _floats(**terms: Tensor) -> Terms:
    return {name: float(value.detach()) for name, value in terms.items()}
