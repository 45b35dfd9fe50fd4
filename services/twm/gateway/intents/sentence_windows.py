"""Which statements a window holds for: at the head of a sentence for all, inside for its own, at the end for the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from twm.api.intent.v1 import intent_pb2
from twm.gateway.intents.background import only_told
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.context import Context
from twm.gateway.intents.cores import core_of
from twm.gateway.intents.drafts import Item, MaintenanceDraft, SurgeDraft
from twm.gateway.intents.events import PAST
from twm.gateway.intents.times import Part, combine

_LIGHT = frozenset(
    {"filler", "punct", "on", "from", "and", "in", "pronoun", "for", "event", "unknown", "with", "at", "place", "all"}
)
"""What may stand before the window at the head of a sentence."""


def give_windows(context: Context, items: Sequence[Item], starts: Sequence[tuple[Clause, int, int]], head: list[Part]) -> None:
    """Give the drafts of a sentence their windows: head of the sentence for all, tail for all where there is no other."""
    heading = context.heading.windows() if context.heading is not None else []
    own = [(clause, clause.windows()) for clause, _, _ in starts]
    tail: list[Part] = []
    with_parts = [parts for _, parts in own if parts]
    if len(starts) > 1 and len(with_parts) == 1 and own[-1][1] and _ends_in_window(own[-1][0]):
        tail = own[-1][1] if not heading or any(p.back != "time" for p in own[-1][1]) else []
    maintained = [c for c, a, b in starts if any(isinstance(i, MaintenanceDraft) for i in items[a:b]) and c.opener == "while"]
    back: list[Part] = []
    before = _day_of(context.parts)
    head = [*before, *head] if head and all(p.weak and p.part for p in head) else head
    for clause, start, end in starts:
        back = back if begins_with_back(starts[0][0]) else []
        for item in items[start:end]:
            parts = item.parts
            if any(p.back == "day" for p in parts):
                parts = _that_day(head or context.parts, [p for p in parts if not p.back])
            elif (head or heading) and parts and all(p.back == "time" for p in parts):
                parts = head or heading
            elif any(p.back for p in parts):
                parts = [p for p in parts if not p.back] or _back(context, parts)
                back = back or parts
            elif not parts:
                parts = _resolved(context, head or _before_figures(starts, clause) or tail or heading) or back
                if maintained and clause not in maintained and not parts:
                    parts = [Part(occasion=intent_pb2.OCCASION_MAINTENANCE)]
            elif head and all(p in head for p in parts):
                parts = head
            elif head and parts != head and not any(p in head for p in parts):
                parts = [*head, *parts] if _of_that_day(head, parts) or not _complete(parts) else parts
            elif not head and all(p.weak and p.part for p in parts):
                parts = [*before, *parts]
            item.parts = _event_times(parts, work=isinstance(item, MaintenanceDraft))
            if item.parts:
                context.parts = item.parts
    _whole_of_that_day([item for _, a, b in starts for item in items[a:b]])


def _whole_of_that_day(items: Sequence[Item]) -> None:
    """ "Because they come on Thursday, A needs ... and B ... the whole day": the day that was said."""
    days = [p for item in items for p in item.parts if p.day is not None and not p.weak]
    for item in items:
        if len({p.day for p in days}) == 1 and item.parts and all(p.weak for p in item.parts):
            item.parts = [*days[:1], *(p for p in item.parts if p.part)]


def begins_with_back(clause: Clause) -> bool:
    """ "In that time A needs ... and B ...": what points back at the head of a sentence is said of all of it."""
    first = next((c for c in clause.chunks if c.tag not in ("filler", "punct", "on", "in", "for")), None)
    return first is not None and first.tag == "window" and bool(first.value.back)


def _resolved(context: Context, parts: list[Part]) -> list[Part]:
    if not any(p.back for p in parts):
        return parts
    return [p for p in parts if not p.back] or _back(context, parts)


def windows_told(sentence: Sequence[Clause]) -> list[Part]:
    """What "during that time" stands for behind a sentence without a statement; nothing of the past."""
    past = any(c.word in PAST for clause in sentence for c in clause.chunks)
    return [] if past else [p for clause in sentence for p in clause.windows() if not (p.problem or p.back)]


_OCCURRING = "place held happens blast blasts blasting sail sails land lands exercise exercises train trains"
_OCCURS = frozenset(_OCCURRING.split())
_TALKS = frozenset({"meeting", "meetings", "call", "calls", "briefing", "lunch", "review", "appointment", "interview"})


def carried_day(sentence: Sequence[Clause], joint: str) -> list[Part]:
    """The day that a sentence without a statement names: "we await many visitors on Saturday." Of what is past, none.

    Of an event it is the whole window: "There is a concert tonight from 20:00 to 23:00. Keep ..."; and so of what happens at a
    place of the network ("Possession of the tunnel Sat 23:10 - Sun 05:40. ...") or stands before a semicolon (`joint`).
    """
    words = {c.word for clause in sentence for c in clause.chunks}
    if any("event" in clause.tags for clause in sentence) and not words & PAST:
        return [p for clause in sentence for p in clause.windows() if not (p.problem or p.back or p.occasion)]
    told = [p for clause in sentence for p in clause.windows()]
    placed = any(clause.tags & {"name"} for clause in sentence) or joint == ";"
    total = combine(told)
    fixed = total is not None and total.start is not None and total.end is not None and not total.problem
    said = {part for word in words for part in word.split()}
    clocked = bool(said & _OCCURS) and not said & _TALKS and any(p.day is not None or p.start_day is not None for p in told)
    if (placed or clocked) and fixed and not words & PAST:
        return told
    parts = [p for p in told if p.day is not None and not p.problem]
    return [] if words & PAST or len(parts) != 1 else parts


def take_day(items: Sequence[Item], day: Sequence[Part], today: dt.date, *, event: bool) -> None:
    """Give a day to statements with clock times alone, and announcements without one; of an event the part of the day too."""
    for item in items:
        total = combine(item.parts)
        clocks = total is not None and total.day is None and (total.start is not None or total.end is not None)
        dated = total is not None and (total.start_day is not None or total.end_day is not None or total.from_now)
        announced = isinstance(item, SurgeDraft | MaintenanceDraft) and total is None
        first = next((p.day or p.start_day for p in day if p.day or p.start_day), None)
        timed = any(p.start is not None or p.end is not None or (event and p.part) for p in day)
        whole = bool(item.parts) and all(p.weak for p in item.parts)
        if timed and total is None:
            item.parts = list(day)
        elif whole and first is not None and first >= today:
            item.parts = [*([p for p in day if p.day] or [Part(day=first)]), *(p for p in item.parts if p.part)]
        elif event and first is not None and first > today and _until_alone(total):
            item.parts = [*(p for p in day if not p.until), *(replace(p, from_now=False) for p in item.parts)]
        elif first is not None and first >= today and ((clocks and not dated) or announced):
            item.parts = [*(p for p in day if p.day), *item.parts]


def _until_alone(total: Part | None) -> bool:
    """ "until 18:00" behind "The match is on Saturday at 15:30": an end of that day, and not of today."""
    return total is not None and total.end is not None and not (total.start or total.day or total.start_day or total.end_day)


def _back(context: Context, parts: Sequence[Part]) -> list[Part]:
    if any(p.back == "time" for p in parts):
        return context.parts
    if any(p.back == "day" for p in parts):
        return _that_day(context.parts, [])
    if any(p.back in ("end", "after", "between") for p in parts):
        return _beside(context.parts, next(p.back for p in parts if p.back))
    occasion = context.occasion
    return [Part(occasion=occasion)] if occasion else context.parts


def _day_of(told: Sequence[Part]) -> list[Part]:
    """ "On Friday ... in the morning. In the evening ...": the day that was spoken of."""
    total = combine(told)
    first = (
        None if total is None or total.weak or total.days > 1 or total.until or total.problem else total.day or total.start_day
    )
    return [] if first is None else [Part(day=first)]


def _that_day(told: Sequence[Part], own: Sequence[Part]) -> list[Part]:
    """ "As they land on Friday at 14:00, ... all that day", "on 10 April: ... from 09:00 to 15:00 that day"."""
    here = combine(own)
    dated = here is not None and (here.day is not None or here.start_day is not None) and not here.weak
    if dated and here is not None and here.start is not None and here.end is not None:
        return list(own)
    total = here if dated else combine(told)
    first = None if total is None else total.day or total.start_day
    if first is None:
        return list(own) or list(told)
    return [Part(day=first), *([] if dated else own)]


def _beside(told: Sequence[Part], back: str) -> list[Part]:
    """ "Until then", "from then on", "after that": one moment was said, or a window that ends."""
    total = combine(told)
    unsure = [Part(problem="ambiguous_window")]
    if total is None:
        return unsure if back == "end" else []
    if total.problem or total.occasion or total.duration_s is not None or total.delay_s is not None or total.back:
        return unsure
    moment = total.start is not None and total.end is None
    if back == "end":
        if total.end is not None and total.start is None:
            return list(told)
        day = total.start_day or total.day
        return [Part(end=total.start, end_day=day, from_now=True)] if moment else unsure
    if back == "between" or (total.end is None and not moment):
        return unsure
    if moment:
        return [replace(total, open_end=True)]
    first = total.start_day or total.day
    over = total.start is not None and total.end is not None and total.end.minutes <= total.start.minutes
    last = total.end_day or (first + dt.timedelta(days=1) if first is not None and over else first)
    if total.next_day or (last is None and over) or total.part == "night":
        return unsure
    return [Part(start=total.end, start_day=last, open_end=True)]


def _event_times(parts: Sequence[Part], *, work: bool) -> list[Part]:
    """With times of its own, the name of an event or of work is no second condition."""
    total = combine(parts)
    timed = total is not None and (total.start or total.end or total.day)
    if timed and total is not None and (total.occasion == intent_pb2.OCCASION_EVENT or work):
        return [replace(p, occasion=0) for p in parts]
    return list(parts)


def head_parts(sentence: Sequence[Clause]) -> list[Part]:
    """Window parts before anything else is said: "For the fair on Friday, 10:00-19:00, expect ..."."""
    parts: list[Part] = []
    reason = False
    for clause in sentence:
        bare = not core_of(clause) and not clause.heading and clause.opener != "("
        if bare and len(sentence) > 1:
            past = any(c.word in PAST for c in clause.chunks) or only_told(clause)
            parts += [p for p in clause.windows() if not p.back and not past]
            if clause.tags & {"name", "quantity"} and not parts:
                return []
            continue
        ahead = clause.heading and clause is sentence[0] and len(sentence) > 1 and sentence[1].opener in (",", "(")
        if ahead and clause.tags <= {"name", "filler", "in", "at"}:
            continue  # "Stadium, Saturday 17:00-23:30 (derby): ..."
        told = clause.opener in ("because", "as", "since") and clause.heading and not clause.windows()
        if told and not clause.tags & {"name", "quantity"} and len(sentence) > 1:
            reason = True  # "Because the ministers visit: on Wednesday ..."
            continue
        if clause.heading and not clause.tags & {"name", "quantity", "range"} and not parts:
            parts += clause.windows()
            reason = not parts
            if parts or len(sentence) == 1:
                break
            continue
        leading = clause.opener in ("", ";", ".", "!", "?") or bool(parts) or reason
        for chunk in clause.chunks:
            if chunk.tag == "window":
                parts.append(chunk.value)
            elif not leading or not (chunk.tag in _LIGHT or chunk.word in ("show", "shows")):
                break
        break
    return [] if any(p.back for p in parts) else parts


def _ends_in_window(clause: Clause) -> bool:
    for chunk in reversed(clause.chunks):
        if chunk.tag == "window":
            return True
        if chunk.tag not in ("filler", "punct", "unknown", "pronoun", "there"):
            return False
    return False


_VERB_TAGS = "hold reserve cap expect change freeze save reduce raise pin lose relieve prio down allow"
_VERBS = frozenset(_VERB_TAGS.split())
_VERB_WORDS = frozenset({"is", "are", "be", "gets", "may", "can", "will", "must", "should", "shall"})


def _verbless(clause: Clause) -> bool:
    """ "... and at least 45 Mbps to cameras in the loop": it goes on with what the clause before said."""
    said = {word for c in clause.chunks for word in c.word.split()}
    return clause.opener == "and" and not clause.tags & _VERBS and not said & _VERB_WORDS


_UNDER = frozenset({"without", "as long as", "so long as", "provided", "provided that", "providing that", "on condition that"})
_KEEPING = frozenset(
    {"keeping", "holding", "maintaining", "respecting", "honouring", "honoring", "meeting", "staying", "leaving"}
)


def _under_it(clause: Clause) -> bool:
    """ "save ... tomorrow without L3 rising above 80 %": said of what the clause before says, and at its time."""
    return clause.opener in _UNDER or (clause.opener == "while" and any(c.word in _KEEPING for c in clause.chunks[:3]))


def _before_figures(starts: Sequence[tuple[Clause, int, int]], clause: Clause) -> list[Part]:
    """ "give from 10:00 to 12:00 20 Mbps to A and 45 Mbps to B": the window of both."""
    at = next((i for i, (other, _, _) in enumerate(starts) if other is clause), 0)
    if at == 0 or not (_under_it(clause) or _verbless(clause)):
        return []
    before = starts[at - 1][0]
    if _under_it(clause):
        return before.windows()
    window, figure = before.find("window"), before.find("quantity", "range")
    return before.windows() if 0 <= window < figure else []


def _of_that_day(head: Sequence[Part], parts: Sequence[Part]) -> bool:
    """ "On Saturday ..., and from 17:00 to 19:00 ...": hours of the day at the head."""
    day, own = combine(head), combine(parts)
    if day is None or own is None or day.day is None or day.days > 1 or day.start or day.end or day.until or day.occasion:
        return False
    if own.weak and own.part:
        return not day.part
    return bool(own.start and own.end) and own.day is None and own.start_day is None and own.end_day is None


def _complete(parts: Sequence[Part]) -> bool:
    """Whether the parts fix a window without a day from elsewhere."""
    total = combine(parts)
    return total is None or total.day is not None or total.duration_s is None or total.start is not None
