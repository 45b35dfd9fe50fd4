"""Model inputs from frames and policies; shared by training and serving. numpy only.

Shape suffixes: ... any leading axes, W history frames, D columns, H horizon steps, C cells, S slices, L links, T fast steps,
F field features, G grid nodes a side, K policies, A action columns. All sizes come from the spec; L may be 0.

Functions over "blocks" take a mapping with the arrays of twm.core.frames with any leading axes (one frame, or a whole data
set), plus "events" [..., C, H] where known events are used. Physical units throughout: normalisation lives in the graphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import PolicyArrays
from twm.core.errors import InvalidInputError
from twm.core.frames import (
    CELL_FEATURES,
    CELL_SLICE_FEATURES,
    FAST_FEATURES,
    LINK_FEATURES,
    LINK_SLICE_FEATURES,
    Float,
    FrameArrays,
    block_shapes,
)
from twm.core.kpis import KPI_NAMES, horizon_kpis, horizon_scm, horizon_violated, kpi_quantiles, offered_by_slice, slice_kpis
from twm.core.network import NetworkSpec

__all__ = [
    "FAST_POOLED",
    "FIELD_FEATURES",
    "KPI_NAMES",
    "ExogenousLayout",
    "HistoryLayout",
    "action_vector",
    "exogenous_layout",
    "exogenous_of",
    "field_features",
    "history_columns",
    "history_matrix",
    "horizon_kpis",
    "horizon_scm",
    "horizon_violated",
    "known_events",
    "knows_events",
    "kpi_quantiles",
    "newest_field",
    "offered_by_slice",
    "slice_kpis",
]

FAST_POOLED = ("offered_std_mbps", "offered_max_mbps", "e2e_delay_mean_ms", "e2e_delay_max_ms")
"""The fast block pooled over a slow step, per cell and slice."""
EVENT_RADIUS_KM = 0.4
"""A known event raises demand by amplitude x exp(-(distance / radius)^2 / 2)."""
FIELD_FEATURES = (
    "offered_mbps",
    "served_mbps",
    "load_ratio",  # offered / what the cell's whole carrier could serve at its spectral efficiency
    "prb_used_ratio",
    "spectral_efficiency_bps_hz",
    "critical_offered_mbps",  # of the slices with a delay bound; all slices where there is none
    "critical_delay_p99_ms",  # load-weighted over those slices
    "loss_ratio",  # load-weighted over slices
    "queue_mbit",
    "active_ues",
    "offered_change_mbps",  # since the frame before
    "route_used_ratio",  # served / capacity on the busiest link of the cell's route; 0 without transport
)


@dataclass(frozen=True)
class HistoryLayout:
    """Columns of one history row: values block by block, then one "known" flag (0 or 1) for each value."""

    blocks: dict[str, tuple[slice, tuple[int, ...]]]
    """Block name to (columns, shape): the frame's blocks with `fast` pooled, then `events` [C, H]."""
    value_count: int

    @property
    def width(self) -> int:
        """Columns in a row, D_h."""
        return 2 * self.value_count

    @classmethod
    def of(cls, spec: NetworkSpec) -> HistoryLayout:
        """Layout for a spec."""
        c, s, _ = spec.sizes
        shapes = dict(block_shapes(spec))
        shapes["fast"] = (c, s, len(FAST_POOLED))
        shapes["events"] = (c, spec.timing.horizon_steps)
        blocks, at = {}, 0
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            blocks[name] = (slice(at, at + size), shape)
            at += size
        return cls(blocks, at)

    def known(self, name: str) -> slice:
        """Columns of the flags of a block."""
        columns = self.blocks[name][0]
        return slice(columns.start + self.value_count, columns.stop + self.value_count)


def history_columns(blocks: Mapping[str, Float], spec: NetworkSpec) -> Float:
    """Rows [..., D_h] from frame blocks: NaN becomes 0 with its flag 0. `events` may be absent."""
    layout = HistoryLayout.of(spec)
    leading = blocks["cell"].shape[:-2]
    parts = []
    for name, (_, shape) in layout.blocks.items():
        if name == "fast":
            block = _pool_fast(blocks["fast"])
        elif name == "events" and name not in blocks:
            block = np.full((*leading, *shape), np.nan, np.float32)
        else:
            block = blocks[name]
        if block.shape != (*leading, *shape):
            raise InvalidInputError(f"{name}: shape {block.shape}, expected {(*leading, *shape)}")
        parts.append(block.reshape(*leading, -1))
    values = np.concatenate(parts, -1).astype(np.float32, copy=False)
    known = np.isfinite(values)
    return np.concatenate([np.where(known, values, np.float32(0)), known.astype(np.float32)], -1)


