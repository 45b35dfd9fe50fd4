"""Conformal correction of the KPI intervals, fitted on a split of its own (Romano et al. 2019, scaled scores).

Shape suffixes: B windows, H horizon steps, S slices, P KPIs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import Float
from twm.core.kpis import conformal_quantiles, conformal_scores, kpi_quantiles
from twm.core.zoo import Conformal, Factor
from twm_train.prediction import Predictions

LEVEL = 0.9
LEVELS = (0.05, 0.5, 0.95)
FLOOR_SHARE = 0.05
"""Least half width of an interval, as a share of the KPI's standard deviation in z."""
FACTOR_MAX = 8.0
TOLD_LEAST = 100
"""Windows that know of events which a factor of their own needs."""


def fit(
    predictions: Predictions, truth_BHSP: Float, kpi_std_SP: Float, told_B: NDArray[np.bool_], counts_B: NDArray[np.bool_]
) -> Conformal:
    """Factors with which 90 % of the split lies inside; 1 where a KPI was never measured.

    One for windows that know of events (`told_B`), one for the others, since a calendar takes most of the error away (Mondrian
    conformal prediction, Vovk et al. 2005). Only windows that count, `counts_B`, are fitted on: those in distribution, where
    the split says what is.
    """
    floor = np.round(FLOOR_SHARE * np.asarray(kpi_std_SP, np.float64) + 1e-6, 6)
    low, median, high = kpi_quantiles(predictions.kpi_mean_MBHSP, predictions.kpi_std_MBHSP, LEVELS)
    scores = conformal_scores(truth_BHSP, low, median, high, floor)
    plain, told = (scores[counts_B & which] for which in (~told_B, told_B))
    separate = len(told) >= TOLD_LEAST and len(plain) > 0
    return Conformal(
        level=LEVEL,
        factor=_factor(plain if separate else scores[counts_B]),
        told_factor=_factor(told) if separate else None,
        floor=tuple(tuple(float(v) for v in row) for row in floor),
    )


def _factor(scores_BHSP: NDArray[np.float64]) -> Factor:
    """The level's quantile of the scores of each step and its neighbours, which three times as many windows tell better."""
    steps = scores_BHSP.shape[1]
    factor = np.ones(scores_BHSP.shape[1:])
    for h, s, p in np.ndindex(*factor.shape):
        near = scores_BHSP[:, max(h - 1, 0) : min(h + 2, steps), s, p]
        known = near[np.isfinite(near)]
        if len(known):
            rank = min(math.ceil((len(known) + 1) * LEVEL) / len(known), 1.0)
            factor[h, s, p] = np.quantile(known, rank, method="higher")
    factor = np.clip(factor, 0.0, FACTOR_MAX)
    return tuple(tuple(tuple(_short(v) for v in row) for row in step) for step in factor)


def coverage(
    predictions: Predictions, truth_BHSP: Float, conformal: Conformal | None, told_B: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of measured values inside the (corrected) 90 % interval [H, S, P]; NaN where nothing was measured."""
    quantiles = kpi_quantiles(predictions.kpi_mean_MBHSP, predictions.kpi_std_MBHSP, LEVELS)
    if conformal is not None:
        plain, told = (np.array(conformal.factor_of(known)) for known in (False, True))
        factor_BHSP = np.where(told_B[:, None, None, None], told, plain)
        quantiles = conformal_quantiles(quantiles, LEVELS, factor_BHSP, np.array(conformal.floor))
    slack = 1e-6
    inside = (truth_BHSP >= quantiles[0] - slack) & (truth_BHSP <= quantiles[2] + slack)
    known = np.isfinite(truth_BHSP)
    count = known.sum(0)
    return np.where(count > 0, (inside & known).sum(0) / np.maximum(count, 1), np.nan)


def _short(value: float) -> float:
    return float(f"{math.ceil(value * 1e4) / 1e4:.4f}")
