"""Numbers out of digits or words: "1.5", "two hundred and fifty", "a third", "half a dozen"."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents.tokens import Token, numeral
from twm.gateway.intents.units import DURATION, POINTS, RATIO, UNITS

ONES = dict(
    zip(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ],
        range(20),
        strict=True,
    )
)
TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fourty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "thirds": 3,
    "quarter": 4,
    "quarters": 4,
    "fifth": 5,
    "fifths": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
    "tenths": 10,
    "twentieth": 20,
    "hundredth": 100,
    "thousandth": 1000,
}
_WHOLES = "2 3 4 5 8 10 20 50 100 200 500 1000 2000 5000 10000 100000 1000000"
_DENOMINATORS = frozenset(_WHOLES.split())
_SCALES = {"dozen": 12.0, "hundred": 100.0, "thousand": 1000.0, "million": 1e6}
NUMBER_WORDS = frozenset({*ONES, *TENS, *_PARTS, *_SCALES, "a", "an"})


def word_at(tokens: Sequence[Token], words: Sequence[str], i: int) -> str:
    return words[i] if 0 <= i < len(tokens) else ""


def read_number(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[float, int, bool] | None:
    """(value, next index, whether it is a fraction in words) of the number at `i`: digits, words or "a third"."""
    if i >= len(tokens):
        return None
    if tokens[i].kind == "number":
        value = numeral(tokens[i].text)
        if value is None:
            return None
        if words[i + 1 : i + 4] == ["and", "a", "half"]:
            return value + 0.5, i + 4, False
        below = _denominator(tokens, i)
        if below and value == int(value) and 0 < value < below:
            return value / below, i + 3, word_at(tokens, words, i + 3) not in UNITS
        part = _PARTS.get(word_at(tokens, words, i + 1))
        if part and part > 2:
            return value / part, i + 2, True
        return value, i + 1, False
    return read_words(tokens, words, i)


def _denominator(tokens: Sequence[Token], i: int) -> float:
    """What a whole number at `i` is divided by: "1/4", "2/3", "1/500"; 0 where nothing is, or it may be a date or a list."""
    if len(tokens) < i + 3 or tokens[i + 1].text != "/" or not (tokens[i + 1].glued and tokens[i + 2].glued):
        return 0.0
    text, before = tokens[i + 2].text, tokens[i - 1].text if i else ""
    listed = (i > 0 and tokens[i].glued and before not in "<>=≤≥(") or (i + 3 < len(tokens) and tokens[i + 3].text == "/")
    return float(text) if text in _DENOMINATORS and not listed else 0.0


def read_words(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[float, int, bool] | None:
    first = words[i]
    if first == "half":
        j = i + 1
        if word_at(tokens, words, j) in ("a", "an"):
            follower = word_at(tokens, words, j + 1)
            if follower in _SCALES:
                return 0.5 * _SCALES[follower], j + 2, False
            if follower in UNITS:
                return 0.5, j + 1, False
        return 0.5, j, True
    if first in ("a", "an"):
        nxt = word_at(tokens, words, i + 1)
        if nxt in _PARTS:
            if nxt == "quarter" and words[i + 2 : i + 4] == ["of", "an"]:
                return 0.25, i + 4, False
            return 1 / _PARTS[nxt], i + 2, True
        if nxt in _SCALES:
            return _SCALES[nxt], i + 2, False
        if UNITS.get(nxt, ("", 0))[0] in (DURATION, RATIO, POINTS) and nxt not in ("min", "pc"):
            return 1.0, i + 1, False
        return None
    if first not in ONES and first not in TENS:
        if first in ("third", "quarter") and word_at(tokens, words, i + 1) == "of":
            return 1 / _PARTS[first], i + 1, True
        return None
    total, j, current = 0.0, i, 0.0
    while j < len(tokens):
        word = words[j]
        if word in ONES:
            if j > i and not (words[j - 1] in TENS or words[j - 1] in ("-", "hundred", "thousand", "and")):
                break
            current += ONES[word]
        elif word in TENS:
            if j > i and words[j - 1] not in ("hundred", "thousand", "and"):
                break
            current += TENS[word]
        elif word == "hundred" and j > i:
            current = max(current, 1) * 100
        elif word == "thousand" and j > i:
            total, current = total + max(current, 1) * 1000, 0.0
        elif word in ("-", "and") and j > i and _joins(words, j):
            pass
        else:
            break
        j += 1
    value = total + current
    if word_at(tokens, words, j) in ("dozen", "million"):
        value, j = value * _SCALES[words[j]], j + 1
    if words[j : j + 3] == ["and", "a", "half"]:
        return value + 0.5, j + 3, False
    if word_at(tokens, words, j) in ("point", "comma") and word_at(tokens, words, j + 1) in ONES:
        digits = ""
        k = j + 1
        while word_at(tokens, words, k) in ONES and ONES[words[k]] < 10 and len(digits) < 6:
            digits, k = digits + str(ONES[words[k]]), k + 1
        if digits:
            return float(f"{int(value)}.{digits}"), k, False
    part = _PARTS.get(word_at(tokens, words, j))
    if part:
        return value / part, j + 1, True
    if words[j] == "-" and _PARTS.get(word_at(tokens, words, j + 1)) if j < len(tokens) else False:
        return value / _PARTS[words[j + 1]], j + 2, True
    return value, j, False


def _joins(words: Sequence[str], j: int) -> bool:
    before, after = words[j - 1], words[j + 1] if j + 1 < len(words) else ""
    if words[j] == "-":
        return before in TENS and after in ONES
    return before in ("hundred", "thousand") and (after in ONES or after in TENS)
