"""Candidates from the forecast: the reactive rule applied to what the world model expects, step by step of the horizon.

The rule answers the load of the last step; here it answers the load of the next twelve, with several margins, so that the
search starts from plans that already move with the expected demand. A few fixed variants are always there; drawn ones differ
between groups of rows as well.

Shape suffixes: V variants, J scenarios, H slow steps, C cells, L links, R rows (cells, then links), S slices, G groups of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec, Topology
from twm.planner.answers import Scenarios
from twm.planner.reactive import ReactiveParameters, row_shares
from twm.planner.space import Rows

Floats = NDArray[np.float64]
DEMAND_LEVELS = (0.25, 0.5, 0.65, 0.8, 0.9)
"""Quantiles of the demand over the scenarios that drawn variants provide for."""
_HEADROOM, _SPARE, _MARGIN = (0.05, 0.35), (0.0, 0.9), (1.0, 1.35)
"""Where the means of drawn variants lie, each over all rows."""
_GROUP_SPREAD = (0.06, 0.25, 0.1)
"""Standard deviation of headroom, spare and margin between groups of rows."""


@dataclass(frozen=True, kw_only=True)
class ForecastVariant:
    """One way to answer a forecast."""

    demand_quantile: float
    """Quantile of the demand over the scenarios that is provided for, 0..1."""
    headroom: float
    """Share of a cell or link that a delay-bounded slice gets on top of its load."""
    spare: float
    """Share of what is left of a row that is given out as well."""
    margin: float = 1.1
    """Share of an elastic slice over what its load needs."""

    @property
    def name(self) -> str:
        """Short name for the trace."""
        return f"q{100 * self.demand_quantile:.0f}-h{100 * self.headroom:.0f}-s{100 * self.spare:.0f}-m{100 * self.margin:.0f}"


VARIANTS = tuple(
    ForecastVariant(demand_quantile=quantile, headroom=headroom, spare=spare, margin=margin)
    for quantile, headroom in ((0.5, 0.08), (0.5, 0.15), (0.5, 0.22), (0.5, 0.3), (0.8, 0.15), (0.8, 0.25))
    for spare, margin in ((0.0, 1.0), (0.4, 1.1), (0.9, 1.2))
)


@dataclass(frozen=True)
class _Rule:
    """The rule's numbers for V variants, each [V, 1, R or 1, 1]."""

    elastic_margin: Floats
    spare: Floats
    queue_drain: float
    bounded_margin: float
    bounded_max: float

    def part(self, rows: slice) -> _Rule:
        """The same for some rows."""
        return replace(self, elastic_margin=_part(self.elastic_margin, rows), spare=_part(self.spare, rows))


