"""Where a clause holds: its own names, what "there" or a heading stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twm.gateway.intents import lexicon
from twm.gateway.intents.chunks import UNKNOWN, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.drafts import Where
from twm.gateway.intents.names import LINK

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

TOTAL = frozenset(
    {"total", "overall", "aggregate", "combined", "altogether", "everybody", "everyone", "nobody", "anybody", "nothing"}
)
_PLAIN_TEXT = """
a an the is are be been being as has have had to do does did will would can could may might it its please pls kindly we want
need like you your our us make sure that so there here have target value goal objective aim limit bound required requested
acceptable accept accepted tolerate tolerated allow allowed time times level figure now also just always too get end
has to have to such all in total for the moment as well ensure see
"""
_PLAIN_WORDS = frozenset(_PLAIN_TEXT.split())
"""Words without a subject in them: beside these alone nobody else is meant."""


def where_of(reader: Reader, clause: Clause, *, ellipsis: bool = True) -> Where:
    """Scope of a clause: its own names, else what "there", "it" or a heading stands for."""
    context, heading = reader.context, reader.context.heading
    tags = clause.tags
    zone = clause.zones[0] if clause.zones else ""
    cells, links = clause.cells, clause.links
    there = "there" in tags or _in_it(clause)
    if there and not (zone or cells or links) and (context.cells or context.links):
        cells, links = list(context.cells), list(context.links)
    elif not (zone or cells or links) and (
        there
        or (heading is not None and "there" in heading.tags and not heading.zones)
        or ("pronoun" in tags and "zonenoun" in tags)
    ):
        zone = context.zone
    found = Where(clause.slices, zone, cells, links)
    if heading is not None:
        found.slices = found.slices or heading.slices
        if not found.zone and not found.cells and not found.links:
            found.zone = heading.zones[0] if heading.zones else ""
            found.cells, found.links = heading.cells, heading.links
    found.all_slices = _all(clause.chunks, "slicenoun")
    if not found.slices and not found.all_slices and ellipsis:
        found.slices = list(context.slices) or _spoken_of(reader, clause)
    if "pronoun" in tags and not (found.cells or found.links or found.zone):
        if any(c.tag == "cellnoun" for c in clause.chunks):
            found.cells = list(context.where.cells)
            found.zone = "" if found.cells else context.where.zone
        elif any(c.tag == "linknoun" for c in clause.chunks):
            found.links = list(context.where.links)
    if _all(clause.chunks, "linknoun") or (
        "transport" in tags and not found.links and "linknoun" in tags and _plural_links(clause.chunks)
    ):
        found.links = list(reader.names.ids[LINK])
    if found.zone and found.cells and set(found.cells) <= set(reader.names.cells_of[found.zone]):
        found.zone = ""  # "The airstrip tower wants ... on strip-1"
    return found


def _spoken_of(reader: Reader, clause: Clause) -> list[str]:
    """ "Why is URLLC so slow? Keep it below 9 ms": the one slice of a sentence that states nothing."""
    context = reader.context
    told = len(context.mentioned) == 1 and not (context.links or context.cells or clause.links)
    meant = told and any(c.word in ("it", "its", "they", "them", "their") for c in clause.chunks)
    return list(context.mentioned) if meant else []


def _in_it(clause: Clause) -> bool:
    """ "... at most 20 ms in it", "40 % of the radio on them": the place that was spoken of."""
    chunks = clause.chunks
    for i, chunk in enumerate(chunks):
        behind = (
            i > 0
            and chunk.word in ("it", "them")
            and (chunks[i - 1].tag in ("in", "at", "on", "over") or chunks[i - 1].word in ("via", "through", "across"))
        )
        if behind and (i + 1 == len(chunks) or chunks[i + 1].tag in ("window", "punct", "until", "quantity")):
            return True
    return False


_BEING_WORDS = "is are be will must should shall has have may can was were might would could"
_BEING = frozenset(_BEING_WORDS.split())
_AFTER_THERE = frozenset({"window", "punct", "quantity", "atmost", "atleast"})


def nowhere(clause: Clause, where: Where) -> bool:
    """Whether "there" stands for a place that nobody named: "give eMBB 20 % of the radio there"."""
    if where.zone or where.cells or where.links:
        return False
    if _in_it(clause):
        return True
    for i, chunk in enumerate(clause.chunks):
        follows = clause.chunks[i + 1] if i + 1 < len(clause.chunks) else None
        ends = follows is None or follows.tag in ("window", "punct")
        if chunk.word == "it" and i and clause.chunks[i - 1].tag in ("in", "at") and ends:
            return True  # "in it"
        if chunk.tag == "there" and i and (follows is None or follows.tag in _AFTER_THERE):
            return not set(clause.chunks[i - 1].word.split()) & _BEING
    return False


def of_all_slices(reader: Reader, clause: Clause, where: Where) -> bool:
    """Whether a bound without a slice is of all of them: "total throughput", "loss in the hospital below 2 %"."""
    if not (where.zone or where.cells) or "slicenoun" in clause.tags or _headed_by_somebody(reader.context.heading):
        return False
    words = {w for c in clause.chunks for w in c.word.split()}
    if words & TOTAL:
        return True
    told = [c for c in clause.chunks if c.tag not in ("window", "punct", "risk", "confidence")]
    strange = [
        c
        for c in told
        if c.tag in (UNKNOWN, "place", "slicetype", "doubtful") or (c.tag == "filler" and not plain_word(c.word))
    ]
    named = clause.tags & {"delay", "p99", "mean", "loss", "lose", "throughput", "delivered", "packet"}
    return bool(named) and not strange and "pronoun" not in clause.tags


def _headed_by_somebody(heading: Clause | None) -> bool:
    """ "Drones: loss under 1 % in the pit": a heading that may name a slice the network does not have."""
    return heading is not None and not heading.slices and any(c.word in lexicon.naming() for c in heading.chunks)


def plain_word(word: str) -> bool:
    return all(part in _PLAIN_WORDS for part in word.split())


def zones_of(reader: Reader, clause: Clause, where: Where) -> list[Where]:
    """One scope for each zone."""
    zones = clause.zones
    if not zones and not clause.cells and not clause.links and reader.context.heading is not None:
        zones = reader.context.heading.zones
    return [where.copy(zone) for zone in zones] if len(zones) > 1 else [where]


def _all(chunks: Sequence[Chunk], noun: str) -> bool:
    """ "all slices", "every link", "none of the links", "each of the slices"."""
    for i, chunk in enumerate(chunks):
        if chunk.tag == noun:
            before = [c for c in chunks[max(i - 4, 0) : i] if c.tag not in ("filler", "of")]
            if (
                before
                and (before[-1].tag == "all" or before[-1].word in ("none", "no", "both", "transport") or _not_one(before))
                and (noun != "linknoun" or chunk.word.startswith("link"))
            ):
                return True
            if noun == "linknoun" and before and before[-1].word == "transport":
                return True
    return False


def _not_one(before: Sequence[Chunk]) -> bool:
    """ "not one slice", "not a single cell"."""
    return len(before) > 1 and before[-2].tag == "neg" and before[-1].word in ("one", "single")


def _plural_links(chunks: Sequence[Chunk]) -> bool:
    return any(c.tag == "linknoun" and c.word == "links" for c in chunks)
