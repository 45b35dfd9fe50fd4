"""A decision runs again to the same bytes from its tape, and whatever is not as recorded is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from planner_peers import ArithmeticPeers, frame_messages

from twm.api.planning.v1 import planning_pb2
from twm.core.clock import SystemClock
from twm.core.digest import digest_message, proposal_digest
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.validation import validate
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.memory import LastPlan, keep_plan
from twm.planner.objective import ObjectiveWeights
from twm.planner.peers import Peers
from twm.planner.replay import Replay, replay
from twm.planner.search import SearchSettings
from twm.planner.situation import decision_seed
from twm.planner.tape import DecisionRecorder, settings_from_json, settings_to_json

QUICK = CycleSettings(
    budget_s=20.0, grace_s=5.0, library_count=24, search=SearchSettings(populations=(12, 12)), scenario_count=2
)
STEP = 104


class Line:
    """Decisions one after the other, each recorded, as the planner's process makes them."""

    def __init__(self, spec: NetworkSpec, peers: ArithmeticPeers, channel: grpc.aio.Channel, settings: CycleSettings) -> None:
        self.spec, self.peers, self.settings = spec, peers, settings
        self.recorder = DecisionRecorder(SystemClock())
        wired = Peers.on(spec, channel, channel, self.recorder.clock, wrap=self.recorder.recorded)
        self.cycle = PlanningCycle(spec, settings, wired, self.recorder.clock)
        self.calls = Peers.on(spec, channel, channel, SystemClock())
        self.plan = b""

    async def decide(self, step: int, **options: Any) -> tuple[planning_pb2.Proposal, list[Any], bytes]:
        """(proposal, history, remembered plan) of one step."""
        history, plan = frame_messages(self.spec, range(step - 3, step + 1)), self.plan
        last = LastPlan.from_bytes(plan, self.spec, self.spec.digest())
        told = {"reduced": False, "backlog": 0, **options}
        self.recorder.begin(
            history, plan, None if last is None else last.step, self.cycle.memory(), self.cycle.settings, **told
        )
        proposal = await self.cycle.plan(history, last, **told)
        self.recorder.finish(proposal)
        validate(proposal)
        self.plan = keep_plan(proposal)
        return proposal, history, plan

    async def again(self, proposal: planning_pb2.Proposal, history: list[Any], plan: bytes) -> Replay:
        return await replay(proposal, history, plan, self.spec, self.calls._rollout, self.calls._verify, self.calls._propose)


async def with_line(spec: NetworkSpec, work: Callable[[Line], Any], settings: CycleSettings = QUICK) -> None:
    async with ArithmeticPeers(spec) as peers, grpc_channel(peers.target) as channel:
        await work(Line(spec, peers, channel, settings))


async def test_decisions_run_again_to_the_same_bytes(spec: NetworkSpec) -> None:
    async def work(line: Line) -> None:
        for step in (STEP, STEP + 1):  # the second with a remembered plan and a known pace
            proposal, history, plan = await line.decide(step)
            assert proposal.source == planning_pb2.PROPOSAL_SOURCE_SEARCH
            kinds = [entry.kind for entry in proposal.trace]
            assert kinds[:3] == ["state", "intent", "forecast"] and kinds[-2:] == ["verification", "choice"]
            assert {entry.seed for entry in proposal.trace if entry.HasField("seed")} == {decision_seed("poc-city", step)}
            assert all(m.digest == "0" * 64 for entry in proposal.trace for m in entry.models)
            asked = len(line.peers.world.behaviour.calls)
            result = await line.again(proposal, history, plan)
            assert result.differences == () and result.same
            assert result.calls == len(line.peers.world.behaviour.calls) - asked + 1
            assert digest_message(result.proposal.policy) == digest_message(proposal.policy)
            assert result.other_versions == ()
        assert proposal.tape.last_plan_step == STEP
        assert proposal.tape.candidate_s > 0

    await with_line(spec, work)


async def test_what_was_late_or_down_then_is_so_again(spec: NetworkSpec) -> None:
    async def work(line: Line) -> None:
        line.peers.twin.behaviour.fail = grpc.StatusCode.UNAVAILABLE
        down, *rest = await line.decide(STEP)
        line.peers.twin.behaviour.fail = None
        assert down.source == planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK
        assert next(entry for entry in down.trace if entry.kind == "verification").error.startswith("UNAVAILABLE: ")
        assert (await line.again(down, *rest)).same
        backlog, *rest = await line.decide(STEP + 1, reduced=True, backlog=30)
        assert "backlog" in backlog.fallback_reason
        assert (await line.again(backlog, *rest)).same

    await with_line(spec, work)

    async def hasty(line: Line) -> None:
        line.peers.world.behaviour.delay_s = 0.06
        stopped, *rest = await line.decide(STEP)
        line.peers.world.behaviour.delay_s = 0.0
        assert {"stopped_early"} <= {timing.part for timing in stopped.timings} or stopped.fallback_reason
        assert (await line.again(stopped, *rest)).same  # though there would now be time for all rounds

    await with_line(spec, hasty, replace(QUICK, budget_s=0.3, search=SearchSettings(populations=(12,) * 40)))


