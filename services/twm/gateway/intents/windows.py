"""Window phrases among the chunks of a text, read into parts."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import CLOCK, DATE, DATES, FILLER, NAME, QUANTITY, Chunk
from twm.gateway.intents.clocks import Clock
from twm.gateway.intents.happenings import ends_there, happening, has_happened, of_a_noun
from twm.gateway.intents.moments import OPEN, WEEKDAYS, Moment, MomentReader, joins, skip
from twm.gateway.intents.occasions import conditional, during, occasion
from twm.gateway.intents.times import PARTS_OF_DAY, Part
from twm.gateway.intents.units import COUNT, DURATION, FRACTION, SECONDS

_HAPPENINGS = frozenset({"event", "demand", "maint"})
"""What has no moment that is known here."""
_BEFORE_HOLIDAYS = frozenset(
    {"over", "on", "until", "at", "during", "for", "in", "before", "after", "by", "next", "throughout"}
)
_FIGURE_OF = frozenset({"of", "with", "important", "priority", "prio", "to", "atmost", "atleast", "below", "above"})
"""Before a bare figure that is no hour: "a weight of 3 until Friday"."""
_OF_TODAY = frozenset({"this", "today", "today's", "tonight", "overnight", "coming"})
_MEALS = frozenset({"lunch", "lunchtime", "breakfast", "dinnertime", "rush"})
_DAYS = frozenset({"morning", "afternoon", "evening", "night", "weekend", "weekday", DATE, DATES})


class WindowReader(MomentReader):
    """Finds window parts among chunks."""

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
            "cond": conditional,
            "while": self._during,
            "provided": self._during,
            "all": self._all,
            "whole": self._rest,
            "throughout": self._today,
            "thattime": self._back,
            "afterthat": self._back,
            "thatday": self._back,
            "rush": self._rush,
            "holiday": self._holiday,
            "throughput": self._thru,
            "daily": self._daily,
            "last": self._for,
            "over": self._for,
            "week": self._week,
            "atmost": self._up_to,
            "by": self._by,
            CLOCK: self._clock,
            QUANTITY: self._hours,
            DATE: self._day,
            DATES: self._day,
        }.get(tag)
        if chunks[i].word == "through":
            reader = self._thru
        if reader is not None:
            found = reader(chunks, i)
            if found is not None:
                return found
        return self._day(chunks, i)

    # --- phrases -------------------------------------------------------------------------------------------------------

    def _day(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = skip(chunks, i) if chunks[i].tag in ("on", "pronoun") else i
        if of_a_noun(chunks, j):
            return None
        if j > i + 2 or (j > i and j < len(chunks) and chunks[j].tag not in _DAYS):
            return None
        found = self.day(chunks, j)
        if found is None:
            return None
        if chunks[j].word == "overnight" and j > 0 and chunks[j - 1].tag == FILLER and chunks[j - 1].word == "an":
            return None
        found = self.span(chunks, found)
        if found.problem:
            return Part(problem=found.problem), found.after
        if found.part and found.after < len(chunks) and chunks[found.after].tag == "at":
            at = self.moment(chunks, j, bare=True)
            if at is not None and at.said:
                return Part(start=at.clock, start_day=at.day), at.after
        bare = chunks[j].tag in PARTS_OF_DAY and found.date == self._now.date() and chunks[j].word not in _OF_TODAY
        bare = bare and (j == 0 or chunks[j - 1].word not in _OF_TODAY)
        part = Part(day=found.date, part=found.part, days=found.days, weak=bare)
        nxt = found.after
        if nxt < len(chunks) and chunks[nxt].tag in PARTS_OF_DAY and not part.part and found.days == 1:
            part, nxt = replace(part, part=chunks[nxt].tag), nxt + 1
        clocked = nxt < len(chunks) and chunks[nxt].tag == CLOCK and found.days == 1
        pair = self.pair(chunks, j, bare=False) if clocked else None
        if pair is not None and pair[0].end_day is not None:
            return pair
        if clocked and not (nxt + 1 < len(chunks) and joins(chunks[nxt + 1])):
            moment = self.moment(chunks, j, bare=False)
            if moment is not None and moment.after > nxt and moment.day == found.date and moment.said:
                return Part(start=moment.clock, start_day=moment.day), moment.after
            return replace(part, start=chunks[nxt].value), nxt + 1
        return part, nxt

    def _day_after(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = skip(chunks, i + 1)
        if j < len(chunks) and chunks[j].tag in ("weekday", DATE, DATES, "weekend", "today", "tomorrow"):
            return self._day(chunks, j)
        return None

    def _clock(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        found = self.pair(chunks, i, bare=False)
        return found if found is not None else (Part(start=chunks[i].value), i + 1)

    def _range(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = skip(chunks, i + 1)
        if j < len(chunks) and chunks[j].tag == "now":
            k = skip(chunks, j + 1)
            if k < len(chunks) and chunks[k].tag in ("until", "to"):
                found = self._until(chunks, k)
                if found is not None:
                    return found
            return Part(from_now=True), k + 1 if k < len(chunks) and chunks[k].tag == "on" else j + 1
        found = self.pair(chunks, j, bare=True) or self._mixed(chunks, j)
        if found is not None:
            return found
        if chunks[i].tag == "between":
            return None
        return self._start(chunks, i)

    def _mixed(self, chunks: Sequence[Chunk], j: int) -> tuple[Part, int] | None:
        """ "from Friday evening until Monday 06:00", "from Friday 20:00 until Monday morning"."""
        ends: list[Moment] = []
        for _ in range(2):
            moment = self.moment(chunks, j, bare=bool(ends))
            if moment is None:
                day = self.day(chunks, skip(chunks, j))
                if day is None or day.days > 1 or day.problem or not (day.part or ends):
                    return None
                hour = PARTS_OF_DAY.get(day.part, (0, 24))[0]
                moment = Moment(day.date, Clock(hour, 0, True), day.after, day.part)
            ends.append(moment)
            j = skip(chunks, moment.after)
            if len(ends) < 2 and (j >= len(chunks) or not joins(chunks[j])):
                return None
            j += 1
        first, last = ends
        return Part(start=first.clock, end=last.clock, start_day=first.day, end_day=last.day), last.after

    def _start(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = skip(chunks, i + 1, ("at", "from", "in", "with"))
        if (
            j < len(chunks)
            and chunks[j].tag == QUANTITY
            and chunks[j].value.dim in (DURATION, SECONDS)
            and (chunks[i].tag == "after" or (chunks[i].tag == "start" and chunks[j - 1].tag == "in"))
        ):
            return Part(delay_s=chunks[j].value.value), j + 1
        pair = self.pair(chunks, j, bare=False)
        if pair is not None:
            return pair
        at = any(c.tag == "at" for c in chunks[i + 1 : j])
        found = self.moment(chunks, j, bare=chunks[i].tag == "start" and at)
        if found is None:
            bare = self.moment(chunks, j, bare=True) if chunks[j - 1 : j] and chunks[j - 1].tag == "at" else None
            if bare is not None and ends_there(chunks, bare.after):
                return Part(start=bare.clock, start_day=bare.day, open_end=True), bare.after
            return self._days_from(chunks, j)
        after = found.after
        if after < len(chunks) and (chunks[after].tag == "on" or chunks[after].word in ("onwards", "onward")):
            after += 1
        return Part(start=found.clock, start_day=found.day, open_end=True), after

    def _days_from(self, chunks: Sequence[Chunk], j: int) -> tuple[Part, int] | None:
        """ "from Friday on", "from Friday to Sunday"."""
        day = self.day(chunks, j)
        if day is None:
            return None
        day = self.span(chunks, day)
        if day.problem or day.days > 1:
            return Part(day=day.date, days=day.days, problem=day.problem), day.after
        after = day.after + 1 if day.after < len(chunks) and chunks[day.after].tag == "on" else day.after
        after += after < len(chunks) and chunks[after].word in ("onwards", "onward")
        return Part(day=day.date, part=day.part, open_end=True), after

    def _after(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        found = self._start(chunks, i)
        j = skip(chunks, i + 1)
        if found is None and chunks[i].word == "after" and j < len(chunks) and chunks[j].tag in (*_HAPPENINGS, "unknown"):
            return Part(problem="ambiguous_window", loose=True), i + 1
        if found is not None and chunks[i].word == "since":
            k = found[1]
            k += k < len(chunks) and chunks[k].tag in ("today", "morning", "weekday", "night")
            return Part(from_now=True), k  # it has begun
        return found

    def _at(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = skip(chunks, i + 1)
        if j < len(chunks) and chunks[j].tag in ("night", "weekend"):
            return self._day(chunks, j)
        pair = self.pair(chunks, j, bare=False)
        if pair is not None:
            return pair
        found = self.moment(chunks, j, bare=False)
        if found is not None and found.clock.sure and found.day in (None, self._now.date()) and has_happened(chunks, i):
            at = dt.datetime.combine(self._now.date(), dt.time(), self._now.tzinfo) + dt.timedelta(minutes=found.clock.minutes)
            if at <= self._now:
                return Part(from_now=True), found.after
        return None if found is None else (Part(start=found.clock, start_day=found.day), found.after)

    def _until(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        if chunks[i].tag == "until" and i + 1 < len(chunks) and chunks[i + 1].word == "then":
            return Part(back="end"), i + 2
        j = skip(chunks, i + 1, ("at",))
        inclusive = "including" in chunks[i].word or chunks[i].word in ("through", "thru")
        told = self.moment(chunks, j, bare=True)
        if told is not None and (told.clock.sure or chunks[i].tag == "until" or told.day is not None):
            today = told.day == self._now.date() and told.said
            day_after = told.next_day and told.day is None
            end_day = None if today else told.day
            return Part(end=told.clock, end_day=end_day, from_now=True, next_day=day_after), told.after
        day = self.day(chunks, j)
        if day is not None:
            k = skip(chunks, day.after)
            if k < len(chunks) and chunks[k].tag == CLOCK:
                return Part(end=chunks[k].value, end_day=day.date, from_now=True), k + 1
            inclusive = inclusive and chunks[j].tag not in ("monthend", "yearend")  # their day is the one after
            k = day.after
            if k < len(chunks) and chunks[k].word in ("inclusive", "included", "incl", "inclusively"):
                inclusive, k = True, k + 1
            return Part(day.date, day.part, day.days, until=True, inclusive=inclusive, from_now=True, problem=day.problem), k
        closing = self._closing(chunks, j) if chunks[i].tag == "until" else None
        if closing is not None:
            return closing
        if j < len(chunks) and chunks[i].tag == "until" and chunks[j].tag in ("demand", "event", "maint"):
            return Part(occasion=occasion(chunks[j].tag)), j + 1
        if chunks[i].tag == "until" or (j < len(chunks) and chunks[j].tag in _HAPPENINGS):
            return Part(problem="ambiguous_window"), i + 1
        return None

    def _closing(self, chunks: Sequence[Chunk], j: int) -> tuple[Part, int] | None:
        """ "until the auction closes at 14:30": the clock time behind what ends then."""
        for k in range(j, min(j + _CLOSING, len(chunks))):
            if k > j and chunks[k].tag in ("at", "on", "weekday", "tomorrow", "today"):
                found = self.moment(chunks, k + (chunks[k].tag in ("at", "on")), bare=False)
                if found is None:
                    return None
                return Part(end=found.clock, end_day=found.day, from_now=True), found.after
            if chunks[k].tag in _SAID_OF or chunks[k].word in (",", ";", ":", "."):
                return None
        return None

    def _up_to(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        if chunks[i].word == "up to" and i + 1 < len(chunks) and chunks[i + 1].tag == CLOCK:
            return Part(end=chunks[i + 1].value, from_now=True), i + 2
        return None

    def _by(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        found = self.moment(chunks, i + 1, bare=False) or self.day(chunks, i + 1)
        return None if found is None else (Part(problem="ambiguous_window"), found.after)

    def _coming(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        """ "next week": Monday to Sunday. "the next week" may be seven days, "next Friday" not this week's: both are asked."""
        j = i + 1
        today = self._now.date()
        said_the = i > 0 and chunks[i - 1].word in ("the", "for", "over", "within", "in")
        if chunks[i].word == "next" and j < len(chunks):
            if chunks[j].word == "week" and not said_the:
                k = skip(chunks, j + 1)
                if k < len(chunks) and chunks[k].tag == "weekday":
                    ahead = 7 - today.weekday() + WEEKDAYS.index(chunks[k].word[:3])
                    return Part(day=today + dt.timedelta(days=ahead)), k + 1
                return Part(day=today + dt.timedelta(days=7 - today.weekday()), days=7), j + 1
            if chunks[j].tag == "monthname":
                return self._day(chunks, j)
            if chunks[j].tag == "weekday" and WEEKDAYS.index(chunks[j].word[:3]) > today.weekday():
                return Part(problem="ambiguous_window"), j + 1
        if (
            chunks[i].word in ("coming", "following", "upcoming")
            and j < len(chunks)
            and chunks[j].tag in ("weekday", "weekend")
        ):
            return self._day(chunks, j)
        return self._for(chunks, i)

    def _for(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = skip(chunks, i + 1, ("next", "in", "all", "whole", "at", "for", "within"))
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
            day = self.day(chunks, j)
            if day is not None:
                day = self.span(chunks, day)
                return Part(day=day.date, part=day.part, days=day.days, problem=day.problem), day.after
            if chunks[j - 1].tag in ("next", "whole") or (j + 1 < len(chunks) and chunks[j].word in ("rest",)):
                return self._rest(chunks, j - 1)
        if chunks[i].tag == "next" and j == i + 1 and chunks[j].word in ("hour", "day"):
            k = j + 1
            longer = k + 1 < len(chunks) and chunks[k].tag == "and" and chunks[k + 1].tag == QUANTITY
            more = 0.5 if longer and (chunks[k + 1].value.dim, chunks[k + 1].value.value) == (FRACTION, 0.5) else 0.0
            return Part(duration_s=(3600.0 if chunks[j].word == "hour" else 86400.0) * (1 + more)), k + 2 if more else k
        return None

    def _rest(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = i + 1
        while j < len(chunks) and chunks[j].tag in (*OPEN, "whole", "all") and chunks[j].word not in ("day", "week"):
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
        found = self.day(chunks, j)
        if found is not None and chunks[j].tag in ("today", "tomorrow", "weekday"):
            return Part(day=found.date), found.after
        return Part(day=self._now.date(), weak=True), i + 1

    def _week(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        number = chunks[i + 1] if chunks[i].word == "week" and i + 1 < len(chunks) else None
        if number is not None and number.tag == QUANTITY and number.value.dim == COUNT and number.value.value in range(1, 53):
            first = dt.date.fromisocalendar(self._now.year, int(number.value.value), 1)
            if first + dt.timedelta(days=7) <= self._now.date():
                first = dt.date.fromisocalendar(self._now.year + 1, int(number.value.value), 1)
            return Part(day=first, days=7), i + 2
        return Part(problem="unsupported_recurrence" if chunks[i].word.endswith("ly") else "ambiguous_window"), i + 1

    def _daily(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        return Part(problem="unsupported_recurrence"), i + 1

    def _rush(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        return Part(problem="ambiguous_window", loose=bool(_MEALS & set(chunks[i].word.split()))), i + 1

    def _thru(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        """ "thru Friday", "through 31 December"; elsewhere the word is short for throughput."""
        if chunks[i].word not in ("thru", "through") or self.day(chunks, skip(chunks, i + 1)) is None:
            return None
        return self._until(chunks, i)

    def _holiday(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        """ "over Christmas" fixes no moment; "Christmas shopping" is none."""
        before = [c for c in chunks[max(i - 2, 0) : i] if c.word != "the"]
        timed = bool(before) and before[-1].tag in _BEFORE_HOLIDAYS
        return (Part(problem="ambiguous_window", loose=True), i + 1) if timed else None

    def _back(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        told = {"thattime": "time", "thatday": "day"}.get(chunks[i].tag, "after")
        back = "between" if "between" in chunks[i].word else told
        return Part(back=back), i + 1

    def _in(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        j = skip(chunks, i + 1)
        if j < len(chunks) and chunks[j].tag in ("morning", "afternoon", "evening", "night", "weekend", "monthname"):
            return self._day(chunks, j)
        if j < len(chunks) and chunks[j].word in ("period", "window", "hours", "time") and j + 1 < len(chunks):
            return self.pair(chunks, j + 1, bare=False)
        if j < len(chunks) and chunks[j].tag == QUANTITY and chunks[j].value.dim == DURATION:
            return Part(delay_s=chunks[j].value.value), j + 1
        if j < len(chunks) and chunks[j].tag == "next":
            return self._for(chunks, i)
        if j < len(chunks) and chunks[j].tag == "week":
            found = self._week(chunks, j)
            return found if found is not None and not found[0].problem else None
        return None

    def _hours(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        """ "10-12 pm": a pair without a preposition counts where one of its ends is a clock time; "20 minutes without it"."""
        after = chunks[i + 1].word if i + 1 < len(chunks) else ""
        if chunks[i].value.dim == DURATION and after in ("without", "outage", "downtime", "interruption"):
            return Part(duration_s=chunks[i].value.value), i + 1
        if i and chunks[i].value.dim == COUNT and chunks[i - 1].tag in _FIGURE_OF:
            return None
        joint = chunks[i + 1].tag if i + 1 < len(chunks) else ""
        if joint == "until" and i and chunks[i - 1].tag in ("of", "important", "priority"):  # "a weight of 3 until noon"
            return None
        return self.pair(chunks, i, bare=False)

    def _during(self, chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
        found = during(chunks, i)
        if found is not None or chunks[i].tag != "during":
            return found
        k = skip(chunks, i + 1)
        timed = self._day(chunks, k) or self._rest(chunks, k - 1) or self._for(chunks, i) if k < len(chunks) else None
        told = happening(chunks, i + 1)
        if timed is not None:
            return told if told is not None and told[0].event else timed
        if told is not None and told[0].problem and (_clock_ahead(chunks, i) or chunks[i].word in ("throughout", "amid")):
            return None  # the times are said as well
        return told


def _clock_ahead(chunks: Sequence[Chunk], i: int) -> bool:
    ahead = itertools.takewhile(lambda c: c.word not in (".", ";", "!", "?"), chunks[i:])
    return any(c.tag == CLOCK for c in ahead)


_CLOSING = 7
"""Within so many words of "until" the clock time is looked for."""
_SAID_OF = frozenset({NAME, QUANTITY, CLOCK, "neg", "hold", "below", "above", "atmost", "atleast", "from", "until", "window"})
