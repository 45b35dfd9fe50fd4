"""Occasions instead of times: "during the surge", "while the boat show lasts", "if the event comes", "as long as it is out"."""

from __future__ import annotations

from collections.abc import Sequence

from twm.api.intent.v1 import intent_pb2
from twm.gateway.intents.chunks import FILLER, NAME, QUANTITY, UNKNOWN, Chunk
from twm.gateway.intents.events import HELD, event_at
from twm.gateway.intents.happenings import called
from twm.gateway.intents.moments import OPEN, skip
from twm.gateway.intents.names import LINK, ZONE
from twm.gateway.intents.times import PARTS_OF_DAY, Part

_COMING = "comes come came occurs occur happens happen hits hit is are on there starts arrives begins does sets in"
_COMES = frozenset(_COMING.split())
_BEFORE_AN_EVENT = frozenset({FILLER, UNKNOWN, "pronoun", "place", "holiday", "event", "all", *PARTS_OF_DAY})
_OUTAGES = frozenset({"interruption", "disruption", "breakdown", "fault", "cut", "impairment", "shortage"})
_FAR = 6
"""Within so many words of "while" the event is named."""


def occasion(tag: str) -> int:
    """The occasion that a tag stands for."""
    return {
        "demand": intent_pb2.OCCASION_SURGE,
        "event": intent_pb2.OCCASION_EVENT,
    }.get(tag, intent_pb2.OCCASION_MAINTENANCE)


def conditional(chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
    """ "if the surge comes", "in case of a surge", "as soon as the event begins": the occasion itself is the condition."""
    if chunks[i].word in ("unless", "except when", "except if", "except where", "depending on"):
        return None
    j = skip(chunks, i + 1, ("there", "all"))
    surge = j < len(chunks) and chunks[j].tag == "demand" and chunks[j].word in ("surge", "surges", "peak", "peaks")
    if not surge and not (j < len(chunks) and (chunks[j].tag == "event" or chunks[j].word in ("maintenance", "maint"))):
        return None
    after = j + 1
    while after < len(chunks) and (chunks[after].tag in ("start", "last") or chunks[after].word in _COMES):
        after += 1
    rest = chunks[after] if after < len(chunks) else None
    if rest is not None and rest.tag in ("reach", "above", "over", "at", "in", "of", "to", "below", "down", QUANTITY):
        return None
    return Part(occasion=occasion(chunks[j].tag)), after


def during(chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
    """The occasion behind "during", "while", "as long as"."""
    tag = chunks[i].tag
    if chunks[i].word in ("meanwhile", "in the meantime", "in the mean time", "at that time", "meantime"):
        return Part(back="occasion"), i + 1
    pointed = tag == "during" and i + 1 < len(chunks) and chunks[i + 1].word in ("it", "that", "this")
    if pointed and (i + 2 >= len(chunks) or chunks[i + 2].tag in (NAME, "punct", "hold")):
        return Part(back="occasion"), i + 2
    lasting = _while_it_lasts(chunks, i) if tag in ("while", "provided") else None
    if lasting is not None:
        return lasting
    j, passed = i + 1, 0
    while j < len(chunks) and passed < 5:
        found = chunks[j].tag
        outage = chunks[j].word in _OUTAGES or (found == "degrade" and not _to_a_figure(chunks, j))
        if chunks[j].word == "works" and j > i + 1 and chunks[j - 1].tag in ("filler", "unknown") and _subject(chunks[j - 1]):
            return Part(problem="ambiguous_window"), j + 1  # "as long as the crane works"
        if outage or found in ("demand", "event", "maint", "down", "fail"):
            if found == "event" and tag == "during" and chunks[j].word not in ("event", "events"):
                last = next((k for k in range(j, len(chunks)) if event_at(chunks, k)), j)
                last = last if last <= j + 2 else j
                return Part(occasion=intent_pb2.OCCASION_EVENT, event=event_at(chunks, last)), last + 1
            if (outage or found in ("down", "fail")) and tag not in ("while", "during", "provided"):
                return None
            after = j + 1
            if found == "demand" and chunks[j].word not in ("surge", "surges", "peak", "peaks") and tag != "during":
                return None
            if tag != "during":
                while after < len(chunks) and (
                    chunks[after].tag in ("last", "pronoun", "filler", "on") or chunks[after].word == "going on"
                ):
                    after += 1
            if (outage or found in ("down", "fail", "maint")) and _names_between(chunks, i, j) and tag == "while":
                return None
            beside = ("of", "on", "at") if found == "maint" else ("of",)
            if after + 1 < len(chunks) and chunks[after].tag in beside and _is_link(chunks[after + 1]):
                after += 2
            return Part(occasion=occasion(found)), after
        if found == NAME and chunks[j].value[0].kind == LINK:
            passed += 1
            j += 1
            continue
        if found not in OPEN and found not in ("pronoun", "to", NAME, "linknoun", "hold", "usual", "unknown"):
            break
        if found == "unknown" and tag != "during":
            break
        j, passed = j + 1, passed + 1
    return None


def _names_between(chunks: Sequence[Chunk], i: int, j: int) -> bool:
    return any(_is_link(c) for c in chunks[i:j])


def _is_link(chunk: Chunk) -> bool:
    return bool(chunk.tag == NAME and chunk.value[0].kind == LINK)


def _while_it_lasts(chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
    """ "while the beach festival is on", "as long as the street party lasts"."""
    for k in range(i + 1, min(i + 1 + _FAR, len(chunks))):
        name = event_at(chunks, k) or (called(chunks, i + 1, k) if chunks[k].word in HELD else "")
        if name:
            after = skip(chunks, k + 1)
            if after >= len(chunks) or not (chunks[after].tag in ("last", "on") or chunks[after].word == "going on"):
                return None
            return Part(occasion=intent_pb2.OCCASION_EVENT, event=name), after + 1
        zone = chunks[k].tag == NAME and chunks[k].value[0].kind == ZONE
        if not zone and chunks[k].tag not in _BEFORE_AN_EVENT:
            return None
    return None


def _to_a_figure(chunks: Sequence[Chunk], j: int) -> bool:
    """ "while it is degraded to 40 %" says what is left."""
    return any(c.tag == QUANTITY for c in chunks[j + 1 : j + 3])


def _subject(chunk: Chunk) -> bool:
    """Whether it is what works, and neither an article nor a kind of works."""
    articles = {"the", "these", "those", "our", "any", "all", "such", "planned", "road", "track", "night", "building", "civil"}
    return chunk.word not in articles and len(chunk.word) > 2
