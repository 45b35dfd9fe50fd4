"""What the planner remembers: answered steps, history window, last plan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planner_peers import frame_messages

from twm.api.planning.v1 import planning_pb2
from twm.core.actions import PolicyArrays, encode_policies, uniform_policy
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.planner.memory import GUARD_WINDOW, MAX_ALTERNATIVES, AnsweredSteps, History, LastPlan, keep_plan


@given(st.lists(st.integers(0, 2000), max_size=60))
def test_answered_steps_are_a_set_within_the_window(steps: list[int]) -> None:
    guard, answered = AnsweredSteps(), set()
    for step in steps:
        if guard.holds(step):
            assert step in answered or guard.too_old(step)
            continue
        assert step not in answered
        answered.add(step)
        guard = AnsweredSteps.from_bytes(guard.with_step(step).to_bytes())
        assert guard.holds(step)
        assert guard.newest == max(answered)


def test_an_empty_guard_holds_nothing_and_the_window_ends() -> None:
    assert not AnsweredSteps.from_bytes(b"").holds(0)
    guard = AnsweredSteps().with_step(10_000)
    assert not guard.holds(10_000 - GUARD_WINDOW + 1)
    assert guard.holds(10_000 - GUARD_WINDOW)
    with pytest.raises(InvalidInputError, match="guard key: 3 bytes"):
        AnsweredSteps.from_bytes(b"abc")


def test_history_fills_gaps_with_frames_in_which_nothing_was_measured(spec: NetworkSpec) -> None:
    history = History(spec, 6)
    history.add([*frame_messages(spec, range(10, 13)), *frame_messages(spec, range(14, 16))])
    window = history.window(15)
    assert [frame.step for frame in window] == [10, 11, 12, 13, 14, 15]
    assert not any(window[3].mask)
    assert all(any(frame.mask) for i, frame in enumerate(window) if i != 3)
    FrameCodec(spec).decode(window[3])


def test_history_is_short_at_first_and_bounded_later(spec: NetworkSpec) -> None:
    history = History(spec, 4)
    history.add(frame_messages(spec, range(1)))
    assert [frame.step for frame in history.window(0)] == [0]
    history.add(frame_messages(spec, range(1, 40)))
    assert [frame.step for frame in history.window(39)] == [36, 37, 38, 39]
    assert [frame.step for frame in history.window(30)] == [27, 28, 29, 30]
    assert sum(history.knows(step) for step in range(40)) == 16


def plan(spec: NetworkSpec, step: int) -> planning_pb2.Proposal:
    ramp = np.linspace(0.1, 0.3, 12, dtype=np.float32)[None, :, None, None]
    policy = PolicyArrays(
        prb_share_KHCS=np.broadcast_to(ramp, (1, 12, 10, 3)), bandwidth_share_KHLS=np.broadcast_to(ramp, (1, 12, 10, 3))
    )
    return planning_pb2.Proposal(
        proposal_id=f"poc-city/{step}", area_id="poc-city", step=step, spec_digest=spec.digest(), policy=encode_policies(policy)
    )


def test_last_plan_is_shifted_by_the_steps_gone_by(spec: NetworkSpec) -> None:
    last = LastPlan.from_bytes(keep_plan(plan(spec, 20)), spec, spec.digest())
    assert last is not None
    shifted = last.shifted(22)
    assert shifted is not None
    np.testing.assert_array_equal(shifted.prb_share_KHCS[0, :10], last.policy.prb_share_KHCS[0, 2:])
    np.testing.assert_array_equal(shifted.prb_share_KHCS[0, 10:], last.policy.prb_share_KHCS[0, [11, 11]])
    assert last.shifted(20) is None
    assert last.shifted(32) is None
    recommended = last.at(22)
    assert recommended is not None
    np.testing.assert_array_equal(recommended.prb_share_KHCS[0, 0], last.policy.prb_share_KHCS[0, 1])
    assert last.at(20) is None
    assert last.at(33) is None


def test_last_plan_of_another_spec_is_ignored_and_garbage_is_refused(spec: NetworkSpec) -> None:
    assert LastPlan.from_bytes(b"", spec, spec.digest()) is None
    assert LastPlan.from_bytes(keep_plan(plan(spec, 1)), spec, "0" * 64) is None
    with pytest.raises(InvalidInputError):
        LastPlan.from_bytes(b"\xff\xff", spec, spec.digest())
    broken = plan(spec, 1)
    broken.policy.CopyFrom(encode_policies(uniform_policy(spec)))
    broken.policy.prb_share[0] = float("nan")
    with pytest.raises(InvalidInputError, match="prb_share"):
        LastPlan.from_bytes(keep_plan(broken), spec, spec.digest())


def many(spec: NetworkSpec, count: int) -> planning_pb2.Proposal:
    proposal, one = plan(spec, 20), uniform_policy(spec)
    proposal.alternatives.CopyFrom(encode_policies(PolicyArrays.concatenate([one] * count)))
    return proposal


def test_alternatives_are_remembered_and_shifted_but_never_many(spec: NetworkSpec) -> None:
    proposal = many(spec, 1)
    proposal.alternatives.CopyFrom(proposal.policy)
    last = LastPlan.from_bytes(keep_plan(proposal), spec, spec.digest())
    assert last is not None
    others, itself = last.alternatives_shifted(22), last.shifted(22)
    assert others is not None
    assert itself is not None
    np.testing.assert_array_equal(others.prb_share_KHCS, itself.prb_share_KHCS)
    assert last.alternatives_shifted(40) is None
    largest = len(keep_plan(many(spec, MAX_ALTERNATIVES)))
    assert len(keep_plan(many(spec, MAX_ALTERNATIVES + 1))) < largest < 40_000
    with pytest.raises(InvalidInputError, match="9 alternatives, at most 8"):
        LastPlan.from_bytes(many(spec, MAX_ALTERNATIVES + 1).SerializeToString(), spec, spec.digest())
    without = LastPlan.from_bytes(keep_plan(plan(spec, 20)), spec, spec.digest())
    assert without is not None
    assert without.alternatives_shifted(21) is None
