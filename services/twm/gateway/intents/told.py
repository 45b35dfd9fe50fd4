"""An IntentSpec in plain words: what was understood, for the operator to read before it counts."""

from __future__ import annotations

import datetime as dt

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec

_KPI = {
    intent_pb2.KPI_DELAY_P99_MS: ("p99 delay", "{:g} ms"),
    intent_pb2.KPI_DELAY_MEAN_MS: ("mean delay", "{:g} ms"),
    intent_pb2.KPI_LOSS_RATIO: ("loss", "{:g} %"),
    intent_pb2.KPI_THROUGHPUT_MBPS: ("throughput", "{:g} Mbps"),
    intent_pb2.KPI_UTILISATION_RATIO: ("utilisation", "{:g} %"),
}
_RATIOS = (intent_pb2.KPI_LOSS_RATIO, intent_pb2.KPI_UTILISATION_RATIO)
_OCCASION = {
    intent_pb2.OCCASION_SURGE: "during the surge",
    intent_pb2.OCCASION_MAINTENANCE: "during the maintenance",
    intent_pb2.OCCASION_EVENT: "during the event",
}
_SHARES = {intent_pb2.RESOURCE_PRB: "PRB share", intent_pb2.RESOURCE_BANDWIDTH: "bandwidth share"}
_PRIORITY = {1: "highest", 2: "high", 4: "low", 5: "lowest"}


def told(intent: intent_pb2.IntentSpec, spec: NetworkSpec, tz: dt.tzinfo = dt.UTC) -> list[str]:
    """One line for each part. Pure."""
    out: list[str] = []
    goal = intent.objective
    if goal.HasField("saving_target_ratio"):
        out.append(f"save {_percent(goal.saving_target_ratio)} of the control cost{_when(goal, tz)}")
    if goal.HasField("saving_weight"):
        out.append(f"weigh saving {goal.saving_weight:g} times{_when(goal, tz)}")
    if goal.slice_weights:
        out.append(
            "weigh slices: "
            + ", ".join(f"{w.slice} {w.weight:g}" for w in goal.slice_weights)
            + " (others 1)"
            + _when(goal, tz)
        )
    if goal.hold_slas:
        out.append(f"hold the SLAs of the network{_when(goal, tz)}")
    for c in intent.constraints:
        risk = (
            f", violated with at most {_percent(c.max_violation_probability)} probability"
            if c.HasField("max_violation_probability")
            else ""
        )
        out.append(f"{constraint_words(c, spec)}{risk}{_when(c, tz)}")
    for limit in intent.limits:
        share = _SHARES.get(limit.resource, "share")
        place = _place(limit.scope, spec)
        if limit.HasField("min_share"):
            out.append(f"{share} of {place} at least {_percent(limit.min_share)}{_when(limit, tz)}")
        if limit.HasField("max_share"):
            out.append(f"{share} of {place} at most {_percent(limit.max_share)}{_when(limit, tz)}")
        if limit.HasField("max_change"):
            change = "no change" if limit.max_change == 0 else f"at most {100 * limit.max_change:g} points of change a step"
            out.append(f"{change} of the {share} of {place}{_when(limit, tz)}")
    for surge in intent.context.surges:
        out.append(f"expect {surge.factor:g} times the usual demand of {_place(surge.scope, spec)}{_when(surge, tz)}")
    for work in intent.context.maintenance:
        link = spec.transport.links[work.link_index].id
        state = "down" if work.capacity_factor == 0 else f"at {_percent(work.capacity_factor)} of its capacity"
        out.append(f"link {link} {state}{_when(work, tz)}")
    if intent.context.event:
        out.append(f"event: {intent.context.event}")
    if intent.HasField("window"):
        out.append("all of it" + _when(intent, tz))
    if intent.priority in _PRIORITY:
        out.append(f"priority {intent.priority} ({_PRIORITY[intent.priority]})")
    return out


def constraint_words(constraint: intent_pb2.KpiConstraint, spec: NetworkSpec) -> str:
    """A KPI constraint in words, without its window."""
    side = "at most" if constraint.comparator == intent_pb2.COMPARATOR_AT_MOST else "at least"
    value = _KPI[constraint.kpi][1].format(round(constraint.bound * (100 if constraint.kpi in _RATIOS else 1), 6))
    return f"{_KPI[constraint.kpi][0]} of {_place(constraint.scope, spec)} {side} {value}"


def kpi_words(kpi: intent_pb2.Kpi, value: float) -> str:
    """A value of a KPI with its unit, to three digits."""
    scaled = value * (100 if kpi in _RATIOS else 1)
    return _KPI[kpi][1].format(float(f"{scaled:.3g}"))


def _percent(ratio: float) -> str:
    return f"{round(100 * ratio, 6):g} %"


def _place(scope: intent_pb2.Scope, spec: NetworkSpec) -> str:
    what = ", ".join(scope.slices)
    where = []
    if scope.zone:
        where.append(f"zone {scope.zone}")
    if scope.cells:
        where.append("cells " + _short([spec.cells[i].id for i in scope.cells]))
    if scope.links:
        every = len(scope.links) == len(spec.transport.links)
        where.append("every link" if every else "links " + _short([spec.transport.links[i].id for i in scope.links]))
    if not what:
        return " and ".join(where) if where else "every slice"
    return f"{what} in {' and '.join(where)}" if where else what


def _short(ids: list[str]) -> str:
    return ", ".join(ids if len(ids) <= 8 else [*ids[:7], f"... ({len(ids)})"])


def _when(holder: object, tz: dt.tzinfo) -> str:
    if not holder.HasField("window"):  # type: ignore[attr-defined]
        return ""
    window: intent_pb2.Window = holder.window  # type: ignore[attr-defined]
    parts = []
    if window.HasField("start"):
        parts.append("from " + _moment(window.start.ToDatetime(dt.UTC), tz))
    if window.HasField("end"):
        parts.append("until " + _moment(window.end.ToDatetime(dt.UTC), tz))
    if window.occasion:
        parts.append(_OCCASION[window.occasion])
    return " " + " ".join(parts) if parts else ""


def _moment(moment: dt.datetime, tz: dt.tzinfo) -> str:
    return f"{moment.astimezone(tz):%a %Y-%m-%d %H:%M %Z}"
