"""Candidates from the forecast: the reactive rule applied to what the world model expects, step by step of the horizon.

The rule answers the load of the last step; here it answers the load of the next twelve, with several margins, so that the
search starts from plans that already move with the expected demand.

Shape suffixes: V variants, J scenarios, H slow steps, C cells, L links, S slices, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES, FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.peers import Scenarios
from twm.planner.reactive import ReactiveParameters, reactive_batch
from twm.planner.space import Rows

_OFFERED, _QUEUE = (CELL_SLICE_FEATURES.index(name) for name in ("offered_mbps", "queue_mbit"))


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


def forecast_rows(
    spec: NetworkSpec, frame: FrameArrays, scenarios: Scenarios, running: tuple[Rows, Rows], parameters: ReactiveParameters
) -> tuple[Rows, list[str]]:
    """Policies [V, H, R, S] (not yet within the rate of change) and their names."""
    parts = []
    for quantile in sorted({variant.demand_quantile for variant in VARIANTS}):
        blocks = _blocks(spec, frame, scenarios, quantile)
        for variant in (v for v in VARIANTS if v.demand_quantile == quantile):
            rule = replace(
                parameters,
                cell_headroom=variant.headroom,
                link_headroom=variant.headroom,
                spare=variant.spare,
                elastic_margin=variant.margin,
            )
            prb, bandwidth = reactive_batch(spec, blocks, running, rule, limit_change=False)
            parts.append((f"forecast:{variant.name}", np.concatenate([prb, bandwidth], 1)))
    return np.stack([rows for _, rows in parts]).astype(np.float32), [name for name, _ in parts]


def _blocks(spec: NetworkSpec, frame: FrameArrays, scenarios: Scenarios, quantile: float) -> dict[str, NDArray[np.float32]]:
    """Frame blocks of the horizon [H, ...] as the rule reads them."""
    h, (c, s, n_links) = spec.timing.horizon_steps, spec.sizes
    demand_HCS = np.quantile(scenarios.demand_mbps_JHCS, quantile, axis=0)
    cell_slice = np.zeros((h, c, s, len(CELL_SLICE_FEATURES)), np.float32)
    cell_slice[..., _OFFERED] = demand_HCS
    cell_slice[0, ..., _QUEUE] = np.nan_to_num(frame.cell_slice_feature("queue_mbit"))
    cell = np.zeros((h, c, len(CELL_FEATURES)), np.float32)
    cell[..., CELL_FEATURES.index("spectral_efficiency_bps_hz")] = scenarios.spectral_efficiency_JHC.mean(0)
    link_slice = np.zeros((h, n_links, s, len(LINK_SLICE_FEATURES)), np.float32)
    link_slice[..., LINK_SLICE_FEATURES.index("offered_mbps")] = _link_loads(spec, frame, demand_HCS)
    link = np.ones((h, n_links, len(LINK_FEATURES)), np.float32)
    link[..., LINK_FEATURES.index("capacity_mbps")] = np.median(scenarios.link_capacity_mbps_JHL, 0)
    return {"cell_slice": cell_slice, "cell": cell, "link_slice": link_slice, "link": link}


def _link_loads(spec: NetworkSpec, frame: FrameArrays, demand_HCS: NDArray[np.floating]) -> NDArray[np.floating]:
    """Load of the links [H, L, S]: demand of the cells routed over each, times what the link saw of it in the last frame."""
    route_CL = spec.topology().route.astype(np.float64)
    routed_HLS = np.einsum("hcs,cl->hls", demand_HCS, route_CL)
    now_LS = np.einsum("cs,cl->ls", np.nan_to_num(frame.cell_slice_feature("offered_mbps")).astype(np.float64), route_CL)
    seen_LS = frame.link_slice_feature("offered_mbps")
    known = np.isfinite(seen_LS) & (now_LS > 0)
    factor_LS = np.where(known, np.nan_to_num(seen_LS) / np.maximum(now_LS, 1e-9), 1.0)
    return np.asarray(routed_HLS * np.clip(factor_LS, 0.0, 3.0))
