"""The planner on real Redis: one proposal per frame under restarts, duplicates, disorder, kills and malformed frames."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from planner_peers import ArithmeticPeers, frame_messages

from twm.api.planning.v1 import planning_pb2
from twm.core.clock import SystemClock
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.stream_worker import StreamWorker
from twm.core.streams import GROUP_PLANNER, Output, StreamNames, Streams
from twm.core.validation import validate
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.forecast import VARIANTS
from twm.planner.peers import Peers
from twm.planner.search import SearchSettings
from twm.planner.service import BacklogRules, PlannerService

pytestmark = pytest.mark.redis
QUICK = CycleSettings(budget_s=10.0, library_count=24, search=SearchSettings(populations=(8,)))


@pytest.fixture
def names(spec: NetworkSpec) -> StreamNames:
    return StreamNames.of(spec.area_id)


async def put(streams: Streams, names: StreamNames, frames: Sequence[Any]) -> None:
    for frame in frames:
        await streams.append(Output(names.frames, frame.SerializeToString()))


async def proposals(streams: Streams, names: StreamNames) -> list[planning_pb2.Proposal]:
    entries = await streams.range(names.proposals, count=4000)
    return [planning_pb2.Proposal.FromString(entry.payload) for entry in entries]


async def settled(streams: Streams, names: StreamNames, timeout_s: float = 60.0) -> None:
    """Wait until every frame is acknowledged."""
    until = time.monotonic() + timeout_s
    while await streams.lag(names.frames, GROUP_PLANNER) != (0, 0):
        assert time.monotonic() < until, f"not settled: {await streams.lag(names.frames, GROUP_PLANNER)}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def planner(
    spec: NetworkSpec, redis_url: str, target: str, consumer: str = "a", backlog: BacklogRules | None = None
) -> AsyncIterator[None]:
    """A planner in this process."""
    stop, clock = asyncio.Event(), SystemClock()
    own = await Streams.connect(redis_url)
    async with grpc_channel(target) as channel:
        cycle = PlanningCycle(spec, QUICK, Peers.on(spec, channel, channel, clock), clock)
        service = PlannerService(spec, own, cycle, history_steps=8, backlog=backlog)
        frames = StreamNames.of(spec.area_id).frames
        await own.ensure_group(frames, GROUP_PLANNER)
        worker = StreamWorker(own, frames, GROUP_PLANNER, consumer, service.handle, batch=4, block_ms=50, stale_ms=300)
        task = asyncio.create_task(worker.run(stop))
        yield
        stop.set()
        await task
    await own.close()


async def test_one_valid_proposal_per_frame_in_order(
    spec: NetworkSpec, redis_url: str, streams: Streams, names: StreamNames
) -> None:
    async with ArithmeticPeers(spec) as peers, planner(spec, redis_url, peers.target):
        for frame in frame_messages(spec, range(100, 106)):
            await put(streams, names, [frame])
            await settled(streams, names)
        found = await proposals(streams, names)
        assert [p.step for p in found] == list(range(100, 106))
        for proposal in found:
            validate(proposal)
            assert proposal.source == planning_pb2.PROPOSAL_SOURCE_SEARCH
        assert [len(call.history) for call in peers.world.behaviour.calls if call.policies.policy_count > 40] == [
            1,
            2,
            3,
            4,
            5,
            6,
        ]


async def test_duplicates_and_late_frames(spec: NetworkSpec, redis_url: str, streams: Streams, names: StreamNames) -> None:
    frames = {frame.step: frame for frame in frame_messages(spec, range(1000, 1010))}
    order = [1000, 1001, 1001, 1004, 1003, 1003, 1000, 1009, 1004]
    async with ArithmeticPeers(spec) as peers, planner(spec, redis_url, peers.target):
        await put(streams, names, [frames[step] for step in order])
        await put(streams, names, frame_messages(spec, range(3)))  # far older than the guard remembers
        await settled(streams, names)
    assert [p.step for p in await proposals(streams, names)] == [1000, 1001, 1004, 1003, 1009]


async def test_a_restart_continues_with_history_and_last_plan(
    spec: NetworkSpec, redis_url: str, streams: Streams, names: StreamNames
) -> None:
    async with ArithmeticPeers(spec) as peers:
        async with planner(spec, redis_url, peers.target):
            await put(streams, names, frame_messages(spec, range(50, 54)))
            await settled(streams, names)
        peers.world.behaviour.calls.clear()
        async with planner(spec, redis_url, peers.target):
            await put(streams, names, frame_messages(spec, range(54, 55)))
            await settled(streams, names)
        assert [frame.step for frame in peers.world.behaviour.calls[0].history] == [50, 51, 52, 53, 54]
        found = await proposals(streams, names)
        remembered = found[-2].alternatives.policy_count
        assert remembered > 0
        # the last plan, shifted, is one of them, and so are the policies remembered beside it
        assert peers.world.behaviour.calls[1].policies.policy_count == 24 + 4 + len(VARIANTS) + remembered
    assert [p.step for p in found] == [50, 51, 52, 53, 54]


async def test_two_planners_of_one_area_answer_each_step_once(
    spec: NetworkSpec, redis_url: str, streams: Streams, names: StreamNames
) -> None:
    frames = [frame for frame in frame_messages(spec, range(200, 230)) for _ in range(2)]  # each twice
    async with (
        ArithmeticPeers(spec) as peers,
        planner(spec, redis_url, peers.target, "a"),
        planner(spec, redis_url, peers.target, "b"),
    ):
        await put(streams, names, frames)
        await settled(streams, names)
    assert Counter(p.step for p in await proposals(streams, names)) == dict.fromkeys(range(200, 230), 1)


async def test_malformed_frames_are_dead_letters_and_the_others_are_planned(
    spec: NetworkSpec, redis_url: str, streams: Streams, names: StreamNames
) -> None:
    good, foreign, cut, infinite = frame_messages(spec, range(4))
    foreign.topology_digest = "0" * 64
    del cut.values[5:]
    infinite.values[3] = float("inf")
    async with ArithmeticPeers(spec) as peers, planner(spec, redis_url, peers.target):
        await streams.append(Output(names.frames, b"\xff\xfe not a frame"))
        await streams.append(Output(names.frames, b""))
        await put(streams, names, [foreign, cut, infinite, good])
        await settled(streams, names)
    dead = await streams.last(names.dead, 10)
    assert len(dead) == 5
    for entry, word in zip(dead, ("not a KpiFrame", "area_id", "topology_digest", "values", "not finite"), strict=True):
        assert word in entry.reason
    assert [p.step for p in await proposals(streams, names)] == [0]


async def test_a_backlog_is_answered_in_full_and_quickly(
    spec: NetworkSpec, redis_url: str, streams: Streams, names: StreamNames
) -> None:
    async with ArithmeticPeers(spec) as peers:
        await streams.ensure_group(names.frames, GROUP_PLANNER)
        await put(streams, names, frame_messages(spec, range(300)))
        async with planner(spec, redis_url, peers.target):
            await settled(streams, names)
    found = await proposals(streams, names)
    assert [p.step for p in found] == list(range(300))
    assert found[0].fallback_reason.startswith("backlog: 299 frames")
    assert found[-1].source == planning_pb2.PROPOSAL_SOURCE_SEARCH


async def test_garbage_in_the_keys_does_not_stop_it(
    spec: NetworkSpec, redis_url: str, streams: Streams, names: StreamNames
) -> None:
    from twm.core.streams import KeyWrite

    await streams.ensure_group("twm:{x}:frames", "g")
    entry_id = await streams.append(Output("twm:{poc-city}:intake", b"x"))
    await streams.ensure_group("twm:{poc-city}:intake", "g")
    await streams.read("twm:{poc-city}:intake", "g", "c", count=1, block_ms=10)
    keys = [KeyWrite(names.key(name), b"garbage") for name in ("planner-answered", "planner-last-plan")]
    assert await streams.write_and_ack("twm:{poc-city}:intake", "g", [entry_id], [], keys)
    async with ArithmeticPeers(spec) as peers, planner(spec, redis_url, peers.target):
        await put(streams, names, frame_messages(spec, range(2)))
        await settled(streams, names)
    assert [p.step for p in await proposals(streams, names)] == [0, 1]


class Process:
    """`python -m twm.planner`."""

    def __init__(self, redis_url: str, target: str, http_port: int) -> None:
        environment = os.environ | {
            "TWM_REDIS_URL": redis_url,
            "TWM_INFERENCE_TARGET": target,
            "TWM_TWIN_TARGET": target,
            "TWM_HTTP_LISTEN": f"127.0.0.1:{http_port}",
            "TWM_INSTANCE": "planner-0",
            "TWM_PLAN_LIBRARY_COUNT": "24",
            "TWM_PLAN_BUDGET_S": "10",
        }
        self.url = f"http://127.0.0.1:{http_port}"
        self.process = subprocess.Popen([sys.executable, "-m", "twm.planner"], env=environment, stderr=subprocess.PIPE)

    async def ready(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if await asyncio.to_thread(self._status) == 200:
                    return
            assert self.process.poll() is None, self.end()
            await asyncio.sleep(0.05)
        raise AssertionError("not ready")

    def _status(self) -> int:
        with urllib.request.urlopen(self.url + "/readyz", timeout=2) as answer:
            return int(answer.status)

    def metrics(self) -> str:
        with urllib.request.urlopen(self.url + "/metrics", timeout=2) as answer:
            return str(answer.read().decode())

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=15)
        return self.process.returncode, errors.decode()


async def test_kill_nine_loses_and_repeats_nothing(
    spec: NetworkSpec, redis_url: str, streams: Streams, names: StreamNames, free_port: Callable[[], int]
) -> None:
    async with ArithmeticPeers(spec) as peers:
        peers.world.behaviour.delay_s = 0.02
        process = Process(redis_url, peers.target, free_port())
        await process.ready()
        await put(streams, names, frame_messages(spec, range(40)))
        until = time.monotonic() + 60
        while len(await proposals(streams, names)) < 15:
            assert time.monotonic() < until
            await asyncio.sleep(0.01)
        process.end(signal.SIGKILL)
        assert 15 <= len(await proposals(streams, names)) < 40
        process = Process(redis_url, peers.target, free_port())
        await settled(streams, names)
        metrics = await asyncio.to_thread(process.metrics)
        code, log = process.end()
    assert code == 0, log
    assert [p.step for p in await proposals(streams, names)] == list(range(40))
    assert 'twm_proposals_total{source="' in metrics
    assert "twm_plan_seconds_count" in metrics


def test_wrong_settings_end_the_process_with_a_clear_line(redis_url: str) -> None:
    environment = os.environ | {"TWM_PLAN_BUDGET_S": "-3", "TWM_REDIS_URL": redis_url}
    result = subprocess.run(
        [sys.executable, "-m", "twm.planner"], env=environment, capture_output=True, timeout=30, check=False, text=True
    )
    assert result.returncode == 2
    assert "TWM_PLAN_BUDGET_S" in result.stderr
    assert "Traceback" not in result.stderr