class Forecast:
    """What the world model expects of demand, cells and links, and the rule's answers to it."""

    def __init__(
        self,
        spec: NetworkSpec,
        frame: FrameArrays,
        scenarios: Scenarios,
        running: tuple[Rows, Rows],
        parameters: ReactiveParameters,
    ) -> None:
        """`running` [C, S], [L, S]: what rows without a known capacity keep."""
        self._topology: Topology = spec.topology()
        self._cells = len(spec.cells)
        self._parameters = parameters
        self._running_RS = np.concatenate(running).astype(np.float64)
        self._demand_JHCS = np.sort(scenarios.demand_mbps_JHCS, axis=0)
        per_share = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        self._cell_capacity_HC = scenarios.spectral_efficiency_JHC.mean(0, dtype=np.float64) * per_share
        self._link_capacity_HL = np.median(scenarios.link_capacity_mbps_JHL, 0).astype(np.float64)
        self._queue_HCS = np.zeros(scenarios.demand_mbps_JHCS.shape[1:])
        self._queue_HCS[0] = np.nan_to_num(frame.cell_slice_feature("queue_mbit")) / spec.timing.slow_step_s
        self._link_factor_LS = _link_factor(self._topology, frame)

    def fixed(self) -> tuple[Rows, list[str]]:
        """The answers of `VARIANTS` [V, H, R, S], not yet feasible, and their names."""
        levels = sorted({v.demand_quantile for v in VARIANTS})
        which = np.array([levels.index(v.demand_quantile) for v in VARIANTS])
        columns = [np.array([getattr(v, name) for v in VARIANTS])[:, None] for name in ("headroom", "spare", "margin")]
        return self._answer(levels, which, *columns), [f"forecast:{v.name}" for v in VARIANTS]

    def drawn(self, count: int, groups_GR: NDArray[np.float32], random: np.random.Generator) -> tuple[Rows, list[str]]:
        """`count` drawn answers [V, H, R, S], not yet feasible, and their names. Groups [G, R] of rows share a deviation."""
        columns = []
        normaliser_R = np.sqrt(np.maximum((groups_GR**2).sum(0), 1.0))
        for (low, high), spread in zip((_HEADROOM, _SPARE, _MARGIN), _GROUP_SPREAD, strict=True):
            mean = random.uniform(low, high, (count, 1))
            by_row = random.standard_normal((count, len(groups_GR))) @ groups_GR / normaliser_R
            columns.append(mean + spread * by_row)
        headroom, spare, margin = columns
        which = random.integers(len(DEMAND_LEVELS), size=count)
        rows = self._answer(list(DEMAND_LEVELS), which, np.maximum(headroom, 0), np.clip(spare, 0, 1), np.maximum(margin, 0.5))
        return rows, [f"rule:{i}" for i in range(count)]

    def _answer(
        self, levels: list[float], which_V: NDArray[np.intp], headroom_VR: Floats, spare_VR: Floats, margin_VR: Floats
    ) -> Rows:
        topology, c = self._topology, self._cells
        demand_UHCS = _quantiles(self._demand_JHCS, levels)
        route_CL = topology.route.astype(np.float64)
        routed_UHLS = np.swapaxes(np.swapaxes(demand_UHCS, 2, 3) @ route_CL, 2, 3) * self._link_factor_LS
        headroom, spare, margin = (a[:, None, :, None] for a in (headroom_VR, spare_VR, margin_VR))
        own = self._parameters
        rule = _Rule(margin, spare, own.queue_drain, own.bounded_margin, own.bounded_max)
        cells, links = slice(None, c), slice(c, None)
        parts = [
            row_shares(
                topology,
                demand_UHCS[which_V],
                self._queue_HCS,
                self._cell_capacity_HC,
                _part(headroom, cells),
                rule.part(cells),
            )
        ]
        if topology.route.shape[1]:
            no_queue = np.zeros((1, *self._link_factor_LS.shape))
            loads = routed_UHLS[which_V]
            capacity = self._link_capacity_HL
            parts.append(row_shares(topology, loads, no_queue, capacity, _part(headroom, links), rule.part(links)))
        rows = np.concatenate(parts, 2)
        return np.where(np.isnan(rows).any(-1, keepdims=True), self._running_RS, rows).astype(np.float32)


def _quantiles(sorted_J: NDArray[np.float32], levels: list[float]) -> NDArray[np.float32]:
    """Quantiles [U, ...] of values sorted along their first axis, linear between neighbours as in numpy.quantile."""
    position = np.array(levels) * (len(sorted_J) - 1)
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, len(sorted_J) - 1)
    part = (position - below).astype(np.float32).reshape(-1, *[1] * (sorted_J.ndim - 1))
    return np.asarray(sorted_J[below] + part * (sorted_J[above] - sorted_J[below]), np.float32)


def _part(numbers: Floats, rows: slice) -> Floats:
    return numbers[:, :, rows] if numbers.shape[2] > 1 else numbers


def _link_factor(topology: Topology, frame: FrameArrays) -> Floats:
    """What each link saw in the last frame of the load of the cells routed over it [L, S]."""
    route_CL = topology.route.astype(np.float64)
    now_LS = route_CL.T @ np.nan_to_num(frame.cell_slice_feature("offered_mbps")).astype(np.float64)
    seen_LS = frame.link_slice_feature("offered_mbps")
    known = np.isfinite(seen_LS) & (now_LS > 0)
    return np.asarray(np.clip(np.where(known, np.nan_to_num(seen_LS) / np.maximum(now_LS, 1e-9), 1.0), 0.0, 3.0))
