"""What intents ask of a decision: weights, bounds, targets and states; damage and nonsense leave a plan and say so."""

from __future__ import annotations

import numpy as np
import pytest
from planner_peers import measured_frame

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.intents import MAX_CONTENT_BYTES, parse_active, readable_intents
from twm.core.network import NetworkSpec
from twm.planner.goal_reading import goals_of
from twm.planner.goals import Goals, GoalSettings
from twm.planner.objective import ObjectiveWeights, Predictions

NOW_S = 1_800_000_000.0


def intent(spec: NetworkSpec, name: str = "i-1", **parts: object) -> intent_pb2.IntentSpec:
    return intent_pb2.IntentSpec(
        intent_id=name,
        area_id=spec.area_id,
        spec_digest=spec.digest(),
        source=intent_pb2.INTENT_SOURCE_GRAMMAR,
        priority=parts.pop("priority", 3),  # type: ignore[arg-type]
        **parts,  # type: ignore[arg-type]
    )


def active(*intents: intent_pb2.IntentSpec, version: int = 3) -> bytes:
    found = intent_pb2.ActiveIntents(version=version)
    for one in intents:
        found.intents.add(spec=one, subject="ops").activated.FromSeconds(int(NOW_S) - 60)
    return found.SerializeToString(deterministic=True)


def window(start: float | None, end: float | None = None) -> intent_pb2.Window:
    found = intent_pb2.Window()
    for field, value in (("start", start), ("end", end)):
        if value is not None:
            getattr(found, field).FromSeconds(int(NOW_S + value))
    return found


def read(spec: NetworkSpec, *intents: intent_pb2.IntentSpec, frames: int = 8) -> Goals:
    history = [measured_frame(spec, step) for step in range(frames)]
    return goals_of(active(*intents), spec, history, NOW_S, GoalSettings(), ObjectiveWeights())


def test_nothing_read_is_nothing_asked(spec: NetworkSpec) -> None:
    goals = goals_of(b"", spec, [measured_frame(spec, 0)], NOW_S, GoalSettings(), ObjectiveWeights())
    assert (goals.on, goals.closer, goals.bounds, goals.states, goals.weights) == (False, False, None, (), ObjectiveWeights())
    assert goals.sample_count(8) == 8


def test_saving_is_aimed_for_and_the_first_of_two_counts(spec: NetworkSpec) -> None:
    cheap = intent(spec, "a", priority=4, objective=intent_pb2.Objective(saving_target_ratio=0.3))
    main = intent(spec, "b", priority=1, objective=intent_pb2.Objective(saving_target_ratio=0.1, hold_slas=True))
    goals = read(spec, cheap, main)
    assert goals.weights.saving_wanted_ratio == pytest.approx(0.1)
    assert goals.hold_slas and [o.intent_id for o in goals.objectives] == ["b", "a"]
    # A plan that moves much pays for it again in each step: it must save more to count as saving enough.
    enough = goals.saving_penalty(np.array([0.11, 0.11, 0.05]), np.array([0.0, 0.2, 0.0]), 0.25, 12)
    assert enough[0] == 0.0 < enough[1] < enough[2]
    weighed = read(spec, intent(spec, objective=intent_pb2.Objective(saving_weight=2.0)))
    assert weighed.weights.saving_wanted_ratio == pytest.approx(2 * ObjectiveWeights().saving_wanted_ratio)


def test_slas_that_hold_and_slices_that_count_more_cost(spec: NetworkSpec) -> None:
    goal = intent_pb2.Objective(hold_slas=True, slice_weights=[intent_pb2.SliceWeight(slice="urllc", weight=3.0)])
    goals = read(spec, intent(spec, objective=goal))
    violation_KS = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.0, 0.0]])
    penalty = goals.sla_penalty(violation_KS, np.array([0.0, 0.5, 0.5]))
    assert penalty[0] == 0.0 < penalty[2] < penalty[1]


