"""Planning cycle of the PoC city with the real inference service and twin: what it takes and where the time goes.

Prints figures; gates on shares of one run only: what the planner itself does (drawing, packing, scoring, choosing)
must be small beside what the peers do. `TWM_LONG=1` plans 30 frames each rather than 10.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from planner_peers import ArithmeticPeers

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1.telemetry_pb2 import KpiFrame
from twm.core.clock import SystemClock
from twm.core.errors import ModelMismatchError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.paths import zoo_folder
from twm.core.rpc import grpc_channel
from twm.core.zoo import find_model
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.peers import Peers
from twm.planner.search import SearchSettings
from twm_bench.peers import PeerTargets, running_peers
from twm_twin.seeds import seeds
from twm_twin.simulator import Twin

pytestmark = pytest.mark.bench
PEER_PARTS = ("forecast", "rollout", "rerank", "trajectories", "verify")
CYCLES, WARM_UP = 30 if os.environ.get("TWM_LONG") == "1" else 10, 3


def histories(spec: NetworkSpec, count: int) -> Iterator[list[KpiFrame]]:
    """Windows of up to 16 frames that the twin records under uniform shares."""
    c, s, n_links = spec.sizes
    codec, twin = FrameCodec(spec), Twin(spec, 1)
    twin.reset(seeds("validation", 1), ["hotspot-id"])
    messages: list[KpiFrame] = []
    for step in range(8 + count):
        result = twin.step(np.full((1, c, s), 1 / s), np.full((1, n_links, s), 1 / s))
        messages.append(codec.encode(twin.frames(result).frame(0)))
        if step >= 8:
            yield messages[-16:]


async def cycles(spec: NetworkSpec, inference: str, twin: str, settings: CycleSettings) -> list[planning_pb2.Proposal]:
    clock = SystemClock()
    async with grpc_channel(inference) as world, grpc_channel(twin) as other:
        cycle = PlanningCycle(spec, settings, Peers.on(spec, world, other, clock), clock)
        return [await cycle.plan(history, None) for history in histories(spec, WARM_UP + CYCLES)][WARM_UP:]


def report(title: str, proposals: list[planning_pb2.Proposal]) -> dict[str, float]:
    """Print; share of the total by part."""
    parts: dict[str, list[float]] = {}
    for proposal in proposals:
        for timing in proposal.timings:
            parts.setdefault(timing.part, []).append(timing.seconds)
    total = np.array(parts.pop("total"))
    reasons = [p.fallback_reason for p in proposals if p.fallback_reason]
    print(
        f"\n{title}: {len(proposals)} cycles, p50 {np.median(total):.3f} s, p99 {np.quantile(total, 0.99):.3f} s, "
        f"evaluations {np.median([p.evaluation_count for p in proposals]):.0f}, "
        f"twin calls {np.median([p.twin_call_count for p in proposals]):.0f}, "
        f"fallbacks {len(reasons)} {sorted(set(reasons))[:2]}"
    )
    shares = {part: float(np.sum(seconds) / total.sum()) for part, seconds in parts.items()}
    for part, share in shares.items():
        print(f"  {part:16s} {1e3 * np.mean(parts[part]):8.1f} ms  {100 * share:5.1f} %")
    return shares


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory, spec: NetworkSpec) -> Iterator[PeerTargets]:
    try:
        find_model(zoo_folder(), "cdwm", spec.topology_digest())
    except ModelMismatchError as error:
        pytest.skip(f"no model for the PoC city in the zoo: {error}")
    with running_peers("poc-city", Path(tmp_path_factory.mktemp("peers"))) as found:
        yield found


async def test_planning_cycle_with_the_real_peers(spec: NetworkSpec, targets: PeerTargets) -> None:
    free = CycleSettings(budget_s=20.0)  # the whole search, however long it takes here
    found = await cycles(spec, targets.inference, targets.twin, free)
    shares = report("whole search", found)
    assert min(p.evaluation_count for p in found) >= 600
    assert {p.twin_call_count for p in found} == {12}
    own = 1.0 - sum(shares.get(part, 0.0) for part in PEER_PARTS)
    print(f"  planner itself: {100 * own:.1f} %")
    assert own < 0.35
    timed = await cycles(spec, targets.inference, targets.twin, CycleSettings())
    report("budget of 1 s", timed)


async def test_the_planners_own_cost_grows_no_faster_than_the_search(spec: NetworkSpec) -> None:
    small = CycleSettings(budget_s=20.0, library_count=24, search=SearchSettings(populations=(27,) * 10))
    cost: dict[str, float] = {}
    async with ArithmeticPeers(spec) as peers:
        for name, settings in (("half a search", small), ("whole search", CycleSettings(budget_s=20.0))):
            found = await cycles(spec, peers.target, peers.target, settings)
            report(f"arithmetic peers, {name}", found)
            own_s = [sum(t.seconds for t in p.timings if t.part not in (*PEER_PARTS, "total")) for p in found]
            cost[name] = float(np.median(own_s)) / found[0].evaluation_count
    print("  own cost per candidate: " + ", ".join(f"{name} {1e6 * value:.0f} us" for name, value in cost.items()))
    assert cost["whole search"] < 2.0 * cost["half a search"]
