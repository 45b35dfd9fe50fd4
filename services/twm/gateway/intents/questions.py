"""Questions: their codes, and the words they are asked in. Text from outside goes in cleaned, short and in quotes."""

from __future__ import annotations

from collections.abc import Sequence

from twm.api.intent.v1 import intent_pb2
from twm.core.text import shown

CODES: dict[str, str] = {
    "missing_bound": "a KPI, share or surge without a figure",
    "missing_unit": "a figure without a unit that fits",
    "relative_bound": "a change relative to now; a bound is needed",
    "ambiguous_unit": "megabyte or megabit",
    "unit_mismatch": "the unit does not fit the KPI",
    "unknown_slice": "no such slice in the network",
    "unknown_zone": "no such zone in the network",
    "unknown_cell": "no such cell in the network",
    "unknown_link": "no such link in the network",
    "fuzzy_name": "a name that looks misspelt",
    "ambiguous_name": "a name that fits more than one thing",
    "ambiguous_scope": "it is not said what is meant",
    "missing_link": "work on a link without the link",
    "missing_comparator": "a figure, but not which side of it is allowed",
    "unsupported_scope": "this cannot be said of a part of the network",
    "unsupported_kpi": "a KPI that is not predicted",
    "unsupported_recurrence": "a window that comes again",
    "unsupported_condition": "a condition other than a surge, work on a link or an event",
    "unsupported_action": "something this system does not do",
    "ambiguous_time": "2 o'clock by day or by night",
    "ambiguous_window": "words that fix no moment",
    "window_past": "the window is over",
    "window_empty": "the window ends before it begins",
    "clashing_bounds": "lower bound above upper bound",
    "clashing_shares": "least shares of a row sum to more than 1",
    "clashing_ranks": "a slice before and after another",
    "clashing_change": "frozen and changed at once",
    "impossible_bound": "no policy can reach it",
    "out_of_range": "a value outside its range",
    "unknown_property": "a property of a structured intent that is not known",
    "stale_spec": "compiled against another network spec",
    "no_goal": "the network is spoken of, but no goal",
    "not_understood": "a part with figures or names that means nothing here",
    "out_of_domain": "not about this network",
    "suspicious_text": "reads like instructions to the system",
    "compilers_differ": "two compilers read it differently",
    "infeasible": "no plan reaches it",
}
MAX_QUESTIONS = 16
MAX_CHOICES = 16


def question(code: str, field: str, text: str, choices: Sequence[str] = ()) -> intent_pb2.Question:
    """A question. `code` must be one of CODES."""
    assert code in CODES, code
    return intent_pb2.Question(
        code=code, field=field[:128], text=text[:1024], choices=[c[:128] for c in choices[:MAX_CHOICES] if c]
    )


def quoted(text: str) -> str:
    """Text from outside, fit to stand in a question."""
    return shown(text, 60)


def unique(found: Sequence[intent_pb2.Question]) -> list[intent_pb2.Question]:
    """Each question once, at most MAX_QUESTIONS."""
    out: list[intent_pb2.Question] = []
    seen: set[tuple[str, str, str]] = set()
    for q in found:
        key = (q.code, q.field, q.text)
        if key not in seen:
            seen.add(key)
            out.append(q)
    return out[:MAX_QUESTIONS]
