"""`kill -9` of each process in turn during a run of the whole line, E2 bytes to policies.

Every frame is processed exactly once, no policy is written twice, the audit chain holds, and the line flows again within 10 s.
Many times faster than life: the network is the single EXPLORA cell with two reporting periods a step, and the world model is
the tiny one of tests/tiny_zoo.py, since what is tested here is what kills do, not how good the plans are.

600 frames, to keep the suite short; the long one: `TWM_CHAOS_FRAMES=2000 pytest -s tests/e2e/test_chaos_kill.py`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.protobuf.message import Message
from whole_run import Run, added, grow, running

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.streams import Streams

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.redis, pytest.mark.timeout(540)]

FRAMES = int(os.environ.get("TWM_CHAOS_FRAMES", "600"))
RECOVERY_S = 10.0
VICTIMS = ("planner", "gateway", "ingester", "inference", "twin", "redis", "emulator")


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    async with running(tmp_path) as started:
        yield started


async def kill(run: Run, streams: Streams, victim: str) -> float:
    """kill -9, then wait until proposals and verdicts come out of frames that came in afterwards; how long that took."""
    pid = run.pid(victim)
    assert pid is not None
    began_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while run.pid(victim) in (pid, None):
        assert time.monotonic() - began_s < RECOVERY_S, f"{victim} was not started again"
        await asyncio.sleep(0.02)
    frames = -1
    while frames < 0:
        frames = await added(streams, run.names.frames)
        assert time.monotonic() - began_s < RECOVERY_S, "redis is not back"
        await asyncio.sleep(0.02)
    for stream in (run.names.frames, run.names.proposals, run.names.verdicts):
        await grow(streams, stream, frames + 1, RECOVERY_S)
    return time.monotonic() - began_s


async def read_all(streams: Streams, stream: str, kind: type[Message]) -> list[Any]:
    found: list[Any] = []
    after = "-"
    while entries := await streams.range(stream, after=after, count=500):
        found += [kind.FromString(entry.payload) for entry in entries]
        after = entries[-1].id
    return found


async def test_kill_9_of_each_process_in_turn(run: Run) -> None:
    streams = await run.connect()
    names = run.names
    began_s = time.monotonic()
    try:
        await grow(streams, names.policies, 1, 60)
        recoveries: dict[str, float] = {}
        for index, victim in enumerate(VICTIMS):
            await grow(streams, names.frames, FRAMES * (index + 1) // (len(VICTIMS) + 1), 300)
            recoveries[victim] = await kill(run, streams, victim)
        await grow(streams, names.frames, FRAMES, 300)
        frames = await read_all(streams, names.frames, telemetry_pb2.KpiFrame)
        steps = [frame.step for frame in frames]
        await grow(streams, names.verdicts, len(steps), 60)
        proposals = await read_all(streams, names.proposals, planning_pb2.Proposal)
        verdicts = await read_all(streams, names.verdicts, policy_pb2.Verdict)
        policies = await read_all(streams, names.policies, policy_pb2.SlicePolicy)
        dead = await streams.length(names.dead)
        wall_s = time.monotonic() - began_s
    finally:
        await streams.close()
    print(
        f"\n{len(frames)} frames, {len(policies)} policies in {wall_s:.0f} s; recovery "
        + ", ".join(f"{k} {v:.1f} s" for k, v in recoveries.items())
    )

    assert len(steps) >= FRAMES
    assert steps == sorted(set(steps)), "a step has two frames, or they came out of order"
    for name, messages in (("proposal", proposals), ("verdict", verdicts), ("policy", policies)):
        twice = [step for step, count in Counter(m.step for m in messages).items() if count > 1]
        assert twice == [], f"steps with more than one {name}"
    assert set(steps) <= {p.step for p in proposals}
    assert set(steps) <= {v.step for v in verdicts}
    accepted = {v.step for v in verdicts if v.decision == policy_pb2.DECISION_ACCEPTED}
    assert {p.step for p in policies if p.step in steps} == accepted & set(steps)
    assert dead == 0
    assert max(recoveries.values()) < RECOVERY_S

    pids = run.pids()
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.process.wait(60) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)
    audit = run.state_dir / f"audit-{run.names.area_id}.jsonl"
    verified = subprocess.run(  # noqa: ASYNC221 - nothing else runs any more
        [sys.executable, "-m", "twm.cli", "verify-audit", str(audit)], capture_output=True, text=True, timeout=60
    )
    assert verified.returncode == 0, verified.stderr
