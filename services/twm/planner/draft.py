"""A proposal in the making: what was looked at, what it cost, where the time went.

Everything known by the time something fails is kept, so that a fallback still carries its trace.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import PolicyArrays, encode_policies, saving_ratio
from twm.core.network import NetworkSpec
from twm.core.packed import extend_packed
from twm.planner.answers import Rollout
from twm.planner.front import non_dominated, thinned
from twm.planner.goals import Goals
from twm.planner.objective import ObjectiveWeights, Predictions, score
from twm.planner.outcomes import Reached, Standing, intent_outcomes, objective_outcome
from twm.planner.situation import Situation

MAX_CANDIDATES = 16
REACTIVE, RUNNING = "reactive", "running"


@dataclass(kw_only=True)
class Look:
    """One policy that is shown in the proposal. Its predictions are row `index` of the final rollout, or of the search."""

    origin: str
    policy: PolicyArrays
    saving: float
    move: float = 0.0
    """Mean change from the shares in force to the first step."""
    predictions: Predictions | None = None
    score: float = 0.0
    fan_HQSP: NDArray[np.float32] | None = None
    standing: Standing | None = None
    """How it stands to the KPI constraints of intents; None where there are none, or nothing said so."""


@dataclass(kw_only=True)
class Draft:
    """Collected over one cycle; `finish` makes the proposal."""

    situation: Situation
    looks: list[Look] = field(default_factory=list)
    """Finalists first, then reactive, running, others."""
    verifications: list[planning_pb2.Verification] = field(default_factory=list)
    evaluation_count: int = 0
    twin_call_count: int = 0
    models: tuple[tuple[str, str, str], ...] = ()
    """World models that answered."""
    actor_model: tuple[str, str, str] | None = None
    """The actor that answered."""
    timings: dict[str, float] = field(default_factory=dict)
    reduced: bool = False
    """Whether the search was cut down because of a backlog."""
    stopped_early: bool = False
    """Whether the search ended for lack of time."""
    predictions: list[Predictions] = field(default_factory=list)
    """What the world model said of each search round."""
    saving_parts: list[NDArray[np.float64]] = field(default_factory=list)
    """Control saving of each search round's candidates."""
    final: Rollout | None = None
    """Finalists, reactive rule and running shares with trajectories."""
    alternatives: PolicyArrays | None = None
    """Good policies that differ, remembered as seeds of the next decision."""
    front: list[planning_pb2.FrontPoint] = field(default_factory=list)
    """Cost-compliance front of everything evaluated."""
    running: Predictions | None = None
    """What leaving the running shares as they are leads to, where an intent makes that the measure; None: not asked yet."""
    reached: list[Reached | None] = field(default_factory=list)
    """The best that any plan looked at reaches for each KPI constraint."""
    corner: planning_pb2.CornerReport | None = None
    """Corner cases, where they are watched for."""

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the wall time of the block to `part`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.timings[part] = self.timings.get(part, 0.0) + time.perf_counter() - begin

    def find(self, origin: str) -> int | None:
        """Index of the first look of that origin."""
        return next((i for i, look in enumerate(self.looks) if look.origin == origin), None)

    def add_fallback(self, policy: PolicyArrays, origin: str, spec: NetworkSpec) -> int:
        """The look of the fallback, appended unless it is there already; its index."""
        index = self.find(origin)
        if index is None:
            saving = float(saving_ratio(policy, spec, self.situation.running)[0])
            self.looks.append(Look(origin=origin, policy=policy, saving=saving))
            index = len(self.looks) - 1
        return index

    def finish(
        self,
        spec: NetworkSpec,
        spec_digest: str,
        *,
        chosen: int,
        runner_up: int | None,
        source: planning_pb2.ProposalSource,
        reason: str,
        created_s: float,
        weights: ObjectiveWeights | None = None,
        goals: Goals | None = None,
    ) -> planning_pb2.Proposal:
        """The proposal of look `chosen`; `reason` is empty where it came out of the search; `weights`: told as they were;
        `goals`: what active intents ask, None where none was read."""
        frame, look = self.situation.frame, self.looks[chosen]
        proposal = planning_pb2.Proposal(
            proposal_id=f"{spec.area_id}/{frame.step}",
            area_id=spec.area_id,
            step=frame.step,
            spec_digest=spec_digest,
            source=source,
            fallback_reason=reason[:1024],
            policy=encode_policies(look.policy),
            running=encode_policies(self.situation.running),
            chosen_index=chosen,
            candidates=[_candidate(entry) for entry in self.looks],
            evaluation_count=self.evaluation_count,
            twin_call_count=self.twin_call_count,
            verifications=self.verifications,
            saving_ratio=look.saving,
            models=[
                worldmodel_pb2.ModelIdentity(name=n, version=v, digest=d)
                for n, v, d in (*self.models, *([self.actor_model] if self.actor_model else []))
            ],
            timings=[planning_pb2.Timing(part=part, seconds=seconds) for part, seconds in self.timings.items()],
            trace_id=self.situation.history[-1].trace_id,
            front=self.front,
            corner=self.corner,
        )
        if self.alternatives is not None and self.alternatives.count:
            proposal.alternatives.CopyFrom(encode_policies(self.alternatives))
        proposal.effective.FromNanoseconds(round((frame.start_s + spec.timing.slow_step_s) * 1e6) * 1000)
        proposal.created.FromNanoseconds(round(created_s * 1e6) * 1000)
        found = look.predictions
        if found is not None:
            proposal.predicted_scm = float(found.scm_mean_K[0])
            proposal.violation_probability.extend(found.violation_KS[0].tolist())
            proposal.any_violation_probability = float(found.any_violation_K[0])
            proposal.disagreement = float(found.disagreement_K[0])
            proposal.ood_score = float(found.ood_K[0])
        running = self.find(RUNNING)
        running_found = self.looks[running].predictions if running is not None else None
        if running_found is not None:
            proposal.running_predicted_scm = float(running_found.scm_mean_K[0])
        if runner_up is not None and runner_up != chosen and runner_up < len(self.looks):
            proposal.runner_up_index = runner_up
        if weights is not None:
            proposal.objective.CopyFrom(planning_pb2.Objective(**vars(weights)))
        self._add_fans(proposal, {"proposed": chosen, "running": running, "runner_up": runner_up})
        if goals is not None:
            self._add_outcomes(proposal, goals, look, self.looks[running] if running is not None else None)
        return proposal

    def _add_outcomes(self, proposal: planning_pb2.Proposal, goals: Goals, look: Look, running: Look | None) -> None:
        proposal.intent_set_version, proposal.intent_problem = goals.set_version, goals.problem
        if look.standing is not None:
            now = running.standing if running is not None else None
            proposal.intent_outcomes.extend(intent_outcomes(goals, look.standing, now, self.reached))
        accepted = goals.settings.accepted_probability
        proposal.objective_outcomes.extend(objective_outcome(wanted, proposal, accepted) for wanted in goals.objectives)

    def _add_fans(self, proposal: planning_pb2.Proposal, which: dict[str, int | None]) -> None:
        for name, index in which.items():
            fan = self.looks[index].fan_HQSP if index is not None else None
            if fan is not None and self.final is not None:
                message = planning_pb2.KpiFan(
                    policy=name, kpi_names=self.final.kpi_names, quantile_levels=self.final.quantile_levels
                )
                extend_packed(message, "values", fan)
                proposal.fans.append(message)


