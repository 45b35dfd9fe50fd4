"""Feeds a replay: event time laid out over the experiments, and reports sent at their pace, never far ahead of the planner."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from twm.api.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from twm.cli.progress import Counts, Progress
from twm.core.network import NetworkSpec
from twm.core.serving import grpc_channel
from twm.core.stream_worker import pause
from twm.core.streams import StreamNames, Streams
from twm.ingester.replay.observation import Observation, reports_of

FILLED_STEPS = 61
"""Longest distance between two steps with reports that the assembler bridges with missing frames (60 between them)."""
BREAK_STEPS = 64
"""Slow steps between experiments: more than that."""
MAX_FRAMES_AHEAD = 4
"""Frames that may wait for their verdict before sending pauses."""
OBSERVATIONS_PER_REQUEST = 8
SEND_TIMEOUT_S = 24 * 3600.0
AHEAD_WAIT_S = 60.0
_PACE_POLL_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Part:
    """One experiment on the common time line."""

    name: str
    begin_s: float
    """Event time of its begin [Unix s]."""
    first_step: int
    last_step: int
    """First and last slow step it has reports in."""
    frame_count: int
    """Frames that should come of it: gaps are filled unless they are longer than the assembler fills."""
    observations: Sequence[Observation]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All experiments on the time line."""

    parts: Sequence[Part]
    frame_count: int
    """Frames that should come of it."""
    report_count: int
    """Observations to send."""
    before: Counts
    """What the streams held before."""

    @classmethod
    async def of(cls, spec: NetworkSpec, recorded: Sequence[tuple[str, Sequence[Observation]]], streams: Streams) -> Plan:
        """Lay the experiments out from now on, or from after the newest frame in the streams."""
        slow_s = spec.timing.slow_step_s
        step = math.ceil(time.time() / slow_s)
        for entry in await streams.last(StreamNames.of(spec.area_id).frames, 1):
            step = max(step, telemetry_pb2.KpiFrame.FromString(entry.payload).step + BREAK_STEPS + 1)
        parts = []
        for name, observations in recorded:
            if not observations:
                continue
            begin_s = step * slow_s
            steps = sorted({math.floor((begin_s + o.start_s + o.period_s / 2) / slow_s) for o in observations})
            apart = [b - a for a, b in itertools.pairwise(steps)]
            parts.append(
                Part(
                    name=name,
                    begin_s=begin_s,
                    first_step=steps[0],
                    last_step=steps[-1],
                    frame_count=1 + sum(steps_apart if steps_apart <= FILLED_STEPS else 1 for steps_apart in apart),
                    observations=observations,
                )
            )
            step = steps[-1] + BREAK_STEPS + 1
        return cls(
            parts=parts,
            frame_count=sum(part.frame_count for part in parts),
            report_count=sum(len(part.observations) for part in parts),
            before=await Progress(streams, spec).counts(),
        )


class Feed:
    """Sends a plan's reports to an ingester."""

    def __init__(self, streams: Streams, spec: NetworkSpec, plan: Plan, target: str, speed: float) -> None:
        self.plan = plan
        self.sent = 0
        """Observations sent."""
        self._progress = Progress(streams, spec)
        self._spec, self._target, self._speed = spec, target, speed
        self._frames_sent = 0
        """Frames that what was sent so far should have completed."""
        self._frames_waited_for = 0

    async def counts(self) -> Counts:
        """What has come out since the replay began."""
        now, before = await self._progress.counts(), self.plan.before
        return Counts(
            now.frames - before.frames,
            now.proposals - before.proposals,
            now.verdicts - before.verdicts,
            now.policies - before.policies,
            now.dead - before.dead,
            now.lag,
        )

    async def send(self, stop: asyncio.Event) -> tuple[int, dict[str, int]]:
        """Send everything: (reports accepted, refusals by reason). Raises what gRPC raises."""
        async with grpc_channel(self._target) as channel:
            stub = telemetry_pb2_grpc.TelemetryIngestServiceStub(channel)  # type: ignore[no-untyped-call]
            answer = await stub.Ingest(self._requests(stop), timeout=SEND_TIMEOUT_S, wait_for_ready=True)
        return int(answer.accepted), dict(answer.rejected)

    async def _requests(self, stop: asyncio.Event) -> AsyncIterator[telemetry_pb2.IngestRequest]:
        for part in self.plan.parts:
            began_s, frames_before = time.monotonic(), self._frames_sent
            for i in range(0, len(part.observations), OBSERVATIONS_PER_REQUEST):
                chunk = part.observations[i : i + OBSERVATIONS_PER_REQUEST]
                await self._keep_pace(chunk[-1], began_s, stop)
                if stop.is_set():
                    return
                reports = [report for observation in chunk for report in reports_of(observation, self._spec, part.begin_s)]
                batch = telemetry_pb2.ReportBatch(area_id=self._spec.area_id, reports=reports)
                yield telemetry_pb2.IngestRequest(batch=batch)
                self.sent += len(chunk)
                newest_step = math.floor((part.begin_s + chunk[-1].start_s) / self._spec.timing.slow_step_s)
                self._frames_sent = frames_before + min(newest_step - part.first_step, part.frame_count)
            self._frames_sent = frames_before + part.frame_count

    async def _keep_pace(self, newest: Observation, began_s: float, stop: asyncio.Event) -> None:
        """Wait for the moment of `newest`, and for the planner where it is too far behind."""
        if math.isfinite(self._speed):
            await pause(stop, max(began_s + (newest.start_s + newest.period_s) / self._speed - time.monotonic(), 0.0))
        if self._frames_sent == self._frames_waited_for:
            return
        self._frames_waited_for = self._frames_sent
        until_s = time.monotonic() + AHEAD_WAIT_S
        while not stop.is_set() and time.monotonic() < until_s:
            counts = await self.counts()
            if self._frames_sent - counts.verdicts <= MAX_FRAMES_AHEAD:
                return
            await pause(stop, _PACE_POLL_S)
