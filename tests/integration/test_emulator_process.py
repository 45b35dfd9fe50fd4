"""The emulator as a process against the ingester as a process: kill -9 loses no report, and the frames are complete."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams

pytestmark = [pytest.mark.redis, pytest.mark.chaos, pytest.mark.slow]
STEPS = 4


def _start(module: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", module], env=env, stderr=subprocess.DEVNULL)


async def _frames(streams: Streams, spec: NetworkSpec) -> list[telemetry_pb2.KpiFrame]:
    entries = await streams.range(StreamNames.of(spec.area_id).frames, count=1000)
    return [telemetry_pb2.KpiFrame.FromString(entry.payload) for entry in entries]


async def test_killed_it_loses_nothing(spec: NetworkSpec, redis_url: str, free_port: Callable[[], int], tmp_path: Path) -> None:
    port = free_port()
    env = os.environ | {
        "TWM_REDIS_URL": redis_url,
        "TWM_GRPC_LISTEN": f"127.0.0.1:{port}",
        "TWM_INGESTER_TARGET": f"127.0.0.1:{port}",
        "TWM_STATE_DIR": str(tmp_path),
        "TWM_E2_SPEED": "120",
        "TWM_E2_STEPS": str(STEPS),
        "TWM_HTTP_LISTEN": "127.0.0.1:0",
    }
    streams = await Streams.connect(redis_url)
    emulator = _start("twm_twin.e2", env)  # first: it waits for the ingester
    ingester = _start("twm.ingester", env)
    try:
        until = time.monotonic() + 40
        while len(await _frames(streams, spec)) < 2:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        emulator.kill()
        emulator.wait(10)
        emulator = _start("twm_twin.e2", env)
        until = time.monotonic() + 40
        while len(await _frames(streams, spec)) < STEPS:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        frames = await _frames(streams, spec)
        assert [f.step - frames[0].step for f in frames] == list(range(STEPS))
        assert [f.missing_report_count for f in frames] == [0] * STEPS
        assert {f.report_count for f in frames} == {15 * (10 + 10 + 10)}
        emulator.send_signal(signal.SIGTERM)
        assert emulator.wait(10) == 0
    finally:
        for process in (emulator, ingester):
            process.kill()
            process.wait(10)
        await streams.close()
