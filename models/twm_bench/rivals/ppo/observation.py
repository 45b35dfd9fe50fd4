"""What the policy sees: features of the last frames and of the calendar, per cell, per link and over all.

Everything stands in frames (twm.core.frames); the training environment and the benchmark's method both come through here.

Shape suffixes: B environments, C cells, L links, S slices, H horizon steps, T fast steps, R features of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import CELL_SLICE_FEATURES, FAST_FEATURES, LINK_SLICE_FEATURES, Float
from twm.core.kpis import weighted_p99
from twm.core.network import NetworkSpec
from twm.planner.reactive import ReactiveParameters, cell_loads, link_loads, reactive_batch

Blocks = Mapping[str, Float]
Shares = tuple[Float, Float]
_LOAD_MOST = 3.0
_LEAST_CAPACITY_MBPS = 1.0
AHEAD = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 8), (8, 12))
"""Steps of the calendar that are averaged into one feature each: the step decided on is 0."""


@dataclass(frozen=True)
class ObservationLayout:
    """Columns of an observation: C rows of `cell_width`, L rows of `link_width`, then `global_width`."""

    cells: int
    links: int
    slices: int

    @property
    def cell_width(self) -> int:
        """Features of a cell."""
        return 7 * self.slices + 2 + 1 + len(AHEAD)

    @property
    def link_width(self) -> int:
        """Features of a link."""
        return 4 * self.slices + 2 + 1 + len(AHEAD)

    @property
    def global_width(self) -> int:
        """Features over all."""
        return 3 + 3 * self.slices

    @property
    def width(self) -> int:
        """All columns."""
        return self.cells * self.cell_width + self.links * self.link_width + self.global_width

    def split(self, observation_BD: Float) -> tuple[Float, Float, Float]:
        """(cells [B, C, R], links [B, L, R], over all [B, R])."""
        at, end = self.cells * self.cell_width, self.cells * self.cell_width + self.links * self.link_width
        b = len(observation_BD)
        return (
            observation_BD[:, :at].reshape(b, self.cells, self.cell_width),
            observation_BD[:, at:end].reshape(b, self.links, self.link_width),
            observation_BD[:, end:],
        )


class Observer:
    """Follows B horizons: `begin` with the frame before the first decision, `see` every frame after, `observe` at any time."""

    def __init__(self, spec: NetworkSpec, base: ReactiveParameters) -> None:
        self.spec, self.base = spec, base
        c, s, n_links = spec.sizes
        self.layout = ObservationLayout(c, n_links, s)
        topology = spec.topology()
        self._route_LC = topology.route.T / np.maximum(topology.route.sum(0), 1)[:, None]
        self._loss_most = np.nan_to_num(topology.loss_max_ratio, nan=1.0)
        self._delay_most = np.nan_to_num(topology.delay_p99_max_ms, nan=100.0)
        self._carrier_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz

    def begin(self, blocks: Blocks, running: Shares) -> None:
        """The newest frame [B, ...] and the shares in force when the horizon begins."""
        b, s = len(blocks["cell"]), self.layout.slices
        self._step = 0
        self._offered_BS, self._lost_BS, self._delay_sum_BS, self._delay_max_BS = (np.zeros((b, s)) for _ in range(4))
        self._used_B = np.zeros(b)
        self._blocks = blocks
        self._before: Blocks | None = None
        self._running = running
        self._now_BC: NDArray[np.floating] | None = None

    def see(self, blocks: Blocks, running: Shares, calendar_before_BCH: Float | None) -> None:
        """The next frame, under which shares, and the calendar as it stood before that step (None: no calendar)."""
        cs = blocks["cell_slice"]
        offered = np.nan_to_num(cs[..., CELL_SLICE_FEATURES.index("offered_mbps")]).astype(np.float64)
        loss = np.nan_to_num(cs[..., CELL_SLICE_FEATURES.index("e2e_loss_ratio")])
        self._offered_BS += offered.sum(1)
        self._lost_BS += (offered * loss).sum(1)
        fast = blocks["fast"]
        delay = weighted_p99(fast[..., FAST_FEATURES.index("e2e_delay_ms")], fast[..., FAST_FEATURES.index("offered_mbps")])
        scaled = np.log1p(np.nan_to_num(delay) / self._delay_most)
        self._delay_sum_BS += scaled
        self._delay_max_BS = np.maximum(self._delay_max_BS, scaled)
        flat = np.concatenate([a.reshape(len(a), -1) for a in running], -1)
        self._used_B += flat.mean(-1) * self.layout.slices
        self._blocks, self._before, self._running = blocks, self._blocks, running
        self._now_BC = None if calendar_before_BCH is None else np.nan_to_num(calendar_before_BCH[..., 0])
        self._step += 1

    def rule(self) -> Shares:
        """The reactive rule's shares for the step to decide on."""
        return reactive_batch(self.spec, dict(self._blocks), self._running, self.base)

    def observe(self, calendar_BCH: Float, known_B: NDArray[np.floating], rule: Shares) -> Float:
        """Observation [B, D]; `known_B` is 1 where there is a calendar, else 0, and the calendar is then not looked at."""
        blocks, known = self._blocks, np.asarray(known_B, np.float64)
        b = len(known)
        load, capacity = _load_ratio(*cell_loads(self.spec, dict(blocks)))
        before = load if self._before is None else _load_ratio(*cell_loads(self.spec, dict(self._before)))[0]
        link_load, link_capacity = _load_ratio(*link_loads(self.spec, dict(blocks)))
        cs, ls = blocks["cell_slice"], blocks["link_slice"]

        def get(name: str) -> Float:
            return np.nan_to_num(cs[..., CELL_SLICE_FEATURES.index(name)])

        ahead_BCA = self._ahead(calendar_BCH, known)
        at_B = np.full((b, 1), self._step / self.spec.timing.horizon_steps)
        cells = [
            load,
            load - before,
            get("queue_mbit") / (capacity * self.spec.timing.slow_step_s),
            get("e2e_loss_ratio") * 2.0,
            np.log1p(get("e2e_delay_p99_ms") / self._delay_most),
            self._running[0],
            rule[0],
            load.sum(-1, keepdims=True) - 1.0,
            capacity / self._carrier_mhz / 10.0,
            ahead_BCA,
        ]
        links = [
            link_load,
            np.nan_to_num(ls[..., LINK_SLICE_FEATURES.index("loss_ratio")]) * 2.0,
            self._running[1],
            rule[1],
            link_load.sum(-1, keepdims=True) - 1.0,
            link_capacity / 2000.0,
            np.einsum("lc,bca->bla", self._route_LC, ahead_BCA),
        ]
        seen = np.maximum(self._offered_BS, 1e-9)
        steps = max(self._step, 1)
        over_all = [
            at_B,
            known[:, None],
            (self._used_B / steps - 1.0)[:, None] * (self._step > 0),
            np.minimum(self._lost_BS / seen / self._loss_most, 5.0),
            self._delay_sum_BS / steps,
            self._delay_max_BS,
        ]
        rows = [np.concatenate(part, -1).reshape(b, -1) for part in (cells, links, over_all)]
        return np.concatenate(rows, -1).astype(np.float32)

    def _ahead(self, calendar_BCH: Float, known_B: NDArray[np.floating]) -> NDArray[np.float64]:
        told = np.nan_to_num(calendar_BCH).astype(np.float64)
        told = np.where(known_B[:, None, None] > 0, told, 0.0)
        now = np.zeros(told.shape[:2]) if self._now_BC is None else np.where(known_B[:, None] > 0, self._now_BC, 0.0)
        return np.stack([now, *(told[..., a:b].mean(-1) for a, b in AHEAD)], -1)


def _load_ratio(
    load_RS: NDArray[np.floating], capacity_R: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(load over capacity [..., R, S], capacity [..., R, 1] [Mbps])."""
    capacity = np.maximum(np.nan_to_num(capacity_R)[..., None], _LEAST_CAPACITY_MBPS)
    return np.minimum(np.nan_to_num(load_RS) / capacity, _LOAD_MOST), capacity
