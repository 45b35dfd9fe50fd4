"""Fit of the maps of violation probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.calibration import calibrated
from twm_train.violations import ece, fit_map, violation_seeds


def test_a_fitted_map_finds_what_bent_the_probabilities() -> None:
    generator = np.random.default_rng(1)
    true = generator.beta(0.5, 0.5, 40000)
    happened = generator.random(40000) < true
    odds = np.exp((np.log(true) - np.log1p(-true) + 0.7) / 0.6)
    told = np.rint(odds / (1 + odds) * 48) / 48
    found = fit_map(told[::2], happened[::2])
    assert ece(told, happened) > 0.08
    assert ece(calibrated(told[1::2], found), happened[1::2]) < 0.02
    assert (found.under, found.over, found.offset) == pytest.approx((0.6, 0.6, -0.7), abs=0.1)


def test_what_is_calibrated_stays() -> None:
    generator = np.random.default_rng(2)
    p = generator.random(20000)
    found = fit_map(p, generator.random(20000) < p)
    assert (found.under, found.over, found.offset) == pytest.approx((1, 1, 0), abs=0.08)


def test_a_map_never_falls_and_little_data_moves_little() -> None:
    p = np.array([0.1, 0.2, 0.8, 0.9])
    upside_down = fit_map(np.tile(p, 500), np.tile(p < 0.5, 500))
    assert upside_down.under >= 0
    assert upside_down.over >= 0
    assert (np.diff(calibrated(p, upside_down)) >= 0).all()
    assert fit_map(np.array([0.0, 1.0, 1.0]), np.array([False, True, False])).model_dump() == {
        "under": 1,
        "over": 1,
        "offset": 0,
    }


def test_both_halves_of_the_seeds_have_starts() -> None:
    assert violation_seeds(48) == violation_seeds(8) == 24
    assert violation_seeds(2) == 6
    assert violation_seeds(0) == 2
