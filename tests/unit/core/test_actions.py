"""Shares, projection, control cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twm.core.actions import (
    PolicyArrays,
    check_shares,
    control_cost,
    decode_policies,
    encode_policies,
    project_shares,
    saving_ratio,
    uniform_policy,
)
from twm.core.errors import InvalidInputError
from twm.core.network import load_network
from twm.core.paths import find_network

SPEC = load_network(find_network("poc-city"))


def test_uniform_costs_one_and_saves_nothing() -> None:
    policy = uniform_policy(SPEC)
    assert control_cost(policy, SPEC) == pytest.approx([1.0])
    assert saving_ratio(policy, SPEC, uniform_policy(SPEC, 1)) == pytest.approx([0.0], abs=1e-6)


def test_cost_counts_use_and_change() -> None:
    half = uniform_policy(SPEC)
    half = PolicyArrays(prb_share_KHCS=half.prb_share_KHCS / 2, bandwidth_share_KHLS=half.bandwidth_share_KHLS / 2)
    assert control_cost(half, SPEC) == pytest.approx([0.5])
    h = SPEC.timing.horizon_steps
    expected = 0.5 + SPEC.control.change_cost_weight * (1 / 6) / h
    assert control_cost(half, SPEC, uniform_policy(SPEC, 1)) == pytest.approx([expected], rel=1e-5)


def test_policies_round_trip() -> None:
    policies = PolicyArrays.concatenate([uniform_policy(SPEC), uniform_policy(SPEC)])
    back = decode_policies(encode_policies(policies), SPEC)
    np.testing.assert_array_equal(back.prb_share_KHCS, policies.prb_share_KHCS)
    np.testing.assert_array_equal(back.bandwidth_share_KHLS, policies.bandwidth_share_KHLS)
    assert back.take([1]).count == 1


@pytest.mark.parametrize(
    ("index", "value", "said"),
    [(0, float("nan"), "not finite"), (0, -0.2, "outside 0..1"), (1, 1.4, "outside 0..1"), (2, 0.9, "sums to")],
)
def test_bad_shares_are_named(index: int, value: float, said: str) -> None:
    message = encode_policies(uniform_policy(SPEC))
    message.prb_share[index] = value
    with pytest.raises(InvalidInputError, match=said):
        decode_policies(message, SPEC)


def test_wrong_sizes_are_named() -> None:
    message = encode_policies(uniform_policy(SPEC))
    del message.bandwidth_share[-1]
    with pytest.raises(InvalidInputError, match=r"bandwidth_share: 359 values, expected 1 x 12 x 10 x 3 = 360"):
        decode_policies(message, SPEC)


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float64, (5, 3), elements=st.floats(-10, 10) | st.sampled_from([np.nan, np.inf, -np.inf])),
    arrays(np.float64, (3,), elements=st.floats(0, 1 / 3)),
)
def test_projection_is_always_feasible(shares: np.ndarray, floor: np.ndarray) -> None:
    projected = project_shares(shares, floor)
    check_shares("shares", projected)
    assert (projected >= floor - 1e-6).all()


def test_projection_leaves_feasible_shares_alone() -> None:
    shares = np.array([[0.2, 0.3, 0.1]])
    np.testing.assert_allclose(project_shares(shares, np.array([0.05, 0.05, 0.05])), shares, rtol=1e-6)