async def test_another_model_is_named_at_the_first_step_that_it_answers(spec: NetworkSpec) -> None:
    async def work(line: Line) -> None:
        proposal, history, plan = await line.decide(STEP)

        def other(answer: Any) -> None:
            answer.models[0].digest = "f" * 64
            for i, value in enumerate(answer.scm_mean):
                answer.scm_mean[i] = 0.9 * value

        line.peers.world.behaviour.change = other
        result = await line.again(proposal, history, plan)
        assert not result.same
        first = next(i for i, entry in enumerate(proposal.trace) if entry.kind == "forecast")
        assert result.differences[0].startswith(f"step {first} (forecast): models cdwm arithmetic-1 ffffffffffff")
        assert any(text.startswith("proposal.candidates") for text in result.differences) or len(result.differences) == 20

    await with_line(spec, work)


async def test_other_frames_plans_and_proposals_are_refused(spec: NetworkSpec) -> None:
    async def work(line: Line) -> None:
        await line.decide(STEP - 1)
        proposal, history, plan = await line.decide(STEP)
        changed = [type(frame).FromString(frame.SerializeToString()) for frame in history]
        changed[1].report_count += 1
        for frames, remembered, pattern in (
            (changed, plan, f"frame {STEP - 2}: digest"),
            (history[1:], plan, "history: 3 frames, the tape names 4"),
            (history, b"", "last plan: digest none"),
            (history, plan + b"\x00", "last plan: digest"),
        ):
            with pytest.raises(InvalidInputError, match=pattern):
                await line.again(proposal, frames, remembered)
        forged = planning_pb2.Proposal()
        forged.CopyFrom(proposal)
        forged.policy.prb_share[0] += 0.01
        with pytest.raises(InvalidInputError, match="proposal 'poc-city/104': digest"):
            await line.again(forged, history, plan)
        forged.CopyFrom(proposal)
        forged.tape.monotonic_s.pop()
        assert "steady clock" in "; ".join((await line.again(forged, history, plan)).differences)
        forged.ClearField("tape")
        with pytest.raises(InvalidInputError, match="carries no tape"):
            await line.again(forged, history, plan)

    await with_line(spec, work)


async def test_wall_times_do_not_belong_to_what_was_decided(spec: NetworkSpec) -> None:
    async def work(line: Line) -> None:
        proposal, _, _ = await line.decide(STEP)
        before = proposal_digest(proposal)
        proposal.timings[0].seconds += 1.0
        assert proposal_digest(proposal) == before
        proposal.saving_ratio += 0.5
        assert proposal_digest(proposal) != before

    await with_line(spec, work)


async def test_proposals_tell_runner_up_weights_and_scores(spec: NetworkSpec) -> None:
    async def work(line: Line) -> None:
        proposal, _, _ = await line.decide(STEP)
        assert proposal.objective.saving_wanted_ratio == pytest.approx(ObjectiveWeights().saving_wanted_ratio)
        second = proposal.candidates[proposal.runner_up_index]
        assert proposal.runner_up_index != proposal.chosen_index
        assert len(second.slice_violation_probability) == len(spec.slices) and second.HasField("ood_score")
        scores = {v.candidate_index: v.score for v in proposal.verifications if v.passed}
        assert scores[proposal.chosen_index] == max(scores.values())
        assert [fan.policy for fan in proposal.fans] == ["proposed", "running", "runner_up"]

    await with_line(spec, work)


def test_settings_come_back_exactly() -> None:
    assert settings_from_json(settings_to_json(QUICK)) == QUICK
    assert settings_from_json(settings_to_json(CycleSettings())) == CycleSettings()
    for text in ("{}", "[]", "x", settings_to_json(QUICK).replace('"budget_s":20.0', '"budget_s":-1.0')):
        with pytest.raises(InvalidInputError):
            settings_from_json(text)


async def test_readings_outside_a_decision_are_not_kept(spec: NetworkSpec) -> None:
    recorder = DecisionRecorder(SystemClock())
    for _ in range(10_000):
        recorder.clock.monotonic_s()
    assert len(recorder.clock.monotonic) <= 4097
    await asyncio.sleep(0)
