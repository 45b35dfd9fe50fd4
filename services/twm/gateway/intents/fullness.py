"""How full a cell or link may be, what it carries and what is kept free: told apart from work on it and from shares."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents.chunks import NAME, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.names import LINK
from twm.gateway.intents.units import FRACTION, POINTS, PRB, RATE, RATIO

_FULL_WORDS = "full filled fill fills filling fuller hot hotter packed run runs running fully laden loaded stressed"
FULL = frozenset(_FULL_WORDS.split())
"""How full a cell or link is, where a share of it is named."""
THAN_FULL = frozenset({"fuller", "hotter", "busier", "warmer"})
FREE = frozenset({"free", "headroom", "unused", "idle", "spare", "slack", "margin"})
_CARRIES = frozenset(
    {"carry", "carries", "carrying", "runs", "run", "running", "works", "left", "remain", "remains", "remaining"}
)


def less_loaded(clause: Clause, words: set[str]) -> bool:
    """ "Lower the load on up-4 to 70 %", "cut the load of TN-4 by a fifth": an order about utilisation, and no forecast."""
    order = next((c for c in clause.chunks if c.tag not in ("filler", "punct", "window")), None)
    lowered = order is not None and order.tag == "reduce" and not order.word.endswith(("s", "ing", "ed"))
    asked = lowered or (order is not None and (order.word == "lower" or ({"bring", "get"} & {order.word} and "down" in words)))
    return bool(asked) and bool(words & {"load", "loads", "loading"}) and "capacity" not in clause.tags


def kept_back(chunks: Sequence[Chunk]) -> bool:
    """ "a 20 % reserve on down-4", "20 % in reserve": what is left free, and no share for anybody."""
    at = next((i for i, c in enumerate(chunks) if c.word in ("reserve", "reserves")), 0)
    linked = any(c.tag == NAME and c.value[0].kind == LINK for c in chunks)
    noun = linked and chunks[at - 1].word in ("a", "the", "some")  # "down-2 needs a reserve of 30 %"
    return at > 0 and (chunks[at - 1].tag in ("quantity", "in") or chunks[at - 1].word == "in" or noun)


def filled_up(clause: Clause, words: set[str]) -> bool:
    """ "no cell above 85 %", "up-3 no more than 80 % full": what bounds a share of cells or links is their utilisation."""
    if words & FULL or ("busier" in words and "neg" in clause.tags):
        return True
    cells = any(c.tag == "cellnoun" for c in clause.chunks) and ("all" in clause.tags or "no" in words or "none" in words)
    return cells and not clause.tags & {"share", "prb", "change", "reserve", "freeze"}


def kept_off(chunks: Sequence[Chunk], i: int) -> bool:
    """ "Kept off the ceiling": no link that is off."""
    return chunks[i].word in ("off", "out", "away") and i > 0 and chunks[i - 1].tag == "hold"


def still_carried(clause: Clause, kinds: set[str]) -> bool:
    """ "up-4 can carry only 300 Mbps": what a link still does."""
    words = {c.word for c in clause.chunks}
    return bool(kinds & {RATE, RATIO, FRACTION, POINTS, PRB}) and bool(words & _CARRIES) and "neg" not in clause.tags


_ORDERED = frozenset({"must", "shall", "should", "never", "let", "not", "don't", "dont", "keep", "allow", "allowed", "may"})
_ABLE = frozenset({"can", "could", "able", "only", "left", "remaining", "still", "cannot", "can't"})


def not_to_carry(clause: Clause, words: set[str]) -> bool:
    """ "up-3 should never carry more than 75 % of its capacity": an order; "can carry no more than 60 %" is what is left."""
    asked = words & _ORDERED and not words & _ABLE
    upper = clause.tags & {"atmost", "below"} or (clause.tags & {"neg"} and clause.tags & {"more", "above", "over"})
    upper = upper or (clause.tags & {"neg"} and words & FULL)
    carried = words & {"carry", "carrying", "use", "using", "exceed", "take", "load", "loaded", *FULL} or "above" in clause.tags
    return bool(asked and upper and carried) and not clause.tags & {"maint", "down", "fail", "lose", "degrade"}
