"""Intents from Redis into proposals by the planner's service, and the same decision again from its tape, bit for bit."""

from __future__ import annotations

import pytest
from planner_peers import ArithmeticPeers, frame_messages

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.twin.v1 import twin_pb2_grpc
from twm.api.worldmodel.v1 import worldmodel_pb2_grpc
from twm.core.clock import ManualClock, SystemClock
from twm.core.errors import ModelMismatchError
from twm.core.intents import ACTIVE_KEY, parse_active
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.rpc import grpc_channel
from twm.core.streams import GROUP_PLANNER, KeyWrite, Output, StreamNames, Streams
from twm.gateway.intents.standing import newest_proposal, standing_of
from twm.gateway.intents.store import ACTIVE_KEY as WRITTEN_KEY
from twm.gateway.modes.handling import INTENTS_KEY
from twm.planner.cycle import PlanningCycle
from twm.planner.cycle_settings import CycleSettings
from twm.planner.peers import Peers
from twm.planner.replay import replay
from twm.planner.search import SearchSettings
from twm.planner.service import PlannerService
from twm.planner.tape import DecisionRecorder
from twm_train.in_process import LocalPeers, run_now

pytestmark = pytest.mark.redis
QUICK = CycleSettings(budget_s=60.0, grace_s=30.0, library_count=24, search=SearchSettings(populations=(16, 16)))


def test_writer_planner_and_guardrail_mean_one_key() -> None:
    assert ACTIVE_KEY == WRITTEN_KEY == INTENTS_KEY


def wanted(spec: NetworkSpec) -> intent_pb2.ActiveIntents:
    """A bound on a zone, a saving, a floor and a surge, all at once."""
    intent = intent_pb2.IntentSpec(
        intent_id="all-at-once",
        area_id=spec.area_id,
        spec_digest=spec.digest(),
        source=intent_pb2.INTENT_SOURCE_GRAMMAR,
        text="words that the planner does not need",
        priority=2,
        objective=intent_pb2.Objective(saving_target_ratio=0.1, hold_slas=True),
        constraints=[
            intent_pb2.KpiConstraint(
                kpi=intent_pb2.KPI_DELAY_P99_MS,
                scope=intent_pb2.Scope(slices=["urllc"], zone="hospital"),
                comparator=intent_pb2.COMPARATOR_AT_MOST,
                bound=9.0,
            )
        ],
        limits=[intent_pb2.ActionLimit(scope=intent_pb2.Scope(slices=["urllc"], cells=[2]), min_share=0.35, resource=1)],
        context=intent_pb2.Context(surges=[intent_pb2.Surge(scope=intent_pb2.Scope(zone="hospital"), factor=1.2)]),
    )
    found = intent_pb2.ActiveIntents(version=7)
    found.intents.add(spec=intent, subject="ops").activated.GetCurrentTime()
    return found


async def decide(streams: Streams, spec: NetworkSpec, service: PlannerService) -> planning_pb2.Proposal:
    names = StreamNames.of(spec.area_id)
    await streams.ensure_group(names.frames, GROUP_PLANNER)
    entries = await streams.read(names.frames, GROUP_PLANNER, "t", count=64, block_ms=100)
    await streams.write_and_ack(names.frames, GROUP_PLANNER, [e.id for e in entries[:-1]], [])
    effect = await service.handle(entries[-1])
    assert await streams.write_and_ack(names.frames, GROUP_PLANNER, [entries[-1].id], effect.outputs, effect.keys)
    return planning_pb2.Proposal.FromString(effect.outputs[0].payload)


async def test_a_decision_for_intents_runs_again_bit_for_bit(spec: NetworkSpec, streams: Streams) -> None:
    names = StreamNames.of(spec.area_id)
    active = wanted(spec)
    guard = KeyWrite(names.key(ACTIVE_KEY), active.SerializeToString(deterministic=True))
    history = frame_messages(spec, range(200, 206))
    await streams.ensure_group(names.frames, GROUP_PLANNER)
    first = await streams.append(Output(names.frames, history[0].SerializeToString()))
    await streams.read(names.frames, GROUP_PLANNER, "t", count=1, block_ms=100)
    assert await streams.write_and_ack(names.frames, GROUP_PLANNER, [first], [], [guard])
    for frame in history[1:]:
        await streams.append(Output(names.frames, frame.SerializeToString()))
    recorder = DecisionRecorder(SystemClock())
    try:
        peers = LocalPeers(spec, clock=recorder.clock, wrap=recorder.recorded)
    except ModelMismatchError as error:
        pytest.skip(f"no model for the PoC city in the zoo: {error}")
    cycle = PlanningCycle(spec, QUICK, peers, recorder.clock)
    service = PlannerService(spec, streams, cycle, history_steps=16, recorder=recorder)
    proposal = await decide(streams, spec, service)
    assert proposal.intent_set_version == 7 and not proposal.intent_problem
    (outcome,), (objective,) = proposal.intent_outcomes, proposal.objective_outcomes
    assert (outcome.intent_id, outcome.constraint_index, outcome.bound) == ("all-at-once", 0, 9.0)
    assert outcome.HasField("running_violation_probability") and outcome.HasField("predicted")
    assert objective.wanted_ratio == pytest.approx(0.1) and proposal.objective.saving_wanted_ratio == pytest.approx(0.1)
    s, c = len(spec.slices), len(spec.cells)
    shares = [proposal.policy.prb_share[(h * c + 2) * s + 1] for h in range(proposal.policy.step_count)]
    assert min(shares) >= 0.35 - 1e-4, "the floor holds in every step"
    (read,) = [one for one in proposal.tape.inputs if one.name == "intents"]
    assert not parse_active(read.content).intents[0].spec.text, "words stay with the gateway"
    assert "intents" in next(step for step in proposal.trace if step.kind == "intent").inputs

    again = LocalPeers(spec, peers.models, verifier=peers.verifier)
    window = [f for f in history if f.step in {reference.step for reference in proposal.tape.frames}]
    found = await replay(proposal, window, b"", spec, again._rollout, again._verify, again._propose)
    assert found.differences == () and found.same
    # Without what it read of intents it is another decision.
    other = planning_pb2.Proposal()
    other.CopyFrom(proposal)
    del other.tape.inputs[:]
    assert not (await replay(other, window, b"", spec, again._rollout, again._verify, again._propose)).same

    standing = standing_of(active.intents[0].spec, proposal, spec)
    assert standing is not None and standing.met == (outcome.met and objective.met) and len(standing.lines) == 2
    assert await newest_proposal(streams, names)() == proposal


