"""The frame of a service process: gRPC boundary, probes, health, critical tasks, drain, exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from twm.api.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core import probes
from twm.core.errors import AuditError, DeadlineError, FrameError, ModelMismatchError, TwmError, UnavailableError
from twm.core.serving import Runtime, grpc_channel, grpc_server
from twm.core.settings import ServiceSettings

SERVICE = "twm.api.telemetry.v1.TelemetryIngestService"


class Ingest(telemetry_pb2_grpc.TelemetryIngestServiceServicer):
    def __init__(self) -> None:
        self.batches = 0

    async def Ingest(self, requests: AsyncIterator[Any], context: Any) -> telemetry_pb2.IngestResponse:
        accepted = 0
        async for request in requests:
            self.batches += 1
            accepted += len(request.batch.reports)
        return telemetry_pb2.IngestResponse(accepted=accepted)


class Models(worldmodel_pb2_grpc.WorldModelServiceServicer):
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls = 0

    async def PredictField(self, request: Any, context: Any) -> worldmodel_pb2.PredictFieldResponse:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return worldmodel_pb2.PredictFieldResponse()


def batch(node: str, count: int = 1) -> telemetry_pb2.IngestRequest:
    reports = [telemetry_pb2.Report(node_id=node, e2ap_pdu=b"\x00")] * count
    return telemetry_pb2.IngestRequest(batch=telemetry_pb2.ReportBatch(area_id="city", reports=reports))


def field_request() -> worldmodel_pb2.PredictFieldRequest:
    frame = telemetry_pb2.KpiFrame(
        area_id="city", step=1, duration_s=60.0, schema_id="kpi-frame/1", topology_digest="0" * 64, values=[1.0], mask=b"\x80"
    )
    frame.start.seconds = 60
    return worldmodel_pb2.PredictFieldRequest(area_id="city", history=[frame])


async def get(port: int, path: str) -> tuple[int, str]:
    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(ask)


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with Runtime(ServiceSettings(), "test", signals=False) as entered:
        yield entered


async def test_streamed_requests_are_checked_one_by_one(runtime: Runtime) -> None:
    servicer, server = Ingest(), grpc_server()
    telemetry_pb2_grpc.add_TelemetryIngestServiceServicer_to_server(servicer, server)
    port = await runtime.serve_grpc(server, [SERVICE])
    async with grpc_channel(f"127.0.0.1:{port}") as channel:
        stub = telemetry_pb2_grpc.TelemetryIngestServiceStub(channel)
        assert (await stub.Ingest(iter([batch("gnb", 2), batch("gnb")]), timeout=5)).accepted == 3
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Ingest(iter([batch("gnb"), batch("n" * 65)]), timeout=5)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "batch.reports[0].node_id: must be at most 64 characters (got 'nnn" in refused.value.details()
    assert servicer.batches == 3


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FrameError("values: 3, expected 4"), grpc.StatusCode.INVALID_ARGUMENT),
        (ModelMismatchError("digest: a, expected b"), grpc.StatusCode.FAILED_PRECONDITION),
        (UnavailableError("redis: gone"), grpc.StatusCode.UNAVAILABLE),
        (DeadlineError("twin: 2 s"), grpc.StatusCode.DEADLINE_EXCEEDED),
        (AuditError("sequence: 5 after 3"), grpc.StatusCode.DATA_LOSS),
        (TwmError("other"), grpc.StatusCode.INTERNAL),
        (ZeroDivisionError("secret detail"), grpc.StatusCode.INTERNAL),
    ],
)
async def test_errors_become_statuses(runtime: Runtime, error: Exception, code: grpc.StatusCode) -> None:
    server = grpc_server()
    worldmodel_pb2_grpc.add_WorldModelServiceServicer_to_server(Models(error), server)
    port = await runtime.serve_grpc(server, [])
    async with grpc_channel(f"127.0.0.1:{port}") as channel:
        stub = worldmodel_pb2_grpc.WorldModelServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.PredictField(field_request(), timeout=5)
    assert refused.value.code() is code
    told = refused.value.details() or ""
    assert "secret" not in told
    assert str(error) in told or code is grpc.StatusCode.INTERNAL
    _, text = await get(runtime.http_port, "/metrics")
    assert 'method="/twm.api.worldmodel.v1.WorldModelService/PredictField"' in text
    assert f'code="{code.name}"' in text


async def test_bad_unary_request_never_reaches_the_handler(runtime: Runtime) -> None:
    servicer, server = Models(), grpc_server()
    worldmodel_pb2_grpc.add_WorldModelServiceServicer_to_server(servicer, server)
    port = await runtime.serve_grpc(server, [])
    async with grpc_channel(f"127.0.0.1:{port}") as channel:
        stub = worldmodel_pb2_grpc.WorldModelServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError, match="history"):
            await stub.PredictField(worldmodel_pb2.PredictFieldRequest(area_id="city"), timeout=5)
        assert servicer.calls == 0
        await stub.PredictField(field_request(), timeout=5)
        assert servicer.calls == 1


async def test_readiness_is_told_on_every_channel(runtime: Runtime) -> None:
    server = grpc_server()
    port = await runtime.serve_grpc(server, [SERVICE])
    async with grpc_channel(f"127.0.0.1:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)

        async def serving() -> bool:
            answer = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
            return answer.status == health_pb2.HealthCheckResponse.SERVING

        assert await get(runtime.http_port, "/livez") == (200, "alive\n")
        assert await get(runtime.http_port, "/readyz") == (503, "not ready\n")
        assert not await serving()
        runtime.set_ready(True)
        assert await get(runtime.http_port, "/readyz") == (200, "ready\n")
        assert await serving()
        assert "twm_ready 1.0" in (await get(runtime.http_port, "/metrics"))[1]
        runtime.set_ready(False)
        assert (await get(runtime.http_port, "/readyz"))[0] == 503
        assert (await get(runtime.http_port, "/etc/passwd"))[0] == 404


async def test_probes_answer_while_the_event_loop_is_busy(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[int] = []

    def ask() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{runtime.http_port}/livez", timeout=5) as answer:
            answers.append(answer.status)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)  # noqa: ASYNC251 - the loop is kept busy on purpose
    thread.join(0)
    assert answers == [200]
    monkeypatch.setattr(probes, "LOOP_STALL_S", 0.1)
    time.sleep(0.2)  # noqa: ASYNC251
    assert not runtime.health.alive


def probe_threads() -> int:
    """Threads that answer a probe connection (socketserver names them after its handler)."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


