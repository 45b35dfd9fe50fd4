"""Time as an injected thing, so that what decides by time can be tested without waiting."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """Wall clock, steady clock and sleep."""

    def now_s(self) -> float:
        """Unix time, UTC [s]."""
        ...

    def monotonic_s(self) -> float:
        """Steady time for durations [s]."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_s(self) -> float:
        """Unix time, UTC [s]."""
        return time.time()

    def monotonic_s(self) -> float:
        """Steady time for durations [s]."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(seconds, 0.0))


class ManualClock:
    """A clock that moves only by `advance`: for tests and for replays at their own pace."""

    def __init__(self, now_s: float = 0.0) -> None:
        self._now_s = now_s
        self._elapsed_s = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now_s(self) -> float:
        """Unix time, UTC [s]."""
        return self._now_s + self._elapsed_s

    def monotonic_s(self) -> float:
        """Time advanced so far [s]."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has passed the moment."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in the order of their moments."""
        until = self._elapsed_s + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            moment, _, future = heapq.heappop(self._sleepers)
            self._elapsed_s = moment
            if not future.done():
                future.set_result(None)
            await _settle()
        self._elapsed_s = until
        await _settle()


async def _settle() -> None:
    """Let tasks that are ready run on to their next wait."""
    for _ in range(5):
        await asyncio.sleep(0)
