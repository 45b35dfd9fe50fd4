"""Where a clause holds: its own names, what "there" or a heading stands for, and places the network does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twm.gateway.intents.chunks import UNKNOWN, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.drafts import Where
from twm.gateway.intents.names import LINK, SLICE, ZONE
from twm.gateway.intents.notices import unknown

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

_NEARBY = frozenset({"around", "near", "nearby", "across", "along", "through", "inside", "outside", "over", "to"})


def where_of(reader: Reader, clause: Clause, *, ellipsis: bool = True) -> Where:
    """Scope of a clause: its own names, else what "there", "it" or a heading stands for."""
    context, heading = reader.context, reader.context.heading
    tags = clause.tags
    zone = clause.zones[0] if clause.zones else ""
    if not zone and ("there" in tags or ("pronoun" in tags and "zonenoun" in tags)):
        zone = context.zone
    found = Where(clause.slices, zone, clause.cells, clause.links)
    if heading is not None:
        found.slices = found.slices or heading.slices
        if not found.zone and not found.cells and not found.links:
            found.zone = heading.zones[0] if heading.zones else ""
            found.cells, found.links = heading.cells, heading.links
    found.all_slices = _all(clause.chunks, "slicenoun")
    if not found.slices and not found.all_slices and ellipsis:
        found.slices = list(context.slices)
    if _all(clause.chunks, "linknoun") or (
        "transport" in tags and not found.links and "linknoun" in tags and _plural_links(clause.chunks)
    ):
        found.links = list(reader.names.ids[LINK])
    return found


def zones_of(reader: Reader, clause: Clause, where: Where) -> list[Where]:
    """One scope for each zone."""
    zones = clause.zones
    if not zones and not clause.cells and not clause.links and reader.context.heading is not None:
        zones = reader.context.heading.zones
    return [where.copy(zone) for zone in zones] if len(zones) > 1 else [where]


def places(reader: Reader, clause: Clause, core: str) -> None:
    """Slices, zones and places that are named but not in the network."""
    chunks = clause.chunks
    for i, chunk in enumerate(chunks):
        if (
            chunk.tag == "slicetype"
            or (chunk.tag == UNKNOWN and i + 1 < len(chunks) and chunks[i + 1].tag == "slicenoun")
            or (
                chunk.tag == UNKNOWN
                and core == "rank"
                and (i == 0 or chunks[i - 1].tag in ("prio", "over", "before"))
                and len(clause.slices) < 2
            )
        ):
            unknown(reader, SLICE, chunk.word)
        elif chunk.tag in ("place", UNKNOWN, "filler"):
            placed = _placed(chunks, i)
            ending = reader.names.ending(chunk.word) if placed else None
            if ending is not None:
                chunks[i] = Chunk("name", chunk.start, chunk.end, (ending,), chunk.word)
            elif chunk.tag == "place" and (placed or core in ("surge", "surge_open")) and not clause.zones:
                unknown(reader, ZONE, chunk.word)
            elif chunk.tag == UNKNOWN and placed and not clause.zones and core not in ("save", "sla"):
                follows = chunks[i + 1].tag if i + 1 < len(chunks) else ""
                if follows not in ("name", "unknown", "share", "demand"):
                    unknown(reader, ZONE, chunk.word)


def _placed(chunks: Sequence[Chunk], i: int) -> bool:
    """Whether it stands as a place: "in the", "at", "near the"."""
    j = i - 1
    while (
        j >= 0
        and i - j <= 3
        and (chunks[j].word in ("the", "our", "a", "this", "old", "new", "zone", "area", "big") or chunks[j].tag == UNKNOWN)
    ):
        j -= 1
    return j >= 0 and (
        chunks[j].tag in ("in", "at")
        or (chunks[j].tag == "on" and j < i - 1)
        or chunks[j].word in _NEARBY - {"to", "over", "through"}
    )


def _all(chunks: Sequence[Chunk], noun: str) -> bool:
    """ "all slices", "every link", "none of the links", "each of the slices"."""
    for i, chunk in enumerate(chunks):
        if chunk.tag == noun:
            before = [c for c in chunks[max(i - 4, 0) : i] if c.tag not in ("filler", "of")]
            if (
                before
                and (before[-1].tag == "all" or before[-1].word in ("none", "no", "both", "transport"))
                and (noun != "linknoun" or chunk.word.startswith("link"))
            ):
                return True
            if noun == "linknoun" and before and before[-1].word == "transport":
                return True
    return False


def _plural_links(chunks: Sequence[Chunk]) -> bool:
    return any(c.tag == "linknoun" and c.word == "links" for c in chunks)
