"""What stands between the words of a statement and adds nothing: "must not, ever, exceed", "35 ms, not one more"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import QUANTITY, Chunk
from twm.gateway.intents.units import COUNT, FRACTION, RATIO, UNITS, Quantity

_SPLIT = frozenset({"not", "never", "don't", "dont", "must", "should", "shall", "may", "can", "mustn't", "shouldn't", "please"})
MAX_INSERTED = 6
_IDLE = frozenset({"filler", "pronoun", "all", "neg", "hold", "and", "or", "cost", "anycost"})
_TIMELY = frozenset({"tonight", "today", "tomorrow", "morning", "afternoon", "evening", "night", "now", "weekday", "weekend"})
_IDLE_WORDS = frozenset({"under", "at", "for", "in", "mean", "on", "repeat"})


def inserted(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "Do not, under any circumstances, allow", "must - I repeat - stay": nothing is stated there."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        out.append(chunks[i])
        comma = chunks[i + 1] if i + 1 < len(chunks) else None
        i += 1
        if out[-1].word not in _SPLIT or comma is None or comma.word not in (",", "-", "–", "—"):
            continue
        near = range(i + 1, min(i + 2 + MAX_INSERTED, len(chunks)))
        end = next((k for k in near if chunks[k].tag not in _IDLE | _TIMELY and chunks[k].word not in _IDLE_WORDS), -1)
        if end > i + 1 and chunks[end].word == comma.word and end + 1 < len(chunks) and chunks[end + 1].tag != "punct":
            out += [c for c in chunks[i + 1 : end] if c.tag in _TIMELY]
            i = end + 1
    return out


_FURTHER = frozenset(
    {"more", "less", "longer", "fewer", "later", "higher", "lower", "over", "further", "above", "below", "slower"}
)


def nothing_more(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "... and not a millisecond more", "not one megabit less": the bound before, said again."""
    out = list(chunks)
    for i, chunk in enumerate(out):
        if chunk.word not in ("not", "no", "never") or not any(c.tag == QUANTITY for c in out[max(i - 8, 0) : i]):
            continue
        at = next((k for k in range(i + 1, min(i + 5, len(out))) if out[k].word in _FURTHER), -1)
        ends = at > 0 and (at + 1 == len(out) or out[at + 1].tag in ("punct", "window", "and", "but", "in", "at", "on"))
        between = out[i + 1 : at]
        units = [c for c in between if c.tag == "unit" or (c.tag == QUANTITY and c.value.value == c.value.scale)]
        if ends and len(units) == 1 and all(c in units or c.word in ("a", "one", "single") for c in between):
            out[i : at + 1] = [replace(c, tag="filler", value=None) for c in out[i : at + 1]]
    return out


_PROBABILITY = frozenset({"p", "pr", "prob", "probability"})
_HAPPENING = frozenset({"violation", "violated", "breach", "breached", "miss", "missed", "exceed", "exceeded", "break", "fail"})


_LETTERS = frozenset({"alpha", "epsilon", "eps", "ε", "α"})


def _small(chunks: Sequence[Chunk], i: int) -> bool:
    """Whether a share or a number below one stands here, behind "=" or not."""
    at = i + 1 if i < len(chunks) and chunks[i].word in ("=", ":", "of", "is", "<=", "≤", "<") else i
    if at >= len(chunks) or chunks[at].tag != QUANTITY:
        return False
    return chunks[at].value.dim in (RATIO, FRACTION) or (chunks[at].value.dim == COUNT and 0 < chunks[at].value.value < 1)


def bracketed(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "[10, 40] Mbps": the unit behind the bracket is of both."""
    out = list(chunks)
    for i in range(len(out) - 5):
        left, low, comma, high, right, unit = out[i : i + 6]
        plain = left.word == "[" and right.word == "]" and comma.word in (",", ";")
        figures = low.tag == high.tag == QUANTITY and low.value.dim == high.value.dim == COUNT
        known = UNITS.get(unit.word)
        if plain and figures and known is not None:
            dim, scale = known
            out[i + 1] = replace(low, value=Quantity(low.value.value * scale, dim, scale=scale))
            out[i + 3] = replace(high, value=Quantity(high.value.value * scale, dim, scale=scale))
            out[i + 5] = replace(unit, tag="filler")
    return out


def violations(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "P(violation) <= 0.01", "alpha = 0.05", "with a 95 % guarantee": risks."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        four = chunks[i : i + 4]
        if chunks[i].word in _LETTERS and _small(chunks, i + 1):
            out.append(Chunk("risk", chunks[i].start, chunks[i].end, None, "risk"))
            i += 1
            continue
        sure = (
            bool(out)
            and out[-1].tag == QUANTITY
            and out[-1].value.dim == RATIO
            and chunks[i].word in ("guarantee", "assurance")
        )
        if sure and any(c.tag == "with" for c in out[-3:]):
            out.append(Chunk("confidence", chunks[i].start, chunks[i].end, None, "guarantee"))
            i += 1
            continue
        if (
            len(four) == 4
            and four[0].word in _PROBABILITY
            and four[1].word in "(["
            and four[2].word in _HAPPENING
            and four[3].word in ")]"
        ):
            out.append(Chunk("risk", four[0].start, four[3].end, None, "risk"))
            i += 4
            continue
        out.append(chunks[i])
        i += 1
    return out
