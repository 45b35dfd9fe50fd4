"""Time series for charts and map: the last hour as seen, the horizon as predicted. Pure.

Shape suffixes: H slow steps, Q quantile levels, S slices, P KPIs, C cells, T offsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.planning.v1 import planning_pb2
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec
from twm.core.streams import Entry
from twm.core.text import clean
from twm.gateway.console.forecast import FieldForecast
from twm.gateway.console.history import Seen
from twm.gateway.console.layers import Layer, layer_values, plain
from twm.gateway.console.models import FanBlock, FieldForecastView, FieldView, SeriesView

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_FANS = 3
_LEVEL_TOLERANCE = 1e-3
_DIGITS = 5


@dataclass(frozen=True)
class Outlook:
    """What is kept of the newest proposal."""

    fans: list[FanBlock]
    problem: str
    """Why there are no fans; empty: there are."""
    models: frozenset[tuple[str, str]]
    """(name, digest) of the models that answered."""


def outlook_of(entry: Entry, spec: NetworkSpec) -> tuple[int, Outlook] | None:
    """(step, outlook) of a proposal; None where it is none."""
    try:
        proposal = planning_pb2.Proposal.FromString(entry.payload)
        fans = fan_blocks(proposal, spec)
    except (ProtobufDecodeError, UnicodeDecodeError, ValueError):
        return None
    said = clean(proposal.fallback_reason, 300).text or "the newest proposal carries no forecast"
    return proposal.step, Outlook(fans, "" if fans else said, frozenset((m.name, m.digest) for m in proposal.models))


def series_view(rows: Sequence[tuple[int, Seen]], newest: tuple[int, Outlook] | None) -> SeriesView:
    """The charts' numbers. `newest`: the newest proposal; None: there is none yet."""
    fans = [] if newest is None else newest[1].fans
    problem = "no proposal has come yet" if newest is None else newest[1].problem
    return SeriesView(
        kpis=list(KPI_NAMES),
        steps=[step for step, _ in rows],
        starts=[row.start_s for _, row in rows],
        values=_rows([plain(row.kpi_SP, _DIGITS) for _, row in rows]),
        offered_mbps=_rows([plain(row.offered_mbps_S, 2) for _, row in rows]),
        scm=_rows(plain(np.array([row.scm for _, row in rows]), 4)),
        link_used=_rows([plain(row.link_used_L, 3) for _, row in rows]),
        link_up=_rows([plain(row.link_up_L, 3) for _, row in rows]),
        forecast_step=None if newest is None or not fans else newest[0],
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
