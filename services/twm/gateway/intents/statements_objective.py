"""Statements about what to strive for: savings, SLAs, and which slices count more; a clause in, drafts or questions out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twm.gateway.intents.bounds import AT_LEAST, AT_MOST, Risk, against_now, risk_of
from twm.gateway.intents.chunks import MISSPELT
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import WEIGHING, figures
from twm.gateway.intents.drafts import ConstraintDraft, ObjectiveDraft, Where
from twm.gateway.intents.growth import MULTIPLES
from twm.gateway.intents.questions import question, quoted
from twm.gateway.intents.units import COUNT, FACTOR, FRACTION, POINTS, RATIO, Quantity

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

SAVE_WEIGHT, SPEND_WEIGHT, LESS_WEIGHT = 2.0, 0.5, 0.5
MIN_WEIGHT, MAX_WEIGHT = 0.1, 10.0


def save(reader: Reader, clause: Clause) -> None:
    """Saving, with or without a figure."""
    if (clause.zones or clause.cells) and not clause.links:
        reader.ask(
            "unsupported_scope",
            "objective.saving_target_ratio",
            "Savings hold for the whole area, not for a part of it. Are they to?",
            ("the whole area", "drop it"),
        )
        return
    ratios = [
        clause.chunks[i].value
        for i in figures(clause)
        if clause.chunks[i].tag == "quantity"
        and (clause.chunks[i].value.dim in (RATIO, FRACTION, POINTS) or _plain_ratio(clause.chunks[i].value))
    ]
    asked = clause.tags & {"reduce", "save", "less", "down", "raise", "low", "below", "neg", "window", "hold"} or any(
        c.word.startswith(("cheap", "green", "eco", "econom", "conserv", "frugal", "thrift")) or _spared(clause, i)
        for i, c in enumerate(clause.chunks)
    )
    guessed = [c for c in clause.chunks if c.tag in ("cost", "save")]
    if not ratios and guessed and all(c.value == MISSPELT for c in guessed):
        reader.ask(
            "no_goal", "objective", f"Is {quoted(guessed[0].word)} meant, and cost or energy to be saved?", ("save", "drop it")
        )
        return
    halved = any(c.tag == "reduce" and c.word.startswith("halv") for c in clause.chunks)
    weight = _saving_weight(clause) if not ratios else None
    if weight is not None:
        if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
            reader.ask(
                "out_of_range", "objective", f"A weight of {weight:g} is outside {MIN_WEIGHT:g} to {MAX_WEIGHT:g}. Which one?"
            )
        else:
            reader.objective(clause).saving_weight = weight
        return
    if any(clause.chunks[i].tag == "range" for i in figures(clause)):
        reader.ask("missing_bound", "objective.saving_target_ratio", "One saving target is needed. Which one?")
    elif (
        not ratios
        and "neg" in clause.tags
        and clause.tags <= {"neg", "filler", "cost", "punct"}
        and clause.opener in (",", "and", "but")
    ):
        reader.objective(clause).saving_weight = SPEND_WEIGHT  # "what counts is gold, not the cost"
    elif not ratios and _unsaved(clause):
        reader.ask(
            "no_goal",
            "objective",
            "Saving is not wanted: is performance to count whatever it costs, or is saving just not a goal?",
            ("performance at any cost", "drop it"),
        )
    elif halved and not ratios:
        reader.objective(clause).saving = 0.5
    elif ratios:
        if "raise" in clause.tags and not clause.tags & {"save", "reduce"}:
            reader.ask("no_goal", "objective", "Higher cost is no goal. What is to be reached?")
            return
        draft = reader.objective(clause)
        draft.saving = round(1.0 - ratios[0].value, 9) if _left_of_cost(clause) else ratios[0].value
    elif asked and "than" in clause.tags and clause.tags & {"lessimportant", "important", "moreimportant"}:
        first = any(c.tag in ("save", "cost") for c in clause.chunks[: clause.find("than")])
        reader.objective(clause).saving_weight = SAVE_WEIGHT if first != _counts_less(clause) else SPEND_WEIGHT
    elif asked:
        counts = [q.value for _, q in clause.quantities() if q.dim in (COUNT, FACTOR)]
        if counts:
            reader.ask("missing_unit", "objective", f"Save {counts[0]:g} of what?", ("per cent of the cost", "a weight"))
            return
        reader.objective(clause).saving_weight = SAVE_WEIGHT


def _left_of_cost(clause: Clause) -> bool:
    """ "Reduce energy use to 80 %": what is left of it, and not what is saved."""
    position = next(iter(figures(clause)), 0)
    before = [c for c in clause.chunks[max(position - 3, 0) : position] if c.tag not in ("about", "filler")]
    if not before:
        return False
    behind = clause.chunks[position + 1].tag if position + 1 < len(clause.chunks) else ""
    if before[-1].tag in ("at", "atmost", "below") and behind == "of" and not clause.tags & {"save", "reduce", "less"}:
        return True  # "run at 90 % of the normal cost"
    lowered = "reduce" in clause.tags or any(c.word in ("lower", "bring", "get", "take") for c in clause.chunks)
    lowered = lowered or against_now(clause, position)  # "energy to 90 % of what it is now"
    return before[-1].word == "down to" or (before[-1].tag == "to" and lowered)


def _spared(clause: Clause, i: int) -> bool:
    """ "Spare energy where you can", "go easy on power"; not "there is spare power"."""
    words = [c.word for c in clause.chunks]
    if words[i] == "spare":
        before = [c.word for c in clause.chunks[:i]]
        return all(w in ("please", "and", "also", "to", "let's", "us", "then", "kindly", "always") for w in before)
    return words[i] == "easy" and words[i - 1 : i] == ["go"]


def _saving_weight(clause: Clause) -> float | None:
    """ "Give saving a weight of 3", "savings count three times as much"."""
    chunks = clause.chunks
    weighed = any(c.word.startswith("weigh") for c in chunks)
    told = [c.value for c in chunks if c.tag == "quantity"]
    if weighed or any(c.word in ("count", "counts", "important", "much") for c in chunks):
        figure = next((q.value for q in told if q.dim == FACTOR or (q.dim == COUNT and weighed)), None)
        if figure is None and "double" in clause.tags:
            return 2.0
        return figure
    return None


def _plain_ratio(quantity: Quantity) -> bool:
    return quantity.dim == COUNT and 0 < quantity.value < 1


def _unsaved(clause: Clause) -> bool:
    """ "stop saving", "no energy saving"."""
    at = next((i for i, c in enumerate(clause.chunks) if c.tag == "save"), -1)
    return any(c.tag == "neg" for c in clause.chunks[max(at - 2, 0) : at]) if at > 0 else False


def anycost(reader: Reader, clause: Clause) -> None:
    """Compliance whatever it costs. "Whatever it takes" alone says nothing that can be done."""
    if any(c.word == "whatever it takes" for c in clause.chunks):
        text = "Whatever it takes for what? Which bound, share or priority is to be reached?"
        reader.out.asides.append(question("no_goal", "", text))
        return
    reader.objective(clause).saving_weight = SPEND_WEIGHT


_TAKEN_WORDS = """
removed remove dropped drop deleted delete disabled disable lifted lift waived waive suspended suspend ignored ignore cancelled
cancel erased stripped relaxed relax skipped skip bypassed bypass switched off
"""
_TAKEN_AWAY = frozenset(_TAKEN_WORDS.split())


def sla(reader: Reader, clause: Clause) -> None:
    """The SLAs hold: all of them as a flag; of named slices, or with a risk level, as the constraints of the network spec."""
    chunks = clause.chunks
    broken = any(c.tag == "break" or c.word in _TAKEN_AWAY for c in chunks)
    if not clause.slices and any(c.word == "some" for c in chunks[max(clause.find("sla") - 3, 0) : max(clause.find("sla"), 0)]):
        reader.ask("ambiguous_scope", "objective.hold_slas", "The SLAs of which slices?", reader.names.ids["slice"])
        return
    denied = clause.opener in ("without", "nor") or any(c.tag == "neg" or c.word in ("0", "zero") for c in chunks)
    risk = risk_of(clause) or _violated_share(clause)
    if broken and not denied and risk is None and not clause.tags & {"below", "atmost"}:
        reader.ask("no_goal", "objective.hold_slas", "Are the SLAs to hold?", ("hold all SLAs",))
        return
    saving = [c for c in chunks if c.tag == "cost"] and [
        clause.chunks[i].value
        for i in figures(clause)
        if clause.chunks[i].tag == "quantity" and clause.chunks[i].value.dim == RATIO
    ]
    if clause.slices or risk is not None:
        slices = clause.slices or reader.names.ids["slice"]
        place = reader.where(clause, ellipsis=False)
        for entry in reader.spec.slices:
            if entry.id not in slices:
                continue
            bounds = (
                ("delay_p99_ms", AT_MOST, entry.sla.delay_p99_max_ms),
                ("loss_ratio", AT_MOST, entry.sla.loss_max_ratio),
                ("throughput_mbps", AT_LEAST, entry.sla.throughput_min_mbps),
            )
            for name, side, value in bounds:
                if value is not None:
                    where = Where([entry.id], place.zone, list(place.cells))
                    reader.add(
                        ConstraintDraft(
                            clause=chunks[0].start,
                            kpi=name,
                            where=where,
                            side=side,
                            bound=value,
                            probability=risk.probability if risk else None,
                        ),
                        clause,
                    )
    else:
        reader.objective(clause).hold_slas = True
    if "anycost" in clause.tags:
        reader.objective(clause).saving_weight = SPEND_WEIGHT
    if saving:
        reader.objective(clause).saving = saving[0].value


def _violated_share(clause: Clause) -> Risk | None:
    """ "Keep SLA violations under 1 %": how often an SLA may be violated."""
    found = [(i, q.value) for i, q in clause.quantities() if q.dim == RATIO]
    violations = any(c.tag == "break" and c.word.startswith(("violation", "breach")) for c in clause.chunks)
    bounded = bool(clause.tags & {"below", "atmost"}) and not clause.tags & {"cost", "save"}
    return Risk(found[0][1], {found[0][0]}) if violations and bounded and len(found) == 1 else None


def rank(reader: Reader, clause: Clause) -> None:
    """Which slices count more."""
    chunks, tags = clause.chunks, clause.tags
    groups = [[n.id for n in c.value if n.kind == "slice"] for c in chunks if c.tag == "name"]
    groups = [g for g in groups if g]
    if any(c.tag == "slicetype" for c in chunks):
        return
    if clause.zones or clause.cells:
        reader.ask(
            "unsupported_scope",
            "objective.slice_weights",
            "Priorities hold for the whole area. For a part of it, a bound or a least share can be given. Which is meant?",
            ("priority in the whole area", "a KPI bound there", "a least share there"),
        )
        return
    if groups and _beside_saving(reader, clause):
        return
    if not groups:
        heading = reader.context.heading
        spoken = (heading.slices if heading is not None else []) or reader.context.slices or reader.context.mentioned
        groups = [list(spoken)] if spoken else []
    weights = _weights(clause, groups)
    groups = _between(clause, groups)
    if "rest" in tags:
        previous = next((i for i in reversed(reader.out.items) if isinstance(i, ObjectiveDraft) and i.ranks), None)
        named = [x for group in previous.ranks for x in group] if previous is not None else []
        if previous is not None:
            named += [x for group in groups for x in group] if clause.slices else []
            previous.ranks += [*groups] if clause.slices else []
            previous.ranks.append([x for x in reader.names.ids["slice"] if x not in named])
            return
    if not groups and not weights:
        reader.ask("ambiguous_scope", "objective.slice_weights", "Which slice is meant?", reader.names.ids["slice"])
        return
    scaled = [c.value.value for c in chunks if c.tag == "quantity" and c.value.dim == FACTOR] if not weights else []
    outside = next((v for v in (*weights.values(), *scaled) if not MIN_WEIGHT <= v <= MAX_WEIGHT), None)
    if outside is not None:
        reader.ask(
            "out_of_range",
            "objective.slice_weights",
            f"A weight of {outside:g} is outside {MIN_WEIGHT:g} to {MAX_WEIGHT:g}. Which one?",
        )
        return
    if "yield" in tags and len(groups) == 1 and not weights:
        previous = next((i for i in reversed(reader.out.items) if isinstance(i, ObjectiveDraft) and i.ranks), None)
        if previous is None or not clause.slices:
            reader.ask("ambiguous_scope", "objective.slice_weights", "Which slice comes after which?")
        else:
            previous.ranks.append(groups[0])  # "fwa yields to urllc, embb yields to both"
        return
    draft = reader.objective(clause)
    if weights:
        draft.weights = weights
    elif (
        "lessimportant" in tags
        or "deprio" in tags
        or (tags & {"less", "neg", "low"} and "important" in tags)
        or tags & {"lowestprio", "lowprio"}
        or (_half(clause) and ("important" in tags or "pronoun" in tags))
    ):
        draft.weights = dict.fromkeys(groups[0], LESS_WEIGHT) if groups else {}
    elif _as_important(clause) >= 0:
        _compared_weights(reader, clause, draft)
    elif tags & MULTIPLES.keys() or any(c.tag == "quantity" and c.value.dim == FACTOR for c in chunks):
        factor = next(iter(scaled), next((MULTIPLES[c.tag] for c in chunks if c.tag in MULTIPLES), 2.0))
        draft.weights = dict.fromkeys(groups[0], factor) if groups else {}
    elif len(groups) == 1 and len(groups[0]) > 1 and ("ranking" in tags or any(c.word == "order" for c in chunks)):
        draft.ranks = [[one] for one in groups[0]]
    elif len(groups) > 1 and _reversed(clause):
        draft.ranks = groups[::-1]
    elif len(groups) > 1:
        draft.ranks = groups
    elif tags & {"wait", "last", "second", "third"} and groups and not tags & {"first", "prio"}:
        reader.out.items.remove(draft)
        previous = next((i for i in reversed(reader.out.items) if isinstance(i, ObjectiveDraft) and i.ranks), None)
        if previous is not None:
            previous.ranks.append(groups[0])
        elif "last" in tags or "wait" in tags:
            again = reader.objective(clause)
            again.weights = dict.fromkeys(groups[0], LESS_WEIGHT)
    elif groups:
        draft.ranks = [groups[0]]


def _beside_saving(reader: Reader, clause: Clause) -> bool:
    """Whether slices are compared with saving, or with what is no slice: "energy matters less than urllc"."""
    than = clause.find("than")
    if than < 0 or any(c.tag == "name" for c in clause.chunks[:than]):
        return False
    if any(c.tag in ("save", "cost") for c in clause.chunks[:than]):
        reader.objective(clause).saving_weight = SPEND_WEIGHT if _counts_less(clause) else SAVE_WEIGHT
    else:
        reader.ask("not_understood", "objective", "Which slice counts more than which?")
    return True


def _counts_less(clause: Clause) -> bool:
    """Whether what stands first counts less: "matters less than", "is less important than"."""
    return "lessimportant" in clause.tags or {"less", "important"} <= clause.tags


def _as_important(clause: Clause) -> int:
    """Position of the second "as" of "four times as important as consumer"; -1 where nothing is compared with a slice."""
    chunks = clause.chunks
    at = clause.find("important")
    for i in range(at + 1, min(at + 3, len(chunks))) if at > 0 else ():
        named = any(c.tag == "name" and c.value[0].kind == "slice" for c in chunks[i + 1 : i + 4])
        if chunks[i].word in ("as", "than") and named:
            return i
    return -1


def _compared_weights(reader: Reader, clause: Clause, draft: ObjectiveDraft) -> None:
    """ "A is four times as important as B": A has four times the weight of B; "it" is the slice that was spoken of."""
    at = _as_important(clause)
    first = [n.id for c in clause.chunks[:at] if c.tag == "name" for n in c.value if n.kind == "slice"]
    heading = reader.context.heading
    spoken = (heading.slices if heading is not None else []) or reader.context.slices or reader.context.mentioned
    first = first or (list(spoken) if "pronoun" in clause.tags and len(spoken) == 1 else [])
    factor = next((c.value.value for c in clause.chunks if c.tag == "quantity"), 0.0)
    factor = factor or (0.5 if _half(clause) else next((v for t, v in MULTIPLES.items() if t in clause.tags), 1.0))
    second = [n.id for c in clause.chunks[at:] if c.tag == "name" for n in c.value if n.kind == "slice"]
    if not first or set(first) & set(second) or not MIN_WEIGHT <= factor <= MAX_WEIGHT:
        reader.ask("ambiguous_scope", "objective.slice_weights", "Which slice is to count how much more than which?")
        return
    draft.weights = dict.fromkeys(first, factor)


def _half(clause: Clause) -> bool:
    return any(c.tag == "quantity" and c.value.dim == FRACTION and c.value.value == 0.5 for c in clause.chunks)


def _reversed(clause: Clause) -> bool:
    """ "eMBB after URLLC"."""
    return bool(clause.tags & {"after", "yield"})


def _weights(clause: Clause, spoken: list[list[str]]) -> dict[str, float]:
    """ "URLLC weight 3", "weights: URLLC 4, eMBB 2": the figure beside each slice, or beside what "it" is."""
    chunks = clause.chunks
    if not any(c.word in WEIGHING for c in chunks):
        return {}
    figures_ = [c.value.value for c in chunks if c.tag == "quantity" and c.value.dim in (COUNT, FACTOR)]
    named = [[n.id for n in c.value] for c in chunks if c.tag == "name"]
    named = [names for i, names in enumerate(named) if names not in named[:i]]
    if len(figures_) == len(named) > 1 and all(len(names) == 1 for names in named):
        return {names[0]: value for names, value in zip(named, figures_, strict=True)}
    if len(figures_) == 1 and len(named) == 1:
        return dict.fromkeys(named[0], figures_[0])
    if len(figures_) == 1 and not named and len(spoken) == 1:
        return dict.fromkeys(spoken[0], figures_[0])
    return {}


def _between(clause: Clause, groups: list[list[str]]) -> list[list[str]]:
    """ "between URLLC and FWA, FWA goes first": one of the two, and with it its order, is named after them."""
    at = clause.find("between")
    follows = clause.chunks[at + 1 : at + 4] if at >= 0 else []
    words = {c.word for c in clause.chunks}
    if len(groups) == 1 and len(groups[0]) == 2 and words & {"former", "latter"}:
        return [[groups[0][0]], [groups[0][1]]] if "former" in words else [[groups[0][1]], [groups[0][0]]]
    if len(groups) < 2 or not any(c.tag == "name" and len(c.value) == len(groups[0]) > 1 for c in follows):
        return groups
    chosen = groups[1]
    return [chosen, [x for x in groups[0] if x not in chosen]]