def test_constraints_become_targets_of_the_steps_they_hold_in(spec: NetworkSpec) -> None:
    zone = intent_pb2.Scope(slices=["urllc"], zone="hospital")
    step = spec.timing.slow_step_s
    constraints = [
        intent_pb2.KpiConstraint(kpi=1, scope=zone, comparator=1, bound=8.0),
        intent_pb2.KpiConstraint(
            kpi=5, scope=intent_pb2.Scope(links=[2, 3]), comparator=1, bound=0.8, window=window(2 * step, 4 * step),
            max_violation_probability=0.05,
        ),
        intent_pb2.KpiConstraint(kpi=3, scope=intent_pb2.Scope(), comparator=1, bound=0.1, window=window(86400.0)),
    ]  # fmt: skip
    goals = read(spec, intent(spec, constraints=constraints, priority=1))
    assert [(t.index, list(t.message.steps), t.message.accepted_probability) for t in goals.targets] == [
        (0, [], pytest.approx(0.2)),
        (1, [2, 3], pytest.approx(0.05)),
    ]
    first = goals.targets[0].message
    assert (list(first.slices), list(first.cells), list(first.links)) == ([1], [0, 1, 2, 3], [])
    assert goals.targets[0].factor == 2.0, "the highest priority weighs most"
    penalty = goals.target_penalty(
        np.array([[0.0, 0.0], [0.9, 0.0], [1.0, 0.0]]), np.array([[0.0, 0.0], [0.2, 0.0], [0.9, 0.0]])
    )
    assert penalty[0] == 0.0 < penalty[1] < penalty[2]


def test_limits_bound_shares_in_their_window_and_as_long_before_as_a_policy_holds(spec: NetworkSpec) -> None:
    scope = intent_pb2.Scope(slices=["urllc"], zone="hospital")
    step = spec.timing.slow_step_s
    limits = [
        intent_pb2.ActionLimit(scope=scope, min_share=0.3, resource=1),
        intent_pb2.ActionLimit(scope=scope, max_share=0.6, resource=1, window=window(5 * step)),
        intent_pb2.ActionLimit(scope=intent_pb2.Scope(links=[1]), max_change=0.0),
    ]
    bounds = read(spec, intent(spec, limits=limits)).bounds
    assert bounds is not None
    cells = len(spec.cells)
    assert (bounds.least_HRS[:, :4, 1] == np.float32(0.3)).all() and np.isinf(bounds.least_HRS[:, 4:]).all()
    assert np.isinf(bounds.most_HRS[:3]).all() and (bounds.most_HRS[3:, :4, 1] == np.float32(0.6)).all()
    assert (bounds.change_HRS[:, cells + 1] == 0.0).all() and np.isinf(bounds.change_HRS[:, :cells]).all()


def test_surge_and_maintenance_become_states(spec: NetworkSpec) -> None:
    horizon, step = spec.timing.horizon_steps, spec.timing.slow_step_s
    cells, slices, links = spec.sizes
    context = intent_pb2.Context(
        surges=[intent_pb2.Surge(scope=intent_pb2.Scope(zone="corridor"), factor=1.3, window=window(3 * step))],
        maintenance=[intent_pb2.Maintenance(link_index=1, capacity_factor=0.5, window=window(0.0, 2 * step))],
    )
    goals = read(spec, intent(spec, context=context))
    expected, surged = goals.states
    demand = np.array(surged.demand_factor).reshape(horizon, cells, slices)
    assert not expected.demand_factor and (demand[:3] == 1.0).all()
    assert (demand[3:, [4, 5, 7, 8]] == np.float32(1.3)).all() and (demand[3:, [0, 1, 2, 3, 6, 9]] == 1.0).all()
    for state in (expected, surged):
        left = np.array(state.link_factor).reshape(horizon, links)
        assert (left[:2, 1] == 0.5).all() and (left[2:] == 1.0).all()
    assert goals.sample_count(8) == 16
    only_work = read(spec, intent(spec, context=intent_pb2.Context(maintenance=[intent_pb2.Maintenance(link_index=1)])))
    assert len(only_work.states) == 1, "what is certain needs no second state"


