"""A network and what runs beside it, in one process: a twin plays the network, planner and gateway are the real ones.

`Network` is the twin with something made to happen in it. `Operator` says sentences to a gateway over REST and lets the planner
decide frame by frame; what the guardrail accepts comes into force. `alone` is the same network with the same planner and no
intent: what would have been.

Shape suffixes: C cells, S slices, L links, H slow steps.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.account import SlaAccount
from twm.core.actions import PolicyArrays, decode_policies, saving_ratio, uniform_policy
from twm.core.clock import ManualClock
from twm.core.errors import UnavailableError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.serving import Runtime
from twm.core.streams import GROUP_PLANNER, Output, StreamNames, Streams
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings
from twm.planner.cycle import PlanningCycle
from twm.planner.cycle_settings import CycleSettings
from twm.planner.memory import LastPlan, keep_plan
from twm.planner.service import PlannerService
from twm.planner.tape import DecisionRecorder
from twm_train.in_process import HISTORY_STEPS, LocalModels, LocalPeers, run_now
from twm_twin.simulator import Disturbance, StepResult, Twin
from twm_twin.verification import Verifier

BEGIN_STEP = 29_924_268
"""Slow step that the first decision is for; it begins a compliance window, Monday 2026-11-23, 17:48:00 UTC."""
QUIET_STEPS = 12
"""Slow steps under uniform shares before the first decision: the history."""
WAIT_S = 30.0
TRIAL_SEED, TRIAL_FUTURES = 0x7E57, 32
Doubles = NDArray[np.float64]


class Network:
    """The network as it truly is: a twin in which nothing happens but what is made to."""

    def __init__(self, spec: NetworkSpec, seed: int, disturbances: Sequence[Disturbance] = ()) -> None:
        """`disturbances`: steps counted from the first decision on."""
        self.spec = spec
        self._codec = FrameCodec(spec)
        self._twin = Twin(spec, 1)
        self._twin.reset([seed], ["hotspot-id"], quiet_steps=100 * spec.timing.horizon_steps)
        self._twin.disturbances = [
            Disturbance(
                first_step=one.first_step + QUIET_STEPS,
                last_step=one.last_step + QUIET_STEPS,
                demand_factor_CS=one.demand_factor_CS,
                link_factor_L=one.link_factor_L,
            )
            for one in disturbances
        ]
        self._shares = uniform_policy(spec, 1)
        self.frames: list[telemetry_pb2.KpiFrame] = []
        self.results: list[StepResult] = []
        """From the first decision on."""
        self.taken: list[PolicyArrays] = []
        for _ in range(QUIET_STEPS):
            self._step()
        self.results.clear()
        self.taken.clear()

    def advance(self, proposal: planning_pb2.Proposal | None) -> None:
        """One slow step under the proposal's first step; None: as before."""
        if proposal is not None:
            self._shares = decode_policies(proposal.policy, self.spec).first(1)
        self._step()

    def _step(self) -> None:
        result = self._twin.step(self._shares.prb_share_KHCS[:, 0], self._shares.bandwidth_share_KHLS[:, 0])
        frame = self._twin.frames(result).frame(0)
        frame.step += BEGIN_STEP - QUIET_STEPS
        frame.start_s = frame.step * self.spec.timing.slow_step_s
        self.frames.append(self._codec.encode(frame))
        self.results.append(result)
        self.taken.append(self._shares)

    def p99_ms(self, slice_id: str, cells: Sequence[int], steps: range) -> float:
        """99th percentile of a slice's delay in cells over steps, weighted by offered load."""
        s = self.spec.topology().slice_index[slice_id]
        delay = np.concatenate([self.results[h].delay_ms_BTCS[0][:, cells, s].ravel() for h in steps])
        weight = np.concatenate([self.results[h].offered_mbit_BTCS[0][:, cells, s].ravel() for h in steps])
        order = np.argsort(delay)
        reached = np.cumsum(weight[order])
        return float(delay[order][min(int(np.searchsorted(reached, 0.99 * reached[-1])), len(delay) - 1)])

    def loss(self, slice_id: str, cells: Sequence[int], steps: range) -> float:
        """Lost share of what a slice offers in cells over steps."""
        s = self.spec.topology().slice_index[slice_id]
        lost, offered = (
            sum(float(getattr(self.results[h], name)[0][:, cells, s].sum()) for h in steps)
            for name in ("lost_mbit_BTCS", "offered_mbit_BTCS")
        )
        return lost / max(offered, 1e-9)

    def link_use(self, links: Sequence[int], steps: range) -> float:
        """Used share of the capacity of the worst of some links in its worst slow step."""
        seconds = self.spec.timing.slow_step_s
        used = [
            self.results[h].link_served_mbit_BTLS[0].sum((0, 2))[list(links)]
            / seconds
            / self.results[h].link_capacity_mbps_L[list(links)]
            for h in steps
        ]
        return float(np.max(used))

    def saving(self, steps: range) -> float:
        """Control saving of what was in force over steps, moves from the uniform shares before them included."""
        taken = [self.taken[h] for h in steps]
        whole = PolicyArrays(
            prb_share_KHCS=np.concatenate([one.prb_share_KHCS for one in taken], 1),
            bandwidth_share_KHLS=np.concatenate([one.bandwidth_share_KHLS for one in taken], 1),
        )
        before = self.taken[steps.start - 1] if steps.start else uniform_policy(self.spec, 1)
        return float(saving_ratio(whole, self.spec, before)[0])

    def broken_slas(self, steps: range) -> list[str]:
        """Slices whose SLA the steps broke, pooled over them."""
        everywhere = range(len(self.spec.cells))
        found = []
        for entry in self.spec.slices:
            loss, delay = entry.sla.loss_max_ratio, entry.sla.delay_p99_max_ms
            if (loss is not None and self.loss(entry.id, everywhere, steps) > loss) or (
                delay is not None and self.p99_ms(entry.id, everywhere, steps) > delay
            ):
                found.append(entry.id)
        return found


