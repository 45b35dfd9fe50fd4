"""Half-structured text put into words: "slice=urllc; kpi=p99; max=8 ms", JSON-like fragments, tables, "util(L3) < 70%".

Works on the text alone and knows no name of the network. Keys are a closed list; what has none of them stays as it is written.
Every pattern is bounded, so that the time is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from twm.gateway.intents.fields import MEASURES, QUOTES, key_of, known_key, measured
from twm.gateway.intents.tables import rows_as_fields
from twm.gateway.intents.tokens import MAX_CHARACTERS

SUBJECT, WHAT, BOUND, WHEN, REST = range(5)
"""Order of the fields of a record in the sentence that is made of it."""
_EMPTY = re.compile(r"(?i)(?:null|none|nil|n/?a|-+|\?+|tbd|tbc|unknown)?")
_COMPARED = {
    "le": "at most",
    "lte": "at most",
    "<=": "at most",
    "<": "at most",
    "=<": "at most",
    "≤": "at most",
    "at_most": "at most",
    "at most": "at most",
    "max": "at most",
    "ge": "at least",
    "gte": "at least",
    ">=": "at least",
    ">": "at least",
    "=>": "at least",
    "≥": "at least",
    "at_least": "at least",
    "at least": "at least",
    "min": "at least",
    "eq": "exactly",
    "=": "exactly",
    "==": "exactly",
}
_FIELD = re.compile(
    r"(?P<before>^|[;|,\n{(\[:]\s{0,8}|\s)"
    r"[\"'“]?(?P<key>[A-Za-z][A-Za-z0-9]{0,15}(?:[ _.-][A-Za-z0-9]{1,15}){0,3})[\"'”]?"
    r"\s{0,4}(?P<sign>:=|=(?!=|[<>]=?\s?\d)|:(?!:))"
)
_TIMELY = re.compile(r"(?i)\d|now|noon|midnight|today|tomorrow|tonight|weekend|(?:mon|tues|wednes|thurs|fri|satur|sun)day")
_SEPARATORS = " \t\r\n;,|{}"
_SPACED = re.compile(
    r"(?i)(?:(?<=[\u00a0\u2009\u202f<>=≤≥:])|(?<=[<>=≤≥:] )|(?<=at least )|(?<=at most )|(?<=below )|(?<=above )|(?<=under )"
    r"|(?<=over )|(?<=than )|(?<=of )|(?<=to )|(?<=min )|(?<=minimum )|(?<=max )|(?<=maximum )|(?<=needs )|(?<=need )"
    r"|(?<=gets )|(?<=get )|(?<=about )|(?<=exceed )|(?<=is )|(?<=with ))"
    r"\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3}){1,2}(?=\s?(?:[kMG]?bps|[kMG]?b(?:it)?s?/s|[kMG]bit|kilobit|megabit|[uµμ]s|ms)\b)"
)
_ONE_IN = re.compile(
    r"(?i)\b((?:\d|one|a)(?: lost)?(?: (?:packet|frame|message)s?)? (?:in|out of|per|of) )"
    r"(\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3}){1,2})(?![\d:.])"
)
_POWER = re.compile(
    r"(?<![\w.,])(\d{1,3}(?:[.,]\d{1,3})?) ?[x×*·⋅] ?10 ?(?:\^ ?\(?[-−–]|\*\*[-−]|[⁻−]) ?([1-9]|[¹²³⁴-⁹])\)?(?!\w)"
)
_SLASHED = re.compile(
    r"(?i)(?<![\w.,/])(\d{1,5}(?:\.\d{1,4})?(?:/\d{1,5}(?:\.\d{1,4})?){1,5}) ?(%|ms|[kMG]bps|[kMG]bit/s)(?![\w])"
)
_SLASHED_NAMES = re.compile(r"(?i)(?<![kMG]bit)(?<![kMG]b)(?<=[a-z0-9]) ?/ ?(?=[a-z])(?!s\b|sec)")
_VULGAR = re.compile(r"(?<![\w.,])(\d{0,6})\s?([½¼¾⅓⅔⅕⅖⅗⅘⅛⅜⅝⅞⅒])")
_RAISED = str.maketrans("¹²³⁴⁵⁶⁷⁸⁹", "123456789")
_CALL = re.compile(
    r"(?i)\b((?:(?:mean|avg|average|p99|packet|prb|radio|bandwidth|link)[ _])?(?:util|utilisation|utilization|load|p99|delay"
    r"|latency|mean|avg|loss|throughput|tput|share|prb|jitter|availability|reliability|demand))\s?\(([^()<>=\n]{1,60})\)\s{0,3}"
    r"(?=[<>=≤≥]|max\b|min\b|at\b|below\b|above\b|under\b|not\b|must\b|shall\b|should\b)"
)
_CHAINED = re.compile(
    r"(?<![\w.,])(\d[\d.,]{0,9}\s?%?\s?[A-Za-z]{0,5})\s{0,3}(?:<=|<|≤)\s{0,3}([A-Za-z][^<>=≤≥;\n]{1,60}?)\s{0,3}(?:<=|<|≤)\s{0,3}(?=\d)"
)
_GLOSS = re.compile(r"\(\s?[A-Za-z%]{1,12}\s?(?:=|:|means|stands for|is short for)\s?[A-Za-z][A-Za-z ]{2,50}\)")
_ARROW = re.compile(
    r"\s(?:->|=>|→|⇒)\s+(?=(?:p99|mean|avg|delay|latency|loss|throughput|util\w*|load|max|min|[<>≤≥])(?!\w)|[A-Za-z][\w-]{0,30}:)"
)
_GROUP = re.compile(
    r"(?im)[\"']?\b(?:intents?|constraints?|objectives?|goals?|limits?|context|windows?|scope|expectations?|targets?|rules?|request|surge"
    r"|maintenance|policy|params|parameters)\b[\"']?\s{0,3}:(?:\s{0,3}[\[{](?=[\s{\[]{0,8}[\"'\w])|[ \t]{0,3}(?=\n))"
)
_RELATIVE = re.compile(
    r"(?i)\b(?:current|present|existing|actual|today|today's|now|baseline)(?:[ _](?:level|value|share|rate))?\s?([+−-])\s?"
    r"(\d[\d.,]{0,9}\s?(?:%|ms|us|s\b|[kMG]bps|[kMG]bit/s|points?|pp)?)"
)
_AT = re.compile(r"(?<=[\w%:])\s{1,3}@\s{0,3}(?=[A-Za-z])")
_FORMAL = re.compile(r"[<>=≤≥|{]|::|->|→")
_SHORT = re.compile(r"(?i)\b(max|min|avg|util)\.(?=\s{0,3}[,;)])")
_INNER = re.compile(
    r"([:;,/]\s{0,3})([A-Za-z][\w-]{0,30}(?: [A-Za-z][\w-]{0,20}){0,2}):\s{0,3}"
    r"(?=(?:target |goal |limit )?(?:max|min|at most|at least|[<>≤≥])?\s{0,3}=?\s{0,3}\d)"
)
_THAT_IS = re.compile(r"(?i),?\s{0,3}(?<![\w.])i\.?\s?e\.(?=[\s,]),?")
_LIST = re.compile(r"\[([^\[\]{}=<>]{1,200})\]")


@dataclass(slots=True)
class _Record:
    """Fields of one record: (rank, words), and the kinds it has."""

    parts: list[tuple[int, str]] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    unit: str = ""
    bounds: int = 0

    def put(self, rank: int, words: str, kind: str) -> None:
        self.parts.append((rank, words))
        self.kinds.add(kind)


def formed(text: str) -> str:
    """The text with its half-structured parts in words; the text itself where it has none."""
    out = rows_as_fields(_figures(text), known_key)
    out = _THAT_IS.sub(", ", _GROUP.sub(" ", out))
    out = _GLOSS.sub(" ", out)
    out = out.replace("&&", " and ").replace("==", "=")
    out = _RELATIVE.sub(lambda m: f"{m[2]} {'more' if m[1] == '+' else 'less'} than now", out)
    out = _AT.sub(" at " if not _FORMAL.search(out) else " in zone ", out)
    out = _SHORT.sub(r"\1", out)
    out = _CALL.sub(lambda m: f"{m[1].replace('_', ' ')} of {m[2].replace(',', ' in ').replace('@', ' in ')} ", out)
    out = _CHAINED.sub(lambda m: f"{m[2]} >= {m[1].strip()} and <= ", out)
    out = _ARROW.sub(": ", out)
    out = _records(out)
    inner = len(_INNER.findall(out)) > 1
    out = _INNER.sub(r"\1\2 ", out) if inner else out
    return out if len(out) <= MAX_CHARACTERS else text


def _figures(text: str) -> str:
    """ "800 000 kbps" without its gap, "2 x 10^-4" as 2e-4."""
    out = _SPACED.sub(lambda m: re.sub(r"\s", "", m[0]), text)
    out = _ONE_IN.sub(lambda m: m[1] + re.sub(r"\s", "", m[2]), out)
    out = _VULGAR.sub(lambda m: f"{int(m[1] or 0) + unicodedata.numeric(m[2]):.6g}", out).replace("\u2044", "/")
    if _SLASHED_NAMES.search(out):
        out = _SLASHED.sub(lambda m: " and ".join(f"{x} {m[2]}" for x in m[1].split("/")) + " respectively", out)
    else:
        out = _SLASHED.sub(_fraction_or_list, out)
    return _POWER.sub(lambda m: f"{m[1]}e-{m[2].translate(_RAISED)}", out)


def _fraction_or_list(match: re.Match[str]) -> str:
    """ "1/2 %" is half a per cent where nothing else is told by strokes; "10/20 ms" are two bounds."""
    parts, unit = match[1].split("/"), match[2]
    if len(parts) == 2 and parts[1] in ("2", "3", "4", "5", "8", "10") and parts[0].isdigit() and int(parts[0]) < int(parts[1]):
        return f"{int(parts[0]) / int(parts[1]):.6g} {unit}"
    return " and ".join(f"{x} {unit}" for x in parts) + " respectively"


def _records(text: str) -> str:
    found = list(_fields(text))
    known = [f for f in found if f.kind]
    plain = any(f.sign != ":" or f.kind not in ("measure", "told", "skipped", "action") for f in known)
    if not plain or (all(f.sign == ":" for f in known) and (len(known) < 2 or re.search(r"(?i)\bsubject\s?:", text))):
        return text
    lead = text[: found[0].start].rstrip(_SEPARATORS + QUOTES + "[(")
    if lead.endswith(":") and re.fullmatch(r"[A-Za-z]{2,20}:", lead):
        lead = lead[:-1]
    records = [_Record()]
    said = [
        (f.kind, f.key, *_cut(text[f.end : after]))
        for f, after in zip(found, [*(f.start for f in found[1:]), len(text)], strict=True)
    ]
    if len({key for _, key, _, _ in said}) == len(said):
        said.sort(key=lambda f: f[0] not in ("unit", "kpi"))
    for kind, key, value, tail in said:
        _put(records, kind, key, value, tail)
    return " ".join([lead, "; ".join(filter(None, map(_told, records)))]).strip()


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a field begins, and where its value does."""

    start: int
    key: str
    kind: str
    sign: str
    end: int


