"""Forecasters that only look at a KPI's own past: persistence, seasonal-naive, drift.

Interface, shared with twm_bench.rivals.gru: `predict(frames, policy)` gives the slice KPIs [H, S, P] of the steps after the
last frame, physical units (twm.core.kpis.KPI_NAMES); the policy is not looked at. For many windows at once, `points(name)`
gives the function that twm_bench.axes.baselines.Spread takes: `Spread.fit(points("drift"), tuning)`.

Shape suffixes: B windows, W history steps, H horizon steps, S slices, P KPIs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays
from twm.core.errors import InvalidInputError
from twm.core.features import slice_kpis
from twm.core.frames import BLOCKS, FrameArrays
from twm.core.kpis import kpi_from_z, kpi_to_z
from twm_bench.axes.episodes import Windows

Doubles = NDArray[np.float64]
DRIFT_STEPS = 6
"""The slope is that between the newest KPI and the one so many steps before."""


def persistence(past_BWSP: Doubles, horizon: int) -> Doubles:
    """Each KPI stays what it was last."""
    return np.repeat(_last(past_BWSP)[:, None], horizon, 1)


def seasonal_naive(past_BWSP: Doubles, horizon: int) -> Doubles:
    """Each KPI is what it was one horizon before; where that was not seen, what it was last."""
    held = persistence(past_BWSP, horizon)
    seen = min(past_BWSP.shape[1], horizon)
    season = np.full_like(held, np.nan)
    season[:, horizon - seen :] = past_BWSP[:, past_BWSP.shape[1] - seen :]
    return np.where(np.isfinite(season), season, held)


def drift(past_BWSP: Doubles, horizon: int) -> Doubles:
    """Each KPI goes on along the line through its newest and an older value, in the space of twm.core.kpis.kpi_to_z."""
    back = min(DRIFT_STEPS, past_BWSP.shape[1] - 1)
    last = kpi_to_z(_last(past_BWSP))
    if back < 1:
        return persistence(past_BWSP, horizon)
    slope = np.nan_to_num((kpi_to_z(past_BWSP[:, -1]) - kpi_to_z(past_BWSP[:, -1 - back])) / back)
    return kpi_from_z(last[:, None] + slope[:, None] * np.arange(1, horizon + 1)[:, None, None])


FORECASTERS: dict[str, Callable[[Doubles, int], Doubles]] = {
    "persistence": persistence,
    "seasonal-naive": seasonal_naive,
    "drift": drift,
}


def points(name: str) -> Callable[[Windows], Doubles]:
    """Point forecasts [B, H, S, P] for windows. Raises InvalidInputError for an unknown name."""
    forecaster = _named(name)

    def forecast(windows: Windows) -> Doubles:
        horizon = windows.recording.spec.timing.horizon_steps
        past = windows.past(windows.recording.kpis_NTSP, max(horizon, DRIFT_STEPS + 1)).astype(np.float64)
        return forecaster(past, horizon)

    return forecast


def predict(frames: Sequence[FrameArrays], policy: PolicyArrays, name: str = "persistence") -> Doubles:
    """KPIs [H, S, P] of as many steps as the policy has. Raises InvalidInputError for an unknown name, or no frame."""
    if not frames:
        raise InvalidInputError("frames: none, at least 1")
    blocks = {block: np.stack([getattr(frame, block) for frame in frames])[None] for block in BLOCKS}
    found: Doubles = _named(name)(slice_kpis(blocks).astype(np.float64), policy.step_count)[0]
    return found


def _named(name: str) -> Callable[[Doubles, int], Doubles]:
    if name not in FORECASTERS:
        raise InvalidInputError(f"forecaster: {name[:64]!r} is not one of {', '.join(FORECASTERS)}")
    return FORECASTERS[name]


def _last(past_BWSP: Doubles) -> Doubles:
    """The newest known value [B, S, P]; NaN where there is none."""
    out = np.full(past_BWSP[:, 0].shape, np.nan)
    for step in range(past_BWSP.shape[1]):
        out = np.where(np.isfinite(past_BWSP[:, step]), past_BWSP[:, step], out)
    return out
