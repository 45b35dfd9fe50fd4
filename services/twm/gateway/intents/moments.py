"""Moments and pairs of moments among the chunks of a text: "tomorrow 6 am", "from nine in the morning till noon"."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from twm.gateway.intents.chunks import CLOCK, DATE, DATES, QUANTITY, Chunk
from twm.gateway.intents.clocks import Clock
from twm.gateway.intents.dates import AMBIGUOUS
from twm.gateway.intents.times import PARTS_OF_DAY, Part, in_part, nearest_after, nearest_before, replace_sure, said_pm
from twm.gateway.intents.units import COUNT, DURATION, Quantity

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST_SPAN = 366
"""Days."""
_LONGEST_GAP = 480
"""Minutes: a span over midnight on one day that is said, but for so much a whole day, was hardly meant."""
OPEN = frozenset({"filler", "about", "of", "on", "pronoun", "usual"})
_JOINTS = frozenset({"-", "–", "—", "→", "->", "=>", "..", "...", "…", "through", "thru", "up to", "throughout"})
_SPANNED = frozenset({"weekday", DATE, "today", "tomorrow", "overmorrow"})


@dataclass(frozen=True, slots=True)
class Day:
    """A day that was named, or several."""

    date: dt.date
    part: str
    after: int
    """Position after it."""
    days: int = 1
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of day, with the day or the part of the day that was said with it."""

    day: dt.date | None
    clock: Clock
    after: int
    part: str = ""
    said: bool = False
    """The part of the day was said of this moment."""
    next_day: bool = False
    """Said to be on the day after."""


def skip(chunks: Sequence[Chunk], i: int, extra: Sequence[str] = ()) -> int:
    """Position of the first chunk from `i` on that means something."""
    while i < len(chunks) and (chunks[i].tag in OPEN or chunks[i].tag in extra) and chunks[i].word not in ("(", ")", "through"):
        i += 1
    return i


def joins(chunk: Chunk) -> bool:
    """Whether it stands between the ends of a span."""
    return chunk.tag in ("to", "until") or chunk.word in _JOINTS


