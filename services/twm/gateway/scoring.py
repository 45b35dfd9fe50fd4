"""Shadow score: a recommendation held against the frames of its horizon. Pure.

The network ran its own shares, so the forecast for the running policy is what can be tested; the gain over it stays a
prediction. KPIs are those of twm.core.kpis, the same code the models were trained with. What was not measured is
absent, never zero.

Shape suffixes: H slow steps, O observed steps of them, Q quantile levels, C cells, L links, S slices, P KPIs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.actions import PolicyArrays, decode_policies
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.kpis import KPI_NAMES, offered_by_slice, slice_kpis
from twm.core.network import NetworkSpec
from twm.core.scm import scm

LOW_LEVEL, HIGH_LEVEL, MEDIAN_LEVEL = 0.05, 0.95, 0.5
MEASURED_MIN_RATIO = 0.5
"""Least share of the observed steps in which a slice's KPI must have been measured to count in the observed SCM."""
_LEVEL_TOLERANCE = 1e-3
_LOSS, _DELAY = KPI_NAMES.index("loss_ratio"), KPI_NAMES.index("delay_p99_ms")

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a proposal promised."""

    proposal_id: str
    step: int
    trace_id: str
    policy: PolicyArrays | None
    """The recommended shares; None where they do not fit the network."""
    predicted_scm: float | None
    running_predicted_scm: float | None
    quantile_levels: tuple[float, ...] = ()
    model: str = ""
    """Version and digest of the dynamics model that made the fan; empty: not said."""
    fan_HQSP: Array | None = None
    """KPI quantiles under the running shares, in the order of KPI_NAMES, NaN where a KPI was not predicted; None: no fan."""


def forecast_of(proposal: planning_pb2.Proposal, spec: NetworkSpec) -> Forecast:
    """The scorable part of a proposal; unusable parts are left out."""
    try:
        policy = decode_policies(proposal.policy, spec)
    except InvalidInputError:
        policy = None
    running = next((fan for fan in proposal.fans if fan.policy == "running"), None)
    return Forecast(
        proposal_id=proposal.proposal_id,
        step=proposal.step,
        trace_id=proposal.trace_id,
        policy=policy,
        predicted_scm=_finite(proposal.predicted_scm) if proposal.HasField("predicted_scm") else None,
        running_predicted_scm=_finite(proposal.running_predicted_scm) if proposal.HasField("running_predicted_scm") else None,
        quantile_levels=() if running is None else tuple(running.quantile_levels),
        model=next((f"{m.version}@{m.digest[:12]}" for m in proposal.models if m.name == "cdwm"), ""),
        fan_HQSP=None if running is None else _fan(running, spec),
    )


def score(
    forecast: Forecast,
    frames: Mapping[int, FrameArrays],
    spec: NetworkSpec,
    *,
    decision: policy_pb2.Decision = policy_pb2.DECISION_UNSPECIFIED,
) -> policy_pb2.ShadowScore | None:
    """The score over those steps of the horizon that `frames` (by step) holds; None where it holds none of them."""
    steps = [s for s in range(forecast.step + 1, forecast.step + 1 + spec.timing.horizon_steps) if s in frames]
    if not steps:
        return None
    observed = [frames[s] for s in steps]
    offset_O = np.array(steps) - forecast.step - 1
    kpi_OSP = np.stack([slice_kpis(frame.blocks()) for frame in observed]).astype(np.float64)
    out = policy_pb2.ShadowScore(
        policy_set_id=forecast.proposal_id,
        area_id=spec.area_id,
        step=forecast.step,
        observed_step_count=len(steps),
        decision=decision,
    )
    if forecast.predicted_scm is not None:
        out.recommended_predicted_scm = forecast.predicted_scm
    if forecast.running_predicted_scm is not None:
        out.running_predicted_scm = forecast.running_predicted_scm
    reached = observed_scm(observed, kpi_OSP, spec)
    if reached is not None:
        out.observed_scm = reached
    if forecast.fan_HQSP is not None:
        _compare_fan(out, forecast.fan_HQSP, forecast.quantile_levels, offset_O, kpi_OSP)
    if forecast.policy is not None:
        distance = action_distance(forecast.policy, observed, offset_O)
        if distance is not None:
            out.action_distance = distance
    return out


def observed_scm(frames: list[FrameArrays], kpi_OSP: Array, spec: NetworkSpec) -> float | None:
    """SCM over the frames: loss pooled over cells and steps by offered load, p99 over all fast steps by offered load.

    A slice that was measured and offered nothing keeps its SLA. None where a bounded KPI was measured in less than
    MEASURED_MIN_RATIO of the steps.
    """
    topology = spec.topology()
    # Steps are laid beside the cells: the definition over cells then pools over both.
    blocks = {name: np.concatenate([frame.blocks()[name] for frame in frames]) for name in ("cell_slice", "fast")}
    pooled_SP = slice_kpis(blocks).astype(np.float64)
    offered_OS = np.stack([offered_by_slice(frame.blocks()) for frame in frames])
    measured_S = np.isfinite(kpi_OSP).mean(0)
    idle_S = (np.isfinite(offered_OS).mean(0) >= MEASURED_MIN_RATIO) & (np.nansum(offered_OS, 0) == 0)
    terms = []
    for kpi in (_LOSS, _DELAY):
        # Steps in which the slice offered nothing have no KPI, and need none.
        known = measured_S[:, kpi] + (offered_OS == 0).mean(0) >= MEASURED_MIN_RATIO
        terms.append(np.where(idle_S, 0.0, np.where(known, pooled_SP[:, kpi], np.nan)))
    found = float(scm(terms[0], terms[1], topology))
    return found if np.isfinite(found) else None


def action_distance(policy: PolicyArrays, frames: list[FrameArrays], offset_O: NDArray[np.intp]) -> float | None:
    """Mean absolute difference between recommended and applied shares, where those are known; None where nowhere."""
    differences = []
    for offset, frame in zip(offset_O, frames, strict=True):
        if offset >= policy.step_count:
            continue
        for recommended, applied in (
            (policy.prb_share_KHCS[0, offset], frame.cell_slice_feature("prb_share")),
            (policy.bandwidth_share_KHLS[0, offset], frame.link_slice_feature("bandwidth_share")),
        ):
            difference = np.abs(recommended.astype(np.float64) - applied)
            differences.append(difference[np.isfinite(difference)])
    flat = np.concatenate(differences) if differences else np.empty(0)
    return float(np.clip(flat.mean(), 0.0, 1.0)) if flat.size else None


def _compare_fan(
    out: policy_pb2.ShadowScore, fan_HQSP: Array, levels: tuple[float, ...], offset_O: NDArray[np.intp], kpi_OSP: Array
) -> None:
    covered = offset_O < len(fan_HQSP)
    fan_OQSP, kpi_OSP = fan_HQSP[offset_O[covered]], kpi_OSP[covered]
    low, median, high = (_level(levels, level) for level in (LOW_LEVEL, MEDIAN_LEVEL, HIGH_LEVEL))
    if low is not None and high is not None:
        inside = (kpi_OSP >= fan_OQSP[:, low]) & (kpi_OSP <= fan_OQSP[:, high])
        comparable = np.isfinite(kpi_OSP) & np.isfinite(fan_OQSP[:, low]) & np.isfinite(fan_OQSP[:, high])
        if comparable.any():
            out.coverage_ratio = float(inside[comparable].mean())
    if median is not None:
        error_OSP = np.abs(kpi_OSP - fan_OQSP[:, median])
        for index, name in enumerate(KPI_NAMES):
            known = error_OSP[..., index][np.isfinite(error_OSP[..., index])]
            if known.size:
                out.mean_absolute_error[name] = float(known.mean())


def _fan(fan: planning_pb2.KpiFan, spec: NetworkSpec) -> Array | None:
    """[H, Q, S, P] with P in the order of KPI_NAMES; None where the sizes do not fit."""
    row = len(fan.quantile_levels) * len(spec.slices) * len(fan.kpi_names)
    if row == 0 or len(fan.values) == 0 or len(fan.values) % row:
        return None
    values = np.array(fan.values, np.float64).reshape(-1, len(fan.quantile_levels), len(spec.slices), len(fan.kpi_names))
    names = list(fan.kpi_names)
    columns = [values[..., names.index(name)] if name in names else np.full(values.shape[:-1], np.nan) for name in KPI_NAMES]
    return np.stack(columns, -1)


def _level(levels: tuple[float, ...], wanted: float) -> int | None:
    distances = [abs(level - wanted) for level in levels]
    best = int(np.argmin(distances)) if distances else None
    return best if best is not None and distances[best] <= _LEVEL_TOLERANCE else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
