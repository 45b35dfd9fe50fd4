"""Finalists are good and differ."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm.planner.finalists import FinalistSettings, choose_finalists


def clumps(sizes: tuple[int, ...] = (40, 40, 40), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clumps of near-identical policies around distinct centres; scores fall slightly from clump to clump."""
    random = np.random.default_rng(seed)
    rows, score = [], []
    for i, size in enumerate(sizes):
        centre = np.full((12, 20, 3), 0.2) + 0.15 * (np.arange(3) == i % 3)
        rows.append(centre + random.normal(0, 0.002, (size, 12, 20, 3)))
        score.append(0.5 - 0.02 * i + random.uniform(0, 0.005, size))
    return np.concatenate(rows).astype(np.float32), np.concatenate(score)


def test_finalists_come_from_different_clumps_and_the_best_is_first() -> None:
    rows, score = clumps()
    chosen = choose_finalists(rows, score, FinalistSettings())
    assert chosen[0] == np.argmax(score)
    assert sorted(i // 40 for i in chosen) == [0, 1, 2]


def test_tolerance_grows_until_they_differ() -> None:
    rows, score = clumps()
    score[80:] -= 0.3
    chosen = choose_finalists(rows, score, FinalistSettings())
    assert sorted(i // 40 for i in chosen) == [0, 1, 2]


def test_a_big_clump_does_not_hide_the_rest() -> None:
    rows, score = clumps((300, 5, 5))
    chosen = choose_finalists(rows, score, FinalistSettings())
    assert len(chosen) == 3
    assert {0 if i < 300 else 1 + (i >= 305) for i in chosen} == {0, 1, 2}


def test_identical_candidates_give_one_finalist() -> None:
    rows = np.full((50, 12, 20, 3), 0.3, np.float32)
    assert choose_finalists(rows, np.arange(50.0), FinalistSettings()).tolist() == [49]


def test_excluded_candidates_are_never_chosen() -> None:
    rows, score = clumps()
    score[40:] = -np.inf
    chosen = choose_finalists(rows, score, FinalistSettings(distance_min=0.0))
    assert len(chosen) == 3
    assert (chosen < 40).all()
    assert choose_finalists(rows, np.full(120, -np.inf), FinalistSettings()).size == 0


def test_early_steps_count_more() -> None:
    rows = np.full((3, 12, 20, 3), 0.2, np.float32)
    rows[1, 0] += 0.3
    rows[2, -1] += 0.3
    chosen = choose_finalists(rows, np.array([0.5, 0.499, 0.499]), FinalistSettings(count=2, distance_min=0.0))
    assert chosen.tolist() == [0, 1]


def test_settings_are_checked() -> None:
    with pytest.raises(InvalidInputError, match=r"finalists\.count"):
        FinalistSettings(count=0)
