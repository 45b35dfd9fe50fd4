"""Figures that belong together without standing together: "one sensors packet in fifty", "50 ms and 10 ms respectively"."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.names import LINK
from twm.gateway.intents.units import COUNT, FACTOR, NOMINAL, PACKETS, RATE, RATIO, Quantity

_LOST = frozenset({"packet", "loss", "lose", "delivered"})
_BETWEEN = frozenset({"filler", "name", "packet", "loss", "lose", "of", "slicenoun", "delivered", "reduce", "allow"})
_PER = frozenset({"in", "per", "from", "among", "of"})
_SKIPPED = frozenset({"every", "each", "all", "a", "the", "any", "sent"})
_LARGE = {"hundred": 100.0, "thousand": 1000.0, "million": 1e6}
_REACH = 6
_RESPECTIVELY = frozenset({"respectively", "resp", "respective"})


def one_in_many(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "not more than one sensors packet in fifty", "2 lost frames per thousand": the two counts as one ratio of packets."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        found = _ratio(chunks, i) if chunks[i].tag == QUANTITY and chunks[i].value.dim == COUNT else None
        if found is None:
            out.append(chunks[i])
            i += 1
            continue
        quantity, joint, after = found
        out += [Chunk(QUANTITY, chunks[i].start, chunks[i].end, quantity), *chunks[i + 1 : joint]]
        i = after
    return out


def _ratio(chunks: Sequence[Chunk], i: int) -> tuple[Quantity, int, int] | None:
    """(ratio, position of "in" or "per", position after the second count)."""
    for j in range(i + 1, min(i + _REACH, len(chunks))):
        if chunks[j].word in _PER or (
            chunks[j].word == "for" and j + 1 < len(chunks) and chunks[j + 1].word in ("every", "each")
        ):
            k = j + 1
            while k < len(chunks) and k < j + 3 and chunks[k].word in _SKIPPED:
                k += 1
            many = _many(chunks, k)
            near = {c.tag for c in chunks[max(i - _REACH, 0) : k + 3]}
            if many > chunks[i].value.value > 0 and near & _LOST:
                start = j - 1 if chunks[j - 1].word == "out" else j
                return Quantity(chunks[i].value.value / many, RATIO, of=PACKETS), start, k + 1
        if chunks[j].tag not in _BETWEEN:
            return None
    return None


def _many(chunks: Sequence[Chunk], k: int) -> float:
    if k >= len(chunks):
        return 0.0
    if chunks[k].tag == QUANTITY and chunks[k].value.dim == COUNT and chunks[k].value.value >= 10:
        return float(chunks[k].value.value)
    return _LARGE.get(chunks[k].word.rstrip("s"), 0.0)


_OF_NOMINAL = frozenset(
    {"of", "its", "their", "the", "usual", "normal", "nominal", "full", "installed", "out", "a", "total", "possible"}
)


def of_nominal(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "200 of its 800 Mbps", "400 out of 1000 Mbps", "300 Mbps left out of 1 Gbps": the share that is left of a link."""
    out = list(chunks)
    for i, chunk in enumerate(out):
        if chunk.tag != QUANTITY or chunk.value.dim not in (COUNT, RATE):
            continue
        j = i + 1
        while j < len(out) and j < i + 6 and (out[j].word in _OF_NOMINAL | _STILL or out[j].word == "out of"):
            j += 1
        between = {w for c in out[i + 1 : j] for w in c.word.split()}
        whole = out[j] if j < len(out) else None
        named = next((c.value[0].kind for c in reversed(out[:i]) if c.tag == NAME), LINK)
        if whole is None or whole.tag != QUANTITY or whole.value.dim != RATE or "of" not in between or named != LINK:
            continue
        part = chunk.value.value * (1.0 if chunk.value.dim == RATE else whole.value.scale or 1.0)
        if 0 <= part <= whole.value.value:
            share = Quantity(round(part / whole.value.value, 9), RATIO, of=NOMINAL)
            rest = [c for c in out[i + 1 : j] if c.word in _STILL]
            return [*out[:i], Chunk(QUANTITY, chunk.start, whole.end, share), *rest, *of_nominal(out[j + 1 :])]
    return out


_STILL = frozenset({"left", "remaining", "available", "usable", "only", "still"})
_SIGNS = {"<=": ">=", "<": ">", "≤": ">=", "=<": ">=", ">=": "<=", ">": "<", "≥": "<=", "=>": "<="}
_TAGS = {">=": "atleast", ">": "above", "<=": "atmost", "<": "below"}
_CASES = frozenset({"cases", "times", "samples", "intervals", "occasions", "instances"})


