"""Peers in one process give the answers of the services."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twm.core.actions import PolicyArrays, uniform_policy
from twm.core.clock import SystemClock
from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.network import NetworkSpec
from twm.core.paths import zoo_folder
from twm.core.rpc import grpc_channel
from twm.core.zoo import find_model
from twm.planner.library import library_policies
from twm.planner.peers import Peers
from twm_bench.peers import running_peers
from twm_train.in_process import VARIANTS, Decide, Decided, LocalPeers, Observed, play, uniform_shares
from twm_twin.seeds import seeds

pytestmark = pytest.mark.slow


def keeping(seen: list[Observed]) -> Decide:
    """Uniform shares; what was seen is appended."""

    def decide(observed: Observed) -> Decided:
        seen.append(observed)
        return uniform_shares(observed)

    return decide


async def test_local_peers_answer_as_the_services_do(spec: NetworkSpec, tmp_path: Path) -> None:
    try:
        find_model(zoo_folder(), "cdwm", spec.topology_digest())
    except ModelMismatchError as error:
        pytest.skip(f"no model for the PoC city in the zoo: {error}")
    seen: list[Observed] = []
    play(
        spec,
        lambda observed: seen.append(observed) or uniform_shares(observed),
        seeds("validation", 1),
        ["wave-id"],
        "calendar",
    )
    history = seen[5].messages_B[0]
    library, _ = library_policies(spec)
    policies = PolicyArrays.concatenate([uniform_policy(spec), library.take([40, 200])])
    local = LocalPeers(spec)
    clock = SystemClock()
    with running_peers("poc-city", tmp_path) as targets:
        async with grpc_channel(targets.inference) as world, grpc_channel(targets.twin) as twin:
            remote = Peers.on(spec, world, twin, clock)
            answers = []
            for peers, deadline in ((local, 1.0), (remote, clock.monotonic_s() + 30.0)):
                rollout = await peers.rollout(
                    history, policies, seed=7, sample_count=4, with_trajectories=True, deadline=deadline
                )
                assert rollout.scenarios is not None
                verdict = await peers.verify(history[-1], policies, rollout.scenarios, seed=7, deadline=deadline)
                actor = await peers.propose(history, uniform_policy(spec, 1), 0.08, deadline)
                answers.append((rollout, verdict, actor))
    (rollout, verdict, actor), (other_rollout, other_verdict, other_actor) = answers
    for name, column in vars(rollout.predictions).items():
        np.testing.assert_allclose(column, getattr(other_rollout.predictions, name), rtol=1e-4, atol=1e-5)
    assert rollout.fans_KHQSP is not None and other_rollout.fans_KHQSP is not None
    np.testing.assert_allclose(rollout.fans_KHQSP, other_rollout.fans_KHQSP, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(verdict.scm_PJ, other_verdict.scm_PJ)
    assert verdict.call_count == other_verdict.call_count == 12
    assert rollout.models == other_rollout.models
    assert (actor is None) == (other_actor is None)


def test_the_closed_loop_shows_the_past_only_and_the_calendar_where_it_is_asked_for(spec: NetworkSpec) -> None:
    horizon, seen = spec.timing.horizon_steps, {}
    outcomes = []
    for variant in VARIANTS:
        kept: list[Observed] = []
        outcomes.append(play(spec, keeping(kept), seeds("validation", 2), ["hotspot-id"] * 2, variant))
        seen[variant] = kept
        assert [o.step for o in kept] == list(range(horizon))
        for observed in kept:
            last = horizon + observed.step - 1
            assert [f.step for f in observed.frames_B[0]] == list(range(max(last - 15, 0), last + 1))
            assert [m.step for m in observed.messages_B[1]] == [f.step for f in observed.frames_B[1]]
    assert not any(f.events for o in seen["history"] for frames in o.frames_B for f in frames)
    assert any(f.events for o in seen["calendar"] for frames in o.frames_B for f in frames)
    np.testing.assert_array_equal(outcomes[0].scm_B, outcomes[1].scm_B)
    np.testing.assert_allclose(outcomes[0].saving_B, 0.0, atol=1e-6)
    with pytest.raises(InvalidInputError, match="forecast"):
        play(spec, uniform_shares, [0], ["hotspot-id"], "forecast")  # type: ignore[arg-type]
