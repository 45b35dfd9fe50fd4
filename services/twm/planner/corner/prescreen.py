"""The prescreen: candidates that no score is needed to turn away, found in a few passes over all of them.

A rule here speaks of structure, not of quality: a slice is left without what it needs although there is room, one slice hoards
while another lacks, radio is given to what transport cannot carry, shares swing back and forth, a limit is broken. What is
merely worse is the world model's to say.

Shape suffixes: K candidates, H slow steps looked at, C cells, L links, R rows (cells, then links), S slices.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twm.core.network import NetworkSpec, Topology
from twm.planner.corner.outlook import Outlook
from twm.planner.corner.settings import CornerSettings
from twm.planner.draft import REACTIVE, RUNNING
from twm.planner.space import Rows

ALWAYS_KEPT = frozenset((REACTIVE, RUNNING))
_LEAST_NEED = np.float32(0.02)
_ROOM = np.float32(0.1)
_TOLERANCE = np.float32(1e-4)
_FEW = 0.02
"""Part of the rows (at least one) in which something must be wrong: one noisy row of many is the search's to mend."""


@dataclass(kw_only=True)
class Prescreen:
    """One decision's rules. Counts what it turns away by reason."""

    spec: NetworkSpec
    topology: Topology
    outlook: Outlook
    settings: CornerSettings
    running_RS: Rows
    before_RS: Rows | None = None
    """Shares in force one step before; None: not known, nothing swings."""
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        outlook = self.outlook
        self._median, self._upper = outlook.median_HRS, outlook.upper_HRS
        self._asked = (self._median > _LEAST_NEED) & (outlook.capacity_RH.T[..., None] > 0)
        c = len(self.spec.cells)
        floors = [
            np.tile(self.topology.prb_floor, (c, 1)),
            np.tile(self.topology.bandwidth_floor, (len(self.running_RS) - c, 1)),
        ]
        self._floor_RS = np.concatenate(floors).astype(np.float32)
        self._rows_wrong = max(1, int(_FEW * len(self.running_RS)))

    def keep(self, rows_KHRS: Rows, origins: list[str] | None = None) -> NDArray[np.bool_]:
        """Which candidates [K] may be scored. `origins`: what is always kept stays, whatever it does."""
        bad = np.zeros(len(rows_KHRS), bool)
        exempt = np.array([origin in ALWAYS_KEPT for origin in origins], bool) if origins else ~np.ones(len(rows_KHRS), bool)
        for reason, wrong in self._wrong(rows_KHRS):
            fresh = wrong & ~bad & ~exempt
            if found := int(fresh.sum()):
                self.counts[reason] += found
            bad |= fresh
        return ~bad

    def _wrong(self, rows_KHRS: Rows) -> list[tuple[str, NDArray[np.bool_]]]:
        h = len(self._median)
        near = rows_KHRS[:, :h]
        used = near[..., 0].copy()
        for i in range(1, near.shape[-1]):
            used += near[..., i]
        finite = np.asarray(np.isfinite(used).all((1, 2)))
        outside = ((near < self._floor_RS - _TOLERANCE).any((1, 2, 3))) | (used > 1 + _TOLERANCE).any((1, 2))
        lacking = self._asked & (near < self.settings.starve_ratio * self._median)
        starved = np.asarray(lacking.any(-1)) & (used < 1 - _ROOM)
        short = self._asked & (near < np.float32(0.8) * self._median)
        plenty = near > np.float32(self.settings.hoard_ratio) * self._upper + _ROOM
        hoarding = np.asarray(lacking.any(-1) & plenty.any(-1))
        return [
            ("limits", ~finite | outside),
            ("starved", self._in_rows(starved)),
            ("hoarding", self._in_rows(hoarding)),
            ("bottleneck", self._bottleneck(plenty, short)),
            ("oscillating", self._oscillating(rows_KHRS[:, 0])),
        ]

    def _in_rows(self, wrong_KHR: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(wrong_KHR.all(1).sum(-1) >= self._rows_wrong)

    def _bottleneck(self, plenty_KHRS: NDArray[np.bool_], short_KHRS: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Radio in plenty for a slice that its links starve, while another slice of the same cell lacks radio."""
        c = len(self.spec.cells)
        route_CL = self.outlook.now_route_CL
        if not route_CL.shape[1]:
            return np.zeros(len(plenty_KHRS), bool)
        plenty, short = np.asarray(plenty_KHRS.all(1)), np.asarray(short_KHRS.all(1))
        cut_KCS = np.stack([short[:, c:][:, route].any(1) for route in route_CL], 1)
        wasted = (plenty[:, :c] & cut_KCS).any(-1) & short[:, :c].any(-1)
        return np.asarray(wasted.any(-1))

    def _oscillating(self, first_KRS: Rows) -> NDArray[np.bool_]:
        if self.before_RS is None:
            return np.zeros(len(first_KRS), bool)
        last = self.running_RS - self.before_RS
        if float(np.abs(last).mean()) < self.settings.oscillation_share:
            return np.zeros(len(first_KRS), bool)  # too little moved for any candidate to move so much back
        back = np.minimum(np.abs(last), np.maximum(-np.sign(last) * (first_KRS - self.running_RS), 0.0))
        return np.asarray(back.reshape(len(first_KRS), -1).mean(1) > self.settings.oscillation_share)
