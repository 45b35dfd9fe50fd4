"""Exogenous part of the CDWM: samples of demand, action-free spectral efficiency, link capacity. It never receives an action.

The frozen Field World Model gives the marginals of every coming step; this part draws from them together. A latent state of
unit normals moves on by a first-order autoregression whose noise is correlated over space (a shock raises its neighbours too),
and each latent value picks its quantile: a Gaussian copula with temporal memory, as ensemble copula coupling does for weather
(Schefzik et al. 2013). Its few constants are moments of the normal scores of the training residuals, so they fit any network.

`deter` is the forecast still to come, as a shift register; `stoch` is the latent state and a flag that says it has not begun.

Shape suffixes: E members, N rows, W history frames, H slow steps, Q quantile levels, X exogenous columns, C cells, S slices,
L links, Z latent width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twm.core.network import NetworkSpec
from twm_train.fwm import DEMAND_LEVELS, FieldModel
from twm_train.normalise import coupling_factor

Float = NDArray[np.float32]
KNOTS = tuple(NormalDist().inv_cdf(level) for level in DEMAND_LEVELS)
TAIL_MAX = 2.5
"""Latent values count up to this far: beyond, a quantile is extrapolated further than anything was seen."""
LINK_MEMORY = 0.7
LINK_SHARPNESS = 12.0


@dataclass(frozen=True)
class Dependence:
    """How forecast errors hang together."""

    shared_ratio: float = 0.5
    """Share of a (cell, slice) error's variance that comes from the field all slices feel."""
    length_km: float = 0.4
    """Range of that field: correlation exp(-distance / length)."""
    shared_memory: float = 0.8
    """Its correlation from one slow step to the next."""
    own_memory: float = 0.5
    """The same for what is left."""
    efficiency_sigma: float = 0.02
    """Standard deviation of log spectral efficiency about its level."""


