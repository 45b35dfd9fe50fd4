"""Words of cost, SLAs and freezing that state nothing: "SLA credits", "cost is of no concern", "the picture freezes"."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents.chunks import Chunk
from twm.gateway.intents.clauses import Clause

_COST_TALK = frozenset(
    {"mind", "matter", "matters", "role", "object", "issue", "care", "worry", "concern", "bother", "important"}
)
_COST_ASIDE = frozenset(
    {"secondary", "irrelevant", "regardless", "irrespective", "whatever", "spared", "unimportant", "immaterial"}
)


def cost_aside(clause: Clause, tags: set[str]) -> bool:
    """ "I don't mind what it costs", "cost is of no concern"."""
    words = {c.word for c in clause.chunks}
    if "cost" not in tags or "save" in tags:
        return False
    return bool(words & _COST_ASIDE) or (bool(words & _COST_TALK) and "neg" in tags)


_SLA_MATTERS = """
credit credits penalty penalties report reports review reviews team manager managers meeting dashboard fine fines clause clauses
payment payments refund refunds board office contract contracts renewal audit
"""
_OF_SLAS = frozenset(_SLA_MATTERS.split())
_PRICED = "free cheap cheaper cheapest expensive dear dearer costly scarce short pricey high higher rising soaring"
_CHEAP = frozenset(_PRICED.split())


def beside_slas(chunks: Sequence[Chunk], i: int) -> bool:
    """ "SLA credits cost us a lot", "the SLA team": not the SLAs."""
    return i + 1 < len(chunks) and chunks[i + 1].word in _OF_SLAS


def talk_of_cost(clause: Clause, tags: set[str]) -> bool:
    """ "wind power is nearly free tonight", "there is no budget for new optics": said of cost, and nothing is to be saved."""
    words = [c.word for c in clause.chunks]
    if tags & {"reduce", "less", "low", "down", "below", "hold"}:
        return False
    costs = [w for c, w in zip(clause.chunks, words, strict=True) if c.tag == "cost"]
    told = any(w in ("is", "are", "was", "gets", "becomes") for w in words) and bool(_CHEAP & set(words))
    return told or ("neg" in tags and bool({"budget", "money"} & set(costs)) and "no" in words)


_SEEN_WORDS = "picture pictures image images screen screens video videos stream streams feed feeds app apps footage"
_SEEN = frozenset(_SEEN_WORDS.split())


def seen_by_users(clause: Clause, words: set[str]) -> bool:
    """ "else the picture is freezing", "our tills freeze": told of what users see, and no order."""
    states = {c.word for c in clause.chunks if c.tag == "freeze"} <= {"freezing", "freezes", "froze", "frozen", "freeze"}
    if clause.slices or clause.zones or clause.cells or clause.links or not states:
        return False
    subject = clause.chunks[0].word in ("the", "our", "their", "his", "her", "my") or clause.chunks[0].tag == "unknown"
    return bool(words & _SEEN) or (subject and not clause.tags & {"all", "pronoun", "share", "prb", "hold", "neg"})
