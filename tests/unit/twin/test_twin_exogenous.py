"""Seeds and exogenous paths: reproducible, independent of actions and of the batch; scenarios as specified."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm_twin.exogenous import ExogenousPath
from twm_twin.layout import TwinLayout
from twm_twin.scenarios import SCENARIOS, Scenario
from twm_twin.seeds import RANGES, purpose_of, require, seeds
from twm_twin.simulator import Twin


def play(spec: NetworkSpec, seeds_: list[int], scenarios: list[str], level: float) -> list[np.ndarray]:
    c, s, n_links = spec.sizes
    b = len(seeds_)
    twin = Twin(spec, b)
    twin.reset(seeds_, scenarios)
    out = []
    for _ in range(spec.timing.horizon_steps + 2):
        r = twin.step(np.full((b, c, s), level / s), np.full((b, n_links, s), level / s))
        demand = r.offered_mbit_BTCS[..., twin.layout.retry_ratio_S == 0]
        fading = r.cell_rate_mbps_BTC / r.cell_rate_mbps_BTC.mean(1, keepdims=True)
        out.append(np.concatenate([demand.reshape(b, -1), fading.reshape(b, -1), r.link_up_BL], 1))
    return out


def test_the_path_does_not_depend_on_the_action_or_on_the_batch(spec: NetworkSpec) -> None:
    much = play(spec, [3, 4], ["wave-ood", "hotspot-id"], 1.0)
    little = play(spec, [4], ["hotspot-id"], 0.3)
    for a, b in zip(much, little, strict=True):
        np.testing.assert_allclose(a[1], b[0], rtol=1e-12)


def test_same_seed_same_steps_and_another_seed_or_scenario_other_steps(spec: NetworkSpec) -> None:
    a, b = play(spec, [5, 5], ["wave-id", "wave-id"], 1.0)[0]
    np.testing.assert_array_equal(a, b)
    a, b = play(spec, [5, 6], ["wave-id", "wave-id"], 1.0)[0]
    assert not np.allclose(a, b)
    layout = TwinLayout.of(spec)
    first, second = (ExogenousPath(layout, 5, name) for name in ("wave-id", "hotspot-id"))
    np.testing.assert_array_equal(first.geometry.capacity_mbps_C, second.geometry.capacity_mbps_C)
    assert first.scale == second.scale
    assert not np.allclose(first.next_block().fading_HTC, second.next_block().fading_HTC)


def test_shocks_hit_their_zone_and_are_stronger_out_of_distribution(spec: NetworkSpec) -> None:
    layout = TwinLayout.of(spec)
    zones = {zone.id: layout.topology.zone_member[i] for i, zone in enumerate(spec.zones)}
    peak: dict[str, float] = {}
    for name, zone in (
        ("hotspot-id", "hospital"),
        ("wave-id", "corridor"),
        ("hotspot-ood", "hospital"),
        ("wave-ood", "corridor"),
    ):
        excess = []
        for seed in range(20, 32):
            path = ExogenousPath(layout, seed, name)
            demand = path.next_block().demand_mbps_HTCS[..., 0].mean(1)
            excess.append(demand / (path.nominal_mbps_CS[:, 0] * path.scale) - 1.0)
            assert 1 <= len(path.events) <= 2
            for event in path.events:
                factor = 1.4 if name.endswith("ood") else 1.0
                assert event.amplitude == pytest.approx(event.calendar_amplitude * factor)
                assert event.duration_steps == pytest.approx(event.calendar_duration_steps * factor)
        mean_HC = np.mean(excess, 0)
        assert mean_HC[:, zones[zone]].mean() > 2 * mean_HC[:, layout.topology.cell_index["cell-6"]].mean()
        peak[name] = float(mean_HC[:, zones[zone]].mean())
    assert peak["hotspot-ood"] > 1.2 * peak["hotspot-id"]
    assert peak["wave-ood"] > 1.2 * peak["wave-id"]


def test_links_fail_three_times_as_often_out_of_distribution(spec: NetworkSpec) -> None:
    layout = TwinLayout.of(spec)
    ratio = {name: Scenario.of(name, layout.parameters).link_failure_ratio for name in SCENARIOS}
    assert ratio == pytest.approx({"hotspot-id": 0.003, "wave-id": 0.006, "hotspot-ood": 0.009, "wave-ood": 0.018})
    path = ExogenousPath(layout, 1, "wave-ood")
    up = np.concatenate([path.next_block().link_up_HL for _ in range(100)])
    began = (~up[1:] & up[:-1]).sum() / up[:-1].sum()
    assert 0.012 < began < 0.024


def test_quiet_steps_hold_shocks_and_failures_back(spec: NetworkSpec) -> None:
    layout = TwinLayout.of(spec)
    for seed in range(8):
        path = ExogenousPath(layout, seed, "wave-ood", quiet_steps=12)
        block = path.next_block()
        assert block.link_up_HL.all()
        assert all(event.onset_step >= 12 for event in path.events)


def test_seed_ranges_are_disjoint_and_enforced() -> None:
    held = [set(r) for r in RANGES.values()]
    assert sum(len(r) for r in held) == len(set().union(*held))
    assert seeds("calibration", 2) == [10000, 10001]
    assert purpose_of(0xB0001) == "validation"
    assert purpose_of(777) is None
    with pytest.raises(InvalidInputError, match=r"outside the 32 seeds of evaluation"):
        seeds("evaluation", 33)
    with pytest.raises(InvalidInputError, match=r"seed: 5 is outside 10000\.\.10063"):
        require("calibration", [5])


def test_bad_calls_are_refused_by_name(spec: NetworkSpec) -> None:
    c, s, n_links = spec.sizes
    twin = Twin(spec, 1)
    good = np.full((1, c, s), 1 / s), np.full((1, n_links, s), 1 / s)
    with pytest.raises(InvalidInputError, match="step before reset"):
        twin.step(*good)
    with pytest.raises(InvalidInputError, match="scenario: 'flood' is not one of"):
        twin.reset([1], ["flood"])
    with pytest.raises(InvalidInputError, match="seed: -1"):
        twin.reset([-1], ["wave-id"])
    twin.reset([1], ["wave-id"])
    with pytest.raises(InvalidInputError, match="prb_share: a row sums to 2"):
        twin.step(good[0] * 2, good[1])
    with pytest.raises(InvalidInputError, match="bandwidth_share: not finite"):
        twin.step(good[0], good[1] * np.nan)
    with pytest.raises(InvalidInputError, match="bandwidth_share: shape"):
        twin.step(good[0], good[1][:, :3])
