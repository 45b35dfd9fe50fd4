"""The reactive rule, the planner's fallback: shares for the next step from the loads of the last, with margins and headroom.

Each row (a cell or a link) gives the delay-bounded slices their load plus a headroom first. The elastic slices share the rest:
load times a margin where that fits, else so that their losses are the same share of what their SLAs allow. Needs no model.

Shape suffixes: ... any leading axes, C cells, L links, R rows (cells or links), S slices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, project_shares
from twm.core.errors import InvalidInputError
from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES, Float, FrameArrays
from twm.core.network import NetworkSpec, Topology

Array = NDArray[np.floating]
_LEAST_CAPACITY_MBPS = 1e-3


@dataclass(frozen=True, kw_only=True)
class ReactiveParameters:
    """Tuned on validation seeds by `python -m twm_twin.tune_reactive --saving-min 0.08`."""

    elastic_margin: float = 1.188
    """Share of an elastic slice over what its load needs."""
    bounded_margin: float = 1.896
    """The same for a delay-bounded slice, where that is more than the headroom."""
    cell_headroom: float = 0.206
    """Share of a cell that a delay-bounded slice gets on top of its load."""
    link_headroom: float = 0.257
    """Share of a link that a delay-bounded slice gets on top of its load."""
    queue_drain: float = 0.472
    """Share of an elastic slice's queue that should drain in the step."""
    spare: float = 0.02
    """Share of what is left of a row that is given out as well; the rest is saved."""
    bounded_max: float = 0.445
    """Largest share of a row for all delay-bounded slices together."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("elastic_margin", 1.0, 5.0),
            ("bounded_margin", 1.0, 5.0),
            ("cell_headroom", 0.0, 1.0),
            ("link_headroom", 0.0, 1.0),
            ("queue_drain", 0.0, 1.0),
            ("spare", 0.0, 1.0),
            ("bounded_max", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidInputError(f"reactive.{name}: {value}, expected {low}..{high}")


class RowRule(Protocol):
    """What the rule needs of `ReactiveParameters`, each a number or an array that broadcasts against [..., R, S]."""

    @property
    def elastic_margin(self) -> float | Array: ...
    @property
    def bounded_margin(self) -> float | Array: ...
    @property
    def queue_drain(self) -> float | Array: ...
    @property
    def spare(self) -> float | Array: ...
    @property
    def bounded_max(self) -> float | Array: ...


def reactive_shares(
    spec: NetworkSpec,
    frame: FrameArrays,
    running: PolicyArrays | tuple[Array, Array] | None = None,
    parameters: ReactiveParameters | None = None,
) -> tuple[Float, Float]:
    """(PRB shares [C, S], bandwidth shares [L, S]) after `frame`.

    `running` are the shares in force (the last step of the first policy, or a pair [C, S], [L, S]): rows whose load or capacity
    was not measured keep them; without them those rows are uniform. No share moves by more than control.max_share_change.
    """
    prb_BCS, bandwidth_BLS = reactive_batch(
        spec,
        {name: block[None] for name, block in frame.blocks().items()},
        tuple(a[None] for a in _pair(spec, running)),  # type: ignore[arg-type]
        parameters,
        limit_change=running is not None,
    )
    return prb_BCS[0], bandwidth_BLS[0]


def reactive_batch(
    spec: NetworkSpec,
    blocks: dict[str, Float],
    running: tuple[Array, Array],
    parameters: ReactiveParameters | None = None,
    *,
    limit_change: bool = True,
) -> tuple[Float, Float]:
    """As `reactive_shares` for frame blocks and running shares with any leading axes."""
    p = parameters or ReactiveParameters()
    topology = spec.topology()
    load_CS, capacity_C = cell_loads(spec, blocks)
    queue_CS = np.nan_to_num(blocks["cell_slice"][..., CELL_SLICE_FEATURES.index("queue_mbit")]) / spec.timing.slow_step_s
    load_LS, capacity_L = link_loads(spec, blocks)
    prb = row_shares(topology, load_CS, queue_CS, capacity_C, p.cell_headroom, p)
    bandwidth = row_shares(topology, load_LS, np.zeros_like(load_LS), capacity_L, p.link_headroom, p)
    out = []
    for rows, before, floor in (
        (prb, running[0], topology.prb_floor),
        (bandwidth, running[1], topology.bandwidth_floor),
    ):
        kept = np.where(np.isnan(rows).any(-1, keepdims=True), before, rows)
        if limit_change:
            most = spec.control.max_share_change
            kept = np.clip(kept, before - most, before + most)
        out.append(project_shares(kept, floor))
    return out[0], out[1]


def proportional_batch(spec: NetworkSpec, blocks: dict[str, Float]) -> tuple[Float, Float]:
    """The naive rule: every row in proportion to the loads last seen; uniform where nothing was seen."""
    out = []
    for load, _ in (cell_loads(spec, blocks), link_loads(spec, blocks)):
        known = np.nan_to_num(load)
        total = known.sum(-1, keepdims=True)
        share = np.where(total > 0, known / np.maximum(total, 1e-12), 1.0 / load.shape[-1])
        out.append(share)
    topology = spec.topology()
    return project_shares(out[0], topology.prb_floor), project_shares(out[1], topology.bandwidth_floor)


def cell_loads(spec: NetworkSpec, blocks: dict[str, Float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(offered load [..., C, S] [Mbps], capacity [..., C] [Mbps]); NaN where not measured."""
    offered = blocks["cell_slice"][..., CELL_SLICE_FEATURES.index("offered_mbps")].astype(np.float64)
    efficiency = blocks["cell"][..., CELL_FEATURES.index("spectral_efficiency_bps_hz")].astype(np.float64)
    return offered, efficiency * spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz


