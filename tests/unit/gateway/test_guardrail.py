"""Guardrail: each check passes and fails where it should, and nothing accepted ever breaks shares, floors or rates."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from gateway_samples import fallback_proposal, good_proposal, shares
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.actions import PolicyArrays, encode_policies
from twm.core.errors import DecodeError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.validation import validate
from twm.gateway.a1 import A1Options, slice_policy
from twm.gateway.accepted import AcceptedShares
from twm.gateway.guardrail import CHECKS, Situation, judge
from twm.gateway.judgement import parse_proposal
from twm.gateway.rules import GuardrailRules, load_rules

NOW_S = 1_000_000.0
STEP = 100

Change = Callable[[planning_pb2.Proposal], None]


@pytest.fixture(scope="session")
def rules() -> GuardrailRules:
    return load_rules("default")


def situation(accepted: AcceptedShares | None = None, newest_step: int | None = STEP, now_s: float = NOW_S) -> Situation:
    return Situation(now_s=now_s, newest_step=newest_step, accepted=accepted)


def failed(verdict: policy_pb2.Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


def test_a_good_proposal_is_accepted_with_every_check_listed(spec: NetworkSpec, rules: GuardrailRules) -> None:
    verdict = judge(good_proposal(spec, STEP, created_s=NOW_S - 1), spec, rules, situation())
    assert failed(verdict) == set()
    assert verdict.decision == policy_pb2.DECISION_ACCEPTED
    assert tuple(check.name for check in verdict.checks) == CHECKS
    assert verdict.guardrail_version == rules.label
    assert verdict.mode == policy_pb2.MODE_SHADOW
    validate(verdict)


def test_same_input_same_verdict(spec: NetworkSpec, rules: GuardrailRules) -> None:
    proposal = good_proposal(spec, STEP, created_s=NOW_S)
    first, second = (judge(proposal, spec, rules, situation()).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def set_field(name: str, value: object) -> Change:
    def change(proposal: planning_pb2.Proposal) -> None:
        setattr(proposal, name, value)

    return change


def clear(*names: str) -> Change:
    def change(proposal: planning_pb2.Proposal) -> None:
        for name in names:
            proposal.ClearField(name)  # type: ignore[arg-type]

    return change


def put_share(index: int, value: float, field: str = "prb_share") -> Change:
    def change(proposal: planning_pb2.Proposal) -> None:
        getattr(proposal.policy, field)[index] = value

    return change


def shift_time(field: str, seconds: float) -> Change:
    def change(proposal: planning_pb2.Proposal) -> None:
        stamp = getattr(proposal, field)
        stamp.seconds += int(seconds)

    return change


def fail_twin(proposal: planning_pb2.Proposal) -> None:
    proposal.verifications[0].passed = False


def all_scenarios_violated(proposal: planning_pb2.Proposal) -> None:
    proposal.verifications[0].violation_ratio = 1.0


def unnamed_digest(proposal: planning_pb2.Proposal) -> None:
    proposal.models[0].digest = ""


def jump_within(proposal: planning_pb2.Proposal) -> None:
    spec_cells = 10 * 3
    proposal.policy.prb_share[spec_cells * 5] = 0.95
    proposal.policy.prb_share[spec_cells * 5 + 1] = 0.05
    proposal.policy.prb_share[spec_cells * 5 + 2] = 0.0


def chosen_unknown(proposal: planning_pb2.Proposal) -> None:
    proposal.chosen_index = 7
    proposal.verifications[0].candidate_index = 7


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("schema", set_field("trace_id", "xyz")),
        ("schema", set_field("any_violation_probability", 1.5)),
        ("proposal_id", set_field("proposal_id", "poc-city/99")),
        ("proposal_id", set_field("area_id", "elsewhere")),
        ("spec_digest", set_field("spec_digest", "0" * 64)),
        ("source", set_field("source", 77)),
        ("effective", shift_time("effective", 3600)),
        ("effective", clear("effective")),
        ("freshness", shift_time("created", -120)),
        ("freshness", clear("created")),
        ("clock", shift_time("created", 60)),
        ("sizes", lambda p: p.policy.prb_share.pop()),
        ("sizes", lambda p: p.running.prb_share.pop()),
        ("sizes", lambda p: p.policy.__setattr__("policy_count", 2)),
        ("sizes", lambda p: p.policy.__setattr__("step_count", 11)),
        ("sizes", clear("policy")),
        ("finite", put_share(3, math.nan)),
        ("finite", put_share(3, math.inf)),
        ("finite", put_share(0, math.nan, "bandwidth_share")),
        ("simplex", put_share(0, 0.6)),
        ("simplex", put_share(0, -0.2)),
        ("simplex", put_share(4, 0.9, "bandwidth_share")),
        ("floors", put_share(2, 0.01)),
        ("floors", put_share(2, 0.01, "bandwidth_share")),
        ("rate_from_running", lambda p: p.running.prb_share.__setitem__(0, 1.0)),
        ("rate_from_running", clear("running")),
        ("rate_within_policy", jump_within),
        ("models", clear("models")),
        ("models", unnamed_digest),
        ("predicted_scm", set_field("predicted_scm", -0.1)),
        ("predicted_scm", set_field("predicted_scm", math.nan)),
        ("do_no_harm", set_field("predicted_scm", 0.1)),
        ("do_no_harm", clear("running_predicted_scm")),
        ("do_no_harm", set_field("running_predicted_scm", math.nan)),
        ("any_violation_probability", set_field("any_violation_probability", 0.99)),
        ("any_violation_probability", set_field("any_violation_probability", math.nan)),
        ("any_violation_probability", clear("any_violation_probability")),
        ("slice_violation_probability", lambda p: p.violation_probability.__setitem__(1, 0.97)),
        ("slice_violation_probability", lambda p: p.violation_probability.pop()),
        ("slice_violation_probability", clear("violation_probability")),
        ("disagreement", set_field("disagreement", 0.4)),
        ("disagreement", clear("disagreement")),
        ("ood_score", set_field("ood_score", 9.0)),
        ("ood_score", set_field("ood_score", math.inf)),
        ("ood_score", clear("ood_score")),
        ("twin_verification", clear("verifications")),
        ("twin_verification", fail_twin),
        ("twin_verification", all_scenarios_violated),
        ("twin_verification", chosen_unknown),
        ("twin_verification", set_field("chosen_index", 1)),
    ],
)
def test_each_check_fails_alone_or_with_its_kin(spec: NetworkSpec, rules: GuardrailRules, check: str, change: Change) -> None:
    proposal = good_proposal(spec, STEP, created_s=NOW_S - 1)
    change(proposal)
    verdict = judge(proposal, spec, rules, situation())
    assert check in failed(verdict)
    assert verdict.decision == policy_pb2.DECISION_REJECTED
    assert tuple(c.name for c in verdict.checks) == CHECKS
    found = next(c for c in verdict.checks if c.name == check)
    assert found.message
    assert not found.HasField("value") or math.isfinite(found.value)


def test_lag_counts_slow_steps_behind_the_newest_frame(spec: NetworkSpec, rules: GuardrailRules) -> None:
    proposal = good_proposal(spec, STEP, created_s=NOW_S)
    limit = rules.timing.max_lag_steps
    assert limit is not None
    assert failed(judge(proposal, spec, rules, situation(newest_step=STEP + limit))) == set()
    assert failed(judge(proposal, spec, rules, situation(newest_step=STEP + limit + 1))) == {"lag"}
    assert failed(judge(proposal, spec, rules, situation(newest_step=None))) == {"lag"}
    assert failed(judge(proposal, spec, rules, situation(newest_step=STEP - 1))) == {"lag"}  # from the future
    far = good_proposal(spec, 2**25, created_s=NOW_S)
    assert failed(judge(far, spec, rules, situation(newest_step=STEP))) == {"lag"}


def test_steps_must_rise(spec: NetworkSpec, rules: GuardrailRules) -> None:
    h = spec.timing.horizon_steps
    proposal = good_proposal(spec, STEP, created_s=NOW_S)
    before = AcceptedShares.of(STEP - 1, shares(spec, h))
    assert failed(judge(proposal, spec, rules, situation(before))) == set()
    assert failed(judge(proposal, spec, rules, situation(AcceptedShares.of(STEP, shares(spec, h))))) == {"step_order"}


def test_rate_from_the_last_accepted_grows_with_the_steps_gone_by(spec: NetworkSpec, rules: GuardrailRules) -> None:
    proposal = good_proposal(spec, STEP, created_s=NOW_S)
    far = shares(spec, spec.timing.horizon_steps, (0.05, 0.05, 0.9))
    assert failed(judge(proposal, spec, rules, situation(AcceptedShares.of(STEP - 1, far)))) == {"rate_from_accepted"}
    assert failed(judge(proposal, spec, rules, situation(AcceptedShares.of(STEP - 2, far)))) == set()


def test_change_frequency_counts_changes_in_the_window(spec: NetworkSpec, rules: GuardrailRules) -> None:
    tight = rules.model_copy(update={"timing": rules.timing.model_copy(update={"max_changes_in_window": 3})})
    h = spec.timing.horizon_steps
    accepted = AcceptedShares.of(STEP - 20, shares(spec, h))
    for step, row in ((STEP - 3, (0.3, 0.3, 0.3)), (STEP - 2, (0.3, 0.301, 0.3)), (STEP - 1, (0.4, 0.3, 0.2))):
        accepted = accepted.followed_by(step, shares(spec, h, row), epsilon=0.005, window_steps=12)
    assert accepted.change_steps == (STEP - 3, STEP - 1)  # the move of .001 is none
    proposal = good_proposal(spec, STEP, created_s=NOW_S)
    assert failed(judge(proposal, spec, tight, situation(accepted))) == set()
    again = accepted.followed_by(STEP - 1, shares(spec, h, (0.2, 0.3, 0.4)), epsilon=0.005, window_steps=12)
    assert failed(judge(proposal, spec, tight, situation(again))) == {"change_frequency"}


def test_quantisation_needs_room_for_floors(rules: GuardrailRules, spec: NetworkSpec) -> None:
    tight = spec.model_copy(update={"prb_grid": spec.prb_grid.model_copy(update={"prb_count": 8, "share_step_prb": 4})})
    proposal = good_proposal(tight, STEP, created_s=NOW_S)
    assert failed(judge(proposal, tight, rules, situation())) == {"prb_quantisation"}  # 3 floors, 2 grid steps
    coarse = spec.model_copy(update={"prb_grid": spec.prb_grid.model_copy(update={"prb_count": 24, "share_step_prb": 4})})
    proposal = good_proposal(coarse, STEP, created_s=NOW_S)
    assert failed(judge(proposal, coarse, rules, situation())) == set()


class TestFallback:
    def test_is_accepted_without_model_numbers(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        verdict = judge(fallback_proposal(spec, STEP, created_s=NOW_S), spec, rules, situation())
        assert failed(verdict) == set()

    def test_must_say_why(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        proposal = fallback_proposal(spec, STEP, created_s=NOW_S)
        proposal.fallback_reason = ""
        assert failed(judge(proposal, spec, rules, situation())) == {"source"}

    def test_can_be_switched_off(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        off = rules.model_copy(update={"reactive_fallback": rules.reactive_fallback.model_copy(update={"allowed": False})})
        proposal = fallback_proposal(spec, STEP, created_s=NOW_S)
        assert failed(judge(proposal, spec, off, situation())) == {"source"}

    def test_its_shares_are_held_to_the_same_bounds(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        proposal = fallback_proposal(spec, STEP, created_s=NOW_S)
        proposal.policy.prb_share[0] = 0.9
        assert "simplex" in failed(judge(proposal, spec, rules, situation()))

    def test_search_cannot_pass_as_search_without_numbers(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        proposal = fallback_proposal(spec, STEP, created_s=NOW_S)
        proposal.source = planning_pb2.PROPOSAL_SOURCE_SEARCH
        assert {"models", "do_no_harm", "any_violation_probability", "twin_verification"} <= failed(
            judge(proposal, spec, rules, situation())
        )


def small_spec(spec: NetworkSpec) -> NetworkSpec:
    """Two cells, no transport, three steps: quick to search through."""
    data = spec.model_dump(mode="json")
    data["cells"] = [{**cell, "transport_node": None} for cell in data["cells"][:2]]
    data["zones"], data["transport"] = [], {"hop_delay_ms": 2.0}
    data["timing"]["horizon_steps"] = 3
    data["control"]["max_share_change"] = 0.3
    return NetworkSpec.model_validate(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_accepted_breaks_simplex_floors_or_rates(spec: NetworkSpec, rules: GuardrailRules, data: st.DataObject) -> None:
    small = small_spec(spec)
    near = st.floats(-0.0625, 0.0625, width=32)
    wild = st.one_of(near, st.floats(width=32, allow_nan=True, allow_infinity=True))
    base = np.array([0.35, 0.3, 0.2], np.float32)
    noise = data.draw(hnp.arrays(np.float32, (1, 3, 2, 3), elements=data.draw(st.sampled_from([near, near, wild]))))
    running_noise = data.draw(hnp.arrays(np.float32, (1, 1, 2, 3), elements=near))
    row = data.draw(st.sampled_from([base, np.array([0.6, 0.3, 0.08], np.float32), np.array([0.1, 0.1, 0.1], np.float32)]))
    empty = np.empty((1, 3, 0, 3), np.float32)
    proposal = good_proposal(small, STEP, created_s=NOW_S)
    with np.errstate(all="ignore"):
        policy = PolicyArrays(prb_share_KHCS=(row + noise).astype(np.float32), bandwidth_share_KHLS=empty)
    running = PolicyArrays(prb_share_KHCS=base + running_noise, bandwidth_share_KHLS=empty[:, :1])
    before = AcceptedShares.of(STEP - 1, PolicyArrays(prb_share_KHCS=base + running_noise[:, :1], bandwidth_share_KHLS=empty))
    proposal.policy.CopyFrom(encode_policies(policy))
    proposal.running.CopyFrom(encode_policies(running))
    verdict = judge(proposal, small, rules, situation(before))
    if verdict.decision != policy_pb2.DECISION_ACCEPTED:
        return
    got = policy.prb_share_KHCS[0].astype(float)
    tolerance = 2e-4
    assert np.isfinite(got).all()
    assert got.min() >= 0.05 - tolerance
    assert got.sum(-1).max() <= 1 + tolerance
    assert np.abs(got[0] - running.prb_share_KHCS[0, 0]).max() <= 0.3 + tolerance
    assert np.abs(np.diff(got, axis=0)).max() <= 0.3 + tolerance


class TestRules:
    def test_label_changes_with_a_bound(self, rules: GuardrailRules) -> None:
        other = rules.model_copy(update={"timing": rules.timing.model_copy(update={"max_age_s": 10.0})})
        assert rules.label.startswith("default-3@")
        assert other.label != rules.label

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("disagreement_max_scm: 0.25", "disagreement_max_scm: -1", "search.disagreement_max_scm"),
            ("  max_age_s: 90", "  max_age_s: 0", "timing.max_age_s"),
            ("version: 2", "version: 3", "version"),
            ("  max_lag_steps: 12", "  max_lagg_steps: 12", "timing.max_lag_steps"),
            ("any_violation_probability_max: 0.95", "any_violation_probability_max: 95", "got '95'"),
            ("name: default-3", "name: '<script>'", "name"),
        ],
    )
    def test_bad_rules_are_refused_by_name(self, tmp_path, rules, old: str, new: str, words: str) -> None:  # type: ignore[no-untyped-def]
        from twm.core.paths import guardrail_folder

        text = (guardrail_folder() / "default.yaml").read_text()
        assert old in text
        path = tmp_path / "rules.yaml"
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(InvalidInputError, match=words):
            load_rules(str(path))

    def test_missing_file_and_garbage(self, tmp_path) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(InvalidInputError, match="cannot be read"):
            load_rules("no-such-rules")
        path = tmp_path / "rules.yaml"
        path.write_text("{")
        with pytest.raises(InvalidInputError, match="not YAML"):
            load_rules(str(path))
        path.write_text("- 1")
        with pytest.raises(InvalidInputError, match="rules"):
            load_rules(str(path))
        path.write_bytes(b"a: " + b"x" * 70000)
        with pytest.raises(InvalidInputError, match="more than"):
            load_rules(str(path))


def test_accepted_shares_survive_storage(spec: NetworkSpec) -> None:
    kept = AcceptedShares.of(7, shares(spec, spec.timing.horizon_steps))
    assert AcceptedShares.decode(kept.encode()) == kept


def test_mutated_bytes_give_a_verdict_or_a_decode_error(spec: NetworkSpec, rules: GuardrailRules) -> None:
    payload = good_proposal(spec, STEP, created_s=NOW_S).SerializeToString()
    generator = np.random.default_rng(20)
    judged = 0
    for _ in range(300):
        data = bytearray(payload[: int(generator.integers(1, len(payload)))] if generator.random() < 0.2 else payload)
        # The head of the message holds the small fields, the rest is packed shares and fans.
        reach = min(len(data), 200) if generator.random() < 0.5 else len(data)
        for position in generator.integers(0, reach, int(generator.integers(1, 6))):
            data[position] ^= 1 << int(generator.integers(0, 8))
        try:
            proposal = parse_proposal(bytes(data))
        except DecodeError:
            continue
        verdict = judge(proposal, spec, rules, situation())
        validate(verdict)
        assert tuple(check.name for check in verdict.checks) == CHECKS
        if verdict.decision == policy_pb2.DECISION_ACCEPTED:
            validate(slice_policy(proposal, spec, A1Options(), policy_pb2.MODE_SHADOW))
        judged += 1
    assert judged > 25
