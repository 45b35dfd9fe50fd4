"""Questions with a tool's result, and the next right act: an answer with a number of the result, or another call.

Answers repeat numbers as they stand, since every number in an answer is looked up (`twm.gateway.explain.numbers`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from twm.core.kpis import KPI_NAMES
from twm.gateway.canonical import canonical_json
from twm_train.language.networks import MadeNetwork
from twm_train.language.parts import shown_name
from twm_train.language.tool_results import (
    candidates_result,
    explain_result,
    forecast_result,
    rolled_result,
    state_result,
    twin_result,
)
from twm_train.language.tool_tasks import BASES, KPI_WORDS, change, explain, forecast, written

Chat = tuple[str, ...]
"""What the user says, what the model is to write, what the tool says, what the model is to write next."""
UNITS = {"delay_p99_ms": " ms", "served_mbps": " Mbps", "offered_mbps": " Mbps"}
KPI_SAID = {"delay_p99_ms": "p99 delay", "served_mbps": "served traffic"}


def answered(text: str) -> str:
    """An answer in its one form."""
    return json.dumps({"answer": text}, separators=(",", ":"))


def _told(what: str, whose: str, value: float, key: str = "") -> str:
    """An answer that repeats a number as it stands in the result, with the unit of its key."""
    return answered(f"{what}{f' of {whose}' if whose else ''} is {canonical_json(value)}{UNITS.get(key, '')}.")


def _of_state(rng: random.Random, net: MadeNetwork) -> Chat:
    found, name = state_result(rng, net), rng.choice(net.slices)
    said, entry = shown_name(rng, name), found["slices"][name]
    kind = rng.choices(
        ("kpi", "share", "left", "alarms", "proposal", "then", "cells", "twin", "sla"), (9, 3, 2, 2, 1, 3, 2, 2, 1)
    )[0]
    if kind == "kpi":
        kpi = rng.choice(KPI_NAMES)
        words = rng.choice(KPI_WORDS[kpi])
        text = rng.choice(
            (
                f"{words} of {said} now?",
                f"what is the {words} of {said}",
                f"tell me the {words} of {said}",
                f"{said}: {words}?",
                f"how much is the {words} of {said}, in figures",
                f"is the {words} of {said} high?",
            )
        )
        return (
            text,
            written("query_state", {}),
            canonical_json(found),
            _told(KPI_SAID.get(kpi, kpi), name, entry["kpis"][kpi], kpi),
        )
    if kind == "share":
        key, words = rng.choice(
            (
                ("mean_prb_share", "PRB share"),
                ("mean_prb_share", "share of the radio"),
                ("mean_bandwidth_share", "bandwidth share"),
                ("mean_bandwidth_share", "share of the links"),
            )
        )
        text = rng.choice(
            (f"mean {words} of {said}?", f"which {words} has {said} on average", f"how large is the {words} of {said}")
        )
        return text, written("query_state", {}), canonical_json(found), _told(key, name, entry[key])
    if kind == "left":
        text = rng.choice(
            (
                "how many steps remain in the SLA window?",
                "steps to the end of the SLA window?",
                "how long until the SLA account is closed",
            )
        )
        return (
            text,
            written("query_state", {}),
            canonical_json(found),
            answered(f"{found['sla_window_steps_left']} steps are left in the SLA window."),
        )
    if kind == "alarms":
        text = rng.choice(("alarms?", "is there any alarm", "list what is alarmed", "any active alarm now?"))
        told = (
            f"An alarm is active: {found['alarms'][0]['severity']} on {found['alarms'][0]['object']}."
            if found["alarms"]
            else "No alarm is active."
        )
        return text, written("query_state", {}), canonical_json(found), answered(told)
    if kind == "proposal":
        text = rng.choice(
            ("is there a proposal now?", "which step is the newest proposal of?", "did the planner propose anything?")
        )
        told = (
            f"The newest proposal is of step {found['newest_proposal_step']}."
            if found["newest_proposal_step"] is not None
            else "There is no proposal."
        )
        return text, written("query_state", {}), canonical_json(found), answered(told)
    if kind == "sla":
        text = rng.choice((f"loss bound of {said}?", f"how much may {said} lose", f"which loss does the SLA of {said} allow"))
        return (
            text,
            written("query_state", {}),
            canonical_json(found),
            _told("loss_max_ratio", name, entry["sla"]["loss_max_ratio"]),
        )
    if kind == "cells":
        zone = rng.choice(net.zones)
        z = shown_name(rng, zone)
        text = rng.choice(
            (
                f"look up the cells of the {z} and show each",
                f"which cells make up {z}, and what do they carry?",
                f"find out the cells of {z}, then give their details",
                f"cell details for the {z}; look the cells up first",
            )
        )
        return text, written("query_state", {}), canonical_json(found), written("query_state", {"cells": found["zones"][zone]})
    if kind == "twin":
        text = rng.choice(
            (
                "if a proposal exists, verify it in the twin",
                "is there a new proposal? then check it in the twin",
                "look for a proposal and let the twin play it",
                "proposal there? twin it, please",
            )
        )
        told = (
            written("verify_in_twin", {"plans": [{"base": "proposed"}]})
            if found["newest_proposal_step"] is not None
            else answered("There is no proposal.")
        )
        return text, written("query_state", {}), canonical_json(found), told
    task = rng.choice((forecast, explain))(rng, net)
    head = rng.choice(
        (
            "first the state, then",
            "overview, and after that",
            "how are we doing? and",
            "status first. next:",
            "look at the network, then",
        )
    )
    return f"{head} {task.text}", written("query_state", {}), canonical_json(found), task.written()


def _of_plans(rng: random.Random, net: MadeNetwork) -> Chat:
    noun, clause, moves = change(rng, net)
    form: dict[str, Any] = {"moves": moves}
    if rng.random() < 0.35:
        base = rng.choice(("running", "proposed", "uniform"))
        noun, form = rng.choice(BASES[base]), {} if base == "running" else {"base": base}
        clause = f"we use {noun}"
    name = rng.choice(net.slices)
    said, found = shown_name(rng, name), rolled_result(rng, net)
    first, made = written("roll_out", {"plans": [form]}), found["plans"][0]
    kind = rng.choices(("any", "slice", "scm", "kpi", "if", "also", "explain"), (4, 3, 3, 2, 5, 3, 1))[0]
    chance = made["any_violation_probability"]
    told = _told("any_violation_probability", "", chance)
    if kind == "any":
        text = rng.choice(
            (
                f"how likely is an SLA violation with {noun}?",
                f"probability that any SLA breaks if {clause}",
                f"what is the risk of {noun}, as a number",
                f"if {clause}, with what probability do we break an SLA?",
            )
        )
    elif kind == "slice":
        text = rng.choice(
            (
                f"how likely does {said} break its SLA with {noun}?",
                f"violation probability of {said} if {clause}?",
                f"risk for {said} with {noun}",
            )
        )
        told = _told("violation_probability", name, made["violation_probability"][name])
    elif kind == "scm":
        text = rng.choice(
            (f"mean SCM of {noun}?", f"what SLA margin do we get if {clause}", f"SCM if {clause}?", f"which margin has {noun}")
        )
        told = _told("scm_mean", "", made["scm_mean"])
    elif kind == "kpi":
        kpi = rng.choice(KPI_NAMES)
        text = rng.choice(
            (
                f"median {rng.choice(KPI_WORDS[kpi])} of {said} with {noun}?",
                f"what {rng.choice(KPI_WORDS[kpi])} will {said} have if {clause}, in the middle?",
            )
        )
        told = _told(KPI_SAID.get(kpi, kpi), name, made["kpis"][name][kpi][1], kpi)
    elif kind == "if":
        bound = rng.choice((5, 10, 15, 20, 25, 30))
        made["any_violation_probability"] = chance = round(
            rng.choice((rng.uniform(0, bound / 100 - 0.01), rng.uniform(bound / 100 + 0.01, 0.6))), 4
        )
        text = rng.choice((
            f"what if {clause}? should the risk of a violation exceed {bound} %, ask the twin too",
            f"predict {noun}. above {bound} % violation probability, check it in the twin",
            f"roll out {noun}; if it breaks an SLA with more than {bound} %, verify in the twin, "
            "otherwise give me the probability",
            f"{noun}: risk? over {bound} %, play it in the twin as well",
        ))  # fmt: skip
        told = (
            written("verify_in_twin", {"plans": [form]})
            if 100 * chance > bound
            else _told("any_violation_probability", "", chance)
        )
    elif kind == "also":
        text = rng.choice(
            (
                f"predict {noun}, then check it in the twin",
                f"what if {clause}? then play the same in the twin",
                f"roll out {noun} and verify it in the twin afterwards",
                f"first the world model, then the twin: {noun}",
            )
        )
        told = written("verify_in_twin", {"plans": [form]})
    else:
        task = explain(rng, net)
        text, told = f"{rng.choice(('roll out', 'predict'))} {noun}, then: {task.text}", task.written()
    return text, first, canonical_json(found), told


def _of_twin(rng: random.Random, net: MadeNetwork) -> Chat:
    noun, _, moves = change(rng, net)
    form: dict[str, Any] = {"moves": moves}
    if rng.random() < 0.5:
        base = rng.choice(("running", "proposed", "uniform"))
        noun, form = rng.choice(BASES[base]), {} if base == "running" else {"base": base}
    found = twin_result(rng, net, 4)
    made, first = found["plans"][0], written("verify_in_twin", {"plans": [form]})
    key, words = rng.choice(
        (
            ("scm_mean", "mean SCM"),
            ("scm_least", "least SCM"),
            ("scm_least", "worst margin"),
            ("violation_ratio", "share of scenarios with a violation"),
            ("violation_ratio", "violation ratio"),
        )
    )
    if rng.random() < 0.25:
        made["violation_ratio"] = rng.choice((0.0, 0.5))
        text = rng.choice(
            (
                f"does {noun} pass the twin? if it does not, explain the newest decision",
                f"twin on {noun}; where it breaks an SLA, tell me why it was decided that way",
            )
        )
        return (
            text,
            first,
            canonical_json(found),
            written("explain", {}) if made["violation_ratio"] else _told("violation_ratio", "", 0.0),
        )
    text = rng.choice(
        (
            f"play {noun} in the twin: {words}?",
            f"{words} of {noun} in the twin?",
            f"check {noun} in the twin and tell me the {words}",
            f"which {words} does the twin find for {noun}",
        )
    )
    return text, first, canonical_json(found), _told(key, "", made[key])


def _of_candidates(rng: random.Random, net: MadeNetwork) -> Chat:
    count = rng.randint(2, 4)
    found = candidates_result(rng, net, count)
    first, rows = written("propose_candidates", {"count": count}), found["candidates"]
    key, words = rng.choice(
        (("scm_mean", "SCM"), ("violation_probability", "violation probability"), ("saving_ratio", "saving"))
    )
    kind = rng.choice(("chosen", "best", "least", "then"))
    if kind == "then":
        task = explain(rng, net)
        text = rng.choice(
            (
                f"{count} candidates, then {task.text}",
                f"show {count} plans; after that: {task.text}",
                f"list {count} options and then {task.text}",
            )
        )
        return text, first, canonical_json(found), task.written()
    if kind == "chosen":
        row = next(row for row in rows if row["chosen"])
        text = rng.choice(
            (
                f"show {count} candidates: {words} of the chosen one?",
                f"{count} plans, which {words} has the one that was chosen",
            )
        )
    else:
        row = (max if kind == "best" else min)(rows, key=lambda row: row[key])
        text = rng.choice(
            (
                f"of {count} candidates, {'highest' if kind == 'best' else 'lowest'} {words}?",
                f"{count} plans: what is the {'largest' if kind == 'best' else 'smallest'} {words}",
            )
        )
    return text, first, canonical_json(found), _told(key, f"candidate {row['index']}", row[key])


def _of_forecast(rng: random.Random, net: MadeNetwork) -> Chat:
    feature, words = rng.choice(
        (("offered_mbps", "demand"), ("offered_mbps", "traffic"), ("queue_mbit", "queue"), ("active_ues", "active users"))
    )
    arguments: dict[str, Any] = {} if feature == "offered_mbps" else {"features": [feature]}
    place = rng.choice(net.zones)
    places = list(net.zones)
    if rng.random() < 0.4:
        place = rng.choice(net.cells)
        places, arguments = [place], {**arguments, "cells": [place]}
    found = forecast_result(rng, places, feature)
    when, offset = rng.choice(((0, 1), (1, 6), (2, 12)))
    said = shown_name(rng, place)
    text = rng.choice(
        (
            f"median {words} in {said} {offset} steps ahead?",
            f"what {words} do you expect in {said} in {offset} steps",
            f"{words} at {said}, step +{offset}, median",
        )
    )
    told = _told(f"{feature} in {place}", "", found["places"][place][feature][when][1], feature)
    if rng.random() < 0.25:
        task = explain(rng, net)
        text, told = f"forecast {words} in {said}, then {task.text}", task.written()
    return text, written("forecast_field", arguments), canonical_json(found), told


def _of_explain(rng: random.Random, net: MadeNetwork) -> Chat:
    task = explain(rng, net)
    step = task.arguments.get("step", rng.randrange(10, 30000))
    if rng.random() < 0.25 and "step" in task.arguments:
        return (
            task.text,
            task.written(),
            canonical_json({"error": f"step: {step} has no explanation"}),
            answered("There is no explanation of that step."),
        )
    found = explain_result(rng, net, step)
    return task.text, task.written(), canonical_json(found), answered(found["headline"])


def _mistyped(rng: random.Random, net: MadeNetwork) -> Chat:
    """A call that failed on a misspelt name, and its correction."""
    zone = rng.choice(net.zones)
    i = rng.randrange(1, len(zone) - 1)
    wrong = (
        zone[:i] + zone[i + 1] + zone[i] + zone[i + 2 :]
        if rng.random() < 0.5 and zone[i] != zone[i + 1]
        else zone[:i] + zone[i + 1 :]
    )
    name, share = rng.choice(net.slices), rng.choice((5, 10, 15, 20))
    sign = rng.choice((1, -1))
    text = f"what if {shown_name(rng, name)} gets {share} points {'more' if sign > 0 else 'less'} PRB in the {wrong}"

    def form(where: str) -> str:
        return written("roll_out", {"plans": [{"moves": [{"slice": name, "change": sign * share / 100, "zone": where}]}]})

    return (
        text,
        form(wrong),
        canonical_json({"error": f"moves.0.zone: '{wrong}' is none of {', '.join(net.zones)}"}),
        form(zone),
    )


AFTER: Sequence[tuple[Callable[[random.Random, MadeNetwork], Chat], int]] = (
    (_of_state, 6), (_of_plans, 5), (_of_twin, 3), (_of_candidates, 2), (_of_forecast, 2), (_of_explain, 2), (_mistyped, 2),
)  # fmt: skip


def after(rng: random.Random, net: MadeNetwork) -> Chat:
    """A task with one result and the next act."""
    return rng.choices([f for f, _ in AFTER], [w for _, w in AFTER])[0](rng, net)
