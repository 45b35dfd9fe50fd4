"""The cost-compliance front: what saving costs in SCM and violations, among everything that was evaluated.

Shape suffixes: N candidates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
FRONT_POINTS = 32
"""Points a proposal carries at most."""


def non_dominated(saving_N: Float, scm_N: Float, violation_N: Float) -> NDArray[np.intp]:
    """Indices of the candidates that no other beats, by rising saving.

    One beats another where it is at least as good in saving, SCM and violation probability, and better in one. Of equal ones
    the first stays.
    """
    order = np.lexsort((np.arange(len(scm_N)), violation_N, -scm_N, -saving_N))  # only those before can beat one
    scm, violation = scm_N[order], violation_N[order]
    # Most fall to the front of saving and SCM alone; the rest are compared one by one.
    ahead = np.flatnonzero(np.diff(np.maximum.accumulate(scm), prepend=-np.inf) > 0)
    beaten = (ahead[:, None] < np.arange(len(order))) & (scm[ahead, None] >= scm) & (violation[ahead, None] <= violation)
    kept: list[int] = []
    for i in np.flatnonzero(~beaten.any(0)).tolist():
        if not ((scm[kept] >= scm[i]) & (violation[kept] <= violation[i])).any():
            kept.append(i)
    return np.asarray(order[kept[::-1]], np.intp)


def thinned(saving_N: Float, front: NDArray[np.intp], count: int = FRONT_POINTS) -> NDArray[np.intp]:
    """At most `count` of the front: its ends and those nearest to even steps of saving."""
    if front.size <= count:
        return front
    saving = saving_N[front]
    wanted = np.linspace(saving[0], saving[-1], count)
    nearest = np.abs(saving[:, None] - wanted).argmin(0)
    nearest[0], nearest[-1] = 0, front.size - 1
    return np.asarray(front[np.unique(nearest)], np.intp)
