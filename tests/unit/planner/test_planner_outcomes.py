"""What the twin's futures say of a target, both words together, and what the proposal tells of it."""

from __future__ import annotations

import numpy as np
import pytest
from planner_peers import frame_messages

from twm.api.planning.v1 import planning_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.clock import ManualClock
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.gateway.intents.standing import rounded
from twm.planner.answers import TargetColumns
from twm.planner.cycle_settings import CycleSettings
from twm.planner.decision import Decision
from twm.planner.draft import REACTIVE, RUNNING, Draft, Look
from twm.planner.goals import Goals, Objective, Target
from twm.planner.objective import Predictions
from twm.planner.outcomes import (
    Standing,
    best_reach,
    intent_outcomes,
    objective_outcome,
    predicted_standing,
    verified_standing,
)
from twm.planner.pace import Pace
from twm.planner.situation import Situation
from twm.planner.space import ShareSpace


def target(kpi: int = 1, bound: float = 8.0, *, at_most: bool = True, **parts: object) -> Target:
    message = worldmodel_pb2.KpiTarget(
        kpi=kpi, comparator=1 if at_most else 2, bound=bound, accepted_probability=0.2, **parts  # type: ignore[arg-type]
    )  # fmt: skip
    return Target(intent_id="i", index=0, message=message, factor=1.0)


def columns(violation: float, median: float, reach: float, *, known: bool = True, count: int = 1) -> TargetColumns:
    return TargetColumns(
        predicted_M=np.array([known]),
        violation_KM=np.full((count, 1), violation),
        excess_KM=np.zeros((count, 1)),
        quantiles_KMQ=np.tile([median * 0.9, median, median * 1.1], (count, 1, 1)),
        reach_KM=np.full((count, 1), reach),
    )


def twin(
    one: Target, values: list[float], states: list[int] | None = None, demand: float = 1e6, known: bool = False
) -> Standing:
    predicted = predicted_standing([one], columns(0.0, 6.0, 6.5, known=known))
    state_J = np.array(states or [0] * len(values), np.intp)
    return verified_standing(
        [one], predicted, np.array([True]), np.array(values)[:, None], state_J, np.full((len(values), 4, 2, 3), demand)
    )


def test_futures_count_one_by_one() -> None:
    calm = twin(target(), [6.0, 6.1, 6.2, 6.0, 6.1, 6.3, 6.2, 6.1])
    assert calm.violation_M[0] < 0.01 and calm.quantiles_MQ[0, 1] == pytest.approx(6.1, abs=0.1) and calm.basis_M == ("twin",)
    broken = twin(target(), [6.0, 6.1, 6.2, 6.0, 6.1, 6.3, 6.2, 30.0])
    assert broken.violation_M[0] == pytest.approx(1 / 8, abs=0.02), "one link that fails is one future of eight"
    assert broken.reach_M[0] < 8.0
    edge = twin(target(), [7.9, 8.1] * 4)
    assert edge.violation_M[0] == pytest.approx(0.5, abs=0.05)


def test_the_worst_state_counts_and_only_those_that_are_meant() -> None:
    values, states = [6.0] * 4 + [12.0] * 4, [0] * 4 + [1] * 4
    assert twin(target(), values, states).violation_M[0] > 0.99
    assert twin(target(states=[0]), values, states).violation_M[0] < 0.01


def test_two_words_count_the_same() -> None:
    both = twin(target(), [9.0] * 8, known=True)
    assert both.violation_M[0] == pytest.approx(0.5, abs=0.01) and both.basis_M == ("world model and twin",)
    assert both.quantiles_MQ[0, 1] == pytest.approx(7.5, abs=0.1)


def test_of_a_throughput_no_more_is_asked_than_is_offered() -> None:
    wanted = target(4, 100.0, at_most=False)
    assert twin(wanted, [60.0] * 8, demand=60.0 / 6).violation_M[0] < 0.3, "all that was offered came through"
    assert twin(wanted, [60.0] * 8, demand=200.0 / 6).violation_M[0] > 0.99


