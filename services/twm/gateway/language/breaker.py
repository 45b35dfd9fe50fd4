"""A circuit breaker: after failures in a row nobody asks for a while, then one call tries. Pure but for the clock given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BreakerSettings:
    """When the circuit opens, and for how long."""

    failures: int = 3
    """Failures in a row that open it."""
    first_pause_s: float = 5.0
    """Pause after it opened [s]; doubles with each failed trial."""
    longest_pause_s: float = 60.0
    """Longest pause [s]."""


class CircuitBreaker:
    """Closed: calls pass. Open: none does until the pause is over; then one does, and its outcome decides."""

    def __init__(self, settings: BreakerSettings, clock: Callable[[], float]) -> None:
        """`clock`: steady time [s]."""
        self._settings, self._clock = settings, clock
        self._failures = 0
        self._pause_s = settings.first_pause_s
        self._until_s: float | None = None
        self._trying = False

    @property
    def open(self) -> bool:
        """Calls are being refused."""
        return self._until_s is not None and (self._trying or self._clock() < self._until_s)

    def admit(self) -> bool:
        """Whether a call may go out now; one that may must end with `succeeded`, `failed` or `abandoned`."""
        if self._until_s is None:
            return True
        if self._trying or self._clock() < self._until_s:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """The endpoint answered."""
        self._failures, self._until_s, self._trying = 0, None, False
        self._pause_s = self._settings.first_pause_s

    def failed(self) -> None:
        """The endpoint did not answer, was late, or what it sent was no answer."""
        self._failures += 1
        if self._trying:
            self._pause_s = min(2 * self._pause_s, self._settings.longest_pause_s)
        if self._trying or self._failures >= self._settings.failures:
            self._until_s = self._clock() + self._pause_s
        self._trying = False

    def abandoned(self) -> None:
        """The caller gave up: that says nothing about the endpoint."""
        self._trying = False
