"""Window phrases among the chunks of a text, read into parts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from twm.api.intent.v1 import intent_pb2
from twm.gateway.intents.chunks import CLOCK, DATE, FILLER, NAME, QUANTITY, Chunk
from twm.gateway.intents.names import LINK
from twm.gateway.intents.quantities import Clock
from twm.gateway.intents.times import PARTS_OF_DAY, Part, in_part, replace_sure, said_pm
from twm.gateway.intents.units import COUNT, DURATION, SECONDS, Quantity

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HAPPENINGS = frozenset({"event", "demand", "maint"})
"""What has no moment that is known here."""
_COMING = "comes come came occurs occur happens happen hits hit is are on there starts arrives begins does sets in"
_COMES = frozenset(_COMING.split())
_OPEN = frozenset({"filler", "about", "of", "on", "pronoun", "usual"})


class WindowReader:
    """Finds window parts among chunks."""

    def __init__(self, now: dt.datetime) -> None:
        self._now = now

    def read(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """The chunks with window phrases replaced by chunks of tag "window" (value: Part)."""
        out: list[Chunk] = []
        i = 0
        if len(chunks) > 1 and chunks[0].tag in PARTS_OF_DAY and chunks[1].word in (",", "!", "all", "team", "everyone"):
            out, i = [Chunk("filler", chunks[0].start, chunks[0].end, None, chunks[0].word)], 1
        while i < len(chunks):
            found = self._part(chunks, i)
            if found is None:
                out.append(chunks[i])
                i += 1
            else:
                part, after = found
                out.append(Chunk("window", chunks[i].start, chunks[after - 1].end, part))
                i = after
        return out

    def _part(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        tag = chunks[i].tag
        reader = {
            "from": self._range,
            "between": self._range,
            "start": self._start,
            "until": self._until,
            "before": self._until,
            "after": self._after,
            "at": self._at,
            "for": self._for,
            "in": self._in,
            "on": self._day_after,
            "next": self._coming,
            "within": self._for,
            "during": self._during,
            "cond": self._if,
            "while": self._during,
            "provided": self._during,
            "all": self._all,
            "whole": self._rest,
            "throughout": self._today,
            "thattime": self._back,
            "rush": self._rush,
            "daily": self._daily,
            "last": self._for,
            "over": self._for,
            "week": self._week,
            "atmost": self._up_to,
            "by": self._by,
            CLOCK: self._clock,
            QUANTITY: self._hours,
            DATE: self._day,
        }.get(tag)
        if reader is not None:
            found = reader(chunks, i)
            if found is not None:
                return found
        return self._day(chunks, i)

    # --- moments -------------------------------------------------------------------------------------------------------

    def _skip(self, chunks: Sequence[Chunk], i: int, extra: Sequence[str] = ()) -> int:
        while i < len(chunks) and (chunks[i].tag in _OPEN or chunks[i].tag in extra) and chunks[i].word not in ("(", ")"):
            i += 1
        return i

    def _moment(self, chunks: Sequence[Chunk], i: int, *, bare: bool) -> tuple[dt.date | None, Clock, int] | None:
        """(day, clock, after) of "18:00", "tomorrow 6 am", "6 pm today", and with `bare` of "6"."""
        found = self._dated_moment(chunks, i, bare=bare)
        return None if found is None else found[:3]

    def _dated_moment(self, chunks: Sequence[Chunk], i: int, *, bare: bool) -> tuple[dt.date | None, Clock, int, str] | None:
        """As `_moment`, with the part of the day that was named after the clock time."""
        i = self._skip(chunks, i)
        day = self._date(chunks, i)
        j = i
        if day is not None and not day[1]:
            j = self._skip(chunks, day[2], ("at", "punct") if day[2] < len(chunks) and chunks[day[2]].word == "," else ("at",))
        clock = self._clock_at(chunks, j, bare=bare)
        if clock is None:
            return None
        found, after = clock
        if day is not None:
            return day[0], found, after, ""
        k = self._skip(chunks, after, ("at", "in"))
        later = self._date(chunks, k)
        if later is not None and k < len(chunks) and chunks[k].tag != "weekday":
            if later[1] and not found.sure:
                found = in_part(found, later[1])
            return later[0], found, later[2], later[1]
        return None, found, after, ""

    def _clock_at(self, chunks: Sequence[Chunk], i: int, *, bare: bool) -> tuple[Clock, int] | None:
        if i >= len(chunks):
            return None
        chunk = chunks[i]
        if chunk.tag == "dayend":
            return Clock(24, 0, True), i + 1
        if chunk.tag == CLOCK:
            return chunk.value, i + 1
        if bare and chunk.tag == QUANTITY:
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

    def _date(self, chunks: Sequence[Chunk], i: int) -> tuple[dt.date, str, int, int] | None:
        """(day, part of day, after, days) at `i`."""
        today = self._now.date()
        if i >= len(chunks):
            return None
        tag, word = chunks[i].tag, chunks[i].word
        nxt = chunks[i + 1].tag if i + 1 < len(chunks) else ""
        if tag == "today":
            return today, "", i + 1, 1
        if tag == "tonight":
            return self._night(), "night", i + 1, 1
        if tag == "yesterday":
            return today - dt.timedelta(days=1), "", i + 1, 1
        if tag == "tomorrow":
            day = today + dt.timedelta(days=1)
            return (day, nxt, i + 2, 1) if nxt in PARTS_OF_DAY else (day, "", i + 1, 1)
        if tag == "weekday":
            ahead = (_WEEKDAYS.index(word[:3]) - today.weekday()) % 7
            day = today + dt.timedelta(days=ahead)
            return (day, nxt, i + 2, 1) if nxt in PARTS_OF_DAY else (day, "", i + 1, 1)
        if tag == DATE:
            return chunks[i].value, "", i + 1, 1
        if tag in PARTS_OF_DAY:
            return today if tag != "night" else self._night(), tag, i + 1, 1
        if tag == "weekend":
            return (
                today + dt.timedelta(days=(5 - today.weekday()) % 7 if today.weekday() < 6 else 0),
                "",
                i + 1,
                2 if today.weekday() < 6 else 1,
            )
        return None

    def _night(self) -> dt.date:
        return self._now.date() if self._now.hour >= 6 else self._now.date() - dt.timedelta(days=1)

    # --- phrases -------------------------------------------------------------------------------------------------------

    def _day(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = self._skip(chunks, i) if chunks[i].tag in ("on", "pronoun") else i
        if j > i + 2 or (
            j > i
            and j < len(chunks)
            and chunks[j].tag not in ("morning", "afternoon", "evening", "night", "weekend", "weekday", DATE)
        ):
            return None
        found = self._date(chunks, j)
        if found is None:
            return None
        if chunks[j].word == "overnight" and j > 0 and chunks[j - 1].tag == FILLER and chunks[j - 1].word == "an":
            return None
        part = Part(day=found[0], part=found[1], days=found[3])
        nxt = found[2]
        if nxt < len(chunks) and chunks[nxt].tag in PARTS_OF_DAY and not part.part:
            part, nxt = replace(part, part=chunks[nxt].tag), nxt + 1
        if (
            nxt < len(chunks)
            and chunks[nxt].tag == CLOCK
            and not (nxt + 1 < len(chunks) and chunks[nxt + 1].word in ("-", "–", "to", "until"))
        ):
            return replace(part, start=chunks[nxt].value), nxt + 1
        return part, nxt

    def _day_after(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = self._skip(chunks, i + 1)
        if j < len(chunks) and chunks[j].tag in ("weekday", DATE, "weekend", "today", "tomorrow"):
            return self._day(chunks, j)
        return None

    def _clock(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        found = self._pair(chunks, i, bare=False)
        return found if found is not None else (Part(start=chunks[i].value), i + 1)

    def _pair(self, chunks: Sequence[Chunk], i: int, *, bare: bool) -> tuple[Part, int] | None:
        """ "20:00 to 22:00"; with `bare` also "8 to 10" and "10 to 12 am"."""
        first = self._moment(chunks, i, bare=True)
        if first is None:
            return None
        j = self._skip(chunks, first[2])
        if j >= len(chunks) or not (chunks[j].tag in ("to", "until", "and") or chunks[j].word in ("-", "–", "—")):
            return None
        if chunks[j].tag == "and" and not bare:
            return None
        second = self._dated_moment(chunks, j + 1, bare=True)
        if second is None:
            return None
        start, end = first[1], second[1]
        if not bare and not (start.sure or end.sure):
            return None
        after = second[2]
        said = any(c.tag == CLOCK for c in chunks[j + 1 : after])
        if end.sure and not start.sure and said and end.minutes > 720 and start.hour < 12:
            later = Clock(start.hour + 12, start.minute, True)
            start = later if later.minutes < end.minutes and end.hour != 24 and said_pm(end) else replace_sure(start)
        elif end.sure and not start.sure:
            start = replace_sure(start)
        elif start.sure and not end.sure:
            end = replace_sure(end)
        if first[0] is None and second[0] is not None and second[3] == "night":
            return Part(start=start, end=end, day=second[0], part="night"), after
        if first[0] is None and second[0] is not None:
            # "from 01:00 to 05:00 tomorrow": the day is said once, of both ends; over midnight it is the end's.
            turned = second[0] - dt.timedelta(days=1 if start.minutes >= end.minutes else 0)
            return Part(start=start, end=end, start_day=max(turned, self._now.date()), end_day=second[0]), after
        return Part(start=start, end=end, start_day=first[0], end_day=second[0]), after

    def _range(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = self._skip(chunks, i + 1)
        if j < len(chunks) and chunks[j].tag == "now":
            k = self._skip(chunks, j + 1)
            if k < len(chunks) and chunks[k].tag in ("until", "to"):
                found = self._until(chunks, k)
                if found is not None:
                    return found
            return Part(from_now=True), k + 1 if k < len(chunks) and chunks[k].tag == "on" else j + 1
        found = self._pair(chunks, j, bare=True)
        if found is not None:
            return found
        if chunks[i].tag == "between":
            return None
        return self._start(chunks, i)

    def _start(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = self._skip(chunks, i + 1, ("at", "from", "in", "with"))
        if (
            j < len(chunks)
            and chunks[j].tag == QUANTITY
            and chunks[j].value.dim in (DURATION, SECONDS)
            and (chunks[i].tag == "after" or (chunks[i].tag == "start" and chunks[j - 1].tag == "in"))
        ):
            return Part(delay_s=chunks[j].value.value), j + 1
        pair = self._pair(chunks, j, bare=False)
        if pair is not None:
            return pair
        found = self._moment(chunks, j, bare=False)
        if found is None:
            day = self._date(chunks, j)
            if day is None:
                return None
            after = day[2] + 1 if day[2] < len(chunks) and chunks[day[2]].tag == "on" else day[2]
            return Part(day=day[0], part=day[1], open_end=True), after
        after = found[2]
        if after < len(chunks) and (chunks[after].tag == "on" or chunks[after].word in ("onwards", "onward")):
            after += 1
        return Part(start=found[1], start_day=found[0], open_end=True), after

    def _after(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        found = self._start(chunks, i)
        j = self._skip(chunks, i + 1)
        if found is None and chunks[i].word == "after" and j < len(chunks) and chunks[j].tag in (*_HAPPENINGS, "unknown"):
            return Part(problem="ambiguous_window"), i + 1
        return found

    def _at(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = self._skip(chunks, i + 1)
        if j < len(chunks) and chunks[j].tag in ("night", "weekend"):
            return self._day(chunks, j)
        pair = self._pair(chunks, j, bare=False)
        if pair is not None:
            return pair
        found = self._moment(chunks, j, bare=False)
        return None if found is None else (Part(start=found[1], start_day=found[0]), found[2])

    def _until(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = self._skip(chunks, i + 1, ("at",))
        told = self._dated_moment(chunks, j, bare=True)
        if told is not None and told[3] in ("morning", "afternoon", "evening") and told[0] == self._now.date():
            sure = in_part(told[1], told[3])
            return Part(end=sure, from_now=True), told[2]
        found = None if told is None else told[:3]
        if found is not None and (found[1].sure or chunks[i].tag == "until" or found[0] is not None):
            return Part(end=found[1], end_day=found[0], from_now=True), found[2]
        day = self._date(chunks, j)
        if day is not None:
            k = self._skip(chunks, day[2])
            if k < len(chunks) and chunks[k].tag == CLOCK:
                return Part(end=chunks[k].value, end_day=day[0], from_now=True), k + 1
            return Part(day=day[0], part=day[1], until=True, from_now=True), day[2]
        if j < len(chunks) and chunks[i].tag == "until" and chunks[j].tag in ("demand", "event", "maint"):
            return Part(occasion=_occasion(chunks[j].tag)), j + 1
        if chunks[i].tag == "until" or (j < len(chunks) and chunks[j].tag in _HAPPENINGS):
            return Part(problem="ambiguous_window"), i + 1
        return None

    def _up_to(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        if chunks[i].word == "up to" and i + 1 < len(chunks) and chunks[i + 1].tag == CLOCK:
            return Part(end=chunks[i + 1].value, from_now=True), i + 2
        return None

    def _by(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        found = self._moment(chunks, i + 1, bare=False)
        return None if found is None else (Part(problem="ambiguous_window"), found[2])

    def _coming(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        """ "next week": Monday to Sunday. "the next week" may be seven days, "next Friday" not this week's: both are asked."""
        j = i + 1
        today = self._now.date()
        said_the = i > 0 and chunks[i - 1].word in ("the", "for", "over", "within", "in")
        if chunks[i].word == "next" and j < len(chunks):
            if chunks[j].word == "week" and not said_the:
                return Part(day=today + dt.timedelta(days=7 - today.weekday()), days=7), j + 1
            if chunks[j].tag == "weekday" and _WEEKDAYS.index(chunks[j].word[:3]) > today.weekday():
                return Part(problem="ambiguous_window"), j + 1
        return self._for(chunks, i)

    def _for(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = self._skip(chunks, i + 1, ("next", "in", "all", "whole", "at", "for", "within"))
        if j < len(chunks) and chunks[j].tag == "atleast" and j + 1 < len(chunks):
            j += 1
        if j >= len(chunks):
            return None
        if chunks[j].tag == QUANTITY and chunks[j].value.dim in (DURATION, SECONDS):
            if chunks[j].value.dim == SECONDS and chunks[i].tag not in ("for", "next"):
                return None
            return Part(duration_s=chunks[j].value.value), j + 1
        if chunks[j].tag == "filler" and chunks[j].word in ("hour", "day"):
            return None
        if chunks[i].tag in ("for", "over"):
            if chunks[j].tag == "week":
                return Part(problem="ambiguous_window"), j + 1
            day = self._date(chunks, j)
            if day is not None:
                return Part(day=day[0], part=day[1], days=day[3]), day[2]
            if chunks[j - 1].tag in ("next", "whole") or (j + 1 < len(chunks) and chunks[j].word in ("rest",)):
                return self._rest(chunks, j - 1)
        if chunks[i].tag == "next" and j == i + 1 and chunks[j].word in ("hour", "day"):
            return Part(duration_s=3600.0 if chunks[j].word == "hour" else 86400.0), j + 1
        return None

    def _rest(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = i + 1
        while j < len(chunks) and chunks[j].tag in (*_OPEN, "whole", "all") and chunks[j].word not in ("day", "week"):
            j += 1
        if j < len(chunks) and (chunks[j].word == "day" or chunks[j].tag == "today" or chunks[j].tag in PARTS_OF_DAY):
            if chunks[j].tag in PARTS_OF_DAY:
                return Part(day=self._now.date(), part=chunks[j].tag), j + 1
            if chunks[j + 1 : j + 2] and chunks[j + 1].tag == "tomorrow":
                return Part(day=self._now.date() + dt.timedelta(days=1)), j + 2
            return Part(day=self._now.date(), weak=True), j + 1
        if j < len(chunks) and chunks[j].tag in ("tomorrow", "weekday", "weekend") and chunks[i].tag == "whole":
            return self._day(chunks, j)
        if j < len(chunks) and chunks[j].tag == "week":
            return Part(problem="ambiguous_window"), j + 1
        return None

    def _all(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = i + 1
        while j < len(chunks) and chunks[j].word in ("the", "of", "other"):
            j += 1
        if j >= len(chunks):
            return None
        tag, word = chunks[j].tag, chunks[j].word
        if chunks[i].word in ("every", "each") and (
            tag in PARTS_OF_DAY or tag in ("weekday", "weekend", "week") or word in ("day", "hour", "minute")
        ):
            return Part(problem="unsupported_recurrence"), j + 1
        if word == "day" or tag in PARTS_OF_DAY or tag in ("today", "tomorrow", "week", "weekend"):
            return self._rest(chunks, j - 1) if tag not in ("tomorrow", "weekend") else self._day(chunks, j)
        return None

    def _today(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = i + 1
        found = self._date(chunks, j)
        if found is not None and chunks[j].tag in ("today", "tomorrow", "weekday"):
            return Part(day=found[0]), found[2]
        return Part(day=self._now.date(), weak=True), i + 1

    def _week(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        return Part(problem="unsupported_recurrence" if chunks[i].word.endswith("ly") else "ambiguous_window"), i + 1

    def _daily(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        return Part(problem="unsupported_recurrence"), i + 1

    def _rush(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        return Part(problem="ambiguous_window"), i + 1

    def _back(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        return Part(back="time"), i + 1

    def _in(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = self._skip(chunks, i + 1)
        if j < len(chunks) and chunks[j].tag in ("morning", "afternoon", "evening", "night", "weekend"):
            return self._day(chunks, j)
        if j < len(chunks) and chunks[j].word in ("period", "window", "hours", "time") and j + 1 < len(chunks):
            return self._pair(chunks, j + 1, bare=False)
        if j < len(chunks) and chunks[j].tag == QUANTITY and chunks[j].value.dim == DURATION:
            return Part(delay_s=chunks[j].value.value), j + 1
        if j < len(chunks) and chunks[j].tag == "next":
            return self._for(chunks, i)
        return None

    def _hours(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        """ "10-12 pm": a pair without a preposition counts where one of its ends is a clock time."""
        return self._pair(chunks, i, bare=False)

    def _if(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        """ "if the surge comes", "in case of a surge", "as soon as the event begins": the occasion itself is the condition."""
        if chunks[i].word in ("unless", "except when", "except if", "except where", "depending on"):
            return None
        j = self._skip(chunks, i + 1, ("there", "all"))
        surge = j < len(chunks) and chunks[j].tag == "demand" and chunks[j].word in ("surge", "surges", "peak", "peaks")
        if not surge and not (j < len(chunks) and (chunks[j].tag == "event" or chunks[j].word in ("maintenance", "maint"))):
            return None
        after = j + 1
        while after < len(chunks) and (chunks[after].tag in ("start", "last") or chunks[after].word in _COMES):
            after += 1
        rest = chunks[after] if after < len(chunks) else None
        if rest is not None and rest.tag in ("reach", "above", "over", "at", "in", "of", "to", "below", "down", QUANTITY):
            return None
        return Part(occasion=_occasion(chunks[j].tag)), after

    def _during(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        tag = chunks[i].tag
        if chunks[i].word in ("meanwhile", "in the meantime", "in the mean time", "at that time", "meantime"):
            return Part(back="occasion"), i + 1
        j, passed = i + 1, 0
        while j < len(chunks) and passed < 5:
            found = chunks[j].tag
            if found in ("demand", "event", "maint", "down", "fail"):
                if found == "event" and tag == "during" and chunks[j].word not in ("event", "events"):
                    return Part(occasion=intent_pb2.OCCASION_EVENT), j + 1
                if found in ("down", "fail") and tag not in ("while", "during", "provided"):
                    return None
                after = j + 1
                if found == "demand" and chunks[j].word not in ("surge", "surges", "peak", "peaks") and tag != "during":
                    return None
                if tag != "during":
                    while after < len(chunks) and (
                        chunks[after].tag in ("last", "pronoun", "filler", "on") or chunks[after].word == "going on"
                    ):
                        after += 1
                if found in ("down", "fail", "maint") and _names_between(chunks, i, j) and tag == "while":
                    return None
                if after + 1 < len(chunks) and chunks[after].tag == "of" and _is_link(chunks[after + 1]):
                    after += 2
                return Part(occasion=_occasion(found)), after
            if found == NAME and chunks[j].value[0].kind == LINK:
                passed += 1
                j += 1
                continue
            if found not in _OPEN and found not in ("pronoun", "to", NAME, "linknoun", "hold", "usual", "unknown"):
                break
            if found == "unknown" and tag != "during":
                break
            j, passed = j + 1, passed + 1
        if tag == "during":
            k = self._skip(chunks, i + 1)
            if k < len(chunks):
                return self._day(chunks, k) or self._rest(chunks, k - 1)
        if tag == "while" and chunks[i].word == "when":
            return None
        return None


def _names_between(chunks: Sequence[Chunk], i: int, j: int) -> bool:
    return any(c.tag == NAME and c.value[0].kind == LINK for c in chunks[i:j])


def _occasion(tag: str) -> int:
    return {
        "demand": intent_pb2.OCCASION_SURGE,
        "event": intent_pb2.OCCASION_EVENT,
    }.get(tag, intent_pb2.OCCASION_MAINTENANCE)


def _is_link(chunk: Chunk) -> bool:
    return bool(chunk.tag == NAME and chunk.value[0].kind == LINK)
