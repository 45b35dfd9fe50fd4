"""What queueing theory says of a step before anything is learned: loss, delay, use and served load of a slice under a policy.

Mean-field fluid queues at every cell and link with Gaussian load fluctuations (Kelly 1991): what exceeds a rate is lost,
E[(load - rate)+]; a packet waits burst / (rate - load); the 99th percentile over cells comes from the traffic-weighted share of
packets above each of a few delays. All constants are measured in, or fitted to, recorded frames: nothing of a simulator's
inside. The CDWM takes this as its base prediction and learns the residual and the uncertainty; alone it is the benchmark's
`analytic` planner.

Inside, rows are the innermost axis: ONNX Runtime is slow at broadcasts over short inner axes.

Shape suffixes: E members, N rows, C cells, S slices, B delay-bounded slices, L links, K delay thresholds, P KPIs, A action and
X exogenous columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twm.core.kpis import LOSS_SCALE_RATIO
from twm.core.network import NetworkSpec
from twm_train.normalise import coupling_factor

Float = NDArray[np.float32]
LOCAL = 6
"""Features of a (cell, slice) that the residual network sees."""
THRESHOLDS = (0.24, 0.3, 0.38, 0.5, 0.7, 1.0, 1.5, 3.0)
"""Delays at which the share of late packets is computed, as multiples of the slice's bound."""
QUANTILE = 0.99
LEAST_SLACK_RATIO = 0.02
_PROBIT = 1.702
"""Phi(x) is sigmoid(1.702 x) within 0.01."""


@dataclass(frozen=True)
class PhysicsConstants:
    """Measured in recorded frames."""

    coupling_UC: Float
    """See twm_train.normalise.Coupling."""
    link_factor_LS: Float
    """Load a link is offered per load its cells serve."""
    sigma_S: Float
    """Relative standard deviation of the load within a slow step."""
    base_ms: float
    """Delay of an idle network."""
    burst_mbit_S: Float
    """Burst that waits for the rate left over by the load."""


def overflow(x: Tensor) -> Tensor:
    """E[(Z + x)+] of a standard normal Z within 0.001: relu(x) and a tail that is even in x, one exponential."""
    t = x.abs().clamp(max=8.0)
    return nn.functional.relu(x) + 0.39894 * torch.exp(-t * (1.2533 + 0.32 * t))


