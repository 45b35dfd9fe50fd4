"""Scores of forecasts, in plain numpy.

Shape suffixes: ... any leading axes, Q quantile levels, N samples, G nodes a side of a map, B bins.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Doubles = NDArray[np.float64]

LEVELS = (0.025, *(round(0.05 * i, 2) for i in range(1, 20)), 0.975)
"""Quantile levels that CRPS and coverage are computed from."""
INTERVALS = {"50": (0.25, 0.75), "90": (0.05, 0.95), "95": (0.025, 0.975)}
"""Nominal coverage [%] to the two levels of its interval."""


def crps_quantiles(quantiles_Q: Array, levels: Sequence[float], truth: Array) -> Doubles:
    """CRPS [...] as twice the integral of the pinball loss over the levels (Gneiting & Ranjan 2011), quantiles [Q, ...].

    Trapezoid between the levels, the outer ones held to 0 and 1. NaN where the truth is.
    """
    at = np.asarray(levels, np.float64)
    q = np.asarray(quantiles_Q, np.float64)
    y = np.asarray(truth, np.float64)
    level = at.reshape(-1, *([1] * y.ndim))
    loss = np.maximum(level * (y - q), (level - 1.0) * (y - q))
    edges = np.concatenate([[0.0], (at[1:] + at[:-1]) / 2, [1.0]])
    return np.asarray(2.0 * np.tensordot(np.diff(edges), loss, 1))


def crps_samples(samples_N: Array, truth: Array) -> Doubles:
    """Fair CRPS [...] of an ensemble [N, ...] (Ferro 2014): unbiased in the number of samples. NaN where the truth is."""
    x = np.sort(np.asarray(samples_N, np.float64), 0)
    n = len(x)
    spread = np.abs(x - np.asarray(truth, np.float64)).mean(0)
    if n < 2:
        return np.asarray(spread)
    weight = (2.0 * np.arange(1, n + 1) - n - 1).reshape(-1, *([1] * (x.ndim - 1)))
    return np.asarray(spread - (weight * x).sum(0) / (n * (n - 1)))


def coverage(low: Array, high: Array, truth: Array, axis: int | tuple[int, ...] | None = None) -> Doubles:
    """Share of measured values inside [low, high], bounds included with a little slack; NaN where nothing was measured."""
    known = np.isfinite(truth)
    slack = 1e-6 * (1.0 + np.abs(np.where(known, truth, 0.0)))
    inside = (truth >= low - slack) & (truth <= high + slack) & known
    count = known.sum(axis)
    return np.asarray(np.where(count > 0, inside.sum(axis) / np.maximum(count, 1), np.nan))


def spearman(a: Array, b: Array) -> float:
    """Rank correlation with mean ranks for ties; NaN where one side is constant or there are fewer than three pairs."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3:
        return float("nan")
    x, y = (_ranks(values[known]) for values in (np.asarray(a), np.asarray(b)))
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum() / scale) if scale > 0 else float("nan")


def _ranks(values: Array) -> Doubles:
    _, inverse, counts = np.unique(np.round(values, 9), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2.0)[inverse], np.float64)


def reliability(probability: Array, happened: NDArray[np.bool_], bins: int = 10) -> dict[str, Any]:
    """Expected calibration error over equal bins (Naeini et al. 2015) with the bins: mean probability, frequency, count."""
    p, y = np.asarray(probability, np.float64).reshape(-1), np.asarray(happened, bool).reshape(-1)
    known = np.isfinite(p)
    p, y = p[known], y[known]
    which = np.minimum((p * bins).astype(np.intp), bins - 1)
    count = np.bincount(which, minlength=bins)
    share = np.maximum(count, 1)
    predicted, seen = (np.bincount(which, values, minlength=bins) / share for values in (p, y.astype(np.float64)))
    used = count > 0
    error = float((count * np.abs(predicted - seen)).sum() / max(count.sum(), 1))
    return {
        "ece": short(error) if len(p) else None,
        "brier": short(float(((p - y) ** 2).mean())) if len(p) else None,
        "count": len(p),
        "predicted": [short(v) for v in predicted[used]],
        "observed": [short(v) for v in seen[used]],
        "bin_count": [int(v) for v in count[used]],
    }


def r2(predicted: Array, truth: Array) -> float | None:
    """Share of the variance explained, pooled over all axes; None where nothing varies."""
    known = np.isfinite(predicted) & np.isfinite(truth)
    y, p = np.asarray(truth, np.float64)[known], np.asarray(predicted, np.float64)[known]
    spread = ((y - y.mean()) ** 2).sum() if len(y) else 0.0
    return short(1.0 - float(((y - p) ** 2).sum()) / float(spread)) if spread > 1e-9 else None


def rmse(predicted: Array, truth: Array, axis: int | tuple[int, ...] | None = None) -> Doubles:
    """Root mean square error over `axis`; NaN where nothing is known."""
    error = (np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)) ** 2
    return np.asarray(np.sqrt(nanmean(error, axis)))


def nanmean(values: Array, axis: int | tuple[int, ...] | None = None) -> Doubles:
    """Mean of what is finite; NaN, without a warning, where nothing is."""
    v = np.asarray(values, np.float64)
    known = np.isfinite(v)
    count = known.sum(axis)
    return np.asarray(np.where(count > 0, np.where(known, v, 0.0).sum(axis) / np.maximum(count, 1), np.nan))


def ssim(a: Array, b: Array, data_range: float, window: int = 7) -> Doubles:
    """Structural similarity [...] of maps [..., G, G] (Wang et al. 2004, even window, K1 = .01, K2 = .03)."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    size = min(window, *x.shape[-2:])

    def mean(m: Doubles) -> Doubles:
        """Over each window, from sums along one axis, then the other."""
        for axis in (-2, -1):
            padded = np.concatenate([np.zeros_like(m.take([0], axis)), np.cumsum(m, axis)], axis)
            count = m.shape[axis]
            m = (padded.take(range(size, count + 1), axis) - padded.take(range(count - size + 1), axis)) / size
        return m

    n = size * size / max(size * size - 1, 1)
    mx, my = mean(x), mean(y)
    vx, vy, cov = n * (mean(x * x) - mx**2), n * (mean(y * y) - my**2), n * (mean(x * y) - mx * my)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    value = (2 * mx * my + c1) * (2 * cov + c2) / np.maximum((mx**2 + my**2 + c1) * (vx + vy + c2), 1e-300)
    return np.asarray(value.mean((-2, -1)))


def skill(error: float, base: float) -> float | None:
    """1 - error / base; None where the base is 0 or not known."""
    return short(1.0 - error / base) if np.isfinite(error) and np.isfinite(base) and base > 0 else None


def short(value: float, digits: int = 4) -> float:
    """Rounded to a few significant digits, for files that people read."""
    return float(f"{value:.{digits}g}")


def plain(values: Any) -> Any:
    """Arrays as nested lists of rounded numbers, None for what is not finite: what JSON can hold."""
    if isinstance(values, dict):
        return {str(k): plain(v) for k, v in values.items()}
    if isinstance(values, list | tuple):
        return [plain(v) for v in values]
    if isinstance(values, np.ndarray):
        return plain(values.tolist())
    if isinstance(values, np.bool_):
        return bool(values)
    if isinstance(values, np.integer):
        return int(values)
    if isinstance(values, float | np.floating):
        return short(float(values)) if np.isfinite(values) else None
    return values


def quiet_quantile(values: Array, levels: Sequence[float], axis: int = 0) -> Doubles:
    """Quantiles over `axis` of what is not NaN; NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanquantile(values, levels, axis=axis))
