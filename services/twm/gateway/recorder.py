"""Effects that belong to the audit chain: outputs, keys, audit records and the acknowledgement of the entry, all or none.

The chain's head is a key that every effect compares and sets, so records of several writers form one chain. The write happens
in here and not in the StreamWorker, so that the writers of one process take turns instead of refusing each other, and so that
metrics count what was written; the worker then finds the entry acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from twm.core import metrics
from twm.core.errors import AuditError, UnavailableError
from twm.core.streams import Entry, KeyWrite, Output, StreamNames, Streams
from twm.gateway.audit import ChainHead, Event, extend
from twm.gateway.audit_log import AuditLog

HEAD_KEY = "audit-head"
MAX_CONFLICTS = 50


@dataclass(frozen=True, kw_only=True)
class Composition:
    """What handling an entry leads to, before it is chained."""

    outputs: Sequence[Output] = ()
    keys: Sequence[KeyWrite] = ()
    events: Sequence[Event] = ()


class Recorder:
    """Writes compositions. One per process and area."""

    def __init__(self, streams: Streams, names: StreamNames, clock: Callable[[], float]) -> None:
        """`clock`: Unix [s]."""
        self._streams = streams
        self._names = names
        self._clock = clock
        self._floor = ChainHead()
        """Last head known for sure; a lower one in Redis means that Redis has lost records."""
        self.moved = asyncio.Event()
        """Set at each new record; whoever waits on it clears it."""
        self._turn = asyncio.Lock()

    @property
    def head_key(self) -> str:
        """Key of the chain's head."""
        return self._names.key(HEAD_KEY)

    async def head(self) -> ChainHead:
        """The chain's head in Redis. Raises AuditError where the key holds something else."""
        return ChainHead.decode(await self._streams.get(self.head_key) or b"")

    async def continue_from(self, log: AuditLog) -> None:
        """Continue the file's chain where Redis has lost it, wholly or its end.

        Raises AuditError where file and Redis hold different chains: an operator must decide which is right.
        """
        head, file_head = await self.head(), log.head
        if file_head.sequence <= head.sequence:
            return
        if head.sequence:
            known = await asyncio.to_thread(log.hash_at, head.sequence)
            if known != head.hash:
                raise AuditError(
                    f"audit log {log.path}: record {head.sequence} is {(known or 'missing')[:12]}, Redis says "
                    f"{head.hash[:12]}: they belong to different chains; move the file away to begin a new one"
                )
        self._floor = file_head

    async def commit(self, entry: Entry, group: str, compose: Callable[[], Awaitable[Composition]]) -> Composition | None:
        """Write what `compose` gives and acknowledge `entry`. None: the entry was acknowledged already, nothing was written.

        `compose` is asked again whenever the chain has moved. Raises UnavailableError where it moves all the time.
        """
        async with self._turn:
            for _ in range(MAX_CONFLICTS):
                stored = await self._streams.get(self.head_key) or b""
                composition = await compose()
                outputs, keys, head = self._chained(composition, stored)
                if await self._streams.write_and_ack(entry.stream, group, [entry.id], outputs, keys):
                    self._written(composition.events, head)
                    return composition
                if not await self._streams.is_pending(entry.stream, group, entry.id):
                    return None
        raise UnavailableError(f"audit head: moved {MAX_CONFLICTS} times while {entry.id} waited", reason="contended")

    async def perform(self, compose: Callable[[], Awaitable[Composition]]) -> Composition:
        """Write what `compose` gives; no entry stands behind it, so guarded keys make it happen once.

        `compose` is asked again whenever the chain or one of its guarded keys has moved; what it raises ends the attempt.
        Raises UnavailableError where they move all the time, and where Redis is away: then it may or may not be written.
        """
        async with self._turn:
            for _ in range(MAX_CONFLICTS):
                stored = await self._streams.get(self.head_key) or b""
                composition = await compose()
                outputs, keys, head = self._chained(composition, stored)
                if await self._streams.write(outputs, keys):
                    self._written(composition.events, head)
                    return composition
        raise UnavailableError(f"audit head: moved {MAX_CONFLICTS} times while an operation waited", reason="contended")

    async def record(self, event: Event) -> None:
        """Record something that no entry stands behind. Raises UnavailableError; then it may or may not be recorded."""

        async def compose() -> Composition:
            return Composition(events=[event])

        await self.perform(compose)

    def _chained(self, composition: Composition, stored: bytes) -> tuple[list[Output], list[KeyWrite], ChainHead]:
        """Outputs, keys and new head with the audit records after the head `stored`, or after `_floor` where Redis lost it."""
        outputs, keys = list(composition.outputs), list(composition.keys)
        head = ChainHead.decode(stored)
        if head.sequence < self._floor.sequence:
            head = self._floor
        if composition.events:
            records, head = extend(head, composition.events, self._clock())
            outputs += [Output(self._names.audit, r.SerializeToString(deterministic=True)) for r in records]
            keys.append(KeyWrite(self.head_key, head.encode(), stored))
        return outputs, keys, head

    def _written(self, events: Sequence[Event], head: ChainHead) -> None:
        self._floor = head
        if events:
            self.moved.set()
        for event in events:
            metrics.AUDIT_RECORDS.labels(event.kind).inc()
            if event.kind == "approval":
                metrics.APPROVALS.labels(str(event.payload["state"])).inc()
