"""Controllable part of the CDWM: what a policy makes of an exogenous future, as KPIs per slice.

The same state-space cell as the exogenous part, fed besides with the action and the exogenous state. What is known of the
physics enters as inputs, from the spec alone: the rate a share gives (share x SE x carrier bandwidth), the interference
coupling of SE, the load each link sees over normal and backup routes, and from these a mean-field estimate of loss, served
load and PRB use that the network corrects (residual heads start at zero).

Shape suffixes: E members, N rows, C cells, S slices, L links, R links on a route, P KPIs, A action and X exogenous columns.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twm.core.features import HistoryLayout
from twm.core.kpis import DELAY_FLOOR_MS, KPI_NAMES, LOSS_SCALE_RATIO
from twm.core.network import NetworkSpec
from twm_train.exogenous import DETER, STOCH, history_index
from twm_train.layers import StackedGru, StackedLinear, StackedMlp, StackedNormal
from twm_train.normalise import ColumnScaler, coupling_factor

CELL_WIDTH, POOL_WIDTH, CONTEXT_WIDTH, HEAD_WIDTH = 24, 16, 24, 48
LOCAL_INPUTS = 8
ANALYTIC = 4
Float = NDArray[np.float32]


class ControllableModel(nn.Module):
    """Ensemble of E controllable state-space models."""

    def __init__(
        self,
        spec: NetworkSpec,
        members: int,
        recent: int,
        scaler: ColumnScaler,
        kpi_mean_SP: Float,
        kpi_std_SP: Float,
        coupling_UC: Float,
        link_factor_LS: Float,
        *,
        hidden: int = 96,
    ) -> None:
        super().__init__()
        layout = HistoryLayout.of(spec)
        c, s, n_links = spec.sizes
        self.sizes, self.members, self.recent, self.value_count = (c, s, n_links), members, recent, layout.value_count
        self.carrier_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        self.scaler = scaler
        topology = spec.topology()
        buffer = lambda name, value: self.register_buffer(name, torch.tensor(value))
        picks = {n: tuple(range(layout.blocks[n][1][-1])) for n in ("cell_slice", "cell", "link_slice", "link", "fast")}
        columns = history_index(layout, {name: picks[name] for name in picks if layout.blocks[name][1][0]})
        buffer("columns", columns)
        buffer("mean", kpi_mean_SP)
        buffer("std", kpi_std_SP)
        buffer("coupling", coupling_UC)
        buffer("nominal", topology.link_capacity_mbps.astype(np.float32))
        buffer("link_factor", link_factor_LS)
        buffer("route", topology.route.astype(np.float32))
        buffer("backup", topology.backup_route.astype(np.float32))
        buffer("route_index", _padded(topology.route))
        buffer("backup_index", _padded(topology.backup_route))
        p = len(KPI_NAMES)
        self.encoder = StackedMlp(members, (recent * len(columns), hidden, DETER + STOCH), last_scale=0.5)
        self.local_in = StackedLinear(members, LOCAL_INPUTS, CELL_WIDTH, scale=1.3)
        self.place = nn.Parameter(torch.zeros(members, 1, c, s, CELL_WIDTH))
        self.local_out = StackedLinear(members, CELL_WIDTH, POOL_WIDTH)
        pooled = 2 * POOL_WIDTH + ANALYTIC
        self.summary = StackedLinear(members, s * pooled, STOCH)
        self.cell = StackedGru(members, 2 * STOCH, DETER)
        self.prior_head = StackedNormal(members, DETER, STOCH)
        self.posterior_in = StackedLinear(members, DETER + s * p, hidden)
        self.posterior_head = StackedNormal(members, hidden, STOCH)
        self.context = StackedLinear(members, DETER + STOCH, CONTEXT_WIDTH)
        self.head_in = StackedLinear(members, pooled + CONTEXT_WIDTH, HEAD_WIDTH, scale=1.3)
        self.slice_bias = nn.Parameter(torch.zeros(members, 1, s, HEAD_WIDTH))
        self.head_out = StackedLinear(members, HEAD_WIDTH, 2 * p, scale=0.0)

    def encode(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """(h, z) [E, N, .] from histories [E, N, W, D_h]; the newest `recent` frames count (queues drain soon)."""
        values, known = history[..., -self.recent :, :].split(self.value_count, -1)
        state = self.encoder(self.scaler(values, known)[..., self.columns].flatten(-2))
        deter, stoch = state.split((DETER, STOCH), -1)
        return torch.tanh(deter), stoch

    def pool(self, action: Tensor, exogenous: Tensor) -> tuple[Tensor, Tensor]:
        """(pooled inputs [E, N, S, .], analytic KPIs normalised [E, N, S, P] with 0 for delay).

        action [E or 1, N, A] shares, exogenous [E, N, X] in physical units. Inside, N is the innermost axis: ONNX Runtime is
        slow at broadcasts over short inner axes, and this order halves the time of a rollout step.
        """
        c, s, n_links = self.sizes
        a, x = action.transpose(1, 2), exogenous.transpose(1, 2)
        prb, demand = a[:, : c * s].unflatten(1, (c, s)), x[:, : c * s].unflatten(1, (c, s))
        factor = torch.exp(coupling_factor(prb.sum(2).transpose(1, 2), self.coupling)).transpose(1, 2)
        rate = prb * (x[:, c * s : c * s + c] * (factor * self.carrier_mhz)).unsqueeze(2)
        sent = torch.minimum(demand, rate)
        load = demand / (rate + 1.0)
        delivered, worst, room, rerouted = sent, torch.zeros_like(sent), torch.zeros_like(sent), torch.zeros_like(sent)
        if n_links:
            bandwidth, capacity = a[:, c * s :].unflatten(1, (n_links, s)), x[:, c * s + c :]
            down = (1.0 - capacity / self.nominal[:, None]).clamp(0, 1)
            aside = torch.matmul(self.route, down).clamp(max=1).unsqueeze(2)
            on_backup = sent * aside
            on_route = sent - on_backup
            arriving = torch.matmul(self.route.T, on_route.flatten(2)) + torch.matmul(self.backup.T, on_backup.flatten(2))
            offered = arriving.unflatten(2, (s, -1)) * self.link_factor[..., None]
            served = bandwidth * capacity.unsqueeze(2)
            ratio = offered / (served + 1.0)
            spare = torch.log1p((served - offered).clamp(min=0))
            pad = torch.zeros_like(ratio[:, :1])
            ratio, spare = torch.cat([ratio, pad], 1), torch.cat([spare, pad + 8.0], 1)
            pick = lambda values, index: values.index_select(1, index.flatten()).unflatten(1, tuple(index.shape))
            here, there = pick(ratio, self.route_index).amax(2), pick(ratio, self.backup_index).amax(2)
            worst = here + aside * (there - here)
            here, there = pick(spare, self.route_index).amin(2), pick(spare, self.backup_index).amin(2)
            room = here + aside * (there - here)
            delivered = sent / worst.clamp(min=1.0)
            rerouted = aside.expand_as(sent)
        logs = lambda value: torch.log(value.clamp(0.02, 20.0))
        local = torch.stack(
            [
                logs(load),
                torch.log1p(demand) * 0.3,
                torch.log1p((rate - demand).clamp(min=0)) * 0.5,
                torch.log1p(rate) * 0.3,
                (prb * 2.0).expand_as(load),
                logs(worst),
                room * 0.5,
                rerouted,
            ],
            1,
        )
        total = demand.sum(1)
        weight = demand / (total + 1e-3).unsqueeze(1)
        lost = (1.0 - delivered.sum(1) / (total + 1e-3)).clamp(0, 1)
        used = (prb * load.clamp(max=1.0)).sum(1) / (prb.sum(1) + 1e-6)
        analytic = torch.stack(
            [
                torch.log1p(lost / LOSS_SCALE_RATIO),
                (weight * logs(torch.maximum(load, worst))).sum(1),
                used,
                torch.log1p(delivered.sum(1)),
            ],
            1,
        )
        offset = (self.place + self.local_in.bias[:, :, None, None]).permute(0, 4, 2, 3, 1)
        inner = torch.matmul(self.local_in.weight.transpose(1, 2), local.flatten(2)).unflatten(2, (c, s, -1))
        inner = nn.functional.relu(inner + offset)
        outer = torch.matmul(self.local_out.weight.transpose(1, 2), inner.flatten(2)).unflatten(2, (c, s, -1))
        bias = self.local_out.bias.transpose(1, 2)[..., None]
        mean, most = (outer * weight.unsqueeze(1)).sum(2) + bias, outer.amax(2) + bias
        keep = torch.tensor([1.0, 0.0, 1.0, 1.0])[:, None, None]
        base = (analytic - self.mean.T[..., None]) * (keep / self.std.T[..., None])
        scaled = torch.cat([base[:, :1], analytic[:, 1:2], base[:, 2:]], 1)
        pooled = torch.cat([mean, most, scaled.clamp(-6, 6)], 1)
        return pooled.permute(0, 3, 2, 1), base.permute(0, 3, 2, 1)

    def advance(self, deter: Tensor, stoch: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(h', prior mean, prior std)."""
        following = self.cell(torch.cat([stoch, torch.tanh(self.summary(pooled.flatten(-2)))], -1), deter)
        mean, std = self.prior_head(following)
        return following, mean, std

    def posterior(self, deter: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """q(z' | h', KPIs'): seen [E, N, S*P] is normalised, 0 where unknown."""
        mean, std = self.posterior_head(nn.functional.silu(self.posterior_in(torch.cat([deter, seen], -1))))
        return mean, std

    def decode(self, deter: Tensor, stoch: Tensor, pooled: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, std) of the normalised KPIs [E, N, S, P]."""
        context = self.context(torch.cat([deter, stoch], -1)).unsqueeze(-2)
        context = context.expand(*pooled.shape[:-1], CONTEXT_WIDTH)
        inner = nn.functional.silu(self.head_in(torch.cat([pooled, context], -1)) + self.slice_bias)
        mean, raw = self.head_out(inner).chunk(2, -1)
        return base + mean, 0.02 + nn.functional.softplus(raw - 1.0)

    def step(
        self, deter: Tensor, stoch: Tensor, noise: Tensor, action: Tensor, exogenous: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(h', z', kpi_mean, kpi_std) in physical units: one step of a policy in a sampled future."""
        pooled, base = self.pool(action, exogenous)
        following, mean, std = self.advance(deter, stoch, pooled)
        drawn = mean + std * noise
        return following, drawn, *self.to_physical(*self.decode(following, drawn, pooled, base))

    def to_normal(self, kpi_z: Tensor) -> tuple[Tensor, Tensor]:
        """(normalised, known flags) of observed KPIs in z (twm.core.kpis.kpi_to_z) with NaN."""
        normal = (kpi_z - self.mean) / self.std
        known = torch.isfinite(normal)
        return torch.where(known, normal, torch.zeros_like(normal)), known.to(normal.dtype)

    def to_physical(self, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """Median and standard deviation in physical units (twm.core.kpis)."""
        z, sigma = mean * self.std + self.mean, std * self.std
        loss = (LOSS_SCALE_RATIO * torch.expm1(z[..., 0].clamp(0, 5))).clamp(max=1.0)
        delay = torch.exp(z[..., 1].clamp(-3, 12)).clamp(min=DELAY_FLOOR_MS)
        used = z[..., 2].clamp(0, 1)
        served = torch.expm1(z[..., 3].clamp(0, 16))
        value = torch.stack([loss, delay, used, served], -1)
        slope = torch.stack([loss + LOSS_SCALE_RATIO, delay, torch.ones_like(used), 1.0 + served], -1)
        return value, sigma * slope


def _padded(route_CL: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Links on each cell's route [C, R]; L pads."""
    links = [np.flatnonzero(row) for row in route_CL]
    width = max([1, *(len(row) for row in links)])
    out = np.full((len(links), width), route_CL.shape[1], np.int64)
    for row, found in zip(out, links, strict=True):
        row[: len(found)] = found
    return out
