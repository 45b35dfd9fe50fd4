"""What a monotone map of the violation probabilities could mend: two parameters on the logit (Platt 1999).

Fitted on other seeds than it is judged on, and only measured here: nothing that is served is mapped by it.

Shape suffixes: N probabilities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm_bench.axes.scores import reliability, short

Doubles = NDArray[np.float64]
DRAWS = 48
"""Draws that a served probability is counted from: 0 and 1 of so many are held half a draw away from certainty."""
PRIOR, ROUNDS = 1e-3, 40


def mapped(probability_N: Doubles, happened_N: NDArray[np.bool_], group_N: NDArray[np.integer]) -> dict[str, Any]:
    """Calibration error as it is and with a map that is fitted on the groups of the other parity; the two maps' parameters."""
    out, maps = np.array(probability_N, np.float64), []
    for parity in (0, 1):
        here = group_N % 2 == parity
        if not here.any() or here.all():
            return {"ece": reliability(probability_N, happened_N)["ece"], "ece_mapped": None, "maps": []}
        slope, offset = fitted(probability_N[~here], happened_N[~here])
        out[here] = apply(probability_N[here], slope, offset)
        maps.append([short(slope), short(offset)])
    return {
        "ece": reliability(probability_N, happened_N)["ece"],
        "ece_mapped": reliability(out, happened_N)["ece"],
        "maps": maps,
    }


def apply(probability_N: Doubles, slope: float, offset: float) -> Doubles:
    """Mapped probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-(slope * _logit(probability_N) + offset))))


def fitted(probability_N: Doubles, happened_N: NDArray[np.bool_]) -> tuple[float, float]:
    """(slope, offset) of most likelihood, with a faint pull to leaving things as they are."""
    features = np.stack([_logit(probability_N), np.ones(len(probability_N))], 1)
    start = np.array([1.0, 0.0])
    weights = start.copy()
    for _ in range(ROUNDS):
        p = 1.0 / (1.0 + np.exp(-np.clip(features @ weights, -30, 30)))
        curvature = (features.T * (p * (1.0 - p))) @ features + PRIOR * np.eye(2)
        weights = weights + np.linalg.solve(curvature, features.T @ (happened_N - p) - PRIOR * (weights - start))
    return float(weights[0]), float(weights[1])


def _logit(probability_N: Doubles) -> Doubles:
    count = np.clip(np.asarray(probability_N, np.float64), 0.0, 1.0) * DRAWS
    return np.asarray(np.log((count + 0.5) / (DRAWS - count + 0.5)))
