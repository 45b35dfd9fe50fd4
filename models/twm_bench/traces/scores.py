"""Scores of forecasts on held-out experiments, and the quantiles of a forecaster that has none.

Every score is taken for each experiment and then averaged over experiments, each with the same weight; bootstrap intervals
resample experiments. NRMSE and CRPS are in units of the KPI's standard deviation over the training experiments.

Shape suffixes: N windows, H horizon steps, S slices, P KPIs, Q levels, X experiments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm_train.traces.fit import LEVELS, Forecast
from twm_train.traces.windows import Float, Windows

RESAMPLES = 2000
BINS = 6
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Per experiment; NaN where it has no such slice."""

    nrmse_XHSP: Array
    crps_XHSP: Array
    covered_XHSP: Array
    """Share of the measured values inside the 90 % interval."""


def crps(quantiles_Q: NDArray[np.floating], truth: NDArray[np.floating], levels: NDArray[np.floating]) -> Array:
    """CRPS as twice the mean quantile loss over equally spaced levels (Gneiting and Ranjan 2011) [...]."""
    error = np.asarray(truth, np.float64) - quantiles_Q
    level = np.asarray(levels).reshape(-1, *([1] * np.ndim(truth)))
    return np.asarray(2.0 * np.maximum(level * error, (level - 1.0) * error).mean(0))


def score(forecast: Forecast, low: Float, high: Float, w: Windows) -> Scores:
    """Scores of a forecast and its 90 % interval [N, H, S, P] on windows."""
    truth = w.target_NHSP
    known = np.isfinite(truth)
    loss = crps(forecast.quantiles_QNHSP, truth, np.array(LEVELS))
    slack = 1e-4
    inside = (truth >= low - slack) & (truth <= high + slack)
    found = []
    for x in np.unique(w.experiment_N):
        mine = w.experiment_N == x
        count = known[mine].sum(0)
        mean = lambda values, mine=mine, count=count: np.where(
            count > 0, np.where(known[mine], values[mine], 0.0).sum(0) / np.maximum(count, 1), np.nan
        )
        found.append((np.sqrt(mean((forecast.mean_NHSP - truth) ** 2)), mean(loss), mean(inside.astype(np.float64))))
    return Scores(*(np.stack([f[i] for f in found]) for i in range(3)))


def known_mean(values: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Mean of what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.asarray(np.where(count > 0, np.where(known, values, 0.0).sum(axis) / np.maximum(count, 1), np.nan))


def headline(values_XHSP: Array) -> Array:
    """One number an experiment [X]: mean over horizon steps, and over the slices and KPIs it has."""
    return known_mean(values_XHSP, (1, 2, 3))


def bootstrap(values_X: Array, *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean over experiments."""
    values_X = values_X[np.isfinite(values_X)]
    if len(values_X) < 2:
        return float("nan"), float("nan")
    rows = np.random.default_rng(seed).integers(len(values_X), size=(RESAMPLES, len(values_X)))
    low, high = np.quantile(values_X[rows].mean(1), (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True)
class ResidualQuantiles:
    """Quantiles of residuals per KPI, slice and step, by level of the prediction in BINS or 1 bins."""

    edges_HSP: NDArray[np.object_]
    offsets_HSP: NDArray[np.object_]

    @classmethod
    def fit(cls, mean_NHSP: Float, truth_NHSP: Float, bins: int) -> ResidualQuantiles:
        """From predictions and truth of experiments that the forecaster was not fitted on."""
        shape = mean_NHSP.shape[1:]
        edges, offsets = np.empty(shape, object), np.empty(shape, object)
        for at in np.ndindex(*shape):
            known = np.isfinite(truth_NHSP[:, *at])
            predicted = mean_NHSP[known][:, *at].astype(np.float64)
            residual = truth_NHSP[known][:, *at] - predicted
            if not len(residual):
                edges[at], offsets[at] = np.zeros(0), np.zeros((1, len(LEVELS)))
                continue
            edges[at] = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
            where = np.searchsorted(edges[at], predicted)
            overall = np.quantile(residual, LEVELS)
            rows = [residual[where == b] for b in range(len(edges[at]) + 1)]
            offsets[at] = np.stack([np.quantile(r, LEVELS) if len(r) >= 40 else overall for r in rows])
        return cls(edges, offsets)

    def forecast(self, mean_NHSP: Float) -> Forecast:
        """Quantiles about a predicted mean."""
        out = np.empty((len(LEVELS), *mean_NHSP.shape), np.float32)
        for at in np.ndindex(*mean_NHSP.shape[1:]):
            predicted = mean_NHSP[:, *at]
            out[:, :, *at] = predicted + self.offsets_HSP[at][np.searchsorted(self.edges_HSP[at], predicted)].T
        return Forecast(mean_NHSP, out)


def residual_quantiles(calibration: tuple[Float, Float], validation: tuple[Float, Float]) -> tuple[ResidualQuantiles, int]:
    """(quantiles fitted on the calibration pair (mean, truth), bins), the number of bins chosen on the validation pair."""
    levels = np.array(LEVELS)
    found = []
    for bins in (1, BINS):
        fitted = ResidualQuantiles.fit(*calibration, bins)
        loss = crps(fitted.forecast(validation[0]).quantiles_QNHSP, validation[1], levels)
        found.append((float(np.nanmean(loss)), bins, fitted))
    _, bins, fitted = min(found, key=lambda item: item[:2])
    return fitted, bins
