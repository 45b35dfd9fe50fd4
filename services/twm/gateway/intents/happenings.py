"""What happens at some time and is no time itself: "during the boat show", "the night boat"."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from twm.api.intent.v1 import intent_pb2
from twm.gateway.intents.chunks import CLOCK, FILLER, NAME, Chunk
from twm.gateway.intents.events import HELD, PAST, event_at
from twm.gateway.intents.times import PARTS_OF_DAY, Part

_NIGHTLY = """
boat boats train trains ferry ferries bus buses crew crews watch guard guards staff team teams flight flights shunt shunter
porter nurse nurses club clubs sailing sailings papers delivery deliveries
tariff tariffs setback mode profile schedule operation operations plan log shift shifts worker workers vision
"""
_OF_THE_NIGHT = frozenset(_NIGHTLY.split())
_AT_A_TIME = frozenset({"in", "at", "on", "during", "for", "until", "throughout", "from", "all", "over", "before", "after"})


def of_a_noun(chunks: Sequence[Chunk], j: int) -> bool:
    """ "the night boat", "our morning crew": a part of the day that says which boat, and no time."""
    if j + 1 >= len(chunks) or chunks[j].tag not in PARTS_OF_DAY or chunks[j].word in ("tonight", "overnight"):
        return False
    if 0 < j <= 2 and chunks[j - 1].tag == "unknown" and chunks[j + 1].word in (",", ":", "on"):
        return True  # "Quiz night, Friday 19:30: ..."
    named = j == 0 or chunks[j - 1].word in ("the", "our", "a", "annual", "first", "big")
    if named and (chunks[j + 1].tag == "event" or chunks[j + 1].word in HELD):
        return True
    if chunks[j + 1].word not in _OF_THE_NIGHT:
        return False
    before = [c for c in chunks[max(j - 2, 0) : j] if c.word not in ("the", "our", "a", "its")]
    return not (before and before[-1].tag in _AT_A_TIME and "shift" in chunks[j + 1].word)


def happening(chunks: Sequence[Chunk], i: int) -> tuple[Part, int] | None:
    """ "during the boat show", "during the switch-on of the lights": an event by its word, else a moment that nobody knows."""
    for k in range(i, min(i + 5, len(chunks))):
        name = event_at(chunks, k)
        if name or chunks[k].word in HELD:
            return Part(occasion=intent_pb2.OCCASION_EVENT, event=name or called(chunks, i, k)), k + 1
        if chunks[k].tag not in (FILLER, "unknown", "pronoun", NAME, "place", "holiday", "raise", "pronoun"):
            break
    if any(c.word in _SPANS or c.tag in ("zonenoun", "transport", "slicenoun", CLOCK) for c in chunks[i : i + 4]):
        return None
    said = i < len(chunks) and chunks[i].word in ("the", "our", "this", "that", "his", "her", "their", "a", "all", "its")
    past = any(c.word in PAST for c in chunks)
    return (Part(problem="ambiguous_window"), i) if said and not past else None


_SPAN_WORDS = (
    "interval period window time times hours hour day days week course network call phone whole same slot phase duration"
)
_SPANS = frozenset(_SPAN_WORDS.split())
"""Behind "during the": a span that is told apart, and no happening."""


def called(chunks: Sequence[Chunk], i: int, k: int) -> str:
    """Name of an event that ends at `k`: up to three words behind the article."""
    words = [c.word for c in chunks[i : k + 1] if c.word not in ("the", "our", "this", "that", "a", "its", "their")]
    return " ".join(words[-3:])


_BROKEN_WORDS = """
cut died failed broke lost tripped severed hit struck dropped broken crashed collapsed damaged gone dead stopped started begun
began down fell flooded
"""
_BROKEN = frozenset(_BROKEN_WORDS.split())
_TO_COME = frozenset({"will", "shall", "to", "be", "going", "expect", "expected", "planned", "must", "should", "'ll", "gets"})


def has_happened(chunks: Sequence[Chunk], i: int) -> bool:
    """ "Cut by a digger at 09:12", "the pump died at 7:40": what the clock time is of has happened."""
    near = list(itertools.takewhile(lambda c: c.word not in (".", ";", "!", "?"), reversed(chunks[max(i - 8, 0) : i])))
    words = {word for c in near for word in c.word.split()}
    return bool(words & _BROKEN) and not words & _TO_COME


def ends_there(chunks: Sequence[Chunk], i: int) -> bool:
    """Whether nothing follows that would make a figure another one's: "starting at seven, ..."."""
    return i >= len(chunks) or chunks[i].tag in ("punct", "and", "but", "then", "on", "filler", "until", "weekday", "tomorrow")