class Physics(nn.Module):
    """Analytic prediction of one slow step."""

    def __init__(self, spec: NetworkSpec, constants: PhysicsConstants) -> None:
        super().__init__()
        topology = spec.topology()
        c, s, n_links = spec.sizes
        self.sizes = (c, s, n_links)
        self.carrier_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        buffer = lambda name, value: self.register_buffer(name, torch.tensor(np.asarray(value, np.float32)))
        buffer("coupling", constants.coupling_UC)
        buffer("link_factor", constants.link_factor_LS)
        buffer("nominal", topology.link_capacity_mbps)
        buffer("route", topology.route)
        buffer("backup", topology.backup_route)
        buffer("route_sum", topology.route.T)
        buffer("backup_sum", topology.backup_route.T)
        bounded = ~np.isnan(topology.delay_p99_max_ms)
        self.bounded = [int(i) for i in np.flatnonzero(bounded)]
        bound = topology.delay_p99_max_ms[bounded]
        buffer("thresholds", bound[:, None] * np.array(THRESHOLDS))
        # what training may adjust: logs, so that they stay positive
        parameter = lambda value: nn.Parameter(torch.tensor(np.log(np.maximum(value, 1e-4)).astype(np.float32)))
        self.log_sigma = parameter(constants.sigma_S)
        self.log_loss_sigma = parameter(constants.sigma_S)
        self.log_link_sigma = parameter(constants.sigma_S * 0.5)
        self.log_base = parameter(np.array(constants.base_ms))
        self.log_burst = parameter(constants.burst_mbit_S)
        self.log_fill = parameter(np.full(s, 2.0))

    def forward(self, action: Tensor, exogenous: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(local [E, LOCAL, C, S, N], weight [E, C, S, N], kpi_z [E, S, P, N], late [E, B, K, N]).

        action [E or 1, N, A] shares, exogenous [E, N, X] in physical units. `local`: features of (cell, slice); `weight`: its
        share of the slice's load; `kpi_z`: analytic KPIs in twm.core.kpis.kpi_to_z (delay of unbounded slices: log of the worst
        load ratio); `late`: log share of packets above each threshold.
        """
        c, s, _ = self.sizes
        a, x = action.transpose(1, 2), exogenous.transpose(1, 2)
        prb, demand = a[:, : c * s].unflatten(1, (c, s)), x[:, : c * s].unflatten(1, (c, s))
        factor = torch.exp(coupling_factor(prb.sum(2).transpose(1, 2), self.coupling)).transpose(1, 2)
        rate = prb * (x[:, c * s : c * s + c] * (factor * self.carrier_mhz)).unsqueeze(2)
        column = lambda value: torch.exp(value)[:, None]
        spread = demand * column(self.log_loss_sigma) + 0.1
        over = (demand - rate) / spread
        excess = torch.minimum(spread * overflow(over), demand)
        sent = demand - excess
        total = demand.sum(1, keepdim=True)
        weight = demand / (total + 1e-3)
        survive, ratio, wait = self._transport(a, x, sent)
        delivered = sent * survive
        lost = (1.0 - delivered.sum(1) / (total[:, 0] + 1e-3)).clamp(0, 1)
        load = demand / (rate + 1.0)
        used = (prb * load.clamp(max=1.0)).sum(1) / (prb.sum(1) + 1e-6)
        worst = torch.log(torch.maximum(load, ratio).clamp(0.02, 20.0))
        delay = (weight * worst).sum(1)
        late = demand.new_zeros(demand.shape[0], 0, len(THRESHOLDS), demand.shape[-1])
        if self.bounded:
            late, quantile = self._late(demand, rate, wait, weight)
            delay = torch.stack([quantile[:, self.bounded.index(i)] if i in self.bounded else delay[:, i] for i in range(s)], 1)
        kpi_z = torch.stack([torch.log1p(lost / LOSS_SCALE_RATIO), delay, used, torch.log1p(sent.sum(1))], 2)
        local = torch.stack(
            [
                over.clamp(-8, 8) * 0.25,
                load.clamp(max=4.0),
                excess / (demand + 1.0) * 3.0,
                (1.0 - survive) * 3.0,
                (prb * 2.0).expand_as(demand),
                ratio.clamp(max=4.0),
            ],
            1,
        )
        return local, weight, kpi_z, late

    def _transport(self, a: Tensor, x: Tensor, sent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(share that survives, worst load ratio, wait [ms]), each [E, C, S, N]."""
        c, s, n_links = self.sizes
        if n_links == 0:
            zero = torch.zeros_like(sent)
            return zero + 1.0, zero, zero
        bandwidth, capacity = a[:, c * s :].unflatten(1, (n_links, s)), x[:, c * s + c :]
        down = (1.0 - capacity / self.nominal[:, None]).clamp(0, 1)
        aside = torch.matmul(self.route, down).clamp(max=1).unsqueeze(2)
        on_backup = sent * aside
        arriving = torch.matmul(self.route_sum, (sent - on_backup).flatten(2)) + torch.matmul(
            self.backup_sum, on_backup.flatten(2)
        )
        offered = arriving.unflatten(2, (s, -1)) * self.link_factor[..., None]
        served = bandwidth * capacity.unsqueeze(2) + 0.1
        spread = offered * torch.exp(self.log_link_sigma)[:, None] + 0.1
        excess = torch.minimum(spread * overflow((offered - served) / spread), offered)
        passed = torch.log((1.0 - excess / (offered + 0.1)).clamp(min=1e-3))
        slack = torch.maximum(served - offered, LEAST_SLACK_RATIO * served)
        burst, fill = (torch.exp(v)[:, None] for v in (self.log_burst, self.log_fill))
        waiting = 1000.0 * torch.minimum(burst / slack, fill / served)
        ratio = offered / served
        both = torch.cat([passed, waiting], 2)
        along = torch.matmul(self.route, both.flatten(2)).unflatten(2, (2 * s, -1))
        beside = torch.matmul(self.backup, both.flatten(2)).unflatten(2, (2 * s, -1))
        mixed = along + aside * (beside - along)
        # the worst link's ratio: a power mean is smooth and one matmul
        power = ratio.clamp(max=20.0).square().square()
        here = torch.matmul(self.route, power.flatten(2)).unflatten(2, (s, -1))
        there = torch.matmul(self.backup, power.flatten(2)).unflatten(2, (s, -1))
        worst = (here + aside * (there - here)).clamp(min=1e-6).sqrt().sqrt()
        return torch.exp(mixed[:, :, :s].clamp(min=-8.0)), worst, mixed[:, :, s:]

    def _late(self, demand: Tensor, rate: Tensor, wait: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(log share of late packets [E, B, K, N], log of the 99th percentile [ms] [E, B, N])."""
        parts, quantiles = [], []
        target = math.log(1.0 - QUANTILE)
        for row, i in enumerate(self.bounded):
            rate_i, waiting = rate[:, :, i], wait[:, :, i] + torch.exp(self.log_base)
            slack = rate_i - demand[:, :, i]
            spread = demand[:, :, i] * torch.exp(self.log_sigma[i]) + 0.1
            burst, fill = torch.exp(self.log_burst[i]), torch.exp(self.log_fill[i])
            limit = self.thresholds[row][:, None]
            left = (limit - waiting.unsqueeze(2)).clamp(min=0.05)
            needed = 1000.0 * burst / left
            probability = torch.sigmoid((_PROBIT * (needed - slack.unsqueeze(2)) / spread.unsqueeze(2)).clamp(-20, 20))
            longest = waiting + 1000.0 * fill / (rate_i + 0.1)
            probability = probability * (0.5 + 3.0 * (longest.unsqueeze(2) / limit - 1.0)).clamp(0, 1)
            share = torch.log((probability * weight[:, :, i].unsqueeze(2)).sum(1).clamp(min=1e-7))
            log_limit = torch.log(self.thresholds[row])
            width = (log_limit[1:] - log_limit[:-1])[:, None]
            step = ((share[:, :-1] - target) / (share[:, :-1] - share[:, 1:] + 1e-3)).clamp(0, 1)
            quantiles.append(log_limit[0] + (width * step).sum(1))
            parts.append(share)
        return torch.stack(parts, 1), torch.stack(quantiles, 1)
