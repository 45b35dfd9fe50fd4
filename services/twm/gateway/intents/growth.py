"""More or less demand than usual: what makes a clause an announcement of it, and no order of a share."""

from __future__ import annotations

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.names import SLICE
from twm.gateway.intents.units import COUNT, FACTOR, FRACTION, RATIO

MULTIPLES = {"double": 2.0, "triple": 3.0, "quadruple": 4.0}
_OTHERWISE_SCALED = frozenset(
    {
        "share",
        "prb",
        "bandwidth",
        "reserve",
        "cap",
        "cost",
        "save",
        "important",
        "moreimportant",
        "lessimportant",
        "prio",
        "neg",
    }
)


def times_usual(clause: Clause, kinds: set[str], tags: set[str]) -> bool:
    """ "eMBB 2x the usual tonight", "embb 35 % above normal": more of a slice is more demand, where no KPI is named."""
    if _so_often_as_usual(clause):
        return not tags & {"prio", "important", "moreimportant", "neg", "delay", "p99", "mean", "loss", "throughput", "util"}
    if tags & (_OTHERWISE_SCALED | {"ranking", "change", "freeze", "hold", "deprio", "atmost", "atleast"}):
        return False
    if "usual" in tags:
        compared = tags & {"above", "over", "below", "more", "less", "up", "of"}
        return FACTOR in kinds or bool(tags & MULTIPLES.keys()) or (bool(kinds & {RATIO, FRACTION}) and bool(compared))
    return FACTOR in kinds and "expect" in tags


def _so_often_as_usual(clause: Clause) -> bool:
    """ "will want four times what they usually do": the multiple of what is usual, whatever the verb."""
    chunks = clause.chunks
    scaled = [i for i, c in enumerate(chunks) if c.tag in MULTIPLES or (c.tag == QUANTITY and c.value.dim == FACTOR)]
    after = chunks[scaled[-1] + 1 : scaled[-1] + 7] if scaled else []
    return any(c.word in ("what", "as", "the", "their", "its") for c in after[:2]) and any(c.tag == "usual" for c in after)


def load_bounded(clause: Clause, tags: set[str], links: bool) -> bool:
    """ "keep up-1 below 70 % load": the load of a place against a bound, not a forecast."""
    words = {c.word for c in clause.chunks if c.tag == "demand"}
    placed = links or bool(clause.zones or clause.cells)
    if not words <= {"load", "loads"} or not placed or tags & {"expect", "usual", "times", "raise"}:
        return False
    return bool(tags & {"atmost", "below", "cap"}) or (bool(tags & {"above", "over"}) and "neg" in tags)


def growth(clause: Clause, kinds: set[str], tags: set[str]) -> bool:
    """Whether demand is told with a figure or a multiple of its own: "30 % more traffic", "twice the load"."""
    return (
        bool(kinds & {RATIO, FRACTION, FACTOR})
        or bool(tags & MULTIPLES.keys())
        or ("times" in tags and COUNT in kinds)
        or (any(c.word.startswith("halv") for c in clause.chunks))
    )


def vague_growth(tags: set[str]) -> bool:
    """ "More traffic than usual": demand is told without a figure."""
    return bool(tags & {"more", "less"}) and "usual" in tags


def plainly_more(clause: Clause, tags: set[str]) -> bool:
    """ "plan for 60 % more", "30 % busier in the corridor"."""
    if tags & {"than", "neg", "cost", "save", "share", "prb", "change"}:
        return False
    if clause.slices:
        return "expect" in tags and not tags & {"bandwidth", "resource", "reserve", "cap", "prio"}
    return bool(tags & {"expect", "there"} or clause.zones or clause.cells)


_ORDERED = _OTHERWISE_SCALED - {"reserve"} | {
    "ranking",
    "change",
    "freeze",
    "deprio",
    "atmost",
    "atleast",
    "below",
    "pin",
    "perstep",
}
_ORDER_WORDS = """
give gives given grant allot allocate assign reserve guarantee guaranteed secure dedicate keep hold must shall should let
please pls
push boost improve set
"""
_ORDERS = frozenset(_ORDER_WORDS.split())
_WISHED = frozenset({"want", "wants", "may", "can", "need", "needs", "like"})
_TURNED_WORDS = "be is are was were being get gets"
_TURNED = frozenset(_TURNED_WORDS.split())


def announced(clause: Clause, kinds: set[str], tags: set[str], *, placed: bool) -> bool:
    """ "consumer up 70 % on the coast road", "a 35 % rise of eMBB at the expo", "we expect eMBB to double": told, not ordered.

    `placed`: a place is named, for the clause or for the list it stands in.
    """
    chunks = clause.chunks
    words = {word for c in chunks for word in c.word.split()}
    if tags & _ORDERED or words & _ORDERS or not (placed or "expect" in tags):
        return False
    at = next((i for i, c in enumerate(chunks) if c.tag == NAME and c.value[0].kind == SLICE), -1)
    if at < 0:
        return False
    if tags & MULTIPLES.keys() or FACTOR in kinds:
        scaled = next((i for i, c in enumerate(chunks) if c.tag in MULTIPLES or _factor(c)), -1)
        return scaled > at or "expect" in tags
    for i, chunk in enumerate(chunks):
        if chunk.tag == QUANTITY and chunk.value.dim == RATIO and chunk.value.signed and "to" not in _before(clause, i):
            return True
    if not kinds & {RATIO, FRACTION} or words & _WISHED:
        return False
    for i, chunk in enumerate(chunks):
        if chunk.tag != "raise" or chunk.word.endswith("ed"):
            continue
        before = _before(clause, i)
        if i > at or chunks[i - 1].tag == QUANTITY or before & {"a", "an", "the"}:
            return not (before & _TURNED and chunk.word != "up")
    return False


def _factor(chunk: Chunk) -> bool:
    return chunk.tag == QUANTITY and chunk.value.dim == FACTOR


def _before(clause: Clause, i: int) -> set[str]:
    return {c.word for c in clause.chunks[max(i - 2, 0) : i]}