async def settles(threads: int) -> bool:
    """Whether there are that many of them within 10 s."""
    for _ in range(200):
        if probe_threads() == threads:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_probe_connections_are_bounded_and_leave_nothing(runtime: Runtime) -> None:
    lingering = [socket.create_connection(("127.0.0.1", runtime.http_port)) for _ in range(60)]
    assert await settles(probes.MAX_CONNECTIONS)
    for connection in lingering:
        connection.close()
    for _ in range(200):
        assert (await get(runtime.http_port, "/livez"))[0] == 200
    assert await settles(0)


async def test_failed_task_ends_the_process_with_1() -> None:
    async def fail() -> None:
        raise UnavailableError("redis: gone")

    async with Runtime(ServiceSettings(), "test", signals=False) as runtime:
        runtime.spawn(fail(), "worker")
        assert await asyncio.wait_for(runtime.wait(), 5) == 1


async def test_drain_lets_tasks_finish_and_calls_end() -> None:
    finished: list[str] = []

    async with Runtime(ServiceSettings(), "test", signals=False) as runtime:
        server = grpc_server()
        await runtime.serve_grpc(server, [])

        async def work() -> None:
            await runtime.stop.wait()
            await asyncio.sleep(0.1)
            finished.append("work")

        runtime.spawn(work(), "worker")
        runtime.set_ready(True)
        asyncio.get_running_loop().call_later(0.05, runtime.stop.set)
        assert await asyncio.wait_for(runtime.wait(), 5) == 0
        port = runtime.http_port
    assert finished == ["work"]
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()


async def test_taken_port_is_a_clear_error(runtime: Runtime) -> None:
    settings = ServiceSettings(http_listen=f"127.0.0.1:{runtime.http_port}")
    with pytest.raises(UnavailableError, match=f"TWM_HTTP_LISTEN: cannot listen on 127.0.0.1:{runtime.http_port}"):
        async with Runtime(settings, "second", signals=False):
            pass
    with pytest.raises(UnavailableError, match="TWM_GRPC_LISTEN"):
        async with Runtime(ServiceSettings(grpc_listen=f"127.0.0.1:{runtime.http_port}"), "third", signals=False) as third:
            await third.serve_grpc(grpc_server(), [])


SERVICE_PROGRAM = """
import sys
from twm.core.serving import Runtime, grpc_server, run_service
from twm.core.settings import ServiceSettings
async def serve():
    async with Runtime(ServiceSettings.load(), "probe") as runtime:
        await runtime.serve_grpc(grpc_server(), [])
        runtime.set_ready(True)
        return await runtime.wait()
sys.exit(run_service("probe", serve))
"""


def test_process_becomes_ready_quickly_stays_small_and_stops_on_sigterm(free_port: Any) -> None:
    port = free_port()
    environment = {**os.environ, "TWM_HTTP_LISTEN": f"127.0.0.1:{port}"}
    began_s = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", SERVICE_PROGRAM], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        while asyncio.run(_status(port)) != 200:
            assert time.monotonic() - began_s < 10
            time.sleep(0.05)
        resident_mb = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        lines = [json.loads(line) for line in log.splitlines()]
        assert {line["process"] for line in lines} == {"probe"}
        assert resident_mb < 100
    finally:
        process.kill()
        process.wait()


async def _status(port: int) -> int:
    try:
        return (await get(port, "/readyz"))[0]
    except OSError:
        return 0


def test_bad_environment_is_one_clear_line_and_exit_code_2() -> None:
    environment = {**os.environ, "TWM_GRPC_LISTEN": "nowhere", "TWM_REDIS_URL": "redis://:hunter2@h", "TWM_LOG_LEVEL": "LOUD"}
    done = subprocess.run([sys.executable, "-c", SERVICE_PROGRAM], env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    message = json.loads(line)["message"]
    assert "TWM_GRPC_LISTEN" in message
    assert "got 'nowhere'" in message
    assert "TWM_LOG_LEVEL" in message
    assert "hunter2" not in done.stderr
