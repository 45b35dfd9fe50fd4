"""Where a clause holds: its own names, what "there" or a heading stands for, and places the network does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twm.gateway.intents import lexicon
from twm.gateway.intents.chunks import UNKNOWN, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.drafts import Where
from twm.gateway.intents.names import LINK, SLICE, ZONE
from twm.gateway.intents.notices import unknown

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

_TOTAL = frozenset({"total", "overall", "aggregate", "combined", "altogether", "everybody", "everyone", "nobody", "anybody"})
_PLAIN_TEXT = """
a an the is are be been being as has have had to do does did will would can could may might it its please pls kindly we want
need like you your our us make sure that so there here have target value goal objective aim limit bound required requested
acceptable accept accepted tolerate tolerated allow allowed time times level figure now also just always too get end
has to have to such all in total for the moment as well ensure see
"""
_PLAIN_WORDS = frozenset(_PLAIN_TEXT.split())
"""Words without a subject in them: beside these alone nobody else is meant."""
_NEARBY = frozenset({"around", "near", "nearby", "across", "along", "through", "inside", "outside", "over", "to"})


def where_of(reader: Reader, clause: Clause, *, ellipsis: bool = True) -> Where:
    """Scope of a clause: its own names, else what "there", "it" or a heading stands for."""
    context, heading = reader.context, reader.context.heading
    tags = clause.tags
    zone = clause.zones[0] if clause.zones else ""
    cells, links = clause.cells, clause.links
    if "there" in tags and not (zone or cells or links) and (context.cells or context.links):
        cells, links = list(context.cells), list(context.links)
    elif not zone and ("there" in tags or ("pronoun" in tags and "zonenoun" in tags)):
        zone = context.zone
    found = Where(clause.slices, zone, cells, links)
    if heading is not None:
        found.slices = found.slices or heading.slices
        if not found.zone and not found.cells and not found.links:
            found.zone = heading.zones[0] if heading.zones else ""
            found.cells, found.links = heading.cells, heading.links
    found.all_slices = _all(clause.chunks, "slicenoun")
    if not found.slices and not found.all_slices and ellipsis:
        found.slices = list(context.slices)
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
    return found


def of_all_slices(reader: Reader, clause: Clause, where: Where) -> bool:
    """Whether a bound without a slice is of all of them: "total throughput", "loss in the hospital below 2 %"."""
    if not (where.zone or where.cells) or "slicenoun" in clause.tags:
        return False
    words = {w for c in clause.chunks for w in c.word.split()}
    if words & _TOTAL:
        return True
    told = [c for c in clause.chunks if c.tag not in ("window", "punct", "risk", "confidence")]
    strange = [
        c
        for c in told
        if c.tag in (UNKNOWN, "place", "slicetype", "doubtful") or (c.tag == "filler" and not plain_word(c.word))
    ]
    named = clause.tags & {"delay", "p99", "mean", "loss", "lose", "throughput", "delivered", "packet"}
    return bool(named) and not strange and "pronoun" not in clause.tags


def strange_words(clause: Clause) -> bool:
    """Whether somebody may be named whom the network does not know."""
    return any(
        c.tag in (UNKNOWN, "place", "slicetype") or (c.tag == "filler" and not plain_word(c.word)) for c in clause.chunks
    )


def plain_word(word: str) -> bool:
    return all(part in _PLAIN_WORDS for part in word.split())


def zones_of(reader: Reader, clause: Clause, where: Where) -> list[Where]:
    """One scope for each zone."""
    zones = clause.zones
    if not zones and not clause.cells and not clause.links and reader.context.heading is not None:
        zones = reader.context.heading.zones
    return [where.copy(zone) for zone in zones] if len(zones) > 1 else [where]


def places(reader: Reader, clause: Clause, core: str) -> None:
    """Slices, zones and places that are named but not in the network."""
    chunks = clause.chunks
    strange = _strange_subject(clause, core)
    if strange:
        unknown(reader, SLICE, strange)
    stranger = _strange_zone(clause)
    if stranger:
        unknown(reader, ZONE, stranger)
    for i, chunk in enumerate(chunks):
        if (
            chunk.tag == "slicetype"
            or (chunk.tag == UNKNOWN and i + 1 < len(chunks) and chunks[i + 1].tag == "slicenoun")
            or (chunk.tag == UNKNOWN and i and chunks[i - 1].word == "slice" and not _named_before(chunks, i - 1))
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


def _named_before(chunks: Sequence[Chunk], i: int) -> bool:
    """ "the urllc slice always": the noun has its name before it."""
    return i > 0 and chunks[i - 1].tag == "name"


def _strange_subject(clause: Clause, core: str) -> str:
    """The word before the verb or the figure where nothing else says whom a bound is for: "trucks below 25 ms"."""
    if core not in ("kpi", "share", "figure") or clause.slices or clause.cells or clause.links:
        return ""
    words = [c for c in clause.chunks if c.tag not in ("filler", "punct")]
    if len(words) < 2 or words[0].tag != UNKNOWN or len(words[0].word) < 3:
        return ""
    return words[0].word if words[1].tag in ("below", "above", "atmost", "atleast", "hold", "quantity", "less", "neg") else ""


def stray_partner(reader: Reader, clause: Clause, sentence: Sequence[Clause]) -> bool:
    """ "keep guests and URLLC below 4 %" where no slice is called guests: whether that was asked."""
    following = next((c for i, c in enumerate(sentence) if i and sentence[i - 1] is clause), None)
    if following is None or following.opener not in ("and", "or") or clause.names(SLICE) or not following.slices:
        return False
    last = clause.chunks[-1]
    first = next((c for c in following.chunks if c.tag not in ("filler", "neg", "all")), None)
    plain = all(c.tag in ("filler", "hold", "neg", "all", "reserve", "cap", "allow") for c in clause.chunks[:-1])
    named = last.tag == UNKNOWN or last.word in lexicon.naming()
    if not (plain and named and first is not None and first.tag == "name"):
        return False
    unknown(reader, SLICE, last.word)
    return True


_STRUCTURAL = ("expect", "target", "intent", "object", "property", "scope", "constrain")
"""What words of structured intents hold (TMF921): headings, no places."""


def strange_heading(reader: Reader, clause: Clause) -> None:
    """Ask where a heading is a zone that the network does not have: "public transport zone:", "library:"."""
    said = [c for c in clause.chunks if c.tag not in ("filler", "punct", "in", "at", "on")]
    alone = said[0].word if len(said) == 1 and said[0].tag == UNKNOWN and len(said[0].word) > 3 else ""
    if any(part in alone for part in _STRUCTURAL):
        alone = ""
    stranger = _strange_zone(clause) or alone
    if stranger:
        unknown(reader, ZONE, stranger)


def _strange_zone(clause: Clause) -> str:
    """ "public transport zone": what stands before the noun is no zone of the network."""
    chunks = clause.chunks
    called = _called(chunks)
    if called:
        return called
    for i, chunk in enumerate(chunks):
        if chunk.tag != "zonenoun" or chunk.word.endswith("s") or i == 0 or clause.zones:
            continue
        before, after = chunks[i - 1], chunks[i + 1] if i + 1 < len(chunks) else None
        named = before.tag in (UNKNOWN, "transport", "place", "urgent", "event")
        if named and (after is None or after.tag not in ("name", "fuzzy", "unknown_name")):
            return before.word
    return ""


def strange_zone(reader: Reader, clause: Clause) -> bool:
    """ "in zone ski-lift": a place before anything is said of it that the network does not have; whether it was asked about."""
    called = _called(clause.chunks)
    if called:
        unknown(reader, ZONE, called)
    return bool(called)


def _called(chunks: Sequence[Chunk]) -> str:
    """ "in zone ski-lift": what follows the noun is no zone of the network."""
    for i, chunk in enumerate(chunks[:-1]):
        if chunk.word == "zone" and (i == 0 or chunks[i - 1].tag in ("in", "at", "for", "of")):
            word, tag = chunks[i + 1].word, chunks[i + 1].tag
            alone = i + 2 == len(chunks) or (len(word) > 3 and word in lexicon.naming_parts())
            if tag in (UNKNOWN, "place") or (tag == "filler" and alone):
                return word
    return ""


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
