"""Windows: "tonight", "between 20:00 and 22:00", "for the next 2 hours", "until 6 pm", "during the surge".

A window is read in parts (a day, a range, an end, a length, an occasion); the parts of one clause are put together, then
resolved against the moment and the time zone of the request. What does not fix a moment is a question, never a guess.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from twm.api.intent.v1 import intent_pb2
from twm.gateway.intents.clocks import Clock

PARTS_OF_DAY = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 23), "night": (20, 30)}


@dataclass(frozen=True, slots=True)
class Part:
    """What one phrase says of a window."""

    day: dt.date | None = None
    part: str = ""
    """Part of the day."""
    days: int = 1
    """Days it spans."""
    start: Clock | None = None
    end: Clock | None = None
    start_day: dt.date | None = None
    end_day: dt.date | None = None
    open_end: bool = False
    """Said "from ... on"."""
    until: bool = False
    """The day or part of the day is an end, not a span."""
    inclusive: bool = False
    """The day that is an end belongs to the window."""
    next_day: bool = False
    """The end is on the day after the start."""
    duration_s: float | None = None
    delay_s: float | None = None
    """Starts so much later than now."""
    from_now: bool = False
    occasion: int = 0
    event: str = ""
    """Name of the event that the occasion is."""
    weak: bool = False
    """The day is only today for want of another ("all day", "in the morning")."""
    back: str = ""
    """Points back: "time" to the window, "end" to its end, "after" to what follows it, "between" to its moments, "day"
    to its day, "occasion" to the thing that was spoken of last."""
    problem: str = ""
    """Why it fixes no moment: a question code."""
    loose: bool = False
    """The problem is none where the times are said as well: "(lunch)", "over Christmas"."""


@dataclass(frozen=True, slots=True)
class Span:
    """A resolved window."""

    start: dt.datetime | None = None
    end: dt.datetime | None = None
    occasion: int = 0
    problem: str = ""
    choices: tuple[str, ...] = ()

    def message(self) -> intent_pb2.Window | None:
        """As protobuf; None where it says nothing."""
        if self.start is None and self.end is None and not self.occasion:
            return None
        window = intent_pb2.Window(occasion=self.occasion)  # type: ignore[arg-type]
        if self.start is not None:
            window.start.FromDatetime(self.start.astimezone(dt.UTC))
        if self.end is not None:
            window.end.FromDatetime(self.end.astimezone(dt.UTC))
        return window


def said_pm(clock: Clock) -> bool:
    """In the second half of the day."""
    return clock.hour >= 13


def replace_sure(clock: Clock) -> Clock:
    """The same, no longer in doubt."""
    return replace(clock, sure=True)


def in_part(clock: Clock, part: str) -> Clock:
    """The clock time as meant in a part of the day."""
    if part in ("afternoon", "evening") and clock.hour < 12:
        return replace(clock, hour=clock.hour + 12, sure=True)
    if part == "night" and 6 <= clock.hour <= 12:
        return replace(clock, hour=clock.hour + 12, sure=True)
    return replace_sure(clock)


def nearest_before(clock: Clock, end: Clock) -> Clock:
    """A time of day in doubt, as meant before a sure one: "from nine until eleven in the evening"."""
    return _nearest(clock, lambda c: (end.minutes - c.minutes - 1) % 1440)


def nearest_after(start: Clock, clock: Clock) -> Clock:
    """A time of day in doubt, as meant after a sure one: "from 3 pm to 7"."""
    return _nearest(clock, lambda c: (c.minutes - start.minutes - 1) % 1440)


def _nearest(clock: Clock, away: Callable[[Clock], int]) -> Clock:
    other = replace(clock, hour=(clock.hour + 12) % 24, sure=True)
    return min(replace(clock, sure=True), other, key=away)


def combine(parts: Sequence[Part]) -> Part | None:
    """The parts of one clause as one; a later one wins where they overlap."""
    if any(p.start is not None and p.end is not None for p in parts):
        parts = [p for p in parts if not p.loose]
    if not parts:
        return None
    total = parts[0]
    for part in parts[1:]:
        clash = part.start is not None and total.start is not None and part.start != total.start
        clash = clash and bool(part.end) == bool(total.end)
        apart = [p.day for p in (total, part) if not (p.weak or p.until or p.open_end or p.from_now)]
        clash = clash or (None not in apart and len(set(apart)) == 2)
        total = Part(
            day=total.day if part.weak and total.day else part.day or total.day,
            part=part.part or total.part,
            days=max(part.days, total.days),
            start=part.start or total.start,
            end=part.end or total.end,
            start_day=part.start_day or total.start_day,
            end_day=part.end_day or total.end_day,
            open_end=part.open_end and total.open_end,
            until=part.until or total.until,
            inclusive=part.inclusive or total.inclusive,
            next_day=part.next_day or total.next_day,
            duration_s=part.duration_s if part.duration_s is not None else total.duration_s,
            delay_s=part.delay_s if part.delay_s is not None else total.delay_s,
            from_now=part.from_now or total.from_now,
            occasion=part.occasion or total.occasion,
            weak=part.weak and total.weak,
            back=part.back or total.back,
            problem=part.problem or total.problem or ("ambiguous_window" if clash else ""),
        )
    return total


def resolve(part: Part, now: dt.datetime) -> Span:
    """The window that `part` means at `now` (aware). A beginning that has passed is left out; an end that has is a problem."""
    if part.problem:
        return Span(problem=part.problem)
    start, end = _ends(part, _in_zone(part, now))
    if isinstance(start, Span):
        return start
    if end is not None and start is not None and end <= start:
        return Span(problem="window_empty")
    if end is not None and end <= now:
        tomorrow = [_stamp(m + dt.timedelta(days=1), now) for m in (start, end) if m is not None]
        return Span(problem="window_past", choices=(" to ".join(tomorrow),))
    if start is not None and start <= now:
        start = None
    return Span(start, end, part.occasion)


def _in_zone(part: Part, now: dt.datetime) -> dt.datetime:
    """Now, in the time zone that was said with a time of day. "CET" in summer is local time in a place that has both."""
    clock = next((c for c in (part.start, part.end) if c is not None and c.zone is not None), None)
    if clock is None or clock.zone is None:
        return now
    zone = dt.timedelta(minutes=clock.zone)
    local = {now.replace(month=month, day=1).utcoffset() for month in (1, 7)}
    if zone == now.utcoffset() or (zone in local and not clock.universal):
        return now
    return now.astimezone(dt.timezone(zone))


def _stamp(moment: dt.datetime, now: dt.datetime) -> str:
    return f"{moment.astimezone(now.tzinfo):%Y-%m-%d %H:%M}"


def _ends(part: Part, now: dt.datetime) -> tuple[dt.datetime | Span | None, dt.datetime | None]:
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    if part.start is not None or part.end is not None:
        first, second = part.start, part.end
        day = part.day if not part.until else None
        clocks = [c for c in (first, second) if c is not None]
        if part.part and day is not None:
            late = part.part == "night" and first is not None and second is not None and not second.sure
            first, second = (None if c is None else (in_part(c, part.part) if not c.sure else c) for c in (first, second))
            if late and first is not None and part.end is not None:
                second = nearest_after(first, part.end)
        elif any(not c.sure for c in clocks):
            doubt = _doubt(first, second, part, now)
            if doubt is not None:
                return doubt, None
            first, second = (None if c is None else replace_sure(c) for c in (first, second))
        if part.days > 1 and first is not None and second is not None and not (part.start_day or part.end_day):
            return Span(problem="unsupported_recurrence"), None
        base = part.start_day or day or now.date()
        night = part.part == "night" and day is not None
        if first is not None:
            start = _at(base, first, now)
            if night and first.hour < 12:
                start += dt.timedelta(days=1)
            if (
                part.start_day is None
                and day is None
                and second is None
                and start <= now
                and part.duration_s is None
                and not part.open_end
            ):
                start += dt.timedelta(days=1)
        if second is not None:
            end_base = part.end_day or (base if first is not None or day is not None else now.date())
            end = _at(end_base + dt.timedelta(days=1 if part.next_day and part.end_day is None else 0), second, now)
            if night and part.end_day is None and second.hour < 12 and first is None:
                end += dt.timedelta(days=1)
            while start is not None and part.end_day is None and end <= start:
                end += dt.timedelta(days=1)
            explicit = day is not None or part.start_day is not None or part.end_day is not None
            at_night = first is not None and second.hour <= 8 and first.hour <= 8
            if not explicit and start is not None and end <= now and (at_night or _soon(start, now)):
                # "from 02:00 to 04:00" said in the daytime is the coming night.
                start, end = (None if m is None else m + dt.timedelta(days=1) for m in (start, end))
            elif not explicit and first is None and end <= now and (second.minutes % 1440 == 0 or _coming(second, end, now)):
                end += dt.timedelta(days=1)
    elif part.day is not None:
        low, high = PARTS_OF_DAY.get(part.part, (0, 24 * part.days))
        begin = dt.datetime.combine(part.day, dt.time(), now.tzinfo)
        if part.until:
            end = begin + dt.timedelta(hours=high if part.inclusive else low)
        else:
            start, end = begin + dt.timedelta(hours=low), begin + dt.timedelta(hours=high)
        if part.open_end:
            end = None
    if part.delay_s is not None and start is None:
        start = now + dt.timedelta(seconds=part.delay_s)
    if part.duration_s is not None:
        if part.start is not None or part.delay_s is not None:
            end = (start or now) + dt.timedelta(seconds=part.duration_s)
            fixed = part.day is not None or part.start_day is not None or part.delay_s is not None
            if not fixed and part.start is not None and end <= now and (part.start.hour <= 8 or _soon(end, now)):
                start, end = (None if m is None else m + dt.timedelta(days=1) for m in (start, end))
        elif start is not None and end is None:
            end = start + dt.timedelta(seconds=part.duration_s)
        elif start is not None and part.day is not None and (part.part or part.day != now.date()):
            if part.duration_s % 86400:
                return Span(problem="ambiguous_window"), None
            end = start + dt.timedelta(seconds=part.duration_s)
        elif part.day is None or part.part == "":
            end = now + dt.timedelta(seconds=part.duration_s)
            start = None
    return start, end


def _coming(clock: Clock, moment: dt.datetime, now: dt.datetime) -> bool:
    """Whether the time of day is meant of the next day: "until 6 am", said at half past ten."""
    return _soon(moment, now) or (clock.half and clock.hour <= 7 and now - moment >= dt.timedelta(hours=3))


def _soon(moment: dt.datetime, now: dt.datetime) -> bool:
    """Whether the time of day of a past moment comes again within half a day."""
    return moment + dt.timedelta(days=1) - now <= dt.timedelta(hours=12)


def _at(day: dt.date, clock: Clock, now: dt.datetime) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), now.tzinfo) + dt.timedelta(minutes=clock.minutes)


def _doubt(first: Clock | None, second: Clock | None, part: Part, now: dt.datetime) -> Span | None:
    """A question where bare hours may be meant on a 12-hour clock."""
    clocks = [c for c in (first, second) if c is not None]
    if all(c.sure for c in clocks) or any(c.hour > 12 or c.hour == 0 for c in clocks):
        return None
    choices = []
    for shift in (0, 12):
        times = [f"{(c.hour + shift) % 24:02d}:{c.minute:02d}" for c in clocks]
        choices.append(" to ".join(times))
    return Span(problem="ambiguous_time", choices=tuple(choices))
