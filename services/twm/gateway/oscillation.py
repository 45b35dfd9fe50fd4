"""How often shares turn back: A-B-A moves. Pure. Shape suffixes: T steps, N shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def turns(shares_TN: NDArray[np.float64], swing: float) -> int:
    """Largest number of times one share turned back by at least `swing` after having moved by at least `swing`.

    A turn counts from the farthest point reached, so a slow drift with small steps back has none, and many small steps up and
    down again have one.
    """
    if len(shares_TN) < 3:
        return 0
    moved = shares_TN.max(0) - shares_TN.min(0) >= swing
    if not moved.any():
        return 0
    x_TN = shares_TN[:, moved]
    # Up to its first move as large as a swing a share has no direction: what was before is laid onto that point.
    rose_TN = x_TN - np.minimum.accumulate(x_TN, 0) >= swing
    fell_TN = np.maximum.accumulate(x_TN, 0) - x_TN >= swing
    first_N = (rose_TN | fell_TN).argmax(0)
    columns = np.arange(x_TN.shape[1])
    extreme_N = x_TN[first_N, columns]
    direction_N = np.where(rose_TN[first_N, columns], 1.0, -1.0)
    x_TN = np.where(np.arange(len(x_TN))[:, None] < first_N, extreme_N, x_TN)
    count_N = np.zeros(len(columns), np.int64)
    for share_N in x_TN[int(first_N.min()) + 1 :]:
        advance_N = direction_N * (share_N - extreme_N)
        turned_N = advance_N <= -swing
        count_N += turned_N
        extreme_N = np.where(turned_N | (advance_N > 0), share_N, extreme_N)
        direction_N = np.where(turned_N, -direction_N, direction_N)
    return int(count_N.max())
