"""The bounded set: limits hold in every step, are approached as fast as the rate allows, and rows stay feasible."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.actions import PolicyArrays
from twm.core.network import NetworkSpec
from twm.planner.bounded import BoundedSpace, ShareBounds
from twm.planner.space import Rows, ShareSpace


def running(spec: NetworkSpec, shares: tuple[float, ...]) -> PolicyArrays:
    c, _, n_links = spec.sizes
    row = np.array(shares, np.float32)
    return PolicyArrays(prb_share_KHCS=np.tile(row, (1, 1, c, 1)), bandwidth_share_KHLS=np.tile(row, (1, 1, n_links, 1)))


def drawn(space: ShareSpace, count: int = 64) -> Rows:
    random = np.random.default_rng(5)
    rows = random.dirichlet([1, 1, 1], (count, space.step_count, space.cell_count + space.link_count))
    return (rows * random.uniform(0.4, 1.0, (count, 1, 1, 1))).astype(np.float32)


@pytest.fixture
def slow(spec: NetworkSpec) -> NetworkSpec:
    return spec.model_copy(update={"control": spec.control.model_copy(update={"max_share_change": 0.1})})


def test_without_limits_it_is_the_set_as_it_was(spec: NetworkSpec) -> None:
    plain, bounded = ShareSpace(spec), BoundedSpace(spec, ShareBounds.free(spec))
    rows = drawn(plain)
    assert np.abs(bounded.feasible(rows).sum(-1)).max() <= 1 + 1e-5
    gentle = plain.hold(np.full((20, 3), 0.3, np.float32))
    assert bounded.feasible(gentle) == pytest.approx(gentle, abs=1e-6)
    assert bounded.allowed(gentle).all()


def test_floors_caps_and_frozen_shares_hold(spec: NetworkSpec) -> None:
    bounds = ShareBounds.free(spec)
    bounds.least_HRS[:, :4, 1] = 0.4
    bounds.most_HRS[2:, 5, 0] = 0.2
    bounds.change_HRS[:, 7] = 0.0
    space = BoundedSpace(spec, bounds, running(spec, (0.3, 0.4, 0.25)))
    rows = space.feasible(drawn(space))
    assert (rows[:, :, :4, 1] >= 0.4 - 1e-5).all()
    assert (rows[:, 2:, 5, 0] <= 0.2 + 1e-5).all()
    assert np.abs(rows[:, :, 7] - np.array([0.3, 0.4, 0.25])).max() < 1e-5, "frozen as it runs"
    assert (rows.sum(-1) <= 1 + 1e-5).all() and (rows >= 0.05 - 1e-5).all()
    assert space.allowed(rows).all()
    assert not space.allowed(np.full_like(rows[:1], 0.3))[0]


def test_a_limit_out_of_reach_is_approached_as_fast_as_the_rate_allows(slow: NetworkSpec) -> None:
    bounds = ShareBounds.free(slow)
    bounds.least_HRS[:, 0, 1] = 0.6
    space = BoundedSpace(slow, bounds, running(slow, (0.4, 0.2, 0.4)))
    rows = space.feasible(space.hold(np.tile(np.array([0.5, 0.1, 0.4], np.float32), (20, 1))))
    rate = 0.1 - 1 / slow.prb_grid.prb_count
    assert rows[0, :4, 0, 1] == pytest.approx(0.2 + rate * np.arange(1, 5), abs=1e-4)
    assert rows[0, -1, 0, 1] == pytest.approx(0.6, abs=1e-4)
    change = np.abs(np.diff(np.concatenate([np.broadcast_to([[0.4, 0.2, 0.4]], (1, 20, 3)), rows[0]]), axis=0))
    assert change.max() <= rate + 1e-5 and (rows.sum(-1) <= 1 + 1e-5).all()


def test_doing_nothing_stays_doing_nothing(spec: NetworkSpec) -> None:
    bounds = ShareBounds.free(spec)
    bounds.most_HRS[:, :, 0] = 0.1
    space = BoundedSpace(spec, bounds, running(spec, (0.5, 0.2, 0.3)))
    held = space.held_running()
    assert held[0, 0, 0] == pytest.approx([0.5, 0.2, 0.3], abs=1e-6)
    assert not space.allowed(held)[0]
