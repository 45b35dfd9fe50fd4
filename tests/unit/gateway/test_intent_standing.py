"""How a plan stands to an intent: in words, as questions with the nearest offer, and in the explanation of a verdict."""

from __future__ import annotations

import pytest
from gateway_samples import good_proposal

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.core.network import NetworkSpec
from twm.core.validation import validate
from twm.gateway.explain.compose import explain
from twm.gateway.explain.facts import facts_of
from twm.gateway.explain.numbers import check_numbers
from twm.gateway.guardrail import Situation, judge
from twm.gateway.intents.standing import standing_of
from twm.gateway.rules import load_rules

NOW_S, STEP = 1_800_000_000.0, 200


def wanted(spec: NetworkSpec) -> intent_pb2.IntentSpec:
    return intent_pb2.IntentSpec(
        intent_id="i-7",
        area_id=spec.area_id,
        spec_digest=spec.digest(),
        source=intent_pb2.INTENT_SOURCE_GRAMMAR,
        priority=3,
        objective=intent_pb2.Objective(saving_target_ratio=0.3, hold_slas=True),
        constraints=[
            intent_pb2.KpiConstraint(
                kpi=intent_pb2.KPI_DELAY_P99_MS,
                scope=intent_pb2.Scope(slices=["urllc"], zone="hospital"),
                comparator=intent_pb2.COMPARATOR_AT_MOST,
                bound=5.0,
            )
        ],
    )


def proposed(spec: NetworkSpec, *, violation: float = 0.94, reach: float = 6.03) -> planning_pb2.Proposal:
    proposal = good_proposal(spec, STEP, created_s=NOW_S)
    proposal.intent_set_version = 1
    proposal.intent_outcomes.add(
        intent_id="i-7", kpi=intent_pb2.KPI_DELAY_P99_MS, comparator=intent_pb2.COMPARATOR_AT_MOST, bound=5.0,
        violation_probability=violation, running_violation_probability=0.99, accepted_probability=0.2, predicted=5.91,
        predicted_low=5.2, predicted_high=7.4, basis="queueing and twin", met=violation <= 0.2, reachable_bound=reach,
        held_bound=6.4,
    )  # fmt: skip
    proposal.objective_outcomes.add(
        intent_id="i-7", wanted_ratio=0.3, saving_ratio=0.12, hold_slas=True, any_violation_probability=0.1,
        accepted_probability=0.2, reachable_saving_ratio=0.187, reachable_any_violation=0.61, reason="saves 0.12, wanted 0.3",
    )  # fmt: skip
    return proposal


def test_what_no_plan_reaches_becomes_an_offer_rounded_to_the_safe_side(spec: NetworkSpec) -> None:
    found = standing_of(wanted(spec), proposed(spec), spec)
    assert found is not None and found.met is False
    assert found.lines[0] == (
        "p99 delay of urllc in zone hospital at most 5 ms: does not hold; 5.91 ms predicted (5.2 ms to 7.4 ms), violated with "
        "94 % probability, accepted 20 % (as things run now: 99 %); queueing and twin"
    )
    delay, saving = found.questions
    assert (delay.code, delay.field) == ("infeasible", "constraints[0].bound")
    assert list(delay.choices) == ["at most 6.1 ms", "5 ms with up to 94 % violation probability", "withdraw it"]
    assert list(saving.choices) == [
        "save 18 %, SLAs held", "save 30 % with up to 61 % SLA violation risk", "withdraw it"
    ]  # fmt: skip
    for question in found.questions:
        validate(question)


def test_where_a_plan_reaches_it_nothing_is_asked(spec: NetworkSpec) -> None:
    met = standing_of(wanted(spec), proposed(spec, violation=0.1), spec)
    assert met is not None and [q.field for q in met.questions] == ["objective"]
    costly = standing_of(wanted(spec), proposed(spec, reach=4.9), spec)
    assert costly is not None and [q.field for q in costly.questions] == ["objective"]


def test_a_plan_made_without_the_intent_says_nothing_of_it(spec: NetworkSpec) -> None:
    assert standing_of(wanted(spec), None, spec) is None
    assert standing_of(wanted(spec), good_proposal(spec, STEP, created_s=NOW_S), spec) is None
    other = wanted(spec)
    other.intent_id = "another"
    found = standing_of(other, proposed(spec), spec)
    assert found is not None and (found.met, list(found.lines)) == (None, [])
    stale = wanted(spec)
    stale.spec_digest = "0" * 64
    assert standing_of(stale, proposed(spec), spec) is None


def test_the_explanation_tells_it_and_every_number_is_found(spec: NetworkSpec) -> None:
    active = intent_pb2.ActiveIntents(version=1)
    active.intents.add(spec=wanted(spec), subject="ops").activated.FromSeconds(int(NOW_S))
    proposal = proposed(spec)
    verdict = judge(
        proposal, spec, load_rules("default"), Situation(now_s=NOW_S, newest_step=STEP, accepted=None, intents=active)
    )
    assert [c.name for c in verdict.checks if not c.passed] == [], "no more probable than as things run"
    found = explain(proposal, verdict, spec, None, active)
    validate(found)
    assert found.intents[0].startswith("p99 delay of urllc in zone hospital at most 5 ms: does not hold")
    assert "Intents: p99 delay of urllc" in found.text
    assert check_numbers(found.text, facts_of(found, spec)).findings == ()
    assert not explain(proposal, verdict, spec).intents


@pytest.mark.parametrize("count", [1, 5])
def test_many_lines_are_counted(spec: NetworkSpec, count: int) -> None:
    active = intent_pb2.ActiveIntents(version=1)
    proposal = good_proposal(spec, STEP, created_s=NOW_S)
    proposal.intent_set_version = 1
    for number in range(count):
        one = wanted(spec)
        one.intent_id = f"i-{number}"
        active.intents.add(spec=one, subject="ops").activated.FromSeconds(int(NOW_S))
        proposal.objective_outcomes.add(intent_id=one.intent_id, wanted_ratio=0.1, saving_ratio=0.12, met=True)
    verdict = judge(proposal, spec, load_rules("default"), Situation(now_s=NOW_S, newest_step=STEP, accepted=None))
    found = explain(proposal, verdict, spec, None, active)
    assert ("(and 2 more)" in found.text) is (count == 5)
    assert check_numbers(found.text, facts_of(found, spec)).findings == ()
