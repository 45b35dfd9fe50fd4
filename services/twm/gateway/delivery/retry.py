"""When to try again: jittered back-off, and a circuit that lets single requests through while a peer fails. Pure."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from twm.gateway.delivery.peer import Answer, Outcome

CIRCUIT_FAILURES = 20
"""Failures in a row that open the circuit: with a third of all requests failing by chance it stays closed."""
PACE_WINDOW = 8
"""Answers looked at to tell whether most come too late."""
CIRCUIT_FIRST_S, CIRCUIT_MOST_S = 0.5, 15.0


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Waits between attempts of one write."""

    first_s: float = 0.5
    most_s: float = 30.0
    rejected_s: float = 60.0
    """After an answer that says that it will not be done as it stands."""

    def delay_s(self, answer: Answer, attempts: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Seconds to wait after `attempts` failures, the last of which was `answer`."""
        if answer.outcome is Outcome.REJECTED:
            return self.rejected_s * uniform(0.75, 1.25)
        wait_s = min(self.most_s, self.first_s * 2.0 ** min(attempts - 1, 20))
        if answer.outcome is Outcome.DENIED or answer.code == 507:
            wait_s = min(self.most_s, max(wait_s, 4 * self.first_s))
        return max(wait_s * uniform(0.5, 1.0), answer.retry_after_s or 0.0)


class Circuit:
    """Counts failures in a row."""

    def __init__(self, clock: Callable[[], float], uniform: Callable[[float, float], float] = random.uniform) -> None:
        """`clock`: steady [s]."""
        self._clock, self._uniform = clock, uniform
        self._failures = 0
        self._opened = 0
        self._until_s = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether only single requests go out."""
        return self._failures >= CIRCUIT_FAILURES

    def wait_s(self) -> float:
        """Seconds until the next request may go out; 0: at once. While open, one request at a time."""
        if not self.open:
            return 0.0
        if self._probing:
            return CIRCUIT_FIRST_S
        return max(0.0, self._until_s - self._clock())

    def begin(self) -> None:
        """A request goes out."""
        self._probing = self.open

    def skip(self) -> None:
        """It did not go out after all."""
        self._probing = False

    def end(self, answer: Answer) -> None:
        """What it came to. Any answer that shows the peer at work closes the circuit."""
        if answer.outcome not in (Outcome.BUSY, Outcome.UNKNOWN, Outcome.DENIED):
            self._failures = self._opened = 0
            self._probing = False
        elif not self.open or self._clock() >= self._until_s:  # while it waits, only what was under way before comes back
            self._probing = False
            self._failures += 1
            if self.open:
                self._opened += 1
                wait_s = min(CIRCUIT_MOST_S, CIRCUIT_FIRST_S * 2.0 ** min(self._opened - 1, 10))
                self._until_s = self._clock() + wait_s * self._uniform(0.75, 1.25)


class Pace:
    """How many requests go out at once: all that are allowed, fewer while most come back too late, since a peer that does one
    after the other would spend its time on requests that nobody waits for any more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.limit = most
        self._late: deque[bool] = deque(maxlen=PACE_WINDOW)

    def heard(self, answer: Answer) -> None:
        """What a request came to."""
        self._late.append(answer.reason == "timeout")
        if len(self._late) == PACE_WINDOW and sum(self._late) > PACE_WINDOW // 2:
            self.limit = max(1, self.limit // 2)
            self._late.clear()
        elif not self._late[-1]:
            self.limit = min(self._most, self.limit + 1)
