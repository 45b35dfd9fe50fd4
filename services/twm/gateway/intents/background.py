"""What is told of the past, of money and of prices, and asks for nothing: "SLA credits cost a fortune", "power is cheap"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import core_of, figures

_ORDER_WORDS = """
must shall should please pls keep hold ensure make maintain guarantee limit want need needs don't avoid let lower cut save
reduce trim honour meet respect stay can could
"""
_ORDERS = frozenset(_ORDER_WORDS.split())
_OVER_WORDS = "was were broke paid cost owed"
_OVER = frozenset(_OVER_WORDS.split())
_MONEY_WORDS = """
credit credits penalty penalties refund refunds refunded fine fines fined compensation euros euro dollars pounds grand fortune
invoice
"""
_MONEY = frozenset(_MONEY_WORDS.split())
_PRICED_WORDS = """
expensive cheap cheaper cheapest free dear costly pricey scarce abundant plentiful negative high low peaks dearer short tight
"""
_PRICED = frozenset(_PRICED_WORDS.split())
_STATES = frozenset({"is", "are", "gets", "will", "becomes", "costs", "cost", "stays", "remains"})


def without_background(sentence: Sequence[Clause]) -> list[Clause]:
    """The clauses that may ask for something; what a price is loses its words of cost and keeps its window."""
    kept = [clause if not _priced(clause) else replace(clause, chunks=_plain(clause)) for clause in sentence]
    return [clause for clause in kept if not _over(clause)]


def _words(clause: Clause) -> set[str]:
    return {word for c in clause.chunks for word in c.word.split()} | {c.word for c in clause.chunks}


def _over(clause: Clause) -> bool:
    words = _words(clause)
    asked = words & _ORDERS or clause.tags & {"neg", "demand", "risk", "confidence"} or words & {"none", "may", "if"}
    if asked or clause.heading or clause.opener in ("provided", "without", "provided that"):
        return False
    core = core_of(clause)
    told = words & _MONEY or (words & _OVER and not figures(clause))
    return bool(told) and core in ("sla", "") and "sla" in clause.tags


def _priced(clause: Clause) -> bool:
    words = _words(clause)
    if words & (_ORDERS | {"much"}) or "save" in clause.tags or figures(clause):
        return False
    return core_of(clause) == "save" and bool(words & _PRICED) and bool(words & _STATES)


def _plain(clause: Clause) -> list[Chunk]:
    return [replace(c, tag="filler") if c.tag in ("cost", "low", "high", "reduce") else c for c in clause.chunks]
