"""Stream entries by slow step: they lie in (nearly) rising order of step, and ids are times, so bisection finds the place."""

from __future__ import annotations

from collections.abc import Callable

from twm.core.streams import Entry, Streams

StepOf = Callable[[bytes], int | None]
"""Slow step of a payload; None where it is not readable."""

DISORDER_STEPS = 16
"""How far takeovers may have put entries out of order [slow steps]."""
_LAST_SEQUENCE = 2**64 - 1
_PAGE = 64
_UNREADABLE_RUN = 8


def id_key(entry_id: str) -> tuple[int, int]:
    """Sort key of a stream id ("milliseconds-sequence")."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


def before_millisecond(milliseconds: int) -> str:
    """Cursor that all ids of that millisecond and later come after."""
    return f"{milliseconds - 1}-{_LAST_SEQUENCE}" if milliseconds > 0 else "-"


async def cursor_before_step(streams: Streams, stream: str, step: int, step_of: StepOf) -> str:
    """Cursor for `Streams.range` that skips most entries of lower steps, and none of `step` or higher but for disorder."""
    target = step - DISORDER_STEPS
    first, last = await streams.range(stream, count=1), await streams.last(stream, 1)
    if not first or not last or not await _below(streams, first[0], target, step_of):
        return "-"
    low, high = id_key(first[0].id)[0], id_key(last[0].id)[0] + 1
    # The first entry at or after `low` lies below the target, the first at or after `high` does not.
    while high - low > 1:
        middle = (low + high) // 2
        found = await streams.range(stream, after=before_millisecond(middle), count=1)
        if found and await _below(streams, found[0], target, step_of):
            low = max(id_key(found[0].id)[0], middle)
        else:
            high = middle
    return before_millisecond(low)


async def find_step(streams: Streams, stream: str, step: int, step_of: StepOf) -> Entry | None:
    """The newest entry of that step, None where there is none."""
    cursor = await cursor_before_step(streams, stream, step, step_of)
    found: Entry | None = None
    while entries := await streams.range(stream, after=cursor, count=_PAGE):
        for entry in entries:
            at = step_of(entry.payload)
            if at == step:
                found = entry
            elif at is not None and at > step + DISORDER_STEPS:
                return found
        cursor = entries[-1].id
    return found


async def _below(streams: Streams, entry: Entry, step: int, step_of: StepOf) -> bool:
    """Whether the entry lies below `step`; one that is not readable lies where the next readable ones do."""
    at = step_of(entry.payload)
    if at is None:
        others = await streams.range(entry.stream, after=entry.id, count=_UNREADABLE_RUN)
        at = next((found for other in others if (found := step_of(other.payload)) is not None), None)
    return at is not None and at < step
