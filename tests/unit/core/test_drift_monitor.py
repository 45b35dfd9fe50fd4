"""The online drift monitor: silent on a model that is right, loud on one that no longer is, the same after a restart."""

from __future__ import annotations

import json

import numpy as np
import pytest

from twm.core.drift import DriftMonitor, DriftOptions, wilson
from twm.core.errors import InvalidInputError
from twm.core.kpis import kpi_from_z

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
SIGMAS = np.array([-1.645, -0.674, 0.0, 0.674, 1.645])
SLICES = ("embb", "urllc")
H = 4
OPTIONS = DriftOptions(block=H)
CENTRE = np.array([1.0, 2.0, 0.5, 4.0])  # in z


def fans(sigma: float = 0.1) -> np.ndarray:
    z = CENTRE + SIGMAS[:, None, None] * sigma * np.ones((H, 1, len(SLICES), 4))
    return kpi_from_z(z)


class Network:
    """Truth whose error is partly shared by the steps of a horizon, as a forecast's errors are."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)
        self.state = self.generator.standard_normal((len(SLICES), 4))

    def horizon(self, *, shift: float = 0.0, spread: float = 1.0) -> np.ndarray:
        own = self.generator.standard_normal((H, len(SLICES), 4))
        self.state = 0.8 * self.state + 0.6 * self.generator.standard_normal(self.state.shape)
        error = spread * (np.sqrt(0.5) * self.state + np.sqrt(0.5) * own) + shift
        return kpi_from_z(CENTRE + 0.1 * error)


def run(monitor: DriftMonitor, network: Network, steps: range, **how: float) -> list[str]:
    states = []
    for step in steps:
        assert monitor.update(step, LEVELS, fans(), network.horizon(**how), model="m-1@aa")
        states.append(monitor.status().state)
    return states


@pytest.mark.parametrize("seed", range(4))
def test_a_model_that_is_right_is_left_alone(seed: int) -> None:
    monitor = DriftMonitor(SLICES, OPTIONS)
    states = run(monitor, Network(seed), range(80 * H))
    assert states[0] == "learning"
    assert "drift" not in states
    assert states.count("warn") <= 0.1 * len(states)
    status = monitor.status()
    assert all(0.8 < share < 1 and low <= share <= high for share, low, high in status.coverage.values())
    assert all(abs(nats) < 0.6 for nats in status.surprise_nats.values())


@pytest.mark.parametrize("how", [{"shift": 2.0}, {"shift": -2.0}, {"spread": 2.5}])
def test_a_shift_is_found_and_named_and_goes_away_again(how: dict[str, float]) -> None:
    monitor, network = DriftMonitor(SLICES, OPTIONS), Network(1)
    assert "drift" not in run(monitor, network, range(24 * H))
    states = run(monitor, network, range(24 * H, 36 * H), **how)
    assert states[-1] == "drift"
    assert states.index("drift") <= 8 * H
    status = monitor.status()
    assert status.reasons
    assert any("coverage" in r or "CUSUM" in r for r in status.reasons)
    if how.get("shift", 0) > 0:
        assert any("above" in r for r in status.reasons)
    assert 24 * H <= status.since_step < 36 * H
    assert status.changes[-1][1] == "drift"
    states = run(monitor, network, range(36 * H, 120 * H))
    assert states[-1] in ("ok", "warn")


def test_a_model_that_never_fitted_is_told_by_coverage() -> None:
    monitor, network = DriftMonitor(SLICES, OPTIONS), Network(2)
    states = run(monitor, network, range(8 * H), shift=3.0)
    assert states[-1] == "drift"
    assert "coverage" in monitor.status().reasons[0]


def test_state_survives_a_restart_bit_by_bit() -> None:
    whole, network, twin = DriftMonitor(SLICES, OPTIONS), Network(3), Network(3)
    run(whole, network, range(30 * H + 2), shift=0.3)
    cut = DriftMonitor(SLICES, OPTIONS)
    for step in range(30 * H + 2):
        cut = DriftMonitor.load(cut.dump(), SLICES, OPTIONS)
        cut.update(step, LEVELS, fans(), twin.horizon(shift=0.3), model="m-1@aa")
    assert cut.dump() == whole.dump()
    assert cut.status() == whole.status()
    assert len(whole.dump()) < 8000


def test_another_model_starts_a_new_baseline() -> None:
    monitor, network = DriftMonitor(SLICES, OPTIONS), Network(4)
    run(monitor, network, range(24 * H))
    run(monitor, network, range(24 * H, 36 * H), shift=2.0)
    assert monitor.status().state == "drift"
    assert monitor.update(36 * H, LEVELS, fans(), network.horizon(), model="m-2@bb")
    status = monitor.status()
    assert (status.state, status.model, status.blocks, status.residual) == ("learning", "m-2@bb", 0, {})
    assert "m-1@aa" in status.changes[-1][2]


def test_what_cannot_be_compared_does_not_count() -> None:
    monitor, truth = DriftMonitor(SLICES, OPTIONS), Network(5).horizon()
    assert not monitor.update(0, (0.1, 0.5, 0.9), fans()[:, 1:4], truth)
    assert not monitor.update(0, LEVELS, fans(), np.full_like(truth, np.nan))
    assert not monitor.update(0, LEVELS, fans()[:2], truth)
    assert monitor.update(3, LEVELS, fans(), truth)
    assert not monitor.update(3, LEVELS, fans(), truth)
    assert monitor.status().last_step == 3


def test_missing_kpis_are_left_out() -> None:
    monitor, network = DriftMonitor(SLICES, OPTIONS), Network(6)
    for step in range(20 * H):
        truth = network.horizon()
        truth[:, 0, 1] = np.nan
        truth[..., 3] = np.nan
        monitor.update(step, LEVELS, fans(), truth)
    status = monitor.status()
    assert set(status.coverage) == {"loss_ratio", "delay_p99_ms", "utilisation_ratio"}
    assert status.state in ("ok", "warn")
    assert DriftMonitor.load(monitor.dump(), SLICES, OPTIONS).dump() == monitor.dump()


def test_foreign_state_is_refused_or_begun_anew() -> None:
    monitor = DriftMonitor(SLICES, OPTIONS)
    run(monitor, Network(7), range(2 * H))
    assert DriftMonitor.load(monitor.dump(), ("other",), OPTIONS).status().last_step == -1
    assert DriftMonitor.load(monitor.dump(), SLICES, DriftOptions(block=3)).status().last_step == -1
    assert DriftMonitor.load(None, SLICES).status().state == "learning"
    data = json.loads(monitor.dump())
    data["pool"]["count"] = [[1.0]]
    for wrong in (b"\xff", b"[]", b'{"format":1}', json.dumps(data).encode()):
        with pytest.raises(InvalidInputError, match="drift state"):
            DriftMonitor.load(wrong, SLICES, OPTIONS)


def test_wilson_bounds_hold_what_they_promise() -> None:
    generator = np.random.default_rng(0)
    counts = generator.binomial(30, 0.9, 4000)
    held = [low <= 0.9 <= high for low, high in (wilson(float(k), 30.0, 1.96) for k in counts)]
    assert 0.92 < np.mean(held) < 0.98
    assert wilson(0.0, 0.0, 2.0) == (0.0, 1.0)
