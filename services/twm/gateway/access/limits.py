"""Token buckets, one for each name, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twm.core.errors import RateLimitError


class Buckets:
    """Each name may spend `burst` at once and `rate` a second."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float], *, capacity: int = 4096) -> None:
        """`clock`: steady [s]; `capacity`: names remembered, the longest unused one is forgotten first."""
        self._rate, self._burst, self._clock, self._capacity = rate, burst, clock, capacity
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def spend(self, name: str, cost: float = 1.0) -> None:
        """Take `cost` from the name's bucket. Raises RateLimitError where it does not hold as much."""
        now = self._clock()
        tokens, then = self._held.pop(name, (self._burst, now))
        tokens = min(self._burst, tokens + max(now - then, 0.0) * self._rate)
        enough = tokens >= cost
        self._held[name] = (tokens - cost if enough else tokens, now)
        while len(self._held) > self._capacity:
            self._held.popitem(last=False)
        if not enough:
            wait_s = (cost - tokens) / self._rate
            raise RateLimitError(
                f"requests: more than {self._rate:g} a second (burst {self._burst:g}); again in {wait_s:.1f} s",
                retry_after_s=wait_s,
            )

    def allows(self, name: str) -> bool:
        """Whether one more would be let through; takes nothing."""
        tokens, then = self._held.get(name, (self._burst, self._clock()))
        return min(self._burst, tokens + max(self._clock() - then, 0.0) * self._rate) >= 1.0
