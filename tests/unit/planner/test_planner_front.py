"""The cost-compliance front: nothing on it is beaten, nothing off it is unbeaten, and it stays small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twm.planner.front import FRONT_POINTS, non_dominated, thinned

LEVELS = st.integers(0, 6).map(lambda level: level / 6)


def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Saving and SCM high, violation low."""
    at_least = a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2]
    return at_least and a != b


@given(st.lists(st.tuples(LEVELS, LEVELS, LEVELS), min_size=1, max_size=40))
def test_the_front_is_what_nothing_beats(points: list[tuple[float, float, float]]) -> None:
    saving, scm, violation = (np.array(column) for column in zip(*points, strict=True))
    front = non_dominated(saving, scm, violation)
    unbeaten = {p for p in points if not any(beats(q, p) for q in points)}
    assert {points[i] for i in front} == unbeaten
    assert len(front) == len(unbeaten)  # of equal ones, one
    assert (np.diff(saving[front]) >= 0).all()


def test_a_long_front_is_thinned_to_its_ends_and_an_even_choice() -> None:
    saving = np.sort(np.random.default_rng(0).random(500))
    front = np.arange(500)
    kept = thinned(saving, front)
    assert len(kept) <= FRONT_POINTS
    assert len(kept) > FRONT_POINTS // 2
    assert (kept[0], kept[-1]) == (0, 499)
    assert np.diff(saving[kept]).max() < 3 * (saving[-1] - saving[0]) / FRONT_POINTS
    np.testing.assert_array_equal(thinned(saving, front[:5]), front[:5])


def test_one_candidate_is_a_front() -> None:
    assert non_dominated(np.array([0.1]), np.array([0.4]), np.array([0.5])).tolist() == [0]
    assert non_dominated(np.zeros(0), np.zeros(0), np.zeros(0)).size == 0


@pytest.mark.parametrize("count", [1, 700])
def test_equal_candidates_leave_one(count: int) -> None:
    assert non_dominated(np.full(count, 0.1), np.full(count, 0.4), np.full(count, 0.2)).tolist() == [0]
