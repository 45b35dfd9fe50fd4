"""Conformal correction of predicted KPI quantiles, as a model's card holds it (Romano et al. 2019, scaled scores).

In z (twm.core.kpis) a quantile's distance from the median becomes factor x share x (distance + floor). The factor is fitted for
one coverage, by step; the share says what an interval of another coverage takes of it, since errors have other tails than the
members' mixture and the floor is too wide for narrow intervals.

Shape suffixes: Q quantile levels, ... any axes, H slow steps, S slices, P KPIs, N nominal coverages.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twm.core.kpis import Array, kpi_from_z, kpi_to_z
from twm.core.zoo import Conformal


def corrected_quantiles(
    quantiles_Q: Array, levels: Sequence[float], conformal: Conformal, *, told: bool
) -> NDArray[np.float64]:
    """Correct quantiles [Q, ..., H, S, P] about their median, the level nearest to 0.5; H may be cut short.

    `told`: whether the history knows of events.
    """
    q = np.asarray(quantiles_Q)
    factor_HSP = np.array(conformal.factor_of(told), np.float64)[: q.shape[-3]]
    return widened_quantiles(q, levels, factor_HSP, np.array(conformal.floor), shares_at(levels, conformal, told=told))


def widened_quantiles(
    quantiles_Q: Array, levels: Sequence[float], factor: Array, floor: Array, share_QSP: Array | None = None
) -> NDArray[np.float64]:
    """Widen (or narrow) quantiles [Q, ..., H, S, P] in z: distance' = factor x share x (distance + floor).

    factor [H, S, P], floor [S, P], share [Q, S, P] (None: 1).
    """
    q = kpi_to_z(quantiles_Q)
    level = np.asarray(levels, np.float64)
    middle = int(np.argmin(np.abs(level - 0.5)))
    sign = np.sign(level - level[middle]).reshape(-1, *([1] * (q.ndim - 1)))
    distance = np.asarray(factor) * (q - q[middle] + sign * np.asarray(floor))
    if share_QSP is not None:
        share = np.asarray(share_QSP)
        distance *= share.reshape(share.shape[0], *([1] * (q.ndim - 3)), *share.shape[1:])
    return kpi_from_z(q[middle] + distance)


def shares_at(levels: Sequence[float], conformal: Conformal, *, told: bool) -> NDArray[np.float64] | None:
    """Shares [Q, S, P] of the two-sided interval that each level bounds; None where the card has none."""
    if not conformal.nominal:
        return None
    nominal_N = np.array([0.0, *conformal.nominal])
    table = np.array(conformal.share_of(told), np.float64)
    table_NSP = np.concatenate([np.zeros_like(table[:1]), table])
    coverage_Q = np.abs(2.0 * np.asarray(levels, np.float64) - 1.0)
    above_Q = np.clip(np.searchsorted(nominal_N, coverage_Q), 1, len(nominal_N) - 1)
    low_Q, high_Q = nominal_N[above_Q - 1], nominal_N[above_Q]
    weight = np.clip((coverage_Q - low_Q) / (high_Q - low_Q), 0.0, 1.0)[:, None, None]
    return np.asarray((1.0 - weight) * table_NSP[above_Q - 1] + weight * table_NSP[above_Q])


def conformal_scores(truth: Array, low: Array, median: Array, high: Array, floor: Array) -> NDArray[np.float64]:
    """The factor that would just cover `truth` [..., P]; NaN where it is missing. Its quantiles are the card's factors."""
    y, lo, m, hi = (kpi_to_z(a) for a in (truth, low, median, high))
    return np.asarray(np.where(y >= m, (y - m) / (hi - m + floor), (m - y) / (m - lo + floor)))
