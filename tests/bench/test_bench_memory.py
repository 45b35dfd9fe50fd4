"""Memory of the product processes over a long run of the whole line: below 200 MB each, and not growing.

TWM_MEMORY_FRAMES=10000 is the full measure (under ten minutes on two cores). The default only shows gross leaks and the size.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest
from whole_run import Run, grow, running

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.redis, pytest.mark.timeout(1500)]

FRAMES = int(os.environ.get("TWM_MEMORY_FRAMES", "400"))
PRODUCT = ("ingester", "inference", "planner", "gateway")
RSS_MAX_MB = 200.0
# Bounded caches still fill early in a run; in the full measure keeping one proposal (some 10 kB) a frame shows.
GROWTH_MAX_KB_PER_FRAME, GROWTH_MAX_MB = 2.0, 8.0


def rss_mb(run: Run) -> dict[str, float]:
    return {name: psutil.Process(run.pid(name)).memory_info().rss / 1e6 for name in PRODUCT}


async def test_no_process_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path) as run:
        streams = await run.connect()
        try:
            await grow(streams, run.names.verdicts, FRAMES // 4, 600)
            pids = {name: run.pid(name) for name in PRODUCT}
            early, began_s = rss_mb(run), time.monotonic()
            await grow(streams, run.names.verdicts, FRAMES, 1200)
            late = rss_mb(run)
        finally:
            await streams.close()
        assert {name: run.pid(name) for name in PRODUCT} == pids, "a process was restarted"
    frames = FRAMES - FRAMES // 4
    with capsys.disabled():
        print(
            f"\nRSS after {FRAMES // 4} and {FRAMES} frames ({time.monotonic() - began_s:.0f} s): "
            + ", ".join(f"{name} {early[name]:.0f} -> {late[name]:.0f} MB" for name in PRODUCT)
        )
    for name in PRODUCT:
        assert late[name] < RSS_MAX_MB
        assert late[name] - early[name] < GROWTH_MAX_MB + GROWTH_MAX_KB_PER_FRAME * frames / 1000
