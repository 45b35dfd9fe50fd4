"""Sentences that name what is spoken of and say nothing of it: "Annex B, reliability.", "Subject: enterprise latency."."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, UNKNOWN, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, dims, figures
from twm.gateway.intents.drafts import ConstraintDraft, Item
from twm.gateway.intents.units import COUNT, DELAY, FRACTION, RATIO, SECONDS

_NOUNS = frozenset(
    {NAME, "filler", "in", "at", "on", "for", "of", "slicenoun", "zonenoun", "cellnoun", "packet", "and", UNKNOWN}
)
_OCCASIONS = frozenset({"window", "event", "punct", "place", "holiday", "night", "evening", "morning"})
_VERB_WORDS = (
    "is are was were be been keep please pls can could will would need needs want wants make makes why how fix fast do"
)
_VERBS = frozenset(_VERB_WORDS.split())
_ASKING = frozenset(
    {"please", "pls", "keep", "make", "why", "how", "what", "fix", "do", "should", "must", "shall", "need", "needs"}
)
_LENT_TO = frozenset(
    {NAME, "quantity", "range", "filler", "hold", "slicenoun", "punct", "window", "in", "at", "on", "for", "of", "pronoun"}
)
_SIDES = frozenset({"atleast", "atmost", "below", "above", "less", "more", "neg", "than"})
MAX_TOPIC = 8
_COMPLAINT_WORDS = """
complain complains complained complaining suffer suffers suffering struggle struggles struggling moan moans grumble grumbles
unhappy annoyed annoys angry cross too trouble troubles troubled terrible awful poor dreadful miserable
"""
_COMPLAINTS = frozenset(_COMPLAINT_WORDS.split())
_BESIDE_COMPLAINTS = frozenset({"about", "from", "with", "high", "low", "all", "reserve", "hold", "more"})


def is_topic(sentence: Sequence[Clause]) -> bool:
    """Whether a sentence is a KPI and names alone, without a verb or a figure."""
    chunks = [c for clause in sentence for c in clause.chunks]
    told = [c for c in chunks if c.tag in KPI_TAGS]
    plain = all(c.tag in _NOUNS | KPI_TAGS and c.word not in _VERBS for c in chunks)
    if not plain and _COMPLAINTS & {c.word for c in chunks}:  # "Gold customers complain about lag."
        plain = all(c.tag in _NOUNS | KPI_TAGS | _BESIDE_COMPLAINTS and c.word not in _ASKING for c in chunks)
    return bool(told) and plain and len(chunks) <= MAX_TOPIC and sentence[-1].ends in (".", "") and not sentence[-1].heading


def is_occasion(sentence: Sequence[Clause]) -> bool:
    """Whether a sentence is an occasion with its times, and no verb: "Film night, Friday 19:30 until 22:00, pier."."""
    chunks = [c for clause in sentence for c in clause.chunks]
    plain = all(c.tag in _NOUNS | _OCCASIONS and c.word not in _VERBS for c in chunks)
    timed = any(c.tag == "window" and (c.value.start or c.value.end or c.value.day) for c in chunks)
    return timed and plain and len(chunks) <= MAX_TOPIC + 2 and sentence[-1].ends in (".", "!") and not sentence[-1].heading


def topic_of(sentence: Sequence[Clause]) -> list[Chunk]:
    """Its KPI."""
    return [c for clause in sentence for c in clause.chunks if c.tag in KPI_TAGS]


def of_topic(topic: Sequence[Chunk], clause: Clause) -> Clause:
    """ "Reliability. clinical: 99.999 %": "Mean delay. gold: 12 ms": a bare figure is of the KPI that was the topic."""
    if not topic or clause.heading or not dims(clause, figures(clause)) & {RATIO, FRACTION, DELAY, SECONDS}:
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
        risky = last is not None and last.heading and bool(last.tags & {"risk", "confidence"})
        ratios = dims(clause, [i for i, _ in clause.quantities()]) <= {RATIO, FRACTION, COUNT} and bool(clause.quantities())
        own = last is not None and any(q.dim in (RATIO, FRACTION) for _, q in last.quantities())
        if last is not None and risky and (not last.quantities() or (ratios and not own)):
            out[-1] = replace(clause, chunks=[*last.chunks, *clause.chunks], opener=last.opener, first=last.first)
        else:
            out.append(clause)
    return out
