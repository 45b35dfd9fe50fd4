"""What each template does to a plan, that it stays feasible, and what the rules fill in for each sign."""

from __future__ import annotations

import numpy as np
import pytest
from corner_cases import Scene

from twm.core.actions import PolicyArrays
from twm.core.network import NetworkSpec
from twm.core.templates import TEMPLATE_NAMES, TemplateCall
from twm.planner.corner.prescreen import Prescreen
from twm.planner.corner.settings import CornerSettings
from twm.planner.corner.templates import by_rules, filled
from twm.planner.corner.triggers import Trigger, field_risk, worst_first
from twm.planner.space import ShareSpace

EMBB, URLLC, FWA = 0, 1, 2
HOSPITAL = slice(0, 4)


@pytest.fixture
def scene(spec: NetworkSpec) -> Scene:
    return Scene.quiet(spec)


def base(spec: NetworkSpec, share: float = 0.25) -> np.ndarray:
    c, s, n_links = spec.sizes
    return np.full((spec.timing.horizon_steps, c + n_links, s), share, np.float32)


def test_boost_zone_gives_more_to_its_cells_and_their_links_for_its_steps_only(spec: NetworkSpec, scene: Scene) -> None:
    call = TemplateCall(name="boost_zone", scope_kind="zone", scope="hospital", amount=0.15, steps=3)
    more = filled(call, base(spec), scene.ground())[0] - 0.25
    assert more[:3, HOSPITAL].sum(-1) == pytest.approx(0.15, abs=1e-5)
    assert more[:3, 4:10] == pytest.approx(0.0, abs=1e-6)
    links = {spec.transport.links[i].id for i in np.flatnonzero(more[0, 10:].sum(-1) > 0.01)}
    assert links == {"up-1", "down-1", "up-2", "down-2"}
    assert more[3:] == pytest.approx(0.0, abs=1e-6)


def test_urllc_floor_comes_before_everyone_else(spec: NetworkSpec, scene: Scene) -> None:
    call = TemplateCall(name="urllc_floor", scope_kind="zone", scope="hospital", amount=0.3, steps=12)
    rows = filled(call, base(spec, 0.33), scene.ground())[0]
    assert rows[:, HOSPITAL, URLLC] == pytest.approx(0.45, abs=0.01)
    assert rows[:, HOSPITAL].sum(-1).max() <= 1 + 1e-5
    assert (rows[:, HOSPITAL, [EMBB, FWA]] < 0.33).all()
    assert rows[:, 4:10] == pytest.approx(0.33, abs=1e-5)
    generous = filled(call, base(spec, 0.2) + np.float32([0, 0.4, 0]), scene.ground())[0]
    assert generous[:, HOSPITAL, URLLC] == pytest.approx(0.6, abs=0.01)  # what it has already is not taken away


def test_shed_embb_takes_from_the_slice_that_may_lose_most(spec: NetworkSpec, scene: Scene) -> None:
    call = TemplateCall(name="shed_embb", amount=0.2, steps=2)
    rows = filled(call, base(spec), scene.ground())[0]
    assert rows[:2, :10, EMBB] == pytest.approx(0.25 - 0.2 * 0.15, abs=0.005)
    assert (rows[:2, :10, [URLLC, FWA]] > 0.26).all()
    assert rows[:, :10].sum(-1) == pytest.approx(0.75, abs=1e-5)
    tight = base(spec, 0.1)
    assert filled(call, tight, scene.ground())[0][..., EMBB].max() <= 0.1 + 1e-6  # never gives it more


