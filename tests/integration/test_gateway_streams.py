"""The gateway's workers on a real server: every effect once, whatever is redelivered or killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from gateway_samples import fallback_proposal, frame, good_proposal

from twm.api.policy.v1 import policy_pb2
from twm.cli import verify_audit
from twm.core.errors import AuditError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.stream_worker import StreamWorker
from twm.core.streams import GROUP_GATEWAY, GROUP_SCORER, KeyWrite, Output, StreamNames, Streams
from twm.gateway.a1 import A1Options
from twm.gateway.audit import ChainHead, Event, from_payload
from twm.gateway.audit_log import AuditLog, read_records
from twm.gateway.audit_stream import AuditFollower, log_path, verify_stream
from twm.gateway.judgement import Judge
from twm.gateway.recorder import Composition, Recorder
from twm.gateway.rules import load_rules
from twm.gateway.scorer import Scorer
from twm.gateway.step_search import find_step

pytestmark = pytest.mark.redis


@pytest.fixture
def names(spec: NetworkSpec) -> StreamNames:
    return StreamNames.of(spec.area_id)


def judge_of(streams: Streams, names: StreamNames, spec: NetworkSpec, recorder: Recorder | None = None) -> Judge:
    recorder = recorder or Recorder(streams, names, time.time)
    return Judge(streams, names, recorder, spec, load_rules("default"), A1Options(), time.time)


async def put_frames(streams: Streams, names: StreamNames, spec: NetworkSpec, steps: range) -> None:
    codec = FrameCodec(spec)
    await streams.append_many(
        [Output(names.frames, codec.encode(frame(spec, s, loss=0.05, delay_ms=12.0)).SerializeToString()) for s in steps]
    )


async def put_proposals(streams: Streams, names: StreamNames, spec: NetworkSpec, steps: range) -> None:
    await streams.append_many([Output(names.proposals, good_proposal(spec, s).SerializeToString()) for s in steps])


async def until(done: Callable[[], Awaitable[bool]], timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await done():  # noqa: ASYNC110 - the state lies in Redis
            await asyncio.sleep(0.02)


async def longer(streams: Streams, stream: str, than: int) -> bool:
    return await streams.length(stream) > than


def acked(streams: Streams, stream: str, group: str) -> Callable[[], Awaitable[bool]]:
    async def done() -> bool:
        return await streams.lag(stream, group) == (0, 0)

    return done


async def run_until(worker: StreamWorker, done: Callable[[], Awaitable[bool]]) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        await until(done)
    finally:
        stop.set()
        await task


async def audit_kinds(streams: Streams, names: StreamNames) -> list[str]:
    return [from_payload(entry.payload).kind for entry in await streams.range(names.audit, count=10_000)]


async def test_proposals_become_verdicts_policies_and_audit_records(
    streams: Streams, names: StreamNames, spec: NetworkSpec
) -> None:
    await put_frames(streams, names, spec, range(100, 104))
    bad = good_proposal(spec, 102)
    bad.disagreement = 3.0
    late = good_proposal(spec, 103, created_s=time.time() - 600)
    for proposal in (good_proposal(spec, 100), fallback_proposal(spec, 101), bad, late):
        await streams.append(Output(names.proposals, proposal.SerializeToString()))
    await streams.append(Output(names.proposals, b"\xff\x00 garbage"))
    worker = StreamWorker(streams, names.proposals, GROUP_GATEWAY, "g0", judge_of(streams, names, spec).handle, block_ms=50)
    await run_until(worker, acked(streams, names.proposals, GROUP_GATEWAY))
    verdicts = [policy_pb2.Verdict.FromString(e.payload) for e in await streams.range(names.verdicts, count=100)]
    accepted, rejected = policy_pb2.DECISION_ACCEPTED, policy_pb2.DECISION_REJECTED
    assert [(v.step, v.decision) for v in verdicts] == [(100, accepted), (101, accepted), (102, rejected), (103, rejected)]
    assert [c.name for c in verdicts[2].checks if not c.passed] == ["disagreement"]
    assert [c.name for c in verdicts[3].checks if not c.passed] == ["freshness"]
    policies = [policy_pb2.SlicePolicy.FromString(e.payload) for e in await streams.range(names.policies, count=100)]
    assert [p.step for p in policies] == [100, 101]
    assert await audit_kinds(streams, names) == [
        *("verdict", "policy", "trace") * 2,
        *("verdict", "trace") * 2,
    ]
    (dead,) = await streams.range(names.dead, count=10)
    assert "not a Proposal" in dead.reason
    verifier = await verify_stream(streams, names)
    assert verifier.head.sequence == 10
    record = from_payload((await streams.range(names.audit, count=1))[0].payload)
    payload = json.loads(record.payload_json)
    assert payload["decision"] == "DECISION_ACCEPTED"
    assert payload["failed"] == {}


async def test_redelivery_and_lost_answers_write_nothing_twice(streams: Streams, names: StreamNames, spec: NetworkSpec) -> None:
    await put_frames(streams, names, spec, range(100, 101))
    await put_proposals(streams, names, spec, range(100, 101))
    await streams.ensure_group(names.proposals, GROUP_GATEWAY)
    (entry,) = await streams.read(names.proposals, GROUP_GATEWAY, "g0", count=1, block_ms=100)
    # Two replicas hold the same entry (takeover while the first still works); both hand it in, one of them again.
    first, second = judge_of(streams, names, spec), judge_of(streams, names, spec)
    await asyncio.gather(first.handle(entry), second.handle(entry))
    await first.handle(entry)
    assert await streams.length(names.verdicts) == 1
    assert await streams.length(names.policies) == 1
    assert await audit_kinds(streams, names) == ["verdict", "policy", "trace"]


async def test_writers_of_one_chain_take_turns(streams: Streams, names: StreamNames, spec: NetworkSpec) -> None:
    count = 40
    await streams.append_many([Output(names.frames, b"x") for _ in range(count)])
    await streams.ensure_group(names.frames, "t")
    entries = await streams.read(names.frames, "t", "c", count=count, block_ms=100)
    recorders = [Recorder(streams, names, time.time) for _ in range(3)]

    async def commit(index: int) -> None:
        async def compose() -> Composition:
            return Composition(events=[Event("verdict", {"n": index})])

        assert await recorders[index % 3].commit(entries[index], "t", compose) is not None

    await asyncio.gather(*(commit(i) for i in range(count)))
    assert (await verify_stream(streams, names)).head.sequence == count


async def test_a_crash_between_leaves_the_entry_for_the_next(
    streams: Streams, names: StreamNames, spec: NetworkSpec, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_frames(streams, names, spec, range(100, 101))
    await put_proposals(streams, names, spec, range(100, 101))
    await streams.ensure_group(names.proposals, GROUP_GATEWAY)
    (entry,) = await streams.read(names.proposals, GROUP_GATEWAY, "dead", count=1, block_ms=100)
    # Killed before the write: nothing is there. The next consumer takes the entry over.
    assert await streams.length(names.verdicts) == 0
    worker = StreamWorker(
        streams, names.proposals, GROUP_GATEWAY, "g1", judge_of(streams, names, spec).handle, block_ms=50, stale_ms=100
    )
    await run_until(worker, acked(streams, names.proposals, GROUP_GATEWAY))
    assert await streams.length(names.verdicts) == 1
    # Killed after the write, before the answer: the same entry again is refused.
    await judge_of(streams, names, spec).handle(entry)
    assert await streams.length(names.verdicts) == 1
    assert await audit_kinds(streams, names) == ["verdict", "policy", "trace"]


async def test_tampering_with_the_stream_shows(
    streams: Streams, names: StreamNames, spec: NetworkSpec, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(streams, names, time.time)
    for n in range(5):
        await recorder.record(Event("start", {"n": n}))
    assert (await verify_stream(streams, names)).count == 5
    head = await recorder.head()
    forged = from_payload((await streams.last(names.audit, 1))[0].payload)
    await streams.append(Output(names.audit, forged.SerializeToString()))
    with pytest.raises(AuditError, match="record 5: repeated"):
        await verify_stream(streams, names)
    assert await asyncio.to_thread(run_command, "--redis-url", redis_url) == 3
    assert "record 5: repeated" in capsys.readouterr().err
    await streams.write([], [KeyWrite(recorder.head_key, ChainHead(9, "a" * 64).encode(), head.encode())])
    with pytest.raises(AuditError):
        await verify_stream(streams, names)


async def test_a_cut_off_stream_shows_against_the_head(streams: Streams, names: StreamNames, redis_url: str) -> None:
    recorder = Recorder(streams, names, time.time)
    await recorder.record(Event("start", {}))
    assert await asyncio.to_thread(run_command, "--redis-url", redis_url) == 0
    later = ChainHead(2, "b" * 64)
    await streams.write([], [KeyWrite(recorder.head_key, later.encode())])
    with pytest.raises(AuditError, match="record 2: missing"):
        await verify_stream(streams, names)


def run_command(*arguments: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    verify_audit.add_arguments(parser)
    return verify_audit.run(parser.parse_args(arguments))


class TestFollower:
    async def follow(self, follower: AuditFollower, last: int) -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(follower.run(stop))

        async def written() -> bool:
            return (follower.last_sequence or 0) >= last or task.done()

        await until(written)
        stop.set()
        await task

    async def test_the_file_gets_every_record_once_over_restarts(
        self, streams: Streams, names: StreamNames, tmp_path: Path
    ) -> None:
        recorder, path = Recorder(streams, names, time.time), log_path(tmp_path, names)
        for last in (3, 3, 7):
            while (await recorder.head()).sequence < last:
                await recorder.record(Event("start", {"last": last}))
            await self.follow(AuditFollower(streams, names, path, recorder.moved), last)
            assert [r.sequence for r in read_records(path)] == list(range(1, last + 1))

    async def test_the_chain_goes_on_where_redis_has_lost_it(
        self, streams: Streams, names: StreamNames, tmp_path: Path
    ) -> None:
        path = log_path(tmp_path, names)
        log = AuditLog(path)
        before = Recorder(streams, names, time.time)
        for n in range(4):
            await before.record(Event("start", {"n": n}))
        log.append([from_payload(e.payload) for e in await streams.range(names.audit, count=10)])
        # Redis comes back with the first two records only.
        second = from_payload((await streams.range(names.audit, count=2))[1].payload)
        await streams.write([], [KeyWrite(before.head_key, ChainHead(2, second.hash).encode())])
        after = Recorder(streams, names, time.time)
        await after.continue_from(log)
        await after.record(Event("start", {"n": "after"}))
        assert (await after.head()).sequence == 5
        log.append([from_payload(e.payload) for e in await streams.last(names.audit, 1)])
        log.close()
        assert [r.sequence for r in read_records(path)] == [1, 2, 3, 4, 5]
        assert run_command(str(path)) == 0

    async def test_two_different_chains_are_refused(self, streams: Streams, names: StreamNames, tmp_path: Path) -> None:
        log = AuditLog(log_path(tmp_path, names))
        recorder = Recorder(streams, names, time.time)
        for n in range(3):
            await recorder.record(Event("start", {"n": n}))
        log.append([from_payload(e.payload) for e in await streams.range(names.audit, count=10)])
        await streams.write([], [KeyWrite(recorder.head_key, ChainHead(1, "e" * 64).encode())])
        with pytest.raises(AuditError, match="different chains"):
            await Recorder(streams, names, time.time).continue_from(log)
        log.close()


class TestScorer:
    def worker(self, streams: Streams, names: StreamNames, spec: NetworkSpec, name: str = "s0") -> StreamWorker:
        scorer = Scorer(streams, names, Recorder(streams, names, time.time), spec)
        return StreamWorker(streams, names.frames, GROUP_SCORER, name, scorer.handle, block_ms=50, stale_ms=200)

    async def scored(self, streams: Streams, names: StreamNames) -> list[policy_pb2.ShadowScore]:
        return [policy_pb2.ShadowScore.FromString(e.payload) for e in await streams.range(names.scores, count=1000)]

    async def test_scores_come_when_the_horizon_is_over(self, streams: Streams, names: StreamNames, spec: NetworkSpec) -> None:
        await put_frames(streams, names, spec, range(100, 120))
        await put_proposals(streams, names, spec, range(100, 115))
        judge = StreamWorker(streams, names.proposals, GROUP_GATEWAY, "g0", judge_of(streams, names, spec).handle, block_ms=50)
        await run_until(judge, acked(streams, names.proposals, GROUP_GATEWAY))
        await run_until(self.worker(streams, names, spec), acked(streams, names.frames, GROUP_SCORER))
        found = await self.scored(streams, names)
        assert [s.step for s in found] == list(range(100, 108))  # frame 119 ends the horizon of 107
        assert {s.observed_step_count for s in found} == {12}
        assert found[0].observed_scm == pytest.approx(0.4)  # 12 of 20 ms; loss .05 of .10 is .5
        decisions = {s.step: s.decision for s in found}
        assert decisions[107] == policy_pb2.DECISION_ACCEPTED
        assert decisions[100] == policy_pb2.DECISION_REJECTED  # 19 steps behind the newest frame
        # A restart goes on where it was.
        await put_frames(streams, names, spec, range(120, 122))
        await run_until(self.worker(streams, names, spec, "s1"), acked(streams, names.frames, GROUP_SCORER))
        assert [s.step for s in await self.scored(streams, names)] == list(range(100, 110))
        assert (await audit_kinds(streams, names)).count("score") == 10
        await verify_stream(streams, names)

    async def test_gaps_late_proposals_and_garbage(self, streams: Streams, names: StreamNames, spec: NetworkSpec) -> None:
        await put_frames(streams, names, spec, range(100, 106))
        await streams.append(Output(names.frames, b"\xff garbage"))
        await put_frames(streams, names, spec, range(108, 120))  # 106 and 107 are missing
        await put_proposals(streams, names, spec, range(100, 101))
        await streams.append(Output(names.proposals, b"\xff garbage"))
        await run_until(self.worker(streams, names, spec), acked(streams, names.frames, GROUP_SCORER))
        (only,) = await self.scored(streams, names)
        assert (only.step, only.observed_step_count) == (100, 10)
        assert (await streams.last(names.dead, 1))[0].reason.startswith("malformed")
        # A proposal that comes after its horizon is scored by the frames that are still there.
        await put_proposals(streams, names, spec, range(104, 105))
        await put_frames(streams, names, spec, range(120, 121))
        await run_until(self.worker(streams, names, spec), acked(streams, names.frames, GROUP_SCORER))
        assert [(s.step, s.observed_step_count) for s in await self.scored(streams, names)] == [(100, 10), (104, 10)]

    async def test_two_scorers_share_the_frames(self, streams: Streams, names: StreamNames, spec: NetworkSpec) -> None:
        await put_frames(streams, names, spec, range(0, 60))
        await put_proposals(streams, names, spec, range(0, 60))
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self.worker(streams, names, spec, f"s{i}").run(stop)) for i in range(2)]
        await until(acked(streams, names.frames, GROUP_SCORER))
        stop.set()
        await asyncio.gather(*tasks)
        assert sorted(s.step for s in await self.scored(streams, names)) == list(range(48))


async def test_find_step_bisects(streams: Streams, names: StreamNames) -> None:
    def step_of(payload: bytes) -> int | None:
        return int(payload) if payload.isdigit() else None

    steps = [*range(0, 300), 299, *range(305, 600, 5), 597, 700]
    for step in steps:
        await streams.append(Output(names.verdicts, str(step).encode()))
        if step % 50 == 0:
            await asyncio.sleep(0.003)
    await streams.append(Output(names.verdicts, b"garbage"))
    for step in (0, 1, 17, 150, 299, 305, 420, 597, 700):
        entry = await find_step(streams, names.verdicts, step, step_of)
        assert entry is not None, step
        assert int(entry.payload) == step
    for step in (301, 596, 699, 5000):
        assert await find_step(streams, names.verdicts, step, step_of) is None
    assert await find_step(streams, names.policies, 3, step_of) is None


class TestProcess:
    """`python -m twm.gateway`, killed and started again."""

    @pytest.fixture
    def start(self, redis_url: str, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[..., Process]]:
        processes: list[Process] = []

        def begin(**environment: str) -> Process:
            processes.append(Process(redis_url, tmp_path / "state", free_port(), environment))
            return processes[-1]

        yield begin
        for process in processes:
            process.kill()

    async def test_kill_9_loses_and_repeats_nothing(
        self, start: Callable[..., Process], streams: Streams, names: StreamNames, spec: NetworkSpec, tmp_path: Path
    ) -> None:
        count, base = 40, 1000
        process = start()
        await process.ready()
        for n in range(count):
            await put_frames(streams, names, spec, range(base + n, base + n + 1))
            await put_proposals(streams, names, spec, range(base + n, base + n + 1))
            if n in (12, 25):
                await until(lambda n=n: longer(streams, names.verdicts, n - 8))
                process.kill()  # with entries in its hands
                process = start()
        await until(acked(streams, names.proposals, GROUP_GATEWAY))
        await until(acked(streams, names.frames, GROUP_SCORER))
        await process.ready()
        steps = [policy_pb2.Verdict.FromString(e.payload).step for e in await streams.range(names.verdicts, count=1000)]
        assert sorted(steps) == list(range(base, base + count))
        policies = [policy_pb2.SlicePolicy.FromString(e.payload).step for e in await streams.range(names.policies, count=1000)]
        assert len(policies) == len(set(policies))
        scores = [policy_pb2.ShadowScore.FromString(e.payload).step for e in await streams.range(names.scores, count=1000)]
        assert sorted(scores) == list(range(base, base + count - 12))
        assert process.stop() == 0
        records = list(read_records(log_path(tmp_path / "state", names)))
        assert (await verify_stream(streams, names)).head == ChainHead(records[-1].sequence, records[-1].hash)
        assert [r.kind for r in records].count("start") == 3
        assert [r.kind for r in records].count("verdict") == count
        assert [r.kind for r in records].count("policy") == len(policies)
        assert run_command(str(log_path(tmp_path / "state", names))) == 0

    async def test_bad_settings_are_refused_at_start(self, start: Callable[..., Process]) -> None:
        process = start(TWM_MODE="autonomous")
        assert await asyncio.to_thread(process.handle.wait, 20) == 2
        assert "only 'shadow' can be switched on" in process.errors()


class Process:
    """A gateway process of the test."""

    def __init__(self, redis_url: str, state_dir: Path, port: int, environment: dict[str, str]) -> None:
        state_dir.mkdir(exist_ok=True)
        self.url = f"http://127.0.0.1:{port}"
        self._log = state_dir / f"stderr-{port}"
        variables = {
            "TWM_REDIS_URL": redis_url,
            "TWM_HTTP_LISTEN": f"127.0.0.1:{port}",
            "TWM_STATE_DIR": str(state_dir),
            "TWM_INSTANCE": "gateway-0",
        }
        with self._log.open("wb") as log:
            self.handle = subprocess.Popen(
                [sys.executable, "-m", "twm.gateway"], env={**os.environ, **variables, **environment}, stderr=log
            )

    async def ready(self) -> None:
        async def is_ready() -> bool:
            assert self.handle.poll() is None, self.errors()
            return await asyncio.to_thread(self._is_ready)

        await until(is_ready)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def errors(self) -> str:
        return self._log.read_text()

    def stop(self) -> int:
        self.handle.send_signal(signal.SIGTERM)
        return self.handle.wait(15)

    def kill(self) -> None:
        self.handle.kill()
        self.handle.wait(10)
