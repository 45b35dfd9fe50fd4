"""No number in a text that is not in the facts: within the rounding that the text states, in its unit, about its subject.

Decides whether a language model's text is taken. It errs on the side of refusing: the template is always there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twm.gateway.explain.facts import PHRASES, Fact, Facts, name_pattern
from twm.gateway.explain.rounding import UNITS
from twm.gateway.explain.tokens import MASK, Token, read_numbers

MAX_TEXT = 4000
MAX_NUMBERS = 200
COARSE_RATIO = 0.025
"""A number with fewer decimals than the house writes may be this far off, relative to the fact."""

_FAMILIES = {
    "%": ("ratio", "probability", "share"),
    "points": ("points",),
    "ms": ("ms",),
    "s": ("s",),
    "Mbps": ("Mbps",),
    "steps": ("steps",),
}
_BARE = ("scm", "score", "ood", "number", "count")
_FRACTIONS = ("ratio", "probability", "share")
_UP = re.compile(
    r"\b(?:ris\w+|rose|up|increas\w+|higher|more|gain\w*|grow\w*|grew|above|add\w*|better|larger|greater|exceed\w*|over|extra|improv\w+)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:fall\w*|fell|down|decreas\w+|lower\w*|less|los\w+|drop\w*|reduc\w+|below|cut\w*|shrink\w*|shrank|smaller|fewer|under|worse|"
    r"minus|sav\w+|short\w*|declin\w+)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n+")
_CLAUSE = re.compile(r"[,;:]\s|\s(?:while|whereas|but)\s", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """A number that may not stand there."""

    reason: str
    """"not_in_facts", "other_unit", "other_subject", "direction", "too_coarse", "too_long", "too_many", or a kind of
    twm.gateway.explain.tokens.Oddity."""
    text: str
    """The number as written."""


@dataclass(frozen=True)
class NumberCheck:
    """What was found in a text."""

    findings: tuple[Finding, ...]
    cited: tuple[str, ...]
    """Names of the facts that its numbers were found in, in order."""

    @property
    def ok(self) -> bool:
        """Every number was found."""
        return not self.findings


def check_numbers(text: str, facts: Facts) -> NumberCheck:
    """Look every number of `text` up in `facts`."""
    if len(text) > MAX_TEXT:
        return NumberCheck((Finding("too_long", f"{len(text)} characters"),), ())
    subject = name_pattern(facts.subjects)
    findings: list[Finding] = []
    cited: list[str] = []
    for quote in sorted(facts.quotes, key=len, reverse=True):
        text = text.replace(quote, MASK * len(quote))
    masked = text
    for pattern in (name_pattern(facts.times), name_pattern([*facts.names, *PHRASES])):
        masked = pattern.sub(lambda found: MASK * len(found.group()), masked)
    tokens, odd = read_numbers(masked)
    findings += [Finding(o.kind, o.text.replace(MASK, "*")[:64]) for o in odd]
    if len(tokens) > MAX_NUMBERS:
        return NumberCheck((*findings, Finding("too_many", f"{len(tokens)} numbers")), ())
    for token in tokens:
        clause, named = _surroundings(text, token, subject)
        found = _find(token, facts, clause, named)
        if isinstance(found, Finding):
            findings.append(found)
        else:
            cited.append(found.name)
    return NumberCheck(tuple(findings), tuple(cited))


def _surroundings(text: str, token: Token, subject: re.Pattern[str]) -> tuple[str, frozenset[str]]:
    """The clause of a number, and its subjects: those named in the clause, else before it in the sentence, else after."""
    begin, end = _around(_SENTENCE, text, token.start, 0, len(text))
    first, last = _around(_CLAUSE, text, token.start, begin, end)
    for piece in (text[first:last], text[begin:first], text[last:end]):
        names = [m.group().lower() for m in subject.finditer(piece)]
        if names:
            return text[first:last], frozenset(names)
    return text[first:last], frozenset()


def _around(pattern: re.Pattern[str], text: str, at: int, begin: int, end: int) -> tuple[int, int]:
    low, high = begin, end
    for found in pattern.finditer(text, begin, end):
        if found.end() <= at:
            low = found.end()
        elif found.start() >= at:
            high = found.start()
            break
    return low, high


def _find(token: Token, facts: Facts, clause: str, named: frozenset[str]) -> Fact | Finding:
    """The fact that the number states, or why there is none."""
    reason = "not_in_facts"
    for fact in facts.numbers:
        if not _same_unit(token, fact):
            if reason == "not_in_facts" and _near(abs(token.value), abs(fact.value * UNITS[fact.unit].factor), token, fact):
                reason = "other_unit"
            continue
        written = _written(token, fact)
        verdict = _same_value(token, fact, written, clause)
        if verdict:
            reason = verdict if verdict != "not_in_facts" else reason
            continue
        if fact.about and named and not (fact.about & named):
            reason = "other_subject"
            continue
        return fact
    return Finding(reason, token.text.strip()[:64])


def _same_unit(token: Token, fact: Fact) -> bool:
    if token.unit:
        return fact.unit in _FAMILIES[token.unit]
    if fact.unit == "step":
        return token.before in ("step", "steps") and token.decimals <= 0
    if fact.unit in _FRACTIONS:
        return token.decimals > 0 or token.value in (0.0, 0.5, 0.25)
    return fact.unit in _BARE


def _written(token: Token, fact: Fact) -> float:
    """The fact in the unit of the text."""
    if token.unit in ("%", "points"):
        return fact.value * 100.0
    return fact.value


def _same_value(token: Token, fact: Fact, written: float, clause: str) -> str:
    """Empty where the number states the fact; else the reason why not."""
    stated, wanted = token.value, written
    if fact.is_change and token.sign is None:
        stated, wanted = abs(stated), abs(wanted)
    if not _near(stated, wanted, token, fact):
        return "too_coarse" if _rounds(stated, wanted, token) else "not_in_facts"
    if fact.is_change and token.sign is None and not _rounds(0.0, written, token):
        down, up = bool(_DOWN.search(clause)), bool(_UP.search(clause))
        if (written < 0 and not down) or (written > 0 and down and not up):
            return "direction"
    return ""


def _rounds(stated: float, wanted: float, token: Token) -> bool:
    if token.decimals < 0:  # in words: whole numbers and simple fractions
        return abs(stated - wanted) <= max(COARSE_RATIO * abs(wanted), 1e-9)
    return abs(stated - wanted) <= token.half_digit * (1 + 1e-6) + 1e-12


def _near(stated: float, wanted: float, token: Token, fact: Fact) -> bool:
    """Whether the number is the fact as rounded in the text, and not rounded so far that it says something else."""
    if not _rounds(stated, wanted, token):
        return False
    fine = token.decimals >= UNITS[fact.unit].decimals and token.half_digit <= 0.5 * 10.0 ** -UNITS[fact.unit].decimals * (
        1 + 1e-9
    )
    return fine or abs(stated - wanted) <= COARSE_RATIO * abs(wanted) + 1e-12
