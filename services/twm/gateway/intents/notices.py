"""What counts wherever it stands in a clause: names that are none, KPIs that are not predicted, urgency, events, leftovers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twm.gateway.intents import lexicon
from twm.gateway.intents.background import PAST_WINDOW
from twm.gateway.intents.chunks import FUZZY, UNKNOWN, UNKNOWN_NAME
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, core_of, figures
from twm.gateway.intents.drafts import EventDraft
from twm.gateway.intents.events import event_at
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE, Name
from twm.gateway.intents.questions import quoted

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

_BEFORE_ACTION = frozenset(
    {"filler", "then", "and", "but", "now", "first", "second", "third", "neg", "punct", "pronoun", "unknown", "with"}
)


_NOUNS = frozenset({"order", "list", "call", "book"})
"""Actions that are none behind an article: "that is the order the board signed off"."""


def notice(reader: Reader, clause: Clause) -> None:
    """What counts wherever it stands: names that are none, urgency, events."""
    tags = clause.tags
    if tags & (
        KPI_TAGS
        | {
            "name",
            "demand",
            "share",
            "prb",
            "slicenoun",
            "cellnoun",
            "zonenoun",
            "linknoun",
            "sla",
            "slicetype",
            "maint",
            "place",
        }
    ):
        reader.out.touched = True
    for chunk in clause.chunks:
        if chunk.tag == FUZZY:
            text, near = chunk.value
            if _of_a_family(text, near) and not figures(clause) and not core_of(clause):
                continue
            kind = near[0].kind
            choices = list(dict.fromkeys(n.id for n in near))
            reader.ask(
                "fuzzy_name",
                _field(kind),
                f"{quoted(text)} is no name of this network. Is {' or '.join(choices[:3])} meant?",
                choices,
            )
        elif chunk.tag == UNKNOWN_NAME:
            kind, text, candidates = chunk.value
            if candidates:
                reader.ask(
                    "ambiguous_name",
                    _field(kind),
                    f"{kind} {quoted(text)} fits {', '.join(candidates)}. Which is meant?",
                    candidates,
                )
            else:
                unknown(reader, kind, text)
        elif chunk.tag == "name" and len({n.kind for n in chunk.value}) > 1:
            kinds = [n.kind for n in chunk.value]
            reader.ask(
                "ambiguous_name", "", f"{quoted(chunk.value[0].id)} is a {' and a '.join(kinds)}. Which is meant?", kinds
            )
        elif chunk.tag == "jitter":
            reader.ask(
                "unsupported_kpi",
                "constraints.kpi",
                f"{quoted(chunk.word)} is not predicted here. Which of these may stand for it?",
                ("p99 delay", "mean delay", "loss", "throughput", "utilisation"),
            )
        elif chunk.tag == "median" or (chunk.tag == "percentile" and chunk.value not in (None, "99", "99.0")):
            reader.ask(
                "unsupported_kpi",
                "constraints.kpi",
                "Of the delay, only the 99th percentile and the mean are predicted. Which is meant?",
                ("p99 delay", "mean delay"),
            )
    if "urgent" in tags and reader.out.priority in (0, 2) and not (clause.slices and core_of(clause) == "rank"):
        reader.out.priority = 1
    elif (not clause.slices or "priority" in tags) and not reader.out.priority:
        reader.out.priority = (
            2 if "highprio" in tags else 4 if "lowprio" in tags else 5 if "lowestprio" in tags else _numbered_priority(clause)
        )
    for i, chunk in enumerate(clause.chunks):
        told = chunk.value.event if chunk.tag == "window" else ""
        name = told or event_at(clause.chunks, i)
        if name:
            reader.out.items.append(EventDraft(clause=chunk.start, name=name))


def _of_a_family(text: str, near: Sequence[Name]) -> bool:
    """ "Fog over the polder", "ridge team": what numbered cells or links are called after, told of and not ordered."""
    return len(near) > 1 and all(n.id.rstrip("0123456789").rstrip("-_.").casefold() == text.casefold() for n in near)


def unknown(reader: Reader, kind: str, text: str) -> None:
    choices = reader.names.nearest(kind, text, 6)
    has = (
        f"It has {', '.join(choices)}" + (" and more" if len(reader.names.ids[kind]) > len(choices) else "")
        if choices
        else f"It has no {kind}s"
    )
    code = {SLICE: "unknown_slice", ZONE: "unknown_zone", CELL: "unknown_cell", LINK: "unknown_link"}[kind]
    reader.ask(code, _field(kind), f"No {kind} {quoted(text)} in this network. {has}. Which is meant?", choices)


def action(reader: Reader, clause: Clause) -> bool:
    """Whether it asks for something this system does not do; then that is a question."""
    for i, chunk in enumerate(clause.chunks):
        after = clause.chunks[i + 1].word if i + 1 < len(clause.chunks) else ""
        if chunk.word == "call" and after in ("me", "us", "back", "my", "our"):
            return False
        if chunk.tag == "action":
            if chunk.word in _NOUNS and i and clause.chunks[i - 1].word in ("the", "this", "that", "our", "an"):
                return False
            if clause.condition or PAST_WINDOW in clause.windows() or _happens(clause, i) or _told_of(clause, i):
                return False
            reader.ask(
                "unsupported_action",
                "",
                f"{quoted(chunk.word)} is nothing that can be asked for here. "
                "An intent bounds KPIs, limits shares, sets priorities or savings, or announces surges and maintenance. "
                "What is the goal?",
            )
            return True
        if chunk.tag not in _BEFORE_ACTION:
            return False
    return False


_TELLERS = frozenset({"i", "we", "they", "he", "she", "who", "which", "that", "people", "everybody", "everyone", "had"})
_ASKING = frozenset(
    {"you", "please", "must", "should", "shall", "want", "need", "could", "can", "let's", "let", "pls", "kindly"}
)


def _told_of(clause: Clause, i: int) -> bool:
    """ "We open at nine", "I had to explain this": what somebody does, and no order."""
    said = {word for c in clause.chunks[:i] for word in c.word.split()}
    return bool(said & _TELLERS) and not said & _ASKING


def _happens(clause: Clause, i: int) -> bool:
    """ "or the road closes", "the gates are shut": told of a thing; an order comes first, or has something it acts on."""
    before = [c for c in clause.chunks[:i] if c.tag not in ("punct", "pronoun")]
    rest = [c for c in clause.chunks[i + 1 :] if c.tag not in ("punct", "window")]
    subject = (
        bool(before)
        and before[0].word in ("the", "our", "a", "all")
        and any(c.tag == UNKNOWN or len(c.word) > 3 for c in before)
    )
    return subject and not rest and not {"must", "shall", "should", "please", "to", "be"} & {c.word for c in before}


def leftover(reader: Reader, clause: Clause) -> bool:
    """A figure that belongs to nothing."""
    heading = reader.context.heading
    stranger = next((c for c in clause.chunks if c.tag in (UNKNOWN, "slicetype") or c.word in lexicon.naming()), None)
    if heading is not None and heading.tags & {"ranking", "important"} and stranger is not None and figures(clause):
        unknown(reader, SLICE, stranger.word)
        return True
    found = [
        i for i in figures(clause) if clause.chunks[i].tag == "range" or clause.chunks[i].value.dim not in ("count", "fraction")
    ]
    idle = ("duration", "seconds") if clause.slices or "demand" in clause.tags else ("duration", "seconds", "factor")
    found = [i for i in found if clause.chunks[i].tag == "range" or clause.chunks[i].value.dim not in idle]
    if found:
        reader.ask("not_understood", "", "A figure was named, but not what it bounds. What is meant by it?")
    return bool(found)


def _numbered_priority(clause: Clause) -> int:
    return next((int(c.value) for c in clause.chunks if c.tag == "priority"), 0)


def _field(kind: str) -> str:
    return {SLICE: "scope.slices", ZONE: "scope.zone", CELL: "scope.cells", LINK: "scope.links"}.get(kind, "scope")
