"""What "it", "its" and "them" stand for where a link or a cell was spoken of: "L1 is running hot. Keep it below 75 %."."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import GONE, dims, figures
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE, Name
from twm.gateway.intents.units import COUNT, FRACTION, RATE, RATIO

_SINGULAR = frozenset({"it", "its", "it's", "it'll"})
_PLURAL = frozenset({"them", "they", "their", "both", "they're", "they'll"})
_OWNED = frozenset({"bandwidth", "prb", "util", "resource"})
"""What a link or a cell has: "60 % of its bandwidth"."""
_WORK = frozenset({"maint", "down", "fail", "lose", "degrade", "capacity"})
_TAKING = frozenset(
    {"treat", "count", "consider", "assume", "regard", "take", "plan", "mark", "log", "deem", "presume", "book"}
)
"""Verbs of orders to take a link for one that is down."""
_IS = frozenset({"is", "are", "was", "were", "will be", "goes", "be"})
_OF_SLICES = frozenset({"delay", "p99", "percentile", "mean", "median", "loss", "delivered", "throughput", "share", "reserve"})


_BOTH_NOUNS = {"cellnoun": CELL, "linknoun": LINK}


def both(clause: Clause, named: list[Name], ask: Callable[[str, str, str], None]) -> Clause:
    """ "Both cells: ...", "the two links": those of `named`, to which the names of the clause are added."""
    chunks = clause.chunks
    for i, chunk in enumerate(chunks[:-1]):
        noun = chunks[i + 1]
        if not _two(chunks, i) or noun.tag not in _BOTH_NOUNS or not noun.word.endswith("s"):
            continue
        if clause.zones or clause.cells or clause.links:
            break
        meant = tuple(dict.fromkeys(n for n in named if n.kind == _BOTH_NOUNS[noun.tag]))
        if len(meant) == 2:
            there = Chunk(NAME, chunk.start, noun.end, meant, "them")
            clause = replace(clause, chunks=[*chunks[:i], there, *chunks[i + 2 :]])
        elif figures(clause) and all(n.kind == SLICE for n in named):
            ask("ambiguous_scope", "constraints.scope", f"Which {noun.word} are meant by the two?")
        break
    named += [n for c in clause.chunks if c.tag == NAME for n in c.value]
    return clause


def _two(chunks: Sequence[Chunk], i: int) -> bool:
    """ "both", "the two", "these two"."""
    if chunks[i].word == "both":
        return True
    counted = chunks[i].tag == QUANTITY and chunks[i].value.value == 2 and chunks[i].value.dim == COUNT
    return counted and i > 0 and chunks[i - 1].word in ("the", "these", "those", "our")


def referred(sentence: Sequence[Clause], before: tuple[Name, ...], worked: Set[str]) -> tuple[list[Clause], tuple[Name, ...]]:
    """The clauses with such words put as names, and what was spoken of last after them.

    `before`: what was spoken of in the sentences before; `worked`: links whose work was stated already.
    """
    out: list[Clause] = []
    spoken = before
    fresh = not worked & {n.id for n in spoken}
    for clause in sentence:
        put = _put(clause, spoken, fresh=fresh, apart=spoken is before)
        out.append(put)
        named = tuple(n for c in put.chunks if c.tag == NAME for n in c.value)
        if named:
            spoken, fresh = tuple(dict.fromkeys(named)), False
    return out, spoken


def _put(clause: Clause, spoken: Sequence[Name], *, fresh: bool, apart: bool) -> Clause:
    meant = _things(spoken)
    if not meant or clause.links or clause.cells or clause.zones:
        return clause
    at = _taken_for(clause) if meant[0].kind == LINK and apart else -1
    if at >= 0:
        there = Chunk(NAME, clause.chunks[at].start, clause.chunks[at].start, meant, "it")
        return replace(clause, chunks=[*clause.chunks[: at + 1], there, *clause.chunks[at + 1 :]])
    words = _PLURAL | _SINGULAR if len(meant) > 1 else _SINGULAR
    for i, chunk in enumerate(clause.chunks):
        if chunk.tag not in ("pronoun", "filler") or chunk.word not in words:
            continue
        alone = all(n.kind != SLICE for n in spoken)
        again = not fresh and apart and not figures(clause)
        worked = (fresh or again) and meant[0].kind == LINK and _of_work(clause, i)
        if worked or _fits(clause, i, alone=alone):
            there = Chunk(NAME, chunk.start, chunk.end, meant, chunk.word)
            return replace(clause, chunks=[*clause.chunks[:i], there, *clause.chunks[i + 1 :]])
    return clause


def _things(spoken: Sequence[Name]) -> tuple[Name, ...]:
    """The links, or the cells, that were spoken of; nothing where both were."""
    kinds = {n.kind for n in spoken}
    if kinds == {ZONE} and len(spoken) == 1:
        return tuple(spoken)
    if len(kinds - {SLICE, ZONE}) != 1 or not kinds & {LINK, CELL}:
        return ()
    return tuple(n for n in spoken if n.kind in (LINK, CELL))


def _taken_for(clause: Clause) -> int:
    """ "Treat as failed until 18:00", "assume dead": of the link of before, which is not named; where the verb is."""
    at = next((i for i, c in enumerate(clause.chunks) if c.tag not in ("punct", "window", "so", "then")), -1)
    if at < 0 or clause.chunks[at].word not in _TAKING or clause.tags & {NAME, "pronoun", QUANTITY, "demand"}:
        return -1
    after = [c for c in clause.chunks[at + 1 :] if c.word not in ("as", "for", "to", "be", "is", "fully", "completely", "the")]
    return at if after and (after[0].tag in ("down", "fail", "lose", "loss") or after[0].word in GONE) else -1


def _of_work(clause: Clause, i: int) -> bool:
    """ "It is off", "its capacity is halved", "treat it as dead"; not "the crew is working on it"."""
    chunks = clause.chunks
    if clause.slices:
        return False
    if any(c.word == "nothing" for c in chunks[:i]) and not figures(clause) and chunks[i - 1].word in ("on", "over", "through"):
        return True  # "Nothing left on it"
    if clause.opener == "without" and clause.chunks[0].tag == "neg" and i == 1:
        return "window" in clause.tags  # "Plan without it until 05:30"
    after = chunks[i + 1 :]
    gone = (len(after) > 1 and after[0].word in _IS and after[1].word in GONE) or (bool(after) and after[0].word in GONE)
    return gone or any(c.tag in _WORK for c in after)


def _fits(clause: Clause, i: int, *, alone: bool) -> bool:
    """Whether the word at `i` is of a link or a cell with a bound, and not of a slice, the weather or nothing at all."""
    tags, chunks = clause.tags, clause.chunks
    owned = chunks[i].word in ("its", "their") and any(c.tag in _OWNED for c in chunks[i + 1 : i + 4])
    part = chunks[i].word in ("it", "them") and i > 1 and chunks[i - 1].tag == "of" and chunks[i - 2].tag == QUANTITY
    owned = owned or (part and not tags & _OF_SLICES - {"reserve", "share"})
    if clause.slices or (tags & _WORK and "util" not in tags):
        return owned
    kinds = dims(clause, figures(clause))
    got = any(c.tag == "reserve" and c.word in ("get", "gets", "getting") for c in chunks)
    bounded = (
        alone
        and bool(kinds & {RATIO, FRACTION, RATE})
        and not (tags & (_OF_SLICES - ({"reserve"} if got else set()) | {"save", "cost", "demand", "change"}))
    )
    return owned or "util" in tags or bounded