def _fields(text: str) -> Iterator[_Field]:
    """Fields with a known key, and those with "=" whatever their key is."""
    found = list(_FIELD.finditer(text))
    for i, match in enumerate(found):
        words = re.split(r"(?<=[ ])", match["key"])
        cut = next((k for k in range(len(words)) if known_key("".join(words[k:]))), -1)
        sign = "=" if match["sign"] == ":=" else match["sign"]
        if sign == ":" and (cut or (match["before"].strip(" ") == "" and match.start() and "\n" not in match["before"])):
            continue
        key = "".join(words[cut:])
        kind = known_key(key)
        value = text[match.end() : found[i + 1].start("key") if i + 1 < len(found) else len(text)]
        if sign == ":" and re.search(r"[a-z][.!?]\s", value):
            continue
        if kind in ("from", "until", "when") and value.strip(_SEPARATORS + QUOTES) and not _TIMELY.search(value):
            continue
        start = match.start("key") + len("".join(words[: max(cut, 0)] if cut >= 0 else []))
        yield _Field(
            start - (text[start - 1 : start] in QUOTES and start > 0),
            key if cut >= 0 else match["key"],
            kind,
            sign,
            match.end(),
        )


def _cut(value: str) -> tuple[str, str]:
    """(the value, what stands behind it without a key): "pit, p99 < 28 ms" is "pit" and the rest."""
    said = _LIST.sub(lambda m: " and ".join(w.strip(QUOTES + " ") for w in m[1].split(",")), value)
    said = said.strip(_SEPARATORS + "[](")
    closed = re.match(r"[\"'“]([^\"'“”]{0,200})[\"'”]", said)
    if closed:
        return closed[1].strip(), said[closed.end() :].strip(_SEPARATORS + QUOTES)
    parts = re.split(r"\s{0,4}[;|\n]\s{0,4}|,\s", said, maxsplit=1)
    tail = parts[1].strip(_SEPARATORS + QUOTES) if len(parts) > 1 else ""
    return parts[0].strip(QUOTES + " "), tail


