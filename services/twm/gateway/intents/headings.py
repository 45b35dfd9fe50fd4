"""What a heading lends to the clauses after it: a slice, a KPI, an order, and what else is said once for a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, core_of, dims, figures
from twm.gateway.intents.fullness import FULL
from twm.gateway.intents.units import COUNT, FRACTION, NOMINAL, RATIO

REMAINING = frozenset({"remaining", "remain", "remains", "left", "residual"})
"""What is said of the capacity of a link under work."""
MAX_LABEL = 3
LENT = frozenset({"ranking", "important", "perstep", "change"})
"""What a heading says of the figures and names after it."""


def of_heading(heading: Clause | None, clause: Clause) -> Clause:
    """ "Link up-1: 10 % capacity loss": what is said of work and capacity belongs to the links of the heading."""
    orders = [c for c in heading.chunks if c.tag in LENT] if heading is not None else []
    if heading is not None and heading is not clause and _first_come(heading, clause):
        return replace(clause, chunks=[*(c for c in heading.chunks if c.tag in ("prio", "first")), *clause.chunks])
    if orders and clause.slices and heading is not clause and not clause.tags & LENT:
        steps = bool(dims(clause, figures(clause)) & {"ratio", "points"})
        orders = [c for c in orders if steps or c.tag in ("ranking", "important")]
        return replace(clause, chunks=[*orders, *clause.chunks])
    grown = (
        heading is not None
        and "demand" in heading.tags
        and heading is not clause
        and (dims(clause, figures(clause)) & {"factor"} or any(q.signed and q.dim == RATIO for _, q in clause.quantities()))
    )
    if heading is not None and grown and not clause.tags & (KPI_TAGS | {"demand"}):
        return replace(clause, chunks=[*(c for c in heading.chunks if c.tag == "demand"), *clause.chunks])
    if heading is not None and heading is not clause and _headed_figure(heading, clause):
        lent = [c for c in heading.chunks if c.tag in KPI_TAGS or (c.tag == "name" and not clause.slices)]
        return replace(clause, chunks=[*lent, *clause.chunks])
    if heading is not None and heading is not clause and _headed_share(heading, clause):
        lent = [
            c for c in heading.chunks if c.tag in ("bandwidth", "share") or (c.tag == "name" and c.value[0].kind == "slice")
        ]
        return replace(clause, chunks=[*lent, *clause.chunks])
    counted = {"count", "assume", "reckon", "plan", "calculate"} & {word for c in clause.chunks for word in c.word.split()}
    fading = heading is not None and heading.tags & {"degrade", "maint", "fail", "down", "lose"}
    if heading is not None and fading and counted and not clause.slices and clause.tags <= _COUNTED_ON:
        return replace(clause, chunks=[*(c for c in heading.chunks if c.tag in ("name", "degrade")), *clause.chunks])
    work = clause.tags & {"maint", "down", "fail", "lose", "degrade", "capacity"} or {c.word for c in clause.chunks} & REMAINING
    if heading is not None and heading is not clause and _headed_link(heading, clause):
        return replace(clause, chunks=[*(c for c in heading.chunks if c.tag == "name"), *clause.chunks])
    nominal = any(q.of == NOMINAL for _, q in clause.quantities())
    if heading is None or not heading.links or not (work or nominal) or clause.links or clause.slices or heading is clause:
        return clause
    return replace(clause, chunks=[*(c for c in heading.chunks if c.tag == "name"), *clause.chunks])


_COUNTED_ON = frozenset(
    {"filler", "expect", "quantity", "pronoun", "name", "on", "of", "with", "window", "punct", "only", "about"}
)


def _first_come(heading: Clause, clause: Clause) -> bool:
    """ "Public services come first: urllc, then fwa": the first of the list; what comes after "then" follows it."""
    ordered = heading.tags & {"prio", "first"} and not (heading.tags & LENT or heading.slices or figures(heading))
    return bool(ordered) and clause.opener == ":" and clause.tags <= {"name", "filler", "punct"} and bool(clause.slices)


def _headed_figure(heading: Clause, clause: Clause) -> bool:
    """ "Enterprise loss ratio: max 0.002": a plain figure with a side is of the KPI of the heading."""
    own = clause.tags & KPI_TAGS or clause.zones or clause.cells or clause.links
    plain = dims(clause, figures(clause)) == {COUNT} and bool(clause.tags & {"atmost", "atleast", "below", "above"})
    filled = "util" in heading.tags and bool(heading.cells or heading.links or heading.zones)
    return bool(heading.tags & KPI_TAGS) and bool(heading.slices or filled) and plain and not own


def _headed_link(heading: Clause, clause: Clause) -> bool:
    """ "ridge-1: utilisation 65 % or lower; ridge-2: 55 % or lower": a bare bound under a link is how full it is."""
    alone = heading.links and not heading.slices and not heading.tags & (KPI_TAGS | {"prb", "bandwidth", "share", "change"})
    own = (
        clause.slices or clause.links or clause.tags & (KPI_TAGS | {"prb", "bandwidth", "share", "change", "reserve", "demand"})
    )
    upper = "atmost" in clause.tags or ("neg" in clause.tags and any(c.word in FULL for c in clause.chunks))
    return bool(alone) and not own and upper and dims(clause, figures(clause)) <= {RATIO, FRACTION}


def _headed_share(heading: Clause, clause: Clause) -> bool:
    """ "Bandwidth for eMBB: 35 % at most on up-1": shares of the slice of the heading."""
    told = heading.slices and not heading.tags & (KPI_TAGS | {"change", "maint", "demand"})
    own = clause.slices or clause.tags & (
        KPI_TAGS | {"change", "freeze", "perstep", "maint", "demand", "down", "fail", "lose", "degrade", "capacity"}
    )
    compared = bool(clause.tags & {"atmost", "atleast", "cap", "reserve", "below", "above", "bandwidth", "share"})
    return (
        bool(told) and compared and not own and bool(clause.links) and bool(dims(clause, figures(clause)) & {RATIO, FRACTION})
    )


def labelled(sentence: Sequence[Clause], heading: Clause) -> bool:
    """ "SLO: research delivery ratio >= 0.9995": a bound called by what it is."""
    following = next((c for i, c in enumerate(sentence) if i and sentence[i - 1] is heading), None)
    bare = heading.tags <= {"sla", "filler", "punct"} and len(heading.chunks) <= MAX_LABEL
    return bare and following is not None and core_of(following) == "kpi" and bool(figures(following))


def bare_figure(sentence: Sequence[Clause], heading: Clause) -> bool:
    """Whether a figure that belongs to nothing else follows the heading."""
    following = next((c for i, c in enumerate(sentence) if i and sentence[i - 1] is heading), None)
    if following is None or following.slices:
        return False
    return core_of(following) == "figure" or any(q.dim == "count" and 0 < q.value < 1 for _, q in following.quantities())


_CEILINGS = frozenset({"cap", "ceiling", "maximum", "limit", "lid", "max"})
_FLOORS = frozenset({"floor", "minimum", "min"})
_TELLING = frozenset({"cap", "atmost", "atleast", "filler", "pronoun", "punct", "hold"})


def side_told(clause: Clause) -> str:
    """ "..., that is their cap", "... and that's the minimum": the side of the figure before; "" where none is told."""
    words = {w for c in clause.chunks for w in c.word.split()}
    low, high = bool(words & _FLOORS), bool(words & _CEILINGS)
    pointing = bool(words & {"that", "that's", "this", "which", "it", "it's", "as"})
    if low == high or not pointing or not clause.tags <= _TELLING:
        return ""
    return "atleast" if low else "atmost"


def resource_only(clause: Clause) -> bool:
    """ "..., radio only", "... - only bandwidth": which of the two shares was meant."""
    told = clause.tags & {"prb", "bandwidth", "transport"}
    return (
        bool(told) and clause.tags <= {*told, "only", "filler", "on", "for", "share", "of", "punct"} and "only" in clause.tags
    )


def remainder(clause: Clause) -> bool:
    """ "..., embb the rest": a slice without a figure of its own."""
    rest = any(c.word in ("rest", "remainder", "remaining", "leftover", "leftovers") for c in clause.chunks)
    return (
        rest
        and bool(clause.slices)
        and not figures(clause)
        and clause.tags <= {"name", "filler", "reserve", "hold", "slicenoun", "share", "by", "for", "to", "between"}
    )