def test_reroute_moves_bandwidth_on_the_surviving_links_only(spec: NetworkSpec, scene: Scene) -> None:
    scene.break_link("up-1")
    call = TemplateCall(name="reroute", scope_kind="link", scope="up-1", amount=0.2, steps=3)
    before = base(spec, 0.3)
    rows = filled(call, before, scene.ground())[0]
    need = scene.outlook.upper_HRS
    moved = {spec.transport.links[i].id for i in np.flatnonzero(np.abs(rows - before)[0, 10:].max(-1) > 1e-3)}
    assert moved == {"up-2", "down-2"}  # the way over the next spoke
    assert rows[0, 11, URLLC] == pytest.approx(need[0, 11, URLLC] + 0.2, abs=0.02)
    assert rows[0, 11].sum() == pytest.approx(1.0, abs=0.02)
    assert (rows[:3, HOSPITAL, EMBB] <= before[:3, HOSPITAL, EMBB] + 1e-6).all()  # no radio for what up-2 cannot carry on
    assert rows[:, 4:10] == pytest.approx(before[:, 4:10], abs=1e-5)


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_no_template_takes_from_a_delay_bounded_slice(spec: NetworkSpec, scene: Scene, name: str) -> None:
    # Full rows in which the delay-bounded slice has far more than its need: what a share by need would take first.
    scene.demand_JHCS[:, :, :, URLLC] *= 0.2
    scene.break_link("up-1")
    plan = base(spec, 0.2) + np.float32([0, 0.4, 0])
    scope = {"boost_zone": ("zone", "hospital"), "reroute": ("link", "up-1")}.get(name, ("area", ""))
    call = TemplateCall(name=name, scope_kind=scope[0], scope=scope[1], amount=0.3, steps=2)  # type: ignore[arg-type]
    rows = filled(call, plan, scene.ground())[0]
    assert (rows[..., URLLC] >= 0.6 - 1e-4).all()
    assert rows.sum(-1).max() <= 1 + 1e-5
    assert rows.min() >= 0.05 - 1e-4
    if name == "boost_zone":  # what has no bound still shares by need
        assert rows[:2, HOSPITAL][..., [EMBB, FWA]].sum(-1) == pytest.approx(0.4, abs=1e-4)


def test_freeze_holds_the_shares_in_force(spec: NetworkSpec, scene: Scene) -> None:
    call = TemplateCall(name="freeze", steps=2)
    rows = filled(call, base(spec, 0.2), scene.ground())[0]
    assert rows[:2] == pytest.approx(1 / 3, abs=1e-5)
    assert rows[2:] == pytest.approx(0.2, abs=1e-5)


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_every_template_yields_a_feasible_policy_whatever_it_is_put_on(spec: NetworkSpec, scene: Scene, name: str) -> None:
    random = np.random.default_rng(5)
    scene.demand_JHCS *= random.lognormal(0, 1, scene.demand_JHCS.shape).astype(np.float32)
    scene.break_link("down-4")
    c, s, n_links = spec.sizes
    shares = random.dirichlet(np.ones(s), (1, 1, c + n_links)).astype(np.float32)
    running = PolicyArrays(prb_share_KHCS=shares[:, :, :c], bandwidth_share_KHLS=shares[:, :, c:])
    rate = spec.model_copy(update={"control": spec.control.model_copy(update={"max_share_change": 0.1})})
    space = ShareSpace(rate, running)
    scope = {"boost_zone": ("zone", "corridor"), "reroute": ("link", "down-4")}.get(name, ("area", ""))
    for _ in range(5):
        plan = space.feasible(random.random((1, 12, c + n_links, s)).astype(np.float32))[0]
        call = TemplateCall(name=name, scope_kind=scope[0], scope=scope[1], amount=0.3, steps=4)  # type: ignore[arg-type]
        rows = filled(call, plan, scene.ground(space))
        assert np.isfinite(rows).all()
        assert rows.sum(-1).max() <= 1 + 1e-5
        assert rows.min() >= 0.05 - 1e-4
        assert np.abs(rows[0, 0] - space.running_RS).max() <= 0.1 + 1e-4
        assert np.abs(np.diff(rows[0], axis=0)).max() <= 0.1 + 1e-4


def trigger(kind: str, scope_kind: str = "area", scope: str = "", value: float = 2.0) -> Trigger:
    return Trigger(kind=kind, scope_kind=scope_kind, scope=scope, value=value, threshold=1.0)  # type: ignore[arg-type]


