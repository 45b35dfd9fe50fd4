"""Ingest to frame, end to end in CPU time: gRPC both ends, judgement, intake stream, KPM decode, assembly, frames stream.

Reports 30 to a batch, as the emulator sends them. The gate is a ratio measured in the same run: to a bare decode of the
same bytes.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from ingest_reports import batches
from kpm_reports import format1, format3, kpm_report

from twm.api.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from twm.core.network import NetworkSpec
from twm.core.serving import grpc_channel, grpc_server
from twm.core.streams import StreamNames, Streams
from twm.ingester.assembler import Patience
from twm.ingester.intake import TelemetryIngest, add_to_server
from twm.ingester.kpm import decode_header, decode_message
from twm.ingester.worker import AssemblyWorker
from twm_twin.e2.kpm_encoder import encode_header

pytestmark = [pytest.mark.bench, pytest.mark.redis]

STEPS = 12
FIRST_STEP = 30_000_000
WHOLE_LINE_TO_DECODE = 8.0
"""Most CPU time of the whole line as a multiple of the bare KPM decode's."""


def reports(spec: NetworkSpec, kind: int) -> list[telemetry_pb2.Report]:
    """STEPS slow steps of the cells that report in Format `kind`; 12 different messages a cell, headers all different."""
    rng = np.random.default_rng(kind)
    cells = [i for i, c in enumerate(spec.cells) if spec.e2_node(c.e2_node).report_format == kind]  # type: ignore[union-attr]
    pool: dict[int, list[telemetry_pb2.Report]] = {
        i: [kpm_report(spec, i, 0.0, format1(spec, rng) if kind == 1 else format3(rng)) for _ in range(12)] for i in cells
    }
    out = []
    for step in range(FIRST_STEP, FIRST_STEP + STEPS):
        for t in range(15):
            for i in cells:
                start_s = step * 60.0 + t * 4.0
                report = telemetry_pb2.Report()
                report.CopyFrom(pool[i][(step * 15 + t) % 12])
                report.kpm.header = kpm_header(spec, i, start_s)
                report.received.FromSeconds(int(start_s) + 4)
                out.append(report)
    return out


def kpm_header(spec: NetworkSpec, cell_index: int, start_s: float) -> bytes:
    node = spec.e2_node(spec.cells[cell_index].e2_node)
    assert node is not None
    return encode_header(start_s, node.kpm_dialect)


@pytest.mark.parametrize(
    ("kind", "what"), [(1, "Format 1, 3 slices x 9 measurements"), (3, "Format 3, 9 UEs x 7 measurements")]
)
async def test_bench_ingest_to_frame(redis_url: str, spec: NetworkSpec, kind: int, what: str) -> None:
    sent = reports(spec, kind)
    requests = batches(spec, sent)
    streams = await Streams.connect(redis_url)
    stop = asyncio.Event()
    names = StreamNames.of(spec.area_id)
    intake = TelemetryIngest(streams, spec, wait_s=5.0, stop=stop)
    patience = Patience(**{**vars_of(Patience.of(spec)), "idle_source_s": 0.5, "idle_area_s": 1.0})
    worker = AssemblyWorker(streams, spec, patience, instance="bench", lease_s=5.0)
    dialects = {node.id: node.kpm_dialect for node in spec.e2_nodes}

    began = time.process_time()
    for report in sent:
        decode_header(report.kpm.header, dialects[report.node_id])
        decode_message(report.kpm.message, dialects[report.node_id])
    decode_s = time.process_time() - began

    server = grpc_server()
    add_to_server(intake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    began = time.process_time()
    async with grpc_channel(f"127.0.0.1:{port}") as channel:  # the client's CPU time counts too
        stub = telemetry_pb2_grpc.TelemetryIngestServiceStub(channel)
        answer = await stub.Ingest(iter(requests), timeout=60.0)
    assert answer.accepted == len(sent)
    assert not answer.rejected
    stored_s = time.process_time() - began
    await server.stop(1.0)
    began = time.process_time()
    running = asyncio.create_task(worker.run(stop))
    while await streams.length(names.frames) < STEPS - 1:  # noqa: ASYNC110 - the stream is the event
        await asyncio.sleep(0.05)
    framed_s = time.process_time() - began
    stop.set()
    await running
    await streams.close()
    done = len(sent) * (STEPS - 1) / STEPS
    total_s = stored_s * (STEPS - 1) / STEPS + framed_s
    print(
        f"\n{what}: {done / total_s:.0f} indications per CPU-second end to end "
        f"(decode alone {len(sent) / decode_s:.0f}; intake {len(sent) / stored_s:.0f}; assembly {done / framed_s:.0f})"
    )
    assert total_s < WHOLE_LINE_TO_DECODE * decode_s


def vars_of(patience: Patience) -> dict[str, float]:
    """Fields of a slots-free dataclass."""
    return {name: getattr(patience, name) for name in patience.__dataclass_fields__}
