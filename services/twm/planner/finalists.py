"""Choose finalists that are good and differ: verifying three near-identical policies in the twin is worth nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class FinalistSettings:
    """How finalists are chosen."""

    count: int = 3
    """Finalists."""
    score_tolerance: float = 0.03
    """A candidate counts as near-best within this of the best score [SCM]; doubled until enough differ."""
    pool_max: int = 64
    """Near-best candidates looked at, best first."""
    distance_min: float = 0.03
    """Least weighted RMS distance of two finalists in share units."""
    discount: float = 0.85
    """Weight of a slow step relative to the one before: the first step is what will be enforced."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 16:
            raise InvalidInputError(f"finalists.count: {self.count} is outside 1..16")
        if not (self.score_tolerance > 0 and self.pool_max >= self.count and self.distance_min >= 0 and 0 < self.discount <= 1):
            raise InvalidInputError(f"finalists: {self} has a value out of range")

    def of_count(self, count: int) -> FinalistSettings:
        """The same for another number of policies."""
        return replace(self, count=count, pool_max=max(self.pool_max, count))


def choose_finalists(
    rows_NHRS: NDArray[np.float32], score_N: NDArray[np.float64], settings: FinalistSettings
) -> NDArray[np.intp]:
    """Indices of up to `count` finalists, the best first, then greedily the one furthest from those chosen (max-min).

    Fewer come back only where all candidates lie closer than `distance_min` to each other.
    """
    order = np.argsort(-score_N, kind="stable")
    order = order[np.isfinite(score_N[order])]
    if order.size == 0:
        return order
    weight_H: NDArray[np.float64] = settings.discount ** np.arange(rows_NHRS.shape[1], dtype=np.float64)
    weight_H /= weight_H.sum()
    tolerance, best = settings.score_tolerance, score_N[order[0]]
    while True:
        near = order[score_N[order] >= best - tolerance]
        everything = near.size == order.size
        chosen = _spread(rows_NHRS, near[: settings.pool_max], weight_H, settings)
        if chosen.size >= settings.count or everything or near.size >= settings.pool_max:
            break
        tolerance *= 2.0
    if chosen.size < settings.count:  # the near-best are one clump: look at all
        chosen = _spread(rows_NHRS, order, weight_H, settings)
    return chosen


def _spread(
    rows_NHRS: NDArray[np.float32], pool: NDArray[np.intp], weight_H: NDArray[np.float64], settings: FinalistSettings
) -> NDArray[np.intp]:
    """Greedy max-min from the first of the pool; stops where nothing is far enough."""
    scale_H = np.sqrt(weight_H / (rows_NHRS.shape[2] * rows_NHRS.shape[3])).astype(np.float32)
    flat = (rows_NHRS[pool] * scale_H[:, None, None]).reshape(len(pool), -1)
    chosen = [0]
    distance = np.sqrt(((flat - flat[0]) ** 2).sum(1))
    while len(chosen) < settings.count:
        farthest = int(np.argmax(distance))
        if distance[farthest] <= max(settings.distance_min, 1e-6):
            break
        chosen.append(farthest)
        distance = np.minimum(distance, np.sqrt(((flat - flat[farthest]) ** 2).sum(1)))
    return pool[chosen]
