"""Statements that bound a KPI: a clause in, drafts or questions out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from twm.gateway.intents.bounds import AT_LEAST, AT_MOST, EXACT, Bound, against_now, bound_of, risk_of
from twm.gateway.intents.chunks import UNKNOWN, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, figures
from twm.gateway.intents.drafts import ConstraintDraft, Where
from twm.gateway.intents.fullness import FULL
from twm.gateway.intents.growth import MULTIPLES
from twm.gateway.intents.kpi_names import kpi_name, within_delay
from twm.gateway.intents.notices import unknown
from twm.gateway.intents.places import nowhere, of_all_slices, plain_word
from twm.gateway.intents.questions import quoted
from twm.gateway.intents.strangers import strange_place, strange_words
from twm.gateway.intents.units import (
    BYTES,
    COUNT,
    DELAY,
    DURATION,
    FACTOR,
    FRACTION,
    POINTS,
    PRB,
    RATE,
    RATIO,
    SECONDS,
    Quantity,
)

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

KPI_WORDS = {
    "delay_p99_ms": "p99 delay",
    "delay_mean_ms": "mean delay",
    "loss_ratio": "loss",
    "throughput_mbps": "throughput",
    "utilisation_ratio": "utilisation",
}
_UNITS = {
    "delay_p99_ms": ("ms", "us", "s"),
    "delay_mean_ms": ("ms", "us", "s"),
    "loss_ratio": ("%",),
    "throughput_mbps": ("kbps", "Mbps", "Gbps"),
    "utilisation_ratio": ("%",),
}
_THAN_NOW = frozenset({"faster", "slower", "quicker", "shorter", "longer", "worse"})
_DIM_WORDS = {
    RATIO: "a percentage",
    POINTS: "percentage points",
    DELAY: "a time",
    SECONDS: "a time",
    DURATION: "a time",
    RATE: "a data rate",
    FACTOR: "a factor",
    PRB: "a number of PRBs",
    FRACTION: "a share",
    COUNT: "a plain number",
}


def _packets_in_time(clause: Clause, position: int, quantity: Quantity) -> bool:
    """ "lose up to 3 ms of their packets"."""
    after = [c.tag for c in clause.chunks[position + 1 : position + 5]]
    return quantity.dim == DELAY and after[:1] == ["of"] and "packet" in after and bool(clause.tags & {"lose", "loss"})


def kpi(reader: Reader, clause: Clause) -> None:
    """KPI constraints, one for each figure."""
    risk = risk_of(clause)
    taken = risk.taken if risk else set()
    where = _scope_of(reader, clause)
    if nowhere(clause, where):
        reader.ask("ambiguous_scope", "constraints.scope", "Where is that?", (*reader.names.ids["zone"], "the whole area"))
        return
    headed = reader.context.heading is not None and "util" in reader.context.heading.tags
    stranger = "" if where.links or where.cells or where.zone or where.slices else _full_of(clause)
    if stranger:
        reader.ask(
            "ambiguous_scope", "constraints.scope", f"The utilisation of {quoted(stranger)}: which cells or links is that?"
        )
        return
    within = within_delay(clause)
    if within is not None and within != 0.99:
        reader.ask(
            "unsupported_kpi",
            "constraints.kpi",
            "Of the delay, only the 99th percentile and the mean are predicted. Which is meant?",
            ("p99 delay", "mean delay"),
        )
        return
    for position in figures(clause):
        chunk = clause.chunks[position]
        if within is not None and chunk.tag == "quantity" and chunk.value.dim == RATIO:
            continue
        bounds = (
            [Bound(chunk.value[0], AT_LEAST, position), Bound(chunk.value[1], AT_MOST, position)]
            if chunk.tag == "range"
            else [bound_of(clause, position, taken)]
        )
        for bound in bounds:
            if _packets_in_time(clause, position, bound.quantity):
                reader.ask("unit_mismatch", "constraints.bound", "Packets are lost by a share, not by a time. Which share?")
                continue
            name, delivered = kpi_name(reader, clause, position, bound.quantity, where)
            if not name:
                reader.ask("not_understood", "constraints.kpi", "Which KPI does the figure bound?", tuple(KPI_WORDS.values()))
                continue
            value = _in_unit(reader, clause, name, bound, position)
            if value is None:
                continue
            sided = bound.side or clause.tags & {"util", "demand"} or reader.context.kpi or headed
            if name == "utilisation_ratio" and not sided:
                choices = ("utilisation at most", "capacity left")
                reader.ask("missing_comparator", "constraints", f"{bound.quantity.value * 100:g} % of what?", choices)
                continue
            side = _side(bound, name)
            if bound.permitted and (bound.side == AT_LEAST or name == "throughput_mbps"):
                reader.ask(
                    "missing_comparator",
                    "constraints.comparator",
                    f"That {KPI_WORDS[name]} may pass a figure bounds nothing. Which bound is meant?",
                    ("at most", "at least"),
                )
                continue
            if "risk" in clause.tags and name.startswith("delay"):
                side = AT_MOST
            elif name == "throughput_mbps" and _raised_to(clause, position):
                side = AT_LEAST
            elif _feared(clause, position):
                side = AT_LEAST if name == "throughput_mbps" else AT_MOST
            if delivered:
                value, side = round(1.0 - value, 12), AT_MOST
            elif side == AT_LEAST and (name.startswith(("delay", "loss")) or _status(clause)):
                reader.ask(
                    "missing_comparator",
                    "constraints.comparator",
                    f"A least {KPI_WORDS[name]} of {bound.quantity.value:g} was read. Is it the most allowed?",
                    ("at most", "at least"),
                )
                continue
            _constraints(reader, clause, name, side, value, where, risk.probability if risk else None)


def _constraints(
    reader: Reader, clause: Clause, name: str, side: str, value: float, where: Where, probability: float | None
) -> None:
    if name != "utilisation_ratio" and not where.slices and not where.all_slices and not of_all_slices(reader, clause, where):
        slices = reader.names.ids["slice"]
        reader.ask("ambiguous_scope", "constraints.scope.slices", f"{KPI_WORDS[name]} of which slice?", (*slices, "all slices"))
        return
    nowhere_known = not (where.slices or where.zone or where.cells or where.links)
    if name == "utilisation_ratio" and nowhere_known and strange_place(clause):
        reader.ask("ambiguous_scope", "constraints.scope", "Utilisation of what?", (*reader.names.ids["zone"], "everything"))
        return
    if clause.opener == "or" and not clause.slices and (reader.context.kpi, reader.context.side) == (name, side):
        reader.ask("clashing_bounds", "constraints.bound", f"One {KPI_WORDS[name]} or another: which bound holds?")
        return
    sides = (AT_LEAST, AT_MOST) if side == EXACT else (side,)
    for one in sides:
        for place in reader.zones(clause, where):
            reader.add(
                ConstraintDraft(
                    clause=clause.chunks[0].start, kpi=name, where=place, side=one, bound=value, probability=probability
                ),
                clause,
            )
    reader.context.kpi, reader.context.side, reader.context.where = name, side, where
    reader.context.slices = list(where.slices) or reader.context.slices


def _scope_of(reader: Reader, clause: Clause) -> Where:
    where = reader.where(
        clause, ellipsis=reader.context.core in ("kpi", "share", "rank", "kpi_open") or "pronoun" in clause.tags
    )
    spoken = reader.context.mentioned if not reader.context.core and not where.slices else []
    placed = bool(where.zone or where.cells or where.links) and "there" not in clause.tags
    if len(spoken) == 1 and not (where.all_slices or (not _unsaid(clause) and (placed or strange_words(clause)))):
        where.slices, where.zone = list(spoken), where.zone or ("" if placed else reader.context.mentioned_zone)
    told = not reader.context.core and where.slices and where.slices == reader.context.mentioned and not clause.slices
    if told and not (where.zone or where.cells or where.links):
        where.zone = reader.context.mentioned_zone
    if (where.links or "util" in clause.tags or _full(clause)) and not clause.slices:
        where.slices = []
    if not where.links and not where.zone and not where.cells and about_links(clause):
        where.links = _links_called(reader, clause)
    return where


def _status(clause: Clause) -> bool:
    """ "L1 has been above 90 % all day": how full it is, and no bound."""
    words = {c.word for c in clause.chunks}
    full = bool(clause.links or clause.cells or "util" in clause.tags) and not clause.slices
    return full and bool(words & {"been", "was", "were", "is", "are"}) and not clause.tags & {"hold", "atleast", "neg"}


def _full(clause: Clause) -> bool:
    return bool({c.word for c in clause.chunks} & FULL) and bool(clause.cells or clause.links or clause.zones)


def _full_of(clause: Clause) -> str:
    """ "Utilisation of chairlift-down": what the network does not have."""
    chunks = clause.chunks
    for i, chunk in enumerate(chunks[1:], 1):
        behind = chunks[i - 1].tag in ("of", "for", "on", "at", "in") or chunks[i - 1].word in ("the", "our")
        if chunk.tag in (UNKNOWN, "place") and behind and "util" in {c.tag for c in chunks[:i]}:
            return chunk.word
    return ""


def _unsaid(clause: Clause) -> bool:
    """ "Wants a delay under 0.2 s at Laksevik": who does was said before."""
    first = next((c for c in clause.chunks if c.tag not in ("punct", "window")), None)
    return first is not None and (
        first.tag == "reserve" or first.word in ("wants", "want", "asks", "requires", "must", "should")
    )


def _links_called(reader: Reader, clause: Clause) -> list[str]:
    """All links, or those that share the word before the noun: "the microwave links"; asked where none is called so."""
    chunks = clause.chunks
    at = next((i for i, c in enumerate(chunks) if c.tag == "linknoun" and c.word.startswith("link")), 0)
    before = chunks[at - 1] if at else None
    single = chunks[at].word == "link" and not clause.tags & {"all", "neg"} and "no" not in {c.word for c in chunks}
    if single or any(c.word == "one" for c in chunks[:at]):
        found = _links_with(reader, before.word) if before is not None else []
        if len(found) == 1:
            return found
        reader.ask("ambiguous_scope", "constraints.scope.links", "Which link is meant?", found or reader.names.ids["link"])
        return []
    if before is None or before.tag not in (UNKNOWN, "filler", "linknoun", "place", "down", "raise") or _no_name(before.word):
        return list(reader.names.ids["link"])
    found = _links_with(reader, before.word)
    if not found:
        unknown(reader, "link", before.word)
    return found


def _links_with(reader: Reader, word: str) -> list[str]:
    return [x for x in reader.names.ids["link"] if word in re.split(r"[-_./]", x.casefold())]


def _no_name(word: str) -> bool:
    return bool(plain_word(word) or word in ("other", "same", "new", "network", "these", "two", "both", "four", "six"))


def about_links(clause: Clause) -> bool:
    """Whether links or transport are spoken of, named or not."""
    return any(c.tag == "transport" or (c.tag == "linknoun" and c.word.startswith("link")) for c in clause.chunks)


def headroom(reader: Reader, clause: Clause) -> None:
    """ "Keep 20 % of up-3 free": what is left is a bound on utilisation."""
    where = _scope_of(reader, clause)
    where.slices = []
    risk = risk_of(clause)
    for position in figures(clause):
        chunk = clause.chunks[position]
        bound = bound_of(clause, position, risk.taken if risk else set()) if chunk.tag == "quantity" else None
        if bound is None or bound.side == AT_MOST or bound.quantity.dim not in (RATIO, FRACTION):
            reader.ask(
                "missing_comparator", "constraints", "How much is to stay free at least?", ("at least 10 %", "at least 20 %")
            )
            continue
        value = round(1.0 - bound.quantity.value, 9)
        _constraints(reader, clause, "utilisation_ratio", AT_MOST, value, where, risk.probability if risk else None)


def _side(bound: Bound, name: str) -> str:
    natural = AT_LEAST if name == "throughput_mbps" else AT_MOST
    if not bound.said and bound.side != EXACT:
        if name == "throughput_mbps":
            return AT_MOST if bound.side == AT_MOST else AT_LEAST
        return natural
    return bound.side or natural


def _in_unit(reader: Reader, clause: Clause, name: str, bound: Bound, position: int) -> float | None:
    """The bound in the KPI's unit; None after a question."""
    quantity, chunks = bound.quantity, clause.chunks
    before = [c for c in chunks[max(position - 2, 0) : position] if c.tag not in ("about",) and c.word != "the"]
    relative = (
        bool(before) and before[-1].tag == "by" and bool(clause.tags & {"reduce", "raise", "less", "more", "down", "better"})
    )
    after = chunks[position + 1] if position + 1 < len(chunks) else None
    relative = relative or (after is not None and (after.tag in ("more", "less", "better") or after.word in _THAN_NOW))
    relative = relative or (quantity.dim == FRACTION and not bound.said and _of_the_kpi(chunks, position))
    relative = relative or (quantity.dim in (FRACTION, FACTOR) and name not in ("loss_ratio", "utilisation_ratio"))
    relative = relative or against_now(clause, position)
    if relative or (clause.tags & MULTIPLES.keys()):
        reader.ask(
            "relative_bound",
            "constraints.bound",
            f"A change of {KPI_WORDS[name]} was read; a constraint needs a bound. Which one?",
            tuple(f"... {unit}" for unit in _UNITS[name]),
        )
        return None
    value = quantity.value
    if quantity.dim == BYTES and name == "throughput_mbps":
        reader.ask(
            "ambiguous_unit",
            "constraints.bound",
            "Megabytes or megabits per second?",
            (f"{value:g} Mbps", f"{8 * value:g} Mbps"),
        )
        return None
    if name.startswith("delay"):
        if quantity.dim in (DELAY, SECONDS):
            sign = -1.0 if quantity.signed < 0 else 1.0
            return sign * value * (1000 if quantity.dim == SECONDS else 1)
    elif name in ("loss_ratio", "utilisation_ratio"):
        if quantity.dim in (RATIO, FRACTION) or (
            quantity.dim == COUNT and (0 < value < 1 or (not value and name == "loss_ratio"))
        ):
            return -value if quantity.signed < 0 else value
    elif quantity.dim == RATE:
        return value
    if quantity.dim == COUNT:
        units = _UNITS[name]
        reader.ask(
            "missing_unit",
            "constraints.bound",
            f"{KPI_WORDS[name]} of {value:g}: in which unit?",
            [f"{value:g} {unit}" for unit in units],
        )
    else:
        reader.ask(
            "unit_mismatch",
            "constraints.bound",
            f"{KPI_WORDS[name]} is measured in {' or '.join(_UNITS[name])}, but {_DIM_WORDS.get(quantity.dim, 'another unit')} "
            "was named. What is its bound?",
            [f"... {unit}" for unit in _UNITS[name]],
        )
    return None


