"""The newest entries of a stream, derived once and kept: many readers, one read of each entry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twm.core.streams import Entry, Streams

T = TypeVar("T")
Derive = Callable[[Entry], tuple[int, T] | None]
"""(slow step, what is kept of an entry); None: the entry is not readable. Must not raise."""

_PAGE = 64


class Tail(Generic[T]):
    """What `derive` made of the newest `keep` steps of a stream."""

    def __init__(self, streams: Streams, stream: str, keep: int, derive: Derive[T]) -> None:
        self._streams, self._stream, self._keep, self._derive = streams, stream, keep, derive
        self._lock = asyncio.Lock()
        self._kept: dict[int, T] = {}
        self._cursor = ""
        self._added = 0

    async def rows(self) -> list[tuple[int, T]]:
        """(step, row) by rising step, at most `keep`. Raises UnavailableError."""
        async with self._lock:
            await self._advance()
            return sorted(self._kept.items())

    async def _advance(self) -> None:
        added = await self._streams.added(self._stream)
        if added == self._added:
            return
        if added < self._added:  # the stream was begun anew
            self._kept.clear()
            self._cursor = ""
        if not self._cursor or added - self._added > self._keep:
            await self._take(await self._streams.last(self._stream, self._keep))
        else:
            while entries := await self._streams.range(self._stream, after=self._cursor, count=_PAGE):
                await self._take(entries)
        self._added = added

    async def _take(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        derived = await asyncio.to_thread(lambda: [self._derive(entry) for entry in entries])
        self._kept.update(row for row in derived if row is not None)
        for step in sorted(self._kept)[: max(0, len(self._kept) - self._keep)]:
            del self._kept[step]
        self._cursor = entries[-1].id