@dataclass(frozen=True)
class Decision:
    """What one frame led to."""

    proposal: planning_pb2.Proposal
    verdict: policy_pb2.Verdict | None
    """None: nobody judged it."""
    explanation: str
    seconds: float
    """Wall time of the planning cycle."""


@dataclass(frozen=True)
class Models:
    """The world models and the verifier, opened once."""

    local: LocalModels
    verifier: Verifier

    @classmethod
    def of(cls, spec: NetworkSpec) -> Models:
        """The zoo that ships."""
        return cls(LocalModels(spec), Verifier(spec))


def alone(network: Network, models: Models, settings: CycleSettings, steps: int) -> list[Decision]:
    """The network with the planner and without an intent, for so many slow steps."""
    clock = ManualClock(BEGIN_STEP * network.spec.timing.slow_step_s)
    peers = LocalPeers(network.spec, models.local, clock=clock, verifier=models.verifier)
    cycle = PlanningCycle(network.spec, settings, peers, clock)
    last: LastPlan | None = None
    out = []
    for _ in range(steps):
        began = time.perf_counter()
        proposal = run_now(cycle.plan(network.frames[-HISTORY_STEPS:], last))
        out.append(Decision(proposal, None, "", time.perf_counter() - began))
        last = LastPlan.from_bytes(keep_plan(proposal), network.spec, proposal.spec_digest)
        network.advance(proposal)
    return out


def tried(
    spec: NetworkSpec,
    models: Models,
    frames: Sequence[telemetry_pb2.KpiFrame],
    proposals: Sequence[planning_pb2.Proposal],
    state: worldmodel_pb2.AssumedState,
    steps: int,
) -> list[tuple[float, float]]:
    """(mean SCM, share of futures with a broken SLA) of each plan's first steps in the twin, in a state that is assumed; in
    futures that no planner has seen."""
    peers = LocalPeers(spec, models.local, verifier=models.verifier)
    found = run_now(peers.expect(frames, seed=TRIAL_SEED, sample_count=TRIAL_FUTURES, deadline=1.0, states=[state]))
    slices = len(spec.slices)
    window = SlaAccount(remaining_steps=steps, offered_S=np.zeros(slices), loss_S=np.zeros(slices), delay_S=np.zeros(slices))
    policies = PolicyArrays.concatenate([decode_policies(proposal.policy, spec) for proposal in proposals])
    verdict = run_now(peers.verify(frames[-1], policies, found.scenarios, seed=TRIAL_SEED, deadline=1.0, account=window))
    return [(float(scm.mean()), float(broken.mean())) for scm, broken in zip(verdict.scm_PJ, verdict.violated_PJ, strict=True)]


