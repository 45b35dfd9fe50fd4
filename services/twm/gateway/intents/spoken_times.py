"""Time phrases put plainly before they are read: "for PT2H", "between now and 18:00", "26.11.", "1700-1900", "ends at 20:00".

Works on the text alone. What names a time that cannot be fixed ("the Friday after next", "a couple of hours") becomes `VAGUE`,
which is asked about. Every pattern is bounded, so that the time is linear in the length of the text.
"""

from __future__ import annotations

import re

from twm.gateway.intents.spoken_clocks import clocks_told
from twm.gateway.intents.spoken_days import DAY, MONTH, MONTH_NAMES, PART, UNITS, days_told

VAGUE = "for a while"
"""Read as a window that fixes no moment."""
_CLOCK = r"(?:[01]?\d|2[0-4])(?::[0-5]\d|\s?[ap]\.?m\b)|noon\b|midnight\b"
_LATE = rf"yesterday(?:\s(?:{PART}))?|last\s(?:night|week|{DAY})"
_TOLD = rf"(?:on\s(?:last\s)?(?:{DAY})|this\s(?:{PART})|(?:earlier\s)?today|{_LATE})\b"
_TALK = (
    r"(?:meeting|call|briefing|handover|stand-?up|incident|outage|review|discussion|mail|report|problem|trouble|complaint)s?"
)
_SPOKEN = r"(?:half|quarter|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b"
_MOMENT = (
    rf"(?:{_CLOCK}|today\b|tomorrow\b|(?:{DAY})\b|\d{{4}}-\d\d-\d\d|\d{{1,2}}\.\d{{1,2}}\.(?:20\d\d)?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s(?:{MONTH})\b|[01]\d[0-5]\d\b)"
)
_HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_HOUR_OF_PART = re.compile(
    rf"(?i)\b(at|from|by|since|starting|around)\s(1[0-2]|[1-9]|{'|'.join(_HOURS)})((?:[:.][0-5]\d)?)(?:\so'?clock)?"
    rf"\s(?:(tonight)|(this|tomorrow|in\sthe|on\s(?:{DAY})|(?:{DAY}))\s(morning|afternoon|evening))\b"
)
_JOINT = r"\s?(?:-|–|—|→|->|to|until|till)\s?"
_ISO = re.compile(
    r"\bP(?=\d|T\d)(?:(?P<d>\d{1,3})D)?(?:T(?=\d)(?:(?P<h>\d{1,3}(?:\.\d{1,2})?)H)?(?:(?P<m>\d{1,4})M)?(?:(?P<s>\d{1,5})S)?)?(?![\w%])"
)
_DOTTED = re.compile(
    rf"(?i)(?P<before>(?:\b(?:on|until|till|from|to|by|the|of|since|{DAY})|[(,–-])\s{{0,2}})(?P<day>[0-3]?\d)\.(?P<month>[01]?\d)\.(?=[\s,)]|$)"
)
_MILITARY = re.compile(
    rf"(?i)(?<![\w.,:/-])([01]\d|2[0-3])([0-5]\d)\s?(hrs?|h|z|hours)?({_JOINT})((?:\d{{1,2}}\s(?:{MONTH})\s|(?:{DAY})\s)?)([01]\d|2[0-4])([0-5]\d)"
    r"\s?(hrs?|h|z|hours)?(?=\s{0,2}(?:$|[,.;)\]]|(?:today|tomorrow|tonight|on|local|utc|gmt|cet|cest)\b))"
)


_UNFIXED = (
    r"(?:sun(?:set|rise|down|up)|dusk|dawn|nightfall|daybreak|(?:first|last)\s(?:light|orders?)|clos(?:e|ing)(?:\stime)?|finish|kick-?off"
    r"|half-?time|full-?time)\b(?!\s(?:range|to\b|watch))"
)
"""Moments that no clock tells."""
_ABROAD = (
    r"(?-i:[A-Z][a-z]{2,15}(?:\s[A-Z][a-z]{2,15})?)(?<!Local)(?<!Summer)(?<!Winter)|new\syork|london|paris|berlin|tokyo|moscow|eastern|pacific|mountain"
    r"|central(?:\seuropean)?|singapore|sydney|dubai"
)
"""Elsewhere, whose clock may be another."""


