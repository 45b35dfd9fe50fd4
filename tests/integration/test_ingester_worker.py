"""The assembling replica in process: fencing, take-over, poison, foreign payloads; real Redis-protocol server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from ingest_reports import batches, city_step

from twm.api.telemetry.v1 import telemetry_pb2
from twm.cli.embedded_redis import EmbeddedRedis
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.streams import GROUP_INGESTER, KeyWrite, Output, StreamNames, Streams
from twm.ingester.assembler import Patience
from twm.ingester.lease import Lease
from twm.ingester.worker import CONSUMER, AssemblyWorker, State

pytestmark = pytest.mark.redis


def worker(streams: Streams, spec: NetworkSpec, instance: str, lease_s: float = 1.0) -> AssemblyWorker:
    return AssemblyWorker(streams, spec, Patience.of(spec), instance=instance, lease_s=lease_s)


async def store(streams: Streams, spec: NetworkSpec, *steps: int) -> None:
    names = StreamNames.of(spec.area_id)
    for request in batches(spec, [r for step in steps for r in city_step(spec, step)]):
        await streams.append(Output(names.intake, request.batch.SerializeToString()))


async def steps_out(streams: Streams, spec: NetworkSpec, count: int, wait_s: float = 8.0) -> list[int]:
    names = StreamNames.of(spec.area_id)
    for _ in range(int(wait_s / 0.05)):
        if await streams.length(names.frames) >= count:
            break
        await asyncio.sleep(0.05)
    entries = await streams.range(names.frames, count=1000)
    return [telemetry_pb2.KpiFrame.FromString(entry.payload).step for entry in entries]


async def test_two_workers_never_write_a_frame_twice(streams: Streams, spec: NetworkSpec) -> None:
    stop = asyncio.Event()
    await store(streams, spec, 10, 11)
    running = [asyncio.create_task(worker(streams, spec, f"replica-{i}").run(stop)) for i in range(2)]
    assert await steps_out(streams, spec, 2) == [10, 11]
    await store(streams, spec, 12)
    assert await steps_out(streams, spec, 3) == [10, 11, 12]
    stop.set()
    await asyncio.gather(*running)
    assert await streams.lag(StreamNames.of(spec.area_id).intake, GROUP_INGESTER) == (0, 0)


async def test_a_holder_that_lost_its_lease_unawares_cannot_write(streams: Streams, spec: NetworkSpec) -> None:
    """The state moves under a running worker, as if another had taken over while it slept: it starts over from there."""
    names, stop = StreamNames.of(spec.area_id), asyncio.Event()
    await store(streams, spec, 10)
    running = asyncio.create_task(worker(streams, spec, "replica-0").run(stop))
    assert await steps_out(streams, spec, 1) == [10]
    moved = State.make(11, 99)
    assert await streams.write((), [KeyWrite(names.key("ingester-state"), moved.raw)])
    await store(streams, spec, 11, 12)
    assert await steps_out(streams, spec, 2) == [10, 12]  # 11 is out already, says the state
    stop.set()
    await running
    assert await streams.lag(names.intake, GROUP_INGESTER) == (0, 0)


async def test_entries_that_a_former_holder_took_are_found_again(redis_url: str, streams: Streams, spec: NetworkSpec) -> None:
    names, stop = StreamNames.of(spec.area_id), asyncio.Event()
    running = asyncio.create_task(worker(streams, spec, "replica-0").run(stop))
    await asyncio.sleep(0.3)
    sleeper = await Streams.connect(redis_url)
    taking = asyncio.create_task(sleeper.read(names.intake, GROUP_INGESTER, CONSUMER, count=3, block_ms=5000))
    await asyncio.sleep(0.5)  # it has waited longest now, so it is served first
    await store(streams, spec, 10)
    assert len(await taking) == 1
    await sleeper.close()
    assert await steps_out(streams, spec, 1) == [10]
    (entry,) = await streams.last(names.frames, 1)
    assert telemetry_pb2.KpiFrame.FromString(entry.payload).missing_report_count == 0
    stop.set()
    await running


async def test_payloads_that_are_no_batch_become_dead_letters(streams: Streams, spec: NetworkSpec) -> None:
    names, stop = StreamNames.of(spec.area_id), asyncio.Event()
    await streams.append(Output(names.intake, b"\xff\xff garbage"))
    foreign = telemetry_pb2.ReportBatch(area_id="elsewhere", reports=city_step(spec, 10)[:1])
    await streams.append(Output(names.intake, foreign.SerializeToString()))
    await store(streams, spec, 10)
    running = asyncio.create_task(worker(streams, spec, "replica-0").run(stop))
    assert await steps_out(streams, spec, 1) == [10]
    stop.set()
    await running
    dead = await streams.last(names.dead, 10)
    assert [entry.payload[:2] for entry in dead] == [b"\xff\xff", foreign.SerializeToString()[:2]]


async def test_an_entry_that_ends_every_life_becomes_a_dead_letter_alone(streams: Streams, spec: NetworkSpec) -> None:
    names = StreamNames.of(spec.area_id)
    await streams.ensure_group(names.intake, GROUP_INGESTER)
    await store(streams, spec, 10)
    taken = await streams.read(names.intake, GROUP_INGESTER, CONSUMER, count=100, block_ms=1)
    poison = await streams.append(Output(names.intake, telemetry_pb2.ReportBatch(area_id="poc-city").SerializeToString()))
    await streams.read(names.intake, GROUP_INGESTER, CONSUMER, count=1, block_ms=1)
    await streams.touch(names.intake, GROUP_INGESTER, CONSUMER, [poison], delivery_count=4)
    await streams.touch(names.intake, GROUP_INGESTER, CONSUMER, [entry.id for entry in taken], delivery_count=1)
    stop = asyncio.Event()
    running = asyncio.create_task(worker(streams, spec, "replica-0").run(stop))
    assert await steps_out(streams, spec, 1) == [10]
    stop.set()
    await running
    (dead,) = await streams.last(names.dead, 10)
    assert dead.extra["id"].decode() == poison
    (frame,) = await streams.last(names.frames, 1)
    assert telemetry_pb2.KpiFrame.FromString(frame.payload).missing_report_count == 0


async def test_a_server_that_lost_its_data_is_begun_anew(redis_server: Callable[[], EmbeddedRedis], spec: NetworkSpec) -> None:
    server = redis_server()
    streams, stop = await Streams.connect(server.url), asyncio.Event()
    running = asyncio.create_task(worker(streams, spec, "replica-0").run(stop))
    await store(streams, spec, 10)
    assert await steps_out(streams, spec, 1) == [10]
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(b"*1\r\n$8\r\nFLUSHALL\r\n")
        assert connection.recv(16).startswith(b"+OK")
    await store(streams, spec, 11)
    assert await steps_out(streams, spec, 1) == [11]
    stop.set()
    await running
    await streams.close()


async def test_a_lease_is_taken_over_after_silence_or_at_once_by_its_own_name(streams: Streams) -> None:
    key = StreamNames.of("area").key("lease")
    first, second, reborn = (Lease(streams, key, name, 2.0) for name in ("a", "b", "a"))
    assert await first.take(0.0)
    assert not await second.take(0.0)
    assert await first.keep(1.0)
    assert not await second.take(1.5)
    assert not await second.take(3.4)
    assert await second.take(3.5)  # unchanged for 2 s by its own clock
    assert not await first.keep(4.0)
    assert not await reborn.take(4.0)
    await second.give_up()
    assert await reborn.take(4.1)
    again = Lease(streams, key, "a", 2.0)
    assert await again.take(4.1)


def test_a_state_that_is_not_ours_is_an_error() -> None:
    assert State.of(None).step is None
    assert State.of(State.make(7, 3).raw).term == 3
    with pytest.raises(InvalidInputError, match="ingester state"):
        State.of(b"[1]")
