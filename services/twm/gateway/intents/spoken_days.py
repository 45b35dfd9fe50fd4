"""Days put plainly before they are read: "New Year's Eve", "the whole of January 2027", "in those five hours", "an hour ago".

Works on the text alone. Dates of documents and lengths that are over are no windows: they are left out. Every pattern is
bounded, so that the time is linear in the length of the text.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun"
PART = r"morning|afternoon|evening|night"
_MONTHS_TOLD = "january february march april may june july august september october november december"
MONTH_NAMES = _MONTHS_TOLD.split()
MONTH = "sept|" + "|".join(f"{name}|{name[:3]}" for name in MONTH_NAMES)
UNITS = r"hours?|hrs?|h|minutes?|mins?|min|days?|weeks?|months?"
SOME = r"one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|forty-five|ninety|an?|\d{1,3}"
_LENGTH = rf"(?:a\squarter\sof\san\shour|half\san\shour|(?:{SOME})(?:\sand\sa\shalf)?\s?(?:{UNITS})(?:\sand\sa\shalf)?)"
_DATE = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?(?:{MONTH})\b(?:,?\s20\d\d)?|(?:{MONTH})\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s20\d\d)?"
    r"|20\d\d-\d\d-\d\d|\d{1,2}\.\d{1,2}\.(?:20)?\d\d|\d{1,2}/\d{1,2}/(?:20)?\d\d)"
)
_PAPER = (
    r"(?:minutes|letter|e-?mail|mail|decision|resolution|memo|memorandum|protocol|circular|notice|directive|decree|ruling|audit"
    r"|statement|offer|amendment|addendum|invoice|fax|note)"
)
_HOLIDAYS = {
    r"new\syear['’]?s['’]?\seve": "31 December",
    r"new\syear['’]?s['’]?\sday": "1 January",
    r"(?:christmas|xmas)\seve": "24 December",
    r"(?:christmas|xmas)\sday": "25 December",
    r"(?:boxing|st\.?\sstephen['’]?s)\sday": "26 December",
    r"hallowe['’]?en": "31 October",
    r"(?:st\.?\s)?valentine['’]?s\sday": "14 February",
    r"may\sday": "1 May",
}
_HELD = (
    r"(?:market|party|fireworks|concert|gala|run|race|event|show|celebrations?|ball|dinner|shopping|parade|swim|service|mass)"
)
_AT = r"(?:\s\d?\d:\d\d)?"
_ENDS = r"(?=\s{0,2}(?:[.,;!)]|$))"
_TWO_LETTERS = r"(?-i:Mo|Tu|We|Th|Fr|Sa|Su)"
_HOURS_BEHIND = r"\d{1,2}(?::\d\d)?\s?(?:h\b|-|–|to\s|until\s)|\d{1,2}:\d\d"


def _on_part(found: re.Match[str]) -> str:
    """ "until the morning of the 30th" as "until the 30th at 06:00"."""
    the = "the " if re.fullmatch(r"\d{1,2}(?:st|nd|rd|th)?", found[3]) else ""
    return f"{found[1]} {the}{found[3]} at {_BEGINS[found[2].casefold()]}:00"


def _in_full(found: re.Match[str]) -> str:
    """ "Fr 13-15h"."""
    return next(day for day in _FULL if day.startswith(found[1].casefold())).capitalize() + " "


def _in_a_row(found: re.Match[str]) -> str:
    """ "1, 2 and 3 December": days in a row are a span."""
    days = [int(found[k]) for k in (1, 2, 3)]
    return f"{days[0]} to {days[2]} " if days == [*range(days[0], days[0] + 3)] else "for a while "


def _ahead_of(found: re.Match[str]) -> str:
    """ "Kick-off is 20:30 today: from an hour before it until 23:00" as "today from 19:30 until 23:00"."""
    length = found["length"].casefold()
    count, unit = length.rsplit(" ", 1)
    number = {"half an": 0.5, "an": 1, "one": 1, "two": 2, "three": 3}.get(count) or int(count)
    minutes = int(number * (60 if unit.startswith("hour") else 1))
    hour, minute = (int(x) for x in found["clock"].split(":"))
    at = hour * 60 + minute + (minutes if found["side"].casefold() == "after" else -minutes)
    if not 0 <= at < 1440:
        return found[0]
    return f"{found['day'] or ''}{found['said']}from {at // 60:02d}:{at % 60:02d} "


_BEGINS = {"morning": "06", "afternoon": "12", "evening": "18", "night": "20"}
_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RULES = [
    (re.compile("(?i)" + pattern), words)
    for pattern, words in (
        (r"\bweek-ends?\b|\b(this|next|the|coming)\sweek\send\b(?!\s(?:of|at|on|in|\d))", r"\1 weekend"),
        (
            rf"(^|[.;]\s)(?:(?:the|our|your|board|council|committee|management|court|joint|meeting|city|annual)\s){{0,2}}{_PAPER}"
            rf"(?:(?:,\s|\s(?:dated|of|from)\s)(?:the\s)?{_DATE}|\s\d{{1,4}}/\d{{2,4}})?"
            r"(?:,?\s(?:point|item|section|§|no\.?)\s\d{1,3})?\s?:\s",
            r"\1",
        ),
        # The day in a document's name, and what is over.
        (
            rf"\b((?:{_PAPER})(?:\s(?:no\.?|nr\.?|number)?\s?\d{{1,5}})?)(?:,\s|\s(?:dated|of|from|as\sof)\s)(?:the\s)?"
            rf"(?:(?:{DAY}),?\s)?{_DATE}",
            r"\1",
        ),
        (
            rf"\b((?:as\s)?per|according\sto|pursuant\sto|with\sreference\sto|in\sreply\sto|thanks\sfor|regarding|about)\s((?:your|our|the|his|her"
            rf"|their|my)\s(?:[a-z-]{{2,15}}\s){{0,2}}?(?:{_PAPER}|call|message|request|meeting|agreement))\s(?:dated|of|on|from)\s"
            rf"(?:the\s)?(?:last\s)?(?:{DAY}|{_DATE})\b",
            r"\1 \2",
        ),
        (
            rf"\b({_PAPER}|order|case|file|act|contract|agreement|tender|policy|licence|annex|ticket|regulation|clause|no\.?|nr\.?)"
            r"\s\d{1,4}/\d{2,4}\b(?!/)",
            r"\1",
        ),
        (rf"\bsince\s(?:about\s|over\s|nearly\s|almost\s|more\sthan\s)?{_LENGTH}(?:\s(?:now|already))?\b", ""),
        (rf"(?<!\w)(?:already\s)?for\s(?:about\s|over\s|nearly\s|almost\s|more\sthan\s)?{_LENGTH}\s(?:now|already)\b", ""),
        (rf"\b(?:about\s|over\s|nearly\s|almost\s|more\sthan\s|some\s)?{_LENGTH}\sago\b", ""),
        (
            rf"\b(?:for|in|over|during|within)\sthe\s(?:last|past|previous)\s(?:(?:few|couple\sof)\s|(?:{SOME})\s)?(?:{UNITS})\b(?!\sof\b)",
            "",
        ),
        # Nights, and parts of a day.
        (rf"\b((?:{DAY}))\snight\s(?:into|through\sto|on\sto|onto)\s(?:{DAY})\b(?:\smorning)?", r"night of \1"),
        (
            rf"\b((?:this|tomorrow|(?:{DAY}))\s(?:{PART})),?\s(?=\d{{1,2}}\s?(?:-|–|to|till|until)\s?\d{{1,2}}{_ENDS})",
            r"\1 from ",
        ),
        (r"\b(\d{1,2}(?:[:.]\d\d)?)\sUhr\b", r"\1 o'clock"),
        (r"(\d\so'clock\s)bis\s(?=\d)", r"\1to "),
        # What was said before.
        (
            r"(?<![,;])(?<!until)(?<!till)(?<!by)(?<!since)(?<!from)(?<!before)(?<!back)(?<!just)(?<!and)\sthen"
            r"(?=\s?[.!]|\s?$)",
            " during that time",
        ),
        (
            rf"\b(?:from|until|till|starting)\s{_LENGTH}\s(?:before|after|prior\sto|ahead\sof)\s(?:the\s)?(?=[a-z])",
            "for a while ",
        ),
        (r"\bcalendar\sweek\s(?=\d)|\b(?:KW|CW)\s?(?=\d{1,2}\b)", "week "),
        (
            r"\b(?:for|during|throughout|over)\s(?:all\sof\s)?its\s(?:(?:whole|entire|full)\s)?(?:duration|length|run)\b",
            "during that time",
        ),
        (
            r"\b(?:up\sto|until|till)\s(?:that|this)\s(?:moment|point|time|hour)(?:\sin\stime)?\b"
            r"|\b(?:up\sto|till|before)\s(?:then|that)(?=\s{0,2}[,;:.]|\s(?:keep|hold|give|let)\b|$)",
            "until then",
        ),
        (
            rf"\b(?:in|during|for|over|throughout|within)\s(?:all\s)?(?:of\s)?(?:those|these|the\ssame|that|this)\s"
            rf"(?:(?:whole|entire|same)\s)?(?:(?:{SOME}|few)\s)?(?:half[\s-])?(?:hours?|minutes?|days|times?|slots?|time\sslots?|windows?"
            r"|time\swindows?|periods?|spans?|intervals?|timeframes?|time\sframes?|stretch)\b(?!\s(?:of|from|between|until|till|\d))",
            "during that time",
        ),
        (
            r"\b(?:at\sthe\s)?same\s(?:times|hours|window|period|slot|time\s(?:window|slot|frame))\b(?!\s(?:as|of)\b)",
            "during that time",
        ),
        # What lies ahead.
        (
            r"\b(in|over|during|within|for)\sthe\s(?:next|coming|following)\s(?:half[\s-](?:an\s)?hour)\b",
            r"\1 the next 30 minutes",
        ),
        (
            r"\b(in|over|during|within|for)\sthe\s(?:next|coming|following)\s(?:quarter[\s-]hour|quarter\sof\san\shour)\b",
            r"\1 the next 15 minutes",
        ),
        (
            rf"\b(?:on\s|over\s|during\s|for\s)?the\s(?:first|second|third|fourth|last)\s(?:weekend|week-end)\s(?:of|in)\s(?:{MONTH}|the\smonth)\b",
            "for a while",
        ),
        (
            rf"\b(?:the\s)({SOME})\s(?:coming|next|following|upcoming)\s(?={UNITS})",
            r"the next \1 ",
        ),
        (rf"\bthe\snext\scoming\s(?={SOME})", "the next "),
        (rf"\bfor\s((?:{SOME})\s(?:{UNITS}))\s(?:to\scome|ahead)\b", r"for \1"),
        (
            rf"\b(?:the\s)?(?:very\s)?(?:this|the\spresent|the\scurrent)\sweek,?\s(?=(?:(?:from|on|between|only|i\.e\.)\s)?(?:{DAY})\b)",
            "",
        ),
        (
            rf"\b(?:on\s)?(?:some|one|a|any)\s(?:day|evening|morning|night|afternoon|time)\s(?=(?:next|this|the\scoming)\s(?:week|month)\b"
            rf"|(?:in|of)\s(?:{MONTH})\b)(?:next|this|the\scoming|in|of)\s\w{{3,9}}",
            "for a while",
        ),
        (
            rf"\bnext\sweek,?\s(?:(?:from|on|between)\s)?((?:{DAY}))({_AT}\s?(?:to|until|till|through|and|-|–)\s?)((?:{DAY}))\b",
            r"from \1 next week\2\3 next week",
        ),
        (
            rf"\b((?:{DAY}))({_AT}\s?(?:to|until|till|through|and|-|–)\s?)((?:{DAY}))(?:\sof|,)?\snext\sweek\b",
            r"\1 next week\2\3 next week",
        ),
        (
            rf"\b(?:in\s|by\s|until\s)?(?:the\s)?(?:early|late|mid(?:dle)?|beginning|start)[\s-](?:of\s|in\s)?(?:the\s)?"
            rf"(?:(?:next|this|coming)\s(?:week|month)|(?:{MONTH})\b)(?!\s\d)",
            "for a while",
        ),
        # Whole months.
        (
            rf"\b(?:(?:for|in|during|over|throughout|through|all)\s)?(?:the\s(?:whole|entire|full)\s(?:of\s|month\sof\s)?|all\sof\s"
            rf"|all\sthrough\s|the\smonth\sof\s|whole\sof\s)(?=(?:{MONTH})\b)",
            "in ",
        ),
    )
]  # fmt: skip
_KICK_OFF = r"(?:kick-?off|(?:the\s)?(?:match|game|concert|show|race|start|ceremony|event|gig|opera))"
_AHEAD = re.compile(
    rf"(?i)\b(?:{_KICK_OFF}\s(?:is\s)?|[a-z][a-z-]{{2,20}}\s(?:starts|begins|opens|kicks\soff)\s)(?:at\s)?(?P<clock>\d\d?:\d\d)(?:\s(?:on\s)?(?P<day>today|tomorrow|{DAY}))?"
    rf"(?P<said>\s?[:,;.]\s[^.;:]{{0,60}}?)from\s(?P<length>half\san\shour|(?:an|one|two|three|\d{{1,2}})\s(?:hours?|minutes|min))\s"
    rf"(?P<side>before|after)\s(?:(?:it|that|then)\b|{_KICK_OFF}\b)\s?"
)
_MADE: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(
            rf"(?i)\b(until|till|before|from)\s(?:the\s)?({PART})\s(?:of|on)\s(?:the\s(?=\d))?"
            rf"((?:{DAY})\b|\d{{1,2}}(?:st|nd|rd|th)?(?:\s(?:of\s)?(?:{MONTH}))?\b(?!:)|(?:{MONTH})\s\d{{1,2}}(?:st|nd|rd|th)?\b)"
        ),
        _on_part,
    ),
    (_AHEAD, _ahead_of),
    (re.compile(rf"(?i)\b({_TWO_LETTERS})\.?\s(?={_HOURS_BEHIND})"), _in_full),
    (re.compile(rf"(?i)\b(\d{{1,2}}),\s(\d{{1,2}})\s(?:and|&)\s(\d{{1,2}})\s(?={MONTH})"), _in_a_row),
)
_MONTH_WORD = "(?-i:May)|" + "|".join(name for name in MONTH.split("|") if name != "may")
_YEARED = re.compile(rf"(?i)\b(?:in|during|for|over|throughout|through)\s({MONTH})\s(20\d\d)\b(?!\s?(?:h|hrs|hours)\b)")
_MONTHS = re.compile(
    rf"(?i)\b(?:from|between|in|during|for|over|throughout)\s({_MONTH_WORD})(?:\s(20\d\d))?\s?(?:to|until|till|through|and|-|–)\s?"
    rf"({_MONTH_WORD})(?:\s(20\d\d))?\b(?!\s?\d)"
)
_MONTH_AS_END = re.compile(
    rf"(?i)\b(until|till|before|from|as\sof|since|starting(?:\sin)?|beginning(?:\sin)?)\s({_MONTH_WORD})\s(20\d\d)\b"
)
_NIGHT_TO = re.compile(rf"(?i)\b(?:in|on|during|for)\sthe\snight\s(?:to|into|onto|before)\s({DAY})\b")
_NIGHT = re.compile(
    rf"(?i)\bnight\s(?:from|of|between)\s(?:the\s)?(?:({DAY})\s?(?:to|on|onto|into|and|/|-|–)\s?(?:the\s)?({DAY})"
    rf"|(\d{{1,2}})(?:st|nd|rd|th)?\s?(?:to|on|and|/|-|–)\s?(?:the\s)?(\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?({MONTH}))\b"
)
_HOLIDAY = re.compile(
    rf"(?i)\b(?:the\s)?(?:{'|'.join(f'({pattern})' for pattern in _HOLIDAYS)})(?!\s{_HELD}\b)(\s?\(\s?{_DATE}\s?\)|,\s{_DATE})?"
)
_SAME_DAY = re.compile(r"(?i)\b(\d\d?:\d\d)(\s?(?:to|-|–|until|till)\s?)(\d\d?:\d\d)\s(?:on|of)\sthe\ssame\sday\b")
_MEASURES = r"(?:ms|milliseconds?|msec|µs|us|s|sec|seconds?|%|percent|per\s?cent|per\s?mille|[kmg]bps|[kmg]bit)"
_UP_TO = re.compile(rf"(?i)\b(?:until|till)\s(?=\d[\d.,]{{0,8}}\s?{_MEASURES}(?![a-z]))")
"""A bound, as those say it whose own language has one word for both."""


def days_told(text: str) -> str:
    """The text with its days put plainly."""
    text = _HOLIDAY.sub(_on_holiday, text)
    for pattern, made in _MADE:
        text = pattern.sub(made, text)
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    text = _MONTHS.sub(_whole_months, text)
    text = _YEARED.sub(_whole_month, text)
    text = _MONTH_AS_END.sub(r"\1 1 \2 \3", text)
    text = _NIGHT_TO.sub(lambda m: f"on the night of {_FULL[(WEEKDAYS.index(m[1].casefold()[:3]) - 1) % 7]}", text)
    text = _NIGHT.sub(_one_night, text)
    text = _SAME_DAY.sub(_on_one_day, text)
    return _UP_TO.sub("up to ", text)


def _on_holiday(found: re.Match[str]) -> str:
    names = list(_HOLIDAYS.values())
    which = next(i for i, group in enumerate(found.groups()) if group is not None)
    said = found[len(names) + 1]
    return said.strip(" (),") if said else names[which]


def _month(name: str) -> int:
    return next(i for i, known in enumerate(MONTH_NAMES, 1) if known.startswith(name.casefold()[:3]))


def _whole_months(found: re.Match[str]) -> str:
    """ "from December to February": from the first of the one to the last of the other."""
    first, last = _month(found[1]), _month(found[3])
    days = calendar.monthrange(int(found[4] or 2027), last)[1]
    began = found[2] or ("" if not found[4] else found[4] if first <= last else str(int(found[4]) - 1))
    ends = [f"1 {found[1]} {began}".strip(), f"{days} {found[3]} {found[4] or ''}".strip()]
    return f"from {ends[0]} to {ends[1]}"


def _whole_month(found: re.Match[str]) -> str:
    month = _month(found[1])
    name, year = MONTH_NAMES[month - 1].capitalize(), int(found[2])
    return f"from 1 {name} {year} to {calendar.monthrange(year, month)[1]} {name} {year}"


def _one_night(found: re.Match[str]) -> str:
    """ "the night from Saturday to Sunday" is Saturday's."""
    if found[1]:
        days = [WEEKDAYS.index(day.casefold()[:3]) for day in (found[1], found[2])]
        return f"night of {found[1]}" if (days[1] - days[0]) % 7 == 1 else found[0]
    return f"night of {found[3]} {found[5]}" if int(found[4]) == int(found[3]) + 1 else found[0]


def _on_one_day(found: re.Match[str]) -> str:
    hours = [int(h) * 60 + int(m) for h, m in (found[1].split(":"), found[3].split(":"))]
    return f"{found[1]}{found[2]}{found[3]}" if hours[0] < hours[1] else "for a while"
