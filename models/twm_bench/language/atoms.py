"""Intents as sets of atoms, so that two can be compared field by field whatever the order of their parts.

The reference is the JSON of a set's line (ids, ISO times); an IntentSpec is brought into the same form first.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec

Item = dict[str, Any]
"""Atoms of one part: field name to value; "kind" is among them."""


def reference_of(intent: intent_pb2.IntentSpec, spec: NetworkSpec) -> dict[str, Any]:
    """An IntentSpec in the form of the sets."""
    out: dict[str, Any] = {}
    if intent.HasField("objective"):
        objective: dict[str, Any] = {}
        for name in ("saving_target_ratio", "saving_weight"):
            if intent.objective.HasField(name):
                objective[name] = getattr(intent.objective, name)
        if intent.objective.slice_weights:
            objective["slice_weights"] = {w.slice: w.weight for w in intent.objective.slice_weights}
        if intent.objective.hold_slas:
            objective["hold_slas"] = True
        _window(objective, intent.objective)
        out["objective"] = objective
    for c in intent.constraints:
        item: dict[str, Any] = {
            "kpi": _low(intent_pb2.Kpi.Name(c.kpi), "KPI_"),
            "scope": _scope(c.scope, spec),
            "comparator": _low(intent_pb2.Comparator.Name(c.comparator), "COMPARATOR_"),
            "bound": c.bound,
        }
        if c.HasField("max_violation_probability"):
            item["max_violation_probability"] = c.max_violation_probability
        _window(item, c)
        out.setdefault("constraints", []).append(item)
    for limit in intent.limits:
        item = {"scope": _scope(limit.scope, spec)}
        for name in ("min_share", "max_share", "max_change"):
            if limit.HasField(name):
                item[name] = getattr(limit, name)
        if limit.resource:
            item["resource"] = _low(intent_pb2.Resource.Name(limit.resource), "RESOURCE_")
        _window(item, limit)
        out.setdefault("limits", []).append(item)
    context: dict[str, Any] = {}
    for surge in intent.context.surges:
        item = {"scope": _scope(surge.scope, spec), "factor": surge.factor}
        _window(item, surge)
        context.setdefault("surges", []).append(item)
    for work in intent.context.maintenance:
        item = {"link": spec.transport.links[work.link_index].id, "capacity_factor": work.capacity_factor}
        _window(item, work)
        context.setdefault("maintenance", []).append(item)
    if intent.context.event:
        context["event"] = intent.context.event
    if context:
        out["context"] = context
    _window(out, intent)
    if intent.priority != 3:
        out["priority"] = intent.priority
    return out


def items_of(reference: dict[str, Any]) -> list[Item]:
    """The parts of an intent with their atoms; the defaults, a weight of 1 and priority 3, are none.

    A window of the whole intent is one of each part.
    """
    common = reference.get("window")
    out: list[Item] = []
    objective = dict(reference.get("objective", {}))
    if objective:
        window = objective.pop("window", common)
        weights = objective.pop("slice_weights", {})
        item = {"kind": "objective", **objective, **{f"weight:{k}": v for k, v in weights.items() if v != 1.0}}
        out.append(_with_window(item, window))
    for c in reference.get("constraints", ()):
        item = {"kind": "constraint", **_flat_scope(c["scope"]), **{k: c[k] for k in ("kpi", "comparator", "bound")}}
        if "max_violation_probability" in c:
            item["risk"] = c["max_violation_probability"]
        out.append(_with_window(item, c.get("window", common)))
    for limit in reference.get("limits", ()):
        item = {"kind": "limit", **_flat_scope(limit["scope"])}
        item |= {k: limit[k] for k in ("min_share", "max_share", "max_change") if k in limit}
        resource = limit.get("resource")
        if limit["scope"].get("links") and not limit["scope"].get("cells") and not limit["scope"].get("zone"):
            resource = "bandwidth"
        if resource:
            item["resource"] = resource
        out.append(_with_window(item, limit.get("window", common)))
    context = reference.get("context", {})
    for surge in context.get("surges", ()):
        item = {"kind": "surge", **_flat_scope(surge["scope"]), "factor": surge["factor"]}
        out.append(_with_window(item, surge.get("window", common)))
    for work in context.get("maintenance", ()):
        item = {"kind": "maintenance", "link": work["link"], "capacity_factor": work["capacity_factor"]}
        out.append(_with_window(item, work.get("window", common)))
    if "event" in context:
        out.append({"kind": "event", "name": context["event"].casefold()})
    if reference.get("priority", 3) != 3:
        out.append({"kind": "priority", "value": reference["priority"]})
    return out


def compare(expected: list[Item], found: list[Item]) -> tuple[int, int, int, list[str]]:
    """(atoms that agree, expected, found, fields that do not agree); parts are paired greedily by what they share."""
    pairs = sorted(
        ((_agreeing(e, f), -i, -j) for i, e in enumerate(expected) for j, f in enumerate(found) if e["kind"] == f["kind"]),
        reverse=True,
    )
    used_e: set[int] = set()
    used_f: set[int] = set()
    right = 0
    wrong: list[str] = []
    for score, i, j in pairs:
        if -i in used_e or -j in used_f:
            continue
        used_e.add(-i)
        used_f.add(-j)
        right += score
        e, f = expected[-i], found[-j]
        wrong += [f"{e['kind']}.{k}" for k in sorted({*e, *f}) if not _same(e.get(k), f.get(k))]
    wrong += [f"{e['kind']} missing" for i, e in enumerate(expected) if i not in used_e]
    wrong += [f"{f['kind']} extra" for j, f in enumerate(found) if j not in used_f]
    return right, sum(map(len, expected)), sum(map(len, found)), wrong


def _agreeing(a: Item, b: Item) -> int:
    return sum(k in b and _same(v, b[k]) for k, v in a.items())


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a == b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b) <= 1e-3 * max(abs(a), abs(b), 1e-9)
    return bool(a == b)


def _with_window(item: Item, window: dict[str, str] | None) -> Item:
    for name, value in (window or {}).items():
        item[f"window.{name}"] = value if name == "occasion" else _utc(value)
    return item


def _flat_scope(scope: dict[str, Any]) -> Item:
    out: Item = {}
    for name in ("slices", "cells", "links"):
        if scope.get(name):
            out[name] = tuple(sorted(scope[name]))
    if scope.get("zone"):
        out["zone"] = scope["zone"]
    return out


def _scope(scope: intent_pb2.Scope, spec: NetworkSpec) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if scope.slices:
        out["slices"] = list(scope.slices)
    if scope.zone:
        out["zone"] = scope.zone
    if scope.cells:
        out["cells"] = [spec.cells[i].id for i in scope.cells]
    if scope.links:
        out["links"] = [spec.transport.links[i].id for i in scope.links]
    return out


def _window(out: dict[str, Any], message: Any) -> None:
    if not message.HasField("window"):
        return
    window: dict[str, str] = {}
    for name in ("start", "end"):
        if message.window.HasField(name):
            window[name] = _stamp(getattr(message.window, name))
    if message.window.occasion:
        window["occasion"] = _low(intent_pb2.Occasion.Name(message.window.occasion), "OCCASION_")
    out["window"] = window


def _stamp(moment: Timestamp) -> str:
    return moment.ToDatetime(dt.UTC).isoformat()


def _utc(moment: str) -> str:
    """A moment as text: equal to the second or not, where numbers agree within a tolerance."""
    return dt.datetime.fromisoformat(moment).astimezone(dt.UTC).isoformat(timespec="seconds")


def _low(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()
