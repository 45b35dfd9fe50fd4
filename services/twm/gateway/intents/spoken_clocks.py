"""Times of day put plainly before they are read: "sixteen thirty", "oh six hundred", "twenty to four", "8:30 in the evening".

Works on the text alone; every pattern is bounded, so that the time is linear in the length of the text.
"""

from __future__ import annotations

import re

from twm.gateway.intents.numbers import ONES, TENS
from twm.gateway.intents.spoken_days import DAY, MONTH

_LEAD = r"(?:from|until|till|to|at|by|between|and|before|after|since|around|starting|-|–)"
_SMALL = "one|two|three|four|five|six|seven|eight|nine"
_TEEN = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_LATE = r"thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty(?:[\s-](?:one|two|three))?"
_MINUTES = rf"(?:(?:oh|zero|o)[\s-](?:{_SMALL})|(?:twenty|thirty|forty|fourty|fifty)(?:[\s-](?:{_SMALL}))?|{_TEEN})"
_NO_FIGURE = (
    r"(?![\s-]?(?:%|and\sa|per|point|meg|mega|mb|gig|gb|kilo|kb|milli|micro|ms\b|second|minute|hundred|thousand|packet|user|time|prb"
    r"|cell|link|step|degree|euro|dollar|watt|times|days?\b|weeks?\b))"
)
_SPOKEN = re.compile(
    rf"(?i)\b({_LEAD}\s)(?:(?:oh|zero|o)[\s-]({_SMALL})|({_LATE}))[\s-]({_MINUTES}|hundred)(?:\s(?:hours|hrs|h))?\b{_NO_FIGURE}"
)
_HUNDRED_HOURS = re.compile(rf"(?i)\b(?:(?:oh|zero|o)[\s-]({_SMALL})|({_LATE}|{_TEEN}))[\s-]hundred\s(?:hours|hrs)\b")
_ROUND_PAIR = re.compile(
    rf"(?i)\b(?:{_LATE})\shundred\s(?:to|and|until|till)\s(?:{_LATE}|{_TEEN})\shundred(?!\s(?:hours|hrs|h)\b)\s?[a-z%]{{1,12}}"
)
_SHORT_OF = re.compile(
    rf"(?i)\b((?:to|until|till|at|by|before)\s)((?:five|ten|twenty(?:[\s-]five)?))\sto\s(?=(?:{_SMALL}|ten|eleven|twelve)\b){_NO_FIGURE}"
)
_HALF_HOUR = re.compile(rf"(?i)\b(?:{_LEAD})\shalf\s(?:{_SMALL}|ten|eleven|twelve)\b(?!\s(?:percent|of|a)\b)")
"""Half past for some, half an hour before for others."""
_CLOCK = r"\d{1,2}:[0-5]\d"
_OF_A_PART = re.compile(
    rf"(?i)\b({_CLOCK})(?:(\s?(?:to|until|till|-|–|and)\s?)({_CLOCK}))?\s((?:in\sthe|this|tomorrow|tomorrow\sin\sthe|(?:on\s)?(?:{DAY}))\s)"
    r"(afternoon|evening)\b"
)
_TENTHS = r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_NTH = re.compile(
    rf"(?i)\b(the\s|(?:{MONTH})\s)(?:(twenty|thirty)[\s-])({_TENTHS}|first)\b(?=\s(?:of\s(?:{MONTH})\b|at|from|between|until|till)|[,.;:]|$)"
)
_ORDINALS = _TENTHS.split("|")
_TO_DAYS = re.compile(r"\b(\d\d)/(\d\d)(\s(?:\d\d?:\d\d\s)?(?:to|until|till|-|–)\s)(\d\d)/(\d\d)\b(?!/)")
_MONTHS = "January February March April May June July August September October November December"
_RULES = [
    (re.compile("(?i)" + pattern), words)
    for pattern, words in (
        (
            rf"\bbetween\s(?:the\s)?(\d{{1,2}})(?:st|nd|rd|th)?\sand\s(?:the\s)?(\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?((?:{MONTH})\b)",
            r"from \1 to \2 \3",
        ),
        (
            rf"\bbetween\s(?:the\s)?(\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?(?:{MONTH})|(?:{MONTH})\s\d{{1,2}}(?:st|nd|rd|th)?)\sand\s(?:the\s)?"
            rf"(?=\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?(?:{MONTH})\b|(?:{MONTH})\s\d{{1,2}}\b)",
            r"from \1 to ",
        ),
        (
            r"\b(?:on\s)?each\s(?:of\s)?(?:the\s)?(?:next|following|coming)\s\w{2,8}\s(?:days|evenings|nights|mornings)\b",
            "every day",
        ),
        (r"\b(?:on\s)?(?:all\s)?(?:work|working|business)\s?days\b", "weekdays"),
        (
            rf"\b(?:(?:in|on|for|during)\s)?the\s(?:first|second|third|fourth|last)\s(?:half|week|third|days|{DAY})\s(?:of|in)\s"
            rf"(?:(?:{MONTH})\b|the\smonth|this\smonth|next\smonth)",
            "for a while",
        ),
    )
]  # fmt: skip


def clocks_told(text: str) -> str:
    """The text with its times of day in figures."""
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    text = _HUNDRED_HOURS.sub(lambda m: f"{_number(m[1] or m[2]):02d}:00", text)
    if not _ROUND_PAIR.search(text):
        text = _SPOKEN.sub(_in_figures, text)
    text = _SHORT_OF.sub(r"\1\2 minutes to ", text)
    text = _HALF_HOUR.sub("for a while", text)
    text = _OF_A_PART.sub(_of_the_part, text)
    text = _NTH.sub(
        lambda m: f"{m[1]}{(20 if m[2].casefold() == 'twenty' else 30) + _ORDINALS.index(m[3].casefold()) + 1}th", text
    )
    return _TO_DAYS.sub(_dated, text)


def _number(words: str) -> int:
    said = re.split(r"[\s-]", words.casefold())
    return sum(TENS.get(word, ONES.get(word, 0)) for word in said)


def _in_figures(found: re.Match[str]) -> str:
    hour = _number(found[2] or found[3])
    minute = 0 if found[4].casefold() == "hundred" else _number(found[4])
    return f"{found[1]}{hour:02d}:{minute:02d}"


def _of_the_part(found: re.Match[str]) -> str:
    """ "8:30 to 9:15 in the evening" is after 20:00."""
    told = [t for t in (found[1], found[3]) if t]
    hours = [int(t.split(":")[0]) for t in told]
    least = 1 if found[5].casefold() == "afternoon" else 5
    if any(not least <= h < 12 for h in hours):
        return found[0]
    late = [f"{h + 12}:{t.split(':')[1]}" for h, t in zip(hours, told, strict=True)]
    day = found[4].casefold().replace("in the", "").strip()
    return (found[2] or "").join(late) + (" today" if day == "this" else f" {day}" if day else "")


def _dated(found: re.Match[str]) -> str:
    """ "from 30/11 to 02/12": the one of the two that can be read one way says how the other is."""
    a, b, c, d = (int(found[k]) for k in (1, 2, 4, 5))
    first = a > 12 or c > 12
    if first == (b > 12 or d > 12):
        return found[0]
    days, months = ((a, c), (b, d)) if first else ((b, d), (a, c))
    if not all(1 <= m <= 12 for m in months) or not all(1 <= day <= 31 for day in days):
        return found[0]
    names = _MONTHS.split()
    return f"{days[0]} {names[months[0] - 1]}{found[3]}{days[1]} {names[months[1] - 1]}"