_WHOSE_WORDS = "our your my the this that their his her its agreement contract request instruction policy"
_WHOSE = frozenset(_WHOSE_WORDS.split())


def as_per(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "Per our recommendation", "as per the contract": no packet error ratio."""
    return [
        replace(c, tag="filler")
        if c.word == "per" and c.tag == "loss" and i + 1 < len(chunks) and chunks[i + 1].word in _WHOSE
        else c
        for i, c in enumerate(chunks)
    ]


def signs_before(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "0.1 <= share <= 0.3": the first sign is of the figure before it, and says the other side."""
    out: list[Chunk] = []
    for i, chunk in enumerate(chunks):
        after = chunks[i + 1].tag if i + 1 < len(chunks) else QUANTITY
        turned = _SIGNS.get(chunk.word) if chunk.tag != NAME else None
        if turned and out and out[-1].tag == QUANTITY and after not in (QUANTITY, "punct", "range"):
            figure = out.pop()
            out += [Chunk(_TAGS[turned], figure.start, figure.start, None, turned), figure]
        else:
            out.append(chunk)
    return out


def _times_in(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "99 times out of 100", "nine times in ten" as a ratio of times."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        chunk = chunks[i]
        k = i + 1
        while k < len(chunks) and chunks[k].word in ("out", "of", "in", "every", "a", "each") and k < i + 4:
            k += 1
        scaled = chunk.tag == QUANTITY and chunk.value.dim == FACTOR and i + 1 < k < len(chunks) and chunks[k].tag == QUANTITY
        if scaled and chunks[k].value.dim == COUNT and chunks[k].value.value > chunk.value.value:
            ratio = Quantity(chunk.value.value / chunks[k].value.value, RATIO)
            out += [replace(chunk, value=ratio), Chunk("confidence", chunks[k].start, chunks[k].end, None, "times")]
            i = k + 1
            continue
        out.append(chunk)
        i += 1
    return out


def cases(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "in 99 out of 100 cases", "95 % of times", "99 times out of 100": how sure one wants to be."""
    out = _times_in(chunks)
    for i, chunk in enumerate(out):
        before = [c for c in out[max(i - 3, 0) : i] if c.tag not in ("filler", "of", "all")]
        if chunk.word in _CASES and before and before[-1].tag == QUANTITY and before[-1].value.dim == RATIO:
            out[i] = replace(chunk, tag="confidence")
            at = next(k for k in range(i) if out[k] is before[-1])
            out[at] = replace(out[at], value=replace(before[-1].value, of=""))
    return out


def respectively(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "p99 of A and B below 50 ms and 10 ms respectively": a statement for each; a chunk of tag "doubtful" where none fits."""
    out = list(chunks)
    for _ in range(4):
        at = next((i for i, c in enumerate(out) if c.word in _RESPECTIVELY), -1)
        if at < 0:
            break
        first = next((i + 1 for i in range(at - 1, -1, -1) if out[i].tag == "punct" and out[i].word in ".;!?"), 0)
        last = next((i for i in range(at, len(out)) if out[i].tag == "punct" and out[i].word in ".;!?"), len(out))
        out[first:last] = _parted([c for i, c in enumerate(out[first:last], first) if i != at])
    return out


def _parted(chunks: list[Chunk]) -> list[Chunk]:
    figures = [i for i, c in enumerate(chunks) if c.tag == QUANTITY]
    groups = [i for i, c in enumerate(chunks) if c.tag == NAME and len(c.value) == len(figures) > 1]
    scattered = figures and any(
        c.tag not in ("and", "punct", "quantity", "or", "filler") for c in chunks[figures[0] : figures[-1] + 1]
    )
    if len(groups) != 1 or scattered:
        return [Chunk("doubtful", chunks[0].start, chunks[0].start), *chunks] if chunks else []
    known = {chunks[i].value.dim for i in figures} - {COUNT}
    unit = next((chunks[i].value for i in reversed(figures) if chunks[i].value.dim in known), None)
    out: list[Chunk] = []
    for n, figure in enumerate(figures):
        quantity: Quantity = chunks[figure].value
        if quantity.dim == COUNT and unit is not None and len(known) == 1:
            quantity = replace(unit, value=quantity.value * (unit.scale or 1.0))
        one = [*chunks[: figures[0]], replace(chunks[figure], value=quantity), *chunks[figures[-1] + 1 :]]
        at = next(i for i, c in enumerate(one) if c.start == chunks[groups[0]].start and c.tag == NAME)
        one[at] = replace(one[at], value=(chunks[groups[0]].value[n],))
        comma = Chunk("punct", chunks[-1].end, chunks[-1].end, None, ";")
        out += [*one, comma] if n + 1 < len(figures) else one
    return list(itertools.chain(out))