def link_loads(spec: NetworkSpec, blocks: dict[str, Float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(offered load [..., L, S] [Mbps], capacity [..., L] [Mbps], 0 while down); NaN where not measured."""
    offered = blocks["link_slice"][..., LINK_SLICE_FEATURES.index("offered_mbps")].astype(np.float64)
    capacity = blocks["link"][..., LINK_FEATURES.index("capacity_mbps")].astype(np.float64)
    up = blocks["link"][..., LINK_FEATURES.index("up_ratio")].astype(np.float64)
    return offered, capacity * np.where(np.isnan(up), 1.0, up)


def row_shares(
    topology: Topology, load_RS: Array, queue_RS: Array, capacity_R: Array, headroom: float | Array, p: RowRule
) -> NDArray[np.float64]:
    """Shares [..., R, S]; NaN rows where load or capacity is unknown, or there is no capacity. Not projected.

    `headroom` and the rule's numbers may be arrays that broadcast against [..., R, S].
    """
    bounded = np.isfinite(topology.delay_p99_max_ms)
    allowed = np.nan_to_num(topology.loss_max_ratio, nan=1.0)
    capacity = np.where(capacity_R > _LEAST_CAPACITY_MBPS, capacity_R, np.nan)[..., None]
    x = load_RS / capacity
    need_bounded = np.where(bounded, np.maximum(x * p.bounded_margin, x + headroom), 0.0)
    total_bounded = need_bounded.sum(-1, keepdims=True)
    most = 1.0 if bounded.all() else p.bounded_max
    need_bounded = need_bounded * np.minimum(1.0, most / np.maximum(total_bounded, 1e-9))
    room = 1.0 - need_bounded.sum(-1, keepdims=True)
    wanted = np.where(bounded, 0.0, x + p.queue_drain * queue_RS / capacity)
    need = wanted * p.elastic_margin
    total_wanted, total_need = wanted.sum(-1, keepdims=True), need.sum(-1, keepdims=True)
    spread = np.where(total_need > 0, need / np.maximum(total_need, 1e-12), 0.0)
    fits = need + p.spare * np.maximum(room - total_need, 0.0) * spread
    tight = spread * room
    # Overload: losses in proportion to what the SLAs allow, loss_s = ratio x allowed_s.
    ratio = (total_wanted - room) / np.maximum((wanted * allowed).sum(-1, keepdims=True), 1e-12)
    short = wanted * np.maximum(1.0 - ratio * allowed, 0.0)
    short = short * np.minimum(1.0, room / np.maximum(short.sum(-1, keepdims=True), 1e-12))
    elastic = np.where(total_need <= room, fits, np.where(total_wanted <= room, tight, short))
    return np.asarray(np.where(bounded, need_bounded, elastic))


def _pair(spec: NetworkSpec, running: PolicyArrays | tuple[Array, Array] | None) -> tuple[Array, Array]:
    if isinstance(running, PolicyArrays):
        return running.prb_share_KHCS[0, -1], running.bandwidth_share_KHLS[0, -1]
    if running is not None:
        return running
    c, s, n_links = spec.sizes
    return np.full((c, s), 1.0 / s), np.full((n_links, s), 1.0 / s)
