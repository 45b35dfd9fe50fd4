"""What is said again or in other words before clauses are made: "the link", figures below one beside those of a share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE
from twm.gateway.intents.units import COUNT, DURATION, FACTOR, FRACTION, RATIO

_POINTING = frozenset({"the", "this", "that", "said", "same"})
_SAID = frozenset({"this", "that", "said", "same"})
_THESE = frozenset({"these", "those", "said"})
_NOUNS = {
    **dict.fromkeys(("link", "links", "fibre", "fibres", "fiber", "fibers", "connection", "connections"), LINK),
    **dict.fromkeys(("cell", "cells", "sector", "sectors"), CELL),
}
_NAMED_AFTER = frozenset({"name", "unknown_name", "fuzzy", "between", "from", "to", "quantity", "linknoun", "clock", "of"})
_DAY_S = 86400.0
_SIDES = frozenset({"atmost", "atleast", "below", "above"})
_SHARES = frozenset({"prb", "bandwidth", "share"})
_KPIS = frozenset({"delay", "p99", "percentile", "mean", "loss", "delivered", "throughput", "util"})


def named_again(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "... next to up-5, and the link will be off", "in the same cells": the links or cells that were named last."""
    out: list[Chunk] = []
    last: dict[str, Chunk] = {}
    for i, chunk in enumerate(chunks):
        after = chunks[i + 1].tag if i + 1 < len(chunks) else ""
        if chunk.tag == NAME and len({n.kind for n in chunk.value}) == 1:
            last[chunk.value[0].kind] = chunk
        meant = last.get(_NOUNS.get(chunk.word, "")) if chunk.tag in ("linknoun", "cellnoun") else None
        zone = last.get(ZONE)
        again = zone is not None and len(zone.value) == 1 and chunk.word and _ending(zone.value[0].id) == chunk.word
        if zone is not None and again and out and out[-1].word in _SAID:
            out.append(replace(chunk, tag=NAME, value=zone.value))
            continue
        other = i + 1 < len(chunks) and chunks[i + 1].tag == NAME and chunks[i + 1].value[0].kind == SLICE
        if meant is not None and (after not in _NAMED_AFTER or other) and _pointed(out, chunk.word, len(meant.value)):
            out.append(replace(chunk, tag=NAME, value=meant.value))
        else:
            out.append(chunk)
    return out


def _ending(zone: str) -> str:
    """The noun of a zone called by several words: "road" of "coast-road"."""
    words = re.split(r"[-_ ]", zone.casefold())
    return words[-1] if len(words) > 1 else ""


def _pointed(before: Sequence[Chunk], noun: str, count: int) -> bool:
    """Whether "the", "both", "these" before the noun point at that many."""
    words = [c.word for c in before[-3:]]
    if not words:
        return False
    if noun.endswith("s"):
        pair = words[-1] in ("both", "two") and count == 2
        return pair or (words[-1] in _THESE and count > 1) or (words[-1] == "same" and count > 1)
    return count == 1 and words[-1] in _POINTING


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


_HANDED_OVER = frozenset(
    {"rate", "success", "failure", "failures", "time", "times", "ratio", "delay", "latency", "attempts", "drops"}
)


def other_senses(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Words of KPIs that mean something else: a shift's handover, "cuts mean nobody comes", "one day next week"."""
    out = list(chunks)
    for i, chunk in enumerate(out):
        before, after = (out[i - 1] if i else None), (out[i + 1] if i + 1 < len(out) else None)
        handed = chunk.word == "handover" and not (after is not None and after.word in _HANDED_OVER | {"of"})
        if handed or (chunk.word == "mean" and before is not None and _verb(out, i)):
            out[i] = replace(chunk, tag="filler")
        day = chunk.tag == QUANTITY and chunk.value.dim == DURATION and chunk.value.value == _DAY_S
        if day and after is not None and (after.word in ("next", "this") or after.tag == "in"):
            later = i + 2 < len(out) and (out[i + 2].tag in ("week", "monthname") or out[i + 2].word in ("the", "month"))
            some = before is None or before.tag not in ("for", "next", "within", "in", "after", "last")
            out[i] = replace(chunk, tag="rush", value=None, word="one day") if later and some else chunk
    return out


def _verb(chunks: Sequence[Chunk], i: int) -> bool:
    """Whether "mean" stands behind its subject, and no figure or KPI with it."""
    near = chunks[max(i - 2, 0) : i + 4]
    told = any(c.tag in _KPIS - {"mean"} or c.tag in (QUANTITY, "range") for c in near)
    return (
        not told
        and chunks[i - 1].tag not in ("punct", "in", "on", "at", "of", "hold", "below", NAME)
        and (chunks[i - 1].word not in ("the", "a", "its", "their", "and", "or"))
    )


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