class MomentReader:
    """Reads days, moments and pairs of them."""

    def __init__(self, now: dt.datetime) -> None:
        self._now = now

    def night(self) -> dt.date:
        """The day on which the present or coming night begins."""
        return self._now.date() if self._now.hour >= 5 else self._now.date() - dt.timedelta(days=1)

    def moment(self, chunks: Sequence[Chunk], i: int, *, bare: bool) -> Moment | None:
        """ "18:00", "tomorrow 6 am", "6 pm today", "nine in the evening", and with `bare` "6"."""
        i = skip(chunks, i)
        day = self.day(chunks, i)
        j = i
        if day is not None:
            if day.problem or day.days > 1:
                return None
            comma = day.after < len(chunks) and chunks[day.after].word in (",", "@")
            j = skip(chunks, day.after, ("at", "punct") if comma else ("at",))
        clock = self._clock_at(chunks, j, bare=bare)
        if clock is None:
            return None
        found, after = clock
        part, date = day.part if day is not None else "", day.date if day is not None else None
        k = skip(chunks, after, ("at", "in"))
        later = self.day(chunks, k) if not part and _next_day(chunks, k) == k else None
        if later is not None and not later.problem and later.days == 1 and k < len(chunks):
            said = {c.word for c in chunks[after:k]}
            of_clock = chunks[k].tag in PARTS_OF_DAY and "this" not in said
            if of_clock and (k > after or not found.sure):
                part, after = later.part, later.after
            elif date is None and (chunks[k].tag != "weekday" or k == after or "on" in said):
                date, part, after = later.date, later.part, later.after
        following = _next_day(chunks, k)
        if following > k:
            part = chunks[following - 1].tag if chunks[following - 1].tag in PARTS_OF_DAY else ""
            after = following
            clock_sure = in_part(found, part) if part and not found.sure else found
            return Moment(date, clock_sure, after, part, said=bool(part), next_day=date is None)
        if part and not found.sure:
            if part == "night" and date is not None and (found.hour < 6 or found.hour == 12):
                date += dt.timedelta(days=1)
            return Moment(date, in_part(found, part), after, part, said=True)
        return Moment(date, found, after, part)

    def _clock_at(self, chunks: Sequence[Chunk], i: int, *, bare: bool) -> tuple[Clock, int] | None:
        if i >= len(chunks):
            return None
        chunk = chunks[i]
        if chunk.tag == "dayend":
            return Clock(24, 0, True), i + 1
        if chunk.tag == CLOCK:
            return chunk.value, i + 1
        if bare and chunk.tag == QUANTITY and not (i and chunks[i - 1].word in ("of", "weight", "priority", "factor")):
            quantity: Quantity = chunk.value
            if (
                quantity.dim == COUNT
                and quantity.value == int(quantity.value)
                and 0 <= quantity.value <= 24
                and not quantity.signed
            ):
                return Clock(int(quantity.value), 0, quantity.value > 12 or quantity.value == 0), i + 1
            if quantity.dim == DURATION and quantity.value % 3600 == 0 and 3600 <= quantity.value <= 86400:
                return Clock(int(quantity.value // 3600), 0, True), i + 1
        return None

    def day(self, chunks: Sequence[Chunk], i: int) -> Day | None:
        """The day at `i`."""
        today = self._now.date()
        if i >= len(chunks):
            return None
        tag, word = chunks[i].tag, chunks[i].word
        if tag == "today":
            return self._in_part(chunks, today, i + 1)
        if tag == "tonight":
            return Day(self.night(), "night", i + 1)
        if tag == "yesterday":
            return Day(today - dt.timedelta(days=1), "", i + 1)
        if tag == "tomorrow":
            return self._in_part(chunks, today + dt.timedelta(days=1), i + 1)
        if tag == "overmorrow":
            return self._in_part(chunks, today + dt.timedelta(days=2), i + 1)
        if tag in ("monthend", "yearend"):
            month = 12 if tag == "yearend" else today.month
            last = (today.replace(month=month, day=28) + dt.timedelta(days=4)).replace(day=1)
            return Day(last, "", i + 1)
        if tag == "monthname":
            return self._month(chunks, i)
        if tag == "weekday":
            j = skip(chunks, i + 1, ("punct",))
            dated = j < len(chunks) and chunks[j].tag == DATE
            if dated and all(c.word in (",", "the") for c in chunks[i + 1 : j]):
                return self.day(chunks, j)
            ahead = (WEEKDAYS.index(word[:3]) - today.weekday()) % 7
            k = skip(chunks, i + 1, ("in",))
            if k + 1 < len(chunks) and chunks[k].word == "next" and chunks[k + 1].word == "week":
                ahead = 7 - today.weekday() + WEEKDAYS.index(word[:3])
                return self._in_part(chunks, today + dt.timedelta(days=ahead), k + 2)
            return self._in_part(chunks, today + dt.timedelta(days=ahead), i + 1)
        if tag == DATE:
            if chunks[i].value == AMBIGUOUS:
                return Day(today, "", i + 1, problem="ambiguous_window")
            return self._in_part(chunks, chunks[i].value, i + 1)
        if tag == DATES:
            first, last = chunks[i].value
            return Day(first, "", i + 1, (last - first).days + 1)
        if tag in PARTS_OF_DAY:
            return self._named_night(chunks, i) or Day(today if tag != "night" else self.night(), tag, i + 1)
        if tag == "weekend":
            ahead = (5 - today.weekday()) % 7 if today.weekday() < 6 else 0
            return Day(today + dt.timedelta(days=ahead), "", i + 1, 2 if today.weekday() < 6 else 1)
        return None

    def _month(self, chunks: Sequence[Chunk], i: int) -> Day | None:
        """ "in December": the whole month, the present or the next of that name."""
        today, before = self._now.date(), chunks[i - 1].tag if i else ""
        if before not in (
            "in",
            "until",
            "from",
            "during",
            "throughout",
            "next",
            "all",
            "pronoun",
            "over",
            "before",
            "whole",
            "on",
        ):
            return None
        month = MONTHS.index(chunks[i].word[:3]) + 1
        first = dt.date(today.year + (month < today.month), month, 1)
        return Day(first, "", i + 1, ((first + dt.timedelta(days=32)).replace(day=1) - first).days)

    def _in_part(self, chunks: Sequence[Chunk], date: dt.date, i: int) -> Day:
        """With the part of the day that follows: "tomorrow morning", "Friday in the evening"."""
        j = i
        if j < len(chunks) and chunks[j].tag in ("in", "at"):
            j = skip(chunks, j + 1)
        if j < len(chunks) and chunks[j].tag in PARTS_OF_DAY and (j == i or chunks[j].word != "overnight"):
            return Day(date, chunks[j].tag, j + 1)
        return Day(date, "", i)

    def _named_night(self, chunks: Sequence[Chunk], i: int) -> Day | None:
        """ "the night of Friday", "the night from Friday to Saturday"."""
        if chunks[i].tag != "night" or i + 2 >= len(chunks) or chunks[i + 1].tag not in ("of", "from"):
            return None
        if chunks[i + 2].tag not in _SPANNED:
            return None
        found = self.day(chunks, i + 2)
        if found is None or found.part:
            return None
        second = self.day(chunks, found.after + 1) if found.after + 1 < len(chunks) and joins(chunks[found.after]) else None
        follows = second is not None and second.date == found.date + dt.timedelta(days=1) and not second.part
        return Day(found.date, "night", second.after if second is not None and follows else found.after)

    def span(self, chunks: Sequence[Chunk], first: Day) -> Day:
        """ "Saturday and Sunday", "Monday to Wednesday": days in a row are one span, days apart a question."""
        i = first.after
        if first.part or first.days > 1 or first.problem or i >= len(chunks):
            return first
        joint = chunks[i]
        either = joint.tag in ("and", "or") or joint.word in ("/", "or", "&", "+", ",")
        j = skip(chunks, i + 1)
        if not (either or joins(joint)) or j >= len(chunks) or chunks[j].tag not in _SPANNED:
            return first
        second = self.day(chunks, j)
        if second is None or second.part or _clock_follows(chunks, second.after, joins(joint)):
            return first
        ahead = (second.date - first.date).days
        if ahead < 0 and chunks[j].tag == "weekday":
            ahead += 7
        if joint.word == "," and ahead != 0:
            return first
        days = ahead + 1
        clear = 1 < days <= _LONGEST_SPAN and (joins(joint) or (ahead == 1 and joint.tag != "or"))
        return Day(first.date, "", second.after, days, "" if clear else "ambiguous_window")

    def pair(self, chunks: Sequence[Chunk], i: int, *, bare: bool) -> tuple[Part, int] | None:
        """ "20:00 to 22:00", "nine in the morning till noon"; with `bare` also "8 to 10" and "10 to 12 am"."""
        first = self.moment(chunks, i, bare=True)
        if first is None:
            return None
        j = skip(chunks, first.after)
        if j >= len(chunks) or not (joins(chunks[j]) or (chunks[j].tag == "and" and bare)):
            return None
        second = self.moment(chunks, j + 1, bare=True)
        if second is None:
            return None
        start, end = first.clock, second.clock
        if not bare and not (start.sure or end.sure):
            return None
        after = second.after
        said = any(c.tag == CLOCK for c in chunks[j + 1 : after])
        if second.next_day and first.day is not None:
            second = replace(second, day=first.day + dt.timedelta(days=1), next_day=False)
        at_night = first.part == "night" and not (start.sure and end.sure)
        if start.minutes == 720 and start.sure and not end.sure:
            end = nearest_after(start, end)
        if end.sure and not start.sure:
            plain = said and said_pm(end) and start.hour < 12
            start = nearest_before(start, end) if second.said or end.half or plain else replace_sure(start)
        elif start.sure and not end.sure:
            end = nearest_after(start, end) if first.said or start.half else replace_sure(end)
        if start.zone is None and end.zone is not None:
            start = replace(start, zone=end.zone, universal=end.universal)
        if first.day is None and second.day is not None and second.part == "night":
            return Part(start=start, end=end, day=self.night() if second.said else second.day, part="night"), after
        if at_night:
            end = nearest_after(start, second.clock)
        if first.day is None and second.day is not None:
            # "from 01:00 to 05:00 tomorrow": the day is said once, of both ends; over midnight it is the end's.
            if (start.minutes - end.minutes) % 1440 < _LONGEST_GAP and start.minutes >= end.minutes:
                return Part(problem="ambiguous_window"), after  # "between 18:00 and 16:00 on Friday"
            turned = second.day - dt.timedelta(days=1 if start.minutes >= end.minutes else 0)
            return Part(start=start, end=end, start_day=max(turned, self._now.date()), end_day=second.day), after
        return Part(start=start, end=end, start_day=first.day, end_day=second.day, next_day=second.next_day), after


def _next_day(chunks: Sequence[Chunk], k: int) -> int:
    """Position after "the next morning", "the following day", "(+1)" behind a time of day; `k` where it is not said."""
    words = [c.word for c in chunks[k : k + 3]]
    if words[:1] == ["the"]:
        return _next_day(chunks, k + 1) if _next_day(chunks, k + 1) > k + 1 else k
    if len(words) > 1 and words[0] in ("next", "following") and (words[1] == "day" or chunks[k + 1].tag in PARTS_OF_DAY):
        return k + 2
    return k


def _clock_follows(chunks: Sequence[Chunk], i: int, joined: bool) -> bool:
    j = skip(chunks, i, ("at",))
    return joined and j < len(chunks) and chunks[j].tag == CLOCK
