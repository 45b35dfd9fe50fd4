"""Numbers in a text: digits with sign, decimals and unit, and numbers in words.

What cannot be read for certain is named, not guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

MASK = "\x00"
"""Stands where a name, quote or date was taken out."""

UNIT_WORDS: dict[str, tuple[str, float]] = {
    "%": ("%", 1.0),
    "percent": ("%", 1.0),
    "per cent": ("%", 1.0),
    "pct": ("%", 1.0),
    "percentage points": ("points", 1.0),
    "percentage point": ("points", 1.0),
    "points": ("points", 1.0),
    "point": ("points", 1.0),
    "pp": ("points", 1.0),
    "ms": ("ms", 1.0),
    "msec": ("ms", 1.0),
    "milliseconds": ("ms", 1.0),
    "millisecond": ("ms", 1.0),
    "us": ("ms", 1e-3),
    "µs": ("ms", 1e-3),
    "μs": ("ms", 1e-3),
    "microseconds": ("ms", 1e-3),
    "s": ("s", 1.0),
    "sec": ("s", 1.0),
    "secs": ("s", 1.0),
    "second": ("s", 1.0),
    "seconds": ("s", 1.0),
    "min": ("s", 60.0),
    "mins": ("s", 60.0),
    "minute": ("s", 60.0),
    "minutes": ("s", 60.0),
    "h": ("s", 3600.0),
    "hour": ("s", 3600.0),
    "hours": ("s", 3600.0),
    "mbps": ("Mbps", 1.0),
    "mbit/s": ("Mbps", 1.0),
    "mb/s": ("?", 1.0),
    "gbps": ("Mbps", 1e3),
    "gbit/s": ("Mbps", 1e3),
    "kbps": ("Mbps", 1e-3),
    "kbit/s": ("Mbps", 1e-3),
    "slow steps": ("steps", 1.0),
    "slow step": ("steps", 1.0),
    "steps": ("steps", 1.0),
    "step": ("steps", 1.0),
    **dict.fromkeys(
        ("db", "dbm", "hz", "khz", "mhz", "ghz", "km", "m", "w", "kw", "bps", "bit/s", "bits", "kb", "mb", "gb", "tb", "mbit",
         "gbit", "ns", "days", "day", "weeks", "eur", "usd", "euros", "dollars", "prb", "prbs", "x", "k", "times", "fold",
         "million", "billion", "st", "nd", "rd", "th", "ppm", "permille", "‰"),
        ("?", 1.0),
    ),
}  # fmt: skip
"""Unit as written, lower case, to (unit family, value of one of it in the family's unit); "?": no fact has it."""
_UNIT = re.compile(
    r"[ \t-]?(" + "|".join(re.escape(u) for u in sorted(UNIT_WORDS, key=len, reverse=True)) + r")(?![A-Za-zµμ/])", re.IGNORECASE
)
_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+")
_SIGNS = {"+": 1, "-": -1, "−": -1, "–": -1}
_JOIN = re.compile(r"[\s(]*(?:to|and|or|through|versus|vs\.?|instead of|rather than|from|,|/|-|–|\.\.\.?)[\s(]*", re.IGNORECASE)

_SMALL = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS: dict[str, float] = {
    **{word: float(i) for i, word in enumerate(_SMALL)},
    **{word: 20.0 + 10 * i for i, word in enumerate(_TENS)},
    **{f"{t}-{u}": 20.0 + 10 * i + j for i, t in enumerate(_TENS) for j, u in enumerate(_SMALL[1:10], 1)},
    "dozen": 12.0,
    "half": 0.5,
    "quarter": 0.25,
}
_VAGUE = [
    *("hundred", "hundreds", "thousand", "thousands", "million", "millions", "billion", "billions", "dozens"),
    *("double", "doubled", "doubles", "doubling", "twice", "twofold", "triple", "tripled", "triples", "thrice", "threefold"),
    *("fourfold", "fivefold", "tenfold", "quadruple", "halve", "halved", "halves", "halving"),
    *("third", "thirds", "fourth", "fourths", "quarters", "fifth", "fifths", "sixth", "seventh", "eighth", "ninth", "tenth"),
    *("tenths", "hundredth"),
]
_WORD = re.compile(r"(?<![\w-])(?:" + "|".join(sorted([*WORDS, *_VAGUE], key=len, reverse=True)) + r")(?![\w-])", re.IGNORECASE)
_ROMAN = re.compile(r"(?<![\w-])[IVX]{2,8}(?![\w-])")
_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?"
    r"|\b\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]m)?\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d{1,2}\s?[ap]\.?m\b\.?"
    r"|\b(?:\d{1,2}(?:st|nd|rd|th)?\s+)?(?:January|February|March|April|June|July|August|September|October|November|December)"
    r"(?:\s+\d{1,4}(?:st|nd|rd|th)?)?(?:,?\s+\d{4})?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Token:
    """One number in a text."""

    text: str
    """As written, with sign and unit."""
    start: int
    end: int
    value: float
    decimals: int
    """Written decimals; -1: in words."""
    half_digit: float
    """Half of the last written digit, in the unit family's unit; 0 for words."""
    sign: int | None
    """+1, -1; None: none was written."""
    unit: str
    """Unit family of UNIT_WORDS; "": none was written."""
    before: str
    """The word before it, lower case."""


@dataclass(frozen=True)
class Oddity:
    """Something that holds a number and cannot be checked."""

    kind: str
    """"unknown_name", "date", "script", "roman", "vague_word", "unknown_unit" or "sign"."""
    text: str
    start: int


def read_numbers(text: str) -> tuple[list[Token], list[Oddity]]:
    """The numbers of a text in which names, quotes and known dates are masked, and what cannot be read for certain."""
    odd = list(_scripts(text))
    for found in _DATE.finditer(text):
        if any(c.isdigit() for c in found.group()):
            odd.append(Oddity("date", found.group(), found.start()))
            text = text[: found.start()] + MASK * (found.end() - found.start()) + text[found.end() :]
    odd += [Oddity("roman", m.group(), m.start()) for m in _ROMAN.finditer(text)]
    tokens: list[Token] = []
    for found in _NUMBER.finditer(text):
        token = _token(text, found)
        if isinstance(token, Oddity):
            odd.append(token)
        else:
            tokens.append(token)
    for found in _WORD.finditer(text):
        word = found.group().lower()
        if word not in WORDS:
            odd.append(Oddity("vague_word", found.group(), found.start()))
            continue
        start = found.start()
        unit, factor, end = _unit_after(text, found.end())
        value, before = WORDS[word] * factor, _word_before(text, start)
        tokens.append(Token(text[start:end], start, end, value, -1, 0.0, None, unit, before))
    tokens.sort(key=lambda token: token.start)
    odd += [Oddity("unknown_unit", t.text, t.start) for t in tokens if t.unit == "?"]
    return _with_shared_units(text, [t for t in tokens if t.unit != "?"]), odd


def _scripts(text: str) -> Iterator[Oddity]:
    """Digits that are not ASCII: other scripts, fractions, superscripts, circled numbers."""
    for i, character in enumerate(text):
        if ord(character) > 127 and unicodedata.category(character) in ("Nd", "Nl", "No"):
            yield Oddity("script", character, i)


def _token(text: str, found: re.Match[str]) -> Token | Oddity:
    start, end, written = found.start(), found.end(), found.group()
    before = text[start - 1] if start else " "
    if before.isalpha() or before in "_#@$€£&" or (before in "./,:^*×" and start > 1 and text[start - 2].isalnum()):
        return Oddity("unknown_name", text[max(start - 12, 0) : end], start)
    if text[:start].rstrip().endswith("±"):
        return Oddity("sign", "±" + text[start:end], start)
    sign = None
    if before in _SIGNS:
        ahead = text[start - 2] if start > 1 else " "
        if ahead.isalpha() or ahead in f"_{MASK}":  # "cell-12": a name nobody knows
            return Oddity("unknown_name", text[max(start - 12, 0) : end], start)
        if not (ahead.isdigit() or ahead in "%)"):  # else a dash between two numbers
            sign, start = _SIGNS[before], start - 1
    unit, factor, after = _unit_after(text, end)
    if not unit and end < len(text) and (text[end].isalpha() or text[end] in "_^$€£"):
        return Oddity("unknown_name", text[start : end + 8], start)
    plain = written.replace(",", "")
    mantissa, _, power = plain.lower().partition("e")
    decimals = max(len(mantissa.partition(".")[2]) - int(power or 0), 0)
    value, half_digit = float(plain) * factor * (sign or 1), 0.5 * 10.0**-decimals * factor
    return Token(text[start:after], start, after, value, decimals, half_digit, sign, unit, _word_before(text, start))


def _unit_after(text: str, end: int) -> tuple[str, float, int]:
    """(unit family, factor, end of the unit); ("", 1, end) where no unit follows."""
    found = _UNIT.match(text, end)
    if found is None:
        return "", 1.0, end
    unit, factor = UNIT_WORDS[found.group(1).lower()]
    return unit, factor, found.end()


def _word_before(text: str, start: int) -> str:
    found = re.search(r"([A-Za-z]+)[\s:(#]*$", text[max(start - 24, 0) : start])
    return found.group(1).lower() if found else ""


def _with_shared_units(text: str, tokens: list[Token]) -> list[Token]:
    """ "9.8 to 19.1 ms": a number without a unit has that of the next one where only a connecting word lies between."""
    shared = list(tokens)
    for i in range(len(shared) - 2, -1, -1):
        here, after = shared[i], shared[i + 1]
        if not here.unit and after.unit and after.unit != "steps" and _JOIN.fullmatch(text[here.end : after.start]):
            scale = _factor_of(after)
            shared[i] = replace(here, unit=after.unit, value=here.value * scale, half_digit=here.half_digit * scale)
    return shared


def _factor_of(token: Token) -> float:
    found = _UNIT.search(token.text)
    return UNIT_WORDS[found.group(1).lower()][1] if found else 1.0
