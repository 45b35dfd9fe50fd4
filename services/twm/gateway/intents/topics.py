"""Sentences that name what is spoken of and say nothing of it: "Annex B, reliability.", "Subject: enterprise latency."."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, UNKNOWN, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, dims, figures
from twm.gateway.intents.drafts import ConstraintDraft, Item
from twm.gateway.intents.units import FRACTION, RATIO

_NOUNS = frozenset(
    {NAME, "filler", "in", "at", "on", "for", "of", "slicenoun", "zonenoun", "cellnoun", "packet", "and", UNKNOWN}
)
_VERB_WORDS = (
    "is are was were be been keep please pls can could will would need needs want wants make makes why how fix fast do"
)
_VERBS = frozenset(_VERB_WORDS.split())
_LENT_TO = frozenset(
    {NAME, "quantity", "range", "filler", "hold", "slicenoun", "punct", "window", "in", "at", "on", "for", "of"}
)
_SIDES = frozenset({"atleast", "atmost", "below", "above", "less", "more", "neg", "than"})
MAX_TOPIC = 8


def is_topic(sentence: Sequence[Clause]) -> bool:
    """Whether a sentence is a KPI and names alone, without a verb or a figure."""
    chunks = [c for clause in sentence for c in clause.chunks]
    told = [c for c in chunks if c.tag in KPI_TAGS]
    plain = all(c.tag in _NOUNS | KPI_TAGS and c.word not in _VERBS for c in chunks)
    return bool(told) and plain and len(chunks) <= MAX_TOPIC and sentence[-1].ends in (".", "") and not sentence[-1].heading


def topic_of(sentence: Sequence[Clause]) -> list[Chunk]:
    """Its KPI."""
    return [c for clause in sentence for c in clause.chunks if c.tag in KPI_TAGS]


def of_topic(topic: Sequence[Chunk], clause: Clause) -> Clause:
    """ "Reliability. clinical: 99.999 %": a bare ratio is of the KPI that was the topic."""
    if not topic or clause.heading or not dims(clause, figures(clause)) & {RATIO, FRACTION}:
        return clause
    bare = clause.tags <= _LENT_TO | _SIDES
    return replace(clause, chunks=[*topic, *clause.chunks]) if bare else clause


def spoken_to(sentence: Sequence[Clause], items: Sequence[Item]) -> bool:
    """Whether a bound that was read is of what the topic named."""
    slices = {name for clause in sentence for name in clause.slices}
    bounds = [item for item in items if isinstance(item, ConstraintDraft)]
    return any(not slices or slices & set(item.where.slices) for item in bounds)


def risks_joined(sentence: Sequence[Clause]) -> list[Clause]:
    """ "Probability of breaking this: 2 %": a heading that names a risk, and its figure, are one."""
    out: list[Clause] = []
    for clause in sentence:
        last = out[-1] if out else None
        if last is not None and last.heading and last.tags & {"risk", "confidence"} and not last.quantities():
            out[-1] = replace(clause, chunks=[*last.chunks, *clause.chunks], opener=last.opener, first=last.first)
        else:
            out.append(clause)
    return out
