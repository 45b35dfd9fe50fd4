"""IntentSpec as plain JSON with names instead of indices, the way back, and the JSON schema that decoding is held to.

This is what a language model writes and what `POST /v1/intents` takes as "structured": no ids of intents, digests or sources,
which only this code may set.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.text import clean, shown
from twm.gateway.intents.assemble import DEFAULT_PRIORITY, KPIS, RESOURCES, SIDES, content_id, hoist

OCCASIONS = {
    "surge": intent_pb2.OCCASION_SURGE,
    "maintenance": intent_pb2.OCCASION_MAINTENANCE,
    "event": intent_pb2.OCCASION_EVENT,
}
FIELDS = ("objective", "constraints", "limits", "context", "window", "priority")
_MAX_ITEMS = 64


def json_schema(spec: NetworkSpec) -> dict[str, Any]:
    """JSON schema (2020-12) of the plain form; names are enumerations of the spec, so that decoding cannot invent one."""

    def one_of(ids: list[str]) -> dict[str, Any]:
        return {"type": "array", "uniqueItems": True, "maxItems": max(len(ids), 1), "items": {"enum": ids} if ids else False}

    def record(properties: dict[str, Any], *required: str) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}

    ratio = {"type": "number", "minimum": 0, "maximum": 1}
    moment = {"type": "string", "format": "date-time"}
    window = record({"start": moment, "end": moment, "occasion": {"enum": list(OCCASIONS)}})
    zones = [z.id for z in spec.zones]
    scope = record(
        {
            "slices": one_of([s.id for s in spec.slices]),
            "zone": {"enum": zones} if zones else False,
            "cells": one_of([c.id for c in spec.cells]),
            "links": one_of([link.id for link in spec.transport.links]),
        }
    )
    weights = record({s.id: {"type": "number", "minimum": 0.1, "maximum": 10} for s in spec.slices})
    objective = record(
        {
            "saving_target_ratio": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "saving_weight": {"type": "number", "minimum": 0, "maximum": 10},
            "slice_weights": weights,
            "hold_slas": {"type": "boolean"},
            "window": window,
        }
    )
    constraint = record(
        {
            "kpi": {"enum": list(KPIS)},
            "scope": scope,
            "comparator": {"enum": list(SIDES)},
            "bound": {"type": "number", "minimum": 0, "maximum": 1e7},
            "window": window,
            "max_violation_probability": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        },
        "kpi", "scope", "comparator", "bound",
    )  # fmt: skip
    limit = record(
        {
            "scope": scope,
            "min_share": ratio,
            "max_share": ratio,
            "max_change": ratio,
            "resource": {"enum": [r for r in RESOURCES if r]},
            "window": window,
        },
        "scope",
    )
    surge = record(
        {"scope": scope, "factor": {"type": "number", "exclusiveMinimum": 0, "maximum": 100}, "window": window},
        "scope",
        "factor",
    )
    links = [link.id for link in spec.transport.links]
    work = record(
        {"link": {"enum": links} if links else False, "capacity_factor": ratio, "window": window}, "link", "capacity_factor"
    )

    def many(item: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "maxItems": _MAX_ITEMS, "items": item}

    context = record({"surges": many(surge), "maintenance": many(work), "event": {"type": "string", "maxLength": 128}})
    schema = record(
        {
            "objective": objective,
            "constraints": many(constraint),
            "limits": many(limit),
            "context": context,
            "window": window,
            "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        }
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Intent", **schema}


def to_plain(intent: intent_pb2.IntentSpec, spec: NetworkSpec) -> dict[str, Any]:
    """The plain form of a checked intent."""
    out: dict[str, Any] = {}
    if intent.HasField("objective"):
        goal = intent.objective
        out["objective"] = {n: getattr(goal, n) for n in ("saving_target_ratio", "saving_weight") if goal.HasField(n)}
        if goal.slice_weights:
            out["objective"]["slice_weights"] = {w.slice: w.weight for w in goal.slice_weights}
        if goal.hold_slas:
            out["objective"]["hold_slas"] = True
        _put_window(out["objective"], goal)
    kpis, sides = ({v: k for k, v in table.items()} for table in (KPIS, SIDES))
    for c in intent.constraints:
        item = {"kpi": kpis[c.kpi], "scope": _plain_scope(c.scope, spec), "comparator": sides[c.comparator], "bound": c.bound}
        if c.HasField("max_violation_probability"):
            item["max_violation_probability"] = c.max_violation_probability
        out.setdefault("constraints", []).append(_put_window(item, c))
    resources = {v: k for k, v in RESOURCES.items()}
    for limit in intent.limits:
        item = {"scope": _plain_scope(limit.scope, spec)}
        item |= {n: getattr(limit, n) for n in ("min_share", "max_share", "max_change") if limit.HasField(n)}
        if limit.resource:
            item["resource"] = resources[limit.resource]
        out.setdefault("limits", []).append(_put_window(item, limit))
    context: dict[str, Any] = {}
    for surge in intent.context.surges:
        item = {"scope": _plain_scope(surge.scope, spec), "factor": surge.factor}
        context.setdefault("surges", []).append(_put_window(item, surge))
    for work in intent.context.maintenance:
        item = {"link": spec.transport.links[work.link_index].id, "capacity_factor": work.capacity_factor}
        context.setdefault("maintenance", []).append(_put_window(item, work))
    if intent.context.event:
        context["event"] = intent.context.event
    if context:
        out["context"] = context
    _put_window(out, intent)
    if intent.priority != DEFAULT_PRIORITY:
        out["priority"] = intent.priority
    return out


def from_plain(
    data: Mapping[str, Any], spec: NetworkSpec, source: intent_pb2.IntentSource, text: str = ""
) -> intent_pb2.IntentSpec:
    """An IntentSpec from the plain form, not yet checked for sense (`validate.problems` does).

    Raises InvalidInputError naming the field where it is not of that form or names what the network has not.
    """
    reader = _Reader(spec)
    intent = intent_pb2.IntentSpec(
        area_id=spec.area_id, spec_digest=spec.digest(), source=source, text=clean(text, 2000).text, priority=DEFAULT_PRIORITY
    )
    body = reader.record(data, "intent", FIELDS)
    if "objective" in body:
        goal = reader.record(
            body["objective"], "objective", ("saving_target_ratio", "saving_weight", "slice_weights", "hold_slas", "window")
        )
        intent.objective.SetInParent()
        for name in ("saving_target_ratio", "saving_weight"):
            if name in goal:
                setattr(intent.objective, name, reader.number(goal[name], f"objective.{name}"))
        weights = goal.get("slice_weights", {})
        if not isinstance(weights, Mapping):
            raise InvalidInputError(f"objective.slice_weights: {type(weights).__name__}, expected an object")
        for entry in spec.slices:
            if entry.id in weights:
                value = reader.number(weights[entry.id], f"objective.slice_weights.{entry.id}")
                intent.objective.slice_weights.add(slice=entry.id, weight=value)
        for name in weights:
            reader.index(name, "slice", "objective.slice_weights")
        if not isinstance(goal.get("hold_slas", False), bool):
            raise InvalidInputError("objective.hold_slas: expected true or false")
        intent.objective.hold_slas = goal.get("hold_slas", False)
        reader.window(intent.objective, goal, "objective")
    for i, entry in reader.items(body, "constraints"):
        field = f"constraints[{i}]"
        item = reader.record(entry, field, ("kpi", "scope", "comparator", "bound", "window", "max_violation_probability"))
        made = intent.constraints.add(
            kpi=reader.choice(item, "kpi", KPIS, field),
            comparator=reader.choice(item, "comparator", SIDES, field),
            bound=reader.number(item.get("bound"), f"{field}.bound"),
            scope=reader.scope(item, field),
        )
        if "max_violation_probability" in item:
            made.max_violation_probability = reader.number(
                item["max_violation_probability"], f"{field}.max_violation_probability"
            )
        reader.window(made, item, field)
    for i, entry in reader.items(body, "limits"):
        field = f"limits[{i}]"
        item = reader.record(entry, field, ("scope", "min_share", "max_share", "max_change", "resource", "window"))
        resource = (
            reader.choice(item, "resource", RESOURCES, field) if item.get("resource") else intent_pb2.RESOURCE_UNSPECIFIED
        )
        limit = intent.limits.add(scope=reader.scope(item, field), resource=resource)
        for name in ("min_share", "max_share", "max_change"):
            if name in item:
                setattr(limit, name, reader.number(item[name], f"{field}.{name}"))
        reader.window(limit, item, field)
    if "context" in body:
        _context(reader, body["context"], intent)
    reader.window(intent, body, "intent")
    if "priority" in body:
        priority = body["priority"]
        if not isinstance(priority, int) or isinstance(priority, bool) or not 1 <= priority <= 5:
            raise InvalidInputError(f"priority: {shown(str(priority), 40)} is not 1 to 5")
        intent.priority = priority
    hoist(intent)
    intent.intent_id = content_id(intent)
    return intent


def _context(reader: _Reader, data: Any, intent: intent_pb2.IntentSpec) -> None:
    body = reader.record(data, "context", ("surges", "maintenance", "event"))
    for i, entry in reader.items(body, "surges"):
        field = f"context.surges[{i}]"
        item = reader.record(entry, field, ("scope", "factor", "window"))
        surge = intent.context.surges.add(
            scope=reader.scope(item, field), factor=reader.number(item.get("factor"), f"{field}.factor")
        )
        reader.window(surge, item, field)
    for i, entry in reader.items(body, "maintenance"):
        field = f"context.maintenance[{i}]"
        item = reader.record(entry, field, ("link", "capacity_factor", "window"))
        work = intent.context.maintenance.add(
            link_index=reader.index(item.get("link"), "link", f"{field}.link"),
            capacity_factor=reader.number(item.get("capacity_factor"), f"{field}.capacity_factor"),
        )
        reader.window(work, item, field)
    event = body.get("event", "")
    if not isinstance(event, str):
        raise InvalidInputError("context.event: expected text")
    if event:
        intent.context.event = clean(event, 128).text


class _Reader:
    """Reads the plain form; every error names its field."""

    def __init__(self, spec: NetworkSpec) -> None:
        self._index = {
            "slice": {s.id: i for i, s in enumerate(spec.slices)},
            "zone": {z.id: i for i, z in enumerate(spec.zones)},
            "cell": {c.id: i for i, c in enumerate(spec.cells)},
            "link": {link.id: i for i, link in enumerate(spec.transport.links)},
        }

    def record(self, data: Any, field: str, known: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(data, Mapping):
            raise InvalidInputError(f"{field}: {type(data).__name__}, expected an object")
        for name in data:
            if name not in known:
                raise InvalidInputError(f"{field}: unknown property {shown(str(name), 60)}; known are {', '.join(known)}")
        return data

    def items(self, body: Mapping[str, Any], name: str) -> list[tuple[int, Any]]:
        found = body.get(name, [])
        if not isinstance(found, list) or len(found) > _MAX_ITEMS:
            raise InvalidInputError(f"{name}: expected a list of at most {_MAX_ITEMS}")
        return list(enumerate(found))

    def number(self, value: Any, field: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
            raise InvalidInputError(f"{field}: {shown(str(value), 40)} is not a number")
        return float(value)

    def choice(self, item: Mapping[str, Any], name: str, table: Mapping[str, Any], field: str) -> Any:
        value = item.get(name)
        if not isinstance(value, str) or value not in table:
            known = ", ".join(k for k in table if k)
            raise InvalidInputError(f"{field}.{name}: {shown(str(value), 40)} is none of {known}")
        return table[value]

    def index(self, value: Any, kind: str, field: str) -> int:
        if not isinstance(value, str) or value not in self._index[kind]:
            raise InvalidInputError(f"{field}: {shown(str(value), 64)} is no {kind} of the network")
        return self._index[kind][value]

    def scope(self, item: Mapping[str, Any], field: str) -> intent_pb2.Scope:
        body = self.record(item.get("scope"), f"{field}.scope", ("slices", "zone", "cells", "links"))
        lists = {}
        for name in ("slices", "cells", "links"):
            found = body.get(name, [])
            if not isinstance(found, list):
                raise InvalidInputError(f"{field}.scope.{name}: expected a list")
            lists[name] = sorted({self.index(v, name[:-1], f"{field}.scope.{name}") for v in found})
        zone = body.get("zone", "")
        if zone:
            self.index(zone, "zone", f"{field}.scope.zone")
        ids = list(self._index["slice"])
        return intent_pb2.Scope(slices=[ids[i] for i in lists["slices"]], zone=zone, cells=lists["cells"], links=lists["links"])

    def window(self, message: Any, item: Mapping[str, Any], field: str) -> None:
        if "window" not in item:
            return
        body = self.record(item["window"], f"{field}.window", ("start", "end", "occasion"))
        message.window.SetInParent()
        for name in ("start", "end"):
            if name in body:
                getattr(message.window, name).FromDatetime(self._moment(body[name], f"{field}.window.{name}"))
        if "occasion" in body:
            message.window.occasion = self.choice(body, "occasion", OCCASIONS, f"{field}.window")

    def _moment(self, value: Any, field: str) -> dt.datetime:
        try:
            moment = dt.datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise InvalidInputError(f"{field}: {shown(str(value), 40)} is no ISO 8601 time") from None
        if moment.tzinfo is None:
            raise InvalidInputError(f"{field}: {shown(str(value), 40)} has no time zone")
        return moment.astimezone(dt.UTC)


def _plain_scope(scope: intent_pb2.Scope, spec: NetworkSpec) -> dict[str, Any]:
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


def _put_window(out: dict[str, Any], message: Any) -> dict[str, Any]:
    if message.HasField("window"):
        window: dict[str, Any] = {}
        for name in ("start", "end"):
            if message.window.HasField(name):
                window[name] = getattr(message.window, name).ToDatetime(dt.UTC).isoformat()
        if message.window.occasion:
            window["occasion"] = {v: k for k, v in OCCASIONS.items()}[message.window.occasion]
        out["window"] = window
    return out
