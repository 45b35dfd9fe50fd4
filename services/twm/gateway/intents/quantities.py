"""Numbers with units, clock times and dates, out of digits or words. Units: shares and ratios 0..1, ms, s, Mbps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from twm.gateway.intents.numbers import ONES, read_number, read_words, word_at
from twm.gateway.intents.tokens import Token, numeral
from twm.gateway.intents.units import (
    BIT_UNITS,
    BYTE_UNITS,
    BYTES,
    COUNT,
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

_MONTHS = {
    name[:n]: i
    for i, name in enumerate(
        [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ],
        1,
    )
    for n in (3, len(name))
} | {"sept": 9}


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day. `sure`: on a 24-hour clock or with am/pm; otherwise it may be meant 12 hours later."""

    hour: int
    minute: int
    sure: bool

    @property
    def minutes(self) -> int:
        """Since midnight."""
        return 60 * self.hour + self.minute


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
    elif word == "-" and word_at(tokens, words, j + 1) in (
        "fold",
        "times",
        "percent",
        "ms",
        "point",
        "minute",
        "hour",
        "second",
    ):
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
    return Quantity(value * scale, dim, sign, scale=scale), j


def read_clock(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[Clock, int] | None:
    """The time of day at `i`: "18:00", "6 pm", "6:30pm", "18h00", "8 o'clock", "noon", "midnight"."""
    if words[i] in ("noon", "midday"):
        return Clock(12, 0, True), i + 1
    if words[i] == "midnight":
        return Clock(24, 0, True), i + 1
    token = tokens[i]
    hour, minute, j, sure = 0, 0, i + 1, False
    if token.kind == "number" and token.text.isdigit() and len(token.text) <= 2:
        hour = int(token.text)
        if word_at(tokens, words, j) in (":", "h") and tokens[j].glued and j + 1 < len(tokens) and tokens[j + 1].glued:
            if not (tokens[j + 1].text.isdigit() and len(tokens[j + 1].text) == 2):
                return None
            minute, j, sure = int(tokens[j + 1].text), j + 2, True
            if word_at(tokens, words, j) == ":" and j + 1 < len(tokens) and tokens[j + 1].text.isdigit():
                j += 2
    elif token.kind == "number" and _dotted(token.text):
        hour, minute = (int(part) for part in token.text.split("."))
    else:
        number = read_words(tokens, words, i) if words[i] in ONES else None
        if number is None or number[2] or not 1 <= number[0] <= 12:
            return None
        hour, j = int(number[0]), number[1]
    half = word_at(tokens, words, j)
    if half in ("am", "pm", "a.m", "p.m") or (half in ("a", "p") and words[j + 1 : j + 3] == [".", "m"]):
        if not 1 <= hour <= 12:
            return None
        dotted = half in ("a", "p")
        hour = hour % 12 + (12 if half.startswith("p") else 0)
        j += 3 if dotted else 1
        if dotted and word_at(tokens, words, j) == "." and tokens[j].glued:
            j += 1
        sure = True
    elif half in ("o'clock", "oclock"):
        j += 1
        sure = sure or hour > 12
        if hour > 24:
            return None
        return Clock(hour, minute, sure), j
    elif not sure:
        return None
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        return None
    return Clock(hour, minute, sure), j


def _dotted(text: str) -> bool:
    hour, dot, minute = text.partition(".")
    return (
        bool(dot)
        and hour.isdigit()
        and minute.isdigit()
        and len(hour) <= 2
        and len(minute) == 2
        and int(hour) <= 24
        and int(minute) < 60
    )


def read_date(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> tuple[dt.date, int] | None:
    """The date at `i`: "2026-11-27", "27 November [2026]", "November 27", "27.11.[2026]"; without a year the next one."""
    text = tokens[i].text
    try:
        if (
            tokens[i].kind == "number"
            and len(text) == 4
            and text.isdigit()
            and words[i + 1 : i + 2] == ["-"]
            and words[i + 3 : i + 4] == ["-"]
        ):
            return dt.date(int(text), int(tokens[i + 2].text), int(tokens[i + 4].text)), i + 5
        if tokens[i].kind == "number" and text.isdigit() and len(text) <= 2:
            j = i + 2 if word_at(tokens, words, i + 1) in ("th", "st", "nd", "rd") else i + 1
            if word_at(tokens, words, j) == "of":
                j += 1
            month = _MONTHS.get(word_at(tokens, words, j))
            if month:
                return _dated(tokens, j + 1, int(text), month, today)
        if tokens[i].kind == "word" and words[i] in _MONTHS and i + 1 < len(tokens) and tokens[i + 1].text.isdigit():
            day, j = int(tokens[i + 1].text), i + 2
            if (day <= 31 and word_at(tokens, words, j) in ("th", "st", "nd", "rd", "")) or (day <= 31 and words[i] != "may"):
                if word_at(tokens, words, j) in ("th", "st", "nd", "rd"):
                    j += 1
                return _dated(tokens, j, day, _MONTHS[words[i]], today)
        if tokens[i].kind == "number" and words[i + 1 : i + 2] == ["/"] and i + 2 < len(tokens) and len(text) == 2:
            other = tokens[i + 2].text
            slashed = len(other) == 2 and other.isdigit() and text.isdigit() and words[i + 3 : i + 4] != ["/"]
            if slashed and (text == other or max(int(text), int(other)) > 12):
                day, month = sorted((int(text), int(other)), reverse=True)
                return _dated(tokens, i + 3, day, month, today)
        if tokens[i].kind == "number" and text.count(".") in (1, 2):
            parts = text.split(".")
            if len(parts) == 3 and len(parts[2]) == 4:
                return dt.date(int(parts[2]), int(parts[1]), int(parts[0])), i + 1
    except (ValueError, IndexError):
        return None
    return None


def _dated(tokens: Sequence[Token], j: int, day: int, month: int, today: dt.date) -> tuple[dt.date, int]:
    if j < len(tokens) and tokens[j].kind == "number" and len(tokens[j].text) == 4 and tokens[j].text.isdigit():
        return dt.date(int(tokens[j].text), month, day), j + 1
    found = dt.date(today.year, month, day)
    if (today - found).days > 180:
        found = dt.date(today.year + 1, month, day)
    return found, j
