"""What is said again or in other words before clauses are made: "the link", figures below one beside those of a share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.names import LINK, SLICE
from twm.gateway.intents.units import COUNT, RATIO

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


def as_many(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "twice as many guests in the library": of a slice that is demand."""
    out = list(chunks)
    for i in range(2, len(out) - 1):
        scaled = i > 1 and (out[i - 2].tag == "double" or (out[i - 2].tag == "quantity" and out[i - 2].value.dim == "factor"))
        slices = out[i + 1].tag == "name" and {n.kind for n in out[i + 1].value} == {SLICE}
        if scaled and slices and out[i].word == "many" and out[i - 1].word == "as":
            out[i] = replace(out[i], tag="demand")
    return out