class ExogenousModel(nn.Module):
    """Ensemble of E samplers of exogenous futures."""

    def __init__(self, spec: NetworkSpec, field: FieldModel, dependence: Dependence) -> None:
        super().__init__()
        self.field = field.requires_grad_(False)
        self.sizes, self.members, self.window, self.horizon = field.sizes, field.members, field.window, field.horizon
        self.value_count = field.value_count
        c, s, n_links = self.sizes
        q = len(DEMAND_LEVELS)
        self.row = c * s * q + n_links
        self.deter = self.horizon * self.row + c + n_links
        self.latent = c + c * s + c + n_links
        self.stoch = self.latent + 1
        self.register_buffer("dependence", torch.tensor([float(v) for v in vars(dependence).values()]))
        xy = spec.topology().cell_xy_km
        distance = np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(-1))
        self.register_buffer("distance", torch.tensor(distance.astype(np.float32)))
        self.register_buffer("factor", torch.eye(c))
        self.register_buffer("nominal", field.nominal.clone())
        self.set_dependence(dependence)

    def set_dependence(self, dependence: Dependence) -> None:
        """Take other constants of the joint distribution."""
        self.dependence.copy_(torch.tensor([float(v) for v in vars(dependence).values()]))
        kernel = torch.exp(-self.distance.double() / max(dependence.length_km, 1e-3))
        self.factor.copy_(torch.linalg.cholesky(kernel + 1e-6 * torch.eye(len(kernel), dtype=torch.float64)).float())

    def encode(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """(deter [E, N, .], stoch [E, N, .]) from histories [E, N, W, D_h]."""
        forecast = self.field.forecast(history)
        e, n = history.shape[:2]
        steps = torch.cat([forecast.demand_log.transpose(3, 4).transpose(4, 5).flatten(3), -forecast.down_logit], -1)
        deter = torch.cat([steps.flatten(2), forecast.efficiency_log, forecast.capacity_ratio], -1)
        stoch = torch.cat([deter.new_zeros(e, n, self.latent), deter.new_ones(e, n, 1)], -1)
        return deter, stoch

    def step(self, deter: Tensor, stoch: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(deter', stoch', exogenous' [E, N, X] in physical units): one step of a sampled future; noise is standard normal."""
        c, s, n_links = self.sizes
        shared_ratio, _, shared_memory, own_memory, sigma = self.dependence.unbind()
        rows, tail = deter.split((self.horizon * self.row, c + n_links), -1)
        now = rows[..., : self.row]
        latent, first = stoch[..., :-1], stoch[..., -1:]
        fresh = noise[..., : self.latent]
        fresh = torch.cat([torch.matmul(fresh[..., :c], self.factor.T), fresh[..., c:]], -1)
        memory = torch.cat(
            [
                shared_memory.expand(c),
                own_memory.expand(c * s),
                torch.zeros(c, dtype=noise.dtype),
                torch.full((n_links,), LINK_MEMORY, dtype=noise.dtype),
            ]
        )
        drawn = memory * latent + torch.sqrt(1 - memory**2 * (1 - first)) * fresh
        shared, own, fading, link = drawn.split((c, c * s, c, n_links), -1)
        score = torch.sqrt(shared_ratio) * shared.unsqueeze(-1) + torch.sqrt(1 - shared_ratio) * own.unflatten(-1, (c, s))
        demand = torch.expm1(at_score(now[..., : c * s * len(DEMAND_LEVELS)].unflatten(-1, (c, s, -1)), score)).clamp(min=0)
        efficiency = torch.exp(tail[..., :c] + sigma * fading)
        parts = [demand.flatten(-2), efficiency]
        if n_links:
            # up where Phi(z) > P(down); logit(Phi(z)) is 1.702 z closely
            up = torch.sigmoid(LINK_SHARPNESS * (1.702 * link + now[..., c * s * len(DEMAND_LEVELS) :]))
            parts.append(up * tail[..., c:] * self.nominal)
        following = torch.cat([rows[..., self.row :], now, tail], -1)
        return following, torch.cat([drawn, torch.zeros_like(first)], -1), torch.cat(parts, -1)

    def sample(self, history: Tensor, samples: int) -> Tensor:
        """Futures [E, M, B, H, X] in physical units of histories [E, B, W, D_h]."""
        deter, stoch = self.encode(history)
        e, b = deter.shape[:2]
        wide = lambda x: x.unsqueeze(1).expand(e, samples, b, x.shape[-1]).reshape(e, samples * b, -1)
        deter, stoch = wide(deter), wide(stoch)
        out = []
        for _ in range(self.horizon):
            deter, stoch, future = self.step(deter, stoch, torch.randn(e, samples * b, self.stoch))
            out.append(future)
        return torch.stack(out, 2).unflatten(1, (samples, b))

    def action_free(self, exogenous: Tensor, share_C: Tensor) -> Tensor:
        """Observed states [..., X] (NaN where missing), SE as with all PRBs in use; `share_C` [..., C] were in use."""
        c, s, n_links = self.sizes
        demand, se, link = exogenous.split((c * s, c, n_links), -1)
        return torch.cat([demand, se * torch.exp(-coupling_factor(share_C, self.field.coupling)), link], -1)


def at_score(quantiles: Tensor, score: Tensor) -> Tensor:
    """Value [...] at a normal score [...] of quantiles [..., Q]: linear between the knots, tails go on with the last slope."""
    z = score.clamp(-TAIL_MAX, TAIL_MAX)
    value = quantiles[..., 0]
    for i in range(len(KNOTS) - 1):
        width = KNOTS[i + 1] - KNOTS[i]
        low = -math.inf if i == 0 else 0.0
        high = math.inf if i == len(KNOTS) - 2 else width
        part = (z - KNOTS[i]).clamp(low, high) / width
        value = value + part * (quantiles[..., i + 1] - quantiles[..., i])
    return value


def normal_scores(quantiles: Tensor, truth: Tensor) -> Tensor:
    """Inverse of `at_score`: normal score of a value among quantiles [..., Q]."""
    score = torch.full_like(truth, KNOTS[0])
    for i in range(len(KNOTS) - 1):
        step = (quantiles[..., i + 1] - quantiles[..., i]).clamp(min=1e-4)
        low = -math.inf if i == 0 else 0.0
        high = math.inf if i == len(KNOTS) - 2 else 1.0
        score = score + ((truth - quantiles[..., i]) / step).clamp(low, high) * (KNOTS[i + 1] - KNOTS[i])
    return score.clamp(-TAIL_MAX, TAIL_MAX)


def fit_dependence(score_BHCS: NDArray[np.floating], distance_CC: NDArray[np.floating], efficiency_sigma: float) -> Dependence:
    """Moments of the normal scores of forecast errors (NaN: unknown)."""
    z = np.nan_to_num(np.asarray(score_BHCS, np.float64))
    z = z - z.mean((0, 1))
    z /= np.maximum(z.std((0, 1)), 1e-6)
    _, _, c, s = z.shape
    common = z.mean(-1)
    if s > 1:
        pairs = ((s * common) ** 2 - (z**2).sum(-1)).mean() / (s * (s - 1))
        shared = float(np.clip(pairs, 0.05, 0.95))
    else:
        shared = 0.5
    field = common / np.maximum(common.std((0, 1)), 1e-6)
    correlation = np.einsum("bhc,bhd->cd", field, field) / (field.shape[0] * field.shape[1])
    apart = ~np.eye(c, dtype=bool)
    length = 0.4
    if c > 1:
        grid = np.geomspace(0.05, 3.0, 40)
        error = [((correlation[apart] - np.exp(-distance_CC[apart] / g)) ** 2).mean() for g in grid]
        length = float(grid[int(np.argmin(error))])
    lag = lambda x: float(np.clip((x[:, 1:] * x[:, :-1]).mean() / max((x * x).mean(), 1e-9), 0.0, 0.98))
    return Dependence(shared, length, lag(field), lag(z - common[..., None]), float(np.clip(efficiency_sigma, 1e-3, 0.5)))
