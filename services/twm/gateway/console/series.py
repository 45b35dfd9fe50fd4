"""Time series for charts and map: the last hour as seen, the horizon as predicted. Pure.

Shape suffixes: H slow steps, Q quantile levels, S slices, P KPIs, C cells, T offsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from twm.api.planning.v1 import planning_pb2
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec
from twm.gateway.console.forecast import FieldForecast
from twm.gateway.console.history import Seen
from twm.gateway.console.layers import Layer, layer_values, plain
from twm.gateway.console.models import FanBlock, FieldForecastView, FieldView, SeriesView

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_FANS = 3
_LEVEL_TOLERANCE = 1e-3
_DIGITS = 5


def series_view(rows: Sequence[tuple[int, Seen]], proposal: planning_pb2.Proposal | None, spec: NetworkSpec) -> SeriesView:
    """The charts' numbers. `proposal`: the newest one; None: there is none yet."""
    fans = [] if proposal is None else fan_blocks(proposal, spec)
    if proposal is None:
        problem = "no proposal has come yet"
    elif not fans:
        problem = proposal.fallback_reason[:300] or "the newest proposal carries no forecast"
    else:
        problem = ""
    return SeriesView(
        kpis=list(KPI_NAMES),
        steps=[step for step, _ in rows],
        starts=[row.start_s for _, row in rows],
        values=_rows([plain(row.kpi_SP, _DIGITS) for _, row in rows]),
        offered_mbps=_rows([plain(row.offered_mbps_S, 2) for _, row in rows]),
        scm=_rows(plain(np.array([row.scm for _, row in rows]), 4)),
        link_used=_rows([plain(row.link_used_L, 3) for _, row in rows]),
        link_up=_rows([plain(row.link_up_L, 3) for _, row in rows]),
        forecast_step=None if proposal is None or not fans else proposal.step,
        fans=fans,
        forecast_problem=problem,
    )


def fan_blocks(proposal: planning_pb2.Proposal, spec: NetworkSpec) -> list[FanBlock]:
    """The fans that can be read, KPIs in the order of KPI_NAMES."""
    found = []
    for fan in proposal.fans:
        levels, names = list(fan.quantile_levels), list(fan.kpi_names)
        row = len(levels) * len(spec.slices) * len(names)
        if row == 0 or not fan.values or len(fan.values) % row:
            continue
        values = np.array(fan.values, np.float64).reshape(-1, len(levels), len(spec.slices), len(names))
        steps = values[: spec.timing.horizon_steps]
        kept = [i for i, level in enumerate(levels) if any(abs(level - wanted) <= _LEVEL_TOLERANCE for wanted in LEVELS)]
        missing = np.full(steps.shape[:-1], np.nan)
        by_name = np.stack([steps[..., names.index(n)] if n in names else missing for n in KPI_NAMES], -1)
        found.append(
            FanBlock(
                policy=fan.policy[:64],
                levels=[round(levels[i], 3) for i in kept],
                values=_rows(plain(by_name[:, kept], _DIGITS)),
            )
        )
    return found[:MAX_FANS]


def field_view(layer: Layer, rows: Sequence[tuple[int, Seen]], forecast: FieldForecast, spec: NetworkSpec) -> FieldView:
    """One layer over time."""
    ahead = None
    if forecast.values_QTCF is not None and forecast.step is not None:
        low, median, high = np.sort(layer_values(layer, forecast.values_QTCF, spec), axis=0)
        ahead = FieldForecastView(
            step=forecast.step,
            offsets=list(forecast.offsets),
            low=_rows(plain(low, layer.decimals)),
            median=_rows(plain(median, layer.decimals)),
            high=_rows(plain(high, layer.decimals)),
            model=forecast.model,
        )
    return FieldView(
        layer=layer.id,
        steps=[step for step, _ in rows],
        values=_rows([plain(layer_values(layer, row.field_CF, spec), layer.decimals) for _, row in rows]),
        forecast=ahead,
        forecast_problem=forecast.problem,
    )


def _rows(values: Any) -> Any:
    return cast(Any, values)