def _pool_fast(fast: Float) -> Float:
    offered = fast[..., FAST_FEATURES.index("offered_mbps")]
    delay = fast[..., FAST_FEATURES.index("e2e_delay_ms")]

    def pooled(values: Float) -> tuple[Float, Float, Float]:
        known = np.isfinite(values)
        count = known.sum(-1)
        filled = np.where(known, values, 0.0)
        mean = filled.sum(-1) / np.maximum(count, 1)
        spread = np.sqrt((np.where(known, values - mean[..., None], 0.0) ** 2).sum(-1) / np.maximum(count, 1))
        highest = np.where(known, values, -np.inf).max(-1)
        nan = np.float32(np.nan)
        return np.where(count > 0, mean, nan), np.where(count > 0, spread, nan), np.where(count > 0, highest, nan)

    _, offered_std, offered_max = pooled(offered)
    delay_mean, _, delay_max = pooled(delay)
    return np.stack([offered_std, offered_max, delay_mean, delay_max], -1).astype(np.float32)


def known_events(events: Sequence[telemetry_pb2.KnownEvent], spec: NetworkSpec, step: int) -> Float:
    """Expected relative demand increase [C, H] in the steps step+1 .. step+H; NaN all over where no event is known."""
    c, h = len(spec.cells), spec.timing.horizon_steps
    if not events:
        return np.full((c, h), np.nan, np.float32)
    xy = np.array([[cell.x_km, cell.y_km] for cell in spec.cells], np.float64)
    ahead = step + 1 + np.arange(h)
    out = np.zeros((c, h))
    for event in events:
        distance2 = (xy[:, 0] - event.x_km) ** 2 + (xy[:, 1] - event.y_km) ** 2
        active = (ahead >= event.onset_step) & (ahead < event.onset_step + max(event.duration_steps, 1))
        out += event.amplitude * np.exp(-0.5 * distance2 / EVENT_RADIUS_KM**2)[:, None] * active
    return np.minimum(out, 100.0).astype(np.float32)


def knows_events(history_WD: Float, spec: NetworkSpec) -> NDArray[np.bool_]:
    """Whether the newest frame of model inputs [..., W, D] knows of events."""
    return np.asarray((history_WD[..., -1, HistoryLayout.of(spec).known("events")] > 0).any(-1))


def history_matrix(frames: Sequence[FrameArrays], spec: NetworkSpec, length: int) -> Float:
    """Model input [W, D_h]: the `length` slow steps that end with the newest frame; steps without a frame are rows of zeros.

    Raises InvalidInputError where there is no frame, or two frames claim one step.
    """
    rows = np.zeros((length, HistoryLayout.of(spec).width), np.float32)
    for position, frame in _positions(frames, length):
        rows[position] = history_columns({**frame.blocks(), "events": known_events(frame.events, spec, frame.step)}, spec)
    return rows


def _positions(frames: Sequence[FrameArrays], length: int) -> list[tuple[int, FrameArrays]]:
    if not frames:
        raise InvalidInputError("history: no frames, expected at least 1")
    last = max(frame.step for frame in frames)
    placed: dict[int, FrameArrays] = {}
    for frame in frames:
        position = length - 1 - (last - frame.step)
        if position in placed:
            raise InvalidInputError(f"history: two frames of step {frame.step}")
        if position >= 0:
            placed[position] = frame
    return sorted(placed.items(), key=lambda item: item[0])


@dataclass(frozen=True)
class ExogenousLayout:
    """Columns of the exogenous state: demand_mbps [C, S], spectral_efficiency_bps_hz [C], link_capacity_mbps [L].

    Interference ties the SE that is seen to the PRB shares. Here it is as seen in frames (`exogenous_of`); what the world model
    predicts is free of actions: the SE there would be with all PRBs of all cells in use.
    """

    cells: int
    slices: int
    links: int

    @property
    def width(self) -> int:
        """Columns, D_x."""
        return self.cells * self.slices + self.cells + self.links

    def split(self, exogenous: NDArray[np.floating]) -> tuple[Float, Float, Float]:
        """(demand_mbps [..., C, S], spectral_efficiency_bps_hz [..., C], link_capacity_mbps [..., L])."""
        cs = self.cells * self.slices
        demand = exogenous[..., :cs].reshape(*exogenous.shape[:-1], self.cells, self.slices)
        return demand, exogenous[..., cs : cs + self.cells], exogenous[..., cs + self.cells :]

    def join(self, demand: Float, spectral_efficiency: Float, link_capacity: Float) -> Float:
        """Inverse of `split`."""
        return np.concatenate([demand.reshape(*demand.shape[:-2], -1), spectral_efficiency, link_capacity], -1)


def exogenous_layout(spec: NetworkSpec) -> ExogenousLayout:
    """Layout for a spec."""
    return ExogenousLayout(*spec.sizes)


