"""Times of day: "18:00", "6 pm", "18h30", "half past two", "0600", "22:00 UTC"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twm.gateway.intents.numbers import ONES, TENS, read_words
from twm.gateway.intents.tokens import Token
from twm.gateway.intents.units import UNITS

_HALVES = ("am", "pm", "a.m", "p.m")
_O_CLOCK = frozenset({"o'clock", "oclock", "uhr"})
_HOURS = frozenset({"h", "hr", "hrs", "hours", "uhr", "o'clock", "oclock"})
_BEFORE_BARE = frozenset({"from", "until", "till", "til", "between", "since"})
_BEGINS = frozenset(
    {"start", "starts", "starting", "begin", "begins", "beginning", "today", "tonight", "tomorrow", "effective"}
)
_PARTS = frozenset({"morning", "afternoon", "evening"})
_JOINTS = frozenset({"to", "-", "–", "until", "till", "and"})
_ZONES = {
    "utc": 0,
    "gmt": 0,
    "zulu": 0,
    "z": 0,
    "wet": 0,
    "bst": 60,
    "cet": 60,
    "mez": 60,
    "cest": 120,
    "mesz": 120,
    "eet": 120,
    "eest": 180,
    "est": -300,
    "edt": -240,
    "pst": -480,
    "pdt": -420,
    "sast": 120,
    "aest": 600,
    "aedt": 660,
    "sgt": 480,
    "hkt": 480,
    "jst": 540,
}
"""Minutes ahead of UTC."""
_SHORT_ZONES = {
    "wat": 60,
    "cat": 120,
    "eat": 180,
    "msk": 180,
    "pkt": 300,
    "ict": 420,
    "wib": 420,
    "nzst": 720,
    "nzdt": 780,
    "brt": -180,
    "art": -180,
    "cdt": -300,
    "mst": -420,
    "mdt": -360,
}
"""The same, read in capitals only, since they are words too."""
_UNIVERSAL = frozenset({"utc", "zulu", "z"})


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day. `sure`: on a 24-hour clock or with am/pm; otherwise it may be meant 12 hours later."""

    hour: int
    minute: int
    sure: bool
    half: bool = False
    """With am or pm."""
    zone: int | None = None
    """Minutes ahead of UTC, where a time zone was said."""
    universal: bool = False
    """The zone said is UTC, which never means local time."""

    @property
    def minutes(self) -> int:
        """Since midnight."""
        return 60 * self.hour + self.minute


def _word(words: Sequence[str], i: int) -> str:
    return words[i] if 0 <= i < len(words) else ""


def _digits(tokens: Sequence[Token], i: int, length: int) -> bool:
    return 0 <= i < len(tokens) and tokens[i].kind == "number" and tokens[i].text.isdigit() and len(tokens[i].text) == length


