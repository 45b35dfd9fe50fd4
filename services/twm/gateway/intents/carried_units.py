"""Plain numbers that take their unit from what stands before: "at least 10 %, at most 25", "a PRB share of 0.2"."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import QUANTITY, Chunk
from twm.gateway.intents.clauses import Clause, sentences
from twm.gateway.intents.units import COUNT, DELAY, RATIO, Quantity

_SHARES = frozenset({"share", "prb", "bandwidth", "transport"})
_DELAYS = frozenset({"delay", "p99", "mean"})
_KPIS = frozenset({*_DELAYS, "percentile", "median", "loss", "delivered", "throughput", "util", "jitter", "lose"})
_SIDES = frozenset({"atmost", "atleast", "below", "above", "over", "more", "less", "cap"})
_PLACED = frozenset({"in", "on", "at", "for", "name"})
_ENDS = frozenset({"punct", "in", "on", "at", "for", "window", "name", "during", "there", "perstep", "until"})


def carried_units(found: list[Clause]) -> list[Clause]:
    """The same clauses; plain numbers in them have the unit that was meant."""
    ahead: list[Clause] = []
    for sentence in sentences(found):
        heads = ahead if sentence[0].opener in (";", "•") else []
        share = any(c.tags & _SHARES for c in heads)
        unit: Quantity | None = None
        for clause in sentence:
            share = (
                bool(clause.tags & _SHARES) or (clause.heading and "save" in clause.tags) or (share and not clause.tags & _KPIS)
            )
            if share:
                _as_ratios(clause)
            if unit is not None and not clause.tags & _KPIS:
                _take(clause, unit)
            unit = next((q for q in _written(clause)[::-1] if q.scale), unit)
        for earlier, later in itertools.pairwise(sentence):
            said = [q for q in _written(later) if q.dim == DELAY and q.scale]
            of_shares = [q for q in _written(later) if q.dim == RATIO and q.scale]
            if of_shares and _bare_side(earlier) and _bare_side(later, anywhere=True):
                _take(earlier, of_shares[0])
            if said and earlier.tags & _DELAYS and later.tags & _DELAYS:
                _take(earlier, said[0])
        ahead = [c for c in sentence if c.heading] or heads
    return found


def _bare_side(clause: Clause, *, anywhere: bool = False) -> bool:
    """ "gets min 20, max 45 %": a side and a plain figure at the end; of the second, at its head."""
    chunks = [c for c in clause.chunks if c.tag not in ("filler", "of")]
    if anywhere:
        return len(chunks) > 1 and chunks[0].tag in _SIDES and chunks[1].tag == QUANTITY
    ends = len(chunks) > 1 and chunks[-1].tag == QUANTITY and chunks[-2].tag in _SIDES
    return ends and not clause.tags & {"delay", "p99", "mean", "throughput", "loss"}


def _written(clause: Clause) -> list[Quantity]:
    return [q for _, q in clause.quantities()]


def _as_ratios(clause: Clause) -> None:
    for chunk in clause.chunks:
        if chunk.tag == QUANTITY:
            chunk.value = _as_ratio(chunk.value)
        elif chunk.tag == "range":
            chunk.value = (_as_ratio(chunk.value[0]), _as_ratio(chunk.value[1]))


def _as_ratio(quantity: Quantity) -> Quantity:
    """Below one and beside a share, a plain number is a ratio."""
    plain = quantity.dim == COUNT and 0 < quantity.value < 1 and not quantity.signed
    return Quantity(quantity.value, RATIO) if plain else quantity


def _take(clause: Clause, unit: Quantity) -> None:
    """Give a plain number behind a comparator the unit; not where a noun says what is counted."""
    for i, chunk in enumerate(clause.chunks):
        if chunk.tag != QUANTITY or chunk.value.dim != COUNT or chunk.value.value < 1 or chunk.word == "one":
            continue
        after = clause.chunks[i + 1].tag if i + 1 < len(clause.chunks) else "punct"
        first = clause.opener in ("and", ",") and all(c.tag == "filler" for c in clause.chunks[:i]) and after in _PLACED
        if first or (after in _ENDS and _compared(clause.chunks[max(i - 3, 0) : i])):
            chunk.value = replace(unit, value=chunk.value.value * unit.scale, signed=0, of="")


def _compared(before: Sequence[Chunk]) -> bool:
    return any(c.tag in _SIDES for c in before)