class Operator:
    """Who says sentences, and the services that listen."""

    def __init__(
        self,
        network: Network,
        models: Models,
        settings: CycleSettings,
        streams: Streams,
        client: httpx.AsyncClient,
        clock: ManualClock,
    ) -> None:
        self.network = network
        self._streams, self._client, self._clock = streams, client, clock
        self._names = StreamNames.of(network.spec.area_id)
        recorder = DecisionRecorder(clock)
        peers = LocalPeers(network.spec, models.local, clock=recorder.clock, verifier=models.verifier, wrap=recorder.recorded)
        cycle = PlanningCycle(network.spec, settings, peers, recorder.clock)
        self._planner = PlannerService(network.spec, streams, cycle, history_steps=HISTORY_STEPS, recorder=recorder)

    async def say(self, sentence: str) -> dict[str, Any]:
        """Compile and activate; what the gateway answers (POST /v1/intents)."""
        answer = await self._client.post("/v1/intents", json={"text": sentence})
        found: dict[str, Any] = answer.json()
        return found

    async def intent(self, intent_id: str) -> dict[str, Any]:
        """An intent with its state and how the newest plan stands to it (GET /v1/intents/{id})."""
        found: dict[str, Any] = (await self._client.get(f"/v1/intents/{intent_id}")).json()
        return found

    async def take_back(self, intent_id: str) -> None:
        """Withdraw an intent."""
        (await self._client.delete(f"/v1/intents/{intent_id}")).raise_for_status()

    async def decide(self, *, enforce: bool = True) -> Decision:
        """Plan for the newest frame and judge the plan; what is accepted comes into force for the next slow step."""
        names, frame = self._names, self.network.frames[-1]
        known = await self._streams.last(names.frames, 1)
        if not known:
            for older in self.network.frames[-HISTORY_STEPS:-1]:
                await self._streams.append(Output(names.frames, older.SerializeToString()))
            await self._streams.ensure_group(names.frames, GROUP_PLANNER)
            old = await self._streams.read(names.frames, GROUP_PLANNER, "operator", count=HISTORY_STEPS, block_ms=100)
            await self._streams.write_and_ack(names.frames, GROUP_PLANNER, [entry.id for entry in old], [])
        await self._streams.append(Output(names.frames, frame.SerializeToString()))
        (entry,) = await self._streams.read(names.frames, GROUP_PLANNER, "operator", count=1, block_ms=1000)
        began = time.perf_counter()
        effect = await self._planner.handle(entry)
        seconds = time.perf_counter() - began
        await self._streams.write_and_ack(names.frames, GROUP_PLANNER, [entry.id], effect.outputs, effect.keys)
        proposal = planning_pb2.Proposal.FromString(effect.outputs[0].payload)
        verdict = await self._verdict(proposal.step)
        told = (await self._client.get(f"/v1/explanations/{proposal.step}")).json()
        accepted = verdict.decision == policy_pb2.DECISION_ACCEPTED
        self.network.advance(proposal if accepted and enforce else None)
        await self._clock.advance(self.network.spec.timing.slow_step_s)
        return Decision(proposal, verdict, str(told.get("text", "")), seconds)

    async def _verdict(self, step: int) -> policy_pb2.Verdict:
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            for entry in await self._streams.last(self._names.verdicts, 1):
                found = policy_pb2.Verdict.FromString(entry.payload)
                if found.step == step:
                    return found
            await asyncio.sleep(0.01)
        raise UnavailableError(f"gateway: no verdict on step {step} within {WAIT_S:g} s")


@asynccontextmanager
async def operator(
    network: Network, models: Models, settings: CycleSettings, redis_url: str, state_dir: Path
) -> AsyncIterator[Operator]:
    """A gateway on an empty Redis, and a planner, beside the network."""
    clock = ManualClock(BEGIN_STEP * network.spec.timing.slow_step_s)
    streams = await Streams.connect(redis_url)
    chosen = GatewaySettings(
        redis_url=redis_url,
        state_dir=state_dir,
        instance="use-cases",
        network=network.spec.name,
        grpc_listen="127.0.0.1:0",
        http_listen="127.0.0.1:0",
    )
    try:
        async with Runtime(chosen, "gateway", http=False, signals=False) as runtime:
            port = await GatewayService(chosen, streams, runtime.health, clock=clock).start(runtime)
            # No connection is kept: while a plan is made nothing else turns in this process, and the server gives idle ones up.
            once = httpx.Limits(max_keepalive_connections=0)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, limits=once) as client:
                yield Operator(network, models, settings, streams, client, clock)
    finally:
        await streams.close()