def exogenous_of(blocks: Mapping[str, Float], spec: NetworkSpec) -> Float:
    """What was seen of the exogenous state [..., D_x]; NaN where missing. Link capacity counts the time the link was up."""
    capacity = blocks["link"][..., LINK_FEATURES.index("capacity_mbps")]
    up = blocks["link"][..., LINK_FEATURES.index("up_ratio")]
    return (
        exogenous_layout(spec)
        .join(
            blocks["cell_slice"][..., CELL_SLICE_FEATURES.index("offered_mbps")],
            blocks["cell"][..., CELL_FEATURES.index("spectral_efficiency_bps_hz")],
            capacity * np.where(np.isnan(up), 1.0, up).astype(np.float32),
        )
        .astype(np.float32)
    )


def action_vector(policies: PolicyArrays) -> Float:
    """Action columns [K, H, A]: PRB shares [C, S], then bandwidth shares [L, S]."""
    k, h = policies.prb_share_KHCS.shape[:2]
    parts = [policies.prb_share_KHCS.reshape(k, h, -1), policies.bandwidth_share_KHLS.reshape(k, h, -1)]
    return np.ascontiguousarray(np.concatenate(parts, -1), np.float32)


def field_features(blocks: Mapping[str, Float], previous: Mapping[str, Float] | None, spec: NetworkSpec) -> Float:
    """Field features [..., C, F] of frames, in the order of FIELD_FEATURES; NaN where missing.

    `previous` are the frames one step before (for offered_change_mbps); None: that feature is missing.
    """
    cs, cell = blocks["cell_slice"], blocks["cell"]

    def get(name: str) -> Float:
        return cs[..., CELL_SLICE_FEATURES.index(name)]

    topology = spec.topology()
    critical = np.isfinite(topology.delay_p99_max_ms)
    critical = critical if critical.any() else np.ones_like(critical)
    offered, served = get("offered_mbps"), get("served_mbps")
    total = _sum_known(offered)
    efficiency = cell[..., CELL_FEATURES.index("spectral_efficiency_bps_hz")]
    bandwidth_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
    with np.errstate(invalid="ignore", divide="ignore"):
        load = np.where(efficiency > 0, total / (efficiency * bandwidth_mhz), np.nan)
    loss = np.where(np.isnan(get("e2e_loss_ratio")), get("radio_loss_ratio"), get("e2e_loss_ratio"))
    used = cell[..., CELL_FEATURES.index("prb_used_ratio")]
    used = np.where(np.isnan(used), _sum_known(get("prb_used_ratio")), used)
    change = np.full_like(total, np.nan)
    if previous is not None:
        change = total - _sum_known(previous["cell_slice"][..., CELL_SLICE_FEATURES.index("offered_mbps")])
    ues = cell[..., CELL_FEATURES.index("active_ues")]
    columns = [
        total,
        _sum_known(served),
        load,
        used,
        efficiency,
        _sum_known(offered[..., critical]),
        _mean_known(get("e2e_delay_p99_ms")[..., critical], offered[..., critical]),
        _mean_known(loss, offered),
        _sum_known(get("queue_mbit")),
        np.where(np.isnan(ues), _sum_known(get("active_ues")), ues),
        change,
        _route_used(blocks, topology.route, topology.link_capacity_mbps),
    ]
    return np.stack(columns, -1).astype(np.float32)


def _sum_known(values: Float) -> Float:
    return np.asarray(np.where(np.isnan(values).all(-1), np.nan, np.nansum(values, -1)), np.float32)


def _mean_known(values: Float, weights: Float) -> Float:
    known = np.isfinite(values) & np.isfinite(weights) & (weights > 0)
    weight = np.where(known, weights, 0.0)
    total = weight.sum(-1)
    mean = (np.where(known, values, 0.0) * weight).sum(-1) / np.maximum(total, 1e-9)
    return np.asarray(np.where(total > 0, mean, np.nan), np.float32)


def _route_used(blocks: Mapping[str, Float], route_CL: NDArray[np.bool_], nominal_mbps: NDArray[np.float64]) -> Float:
    cells = route_CL.shape[0]
    leading = blocks["cell"].shape[:-2]
    if route_CL.shape[1] == 0:
        return np.zeros((*leading, cells), np.float32)
    served = _sum_known(blocks["link_slice"][..., LINK_SLICE_FEATURES.index("served_mbps")])
    capacity = blocks["link"][..., LINK_FEATURES.index("capacity_mbps")]
    capacity = np.where(np.isnan(capacity) | (capacity <= 0), nominal_mbps, capacity)
    used = (served / capacity)[..., None, :]
    seen = np.where(route_CL & ~np.isnan(used), used, -np.inf).max(-1)
    return np.asarray(np.where(np.isfinite(seen), seen, np.nan), np.float32)


def newest_field(frames: Sequence[FrameArrays], spec: NetworkSpec) -> Float:
    """Field features [C, F] of the newest frame; `offered_change_mbps` is missing where the step before is.

    Raises InvalidInputError where there is no frame.
    """
    placed = dict(_positions(frames, 2))
    previous = placed[0].blocks() if 0 in placed else None
    return field_features(placed[1].blocks(), previous, spec)
