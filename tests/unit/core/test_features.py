"""Features shared by training and serving."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import features
from twm.core.actions import uniform_policy
from twm.core.errors import InvalidInputError
from twm.core.features import (
    HistoryLayout,
    exogenous_layout,
    exogenous_of,
    history_matrix,
    known_events,
    newest_field,
    slice_kpis,
)
from twm.core.frames import CELL_SLICE_FEATURES, FrameArrays
from twm.core.kpis import (
    horizon_kpis,
    horizon_scm,
    kpi_draw,
    kpi_from_z,
    kpi_gaussian,
    kpi_quantiles,
    kpi_to_z,
    weighted_p99,
)
from twm.core.network import NetworkSpec, load_network
from twm.core.ood import action_summary, fit, ood_score
from twm.core.paths import find_network
from twm.core.scm import scm, weighted_quantile


@pytest.fixture(scope="module", params=["poc-city", "explora-cell"])
def spec(request: pytest.FixtureRequest) -> NetworkSpec:
    return load_network(find_network(request.param))


def random_frames(spec: NetworkSpec, count: int, seed: int = 0) -> list[FrameArrays]:
    rng = np.random.default_rng(seed)
    frames = []
    for step in range(count):
        frame = FrameArrays.missing(spec, 100 + step)
        for block in frame.blocks().values():
            block[...] = rng.uniform(0.1, 0.9, block.shape)
        frames.append(frame)
    return frames


def test_history_has_a_row_per_step_and_a_flag_per_value(spec: NetworkSpec) -> None:
    layout = HistoryLayout.of(spec)
    frames = random_frames(spec, 5)
    frames[4].cell[0, 1] = np.nan
    history = history_matrix(frames, spec, 8)
    assert history.shape == (8, layout.width)
    assert history.dtype == np.float32
    assert np.isfinite(history).all()
    assert not history[:3].any()
    column = layout.blocks["cell"][0].start + 1
    assert history[-1, column] == 0
    assert history[-1, layout.value_count + column] == 0
    assert history[-2, layout.value_count + column] == 1
    assert history[-2, column] == frames[3].cell[0, 1]


def test_history_keeps_time_when_a_frame_is_lost(spec: NetworkSpec) -> None:
    frames = random_frames(spec, 5)
    whole = history_matrix(frames, spec, 4)
    gap = history_matrix([frames[0], frames[1], frames[2], frames[4]], spec, 4)
    assert not gap[-2].any()
    assert np.array_equal(np.delete(gap, 2, 0), np.delete(whole, 2, 0))
    assert np.array_equal(history_matrix(frames[::-1], spec, 4), whole)


def test_history_refuses_nothing_and_two_frames_of_a_step(spec: NetworkSpec) -> None:
    with pytest.raises(InvalidInputError, match="no frames"):
        history_matrix([], spec, 4)
    frames = random_frames(spec, 2)
    frames[1].step = frames[0].step
    with pytest.raises(InvalidInputError, match="two frames of step 100"):
        history_matrix(frames, spec, 4)
    with pytest.raises(InvalidInputError, match="no frames"):
        newest_field([], spec)


def test_wrong_block_shape_is_named(spec: NetworkSpec) -> None:
    frame = random_frames(spec, 1)[0]
    frame.cell = frame.cell[:, :2]
    with pytest.raises(InvalidInputError, match="cell: shape"):
        history_matrix([frame], spec, 2)


def test_exogenous_columns_split_and_join(spec: NetworkSpec) -> None:
    c, s, n_links = spec.sizes
    frame = random_frames(spec, 1)[0]
    if n_links:
        frame.link[0] = (1000.0, 0.25)
    x = exogenous_of(frame.blocks(), spec)
    layout = exogenous_layout(spec)
    assert x.shape == (layout.width,) == (c * s + c + n_links,)
    demand, efficiency, capacity = layout.split(x)
    assert np.array_equal(demand, frame.cell_slice_feature("offered_mbps"))
    assert np.array_equal(efficiency, frame.cell_feature("spectral_efficiency_bps_hz"))
    assert capacity.shape == (n_links,)
    if n_links:
        assert capacity[0] == pytest.approx(250.0)
    assert np.array_equal(layout.join(demand, efficiency, capacity), x)


def test_action_columns_are_prb_then_bandwidth_shares(spec: NetworkSpec) -> None:
    policy = uniform_policy(spec)
    c, s, n_links = spec.sizes
    policy.prb_share_KHCS[0, 3, 0, 1] = 0.1
    action = features.action_vector(policy)
    assert action.shape == (1, spec.timing.horizon_steps, (c + n_links) * s)
    assert action[0, 3, 1] == np.float32(0.1)


def test_known_events_reach_the_newest_row(spec: NetworkSpec) -> None:
    frames = random_frames(spec, 4)
    cell = spec.cells[0]
    event = telemetry_pb2.KnownEvent(
        kind="hotspot", onset_step=105, duration_steps=2, x_km=cell.x_km, y_km=cell.y_km, amplitude=0.8
    )
    frames[-1].events = [event]
    rise = known_events([event], spec, 103)
    assert rise.shape == (len(spec.cells), spec.timing.horizon_steps)
    assert np.flatnonzero(rise[0]).tolist() == [1, 2]
    assert rise[0, 1] == pytest.approx(0.8)
    layout = HistoryLayout.of(spec)
    history = history_matrix(frames, spec, 4)
    assert history[-1, layout.blocks["events"][0]].max() == pytest.approx(0.8)
    assert history[:, layout.known("events")].sum(1).tolist()[:3] == [0, 0, 0]


def test_newest_field_needs_the_step_before_for_the_change(spec: NetworkSpec) -> None:
    frames = random_frames(spec, 3)
    field = newest_field(frames, spec)
    change = features.FIELD_FEATURES.index("offered_change_mbps")
    offered = [frame.cell_slice_feature("offered_mbps").sum(-1) for frame in frames]
    assert field.shape == (len(spec.cells), len(features.FIELD_FEATURES))
    assert field[:, 0] == pytest.approx(offered[-1], rel=1e-5)
    assert field[:, change] == pytest.approx(offered[-1] - offered[-2], rel=1e-4, abs=1e-4)
    assert np.isnan(newest_field([frames[0], frames[-1]], spec)[:, change]).all()


def test_field_features_follow_their_definitions() -> None:
    spec = load_network(find_network("poc-city"))
    before, now = random_frames(spec, 2)
    field = features.field_features(now.blocks(), before.blocks(), spec)
    named = dict(zip(features.FIELD_FEATURES, field.T, strict=True))
    offered = now.cell_slice_feature("offered_mbps")
    assert len(features.FIELD_FEATURES) == 12
    assert named["critical_offered_mbps"] == pytest.approx(offered[:, 1])
    assert named["offered_change_mbps"] == pytest.approx(
        offered.sum(-1) - before.cell_slice_feature("offered_mbps").sum(-1), abs=1e-5
    )
    carrier_mhz = 273 * 0.36
    assert named["load_ratio"] == pytest.approx(offered.sum(-1) / now.cell[:, 0] / carrier_mhz, rel=1e-5)
    route = spec.topology().route[0]
    used = now.link_slice_feature("served_mbps").sum(-1) / now.link_feature("capacity_mbps")
    assert named["route_used_ratio"][0] == pytest.approx(used[route].max(), rel=1e-5)


def test_what_is_missing_stays_missing_in_kpis(spec: NetworkSpec) -> None:
    frame = FrameArrays.missing(spec, 0)
    assert np.isnan(slice_kpis(frame.blocks())).all()
    assert np.isnan(exogenous_of(frame.blocks(), spec)).all()
    known = random_frames(spec, 1)[0]
    known.cell_slice[..., CELL_SLICE_FEATURES.index("e2e_loss_ratio")] = np.nan
    kpi = slice_kpis(known.blocks())
    weight = known.cell_slice_feature("offered_mbps")
    expected = (known.cell_slice_feature("radio_loss_ratio") * weight).sum(0) / weight.sum(0)
    assert kpi[:, 0] == pytest.approx(expected, rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_vectorised_p99_equals_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value, weight = rng.random((3, 2, 5)) * 100, rng.random((3, 2, 5)) * (rng.random((3, 2, 5)) < 0.8)
    value[rng.random((3, 2, 5)) < 0.1] = np.nan
    found = weighted_p99(value, weight)
    for s in range(2):
        assert found[s] == pytest.approx(weighted_quantile(value[:, s], weight[:, s], 0.99), nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_kpi_space_and_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kpi = rng.random((4, 3, 4)) * np.array([1.0, 5000.0, 1.0, 4000.0]) + np.array([0, 0.1, 0, 0])
    assert kpi_from_z(kpi_to_z(kpi)) == pytest.approx(kpi, rel=1e-9, abs=1e-9)
    mu, sigma = kpi_gaussian(kpi, np.zeros_like(kpi))
    assert not sigma.any()
    assert kpi_draw(kpi, np.zeros_like(kpi), np.ones_like(kpi)) == pytest.approx(kpi, rel=1e-9, abs=1e-9)
    assert mu == pytest.approx(kpi_to_z(kpi))


def test_mixture_quantiles_match_a_large_sample() -> None:
    rng = np.random.default_rng(5)
    mean = np.stack([np.array([0.1, 10.0, 0.5, 300.0]), np.array([0.02, 20.0, 0.6, 500.0])])
    std = mean * 0.2
    drawn = kpi_draw(np.repeat(mean, 50000, 0), np.repeat(std, 50000, 0), rng.standard_normal((100000, 4)))
    found = kpi_quantiles(np.repeat(mean, 8, 0), np.repeat(std, 8, 0), (0.1, 0.5, 0.9))
    expected = np.quantile(drawn, (0.1, 0.5, 0.9), axis=0)
    assert found == pytest.approx(expected, rel=0.12)


def test_horizon_scm_weights_loss_by_load() -> None:
    spec = load_network(find_network("poc-city"))
    topology = spec.topology()
    kpi = np.zeros((12, 3, 4))
    kpi[:, :, 1] = 5.0
    kpi[6:, 0, 0] = 0.2
    offered = np.ones((12, 3))
    offered[6:, 0] = 3.0
    loss, delay = horizon_kpis(kpi, offered)
    assert loss[0] == pytest.approx(0.15)
    assert delay == pytest.approx([5.0, 5.0, 5.0])
    assert horizon_scm(kpi, offered, topology) == pytest.approx(scm(loss, delay, topology))
    assert horizon_scm(kpi, offered, topology) == pytest.approx(0.4)


def test_ood_score_is_zero_inside_and_grows_outside(spec: NetworkSpec) -> None:
    rng = np.random.default_rng(1)
    histories = np.stack([history_matrix(random_frames(spec, 4, seed), spec, 4) for seed in range(40)])
    uniform = features.action_vector(uniform_policy(spec))
    actions = (uniform + rng.normal(0, 0.03, (200, *uniform.shape[1:]))).astype(np.float32)
    statistics = fit(histories, actions, spec)
    scores = ood_score(histories[0], actions, statistics, spec)
    assert scores.shape == (200,)
    assert np.mean(scores > 0) < 0.05
    greedy = np.zeros_like(uniform)
    greedy[..., 0] = 1.0
    assert ood_score(histories[0], greedy, statistics, spec)[0] > 0.5
    wild = histories[0].copy()
    wild[:, : HistoryLayout.of(spec).value_count] *= 50
    assert ood_score(wild, actions, statistics, spec).min() > scores.max()
    assert action_summary(actions, spec).shape[1] == 6 * len(spec.slices) + 3
