"""Candidates from the forecast move with the expected demand."""

from __future__ import annotations

import numpy as np
from planner_peers import measured_frame

from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.planner.answers import Scenarios
from twm.planner.forecast import VARIANTS, Forecast
from twm.planner.reactive import ReactiveParameters
from twm.planner.search import row_groups
from twm.planner.space import ShareSpace


def scenarios(spec: NetworkSpec, growth: float) -> Scenarios:
    """Five futures around a demand of slice 0 that grows by `growth` over the horizon; the other slices are steady."""
    (c, s, n_links), h = spec.sizes, spec.timing.horizon_steps
    demand = np.full((5, h, c, s), 60.0, np.float32)
    demand[..., 0] *= np.linspace(1, 1 + growth, h, dtype=np.float32)[None, :, None]
    demand *= np.linspace(0.9, 1.1, 5, dtype=np.float32)[:, None, None, None]
    return Scenarios(
        demand_mbps_JHCS=demand,
        spectral_efficiency_JHC=np.full((5, h, c), 6.0, np.float32),
        link_capacity_mbps_JHL=np.full((5, h, n_links), 1500.0, np.float32),
    )


def forecast(spec: NetworkSpec, growth: float) -> Forecast:
    c, s, n_links = spec.sizes
    running = np.full((c, s), 1 / s, np.float32), np.full((n_links, s), 1 / s, np.float32)
    return Forecast(spec, measured_frame(spec, 3), scenarios(spec, growth), running, ReactiveParameters())


def rows(spec: NetworkSpec, growth: float) -> tuple[np.ndarray, list[str]]:
    found, names = forecast(spec, growth).fixed()
    return ShareSpace(spec).project(found), names


def test_shares_follow_the_expected_demand(spec: NetworkSpec) -> None:
    found, names = rows(spec, 1.0)
    assert found.shape == (len(VARIANTS), 12, 20, 3)
    assert len(set(names)) == len(VARIANTS)
    lean = found[names.index("forecast:q50-h15-s0-m100")]
    assert (lean[-1, :, 0] > 1.5 * lean[1, :, 0]).all()  # step 0 also drains the queue
    np.testing.assert_allclose(lean[-1, :, 2], lean[1, :, 2], atol=1e-6)
    assert found.sum(-1).max() <= 1 + 1e-5
    assert found.min() >= 0.05 - 1e-6


def test_variants_differ_and_a_higher_quantile_gives_more(spec: NetworkSpec) -> None:
    found, names = rows(spec, 0.0)
    flat = found.reshape(len(names), -1)
    distance = np.abs(flat[:, None] - flat[None]).max(-1) + np.eye(len(names))
    assert distance.min() > 1e-3
    low, high = (found[names.index(f"forecast:{name}")] for name in ("q50-h15-s0-m100", "q80-h15-s0-m100"))
    assert (high[1:, :10, 0] > low[1:, :10, 0]).all()


def test_a_network_without_links_has_forecasts_too() -> None:
    explora = load_network(find_network("explora-cell"))
    found, _ = rows(explora, 0.5)
    assert found.shape == (len(VARIANTS), 12, 1, 3)
    assert np.isfinite(found).all()


def test_drawn_answers_differ_between_groups_and_repeat_with_their_seed(spec: NetworkSpec) -> None:
    expected, groups = forecast(spec, 0.3), row_groups(spec)
    found, names = expected.drawn(40, groups, np.random.default_rng(5))
    assert found.shape == (40, 12, 20, 3)
    assert np.isfinite(found).all()
    assert len(set(names)) == 40
    again, _ = expected.drawn(40, groups, np.random.default_rng(5))
    np.testing.assert_array_equal(found, again)
    urllc = ShareSpace(spec).project(found)[:, -1, :, 1]
    assert urllc[:, :10].std(0).min() > 0.02  # between answers
    assert urllc[:, :10].std(1).mean() > 0.02  # between cells of one answer, whose loads are all the same
