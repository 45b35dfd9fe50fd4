"""The guard's benchmark: what it counts as unsafe, that good proposals pass, and that a gate with a hole is caught."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.gateway.guardrail import Situation
from twm.gateway.oscillation import turns
from twm_bench.language.guard import Gate, attack, benign, gate_times
from twm_bench.language.guard_mutations import MUTATIONS
from twm_bench.language.guard_oracle import _most_turns, why_bad_a1, why_unsafe
from twm_bench.language.guard_worlds import World, good_case


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate.of("explora-cell", "default")


def test_good_proposals_pass_and_the_oracle_has_nothing_against_them(gate: Gate) -> None:
    passed, refused, doubts = benign([gate], 40, 5)
    assert (passed, dict(refused), doubts) == (40, {}, [])


def test_no_mutation_gets_an_unsafe_policy_through(gate: Gate) -> None:
    counts = attack([gate], 4 * len(MUTATIONS), 5)
    assert counts.leaks == []
    assert counts.unsafe_passed == counts.bad_a1 == 0
    assert counts.unsafe > counts.cases / 2
    assert set(counts.kinds) == set(MUTATIONS)  # each kind of mutation is unsafe at least once
    assert counts.harmless_passed > 0


@pytest.mark.parametrize(("check", "kind"), [("do_no_harm", "harmful"), ("running_shares", "false_running"), ("lag", "stale")])
def test_a_gate_without_a_check_is_caught(gate: Gate, monkeypatch: pytest.MonkeyPatch, check: str, kind: str) -> None:
    original = gate.guardrail.judge

    def blind(proposal: planning_pb2.Proposal, situation: Situation) -> policy_pb2.Verdict:
        verdict = original(proposal, situation)
        if [c.name for c in verdict.checks if not c.passed] == [check]:
            verdict.decision = policy_pb2.DECISION_ACCEPTED
        return verdict

    monkeypatch.setattr("twm_bench.language.guard.MUTATIONS", {kind: MUTATIONS[kind]})
    monkeypatch.setattr(gate.guardrail, "judge", blind)
    counts = attack([gate], 60, 6)
    assert counts.unsafe_passed == len(counts.leaks) > 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=13))
def test_the_oracle_counts_turns_as_the_guardrail_does(values: list[float]) -> None:
    grid = np.round(np.array(values) * 32) / 32  # exact, so that both see the same moves
    found = turns(grid.reshape(-1, 1), 0.125) if len(grid) else 0
    assert found == max(_most_turns(grid.tolist(), 0.125), 0)


def case(gate: Gate, seed: int = 3) -> tuple[planning_pb2.Proposal, World]:
    return good_case(np.random.default_rng(seed), gate.net)


def test_the_oracle_looks_at_a1_objects(gate: Gate) -> None:
    proposal, world = case(gate)
    policy, _ = gate.passed(proposal.SerializeToString(), world)
    assert policy is not None
    objects = [(a.policy_type_id, a.policy_json) for a in policy.policies]
    payload = proposal.SerializeToString()
    assert why_bad_a1(objects, payload, world) == []
    assert why_bad_a1([], payload, world)
    other = [(kind, text.replace('"prbQuota":', '"prbQuota":1')) for kind, text in objects]
    assert why_bad_a1(other, payload, world)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda p: p.policy.prb_share.__setitem__(0, 0.99), "row 0"),
        (lambda p: p.policy.prb_share.__setitem__(0, float("nan")), "not finite"),
        (lambda p: p.policy.prb_share.pop(), "sizes"),
        (lambda p: p.__setattr__("spec_digest", "0" * 64), "identity"),
        (lambda p: p.__setattr__("step", p.step + 9), "identity"),
        (lambda p: p.running.prb_share.__setitem__(0, p.running.prb_share[0] + 0.1), "running shares"),
    ],
)
def test_the_oracle_names_what_is_wrong(gate: Gate, change: Callable[[planning_pb2.Proposal], None], word: str) -> None:
    proposal, world = case(gate)
    world.measured_RS[:] = np.array(proposal.running.prb_share).reshape(world.measured_RS.shape)
    assert why_unsafe(proposal.SerializeToString(), world, gate.rules) == []
    change(proposal)
    assert any(word in reason for reason in why_unsafe(proposal.SerializeToString(), world, gate.rules))
    assert why_unsafe(b"\xff\xff", world, gate.rules)


def test_times_are_measured(gate: Gate) -> None:
    times = gate_times(Gate.of("poc-city", "default"), 20, 1)
    assert 0 < times["cpu_p50_ms"] <= times["cpu_p99_ms"]
