"""TelemetryIngestService: batches in, judged report by report, stored before they are acknowledged.

Messages arrive as raw bytes, so that one bad report is refused alone and does not fail the call for the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import metrics
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.network import NetworkSpec
from twm.core.per import MAX_BYTES
from twm.core.stream_worker import Backoff
from twm.core.streams import Output, StreamNames, Streams
from twm.core.validation import validate
from twm.ingester.reading import Refusal, ReportReader

log = logging.getLogger(__name__)

SERVICE_NAME = "twm.api.telemetry.v1.TelemetryIngestService"
MAX_REPORTS = 4096
MAX_LOGGED = 3
"""Refusals that a batch may have in the log; all are counted."""


class TelemetryIngest:
    """The service's one method. `accept` and `judge` are free of gRPC."""

    def __init__(self, streams: Streams, spec: NetworkSpec, *, wait_s: float, stop: asyncio.Event) -> None:
        self._streams, self._wait_s, self._stop = streams, wait_s, stop
        self._area = spec.area_id
        self._intake = StreamNames.of(spec.area_id).intake
        self._reader = ReportReader(spec)

    async def ingest(self, requests: AsyncIterator[bytes], context: Any) -> telemetry_pb2.IngestResponse:
        """Ingest(stream IngestRequest): answers when every accepted report is stored; UNAVAILABLE where Redis stays away."""
        accepted = 0
        rejected: Counter[str] = Counter()
        async for data in requests:
            good, refused = await self.accept(data)
            accepted += good
            rejected.update(refused)
        return telemetry_pb2.IngestResponse(accepted=accepted, rejected=rejected)

    async def accept(self, data: bytes) -> tuple[int, Counter[str]]:
        """Judge one IngestRequest and store what is good: (reports stored, refusals by reason)."""
        batch, count, refused = self.judge(data)
        for reason, number in refused.items():
            metrics.REPORTS.labels(reason).inc(number)
        if count:
            await self._store(batch)
            metrics.REPORTS.labels("stored").inc(count)
        return count, refused

    def judge(self, data: bytes) -> tuple[bytes, int, Counter[str]]:
        """The batch to store (serialised), how many reports it holds, and the refusals by reason."""
        try:
            request = telemetry_pb2.IngestRequest.FromString(data)
        except ProtobufDecodeError:
            return b"", 0, Counter({"malformed_batch": 1})
        batch = request.batch
        count = len(batch.reports)
        if batch.area_id != self._area:
            return b"", 0, Counter({Refusal.UNKNOWN_AREA: max(count, 1)})
        if count > MAX_REPORTS:
            return b"", 0, Counter({"too_many_reports": count})
        try:
            validate(request)
            for report in batch.reports:
                self._reader.check(report)
        except InvalidInputError:
            return self._one_by_one(batch)
        return batch.SerializeToString(), count, Counter()

    def _one_by_one(self, batch: telemetry_pb2.ReportBatch) -> tuple[bytes, int, Counter[str]]:
        good: list[telemetry_pb2.Report] = []
        refused: Counter[str] = Counter()
        for report in batch.reports:
            try:
                validate(report)
                self._reader.check(report)
                good.append(report)
            except InvalidInputError as error:
                reason = error.reason if error.reason != InvalidInputError.reason else _rule_reason(report)
                refused[reason] += 1
                if refused.total() <= MAX_LOGGED:
                    log.info("report refused (%s): %s", reason, str(error)[:300])
        if not batch.reports:
            refused["empty_batch"] += 1
        kept = telemetry_pb2.ReportBatch(area_id=batch.area_id, reports=good)
        return kept.SerializeToString(), len(good), refused

    async def _store(self, payload: bytes) -> None:
        """Append to the intake stream, waiting out short outages. Raises UnavailableError after the waiting time."""
        backoff = Backoff()
        until = time.monotonic() + self._wait_s
        while True:
            try:
                await self._streams.append(Output(self._intake, payload))
                return
            except UnavailableError:
                if time.monotonic() >= until or self._stop.is_set():
                    raise
            await backoff.wait(self._stop)


def _rule_reason(report: telemetry_pb2.Report) -> str:
    """Label for a report that breaks a rule of the proto."""
    content = report.WhichOneof("content")
    sizes = {"kpm": (len(report.kpm.header), len(report.kpm.message)), "e2ap_pdu": (len(report.e2ap_pdu),)}
    return Refusal.TOO_LARGE if max(sizes.get(content or "", (0,))) > MAX_BYTES else Refusal.INVALID


def add_to_server(service: TelemetryIngest, server: grpc.aio.Server) -> None:
    """Register the service, with the raw request bytes passed through."""
    handler: Any = grpc.stream_unary_rpc_method_handler(
        service.ingest,
        request_deserializer=None,
        response_serializer=telemetry_pb2.IngestResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, {"Ingest": handler}),))
