"""Correction of predicted intervals: the factor of one coverage, and what intervals of other coverages take of it."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from twm.core.intervals import conformal_scores, corrected_quantiles, shares_at, widened_quantiles
from twm.core.kpis import kpi_from_z, kpi_to_z
from twm.core.zoo import Conformal

LEVELS = (0.01, 0.05, 0.25, 0.4, 0.5, 0.6, 0.75, 0.95, 0.99)
STEPS, SLICES, KPIS = 3, 2, 4


def conformal(**more: object) -> Conformal:
    """Factor 2 and a floor; half the distance within coverage 0.5, all of it at 0.9."""
    fields: dict[str, object] = {
        "level": 0.9,
        "factor": np.full((STEPS, SLICES, KPIS), 2.0).tolist(),
        "floor": np.full((SLICES, KPIS), 0.01).tolist(),
        "nominal": (0.5, 0.9),
        "share": [np.full((SLICES, KPIS), share).tolist() for share in (0.5, 1.0)],
    }
    return Conformal.model_validate(fields | more)


def raw() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """[Q, 5, H, S, P] about one centre, in z as far as the level is from the median."""
    z = np.array([1.0, 3.0, 0.5, 3.0]) + 0.2 * (np.array(LEVELS).reshape(-1, 1, 1, 1, 1) - 0.5)
    return kpi_from_z(np.broadcast_to(z, (len(LEVELS), 5, STEPS, SLICES, KPIS)))


def test_conformal_factor_of_a_score_just_covers_the_truth() -> None:
    quantiles = np.array([[0.01, 8.0, 0.4, 90.0], [0.05, 10.0, 0.5, 100.0], [0.2, 15.0, 0.6, 120.0]])
    truth = np.array([0.4, 6.0, 0.55, 100.0])
    floor = np.full(4, 0.01)
    score = conformal_scores(truth, *quantiles, floor)
    widened = widened_quantiles(quantiles, (0.05, 0.5, 0.95), score, floor)
    assert widened[1] == pytest.approx(quantiles[1])
    assert widened[2, 0] == pytest.approx(0.4)
    assert widened[0, 1] == pytest.approx(6.0)
    assert (widened[0] <= truth + 1e-9).all()
    assert (widened[2] >= truth - 1e-9).all()


def test_an_interval_takes_its_share_of_the_factor() -> None:
    moved = kpi_to_z(corrected_quantiles(raw(), LEVELS, conformal(), told=False)) - kpi_to_z(raw()[4])
    asked = {level: moved[i, 0, 0, 0, 1] for i, level in enumerate(LEVELS)}
    assert asked[0.95] == pytest.approx(2.0 * (0.2 * 0.45 + 0.01))
    assert asked[0.75] == pytest.approx(2.0 * 0.5 * (0.2 * 0.25 + 0.01))
    assert asked[0.6] == pytest.approx(2.0 * 0.2 * (0.2 * 0.1 + 0.01)), "coverage 0.2: two fifths of the share at 0.5"
    assert asked[0.99] == pytest.approx(2.0 * (0.2 * 0.49 + 0.01)), "beyond the last coverage: its share"
    assert asked[0.25] == pytest.approx(-asked[0.75])
    assert asked[0.5] == 0
    assert (np.diff(moved, axis=0) >= 0).all()


def test_a_correction_without_shares_is_the_same_for_all_levels() -> None:
    plain = conformal(nominal=(), share=())
    assert shares_at(LEVELS, plain, told=True) is None
    moved = kpi_to_z(corrected_quantiles(raw(), LEVELS, plain, told=False)) - kpi_to_z(raw()[4])
    assert moved[5, 0, 0, 0, 1] == pytest.approx(2.0 * (0.2 * 0.1 + 0.01))


def test_a_horizon_may_be_cut_short_and_events_have_a_correction_of_their_own() -> None:
    told = conformal(told_share=[np.full((SLICES, KPIS), share).tolist() for share in (0.1, 1.0)])
    short = raw()[:, :, :2]
    without, knowing = (corrected_quantiles(short, LEVELS, told, told=knows) for knows in (False, True))
    assert without.shape == short.shape
    assert (np.abs(knowing - knowing[4])[6] < np.abs(without - without[4])[6]).all()
    assert knowing[7] == pytest.approx(without[7])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"nominal": (0.9, 0.5)}, "must rise"),
        ({"nominal": (0.5, 1.0)}, "less than 1"),
        ({"share": [[[1.0]]]}, "share: 1 tables, nominal has 2"),
        ({"told_share": []}, "told_share: 0 tables"),
    ],
)
def test_a_correction_that_does_not_fit_together_is_refused(more: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        conformal(**more)
