"""Chunks to sentences and clauses, and what stands in a clause: names, quantities with their comparators, risk, windows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE
from twm.gateway.intents.times import Part
from twm.gateway.intents.units import COUNT, FRACTION, RATIO, Quantity

_SHARES = frozenset({"share", "prb"})
_SENTENCE = frozenset(".;!?")
_BREAKS = frozenset({",", "(", ")", "--", "—", "–", "so", "because", "except", "•", "/", "|", "..", "...", "…"})
_BREAK_TAGS = frozenset({"and", "but", "then", "provided", "while", "as_well", "or"})
_SHORTENED = frozenset({"min", "max", "approx", "ca", "circa", "no", "nr", "avg", "est"})
"""Words whose full stop before a figure ends no sentence."""
MAX_LEAD = 6
AT_MOST, AT_LEAST, EXACT = "at_most", "at_least", "exact"


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


@dataclass(frozen=True, slots=True)
class Bound:
    """A quantity that bounds something."""

    quantity: Quantity
    side: str
    """AT_MOST, AT_LEAST, EXACT, or "" where nothing says."""
    position: int
    said: bool = True
    """The side stands beside the quantity; otherwise it follows from the verb."""
    permitted: bool = False
    """It was said that the figure may be passed: no bound at all."""


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
    if (
        i
        and chunks[i - 1].word in ("[", "(")
        and joint.word in (",", ";")
        and j + 3 < len(chunks)
        and chunks[j + 3].word in "])"
    ):
        return (chunks[j].value, chunks[j + 2].value), j + 3
    if not (joint.word in ("-", "–", "to") or (joint.tag == "and" and j > i)):
        return None
    low, high = chunks[j].value, chunks[j + 2].value
    if low.dim == COUNT and high.dim != COUNT:
        scale = 0.01 if high.dim in (RATIO, "points") else 1.0
        low = Quantity(low.value * scale, high.dim)
    if low.dim != high.dim or (low.dim == COUNT and j == i):
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
        if any(c.tag not in ("filler", "punct") for c in current):
            out.append(Clause(current, sentence, opener, heading, first, condition, lead=tuple(lead)))
            first = False
        current, condition = [], ""

    for i, chunk in enumerate(chunks):
        word = "" if chunk.tag == NAME else chunk.word
        if chunk.tag != "punct" and len(lead) < MAX_LEAD:
            lead.append(chunk.word)
        if word == "." and current and current[-1].word in _SHORTENED and i + 1 < len(chunks) and chunks[i + 1].tag == QUANTITY:
            continue
        if chunk.tag == "punct" and word in _SENTENCE:
            close()
            for clause in out:
                clause.ends = word if clause.sentence == sentence and word != ";" else clause.ends
            sentence, opener, first = sentence + 1, word, True
            lead = []
        elif chunk.tag == "punct" and word == ":":
            close(heading=True)
            opener = ":"
        elif chunk.tag in _BREAK_TAGS or word in _BREAKS or (chunk.tag == "punct" and word == "-" and _spaced(chunks, i)):
            close()
            opener = "while" if chunk.tag == "while" else "and" if word == "&" else word
            conceded = i > 0 and chunks[i - 1].word == "even"
            condition = word if word in ("when", "whenever") and not conceded else ""
        elif word in ("without", "nor"):
            close()
            opener, current = word, [chunk]
        else:
            current.append(chunk)
    close()
    out = [part for clause in out for part in _juxtaposed(clause)]
    for i, clause in enumerate(out):
        if clause.tags & _SHARES or (i and out[i - 1].heading and out[i - 1].tags & _SHARES):
            _as_ratios(clause)
    return out


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


def _as_ratios(clause: Clause) -> None:
    """ "a PRB share of 0.2": below one and beside a share, a plain number is a ratio."""
    for chunk in clause.chunks:
        if chunk.tag == QUANTITY:
            chunk.value = _as_ratio(chunk.value)
        elif chunk.tag == "range":
            chunk.value = (_as_ratio(chunk.value[0]), _as_ratio(chunk.value[1]))


def _as_ratio(quantity: Quantity) -> Quantity:
    plain = quantity.dim == COUNT and 0 < quantity.value < 1 and not quantity.signed
    return Quantity(quantity.value, RATIO) if plain else quantity


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
_DIRECT = {"atleast": AT_LEAST, "atmost": AT_MOST}
_ABOVE, _BELOW = frozenset({"above", "over", "more"}), frozenset({"below", "less"})
_GIVING = frozenset({"reserve"})


def bound_of(clause: Clause, position: int, taken: set[int]) -> Bound:
    """The quantity at `position` with its side: the nearest comparator before it, else one after, else the verb."""
    chunks = clause.chunks
    quantity: Quantity = chunks[position].value
    negated = permitted = False
    side, said = "", True
    i = position - 1
    while i >= 0 and not (chunks[i].tag in (QUANTITY, "range") and i not in taken):
        tag = chunks[i].tag
        if i in taken:
            i -= 1
            continue
        if tag in _DIRECT:
            side = _DIRECT[tag]
            break
        if tag in _ABOVE or tag in _BELOW:
            if tag in ("more", "less", "over") and not _near(chunks, i, position):
                i -= 1
                continue
            negated = any(c.tag == "neg" for c in chunks[:i]) or clause.opener in ("nor", "without")
            up = tag in _ABOVE
            permitted = not negated and any(c.tag == "allow" or c.word in ("can", "could", "might") for c in chunks[:i])
            side = (AT_MOST if negated else AT_LEAST) if up else (AT_LEAST if negated else AT_MOST)
            break
        i -= 1
    if not side:
        side = _after(chunks, position)
    if not side:
        tags = {c.tag for c in chunks[:position]}
        before = [c.tag for c in chunks[:position]]
        said = False
        if "pin" in tags:
            side = EXACT
        elif ("allow" in tags and "neg" not in tags) or (
            "cap" in tags
            or any(c.tag == "cap" for c in chunks[position + 1 : position + 3])
            or ("neg" in tags and ("reserve" in tags or "break" in tags or "lose" in tags))
        ):
            side = AT_MOST
        elif "reserve" in tags and not ("hold" in before and before.index("hold") < position and "reserve" not in before):
            side = AT_LEAST
    return Bound(quantity, side, position, said, permitted)


def _near(chunks: Sequence[Chunk], i: int, position: int) -> bool:
    return all(
        c.tag in ("than", "filler", "about", "neg", "of", "at", "punct") or c.word in ("the",) for c in chunks[i + 1 : position]
    )


def _after(chunks: Sequence[Chunk], position: int) -> str:
    for k in range(position + 1, len(chunks)):
        tag = chunks[k].tag
        if tag in _DIRECT:
            nxt = chunks[k + 1] if k + 1 < len(chunks) else None
            if nxt is not None and nxt.tag == QUANTITY:
                return ""
            return _DIRECT[tag]
        if tag in (QUANTITY, "range"):
            return ""
        if chunks[k].word in ("ceiling", "cap"):
            return AT_MOST
        if chunks[k].word == "floor":
            return AT_LEAST
    return ""


@dataclass(slots=True)
class Risk:
    """Violation probability that was named, and where."""

    probability: float
    taken: set[int] = field(default_factory=set)


def risk_of(clause: Clause) -> Risk | None:
    """ "with 95 % confidence", "risk of no more than 5 %", "98 % certain"."""
    chunks = clause.chunks
    marks = [i for i, c in enumerate(chunks) if c.tag in ("risk", "confidence")]
    if not marks:
        return None
    figures = [
        i
        for i, q in clause.quantities()
        if q.dim in (RATIO, FRACTION) or (q.dim == COUNT and 0 < q.value < 1) or (q.dim == COUNT and _beside(i, marks))
    ]
    if not figures:
        return None
    chosen, mark = -1, marks[0]
    for m in marks:
        right = [i for i in figures if 0 < m - i <= 3 and not _blocked(chunks, i, m)]
        left = [i for i in figures if i > m and not any(c.tag == QUANTITY for c in chunks[m + 1 : i])]
        if right:
            chosen, mark = right[-1], m
            break
        if left:
            chosen, mark = left[0], m
            break
    if chosen < 0:
        if len(figures) != 1:
            return None
        chosen = figures[0]
    quantity: Quantity = chunks[chosen].value
    value = quantity.value / 100 if quantity.dim == COUNT and quantity.value >= 1 else quantity.value
    sure = chunks[mark].tag == "confidence" or (chunks[mark].word != "risk" and value > 0.5)
    probability = 1 - value if sure else value
    taken = {chosen, *marks}
    for i in (*range(max(chosen - 2, 0), chosen), *range(chosen + 1, min(chosen + 2, len(chunks)))):
        if chunks[i].tag in ("atmost", "atleast", "below", "less", "than", "neg", "above", "more"):
            taken.add(i)
    return Risk(round(probability, 9), taken)


def _beside(i: int, marks: Sequence[int]) -> bool:
    return any(abs(m - i) == 1 for m in marks)


def _blocked(chunks: Sequence[Chunk], i: int, m: int) -> bool:
    return any(c.tag in (QUANTITY, NAME) for c in chunks[i + 1 : m])
