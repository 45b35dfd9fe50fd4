"""Chunks to sentences and clauses, and what stands in a clause: names, quantities with their comparators, risk, windows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from twm.gateway.intents import lexicon
from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE
from twm.gateway.intents.times import Part
from twm.gateway.intents.units import COUNT, DELAY, RATE, RATIO, Quantity

_SENTENCE = frozenset(".;!?")
_BREAKS = frozenset({",", "(", ")", "--", "—", "–", "so", "because", "except", "•", "/", "|", "..", "...", "…"})
_BREAK_TAGS = frozenset({"and", "but", "then", "provided", "while", "as_well", "or"})
_ORDERS = frozenset({"over", "before", "win", "first", "prio", "moreimportant"})
_SHORTENED = frozenset({"min", "max", "approx", "avg", "ca", "circa", "no", "nr", "est", "risk", "prob"})
"""Words whose full stop before a figure ends no sentence."""
_BEFORE_KPI = frozenset({"min", "max", "avg"})
"""Words whose full stop before a KPI ends no sentence either."""
_AUXILIARIES = "should shall must may will would can could is are to has have please and but it they we i"
_BEFORE_ALSO = frozenset(_AUXILIARIES.split())
"""Behind these "also" begins nothing: "it should also stay below 70 %"."""
_THEREFORE = frozenset({"therefore", "hence", "thus", "consequently"})
MAX_LEAD = 6


@dataclass(slots=True)
class Clause:
    """A piece of a sentence around one statement."""

    chunks: list[Chunk]
    sentence: int
    opener: str = ""
    """What stands before it: ",", "and", "without", ..."""
    heading: bool = False
    """It ends in a colon."""
    first: bool = False
    """It is the first of its sentence."""
    condition: str = ""
    """ "when" or "whenever" where it stands behind one."""
    ends: str = ""
    """The mark its sentence ends with; "" for none."""
    lead: tuple[str, ...] = ()
    """The first words of its sentence, whether they mean anything or not."""

    @property
    def tags(self) -> set[str]:
        """All tags."""
        return {c.tag for c in self.chunks}

    def names(self, kind: str) -> list[str]:
        """Ids of that kind, in order, each once."""
        found = [n.id for c in self.chunks if c.tag == NAME for n in c.value if n.kind == kind]
        return list(dict.fromkeys(found))

    @property
    def slices(self) -> list[str]:
        """Slice ids."""
        return self.names(SLICE)

    @property
    def zones(self) -> list[str]:
        """Zone ids."""
        return self.names(ZONE)

    @property
    def cells(self) -> list[str]:
        """Cell ids."""
        return self.names(CELL)

    @property
    def links(self) -> list[str]:
        """Link ids."""
        return self.names(LINK)

    def windows(self) -> list[Part]:
        """Parts of its window."""
        return [c.value for c in self.chunks if c.tag == "window"]

    def quantities(self) -> list[tuple[int, Quantity]]:
        """Positions and quantities."""
        return [(i, c.value) for i, c in enumerate(self.chunks) if c.tag == QUANTITY]

    def find(self, *tags: str) -> int:
        """Position of the first chunk with one of the tags; -1: none."""
        return next((i for i, c in enumerate(self.chunks) if c.tag in tags), -1)


def ranges(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "between 15 % and 35 %", "15-35 %" as one chunk of tag "range" (value: (Quantity, Quantity))."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        found = _range(chunks, i)
        if found is None:
            out.append(chunks[i])
            i += 1
        else:
            pair, after = found
            out.append(Chunk("range", chunks[i].start, chunks[after - 1].end, pair))
            i = after
    return out


def _range(chunks: Sequence[Chunk], i: int) -> tuple[tuple[Quantity, Quantity], int] | None:
    j = i + 1 if chunks[i].tag == "between" else i
    if j + 2 >= len(chunks) or chunks[j].tag != QUANTITY or chunks[j + 2].tag != QUANTITY:
        return None
    joint = chunks[j + 1]
    led = i > 0 and chunks[i - 1].tag == "from" and joint.word == "up to"  # "from 15 up to 35 %"
    if (
        i
        and chunks[i - 1].word in ("[", "(")
        and joint.word in (",", ";")
        and j + 3 < len(chunks)
        and chunks[j + 3].word in "])"
    ):
        return (chunks[j].value, chunks[j + 2].value), j + 3
    if not (led or joint.word in ("-", "–", "to", "..", "...", "…") or (joint.tag == "and" and j > i)):
        return None
    low, high = chunks[j].value, chunks[j + 2].value
    if low.dim == COUNT and high.dim != COUNT:
        scale = 0.01 if high.dim in (RATIO, "points") else 1.0
        low = Quantity(low.value * scale, high.dim)
    if low.dim != high.dim or (low.dim == COUNT and j == i and not led):
        return None
    return (low, high), j + 3


def clauses(chunks: Sequence[Chunk]) -> list[Clause]:
    """Clauses in order. A break word opens the next clause; "without" stays in it as its negation."""
    out: list[Clause] = []
    sentence, opener, first = 0, "", True
    condition = ""
    current: list[Chunk] = []
    lead: list[str] = []

    def close(*, heading: bool = False) -> None:
        nonlocal current, first, condition
        if any(c.tag not in ("filler", "punct") for c in current) or (heading and _called(current)):
            out.append(Clause(current, sentence, opener, heading, first, condition, lead=tuple(lead)))
            first = False
        current, condition = [], ""

    for i, chunk in enumerate(chunks):
        word = "" if chunk.tag == NAME else chunk.word
        if chunk.tag != "punct" and len(lead) < MAX_LEAD:
            lead.append(chunk.word)
        if word == "." and current and i + 1 < len(chunks) and _shortened(current, chunks[i + 1]):
            continue
        if chunk.tag == "punct" and word in _SENTENCE:
            close()
            for clause in out:
                clause.ends = word if clause.sentence == sentence and word != ";" else clause.ends
            sentence, opener, first = sentence + 1, word, True
            lead = []
        elif chunk.tag == "punct" and word == ":":
            named = bool(out) and out[-1].sentence == sentence and NAME in out[-1].tags
            if named and not any(c.tag not in ("filler", "punct") for c in current):
                out[-1].heading = True  # "cells 4 and 5 (the big ones): ..."
            elif i and chunks[i - 1].word == ")" and len(out) > 1 and _aside_of_heading(out):
                out.pop()  # "Dorms (students keep complaining to me): ..."
                out[-1].heading = True
            elif not current and (placed := _placed([clause for clause in out if clause.sentence == sentence])) is not None:
                placed.heading = True  # "Stadium, Saturday 17:00-23:30 (derby): ..."
            close(heading=True)
            opener = ":"
        elif word in _THEREFORE and not current and out and not first:
            opener = word
        elif word == "also" and current and current[-1].word in _BEFORE_ALSO:
            continue
        elif chunk.tag in _BREAK_TAGS or word in _BREAKS or (chunk.tag == "punct" and word == "-" and _spaced(chunks, i)):
            close()
            opener = "while" if chunk.tag == "while" else "and" if word in ("&", "also", "plus", "+") else word
            if word == "or" and out and not first and _denied(out[-1]) and _compares(chunks[i + 1 : i + 4]):
                opener = "nor"
            conceded = i > 0 and chunks[i - 1].word == "even"
            condition = word if word in ("when", "whenever") and not conceded else ""
        elif chunk.tag == "with" and _anew(current, chunks[i + 1 : i + 8]):
            close()
            opener = "with"
        elif word in ("without", "nor"):
            close()
            opener, current = word, [chunk]
        else:
            current.append(chunk)
    close()
    out = [part for clause in out for part in _juxtaposed(clause)]
    return out


def _aside_of_heading(out: Sequence[Clause]) -> bool:
    """Whether the last clause says nothing in brackets behind a name alone."""
    before, aside = out[-2:]
    told = {NAME, QUANTITY, "range", "window"} & aside.tags
    return aside.opener == "(" and not told and before.sentence == aside.sentence and NAME in before.tags


def _placed(before: Sequence[Clause]) -> Clause | None:
    """The place at the head of what stands before a colon, where that is a place, times and an event."""
    plain = all(clause.tags <= {NAME, "window", "event", "filler", "punct", "in", "at", "on", "unknown"} for clause in before)
    first = before[0] if len(before) > 1 and plain and before[0].tags <= {NAME, "filler", "in", "at"} else None
    return first if first is not None and len(first.zones) == 1 and not first.slices else None


def _called(current: Sequence[Chunk]) -> bool:
    """ "Drones: ...", "the nurses: ...": a heading of one word that things are named after."""
    said = [c for c in current if c.tag != "punct" and c.word not in ("the", "our")]
    return len(said) == 1 and said[0].word in lexicon.naming() and said[0].word.endswith("s")


def _shortened(current: Sequence[Chunk], after: Chunk) -> bool:
    """Whether a full stop is of the word before it: "max. 5 %", "max. risk 2 %"; not "5 % max. Silver ..."."""
    word = current[-1].word
    told = len(current) > 1 and current[-2].tag in (QUANTITY, "prb", "share")
    if word in _BEFORE_KPI and not told:
        return after.tag == QUANTITY or after.tag in _KPI_OR_SIDE | {"risk", "confidence", "share", "change", "perstep"}
    return word in _SHORTENED and after.tag == QUANTITY


def _anew(current: Sequence[Chunk], after: Sequence[Chunk]) -> bool:
    """ "save 10 % with URLLC over FWA", "... with all SLAs kept": behind a figure, "with" opens another statement."""
    if not any(c.tag in (QUANTITY, "range", "save") for c in current):
        return False
    if any(c.tag in (QUANTITY, "range") for c in current) and _bounded_kpi(after):
        return True
    told = [c for c in after if c.tag not in ("filler", "all", "slicenoun")][:2]
    ordered = (
        len(told) > 1 and told[0].tag == NAME and told[1].tag in ("over", "before", "win", "first", "prio", "moreimportant")
    )
    bound = [c for c in after if c.tag in _BESIDE_RATE]
    begun = bool(told) and told[0].tag in _BESIDE_RATE | {QUANTITY, "atmost", "atleast", "below", "less", "neg", "no"}
    rated = begun and any(c.tag == QUANTITY and c.value.dim in (RATE, DELAY) for c in current)
    return bool(told) and (told[0].tag == "sla" or ordered or (rated and bool(bound)))


_BESIDE_RATE = frozenset({"mean", "delay", "p99", "loss", "throughput", "delivered"})
"""KPIs that stand behind a figure of another: "25 Mbps with a mean delay of 60 ms at most"."""


def _bounded_kpi(after: Sequence[Chunk]) -> bool:
    """ "at least 25 Mbps with a mean delay of 60 ms at most": a KPI with a figure of its own."""
    ends = next((i for i, c in enumerate(after) if c.tag == "punct"), len(after))
    told = after[:ends]
    kpi = any(c.tag in ("delay", "p99", "percentile", "loss", "throughput", "util", "delivered") for c in told)
    return kpi and any(c.tag == QUANTITY for c in told) and not any(c.tag in ("risk", "confidence") for c in told)


def _denied(clause: Clause) -> bool:
    return "neg" in clause.tags or clause.opener == "nor"


def _compares(chunks: Sequence[Chunk]) -> bool:
    """ "... or more than", "... or exceed": goes on with what is not to be."""
    told = [c for c in chunks if c.tag not in ("filler", "hold", "reserve", "allow", "reduce", "raise")]
    return bool(told) and told[0].tag in ("more", "less", "above", "below", "over")


def _juxtaposed(clause: Clause) -> list[Clause]:
    """ "TN-4 util<=80% enterprise loss<=1%": a name with a comparator of its own right after a figure opens the next clause.

    Whose place it is that stands between two figures is not said: such a clause is marked by a chunk of tag "doubtful".
    """
    chunks = clause.chunks
    figures = [i for i, c in enumerate(chunks) if c.tag in (QUANTITY, "range")]
    for a, b in itertools.pairwise(figures):
        between = chunks[a + 1 : b]
        if not between or between[0].tag != NAME or not _KPI_OR_SIDE & {c.tag for c in between}:
            continue
        first, second = _kinds(chunks[:a]), _kinds(between)
        if SLICE not in first and LINK not in first:
            continue
        if SLICE in second or LINK in second:
            doubt = between[0].value[0].kind in (ZONE, CELL) and LINK not in first
            rest = chunks[a + 1 :]
            if doubt:
                rest = [Chunk("doubtful", rest[0].start, rest[0].start), *rest]
            head = replace(clause, chunks=chunks[: a + 1])
            return [head, *_juxtaposed(replace(clause, chunks=rest, opener=",", heading=clause.heading, first=False))]
    return [clause]


def _kinds(chunks: Sequence[Chunk]) -> set[str]:
    return {n.kind for c in chunks if c.tag == NAME for n in c.value}


def _spaced(chunks: Sequence[Chunk], i: int) -> bool:
    return 0 < i < len(chunks) - 1 and chunks[i - 1].end == chunks[i].start


def sentences(found: Sequence[Clause]) -> Iterator[list[Clause]]:
    """Clauses by sentence."""
    group: list[Clause] = []
    for clause in found:
        if group and clause.sentence != group[0].sentence:
            yield group
            group = []
        group.append(clause)
    if group:
        yield group


_KPI_OR_SIDE = frozenset(
    {
        "below",
        "above",
        "atmost",
        "atleast",
        "delay",
        "loss",
        "throughput",
        "util",
        "p99",
        "mean",
        "less",
        "more",
        "cap",
        "reserve",
    }
)
