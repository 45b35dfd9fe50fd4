"""The set of policies that may be proposed while intents limit shares: floors, caps and slower changes, step by step.

A limit that the rate of change does not allow to reach yet is approached as fast as it allows, as the guardrail asks.

Shape suffixes: see space.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays
from twm.core.network import NetworkSpec
from twm.planner.space import Rows, ShareSpace

_SLACK = np.float32(1e-5)


@dataclass(frozen=True, kw_only=True)
class ShareBounds:
    """What intents ask of shares in each step of the horizon; infinite where nothing is asked."""

    least_HRS: Rows
    most_HRS: Rows
    change_HRS: Rows
    """Largest change from the step before."""

    @classmethod
    def free(cls, spec: NetworkSpec) -> ShareBounds:
        """No bounds, to be narrowed in place."""
        c, s, n_links = spec.sizes
        shape = (spec.timing.horizon_steps, c + n_links, s)
        return cls(
            least_HRS=np.full(shape, -np.inf, np.float32),
            most_HRS=np.full(shape, np.inf, np.float32),
            change_HRS=np.full(shape, np.inf, np.float32),
        )


class BoundedSpace(ShareSpace):
    """Feasible policies under intents' limits."""

    def __init__(
        self, spec: NetworkSpec, bounds: ShareBounds, running: PolicyArrays | None = None, proposed: PolicyArrays | None = None
    ) -> None:
        """As ShareSpace; `bounds`: what the intents ask."""
        super().__init__(spec, running, proposed)
        self._bounds = bounds

    def within_rate(self, rows_KHRS: Rows) -> Rows:
        """Rows moved into the set, step after step."""
        rows = np.array(rows_KHRS, np.float32)
        before: NDArray[Any] = self._running_RS[None]
        for step in range(rows.shape[1]):
            low, high = self._reach(step, before)
            least = np.clip(np.fmax(self._floor_RS, self._bounds.least_HRS[step]), low, high)
            most = np.clip(self._bounds.most_HRS[step], low, high)
            least = np.minimum(least, most)
            total = least.sum(-1, keepdims=True)
            least = least / np.maximum(total, 1.0)
            excess = np.clip(rows[:, step], least, np.maximum(most, least)) - least
            room = 1.0 - least.sum(-1, keepdims=True)
            part = np.minimum(room / np.maximum(excess.sum(-1, keepdims=True), 1e-9), 1.0)
            before = np.asarray(least + excess * part, np.float32)
            rows[:, step] = before
        return rows

    def held_running(self) -> Rows:
        """The shares in force for the whole horizon, whatever the intents ask: what doing nothing means."""
        return ShareSpace(self.spec, self.running).hold(self._running_RS)

    def allowed(self, rows_KHRS: Rows) -> NDArray[np.bool_]:
        """Which policies [K] are in the set."""
        return np.asarray(np.abs(self.within_rate(rows_KHRS) - rows_KHRS).reshape(len(rows_KHRS), -1).max(1) <= 10 * _SLACK)

    def _reach(self, step: int, before: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Least and largest shares [K or 1, R, S] that the rates of change allow."""
        low: NDArray[Any]
        high: NDArray[Any]
        if step == 0:
            low = np.maximum(self._running_RS, self._proposed_RS) - self._rate
            high = np.minimum(self._running_RS, self._proposed_RS) + self._rate
            middle = 0.5 * (low + high)
            low, high = np.minimum(low, middle)[None], np.maximum(high, middle)[None]
        else:
            low, high = before - self._rate, before + self._rate
        change = self._bounds.change_HRS[step]
        low, high = np.maximum(low, before - change), np.minimum(high, before + change)
        return np.clip(np.minimum(low, high), 0.0, 1.0), np.clip(high, 0.0, 1.0)
