"""Guardrail, second part: CVaR, oscillation, other policies, allow-list, intents, lost windows, and the rules as data."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from gateway_samples import good_proposal, shares
from hypothesis import given, settings
from hypothesis import strategies as st

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.actions import PolicyArrays, encode_policies
from twm.core.errors import AuditError, ConflictError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.paths import guardrail_folder
from twm.gateway.accepted import AcceptedShares
from twm.gateway.guardrail import CHECKS, Guardrail, Situation
from twm.gateway.oscillation import turns
from twm.gateway.other_policies import MAX_OTHERS, OtherPolicy, decode_others, encode_others, with_policy
from twm.gateway.prediction_checks import relieved
from twm.gateway.rules import GuardrailRules, LostWindowRules, load_rules
from twm.gateway.share_limits import ShareScopes, intent_limits

NOW_S, STEP = 1_000_000.0, 100
Json = dict[str, Any]


@pytest.fixture(scope="module")
def rules() -> GuardrailRules:
    return load_rules("default")


@pytest.fixture(scope="module")
def scopes(spec: NetworkSpec) -> ShareScopes:
    return ShareScopes(spec)


def changed(rules: GuardrailRules, path: str, value: object) -> GuardrailRules:
    """The rules with one bound replaced."""
    data = rules.model_dump(mode="json")
    *parts, last = path.split(".")
    target = data
    for part in parts:
        target = target[part]
    target[last] = value
    return GuardrailRules.model_validate(data)


def situation(**fields: Any) -> Situation:
    return Situation(**{"now_s": NOW_S, "newest_step": STEP, "accepted": None, **fields})


def failed(spec: NetworkSpec, rules: GuardrailRules, proposal: planning_pb2.Proposal, **fields: Any) -> set[str]:
    verdict = Guardrail(spec, rules).judge(proposal, situation(**fields))
    assert tuple(c.name for c in verdict.checks) == CHECKS
    assert (verdict.decision == policy_pb2.DECISION_ACCEPTED) == all(c.passed for c in verdict.checks)
    return {c.name for c in verdict.checks if not c.passed}


def good(spec: NetworkSpec, step: int = STEP) -> planning_pb2.Proposal:
    return good_proposal(spec, step, created_s=NOW_S)


class TestCvar:
    @pytest.mark.parametrize(("chosen", "running", "passes"), [(0.2, 0.35, True), (0.2, 0.45, False), (-0.1, -0.5, False)])
    def test_floor_and_harm(
        self, spec: NetworkSpec, rules: GuardrailRules, chosen: float, running: float, passes: bool
    ) -> None:
        proposal = good(spec)
        proposal.candidates[0].scm_cvar, proposal.candidates[1].scm_cvar = chosen, running
        assert failed(spec, rules, proposal) == (set() if passes else {"scm_cvar"})

    def test_missing_and_nan_fail(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        proposal = good(spec)
        proposal.candidates[0].ClearField("scm_cvar")
        assert failed(spec, rules, proposal) == {"scm_cvar"}
        proposal.candidates[0].scm_cvar = math.nan
        assert failed(spec, rules, proposal) == {"scm_cvar"}
        off = changed(changed(rules, "search.scm_cvar_min", None), "search.cvar_harm_tolerance_scm", None)
        assert failed(spec, off, proposal) == set()


class TestOscillation:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([], 0),
            ([0.3, 0.5], 0),
            ([0.3, 0.5, 0.3], 1),
            ([0.3, 0.5, 0.3, 0.5, 0.3], 3),
            ([0.3, 0.35, 0.3, 0.35, 0.3], 0),  # less than a swing
            ([0.1, 0.2, 0.3, 0.4, 0.5], 0),  # drift
            ([0.1, 0.2, 0.15, 0.25, 0.2, 0.3], 0),  # drift with small steps back
            ([0.3, 0.4, 0.5, 0.4, 0.3], 1),  # slow turn
            ([0.3, 0.36, 0.42, 0.36, 0.3, 0.36, 0.42], 2),
        ],
    )
    def test_turns(self, values: list[float], expected: int) -> None:
        assert turns(np.array(values, float).reshape(-1, 1), 0.1) == expected

    @settings(deadline=None)
    @given(st.lists(st.floats(0, 1), min_size=3, max_size=14))
    def test_turns_are_those_of_the_extremes(self, values: list[float]) -> None:
        """Greedy pairs of extremes, found the slow way, on exact binary fractions."""
        grid = np.round(np.array(values) * 16) / 16
        swing = 3 / 16

        def slow(x: list[float]) -> int:
            count, direction, extreme = 0, 0, x[0]
            low = high = x[0]
            for v in x[1:]:
                low, high = min(low, v), max(high, v)
                if direction == 0:
                    if high - v >= swing:
                        direction, extreme = -1, v
                    elif v - low >= swing:
                        direction, extreme = 1, v
                elif direction * (v - extreme) > 0:
                    extreme = v
                elif abs(v - extreme) >= swing:
                    count, direction, extreme = count + 1, -direction, v
            return count

        assert turns(grid.reshape(-1, 1), swing) == slow(grid.tolist())

    def test_a_share_that_goes_to_and_fro_is_refused(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        tight = changed(rules, "oscillation.max_returns", 2)
        h = spec.timing.horizon_steps
        high, low = (0.4, 0.3, 0.2), (0.2, 0.3, 0.4)

        def after(rows: list[tuple[float, ...]], first: int) -> AcceptedShares:
            memory = AcceptedShares.of(first, shares(spec, h, rows[0]))
            for n, row in enumerate(rows[1:], 1):
                memory = memory.followed_by(first + n, shares(spec, h, row), epsilon=0.005, window_steps=12)
            return AcceptedShares.decode(memory.encode())

        calm = after([low, high, high, high], STEP - 4)
        assert failed(spec, tight, good(spec), accepted=calm) == set()
        busy = after([high, low, high, low], STEP - 4)  # and the proposal is high again
        assert failed(spec, tight, good(spec), accepted=busy) == {"oscillation"}
        assert failed(spec, tight, good(spec), enforced=busy) == {"oscillation"}
        assert failed(spec, changed(rules, "oscillation.max_returns", None), good(spec), accepted=busy) == set()
        long_ago = after([high, low, high, low], STEP - 16)
        assert failed(spec, tight, good(spec), accepted=long_ago) == set()


class TestAllowList:
    def test_what_is_not_on_it_must_stay(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        for path, value in (
            ("actions.slices", ["embb", "fwa"]),
            ("actions.resources", ["prb"]),
            ("actions.resources", []),
            ("actions.zones", ["hospital"]),
        ):
            tight = changed(rules, path, value)
            proposal = good(spec)
            assert failed(spec, tight, proposal) == {"action_scope"}, path
            proposal.running.CopyFrom(encode_policies(shares(spec, 1, (0.4, 0.3, 0.2))))  # nothing moves
            assert failed(spec, tight, proposal) == set()
            proposal.ClearField("running")
            assert "action_scope" in failed(spec, tight, proposal)

    def test_moves_on_it_pass(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        tight = changed(changed(rules, "actions.zones", ["hospital"]), "actions.resources", ["prb"])
        proposal = good(spec)
        moved = shares(spec, spec.timing.horizon_steps, (1 / 3,) * 3)
        moved.prb_share_KHCS[:, :, :4] = (0.4, 0.3, 0.2)  # the hospital's cells
        proposal.policy.CopyFrom(encode_policies(moved))
        assert failed(spec, tight, proposal) == set()


class TestRunningShares:
    def measured(self, spec: NetworkSpec, **changes: float) -> Any:
        found = encode_policies(shares(spec, 1, (1 / 3,) * 3))
        for place, value in changes.items():
            found.prb_share[int(place[1:])] = value
        return found

    def test_what_runs_is_not_the_planners_to_say(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        assert failed(spec, rules, good(spec), measured=self.measured(spec)) == set()
        assert failed(spec, rules, good(spec), measured=self.measured(spec, p4=0.30)) == {"running_shares"}
        assert failed(spec, rules, good(spec), measured=self.measured(spec, p4=math.nan)) == set()  # not reported
        assert failed(spec, rules, good(spec), measured=self.measured(spec, p4=math.nan, p8=0.2)) == {"running_shares"}
        assert failed(spec, rules, good(spec), measured=self.measured(spec, p3=0.34, p4=0.34, p5=0.34)) == set()  # sums to 1.02
        off = changed(rules, "shares.running_error_max", None)
        assert failed(spec, off, good(spec), measured=self.measured(spec, p4=0.0)) == set()
        silent = good(spec)
        silent.ClearField("running")
        assert "running_shares" in failed(spec, rules, silent, measured=self.measured(spec))


class TestOtherPolicies:
    def stored(self, *fields: Json) -> str:
        others = [
            OtherPolicy(policy_id=f"p{n}", **{"owner": "xapp", "expires_s": NOW_S + 60, **f}) for n, f in enumerate(fields)
        ]
        return encode_others(others).decode()

    @pytest.mark.parametrize(
        ("fields", "passes"),
        [
            ({"slices": ["embb"], "zone": "hospital", "max_share": 0.3}, False),  # the plan gives .4
            ({"slices": ["embb"], "zone": "hospital", "max_share": 0.4}, True),
            ({"slices": ["fwa"], "cells": [3], "min_share": 0.3}, False),  # the plan gives .2
            ({"slices": ["fwa"], "links": [9], "resource": "bandwidth", "min_share": 0.21}, False),
            ({"slices": ["urllc"], "min_share": 0.3, "max_share": 0.3}, True),
            ({"slices": ["urllc"], "exclusive": True}, False),  # it moves from a third
            ({"min_share": 0.9, "expires_s": NOW_S - 1}, True),  # over
        ],
    )
    def test_contradictions_are_named(self, spec: NetworkSpec, rules: GuardrailRules, fields: Json, passes: bool) -> None:
        others = self.stored(fields)
        assert failed(spec, rules, good(spec), others=others) == (set() if passes else {"conflict"})
        if not passes:
            verdict = Guardrail(spec, rules).judge(good(spec), situation(others=others))
            message = next(c.message for c in verdict.checks if c.name == "conflict")
            assert "policy p0 of xapp" in message and "bound" in message

    def test_scopes_that_do_not_exist_refuse_everything(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        for fields, words in (
            ({"slices": ["gold"], "min_share": 0.1}, "slice 'gold'"),
            ({"zone": "moon", "min_share": 0.1}, "zone 'moon'"),
            ({"cells": [10], "min_share": 0.1}, "cell 10"),
            ({"links": [10], "min_share": 0.1}, "link 10"),
        ):
            verdict = Guardrail(spec, rules).judge(good(spec), situation(others=self.stored(fields)))
            check = next(c for c in verdict.checks if c.name == "conflict")
            assert not check.passed and words in check.message

    def test_unknown_state_refuses_everything(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        assert failed(spec, rules, good(spec), others="[damaged") == {"conflict"}
        moon = active(intent(scope={"zone": "moon"}, max_share=0.1))
        assert failed(spec, rules, good(spec), intents=moon) == {"intent_limits"}
        elsewhere = active(intent(scope={}, max_share=1.0))
        elsewhere.intents[0].spec.spec_digest = "ab" * 32
        assert failed(spec, rules, good(spec), intents=elsewhere) == {"intent_limits"}

    def test_bodies_are_checked(self) -> None:
        for fields, words in (
            ({}, "one of"),
            ({"min_share": 0.5, "max_share": 0.4}, "above"),
            ({"min_share": math.nan}, "min_share"),
            ({"min_share": 0.1, "owner": "x\u202eapp"}, "bidi"),
            ({"min_share": 0.1, "policy_id": "../x"}, "policy_id"),
        ):
            with pytest.raises(ValueError, match=words):
                OtherPolicy(**{"policy_id": "p", "owner": "x", "expires_s": 1.0, **fields})

    def test_the_registry_is_bounded_and_survives_storage(self) -> None:
        held: tuple[OtherPolicy, ...] = ()
        for n in range(MAX_OTHERS):
            held = with_policy(held, OtherPolicy(policy_id=f"p{n}", owner="x", exclusive=True, expires_s=50 + n), 0.0)
        new = OtherPolicy(policy_id="new", owner="x", exclusive=True, expires_s=500)
        with pytest.raises(ConflictError, match="at most 64"):
            with_policy(held, new, 0.0)
        assert with_policy(held, new, 50.5)[-1] == new  # the first has ended
        assert decode_others(encode_others(held)) == held
        assert decode_others(b"") == ()
        for damaged in (b"{", b"[1]", b'[{"policy_id": "p"}]', b"7"):
            with pytest.raises(AuditError):
                decode_others(damaged)


def active(*specs: intent_pb2.IntentSpec) -> intent_pb2.ActiveIntents:
    return intent_pb2.ActiveIntents(version=3, intents=[intent_pb2.ActiveIntent(spec=s, subject="op") for s in specs])


def intent(**limit: Any) -> intent_pb2.IntentSpec:
    scope = limit.pop("scope", {})
    found = intent_pb2.IntentSpec(intent_id="night-cap", area_id="poc-city")
    found.limits.add(scope=intent_pb2.Scope(**scope), **limit)
    return found


class TestIntentLimits:
    def verdict(self, spec: NetworkSpec, rules: GuardrailRules, found: intent_pb2.IntentSpec) -> policy_pb2.Check:
        verdict = Guardrail(spec, rules).judge(good(spec), situation(intents=active(found)))
        return next(c for c in verdict.checks if c.name == "intent_limits")

    @pytest.mark.parametrize(
        ("limit", "passes"),
        [
            ({"scope": {"slices": ["embb"]}, "max_share": 0.39}, False),
            ({"scope": {"slices": ["embb"]}, "max_share": 0.4}, True),
            ({"scope": {"slices": ["urllc"], "zone": "hospital"}, "min_share": 0.35}, False),
            ({"scope": {"slices": ["urllc"], "zone": "hospital"}, "max_change": 0.01}, False),  # a third to .3
            ({"scope": {"slices": ["urllc"], "zone": "hospital"}, "max_change": 0.04}, True),
            ({"scope": {}, "max_change": 0.0}, False),
            ({"scope": {"slices": ["embb"], "zone": "hospital"}, "max_share": 0.1, "resource": 2}, False),  # its links
            ({"scope": {"links": [0]}, "min_share": 0.15}, True),
        ],
    )
    def test_limits_bind(self, spec: NetworkSpec, rules: GuardrailRules, limit: Json, passes: bool) -> None:
        check = self.verdict(spec, rules, intent(**dict(limit)))
        assert check.passed is passes
        assert passes or "intent night-cap, limit 0" in check.message

    def test_windows_and_expiry(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        found = intent(scope={"slices": ["embb"]}, max_share=0.1)
        found.window.start.seconds = int(NOW_S) + 119  # the policy may still hold then
        assert not self.verdict(spec, rules, found).passed
        found.window.start.seconds = int(NOW_S) + 121
        assert self.verdict(spec, rules, found).passed
        found.window.start.seconds, found.window.end.seconds = 1, int(NOW_S)
        assert self.verdict(spec, rules, found).passed
        found.ClearField("window")
        found.expires.seconds = int(NOW_S)
        assert self.verdict(spec, rules, found).passed
        found.expires.seconds += 1
        assert not self.verdict(spec, rules, found).passed

    def test_a_bound_out_of_reach_asks_to_come_near(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        slow = spec.model_copy(update={"control": spec.control.model_copy(update={"max_share_change": 0.1})})
        found = intent(scope={"slices": ["embb"]}, min_share=0.9)
        c, s, n_links = spec.sizes
        found_active = active(found)
        h = spec.timing.horizon_steps
        proposal = good_proposal(slow, STEP, created_s=NOW_S)
        toward = np.minimum(1 / 3 + 0.1 * np.arange(1, h + 1), 0.9)
        rows = np.stack([toward, (1 - toward) / 2, (1 - toward) / 2], -1)

        def policy(rows_HS: np.ndarray[Any, Any]) -> PolicyArrays:
            return PolicyArrays(
                prb_share_KHCS=np.broadcast_to(rows_HS[None, :, None], (1, h, c, s)).astype(np.float32),
                bandwidth_share_KHLS=np.broadcast_to(rows_HS[None, :, None], (1, h, n_links, s)).astype(np.float32),
            )

        proposal.policy.CopyFrom(encode_policies(policy(rows)))
        assert failed(slow, rules, proposal, intents=found_active) == set()
        slower = np.minimum(1 / 3 + 0.05 * np.arange(1, h + 1), 0.85)
        half = np.stack([slower, (1 - slower) / 2, (1 - slower) / 2], -1)
        proposal.policy.CopyFrom(encode_policies(policy(half)))
        assert failed(slow, rules, proposal, intents=found_active) == {"intent_limits"}

    def test_an_intent_of_another_network_is_named(self, scopes: ShareScopes) -> None:
        with pytest.raises(InvalidInputError, match="intent night-cap, limit 0: scope: zone 'moon'"):
            intent_limits(active(intent(scope={"zone": "moon"}, max_share=0.1)), scopes, NOW_S)


class TestIntentConstraints:
    def intents(self, probability: float | None = 0.1) -> intent_pb2.ActiveIntents:
        found = intent_pb2.IntentSpec(intent_id="urllc-5ms", area_id="poc-city")
        constraint = found.constraints.add(kpi=1, comparator=1, bound=5.0)
        if probability is not None:
            constraint.max_violation_probability = probability
        return active(found)

    @pytest.mark.parametrize(
        ("own", "running", "bound", "passes"),
        [
            (0.05, None, 0.1, True),
            (0.15, None, 0.1, False),
            (0.15, None, None, True),  # the rules' own .2
            (0.9, 0.9, 0.1, True),  # the running shares break it as well
            (0.97, 0.9, 0.1, False),
            (math.nan, None, 0.1, False),
            (0.9, math.nan, 0.1, False),
        ],
    )
    def test_outcomes(
        self, spec: NetworkSpec, rules: GuardrailRules, own: float, running: float | None, bound: float | None, passes: bool
    ) -> None:
        proposal = good(spec)
        proposal.intent_outcomes.add(
            intent_id="urllc-5ms", constraint_index=0, violation_probability=own, running_violation_probability=running
        )
        assert ("intent_constraints" not in failed(spec, rules, proposal, intents=self.intents(bound))) is passes

    def test_silence(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        assert failed(spec, rules, good(spec), intents=self.intents()) == {"intent_constraints"}
        assert failed(spec, rules, good(spec)) == set()
        lenient = changed(rules, "intents.outcomes_required", False)
        assert failed(spec, lenient, good(spec), intents=self.intents()) == set()


class TestLostWindow:
    def test_relief(self) -> None:
        rules = LostWindowRules(running_violation_min=0.9, harm_tolerance=0.02)
        assert relieved(0.5, 0.95, rules) == pytest.approx(0.97)
        assert relieved(0.5, 0.99, rules) == 1.0
        assert relieved(0.5, 0.89, rules) == 0.5
        assert relieved(0.99, 0.92, rules) == 0.99
        assert relieved(0.5, None, rules) == relieved(0.5, 0.95, None) == relieved(0.5, math.nan, rules) == 0.5
        assert relieved(None, 0.95, rules) is None

    def lost(self, spec: NetworkSpec) -> planning_pb2.Proposal:
        """Slice 0 is lost, the others are not."""
        proposal = good(spec)
        proposal.any_violation_probability = 1.0
        proposal.violation_probability[:] = [1.0, 0.1, 0.1]
        proposal.verifications[0].violation_ratio = 1.0
        running = proposal.candidates[1]
        running.violation_probability = 1.0
        running.slice_violation_probability[:] = [1.0, 0.2, 0.2]
        return proposal

    def test_plans_go_on_where_the_running_shares_lose_too(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        assert failed(spec, rules, self.lost(spec)) == set()
        off = changed(rules, "search.lost_window", None)
        expected = {"any_violation_probability", "slice_violation_probability", "twin_verification"}
        assert failed(spec, off, self.lost(spec)) == expected

    def test_a_slice_that_is_not_lost_keeps_its_bound(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        proposal = self.lost(spec)
        proposal.violation_probability[1] = 0.95
        assert failed(spec, rules, proposal) == {"slice_violation_probability"}

    def test_without_the_running_shares_word_nothing_is_relieved(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        for change in (
            lambda p: p.candidates[1].__setattr__("origin", "library:x"),
            lambda p: p.candidates[1].__setattr__("violation_probability", 0.5),
            lambda p: p.candidates[1].__setattr__("violation_probability", math.nan),
            lambda p: p.candidates.add(origin="running", violation_probability=0.2),  # the least of both counts
        ):
            proposal = self.lost(spec)
            change(proposal)
            assert "any_violation_probability" in failed(spec, rules, proposal)
        proposal = self.lost(spec)
        proposal.candidates[1].ClearField("slice_violation_probability")
        assert failed(spec, rules, proposal) == {"slice_violation_probability"}

    def test_harm_still_refuses(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        proposal = self.lost(spec)
        proposal.predicted_scm = 0.1
        proposal.verifications[0].passed = False
        assert failed(spec, rules, proposal) == {"do_no_harm", "twin_verification"}
        proposal = self.lost(spec)
        proposal.verifications.add(candidate_index=1, violation_ratio=0.3, passed=True)  # the twin says they do not lose
        assert failed(spec, rules, proposal) == {"twin_verification"}


class TestRulesAsData:
    def test_the_schema_is_committed(self) -> None:
        committed = json.loads((guardrail_folder() / "guardrail.schema.json").read_text())
        hint = "run: python -m twm.gateway.rules > deploy/guardrail/guardrail.schema.json"
        assert committed == GuardrailRules.model_json_schema(), hint

    def test_shipped_rules_hold_the_schema(self) -> None:
        import jsonschema

        schema = json.loads((guardrail_folder() / "guardrail.schema.json").read_text())
        for path in guardrail_folder().glob("*.yaml"):
            jsonschema.validate(yaml.safe_load(path.read_text()), schema)
            load_rules(path.stem)

    @pytest.mark.parametrize(
        ("path", "value", "words"),
        [
            ("oscillation.swing_min_share", 0, "greater than 0"),
            ("oscillation.max_returns", -1, "oscillation.max_returns"),
            ("timing.max_ttl_steps", float("inf"), "max_ttl_steps"),
            ("conflicts.share_tolerance", 2, "less than or equal to 1"),
            ("search.lost_window.running_violation_min", 1.5, "running_violation_min"),
            ("modes.low_risk.sources", ["anything"], "modes.low_risk.sources"),
            ("modes.shadow_record.scored_min", 0, "scored_min"),
            ("modes.shadow_record.drift_states", ["fine"], "drift_states"),
            ("actions.resources", ["power"], "actions.resources"),
            ("modes.approval_expiry_s", None, "approval_expiry_s"),
        ],
    )
    def test_bad_bounds_are_named(self, rules: GuardrailRules, tmp_path: Path, path: str, value: object, words: str) -> None:
        data = rules.model_dump(mode="json")
        *parts, last = path.split(".")
        target = data
        for part in parts:
            target = target[part]
        target[last] = value
        file = tmp_path / "rules.yaml"
        file.write_text(yaml.safe_dump(data))
        with pytest.raises(InvalidInputError, match=words) as caught:
            load_rules(str(file))
        assert path in str(caught.value)

    def test_names_the_network_does_not_have(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        rules.check_names(spec)
        for path, value in (
            ("modes.low_risk.critical_zones", ["hospitl"]),
            ("modes.low_risk.critical_slices", ["gold"]),
            ("actions.zones", ["moon"]),
            ("actions.slices", ["gold"]),
        ):
            with pytest.raises(InvalidInputError, match=f"{path}.*is not in the network"):
                changed(rules, path, value).check_names(spec)
        changed(rules, "modes.low_risk.critical_zones", ["*moon*"]).check_names(spec)
