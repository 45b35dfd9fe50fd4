"""The actor at the planner's table: a seed of the search, the answer where there is no time, and never a way in for garbage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import numpy as np
import pytest
from planner_peers import ArithmeticPeers, Behaviour, frame_messages

from twm.api.planning.v1 import planning_pb2
from twm.core.actions import decode_policies
from twm.core.clock import SystemClock
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.validation import validate
from twm.planner.actor import ASK_AGAIN, ActorSeat
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.peers import Peers
from twm.planner.search import SearchSettings
from twm.planner.situation import Situation

SEARCH, RULE, ACTOR = (
    planning_pb2.PROPOSAL_SOURCE_SEARCH,
    planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK,
    planning_pb2.PROPOSAL_SOURCE_ACTOR,
)
ROOMY = CycleSettings(
    account=False,
    blend_counts=(),
    actor_seeds=True,
    budget_s=20.0,
    grace_s=5.0,
    library_count=24,
    search=SearchSettings(populations=(12, 12)),
)


@dataclass
class Rig:
    """One planner between its peers; `actor` is how the actor behaves."""

    peers: ArithmeticPeers
    cycle: PlanningCycle
    actor: Behaviour


@asynccontextmanager
async def rig(spec: NetworkSpec, settings: CycleSettings = ROOMY, *, actor: bool = True) -> AsyncIterator[Rig]:
    async with ArithmeticPeers(spec, (0.35, 0.2, 0.25)) as peers, grpc_channel(peers.target) as channel:
        behaviour = Behaviour()
        peers.world.actor = behaviour if actor else None
        clock = SystemClock()
        yield Rig(peers, PlanningCycle(spec, settings, Peers.on(spec, channel, channel, clock), clock), behaviour)


async def test_the_actor_seeds_the_search(spec: NetworkSpec) -> None:
    async with rig(spec) as r, rig(spec, actor=False) as without:
        history = frame_messages(spec, range(4))
        proposal, alone = await r.cycle.plan(history, None), await without.cycle.plan(history, None)
        validate(proposal)
        assert proposal.source == SEARCH
        assert proposal.evaluation_count == alone.evaluation_count + 2
        assert {m.name for m in proposal.models} == {"cdwm", "actor"}
        (asked,) = r.actor.calls
        assert asked.area_id == "poc-city"
        assert [frame.step for frame in asked.history] == [0, 1, 2, 3]
        assert (asked.running.policy_count, asked.running.step_count) == (1, 1)
        assert asked.saving_wanted_ratio == pytest.approx(CycleSettings().weights.saving_wanted_ratio)
        assert "actor" in {timing.part for timing in proposal.timings}


async def test_the_actor_answers_a_backlog_verified_like_a_finalist(spec: NetworkSpec) -> None:
    async with rig(spec) as r:
        proposal = await r.cycle.plan(frame_messages(spec, range(4)), None, reduced=True, backlog=300)
        validate(proposal)
        assert proposal.source == ACTOR
        assert proposal.fallback_reason.startswith("backlog: 300 frames")
        assert proposal.candidates[proposal.chosen_index].origin == "actor:0"
        assert proposal.evaluation_count == 0
        assert proposal.twin_call_count == 8  # two policies in four futures
        (verified,) = [v for v in proposal.verifications if v.candidate_index == proposal.chosen_index]
        assert verified.passed
        assert proposal.HasField("predicted_scm")
        assert proposal.front
        rows = decode_policies(proposal.policy, spec)
        assert rows.prb_share_KHCS.shape == (1, 12, 10, 3)


async def test_an_actor_that_fails_in_the_twin_leaves_the_reactive_rule(spec: NetworkSpec) -> None:
    async with rig(spec) as r:

        def all_violated(answer: Any) -> None:
            answer.scm[:] = [0.0] * len(answer.scm)
            answer.violated[:] = [True] * len(answer.violated)
            answer.loss_ratio[:] = [1.0] * len(answer.loss_ratio)

        r.peers.twin.behaviour.change = all_violated
        proposal = await r.cycle.plan(frame_messages(spec, range(4)), None, backlog=300)
        assert proposal.source == RULE
        assert proposal.fallback_reason.startswith("backlog")
        assert proposal.candidates[proposal.chosen_index].origin == "reactive"


@pytest.mark.parametrize("peer", ["world", "twin"])
async def test_an_actor_nobody_can_check_leaves_the_reactive_rule(spec: NetworkSpec, peer: str) -> None:
    async with rig(spec) as r:
        getattr(r.peers, peer).behaviour.fail = grpc.StatusCode.UNAVAILABLE
        proposal = await r.cycle.plan(frame_messages(spec, range(4)), None, backlog=300)
        assert proposal.source == RULE
        assert proposal.fallback_reason.startswith("backlog")


async def test_a_world_model_too_slow_for_a_round_leaves_the_actor_and_is_tried_again(spec: NetworkSpec) -> None:
    settings = replace(ROOMY, budget_s=0.6, grace_s=1.0)
    async with rig(spec, settings) as r:

        async def slow_rounds(request: Any, context: Any) -> None:
            r.peers.world.behaviour.calls.append(request)
            if request.policies.policy_count > 8:
                await asyncio.sleep(0.8)

        r.peers.world.behaviour.on = slow_rounds  # type: ignore[method-assign]
        first = await r.cycle.plan(frame_messages(spec, range(3)), None)
        assert first.fallback_reason.startswith("deadline")
        assert first.source == ACTOR
        asked = len(r.peers.world.behaviour.calls)
        second = await r.cycle.plan(frame_messages(spec, range(4)), None)
        assert second.fallback_reason.startswith("budget: a search round takes")
        assert second.source == ACTOR
        assert len(r.peers.world.behaviour.calls) == asked + 1
        del r.peers.world.behaviour.on
        later = [await r.cycle.plan(frame_messages(spec, range(4 + i)), None) for i in range(1, 20)]
        assert later[-1].source == SEARCH


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE]
)
async def test_no_actor_is_asked_once_per_model(spec: NetworkSpec, code: grpc.StatusCode) -> None:
    async with rig(spec) as r:
        r.actor.fail = code
        for step in range(4):
            proposal = await r.cycle.plan(frame_messages(spec, range(step + 1)), None)
            assert proposal.source == SEARCH
        assert len(r.actor.calls) == 1
        behind = await r.cycle.plan(frame_messages(spec, range(6)), None, backlog=300)
        assert behind.source == RULE
        assert len(r.actor.calls) == 1

        def reloaded(answer: Any) -> None:
            answer.models[0].version = "arithmetic-2"

        r.peers.world.behaviour.change = reloaded
        r.actor.fail = None
        proposal = await r.cycle.plan(frame_messages(spec, range(7)), None)
        assert {m.name for m in proposal.models} == {"cdwm", "actor"}
        assert len(r.actor.calls) == 2


async def test_an_absent_actor_is_asked_for_again_some_time(spec: NetworkSpec) -> None:
    async with rig(spec) as r, grpc_channel(r.peers.target) as channel:
        seat = ActorSeat(Peers.on(spec, channel, channel, clock := SystemClock()))
        r.actor.fail = grpc.StatusCode.FAILED_PRECONDITION
        history = frame_messages(spec, range(2))
        codec = r.cycle._codec
        situation = Situation.of(history, spec, codec)
        models = (("cdwm", "1", "0"),)
        for _ in range(ASK_AGAIN + 2):
            assert await seat.plans(situation, 0.08, clock.monotonic_s() + 5, models) is None
        assert len(r.actor.calls) == 2
        assert not seat.present


async def test_the_actor_can_be_left_out(spec: NetworkSpec) -> None:
    async with rig(spec, replace(ROOMY, use_actor=False)) as r:
        assert (await r.cycle.plan(frame_messages(spec, range(3)), None)).source == SEARCH
        assert (await r.cycle.plan(frame_messages(spec, range(4)), None, backlog=300)).source == RULE
        assert not r.actor.calls


def put(value: float) -> Callable[[Any], None]:
    return lambda answer: answer.policies.prb_share.__setitem__(0, value)


@pytest.mark.parametrize(
    "change",
    [
        put(float("nan")),
        put(float("inf")),
        put(-0.2),
        put(1.7),
        lambda answer: answer.Clear(),
        lambda answer: answer.policies.prb_share.__delitem__(0),
        lambda answer: setattr(answer.policies, "step_count", 7),
        lambda answer: setattr(answer.policies, "policy_count", 4_000_000_000),
        lambda answer: setattr(answer.model, "name", "x" * 100_000),
    ],
)
async def test_garbage_of_the_actor_costs_its_seat_only(spec: NetworkSpec, change: Callable[[Any], None]) -> None:
    async with rig(spec) as r:
        r.actor.change = change
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        validate(proposal)
        assert proposal.source == SEARCH
        assert np.isfinite(proposal.predicted_scm)
        assert all(len(model.name) <= 64 for model in proposal.models)
        behind = await r.cycle.plan(frame_messages(spec, range(4)), None, backlog=300)
        validate(behind)


async def test_a_slow_actor_costs_no_more_than_the_search(spec: NetworkSpec) -> None:
    async with rig(spec, replace(ROOMY, budget_s=0.5, grace_s=2.0)) as r:
        r.actor.delay_s = 5.0
        begin = time.monotonic()
        proposal = await r.cycle.plan(frame_messages(spec, range(3)), None)
        assert time.monotonic() - begin < 3.5
        validate(proposal)
