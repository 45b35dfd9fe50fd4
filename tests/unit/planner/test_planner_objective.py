"""What a candidate is worth."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm.planner.objective import ObjectiveWeights, PlanLimits, Predictions, saving_term, score, verified_score, within_limits


def predictions(**changes: list[float]) -> Predictions:
    k = len(next(iter(changes.values()), [0.0]))
    columns = {name: np.zeros(k) for name in ("scm_mean_K", "any_violation_K", "disagreement_K", "ood_K")}
    columns |= {name: np.array(value) for name, value in changes.items()}
    return Predictions(violation_KS=np.zeros((k, 3)), **columns)


def test_scm_comes_first_and_doubts_are_taken_off() -> None:
    weights = ObjectiveWeights()
    found = predictions(
        scm_mean_K=[0.5, 0.5, 0.5, 0.5, 0.3],
        any_violation_K=[0.0, 0.5, 0.0, 0.0, 0.0],
        disagreement_K=[0.0, 0.0, 0.2, 0.0, 0.0],
        ood_K=[0.0, 0.0, 0.0, 5.0, 0.0],
    )
    value = score(found, np.array([0.08, 0.08, 0.08, 0.08, 1.0]), weights)
    assert value[0] == pytest.approx(0.5)
    assert (value[1:] < value[0]).all()
    np.testing.assert_allclose(value[:4], [0.5, 0.45, 0.4, 0.42])


def test_saving_is_wanted_up_to_the_target_and_nearly_free_beyond() -> None:
    weights = ObjectiveWeights()
    term = saving_term(np.array([-0.1, 0.0, 0.08, 0.5]), weights)
    np.testing.assert_allclose(term, [-0.18, -0.08, 0.0, 0.021])


def test_the_twin_replaces_prediction_but_not_doubt() -> None:
    weights = ObjectiveWeights()
    found = predictions(scm_mean_K=[0.9, 0.1], disagreement_K=[0.1, 0.1])
    value = verified_score(np.array([[0.0, 0.2], [0.4, 0.6]]), np.array([0.5, 0.0]), found, np.full(2, 0.08), weights)
    np.testing.assert_allclose(value, [0.1 - 0.05 - 0.05, 0.5 - 0.05])


def test_limits() -> None:
    found = predictions(any_violation_K=[0.1, 0.96, 0.1, 0.1], disagreement_K=[0.0, 0.0, 0.3, 0.0])
    passed = within_limits(found, np.array([0.0, 0.0, 0.0, 1.0]), PlanLimits())
    assert passed.tolist() == [True, False, False, False]


def test_concatenation_keeps_order() -> None:
    both = Predictions.concatenate([predictions(scm_mean_K=[0.1]), predictions(scm_mean_K=[0.2, 0.3])])
    assert both.scm_mean_K.tolist() == [0.1, 0.2, 0.3]
    assert both.violation_KS.shape == (3, 3)


def test_settings_name_what_is_wrong() -> None:
    with pytest.raises(InvalidInputError, match=r"objective\.risk: -1"):
        ObjectiveWeights(risk=-1)
    with pytest.raises(InvalidInputError, match=r"limits\.disagreement_max: 2"):
        PlanLimits(disagreement_max=2)


def test_cvar_prefers_the_candidate_whose_bad_futures_are_less_bad() -> None:
    found = predictions(scm_mean_K=[0.50, 0.45], cvar_K=[0.05, 0.30])
    even = np.full(2, 0.08)
    assert score(found, even, ObjectiveWeights()).argmax() == 0
    assert score(found, even, ObjectiveWeights(cvar=1.0)).argmax() == 1
    half = score(found, even, ObjectiveWeights(cvar=0.5))
    np.testing.assert_allclose(half, [0.275, 0.375])
    with pytest.raises(InvalidInputError, match=r"objective\.cvar: 1\.5 is outside 0\.\.1"):
        ObjectiveWeights(cvar=1.5)


def test_without_a_cvar_the_mean_counts() -> None:
    found = predictions(scm_mean_K=[0.5, 0.45])
    assert np.isnan(found.cvar_K).all()
    np.testing.assert_allclose(score(found, np.full(2, 0.08), ObjectiveWeights(cvar=1.0)), [0.5, 0.45])


def test_the_twins_cvar_is_its_worst_future_of_four() -> None:
    found = predictions(scm_mean_K=[0.0, 0.0])
    scm = np.array([[0.8, 0.8, 0.8, 0.0], [0.4, 0.4, 0.4, 0.4]])
    value = verified_score(scm, np.zeros(2), found, np.full(2, 0.08), ObjectiveWeights(cvar=1.0))
    np.testing.assert_allclose(value, [0.0, 0.4])


def test_a_closer_look_replaces_and_moves_the_rest_by_the_luck() -> None:
    found = predictions(scm_mean_K=[0.6, 0.5, 0.1], any_violation_K=[0.1, 0.2, 0.95])
    closer = predictions(scm_mean_K=[0.4, 0.5], any_violation_K=[0.3, 0.2])
    moved = found.corrected(np.array([0, 1]), closer)
    np.testing.assert_allclose(moved.scm_mean_K, [0.4, 0.5, 0.0], atol=1e-9)
    np.testing.assert_allclose(moved.any_violation_K, [0.3, 0.2, 1.0])
    assert found.scm_mean_K[0] == 0.6
