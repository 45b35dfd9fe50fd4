"""What is said again or in other words before clauses are made: "the link", figures below one beside those of a share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.names import LINK, SLICE
from twm.gateway.intents.units import COUNT, FACTOR, FRACTION, RATIO

_POINTING = frozenset({"the", "this", "that", "said", "same"})
_LINK_WORDS = frozenset({"link", "fibre", "fiber", "connection"})
_NAMED_AFTER = frozenset({"name", "unknown_name", "fuzzy", "between", "from", "to", "quantity", "linknoun", "clock", "of"})
_SIDES = frozenset({"atmost", "atleast", "below", "above"})
_SHARES = frozenset({"prb", "bandwidth", "share"})
_KPIS = frozenset({"delay", "p99", "percentile", "mean", "loss", "delivered", "throughput", "util"})


def link_again(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "... next to up-5, and the link will be off": the one link that was named last."""
    out: list[Chunk] = []
    last: Chunk | None = None
    for i, chunk in enumerate(chunks):
        after = chunks[i + 1].tag if i + 1 < len(chunks) else ""
        if chunk.tag == NAME and chunk.value[0].kind == LINK:
            last = chunk
        pointed = chunk.word in _LINK_WORDS and chunk.tag == "linknoun" and bool(out) and out[-1].word in _POINTING
        both = chunk.tag == "linknoun" and bool(out) and out[-1].word in ("both", "two")
        meant = len(last.value) == (2 if both else 1) if last is not None and (both or pointed) else False
        if last is not None and meant and after not in _NAMED_AFTER:
            out.append(replace(chunk, tag=NAME, value=last.value))
        else:
            out.append(chunk)
    return out


def small_shares(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "min 0.05, max 0.3 of the PRBs": beside a share, a figure below one with a side is a share too."""
    tags = {c.tag for c in chunks}
    if not tags & _SHARES or tags & _KPIS:
        return list(chunks)
    out = list(chunks)
    for i, chunk in enumerate(out):
        if chunk.tag == QUANTITY and chunk.value.dim == COUNT and 0 < chunk.value.value < 1 and _sided(out, i):
            out[i] = replace(chunk, value=replace(chunk.value, dim=RATIO))
    return out


def _sided(chunks: Sequence[Chunk], i: int) -> bool:
    before = [c for c in chunks[max(i - 2, 0) : i] if c.word != "."]
    return bool(before) and before[-1].tag in _SIDES


def much_again(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "half as much demand again", "half again as many guests": so much more than usual, and not so much in all."""
    out = list(chunks)
    for i, chunk in enumerate(out):
        if chunk.tag != QUANTITY or chunk.value.dim != FRACTION or not 0 < chunk.value.value < 1:
            continue
        after = [c.word for c in out[i + 1 : i + 6]]
        again = after.index("again") if "again" in after else -1
        if again >= 0 and ({"much", "many"} & {w for word in after for w in word.split()}):
            out[i] = replace(chunk, value=replace(chunk.value, dim=FACTOR, value=1 + chunk.value.value))
            out[i + 1 + again] = replace(out[i + 1 + again], tag="filler")
    return out


_ORDINAL_OF = frozenset({"time", "party", "attempt", "complaint", "call", "day", "night", "week", "year", "person", "row"})


def ordinals(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "He phones me a third time", "a third party": no third of anything."""
    out = list(chunks)
    for i, chunk in enumerate(out[:-1]):
        fraction = chunk.tag == QUANTITY and chunk.value.dim == FRACTION and 0 < chunk.value.value < 0.5
        if fraction and out[i + 1].word in _ORDINAL_OF:
            out[i] = replace(chunk, tag="filler", value=None)
    return out


def arrivals(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "The ship arrives at 7:00": nothing of packets, unless they or their ratio stand beside."""
    out = list(chunks)
    for i, chunk in enumerate(out):
        if chunk.tag != "delivered" or not chunk.word.startswith("arriv"):
            continue
        near = out[max(i - 6, 0) : i + 6]
        packets = any(c.tag in ("packet", "loss") or (c.tag == QUANTITY and c.value.dim == RATIO) for c in near)
        if not packets:
            out[i] = replace(chunk, tag="filler")
    return out


def as_many(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "twice as many guests in the library": of a slice that is demand."""
    out = list(chunks)
    for i in range(2, len(out) - 1):
        scaled = i > 1 and (out[i - 2].tag == "double" or (out[i - 2].tag == "quantity" and out[i - 2].value.dim == "factor"))
        slices = out[i + 1].tag == "name" and {n.kind for n in out[i + 1].value} == {SLICE}
        if scaled and slices and out[i].word == "many" and out[i - 1].word == "as":
            out[i] = replace(out[i], tag="demand")
    return out
