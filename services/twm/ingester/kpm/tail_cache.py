"""Parsed information lists by their bytes: message after message a node repeats the same list behind new values."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from twm.ingester.kpm.types import Measurement

_PREFIX_BYTES = 24
_TAILS_PER_PREFIX = 4


class Tail(NamedTuple):
    """The part of a Format 1 behind its values, parsed."""

    content: bytes
    """Its bytes, from the byte it starts in."""
    measurements: tuple[Measurement, ...] | None
    granularity_ms: int | None
    label_count: int
    """Values a record must have; 0 where there is no information list."""


class TailCache:
    """Bounded least-recently-used store of tails that end on a byte boundary. Safe to share between threads."""

    def __init__(self, max_bytes: int = 512 * 1024, max_tail_bytes: int = 32 * 1024) -> None:
        self._max_bytes = max_bytes
        self._max_tail_bytes = max_tail_bytes
        self._bytes = 0
        self._tails: OrderedDict[tuple[int, bytes], tuple[Tail, ...]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Bytes of all tails held."""
        return self._bytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tails.clear()
            self._bytes = 0

    def find(self, buffer: bytes, start: int, state: int) -> Tail | None:
        """The tail that `buffer` holds from byte `start`; `state`: presence bits, bit offset and dialect it is read with."""
        key = (state, buffer[start : start + _PREFIX_BYTES])
        tails = self._tails.get(key)
        if tails is None:
            return None
        for tail in tails:
            if buffer.startswith(tail.content, start):
                with self._lock:
                    if key in self._tails:
                        self._tails.move_to_end(key)
                return tail
        return None

    def keep(self, buffer: bytes, start: int, state: int, tail: Tail) -> None:
        """Remember `tail`; long ones are not kept, the least recently used ones make room."""
        size = len(tail.content)
        if size > self._max_tail_bytes:
            return
        key = (state, buffer[start : start + _PREFIX_BYTES])
        with self._lock:
            tails = (tail, *self._tails.pop(key, ()))
            self._bytes += size - sum(len(old.content) for old in tails[_TAILS_PER_PREFIX:])
            self._tails[key] = tails[:_TAILS_PER_PREFIX]
            while self._bytes > self._max_bytes:
                _, dropped = self._tails.popitem(last=False)
                self._bytes -= sum(len(old.content) for old in dropped)
