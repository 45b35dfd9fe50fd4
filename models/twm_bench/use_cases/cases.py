"""The five use cases: one sentence each, what happens in the network, and what must come of it.

Each is played twice from the same state: with the sentence, through gateway, planner and guardrail, and without it. The figures
are what then truly happened in the twin, and what was predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twm.api.policy.v1 import policy_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import decode_policies
from twm.core.network import NetworkSpec
from twm.planner.cycle_settings import CycleSettings
from twm_bench.use_cases.city import TRIAL_FUTURES, Decision, Models, Network, alone, operator, tried
from twm_twin.simulator import Disturbance

SEED = 0xB0021
"""A validation seed."""
TRIAL_STEPS = 4
STEPS = 6
"""Slow steps that are decided."""
LAST = 10_000


@dataclass(frozen=True)
class Place:
    """What the cases speak of, by index."""

    spec: NetworkSpec

    def zone(self, name: str) -> list[int]:
        """Cells of a zone."""
        cells = {cell.id: i for i, cell in enumerate(self.spec.cells)}
        return [cells[c] for zone in self.spec.zones if zone.id == name for c in zone.cells]

    @property
    def links(self) -> list[int]:
        """All links."""
        return list(range(len(self.spec.transport.links)))

    def demand(self, name: str, factor: float) -> np.ndarray[Any, Any]:
        """Factor on the demand of a zone [C, S]."""
        out = np.ones((len(self.spec.cells), len(self.spec.slices)))
        out[self.zone(name)] = factor
        return out

    def left(self, *links: str) -> np.ndarray[Any, Any]:
        """Links that are down [L]."""
        return np.array([0.0 if link.id in links else 1.0 for link in self.spec.transport.links])


@dataclass(frozen=True)
class Claim:
    """Something that must have come of it."""

    text: str
    holds: bool


@dataclass(frozen=True)
class Played:
    """One case, with the sentence and without."""

    spec: NetworkSpec
    with_it: Network
    without: Network
    decisions: Sequence[Decision]
    """With the sentence."""
    others: Sequence[Decision]
    """Without it."""
    told: Sequence[str]
    """What the gateway understood."""
    standings: Sequence[dict[str, Any]]
    """How the newest plan stood to the intent after each decision (GET /v1/intents/{id}, `plan`); {}: nothing was said."""

    trials: Sequence[tuple[float, float]] = ()
    """(SCM, violation ratio) of the first plan in the twin where the surge is there from the first step on: with, without."""

    def violation(self, index: int = 0) -> float:
        """Predicted violation probability of a KPI constraint under the first plan."""
        return float(self.standings[0]["constraints"][index]["violation_probability"])

    def running_violation(self, index: int = 0) -> float:
        """The same as things ran then."""
        return float(self.standings[0]["constraints"][index]["running_violation_probability"])

    @property
    def accepted(self) -> int:
        """Plans that the guardrail let pass."""
        verdicts = [d.verdict for d in self.decisions if d.verdict is not None]
        return sum(v.decision == policy_pb2.DECISION_ACCEPTED for v in verdicts)

    def planned_share(self, decision: Decision, cells: Sequence[int], step: int) -> float:
        """Mean PRB share that a plan gives away in cells, `step` slow steps after its first."""
        policy = decode_policies(decision.proposal.policy, self.spec)
        return float(policy.prb_share_KHCS[0, step, list(cells)].sum(-1).mean())


@dataclass(frozen=True)
class Case:
    """One use case."""

    key: str
    title: str
    sentence: str
    happens: str
    """What truly happens, in words."""
    disturbances: Callable[[Place], list[Disturbance]]
    claims: Callable[[Played, Place, range], list[Claim]]
    """`range`: decided steps."""
    surge: tuple[str, float] | None = None
    """Zone and factor of a surge that the first plans are tried in besides."""


async def play(
    case: Case, spec: NetworkSpec, models: Models, settings: CycleSettings, redis_url: str, state_dir: Path, steps: int = STEPS
) -> Played:
    """Play it. `redis_url`: an empty server."""
    place = Place(spec)
    disturbances = case.disturbances(place)
    without = Network(spec, SEED, disturbances)
    frames = list(without.frames)
    others = alone(without, models, settings, steps)
    network = Network(spec, SEED, disturbances)
    decisions, standings = [], []
    async with operator(network, models, settings, redis_url, state_dir) as person:
        said = await person.say(case.sentence)
        if not said.get("activated"):
            raise ValueError(f"{case.key}: not activated: {said}")
        for _ in range(steps):
            decisions.append(await person.decide())
            standings.append((await person.intent(said["intent"]["intent_id"])).get("plan") or {})
    trials = []
    if case.surge is not None:
        factor = place.demand(*case.surge).ravel().tolist() * spec.timing.horizon_steps
        state = worldmodel_pb2.AssumedState(demand_factor=factor)
        trials = tried(spec, models, frames, [decisions[0].proposal, others[0].proposal], state, TRIAL_STEPS)
    return Played(spec, network, without, decisions, others, said["intent"]["told"], standings, trials)


def _hospital(played: Played, place: Place, steps: range) -> list[Claim]:
    cells = place.zone("hospital")
    found = [
        Claim(
            f"in the surge that was said, the first plan violates the bound with {played.violation():.0%} probability, "
            f"leaving things as they ran with {played.running_violation():.0%}",
            played.violation() < played.running_violation(),
        )
    ]
    surge = range(2, steps.stop)
    if surge:
        with_ms, without_ms = (n.p99_ms("urllc", cells, surge) for n in (played.with_it, played.without))
        found += [
            Claim(f"URLLC p99 in the hospital during the surge is {with_ms:.2f} ms, below 6 ms", with_ms < 6.0),
            Claim(f"it is lower than without the sentence ({without_ms:.2f} ms)", with_ms < without_ms),
            _slas(played, steps),
        ]
    return found


def _slas(played: Played, steps: range) -> Claim:
    broken = played.with_it.broken_slas(steps)
    return Claim(f"SLAs broken over the {len(steps)} steps: {', '.join(broken) or 'none'}", not broken)


def _saving(played: Played, place: Place, steps: range) -> list[Claim]:
    del place
    first = played.standings[0]["objectives"][0]
    found = [
        Claim(
            f"the first plan saves {first['saving_ratio']:.1%} (without the sentence "
            f"{played.others[0].proposal.saving_ratio:.1%}), an SLA is violated with {first['any_violation_probability']:.1%} "
            "probability, accepted 20 %",
            first["met"] and first["saving_ratio"] >= 0.10 and first["any_violation_probability"] <= 0.2,
        )
    ]
    if len(steps) >= STEPS:
        with_it, without = (n.saving(steps) for n in (played.with_it, played.without))
        found.append(
            Claim(f"{with_it:.1%} of the control cost was saved over the steps, {without:.1%} without", with_it >= 0.10)
        )
        found.append(_slas(played, steps))
    return found


def _corridor(played: Played, place: Place, steps: range) -> list[Claim]:
    cells = place.zone("corridor")
    shares = [played.planned_share(d, cells, 2) for d in (played.decisions[0], played.others[0])]
    (scm, broken), (other_scm, other_broken) = played.trials
    found = [
        Claim(
            f"the first plan gives {shares[0]:.1%} of the corridor's PRBs away when the surge begins, "
            f"{shares[1]:.1%} without the sentence",
            shares[0] > shares[1],
        ),
        Claim(
            f"were the surge there at once, the plan would have SCM {scm:.3f} in the twin and break an SLA in {broken:.0%} of "
            f"{TRIAL_FUTURES} futures ({other_scm:.3f} and {other_broken:.0%} without the sentence)",
            scm > other_scm and broken <= other_broken,
        ),
    ]
    return [*found, _slas(played, steps)] if steps.stop > 2 else found


def _maintenance(played: Played, place: Place, steps: range) -> list[Claim]:
    cells = [c for c in range(len(played.spec.cells)) if c in place.zone("hospital")[2:]]
    work = range(2, steps.stop)
    standing = played.standings[min(2, len(played.standings) - 1)]["objectives"][0]
    found = [
        Claim(
            f"with both links down an SLA is violated with {standing['any_violation_probability']:.1%} probability, "
            "accepted 20 %",
            standing["met"],
        )
    ]
    if work:
        now, then = (n.loss("embb", cells, work) for n in (played.with_it, played.without))
        found += [
            Claim(f"eMBB loss in the cells behind the links during the work is {now:.1%}, {then:.1%} without", now < then),
            _slas(played, range(2, steps.stop)),
        ]
    return found


def _relief(played: Played, place: Place, steps: range) -> list[Claim]:
    cells = place.zone("hospital")
    found = [
        Claim(
            f"the plan violates the bound on eMBB loss with {played.violation(2):.0%} probability, as things ran "
            f"{played.running_violation(2):.0%}",
            played.violation(2) < played.running_violation(2),
        )
    ]
    if len(steps) > 1:
        relieved = range(1, steps.stop)
        now, then = (n.loss("embb", cells, relieved) for n in (played.with_it, played.without))
        used, other = (n.link_use(place.links, relieved) for n in (played.with_it, played.without))
        found += [
            Claim(f"eMBB loss in the hospital is {now:.1%}, below 20 % ({then:.1%} without)", now < 0.20),
            Claim(f"the busiest link carries {used:.1%} of its capacity, below 75 % ({other:.1%} without)", used <= 0.75),
        ]
    return found


CASES = (
    Case(
        "hospital",
        "URLLC below a bound in the hospital zone during a surge",
        "Keep URLLC p99 delay below 6 ms in the hospital zone while demand there is 40 % above normal",
        "two minutes later the demand of all slices in the hospital rises by 40 %",
        lambda place: [Disturbance(first_step=2, last_step=LAST, demand_factor_CS=place.demand("hospital", 1.4))],
        _hospital,
    ),
    Case(
        "saving",
        "Cut cost by 10 % without breaking SLAs",
        "Cut cost by 10 % without breaking SLAs",
        "nothing out of the ordinary",
        lambda place: [],
        _saving,
    ),
    Case(
        "corridor",
        "Prepare for a 30 % surge in the corridor",
        "Prepare for a 30 % surge in the corridor",
        "two minutes later the demand of all slices in the corridor rises by 30 %",
        lambda place: [Disturbance(first_step=2, last_step=LAST, demand_factor_CS=place.demand("corridor", 1.3))],
        _corridor,
        ("corridor", 1.3),
    ),
    Case(
        "maintenance",
        "A maintenance window on two links",
        "Links up-2 and down-2 go down for maintenance from 17:50 to 18:10; hold the SLAs",
        "at 17:50 both links go down, and their cells' traffic takes the next spoke",
        lambda place: [Disturbance(first_step=2, last_step=LAST, link_factor_L=place.left("up-2", "down-2"))],
        _maintenance,
    ),
    Case(
        "relief",
        "Relief of a radio hotspot without overloading transport",
        "Relieve the hotspot in the hospital without overloading transport: keep every link below 75 % utilisation and eMBB "
        "loss in the hospital below 20 %",
        "the demand of all slices in the hospital has been 60 % above normal for a quarter of an hour",
        lambda place: [Disturbance(first_step=-LAST, last_step=LAST, demand_factor_CS=place.demand("hospital", 1.6))],
        _relief,
    ),
)