def test_what_is_not_predicted_counts_as_violated_and_says_so() -> None:
    goals = Goals(targets=(target(),))
    (found,) = intent_outcomes(goals, predicted_standing(goals.targets, columns(0, 0, 0, known=False)), None, [])
    assert (found.violation_probability, found.met, found.basis) == (1.0, False, "")
    assert "not predicted" in found.reason and not found.HasField("predicted")
    assert not found.HasField("running_violation_probability"), "so the guardrail does not let it pass as no worse than now"


def test_the_offer_is_the_best_that_does_no_harm() -> None:
    goals = Goals(targets=(target(),))
    many = columns(0.9, 9.0, 9.5, count=3)
    many.reach_KM[:, 0] = [9.5, 7.0, 8.5]
    found = Predictions(
        scm_mean_K=np.zeros(3), violation_KS=np.zeros((3, 3)), any_violation_K=np.array([0.1, 1.0, 0.2]),
        disagreement_K=np.zeros(3), ood_K=np.zeros(3),
    )  # fmt: skip
    reached = best_reach(goals, [], many, found, np.array([0.1, 0.1, 0.05]), np.array([0.0, 0.3, 0.0]))
    (outcome,) = intent_outcomes(goals, predicted_standing(goals.targets, columns(0.9, 9.0, 9.5)), None, reached)
    assert outcome.reachable_bound == pytest.approx(8.5) and outcome.reachable_saving_ratio == pytest.approx(0.05)
    assert outcome.held_bound == pytest.approx(9.5) and not outcome.met and "0.9" in outcome.reason


def test_objectives_are_told_with_what_the_front_offers(spec: NetworkSpec) -> None:
    del spec
    proposal = planning_pb2.Proposal(saving_ratio=0.08, any_violation_probability=0.1)
    for saving, violation in ((0.05, 0.01), (0.12, 0.15), (0.2, 0.6)):
        proposal.front.add(saving_ratio=saving, violation_probability=violation, origin="x")
    missed = objective_outcome(Objective(intent_id="i", wanted_ratio=0.15, hold_slas=True), proposal, 0.2)
    assert not missed.met and missed.reachable_saving_ratio == pytest.approx(0.12)
    assert missed.reachable_any_violation == pytest.approx(0.6) and "saves 0.08" in missed.reason
    assert objective_outcome(Objective(intent_id="i", wanted_ratio=0.0, hold_slas=True), proposal, 0.2).met


@pytest.mark.parametrize(
    ("value", "up", "offer"), [(6.03, True, 6.1), (6.1, True, 6.1), (0.1787, True, 0.18), (187.0, False, 180.0)]
)
def test_offers_are_rounded_to_the_safe_side(value: float, up: bool, offer: float) -> None:
    assert rounded(value, up=up) == pytest.approx(offer)


@pytest.mark.parametrize(("running", "rule", "held"), [(0.3, 0.9, True), (0.9, 0.3, False), (0.3, 0.3, False)])
def test_the_running_shares_are_held_where_they_keep_the_intents_better(
    spec: NetworkSpec, running: float, rule: float, held: bool
) -> None:
    clock = ManualClock()
    draft = Draft(situation=Situation.of(frame_messages(spec, range(3)), spec, FrameCodec(spec)))
    space = ShareSpace(spec, draft.situation.running)
    goals = Goals(targets=(target(),))
    found = Predictions(
        scm_mean_K=np.full(1, 0.4), violation_KS=np.zeros((1, 3)), any_violation_K=np.zeros(1), disagreement_K=np.zeros(1),
        ood_K=np.zeros(1),
    )  # fmt: skip
    for origin, violation in ((RUNNING, running), (REACTIVE, rule)):
        draft.looks.append(
            Look(
                origin=origin,
                policy=space.policies(space.held_running()),
                saving=0.0,
                predictions=found,
                standing=predicted_standing(goals.targets, columns(violation, 8.0, 8.5)),
            )
        )
    decision = Decision(
        spec=spec, settings=CycleSettings(), peers=None, clock=clock, pace=Pace(clock), draft=draft, space=space, begin=0.0,  # type: ignore[arg-type]
        goals=goals,
    )  # fmt: skip
    assert (decision.better_held(1) == 0) is held
    assert decision.better_held(0) is None
