"""What is predicted of the proposed policy, of doing nothing and of the second best; and the SLA term nearest its bound.

Shape suffixes: H slow steps, Q quantile levels, S slices, P KPIs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twm.api.explain.v1 import explain_pb2
from twm.api.planning.v1 import planning_pb2
from twm.core.network import NetworkSpec, Slice

PROPOSED, RUNNING, RUNNER_UP = "proposed", "running", "runner_up"
LARGEST = ("delay_p99_ms",)
"""KPIs of which the largest step says what the horizon is like (twm.core.kpis.horizon_kpis); of the others the mean does."""
LOW, MEDIAN, HIGH = 0.05, 0.5, 0.95
_LEVEL_TOLERANCE = 1e-3

Float = NDArray[np.float64]


class Fan:
    """One policy's fan, summarised over the horizon: [3, S, P] for 5 %, 50 %, 95 %; NaN where the level is not there."""

    def __init__(self, message: planning_pb2.KpiFan, spec: NetworkSpec) -> None:
        """Raises ValueError where the sizes do not fit."""
        levels = np.array(message.quantile_levels, np.float64)
        self.kpis = tuple(message.kpi_names)
        fan_HQSP = np.array(message.values, np.float64).reshape(-1, len(levels), len(spec.slices), len(self.kpis))
        self.steps = len(fan_HQSP)
        if not fan_HQSP.size or not np.isfinite(fan_HQSP).all():
            raise ValueError("fan: empty or not finite")
        over_QSP = np.where([kpi in LARGEST for kpi in self.kpis], fan_HQSP.max(0), fan_HQSP.mean(0))
        nearest = [int(np.argmin(np.abs(levels - level))) for level in (LOW, MEDIAN, HIGH)]
        self.values_3SP: Float = over_QSP[nearest]
        for i, (level, at) in enumerate(zip((LOW, MEDIAN, HIGH), nearest, strict=True)):
            if abs(levels[at] - level) > _LEVEL_TOLERANCE and i != 1:
                self.values_3SP[i] = math.nan


def fans_of(proposal: planning_pb2.Proposal, spec: NetworkSpec) -> dict[str, Fan]:
    """The fans that can be read, by policy."""
    found = {}
    for message in proposal.fans:
        try:
            fan = Fan(message, spec)
        except ValueError:
            continue  # the guardrail judges the proposal; here it only has nothing to show
        found[message.policy] = fan
    proposed = found.get(PROPOSED)
    return {name: fan for name, fan in found.items() if proposed is not None and fan.kpis == proposed.kpis}


def forecasts_of(fans: dict[str, Fan], spec: NetworkSpec) -> list[explain_pb2.KpiForecast]:
    """Every KPI of every slice; none without a fan of the proposed policy."""
    if PROPOSED not in fans:
        return []
    proposed, others = fans[PROPOSED], {name: fans[name] for name in (RUNNING, RUNNER_UP) if name in fans}
    found = []
    for s, entry in enumerate(spec.slices):
        for p, kpi in enumerate(proposed.kpis):
            message = explain_pb2.KpiForecast(slice=entry.id, kpi=kpi[:64], over_steps="largest" if kpi in LARGEST else "mean")
            if (bound := _sla_bound(entry, kpi)) is not None:
                message.bound = bound
            own_3 = proposed.values_3SP[:, s, p]
            message.proposed.CopyFrom(interval(own_3))
            for name, fan in others.items():
                other_3 = fan.values_3SP[:, s, p]
                getattr(message, name).CopyFrom(interval(other_3))
                getattr(message, f"change_from_{name}").CopyFrom(interval(own_3 - other_3))
            found.append(message)
    return found


def _sla_bound(entry: Slice, kpi: str) -> float | None:
    return {"loss_ratio": entry.sla.loss_max_ratio, "delay_p99_ms": entry.sla.delay_p99_max_ms}.get(kpi)


def interval(values_3: Float) -> explain_pb2.Interval:
    """(5 %, 50 %, 95 %) as a message; ends that are NaN stay away."""
    message = explain_pb2.Interval(median=float(values_3[1]))
    if math.isfinite(values_3[0]) and math.isfinite(values_3[2]):
        message.low, message.high = float(values_3[0]), float(values_3[2])
    return message


