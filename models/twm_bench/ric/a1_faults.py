"""What a simulated A1 termination does wrong, by chance or by order."""

from __future__ import annotations

import random
from dataclasses import dataclass

PROBLEMS = {
    400: "Bad request",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    423: "Locked",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    507: "Insufficient storage",
}


@dataclass
class Faults:
    """Shares of requests that go wrong, 0..1. A timeout or reset comes before or after the work was done, half of each."""

    error_ratio: float = 0.0
    timeout_ratio: float = 0.0
    reset_ratio: float = 0.0
    codes: tuple[int, ...] = (500, 502, 503, 507, 429)
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def draw(self) -> tuple[str, int]:
        """("" | "error" | "timeout" | "reset" with "-late" where the work is done first, code)."""
        u = self._random.random()
        late = "-late" if self._random.random() < 0.5 else ""
        for name, ratio in (("error", self.error_ratio), ("timeout", self.timeout_ratio), ("reset", self.reset_ratio)):
            if u < ratio:
                return (name if name == "error" else name + late), self._random.choice(self.codes)
            u -= ratio
        return "", 0


@dataclass
class Forced:
    """What the next requests are made to do, as the O-RAN SC simulator's /forceresponse and /forcedelay."""

    codes: tuple[int, ...] = ()
    """Codes of the next answers, one each."""
    delay_s: float = 0.0
    """Every answer comes so much later."""
    lose: int = 0
    """So many next requests are done and not answered."""
    retry_after: str = ""
    """Retry-After of forced codes."""
