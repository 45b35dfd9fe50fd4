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
    scale_H = np.sqrt(weight_H / (rows_NHRS.shape[2] * rows_NHRS.shape[3])).astype(np.float32)[:, None, None]

    def flat(pool: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.asarray((rows_NHRS[pool] * scale_H).reshape(len(pool), -1))

    falling = score_N[order]
    pool_NF = flat(order[: settings.pool_max])
    tolerance, best = settings.score_tolerance, falling[0]
    while True:
        near = int(np.count_nonzero(falling >= best - tolerance))
        chosen = _spread(pool_NF[:near], settings)
        if len(chosen) >= settings.count or near == order.size or near >= settings.pool_max:
            break
        tolerance *= 2.0
    if len(chosen) < settings.count and order.size > len(pool_NF):  # the near-best are one clump: look at all
        chosen = _spread(flat(order), settings)
    return np.asarray(order[chosen])


def _spread(flat_NF: NDArray[np.float32], settings: FinalistSettings) -> list[int]:
    """Greedy max-min from the first; stops where nothing is far enough."""
    chosen, difference = [0], np.empty_like(flat_NF)

    def distance_from(index: int) -> NDArray[np.float32]:
        np.subtract(flat_NF, flat_NF[index], out=difference)
        np.multiply(difference, difference, out=difference)
        return np.asarray(np.sqrt(difference.sum(1)))

    distance = distance_from(0)
    while len(chosen) < settings.count:
        farthest = int(np.argmax(distance))
        if distance[farthest] <= max(settings.distance_min, 1e-6):
            break
        chosen.append(farthest)
        if len(chosen) < settings.count:
            distance = np.minimum(distance, distance_from(farthest))
    return chosen
