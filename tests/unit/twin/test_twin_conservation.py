"""Conservation and bounds of the simulator as properties, on the shipped networks and on one of another size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm_twin.scenarios import SCENARIOS
from twm_twin.simulator import Twin

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"
NETWORKS = {
    name: load_network(path)
    for name, path in {
        "poc-city": find_network("poc-city"),
        "explora-cell": find_network("explora-cell"),
        "coast": COAST,
    }.items()
}


def random_shares(spec: NetworkSpec, generator: np.random.Generator, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows anywhere in the simplex, some with empty slices, some with nothing at all."""
    c, s, n_links = spec.sizes
    rows = generator.dirichlet(np.full(s, 0.5), (batch, c + n_links)) * generator.random((batch, c + n_links, 1))
    rows *= generator.random(rows.shape) > 0.1
    return rows[:, :c], rows[:, c:]


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31), draw=st.integers(0, 2**31))
def test_volume_is_conserved_and_nothing_is_negative(name: str, seed: int, draw: int) -> None:
    spec = NETWORKS[name]
    generator = np.random.default_rng(draw)
    twin = Twin(spec, 2)
    twin.reset([seed, seed + 1], [SCENARIOS[draw % 4], SCENARIOS[(draw + 1) % 4]])
    before, link_before = twin.queue_mbit_BCS.copy(), twin.link_queue_mbit_BLS.copy()
    retry = twin.layout.retry_ratio_S
    for _ in range(3):
        came_back = twin.retry_mbit_BCS.copy()
        r = twin.step(*random_shares(spec, generator, 2))
        carried = np.concatenate([before[:, None], r.queue_mbit_BTCS[:, :-1]], 1)
        left = r.served_mbit_BTCS + r.dropped_mbit_BTCS + r.queue_mbit_BTCS
        np.testing.assert_allclose(r.offered_mbit_BTCS + carried, left, rtol=1e-9, atol=1e-9)
        link_carried = np.concatenate([link_before[:, None], r.link_queue_mbit_BTLS[:, :-1]], 1)
        link_left = r.link_served_mbit_BTLS + r.link_dropped_mbit_BTLS + r.link_queue_mbit_BTLS
        np.testing.assert_allclose(r.link_offered_mbit_BTLS + link_carried, link_left, rtol=1e-9, atol=1e-9)
        for field in ("offered", "served", "dropped", "lost", "queue"):
            assert (getattr(r, f"{field}_mbit_BTCS") >= 0).all(), field
        for field in ("offered", "served", "dropped", "queue"):
            assert (getattr(r, f"link_{field}_mbit_BTLS") >= 0).all(), field
        assert (r.prb_used_ratio_BTCS <= r.prb_share_BCS[:, None] * (1 + 1e-9)).all()
        assert (r.prb_used_ratio_BTCS.sum(-1) <= 1 + 1e-9).all()
        assert (r.link_served_mbit_BTLS.sum(-1) <= r.link_capacity_mbps_L * r.fast_step_s * (1 + 1e-9)).all()
        assert (r.queue_mbit_BTCS <= twin.layout.buffer_mbit_S).all()
        assert (r.dropped_mbit_BTCS <= r.lost_mbit_BTCS * (1 + 1e-12)).all()
        assert (r.delay_ms_BTCS >= twin.layout.parameters.delay.base_ms - 1e-9).all()
        assert np.isfinite(r.delay_ms_BTCS).all()
        np.testing.assert_allclose(twin.retry_mbit_BCS, retry * r.lost_mbit_BTCS.sum(1), rtol=1e-9, atol=1e-12)
        assert (r.offered_mbit_BTCS.sum(1) >= came_back * (1 - 1e-9)).all()
        before, link_before = r.queue_mbit_BTCS[:, -1], r.link_queue_mbit_BTLS[:, -1]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_failed_link_moves_its_cells_to_their_backup_route(name: str) -> None:
    spec = NETWORKS[name]
    twin = Twin(spec, 1)
    layout = twin.layout
    c, _, n_links = spec.sizes
    for link in range(n_links):
        up = np.ones(n_links, bool)
        up[link] = False
        choice = layout.route_choice(up)
        for cell in range(c):
            broken = layout.topology.route[cell, link]
            assert choice[cell] == int(broken and spec.cells[cell].id in spec.transport.backup_routes)


def test_uplink_is_told_from_downlink_along_routes_of_several_hops() -> None:
    layout = Twin(NETWORKS["coast"], 1).layout
    names = [link.id for link in NETWORKS["coast"].transport.links]
    station = layout.topology.cell_index["station"]
    path = [names[i] for i in layout.route_link_2CR[0, station] if i >= 0]
    assert path == ["r0-r1", "r1-r2", "r2-r1", "r1-r0"]
    assert layout.route_uplink_2CR[0, station, : len(path)].tolist() == [False, False, True, True]
    harbour = layout.topology.cell_index["harbour"]
    assert layout.route_uplink_2CR[1, harbour, :6].tolist() == [False, False, False, True, True, True]
    assert layout.extra_delay_ms_2C[1, harbour] == pytest.approx(6 * 1.5)