def read_clock(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[Clock, int] | None:
    """The time of day at `i` and the index after it."""
    found = _spoken(tokens, words, i) or _four_digits(tokens, words, i) or _plain(tokens, words, i)
    if found is None:
        return None
    clock, j = found
    if clock.hour > 24 or clock.minute > 59 or (clock.hour == 24 and clock.minute):
        return None
    return _zoned(tokens, words, clock, j)


def _zoned(tokens: Sequence[Token], words: Sequence[str], clock: Clock, j: int) -> tuple[Clock, int]:
    """With the time zone that follows: "22:00 UTC", "T22:00Z", "T22:00:00+01:00", "20:00 UTC+1"."""
    word = _word(words, j)
    if word == "local" and _word(words, j + 1) == "time":
        return clock, j + 2
    if word in _ZONES and (word != "z" or tokens[j].glued):
        zone, universal, k = _ZONES[word], word in _UNIVERSAL, j + 1
        if word in ("utc", "gmt") and _word(words, k) in ("+", "-") and k + 1 < len(tokens) and tokens[k + 1].text.isdigit():
            zone += (1 if words[k] == "+" else -1) * 60 * int(tokens[k + 1].text)
            k += 2
        k += _word(words, k) == "time"
        return replace(clock, zone=zone, universal=universal), k
    if word in _SHORT_ZONES and tokens[j].raw.isupper():
        return replace(clock, zone=_SHORT_ZONES[word]), j + 1
    signed = word in ("+", "-") and tokens[j].glued and _word(words, j + 2) == ":"
    if signed and _digits(tokens, j + 1, 2) and _digits(tokens, j + 3, 2) and tokens[j + 1].glued and words[j] == "+":
        return replace(clock, zone=60 * int(words[j + 1]) + int(words[j + 3]), universal=True), j + 4
    return clock, j


def _hour_at(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[int, int] | None:
    """A whole hour at `i`, in digits or in a word."""
    if i >= len(tokens):
        return None
    if words[i] in ("noon", "midday"):
        return 12, i + 1
    if words[i] == "midnight":
        return 24, i + 1
    if tokens[i].kind == "number" and tokens[i].text.isdigit() and 1 <= int(tokens[i].text) <= 24:
        return int(tokens[i].text), i + 1
    if words[i] in ONES and 1 <= ONES[words[i]] <= 12:
        return ONES[words[i]], i + 1
    return None


def _spoken(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[Clock, int] | None:
    """ "half past two", "a quarter to nine", "ten past six", "twenty minutes to seven", "nine thirty"."""
    j = i + 1 if words[i] in ("a", "an") else i
    minutes = 0
    if _word(words, j) == "half":
        minutes, j = 30, j + 1
    elif _word(words, j) == "quarter":
        minutes, j = 15, j + 1
    elif words[i] in ONES or words[i] in TENS or tokens[i].kind == "number":
        number = _minutes_at(tokens, words, i)
        if number is None:
            return None
        minutes, j = number
        hour = ONES.get(words[i], 0)
        follows = _minutes_at(tokens, words, j) if 1 <= hour <= 12 and j == i + 1 and words[i] in ONES else None
        if follows is not None and tokens[j].kind == "word" and follows[0] >= 10 and _ends(tokens, words, follows[1]):
            return _halved(tokens, words, hour, follows[0], follows[1])
    if not minutes:
        return None
    counted = _word(words, j) in ("minute", "minutes", "min")
    j += counted
    if _word(words, j) == "-":
        j += 1
    joint = _word(words, j)
    back = joint in ("to", "before") and (counted or minutes == 15) and words[j - 1] != "half"
    if joint not in ("past", "after") and not back:
        return None
    found = _hour_at(tokens, words, j + 1)
    if found is None or (joint == "after" and not (counted or minutes in (15, 30))) or not _ends(tokens, words, found[1]):
        return None
    hour, after = found
    total = 60 * hour + (-minutes if back else minutes)
    if words[j + 1] in ("noon", "midday", "midnight"):
        return Clock(total // 60 % 24, total % 60, True), after
    return _halved(tokens, words, total // 60, total % 60, after)


def _minutes_at(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[int, int] | None:
    """A number below sixty."""
    if i >= len(tokens):
        return None
    if tokens[i].kind == "number":
        return (int(tokens[i].text), i + 1) if tokens[i].text.isdigit() and int(tokens[i].text) < 60 else None
    if words[i] in TENS and TENS[words[i]] < 60:
        j = i + 2 if _word(words, i + 1) == "-" else i + 1
        unit = ONES.get(_word(words, j), 0)
        return (TENS[words[i]] + unit, j + 1) if 1 <= unit <= 9 else (TENS[words[i]], i + 1)
    return (ONES[words[i]], i + 1) if words[i] in ONES else None


def _ends(tokens: Sequence[Token], words: Sequence[str], j: int) -> bool:
    """Whether the number before `j` has no unit and goes on no further."""
    word = _word(words, j)
    return not (word in UNITS or word in ("hundred", "thousand", "point", "per", "%", "nines") or word in ONES or word in TENS)


def _four_digits(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[Clock, int] | None:
    """ "1830 hrs", "0600", "from 2200"."""
    if not _digits(tokens, i, 4) or int(tokens[i].text[2:]) > 59 or int(tokens[i].text[:2]) > 24:
        return None
    told = _word(words, i + 1) in _HOURS
    leading = tokens[i].text[0] == "0" and _ends(tokens, words, i + 1)
    begun = _word(words, i - 1) == "at" and _word(words, i - 2) in _BEGINS
    bare = (begun or _word(words, i - 1) in _BEFORE_BARE) and _ends(tokens, words, i + 1)
    joined = _word(words, i - 1) in _JOINTS and _digits(tokens, i - 2, 4) and _ends(tokens, words, i + 1)
    joined = joined or (_word(words, i + 1) in _JOINTS and _digits(tokens, i + 2, 4) and tokens[i + 2].text[0] == "0")
    if not (told or leading or bare or joined):
        return None
    return Clock(int(tokens[i].text[:2]), int(tokens[i].text[2:]), True), i + 2 if told else i + 1


def _plain(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[Clock, int] | None:
    twelve = words[i] in ("12", "twelve") and _word(words, i + 1) in ("noon", "midday", "midnight")
    if twelve or words[i] in ("noon", "midday", "midnight"):
        j = i + 1 if twelve else i
        return Clock(24 if words[j] == "midnight" else 12, 0, True), j + 1
    token = tokens[i]
    hour, minute, j, sure = 0, 0, i + 1, False
    if token.kind == "number" and token.text.isdigit() and len(token.text) <= 2:
        hour = int(token.text)
        lasts = _word(words, j) == "h" and _word(words, i - 1) in ("for", "next", "lasting", "within", "about")
        if not lasts and _word(words, j) in (":", "h") and tokens[j].glued and j + 1 < len(tokens) and tokens[j + 1].glued:
            if not _digits(tokens, j + 1, 2):
                return None
            minute, j, sure = int(tokens[j + 1].text), j + 2, True
            if _word(words, j) == ":" and j + 1 < len(tokens) and tokens[j + 1].text.isdigit():
                j += 2
    elif token.kind == "number" and dotted(token.text):
        hour, minute = (int(part) for part in token.text.split("."))
        if _dotted_alone(tokens, words, i):
            return Clock(hour, minute, hour > 12 or token.text.startswith("0")), j
    else:
        number = read_words(tokens, words, i) if words[i] in ONES else None
        if number is None or number[2] or not 1 <= number[0] <= 12:
            return None
        hour, j = int(number[0]), number[1]
    if sure and _word(words, j) in _HOURS:
        return Clock(hour, minute, True), j + 1
    if not sure and token.kind == "number" and dotted(token.text) and _word(words, j) in _HOURS:
        return Clock(hour, minute, True), j + 1
    return _halved(tokens, words, hour, minute, j) if sure or _marked(words, j) or _of_day(words, i, j) else None


def _marked(words: Sequence[str], j: int) -> bool:
    """am, pm or "o'clock" follows."""
    word = _word(words, j)
    return word in _O_CLOCK or _half_words(words, j) > 0


def _half_words(words: Sequence[str], j: int) -> int:
    """How many words say am or pm: "pm", "p.m.", "p m"; 0 where none do."""
    word = _word(words, j)
    if word in ("a", "p"):
        return 2 if _word(words, j + 1) == "m" else 3 if list(words[j + 1 : j + 3]) == [".", "m"] else 0
    return int(word in _HALVES)


def _of_day(words: Sequence[str], i: int, j: int) -> bool:
    """ "at seven in the morning": the part of the day tells an hour from a figure."""
    return _word(words, i - 1) in ("at", "by") and words[j : j + 2] == ["in", "the"] and _word(words, j + 2) in _PARTS


def _halved(tokens: Sequence[Token], words: Sequence[str], hour: int, minute: int, j: int) -> tuple[Clock, int] | None:
    """With the am, pm or "o'clock" that follows."""
    colon = j >= 2 and words[j - 2] in (":", "h") and tokens[j - 1].kind == "number"
    sure = colon or hour > 12
    word = _word(words, j)
    if _half_words(words, j):
        if not 1 <= hour <= 12:
            return None
        said = _half_words(words, j)
        stops = said == 3
        hour = hour % 12 + (12 if word.startswith("p") else 0)
        j += said
        if stops and _word(words, j) == "." and tokens[j].glued:
            j += 1
        return Clock(hour, minute, True, half=True), j
    if word in _O_CLOCK:
        return Clock(hour, minute, sure), j + 1
    return Clock(hour, minute, sure), j


def dotted(text: str) -> bool:
    """Whether it may be a time of day: "18.30"."""
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


def _dotted_alone(tokens: Sequence[Token], words: Sequence[str], i: int) -> bool:
    """ "until 18.30", "from 8.00 to 10.30": no figure of anything else."""
    if tokens[i].text.startswith("0.") or not _ends(tokens, words, i + 1) or _word(words, i + 1) in _HALVES:
        return False
    after = _word(words, i + 1) in ("to", "-", "–", "until", "till", "and") and _dotted_at(tokens, i + 2)
    if after:
        return _word(words, i - 1) in _BEFORE_BARE and _ends(tokens, words, i + 3)
    before = _dotted_at(tokens, i - 2) and _word(words, i - 1) in ("to", "-", "–", "until", "till", "and")
    return _word(words, i - 1) in ("until", "till", "til") or (before and _word(words, i - 3) in _BEFORE_BARE)


def _dotted_at(tokens: Sequence[Token], i: int) -> bool:
    return 0 <= i < len(tokens) and tokens[i].kind == "number" and dotted(tokens[i].text) and tokens[i].text[:2] != "0."
