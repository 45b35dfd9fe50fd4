"""Windows that a sentence without a statement says of the statements around it: "... That holds until Friday 18:00."."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents.chunks import NAME, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import figures
from twm.gateway.intents.drafts import ConstraintDraft, Item, LimitDraft, MaintenanceDraft
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE
from twm.gateway.intents.times import Part
from twm.gateway.intents.units import FRACTION, RATIO

_HOLDING_WORDS = """
hold holds valid applies apply keep leave last lasts window validity effective needed required both stay stays remain remains so
"""
_HOLDING = frozenset(_HOLDING_WORDS.split())
_BACK = frozenset({"it", "that", "this", "these", "those", "both", "all", "everything", "they", "valid", "window", "validity"})
_TREATED = frozenset({"treat", "regard", "consider", "count", "assume", "plan"})
_SELF = frozenset({"i", "my", "me", "i'm", "i'll", "we", "we're", "we'll", "our", "us"})
_BOTH = frozenset({"both", "all", "everything", "each", "these", "that", "this"})
_PLACE_FIELDS = frozenset({"where", "place", "location", "zone", "area", "scope", "site"})
BEGUN = Part(from_now=True)
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
    alone = len(others) <= _FEW and chunks[0].tag in ("window", "filler", "all") and not any(c.tag == "unknown" for c in others)
    holding = bool(words & _HOLDING and words & _BACK)
    holding = holding or ("without" in words and bool(words & {"it", "them", "both"}))  # "plan without it until 23:30"
    holding = holding or bool(words & _TREATED)
    return parts if holding or (alone and not words & _SELF) else []


def give_place(items: Sequence[Item], sentence: Sequence[Clause]) -> None:
    """ "... Both in the corridor.", "...; where: corridor": a place told for the statements before that have none."""
    chunks = [c for clause in sentence for c in clause.chunks if c.tag not in ("punct", "window")]
    words = {word for c in chunks for word in c.word.split()}
    names = [n for c in chunks if c.tag == NAME for n in c.value]
    others = [c for c in chunks if c.tag not in (NAME, "in", "at", "on", "for", "zonenoun", "cellnoun", "pronoun", "all")]
    field = any(clause.heading and {c.word for c in clause.chunks} & _PLACE_FIELDS for clause in sentence)
    plain = all(c.tag in ("filler", "hold", "ask", "place") for c in others)
    if not (words & _BOTH or field) or len(others) > _FEW or not plain:
        return
    kinds = {n.kind for n in names}
    if kinds != {CELL} and not (kinds == {ZONE} and len(names) == 1):
        return
    for item in items:
        if isinstance(item, ConstraintDraft | LimitDraft) and not (item.where.zone or item.where.cells or item.where.links):
            item.where = item.where.copy(names[0].id if kinds == {ZONE} else "")
            item.where.cells = [n.id for n in names] if kinds == {CELL} else []


def strange_place_of_those_before(sentence: Sequence[Clause]) -> str:
    """ "... Both in the stadium.": a place that the network does not have; "" where none is told."""
    words = {word for clause in sentence for c in clause.chunks for word in c.word.split()}
    chunks = [c for clause in sentence for c in clause.chunks if c.tag not in ("punct", "window", "filler", "hold", "pronoun")]
    if not words & _BOTH or len(chunks) > _FEW or not chunks or chunks[-1].tag != "place" or len(chunks) < 2:
        return ""
    return chunks[-1].word if chunks[-2].tag in ("in", "at", "on", "for") else ""


def give_to_those_before(items: Sequence[Item], parts: list[Part]) -> None:
    """Give a window to the statements that have none."""
    for item in items if parts else ():
        if not item.parts or all(p == BEGUN for p in item.parts):
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


_SAYING = frozenset(
    {"i", "we", "they", "he", "she", "you", "i'm", "we're", "they're", "who", "our", "my", "their", "his", "her"}
)


def without_others(kept: Sequence[Chunk], clause: Clause, before: Clause) -> list[Chunk]:
    """ "Cap A at 20 %, I need room for the B cameras": names that are told of somebody are none of the statement before."""
    told = {word for c in clause.chunks if c.tag != NAME for word in c.word.split()} & _SAYING
    own = {n.kind for c in before.chunks if c.tag == NAME for n in c.value}
    kept = [c for c in kept if not (told and c.tag == NAME and {n.kind for n in c.value} & own)]
    if not own & {LINK, CELL} or own & {ZONE, SLICE} or not clause.chunks or clause.chunks[0].tag in ("in", "at", "on", "for"):
        return kept
    return [c for c in kept if c.tag != NAME or c.value[0].kind != ZONE]  # "relieve mw-pit-up, the crusher feed keeps stalling"


_THEREFORE = frozenset({"so", "therefore", "hence", "thus", "consequently", "because"})
_VERB_WORDS = """
is are was were isn't aren't has have had will would can can't does do doesn't keeps gets wants needs feels says likes pays
comes
"""
_VERBS = frozenset(_VERB_WORDS.split())


def without_reasons(waiting: Sequence[Chunk], clause: Clause, sentence: Sequence[Clause]) -> list[Chunk]:
    """ "Gold pays well, so silver below 20 ms": what a reason is about is no scope of a statement that has its own."""
    own = {n.kind for c in clause.chunks if c.tag == NAME for n in c.value}
    at = next((i for i, c in enumerate(sentence) if c.chunks and c.chunks[-1] is clause.chunks[-1]), len(sentence) - 1)
    if not any(c.opener in _THEREFORE for c in sentence[: at + 1]):
        return list(waiting)
    return [c for c in waiting if not (c.tag == NAME and {n.kind for n in c.value} & own)]


def told_of_a_place(clause: Clause) -> bool:
    """ "..., the crusher feed keeps stalling", "..., as the pit is full of dust": what happens at a place, and no place."""
    chunks = [c for c in clause.chunks if c.tag != "punct"]
    if chunks and chunks[0].word in ("as", "since"):
        chunks = chunks[1:]
    if chunks and chunks[0].word in ("the", "our", "their", "that"):
        chunks = chunks[1:]
    if clause.first or figures(clause) or not chunks or chunks[0].tag != NAME:
        return False
    return any(c.tag == "unknown" or set(c.word.split()) & _VERBS for c in chunks[1:])


def begins_with_window(sentence: Sequence[Clause]) -> bool:
    """Whether a window is the first thing said: "From 14:00 to 15:30 demand doubles; ..."."""
    chunks = [c for clause in sentence for c in clause.chunks if c.tag not in ("punct", "filler", "on", "from", "for", "in")]
    at = next((i for i, clause in enumerate(sentence) if clause.opener == ":"), 0)
    head = sentence[:at]
    headed = any(clause.windows() for clause in head) and not any(clause.quantities() for clause in head)
    return headed or (bool(chunks) and chunks[0].tag == "window")
