"""What a statement that does not say it all is about: "and 15 % for V2X" goes on with what stood before it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.context import Context
from twm.gateway.intents.cores import KPI_TAGS, dims, figures
from twm.gateway.intents.fullness import FULL
from twm.gateway.intents.headings import LENT
from twm.gateway.intents.lines import ITEM
from twm.gateway.intents.names import CELL, LINK, Name
from twm.gateway.intents.units import COUNT

_LEFT_WORDS = "remain remains remaining left leave leaves leaving carry carries carrying only available run runs running"
_LEFT = frozenset(_LEFT_WORDS.split())
MAX_PLAIN_LOSS = 0.25
"""Up to here "at most N %" right after a bound on loss is one on loss; above, it may be a share."""
DOUBTFUL = "doubtful"
"""A figure after a bound on loss: of loss too, or a share?"""


def settled(context: Context, clause: Clause, core: str, mentioned: Sequence[Name]) -> tuple[Clause, str]:
    """A statement and what it is about after what stood before it; `mentioned` was spoken of last."""
    if core == "figure":
        core = _continued(context, clause)
        return clause, "kpi" if core == "share" and _of_cells(context, clause) else core
    if core == "share" and _filled_link(clause, mentioned):
        return _about(clause, mentioned), "kpi"
    if core == "kpi" and _of_share(context, clause):
        return clause, "share"
    if core == "share" and (_of_kpi(context, clause) or _of_cells(context, clause)):
        return clause, "kpi"
    return clause, DOUBTFUL if core == "share" and _doubtful(context, clause) else core


_RANKING = frozenset({"prio", "ranking", "important"})
_NEXT = frozenset({NAME, "filler", "next", "slicenoun", "punct"})


def in_order(context: Context, clause: Clause, before: str) -> str:
    """Whether a slice that is only named is the "first" of an order or comes behind it ("second"); `before`: in its sentence.

    "..., then FWA", "Rescue first. Then telemetry.", "ferje comes next", and the lines of a list under "Priorities:".
    """
    if not clause.slices or figures(clause):
        return ""
    heading = context.heading
    if clause.opener == ITEM and heading is not None and heading.tags & _RANKING and not heading.slices:
        return "second" if context.core == "rank" else "first"
    if before == "rank" and clause.opener in ("then", ","):
        return "second"
    after = clause.first and not before and context.core == "rank" and clause.tags <= _NEXT
    return "second" if after and (clause.opener == "then" or "next" in clause.tags) else ""


def other_work(last: tuple[Clause, str], clause: Clause) -> tuple[Clause, str] | None:
    """ "maintenance on L1 from 14:00 to 16:00 and on L2 from 16:00 to 17:00": the same work elsewhere, at another time."""
    said, core = last
    timed = bool(said.windows() and clause.windows())
    if core != "maintenance" or not (timed and said.links and clause.links) or clause.opener not in ("and", ",", ";"):
        return None
    work = [c for c in said.chunks if c.tag in ("maint", "down", "fail")][:1]
    return (replace(clause, chunks=[*work, *clause.chunks]), core) if work else None


def _filled_link(clause: Clause, mentioned: Sequence[Name]) -> bool:
    """ "L1 is our bottleneck. 85 % fill is the ceiling.": of the links or cells that were spoken of."""
    own = clause.slices or clause.links or clause.cells or clause.zones or clause.tags & {"all", "share", "prb", "bandwidth"}
    full = {c.word for c in clause.chunks} & FULL
    return bool(full) and not own and bool(mentioned) and {n.kind for n in mentioned} <= {LINK, CELL}


def _about(clause: Clause, mentioned: Sequence[Name]) -> Clause:
    at = clause.chunks[0].start
    return replace(clause, chunks=[Chunk(NAME, at, at, tuple(mentioned), "it"), *clause.chunks])


def _continued(context: Context, clause: Clause) -> str:
    """A bare figure goes on with the statement before."""
    kinds = dims(clause, figures(clause))
    core, heading = context.core, context.heading
    own = clause.slices or clause.links or clause.tags & (KPI_TAGS | {"share", "prb", "bandwidth", "reserve", "cap"})
    if core == "save" and kinds & {"ratio", "fraction"} and (clause.tags & {"reduce", "down", "pronoun"} or not own):
        return "save"
    if core == "surge" and kinds & {"ratio", "factor", "fraction"}:
        return "surge"
    if kinds == {"factor"} and clause.slices and _at_a_place(context, clause):
        return "surge"
    if kinds == {"factor"} and clause.slices and core == "rank":
        return "rank"
    if heading is not None and heading.tags & KPI_TAGS:
        return "kpi"
    if core == "kpi" and context.kpi in ("loss_ratio", "utilisation_ratio") and kinds & {"ratio", "fraction"}:
        return "kpi"
    if kinds & {"delay", "rate"}:
        return "kpi"
    if heading is not None and heading.slices and kinds & {"ratio", "fraction"}:
        return "share"
    return "share" if kinds & {"ratio", "fraction", "prb"} else ""


def _at_a_place(context: Context, clause: Clause) -> bool:
    """ "village tonight: silver x3", "silver x3 in the village": so much more of a slice at a place is demand."""
    heading = context.heading
    headed = heading is not None and bool(heading.zones or heading.cells) and not heading.tags & LENT
    scaled = clause.tags & {
        "reserve",
        "cap",
        "share",
        "prb",
        "bandwidth",
        "important",
        "moreimportant",
        "prio",
        "neg",
        "hold",
    }
    return (headed or bool(clause.zones or clause.cells)) and not scaled


def _doubtful(context: Context, clause: Clause) -> bool:
    """Whether "at most 40 %" of a slice goes on with a loss of before or is a share: nothing says."""
    return _goes_on(context, clause) and not _of_kpi(context, clause)


def _goes_on(context: Context, clause: Clause) -> bool:
    on = clause.opener in ("and", ",", "but", "or", "while", ";") and clause.tags & {"atmost", "below", "less", "allow"}
    bare = not clause.tags & {"atleast", "share", "prb", "resource", "bandwidth", "cap", "pin"}
    return bool(on and bare and clause.slices and context.core == "kpi" and context.kpi == "loss_ratio")


def _of_share(context: Context, clause: Clause) -> bool:
    """ "at most 50 % of the radio, 45 % of transport": goes on with shares of the slice of before."""
    if {c.word for c in clause.chunks} & FULL:
        return False
    if clause.links and context.where.links and clause.opener in ("and", ",") and not clause.slices:
        return context.core == "share" and not clause.tags & (KPI_TAGS | {"capacity", "maint", "down", "fail", "lose"})
    own = clause.slices or clause.links or clause.tags & KPI_TAGS or not clause.tags & {"transport", "bandwidth"}
    return not own and context.core == "share" and bool(context.slices)


def _of_cells(context: Context, clause: Clause) -> bool:
    """ "keep cells 4 and 8 under 75 %" where no slice was spoken of: their utilisation."""
    own = clause.slices or clause.tags & (
        KPI_TAGS | {"share", "prb", "bandwidth", "resource", "reserve", "cap", "pin", "atleast"}
    )
    spoken = context.slices or context.mentioned or context.heading is not None
    upper = clause.tags & {"below", "atmost"} or (clause.tags & {"above", "over"} and "neg" in clause.tags)
    cells = bool(clause.cells) or _cells_of_zone(clause)
    return bool(cells and upper) and not own and not spoken


def _of_kpi(context: Context, clause: Clause) -> bool:
    """Whether a ratio goes on with the KPI of before: "loss 1 % for URLLC and 5 % for eMBB"."""
    if clause.tags & {"share", "prb", "resource", "bandwidth", "reserve", "cap", "pin"}:
        return False
    if context.heading is not None and context.heading.tags & KPI_TAGS:
        return True
    ratios = [q.value for _, q in clause.quantities() if q.dim in ("ratio", "fraction")]
    if _goes_on(context, clause) and ratios and max(ratios) <= MAX_PLAIN_LOSS:
        return True
    bare = not clause.tags & {"atleast", "atmost", "neg", "above"} and clause.opener in ("and", ",", "but", "or")
    return bare and context.core == "kpi" and context.kpi in ("loss_ratio", "utilisation_ratio")


def _cells_of_zone(clause: Clause) -> bool:
    """ "The expo cells", "all three cells of the expo"; not "the first cell", "two of the cells"."""
    words = [c.word for c in clause.chunks]
    plural = any(c.tag == "cellnoun" and c.word.endswith("s") for c in clause.chunks)
    pairs = itertools.pairwise(clause.chunks)
    some = any(c.tag == "quantity" and c.value.dim == COUNT and after.tag == "of" for c, after in pairs)
    return bool(clause.zones) and plural and not some and not {"first", "last", "second", "some", "other"} & set(words)


def what_is_left(clause: Clause, core: str) -> bool:
    """ "there remains 30 % of the capacity", "that leaves you half", "and can carry only 40 %": of a link under work."""
    if core not in ("figure", "share", "kpi", "maintenance") or any(c.tag == "name" for c in clause.chunks):
        return False
    kinds = dims(clause, figures(clause))
    left = "capacity" in clause.tags or any(c.word in _LEFT for c in clause.chunks)
    left = left or {"expect", "of", "pronoun"} <= clause.tags  # "reckon with half of it"
    return left and bool(kinds & {"ratio", "fraction", "rate"}) and not clause.tags & {*KPI_TAGS, "share", "prb", "demand"}


def comparator_only(clause: Clause) -> bool:
    """ "..., minimum", "..., no less"."""
    tags = {c.tag for c in clause.chunks if c.tag not in ("filler", "punct", "pronoun")}
    sides = {"atleast", "atmost", "orbetter", "pin"}
    return bool(tags & sides) and tags <= sides | {"of", "all", "on", "at"}


def bare_count(clause: Clause) -> bool:
    """ "(8)", "embb 2": a plain figure, alone or beside a name."""
    return clause.tags <= {"name", "quantity", "punct"} and not any("of" in c.word for c in clause.chunks)


def bare_kpi(clause: Clause) -> bool:
    """Whether a clause without a statement names a KPI, for the statement after it."""
    return bool(clause.tags & KPI_TAGS)
