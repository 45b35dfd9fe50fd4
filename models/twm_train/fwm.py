"""Field World Model: forecasts of the field per cell, and of demand, spectral efficiency and link state, with quantiles.

A graph network over (cell, slice) nodes, cells and links with weights shared by all of them, so that one set of weights serves
any network: each node reads its own history relative to its own level and the known events ahead; cells exchange messages
weighted by learned functions of their relative position (continuous convolution, Schuett et al. 2017), which is how a wave is
seen to travel. A place vector per cell, hidden from a third of the training windows, tells what is particular about this
network's cells. No input carries an action; past shares only serve to take their effect out of the efficiency that was seen.

Shape suffixes: E members, N windows, W history frames, D_h history columns, H slow steps, Q quantile levels, C cells, S slices,
L links, T step offsets, F field features, M kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twm.core.features import FIELD_FEATURES, HistoryLayout
from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, LINK_FEATURES
from twm.core.network import NetworkSpec
from twm_train.layers import StackedLinear, StackedMlp
from twm_train.normalise import CLIP, coupling_factor, squash

FIELD_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
DEMAND_LEVELS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
NODE_WIDTH, CELL_WIDTH, MESSAGE_WIDTH, KERNELS, PLACE_WIDTH = 48, 48, 16, 6, 8
DEMAND_SCALE = 0.15
"""Unit of a forecast's deviation from the level of its window, in log(1 + Mbps)."""
DEMAND_LOG_MAX = 25.0
"""A forecast stays finite whatever was reported: 70 Pbit/s at most."""
HIDDEN_PLACE = 0.33
"""Share of training windows that do not see the place vectors."""
NEIGHBOUR_KM = 0.5
Float = NDArray[np.float32]
LINEAR = torch.tensor([name == "offered_change_mbps" for name in FIELD_FEATURES])
"""Features of either sign: normalised as they are, not squashed, so that their median is not bent towards 0."""


def step_offsets(horizon_steps: int) -> tuple[int, ...]:
    """Now, the next three steps, then every third, and the last."""
    near = {0, 1, 2, 3, *range(3, horizon_steps + 1, 3), horizon_steps}
    return tuple(sorted(offset for offset in near if offset <= horizon_steps))


def to_field_z(features: Tensor) -> Tensor:
    """Physical field features [..., F] to the space that is normalised."""
    return torch.where(LINEAR, features, squash(features))


def history_index(layout: HistoryLayout, picks: dict[str, tuple[int, ...]]) -> NDArray[np.int64]:
    """Columns of the named features (last axis) of blocks, flattened."""
    parts = []
    for name, features in picks.items():
        columns, shape = layout.blocks[name]
        grid = np.arange(columns.start, columns.stop).reshape(shape)
        parts.append(grid[..., list(features)].reshape(-1))
    return np.concatenate(parts).astype(np.int64)


def slice_attributes(spec: NetworkSpec) -> Float:
    """What tells a slice's kind on any network [S, 4]: delay bounded, how strictly, loss bounded, its bound."""
    topology = spec.topology()
    delay, loss = topology.delay_p99_max_ms, topology.loss_max_ratio
    strict = 20.0 / np.where(np.isnan(delay), np.inf, np.maximum(delay, 1.0))
    columns = [~np.isnan(delay), np.minimum(strict, 4.0), ~np.isnan(loss), 5.0 * np.nan_to_num(np.minimum(loss, 1.0), nan=0.5)]
    return np.stack(columns, -1).astype(np.float32)


def ascending(raw: Tensor) -> Tensor:
    """Quantiles [..., Q] that rise: the middle one as it is, the others by positive increments from it."""
    middle = raw.shape[-1] // 2
    median = raw[..., middle : middle + 1]
    below = nn.functional.softplus(raw[..., :middle] - 1.0).flip(-1).cumsum(-1).flip(-1)
    above = nn.functional.softplus(raw[..., middle + 1 :] - 1.0).cumsum(-1)
    return torch.cat([median - below, median, median + above], -1)