@pytest.mark.parametrize("stored", [b"\xff\xff garbage", b""])
async def test_a_damaged_set_costs_the_intents_never_the_proposal(spec: NetworkSpec, streams: Streams, stored: bytes) -> None:
    names = StreamNames.of(spec.area_id)
    history = frame_messages(spec, range(300, 303))
    await streams.ensure_group(names.frames, GROUP_PLANNER)
    first = await streams.append(Output(names.frames, history[0].SerializeToString()))
    await streams.read(names.frames, GROUP_PLANNER, "t", count=1, block_ms=100)
    await streams.write_and_ack(names.frames, GROUP_PLANNER, [first], [], [KeyWrite(names.key(ACTIVE_KEY), stored)])
    for frame in history[1:]:
        await streams.append(Output(names.frames, frame.SerializeToString()))
    async with ArithmeticPeers(spec) as served, grpc_channel(served.target) as channel:
        recorder = DecisionRecorder(SystemClock())
        peers = Peers.on(spec, channel, channel, recorder.clock, wrap=recorder.recorded)
        cycle = PlanningCycle(spec, QUICK, peers, recorder.clock)
        service = PlannerService(spec, streams, cycle, history_steps=16, recorder=recorder)
        proposal = await decide(streams, spec, service)
        assert proposal.source == planning_pb2.PROPOSAL_SOURCE_SEARCH
        assert proposal.intent_set_version == 0 and not proposal.intent_outcomes
        assert ("damaged" in proposal.intent_problem) is bool(stored)
        world = worldmodel_pb2_grpc.WorldModelServiceStub(channel)  # type: ignore[no-untyped-call]
        twin = twin_pb2_grpc.TwinServiceStub(channel)  # type: ignore[no-untyped-call]
        steps = {reference.step for reference in proposal.tape.frames}
        window = [frame for frame in history if frame.step in steps]
        assert (await replay(proposal, window, b"", spec, world.Rollout, twin.Verify, world.Propose)).same


def test_a_network_without_links_and_zones_is_planned_for_too() -> None:
    spec = load_network(find_network("explora-cell"))
    history = frame_messages(spec, range(100, 108))
    clock = ManualClock(1_800_000_000.0)
    try:
        peers = LocalPeers(spec, clock=clock)
    except ModelMismatchError as error:
        pytest.skip(f"no model for the cell in the zoo: {error}")
    slices = [entry.id for entry in spec.slices]
    everywhere = intent_pb2.Scope(slices=slices[:1])
    active = intent_pb2.ActiveIntents(version=1)
    intent = intent_pb2.IntentSpec(
        intent_id="cell",
        area_id=spec.area_id,
        spec_digest=spec.digest(),
        priority=3,
        constraints=[
            intent_pb2.KpiConstraint(kpi=kpi, scope=everywhere, comparator=1 + (kpi == 4), bound=bound)
            for kpi, bound in ((1, 20.0), (2, 15.0), (3, 0.1), (4, 3.0), (5, 0.9))
        ],
        limits=[intent_pb2.ActionLimit(scope=intent_pb2.Scope(slices=slices[-1:]), min_share=0.4)],
        context=intent_pb2.Context(surges=[intent_pb2.Surge(scope=intent_pb2.Scope(cells=[0]), factor=1.5)]),
    )
    active.intents.add(spec=intent)
    cycle = PlanningCycle(spec, QUICK, peers, clock)
    proposal = run_now(cycle.plan(history, None, intents=active.SerializeToString(deterministic=True)))
    assert proposal.source == planning_pb2.PROPOSAL_SOURCE_SEARCH, proposal.fallback_reason
    assert [o.constraint_index for o in proposal.intent_outcomes] == [0, 1, 2, 3, 4]
    assert all(o.HasField("predicted") for o in proposal.intent_outcomes if o.constraint_index in (2, 3, 4))
    shares = proposal.policy.prb_share[len(slices) - 1 :: len(slices)]
    assert min(shares) >= 0.4 - 1e-4
