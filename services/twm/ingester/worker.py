"""The assembling replica's loop: intake entries in, frames out, each frame exactly once.

Entries stay pending until every step they say something about is out; a frame, the acknowledgement of what it finished, and
the new state (last step, term) are one guarded write. All replicas read as one consumer, and only the holder of the lease
reads: whoever takes over reads the pending entries again and has all there was. A former holder that wakes up late finds that
the state has moved.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import metrics
from twm.core.errors import DecodeError, InvalidInputError, UnavailableError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.stream_worker import MAX_DELIVERIES, Backoff, pause
from twm.core.streams import GROUP_INGESTER, MAX_DEAD_LETTER_BYTES, Entry, KeyWrite, Output, StreamNames, Streams
from twm.ingester.aggregation import FrameBuilder
from twm.ingester.assembler import ACCEPTED, Assembler, Patience
from twm.ingester.lease import Lease
from twm.ingester.reading import ReportReader
from twm.ingester.samples import Sample

log = logging.getLogger(__name__)

CONSUMER = "assembler"
READ_COUNT = 32
BLOCK_MS = 200
RECOVER_COUNT = 64
MAX_ACKS = 1000
MAX_DEAD_PER_ENTRY = 4
MAX_DEAD_PER_WRITE = 32
CHECK_S = 1.0
LOST_GROUP = "lost_group"
"""The server answers, but has lost its data: begin anew."""
_NOTHING = -1


@dataclass(frozen=True, slots=True)
class State:
    """What the state key holds: the last step out, and which holder (a growing number) wrote it."""

    step: int | None
    term: int
    raw: bytes

    @classmethod
    def of(cls, raw: bytes | None) -> State:
        """From the key's value. Raises InvalidInputError where it is not ours."""
        if not raw:
            return cls(None, 0, b"")
        try:
            data = json.loads(raw)
            step, term = data["step"], data["term"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(f"ingester state: {raw[:80]!r} is not a state", reason="bad_state") from error
        return cls(step, int(term), raw)

    @classmethod
    def make(cls, step: int | None, term: int) -> State:
        """A state and its bytes."""
        return cls(step, term, json.dumps({"step": step, "term": term}).encode())


@dataclass(slots=True)
class _Held:
    last_step: int
    """Last step the entry says something about."""
    dead: list[Output]
    """Its undecodable reports, on their way to the dead letters."""


class AssemblyWorker:
    """One replica's assembler of one area."""

    def __init__(
        self,
        streams: Streams,
        spec: NetworkSpec,
        patience: Patience,
        *,
        instance: str,
        lease_s: float,
        cumulative: list[tuple[str, str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._streams, self._spec, self._patience, self._clock = streams, spec, patience, clock
        self._cumulative = cumulative or []
        self._names = StreamNames.of(spec.area_id)
        self._state_key = self._names.key("ingester-state")
        self._lease = Lease(streams, self._names.key("ingester-lease"), instance, lease_s)
        self._codec = FrameCodec(spec)
        self._state = State.of(None)
        self._held: dict[str, _Held] = {}
        self._begin()

    def _begin(self) -> None:
        self._reader = ReportReader(self._spec, cumulative=self._cumulative)
        self._assembler = Assembler(
            self._spec, self._patience, FrameBuilder(self._spec), now=self._clock(), last_step=self._state.step
        )
        self._held = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Contend for the lease and assemble while it is held, until `stop`."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                await self._streams.ensure_group(self._names.intake, GROUP_INGESTER)
                if await self._lease.take(self._clock()):
                    log.info("assembling area %s", self._spec.area_id)
                    await self._lead(stop, backoff)
                    log.info("no longer assembling area %s", self._spec.area_id)
                else:
                    await pause(stop, 0.25)
            except UnavailableError as error:
                log.warning("intake: %s; trying again", error)
                await backoff.wait(stop)
        try:
            await self._lease.give_up()
        except UnavailableError as error:
            log.info("lease not given back: %s", error)

    async def _lead(self, stop: asyncio.Event, backoff: Backoff) -> None:
        """Until `stop`, or until another holder shows. Outages are waited out with what is held in memory."""
        before = State.of(await self._streams.get(self._state_key))
        state = State.make(before.step, before.term + 1)
        if not await self._streams.write((), [KeyWrite(self._state_key, state.raw, before.raw)]):
            return
        self._state = state
        self._begin()
        await self._recover(stop)
        next_check, missed, away = self._clock() + CHECK_S, 0, False
        while not stop.is_set():
            try:
                if not await self._lease.keep(self._clock()):
                    return
                entries = await self._streams.read(
                    self._names.intake, GROUP_INGESTER, CONSUMER, count=READ_COUNT, block_ms=BLOCK_MS
                )
                backoff.reset()
                if away:
                    self._assembler.refresh(self._clock())
                    away = False
                for entry in entries:
                    await self._take(entry)
                    await asyncio.sleep(0)
                if not await self._emit(stop, caught_up=len(entries) < READ_COUNT):
                    return
                if self._clock() >= next_check:
                    next_check = self._clock() + CHECK_S
                    _, pending = await self._streams.lag(self._names.intake, GROUP_INGESTER)
                    missed = missed + 1 if pending > len(self._held) else 0
                    if missed > 1:  # a former holder took some and did not finish them
                        await self._recover(stop)
            except UnavailableError as error:
                if error.reason == LOST_GROUP:
                    raise
                log.warning("intake: %s; trying again", error)
                away = True
                await backoff.wait(stop)

    async def _recover(self, stop: asyncio.Event) -> None:
        """Read again what is pending: what the holder before, or this one's former life, had not finished."""
        after, count = "0", 0
        while not stop.is_set():
            entries = await self._streams.pending(
                self._names.intake, GROUP_INGESTER, CONSUMER, count=RECOVER_COUNT, after=after
            )
            if not entries:
                break
            after = entries[-1].id
            suspects = [entry for entry in entries if entry.delivery_count > MAX_DELIVERIES]
            for entry in entries:
                if entry.id in self._held:
                    continue
                # Entries handled before the one that ended the last lives were counted back: the first suspect is the culprit.
                if suspects and entry is suspects[0]:
                    await self._streams.dead_letter(entry, GROUP_INGESTER, f"not finished in {MAX_DELIVERIES} deliveries")
                    metrics.DEAD_LETTERS.labels("intake", "deliveries_exhausted").inc()
                    continue
                await self._take(entry, again=True)
                count += 1
                if entry.delivery_count > 2:
                    await self._touch([entry.id])
                await asyncio.sleep(0)
            await self._touch([entry.id for entry in entries if entry.delivery_count <= 2])
            await self._lease.keep(self._clock())
        if count:
            log.info("area %s: read %d pending entries again", self._spec.area_id, count)

    async def _touch(self, ids: list[str]) -> None:
        if ids:
            await self._streams.touch(self._names.intake, GROUP_INGESTER, CONSUMER, ids, delivery_count=1)

    async def _take(self, entry: Entry, *, again: bool = False) -> None:
        """Decode an entry's reports into the assembler. A payload that is no batch is a dead letter at once."""
        try:
            batch = telemetry_pb2.ReportBatch.FromString(entry.payload)
            if batch.area_id != self._spec.area_id:
                raise InvalidInputError(f"area_id: {batch.area_id[:64]!r}, expected {self._spec.area_id!r}")
        except (ProtobufDecodeError, InvalidInputError) as error:
            await self._streams.dead_letter(entry, GROUP_INGESTER, f"not a batch of this area: {error}")
            metrics.DEAD_LETTERS.labels("intake", "malformed").inc()
            return
        self._held[entry.id] = self._read_batch(entry, batch, again=again)

    def _read_batch(self, entry: Entry, batch: telemetry_pb2.ReportBatch, *, again: bool) -> _Held:
        held = _Held(_NOTHING, [])
        stored_s = int(entry.id.partition("-")[0]) / 1e3
        now = self._clock()
        outcomes: dict[str, int] = {}
        for report in batch.reports:
            received_s = report.received.seconds + report.received.nanos * 1e-9 if report.HasField("received") else stored_s
            try:
                samples = self._reader.read(report, received_s)
                refusals = [self._add(sample, received_s, now, held) for sample in samples]
                reason = next((r for r in refusals if r != ACCEPTED), ACCEPTED)
            except InvalidInputError as error:
                reason = error.reason
                self._refuse(entry, report, error, held, again=again)
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                log.exception("report of %s cannot be read", report.node_id[:64])
                reason = "reader_failed"
                self._refuse(entry, report, DecodeError(f"{type(error).__name__}", reason=reason), held, again=again)
            outcomes[reason] = outcomes.get(reason, 0) + 1
        if not again:
            for reason, count in outcomes.items():
                metrics.REPORTS.labels(reason).inc(count)
        return held

    def _add(self, sample: Sample, received_s: float, now: float, held: _Held) -> str:
        outcome = self._assembler.add(sample, received_s, now)
        if outcome == ACCEPTED:
            held.last_step = max(held.last_step, self._assembler.step_of(sample))
        return outcome

    def _refuse(
        self, entry: Entry, report: telemetry_pb2.Report, error: InvalidInputError, held: _Held, *, again: bool
    ) -> None:
        if not again and isinstance(error, DecodeError):
            metrics.DECODE_ERRORS.labels(error.reason).inc()
        if len(held.dead) < MAX_DEAD_PER_ENTRY:
            log.info("report of %r refused (%s): %s", report.node_id[:64], error.reason, str(error)[:300])
            kept = telemetry_pb2.ReportBatch(area_id=self._spec.area_id, reports=[report])
            extra: dict[str, str | bytes] = {
                "reason": f"{error.reason}: {error}"[:500],
                "stream": entry.stream,
                "id": entry.id,
                "group": GROUP_INGESTER,
                "bytes": str(kept.ByteSize()),
            }
            held.dead.append(Output(self._names.dead, kept.SerializeToString()[:MAX_DEAD_LETTER_BYTES], "", extra))

    async def _emit(self, stop: asyncio.Event, *, caught_up: bool) -> bool:
        """Write every frame that is due. False: another holder has moved the state."""
        while (step := self._assembler.due(self._clock(), caught_up=caught_up)) is not None:
            frame = self._assembler.frame(step)
            frame.trace_id = hashlib.blake2b(f"{self._spec.area_id}/{step}".encode(), digest_size=16).hexdigest()
            if not await self._write(stop, step, frame):
                return False
            self._assembler.closed(step)
            _publish(frame)
        if self._spent(self._state.step) and (caught_up or len(self._held) >= MAX_ACKS):
            return await self._write(stop, None, None)
        return True

    def _spent(self, step: int | None) -> list[str]:
        """Entries with nothing to say about steps after `step`."""
        reached = _NOTHING if step is None else step
        return [entry_id for entry_id, held in self._held.items() if held.last_step <= reached][:MAX_ACKS]

    async def _write(self, stop: asyncio.Event, step: int | None, frame: FrameArrays | None) -> bool:
        """One frame (or none), the acknowledgement of what is finished with it, and the state: one write."""
        spent = self._spent(self._state.step if step is None else step)
        outputs = [dead for i in spent for dead in self._held[i].dead][:MAX_DEAD_PER_WRITE]
        if frame is not None:
            outputs.append(Output(self._names.frames, self._codec.encode(frame).SerializeToString(), frame.trace_id))
        state = self._state if step is None else State.make(step, self._state.term)
        keys = [KeyWrite(self._state_key, state.raw, self._state.raw)]
        backoff, unsure, done = Backoff(), False, False
        while not stop.is_set():
            try:
                if spent:
                    done = await self._streams.write_and_ack(self._names.intake, GROUP_INGESTER, spent, outputs, keys)
                else:
                    done = await self._streams.write(outputs, keys)
                if not done and unsure:  # the write before may have happened, and only its answer was lost
                    now = State.of(await self._streams.get(self._state_key))
                    pending = spent and await self._streams.is_pending(self._names.intake, GROUP_INGESTER, spent[0])
                    done = now.raw == state.raw and not pending
                break
            except UnavailableError as error:
                if error.reason == LOST_GROUP:
                    raise
                log.warning("frame waits: %s", error)
                unsure = True
                await backoff.wait(stop)
                self._assembler.refresh(self._clock())
        if done:
            self._state = state
            for entry_id in spent:
                del self._held[entry_id]
        return done


def _publish(frame: FrameArrays) -> None:
    values = [block for block in frame.blocks().values() if block.size]
    missing = sum(int(np.isnan(block).sum()) for block in values) / max(sum(block.size for block in values), 1)
    metrics.FRAMES.inc()
    metrics.FRAME_STEP.set(frame.step)
    metrics.FRAME_MISSING_RATIO.set(missing)
    log.info(
        "frame %d: %d reports, %d missing, %.1f %% of values missing",
        frame.step, frame.report_count, frame.missing_report_count, 100 * missing,
    )  # fmt: skip
