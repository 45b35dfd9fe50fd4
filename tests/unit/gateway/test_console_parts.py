"""The console's pure parts: layers, places of nodes, ages of frames."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from console_site import grid_network

from twm.core.features import FIELD_FEATURES
from twm.core.network import NetworkSpec, load_network
from twm.gateway.console.atlas import map_view
from twm.gateway.console.forecast import FieldForecast
from twm.gateway.console.history import past_steps
from twm.gateway.console.layers import layer_values, layers_of, plain
from twm.gateway.console.now import expected_every_s
from twm.gateway.console.series import field_view


def field(spec: NetworkSpec, **values: float) -> np.ndarray:
    out = np.full((len(spec.cells), len(FIELD_FEATURES)), np.nan, np.float32)
    for name, value in values.items():
        out[:, FIELD_FEATURES.index(name)] = value
    return out


def test_layers_are_in_units_an_operator_reads(spec: NetworkSpec) -> None:
    layers = {layer.id: layer for layer in layers_of(spec)}
    assert list(layers) == ["load", "sinr", "stress", "prb", "loss"]
    assert layers["stress"].label == "URLLC stress"
    # One bit a hertz and layer is what an ideal link has at 0 dB.
    at_0_db = field(spec, spectral_efficiency_bps_hz=float(spec.prb_grid.layers), critical_delay_p99_ms=30.0, load_ratio=0.7)
    assert layer_values(layers["sinr"], at_0_db, spec) == pytest.approx(0.0, abs=1e-5)
    assert layer_values(layers["stress"], at_0_db, spec) == pytest.approx(1.5)
    assert layer_values(layers["load"], at_0_db, spec) == pytest.approx(0.7)
    assert np.isnan(layer_values(layers["loss"], at_0_db, spec)).all()


def test_no_delay_stress_without_a_delay_bound(spec: NetworkSpec) -> None:
    unbound = [s.model_copy(update={"sla": s.sla.model_copy(update={"delay_p99_max_ms": None})}) for s in spec.slices]
    calm = spec.model_copy(update={"slices": tuple(unbound)})
    assert "stress" not in {layer.id for layer in layers_of(calm)}


def test_quantiles_of_a_falling_layer_keep_their_order(spec: NetworkSpec) -> None:
    levels = np.stack([field(spec, spectral_efficiency_bps_hz=v)[None] for v in (2.0, 4.0, 6.0)])
    forecast = FieldForecast(step=7, offsets=(0,), values_QTCF=levels)
    ahead = field_view(layers_of(spec)[1], [], forecast, spec).forecast
    assert ahead is not None
    assert all(low < middle < high for low, middle, high in zip(ahead.low[0], ahead.median[0], ahead.high[0], strict=True))


def test_numbers_are_rounded_and_missing_is_null() -> None:
    assert plain(np.array([[0.12345, np.nan], [np.inf, 2.0]]), 3) == [[0.123, None], [None, 2.0]]


def test_nodes_stand_amid_their_cells(spec: NetworkSpec, tmp_path_factory: pytest.TempPathFactory) -> None:
    view = map_view(spec, layers_of(spec))
    served = [c for c, node in zip(view.cells, view.cell_node, strict=True) if node == 1]
    assert view.nodes[1].x_km == pytest.approx(np.mean([c.x_km for c in served]), abs=1e-3)
    assert len({(n.x_km, n.y_km) for n in view.nodes}) == len(view.nodes)
    grid = load_network(grid_network(tmp_path_factory.mktemp("grid"), 500))
    large = map_view(grid, layers_of(grid))
    assert (len(large.cells), len(large.zones), len(large.links)) == (500, 10, 50)


def test_frames_are_expected_as_often_as_they_came(spec: NetworkSpec) -> None:
    assert expected_every_s([], 60.0) is None
    assert expected_every_s([5.0], 60.0) == 60.0
    times = list(itertools.accumulate([0.0, 2.0, 2.0, 30.0, 2.0, 2.0]))
    assert expected_every_s(times, 60.0) == 2.0
    assert expected_every_s([0.0, 600.0, 1200.0], 60.0) == 60.0, "never more seldom than a slow step"
    assert past_steps(spec) == 60
