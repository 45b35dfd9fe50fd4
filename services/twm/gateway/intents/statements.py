"""One maker for each kind of statement: a clause in, drafts or questions out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twm.gateway.intents.bounds import AT_LEAST, AT_MOST, EXACT, against_now, bound_of, risk_of
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import figures
from twm.gateway.intents.drafts import ConstraintDraft, Item, LimitDraft, SurgeDraft, Where
from twm.gateway.intents.growth import MULTIPLES
from twm.gateway.intents.places import nowhere
from twm.gateway.intents.questions import quoted
from twm.gateway.intents.statements_kpi import about_links
from twm.gateway.intents.units import (
    COUNT,
    FACTOR,
    FRACTION,
    POINTS,
    PRB,
    RATIO,
    Quantity,
)

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

OVERLOAD_RATIO = 0.9
"""Utilisation above which a cell or link counts as overloaded where no figure was named."""


_RELATIVE = "A change of a share relative to now was read; a limit needs a share. Which one?"


def _resource(clause: Clause, where: Where) -> str:
    if where.links and not where.zone and not where.cells:
        return "bandwidth"
    if "prb" in clause.tags or any(c.tag == "quantity" and c.value.dim == PRB for c in clause.chunks):
        return "prb"
    if clause.tags & {"bandwidth", "transport", "capacity"} or about_links(clause):
        return "bandwidth"
    return ""


def share(reader: Reader, clause: Clause) -> None:
    """Limits on shares."""
    risk = risk_of(clause)
    taken = risk.taken if risk else set()
    where = reader.where(
        clause, ellipsis=reader.context.core in ("kpi", "share", "rank", "share_open", "freeze") or "pronoun" in clause.tags
    )
    if reader.context.heading is not None and reader.context.heading.slices and not clause.slices:
        where.slices = reader.context.heading.slices
    if not where.slices and not where.all_slices:
        reader.ask(
            "ambiguous_scope", "limits.scope.slices", "A share of which slice?", (*reader.names.ids["slice"], "all slices")
        )
        return
    heading = reader.context.heading
    if nowhere(clause, where):
        reader.ask("ambiguous_scope", "limits.scope", "Where is that?", (*reader.names.ids["zone"], "the whole area"))
        return
    resource = _resource(clause, where) or (_resource(heading, where) if heading is not None else "")
    if where.links == reader.names.ids["link"] and not clause.links:
        where.links = []  # "of any link": a share of the bandwidth, wherever it is
    for position in figures(clause):
        chunk = clause.chunks[position]
        low: float | None
        high: float | None
        moved = _moved_to(clause, position)
        if chunk.tag == "range" and moved is not None:
            value, side = _share_value(reader, moved), _limit_side(clause)
            if not side:
                text = f"A share of {value * 100:g} %: at least, at most or exactly?"
                reader.ask("missing_comparator", "limits", text, ("at least", "at most", "exactly"))
                continue
            low, high = (value, None) if side == AT_LEAST else (None, value)
        elif chunk.tag == "range":
            low, high = (_share_value(reader, q) for q in chunk.value)
        else:
            bound = bound_of(clause, position, taken)
            value = _share_value(reader, bound.quantity)
            side = bound.side
            if not side and "orbetter" in clause.tags:
                side = AT_LEAST
            if not bound.said and not clause.tags & {"reserve", "cap", "pin"} and not side:
                side = _held(clause, position) or (reader.context.side if reader.context.core == "share" else "")
            if bound.quantity.dim not in (RATIO, FRACTION, PRB, POINTS):
                continue
            if not side and heading is not None and not bound.said:
                side = _headed(heading)
            if more_than_now(clause, position) or against_now(clause, position):
                reader.ask("relative_bound", "limits", _RELATIVE)
                continue
            if not side or (bound.permitted and side == AT_LEAST):
                reader.ask(
                    "missing_comparator",
                    "limits",
                    f"A share of {value * 100:g} %: at least, at most or exactly?",
                    ("at least", "at most", "exactly"),
                )
                continue
            if bound.quantity.dim == POINTS and not clause.tags & {"share", "prb", "bandwidth", "perstep"}:
                reader.ask("not_understood", "limits", "Points of a share: the most it may be, or the largest step?")
                continue
            if _by(clause, position) or _of_another(clause, position):
                reader.ask("relative_bound", "limits", _RELATIVE)
                continue
            if "raise" in clause.tags and any(_frozen(item, where) for item in reader.out.items):
                reader.ask("clashing_change", "limits", "A share is to stay as it is and to be raised: which one holds?")
                continue
            low = value if side in (AT_LEAST, EXACT) else None
            high = value if side in (AT_MOST, EXACT) else None
            reader.context.side = side
            if side == EXACT and not clause.first:
                for item in [i for i in reader.out.items if isinstance(i, LimitDraft) and _said_again(i, where, value)]:
                    where, resource = item.where, resource or item.resource
                    reader.out.items.remove(item)
        for place in reader.zones(clause, where):
            draft = LimitDraft(clause=clause.chunks[0].start, where=place, low=low, high=high, resource=resource)
            if not any(_same(item, draft) for item in reader.out.items):
                reader.add(draft, clause)
    reader.context.where = where


def _same(item: Item, draft: LimitDraft) -> bool:
    """ "12 PRBs, i.e. 24 %": the same share in another unit."""
    if not isinstance(item, LimitDraft) or (item.low, item.high) != (draft.low, draft.high) or item.change is not None:
        return False
    return item.where == draft.where and draft.resource in ("", item.resource)


def _said_again(item: LimitDraft, where: Where, value: float) -> bool:
    """ "a quarter of the PRBs, exactly a quarter": the share before, told more sharply."""
    if item.change is not None or item.low == item.high:
        return False
    placed = where.zone or where.cells or where.links
    return item.where.slices == where.slices and (item.where == where or not placed) and value in (item.low, item.high)


def _moved_to(clause: Clause, position: int) -> Quantity | None:
    """ "raise the floor from 10 % to 20 %", "lower the cap from 40 to 30 %": where a limit goes, and no range."""
    up, down = "raise" in clause.tags, bool(clause.tags & {"reduce", "less"})
    before = clause.chunks[position - 1].tag if position else ""
    if clause.chunks[position].tag != "range" or before != "from" or up == down:
        return None
    ends: tuple[Quantity, Quantity] = clause.chunks[position].value
    return max(ends, key=lambda q: q.value) if up else min(ends, key=lambda q: q.value)


def _limit_side(clause: Clause) -> str:
    low, high = bool(clause.tags & {"atleast", "reserve"}), bool(clause.tags & {"atmost", "cap"})
    return "" if low == high else AT_LEAST if low else AT_MOST


def _frozen(item: Item, where: Where) -> bool:
    if not isinstance(item, LimitDraft) or item.change != 0.0:
        return False
    slices = not item.where.slices or set(item.where.slices) == set(where.slices)
    return slices and item.where.zone == where.zone and item.where.cells == where.cells


def _headed(heading: Clause) -> str:
    """ "Minimum share: ...", "Caps: ..."."""
    tags = heading.tags
    if "atleast" in tags or ("reserve" in tags and tags & {"share", "prb", "bandwidth"}):
        return AT_LEAST
    return AT_MOST if tags & {"atmost", "cap"} else EXACT if "pin" in tags else ""


def more_than_now(clause: Clause, position: int) -> bool:
    """ "5 points more", "20 % extra PRBs": relative to now."""
    after = clause.chunks[position + 1] if position + 1 < len(clause.chunks) else None
    if after is not None and after.word in ("faster", "slower", "quicker", "better"):
        return True
    return after is not None and after.tag in ("more", "less") and after.word not in ("busier", "heavier")


def _of_another(clause: Clause, position: int) -> bool:
    """ "at most half of eMBB's share"."""
    after = [c for c in clause.chunks[position + 1 : position + 4] if c.tag != "filler"]
    named = len(after) > 1 and after[0].tag == "of" and after[1].tag == "name" and after[1].value[0].kind == "slice"
    return named and len(clause.slices) > len(after[1].value)


def _by(clause: Clause, position: int) -> bool:
    if position > 0 and clause.chunks[position - 1].word == "up":
        return True  # "we want embb up 20 %"
    return position > 0 and clause.chunks[position - 1].tag == "by" and bool(clause.tags & {"reduce", "raise"})


_HELD_TO = frozenset({"hold", "holds", "held", "holding", "keep", "keeps", "kept", "keeping", "confine", "confined"})


def _held(clause: Clause, position: int) -> str:
    """ "keep eMBB at 30 %"."""
    before = clause.chunks[position - 1].tag if position else ""
    if before == "to" and any(c.word in _HELD_TO for c in clause.chunks[:position]):
        return AT_MOST
    after = [c.tag for c in clause.chunks[position + 1 : position + 6] if c.tag != "filler"]
    if before == "hold" and "for" in after and after[after.index("for") + 1 :][:1] == ["name"]:
        return AT_LEAST  # "keep 20 % of the PRBs for embb"
    if position and clause.chunks[position - 1].word in ("keep", "keeps", "retain", "retains"):
        owner = any(c.tag == "name" and c.value[0].kind == "slice" for c in clause.chunks[: position - 1])
        return AT_LEAST if owner else ""  # "residents must keep 15 % of the radio"
    return EXACT if before == "at" and "hold" in clause.tags else ""


def _share_value(reader: Reader, quantity: Quantity) -> float:
    value = quantity.value / reader.spec.prb_grid.prb_count if quantity.dim == PRB else quantity.value
    return -value if quantity.signed < 0 else value


def change(reader: Reader, clause: Clause) -> None:
    """The largest change per step."""
    where = reader.where(clause, ellipsis="pronoun" in clause.tags)
    goes_on = not clause.first and reader.context.core == "share" and not clause.tags & {"all", "share"}
    if goes_on and not (where.slices or where.all_slices or where.zone or where.cells or where.links):
        where = reader.context.where.copy()  # "..., with no step larger than 2 points": of the share before
    risk = risk_of(clause)
    found = [i for i in figures(clause) if clause.chunks[i].tag == "quantity"]
    if not found:
        reader.ask("missing_bound", "limits.max_change", "By how much may a share change per step?", ("5 points", "10 points"))
        return
    if {"from", "to"} <= clause.tags and len(where.slices) > 1:
        reader.ask("relative_bound", "limits", "Shares are not moved by hand. Which share is each slice to have?")
        return
    bound = bound_of(clause, found[0], risk.taken if risk else set())
    if not bound.said and _by(clause, found[0]) and not clause.tags & {"neg", "change", "allow", "cap"}:
        if any(_frozen(item, where) for item in reader.out.items):
            reader.ask("clashing_change", "limits", "A share is to stay as it is and to be moved: which one holds?")
            return
        text = "Shares are not moved by hand. Is that the largest step, or which share is meant?"
        reader.ask("relative_bound", "limits", text)
        return
    if bound.side == AT_LEAST and bound.said:
        reader.ask(
            "clashing_change",
            "limits.max_change",
            "A least change per step cannot be asked for. Is it the largest?",
            ("at most", "drop it"),
        )
        return
    if _ordered_by(clause, found[0]) and not bound.said:
        reader.ask(
            "relative_bound", "limits", "Shares are not moved by hand. Is it the largest change per step?", ("at most", "no")
        )
        return
    heading = reader.context.heading
    resource = _resource(clause, where) or (_resource(heading, where) if heading is not None else "")
    for place in reader.zones(clause, where):
        draft = LimitDraft(clause=clause.chunks[0].start, where=place, change=bound.quantity.value, resource=resource)
        reader.add(draft, clause)


def _ordered_by(clause: Clause, position: int) -> bool:
    """ "raise skiers by 10 points per step": an order to move a share, and no bound on its moves."""
    before = clause.chunks[:position]
    moved = any(c.tag in ("raise", "reduce") for c in before)
    return moved and before[-1].tag == "by" and not {c.tag for c in before} & {"neg", "allow", "atmost", "cap", "only"}


ASIDE = frozenset({",", "(", "-", "--", "–", "—", "so"})
"""Openers of what is said beside a statement."""


def freeze(reader: Reader, clause: Clause) -> None:
    """No change at all."""
    where = reader.where(clause, ellipsis=False)
    named = where.slices or where.zone or where.cells or where.links
    if not named and "pronoun" in clause.tags:
        where = reader.context.where
        named = where.slices or where.zone or where.cells or where.links
    if named and not where.slices and not where.links and _it_before_its_place(clause):
        spoken = reader.context.slices or reader.context.mentioned
        if not spoken:
            reader.ask("ambiguous_scope", "limits.scope", "What is to stay as it is there?", reader.names.ids["slice"])
            return
        where.slices = list(spoken)
    if not named and clause.opener in ASIDE and reader.context.core == "freeze" and reader.out.items:
        reader.out.items[-1].parts += clause.windows()  # "freeze it (no changes)", "..., nobody touches anything": said already
        return
    if not named and not clause.tags & {"all"} and not any(c.word in ("nothing", "none", "no") for c in clause.chunks):
        if any(c.tag in ("fuzzy", "unknown_name", "slicetype", "place") for c in clause.chunks):
            return
        reader.ask(
            "ambiguous_scope",
            "limits.scope",
            "What is to stay as it is?",
            (*reader.names.ids["slice"], *reader.names.ids["zone"], "everything"),
        )
        return
    resource = "bandwidth" if where.links and not (where.zone or where.cells) else "prb" if "prb" in clause.tags else ""
    for place in reader.zones(clause, where):
        draft = LimitDraft(clause=clause.chunks[0].start, where=place, change=0.0, resource=resource)
        frozen = [i for i in reader.out.items if isinstance(i, LimitDraft) and i.change == 0.0 and i.where == place]
        said = frozen[-1] if frozen else None
        if said is not None and not (said.parts and clause.windows()):
            said.parts += clause.windows()  # "it is frozen until 18:00, nobody changes its shares"
            continue
        reader.add(draft, clause)
    reader.context.where = where


def _it_before_its_place(clause: Clause) -> bool:
    """ "Freeze it in the corridor": "it" is something there, and not the place."""
    at = next((i for i, c in enumerate(clause.chunks) if c.word in ("it", "them")), -1)
    place = clause.find("name")
    return 0 <= at < place and clause.find("freeze", "change") >= 0


def unfreeze(reader: Reader, clause: Clause) -> None:
    """ "No freezing" takes nothing back and bounds nothing: nothing follows where something else is said."""
    if not reader.out.items and len(clause.chunks) > 2:
        reader.ask("no_goal", "limits", "Nothing is to be frozen: what is the goal instead?")


def surge(reader: Reader, clause: Clause) -> None:
    """Demand that will differ."""
    where = reader.where(clause, ellipsis=False)
    where.links = []
    factor = _factor(clause)
    if factor is None:
        surge_open(reader, clause)
        return
    if not (where.slices or where.zone or where.cells or "all" in clause.tags or where.all_slices):
        if reader.context.zone and "pronoun" in clause.tags:
            where.zone = reader.context.zone
        elif any(c.tag in ("fuzzy", "unknown_name", "place", "slicetype") for c in clause.chunks):
            return
        else:
            reader.ask(
                "ambiguous_scope",
                "context.surges.scope",
                "Where is the surge expected?",
                (*reader.names.ids["zone"], "the whole area"),
            )
            return
    last = reader.out.items[-1] if reader.out.items else None
    if (
        isinstance(last, SurgeDraft)
        and not clause.slices
        and "demand" not in clause.tags
        and clause.opener in (",", "and", "but")
    ):
        where.slices = where.slices or list(last.where.slices)  # "... grows by 45 % at the dock, at the airstrip by 20 %"
    for place in reader.zones(clause, where):
        reader.add(SurgeDraft(clause=clause.chunks[0].start, where=place, factor=factor), clause)


def _factor(clause: Clause) -> float | None:
    chunks, tags = clause.chunks, clause.tags
    risk = risk_of(clause)
    skip = risk.taken if risk else set()
    falling = any(c.tag in ("less", "below") or (c.tag in ("reduce", "down") and not c.word.startswith("halv")) for c in chunks)
    for i, chunk in enumerate(chunks):
        if chunk.tag in MULTIPLES:
            return MULTIPLES[chunk.tag]
        if chunk.tag == "reduce" and chunk.word.startswith("halv"):
            return 0.5
        if chunk.tag != "quantity" or i in skip:
            continue
        quantity: Quantity = chunk.value
        if quantity.dim == FACTOR:
            return quantity.value
        if quantity.dim == COUNT and i > 0 and any(c.word == "factor" for c in chunks[max(i - 3, 0) : i]):
            return quantity.value
        if quantity.dim == COUNT and i + 1 < len(chunks) and chunks[i + 1].tag == "times":
            return quantity.value
        if quantity.dim in (RATIO, FRACTION):
            if quantity.signed:
                return round(1 + quantity.signed * quantity.value, 9)
            after = chunks[i + 1 : i + 5]
            if i > 0 and chunks[i - 1].tag == "to" and tags & {"reduce", "down", "raise", "less", "more"}:
                return quantity.value
            if ("reach" in tags and "raise" not in tags) or (
                after
                and after[0].tag in ("of", "filler")
                and any(c.tag == "usual" for c in after)
                and not tags & {"more", "raise"}
            ):
                return quantity.value
            if quantity.dim == FRACTION and not tags & {"more", "raise", "less", "reduce", "by"}:
                return quantity.value
            return round(1 - quantity.value if falling else 1 + quantity.value, 9)
    return None


def surge_open(reader: Reader, clause: Clause) -> None:
    """A surge without a figure."""
    reader.ask(
        "missing_bound",
        "context.surges.factor",
        "How much more traffic than usual is expected?",
        ("30 % more", "twice as much"),
    )


def relieve(reader: Reader, clause: Clause) -> None:
    """No overload: a bound on utilisation."""
    where = reader.where(clause, ellipsis=False)
    where.slices = []
    if about_links(clause) and not where.links:
        where.links = list(reader.names.ids["link"])
        where.zone = ""
    if not (where.zone or where.cells or where.links or clause.tags & {"all", "prb"}):
        reader.ask(
            "ambiguous_scope", "constraints.scope", "What must not be overloaded?", (*reader.names.ids["zone"], "all links")
        )
        return
    for place in reader.zones(clause, where):
        reader.add(
            ConstraintDraft(
                clause=clause.chunks[0].start,
                kpi="utilisation_ratio",
                where=place,
                side=AT_MOST,
                bound=OVERLOAD_RATIO,
                default=True,
            ),
            clause,
        )


def share_open(reader: Reader, clause: Clause) -> None:
    """A share without a figure."""
    slices = f" of {quoted(', '.join(clause.slices))}" if clause.slices else ""
    reader.ask("missing_bound", "limits", f"A share or throughput{slices}: which figure?", ("e.g. 20 %", "e.g. 100 Mbps"))
