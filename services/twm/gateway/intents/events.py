"""Events that are named: "the street food festival", "village feast", "open day"; not "the drill team", "a conference call"."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents.chunks import UNKNOWN, Chunk
from twm.gateway.intents.times import PARTS_OF_DAY

_MODIFIER_WORDS = """
food street winter summer spring autumn school sport sports music film family children city town rock beer wine trade job book
auto car charity football opening closing student students graduation christmas xmas wedding light lights fire ice river road
city's port company staff police test
state royal papal presidential ministerial rugby cricket hockey tennis cup world flea fun
"""
_MODIFIERS = frozenset(_MODIFIER_WORDS.split())
_PLAIN_WORDS = """
annual big huge large local great whole yearly famous important major little small popular traditional public upcoming planned
said same usual next another today's tonight's tomorrow's
"""
_PLAIN = frozenset(_PLAIN_WORDS.split())
"""What is said of an event without being part of its name."""
_OTHERS = frozenset(
    {"team", "teams", "crew", "crews", "rig", "bit", "room", "rooms", "call", "calls", "condition", "conditions"}
)
_SOFT = frozenset({"drill", "exercise", "race", "match", "game", "show", "shows", "fair", "conference", "rally"})
"""Words that are as often something else: "drill team", "conference call", "fair share"."""
_HELD_WORDS = """
market visit final finals semifinal semifinals friendly cup sale sales launch opening rehearsal trial trials screening vote
voting election elections meeting session service evacuation protest strike march walk run ride swim landing mooring loading
unloading berthing shooting filming recording broadcast transmission celebration celebrations party holidays shutdown inspection
"""
HELD = frozenset(_HELD_WORDS.split())
"""What is an event behind "during the" alone: "the final", "the visit"; elsewhere these words are as often something else."""
_STRONG_WORDS = (
    "market visit final finals semifinal semifinals party cup election elections celebration celebrations protest march"
)
_STRONG = frozenset(_STRONG_WORDS.split())
"""Of those, what is an event behind a word that says of which kind: "football final", "state visit"."""
_PAST_WORDS = """
was were had did been yesterday happened complained failed saw reported crashed called said told went came got phoned rang asked
noticed
"""
PAST = frozenset(_PAST_WORDS.split())
"""Words of what is over."""
MAX_WORDS = 3


def event_at(chunks: Sequence[Chunk], i: int) -> str:
    """Name of the event at `i`; "" where none is named, or not yet in full."""
    chunk = chunks[i]
    if not _eventful(chunks, i) or chunk.word in ("event", "events") or _being_done(chunks, i):
        return ""
    after = chunks[i + 1] if i + 1 < len(chunks) else None
    if after is not None and (_eventful(chunks, i + 1) and after.word not in ("event", "events")):
        return ""
    before = chunks[i - 1] if i else None
    if chunk.word in _SOFT and ((after is not None and after.word in _OTHERS) or (before is not None and before.tag == "to")):
        return ""
    if chunk.word == "fair" and after is not None and after.tag in ("share", "bandwidth", "resource", "to"):
        return ""
    words = [chunk.word]
    j = i - 1
    while j >= 0 and len(words) < MAX_WORDS and _modifies(chunks, j):
        words.insert(0, chunks[j].word)
        j -= 1
    if after is not None and after.word == "day":
        words.append("day")
    return " ".join(words)


def _being_done(chunks: Sequence[Chunk], i: int) -> bool:
    """ "(blasting)", "because we are blasting": what somebody does, and no event that is named."""
    if chunks[i].word != "blasting":
        return False
    return i == 0 or chunks[i - 1].word in ("we", "are", "is", "they're", "we're", "be", "(", ",")


def _eventful(chunks: Sequence[Chunk], i: int) -> bool:
    """An event word, or "show" behind an article or a modifier."""
    chunk = chunks[i]
    kinds = _MODIFIERS | {"christmas", "xmas"}
    if chunk.tag == "event" or (chunk.word in _STRONG and i > 0 and chunks[i - 1].word in kinds):
        return True
    shown = chunk.word in ("show", "shows") and i > 0
    return shown and (
        chunks[i - 1].word in ("the", "a", "our", "this") or _modifies(chunks, i - 1) or chunks[i - 1].tag == "event"
    )


def _modifies(chunks: Sequence[Chunk], j: int) -> bool:
    chunk = chunks[j]
    if chunk.tag == "event":
        return chunk.word not in ("event", "events")
    if chunk.tag in PARTS_OF_DAY:
        return j == 0 or chunks[j - 1].word in ("the", "our", "a")
    zone = chunk.tag == "name" and len(chunk.value) == 1 and chunk.value[0].kind == "zone"
    placed = chunks[j - 1].word == "the" and j >= 2 and chunks[j - 2].tag in ("in", "at") if j else False
    if zone or chunk.tag == "place":
        return (j == 0 or chunks[j - 1].word in ("the", "our", "a")) and not placed
    return (chunk.tag == UNKNOWN and chunk.word not in _PLAIN) or chunk.word in _MODIFIERS
