"""The planning cycle against real gRPC peers of known arithmetic (tests/planner_peers.py): good days and bad ones."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import numpy as np
import pytest
from planner_peers import ArithmeticPeers, frame_messages, margin, measured_frame

from twm.api.planning.v1 import planning_pb2
from twm.core.actions import control_cost, decode_policies
from twm.core.clock import SystemClock
from twm.core.errors import FrameError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.validation import validate
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.forecast import VARIANTS
from twm.planner.memory import LastPlan, keep_plan
from twm.planner.objective import ObjectiveWeights
from twm.planner.peers import Peers
from twm.planner.search import SearchSettings

SEARCH, FALLBACK = planning_pb2.PROPOSAL_SOURCE_SEARCH, planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK
# Generous times: these tests are about what happens, not how fast. Small populations keep them quick.
ROOMY = CycleSettings(
    account=False,
    blend_counts=(),
    budget_s=20.0,
    grace_s=5.0,
    library_count=40,
    search=SearchSettings(populations=(24, 24, 24)),
)
SHORT = CycleSettings(
    account=False,
    blend_counts=(),
    actor_seeds=True,
    budget_s=0.4,
    grace_s=0.2,
    library_count=24,
    search=SearchSettings(populations=(8,)),
)


@dataclass
class Rig:
    """One planner between its peers."""

    peers: ArithmeticPeers
    cycle: PlanningCycle


@asynccontextmanager
async def rig(
    spec: NetworkSpec, settings: CycleSettings = ROOMY, need_S: tuple[float, ...] = (0.35, 0.2, 0.25)
) -> AsyncIterator[Rig]:
    async with ArithmeticPeers(spec, need_S) as peers, grpc_channel(peers.target) as channel:
        clock = SystemClock()
        yield Rig(peers, PlanningCycle(spec, settings, Peers.on(spec, channel, channel, clock), clock))


def rows_of(proposal: planning_pb2.Proposal, spec: NetworkSpec) -> np.ndarray:
    policy = decode_policies(proposal.policy, spec)
    return np.concatenate([policy.prb_share_KHCS, policy.bandwidth_share_KHLS], 2)


def check(proposal: planning_pb2.Proposal, spec: NetworkSpec, step: int) -> np.ndarray:
    """What holds of every proposal; its rows."""
    validate(proposal)
    assert (proposal.proposal_id, proposal.step) == (f"poc-city/{step}", step)
    assert proposal.effective.seconds == (step + 1) * 60
    assert proposal.spec_digest == spec.digest()
    assert bool(proposal.fallback_reason) == (proposal.source == FALLBACK)
    rows = rows_of(proposal, spec)
    assert rows.shape == (1, 12, 20, 3)
    assert rows.min() >= 0.05 - 1e-5
    assert rows.sum(-1).max() <= 1 + 1e-5
    running = decode_policies(proposal.running, spec)
    assert np.abs(rows[0, 0, :10] - running.prb_share_KHCS[0, 0]).max() <= 0.5
    assert {timing.part for timing in proposal.timings} >= {"total"}
    assert proposal.candidates[proposal.chosen_index].saving_ratio == pytest.approx(proposal.saving_ratio, abs=1e-6)
    return rows


async def test_a_good_day(spec: NetworkSpec) -> None:
    async with rig(spec) as r:
        proposal = await r.cycle.plan(frame_messages(spec, range(3, 9)), None)
        rows = check(proposal, spec, 8)
        assert proposal.source == SEARCH
        assert proposal.evaluation_count == 40 + 3 + len(VARIANTS) + 72
        assert proposal.twin_call_count == 12
        verify = r.peers.twin.behaviour.calls[0]
        assert (verify.policies.policy_count, verify.scenario_count, verify.start.step) == (3, 4, 8)
        assert len({call.seed for call in r.peers.world.behaviour.calls}) == 1
        assert [call.with_trajectories for call in r.peers.world.behaviour.calls] == [True] + [False] * 5 + [True]
        # the figures are the peer's arithmetic on the policy that is proposed
        need = np.array([0.35, 0.2, 0.25])
        assert proposal.predicted_scm == pytest.approx(margin(rows, need)[0], abs=1e-5)
        assert proposal.running_predicted_scm == pytest.approx(margin(np.full((1, 12, 20, 3), 1 / 3), need)[0], abs=1e-5)
        assert proposal.predicted_scm > proposal.running_predicted_scm
        policy, running = decode_policies(proposal.policy, spec), decode_policies(proposal.running, spec)
        assert proposal.saving_ratio == pytest.approx(1 - control_cost(policy, spec, running)[0], abs=1e-5)
        assert [fan.policy for fan in proposal.fans] == ["proposed", "running", "runner_up"]
        assert len(proposal.fans[0].values) == 12 * 3 * 3 * 4
        assert proposal.models[0].version == "arithmetic-1"
        assert len(proposal.violation_probability) == 3
        assert proposal.HasField("any_violation_probability")
        assert sum(v.passed for v in proposal.verifications) >= 1
        best = max((v for v in proposal.verifications if v.passed), key=lambda v: v.scm_mean)
        chosen = next(v for v in proposal.verifications if v.candidate_index == proposal.chosen_index)
        assert chosen.scm_mean >= best.scm_mean - 0.05


async def test_finalists_differ_and_the_twin_decides_between_them(spec: NetworkSpec) -> None:
    async with rig(spec) as r:

        def favour_last(answer: Any) -> None:
            answer.scm[:] = [0.1] * 8 + [0.9] * 4

        r.peers.twin.behaviour.change = favour_last
        proposal = await r.cycle.plan(frame_messages(spec, range(5)), None)
        assert proposal.chosen_index == 2
        finalists = decode_policies(r.peers.twin.behaviour.calls[0].policies, spec).prb_share_KHCS.reshape(3, -1)
        distance = [np.sqrt(((finalists[i] - finalists[j]) ** 2).mean()) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert min(distance) > 0.02


async def test_the_same_frame_gets_the_same_plan(spec: NetworkSpec) -> None:
    history = frame_messages(spec, range(4))
    async with rig(spec) as r:
        first, again = [await r.cycle.plan(history, None) for _ in range(2)]
    assert first.policy == again.policy
    assert [c.origin for c in first.candidates] == [c.origin for c in again.candidates]


async def test_the_last_plan_is_a_candidate(spec: NetworkSpec) -> None:
    async with rig(spec) as r:
        first = await r.cycle.plan(frame_messages(spec, range(4)), None)
        last = LastPlan.from_bytes(keep_plan(first), spec, spec.digest())
        second = await r.cycle.plan(frame_messages(spec, range(5)), last)
        assert second.evaluation_count == first.evaluation_count + 1 + first.alternatives.policy_count
        asked = decode_policies(r.peers.world.behaviour.calls[8].policies, spec)
        assert last is not None
        np.testing.assert_allclose(asked.prb_share_KHCS[0, :11], last.policy.prb_share_KHCS[0, 1:], atol=1e-5)
        assert max(c.scm_mean for c in second.candidates) >= first.predicted_scm - 0.02


@pytest.mark.parametrize(
    ("peer", "code", "word", "evaluations"),
    [
        ("world", grpc.StatusCode.UNAVAILABLE, "unavailable", 0),
        ("world", grpc.StatusCode.FAILED_PRECONDITION, "model_mismatch", 0),
        ("world", grpc.StatusCode.INTERNAL, "peer_error", 0),
        ("world", grpc.StatusCode.INVALID_ARGUMENT, "peer_error", 0),
        ("twin", grpc.StatusCode.UNAVAILABLE, "unavailable", 133),
        ("twin", grpc.StatusCode.RESOURCE_EXHAUSTED, "peer_error", 133),
    ],
)
async def test_a_failing_peer_costs_the_search_not_the_proposal(
    spec: NetworkSpec, peer: str, code: grpc.StatusCode, word: str, evaluations: int
) -> None:
    async with rig(spec) as r:
        getattr(r.peers, peer).behaviour.fail = code
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        check(proposal, spec, 2)
        assert proposal.source == FALLBACK
        assert proposal.fallback_reason.startswith(word + ": ")
        assert proposal.evaluation_count == evaluations
        assert proposal.candidates[proposal.chosen_index].origin == "reactive"
        assert proposal.HasField("any_violation_probability") == (evaluations > 0)
        getattr(r.peers, peer).behaviour.fail = None
        assert (await r.cycle.plan(frame_messages(spec, range(4)), None)).source == SEARCH


@pytest.mark.parametrize("peer", ["world", "twin"])
async def test_a_slow_peer_ends_in_a_fallback_in_time(spec: NetworkSpec, peer: str) -> None:
    async with rig(spec, SHORT) as r:
        getattr(r.peers, peer).behaviour.delay_s = 3.0
        begin = time.monotonic()
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        assert time.monotonic() - begin < 2.0
        check(proposal, spec, 2)
        assert proposal.fallback_reason.startswith("deadline: ")


async def test_a_dead_address_falls_back_at_once(spec: NetworkSpec, free_port: Callable[[], int]) -> None:
    clock = SystemClock()
    async with grpc_channel(f"127.0.0.1:{free_port()}") as channel:
        cycle = PlanningCycle(spec, ROOMY, Peers.on(spec, channel, channel, clock), clock)
        begin = time.monotonic()
        proposal = await cycle.plan(frame_messages(spec, range(1)), None)
        assert time.monotonic() - begin < 3.0
        assert proposal.fallback_reason.startswith("unavailable: ")


async def test_the_search_stops_when_time_runs_out_and_says_so(spec: NetworkSpec) -> None:
    settings = CycleSettings(budget_s=2.0, grace_s=2.0, library_count=24, search=SearchSettings(populations=(10,) * 40))
    async with rig(spec, settings) as r:
        r.peers.world.behaviour.delay_s = 0.15
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        check(proposal, spec, 2)
        assert proposal.source == SEARCH
        assert "stopped_early" in {timing.part for timing in proposal.timings}
        assert 45 <= proposal.evaluation_count < 45 + 200


async def test_a_slow_world_model_is_asked_less_next_time(spec: NetworkSpec) -> None:
    settings = CycleSettings(budget_s=0.7, grace_s=1.0, library_count=200, search=SearchSettings(populations=(8,)))
    async with rig(spec, settings) as r:
        r.peers.world.behaviour.delay_s = 0.4  # the forecast arrives in time, the first round does not
        first = await r.cycle.plan(frame_messages(spec, range(3)), None)
        assert first.fallback_reason.startswith("deadline")
        r.peers.world.behaviour.delay_s = 0.1
        second = await r.cycle.plan(frame_messages(spec, range(4)), None)
        assert second.source == SEARCH
        assert second.evaluation_count < 200


def drop_one(name: str) -> Callable[[Any], None]:
    return lambda answer: getattr(answer, name).__delitem__(0)


def put(name: str, value: Any) -> Callable[[Any], None]:
    return lambda answer: getattr(answer, name).__setitem__(0, value)


@pytest.mark.parametrize(
    ("peer", "change", "words"),
    [
        ("world", put("scm_mean", float("nan")), ["garbage_answer", "scm_mean"]),
        ("world", put("scm_mean", 7.0), ["garbage_answer", "scm_mean"]),
        ("world", put("any_violation_probability", -0.5), ["garbage_answer", "any_violation_probability"]),
        ("world", put("disagreement", float("inf")), ["garbage_answer", "disagreement"]),
        ("world", drop_one("ood_score"), ["garbage_answer", "ood_score: 60 values, expected 61"]),
        ("world", drop_one("violation_probability"), ["garbage_answer", "violation_probability"]),
        ("world", lambda answer: answer.Clear(), ["garbage_answer", "sample_count 0"]),
        ("twin", put("scm", float("nan")), ["garbage_answer", "scm"]),
        ("twin", drop_one("scm"), ["garbage_answer", "scm"]),
        ("twin", drop_one("violated"), ["garbage_answer", "violated"]),
        ("twin", lambda answer: setattr(answer, "spec_digest", "other"), ["model_mismatch", "spec_digest"]),
    ],
)
async def test_garbage_is_not_believed(spec: NetworkSpec, peer: str, change: Callable[[Any], None], words: list[str]) -> None:
    async with rig(spec) as r:
        getattr(r.peers, peer).behaviour.change = change
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        check(proposal, spec, 2)
        assert proposal.source == FALLBACK
        for word in words:
            assert word in proposal.fallback_reason


@pytest.mark.parametrize("field", ["kpi_quantiles", "exogenous_scenarios"])
async def test_garbage_trajectories_are_not_believed(spec: NetworkSpec, field: str) -> None:
    async with rig(spec) as r:

        def spoil(answer: Any) -> None:
            if getattr(answer, field):
                getattr(answer, field)[5] = float("nan")

        r.peers.world.behaviour.change = spoil
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        assert "garbage_answer" in proposal.fallback_reason
        assert field in proposal.fallback_reason
        assert proposal.twin_call_count == 0


async def test_a_model_that_changes_within_a_cycle_is_a_mismatch(spec: NetworkSpec) -> None:
    async with rig(spec) as r:

        def reload(answer: Any) -> None:
            if len(r.peers.world.behaviour.calls) > 2:
                answer.models[0].version = "arithmetic-2"

        r.peers.world.behaviour.change = reload
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        assert proposal.fallback_reason.startswith("model_mismatch: ")


async def test_violation_everywhere_ends_in_the_reactive_rule(spec: NetworkSpec) -> None:
    async with rig(spec, need_S=(0.9, 0.9, 0.9)) as r:
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        check(proposal, spec, 2)
        assert proposal.fallback_reason.startswith("limits: ")
        assert proposal.twin_call_count == 12
        assert [v.passed for v in proposal.verifications] == [False] * 3
        assert {fan.policy for fan in proposal.fans} >= {"proposed", "running"}


async def test_nothing_measured_holds_the_running_shares(spec: NetworkSpec) -> None:
    codec = FrameCodec(spec)
    shares = measured_frame(spec, 4, share=0.2)
    empty = codec.encode(FrameArrays.missing(spec, 5))
    async with rig(spec) as r:
        proposal = await r.cycle.plan([codec.encode(shares), empty], None)
        rows = check(proposal, spec, 5)
        assert proposal.fallback_reason.startswith("frame: ")
        np.testing.assert_allclose(rows, 0.2, atol=1e-6)  # last reported within the history
        first_ever = await r.cycle.plan([empty], None)
        np.testing.assert_allclose(check(first_ever, spec, 5), 1 / 3, atol=1e-6)
        assert not r.peers.world.behaviour.calls


async def test_partly_missing_frames_are_planned(spec: NetworkSpec) -> None:
    frame = measured_frame(spec, 7)
    frame.cell_slice[3:] = np.nan
    frame.link_slice[:] = np.nan
    frame.fast[:] = np.nan
    async with rig(spec) as r:
        proposal = await r.cycle.plan([FrameCodec(spec).encode(frame)], None)
        check(proposal, spec, 7)
        assert proposal.source == SEARCH


async def test_backlog_cuts_the_search_and_then_leaves_it_out(spec: NetworkSpec) -> None:
    async with rig(spec) as r:
        reduced = await r.cycle.plan(frame_messages(spec, range(3)), None, reduced=True)
        check(reduced, spec, 2)
        assert reduced.source == SEARCH
        assert reduced.evaluation_count == 24 + 3 + len(VARIANTS)
        assert "rollout_reduced" in {timing.part for timing in reduced.timings}
        calls = len(r.peers.world.behaviour.calls)
        behind = await r.cycle.plan(frame_messages(spec, range(4)), None, reduced=True, backlog=300)
        check(behind, spec, 3)
        assert behind.fallback_reason.startswith("backlog: 300 frames")
        assert len(r.peers.world.behaviour.calls) == calls


async def test_a_frame_of_another_network_is_refused(spec: NetworkSpec) -> None:
    (message,) = frame_messages(spec, range(1))
    message.topology_digest = "f" * 64
    async with rig(spec) as r:
        with pytest.raises(FrameError, match="topology_digest"):
            await r.cycle.plan([message], None)


async def test_the_front_holds_what_no_evaluated_candidate_beats(spec: NetworkSpec) -> None:
    async with rig(spec) as r:
        proposal = await r.cycle.plan(frame_messages(spec, range(4)), None)
    points = [(p.saving_ratio, p.scm_mean, p.violation_probability) for p in proposal.front]
    assert 3 <= len(points) <= 32
    for saving, scm, violation in points:
        assert not any(
            s >= saving and m >= scm and v <= violation and (s, m, v) != (saving, scm, violation) for s, m, v in points
        )
    assert [saving for saving, _, _ in points] == sorted(saving for saving, _, _ in points)
    for point in proposal.front:
        if point.HasField("candidate_index"):
            candidate = proposal.candidates[point.candidate_index]
            assert candidate.origin == point.origin
            assert candidate.saving_ratio == pytest.approx(point.saving_ratio, abs=1e-6)
    for candidate in proposal.candidates:
        assert any(
            s >= candidate.saving_ratio - 1e-6
            and m >= candidate.scm_mean - 1e-6
            and v <= candidate.violation_probability + 1e-6
            for s, m, v in points
        )


async def test_a_wish_for_more_saving_picks_another_point(spec: NetworkSpec) -> None:
    history = frame_messages(spec, range(4))
    found = []
    for wanted in (0.0, 0.4):
        weights = ObjectiveWeights(saving_wanted_ratio=wanted, saving_shortfall=5.0, saving_extra=0.0)
        async with rig(spec, replace(ROOMY, weights=weights)) as r:
            found.append(await r.cycle.plan(history, None))
    assert found[1].saving_ratio > found[0].saving_ratio + 0.02


async def test_remembered_policies_are_few_and_seed_the_next_search(spec: NetworkSpec) -> None:
    async with rig(spec, replace(ROOMY, remembered=3)) as r:
        first = await r.cycle.plan(frame_messages(spec, range(4)), None)
        assert 1 <= first.alternatives.policy_count <= 3
        last = LastPlan.from_bytes(keep_plan(first), spec, spec.digest())
        r.peers.world.behaviour.calls.clear()
        second = await r.cycle.plan(frame_messages(spec, range(5)), last)
        assert second.evaluation_count == first.evaluation_count + 1 + first.alternatives.policy_count
        asked = decode_policies(r.peers.world.behaviour.calls[1].policies, spec).prb_share_KHCS
        wanted = decode_policies(first.alternatives, spec).prb_share_KHCS[0, 1:]
        assert min(np.abs(rows[:11] - wanted).max() for rows in asked) < 1e-5


@pytest.mark.parametrize(("every", "calls"), [(1, [12, 12, 12]), (3, [12, 0, 0])])
async def test_the_twin_is_asked_in_every_so_manieth_step(spec: NetworkSpec, every: int, calls: list[int]) -> None:
    async with rig(spec, replace(ROOMY, verify_every=every)) as r:
        found = [await r.cycle.plan(frame_messages(spec, range(step + 1)), None) for step in (3, 4, 5)]
    assert [p.twin_call_count for p in found] == calls
    assert {p.source for p in found} == {SEARCH}
    assert [len(p.verifications) for p in found] == [count // 4 for count in calls]


async def test_with_few_calls_the_twin_weighs_the_best_against_the_reactive_rule(spec: NetworkSpec) -> None:
    settings = replace(ROOMY, verify_harm=True, scenario_count=1)
    async with rig(spec, settings) as r:
        good = await r.cycle.plan(frame_messages(spec, range(4)), None)
        assert good.source == SEARCH
        assert good.twin_call_count == 2
        assert [good.candidates[v.candidate_index].origin for v in good.verifications][1] == "reactive"

        def favour_the_rule(answer: Any) -> None:
            answer.scm[:] = [0.1, 0.9]

        r.peers.twin.behaviour.change = favour_the_rule
        bad = await r.cycle.plan(frame_messages(spec, range(5)), None)
        assert bad.source == FALLBACK
        assert bad.fallback_reason.startswith("limits: ")
        assert bad.candidates[bad.chosen_index].origin == "reactive"


async def test_a_cvar_that_is_not_there_or_absurd(spec: NetworkSpec) -> None:
    async with rig(spec, replace(ROOMY, weights=ObjectiveWeights(cvar=0.5))) as r:
        with_cvar = await r.cycle.plan(frame_messages(spec, range(3)), None)
        assert with_cvar.candidates[0].HasField("scm_cvar")
        r.peers.world.behaviour.change = lambda answer: answer.ClearField("scm_cvar")
        without = await r.cycle.plan(frame_messages(spec, range(4)), None)
        assert without.source == SEARCH
        assert not without.candidates[0].HasField("scm_cvar")
        r.peers.world.behaviour.change = put("scm_cvar", float("nan"))
        absurd = await r.cycle.plan(frame_messages(spec, range(5)), None)
        assert "scm_cvar" in absurd.fallback_reason


async def test_a_window_half_gone_is_planned_to_its_end_with_what_it_has_cost(spec: NetworkSpec) -> None:
    """At step 4 of a window of 12, seven steps are left: searched as such, then held; the past goes with every question."""
    settings = replace(ROOMY, account=True, look_steps=12, blend_counts=(4, 12))
    async with rig(spec, settings) as r:
        proposal = await r.cycle.plan(frame_messages(spec, range(5)), None)
        expecting, *calls = r.peers.world.behaviour.calls
        assert proposal.source == SEARCH
        assert expecting.exogenous_only
        assert not any(call.exogenous_only for call in calls)
        assert all(call.account.remaining_steps == 7 for call in calls)
        assert min(call.account.offered_mbps_steps[0] for call in calls) > 0
        assert {call.policies.step_count for call in calls if not call.with_trajectories} == {7}
        assert {call.policies.step_count for call in calls if call.with_trajectories} == {12}
        assert [call.played_steps for call in r.peers.twin.behaviour.calls] == [7]
        policy = decode_policies(proposal.policy, spec)
        assert policy.step_count == 12
        assert (policy.prb_share_KHCS[0, 7:] == policy.prb_share_KHCS[0, 6]).all()
        assert any(candidate.origin.startswith("blend:") for candidate in proposal.candidates)
    async with rig(spec, replace(settings, look_steps=3)) as r:
        await r.cycle.plan(frame_messages(spec, range(5)), None)
        assert all(call.account.remaining_steps == 3 for call in r.peers.world.behaviour.calls[1:])


async def test_a_window_that_is_lost_whatever_is_done_is_still_planned(spec: NetworkSpec) -> None:
    """Where the reactive rule breaks the SLA as surely, refusing the searched plan for it protects nothing."""

    def lost(answer: Any) -> None:
        answer.any_violation_probability[:] = [1.0] * len(answer.any_violation_probability)

    for account, source in ((True, SEARCH), (False, FALLBACK)):
        async with rig(spec, replace(ROOMY, account=account)) as r:
            r.peers.world.behaviour.change = lost
            proposal = await r.cycle.plan(frame_messages(spec, range(4)), None)
            assert proposal.source == source, proposal.fallback_reason