def test_a_surge_that_is_seen_already_is_not_counted_twice(spec: NetworkSpec) -> None:
    context = intent_pb2.Context(surges=[intent_pb2.Surge(scope=intent_pb2.Scope(zone="corridor"), factor=1.4)])
    frames = [measured_frame(spec, step) for step in range(10)]
    frames[-1].cell_slice_feature("offered_mbps")[4] *= 1.4
    frames[-1].cell_slice_feature("offered_mbps")[5] *= 1.2
    goals = goals_of(active(intent(spec, context=context)), spec, frames, NOW_S, GoalSettings(), ObjectiveWeights())
    demand = np.array(goals.states[1].demand_factor).reshape(spec.timing.horizon_steps, *spec.sizes[:2])[0]
    assert demand[4] == pytest.approx(1.0) and demand[5] == pytest.approx(1.4 / 1.2) and demand[7] == pytest.approx(1.4)
    # It began longer ago than the history reaches: what is seen is the surge.
    old = intent_pb2.Surge(scope=intent_pb2.Scope(zone="corridor"), factor=1.4, window=window(-3600.0, 3600.0))
    goals = goals_of(
        active(intent(spec, context=intent_pb2.Context(surges=[old]))), spec, frames, NOW_S, GoalSettings(), ObjectiveWeights()
    )
    assert goals.states == ()


def test_what_is_over_or_does_not_fit_is_left_out_and_said(spec: NetworkSpec) -> None:
    over = intent(spec, "over", objective=intent_pb2.Objective(saving_target_ratio=0.5))
    over.expires.FromSeconds(int(NOW_S) - 1)
    nowhere = intent_pb2.Scope(zone="x")
    bad = [
        intent(spec, "zone", constraints=[intent_pb2.KpiConstraint(kpi=1, scope=nowhere, comparator=1, bound=5)]),
        intent(spec, "link", context=intent_pb2.Context(maintenance=[intent_pb2.Maintenance(link_index=99)])),
        intent(spec, "share", limits=[intent_pb2.ActionLimit(scope=intent_pb2.Scope(slices=["gold"]), max_share=0.1)]),
    ]  # fmt: skip
    good = intent(spec, "good", objective=intent_pb2.Objective(saving_target_ratio=0.1))
    goals = read(spec, over, *bad, good)
    assert goals.weights.saving_wanted_ratio == pytest.approx(0.1) and not goals.targets
    assert all(name in goals.problem for name in ("zone", "link", "share")) and "over" not in goals.problem
    assert goals_of(b"\xff\xff", spec, [measured_frame(spec, 0)], NOW_S, GoalSettings(), ObjectiveWeights()).problem


def test_the_stored_set_is_read_whatever_stands_there(spec: NetworkSpec) -> None:
    found, problem = readable_intents(b"\xff\xfe\xfd garbage", spec.area_id, spec.digest())
    assert not found.intents and "damaged" in problem
    with pytest.raises(InvalidInputError, match="damaged"):
        parse_active(b"\xff\xfe\xfd garbage")
    other = intent(spec, "other")
    other.spec_digest = "0" * 64
    words = intent(spec, "words", objective=intent_pb2.Objective(hold_slas=True))
    words.text = "x" * 2000
    found, problem = readable_intents(active(other, words), spec.area_id, spec.digest())
    assert [e.spec.intent_id for e in found.intents] == ["words"] and not found.intents[0].spec.text and "other" in problem
    many = [
        intent(
            spec, f"i-{i}", priority=1 + i % 5,
            constraints=[
                intent_pb2.KpiConstraint(kpi=1, scope=intent_pb2.Scope(cells=range(10), zone="hospital"), comparator=1, bound=5)
            ] * 60,
        )
        for i in range(60)
    ]  # fmt: skip
    found, problem = readable_intents(active(*many), spec.area_id, spec.digest())
    assert found.ByteSize() <= MAX_CONTENT_BYTES and "too much" in problem
    assert min(e.spec.priority for e in found.intents) == 1 and len(found.intents) < 60


def test_harm_is_measured_against_the_running_shares() -> None:
    def predictions(scm: list[float], violation: list[float]) -> Predictions:
        k = len(scm)
        return Predictions(
            scm_mean_K=np.array(scm), violation_KS=np.zeros((k, 3)), any_violation_K=np.array(violation),
            disagreement_K=np.zeros(k), ood_K=np.zeros(k),
        )  # fmt: skip

    running = predictions([0.4], [0.9])
    harm = Goals().harm_of(predictions([0.5, 0.39, 0.2, 0.5], [0.1, 0.1, 0.1, 1.0]), running, 0.02)
    assert harm == pytest.approx([0.0, 0.0, 0.18, 0.1])
    assert (Goals().harm_of(running, None, 0.02) == 0.0).all()
