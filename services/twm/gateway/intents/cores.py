"""What a clause is about: its core, found by its tags, names and figures; rules in order, the first that holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.asides import beside_slas, cost_aside, seen_by_users, talk_of_cost
from twm.gateway.intents.bounds import risk_of
from twm.gateway.intents.chunks import NAME, UNKNOWN_NAME, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.fullness import (
    FREE,
    THAN_FULL,
    filled_up,
    kept_back,
    kept_off,
    less_loaded,
    not_to_carry,
    still_carried,
)
from twm.gateway.intents.growth import MULTIPLES, announced, growth, load_bounded, plainly_more, times_usual, vague_growth
from twm.gateway.intents.names import LINK
from twm.gateway.intents.units import (
    BYTES,
    COUNT,
    DELAY,
    FACTOR,
    FRACTION,
    NINES,
    NOMINAL,
    PACKETS,
    POINTS,
    PRB,
    RATE,
    RATIO,
    SECONDS,
)

KPI_TAGS = frozenset({"delay", "p99", "percentile", "mean", "median", "loss", "delivered", "throughput", "util", "jitter"})
WEIGHING = frozenset({"weigh", "weighs", "weighed", "weighing", "weight", "weights", "weighted"})
_WORK = frozenset({"maint", "down", "fail", "lose", "degrade"})
_GONE_WORDS = """
cut out off away pulled dug torn pull pulling stopped halted interrupted isolated died dies dying lost inoperable inoperative
decommissioned shutdown severs killed kaput defunct
"""
GONE = frozenset(_GONE_WORDS.split())
_MULTIPLIED = frozenset({"demand", "more", "usual", "expect", "times", "raise", "less", *KPI_TAGS})
_SHAREABLE = frozenset({RATIO, FRACTION, POINTS, PRB})
_ORDER = frozenset(
    {
        "over",
        "before",
        "win",
        "first",
        "above",
        "prio",
        "important",
        "moreimportant",
        "lessimportant",
        "deprio",
        "wait",
        "last",
        "second",
        "ranking",
        "yield",
    }
)
_PACKET_WORDS = frozenset({"packet", "packets", "pkt", "pkts", "frame", "frames", "message", "messages", "datagrams"})


def figures(clause: Clause) -> list[int]:
    """Positions of quantities and ranges that are not about risk."""
    risk = risk_of(clause)
    taken = risk.taken if risk else set()
    found = [i for i, c in enumerate(clause.chunks) if c.tag in ("quantity", "range") and i not in taken]
    return [i for i in found if not _pronoun_one(clause.chunks, i)]


def _pronoun_one(chunks: Sequence[Chunk], i: int) -> bool:
    """ "the important one", "these two cells": no figure."""
    alone = chunks[i].tag == "quantity" and chunks[i].word == "one" and chunks[i].value.dim == COUNT
    counted = chunks[i].tag == "quantity" and chunks[i].value.dim == COUNT and chunks[i + 1 : i + 2]
    if counted and chunks[i + 1].tag in ("cellnoun", "linknoun", "slicenoun", "zonenoun"):
        return True
    return alone and (i + 1 >= len(chunks) or chunks[i + 1].tag not in ("unit", "times", "quantity", "fraction"))


def dims(clause: Clause, positions: Sequence[int]) -> set[str]:
    """Dimensions of those figures."""
    return {_dim(clause.chunks[i]) for i in positions}


def _dim(chunk: Chunk) -> str:
    quantity = chunk.value[1] if chunk.tag == "range" else chunk.value
    return str(quantity.dim)


def has_links(clause: Clause) -> bool:
    """A link is named, known or not."""
    return bool(clause.links) or any(c.tag == UNKNOWN_NAME and c.value[0] == LINK for c in clause.chunks)


_KEPT_AT = frozenset({"name", "quantity", "hold", "at", "about", "filler", "window"})
_PUT = frozenset({"at", "to", "filler", "hold", "reserve"})


def core_of(clause: Clause) -> str:
    """Core of a clause; "" where there is none."""
    tags, chunks = clause.tags, clause.chunks
    words = {c.word for c in chunks}
    found = figures(clause)
    kinds = dims(clause, found)
    shares = bool(kinds & _SHAREABLE)
    slices = bool(clause.slices) or "slicetype" in tags
    links = has_links(clause)
    placed = links or bool(clause.zones or clause.cells) or bool(tags & {"cellnoun", "linknoun"})
    counted = bool(kinds & {RATIO, FRACTION, COUNT}) and not links
    loses = of_packets(clause) or (counted and "lose" in tags and not tags & {"share", "prb", "capacity", "bandwidth"})
    kpi = bool(tags & KPI_TAGS) or loses
    hard_kpi = (
        loses
        or bool(tags & {"delay", "p99", "percentile", "median", "loss", "delivered", "jitter"})
        or bool(kinds & {DELAY, RATE})
    )
    if kinds == {FACTOR} and not slices and not tags & _MULTIPLIED:
        found, kinds = [], set()  # "they have called two times"
    if _things_lost(clause, kinds):
        return ""
    if "anycost" in tags and "sla" not in tags:
        rest = [c for c in chunks if c.tag != "anycost"]
        return (core_of(replace(clause, chunks=rest)) if rest else "") or "anycost"  # "freeze fwa at all costs"
    if not found and cost_aside(clause, tags) and "sla" not in tags:
        return "anycost"
    if not found and "performance" in tags and tags & {"win", "over", "before", "moreimportant"} and tags & {"save", "cost"}:
        return "anycost"
    if (
        "sla" in tags
        and not kinds & {RATIO, FRACTION, DELAY, RATE}
        and all(beside_slas(chunks, i) for i, c in enumerate(chunks) if c.tag == "sla")
    ):
        return ""
    if ("sla" in tags or "slagood" in tags) and not (slices and found and kinds & {DELAY, RATE}):
        return "sla"
    if links and not slices and any(chunks[i].tag == "quantity" and chunks[i].value.of == NOMINAL for i in found):
        return "maintenance"
    spare = bool(words & FREE) or kept_back(chunks)
    if shares and not slices and spare and placed and not kpi and not tags & {"expect", "fail"}:
        return "headroom"
    if "demand" in tags and shares and load_bounded(clause, tags, links):
        return "kpi"
    if "relieve" in tags and not found:
        return "relieve"
    if "overload" in tags and not found and (clause.opener == "without" or tags & {"neg"}):
        return "overload"
    if shares and not slices and not kpi and placed and _compared(clause) and filled_up(clause, words):
        return "kpi"
    if shares and not slices and placed and less_loaded(clause, words):
        return "kpi"
    if shares and links and not slices and not kpi and not_to_carry(clause, words):
        return "kpi"
    if (
        links
        and not slices
        and (_capacity_lost(tags, shares or _halved(clause), bool(found)) or _done_without(clause, kpi or bool(found)))
    ):
        return "maintenance"
    if links and not slices and not found and tags & KPI_TAGS <= {"loss"} and _link_lost(chunks):
        return "maintenance"
    if links and not slices and kinds == {RATE} and not tags & (KPI_TAGS | {"neg"}) and "reduce" in tags and "to" in tags:
        return "maintenance"  # "L1 drops to 120 Mbps"
    if links and not slices and not kpi:
        silent = words & {"service", "traffic", "light", "signal"} or (
            "nothing" in words and words & {"left", "through", "on", "over"}
        )
        if not found and "neg" in tags and silent:
            return "maintenance"
        if not found and any(c.word in GONE and not kept_off(chunks, i) for i, c in enumerate(chunks)):
            return "maintenance"
        if (
            all(chunks[i].tag == "range" for i in found)
            and found
            and tags & {"share", "bandwidth", "util"}
            and not tags & _WORK
        ):
            return "share" if tags & {"bandwidth", "share"} else "kpi"
        if tags & _WORK or ("capacity" in tags and found) or ("reduce" in tags and shares) or still_carried(clause, kinds):
            return "maintenance"
        given = {"reserve", "bandwidth", "for", "pronoun"} <= tags  # "reserve 35 % of the bandwidth for them on L1"
        given = given or any(chunks[i].tag == "range" for i in found)
        told = bool(words & {"keep", "hold", "maintain", "leave"}) and tags <= _KEPT_AT
        if shares and told and "on" not in tags:
            return "kpi"  # "keep L1 around 70 %": of what is asked
        if shares and not (_compared(clause) or given) and tags & _PUT and "change" not in tags:
            return "maintenance"
    if links and tags & _WORK and not slices and not (kpi and found):
        return "maintenance"
    if (
        "maint" in tags
        and not links
        and not kpi
        and not found
        and tags & {"linknoun", "window", "expect", "transport"}
        and not slices
    ):
        return "maintenance" if _real_work(chunks) else ""
    if "demand" in tags and not hard_kpi and "cost" not in tags and not ("prb" in tags and kinds & _SHAREABLE):
        if growth(clause, kinds, tags):
            return "surge"
        if not found and (
            any(c.word in ("surge", "surges", "peak") for c in chunks)
            or ("more" in tags and "expect" in tags)
            or vague_growth(tags)
        ):
            return "surge_open"
    if (slices or clause.zones or clause.cells) and not kpi and not links:
        here = bool(clause.zones or clause.cells) or "there" in tags
        if times_usual(clause, kinds, tags) or (
            (found or tags & MULTIPLES.keys()) and announced(clause, kinds, tags, placed=here)
        ):
            return "surge"
    if (
        not kpi
        and not slices
        and (clause.zones or clause.cells)
        and not links
        and not tags & {"change", "share", "prb", "freeze", "cost", "save"}
        and (any(c.tag == "quantity" and c.value.signed for c in chunks) or (tags & MULTIPLES.keys() and not found))
    ):
        return "surge"
    if shares and "more" in tags and not hard_kpi and plainly_more(clause, tags):
        return "surge"
    if "freeze" in tags and not found and seen_by_users(clause, words):
        return ""
    if "freeze" in tags and not found:
        if tags & {"delay", "loss", "throughput", "delivered"} and any(c.word.startswith("as ") for c in chunks):
            return "kpi_open"
        return "unfreeze" if _unfrozen(chunks) else "freeze"
    if "perstep" in tags and shares and not kpi and not tags & {"save", "cost"}:
        return "change"
    if "change" in tags and shares and not kpi and not (slices and "share" in tags and "reduce" in tags):
        return "change"
    if "change" in tags and not found and _negated(clause, "change"):
        return "change" if tags & {"more", "above", "atmost"} and "than" in tags | {c.word for c in chunks} else "freeze"
    if POINTS in kinds and not kpi and not tags & {"share", "prb"} and (not slices or _moved(chunks)):
        return "change"
    if _weighed(clause, kinds) and (slices or ("pronoun" in tags and not tags & {"save", "cost"})):
        return "rank"
    if slices and not found and tags & {"lowestprio", "lowprio", "highprio"}:
        return "rank"
    if not slices and _it_counts(clause, kinds):
        return "rank"
    if slices and not kinds - {FACTOR, FRACTION} and _ranked(clause, tags):
        return "rank"
    if "cost" in tags and "save" not in tags and not found and talk_of_cost(clause, tags):
        return ""
    if ("cost" in tags or "save" in tags) and not kpi and not slices and not kinds & {DELAY, RATE}:
        return "save"
    if found and (kpi or kinds & {DELAY, RATE, BYTES}):
        return "kpi"
    if found and shares and links and not slices:
        return "share" if tags & {"bandwidth", "share"} and not tags & {"util", "capacity"} else "kpi"
    if found and shares and _about_links(chunks) and not slices:
        return "kpi"
    if found and shares and (slices or tags & {"prb", "bandwidth", "share", "resource", "reserve", "cap", "atleast", "atmost"}):
        return "share"
    if found and kinds & {SECONDS} and (slices or _compared(clause)):
        return "kpi"
    if found and COUNT in kinds and slices and _compared(clause):
        return "kpi"
    if (
        found
        and kinds == {COUNT}
        and (links or clause.cells)
        and _compared(clause)
        and not tags & {"prb", "share", "bandwidth"}
    ):
        return "kpi"
    if found and kinds & {RATIO, FRACTION, DELAY, RATE, FACTOR, POINTS, PRB}:
        return "figure"
    if not found and slices and (kpi or tags & {"fast"} or any(c.word in ("fast", "faster", "quick") for c in chunks)):
        return "kpi_open"
    if (
        not found
        and kpi
        and tags & {"reduce", "raise", "low", "high", "cap", "reserve", "below", "above", "atmost"}
        and ("window" not in tags or chunks[0].tag in ("cap", "reduce", "raise"))
    ):
        return "kpi_open"
    if (
        not found
        and tags & {"cap", "reserve", "pin"}
        and (slices or "share" in tags)
        and tags & {"share", "prb", "cap", "pin", "resource", "all"}
    ):
        return "share_open"
    if not found and slices and tags & {"share", "prb", "bandwidth"} and any(c.word in _EDGES for c in chunks):
        return "share_open"
    if (
        not found
        and slices
        and clause.first
        and any(c.tag == "reserve" and c.word.startswith(("reserv", "guarant")) for c in chunks)
    ):
        return "share_open"
    if not found and _about_links(chunks) and (tags & {"util"}):
        return "kpi_open"
    return ""


def of_packets(clause: Clause) -> bool:
    """ "98 % of its packets", "one packet in fifty", "four nines": a ratio of packets, and no share."""
    chunks = clause.chunks
    if clause.tags & {"share", "prb", "bandwidth", "change"}:
        return False
    for i in figures(clause):
        quantity = chunks[i].value
        if chunks[i].tag != "quantity" or quantity.dim not in (RATIO, FRACTION):
            continue
        if quantity.of in (PACKETS, NINES) or any(_PACKET_WORDS & set(c.word.split()) for c in chunks[i + 1 : i + 5]):
            return True
    return False


def elliptic(clause: Clause) -> bool:
    """ "..., silver ones 30 ms": a slice and a figure, and all else as it was said before."""
    bare = clause.tags <= {NAME, "quantity", "filler", "slicenoun", "hold", "punct", "window", "and"}
    return bare and bool(clause.slices) and len(clause.quantities()) == 1 and clause.opener in (",", "and", "but", "/")


def counted_too(before: Clause, clause: Clause) -> bool:
    """ "Gold counts triple, sensors half", "urllc gets weight 4 and fwa 0.5": how much another slice counts."""
    bare = clause.tags <= {NAME, "quantity", "filler", "slicenoun", "times", "as", "at", "hold", "punct", "reserve", *MULTIPLES}
    if not (bare and clause.slices and clause.opener in (",", "and", "but")):
        return False
    at = clause.find(NAME)
    if any({"as", "than"} & set(c.word.split()) for c in clause.chunks[:at]):
        return False
    first, second = dims(before, figures(before)), dims(clause, figures(clause))
    if _weighed(before, first):
        return second in ({COUNT}, {FACTOR}, {FRACTION})
    scaled = before.tags & MULTIPLES.keys() or first & {FACTOR, FRACTION}
    return bool(scaled) and second <= {FACTOR, FRACTION} and bool(second or clause.tags & MULTIPLES.keys())


def _it_counts(clause: Clause, kinds: set[str]) -> bool:
    """ "It counts half", "they are less important": of what was spoken of, where that is no mere reason."""
    meant = any(c.word in ("it", "they", "them", "these", "those") for c in clause.chunks)
    reason = clause.opener == "because" or clause.chunks[0].word in ("as", "since")
    if (
        not meant
        or reason
        or clause.tags & {"save", "cost", "share", "prb", "demand", *KPI_TAGS}
        or clause.zones
        or clause.cells
    ):
        return False
    scaled = kinds == {FRACTION} or clause.tags & MULTIPLES.keys() or kinds == {FACTOR}
    return bool(scaled and "important" in clause.tags) or ("lessimportant" in clause.tags and not kinds)


def _things_lost(clause: Clause, kinds: set[str]) -> bool:
    """ "Our trading floor lost two orders": things, and no packets."""
    lost = any(c.word in ("lost", "lose", "loses") for c in clause.chunks)
    packets = any(_PACKET_WORDS & set(c.word.split()) for c in clause.chunks)
    return lost and kinds == {COUNT} and not packets and not _compared(clause) and "neg" not in clause.tags


_EDGES = frozenset({"ceiling", "floor", "minimum", "maximum"})


def _moved(chunks: Sequence[Chunk]) -> bool:
    """ "never take more than 5 points from embb at once", "embb: 5 points at a time": a step, and no share."""
    words = {c.word for c in chunks}
    return bool(words & {"take", "takes", "taken", "taking", "moved", "away", "at once", "at a time", "in one go"})


def _weighed(clause: Clause, kinds: set[str]) -> bool:
    """ "URLLC weight 3", "a weight of 3 for FWA", "weigh it threefold"."""
    scaled = kinds & {COUNT, FACTOR} or clause.tags & MULTIPLES.keys()
    return bool(scaled) and any(c.word in WEIGHING for c in clause.chunks)


def _halved(clause: Clause) -> bool:
    return any(c.word.startswith("halv") for c in clause.chunks)


def _capacity_lost(tags: set[str], shares: bool, figures_named: bool) -> bool:
    """ "half the capacity lost", "no capacity": of links, and about no other KPI."""
    return "capacity" in tags and (shares or ("neg" in tags and not figures_named)) and not tags & (KPI_TAGS - {"loss"})


def _link_lost(chunks: Sequence[Chunk]) -> bool:
    """ "leo-down has been lost to the storm", "we lost up-2": a link is gone, and no packets are."""
    at = next((i for i, c in enumerate(chunks) if c.word == "lost"), -1)
    return at >= 0 and not any(_PACKET_WORDS & set(c.word.split()) for c in chunks) and "neg" not in {c.tag for c in chunks}


def _done_without(clause: Clause, bounded: bool) -> bool:
    """ "we are without TN-6 from 22:00 to 23:30"."""
    return not bounded and clause.opener == "without" and "window" in clause.tags and "overload" not in clause.tags


def _unfrozen(chunks: Sequence[Chunk]) -> bool:
    """ "don't freeze", "no freezing": the negation stands right before it."""
    at = next(i for i, c in enumerate(chunks) if c.tag == "freeze")
    before = [c for c in chunks[:at] if c.tag not in ("filler", "hold", "name", "pronoun")]
    return bool(before) and before[-1].tag == "neg" and "change" not in {c.tag for c in chunks}


def _compared(clause: Clause) -> bool:
    if any(c.word in THAN_FULL for c in clause.chunks):
        return True
    return bool(clause.tags & {"atleast", "atmost", "below", "above", "less", "more", "cap", "pin", "over"})


def _about_links(chunks: Sequence[Chunk]) -> bool:
    return any(c.tag == "transport" or (c.tag == "linknoun" and c.word.startswith("link")) for c in chunks)


def _real_work(chunks: Sequence[Chunk]) -> bool:
    at = next((i for i, c in enumerate(chunks) if c.tag == "maint"), 0)
    if [c.tag for c in chunks[at + 2 : at + 3]] == ["unknown"] and chunks[at + 1].word in ("the", "a", "an", "our", "its"):
        return False  # "the vendor will replace the filter"
    return any(
        c.tag == "maint" and c.word.startswith(("maint", "servic", "repair", "outage", "splic", "replac")) for c in chunks
    )


def _negated(clause: Clause, tag: str) -> bool:
    if clause.opener in ("without", "nor"):
        return True
    return any(c.tag == "neg" for c in clause.chunks) and tag in clause.tags


def _ranked(clause: Clause, tags: set[str]) -> bool:
    if tags & {"prio", "important", "moreimportant", "lessimportant", "deprio", "first", "win", "wait", "ranking", "yield"}:
        return True
    if any(c.word == "count" for c in clause.chunks) and (FACTOR in dims(clause, figures(clause)) or tags & MULTIPLES.keys()):
        return "demand" not in tags
    if "urgent" in tags and not tags & {"hold", "reduce"} and any("priority" in c.word for c in clause.chunks):
        return True
    if tags & {"last", "second", "third"} and not tags & {"window"}:
        return True
    if tags & {"before", "over", "above"} and ("all" in tags or _over_all_others(clause.chunks)):
        return True
    chunks = clause.chunks
    strange = [i for i in range(len(chunks) - 1) if chunks[i].tag == "unknown" and chunks[i + 1].tag == "slicenoun"]
    groups = sorted([*strange, *(i for i, c in enumerate(chunks) if c.tag in (NAME, "slicetype"))])
    between = clause.chunks[groups[0] : groups[-1]] if len(groups) > 1 else []
    return any(c.tag in _ORDER for c in between)


def _over_all_others(chunks: Sequence[Chunk]) -> bool:
    """ "public safety over everyone else", "gold before the rest"."""
    at = next(i for i, c in enumerate(chunks) if c.tag in ("before", "over", "above"))
    after = {w for c in chunks[at + 1 : at + 4] for w in c.word.split()}
    return bool(after & {"everyone", "everybody", "others", "rest", "anyone", "anybody", "else"})
