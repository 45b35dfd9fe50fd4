"""Windows that a sentence without a statement says of the statements around it: "... That holds until Friday 18:00."."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.drafts import Item, MaintenanceDraft
from twm.gateway.intents.times import Part
from twm.gateway.intents.units import FRACTION, RATIO

_HOLDING_WORDS = """
hold holds valid applies apply keep leave last lasts window validity effective needed required both stay stays remain remains so
"""
_HOLDING = frozenset(_HOLDING_WORDS.split())
_BACK = frozenset({"it", "that", "this", "these", "those", "both", "all", "everything", "they", "valid", "window", "validity"})
_SELF = frozenset({"i", "my", "me", "i'm", "i'll", "we", "we're", "we'll", "our", "us"})
_FEW = 3
"""Words beside its windows that a sentence of nothing else may have."""


def window_of_those_before(sentence: Sequence[Clause]) -> list[Part]:
    """ "This applies from 18:00 to 20:00.", "Until Friday 18:00.", "Tonight only."; nothing of what speaks of other things."""
    chunks = [c for clause in sentence for c in clause.chunks]
    parts = [c.value for c in chunks if c.tag == "window"]
    words = {word for c in chunks if c.tag != "window" for word in c.word.split()}
    if not parts or any(c.tag in ("name", "event", "unknown_name", "fuzzy", "quantity") for c in chunks):
        return []
    others = [c for c in chunks if c.tag not in ("window", "punct")]
    alone = len(others) <= _FEW and chunks[0].tag in ("window", "filler") and not any(c.tag == "unknown" for c in others)
    holding = bool(words & _HOLDING and words & _BACK)
    return parts if holding or (alone and not words & _SELF) else []


def give_to_those_before(items: Sequence[Item], parts: list[Part]) -> None:
    """Give a window to the statements that have none."""
    for item in items if parts else ():
        if not item.parts:
            item.parts = list(parts)


def left_of_last(items: Sequence[Item], clause: Clause) -> bool:
    """ "... is being re-spliced on Sunday; 40 % of its capacity remains": of the link of before; whether it was."""
    last = items[-1] if items else None
    found = [q.value for _, q in clause.quantities() if q.dim in (RATIO, FRACTION)]
    if not isinstance(last, MaintenanceDraft) or last.capacity or len(found) != 1 or clause.tags & {"lose", "loss", "neg"}:
        return False
    if "capacity" not in clause.tags:
        return False
    last.capacity = found[0]
    last.parts += clause.windows()
    return True


def of_all(clause: Clause) -> bool:
    """ "...; all of this until tomorrow 07:00": a window of everything that was said before."""
    words = [w for c in clause.chunks if c.tag not in ("window", "punct") for w in c.word.split()]
    return len(words) <= _FEW + 1 and bool(set(words) & {"all", "both", "everything"})


def begins_with_window(sentence: Sequence[Clause]) -> bool:
    """Whether a window is the first thing said: "From 14:00 to 15:30 demand doubles; ..."."""
    chunks = [c for clause in sentence for c in clause.chunks if c.tag not in ("punct", "filler", "on", "from", "for", "in")]
    return bool(chunks) and chunks[0].tag == "window"
