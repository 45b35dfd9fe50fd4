"""The queue to the ingester: full, away, refusing; and the UE-to-slice map on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from twm.api.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.serving import grpc_channel
from twm.ingester.reading import ReportReader
from twm.ric.forwarder import Forwarder
from twm.ric.nodes import NodeLink, Nodes, NodesFile
from twm.ric.ue_slices import reports, send_ue_slices


class Ingest(telemetry_pb2_grpc.TelemetryIngestServiceServicer):
    """Takes batches; fails while `away`."""

    def __init__(self) -> None:
        self.away = False
        self.reports: list[telemetry_pb2.Report] = []

    async def Ingest(self, request_iterator: Any, context: Any) -> telemetry_pb2.IngestResponse:
        accepted = 0
        async for request in request_iterator:
            if self.away:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
            self.reports += request.batch.reports
            accepted += len(request.batch.reports)
        return telemetry_pb2.IngestResponse(accepted=accepted)


@pytest.fixture
async def ingest() -> AsyncIterator[tuple[Ingest, grpc.aio.Channel]]:
    service, server = Ingest(), grpc.aio.server()
    telemetry_pb2_grpc.add_TelemetryIngestServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc_channel(f"127.0.0.1:{port}") as channel:
        yield service, channel
    await server.stop(0)


def numbered(number: int) -> telemetry_pb2.Report:
    return telemetry_pb2.Report(node_id="gnb", cell_id=str(number), e2ap_pdu=b"x")


async def test_outage_keeps_the_newest_and_the_end_hands_over_the_rest(ingest: tuple[Ingest, grpc.aio.Channel]) -> None:
    """While the ingester is away the queue fills from another thread and the oldest go; then what is left arrives once."""
    service, channel = ingest
    service.away = True
    forwarder = Forwarder(channel, "area", capacity=100)
    stop = asyncio.Event()
    task = asyncio.create_task(forwarder.run(stop))
    await asyncio.to_thread(lambda: [forwarder.put(numbered(i)) for i in range(50)])
    await asyncio.sleep(0.3)
    assert not forwarder.reachable
    await asyncio.to_thread(lambda: [forwarder.put(numbered(i)) for i in range(50, 500)])
    service.away = False
    for _ in range(200):
        if len(service.reports) >= 150:
            break
        await asyncio.sleep(0.02)
    numbers = [int(report.cell_id) for report in service.reports]
    assert numbers == [*range(50), *range(400, 500)], "the batch in hand, then the newest"
    assert forwarder.reachable
    for i in range(500, 520):
        forwarder.put(numbered(i))
    stop.set()
    await task
    assert [int(report.cell_id) for report in service.reports[150:]] == list(range(500, 520))


async def test_ue_slices_reach_the_decoder(ingest: tuple[Ingest, grpc.aio.Channel], spec: NetworkSpec) -> None:
    """A configured map is sent, and the ingester's reader maps UEs by it from then on."""
    service, channel = ingest
    nodes = Nodes(spec, NodesFile(nodes={"gnb-3": NodeLink(ue_slices={"du:77": "urllc"})}))
    forwarder = Forwarder(channel, spec.area_id)
    stop = asyncio.Event()
    tasks = [asyncio.create_task(forwarder.run(stop)), asyncio.create_task(send_ue_slices(nodes, None, "", forwarder, stop))]
    for _ in range(200):
        if service.reports:
            break
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*tasks)
    (report,) = service.reports
    reader = ReportReader(spec)
    reader.check(report)
    assert reader.ue_map.slice_index("gnb-3", "du:77") == -1
    assert reader.read(report, 0.0) == []
    assert reader.ue_map.slice_index("gnb-3", "du:77") == 1
    for wrong in reports({"mars": {"du:1": "embb"}}) + reports({"gnb-3": {"du:1": "gold"}}):
        with pytest.raises(InvalidInputError):
            reader.check(wrong)
    assert len(reports({"gnb-3": {f"du:{i}": "embb" for i in range(5000)}})) == 2
