"""The network spec and its twin parameters in the arrays that the kernel reads.

Shape suffixes: C cells, S slices, L links, R links of the longest route; leading 2: normal route, backup route.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.network import NetworkSpec, Topology
from twm_twin.parameters import TwinParameters

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TwinLayout:
    """Constants of one network."""

    spec: NetworkSpec
    parameters: TwinParameters
    topology: Topology
    bandwidth_mhz: float
    """Bandwidth of the carrier times its layers [MHz]."""
    demand_fraction_CS: Doubles
    noise_sigma_S: Doubles
    buffer_mbit_S: Doubles
    retry_ratio_S: Doubles
    burst_mbit_S: Doubles
    uplink_ratio_S: Doubles
    users_S: Doubles
    shock_gain_S: Doubles
    delay_bounded_S: NDArray[np.bool_]
    route_link_2CR: Integers
    """Link index, -1 past the end."""
    route_uplink_2CR: NDArray[np.bool_]
    """Whether the link is crossed towards the gateway."""
    extra_delay_ms_2C: Doubles
    has_backup_C: NDArray[np.bool_]

    @classmethod
    def of(cls, spec: NetworkSpec) -> TwinLayout:
        """Build. Raises NetworkSpecError where `spec.twin` is wrong."""
        parameters = TwinParameters.of(spec)
        traffic = [parameters.traffic(s.id) for s in spec.slices]

        def column(name: str) -> Doubles:
            return np.array([getattr(t, name) for t in traffic], np.float64)

        links, uplink, extra, backup = _routes(spec)
        topology = spec.topology()
        return cls(
            spec=spec,
            parameters=parameters,
            topology=topology,
            bandwidth_mhz=spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz * spec.prb_grid.layers,
            demand_fraction_CS=_fractions(spec, parameters),
            noise_sigma_S=column("noise_sigma"),
            buffer_mbit_S=column("buffer_mbit"),
            retry_ratio_S=column("retry_ratio"),
            burst_mbit_S=column("burst_kbit") / 1000.0,
            uplink_ratio_S=column("uplink_ratio"),
            users_S=column("users"),
            shock_gain_S=column("shock_gain"),
            delay_bounded_S=np.isfinite(topology.delay_p99_max_ms),
            route_link_2CR=links,
            route_uplink_2CR=uplink,
            extra_delay_ms_2C=extra,
            has_backup_C=backup,
        )

    def route_choice(self, up_L: NDArray[np.bool_]) -> Integers:
        """Route [..., C] for link states [..., L]: 1 (backup) where a link of the normal route is down and a backup exists."""
        down = ~up_L
        broken = (down[..., None, :] & self.topology.route).any(-1)
        return np.asarray(broken & self.has_backup_C, np.int64)


def _fractions(spec: NetworkSpec, parameters: TwinParameters) -> Doubles:
    out = np.zeros((len(spec.cells), len(spec.slices)))
    for i, entry in enumerate(spec.slices):
        traffic = parameters.traffic(entry.id)
        default = 0.5 / len(spec.slices) if traffic.base is None else traffic.base
        for c, cell in enumerate(spec.cells):
            inside = [zone.id for zone in spec.zones if cell.id in zone.cells]
            value = default
            for zone, fraction in traffic.zones.items():
                if zone in inside:
                    value = fraction
            value = traffic.cells.get(cell.id, value)
            value += sum(added for zone, added in traffic.zone_additions.items() if zone in inside)
            out[c, i] = max(value, 0.0)
    return out


def _routes(spec: NetworkSpec) -> tuple[Integers, NDArray[np.bool_], Doubles, NDArray[np.bool_]]:
    index = {link.id: i for i, link in enumerate(spec.transport.links)}
    cells = spec.cells
    tables = (spec.transport.routes, spec.transport.backup_routes)
    longest = max((len(path) for table in tables for path in table.values()), default=0)
    links = np.full((2, len(cells), max(longest, 1)), -1, np.int64)
    uplink = np.zeros(links.shape, bool)
    extra = np.zeros((2, len(cells)))
    backup = np.zeros(len(cells), bool)
    for kind, table in enumerate(tables):
        for c, cell in enumerate(cells):
            path = table.get(cell.id, ())
            for r, name in enumerate(path):
                links[kind, c, r] = index[name]
            uplink[kind, c, : len(path)] = _towards_gateway(spec, path)
            if kind == 1 and path:
                extra[1, c] = spec.transport.hop_delay_ms * len(path)
                backup[c] = True
    return links, uplink, extra, backup


def _towards_gateway(spec: NetworkSpec, path: tuple[str, ...]) -> list[bool]:
    """Which links of a route carry uplink: all that a walk from the gateway node along the route does not reach."""
    links = {link.id: link for link in spec.transport.links}
    gateway = spec.transport.gateway_node
    if gateway is None:
        return [False] * len(path)
    downlink: set[str] = set()
    at, reached = gateway, {gateway}
    while True:
        found = next((p for p in path if p not in downlink and links[p].source == at and links[p].target not in reached), None)
        if found is None:
            return [p not in downlink for p in path]
        downlink.add(found)
        at = links[found].target
        reached.add(at)
