"""Conformal correction of the KPI intervals, fitted on a split of its own (Romano et al. 2019, scaled scores).

Shape suffixes: B windows, H horizon steps, S slices, P KPIs, N nominal coverages, Q quantile levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import Float
from twm.core.intervals import conformal_scores, corrected_quantiles
from twm.core.kpis import kpi_quantiles
from twm.core.zoo import Conformal, Factor
from twm_train.prediction import Predictions

LEVEL = 0.9
"""Nominal coverage of the factor, which each step of the horizon has for itself."""
NOMINAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, LEVEL, 0.95, 0.98)
"""Nominal coverages that have a share of the factor, the same for all steps."""
FLOOR_SHARE = 0.05
"""Least half width of an interval, as a share of the KPI's standard deviation in z."""
FACTOR_MAX = 8.0
TOLD_LEAST = 100
"""Windows that know of events which a factor of their own needs."""
PIECE = 256
"""Windows whose quantiles are computed at once: the points of 24 components take 75 MB."""

Doubles = NDArray[np.float64]


def fit(
    predictions: Predictions, truth_BHSP: Float, kpi_std_SP: Float, told_B: NDArray[np.bool_], counts_B: NDArray[np.bool_]
) -> Conformal:
    """Factors with which 90 % of the split lies inside, and shares of them for other coverages; 1 where nothing was measured.

    One for windows that know of events (`told_B`), one for the others, since a calendar takes most of the error away (Mondrian
    conformal prediction, Vovk et al. 2005). Only windows that count, `counts_B`, are fitted on: those in distribution, where
    the split says what is.
    """
    floor = np.round(FLOOR_SHARE * np.asarray(kpi_std_SP, np.float64) + 1e-6, 6)
    median, *bounds = _quantiles(predictions, NOMINAL)
    pairs = zip(NOMINAL, bounds[::2], bounds[1::2], strict=True)
    scores = {nominal: conformal_scores(truth_BHSP, low, median, high, floor) for nominal, low, high in pairs}
    separate = (counts_B & told_B).sum() >= TOLD_LEAST and (counts_B & ~told_B).any()
    factor, share = _fitted(scores, counts_B & ~told_B if separate else counts_B)
    told_factor, told_share = _fitted(scores, counts_B & told_B) if separate else (None, None)
    return Conformal(
        level=LEVEL,
        factor=factor,
        told_factor=told_factor,
        floor=tuple(tuple(float(v) for v in row) for row in floor),
        nominal=NOMINAL,
        share=share,
        told_share=told_share,
    )


def _fitted(scores: Mapping[float, Doubles], which_B: NDArray[np.bool_]) -> tuple[Factor, Factor]:
    factor = _factor(scores[LEVEL][which_B])
    return factor, _shares({nominal: found[which_B] for nominal, found in scores.items()}, np.array(factor))


def _factor(scores_BHSP: NDArray[np.float64]) -> Factor:
    """The level's quantile of the scores of each step and its neighbours, which three times as many windows tell better."""
    steps = scores_BHSP.shape[1]
    factor = np.ones(scores_BHSP.shape[1:])
    for h, s, p in np.ndindex(*factor.shape):
        near = scores_BHSP[:, max(h - 1, 0) : min(h + 2, steps), s, p]
        known = near[np.isfinite(near)]
        if len(known):
            factor[h, s, p] = _quantile(known, LEVEL)
    factor = np.clip(factor, 0.0, FACTOR_MAX)
    return tuple(tuple(tuple(_short(v) for v in row) for row in step) for step in factor)


def _shares(scores: Mapping[float, Doubles], factor_HSP: Doubles) -> Factor:
    """[N][S][P]: the coverage's quantile of the scores over the factor, of all steps; 1 at LEVEL, rising."""
    scale = np.where(factor_HSP > 0, factor_HSP, np.nan)
    out = np.ones((len(NOMINAL), *factor_HSP.shape[1:]))
    for s, p in np.ndindex(*out.shape[1:]):
        for n, nominal in enumerate(NOMINAL):
            ratio = (scores[nominal] / scale)[..., s, p]
            known = ratio[np.isfinite(ratio)]
            if len(known) and nominal != LEVEL:
                found = _quantile(known, nominal)
                out[n, s, p] = min(found, 1.0) if nominal < LEVEL else max(found, 1.0)
    out = np.clip(np.maximum.accumulate(out), 0.0, FACTOR_MAX)
    return tuple(tuple(tuple(_short(v) for v in row) for row in level) for level in out)


def _quantile(known: Doubles, level: float) -> float:
    rank = min(math.ceil((len(known) + 1) * level) / len(known), 1.0)
    return float(np.quantile(known, rank, method="higher"))


def _quantiles(predictions: Predictions, nominal: Sequence[float]) -> Doubles:
    """As the members say them [Q, B, H, S, P]: the median, then both bounds of each interval."""
    count = predictions.kpi_mean_MBHSP.shape[1]
    pieces = [predictions.take(np.arange(i, min(i + PIECE, count))) for i in range(0, count, PIECE)]
    levels = _levels(nominal)
    return np.concatenate([kpi_quantiles(piece.kpi_mean_MBHSP, piece.kpi_std_MBHSP, levels) for piece in pieces], 1)


def _levels(nominal: Sequence[float]) -> tuple[float, ...]:
    """The median, then lower and upper level of each interval."""
    return (0.5, *(level for n in nominal for level in (0.5 - n / 2, 0.5 + n / 2)))


def coverage(
    predictions: Predictions,
    truth_BHSP: Float,
    conformal: Conformal | None,
    told_B: NDArray[np.bool_],
    nominal: float = LEVEL,
) -> Doubles:
    """Share of measured values inside the (corrected) interval [H, S, P]; NaN where nothing was measured."""
    levels, quantiles_Q = _levels((nominal,)), _quantiles(predictions, (nominal,))
    if conformal is not None:
        plain, told = (corrected_quantiles(quantiles_Q, levels, conformal, told=known) for known in (False, True))
        quantiles_Q = np.where(told_B[:, None, None, None], told, plain)
    slack = 1e-6
    inside = (truth_BHSP >= quantiles_Q[1] - slack) & (truth_BHSP <= quantiles_Q[2] + slack)
    known = np.isfinite(truth_BHSP)
    count = known.sum(0)
    return np.where(count > 0, (inside & known).sum(0) / np.maximum(count, 1), np.nan)


def _short(value: float) -> float:
    return float(f"{math.ceil(value * 1e4) / 1e4:.4f}")