def pinball(quantiles: Tensor, levels: tuple[float, ...], truth: Tensor, known: Tensor, axis: int) -> Tensor:
    """Mean pinball loss over what is known (Koenker & Bassett 1978); `quantiles` has the level axis that `truth` lacks."""
    shape = [1] * quantiles.ndim
    shape[axis] = len(levels)
    level = torch.tensor(levels).reshape(shape)
    error = truth.unsqueeze(axis) - quantiles
    loss = torch.maximum(level * error, (level - 1) * error) * known.unsqueeze(axis)
    return loss.sum() / (known.sum().clamp(min=1) * len(levels))


@dataclass(frozen=True)
class Forecast:
    """What the model says of N windows, by member."""

    demand_log: Tensor
    """Quantiles of log(1 + demand [Mbps]) [E, N, H, Q, C, S] at DEMAND_LEVELS."""
    efficiency_log: Tensor
    """Level of log spectral efficiency with all PRBs in use [E, N, C]."""
    down_logit: Tensor
    """Log odds that a link is down [E, N, H, L]."""
    capacity_ratio: Tensor
    """Capacity of a link that is up, over nominal [E, N, L]."""
    cells: Tensor
    """State of the cells [E, N, C, CELL_WIDTH + NODE_WIDTH]."""


class FieldModel(nn.Module):
    """Ensemble of E field world models."""

    def __init__(
        self,
        spec: NetworkSpec,
        members: int,
        window: int,
        feature_mean_F: Float,
        feature_std_F: Float,
        demand_level_CS: Float,
        efficiency_level_C: Float,
        coupling_UC: Float,
    ) -> None:
        super().__init__()
        layout, topology = HistoryLayout.of(spec), spec.topology()
        c, s, n_links = spec.sizes
        self.sizes, self.members, self.window = (c, s, n_links), members, window
        self.value_count, self.horizon = layout.value_count, spec.timing.horizon_steps
        self.offsets = step_offsets(self.horizon)
        self.carrier_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        buffer = lambda name, value: self.register_buffer(name, torch.tensor(np.asarray(value)))
        for name, block, picks in (
            ("demand_columns", "cell_slice", (CELL_SLICE_FEATURES.index("offered_mbps"),)),
            ("share_columns", "cell_slice", (CELL_SLICE_FEATURES.index("prb_share"),)),
            ("se_columns", "cell", (CELL_FEATURES.index("spectral_efficiency_bps_hz"),)),
            ("capacity_columns", "link", (LINK_FEATURES.index("capacity_mbps"),)),
            ("up_columns", "link", (LINK_FEATURES.index("up_ratio"),)),
        ):
            buffer(name, history_index(layout, {block: picks}))
        buffer("event_columns", np.arange(layout.blocks["events"][0].start, layout.blocks["events"][0].stop))
        buffer("feature_mean", feature_mean_F)
        buffer("feature_std", feature_std_F)
        buffer("demand_level", demand_level_CS)
        buffer("efficiency_level", efficiency_level_C)
        buffer("coupling", coupling_UC)
        buffer("nominal", topology.link_capacity_mbps.astype(np.float32))
        buffer("attributes", slice_attributes(spec))
        offset = (topology.cell_xy_km[None] - topology.cell_xy_km[:, None]) / NEIGHBOUR_KM
        distance = np.sqrt((offset**2).sum(-1, keepdims=True))
        buffer("relative", np.concatenate([offset, distance, np.exp(-(distance**2) / 2)], -1).astype(np.float32))
        node_inputs = 2 * window + 2 + self.horizon + 1 + self.attributes.shape[1]
        self.node_in = StackedMlp(members, (node_inputs, NODE_WIDTH, NODE_WIDTH))
        self.place = nn.Parameter(0.1 * torch.randn(members, c, PLACE_WIDTH))
        self.cell_in = StackedLinear(members, NODE_WIDTH + PLACE_WIDTH + 1, CELL_WIDTH)
        self.kernels = nn.ModuleList(StackedMlp(members, (4, 16, KERNELS)) for _ in range(2))
        self.values = nn.ModuleList(StackedLinear(members, CELL_WIDTH, KERNELS * MESSAGE_WIDTH) for _ in range(2))
        self.mixes = nn.ModuleList(StackedLinear(members, CELL_WIDTH + KERNELS * MESSAGE_WIDTH, CELL_WIDTH) for _ in range(2))
        q = len(DEMAND_LEVELS)
        self.node_out = StackedMlp(members, (NODE_WIDTH + CELL_WIDTH, 64, self.horizon * q), last_scale=0.1)
        t, f = len(self.offsets), len(FIELD_FEATURES)
        self.field_in = StackedLinear(members, CELL_WIDTH + NODE_WIDTH + f * 2, 64, scale=1.3)
        self.field_out = StackedLinear(members, 64, t * len(FIELD_LEVELS) * f, scale=0.1)
        keep = torch.full((t, f), 0.8)
        keep[0] = 1.0
        keep[1:, LINEAR] = 0.0  # a change of load says little about the next one
        self.keep = nn.Parameter(keep)
        self.link_net = StackedMlp(members, (2 * min(window, 4), 16, self.horizon), last_scale=0.1)
        buffer("link_bias", np.full(1, -4.0, np.float32))
        self.level_mix = nn.Parameter(torch.tensor([0.0]))

    def observe(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """(values, known flags) [..., W, V] of a history."""
        values, known = history.split(self.value_count, -1)
        return values, known.clamp(0.0, 1.0)

    def efficiency(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """(log SE as with all PRBs of all cells in use, flag) [..., C]; unknown past shares count as an even split."""
        c, s, _ = self.sizes
        share, share_known = values[..., self.share_columns], known[..., self.share_columns]
        used = torch.where(share_known > 0, share, torch.full_like(share, 1.0 / s)).unflatten(-1, (c, s)).sum(-1)
        log_se = torch.log(values[..., self.se_columns].clamp(min=1e-3)) - coupling_factor(used, self.coupling)
        return log_se, known[..., self.se_columns]

    def forecast(self, history: Tensor) -> Forecast:
        """All that follows from histories [E, N, W, D_h]."""
        c, s, _ = self.sizes
        e, n = history.shape[:2]
        values, known = self.observe(history)
        log_demand = torch.log1p(values[..., self.demand_columns].clamp(min=0)).unflatten(-1, (c, s))
        flag = known[..., self.demand_columns].unflatten(-1, (c, s))
        count = flag.sum(2)
        level = (log_demand * flag).sum(2) / count.clamp(min=1.0)
        level = torch.where(count > 0, level, self.demand_level.expand_as(level))
        deviation = ((log_demand - level.unsqueeze(2)) / DEMAND_SCALE * flag).clamp(-CLIP, CLIP)
        newest = torch.where(flag[:, :, -1] > 0, log_demand[:, :, -1], level)
        log_se, se_flag = self.efficiency(values, known)
        se_count = se_flag.sum(2)
        se_level = torch.where(
            se_count > 0, (log_se * se_flag).sum(2) / se_count.clamp(min=1.0), self.efficiency_level.expand(e, n, c)
        )
        events = values[:, :, -1, self.event_columns].unflatten(-1, (c, self.horizon))
        told = known[:, :, -1, self.event_columns].unflatten(-1, (c, self.horizon))[..., :1]
        relative = level - (se_level + float(np.log(self.carrier_mhz))).unsqueeze(-1)
        steps_last = lambda x: x.permute(0, 1, 3, 4, 2)
        each = lambda x: x.unsqueeze(3).expand(e, n, c, s, x.shape[-1])
        node = torch.cat(
            [
                steps_last(deviation),
                steps_last(flag),
                relative.unsqueeze(-1),
                ((newest - level) / DEMAND_SCALE).clamp(-CLIP, CLIP).unsqueeze(-1),
                each(torch.log1p(events.clamp(min=0)) * 2.0),
                each(told),
                self.attributes.expand(e, n, c, s, -1),
            ],
            -1,
        )
        node = nn.functional.silu(self.node_in(node))
        place = self.place.unsqueeze(1).expand(e, n, c, PLACE_WIDTH)
        if self.training:
            place = place * (torch.rand(e, n, 1, 1) > HIDDEN_PLACE)
        cells = nn.functional.silu(self.cell_in(torch.cat([node.mean(3), place, told], -1)))
        for kernel, value, mix in zip(self.kernels, self.values, self.mixes, strict=True):
            weight = kernel(self.relative.expand(e, *self.relative.shape)) / c
            message = value(cells).unflatten(-1, (KERNELS, MESSAGE_WIDTH))
            gathered = torch.einsum("eijm,enjmv->enimv", weight, message).flatten(-2)
            cells = cells + nn.functional.silu(mix(torch.cat([cells, gathered], -1)))
        raw = self.node_out(torch.cat([node, cells.unsqueeze(3).expand(e, n, c, s, CELL_WIDTH)], -1))
        raw = raw.unflatten(-1, (self.horizon, len(DEMAND_LEVELS)))
        start = level + torch.sigmoid(self.level_mix) * (newest - level)
        quantiles = start[..., None, None] + DEMAND_SCALE * ascending(raw)
        ratio, down = self._links(values, known)
        return Forecast(
            demand_log=quantiles.permute(0, 1, 4, 5, 2, 3).clamp(-1.0, DEMAND_LOG_MAX),
            efficiency_log=se_level,
            down_logit=down,
            capacity_ratio=ratio,
            cells=torch.cat([cells, node.mean(3)], -1),
        )

    def _links(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        e, n = values.shape[:2]
        n_links = self.sizes[2]
        if n_links == 0:
            return values.new_zeros(e, n, 0), values.new_zeros(e, n, self.horizon, 0)
        recent = min(self.window, 4)
        up, up_known = (x[:, :, -recent:, self.up_columns].transpose(2, 3) for x in (values, known))
        capacity, capacity_known = (x[:, :, -1, self.capacity_columns] for x in (values, known))
        ratio = torch.where(capacity_known > 0, (capacity / self.nominal).clamp(0, 2), torch.ones_like(capacity))
        rows = torch.cat([(1.0 - up) * up_known, up_known], -1)
        return ratio, (self.link_net(rows) + self.link_bias).transpose(2, 3)

    def field(self, forecast: Forecast, newest: Tensor) -> Tensor:
        """Normalised quantiles of field features [E, N, T, Q, C, F] from the newest [E, N, C, F] (NaN: unknown)."""
        normal = (to_field_z(newest) - self.feature_mean) / self.feature_std
        known = torch.isfinite(normal)
        seen = torch.where(known, normal.clamp(-CLIP, CLIP), torch.zeros_like(normal))
        inner = nn.functional.silu(self.field_in(torch.cat([forecast.cells, seen, known.to(seen.dtype)], -1)))
        t, q, f = len(self.offsets), len(FIELD_LEVELS), len(FIELD_FEATURES)
        raw = self.field_out(inner).unflatten(-1, (t, f, q))
        base = seen.unsqueeze(3) * self.keep
        return (base.unsqueeze(-1) + ascending(raw)).permute(0, 1, 3, 5, 2, 4)

    def to_physical(self, normal: Tensor) -> Tensor:
        """Field features in physical units; only the change of load may be negative."""
        z = normal.clamp(-CLIP - 2, CLIP + 2) * self.feature_std + self.feature_mean
        return torch.where(LINEAR, z, torch.expm1(z.clamp(min=0)))

    def predict_field(self, forecast: Forecast, newest: Tensor) -> Tensor:
        """Quantiles of field features [E, N, T, Q, C, F] in physical units from the newest [E, N, C, F] (NaN: unknown).

        What was reported for now is what is said of now, at every level, however far out it is: normalising clips.
        """
        found = self.to_physical(self.field(forecast, newest))
        reported = newest.unsqueeze(2).expand_as(found[:, :, 0])
        now = torch.where(torch.isfinite(reported), reported, found[:, :, 0])
        return torch.cat([now.unsqueeze(2), found[:, :, 1:]], 2)
