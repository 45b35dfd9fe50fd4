"""Places, slices and zones that are named but not in the network."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from twm.gateway.intents import lexicon
from twm.gateway.intents.chunks import UNKNOWN, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, core_of
from twm.gateway.intents.names import SLICE, ZONE
from twm.gateway.intents.notices import unknown
from twm.gateway.intents.places import TOTAL, plain_word

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

_NEARBY = frozenset({"around", "near", "nearby", "across", "along", "through", "inside", "outside", "over", "to"})


def strange_words(clause: Clause) -> bool:
    """Whether somebody may be named whom the network does not know."""
    return any(
        c.tag in (UNKNOWN, "place", "slicetype") or (c.tag == "filler" and not plain_word(c.word)) for c in clause.chunks
    )


def strange_place(clause: Clause) -> bool:
    """Whether a word that nobody knows stands as a place: "utilisation of bluebird no higher than 70 %"."""
    chunks = [c for c in clause.chunks if c.word not in _ARTICLES]
    return any(c.tag == UNKNOWN and b.tag in ("of", "on", "in", "at", "for", "hold") for b, c in itertools.pairwise(chunks))


_NO_PLACES = """
impact severity urgency category reason background remark remarks purpose requester subject
future end run request requests interest interests context light case event past course view opinion process wake framework name
spirit absence presence hope same latest earliest minimum maximum moment background sense order way press news media dark open
air rain snow storm cold heat sun control heart addition principle practice brief parallel words return effect total general
particular fact turn detail advance vain person question mind doubt danger trouble hurry rush mood team group company business
industry budget contract agreement letter mail meeting call phone conversation discussion report plan project programme program
risk cost price expense beginning start back front middle top bottom latter former rest opposite meantime interim behalf
accordance line touch need favour favor position lead pace rate level degree extent amount number average worst best least most
review minutes memo decision summary agenda notice resolution appendix annex clause item point paragraph section update status
direction directions ways
reason reasons cause motive grounds owner contact requester requirement requirements target targets request rule rules why what
who when scope comment comments remark remarks ask asks aim aims purpose details detail info information order orders
first second last once all any times time full use operation service work place stake issue hand hands charge
"""
NO_PLACES = frozenset(_NO_PLACES.split())
"""What stands after "in the" or "at the" without being a place."""
_PLACE_WORDS = """
office offices hall halls mall malls school schools clinic hotel hotels shop shops road roads building buildings gate gates ward
wards lake river coast hill hills island avenue quay loop court house houses field fields dam plant plants factory
warehouse theatre theater cinema opera church cathedral museum zoo beach park square depot garage refinery smelter
quarry kiln silo workshop canteen marina lighthouse castle palace monastery prison barracks embassy
library garden gardens terminal pool arcade bazaar lounge springs spa lobby atrium foyer bay cove dunes meadow orchard vineyard
barn stables nursery mill forge foundry bakery brewery distillery winery quayside slipway jetty wharf pier viaduct underpass
concourse grandstand racetrack racecourse velodrome piste chalet campsite fairground funfair kiosk tavern pub cafe bistro diner
yard workshop hangar runway helipad cloister chapel shrine temple mosque synagogue abbey cemetery waterfront promenade
"""
_PLACES = frozenset(_PLACE_WORDS.split())
"""Places among the words without a meaning."""
_PLACED_BY = frozenset(
    {"name", "quantity", "range", "demand", "share", "prb", "window", "packet", "usual", "all", "more", "sla", "bandwidth"}
)


def stray_place(reader: Reader, clause: Clause, sentence: Sequence[Clause]) -> bool:
    """ "In the railway station, ...", "for the taxis slice, ...": a place or a slice that is none, apart from its bound."""
    said = [c for c in clause.chunks if c.tag not in ("punct", "window")]
    if "slicenoun" in clause.tags and not clause.slices:
        asked = len(reader.out.questions)
        for i, chunk in enumerate(clause.chunks):
            if chunk.tag == "slicenoun":
                _strange_slice(reader, clause.chunks, i)
        return len(reader.out.questions) > asked
    if (
        len(said) < 2
        or len(said) > 6
        or clause.zones
        or not (said[0].tag in ("in", "at") or said[0].word in _NEARBY - {"to", "over", "through"})
    ):
        return False
    words = [c for c in said[1:] if not (c.tag == "filler" and c.word in ("the", "our", "a", "this", "old", "new", "big"))]
    if any(c.tag == "all" for c in words):
        return False  # "across the whole region"
    naming = lexicon.naming()
    nouns = [c for c in words if c.tag in (UNKNOWN, "place", "zonenoun") or c.word in naming or c.word in _PLACES]
    article = said[1].word in ("the", "our", "this") or any(c.tag in ("place", "zonenoun") for c in nouns)
    if (
        not nouns
        or nouns[-1] is not words[-1]
        or len(words) > 3
        or not article
        or words[-1].word in NO_PLACES
        or words[0].word in NO_PLACES
    ):
        return False
    if not any(core_of(c) and not (c.zones or c.cells or c.links) for c in sentence):
        return False
    unknown(reader, ZONE, words[-1].word)
    return True


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
        if chunk.tag == "slicenoun" and not clause.slices:
            _strange_slice(reader, chunks, i)
        if (
            chunk.tag == "slicetype"
            or (chunk.tag == UNKNOWN and i + 1 < len(chunks) and chunks[i + 1].tag == "slicenoun" and clause.slices)
            or (chunk.tag == UNKNOWN and clause.slices and _behind_noun(chunks, i))
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
            several = reader.names.ending_of(chunk.word) if placed else []
            if several and not clause.zones:
                chunks[i] = Chunk("name", chunk.start, chunk.end, tuple(several), chunk.word)  # "in both tunnels"
                continue
            owned = placed or _of_cells(chunks, i)
            ending = reader.names.ending(chunk.word) if owned and not _otherwise_called(chunks, i) else None
            if ending is not None:
                chunks[i] = Chunk("name", chunk.start, chunk.end, (ending,), chunk.word)
            elif clause.zones or _whole(reader, chunk.word) or _anywhere(chunks, i):
                continue
            elif (chunk.tag == "place" and (placed or core in ("surge", "surge_open") or _acted_on(clause, core, i))) or (
                chunk.word in _PLACES and placed and _directly(chunks, i)
            ):
                unknown(reader, ZONE, chunk.word)
            elif chunk.tag == UNKNOWN and placed and core not in ("save", "sla") and chunk.word not in NO_PLACES:
                follows = chunks[i + 1].tag if i + 1 < len(chunks) else ""
                if follows not in ("name", "unknown", "share", "demand"):
                    unknown(reader, ZONE, chunk.word)


def _of_cells(chunks: Sequence[Chunk], i: int) -> bool:
    """ "No cell of the market", "utilisation of the rank"."""
    before = [c for c in chunks[max(i - 3, 0) : i] if c.word not in ("the", "our")]
    return len(before) > 1 and before[-1].tag == "of" and before[-2].tag in ("cellnoun", "util")


def _otherwise_called(chunks: Sequence[Chunk], i: int) -> bool:
    """ "The cruise terminal" where there is a container terminal alone: another one."""
    return i > 0 and (chunks[i - 1].tag == UNKNOWN or chunks[i - 1].word in lexicon.naming())


def _acted_on(clause: Clause, core: str, i: int) -> bool:
    """ "Keep the cruise terminal at 200 Mbps", "the station needs ...": a place that an order is about."""
    chunks = clause.chunks
    if core not in ("kpi", "share") or clause.zones or clause.cells or clause.links:
        return False
    j = next((k for k in range(i - 1, max(i - 4, -1), -1) if chunks[k].word in ("the", "our")), -1)
    if j < 0 or any(chunks[k].tag not in ("filler", UNKNOWN, "place") for k in range(j, i)):
        return False
    return j == 0 or chunks[j - 1].tag in ("hold", "reserve", "cap")


def _whole(reader: Reader, word: str) -> bool:
    """ "all over the campus" in a network of that name: no part of it."""
    return word in reader.spec.name.casefold().split("-")


_REGION_WORDS = "city town country county region island area campus district network state"
_REGIONS = frozenset(_REGION_WORDS.split())


def _anywhere(chunks: Sequence[Chunk], i: int) -> bool:
    """ "anywhere in the city": no part of the network, but all of it."""
    before = {w for c in chunks[max(i - 4, 0) : i] for w in c.word.split()}
    return chunks[i].word in _REGIONS and bool(before & {"anywhere", "everywhere", "nowhere", "wherever", "whole", "entire"})


def _behind_noun(chunks: Sequence[Chunk], i: int) -> bool:
    """ "slice iptv", but not "the urllc slice always": there the noun has its name before it."""
    return i > 0 and chunks[i - 1].word == "slice" and not (i > 1 and chunks[i - 2].tag == "name")


_NO_SLICES = frozenset(
    {"customer", "customers", "user", "users", "team", "service", "services", "data", "system", "network", "test"}
)


def _strange_slice(reader: Reader, chunks: Sequence[Chunk], i: int) -> None:
    """ "the taxis slice", "slice iptv": what stands beside the noun is no slice of the network."""
    named = lexicon.naming_parts() - _NO_SLICES
    led = [c for c in chunks[max(i - 2, 0) : i] if c.word not in ("'", "’")]
    before = led[-1] if led else None
    after = chunks[i + 1] if i + 1 < len(chunks) else None
    for beside in (before, after):
        if beside is not None and (beside.tag == UNKNOWN or (beside is before and beside.word in named)):
            unknown(reader, SLICE, beside.word)
            return


def _strange_subject(clause: Clause, core: str) -> str:
    """The word before the verb or the figure where nothing else says whom a bound is for: "trucks below 25 ms"."""
    if core not in ("kpi", "share", "figure") or clause.slices or clause.links or "pronoun" in clause.tags:
        return ""
    named = lexicon.naming() - _NO_SLICES
    chunks = [c for c in clause.chunks if c.tag != "punct" and c.word not in _ARTICLES]
    for chunk, after in itertools.pairwise(chunks):
        noun = (chunk.tag == UNKNOWN and len(chunk.word) > 2) or (chunk.tag == "filler" and chunk.word in named)
        doubtful = chunk.word in TOTAL or (chunk.tag == UNKNOWN and (clause.first or chunk.word.endswith(("ed", "al"))))
        if noun and after.tag in KPI_TAGS and doubtful:
            return ""  # "sustained throughput"
        if noun:
            return chunk.word if after.tag in _PREDICATES else ""
        if chunk.tag not in ("filler", "for", "hold"):
            break
    return ""


_ARTICLES = frozenset({"the", "our", "all", "any", "please", "keep", "pls"})
_PREDICATE_TAGS = """
below above atmost atleast hold quantity less neg reserve delay p99 percentile mean util delivered loss throughput cap
"""
_PREDICATES = frozenset(_PREDICATE_TAGS.split())


def stray_partner(reader: Reader, clause: Clause, sentence: Sequence[Clause]) -> bool:
    """ "keep guests and URLLC below 4 %" where no slice is called guests: whether that was asked."""
    following = next((c for i, c in enumerate(sentence) if i and sentence[i - 1] is clause), None)
    if following is None or following.opener not in ("and", "or") or clause.names(SLICE) or not following.slices:
        return False
    last = clause.chunks[-1]
    first = next((c for c in following.chunks if c.tag not in ("filler", "neg", "all")), None)
    plain = all(
        c.tag in ("hold", "neg", "all", "reserve", "cap", "allow") or (c.tag == "filler" and plain_word(c.word))
        for c in clause.chunks[:-1]
    )
    named = last.tag == UNKNOWN or last.word in lexicon.naming()
    if not (plain and named and first is not None and first.tag == "name"):
        return False
    unknown(reader, SLICE, last.word)
    return True


_STRUCTURAL = ("expect", "target", "intent", "object", "property", "scope", "constrain")
"""What words of structured intents hold (TMF921): headings, no places."""


def strange_heading(reader: Reader, clause: Clause, sentence: Sequence[Clause]) -> None:
    """Ask where a heading is a zone that the network does not have: "public transport zone:", "library:".

    What is told before a colon is none: "Decided: ...", "as agreed in the review: ...", nor is a word with a place after it.
    """
    if clause.opener in ("because", "as", "since"):
        return
    typed = next((c.word for c in clause.chunks if c.tag == "slicetype"), "")
    if typed and not clause.slices and (clause.zones or _heads_bound(clause, sentence)):
        unknown(reader, SLICE, typed)
        return
    said = [c for c in clause.chunks if c.tag not in ("filler", "punct", "in", "at", "on")]
    for i, chunk in enumerate(clause.chunks):
        own = chunk.tag in ("place", UNKNOWN, "filler") and not clause.zones and _placed(clause.chunks, i)
        ending = reader.names.ending(chunk.word) if own and not _otherwise_called(clause.chunks, i) else None
        if ending is not None:
            clause.chunks[i] = Chunk("name", chunk.start, chunk.end, (ending,), chunk.word)
    last = clause.chunks[-1]
    strange = (last.tag in (UNKNOWN, "place") or last.word in _PLACES) and last.word not in NO_PLACES and len(last.word) > 3
    if (
        strange
        and clause.slices
        and not (clause.zones or _whole(reader, last.word))
        and _placed(clause.chunks, len(clause.chunks) - 1)
    ):
        unknown(reader, ZONE, last.word)
        return
    alone = said[0].word if len(said) == 1 and said[0].tag == UNKNOWN and len(said[0].word) > 3 else ""
    if 2 <= len(said) <= 3 and said[0].tag in (UNKNOWN, "filler") and last.word in _PLACES:
        alone = last.word  # "public library: ..."
    placelike = len(said) > 1 and last.word in _PLACES and all(c.tag in (UNKNOWN, "filler", "place") for c in said)
    bare = _bare_name(clause) or placelike
    if any(part in alone for part in _STRUCTURAL) or alone.endswith("ed") or alone in NO_PLACES or not bare:
        alone = ""
    named = [c for c in clause.chunks if c.tag != "punct" and c.word not in _ARTICLES]
    called = len(named) == 1 and (named[0].tag == UNKNOWN or named[0].word in lexicon.naming() - _NO_SLICES)
    if called and _headed_bound(clause, sentence):
        unknown(reader, SLICE, named[0].word)
        return
    if any(c.zones or c.cells or c.links for c in sentence):
        alone = ""
    stranger = _strange_zone(clause) or alone
    if stranger:
        unknown(reader, ZONE, stranger)


def _heads_bound(heading: Clause, sentence: Sequence[Clause]) -> bool:
    """ "mMTC: delay below 500 ms": a kind of slice alone over a bound, and no slice in the sentence."""
    alone = all(c.tag in ("slicetype", "filler", "punct", "slicenoun") for c in heading.chunks)
    following = next((c for i, c in enumerate(sentence) if i and sentence[i - 1] is heading), None)
    return (
        alone
        and following is not None
        and not any(c.slices or c.links for c in sentence)
        and core_of(following) in ("kpi", "share")
    )


def _headed_bound(heading: Clause, sentence: Sequence[Clause]) -> bool:
    """ "Drones: loss under 0.5 % in the pit": a bound of a slice at a place, and no slice but the heading."""
    following = next((c for i, c in enumerate(sentence) if i and sentence[i - 1] is heading), None)
    if following is None or any(c.slices or c.links for c in sentence) or following.tags & {"slicenoun", "util", "demand"}:
        return False
    placed = bool(following.zones or following.cells)
    return placed and core_of(following) in ("kpi", "share") and heading.chunks[-1].word.endswith("s")


def _bare_name(clause: Clause) -> bool:
    """Whether beside the strange word there are only articles, prepositions of place and words that things are named after."""
    beside = [c for c in clause.chunks if c.tag == "filler" and c.word not in ("the", "our", "old", "new", "big", "main")]
    return clause.first and all(c.word in lexicon.naming_parts() for c in beside)


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


_BOUND_WORDS = frozenset(
    {"name", "quantity", "range", "window", "punct", "in", "at", "on", "for", "of", "next", "last", "first"}
)


def _placed(chunks: Sequence[Chunk], i: int) -> bool:
    """Whether it stands as a place: "in the", "at", "near the"."""
    j = i - 1
    while (
        j >= 0
        and i - j <= 3
        and (
            chunks[j].word in ("the", "our", "a", "this", "old", "new", "zone", "area", "big", "main", "both")
            or chunks[j].tag in (UNKNOWN, "event")
            or (
                chunks[j].tag not in _BOUND_WORDS
                and j + 1 == i
                and len(chunks[j].word) > 2
                and chunks[j - 1].word in ("the", "our")
            )
            or chunks[j].word in lexicon.naming()
        )
    ):
        j -= 1
    return j >= 0 and (
        chunks[j].tag in ("in", "at")
        or (chunks[j].tag == "on" and j < i - 1)
        or chunks[j].word in _NEARBY - {"to", "over", "through"}
    )


def _directly(chunks: Sequence[Chunk], i: int) -> bool:
    """Whether the place follows a name or a figure, or opens the clause: no "as the people at the office asked"."""
    j = i - 1
    while j >= 0 and chunks[j].tag not in ("in", "at", "on") and chunks[j].word not in _NEARBY:
        j -= 1
    return j <= 0 or chunks[j - 1].tag in (*_PLACED_BY, *KPI_TAGS, "unit", "slicenoun", "there")
