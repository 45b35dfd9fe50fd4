"""SLA compliance margin, Eq. 2."""

import numpy as np
import pytest

from twm.core.network import load_network
from twm.core.paths import find_network
from twm.core.scm import scm, sla_margins, violated, weighted_quantile

CITY = load_network(find_network("poc-city")).topology()
CELL = load_network(find_network("explora-cell")).topology()


@pytest.mark.parametrize(
    ("loss", "delay", "expected"),
    [
        ([0.0, 0.0, 0.0], [1, 0.0, 1], 1.0),
        ([0.0, 0.0, 0.0], [1, 5.0, 1], 0.75),
        ([0.125, 0.0, 0.0], [1, 5.0, 1], 0.5),
        ([0.0, 0.09, 0.0], [1, 5.0, 1], 0.1),
        ([0.0, 0.0, 0.1], [1, 15.0, 1], 0.25),
        ([0.0, 0.0, 0.5], [1, 15.0, 1], 0.0),
        ([0.0, 0.0, 0.0], [1, 60.0, 1], 0.0),
    ],
)
def test_scm_is_the_least_margin_floored_at_zero(loss, delay, expected) -> None:
    assert scm(np.array(loss), np.array(delay), CITY) == pytest.approx(expected)


def test_a_missing_bounded_kpi_leaves_the_scm_unknown() -> None:
    assert np.isnan(scm(np.array([0.0, np.nan, 0.0]), np.array([1, 5.0, 1]), CITY))
    assert not np.isnan(scm(np.array([0.0, 0.0, 0.0]), np.array([np.nan, 5.0, np.nan]), CITY))


def test_violation_names_the_slice() -> None:
    broken = violated(np.array([[0.3, 0.0, 0.1], [0.0, 0.0, 0.0]]), np.array([[1, 5.0, 1], [1, 25.0, 1]]), CITY)
    assert broken.tolist() == [[True, False, False], [False, True, False]]


def test_delay_only_sla() -> None:
    loss = np.full(3, np.nan)
    delay = np.array([0.0, 0.0, float(CELL.delay_p99_max_ms[2]) / 2])
    assert scm(loss, delay, CELL) == pytest.approx(0.5)
    assert np.isnan(sla_margins(loss, delay, CELL)[:, 0]).all()


def test_weighted_quantile() -> None:
    assert weighted_quantile(np.arange(1, 101), np.ones(100), 0.99) == 99
    assert weighted_quantile(np.array([1.0, 50.0]), np.array([98.0, 2.0]), 0.99) == 50
    assert weighted_quantile(np.array([1.0, 50.0]), np.array([99.5, 0.5]), 0.99) == 1
    assert weighted_quantile(np.array([np.nan, 7.0]), np.array([5.0, 1.0]), 0.5) == 7
    assert np.isnan(weighted_quantile(np.array([1.0]), np.array([0.0]), 0.5))
