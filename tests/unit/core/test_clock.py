"""The clock that moves by hand."""

from __future__ import annotations

import asyncio

from twm.core.clock import Clock, ManualClock, SystemClock


async def test_sleepers_wake_in_order_of_their_moments() -> None:
    clock = ManualClock(1000.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now_s()))

    tasks = [asyncio.create_task(sleeper(n, s)) for n, s in (("late", 5.0), ("soon", 1.0), ("never", 50.0), ("now", 0.0))]
    await clock.advance(10.0)
    assert woken == [("now", 1000.0), ("soon", 1001.0), ("late", 1005.0)]
    assert clock.monotonic_s() == 10.0
    tasks[2].cancel()
    await clock.advance(100.0)
    assert clock.now_s() == 1110.0


async def test_system_clock_is_a_clock() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic_s()
    await clock.sleep(0.01)
    assert clock.monotonic_s() >= before + 0.009
    assert clock.now_s() > 1.7e9
