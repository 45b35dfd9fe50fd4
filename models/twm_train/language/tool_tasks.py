"""Questions of operators with the tool call they ask for: what is meant first, words for it second.

The frozen tasks of twm_bench.language are not used here. Conventions: models/twm_bench/language/README.md.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twm_train.language.networks import MadeNetwork
from twm_train.language.parts import cells_of, listed, shown_name

DIGITS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
RUNNING = (
    "the current shares",
    "what is running",
    "the shares in force",
    "the running shares",
    "the present split",
    "today's shares",
)
PROPOSED = (
    *("the proposed plan", "the newest proposal", "the planner's proposal", "the proposal", "the plan that was proposed"),
    *("what the planner proposes", "the latest proposal"),
)
UNIFORM = (
    "an even split",
    "equal shares for all slices",
    "a uniform split",
    "the same share for every slice",
    "splitting evenly",
)
BASES = {"running": RUNNING, "proposed": PROPOSED, "uniform": UNIFORM}
KPI_WORDS = {
    "loss_ratio": ("loss", "packet loss", "loss ratio"),
    "delay_p99_ms": ("delay", "latency", "p99 delay", "99th percentile delay", "tail latency", "p99"),
    "utilisation_ratio": ("utilisation", "PRB utilisation", "use of its PRBs"),
    "served_mbps": ("throughput", "served traffic", "served rate", "Mbps served"),
}
FEATURE_WORDS = {
    "served_mbps": ("served traffic", "throughput"),
    "load_ratio": ("load ratio", "relative load"),
    "prb_used_ratio": ("PRB use", "PRB utilisation", "used PRBs", "PRB occupancy"),
    "spectral_efficiency_bps_hz": ("spectral efficiency", "radio conditions", "radio quality", "bits per hertz"),
    "critical_offered_mbps": ("demand of the critical slices", "critical traffic", "traffic of delay-bound slices"),
    "critical_delay_p99_ms": ("delay of the critical slices", "critical p99 delay", "critical latency"),
    "loss_ratio": ("loss", "packet loss"),
    "queue_mbit": ("queues", "queue", "backlog", "queue build-up"),
    "active_ues": ("active users", "active UEs", "number of users", "connected devices"),
    "offered_change_mbps": ("change of demand", "demand change per step", "growth per step"),
    "route_used_ratio": (
        "use of its transport route",
        "route utilisation",
        "transport use",
        "filling of the links on the route",
    ),
}


@dataclass(frozen=True)
class Task:
    """A question and the call that answers it."""

    text: str
    tool: str
    arguments: dict[str, Any]

    def written(self) -> str:
        """The call as the model is to write it."""
        return written(self.tool, self.arguments)


def written(tool: str, arguments: dict[str, Any]) -> str:
    """A call in its one form."""
    return json.dumps({"tool": tool, "arguments": arguments}, separators=(",", ":"))


def points(rng: random.Random) -> tuple[str, float]:
    """(words, share): percentage points of a share."""
    count = rng.choice((*range(1, 21), 5, 10, 10, 15, 20, 20, 25, 30))
    forms = [
        f"{count} points",
        f"{count} points",
        f"{count} percentage points",
        f"{count} %",
        f"{count}%",
        f"{count} pp",
        f"{count} percent",
    ]
    if count <= 10:
        forms.append(f"{DIGITS[count]} points" if count > 1 else "one point")
    forms += [f"{count / 100:g}", f"a {count / 100:g} share"]
    words = rng.choice(forms)
    return ("1 point" if words == "1 points" else words), round(count / 100, 4)


def radio_place(rng: random.Random, net: MadeNetwork) -> tuple[str, dict[str, Any]]:
    """Where PRBs are meant: everywhere, a zone, cells."""
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(("", "", "everywhere", "in all cells", "across the area", "in the whole network")), {}
    if kind < 0.65:
        zone = rng.choice(net.zones)
        name = shown_name(rng, zone)
        return rng.choice(
            (f"in the {name}", f"in {name}", f"at the {name}", f"around {name}", f"for the {name}", f"in the {name} zone")
        ), {"zone": zone}
    words, scope = cells_of(rng, net)
    return rng.choice(("in ", "on ", "at ", "for ")) + words, {"cells": scope["cells"]}


def link_place(rng: random.Random, net: MadeNetwork) -> tuple[str, dict[str, Any]]:
    """Where bandwidth is meant."""
    if rng.random() < 0.2:
        return rng.choice(("", "on all links", "on every link", "everywhere")), {}
    chosen = rng.sample([name for name, _, _ in net.links], rng.choice((1, 1, 1, 2)))
    return rng.choice(("on ", "on ", "over ", "on link " if len(chosen) == 1 else "on links ")) + listed(rng, chosen), {
        "links": chosen
    }


def change(rng: random.Random, net: MadeNetwork) -> tuple[str, str, list[dict[str, Any]]]:
    """A change of shares as (noun phrase, clause, moves)."""
    on_links = rng.random() < 0.28 and bool(net.links)
    where, scope = link_place(rng, net) if on_links else radio_place(rng, net)
    res = rng.choice(
        ("bandwidth", "bandwidth", "link bandwidth", "bandwidth share", "transport bandwidth")
        if on_links
        else ("PRB", "PRBs", "prb", "radio", "radio share", "PRB share", "")
    )
    name = rng.choice(net.slices)
    said, (amount, share) = shown_name(rng, name), points(rng)

    def move(slice_id: str, sign: int) -> dict[str, Any]:
        return {"slice": slice_id, "change": sign * share, **({"resource": "bandwidth"} if on_links else {}), **scope}

    if rng.random() < 0.22 and len(net.slices) > 1:
        other = rng.choice([s for s in net.slices if s != name])
        to = shown_name(rng, other)
        of = f"{amount} of {res}" if res else amount
        noun = rng.choice(
            (
                f"moving {of} from {said} to {to} {where}",
                f"{of} from {said} to {to} {where}",
                f"a shift of {of} from {said} to {to} {where}",
            )
        )
        clause = rng.choice(
            (
                f"{of} moved from {said} to {to} {where}",
                f"we moved {of} from {said} to {to} {where}",
                f"{said} handed {of} to {to} {where}",
                f"we take {of} from {said} and give it to {to} {where}",
            )
        )
        return _neat(noun), _neat(clause), [move(name, -1), move(other, 1)]
    if rng.random() < 0.58:
        noun = rng.choice(
            (
                f"{amount} more {res} for {said} {where}",
                f"{said} plus {amount} {res} {where}",
                f"an extra {amount} of {res or 'share'} for {said} {where}",
                f"{said} +{amount} {res} {where}",
                f"giving {said} {amount} more {res} {where}",
                f"{said} {amount} up {'in ' + res if res else ''} {where}",
            )
        )
        clause = rng.choice(
            (
                f"{said} gets {amount} more {res} {where}",
                f"{said} got {amount} more {res} {where}",
                f"we give {said} {amount} more {res} {where}",
                f"{said} had another {amount} of {res or 'share'} {where}",
                f"I add {amount} of {res or 'share'} to {said} {where}",
                f"{where} gave {said} {amount} more {res}"
                if "zone" in scope and where.startswith("in the")
                else f"we raise {said} by {amount} {res} {where}",
            )
        )
        if clause.startswith("in "):
            clause = clause[3:]
        return _neat(noun), _neat(clause), [move(name, 1)]
    noun = rng.choice(
        (
            f"{amount} less {res} for {said} {where}",
            f"{said} minus {amount} {res} {where}",
            f"taking {amount} of {res or 'share'} from {said} {where}",
            f"{said} -{amount} {res} {where}",
            f"cutting {said} by {amount} {'of ' + res if res else ''} {where}",
        )
    )
    clause = rng.choice(
        (
            f"{said} gets {amount} less {res} {where}",
            f"{said} lost {amount} of {res or 'share'} {where}",
            f"we take {amount} of {res or 'share'} away from {said} {where}",
            f"{said} gives up {amount} of {res or 'share'} {where}",
            f"I cut {said} by {amount} {res} {where}",
            f"we trim {amount} {res} off {said} {where}",
        )
    )
    return _neat(noun), _neat(clause), [move(name, -1)]


def _neat(text: str) -> str:
    return " ".join(text.split())


def plan(rng: random.Random, net: MadeNetwork) -> tuple[str, str, dict[str, Any]]:
    """One plan as (noun phrase, clause or "", form)."""
    kind = rng.random()
    if kind < 0.32:
        base = rng.choice(("running", "proposed", "proposed", "uniform"))
        return rng.choice(BASES[base]), "", {} if base == "running" else {"base": base}
    noun, clause, moves = change(rng, net)
    if kind < 0.42:
        base = rng.choice(("proposed", "proposed", "uniform"))
        said = rng.choice(BASES[base])
        return (
            rng.choice((f"{said} with {noun}", f"{said} plus {noun}", f"{noun} on top of {said}")),
            "",
            {"base": base, "moves": moves},
        )
    return noun, clause, {"moves": moves}


def roll_out(rng: random.Random, net: MadeNetwork) -> Task:
    """What would happen."""
    if rng.random() < 0.13:
        return _compared(rng, net, "roll_out")
    noun, clause, form = plan(rng, net)
    kpi = rng.choice(KPI_WORDS[rng.choice(list(KPI_WORDS))])
    name = shown_name(rng, rng.choice(net.slices))
    frames = [
        f"what would {noun} do?", f"predict {noun}", f"effect of {noun}?", f"how would the SLAs fare with {noun}",
        f"{noun}: what comes out?", f"roll out {noun}", f"how risky is {noun}?",
        f"what does the world model say about {noun}", f"probability of an SLA violation with {noun}",
        f"what margin is left with {noun}?", f"would {name} keep its {kpi} with {noun}?", f"outcome of {noun}",
        f"I am thinking of {noun}, how would that end?", f"model {noun} for me", f"{noun} - good idea?",
        f"expected {kpi} of {name} with {noun}",
    ]  # fmt: skip
    if clause:
        frames += [
            f"what if {clause}?", f"what if {clause}", f"what happens if {clause}?", f"what happens when {clause}",
            f"suppose {clause}, what then?", f"if {clause}, does {name} suffer?", f"would the SLAs hold if {clause}?",
            f"say {clause}: how do the slices do", f"if {clause}, what will the {kpi} of {name} be?",
            f"imagine {clause}. Result?", f"how likely is a violation if {clause}?",
        ]  # fmt: skip
    elif not form:
        frames += [
            "what if we change nothing?", "how will it go if we leave it as it is?",
            "what happens when nobody touches anything", "risk of just carrying on?",
            "predict the next steps without any change", "how safe is doing nothing",
        ]  # fmt: skip
    text, arguments = rng.choice(frames), {"plans": [form]}
    if rng.random() < 0.08:
        arguments["samples"] = count = rng.randint(2, 16)
        said = rng.choice((f", {count} samples", f" with {count} samples", f", use {count} futures", f" over {count} futures"))
        text = f"{text.rstrip('?')}{said}"
    return Task(text, "roll_out", arguments)


def verify(rng: random.Random, net: MadeNetwork) -> Task:
    """The same questions put to the twin."""
    if rng.random() < 0.13:
        return _compared(rng, net, "verify_in_twin")
    noun, clause, form = plan(rng, net)
    twin = rng.choice(("the twin", "the twin", "the digital twin"))
    frames = [
        f"check {noun} in {twin}", f"verify {noun} with {twin}", f"let {twin} play {noun}", f"play {noun} in {twin}",
        f"what does {twin} say about {noun}?", f"{twin} on {noun}?", f"does {noun} hold up in {twin}?",
        f"simulate {noun} in {twin}", f"run {noun} through {twin}", f"test {noun} on {twin}",
        f"{noun}: please verify in {twin}", f"{twin.removeprefix('the ')} check: {noun}", f"is {twin} happy with {noun}",
    ]  # fmt: skip
    if clause:
        frames += [
            f"in {twin}, what happens if {clause}?",
            f"what if {clause}? ask {twin}",
            f"does {twin} show a violation if {clause}?",
            f"let's see in {twin}: {clause}",
        ]
    text, arguments = rng.choice(frames), {"plans": [form]}
    if rng.random() < 0.2:
        arguments["scenarios"] = count = rng.randint(1, 4)
        word = rng.choice((str(count), DIGITS[count]))
        noun = "scenario" if count == 1 else "scenarios"
        said = rng.choice((f", {word} {noun}", f" with {word} {noun}", f" under {word} {noun}", f", {word} {noun} will do"))
        text = f"{text.rstrip('?')}{said}"
    return Task(text, "verify_in_twin", arguments)


def _compared(rng: random.Random, net: MadeNetwork, tool: str) -> Task:
    first, second = rng.choice(
        (("running", "proposed"), ("running", "proposed"), ("running", "uniform"), ("proposed", "uniform"), ("running", ""))
    )
    a = rng.choice((*BASES[first], "doing nothing", "leaving things alone") if first == "running" else BASES[first])
    noun, _, moves = change(rng, net)
    b, form = (rng.choice(BASES[second]), {"base": second}) if second else (noun, {"moves": moves})
    start = {} if first == "running" else {"base": first}
    text = rng.choice(
        (
            f"compare {a} with {b}",
            f"{a} versus {b}",
            f"{a} or {b}, which is safer?",
            f"{a} against {b}",
            f"both {a} and {b}, please",
            f"which is better, {a} or {b}?",
        )
    )
    if tool == "verify_in_twin":
        twin = rng.choice(("the twin", "the digital twin"))
        text = rng.choice(
            (f"{text.rstrip('?')} in {twin}", f"in {twin}: {text}", f"let {twin} judge: {text}", f"play {a} and {b} in {twin}")
        )
    return Task(text, tool, {"plans": [start, form]})


def state(rng: random.Random, net: MadeNetwork) -> Task:
    """What is now, by slice."""
    name = shown_name(rng, rng.choice(net.slices))
    kpi = rng.choice(KPI_WORDS[rng.choice(list(KPI_WORDS))])
    now = rng.choice(("now", "right now", "at the moment", "currently", "at present", ""))
    zone = shown_name(rng, rng.choice(net.zones))
    frames = (
        f"{kpi} of {name} {now}?", f"what is the {kpi} of {name} {now}?", f"how much {kpi} does {name} have {now}",
        f"{name} {kpi} {now}", f"how is {name} doing {now}?", f"is {name} within its SLA {now}?",
        f"is {name} losing anything {now}?", f"are all SLAs met {now}?", f"state of the network {now}",
        f"give me an overview {now}", "status please", f"which slice is worst off {now}?", f"mean PRB share of {name} {now}?",
        f"how are the shares split {now}", f"how much bandwidth does {name} hold {now}", f"are there alarms {now}?",
        f"list the alarms {now}", "anything burning?", "which step are we at?", f"what limits does the SLA put on {name}?",
        f"SLA of {name}?", f"what delay is {name} allowed?", "how long does the SLA window still run",
        "steps remaining in this SLA window?", "when was the last proposal made?", "is there a proposal?",
        f"which cells belong to the {zone}?", f"list the cells of {zone}", f"how many Mbps does {name} serve {now}?",
        f"how full are the PRBs of {name} {now}?", f"which slices break their bounds {now}", f"all KPIs {now}",
        f"is everything ok {now}", "what did the last step measure?", f"{name} at a glance",
    )  # fmt: skip
    return Task(rng.choice(frames), "query_state", {})


def cells_now(rng: random.Random, net: MadeNetwork) -> Task:
    """What is now, by cell."""
    words, scope = cells_of(rng, net)
    now = rng.choice(("now", "right now", "at the moment", "currently", ""))
    name = shown_name(rng, rng.choice(net.slices))
    frames = (
        f"show {words} {now}", f"what is served in {words} {now}?", f"how do {words} look {now}", f"details of {words}",
        f"{words} {now}?", f"offered traffic in {words} {now}", f"what share does {name} have in {words}?",
        f"how much does {name} get in {words} {now}", f"{name} in {words} {now}: offered and served?", f"zoom in on {words}",
        f"PRB shares of {words}", f"is {words} congested {now}?", f"what is going on at {words}",
    )  # fmt: skip
    return Task(rng.choice(frames), "query_state", {"cells": scope["cells"]})


def forecast(rng: random.Random, net: MadeNetwork) -> Task:
    """What is to come."""
    feature = None if rng.random() < 0.55 else rng.choice(list(FEATURE_WORDS))
    what = (
        rng.choice(("demand", "demand", "traffic", "offered traffic", "demand in Mbps"))
        if feature is None
        else rng.choice(FEATURE_WORDS[feature])
    )
    arguments: dict[str, Any] = {} if feature is None else {"features": [feature]}
    kind = rng.random()
    if kind < 0.5:
        words, scope = cells_of(rng, net)
        arguments["cells"] = scope["cells"]
        place = rng.choice(("in ", "for ", "at ", "on ")) + words
    elif kind < 0.75:
        zone = shown_name(rng, rng.choice(net.zones))
        place = rng.choice((f"in the {zone}", f"in {zone}", f"at the {zone}", f"around the {zone}", f"for the {zone} zone"))
    else:
        place = rng.choice(("", "per zone", "by zone", "in each zone", "for all zones", "across the area", "in the network"))
    soon = rng.choice(
        (
            "soon",
            "ahead",
            "in the next minutes",
            "over the horizon",
            "over the next steps",
            "in the coming steps",
            "shortly",
            "next",
        )
    )
    frames = [
        f"forecast {what} {place}", f"what {what} is expected {place}?", f"expected {what} {place}",
        f"{what} {place} {soon}?", f"how will {what} {place} develop?", f"predicted {what} {place}",
        f"{what} forecast {place}", f"what {what} do we have to expect {place} {soon}", f"outlook for {what} {place}",
        f"where is {what} {place} heading?", f"{what} to come {place}", f"will {what} {place} go up {soon}?",
        f"what will {what} {place} be {soon}?",
    ]  # fmt: skip
    if feature is None and place:
        frames += [
            f"will it get busy {place} {soon}?",
            f"more traffic coming {place}?",
            f"is a surge coming {place}?",
            f"how much is coming {place}",
        ]
    return Task(rng.choice(frames), "forecast_field", arguments)


def candidates(rng: random.Random, net: MadeNetwork) -> Task:
    """Plans worth a look."""
    if rng.random() < 0.5:
        count = rng.randint(1, 8)
        word = rng.choice((str(count), DIGITS[count]))
        noun = rng.choice(("plan", "candidate", "candidate plan", "alternative", "suggestion", "option", "proposal")) + (
            "" if count == 1 else "s"
        )
        frames = (
            f"show me {word} {noun}", f"{word} {noun} please", f"list {word} {noun}", f"the {word} best {noun}",
            f"give me {word} {noun} with their risk", f"I want to see {word} {noun}", f"what are the top {word} {noun}?",
            f"{word} {noun}, no more", f"your {word} best {noun}?",
        )  # fmt: skip
        return Task(rng.choice(frames), "propose_candidates", {"count": count})
    noun = rng.choice(("plans", "candidates", "candidate plans", "alternatives", "suggestions", "options", "other plans"))
    frames = (
        f"which {noun} are there?", f"show the {noun}", f"list {noun}", f"any {noun}?",
        f"what {noun} did the planner consider?", "what could be done?", "what would you do?", "what does the actor suggest",
        f"{noun} and their predicted SCM", "how could we do better?", "what can we do about it?",
        f"let me see the {noun} of the newest decision", "ideas?", "what does the planner have in mind",
    )  # fmt: skip
    return Task(rng.choice(frames), "propose_candidates", {})


def explain(rng: random.Random, net: MadeNetwork) -> Task:
    """Why."""
    step = rng.choice((rng.randrange(1, 100), rng.randrange(100, 3000), rng.randrange(1000, 60000)))
    what = rng.choice(
        (
            f"step {step}",
            f"step {step}",
            f"decision {step}",
            f"the decision of step {step}",
            f"the verdict of step {step}",
            f"the plan of step {step}",
            f"step no. {step}",
            str(step),
        )
    )
    verb = rng.choice(("refused", "accepted", "rejected", "turned down", "passed", "let through", "declined", "taken"))
    name = shown_name(rng, rng.choice(net.slices))
    if rng.random() < 0.6:
        at = f"step {step}"
        frames = (
            f"why was {what} {verb}?", f"explain {what}", f"what happened in {at} and why", f"reasons for {what}?",
            f"what would have turned {what} around?", f"which check failed in {at}?", f"tell me about {what}",
            f"why did {name} get less in {at}?", f"justify {what}", f"how come {what} was {verb}",
            f"what bound was binding at {at}", f"was {what} {verb}? why?", f"rationale of {what}",
            f"how sure were we at {at}?", f"{at}: why that plan?",
        )  # fmt: skip
        return Task(rng.choice(frames), "explain", {"step": step})
    last = rng.choice(
        (
            "the last decision",
            "the newest decision",
            "the latest verdict",
            "the last plan",
            "the most recent plan",
            "the current verdict",
        )
    )
    frames = (
        f"explain {last}", f"why was {last} {verb}?", f"what is behind {last}?", f"reasons for {last}",
        f"what would change {last}?", "why was it refused?", f"which limit decided {last}", f"how sure are we about {last}?",
        "why this plan?", f"why did {name} just lose share?", f"justify {last}", "what stopped the plan?",
    )  # fmt: skip
    return Task(rng.choice(frames), "explain", {})


FIRST: Sequence[tuple[Callable[[random.Random, MadeNetwork], Task], int]] = (
    (state, 4), (cells_now, 3), (forecast, 5), (candidates, 3), (roll_out, 8), (verify, 6), (explain, 4),
)  # fmt: skip


def first(rng: random.Random, net: MadeNetwork) -> Task:
    """A question and its first call."""
    make = rng.choices([f for f, _ in FIRST], [w for _, w in FIRST])[0]
    made = make(rng, net)
    return Task(_neat(made.text).replace(" ?", "?").replace(" :", ":").replace(" ,", ","), made.tool, made.arguments)