def outlooks_of(proposal: planning_pb2.Proposal, spec: NetworkSpec) -> list[explain_pb2.PolicyOutlook]:
    """Proposed, running, second best; of the latter two only where the proposal says something of them."""
    running = next((i for i, c in enumerate(proposal.candidates) if c.origin == RUNNING), None)
    second = proposal.runner_up_index if proposal.HasField("runner_up_index") else None
    found = [_outlook(PROPOSED, proposal, proposal.chosen_index, spec)]
    if running is not None:
        found.append(_outlook(RUNNING, proposal, running, spec))
    if second is not None and second < len(proposal.candidates):
        found.append(_outlook(RUNNER_UP, proposal, second, spec))
    return found


def _outlook(name: str, proposal: planning_pb2.Proposal, index: int, spec: NetworkSpec) -> explain_pb2.PolicyOutlook:
    message = explain_pb2.PolicyOutlook(policy=name)
    if index < len(proposal.candidates):
        candidate = proposal.candidates[index]
        message.origin = candidate.origin
        # What the world model did not look at has no disagreement, no CVaR, and an SCM of 0 that means nothing.
        if proposal.models and (candidate.HasField("scm_cvar") or candidate.disagreement or candidate.scm_mean):
            _put(message, "scm_mean", candidate.scm_mean)
            _put(message, "violation_probability", candidate.violation_probability)
            if candidate.HasField("scm_cvar"):
                _put(message, "scm_cvar", candidate.scm_cvar)
        _put(message, "saving_ratio", candidate.saving_ratio)
        if len(candidate.slice_violation_probability) == len(spec.slices):
            _by_slice(message, candidate.slice_violation_probability, spec)
    if name == PROPOSED:
        _put(message, "saving_ratio", proposal.saving_ratio)
        for field, source in (("scm_mean", "predicted_scm"), ("violation_probability", "any_violation_probability")):
            if proposal.HasField(source):
                _put(message, field, getattr(proposal, source))
        if len(proposal.violation_probability) == len(spec.slices):
            _by_slice(message, proposal.violation_probability, spec)
    elif name == RUNNING and proposal.HasField("running_predicted_scm"):
        _put(message, "scm_mean", proposal.running_predicted_scm)
    twin = next((v for v in proposal.verifications if v.candidate_index == index), None)
    if twin is not None:
        _put(message, "twin_scm", twin.scm_mean)
        _put(message, "twin_violation_ratio", twin.violation_ratio)
        if twin.HasField("score"):
            _put(message, "score", twin.score)
    return message


def _by_slice(message: explain_pb2.PolicyOutlook, values: object, spec: NetworkSpec) -> None:
    for entry, value in zip(spec.slices, values, strict=True):  # type: ignore[call-overload]
        if math.isfinite(value):
            message.slice_violation_probability[entry.id] = float(value)


def _put(message: explain_pb2.PolicyOutlook, field: str, value: float) -> None:
    if math.isfinite(value):
        setattr(message, field, float(value))


def binding_of(fans: dict[str, Fan], spec: NetworkSpec) -> explain_pb2.Binding | None:
    """The bounded SLA term with the least predicted margin (median) under the proposed policy."""
    if PROPOSED not in fans:
        return None
    fan, topology = fans[PROPOSED], spec.topology()
    best: explain_pb2.Binding | None = None
    for kpi, bound_S in (("loss_ratio", topology.loss_max_ratio), ("delay_p99_ms", topology.delay_p99_max_ms)):
        if kpi not in fan.kpis:
            continue
        p = fan.kpis.index(kpi)
        for s, bound in enumerate(bound_S.tolist()):
            if math.isnan(bound):
                continue
            value_3 = fan.values_3SP[:, s, p]
            margin = 1.0 - float(value_3[1]) / bound
            if best is None or margin < best.margin_ratio:
                best = explain_pb2.Binding(
                    slice=spec.slices[s].id, kpi=kpi, value=interval(value_3), bound=bound, margin_ratio=margin
                )
                if math.isfinite(value_3[2]):
                    best.pessimistic_margin_ratio = 1.0 - float(value_3[2]) / bound
    return best
