"""Forecasters without a world model, for the trajectory axis. Errors they are spread with come from tuning seeds.

Shape suffixes: Q quantile levels, B windows, H horizon steps, C cells, S slices, P KPIs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.features import exogenous_layout
from twm.core.frames import Float
from twm.core.kpis import kpi_from_z, kpi_to_z
from twm_bench.axes.episodes import Recording, Windows, windows_of
from twm_bench.axes.scores import LEVELS, quiet_quantile

Doubles = NDArray[np.float64]
KpiPoints = Callable[[Windows], Doubles]
"""Point forecasts of the slice KPIs [B, H, S, P], physical; NaN where there is none."""


@dataclass(frozen=True)
class Spread:
    """Point forecasts with the quantiles of their past errors, by step."""

    points: KpiPoints
    error_QHSP: Doubles
    """In the space of twm.core.kpis.kpi_to_z."""

    @classmethod
    def fit(cls, points: KpiPoints, tuning: Recording) -> Spread:
        """Error quantiles at LEVELS on all windows of the tuning episodes."""
        windows = windows_of(tuning, 1)
        error = kpi_to_z(windows.ahead(tuning.kpis_NTSP)) - kpi_to_z(points(windows))
        return cls(points, np.nan_to_num(quiet_quantile(error, LEVELS)))

    def quantiles(self, windows: Windows) -> Doubles:
        """[Q, B, H, S, P] at LEVELS, physical."""
        return kpi_from_z(kpi_to_z(self.points(windows))[None] + self.error_QHSP[:, None])


@dataclass(frozen=True)
class DemandPersistence:
    """The last demand of each cell and slice with the quantiles of its past changes: persistence as good as it gets."""

    change_QHCS: Doubles
    """In log(1 + Mbps)."""

    @classmethod
    def fit(cls, tuning: Recording) -> DemandPersistence:
        """Change quantiles at LEVELS on all windows of the tuning episodes."""
        windows = windows_of(tuning, 1)
        ahead, last = np.log1p(demand_ahead(windows)), np.log1p(demand_last(windows))
        return cls(np.nan_to_num(quiet_quantile(ahead - last[:, None], LEVELS)))

    def quantiles(self, windows: Windows) -> Doubles:
        """[Q, B, H, C, S] at LEVELS, Mbps."""
        return np.maximum(np.expm1(np.log1p(demand_last(windows))[None, :, None] + self.change_QHCS[:, None]), 0.0)


def demand_ahead(windows: Windows) -> Doubles:
    """Offered load over the horizon [B, H, C, S], Mbps."""
    return _demand(windows.ahead(windows.recording.exogenous_NTX), windows.recording)


def demand_last(windows: Windows) -> Doubles:
    """Offered load in the newest step [B, C, S], Mbps."""
    return _demand(windows.past(windows.recording.exogenous_NTX, 1)[:, 0], windows.recording)


def _demand(exogenous: Float, recording: Recording) -> Doubles:
    return np.asarray(exogenous_layout(recording.spec).split(exogenous)[0], np.float64)
