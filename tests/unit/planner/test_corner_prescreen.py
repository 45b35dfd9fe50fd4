"""The prescreen turns away what is unsafe by structure, for the reason it is, and nothing that must stay."""

from __future__ import annotations

import time

import numpy as np
import pytest
from corner_cases import Scene

from twm.core.network import NetworkSpec
from twm.planner.corner.prescreen import Prescreen
from twm.planner.corner.settings import CornerSettings
from twm.planner.library import library_policies
from twm.planner.space import ShareSpace

EMBB, URLLC, FWA = 0, 1, 2


def screen(scene: Scene, before: np.ndarray | None = None, running: np.ndarray | None = None) -> Prescreen:
    space = ShareSpace(scene.spec)
    return Prescreen(
        spec=scene.spec,
        topology=scene.spec.topology(),
        outlook=scene.outlook,
        settings=CornerSettings(prescreen=True),
        running_RS=space.running_RS if running is None else running,
        before_RS=before,
    )


@pytest.fixture
def scene(spec: NetworkSpec) -> Scene:
    return Scene.quiet(spec)


def plan(spec: NetworkSpec, embb: float = 0.25, urllc: float = 0.25, fwa: float = 0.25) -> np.ndarray:
    c, _, n_links = spec.sizes
    shares = np.array([embb, urllc, fwa], np.float32)
    return np.broadcast_to(shares, (1, spec.timing.horizon_steps, c + n_links, 3)).copy()


def only_reason(check: Prescreen, rows: np.ndarray) -> str:
    assert not check.keep(rows).any()
    (reason,) = check.counts
    return reason


def test_a_sensible_plan_passes(spec: NetworkSpec, scene: Scene) -> None:
    check = screen(scene)
    assert check.keep(plan(spec)).all()
    assert not check.counts


def test_a_slice_left_hungry_beside_free_room(spec: NetworkSpec, scene: Scene) -> None:
    rows = plan(spec, fwa=0.05)
    rows[0, :, 3:, FWA] = 0.25  # three cells only
    scene.demand_JHCS[..., FWA] *= 2
    assert only_reason(screen(scene), rows) == "starved"


def test_one_slice_hoards_while_another_lacks(spec: NetworkSpec, scene: Scene) -> None:
    scene.demand_JHCS[..., FWA] *= 2
    assert only_reason(screen(scene), plan(spec, embb=0.7, fwa=0.05)) == "hoarding"


def test_everyone_lacks_in_an_overload_and_that_is_nobodys_fault(spec: NetworkSpec, scene: Scene) -> None:
    scene.demand_JHCS *= 6
    assert screen(scene).keep(plan(spec, 0.4, 0.2, 0.4)).all()


def test_radio_for_what_transport_cannot_carry(spec: NetworkSpec, scene: Scene) -> None:
    scene.demand_JHCS[..., FWA] *= 2
    rows = plan(spec, 0.3, 0.25, 0.3)
    rows[0, :, :2] = (0.6, 0.25, 0.12)  # cells 0 and 1: FWA lacks radio ...
    rows[0, :, [10, 15], EMBB] = 0.05  # ... while eMBB has more than up-1 and down-1 let through
    assert only_reason(screen(scene), rows) == "bottleneck"


@pytest.mark.parametrize("broken", ["sum", "floor", "nan"])
def test_limits(spec: NetworkSpec, scene: Scene, broken: str) -> None:
    rows = plan(spec)
    rows[0, 1, 4] = {"sum": (0.5, 0.4, 0.4), "floor": (0.25, 0.01, 0.25), "nan": (0.2, np.nan, 0.2)}[broken]
    assert only_reason(screen(scene), rows) == "limits"


def test_shares_that_swing_back(spec: NetworkSpec, scene: Scene) -> None:
    before, running = plan(spec, 0.15, 0.25, 0.45)[0, 0], plan(spec, 0.45, 0.25, 0.15)[0, 0]
    check = screen(scene, before, running)
    assert only_reason(check, plan(spec, 0.15, 0.25, 0.45)) == "oscillating"
    onward = screen(scene, before, running)
    assert onward.keep(plan(spec, 0.5, 0.25, 0.15)).all()
    steady = screen(scene, running, running)
    assert steady.keep(plan(spec, 0.15, 0.25, 0.45)).all()


def test_the_running_policy_and_the_reactive_rule_always_stay(spec: NetworkSpec, scene: Scene) -> None:
    scene.demand_JHCS[..., FWA] *= 2
    bad = np.repeat(plan(spec, fwa=0.05), 4, 0)
    check = screen(scene)
    assert check.keep(bad, ["running", "library:a", "reactive", "cem:1"]).tolist() == [True, False, True, False]
    assert check.counts == {"starved": 2}


def test_it_is_cheap_and_leaves_most_of_the_library(spec: NetworkSpec, scene: Scene) -> None:
    library, _ = library_policies(spec)
    scene.demand_JHCS[..., EMBB] *= 4
    space, check = ShareSpace(spec), screen(scene)
    rows = space.feasible(space.stack(library))
    kept = check.keep(rows)
    assert 0.3 < kept.mean() < 1.0
    begin = time.process_time()
    for _ in range(20):
        check.keep(rows[:64])
    one_round_s = (time.process_time() - begin) / 20
    begin = time.process_time()
    for _ in range(20):
        space.feasible(rows[:64] * np.float32(1.01))
    # Making the candidates of a round feasible is what it stands beside.
    assert one_round_s < 5 * (time.process_time() - begin) / 20 + 0.002
