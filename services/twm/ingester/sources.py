"""Event time: how far each source has come, how far the area has, and which time stamps to believe.

The watermark of a source is the end of its latest period; that of the area is the least over its active sources. A source
that is silent too long, or a slow step behind the others, does not hold the area back. A time stamp far ahead is refused,
unless most sources agree that time has jumped (an outage, an accelerated replay): one broken clock cannot drag the area along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_JUMP_REPORTS = 3
"""Reports that must agree on a jump ahead before it is believed."""


@dataclass(slots=True)
class _Source:
    expected: bool
    seen: float
    """Processing time of its last report [s], any monotonic clock."""
    end_s: float = -math.inf
    """Event time of the end of its latest period [s]."""


class Sources:
    """Sources of one area. `now` is processing time [s] on any one monotonic clock; event times are Unix seconds."""

    def __init__(self, expected: list[str], *, idle_s: float, max_ahead_s: float, max_behind_s: float, now: float) -> None:
        self._idle_s, self._max_ahead_s, self._max_behind_s = idle_s, max_ahead_s, max_behind_s
        self._sources = {name: _Source(True, now) for name in expected}
        self._refused: list[tuple[str, float]] = []
        self._jump_s = -math.inf
        self._front_s: float | None = None

    def admits(self, name: str, limit: int, now: float) -> bool:
        """Whether the source is known or there is room for it: of `limit` sources, the one longest silent makes room.

        Never one that is expected, nor one that was heard within the idle time.
        """
        if name in self._sources or len(self._sources) < limit:
            return True
        silent = {n: s.seen for n, s in self._sources.items() if not s.expected and now - s.seen > self._idle_s}
        if not silent:
            return False
        del self._sources[min(silent, key=lambda n: silent[n])]
        self._front_s = None
        return True

    def believable(self, name: str, end_s: float, received_s: float, floor_s: float) -> bool:
        """Whether a period may end at `end_s`; `floor_s` is event time known to have passed."""
        reference = max(received_s, self._jump_s, floor_s, self.front_s())
        if end_s <= reference + self._max_ahead_s:
            return True
        self._refused = [*self._refused[-63:], (name, end_s)]
        agreeing = [(n, e) for n, e in self._refused if abs(e - end_s) <= self._max_ahead_s]
        if len(agreeing) >= _JUMP_REPORTS and 2 * len({n for n, _ in agreeing}) > len(self._sources):
            self._jump_s = min(e for _, e in agreeing)
            self._refused = []
            return True
        return False

    def saw(self, name: str, end_s: float, now: float) -> None:
        """A believed report of a source."""
        source = self._sources.setdefault(name, _Source(False, now))
        source.seen = now
        if end_s > source.end_s:
            source.end_s = end_s
            self._front_s = None

    def refresh(self, now: float) -> None:
        """Forget silences up to now (the silence was ours)."""
        for source in self._sources.values():
            source.seen = now

    def front_s(self) -> float:
        """Median event time over the sources that reported (upper median); -inf before any did."""
        if self._front_s is None:
            ends = sorted(source.end_s for source in self._sources.values() if source.end_s > -math.inf)
            self._front_s = ends[len(ends) // 2] if ends else -math.inf
        return self._front_s

    def watermark_s(self, now: float) -> float:
        """Event time up to which no active source has anything left to say; -inf where no source is active."""
        front = self.front_s()
        ends = [
            source.end_s
            for source in self._sources.values()
            if now - source.seen <= self._idle_s and source.end_s >= front - self._max_behind_s
        ]
        waiting = any(
            source.end_s == -math.inf and source.expected and now - source.seen <= self._idle_s
            for source in self._sources.values()
        )
        return -math.inf if waiting or not ends else min(ends)

    def silent_s(self, now: float) -> float:
        """Processing time since the last report of any source [s]."""
        return min((now - source.seen for source in self._sources.values()), default=math.inf)