def _put(records: list[_Record], kind: str, key: str, value: str, tail: str) -> None:
    record = records[-1]
    once = kind if kind != "measure" else ""
    if (
        once in ("slice", "zone", "place", "cell", "link", "kpi", "action", "atmost", "atleast", "share")
        and once in record.kinds
    ):
        subject = (
            []
            if once in ("slice", "link")
            else [p for p in record.parts if p[0] == SUBJECT and once in ("kpi", "atmost", "atleast", "share")]
        )
        record = _Record(parts=subject)
        records.append(record)
    rank, words = _worded(kind, key, "" if kind != "side" and _EMPTY.fullmatch(value) else value, record)
    if words:
        record.put(rank, words, kind)
    if tail:
        late = kind in ("when", "from", "until", "for", "priority")
        comma = "" if kind in ("slice", "zone", "place", "cell", "link") and not record.bounds else ", "
        record.bounds += not late
        record.put(REST if late else BOUND, f"{comma}{tail}", "tail")


def _worded(kind: str, key: str, value: str, record: _Record) -> tuple[int, str]:
    """(rank, words) of a field."""
    if kind == "measure":
        found = measured(key_of(key))
        name, side, unit = found if found else (key, "", "")
        between = ", " if record.bounds else ""
        record.bounds += 1
        return BOUND, f"{between}{name} {side} {_with_unit(value, unit)}"
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    if kind == "kpi":
        found = measured(key_of(value))
        record.unit = (found[2] if found else "") or record.unit
        return WHAT, (f"{found[0]} {found[1]}" if found else value.replace("_", " "))
    if kind == "side":
        return WHAT, _COMPARED.get(value.casefold(), value)
    if kind == "unit":
        record.unit = value
        return WHAT, ""
    if kind in ("atmost", "atleast", "bound"):
        side = {"atmost": "at most", "atleast": "at least"}.get(kind, "")
        between = "and " if {"atmost", "atleast"} & record.kinds else ""
        return BOUND, f"{between}{side} {_with_unit(value, record.unit)}"
    if kind == "share":
        name = " ".join(MEASURES.get(w, "") for w in re.split(r"[\s_.-]+", key.casefold()) if w not in ("of",))
        name = name if "share" in name else f"{name} share"
        return BOUND, f"{name} {value}"
    if kind == "skipped":
        return REST, ""
    return BOUND, f", {key} {value}"


