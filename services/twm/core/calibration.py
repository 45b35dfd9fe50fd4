"""Beta calibration of probabilities (Kull, Silva Filho and Flach 2017, "Beta calibration", section 4).

logit p' = under ln p - over ln(1 - p) + offset: monotone for coefficients of at least 0, the identity for (1, 1, 0). What is
certain stays certain: 0 and 1 are fixed points, so that an SLA window already lost stays lost.

Shape suffixes: N probabilities, K candidates, S slices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twm.core.zoo import ProbabilityMap, ViolationMaps

Doubles = NDArray[np.float64]
LOGIT_MAX = 50.0
"""Where a mapped probability ends: as near to certain as makes a difference, and finite."""


def log_odds_terms(probability_N: NDArray[np.floating]) -> Doubles:
    """What the map is linear in [N, 3]: ln p, -ln(1 - p), 1. For probabilities strictly between 0 and 1."""
    p = np.asarray(probability_N, np.float64)
    return np.stack([np.log(p), -np.log1p(-p), np.ones_like(p)], -1)


def calibrated(probability_N: NDArray[np.floating], by: ProbabilityMap) -> Doubles:
    """Mapped probabilities, of any shape."""
    p = np.asarray(probability_N, np.float64)
    open_N = (p > 0.0) & (p < 1.0)
    logit = log_odds_terms(np.where(open_N, p, 0.5)) @ np.array([by.under, by.over, by.offset])
    return np.where(open_N, 1.0 / (1.0 + np.exp(-np.clip(logit, -LOGIT_MAX, LOGIT_MAX))), p)


def violation_probabilities(
    any_K: NDArray[np.floating], violation_KS: NDArray[np.floating], maps: ViolationMaps | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(of any slice [K], of each slice [K, S]) by the card's maps, as they are without maps; any is never below a slice's."""
    if maps is None:
        return np.asarray(any_K, np.float32), np.asarray(violation_KS, np.float32)
    slices_KS = calibrated(violation_KS, maps.each)
    return np.maximum(calibrated(any_K, maps.any), slices_KS.max(-1, initial=0.0)).astype(np.float32), slices_KS.astype(
        np.float32
    )
