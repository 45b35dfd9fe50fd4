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

    def __init__(self, streams: Streams, names: StreamNames, clock: Callable[[], float], *, start: Event | None = None) -> None:
        """`clock`: Unix [s]. `start`: recorded before this process's first effect."""
        self._streams = streams
        self._names = names
        self._clock = clock
        self._start = start
        self._floor = ChainHead()
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
                head = ChainHead.decode(stored)
                if head.sequence < self._floor.sequence:
                    head = self._floor
                composition = await compose()
                if await self._write(entry, group, composition, head, stored):
                    return composition
                if not await self._streams.is_pending(entry.stream, group, entry.id):
                    return None
        raise UnavailableError(f"audit head: moved {MAX_CONFLICTS} times while {entry.id} waited", reason="contended")

    async def _write(self, entry: Entry, group: str, composition: Composition, head: ChainHead, stored: bytes) -> bool:
        events = list(composition.events)
        if not events:
            return await self._streams.write_and_ack(entry.stream, group, [entry.id], composition.outputs, composition.keys)
        if self._start is not None:
            events.insert(0, self._start)
        records, new_head = extend(head, events, self._clock())
        outputs = [*composition.outputs, *(Output(self._names.audit, r.SerializeToString(deterministic=True)) for r in records)]
        keys = [*composition.keys, KeyWrite(self.head_key, new_head.encode(), stored)]
        if not await self._streams.write_and_ack(entry.stream, group, [entry.id], outputs, keys):
            return False
        self._start = None
        for event in events:
            metrics.AUDIT_RECORDS.labels(event.kind).inc()
        return True
