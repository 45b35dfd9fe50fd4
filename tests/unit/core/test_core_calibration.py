"""Maps of violation probabilities: monotone, certain stays certain, any slice is never less likely than one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from twm.core.calibration import calibrated, violation_probabilities
from twm.core.zoo import ProbabilityMap, ViolationMaps

coefficients = st.floats(0, 5)
maps = st.builds(ProbabilityMap, under=coefficients, over=coefficients, offset=st.floats(-5, 5))


@given(maps, st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_map_keeps_order_and_certainty(one: ProbabilityMap, values: list[float]) -> None:
    p = np.sort(np.array([0.0, *values, 1.0]))
    found = calibrated(p, one)
    assert found[0] == 0.0
    assert found[-1] == 1.0
    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-12).all()


def test_the_default_map_changes_nothing_and_no_maps_neither() -> None:
    p = np.linspace(0, 1, 11)
    assert calibrated(p, ProbabilityMap()) == pytest.approx(p)
    any_K, each_KS = violation_probabilities(p, np.stack([p, p / 2], -1), None)
    assert any_K.tolist() == p.astype(np.float32).tolist()
    assert each_KS[:, 1] == pytest.approx(p / 2)


@given(maps, maps, st.floats(0, 1), st.floats(0, 1))
def test_any_slice_is_at_least_as_likely_as_each(any_map: ProbabilityMap, each: ProbabilityMap, a: float, b: float) -> None:
    found, slices = violation_probabilities(np.array([max(a, b)]), np.array([[a, b]]), ViolationMaps(any=any_map, each=each))
    assert found[0] >= slices.max()
    assert slices.min() >= 0.0
    assert found[0] <= 1.0


def test_a_map_that_would_turn_order_around_is_refused() -> None:
    with pytest.raises(ValidationError, match="under"):
        ProbabilityMap(under=-0.1)
