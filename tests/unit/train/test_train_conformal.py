"""Conformal correction: 90 % of exchangeable windows inside, with and without known events, whatever the shifted ones do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.features import history_matrix, knows_events
from twm.core.frames import FrameArrays
from twm.core.kpis import kpi_from_z
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.core.zoo import Conformal
from twm_train.conformal import coverage, fit
from twm_train.prediction import Predictions

B, H, S, P = 1200, 4, 2, 4


def made(
    seed: int, shifted_width: float = 1.0
) -> tuple[Predictions, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Predictions of one width; truth a third as far off where events are known, `shifted_width` times as far where shifted."""
    generator = np.random.default_rng(seed)
    told, shifted = generator.random(B) < 0.5, generator.random(B) < 0.5
    centre = np.array([1.0, 3.0, 0.5, 3.0])
    width = np.where(told, 0.1, 0.3) * np.where(shifted, shifted_width, 1.0)
    truth = kpi_from_z(centre + width[:, None, None, None] * 0.3 * generator.standard_normal((B, H, S, P)))
    mean = np.broadcast_to(kpi_from_z(centre), (2, B, H, S, P)).astype(np.float32)
    slope = np.array([mean[0, 0, 0, 0, 0] + 0.01, mean[0, 0, 0, 0, 1], 1.0, 1.0 + mean[0, 0, 0, 0, 3]], np.float32)
    return Predictions(mean, np.broadcast_to(0.2 * slope, mean.shape), np.zeros((2, B, H, 1), np.float32)), truth, told, shifted


def test_each_kind_of_window_is_covered_as_asked_on_others_of_its_kind() -> None:
    predictions, truth, told, shifted = made(1, shifted_width=3.0)
    correction = fit(predictions, truth, np.ones((S, P)), told, ~shifted)
    assert correction.told_factor is not None
    assert (np.array(correction.told_factor) < np.array(correction.factor)).all()
    predictions, truth, told, shifted = made(2, shifted_width=3.0)

    def covered(which: NDArray[np.bool_]) -> float:
        return float(coverage(predictions.take(which), truth[which], correction, told[which]).mean())

    assert covered(told & ~shifted) == pytest.approx(0.9, abs=0.02)
    assert covered(~told & ~shifted) == pytest.approx(0.9, abs=0.02)
    assert covered(shifted) < 0.8
    one_for_all = Conformal(**correction.model_dump() | {"told_factor": None})
    known = told & ~shifted
    assert coverage(predictions.take(known), truth[known], one_for_all, told[known]).mean() > 0.97


@pytest.mark.parametrize("tails", [1.5, 30.0])
def test_intervals_of_any_coverage_hold_as_much_as_they_say(tails: float) -> None:
    # Errors of Student's t: with 1.5 degrees of freedom far more peaked than what the members say, with 30 as good as normal.
    centre, members = np.array([1.0, 3.0, 0.5, 3.0]), np.linspace(-0.2, 0.2, 9)
    mean = kpi_from_z(centre + members[:, None, None, None, None] * np.ones((B, H, S, 1)))
    std = 0.05 * np.stack([mean[..., 0] + 0.01, mean[..., 1], np.ones_like(mean[..., 2]), 1.0 + mean[..., 3]], -1)
    predictions = Predictions(mean.astype(np.float32), std.astype(np.float32), np.zeros((9, B, H, 1), np.float32))
    nobody, all_of_them = np.zeros(B, bool), np.ones(B, bool)
    fitting, fresh = (
        kpi_from_z(centre + 0.03 * np.random.default_rng(seed).standard_t(tails, (B, H, S, P))) for seed in (1, 2)
    )
    correction = fit(predictions, fitting, np.ones((S, P)), nobody, all_of_them)
    found = {n: float(np.mean(coverage(predictions, fresh, correction, nobody, n))) for n in (0.15, 0.5, 0.8, 0.9, 0.95)}
    assert found == pytest.approx({n: n for n in found}, abs=0.02)


def test_few_windows_that_know_of_events_get_no_factor_of_their_own() -> None:
    predictions, truth, told, _ = made(3)
    few = told & (np.cumsum(told) <= 20)
    correction = fit(predictions, truth, np.ones((S, P)), few, np.ones(B, bool))
    assert correction.told_factor is None
    assert correction.factor_of(True) == correction.factor


def test_a_kpi_that_was_never_measured_keeps_its_interval() -> None:
    predictions, truth, told, _ = made(4)
    truth[..., 2] = np.nan
    correction = fit(predictions, truth, np.ones((S, P)), told, np.ones(B, bool))
    assert (np.array(correction.factor)[..., 2] == 1).all()
    assert (np.array(correction.share)[..., 2] == 1).all()


def test_events_are_known_where_the_newest_frame_names_some() -> None:
    spec = load_network(find_network("poc-city"))
    event = telemetry_pb2.KnownEvent(kind="hotspot", onset_step=5, duration_steps=4, x_km=0.9, y_km=1.2, amplitude=0.7)
    frames = [FrameArrays.missing(spec, step) for step in range(3)]
    assert not knows_events(history_matrix(frames, spec, 4), spec)
    frames[1].events.append(event)
    assert not knows_events(history_matrix(frames, spec, 4), spec)
    frames[2].events.append(event)
    assert knows_events(history_matrix(frames, spec, 4), spec)
