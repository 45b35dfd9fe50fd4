"""Dates: "2026-11-27", "27 November", "Nov 27th", "the fifth of March", "27.11.2026", "on the 5th", "27-29 November"."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from twm.gateway.intents.tokens import Token

_MONTH_NAMES = "january february march april may june july august september october november december"
_ORDINAL_NAMES = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
seventeenth eighteenth nineteenth twentieth
"""
_MONTHS = {name[:n]: i for i, name in enumerate(_MONTH_NAMES.split(), 1) for n in (3, len(name))} | {"sept": 9}
_ORDINALS = {word: i for i, word in enumerate(_ORDINAL_NAMES.split(), 1)} | {"thirtieth": 30}
_SUFFIXES = ("th", "st", "nd", "rd")
_LEADS = frozenset({"on", "until", "till", "by", "before", "after", "from", "or", "to", "and", "since", "through", "between"})
_FOLLOWS = frozenset({"", ",", ".", ";", ":", "at", "from", "between", "to", "until", "till", "or", "and", "-", "–", ")", "("})
AMBIGUOUS = "ambiguous"
"""Instead of a date: day and month may be meant either way."""


def starts_date(word: str) -> bool:
    """Whether a date may begin with the word."""
    return word in _MONTHS or word in _ORDINALS


def read_date(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> tuple[dt.date | str, int] | None:
    """The date at `i` and the index after it; without a year the next one. `AMBIGUOUS` for "05/12/2026"."""
    try:
        return (
            _iso(tokens, words, i)
            or _day_month(tokens, words, i, today)
            or _month_day(tokens, words, i, today)
            or _slashed(tokens, words, i, today)
            or _with_dots(tokens, i)
            or _day_alone(tokens, words, i, today)
        )
    except (ValueError, IndexError):
        return None


def read_days(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> tuple[dt.date, dt.date, int] | None:
    """ "27 to 29 November", "Nov 27-29": first and last day, and the index after them."""
    try:
        month_first = words[i] in _MONTHS
        first = _day_at(tokens, words, i + 1 if month_first else i)
        joint = _word(words, first[1]) if first is not None else ""
        if first is None or joint not in ("-", "–", "to", "until", "till", "through", "and", "&", "+"):
            return None
        listed = joint in ("and", "&", "+") and _word(words, i - 1) != "between"
        if not month_first:
            last = _day_month(tokens, words, _past_the(words, first[1] + 1), today)
            if last is None or last[0].day <= first[0] or (listed and last[0].day != first[0] + 1):
                return None
            return last[0].replace(day=first[0]), last[0], last[1]
        second = _day_at(tokens, words, _past_the(words, first[1] + 1))
        if second is None or second[0] <= first[0] or _word(words, second[1]) == ":" or listed:
            return None
        start, _ = _dated(tokens, first[1], first[0], _MONTHS[words[i]], today)
        return start, start.replace(day=second[0]), second[1]
    except (ValueError, IndexError):
        return None


def _word(words: Sequence[str], i: int) -> str:
    return words[i] if 0 <= i < len(words) else ""


def _past_the(words: Sequence[str], i: int) -> int:
    return i + 1 if _word(words, i) == "the" else i


def _iso(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[dt.date, int] | None:
    text = tokens[i].text
    year = tokens[i].kind == "number" and len(text) == 4 and text.isdigit()
    if not year or words[i + 1 : i + 2] != ["-"] or words[i + 3 : i + 4] != ["-"]:
        return None
    after = i + 5
    if _word(words, after) == "t" and tokens[after].glued:
        after += 1
    return dt.date(int(text), int(tokens[i + 2].text), int(tokens[i + 4].text)), after


def _day_at(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[int, int] | None:
    """ "27", "27th", "the fifth"."""
    if i >= len(tokens):
        return None
    if words[i] in _ORDINALS:
        return _ORDINALS[words[i]], i + 1
    if tokens[i].kind == "number" and tokens[i].text.isdigit() and 1 <= int(tokens[i].text) <= 31 and len(tokens[i].text) <= 2:
        return int(tokens[i].text), i + 2 if _word(words, i + 1) in _SUFFIXES and tokens[i + 1].glued else i + 1
    return None


def _day_month(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> tuple[dt.date, int] | None:
    found = _day_at(tokens, words, i)
    if found is None:
        return None
    day, j = found
    while _word(words, j) in ("of", "-", ".") and j < i + 4:
        j += 1
    month = _MONTHS.get(_word(words, j))
    return _dated(tokens, j + 1, day, month, today) if month else None


def _month_day(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> tuple[dt.date, int] | None:
    if words[i] not in _MONTHS or i + 1 >= len(tokens):
        return None
    j = i + 2 if words[i + 1] in ("the", ".") else i + 1
    if j >= len(tokens) or not (tokens[j].text.isdigit() or words[j] in _ORDINALS):
        return None
    found = _day_at(tokens, words, j)
    if found is None or (words[i] == "may" and found[1] == j + 1 and found[1] < len(tokens) and words[j] not in _ORDINALS):
        return None
    return _dated(tokens, found[1], found[0], _MONTHS[words[i]], today)


def _slashed(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> tuple[dt.date | str, int] | None:
    text = tokens[i].text
    if tokens[i].kind != "number" or words[i + 1 : i + 2] != ["/"] or i + 2 >= len(tokens):
        return None
    other = tokens[i + 2].text
    if not (text.isdigit() and other.isdigit() and len(other) <= 2 and len(text) <= 2):
        return None
    year = words[i + 3 : i + 4] == ["/"] and i + 4 < len(tokens) and tokens[i + 4].text.isdigit()
    if not year and (len(other) != 2 or len(text) != 2 or words[i + 3 : i + 4] == ["/"]):
        return None
    low, high = sorted((int(text), int(other)))
    if high > 31 or low > 12 or low == 0 or (not year and high <= 12 and low != high):
        return None
    if high <= 12 and low != high:
        return AMBIGUOUS, i + 5
    if not year:
        return _dated(tokens, i + 3, high, low, today)
    full = int(tokens[i + 4].text)
    return dt.date(full + 2000 if full < 100 else full, low, high), i + 5


def _with_dots(tokens: Sequence[Token], i: int) -> tuple[dt.date, int] | None:
    parts = tokens[i].text.split(".")
    if tokens[i].kind != "number" or len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    if len(parts[2]) not in (2, 4) or len(parts[0]) > 2:
        return None
    year = int(parts[2]) + (2000 if len(parts[2]) == 2 else 0)
    return dt.date(year, int(parts[1]), int(parts[0])), i + 1


def _day_alone(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> tuple[dt.date, int] | None:
    """ "on the 5th", "until the fifth": the next day of that number."""
    found = _day_at(tokens, words, i)
    if found is None or _word(words, i - 1) != "the":
        return None
    if _word(words, i - 2) not in _LEADS and not _word(words, i - 2).endswith("day"):
        return None
    day, after = found
    plain = after == i + 1 and words[i] not in _ORDINALS
    follows = _word(words, after)
    if plain or not (follows in _FOLLOWS or follows[:1].isdigit() or follows in ("noon", "midnight", "in")):
        return None
    month = today.replace(day=1)
    for _ in range(13):
        try:
            date = month.replace(day=day)
        except ValueError:
            date = dt.date.min
        if date >= today:
            return date, after
        month = (month + dt.timedelta(days=32)).replace(day=1)
    return None


def _dated(tokens: Sequence[Token], j: int, day: int, month: int, today: dt.date) -> tuple[dt.date, int]:
    k = j + 1 if j + 1 < len(tokens) and tokens[j].text in (",", "-") else j
    if k < len(tokens) and tokens[k].kind == "number" and len(tokens[k].text) == 4 and tokens[k].text[:2] == "20":
        clock = k + 1 < len(tokens) and tokens[k + 1].text in ("-", "–", "to", "h", "hrs") and k == j
        if not clock or tokens[k].text[2] in "23":
            return dt.date(int(tokens[k].text), month, day), k + 1
    found = dt.date(today.year, month, day)
    if (today - found).days > 180:
        found = dt.date(today.year + 1, month, day)
    return found, j
