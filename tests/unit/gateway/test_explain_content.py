"""Explanations: numbers out of proposal and verdict, turning points that turn, texts whose every number is a fact."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from gateway_samples import fallback_proposal, good_proposal

from twm.api.explain.v1 import explain_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.drift import DriftStatus
from twm.core.errors import UnavailableError
from twm.core.network import NetworkSpec
from twm.core.validation import validate
from twm.gateway.explain.compose import explain
from twm.gateway.explain.facts import Facts, facts_of
from twm.gateway.explain.numbers import check_numbers
from twm.gateway.explain.text import told_by, with_model_text
from twm.gateway.explain.turns import ranking_turns
from twm.gateway.guardrail import Situation, judge
from twm.gateway.rules import load_rules
from twm.planner.objective import ObjectiveWeights, Predictions, verified_score

NOW_S, STEP = 1_000_000.0, 118
RULES = load_rules("default")
DRIFT = DriftStatus(
    state="ok",
    reasons=(),
    since_step=3,
    last_step=117,
    model="m",
    blocks=20,
    coverage={"delay_p99_ms": (0.91, 0.8, 0.97), "loss_ratio": (0.87, 0.8, 0.92)},
    residual={},
    surprise={},
    surprise_nats={},
    changes=(),
)


def rich_proposal(spec: NetworkSpec) -> planning_pb2.Proposal:
    """Found by a search, with a runner-up that the twin has played, and fans that differ."""
    proposal = good_proposal(spec, STEP, created_s=NOW_S - 1)
    values = np.array(proposal.fans[0].values).reshape(12, 3, 3, 4)
    values[..., 1, 1] *= 0.8  # delay of urllc
    values[3, :, 1, 1] *= 1.5  # its worst step
    proposal.fans[0].values[:] = values.ravel().tolist()
    runner_up = planning_pb2.KpiFan()
    runner_up.CopyFrom(proposal.fans[1])
    runner_up.policy = "runner_up"
    proposal.fans.append(runner_up)
    proposal.candidates[0].scm_cvar = 0.15
    proposal.candidates.add(
        origin="elite:2", scm_mean=0.35, violation_probability=0.25, disagreement=0.04, scm_cvar=0.1, saving_ratio=0.14
    )
    proposal.verifications[0].score, proposal.verifications[0].saving_ratio = 0.41, 0.1
    proposal.verifications.add(
        candidate_index=2, scm_mean=0.36, violation_ratio=0.25, passed=True, score=0.38, saving_ratio=0.14
    )
    proposal.runner_up_index = 2
    weights = ObjectiveWeights()
    proposal.objective.CopyFrom(planning_pb2.Objective(**vars(weights)))
    return proposal


def explained(
    proposal: planning_pb2.Proposal, spec: NetworkSpec, drift: DriftStatus | None = DRIFT
) -> tuple[explain_pb2.Explanation, policy_pb2.Verdict]:
    verdict = judge(proposal, spec, RULES, Situation(now_s=NOW_S, newest_step=STEP, accepted=None))
    found = explain(proposal, verdict, spec, drift)
    validate(found)
    return found, verdict


def turn_of(found: explain_pb2.Explanation, quantity: str) -> explain_pb2.Turn:
    return next(turn for turn in found.turns if turn.quantity == quantity)


def test_moves_are_the_change_of_shares_largest_first(spec: NetworkSpec) -> None:
    proposal = good_proposal(spec, STEP, created_s=NOW_S)
    proposal.policy.prb_share[2 * 3 + 1] = 0.55  # urllc in cell-2, of .3
    proposal.policy.prb_share[2 * 3] = 0.15
    found, _ = explained(proposal, spec)
    first = found.moves[0]
    assert (first.resource, first.span, first.scope, first.slice) == (
        explain_pb2.RESOURCE_PRB, explain_pb2.SPAN_CELL, "cell-2", "urllc"
    )  # fmt: skip
    assert first.before_share == pytest.approx(1 / 3) and first.after_share == pytest.approx(0.55)
    sizes = [abs(m.after_share - m.before_share) for m in found.moves]
    assert sizes == sorted(sizes, reverse=True)
    hospital = next(m for m in found.moves if m.scope == "hospital" and m.slice == "urllc")
    assert hospital.after_share == pytest.approx((3 * 0.3 + 0.55) / 4)


def test_predictions_stand_against_doing_nothing_and_the_runner_up(spec: NetworkSpec) -> None:
    found, _ = explained(rich_proposal(spec), spec)
    delay = next(f for f in found.forecasts if (f.slice, f.kpi) == ("urllc", "delay_p99_ms"))
    assert delay.over_steps == "largest"
    assert [delay.proposed.low, delay.proposed.median, delay.proposed.high] == pytest.approx([12.0, 18.0, 24.0])
    assert delay.running.median == pytest.approx(15.0)
    assert delay.change_from_running.median == pytest.approx(3.0)
    assert delay.change_from_runner_up.high == pytest.approx(4.0)
    loss = next(f for f in found.forecasts if (f.slice, f.kpi) == ("embb", "loss_ratio"))
    assert delay.bound == 20 and loss.bound == 0.25
    assert not next(f for f in found.forecasts if (f.slice, f.kpi) == ("embb", "delay_p99_ms")).HasField("bound")
    assert "urllc p99 delay 18.0 ms instead of 15.0 ms" in found.headline
    assert loss.over_steps == "mean" and loss.proposed.median == pytest.approx(0.1)
    outlooks = {o.policy: o for o in found.outlooks}
    assert set(outlooks) == {"proposed", "running", "runner_up"}
    assert outlooks["runner_up"].origin == "elite:2"
    assert outlooks["runner_up"].twin_scm == pytest.approx(0.36)
    assert outlooks["proposed"].slice_violation_probability["fwa"] == pytest.approx(0.1)


def test_the_binding_term_is_the_one_nearest_its_bound(spec: NetworkSpec) -> None:
    found, _ = explained(rich_proposal(spec), spec)
    assert (found.binding.slice, found.binding.kpi) == ("urllc", "loss_ratio")  # 10 % of 10 %; delay 18 of 20 ms
    proposal = rich_proposal(spec)
    values = np.array(proposal.fans[0].values).reshape(12, 3, 3, 4)
    values[..., 0] *= 0.5
    proposal.fans[0].values[:] = values.ravel().tolist()
    found, _ = explained(proposal, spec)
    assert (found.binding.slice, found.binding.kpi) == ("urllc", "delay_p99_ms")
    assert found.binding.margin_ratio == pytest.approx(0.1)
    assert found.binding.pessimistic_margin_ratio == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("field", "bad", "bound"), [("disagreement", 0.4, 0.25), ("any_violation_probability", 0.97, 0.95), ("ood_score", 5.0, 4.0)]
)
def test_a_failed_check_would_pass_at_its_turning_point_and_not_before(
    spec: NetworkSpec, field: str, bad: float, bound: float
) -> None:
    proposal = rich_proposal(spec)
    setattr(proposal, field, bad)
    found, verdict = explained(proposal, spec)
    assert verdict.decision == policy_pb2.DECISION_REJECTED
    assert found.checks[0].name == field and found.checks[0].margin_ratio < 0
    turn = turn_of(found, field)
    assert turn.outcome == "accepted" and turn.turning_point == pytest.approx(bound)
    for value, decision in (
        (turn.turning_point, policy_pb2.DECISION_ACCEPTED),
        (turn.turning_point + 0.01, policy_pb2.DECISION_REJECTED),
    ):
        setattr(proposal, field, np.nextafter(np.float32(value), np.float32(0)))
        assert explained(proposal, spec)[1].decision == decision
    assert turn_of(found, f"{field}_bound").settable


def test_with_several_failed_checks_each_would_only_pass(spec: NetworkSpec) -> None:
    proposal = rich_proposal(spec)
    proposal.disagreement, proposal.ood_score = 0.4, 6.0
    found, _ = explained(proposal, spec)
    assert {turn.outcome for turn in found.turns} == {"passes"}
    assert "2 more" not in found.headline and "(and 1 more)" in found.headline


def test_the_runner_up_wins_beyond_the_turning_points_of_the_ranking(spec: NetworkSpec) -> None:
    weights, saving, scm, violation = ObjectiveWeights(), np.array([0.1, 0.14]), np.array([0.38, 0.36]), np.array([0.25, 0.25])

    def scores(weights: ObjectiveWeights, scm: np.ndarray, violation: np.ndarray) -> np.ndarray:
        empty = np.zeros(2)
        found = Predictions(
            scm_mean_K=scm, violation_KS=np.zeros((2, 3)), any_violation_K=violation, disagreement_K=empty, ood_K=empty
        )
        return verified_score(scm[:, None].repeat(4, 1), violation, found, saving, weights)

    proposal = rich_proposal(spec)
    for verification, value in zip(proposal.verifications, scores(weights, scm, violation), strict=True):
        verification.score = value
    turns = {turn.quantity: turn for turn in ranking_turns(proposal)}
    assert set(turns) == {"twin_scm", "twin_violation_ratio", "saving_wanted_ratio"}
    assert turns["saving_wanted_ratio"].settable and not turns["twin_scm"].settable
    for sign, winner in ((-1, 0), (1, 1)):
        wanted = ObjectiveWeights(saving_wanted_ratio=turns["saving_wanted_ratio"].turning_point + sign * 1e-3)
        assert int(np.argmax(scores(wanted, scm, violation))) == winner
        lower = np.array([turns["twin_scm"].turning_point - sign * 1e-3, scm[1]])
        assert int(np.argmax(scores(weights, lower, violation))) == winner
        riskier = np.array([turns["twin_violation_ratio"].turning_point + sign * 1e-2, violation[1]])
        assert int(np.argmax(scores(weights, scm, riskier))) == winner


def test_without_a_ranking_there_is_no_turn_of_it(spec: NetworkSpec) -> None:
    proposal = rich_proposal(spec)
    proposal.verifications[1].passed = False
    assert ranking_turns(proposal) == []
    assert ranking_turns(good_proposal(spec, STEP)) == []


def test_confidence_says_what_models_twin_and_drift_monitor_say(spec: NetworkSpec) -> None:
    sure = explained(rich_proposal(spec), spec)[0].confidence
    assert sure.scm_cvar == pytest.approx(0.15) and sure.twin_scm_difference == pytest.approx(-0.02)
    assert sure.drift_state == "ok" and sure.coverage_ratio["loss_ratio"] == pytest.approx(0.87)
    bare = explained(fallback_proposal(spec, STEP, created_s=NOW_S), spec, None)[0].confidence
    assert not bare.ListFields()


def proposals(spec: NetworkSpec) -> list[planning_pb2.Proposal]:
    refused, twice, fallback = rich_proposal(spec), rich_proposal(spec), fallback_proposal(spec, STEP, created_s=NOW_S)
    refused.disagreement = 0.4
    twice.trace_id, twice.any_violation_probability = "xyz 12", 0.99
    broken = rich_proposal(spec)
    broken.policy.prb_share[0] = math.nan
    broken.fans[0].values.pop()
    empty = planning_pb2.Proposal(proposal_id="poc-city/118", area_id="poc-city", step=STEP)
    return [rich_proposal(spec), good_proposal(spec, STEP, created_s=NOW_S), refused, twice, fallback, broken, empty]


def test_every_number_of_every_template_text_is_a_fact(spec: NetworkSpec) -> None:
    for proposal in proposals(spec):
        found, _ = explained(proposal, spec)
        assert check_numbers(found.text, facts_of(found, spec)).findings == (), found.text
        assert found.text.startswith(found.headline) and found.headline.startswith(("Accepted", "Refused"))
        assert len(found.headline) <= 512


@pytest.mark.parametrize(
    ("handling", "words"),
    [
        (policy_pb2.HANDLING_UNSPECIFIED, "Accepted: plan"),
        (policy_pb2.HANDLING_PENDING, "Accepted (waits for an approver): plan"),
        (policy_pb2.HANDLING_STOPPED, "Accepted (held back by the kill switch): plan"),
    ],
)
def test_the_headline_says_what_became_of_the_policy(spec: NetworkSpec, handling: policy_pb2.Handling, words: str) -> None:
    proposal = rich_proposal(spec)
    verdict = judge(proposal, spec, RULES, Situation(now_s=NOW_S, newest_step=STEP, accepted=None))
    verdict.handling = handling
    assert explain(proposal, verdict, spec).headline.startswith(words)


def test_the_same_inputs_give_the_same_bytes(spec: NetworkSpec) -> None:
    first, second = (explained(rich_proposal(spec), spec)[0].SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_hostile_text_of_peers_is_shown_clean(spec: NetworkSpec) -> None:
    proposal = fallback_proposal(spec, STEP, created_s=NOW_S)
    proposal.fallback_reason = "unavailable: \x1b[31mred\u202e gnp.exe\u200b\nAccepted: plan of step 7"
    found, _ = explained(proposal, spec)
    assert all(c.isprintable() or c == "\n" for c in found.text) and "\u202e" not in found.text
    assert sum(line.startswith("Accepted") for line in found.text.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("The urllc p99 delay becomes 18.0 ms instead of 15.0 ms.", True),
        ("The urllc p99 delay becomes 8.0 ms instead of 15.0 ms.", False),
        ("The embb p99 delay becomes 18.0 ms.", False),
        ("urllc gets better by a third.", False),
        ("\u202eurllc delay is fine", False),
        ("", False),
        ("word " * 600, False),
    ],
)
def test_a_models_text_is_taken_only_where_every_number_holds(spec: NetworkSpec, text: str, taken: bool) -> None:
    found, _ = explained(rich_proposal(spec), spec)
    result = with_model_text(found, text, facts_of(found, spec))
    assert (result.text_source == explain_pb2.TEXT_SOURCE_MODEL) == taken
    assert (result.text == text) == taken and bool(result.text_findings) != taken
    if not taken:
        assert result.text == found.text


class Writer:
    """Says what it is told to, or fails as it is told to."""

    def __init__(self, answer: str | Exception, delay_s: float = 0.0) -> None:
        self._answer, self._delay_s = answer, delay_s

    async def write(self, explanation: explain_pb2.Explanation, facts: Facts) -> str:
        await asyncio.sleep(self._delay_s)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_a_writer_that_fails_or_is_late_leaves_the_template(spec: NetworkSpec) -> None:
    found, _ = explained(rich_proposal(spec), spec)
    facts = facts_of(found, spec)
    good = await told_by(Writer("Step 118 is fine."), found, facts, timeout_s=5.0)
    assert good.text == "Step 118 is fine."
    for writer, reason in ((Writer(UnavailableError("away")), "unavailable"), (Writer("late", 1.0), "late")):
        result = await told_by(writer, found, facts, timeout_s=0.05)
        assert result.text == found.text and list(result.text_findings) == [f"text: {reason}"]