def test_what_the_rules_fill_for_each_sign(spec: NetworkSpec, scene: Scene) -> None:
    ground, settings = scene.ground(), CornerSettings()

    def filled_for(*signs: Trigger) -> list[tuple[str, str]]:
        return [(call.name, call.scope) for call in by_rules(signs, base(spec), ground, settings)]

    zone = filled_for(trigger("field_risk", "zone", "corridor"))
    assert set(zone) == {("boost_zone", "corridor"), ("urllc_floor", "corridor"), ("shed_embb", "corridor")}
    assert filled_for(trigger("link_outage", "link", "up-2"))[0] == ("reroute", "up-2")
    assert filled_for(trigger("disagreement"))[0] == ("freeze", "")
    assert filled_for(trigger("surprise", "cell", "cell-6", -4.0)) == [("freeze", "")]
    assert filled_for(trigger("account", "slice", "urllc"))[0] == ("urllc_floor", "")
    assert filled_for(trigger("account", "slice", "fwa")) == [("shed_embb", "")]
    assert filled_for() == []


def test_the_rules_fill_few_templates_the_worst_signs_first(spec: NetworkSpec, scene: Scene) -> None:
    signs = [trigger("field_risk", "zone", zone.id, 3.0 - i) for i, zone in enumerate(spec.zones)]
    calls = by_rules(signs, base(spec), scene.ground(), CornerSettings(per_trigger=2, templates_max=5))
    assert len(calls) == 5
    assert {call.scope for call in calls} == {"hospital", "corridor"}
    assert [call.scope for call in calls[:2]] == ["hospital", "corridor"]
    strong = by_rules(signs[:1], base(spec), scene.ground(), CornerSettings(amount=4.0))
    assert max(call.amount for call in strong if call.name == "boost_zone") == 0.3


def test_a_floor_starts_from_the_headroom_that_the_plan_keeps(spec: NetworkSpec, scene: Scene) -> None:
    sign = trigger("surprise", "zone", "hospital")
    for share in (0.2, 0.3):
        calls = by_rules([sign], base(spec, share), scene.ground(), CornerSettings())
        floors = [call.amount for call in calls if call.name == "urllc_floor"]
        links = scene.outlook.upper_HRS[0, 10:, URLLC].max()
        assert floors == pytest.approx([max(share - max(0.15, links), 0) + more for more in (0.03, 0.08)], abs=0.05)
        rows = [filled(call, base(spec, share), scene.ground())[0, 0, :, URLLC] for call in calls if call.name == "urllc_floor"]
        assert (rows[1][HOSPITAL] >= rows[0][HOSPITAL]).all()


def bare(spec: NetworkSpec, **changes: object) -> NetworkSpec:
    return NetworkSpec.model_validate(spec.model_dump(mode="json") | changes)


@pytest.mark.parametrize("kind", ["no transport", "no zones", "one slice", "no delay bound"])
def test_networks_of_other_kinds(spec: NetworkSpec, kind: str) -> None:
    said = spec.model_dump(mode="json")
    cells = [cell | {"transport_node": None} for cell in said["cells"]]
    other = {
        "no transport": lambda: bare(spec, transport={}, cells=cells),
        "no zones": lambda: bare(spec, zones=[], twin={}),
        "one slice": lambda: bare(spec, slices=said["slices"][1:2], e2_nodes=[n | {"ue_slices": {}} for n in said["e2_nodes"]]),
        "no delay bound": lambda: bare(spec, slices=[s | {"sla": {"loss_max_ratio": 0.2}} for s in said["slices"]]),
    }[kind]()
    scene = Scene.quiet(other)
    scene.demand_JHCS[:, :, 3] *= 8
    signs = worst_first(field_risk(scene.outlook, other, other.topology(), CornerSettings(field_risk=0.9)))
    assert signs
    signs += [trigger("disagreement"), trigger("account", "slice", other.slices[0].id), trigger("surprise", "cell", "cell-1")]
    calls = by_rules(signs, base(other, 0.2), scene.ground(), CornerSettings(templates_max=16, per_trigger=4))
    for call in [*calls, *(TemplateCall(name=n, amount=0.2, steps=2) for n in ("urllc_floor", "shed_embb", "freeze"))]:
        rows = filled(call, base(other, 0.2), scene.ground())
        assert np.isfinite(rows).all()
        assert rows.sum(-1).max() <= 1 + 1e-5
    screen = Prescreen(
        spec=other,
        topology=other.topology(),
        outlook=scene.outlook,
        settings=CornerSettings(),
        running_RS=base(other)[0],
        before_RS=base(other)[0],
    )
    assert screen.keep(base(other, 0.3)[None]).shape == (1,)
