"""The live stream: server-sent events that say what has changed, so that a page asks again for just that.

One event id holds the counts of all streams and digests of the records (`Pulse`), so a client that comes back with its last id
is told exactly what it missed, by any gateway of the area, and nothing is queued for anybody.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator

from twm.core import metrics
from twm.core.errors import RateLimitError, TwmError
from twm.core.stream_worker import pause
from twm.core.streams import StreamNames, Streams
from twm.core.text import clean
from twm.gateway.drift_watch import DRIFT_KEY
from twm.gateway.intents.store import ACTIVE_KEY
from twm.gateway.modes.approvals import APPROVALS_KEY
from twm.gateway.modes.enforced import ENFORCED_KEY
from twm.gateway.modes.state import MODE_KEY

STREAMS = ("frames", "proposals", "verdicts", "explanations", "policies", "scores", "audit")
KEYS = {
    "mode": MODE_KEY,
    "approvals": APPROVALS_KEY,
    "in_force": ENFORCED_KEY,
    "intents": ACTIVE_KEY,
    "drift": DRIFT_KEY,
}
POLL_S = 0.5
BEAT_S = 10.0
LIFE_S = 600.0
"""A stream ends after this and the client comes back: so a token that has run out is noticed."""
RETRY_S = 15.0
MAX_ID_CHARACTERS = 512
_ID = re.compile(r"[0-9a-f.]{1,512}")

Marks = tuple[str, ...]


class Pulse:
    """How far each stream and record of an area is; read at most once in POLL_S for all clients."""

    def __init__(self, streams: Streams, names: StreamNames) -> None:
        self._streams, self._names = streams, names
        self._lock = asyncio.Lock()
        self._marks: Marks = ()
        self._read_s = -POLL_S

    async def marks(self) -> Marks:
        """One mark for each of STREAMS, then of KEYS. Raises UnavailableError."""
        async with self._lock:
            if time.monotonic() - self._read_s >= 0.8 * POLL_S:
                counts = [f"{await self._streams.added(getattr(self._names, kind)):x}" for kind in STREAMS]
                values = [await self._streams.get(self._names.key(key)) or b"" for key in KEYS.values()]
                self._marks = (*counts, *(hashlib.sha256(v).hexdigest()[:12] if v else "0" for v in values))
                self._read_s = time.monotonic()
            return self._marks


def changed(before: Marks, now: Marks) -> list[str]:
    """Names of what differs; all where `before` is of another kind."""
    names = (*STREAMS, *KEYS)
    if len(before) != len(now):
        return list(names)
    return [name for name, b, n in zip(names, before, now, strict=True) if b != n]


def marks_of(last_event_id: str | None) -> Marks:
    """The marks a client has seen; () where it says nothing useful."""
    if not last_event_id or len(last_event_id) > MAX_ID_CHARACTERS or not _ID.fullmatch(last_event_id):
        return ()
    return tuple(last_event_id.split("."))


class Live:
    """Live streams of one gateway, at most `limit` at a time."""

    def __init__(
        self, pulse: Pulse, limit: int, stop: asyncio.Event, *, beat_s: float = BEAT_S, life_s: float = LIFE_S
    ) -> None:
        self._pulse, self._limit, self._stop = pulse, limit, stop
        self._beat_s, self._life_s = beat_s, life_s
        self.open = 0

    def check_room(self) -> None:
        """Raises RateLimitError where no place is free."""
        if self.open >= self._limit:
            metrics.CONSOLE_REFUSED.inc()
            raise RateLimitError(f"live streams: {self.open} are open, at most {self._limit}", retry_after_s=RETRY_S)

    async def events(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Events until the process stops, the stream's life is over or the client goes."""
        if self.open >= self._limit:  # others came between the check and the first byte
            yield _event("end", {"reason": "full"})
            return
        self.open += 1
        metrics.CONSOLE_STREAMS.set(self.open)
        seen, trouble = marks_of(last_event_id), ""
        now_s = time.monotonic()
        end_s, beat_s = now_s + self._life_s, now_s + self._beat_s
        try:
            yield b"retry: 2000\n\n"
            while not self._stop.is_set() and time.monotonic() < end_s:
                try:
                    now = await self._pulse.marks()
                except TwmError as error:
                    if not trouble:
                        trouble = clean(str(error), 300).text
                        yield _event("trouble", {"detail": trouble})
                else:
                    names = changed(seen, now)
                    if names or trouble:
                        seen, trouble = now, ""
                        beat_s = time.monotonic() + self._beat_s
                        yield _event("news", {"changed": names}, ".".join(now))
                if time.monotonic() >= beat_s:
                    beat_s = time.monotonic() + self._beat_s
                    yield b": beat\n\n"
                await pause(self._stop, POLL_S)
            yield _event("end", {"reason": "stopping" if self._stop.is_set() else "come back"})
        finally:
            self.open -= 1
            metrics.CONSOLE_STREAMS.set(self.open)


def _event(kind: str, data: dict[str, object], event_id: str = "") -> bytes:
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
