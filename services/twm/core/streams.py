"""The streams that carry facts between the services: reading, and the one atomic write.

Every stream is bounded. Trimming drops only what all consumer groups of a stream have acknowledged; where that makes no room,
the write is refused with UnavailableError (back-pressure), so nothing is lost silently. The byte bound is the server's
`maxmemory` with `noeviction`, which refuses writes in the same way.

Durability: the embedded server fsyncs every write. Elsewhere, writes to the policy and audit streams are followed by
`WAITAOF 1 0` on the same connection (Redis >= 7.2, Valkey), unless `appendfsync always` is set already.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ResponseError

from twm.core import metrics, tracing
from twm.core.errors import InvalidInputError, TwmError, UnavailableError
from twm.core.redis_link import RedisLink
from twm.core.stream_names import (
    DURABLE_STREAMS,
    GROUP_GATEWAY,
    GROUP_INGESTER,
    GROUP_PLANNER,
    GROUP_SCORER,
    STREAM_BOUNDS,
    StreamNames,
    stream_kind,
)
from twm.core.stream_scripts import FORGET, TOUCH, WRITE, Argument, write_call

__all__ = [
    "DURABLE_STREAMS", "GROUP_GATEWAY", "GROUP_INGESTER", "GROUP_PLANNER", "GROUP_SCORER", "STREAM_BOUNDS",
    "Entry", "KeyWrite", "Output", "StreamNames", "Streams",
]  # fmt: skip

log = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
MAX_DEAD_LETTER_BYTES = 1024 * 1024
MAX_WRITE_ENTRIES = 1024
MAX_REASON_CHARACTERS = 500

_PAYLOAD, _TRACE, _REASON = "p", "t", "reason"
SPAN_FIELD = "s"
"""Span that wrote the entry, where traces are made (twm.core.tracing)."""


@dataclass(frozen=True)
class Entry:
    """One stream entry. `reason` and `extra` (source stream, id ...) are filled in dead letters."""

    stream: str
    id: str
    payload: bytes
    trace_id: str
    delivery_count: int
    reason: str = ""
    extra: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """An entry to write."""

    stream: str
    payload: bytes
    trace_id: str = ""
    extra: Mapping[str, str | bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class KeyWrite:
    """A key to set. Where `expected` is given and the key holds something else (missing = b""), the whole effect is refused."""

    key: str
    value: bytes
    expected: bytes | None = None


class Streams:
    """Bounded streams on one server. Methods raise UnavailableError while it is away; nothing is retried in here."""

    def __init__(self, link: RedisLink, *, wait_for_disk: bool, bounds: Mapping[str, int]) -> None:
        self._link = link
        self._wait_for_disk = wait_for_disk
        self._bounds = bounds

    @classmethod
    async def connect(cls, url: str, *, timeout_s: float = 5.0, bounds: Mapping[str, int] | None = None) -> Streams:
        """Connect and look at the server. `bounds` overrides STREAM_BOUNDS by stream kind.

        Raises UnavailableError where no server answers, InvalidInputError where `url` is none.
        """
        link = RedisLink(url, timeout_s)
        try:
            await link.call("PING")
            wait_for_disk = await _wait_for_disk(link)
        except BaseException:
            await link.close()
            raise
        return cls(link, wait_for_disk=wait_for_disk, bounds={**STREAM_BOUNDS, **(bounds or {})})

    async def ping(self) -> None:
        """Raise UnavailableError unless the server answers."""
        await self._link.call("PING")

    async def append(self, output: Output) -> str:
        """Write one entry and return its id. After an UnavailableError it may or may not have been written."""
        (entry_id,) = await self.append_many([output])
        return entry_id

    async def append_many(self, outputs: Sequence[Output]) -> list[str]:
        """Write entries (at most MAX_WRITE_ENTRIES), all or none, and return their ids."""
        written = await self._write("", "", (), outputs, ())
        return [] if written is None else written

    async def write_and_ack(
        self, stream: str, group: str, entry_ids: Sequence[str], outputs: Sequence[Output], keys: Sequence[KeyWrite] = ()
    ) -> bool:
        """Acknowledge `entry_ids`, write `outputs` and set `keys`, all or none, in one step on the server.

        False, and no effect at all, where an entry is not pending (acknowledged already) or a key is not as expected.
        Raises UnavailableError where an output stream is full or the server is away; then calling again is safe.
        """
        if not entry_ids:
            raise InvalidInputError("entry_ids: empty, expected at least one")
        return await self._write(stream, group, tuple(dict.fromkeys(entry_ids)), outputs, keys) is not None

    async def write(self, outputs: Sequence[Output], keys: Sequence[KeyWrite]) -> bool:
        """As write_and_ack, where there is nothing to acknowledge: guarded keys alone make the effect happen once."""
        return await self._write("", "", (), outputs, keys) is not None

    async def dead_letter(self, entry: Entry, group: str, reason: str) -> bool:
        """Move an entry to the area's dead-letter stream and acknowledge it, in one step. False: acknowledged already."""
        dead = entry.stream.rpartition(":")[0] + ":dead"
        extra: dict[str, str | bytes] = {
            _REASON: reason[:MAX_REASON_CHARACTERS],
            "stream": entry.stream,
            "id": entry.id,
            "group": group,
            "deliveries": str(entry.delivery_count),
            "bytes": str(len(entry.payload)),
        }
        output = Output(dead, entry.payload[:MAX_DEAD_LETTER_BYTES], entry.trace_id, extra)
        return await self.write_and_ack(entry.stream, group, [entry.id], [output])

    async def ensure_group(self, stream: str, group: str) -> None:
        """Create the consumer group, from the stream's first entry on; harmless where it exists."""
        (reply,) = await self._link.call_many([("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")])
        if isinstance(reply, ResponseError) and "BUSYGROUP" not in str(reply):
            raise UnavailableError(f"stream {stream}: group {group} cannot be created: {str(reply)[:200]}")

    async def read(self, stream: str, group: str, consumer: str, *, count: int, block_ms: int) -> list[Entry]:
        """New entries for this consumer, waiting up to `block_ms` for the first; they stay pending until acknowledged."""
        reply = await self._link.call(
            "XREADGROUP", "GROUP", group, consumer, "COUNT", count, "BLOCK", max(block_ms, 1), "STREAMS", stream, ">",
            wait_s=block_ms / 1000.0,
        )  # fmt: skip
        return _entries(stream, _rows(reply), 1)

    async def pending(self, stream: str, group: str, consumer: str, *, count: int, after: str = "0") -> list[Entry]:
        """This consumer's own unacknowledged entries with ids after `after`, oldest first; counts as a delivery."""
        reply = await self._link.call("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", stream, after)
        return await self._redelivered(stream, group, _rows(reply))

    async def claim_stale(self, stream: str, group: str, consumer: str, *, min_idle_ms: int, count: int) -> list[Entry]:
        """Take over entries that some consumer has held for `min_idle_ms` without a sign of life; counts as a delivery."""
        cursor: Argument = "0-0"
        while True:
            cursor, rows, _ = await self._link.call("XAUTOCLAIM", stream, group, consumer, min_idle_ms, cursor, "COUNT", count)
            if rows or cursor == b"0-0":
                return await self._redelivered(stream, group, rows)

    async def touch(self, stream: str, group: str, consumer: str, entry_ids: Sequence[str], *, delivery_count: int = 0) -> int:
        """Reset the idle time of the entries this consumer still owns; set their delivery count where it is not 0."""
        reply = await self._link.run(TOUCH, [stream], [group, consumer, delivery_count, *entry_ids])
        return int(reply)

    async def is_pending(self, stream: str, group: str, entry_id: str) -> bool:
        """Whether an entry was delivered and not yet acknowledged."""
        return bool(await self._link.call("XPENDING", stream, group, entry_id, entry_id, 1))

    async def forget_consumers(self, stream: str, group: str, *, idle_ms: int) -> int:
        """Remove consumers that have nothing pending and were idle for `idle_ms`."""
        return int(await self._link.run(FORGET, [stream], [group, idle_ms]))

    async def last(self, stream: str, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first."""
        return _entries(stream, list(reversed(await self._link.call("XREVRANGE", stream, "+", "-", "COUNT", count))), 0)

    async def range(self, stream: str, *, after: str = "-", count: int) -> list[Entry]:
        """Up to `count` entries with ids after `after` ("-": from the first), oldest first."""
        start = after if after == "-" else f"({after}"
        return _entries(stream, await self._link.call("XRANGE", stream, start, "+", "COUNT", count), 0)

    async def length(self, stream: str) -> int:
        """Entries the stream holds."""
        return int(await self._link.call("XLEN", stream))

    async def added(self, stream: str) -> int:
        """Entries ever written to the stream, trimmed ones included; 0 where there is none."""
        (reply,) = await self._link.call_many([("XINFO", "STREAM", stream)])
        return 0 if isinstance(reply, ResponseError) else int(reply[b"entries-added"])

    async def get(self, key: str) -> bytes | None:
        """Value of a key; None where there is none."""
        value = await self._link.call("GET", key)
        return None if value is None else bytes(value)

    async def lag(self, stream: str, group: str) -> tuple[int, int]:
        """(entries not yet delivered to the group, entries delivered but not acknowledged); sets the metrics too."""
        groups, length = await self._link.call_many([("XINFO", "GROUPS", stream), ("XLEN", stream)])
        if isinstance(groups, ResponseError):  # no such stream yet
            return 0, 0
        for found in groups:
            if found[b"name"] == group.encode():
                # The server cannot tell the lag after deletions in the middle; the length is then an upper bound.
                lag = int(length if found[b"lag"] is None else found[b"lag"])
                held = int(found[b"pending"])
                kind = stream_kind(stream)
                metrics.STREAM_LAG.labels(kind, group).set(lag)
                metrics.STREAM_PENDING.labels(kind, group).set(held)
                return lag, held
        return int(length), 0

    async def close(self) -> None:
        """Close every connection."""
        await self._link.close()

    async def _redelivered(self, stream: str, group: str, rows: Sequence[Any]) -> list[Entry]:
        # An entry that is gone from the stream (deleted by hand) comes as None; it can only be acknowledged.
        gone = [row[0] for row in rows if row is not None and row[1] is None]
        if gone:
            metrics.DEAD_LETTERS.labels(stream_kind(stream), "deleted").inc(len(gone))
            await self._link.call("XACK", stream, group, *gone)
        kept = [row for row in rows if row is not None and row[1] is not None]
        if not kept:
            return []
        found = await self._link.call_many([("XPENDING", stream, group, row[0], row[0], 1) for row in kept])
        counts = [int(f[0][3]) if isinstance(f, list) and f else 1 for f in found]
        return [_entry(stream, row, count) for row, count in zip(kept, counts, strict=True)]

    async def _write(
        self, source: str, group: str, entry_ids: Sequence[str], outputs: Sequence[Output], keys: Sequence[KeyWrite]
    ) -> list[str] | None:
        if len(outputs) > MAX_WRITE_ENTRIES:
            raise InvalidInputError(f"outputs: {len(outputs)} entries in one write, at most {MAX_WRITE_ENTRIES}")
        names, arguments = write_call(
            source,
            group,
            entry_ids,
            [(k.key, k.value, k.expected) for k in keys],
            [(o.stream, self._bound(o.stream), _fields(o)) for o in outputs],
        )
        durable = self._wait_for_disk and any(stream_kind(o.stream) in DURABLE_STREAMS for o in outputs)
        wait_ms = int(self._link.timeout_s * 800)
        then: list[tuple[Argument, ...]] = [("WAITAOF", 1, 0, wait_ms)] if durable else []
        reply, *synced = await self._link.run_then(WRITE, names, arguments, then)
        if reply[0] == 0:
            if reply[1] == b"full":
                kind = stream_kind(reply[2].decode())
                metrics.STREAM_REFUSED.labels(kind).inc()
                raise UnavailableError(f"stream {kind}: full, its readers are too far behind", reason="stream_full")
            return None
        if synced and (isinstance(synced[0], ResponseError) or synced[0][0] < 1):
            raise UnavailableError(f"redis {self._link.address}: written, but not on disk within {wait_ms} ms")
        return [entry_id.decode() for entry_id in reply[1:]]

    def _bound(self, stream: str) -> int:
        kind = stream_kind(stream)
        if kind not in self._bounds:
            raise InvalidInputError(f"stream: {stream[:128]!r} has no bound; known kinds are {', '.join(self._bounds)}")
        return self._bounds[kind]


def _fields(output: Output) -> dict[str, Argument]:
    if len(output.payload) > MAX_PAYLOAD_BYTES:
        raise InvalidInputError(
            f"payload: {len(output.payload)} bytes for {stream_kind(output.stream)}, at most {MAX_PAYLOAD_BYTES}"
        )
    fields: dict[str, Argument] = {_PAYLOAD: output.payload}
    if output.trace_id:
        fields[_TRACE] = output.trace_id
        trace_id, span_id = tracing.current()
        if trace_id == output.trace_id:
            fields[SPAN_FIELD] = span_id
    return {**fields, **output.extra} if output.extra else fields


def _rows(reply: Any) -> list[Any]:
    return next(iter(reply.values())) if reply else []


def _entries(stream: str, rows: Sequence[Any], delivery_count: int) -> list[Entry]:
    return [_entry(stream, row, delivery_count) for row in rows]


def _entry(stream: str, row: Any, delivery_count: int) -> Entry:
    flat = row[1]
    if len(flat) == 2 and flat[0] == b"p":
        return Entry(stream, row[0].decode(), flat[1], "", delivery_count)
    # Another writer may have put anything here: decode leniently, judge the payload later.
    fields = {name.decode("utf-8", "replace"): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
    payload, trace, reason = (fields.pop(name, b"") for name in (_PAYLOAD, _TRACE, _REASON))
    return Entry(
        stream, row[0].decode(), payload, trace.decode("ascii", "replace")[:64], delivery_count,
        reason.decode("utf-8", "replace"), fields,
    )  # fmt: skip


async def _wait_for_disk(link: RedisLink) -> bool:
    """Whether durable writes need WAITAOF here."""
    try:
        config = await link.call("CONFIG", "GET", "append*")
    except UnavailableError:
        raise
    except TwmError:  # managed servers hide their configuration
        config = {b"appendonly": b"yes"}
    if config.get(b"appendonly") != b"yes":
        log.warning("redis %s keeps no append-only file: policy and audit records do not survive its crash", link.address)
        return False
    if config.get(b"appendfsync") == b"always":
        return False
    known = await link.call("COMMAND", "INFO", "WAITAOF")
    if not known or known[0] is None:
        log.warning("redis %s has no WAITAOF: policy and audit records of its last second may be lost in a crash", link.address)
        return False
    return True
