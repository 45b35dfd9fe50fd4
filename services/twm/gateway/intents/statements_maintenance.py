"""Statements about links that do less than usual: work, failures, what is left; a clause in, drafts or questions out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import figures
from twm.gateway.intents.drafts import MaintenanceDraft
from twm.gateway.intents.statements import ASIDE
from twm.gateway.intents.times import Part
from twm.gateway.intents.units import COUNT, FRACTION, NOMINAL, POINTS, RATE, RATIO, Quantity

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader


def maintenance(reader: Reader, clause: Clause) -> None:
    """Links with less capacity."""
    links = clause.links
    if _work_again(reader, clause) or _no_work(clause):
        return
    if not links:
        stated = any(isinstance(item, MaintenanceDraft) for item in reader.out.items) or reader.names_links
        told = _said_of_work(reader, clause) or (stated and _only_told(clause))
        if not any(c.tag in ("fuzzy", "unknown_name") for c in clause.chunks) and not told:
            reader.ask("missing_link", "context.maintenance.link_index", "Work on which link?", reader.names.ids["link"])
        return
    ratios = [clause.chunks[i].value for i in figures(clause) if clause.chunks[i].tag == "quantity"]
    if len(links) == len(ratios) > 1 and all(q.dim in (RATIO, FRACTION) and not q.signed for q in ratios):
        if clause.tags & {"reduce", "lose", "loss", "less", "degrade"}:
            reader.ask(
                "missing_bound", "context.maintenance.capacity_factor", "How much of the capacity is left of which link?"
            )
            return
        for link, ratio in zip(links, ratios, strict=True):
            reader.add(MaintenanceDraft(clause=clause.chunks[0].start, links=[link], capacity=round(ratio.value, 9)), clause)
        return
    capacity = 0.0
    partly = any(c.tag == "degrade" or (c.tag in ("lose", "capacity") and "capacity" in c.word) for c in clause.chunks)
    halved = any(c.word.startswith("halv") for c in clause.chunks)
    if partly and not halved and not figures(clause) and not clause.tags & {"down", "maint", "fail", "neg", "all"}:
        text = "How much of the capacity is left?"
        reader.ask("missing_bound", "context.maintenance.capacity_factor", text, ("50 %", "0 %"))
        return
    if halved:
        capacity = 0.5
    for i in figures(clause):
        chunk = clause.chunks[i]
        if chunk.tag == "range":
            continue
        quantity: Quantity = chunk.value
        if quantity.dim in (RATIO, FRACTION, POINTS):
            before = {c.tag for c in clause.chunks[max(i - 3, 0) : i]}
            lost = (i + 1 < len(clause.chunks) and clause.chunks[i + 1].tag == "less") or (
                not _is_left(clause, i)
                and (
                    ("by" in before and clause.tags & {"reduce", "degrade", "lose", "less", "down"})
                    or (clause.tags & {"lose", "loss"} and "to" not in before)
                    or quantity.signed < 0
                    or (
                        quantity.of == NOMINAL
                        and bool({"gone", "missing"} & {w for c in clause.chunks for w in c.word.split()})
                    )
                )
            )
            capacity = round(1 - quantity.value if lost else quantity.value, 9)
        elif quantity.dim == RATE:
            nominal = {link.id: link.capacity_mbps for link in reader.spec.transport.links}
            capacity = round(min(quantity.value / max(nominal[link] for link in links), 1.0), 9)
        elif quantity.dim == COUNT:
            reader.ask(
                "missing_unit", "context.maintenance.capacity_factor", "How much of the capacity is left?", ("0 %", "50 %")
            )
            return
    if all(part.back for part in clause.windows()) and any(
        isinstance(item, MaintenanceDraft) and item.links == links and item.capacity == capacity for item in reader.out.items
    ):
        return  # "splicing on down-4 tonight, and meanwhile that link carries nothing": said already
    for item in reader.out.items:
        if not isinstance(item, MaintenanceDraft) or item.links != links or item.capacity != capacity:
            continue
        ends = bool(clause.windows()) and all(part.until or part.end for part in clause.windows())
        if (not item.parts or ends) and any(c.word in ("it", "them", "they") for c in clause.chunks):
            begun = [part for part in item.parts if _begins(part)]
            item.parts = [*begun, *clause.windows()]  # "L1 died at 9:12. Count it out until 10:00."
            return
    reader.add(MaintenanceDraft(clause=clause.chunks[0].start, links=links, capacity=capacity), clause)


def _begins(part: Part) -> bool:
    """Whether it is a beginning, and no end."""
    return not (part.end or part.until or part.part or part.end_day or part.duration_s)


_CALLED_OFF = frozenset({"cancelled", "canceled", "scrapped"})
_MENDED = frozenset({"repaired", "replaced", "serviced", "spliced", "upgraded", "respliced"})


def _no_work(clause: Clause) -> bool:
    """ "No work on L1 tonight", "L1 will not be down", "the works are cancelled", "L1 repaired": nothing is missing."""
    words = {c.word for c in clause.chunks}
    if words & _CALLED_OFF:
        return True
    if words & _MENDED and not clause.windows() and not words & {"being", "be", "will", "to", "getting"}:
        return not figures(clause)
    for i, chunk in enumerate(clause.chunks):
        if chunk.tag != "neg":
            continue
        after = [c for c in clause.chunks[i + 1 :] if c.tag not in ("filler", "hold", "window")][:1]
        if after and after[0].tag in ("maint", "down", "fail") and after[0].word not in ("working", "worked"):
            return not figures(clause)
    return False


def _only_told(clause: Clause) -> bool:
    """ "Fibre cut at the gate", "the repair crew says 23:30": of work on links that are named elsewhere."""
    words = {c.word for c in clause.chunks}
    return not figures(clause) and not words & {"link", "links", *_READY} and not clause.tags & {"expect", "transport"}


_READY = frozenset({"ready", "done", "finished", "complete", "completed", "over"})
_WORK_NOUNS = ("repair", "maint", "splic", "replac", "work", "outage", "swap", "upgrade", "failure", "servic")


def _work_again(reader: Reader, clause: Clause) -> bool:
    """ "..., the repair will last until 19:45", "... go dark at 5 am (fibre splice)": of the links of before, said already."""
    last = reader.out.items[-1] if reader.out.items else None
    chunks = [c for c in clause.chunks if not (c.tag == "name" and c.value[0].kind == "link")]
    own = len(chunks) == len(clause.chunks) or reader.context.heading is not None
    at = next((i for i, c in enumerate(chunks) if c.tag in ("maint", "fail") and c.word.startswith(_WORK_NOUNS)), -1)
    if not isinstance(last, MaintenanceDraft) or at < 0 or figures(clause) or not own:
        return False
    ready = {c.word for c in chunks} & _READY
    if ready or (clause.links and set(clause.links) != set(last.links)):
        return False
    pointed = at > 0 and chunks[at - 1].word in ("the", "this", "that", "its", "their", "these")
    if not pointed and not (clause.opener in ASIDE and not clause.windows() and len(chunks) <= 3):
        return False
    for item in reader.out.items:
        if isinstance(item, MaintenanceDraft) and item.clause == last.clause:
            item.parts += clause.windows()
    return True


def _said_of_work(reader: Reader, clause: Clause) -> bool:
    """ "... go dark on Friday (fibre splice)", "..., fibre cut at the gate": of the work that was announced right before."""
    last = reader.out.items[-1] if reader.out.items else None
    return isinstance(last, MaintenanceDraft) and not clause.windows() and not figures(clause)


_LEFT_WORDS = "left remain remains remaining available stays stay usable keeps keep has have still with carries retains runs"
_LEFT = frozenset(_LEFT_WORDS.split())


def _is_left(clause: Clause, position: int) -> bool:
    """ "lost a fibre pair and has 60 % of its capacity left": the figure is what remains, whatever was lost."""
    chunks = clause.chunks
    told = [c.word for c in chunks[max(position - 2, 0) : position] if c.tag in ("loss", "lose") or c.word in _LEFT]
    if told:
        return told[-1] in _LEFT
    after = next((i for i in range(position + 1, len(chunks)) if chunks[i].tag in ("quantity", "range")), len(chunks))
    return bool(_LEFT & {c.word for c in chunks[position + 1 : after]})
