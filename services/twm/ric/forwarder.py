"""Reports on their way to the ingester: a bounded queue that any thread may fill, and one task that empties it.

While the ingester is away reports wait; when the queue is full the oldest are dropped and counted: old telemetry is worth
least. A batch counts as handed over when the ingester has stored it; resending is harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

import grpc
import grpc.aio

from twm.api.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from twm.core import metrics
from twm.core.stream_worker import Backoff, pause
from twm.core.text import shown

log = logging.getLogger(__name__)

QUEUE_REPORTS = 8192
QUEUE_BYTES = 64 * 1024 * 1024
BATCH_REPORTS = 512
BATCH_BYTES = 8 * 1024 * 1024
LINGER_S = 0.05
DEADLINE_S = 30.0
DRAIN_S = 3.0
_FINAL = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.PERMISSION_DENIED)


class Forwarder:
    """Hands reports of one area to the ingester."""

    def __init__(
        self, channel: grpc.aio.Channel, area_id: str, *, capacity: int = QUEUE_REPORTS, deadline_s: float = DEADLINE_S
    ) -> None:
        self._stub = telemetry_pb2_grpc.TelemetryIngestServiceStub(channel)  # type: ignore[no-untyped-call]
        self._area_id, self._capacity, self._deadline_s = area_id, capacity, deadline_s
        self._queue: deque[tuple[telemetry_pb2.Report, int]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self.reachable = True
        """Whether the last call to the ingester succeeded."""

    def put(self, report: telemetry_pb2.Report) -> None:
        """Queue a report, dropping the oldest where there is no room. From any thread; never waits."""
        size = report.ByteSize()
        dropped = 0
        with self._lock:
            self._queue.append((report, size))
            self._bytes += size
            while len(self._queue) > self._capacity or (self._bytes > QUEUE_BYTES and len(self._queue) > 1):
                self._bytes -= self._queue.popleft()[1]
                dropped += 1
            waiting = len(self._queue)
        if dropped:
            metrics.RIC_REPORTS.labels("queue_full").inc(dropped)
        if waiting - dropped <= 1 or waiting >= BATCH_REPORTS:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(self._filled.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand over until `stop`, then what is left, for DRAIN_S at most."""
        while not stop.is_set():
            if not self._queue:
                self._filled.clear()
                await _either(self._filled, stop, 1.0)
                continue
            if len(self._queue) < BATCH_REPORTS:
                await pause(stop, LINGER_S)
            await self._send(self._take(), stop)
        until = time.monotonic() + DRAIN_S
        while self._queue and time.monotonic() < until:
            await self._try(self._take(), max(until - time.monotonic(), 0.1))

    def _take(self) -> list[telemetry_pb2.Report]:
        reports: list[telemetry_pb2.Report] = []
        total = 0
        with self._lock:
            while self._queue and len(reports) < BATCH_REPORTS and total < BATCH_BYTES:
                report, size = self._queue.popleft()
                reports.append(report)
                total += size
            self._bytes -= total
            metrics.RIC_QUEUE.set(len(self._queue))
        return reports

    async def _send(self, reports: Sequence[telemetry_pb2.Report], stop: asyncio.Event) -> None:
        backoff = Backoff()
        while not await self._try(reports, self._deadline_s):
            if stop.is_set():
                metrics.RIC_REPORTS.labels("not_sent").inc(len(reports))
                return
            await backoff.wait(stop)

    async def _try(self, reports: Sequence[telemetry_pb2.Report], deadline_s: float) -> bool:
        """Whether this batch is done with: stored, or refused for good."""
        batch = telemetry_pb2.ReportBatch(area_id=self._area_id, reports=reports)
        try:
            answer = await self._stub.Ingest(iter((telemetry_pb2.IngestRequest(batch=batch),)), timeout=deadline_s)
        except grpc.aio.AioRpcError as error:
            if error.code() in _FINAL:
                log.error("ingester refused a batch: %s %s", error.code().name, shown(error.details() or "", 200))
                metrics.RIC_REPORTS.labels("batch_refused").inc(len(reports))
                return True
            if self.reachable:
                log.warning("ingester: %s %s; trying again", error.code().name, shown(error.details() or "", 200))
            self.reachable = False
            return False
        self.reachable = True
        metrics.RIC_REPORTS.labels("stored").inc(answer.accepted)
        for reason, count in list(answer.rejected.items())[:32]:
            metrics.RIC_REPORTS.labels(reason[:64]).inc(count)
        return True


async def _either(event: asyncio.Event, stop: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
