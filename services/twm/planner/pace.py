"""How fast the peers answered lately, so that a cycle asks for what fits into its time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twm.core.clock import Clock
from twm.core.errors import DeadlineError

_MEMORY = 0.7
_TRY_AGAIN = 0.9


class Pace:
    """Smoothed times; after a missed deadline at least twice what was thought."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.candidate_s = 0.0
        """Time of one candidate of a search round; 0: not known yet."""
        self.tail_s = 0.0
        """Time of what comes after the search; 0: not known yet."""

    def note_round(self, seconds: float, count: int, *, missed: bool = False) -> None:
        """A search round of `count` candidates took `seconds`, or did not answer within them."""
        before, one = self.candidate_s, seconds / max(count, 1)
        if missed:
            self.candidate_s = 2.0 * max(before, one)
        else:
            self.candidate_s = _MEMORY * before + (1 - _MEMORY) * one if before else one

    def note_skipped(self) -> None:
        """A cycle went without a search: some time it should be tried again."""
        self.candidate_s *= _TRY_AGAIN

    @contextmanager
    def tail(self) -> Iterator[None]:
        """The block is what comes after the search."""
        begin = self._clock.monotonic_s()
        try:
            yield
        except DeadlineError:
            self.tail_s = max(2.0 * self.tail_s, self._clock.monotonic_s() - begin)
            raise
        took = self._clock.monotonic_s() - begin
        self.tail_s = _MEMORY * self.tail_s + (1 - _MEMORY) * took if self.tail_s else took
