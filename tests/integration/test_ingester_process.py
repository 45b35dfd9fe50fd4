"""The ingester as a process, with a real Redis-protocol server and real gRPC: kills, outages, two replicas."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from ingest_reports import batches, city_step

from twm.api.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from twm.cli.embedded_redis import EmbeddedRedis
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.serving import grpc_channel
from twm.core.streams import GROUP_INGESTER, StreamNames, Streams

pytestmark = pytest.mark.redis


class Ingester:
    """One `python -m twm.ingester`."""

    def __init__(self, redis_url: str, port: int, instance: str, http_port: int) -> None:
        self.port, self.http_port = port, http_port
        self._env = os.environ | {
            "TWM_REDIS_URL": redis_url,
            "TWM_GRPC_LISTEN": f"127.0.0.1:{port}",
            "TWM_HTTP_LISTEN": f"127.0.0.1:{http_port}",
            "TWM_INSTANCE": instance,
            "TWM_LEASE_S": "1.5",
        }
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "twm.ingester"], env=self._env, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def restart(self) -> None:
        self.process = self._start()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@pytest.fixture
def start(free_port: Callable[[], int]) -> Iterator[Callable[..., Ingester]]:
    running: list[Ingester] = []

    def begin(redis_url: str, instance: str = "ingester-0") -> Ingester:
        running.append(Ingester(redis_url, free_port(), instance, free_port()))
        return running[-1]

    yield begin
    for ingester in running:
        ingester.kill()


async def send(
    port: int, requests: Sequence[telemetry_pb2.IngestRequest], timeout_s: float = 30.0
) -> telemetry_pb2.IngestResponse:
    async with grpc_channel(f"127.0.0.1:{port}") as channel:
        stub = telemetry_pb2_grpc.TelemetryIngestServiceStub(channel)
        return await stub.Ingest(iter(requests), timeout=timeout_s, wait_for_ready=True)


async def frames_after(
    streams: Streams, spec: NetworkSpec, count: int, timeout_s: float = 20.0
) -> list[telemetry_pb2.KpiFrame]:
    names = StreamNames.of(spec.area_id)
    until = time.monotonic() + timeout_s
    while True:
        entries = await streams.range(names.frames, count=10_000)
        if len(entries) >= count or time.monotonic() > until:
            return [telemetry_pb2.KpiFrame.FromString(entry.payload) for entry in entries]
        await asyncio.sleep(0.05)


async def settled(streams: Streams, spec: NetworkSpec) -> tuple[int, int]:
    names = StreamNames.of(spec.area_id)
    for _ in range(100):
        lag = await streams.lag(names.intake, GROUP_INGESTER)
        if lag == (0, 0):
            break
        await asyncio.sleep(0.05)
    return lag


async def test_reports_become_frames_and_the_bad_ones_are_refused_alone(
    redis_url: str, start: Callable[..., Ingester], spec: NetworkSpec
) -> None:
    began = time.monotonic()
    ingester = start(redis_url)
    requests = batches(spec, [r for step in (50, 51) for r in city_step(spec, step)])
    reports = requests[3].batch.reports
    for node, cell in (("gnb-9", "cell-0"), ("gnb-1", "cell-99"), ("gnb-1", "cell-2")):
        wrong = reports.add()
        wrong.CopyFrom(reports[0])
        wrong.node_id, wrong.cell_id = node, cell
    link = reports.add(node_id="transport", period_s=4.0)
    link.period_start.CopyFrom(reports[0].period_start)
    link.link.link_id = "up-99"
    hollow = reports.add(node_id="gnb-1", cell_id="cell-0")
    del hollow
    huge = reports.add(node_id="gnb-1", cell_id="cell-0")
    huge.kpm.header, huge.kpm.message = b"\0" * 5, b"\x0c" * (1 << 20) + b"\0"
    garbage = reports.add(node_id="gnb-1", cell_id="cell-0")
    garbage.kpm.header, garbage.kpm.message = b"\0" * 9, b"\xff" * 40
    elsewhere = telemetry_pb2.IngestRequest(batch=telemetry_pb2.ReportBatch(area_id="mars", reports=city_step(spec, 50)[:2]))
    answer = await send(ingester.port, [*requests, elsewhere])
    assert answer.accepted == 900 + 1
    assert dict(answer.rejected) == {
        "unknown_node": 1, "unknown_cell": 1, "cell_of_another_node": 1, "unknown_link": 1, "invalid_field": 1,
        "too_large": 1, "unknown_area": 2,
    }  # fmt: skip
    streams = await Streams.connect(redis_url)
    try:
        frames = await frames_after(streams, spec, 2)
        assert time.monotonic() - began < 10
        assert [f.step for f in frames] == [50, 51]
        codec = FrameCodec(spec)
        for frame in frames:
            assert (frame.report_count, frame.missing_report_count) == (450, 0)
            assert not any(np.isnan(block).any() for block in codec.decode(frame).blocks().values())
        assert await settled(streams, spec) == (0, 0)
        (dead,) = await streams.last(StreamNames.of(spec.area_id).dead, 10)
        kept = telemetry_pb2.ReportBatch.FromString(dead.payload)
        assert kept.reports[0].kpm.message == b"\xff" * 40
    finally:
        await streams.close()
    assert ingester.stop() == 0


async def test_kill_9_between_reports_loses_and_repeats_nothing(
    redis_url: str, start: Callable[..., Ingester], spec: NetworkSpec
) -> None:
    ingester = start(redis_url)
    steps = range(50, 62)
    requests = batches(spec, [r for step in steps for r in city_step(spec, step)], size=45)
    for i in range(0, len(requests), 20):
        await send(ingester.port, requests[i : i + 20])
        ingester.kill()
        ingester.restart()
    streams = await Streams.connect(redis_url)
    try:
        frames = await frames_after(streams, spec, len(steps))
        assert [f.step for f in frames] == list(steps)
        assert all((f.report_count, f.missing_report_count) == (450, 0) for f in frames)
        assert await settled(streams, spec) == (0, 0)
    finally:
        await streams.close()


async def test_a_second_replica_takes_over(redis_url: str, start: Callable[..., Ingester], spec: NetworkSpec) -> None:
    first, second = start(redis_url, "ingester-0"), start(redis_url, "ingester-1")
    requests = batches(spec, [r for step in (50, 51, 52) for r in city_step(spec, step)])
    for i in range(0, 20, 4):
        await send((first, second)[i % 8 // 4].port, requests[i : i + 4])
    streams = await Streams.connect(redis_url)
    try:
        assert len(await frames_after(streams, spec, 1)) == 1
        began = time.monotonic()
        first.kill()
        await send(second.port, requests[20:40])
        second.kill()  # whoever assembled is dead now
        third = start(redis_url, "ingester-2")
        await send(third.port, requests[40:])
        frames = await frames_after(streams, spec, 3)
        assert time.monotonic() - began < 10
        assert [f.step for f in frames] == [50, 51, 52]
        assert all(f.missing_report_count == 0 for f in frames)
        assert await settled(streams, spec) == (0, 0)
    finally:
        await streams.close()


async def test_redis_away_for_a_while_loses_nothing(
    redis_server: Callable[[], EmbeddedRedis], start: Callable[..., Ingester], spec: NetworkSpec
) -> None:
    server = redis_server()
    ingester = start(server.url)
    requests = batches(spec, [r for step in (50, 51, 52) for r in city_step(spec, step)])
    await send(ingester.port, requests[:20])
    server.stop()
    sending = asyncio.create_task(send(ingester.port, requests[20:]))
    await asyncio.sleep(3.0)
    assert not sending.done()
    server.start()
    answer = await sending
    assert answer.accepted == sum(len(r.batch.reports) for r in requests[20:])
    streams = await Streams.connect(server.url)
    try:
        frames = await frames_after(streams, spec, 3)
        assert [f.step for f in frames] == [50, 51, 52]
        assert all(f.missing_report_count == 0 for f in frames)
        assert await settled(streams, spec) == (0, 0)
    finally:
        await streams.close()
    assert ingester.stop() == 0