_FALLS = frozenset(
    {"drop", "drops", "fall", "falls", "go", "goes", "sink", "sinks", "dip", "dips", "exceed", "exceeds", "passes"}
)


_LIFTING = frozenset({"get", "getting", "bring", "push", "lift", "raise", "boost", "pull", "speed", "back"})


def _raised_to(clause: Clause, position: int) -> bool:
    """ "Get embb up to 100 Mbps": a floor; not "embb may use up to 100 Mbps"."""
    before = clause.chunks[max(position - 2, 0) : position]
    lifted = {c.word for c in clause.chunks[: max(position - 1, 0)]} & _LIFTING
    return any(c.word == "up to" for c in before) and bool(lifted) and "allow" not in clause.tags


def _feared(clause: Clause, position: int) -> bool:
    """ "A 2 % risk that lectures drop below 10 Mbps": what is to be unlikely is on the wrong side of the bound."""
    before = clause.chunks[:position]
    at = next((i for i, c in enumerate(before) if c.tag == "risk"), -1)
    between = before[at + 1 :] if at >= 0 else []
    tags = {c.tag for c in between}
    stays = tags & {"neg", "hold", "atleast", "atmost", "cap"}
    return (
        bool(tags & {"below", "above", "less", "more"})
        and any(c.word in _FALLS or c.tag == "reduce" for c in between)
        and not stays
    )


def _of_the_kpi(chunks: Sequence[Chunk], position: int) -> bool:
    """ "half the loss of FWA"."""
    after = [c.tag for c in chunks[position + 1 : position + 4] if c.tag not in ("filler", "of")]
    return bool(after) and after[0] in KPI_TAGS


def kpi_open(reader: Reader, clause: Clause) -> None:
    """A KPI without a figure."""
    if any(c.tag in ("jitter", "median") for c in clause.chunks):
        return
    name = "delay_p99_ms"
    for tag, known in (
        ("util", "utilisation_ratio"),
        ("loss", "loss_ratio"),
        ("delivered", "loss_ratio"),
        ("throughput", "throughput_mbps"),
        ("mean", "delay_mean_ms"),
    ):
        if tag in clause.tags:
            name = known
            break
    example = {"utilisation_ratio": "80 %", "loss_ratio": "1 %", "throughput_mbps": "100 Mbps"}.get(name, "10 ms")
    slices = f" of {quoted(', '.join(clause.slices))}" if clause.slices else ""
    reader.context.kpi, reader.context.core = name, "kpi_open"
    reader.ask("missing_bound", "constraints.bound", f"{KPI_WORDS[name]}{slices}: which bound?", (f"e.g. {example}",))
