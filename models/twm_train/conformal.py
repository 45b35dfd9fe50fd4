"""Conformal correction of the KPI intervals, fitted on a split of its own (Romano et al. 2019, scaled scores).

Shape suffixes: B windows, H horizon steps, S slices, P KPIs.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import Float
from twm.core.kpis import conformal_quantiles, conformal_scores, kpi_quantiles
from twm.core.zoo import Conformal
from twm_train.prediction import Predictions

LEVEL = 0.9
LEVELS = (0.05, 0.5, 0.95)
FLOOR_SHARE = 0.05
"""Least half width of an interval, as a share of the KPI's standard deviation in z."""
FACTOR_MAX = 8.0


def fit(predictions: Predictions, truth_BHSP: Float, kpi_std_SP: Float) -> Conformal:
    """Factor [H, S, P] with which 90 % of the split lies inside; 1 where a KPI was never measured."""
    floor = np.round(FLOOR_SHARE * np.asarray(kpi_std_SP, np.float64) + 1e-6, 6)
    low, median, high = kpi_quantiles(predictions.kpi_mean_MBHSP, predictions.kpi_std_MBHSP, LEVELS)
    scores = conformal_scores(truth_BHSP, low, median, high, floor)
    count = np.isfinite(scores).sum(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        rank = np.minimum(np.ceil((count + 1) * LEVEL) / np.maximum(count, 1), 1.0)
        factor = np.ones(scores.shape[1:])
        for at in np.ndindex(*factor.shape):
            known = scores[:, *at][np.isfinite(scores[:, *at])]
            if len(known):
                factor[at] = np.quantile(known, rank[at], method="higher")
    factor = np.clip(factor, 0.0, FACTOR_MAX)
    nested = tuple(tuple(tuple(_short(v) for v in row) for row in step) for step in factor)
    return Conformal(level=LEVEL, factor=nested, floor=tuple(tuple(float(v) for v in row) for row in floor))


def coverage(predictions: Predictions, truth_BHSP: Float, conformal: Conformal | None) -> NDArray[np.float64]:
    """Share of measured values inside the (corrected) 90 % interval [H, S, P]; NaN where nothing was measured."""
    quantiles = kpi_quantiles(predictions.kpi_mean_MBHSP, predictions.kpi_std_MBHSP, LEVELS)
    if conformal is not None:
        quantiles = conformal_quantiles(quantiles, LEVELS, np.array(conformal.factor), np.array(conformal.floor))
    slack = 1e-6
    inside = (truth_BHSP >= quantiles[0] - slack) & (truth_BHSP <= quantiles[2] + slack)
    known = np.isfinite(truth_BHSP)
    count = known.sum(0)
    return np.where(count > 0, (inside & known).sum(0) / np.maximum(count, 1), np.nan)


def _short(value: float) -> float:
    return float(f"{math.ceil(value * 1e4) / 1e4:.4f}")
