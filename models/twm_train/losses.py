"""Losses of the CDWM: likelihood and KL along the posterior path, and the prior path over the whole horizon (overshooting).

Teacher forcing alone gives 40-70 % real coverage of nominal 90 % intervals (architecture), hence the second term: from the
encoded history the prior runs free for H steps, as in serving, and is scored there: the exogenous part by the fair CRPS of M
samples, the controllable part by the likelihood of the mixture over exogenous samples.

Shape suffixes: E members, B windows, H steps, M samples, X exogenous columns, S slices, P KPIs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from twm_train.controllable import ControllableModel
from twm_train.exogenous import STOCH, ExogenousModel
from twm_train.layers import fair_crps, free_bits, normal_kl
from twm_train.windows import Windows

FREE_NATS = 3.0
KL_WEIGHT = 0.1
EXOGENOUS_SAMPLES, CONTROLLABLE_SAMPLES = 4, 2


def summed_prb(action: Tensor, model: ExogenousModel) -> Tensor:
    """Summed PRB share per cell [..., C] of actions [..., A]."""
    c, s, _ = model.sizes
    return action[..., : c * s].unflatten(-1, (c, s)).sum(-1)


def exogenous_loss(model: ExogenousModel, windows: Windows) -> tuple[Tensor, dict[str, float]]:
    """Loss of the exogenous part, and its terms."""
    seen, known = model.to_normal(windows.exogenous, summed_prb(windows.action, model))
    deter, stoch = model.encode(windows.history)
    steps = seen.shape[2]
    h, z, nll, kl = deter, stoch, [], []
    log_noise = model.log_noise.clamp(-4, 2)
    for t in range(steps):
        h, prior_mean, prior_std = model.advance(h, z)
        mean, std = model.posterior(h, seen[:, :, t])
        z = mean + std * torch.randn_like(mean)
        error = (seen[:, :, t] - model.decode(h, z)) * torch.exp(-log_noise)
        nll.append(((0.5 * error**2 + log_noise) * known[:, :, t]).sum() / known[:, :, t].sum().clamp(min=1))
        kl.append(normal_kl(mean, std, prior_mean, prior_std))
    samples = sample_normal(model, deter, stoch, EXOGENOUS_SAMPLES, steps)
    crps = fair_crps(samples, seen, known)
    c, s, _ = model.sizes
    together = lambda x: x[..., : c * s].unflatten(-1, (c, s)).mean(-2)
    all_known = known[..., : c * s].unflatten(-1, (c, s)).amin(-2)
    crps_sum = fair_crps(together(samples), together(seen), all_known)
    divergence = free_bits(torch.stack(kl), FREE_NATS)
    likelihood = torch.stack(nll).mean()
    loss = 0.3 * likelihood + KL_WEIGHT * 0.3 * divergence + 3.0 * crps + 3.0 * crps_sum
    return loss, _floats(nll=likelihood, kl=divergence, crps=crps, crps_sum=crps_sum)


def sample_normal(model: ExogenousModel, deter: Tensor, stoch: Tensor, samples: int, steps: int) -> Tensor:
    """Free-running futures [M, E, B, H, X], normalised."""
    e, b, _ = deter.shape
    wide = lambda x: x.unsqueeze(1).expand(e, samples, b, x.shape[-1]).reshape(e, samples * b, -1)
    h, z, out = wide(deter), wide(stoch), []
    for _ in range(steps):
        h, mean, std = model.advance(h, z)
        z = mean + std * torch.randn(mean.shape[0], mean.shape[1], STOCH)
        out.append(model.decode(h, z))
    return torch.stack(out, 2).unflatten(1, (samples, b)).transpose(0, 1)


def controllable_loss(model: ControllableModel, exogenous: ExogenousModel, windows: Windows) -> tuple[Tensor, dict[str, float]]:
    """Loss of the controllable part on true and on sampled exogenous futures, and its terms; the exogenous part is fixed."""
    truth, known = model.to_normal(windows.kpi_z)
    e, b, steps = truth.shape[:3]
    with torch.no_grad():
        seen, _ = exogenous.to_normal(windows.exogenous, summed_prb(windows.action, exogenous))
        drawn = sample_normal(exogenous, *exogenous.encode(windows.history), CONTROLLABLE_SAMPLES, steps)
        # rows: posterior path, prior path on the true future, prior paths on sampled futures
        futures = exogenous.to_physical(torch.cat([seen.unsqueeze(1), seen.unsqueeze(1), drawn.transpose(0, 1)], 1))
    groups = 2 + CONTROLLABLE_SAMPLES
    action = windows.action.unsqueeze(1).expand(e, groups, b, steps, windows.action.shape[-1])
    pooled, base = model.pool(action[:, 1:].reshape(e, -1, action.shape[-1]), futures[:, 1:].reshape(e, -1, futures.shape[-1]))
    unfold = lambda x: x.reshape(e, groups - 1, b, steps, *x.shape[2:])
    pooled, base = (torch.cat([x[:, :1], x], 1).flatten(1, 2) for x in (unfold(pooled), unfold(base)))
    wide = lambda x: x.unsqueeze(1).expand(e, groups, b, x.shape[-1]).reshape(e, groups * b, -1)
    deter, stoch = model.encode(windows.history)
    h, z = wide(deter), wide(stoch)
    kl, hs, zs = [], [], []
    for t in range(steps):
        h, prior_mean, prior_std = model.advance(h, z, pooled[:, :, t])
        mean, std = model.posterior(h[:, :b], truth[:, :, t].flatten(-2))
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
    weight = std.detach()
    posterior = -(log_density * weight)[:, 0].mul(known).sum() / count
    prior = -(log_density * weight)[:, 1].mul(known).sum() / count
    mixture = torch.logsumexp(log_density[:, 2:], 1) - math.log(CONTROLLABLE_SAMPLES)
    overshoot = -(mixture.clamp(min=-30) * known).sum() / count
    divergence = free_bits(torch.stack(kl), FREE_NATS)
    loss = 0.3 * posterior + KL_WEIGHT * 0.1 * divergence + prior + 0.7 * overshoot
    return loss, _floats(posterior=posterior, kl=divergence, prior=prior, overshoot=overshoot)


def _floats(**terms: Tensor) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in terms.items()}
