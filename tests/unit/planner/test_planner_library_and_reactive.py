"""The library is diverse, feasible and free of demand; the reactive rule follows loads, keeps floors and bears gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twm.core.actions import PolicyArrays, check_shares, uniform_policy
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.planner.library import library_policies
from twm.planner.reactive import ReactiveParameters, proportional_batch, reactive_shares

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"
PATHS = {"poc-city": find_network("poc-city"), "explora-cell": find_network("explora-cell"), "coast": COAST}


@pytest.fixture(params=list(PATHS))
def network(request: pytest.FixtureRequest) -> NetworkSpec:
    return load_network(PATHS[request.param])


def loaded(spec: NetworkSpec, load: float) -> FrameArrays:
    """Every slice offers `load` of its cell (and of its link) over the number of slices."""
    frame, s = FrameArrays.missing(spec, 3), len(spec.slices)
    carrier_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
    frame.cell_feature("spectral_efficiency_bps_hz")[:] = 5.0
    frame.cell_slice_feature("offered_mbps")[:] = load * 5.0 * carrier_mhz / s
    frame.cell_slice_feature("queue_mbit")[:] = 0.0
    capacity = np.array([link.capacity_mbps for link in spec.transport.links], np.float32)
    frame.link_feature("capacity_mbps")[:] = capacity
    frame.link_feature("up_ratio")[:] = 1.0
    frame.link_slice_feature("offered_mbps")[:] = load * capacity[:, None] / s
    return frame


def test_the_library_is_feasible_diverse_and_the_same_each_time(network: NetworkSpec) -> None:
    policies, names = library_policies(network)
    again, _ = library_policies(network)
    topology = network.topology()
    assert policies.count == len(names) == 256
    np.testing.assert_array_equal(policies.prb_share_KHCS, again.prb_share_KHCS)
    check_shares("prb_share", policies.prb_share_KHCS)
    check_shares("bandwidth_share", policies.bandwidth_share_KHLS)
    assert (policies.prb_share_KHCS >= topology.prb_floor - 1e-6).all()
    flat = np.concatenate([policies.prb_share_KHCS.reshape(256, -1), policies.bandwidth_share_KHLS.reshape(256, -1)], 1)
    assert len(np.unique(flat.round(4), axis=0)) == 256
    assert names[0] == "uniform"
    np.testing.assert_allclose(flat[0], 1 / len(network.slices), rtol=1e-6)


def test_the_library_does_not_look_at_the_demand(network: NetworkSpec) -> None:
    blind = network.model_copy(update={"twin": {}})
    np.testing.assert_array_equal(library_policies(network)[0].prb_share_KHCS, library_policies(blind)[0].prb_share_KHCS)


def test_the_library_has_zone_rows_and_savings(spec: NetworkSpec) -> None:
    policies, _ = library_policies(spec)
    prb = policies.prb_share_KHCS
    assert (np.ptp(prb, axis=2).max((1, 2)) > 0.05).sum() > 60, "cells differ"
    assert (np.ptp(prb, axis=1).max((1, 2)) > 0.05).sum() > 10, "time steps differ"
    assert (prb.sum(-1).mean((1, 2)) < 0.92).sum() > 60


def test_reactive_gives_loads_their_margin_and_bounded_slices_their_headroom(network: NetworkSpec) -> None:
    p = ReactiveParameters()
    topology = network.topology()
    bounded = np.isfinite(topology.delay_p99_max_ms)
    frame = loaded(network, 0.3)
    prb, bandwidth = reactive_shares(network, frame, None, p)
    check_shares("prb_share", prb)
    check_shares("bandwidth_share", bandwidth)
    need = 0.3 / len(network.slices)
    if not bounded.all():
        assert (prb[:, ~bounded] >= need * p.elastic_margin - 1e-5).all()
        assert (prb[:, bounded] >= min(need + p.cell_headroom, p.bounded_max / bounded.sum()) - 1e-5).all()
    assert (prb >= topology.prb_floor - 1e-6).all()
    frame.cell_slice_feature("offered_mbps")[0, 0] *= 3
    more, _ = reactive_shares(network, frame, None, p)
    assert more[0, 0] > prb[0, 0]


def test_reactive_splits_overload_by_what_the_slas_allow(spec: NetworkSpec) -> None:
    p = ReactiveParameters(cell_headroom=0.0, bounded_margin=1.0)
    frame = loaded(spec, 1.5)
    prb, _ = reactive_shares(spec, frame, None, p)
    loss = 1.0 - prb[0] / 0.5
    elastic = [spec.topology().slice_index[name] for name in ("embb", "fwa")]
    relative = loss[elastic] / spec.topology().loss_max_ratio[elastic]
    assert relative[0] == pytest.approx(relative[1], rel=0.02)
    np.testing.assert_allclose(prb.sum(-1), 1.0, atol=1e-5)


def test_reactive_keeps_running_rows_where_nothing_was_measured(network: NetworkSpec) -> None:
    _, s, n_links = network.sizes
    blank = FrameArrays.missing(network, 3)
    prb, bandwidth = reactive_shares(network, blank)
    np.testing.assert_allclose(prb, 1 / s, rtol=1e-6)
    assert bandwidth.shape == (n_links, s)
    running = uniform_policy(network)
    tilted = running.prb_share_KHCS.copy()
    tilted[..., 0] += 0.1
    tilted[..., 1] -= 0.1
    running = PolicyArrays(prb_share_KHCS=tilted, bandwidth_share_KHLS=running.bandwidth_share_KHLS)
    frame = loaded(network, 0.5)
    frame.cell_slice[0, 1, 0] = np.nan
    prb, _ = reactive_shares(network, frame, running)
    np.testing.assert_allclose(prb[0], tilted[0, -1, 0], atol=1e-6)
    assert np.isfinite(prb).all()


def test_reactive_moves_no_share_further_than_allowed(spec: NetworkSpec) -> None:
    slow = spec.model_copy(update={"control": spec.control.model_copy(update={"max_share_change": 0.05})})
    prb, bandwidth = reactive_shares(slow, loaded(slow, 1.5), uniform_policy(slow))
    assert np.abs(prb - 1 / 3).max() <= 0.05 + 1e-5
    assert np.abs(bandwidth - 1 / 3).max() <= 0.05 + 1e-5


def test_a_link_that_is_down_keeps_its_row(spec: NetworkSpec) -> None:
    frame = loaded(spec, 0.4)
    frame.link_feature("up_ratio")[2] = 0.0
    _, bandwidth = reactive_shares(spec, frame)
    np.testing.assert_allclose(bandwidth[2], 1 / 3, rtol=1e-5)


def test_proportional_follows_loads(spec: NetworkSpec) -> None:
    frame = loaded(spec, 0.6)
    frame.cell_slice_feature("offered_mbps")[:, 0] *= 2
    prb, _ = proportional_batch(spec, dict(frame.blocks()))
    np.testing.assert_allclose(prb, np.broadcast_to([0.5, 0.25, 0.25], prb.shape), atol=1e-5)


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"reactive\.spare: 1\.5, expected 0\.0\.\.1\.0"):
        ReactiveParameters(spare=1.5)