def _rules(*pairs: tuple[str, str]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile("(?i)" + pattern), words) for pattern, words in pairs]


_OWN = r"(?:today|tomorrow|tonight)'s"
_SHIFT = r"(?:day|night|late|early|morning|evening|afternoon|back)[\s-]shift"
_NTH = r"first|second|third|fourth|fifth|sixth|umpteenth|last|\d{1,2}(?:st|nd|rd|th)"
_SOME = r"one|two|three|four|five|six|seven|eight|nine|ten|twelve|an?|\d{1,3}"
_RULES = _rules(
    # What is told of the past, and how often: no window.
    (
        rf",?\s\b(?:(?:for|already|is|was)\s)?(?:already\s)?(?:for\s)?the\s(?:{_NTH})\stime\s(?:today|tonight|(?:this|last|in\sa)\s"
        rf"(?:week|month|year|quarter|shift|row|{PART}|weekend|day))\b",
        "",
    ),
    (
        rf"(\b(?:complain(?:ed|ing)|call(?:ed|ing)|r[iau]ng|phon(?:ed|ing)|ask(?:ed|ing)|fail(?:ed|ing)|happened|down|crashed)\s"
        rf"(?:us\s|me\s|in\s|again\s)?)(?:twice|thrice|once|(?:{_SOME})\stimes)\s(?:today|(?:this|last)\s(?:week|month|year|{PART}))\b",
        r"\1",
    ),
    (
        rf"(\b(?:been|(?:ha(?:s|ve)|'ve)\s(?:had|seen|lost|suffered|\w{{2,12}}ed)|was|were|kept)\b[^,;.:!?]{{0,60}}?)\s(?:all|the\swhole)\s"
        rf"(?:day|week|month|year|weekend|{PART})(?:\slong)?\b",
        r"\1",
    ),
    (
        rf"\b((?:as|like|which|who)\s(?:[a-z']{{1,15}}\s){{0,3}}?(?:discussed|agreed|decided|announced|promised|requested|mentioned"
        rf"|reported|said|asked|told|talked|spoken?|met|called|wrote|written|signed|ordered|was|were)(?:\s[a-z]{{1,12}}){{0,2}}?)\s{_TOLD}",
        r"\1",
    ),
    (
        rf"(\b(?:complained|rang|phoned|called|wrote|asked\s(?:us|me)|told\s(?:us|me)|mailed)(?:\s(?:us|me|in|again|about\sit)){{0,2}})\s{_TOLD}",
        r"\1",
    ),
    (
        rf"\b(?:after|since|following|because\sof|due\sto|given|despite)\s(?:[a-z'-]{{1,15}}\s){{1,6}}?(?:of\s|from\s)?"
        rf"(?:yesterday(?:\s(?:{PART}))?|last\s(?:night|week|{DAY}))\b,?",
        "",
    ),
    (rf"\bsince\s(?:(?:{DAY})|{_CLOCK}|{_TOLD})(?!\s(?:is|will|has|are)\b|')", "",
    ),
    (
        rf"\b(?:the\s|this\s)?(?:today|yesterday|last\s(?:night|week)|this\s(?:{PART}|week)|(?:{DAY}))'s\s(?=(?:[a-z]{{1,12}}\s)?{_TALK}\b)",
        "the ",
    ),
    (
        rf"(?<!during )(?<!in )(?<!for )(?<!on )(?<!until )(?<!throughout )(?<!over )(?<!till )\bthe\s(?:{PART})\s"
        r"(?=(?:boat|team|crew|shift|train|ferry|staff|watch|guard|nurse|nurses|doctor|bus|flight|delivery|report|mail|news|people|guys)\b)",
        "the ",
    ),
    (r"\b(?:24\s?/\s?7|24\sx\s7|around\sthe\sclock|round\sthe\sclock)\b", ""),
    # Short forms.
    (r"\b2mor+ow?\b", "tomorrow"),
    (r"\b(?:arvo|aftn)\b", "afternoon"),
    (rf"\bb/w\s(?={_MOMENT})", "between "),
    # Shifts, and times that are none of it.
    (
        rf"\b(?:during|for|in|throughout|over)\s(?:the|our|{_OWN})\s{_SHIFT}(?:,\s|\s\(|\s)(?:from\s)?"
        rf"((?:{_CLOCK})\s?(?:-|–|to|until)\s?(?:{_CLOCK}))\)?",
        r"from \1",
    ),
    (rf"\b(?:during|for|in|throughout|over|until|till)\s(?:the|our|{_OWN})\s{_SHIFT}\b", VAGUE),
    (rf"\b(?:except|excluding|other\sthan|apart\sfrom|but\snot|not)\s(?=(?:between|from)\s(?:{_CLOCK}))", VAGUE + " "),
    (rf",?\s(?:instead\sof|rather\sthan|and\snot)\s(?:at\s|until\s|from\s)?(?:{_CLOCK})(?=\s?[,.;]|\s?$)", ""),
    (
        rf"\bnot\s(?:before|earlier\sthan)\s((?:{_CLOCK}))\s(?:and|but|or)\s(?:not\s)?(?:after|later\sthan)\s(?={_CLOCK})",
        r"from \1 until ",
    ),
    (
        rf"((?:{_CLOCK})\s?(?:-|–|to|until)\s?(?:{_CLOCK})),?\son\s(?:both\s)?({DAY})(?:,?\s(?:and|&|as\swell\sas)\s)(?:on\s)?(?:{DAY})\b",
        r"\1 every \2",
    ),
    (r"\bfirst\sthing\s(?=tomorrow|on\s|in\sthe\smorning)", VAGUE + " "),
    (rf"\b(?:in|during|for)\sthe\shour\s(?:from|starting\sat|beginning\sat|after)\s(?={_CLOCK})", "for one hour from "),
    (
        rf"\b(?:in|during|for)\sthe\s(?:(?:last|first|final)\s)?(?:(?:{_SOME})\s)?(?:hours?|minutes)\s(?:before|after|of|leading\sup\sto)\b",
        VAGUE,
    ),
    (r"\bEOD\b", "the end of the day"),
    (r"\bEOM\b", "the end of the month"),
    (r"\bEOY\b", "the end of the year"),
    (r"\bw\.?e\.?f\.?\s(?=[\dnmtfsw])", "from "),
    (r"\((utc|gmt|cet|cest|local(?:\stime)?|zulu)\)", r"\1"),
    (rf"\b((?:{DAY}))'s\s(?=(?:{PART})\b)", r"\1 "),
    (rf"\b(?:late|early|mid)[\s-](?=(?:{PART})\b)", ""),
    (rf"\b((?:{DAY}))\s(?:of\s)?this\sweek\b", r"this \1"),
    (rf"\bthe\s({PART})\sof\s(?=the\s\d)", r"in the \1 on "),
    (r"\b(traffic|demand|load|usage)\sthere\s(will\sbe|is\sgoing\sto\sbe)\b", r"\1 \2 there"),
    (
        r"\b(?:for|throughout|over)\s(?:all\sof\s)?(?:the|this|that)\s(?:whole|entire|full)\s(?:time|period|span)\b",
        "during that time",
    ),
    (
        r"\b(while|whilst|when|(?:for\s)?(?:as|so)\slong\sas)\s((?:[a-z'-]{1,15}\s){1,6}?)(?:(?:is|are)\s(?:still\s)?(?:under\s?way|in\sprogress"
        r"|ongoing|running|going\son|taking\splace|on)|goes\son|takes\splace|continues|lasts|runs)(?=\s{0,2}[,;:.)]|$)",
        r"\1 \2lasts",
    ),
    (r"\bfor\s(?=as\slong\sas\b)", ""),
    (r"\b(from|until|till|to|start|end|begin)\s?:\s(?=\d|[a-z])", r"\1 "),
    (
        rf"\b(?:and\s)?(?:(?:will|shall|should|is\sto|are\sto)\s)?(?:runs?|goes|go|lasts?|continues?|extends?|carry|carries)\s(?:on\s)?"
        rf"(?:to|until|till|through)\s(?={_MOMENT})",
        "until ",
    ),
    (
        rf"\b(?:and\s)?(?:(?:will|shall|should|is\sexpected\sto|is\sto)\s)?(?:takes?|lasts?|runs?\sfor|goes?\son\sfor)\s(?:about\s|some\s|for\s)?"
        rf"(?=(?:{_SOME}|half\san)\s(?:and\sa\shalf\s)?(?:hours?|minutes?|days?)\b)",
        "for ",
    ),
    (
        rf"\b(?:and\s)?(?:(?:it|they)\s)?(?:(?:will|should|is\sto)\s)?(?:(?:comes?|be|is|are|goes?)\s)?(?:back(?:\s(?:up|on|on\s?line|in\sservice))?"
        rf"|restored|fixed|repaired|(?:up|online)\sagain|returns?)\s(?:again\s)?(?:at|by|around)\s(?={_MOMENT})",
        "until ",
    ),
    (
        rf"\b(?:(?:we\s)?expect(?:ed|ing)?\s)?(?:the\s|a\s)?(?:repairs?|fix|restoration)\s(?:(?:is|are)\s)?"
        rf"(?:(?:expected|due|planned|promised|estimated|scheduled|to\sbe\s\w+)\s)?by\s(?={_MOMENT})",
        "until ",
    ),
    (
        rf"\b(?:ETR|repair\sETA|ETA\sfor\s(?:the\s)?(?:repair|fix)|estimated\s(?:repair|restoration)(?:\stime)?)\s?(?::|is)?\s?"
        rf"(?:at\s|by\s)?(?={_MOMENT})",
        "until ",
    ),
    (
        rf",?\s(?:with\s)?(?:kick-?off|doors(?:\sopen)?|start\sof\splay|tip-?off|curtain|gates\sopen)\s(?:is\s)?(?:at\s)?(?:{_CLOCK})"
        rf"(?=[^.!?]{{0,60}}\b(?:from|between)\s(?:{_CLOCK}))",
        "",
    ),
    # Spans.
    (r"\bbetween\s(?:right\s)?now\sand\s", "from now until "),
    (rf"(?<!from\s)\bnow(?:\s?(?:-|–|—|→|->|\.\.\.?|…)\s?|\sto\s)(?={_MOMENT})", "from now until "),
    (rf"\[now,\s?(?={_MOMENT})", "[from now until "),
    (r"(\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)\s?/\s?(?=(?:\d{4}-\d\d-\d\dT?\s?)?\d\d:\d\d)", r"\1 to "),
    (rf"({_CLOCK}),\s(?=(?:to|until|till)\s(?:{_MOMENT}))", r"\1 "),
    (
        r"(\b(?:until|till|through|thru)\s)(?:the\s)?(?:very\s)?end\sof\s"
        rf"(?=(?:the\s\d|\d|(?:{DAY}|{MONTH}|tomorrow|today)\b))",
        r"\1and including ",
    ),
    (rf"\bas\sof\s(?={_MOMENT})", "from "),
    (rf"\b(?:validity|valid\sfor|time|when|window|period)\s?[:=]\s?(?={_MOMENT}|from\b|until\b)", "valid "),
    (
        rf"(?<!until the )(?<!till the )\b(?:(?:which|that|and|to)\s)?(?:(?:will|shall|must)\s)?(?:be\s)?"
        rf"(?:ends?|ending|expir(?:es?|ing|y)|lifted|finish(?:es|ing)?|stop|stops|stopping)(?:\s?[:=]|\s(?:at|on))?\s(?={_MOMENT})",
        "until ",
    ),
    (
        rf"\b(until|till)\s(?!the\send\b|tomorrow\b|today\b)(?:[a-z'-]{{1,20}}\s){{1,5}}?(?:closes?|ends?|leaves?|finish(?:es)?|starts?|begins?|opens?"
        rf"|arrives?|departs?|returns?|goes\shome|lands?|sails?|(?:is|are)\s(?:over|done|finished|closed|back|gone))\s(?:(?:at|around|on)\s)?"
        rf"(?={_MOMENT}|{_SPOKEN})",
        r"\1 ",
    ),
    (r"\b(until|till|before)\s(202[6-9])(?=$|[\s,;.)])(?!\s?(?:h|hrs|hours|utc|local|today|tomorrow)\b)", r"\1 1 January \2"),
    (r"\b(20\d\d)/([01]\d)/([0-3]\d)\b", r"\1-\2-\3"),
    (r"\b(20\d\d)([01]\d)([0-3]\d)T([0-2]\d)([0-5]\d)(?:[0-5]\d)?(?=Z|[/\s]|$)", r"\1-\2-\3T\4:\5"),
    # Hours of each of several days.
    (
        rf"\b({DAY})\s?(?:-|–|to|through)\s?(?:{DAY}),?\s(?:from\s|between\s)?(?=(?:{_CLOCK}){_JOINT}(?:{_CLOCK}))",
        r"every \1 ",
    ),
    # Lengths.
    (r"\b(for\s)(\d{1,2}):([0-5]\d)\s?(?:h|hrs?|hours)\b", r"\1\2 hours and \3 minutes"),
    (rf"({_CLOCK})\s?(?:,|\+|\()\s?((?:{_SOME})\s?(?:{UNITS}))\b\)?", r"\1 for \2"),
    (rf"\(\s?((?:{_SOME})\s?(?:hours?|hrs?|h))(?:\sonly|\smax)?\s?\)", r"(for \1)"),
    (rf",\s((?:{_SOME})\s?(?:hours?|hrs?|h))(?=\s{{0,2}}[.;]?$)", r", for \1"),
    (rf"\buntil\s((?:{_SOME})\s(?:{UNITS}))\sfrom\snow\b", r"for \1"),
    (rf"\b(?:with\s)?(?:a\s)?duration(?:\sof|\sis|\s?[:=])?\s(?=(?:{_SOME})\s?(?:{UNITS})\b)", "for "),
    (
        rf"\bfor\s(?:a\s(?:maximum|max|minimum)\sof|at\smost|up\sto|approx\.?|approximately|roughly|(?:no|not)\s(?:more|longer)\sthan|max\.?)\s"
        rf"(?=(?:{_SOME})\s?(?:{UNITS})\b)",
        "for ",
    ),
    (rf"\bfor\s((?:{_SOME})\s)more\s(?=(?:{UNITS})\b)", r"for \1"),
    (r"\((?:\+\s?1|\+\s?1\s?d(?:ay)?|next\sday|the\snext\sday)\)", "the next day"),
    (r"\bthe\sday\safter(?=\s{0,2}(?:[,.;)]|$))", "the next day"),
    (r"\b(the\s\d{1,2}(?:st|nd|rd|th)\s(?:and|to|until|through|or)\s)(?=\d{1,2}(?:st|nd|rd|th)\b)", r"\1the "),
    (
        rf"\b((?:today|tomorrow|{DAY}),?\s)(?=\d{{1,2}}\s?(?:-|–|to|till|until)\s?\d{{1,2}}(?=\s{{0,2}}(?:[.,;!)]|$)))",
        r"\1from ",
    ),
    (r"\b(?:or|and),?\s(?:maybe|perhaps|possibly|probably)\s", "or "),
    # What fixes no moment.
    (rf"\b(?:from\s|between\s)?(?:{_CLOCK})\s?(?:to|till|until|and|-|–)\s?(?:the\s)?{_UNFIXED}", VAGUE),
    (rf"\b(?:from|until|till|before|after|since|starting\sat|between)\s(?:the\s)?{_UNFIXED}", VAGUE),
    (
        rf"\b(?:(?:from|until|till|to|at|before|after)\s)?(?:{_CLOCK})\s(?:in\s)?(?:{_ABROAD})"
        r"(?:\sstandard|\sdaylight|\ssummer)?\stime\b",
        VAGUE,
    ),
    # Short for several time zones.
    (rf"\b(?:(?:from|between)\s(?:{_CLOCK}|\d{{1,2}}\s?h(?:rs)?)\s?(?:to|until|till|and|-|–)\s?)?(?:at\s|until\s|till\s|from\s)?"
     r"(?:(?:[01]?\d|2[0-4])(?:[:.][0-5]\d)?\s?(?:h(?:rs)?|[ap]\.?m\.?)?)\s(?-i:IST|CST|AST)\b", VAGUE),
    (
        r"\b(?:for|over|within|in|during)\s(?:the\s(?:next|coming|following)\s)?(?:a\s)?"
        rf"(?:couple\sof|few|some|several)\s(?:{UNITS})\b",
        VAGUE,
    ),
    (
        r"\bfor\s(?:(?:an?|one)\s(?:hour|day|week|minute)\sor\stwo"
        rf"|(?:{_SOME})\s?(?:or|to|-|–)\s?(?:{_SOME})\s(?:{UNITS}))\b",
        VAGUE,
    ),
    (rf"\b(?:on\s|until\s|from\s)?(?:the\s)?(?:{DAY}|weekend|week|month)\safter\snext\b", VAGUE),
    (r"\bin\s(?:a\sfortnight|(?:two|three|four|\d)\sweeks?)\b", VAGUE),
    (
        r"\b(?:for\s|until\s)?(?:the\s)?(?:remainder|rest|end)\sof\s(?:the|this|our|my)\s(?:shift|quarter|session|season)\b",
        VAGUE,
    ),
    (r"\b(?:in|for|during|over)?\s?\b(?:this|next|the\s(?:next|coming))\s(?:quarter|season|term|fortnight)\b", VAGUE),
)  # fmt: skip


