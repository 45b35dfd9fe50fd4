"""Plays the live network into the ingester: slow step by slow step, tick by tick, paced by event time over speed.

A tick counts as sent when the ingester has stored it. Whatever fails is sent again (resending is harmless), and progress is
kept in a file, so that neither an outage nor kill -9 loses a report.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import grpc
import grpc.aio

from twm.api.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from twm.core.clock import Clock
from twm.core.network import NetworkSpec
from twm.core.stream_worker import Backoff
from twm_twin.e2.live_network import LiveNetwork
from twm_twin.e2.progress import Progress, ProgressFile
from twm_twin.e2.reports import ReportMaker, Tick

log = logging.getLogger(__name__)

_REPORTS_PER_BATCH = 1000
_RETRIED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
)


class Emulator:
    """One run."""

    def __init__(
        self,
        spec: NetworkSpec,
        network: LiveNetwork,
        progress: Progress,
        progress_file: ProgressFile,
        channel: grpc.aio.Channel,
        clock: Clock,
        *,
        speed: float,
        steps: int | None,
        deadline_s: float,
    ) -> None:
        self._spec, self._network, self._file, self._clock = spec, network, progress_file, clock
        self.progress = progress
        self._speed, self._steps, self._deadline_s = speed, steps, deadline_s
        self._maker = ReportMaker(spec)
        self._stub = telemetry_pb2_grpc.TelemetryIngestServiceStub(channel)  # type: ignore[no-untyped-call]

    async def run(self, stop: asyncio.Event) -> None:
        """Play until `stop` or the last step; then be silent until `stop`."""
        await asyncio.to_thread(self._network.forward, self.progress.steps)
        began_s, event_s = self._clock.monotonic_s(), None
        while not stop.is_set() and (self._steps is None or self.progress.steps < self._steps):
            step = self.progress.first_step + self.progress.steps
            scenario = self._network.scenario
            ticks = await asyncio.to_thread(self._next_ticks, step)
            if event_s is None:
                event_s = ticks[min(self.progress.ticks, len(ticks) - 1)].end_s
            while self.progress.ticks < len(ticks) and not stop.is_set():
                due = ticks[self.progress.ticks :]
                elapsed_s = (self._clock.monotonic_s() - began_s) * self._speed
                ready = [tick for tick in due if tick.end_s - event_s <= elapsed_s]
                if not ready:
                    await self._wait((due[0].end_s - event_s - elapsed_s) / self._speed, stop)
                    continue
                if not await self._send(ready, stop):
                    return
                self.progress = replace(self.progress, ticks=self.progress.ticks + len(ready))
                await asyncio.to_thread(self._file.write, self.progress)
            if self.progress.ticks < len(ticks):
                return
            self.progress = replace(self.progress, steps=self.progress.steps + 1, ticks=0)
            await asyncio.to_thread(self._file.write, self.progress)
            log.info("slow step %d (%s) sent: %d reports", step, scenario, sum(len(tick.reports) for tick in ticks))
        if not stop.is_set():
            log.info("%d slow steps sent; silent from now on", self.progress.steps)
            await stop.wait()

    def _next_ticks(self, step: int) -> list[Tick]:
        return self._maker.ticks(self._network.step(), step)

    async def _send(self, ticks: Sequence[Tick], stop: asyncio.Event) -> bool:
        """Send until stored; False where `stop` came first. Each try is one short client stream."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                answer = await self._stub.Ingest(self._requests(ticks), timeout=self._deadline_s)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _RETRIED:
                    raise
                log.warning("ingester: %s %s", error.code().name, (error.details() or "")[:200])
                await backoff.wait(stop)
                continue
            if answer.rejected:
                log.error("ingester refused reports: %s", dict(answer.rejected))
            return True
        return False

    def _requests(self, ticks: Sequence[Tick]) -> Iterator[telemetry_pb2.IngestRequest]:
        for tick in ticks:
            for i in range(0, len(tick.reports), _REPORTS_PER_BATCH):
                batch = telemetry_pb2.ReportBatch(area_id=self._spec.area_id, reports=tick.reports[i : i + _REPORTS_PER_BATCH])
                yield telemetry_pb2.IngestRequest(batch=batch)

    async def _wait(self, seconds: float, stop: asyncio.Event) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sleeping, stopping):
            task.cancel()
