"""Signs of corner cases: each shows where it should, and a quiet forecast shows none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from corner_cases import Scene

from twm.core.account import SlaAccount
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.planner.corner.expectation import Expectation
from twm.planner.corner.settings import CornerSettings
from twm.planner.corner.triggers import (
    account_lost,
    disagreement,
    field_risk,
    link_outage,
    surprise,
    surprise_sigma,
    worst_first,
)

SETTINGS = CornerSettings(field_risk=0.9, surprise_sigma=3.0, disagreement=0.1, account_margin=0.3)


@pytest.fixture
def scene(spec: NetworkSpec) -> Scene:
    return Scene.quiet(spec)


def account(remaining: int = 6, loss: float = 0.0, delay: float = 5.0) -> SlaAccount:
    past = np.full(3, 6 * 1000.0)
    return SlaAccount(
        remaining_steps=remaining, offered_S=past, loss_S=np.array([loss, 0.0, 0.0]), delay_S=np.array([0.0, delay, 0.0])
    )


def test_a_quiet_forecast_shows_nothing(spec: NetworkSpec, scene: Scene) -> None:
    topology, outlook = spec.topology(), scene.outlook
    assert outlook.stress_R[: len(spec.cells)] == pytest.approx(0.45, abs=1e-3)
    assert field_risk(outlook, spec, topology, SETTINGS) == []
    assert link_outage(outlook, spec) == []
    assert disagreement(0.05, SETTINGS) == []
    assert account_lost(account(), outlook.offered_HS, spec, SETTINGS) == []


def test_field_risk_names_the_zone_of_the_loud_cell_within_the_steps_looked_at(spec: NetworkSpec, scene: Scene) -> None:
    scene.demand_JHCS[:, 2, 5] *= 3.0  # a corridor cell, in the third step
    found = field_risk(scene.outlook, spec, spec.topology(), SETTINGS)
    zones = [t for t in found if t.scope_kind == "zone"]
    assert [t.scope for t in zones] == ["corridor"]
    assert zones[0].value == pytest.approx(1.35, abs=0.01)
    scene.look = 2
    assert field_risk(scene.outlook, spec, spec.topology(), SETTINGS) == []


def test_field_risk_looks_at_cells_of_no_zone_and_at_the_upper_futures(spec: NetworkSpec, scene: Scene) -> None:
    scene.demand_JHCS[-1:, :, 6] *= 3.0  # one future of eight is above the upper quantile's reach
    assert field_risk(scene.outlook, spec, spec.topology(), SETTINGS) == []
    scene.demand_JHCS[-3:, :, 6] *= 3.0
    found = field_risk(scene.outlook, spec, spec.topology(), SETTINGS)
    assert [(t.scope_kind, t.scope) for t in found if t.scope_kind != "link"] == [("cell", "cell-6")]


def test_a_link_that_is_asked_too_much_of_and_a_link_that_is_down(spec: NetworkSpec, scene: Scene) -> None:
    scene.link_capacity_JHL[:, :, 2] *= 0.25
    assert "up-3" in [t.scope for t in field_risk(scene.outlook, spec, spec.topology(), SETTINGS)]
    scene.break_link("up-1")
    outlook = scene.outlook
    assert [t.scope for t in link_outage(outlook, spec)] == ["up-1"]
    assert outlook.now_route_CL[0].tolist() == spec.topology().backup_route[0].tolist()
    assert outlook.upper_HRS[0, 10 + 1].sum() == pytest.approx(2 * outlook.upper_HRS[0, 10 + 3].sum(), rel=0.15)


def test_surprise_on_both_sides_and_the_zone_speaks_for_its_cells(spec: NetworkSpec) -> None:
    zones, cells = len(spec.zones), len(spec.cells)
    expected = Expectation(mean_G=np.full(zones + cells, 100.0), std_G=np.full(zones + cells, 8.0))
    seen = np.full(zones + cells, 104.0)
    assert surprise(surprise_sigma(seen, expected, SETTINGS), spec, spec.topology(), SETTINGS) == []
    seen[0], seen[zones + 1], seen[zones + 6] = 150.0, 140.0, 60.0  # hospital, a cell of it, cell 6 in no zone
    found = surprise(surprise_sigma(seen, expected, SETTINGS), spec, spec.topology(), SETTINGS)
    assert [(t.scope, round(t.value, 2)) for t in found] == [("hospital", 6.25), ("cell-6", -5.0)]
    seen[0] = np.nan
    sigma = surprise_sigma(seen, expected, SETTINGS)
    assert sigma[0] == 0.0


def test_a_forecast_without_spread_is_credited_with_some(spec: NetworkSpec) -> None:
    count = len(spec.zones) + len(spec.cells)
    expected = Expectation(mean_G=np.full(count, 100.0), std_G=np.zeros(count))
    assert surprise_sigma(np.full(count, 110.0), expected, SETTINGS) == pytest.approx(2.0)


def test_an_account_nearly_lost_names_the_slice_and_a_lost_one_nobody(spec: NetworkSpec, scene: Scene) -> None:
    offered = scene.outlook.offered_HS * 0 + 1000.0
    late = account_lost(account(delay=16.0), offered, spec, SETTINGS)
    assert [(t.scope_kind, t.scope) for t in late] == [("slice", "urllc")]
    assert 0.2 < late[0].value <= 0.3
    lossy = account_lost(account(loss=0.4), offered, spec, SETTINGS)
    assert [t.scope for t in lossy] == ["embb"]
    assert account_lost(account(delay=60.0), offered, spec, SETTINGS) == []
    untouched = replace(account(delay=60.0), offered_S=np.zeros(3))
    assert account_lost(untouched, offered, spec, SETTINGS) == []


def test_the_worst_comes_first(spec: NetworkSpec, scene: Scene) -> None:
    scene.demand_JHCS[:, 0, 0] *= 2.2
    scene.demand_JHCS[:, 0, 7] *= 3.5
    found = worst_first(field_risk(scene.outlook, spec, spec.topology(), SETTINGS) + disagreement(0.11, SETTINGS))
    assert [t.scope for t in found if t.scope_kind == "zone"] == ["corridor", "hospital"]
    assert found[-1].severity <= found[0].severity


def test_thresholds_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"corner.field_risk: 0.0 is outside"):
        CornerSettings(field_risk=0.0)