def _with_unit(value: str, unit: str) -> str:
    return f"{value} {unit}" if unit and re.search(r"\d\s?$", value) else value


def _slice(value: str) -> tuple[int, str]:
    everyone = value.casefold() in ("all", "*", "any", "every", "all slices")
    return SUBJECT, "all slices" if everyone else f"{value} slice" if " and " not in value else value


def _zone(value: str) -> tuple[int, str]:
    everywhere = value.casefold() in ("all", "*", "any", "everywhere", "")
    return SUBJECT, "" if everywhere else f"in zone {value}" if " and " not in value else f"in {value}"


def _place(value: str) -> tuple[int, str]:
    return SUBJECT, value if value.casefold() in ("all", "everywhere", "network-wide", "whole network", "") else f"in {value}"


def _timed(word: str) -> Callable[[str], tuple[int, str]]:
    return lambda value: (WHEN, f"{word} {value}" if value else "")


def _state(value: str) -> tuple[int, str]:
    return BOUND, f"is {value}"


def _priority(value: str) -> tuple[int, str]:
    number = re.fullmatch(r"(?i)p?(\d)", value)
    return REST, f", priority {number[1]}" if number else f", {value} priority" if value else ""


def _factor(value: str) -> tuple[int, str]:
    plain = re.fullmatch(r"\d+(?:\.\d+)?", value)
    return BOUND, f"demand {value} times the usual" if plain else f"demand {value}"


def _truth(value: str) -> tuple[int, str]:
    yes = value.casefold() in ("", "true", "yes", "hold", "keep", "on", "1", "all", "held", "kept")
    return REST, ", hold all SLAs" if yes else f", SLA {value}"


_PLAIN: dict[str, Callable[[str], tuple[int, str]]] = {
    "slice": _slice,
    "zone": _zone,
    "place": _place,
    "cell": lambda value: (SUBJECT, f"cells {value}" if " and " in value else f"cell {value}"),
    "link": lambda value: (SUBJECT, f"links {value}" if " and " in value else f"link {value}"),
    "from": _timed("from"),
    "until": _timed("until"),
    "when": _timed(""),
    "for": _timed("for"),
    "state": _state,
    "capacity": lambda value: (BOUND, f"at {value} of its capacity"),
    "action": lambda value: (
        SUBJECT - 1,
        value if value.casefold() not in ("constraint", "kpi", "bound", "goal", "target") else "",
    ),
    "factor": _factor,
    "priority": _priority,
    "save": lambda value: (BOUND, f", save {value}"),
    "sla": _truth,
    "risk": lambda value: (WHEN, f"with a risk of {value}"),
    "confidence": lambda value: (WHEN, f"with a confidence of {value}"),
    "event": lambda value: (WHEN, f"during the {value}"),
    "change": lambda value: (BOUND, f"change at most {value} per step"),
    "told": lambda value: (REST + 1, f". {value}"),
}


def _told(record: _Record) -> str:
    out = " ".join(words for _, words in sorted(record.parts, key=lambda p: p[0]) if words)
    return re.sub(r"\s+([,.])", r"\1", out).strip(" ,")
