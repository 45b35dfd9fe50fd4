"""What is said once and meant for several statements of a sentence: a subject, a place, a resource, a risk."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.bounds import risk_of
from twm.gateway.intents.chunks import NAME, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import figures
from twm.gateway.intents.drafts import ConstraintDraft, Item, LimitDraft, MaintenanceDraft, SurgeDraft, Where
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE
from twm.gateway.intents.times import Part

Trail = list[tuple[Clause, list[Item]]]
"""Statements of a sentence, and of those before it that end in a semicolon, with what came of them."""


def share_places(trail: Trail) -> None:
    """One subject with several bounds has one place: "URLLC under 10 ms and 0.5 % loss in the hospital"."""
    for (before, earlier), (clause, later) in itertools.pairwise(trail):
        _surges_together((before, earlier), (clause, later))
        if clause.slices or clause.opener not in _GOES_ON or not (earlier and later):
            continue
        kinds = {type(item) for item in (*earlier, *later)}
        first, second = earlier[0], later[0]
        if isinstance(first, SurgeDraft) and isinstance(second, ConstraintDraft | LimitDraft) and _owned(clause):
            if first.where.slices == second.where.slices and not _placed(second.where):
                _put_place(later, first.where)
            continue
        if not isinstance(first, ConstraintDraft | LimitDraft) or not isinstance(second, ConstraintDraft | LimitDraft):
            continue
        old, new = first.where, second.where
        if not old.slices and kinds != {ConstraintDraft}:
            continue
        if old.slices != new.slices or not kinds <= {ConstraintDraft, LimitDraft}:
            continue
        if (old.links or new.links) and (kinds != {LimitDraft} or (old.links and new.links)):
            continue
        told, tells = (bool(w.zone or w.cells or w.links) for w in (old, new))
        if told != tells and clause.opener != "or" and any(_otherwise_bounded(a, b) for a in earlier for b in later):
            continue
        if told and not tells and len(earlier) == 1:
            _put_place(later, old)
        elif tells and not told and len(later) == 1 and len(kinds) == 1 and not before.tags & {"all"}:
            _put_place(earlier, new)


def _owned(clause: Clause) -> bool:
    """ "... climbs at the airport, and its loss may be 2 %": of what was spoken of, where it was."""
    return any(c.word in ("its", "their") for c in clause.chunks)


def _otherwise_bounded(a: Item, b: Item) -> bool:
    """ "p99 < 9 ms, < 12 ms in the corridor": two figures for one KPI at one place would clash; each has its own."""
    if not isinstance(a, ConstraintDraft) or not isinstance(b, ConstraintDraft):
        return False
    return (a.kpi, a.side) == (b.kpi, b.side) and a.bound != b.bound and not (a.parts or b.parts)


def without_defaults(items: list[Item]) -> None:
    """ "Avoid congestion on up-3, keep it at 75 % or less": the figure is the bound, and not what the word alone would mean."""
    said = [i.where for i in items if isinstance(i, ConstraintDraft) and i.kpi == "utilisation_ratio" and not i.default]
    items[:] = [i for i in items if not (isinstance(i, ConstraintDraft) and i.default and i.where in said)]


def _surges_together(one: tuple[Clause, list[Item]], other: tuple[Clause, list[Item]]) -> None:
    """ "60 % more camera traffic and 25 % more crew traffic in the yard": the yard is of both."""
    (before, earlier), (clause, later) = one, other
    grown = [item for item in (*earlier, *later) if isinstance(item, SurgeDraft)]
    if before.tags & {"all", "there"} or any(c.word in ("everywhere", "anywhere") for c in before.chunks):
        return
    if clause.opener != "and" or len(grown) != 2 or len(earlier) != 1 or len(later) != 1:
        return
    first, second = grown[0].where, grown[1].where
    if first.slices and not second.slices and "demand" not in clause.tags and (second.zone or second.cells):
        second.slices = list(first.slices)  # "+40 % on line 7 and +25 % in north bank"
        return
    if (second.zone or second.cells) and not (first.zone or first.cells or first.links):
        first.zone, first.cells = second.zone, list(second.cells)


def last_place(trail: Trail, names: Sequence[Chunk]) -> None:
    """ "...; hospital": a place that stands alone at the end is of all that has none."""
    found = Where()
    for chunk in names:
        for name in chunk.value:
            if name.kind == ZONE:
                found.zone = name.id
            elif name.kind == CELL:
                found.cells.append(name.id)
    for _, items in trail if found.zone or found.cells else ():
        placed = any(
            i.where.zone or i.where.cells or i.where.links for i in items if isinstance(i, ConstraintDraft | LimitDraft)
        )
        if not placed:
            _put_place(items, found)


def _put_place(items: Sequence[Item], place: Where) -> None:
    for item in items:
        if isinstance(item, ConstraintDraft | LimitDraft):
            links = list(item.where.links or place.links)
            item.where = Where(list(item.where.slices), place.zone, list(place.cells), links, item.where.all_slices)


def share_resources(trail: Trail) -> None:
    """ "min 20 %, max 40 % of PRBs", "A at least 20 % of the PRBs, B at most 30 %": shares named together, one resource."""
    for (_, earlier), (clause, later) in itertools.pairwise(trail):
        limits = [i for i in (*earlier, *later) if isinstance(i, LimitDraft) and (i.change is None or i.change > 0)]
        alike = len(limits) == len(earlier) + len(later) > 1
        named = {i.resource for i in limits if i.resource}
        if alike and len(named) == 1 and all(i.change is None or not clause.slices for i in limits):
            for item in limits:
                item.resource = item.resource or next(iter(named))


def lend_subject(merged: Sequence[tuple[Clause, str]]) -> list[tuple[Clause, str]]:
    """ "Loss below 1 % and delay below 10 ms for URLLC": a slice behind the last figure is of the statements before it too."""
    out = list(merged)
    for i in range(len(out) - 1, 0, -1):
        clause, core = out[i]
        before, earlier = out[i - 1]
        subject = _trailing(clause)
        if subject is None or core not in _BOUNDING or earlier not in _BOUNDING or clause.opener not in ("and", ",", "or", "&"):
            continue
        if before.slices or before.links or before.heading or before.tags & {"util", "pronoun", "all", "slicetype"}:
            continue
        places = [] if before.zones or before.cells or "all" in before.tags else _places_behind(clause)
        out[i - 1] = (replace(before, chunks=[*before.chunks, subject, *places]), earlier)
    return out


def _places_behind(clause: Clause) -> list[Chunk]:
    last = max(figures(clause), default=-1)
    return [c for c in clause.chunks[last + 1 :] if c.tag == NAME and {n.kind for n in c.value} <= {ZONE, CELL}]


_GOES_ON = frozenset({",", "but", "and", ";", "with", "while", ".", "nor", "/", "|"})
_BOUNDING = frozenset({"kpi", "share", "change"})


def _trailing(clause: Clause) -> Chunk | None:
    """The slices that stand behind all figures of a clause."""
    last = max(figures(clause), default=-1)
    names = [i for i, c in enumerate(clause.chunks) if c.tag == NAME and {n.kind for n in c.value} == {SLICE}]
    return clause.chunks[names[0]] if len(names) == 1 and names[0] > last >= 0 else None


def share_risk(trail: Trail) -> None:
    """ "loss below 1 % and p99 below 9 ms, both with 95 % confidence": said once at the end, of all bounds of one subject."""
    for (_, earlier), (clause, later) in itertools.pairwise(trail):
        words = {c.word for c in clause.chunks}
        risk = risk_of(clause)
        if risk is None or not words & {"both", "each", "all", "either"}:
            continue
        for item in (*earlier, *later):
            if isinstance(item, ConstraintDraft) and item.probability is None:
                item.probability = risk.probability


def late_risk(items: Sequence[Item], waiting: Clause) -> None:
    """ "... A risk of 3 % is acceptable.": of the bounds before."""
    risk = risk_of(waiting)
    for item in items if risk is not None else ():
        if isinstance(item, ConstraintDraft) and item.probability is None and risk is not None:
            item.probability = risk.probability


def lead_place(sentence: Sequence[Clause], trail: Trail) -> None:
    """ "In the corridor, FWA ... and eMBB ...": a place at the head of a sentence is of all statements without another."""
    place = _leading(sentence[0])
    if place is None or len(trail) < 2:
        return
    for _, items in trail:
        for item in items:
            if isinstance(item, ConstraintDraft | LimitDraft | SurgeDraft) and not _placed(item.where):
                if place.links and not isinstance(item, LimitDraft):
                    continue
                item.where = Where(list(item.where.slices), place.zone, list(place.cells), place.links, item.where.all_slices)


def _leading(clause: Clause) -> Where | None:
    for i, chunk in enumerate(clause.chunks):
        if chunk.tag in ("filler", "window", "punct", "for", "in", "at", "on", "zonenoun", "cellnoun"):
            continue
        before = clause.chunks[i - 1].tag if i else ""
        kinds = {n.kind for n in chunk.value} if chunk.tag == NAME else set()
        if before not in ("for", "in", "at", "on", "filler", "zonenoun", "cellnoun") or not i or len(kinds) != 1:
            return None
        if not {c.tag for c in clause.chunks[:i]} & {"for", "in", "at", "on"}:
            return None
        if kinds == {ZONE} and len(chunk.value) == 1:
            return Where(zone=chunk.value[0].id)
        if kinds == {LINK}:
            return Where(links=[n.id for n in chunk.value])
        return Where(cells=[n.id for n in chunk.value]) if kinds == {CELL} else None
    return None


def _placed(where: Where) -> bool:
    return bool(where.zone or where.cells or where.links)


def parallel_places(trail: Trail) -> None:
    """ "20 Mbps to A and 45 Mbps to B in Z", "in Z 30 % more of A and 10 % more of B": one place for two of a kind."""
    for (before, earlier), (clause, later) in itertools.pairwise(trail):
        if clause.opener not in ("and", "&") or len(earlier) != 1 or len(later) != 1 or type(earlier[0]) is not type(later[0]):
            continue
        first, second = earlier[0], later[0]
        if isinstance(first, LimitDraft) and isinstance(second, LimitDraft):
            _elided_place(before, first, clause, second)
            continue
        if isinstance(first, ConstraintDraft) and isinstance(second, ConstraintDraft):
            alike = first.kpi == second.kpi and first.side == second.side
        else:
            alike = isinstance(first, SurgeDraft) and isinstance(second, SurgeDraft)
        if (
            not alike
            or not isinstance(first, ConstraintDraft | SurgeDraft)
            or not isinstance(second, ConstraintDraft | SurgeDraft)
        ):
            continue
        if not (first.where.slices and second.where.slices) or before.tags & {"all"}:
            continue
        if _placed(second.where) and not _placed(first.where) and isinstance(first, ConstraintDraft):
            first.where = replace(second.where, slices=first.where.slices)
        elif _placed(first.where) and not _placed(second.where) and _early(before):
            second.where = replace(first.where, slices=second.where.slices)


def _elided_place(before: Clause, first: LimitDraft, clause: Clause, second: LimitDraft) -> None:
    """ "visitors take at most half of the radio on Long Beach and residents at least 12 %": of the same radio."""
    told = first.resource and before.tags & {"prb", "bandwidth"} and not clause.tags & {"prb", "bandwidth", "share", "all"}
    alike = first.change is None and second.change is None and clause.slices and first.where.slices
    if told and alike and _placed(first.where) and not _placed(second.where):
        second.where = replace(first.where, slices=second.where.slices)


def _early(clause: Clause) -> bool:
    """Whether the place stands before the figure."""
    at = next((i for i, c in enumerate(clause.chunks) if c.tag == NAME and c.value[0].kind in (ZONE, CELL)), -1)
    return 0 <= at < min(figures(clause), default=-1)


def lead_resource(sentence: Sequence[Clause], trail: Trail) -> None:
    """ "Of the bandwidth of the links, at least 15 % ... and no more than 50 % ...": one resource for all shares."""
    first = sentence[0]
    told = first.tags & {"prb", "bandwidth"}
    if figures(first) or first.slices or len(told) != 1 or first.chunks[0].tag not in ("of", "from", "in", "for", "about"):
        return
    for item in (i for _, items in trail for i in items if isinstance(i, LimitDraft)):
        item.resource = item.resource or next(iter(told))


def same_work(items: Sequence[Item]) -> list[Item]:
    """ "A2 failed at 9:05. Assume it is down until noon": what was said first, without an end, again."""
    work = [item for item in items if isinstance(item, MaintenanceDraft)]
    return [
        first
        for first, second in itertools.pairwise(work)
        if (first.links, first.capacity) == (second.links, second.capacity)
        and all(p == Part(from_now=True) for p in first.parts)
    ]


def same_surge(trail: Trail) -> list[Item]:
    """ "Visitors at the expo will triple tomorrow, so prepare for three times the consumer traffic there": the first again."""
    said: list[Item] = []
    for (_, earlier), (clause, later) in itertools.pairwise(trail):
        if len(earlier) != 1 or len(later) != 1 or clause.opener not in ("so", "then", "therefore"):
            continue
        first, second = earlier[0], later[0]
        if not isinstance(first, SurgeDraft) or not isinstance(second, SurgeDraft) or first.factor != second.factor:
            continue
        if first.where.slices or (_placed(second.where) and second.where.zone != first.where.zone):
            continue
        second.where = replace(first.where, slices=second.where.slices)
        second.parts = second.parts or first.parts
        said.append(first)
    return said