def timed(text: str) -> str:
    """The text with its time phrases put plainly."""
    text = _ISO.sub(_length, clocks_told(days_told(text)))
    text = re.sub(r"(?<=\d)/(?=for )", " ", text)
    text = _DOTTED.sub(_named, text)
    text = _MILITARY.sub(_with_colons, text)
    text = _HOUR_OF_PART.sub(_hour_of_part, text)
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    return text


def _length(found: re.Match[str]) -> str:
    parts = [
        f"{found[k]} {unit}" for k, unit in (("d", "days"), ("h", "hours"), ("m", "minutes"), ("s", "seconds")) if found[k]
    ]
    before = found.string[: found.start()].rstrip().rpartition(" ")[2].casefold()
    led = before in ("for", "next", "within", "of", "in", "after", "duration", "lasts", "lasting") or before.endswith(
        (":", "=")
    )
    return ("" if led or not parts else "for ") + " and ".join(parts)


def _with_colons(found: re.Match[str]) -> str:
    """ "27 Nov 2200 - 28 Nov 0500"; in "1 January 2027 to 31 January 2027" the figures are years."""
    before = found.string[: found.start()].rstrip(" ,").rpartition(" ")[2].casefold()
    year = found[1] == "20" and found[2] in ("26", "27", "28", "29")
    if year and before[:3] in {name[:3] for name in MONTH_NAMES}:
        return found[0]
    return f"{found[1]}:{found[2]}{found[3] or ''}{found[4]}{found[5]}{found[6]}:{found[7]}{found[8] or ''}"


def _hour_of_part(found: re.Match[str]) -> str:
    """ "at 3 this afternoon" as "at 3:00 pm today", "from seven tonight" as "from 7:00 pm today"."""
    told = found[2].casefold()
    hour, part = (int(told) if told.isdigit() else _HOURS.index(told) + 1), (found[6] or "evening").casefold()
    half = "am" if part == "morning" else "pm"
    fits = {"morning": 1 <= hour <= 11, "afternoon": hour == 12 or hour <= 6, "evening": 5 <= hour <= 11}[part]
    if not fits:
        return found[0]
    day = (found[5] or "this").casefold()
    when = " today" if day == "this" else "" if day.startswith("in") else f" {found[5]}"
    return f"{found[1]} {hour}:{found[3][1:] or '00'} {half}{when}"


def _named(found: re.Match[str]) -> str:
    month, day = int(found["month"]), int(found["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return found[0]
    return f"{found['before']}{day} {MONTH_NAMES[month - 1]}"
