"""Numbers with units, out of digits or words. Units: shares and ratios 0..1, ms, s, Mbps."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents.numbers import read_number, word_at
from twm.gateway.intents.tokens import Token, numeral
from twm.gateway.intents.units import (
    BIT_UNITS,
    BYTE_UNITS,
    BYTES,
    COUNT,
    DURATION,
    FACTOR,
    FRACTION,
    MANY,
    NINES,
    PACKETS,
    PERCENTILE,
    POINTS,
    RATE,
    RATIO,
    UNITS,
    Quantity,
)

_HYPHENED = frozenset({"fold", "times", "percent", "ms", "point", "minute", "hour", "second"})
_PACKETS = frozenset({"packet", "packets", "frame", "frames", "message", "messages", "bit", "bits"})


def read_quantity(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[Quantity, int] | None:
    """The quantity at `i` and the index after it. `words` are the tokens' texts with misspelt units and words put right."""
    sign, j = 0, i
    if (
        tokens[i].text in ("-", "−", "–", "+")
        and i + 1 < len(tokens)
        and tokens[i + 1].kind == "number"
        and tokens[i + 1].glued
    ):
        if tokens[i].glued:
            return None
        sign, j = (1 if tokens[i].text == "+" else -1), i + 1
    if words[j] == "minus" and j + 1 < len(tokens):
        sign, j = -1, j + 1
    if words[j] == "x" and j + 1 < len(tokens) and tokens[j + 1].kind == "number" and tokens[j + 1].glued:
        value = numeral(tokens[j + 1].text)
        return None if value is None else (Quantity(value, FACTOR), j + 2)
    found = read_number(tokens, words, j)
    if found is None:
        return None
    value, j, fraction = found
    nines = 1 if word_at(tokens, words, j) == "nines" else 2 if words[j : j + 2] == ["9", "s"] else 0
    if nines and value == int(value) and 1 <= value <= 9:
        return Quantity(round(1 - 10.0 ** -int(value), 12), RATIO, of=NINES), j + nines
    if value == 10 and words[j : j + 1] == ["−"] and j + 1 < len(tokens) and tokens[j + 1].text in "123456789":
        return Quantity(10.0 ** -int(tokens[j + 1].text), COUNT, sign), j + 2
    if value == 10 and words[j : j + 2] == ["^", "-"] and j + 2 < len(tokens) and tokens[j + 2].text in "123456789":
        return Quantity(10.0 ** -int(tokens[j + 2].text), COUNT, sign), j + 3
    packets = word_at(tokens, words, j) in _PACKETS
    if packets and words[j + 1 : j + 2] in (["in"], ["out"], ["per"], ["of"]):
        j += 1
    rest = words[j : j + 4]
    if len(rest) >= 2 and (rest[0] == "in" or rest[:2] == ["out", "of"]):
        other = read_number(tokens, words, j + (1 if rest[0] == "in" else 2))
        if other is not None and not other[2] and other[0] >= 10 and 0 < value < other[0] and _bare(tokens, words, other[1]):
            return Quantity(value / other[0], RATIO, sign, of=PACKETS if packets or other[0] >= MANY else ""), other[1]
    quantity, after = _with_unit(tokens, words, j, value, fraction, sign)
    return quantity, after


def _bare(tokens: Sequence[Token], words: Sequence[str], j: int) -> bool:
    return j >= len(tokens) or (words[j] not in UNITS and words[j] not in (":", "am", "pm"))


def _with_unit(
    tokens: Sequence[Token], words: Sequence[str], j: int, value: float, fraction: bool, sign: int
) -> tuple[Quantity, int]:
    word = word_at(tokens, words, j)
    if (
        fraction
        and word == "of"
        and word_at(tokens, words, j + 1) in ("a", "an", "one")
        and UNITS.get(word_at(tokens, words, j + 2))
    ):
        j, word, fraction = j + 2, words[j + 2], False
    elif fraction and word in ("a", "an") and UNITS.get(word_at(tokens, words, j + 1)):
        j, word, fraction = j + 1, words[j + 1], False
    elif word == "-" and word_at(tokens, words, j + 1) in _HYPHENED:
        j, word = j + 1, words[j + 1]
    if word in ("th", "nd", "rd", "st") and tokens[j].glued:
        if word_at(tokens, words, j + 1) in ("percentile", "percentiles", "quantile"):
            return Quantity(value, PERCENTILE, sign), j + 2
        return Quantity(value, COUNT, sign), j + 1
    if word == "per" and word_at(tokens, words, j + 1) in ("cent", "mille", "mil", "thousand"):
        return Quantity(value / (100 if words[j + 1] == "cent" else 1000), RATIO, sign), j + 2
    if word in ("%", "percent", "percentage") and words[j + 1 : j + 3] in (["-", "points"], ["-", "point"]):
        return Quantity(value / 100, POINTS, sign), j + 3
    raw = tokens[j].raw if j < len(tokens) else ""
    slash_second = words[j + 1 : j + 3] in (
        ["/", "s"],
        ["/", "sec"],
        ["per", "second"],
        ["per", "sec"],
        ["a", "second"],
        ["p", "s"],
    )
    if raw in BYTE_UNITS:
        return Quantity(value * BYTE_UNITS[raw], BYTES, sign), j + (3 if slash_second else 1)
    if raw in BIT_UNITS and (slash_second or raw[0] in "MG"):
        return Quantity(value * BIT_UNITS[raw], RATE, sign), j + (3 if slash_second else 1)
    if word in ("%", "percent", "percentage", "pct") and word_at(tokens, words, j + 1) in ("points", "point", "pts", "pp"):
        return Quantity(value / 100, POINTS, sign), j + 2
    unit = UNITS.get(word)
    if unit is None or (word == "min" and word_at(tokens, words, j + 1) and tokens[j + 1].kind == "number"):
        return Quantity(value, FRACTION if fraction else COUNT, sign), j
    if word in ("x", "×") and j + 1 < len(tokens) and tokens[j + 1].glued and tokens[j + 1].kind == "word":
        return Quantity(value, COUNT, sign), j
    dim, scale = unit
    if fraction and dim not in (FACTOR,):
        return Quantity(value, FRACTION, sign), j
    j += 3 if dim == RATE and slash_second else 1
    if dim == DURATION:
        value, j = _longer(tokens, words, j, value, scale)
    return Quantity(value * scale, dim, sign, scale=scale), j


def _longer(tokens: Sequence[Token], words: Sequence[str], j: int, value: float, scale: float) -> tuple[float, int]:
    """ "an hour and a half", "two hours and 30 minutes", "2h30": the length in its unit, and the index after it."""
    if list(words[j : j + 3]) == ["and", "a", "half"]:
        return value + 0.5, j + 3
    if scale != 3600.0:
        return value, j
    glued = j < len(tokens) and tokens[j].glued and tokens[j].text.isdigit() and len(tokens[j].text) == 2
    k = j if glued else j + 1 if word_at(tokens, words, j) == "and" else j
    minutes = read_number(tokens, words, k) if glued or word_at(tokens, words, k) else None
    if minutes is None or minutes[2] or minutes[0] >= 60:
        return value, j
    told = word_at(tokens, words, minutes[1]) in ("m", "min", "mins", "minute", "minutes")
    if not (told or glued):
        return value, j
    return value + minutes[0] / 60, minutes[1] + told
