"""What the next steps ask of each cell and link, from the forecast's futures: needs as shares of capacity.

Shape suffixes: J futures, H slow steps looked at, C cells, L links, R rows (cells, then links), S slices, G zones and then
cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec, Topology
from twm.planner.answers import Scenarios
from twm.planner.contingency import down_links

Float = NDArray[np.float32]
_LEAST_CAPACITY_MBPS = 1e-3
_LINK_FACTOR_MAX = 3.0


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Needs over the steps looked at. 0 where nothing is asked or the capacity is not known."""

    median_HRS: Float
    """Need at the median of the futures, as a share of the row's capacity."""
    upper_HRS: Float
    """Need at the upper quantile (`CornerSettings.field_level`)."""
    capacity_RH: Float
    """Capacity [Mbps]; 0 where there is none (a link that is down)."""
    now_route_CL: NDArray[np.bool_]
    """Links that each cell's traffic takes now: the backup route where its own is cut."""
    down_links: tuple[int, ...]
    expected_G: NDArray[np.float64]
    """Total demand of the next step [Mbps]."""
    spread_G: NDArray[np.float64]
    """Its standard deviation over the futures [Mbps]."""
    offered_HS: NDArray[np.float64]
    """Mean demand of the whole area over all steps of the futures [Mbps]."""

    @classmethod
    def of(
        cls, spec: NetworkSpec, topology: Topology, frame: FrameArrays, futures: Scenarios, *, look: int, level: float
    ) -> Outlook:
        """From the futures of one decision; `look`: steps looked at, `level`: upper quantile of the demand."""
        demand_JHCS = np.sort(futures.demand_mbps_JHCS[:, :look], axis=0)
        per_share = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        cells_HC = futures.spectral_efficiency_JHC[:, :look].mean(0) * np.float32(per_share)
        links_HL = np.sort(futures.link_capacity_mbps_JHL[:, :look], axis=0)[futures.count // 2]
        now_CL, factor_LS = now_route(topology, frame), _link_factor(topology, frame)
        for link in (down := down_links(frame)):
            links_HL[:1, link] = 0.0
        needs = []
        for at in (0.5, level):
            own_HCS = _quantile(demand_JHCS, at)
            routed_HLS = np.einsum("hcs,cl->hls", own_HCS, topology.route.astype(np.float32)) * factor_LS
            needs.append(
                np.concatenate(
                    [_over(own_HCS, cells_HC[..., None]), _over(routed_HLS, links_HL[..., None])], 1, dtype=np.float32
                )
            )
        first_JG = grouped(futures.demand_mbps_JHCS[:, 0].sum(-1), topology)
        return cls(
            median_HRS=needs[0],
            upper_HRS=needs[1],
            capacity_RH=np.concatenate([cells_HC, links_HL], 1, dtype=np.float32).T,
            now_route_CL=now_CL,
            down_links=down,
            expected_G=first_JG.mean(0),
            spread_G=first_JG.std(0),
            offered_HS=futures.demand_mbps_JHCS.mean(0, dtype=np.float64).sum(1),
        )

    @property
    def stress_R(self) -> NDArray[np.float64]:
        """Largest upper need of all slices together over the steps looked at."""
        return np.asarray(self.upper_HRS.sum(-1).max(0), np.float64)

    def at(self, needs_HRS: Float, steps: int) -> Float:
        """Needs of `steps` steps; the last known ones go on."""
        return needs_HRS[np.minimum(np.arange(steps), len(needs_HRS) - 1)]


def grouped(total_C: NDArray[np.floating], topology: Topology) -> NDArray[np.float64]:
    """Totals [..., G] of zones, then cells, from those of cells [..., C]."""
    total = np.asarray(total_C, np.float64)
    return np.concatenate([total @ topology.zone_member.T.astype(np.float64), total], -1)


def now_route(topology: Topology, frame: FrameArrays) -> NDArray[np.bool_]:
    """Links that carry each cell's traffic [C, L]: its route, or the backup route where a link of it is down."""
    down = list(down_links(frame))
    cut_C = np.atleast_1d(topology.route[:, down].any(1) & topology.backup_route.any(1))
    taken: NDArray[np.bool_] = np.where(cut_C[:, None], topology.backup_route, topology.route)
    return taken


def _quantile(sorted_J: Float, level: float) -> Float:
    position = level * (len(sorted_J) - 1)
    below = int(position)
    above = min(below + 1, len(sorted_J) - 1)
    return np.asarray(sorted_J[below] + np.float32(position - below) * (sorted_J[above] - sorted_J[below]), np.float32)


def _over(load: Float, capacity: Float) -> Float:
    return np.where(
        capacity > _LEAST_CAPACITY_MBPS, load / np.maximum(capacity, np.float32(_LEAST_CAPACITY_MBPS)), np.float32(0)
    )


def _link_factor(topology: Topology, frame: FrameArrays) -> Float:
    """What each link saw in the last frame of the load of the cells that are routed over it [L, S]."""
    now_LS = topology.route.astype(np.float32).T @ np.nan_to_num(frame.cell_slice_feature("offered_mbps"))
    seen_LS = frame.link_slice_feature("offered_mbps")
    known = np.isfinite(seen_LS) & (now_LS > 0)
    return np.clip(np.where(known, np.nan_to_num(seen_LS) / np.maximum(now_LS, 1e-6), 1.0), 0.0, _LINK_FACTOR_MAX).astype(
        np.float32
    )