def looks_of(
    origins: list[str],
    policies: PolicyArrays,
    predictions: Predictions,
    saving: NDArray[np.float64],
    move: NDArray[np.float64],
    weights: ObjectiveWeights,
) -> list[Look]:
    """A look for each policy, with its predictions."""
    value = score(predictions, saving, weights, move)
    return [
        Look(
            origin=origin[:128],
            policy=policies.take([i]),
            saving=float(saving[i]),
            move=float(move[i]),
            predictions=predictions.take([i]),
            score=float(value[i]),
        )
        for i, origin in enumerate(origins)
    ]


def _candidate(look: Look) -> planning_pb2.Candidate:
    candidate = planning_pb2.Candidate(origin=look.origin, saving_ratio=look.saving, score=look.score, move=look.move)
    if look.predictions is not None:
        candidate.slice_violation_probability.extend(look.predictions.violation_KS[0].tolist())
        candidate.ood_score = float(look.predictions.ood_K[0])
        candidate.shortfall = float(look.predictions.shortfall_K[0])
        candidate.scm_mean = float(look.predictions.scm_mean_K[0])
        candidate.violation_probability = float(look.predictions.any_violation_K[0])
        candidate.disagreement = float(look.predictions.disagreement_K[0])
        if not np.isnan(look.predictions.cvar_K[0]):
            candidate.scm_cvar = float(look.predictions.cvar_K[0])
    return candidate


def front_of(
    predictions: Predictions, saving_N: NDArray[np.float64], origins: list[str], shown: dict[int, int]
) -> list[planning_pb2.FrontPoint]:
    """The cost-compliance front, by rising saving; `shown`: index of a candidate to its index in the proposal."""
    scm, violation = predictions.scm_mean_K, predictions.any_violation_K
    points = []
    for i in thinned(saving_N, non_dominated(saving_N, scm, violation)).tolist():
        point = planning_pb2.FrontPoint(
            saving_ratio=saving_N[i], scm_mean=scm[i], violation_probability=violation[i], origin=origins[i][:128]
        )
        if i in shown:
            point.candidate_index = shown[i]
        points.append(point)
    return points
