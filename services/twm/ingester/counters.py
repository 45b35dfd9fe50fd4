"""Counters that count on: from readings to differences per reporting period.

KPM values are per period, but some nodes send the running counter (named in the settings). Equal readings are a difference
of 0; a 32-bit wrap is undone; a reset, a gap or the first reading gives no value, never a guess.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from twm.ingester.measurements import WRAP, Float64

_MAX_COUNTERS = 262144
_JOIN_S = 0.5
"""Readings this far from the end of the period before still follow it [s]."""


class CounterMemory:
    """The last reading of each counter, bounded."""

    def __init__(self) -> None:
        self._last: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def differences(self, column: Hashable, keys: Sequence[tuple[Hashable, float, float]], readings: Float64) -> Float64:
        """Differences [N] from readings [N]; `keys` holds (counter, period start [s], period [s]) in time order."""
        out = np.full(len(readings), np.nan)
        for n, (counter, start_s, period_s) in enumerate(keys):
            reading = float(readings[n])
            if np.isnan(reading):
                continue
            key = (column, counter)
            before = self._last.pop(key, None)
            self._last[key] = (start_s + period_s, reading)
            if before is not None and abs(before[0] - start_s) <= _JOIN_S:
                out[n] = difference(before[1], reading)
        while len(self._last) > _MAX_COUNTERS:
            self._last.popitem(last=False)
        return out


def difference(before: float, now: float) -> float:
    """Growth of a 32-bit counter; NaN after a reset (it fell, and the way round would be more than half its range)."""
    if now >= before:
        return now - before
    around = now - before + WRAP
    return around if around < WRAP / 2 else float("nan")
