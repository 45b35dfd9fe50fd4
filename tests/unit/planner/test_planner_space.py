"""Feasible policies: floors, simplex and rate of change hold for whatever the search throws at them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twm.core.actions import PolicyArrays, saving_ratio, uniform_policy
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.planner.space import ShareSpace

POC, EXPLORA = load_network(find_network("poc-city")), load_network(find_network("explora-cell"))


def floors(space: ShareSpace) -> np.ndarray:
    topology = space.spec.topology()
    rows = [topology.prb_floor] * space.cell_count + [topology.bandwidth_floor] * space.link_count
    return np.array(rows)


@pytest.mark.parametrize("network", [POC, EXPLORA], ids=lambda s: s.name)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0.01, 5.0))
def test_anything_becomes_feasible(network: NetworkSpec, seed: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    space = ShareSpace(network)
    shape = (5, space.step_count, space.cell_count + space.link_count, space.slice_count)
    wild = random.normal(0.3, spread, shape).astype(np.float32)
    wild[random.random(shape) < 0.02] = np.nan
    rows = space.feasible(wild)
    rate = network.control.max_share_change
    assert rows.sum(-1).max() <= 1 + 1e-5
    assert (rows >= floors(space) - 1e-5).all()
    assert np.abs(np.diff(rows, axis=1)).max() <= rate + 1e-5
    assert np.abs(rows[:, 0] - space.running_RS).max() <= rate + 1e-5
    again = space.feasible(rows)
    np.testing.assert_allclose(again, rows, atol=2e-5)


def test_feasible_rows_stay_as_they_are() -> None:
    space = ShareSpace(POC)
    rows = space.stack(uniform_policy(POC)) * np.float32(0.8)
    np.testing.assert_allclose(space.feasible(rows), rows, atol=1e-6)
    policies = space.policies(rows)
    assert policies.prb_share_KHCS.shape == (1, 12, 10, 3)
    assert policies.bandwidth_share_KHLS.shape == (1, 12, 10, 3)


def one_step(prb: list[float], bandwidth: list[float]) -> PolicyArrays:
    return PolicyArrays(
        prb_share_KHCS=np.tile(np.array(prb, np.float32), (1, 1, 10, 1)),
        bandwidth_share_KHLS=np.tile(np.array(bandwidth, np.float32), (1, 1, 10, 1)),
    )


def test_change_is_bounded_from_what_runs_and_from_what_was_proposed() -> None:
    running, proposed = one_step([0.8, 0.1, 0.1], [0.1, 0.8, 0.1]), one_step([0.5, 0.3, 0.2], [0.3, 0.3, 0.3])
    space = ShareSpace(POC, running, proposed)
    rows = space.feasible(np.tile(np.array([0.05, 0.9, 0.05], np.float32), (1, 12, 20, 1)))
    for before in (running, proposed):
        assert np.abs(rows[0, 0] - space.stack(before)[0, 0]).max() <= 0.5
    np.testing.assert_allclose(rows[0, -1], np.tile([0.05, 0.9, 0.05], (20, 1)), atol=1e-5)


def test_floors_come_before_the_rate() -> None:
    tight = POC.model_copy(update={"control": POC.control.model_copy(update={"max_share_change": 0.01})})
    space = ShareSpace(tight, one_step([1.0, 0.0, 0.0], [1.0, 0.0, 0.0]))
    rows = space.feasible(np.full((1, 12, 20, 3), 1 / 3, np.float32))
    assert (rows >= 0.05 - 1e-6).all()
    assert np.abs(np.diff(rows, axis=1)).max() <= 0.01 + 1e-6


def test_saving_is_the_benchmarks() -> None:
    random = np.random.default_rng(3)
    space = ShareSpace(POC, one_step([0.5, 0.2, 0.2], [0.2, 0.3, 0.3]))
    rows = space.feasible(random.dirichlet([2, 2, 2], (30, 12, 20)).astype(np.float32) * random.uniform(0.7, 1, (30, 1, 1, 1)))
    np.testing.assert_allclose(space.saving(rows), saving_ratio(space.policies(rows), POC, space.running), atol=2e-6)
