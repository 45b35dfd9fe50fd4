"""The policy library: 256 diverse policies made from the network spec alone, without a look at the demand.

A policy gives the delay-bounded slices a level of each row and shares the rest among the elastic slices by a tilt; level,
tilt and total may differ between a zone and the rest, and for transport; some hold the zone's rows for a part of the horizon.

Shape suffixes: K policies, H slow steps, C cells, L links, S slices, R rows (cells, then links).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, project_shares, uniform_policy
from twm.core.network import NetworkSpec, Topology

LIBRARY_SIZE = 256
_LEVELS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
"""Share of a row that the delay-bounded slices get together."""
_TOTALS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7)
"""Sum of a row."""
_TILTS = (1.0, 1.5, 2.0, 3.0)
"""Weight of the favoured elastic slice against each other one."""
_DRAW_SEED = 0x1B2A
_ATTEMPTS = 200
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Row:
    level: float
    favoured: int
    tilt: float
    total: float

    def shares(self, bounded_S: NDArray[np.bool_]) -> Floats:
        weights = np.ones(len(bounded_S))
        elastic = np.flatnonzero(~bounded_S)
        if 0 < len(elastic) < len(bounded_S):
            weights[elastic[self.favoured % len(elastic)]] = self.tilt
            weights[elastic] *= (1.0 - self.level) / weights[elastic].sum()
            weights[bounded_S] = self.level / bounded_S.sum()
        else:
            weights[self.favoured % len(weights)] = self.tilt
        return np.asarray(self.total * weights / weights.sum())

    @property
    def name(self) -> str:
        return f"b{100 * self.level:.0f}-f{self.favoured}x{self.tilt:g}-t{100 * self.total:.0f}"


def library_policies(spec: NetworkSpec, size: int = LIBRARY_SIZE) -> tuple[PolicyArrays, list[str]]:
    """`size` different policies and their names; the first is uniform. Same spec, same library.

    A spec with few slices may not have that many different ones within float precision; then some repeat.
    """
    topology = spec.topology()
    h, c = spec.timing.horizon_steps, len(spec.cells)
    uniform = uniform_policy(spec)
    policies_KHRS = [np.concatenate([uniform.prb_share_KHCS[0], uniform.bandwidth_share_KHLS[0]], 1)]
    names = ["uniform"]
    seen = {_key(policies_KHRS[0])}
    elastic = max(int((~np.isfinite(topology.delay_p99_max_ms)).sum()), 1)
    generator = np.random.default_rng(_DRAW_SEED)
    plans = _systematic(topology, elastic)
    attempts = 0
    while len(names) < size:
        if plans:
            name, shares_HRS = plans.pop(0).build(topology, h)
        else:
            name, shares_HRS = _draw(topology, elastic, generator).build(topology, h)
            attempts += 1
        key = _key(shares_HRS)
        if key in seen and attempts < _ATTEMPTS * size:
            continue
        seen.add(key)
        policies_KHRS.append(shares_HRS)
        names.append(name)
    stacked = np.stack(policies_KHRS).astype(np.float32)
    return PolicyArrays(
        prb_share_KHCS=np.ascontiguousarray(stacked[:, :, :c]), bandwidth_share_KHLS=np.ascontiguousarray(stacked[:, :, c:])
    ), names


def _key(shares_HRS: NDArray[np.floating]) -> bytes:
    return shares_HRS.astype(np.float64).round(4).tobytes()


@dataclass(frozen=True)
class _Plan:
    """Rows inside a zone, outside it, and on links; `zone` -1: no zone. The zone's rows hold in steps `begin` .. `end`."""

    inside: _Row
    outside: _Row
    links: _Row
    zone: int = -1
    begin: float = 0.0
    end: float = 1.0

    def build(self, topology: Topology, horizon: int) -> tuple[str, Floats]:
        bounded = np.isfinite(topology.delay_p99_max_ms)
        c, n_links = topology.route.shape
        out = np.empty((horizon, c + n_links, len(bounded)))
        out[:, :c] = self.outside.shares(bounded)
        out[:, c:] = self.links.shares(bounded)
        if self.zone >= 0:
            first, last = round(self.begin * horizon), max(round(self.end * horizon), round(self.begin * horizon) + 1)
            out[first:last, :c][:, topology.zone_member[self.zone]] = self.inside.shares(bounded)
        feasible = np.concatenate(
            [project_shares(out[:, :c], topology.prb_floor), project_shares(out[:, c:], topology.bandwidth_floor)], 1
        )
        name = f"{self.outside.name}/{self.links.name}"
        if self.zone >= 0:
            name += f"/z{self.zone}:{self.inside.name}"
            if self.begin > 0.0 or self.end < 1.0:
                name += f"@{100 * self.begin:.0f}-{100 * self.end:.0f}"
        return name, feasible.astype(np.float64)


def _systematic(topology: Topology, elastic: int) -> list[_Plan]:
    """Level x favoured slice everywhere, then the same at lower totals, then each zone ahead of the rest."""
    plans = []
    for total in (1.0, 0.9):
        for level in _LEVELS[:6]:
            for favoured, tilt in [(0, 1.0)] + [(i, 2.0) for i in range(elastic)]:
                row = _Row(level, favoured, tilt, total)
                plans.append(_Plan(row, row, row))
    for zone in range(topology.zone_member.shape[0]):
        for level in (0.3, 0.4):
            for favoured in range(elastic):
                base = _Row(0.2, favoured, 1.5, 0.95)
                plans.append(_Plan(_Row(level, favoured, 1.5, 1.0), base, _Row(0.25, favoured, 1.5, 0.95), zone))
    return plans


def _draw(topology: Topology, elastic: int, generator: np.random.Generator) -> _Plan:
    def row() -> _Row:
        return _Row(
            float(generator.choice(_LEVELS)),
            int(generator.integers(elastic)),
            float(generator.choice(_TILTS)),
            float(generator.choice(_TOTALS)) if generator.random() < 0.7 else round(float(generator.uniform(0.6, 1.0)), 3),
        )

    zones = topology.zone_member.shape[0]
    zone = int(generator.integers(-1, zones)) if zones else -1
    begin, end = 0.0, 1.0
    if zone >= 0 and generator.random() < 0.3:
        begin = float(generator.choice([0.0, 0.25, 0.5]))
        end = min(begin + float(generator.choice([0.25, 0.5])), 1.0)
    return _Plan(row(), row(), row(), zone, begin, end)
