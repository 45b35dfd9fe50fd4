"""Traces of a step through streams and gRPC, received by a collector that speaks OTLP over HTTP."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from planner_peers import ArithmeticPeers, frame_messages

from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core import tracing
from twm.core.actions import encode_policies, uniform_policy
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.settings import ServiceSettings
from twm.core.stream_worker import Effect, StreamWorker
from twm.core.streams import SPAN_FIELD, Entry, Output, StreamNames, Streams

pytestmark = pytest.mark.redis
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    received: list[ExportTraceServiceRequest]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    received: list[ExportTraceServiceRequest] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Kept", (Collector,), {"received": received}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", received
    server.shutdown()
    server.server_close()
    thread.join(5)


async def test_one_trace_holds_a_step_over_streams_and_calls(
    spec: NetworkSpec, redis_url: str, collector: tuple[str, list[ExportTraceServiceRequest]]
) -> None:
    url, received = collector
    end = tracing.configure("test", spec.area_id, url, 1.0)
    streams, names, stop = await Streams.connect(redis_url), StreamNames.of(spec.area_id), asyncio.Event()
    try:
        async with ArithmeticPeers(spec) as peers, grpc_channel(peers.target) as channel:
            world = worldmodel_pb2_grpc.WorldModelServiceStub(channel)

            async def handle(entry: Entry) -> Effect:
                request = worldmodel_pb2.RolloutRequest(
                    area_id=spec.area_id,
                    history=frame_messages(spec, range(2)),
                    policies=encode_policies(uniform_policy(spec, spec.timing.horizon_steps)),
                    sample_count=1,
                )
                await world.Rollout(request, timeout=5)
                stop.set()
                return Effect([Output(names.proposals, b"proposal", entry.trace_id)])

            worker = StreamWorker(streams, names.frames, "planner", "a", handle)
            await streams.append(Output(names.frames, b"frame", TRACE))
            await asyncio.wait_for(worker.run(stop), 10)
            (written,) = await streams.last(names.proposals, 1)
            assert written.trace_id == TRACE
    finally:
        await streams.close()
        await asyncio.to_thread(end)
    spans = {
        span.name: span
        for request in received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        if span.trace_id.hex() == TRACE
    }
    consumer = spans["planner frames"]
    rollout = "twm.api.worldmodel.v1.WorldModelService/Rollout"
    calls = [
        span
        for request in received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        if span.name == rollout
    ]
    client = next(span for span in calls if span.kind == span.SPAN_KIND_CLIENT)
    server = next(span for span in calls if span.kind == span.SPAN_KIND_SERVER)
    assert client.parent_span_id == consumer.span_id and server.parent_span_id == client.span_id
    assert {span.trace_id.hex() for span in calls} == {TRACE}
    assert not tracing.configured()


async def test_without_an_endpoint_nothing_is_made(redis_url: str, spec: NetworkSpec) -> None:
    assert tracing.configure("test", spec.area_id, "", 1.0)() is None
    with tracing.span("x", trace_id=TRACE):
        assert tracing.current() == ("", "") and tracing.client_interceptors() == []
    streams, names = await Streams.connect(redis_url), StreamNames.of(spec.area_id)
    await streams.append(Output(names.frames, b"frame", TRACE))
    (entry,) = await streams.last(names.frames, 1)
    assert SPAN_FIELD not in entry.extra
    await streams.close()


async def test_a_collector_that_is_away_and_bad_parents_harm_nothing() -> None:
    end = tracing.configure("test", "a", "http://127.0.0.1:1/v1/traces", 1.0)
    for trace_id, parent, header in (("zz", "", ""), ("0" * 32, "", ""), (TRACE, "nope", "00-x-y-01"), ("", "", "")):
        with tracing.span("x", trace_id=trace_id, parent=parent, header=header):
            assert tracing.current()[0]
    await asyncio.wait_for(asyncio.to_thread(end), 20)


def test_the_endpoint_is_a_url_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWM_OTLP_ENDPOINT", "http://user:secret@collector:4318/v1/traces")
    with pytest.raises(InvalidInputError, match="TWM_OTLP_ENDPOINT"):
        ServiceSettings.load()
