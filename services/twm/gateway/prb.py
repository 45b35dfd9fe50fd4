"""Shares to whole units (PRB grid steps, integer percent): largest remainder, floors held, sum held.

Shape suffixes: R rows (cells or links), S slices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError
from twm.core.network import PrbGrid

_EPSILON = 1e-6

Int = NDArray[np.int64]


def quantise(share_RS: NDArray[np.floating], floor_S: NDArray[np.floating], scale: float, total: int) -> Int:
    """Whole units [R, S]: about share x `scale`, each at least its floor, each row at most `total`.

    Raises InvalidInputError where the floors alone need more than `total` units.
    """
    floor_units = np.ceil(np.asarray(floor_S, np.float64) * scale - _EPSILON).astype(np.int64)
    if int(floor_units.sum()) > total:
        raise InvalidInputError(f"floors: {floor_units.tolist()} units sum to {int(floor_units.sum())}, more than {total}")
    target = np.clip(np.asarray(share_RS, np.float64), 0.0, 1.0) * scale
    units = np.maximum(np.floor(target + _EPSILON).astype(np.int64), floor_units)
    wanted = np.minimum(np.floor(target.sum(-1) + _EPSILON).astype(np.int64), total)
    spare = wanted - units.sum(-1)
    # Units left over go to the largest remainders; a unit goes at most once to each slice, remainders being below 1.
    order = np.argsort(-(target - units), axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1, kind="stable")
    units += (rank < np.maximum(spare, 0)[:, None]) & (target > units)
    # Floors that were rounded up may have taken too many: give back where most was gained above the floor.
    for row in np.flatnonzero(units.sum(-1) > total):
        while int(units[row].sum()) > total:
            gain = np.where(units[row] > floor_units, units[row] - target[row], -np.inf)
            units[row, int(np.argmax(gain))] -= 1
    return units


def prb_steps(share_RS: NDArray[np.floating], floor_S: NDArray[np.floating], grid: PrbGrid) -> Int:
    """Steps of `grid.share_step_prb` PRBs [R, S]."""
    return quantise(share_RS, floor_S, grid.prb_count / grid.share_step_prb, grid.prb_count // grid.share_step_prb)


def percent(share_RS: NDArray[np.floating], floor_S: NDArray[np.floating]) -> Int:
    """Integer percent [R, S], the resolution of an RRMPolicyRatio (TS 28.541 clause 4.4.1: integer, 0..100)."""
    return quantise(share_RS, floor_S, 100.0, 100)


def quantisation_error_steps(share_RS: NDArray[np.floating], floor_S: NDArray[np.floating], grid: PrbGrid) -> float:
    """Largest distance between share and whole grid steps [steps]. Raises InvalidInputError as `quantise`."""
    if share_RS.size == 0:
        return 0.0
    scale = grid.prb_count / grid.share_step_prb
    return float(np.abs(prb_steps(share_RS, floor_S, grid) - np.asarray(share_RS, np.float64) * scale).max())
