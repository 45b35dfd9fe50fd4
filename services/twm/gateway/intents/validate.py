"""The same checks for every IntentSpec, whoever made it: grammar, language model, structured intent. Pure and deterministic.

`problems` asks about what an operator can answer; `check` raises on what cannot be (wrong area, indices, proto rules).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.text import clean
from twm.core.validation import validate
from twm.gateway.intents.questions import question, quoted, unique

P99, MEAN = intent_pb2.KPI_DELAY_P99_MS, intent_pb2.KPI_DELAY_MEAN_MS
LOSS, THROUGHPUT, UTILISATION = intent_pb2.KPI_LOSS_RATIO, intent_pb2.KPI_THROUGHPUT_MBPS, intent_pb2.KPI_UTILISATION_RATIO
AT_MOST, AT_LEAST = intent_pb2.COMPARATOR_AT_MOST, intent_pb2.COMPARATOR_AT_LEAST
AIR_DELAY_MS = 0.5
"""Least one-way user-plane delay of NR for URLLC (TR 38.913 clause 7.5) [ms]; a spec with a twin says more."""
TWIN_DELAY_MS = 4.0
"""Delay of an idle network in the twin where the spec does not say (twm_twin.parameters.Delay.base_ms) [ms]."""
BITS_PER_HZ = 7.4
"""Largest spectral efficiency of a layer, 256QAM (TS 38.214 table 5.1.3.1-2) [bit/s/Hz]."""
MAX_DAYS_AHEAD = 366
SHARE_TOLERANCE = 1e-6


def base_delay_ms(spec: NetworkSpec) -> float:
    """Delay that no policy can go below [ms]."""
    if not spec.twin:
        return AIR_DELAY_MS
    delay = spec.twin.get("delay")
    value = delay.get("base_ms", TWIN_DELAY_MS) if isinstance(delay, dict) else TWIN_DELAY_MS
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and value >= 0 else TWIN_DELAY_MS


def check(intent: intent_pb2.IntentSpec, spec: NetworkSpec) -> None:
    """Raise InvalidInputError naming the field where the intent breaks the contract or does not belong to the spec."""
    validate(intent)
    if intent.area_id != spec.area_id:
        raise InvalidInputError(f"area_id: {intent.area_id!a} is not {spec.area_id!a}")
    if intent.spec_digest != spec.digest():
        raise InvalidInputError(
            f"spec_digest: {intent.spec_digest[:12]} is not that of the network in use, {spec.digest()[:12]}"
        )
    cells, _, links = spec.sizes
    slices = {s.id for s in spec.slices}
    zones = {z.id for z in spec.zones}
    for field, scope in _scopes(intent):
        for name in scope.slices:
            if name not in slices:
                raise InvalidInputError(f"{field}.slices: {name[:64]!a} is not in the network")
        if scope.zone and scope.zone not in zones:
            raise InvalidInputError(f"{field}.zone: {scope.zone[:64]!a} is not in the network")
        for kind, indices, count in (("cells", scope.cells, cells), ("links", scope.links, links)):
            for index in indices:
                if index >= count:
                    raise InvalidInputError(f"{field}.{kind}: {index} is not below {count}")
    for work in intent.context.maintenance:
        if work.link_index >= links:
            raise InvalidInputError(f"context.maintenance.link_index: {work.link_index} is not below {links}")
    for weight in intent.objective.slice_weights:
        if weight.slice not in slices:
            raise InvalidInputError(f"objective.slice_weights: {weight.slice[:64]!a} is not in the network")
    if clean(intent.text, 2000).text != intent.text:
        raise InvalidInputError("text: not cleaned")


def problems(intent: intent_pb2.IntentSpec, spec: NetworkSpec, now: dt.datetime) -> list[intent_pb2.Question]:
    """What an operator must answer before the intent can hold. `now` is aware."""
    found: list[intent_pb2.Question] = []
    found += _ranges(intent)
    if not found:
        try:
            check(intent, spec)
        except InvalidInputError as error:
            field = str(error).partition(":")[0]
            found.append(question("out_of_range", field, clean(str(error), 900).text))
    found += _windows(intent, now)
    found += _bounds(intent, spec)
    found += _shares(intent, spec)
    return unique(found)


def _scopes(intent: intent_pb2.IntentSpec) -> Iterator[tuple[str, intent_pb2.Scope]]:
    for i, constraint in enumerate(intent.constraints):
        yield f"constraints[{i}].scope", constraint.scope
    for i, limit in enumerate(intent.limits):
        yield f"limits[{i}].scope", limit.scope
    for i, surge in enumerate(intent.context.surges):
        yield f"context.surges[{i}].scope", surge.scope


def _ranges(intent: intent_pb2.IntentSpec) -> Iterable[intent_pb2.Question]:
    """Values outside their range, asked in the operator's terms."""
    for i, constraint in enumerate(intent.constraints):
        value = constraint.bound
        if constraint.kpi in (LOSS, UTILISATION) and not 0 <= value <= 1:
            yield question(
                "out_of_range", f"constraints[{i}].bound", f"{value * 100:g} % is outside 0 to 100 %. Which bound is meant?"
            )
        elif value < 0 or not math.isfinite(value):
            yield question("out_of_range", f"constraints[{i}].bound", f"{value:g} is below 0. Which bound is meant?")
        if constraint.HasField("max_violation_probability") and not 0 < constraint.max_violation_probability < 1:
            text = f"A violation probability of {constraint.max_violation_probability * 100:g} % cannot be promised. Which one?"
            yield question("out_of_range", f"constraints[{i}].max_violation_probability", text, ("1 %", "5 %"))
    for i, limit in enumerate(intent.limits):
        for name in ("min_share", "max_share", "max_change"):
            value = getattr(limit, name)
            if limit.HasField(name) and not 0 <= value <= 1:
                yield question(
                    "out_of_range",
                    f"limits[{i}].{name}",
                    f"A share of {value * 100:g} % is outside 0 to 100 %. Which one is meant?",
                )
    for i, surge in enumerate(intent.context.surges):
        if not 0 < surge.factor <= 100:
            yield question(
                "out_of_range",
                f"context.surges[{i}].factor",
                f"Demand of {surge.factor:g} times the usual is outside 0 to 100. Which one?",
            )
    for i, work in enumerate(intent.context.maintenance):
        if not 0 <= work.capacity_factor <= 1:
            text = f"{work.capacity_factor * 100:g} % of the capacity is outside 0 to 100 %. How much is left?"
            yield question("out_of_range", f"context.maintenance[{i}].capacity_factor", text)
    if intent.objective.HasField("saving_target_ratio") and not 0 < intent.objective.saving_target_ratio < 1:
        text = f"A saving of {intent.objective.saving_target_ratio * 100:g} % is outside 0 to 100 %. Which one?"
        yield question("out_of_range", "objective.saving_target_ratio", text)


def _windows(intent: intent_pb2.IntentSpec, now: dt.datetime) -> Iterable[intent_pb2.Question]:
    holders: list[tuple[str, object]] = [("window", intent), ("objective.window", intent.objective)]
    for field, group in (
        ("constraints", intent.constraints),
        ("limits", intent.limits),
        ("context.surges", intent.context.surges),
        ("context.maintenance", intent.context.maintenance),
    ):
        holders += [(f"{field}[{i}].window", item) for i, item in enumerate(group)]
    moment = now.timestamp()
    for field, holder in holders:
        if not holder.HasField("window"):  # type: ignore[attr-defined]
            continue
        window = holder.window  # type: ignore[attr-defined]
        start = window.start.seconds if window.HasField("start") else None
        end = window.end.seconds if window.HasField("end") else None
        if end is not None and end <= moment:
            yield question("window_past", field, "The window is over. Which one is meant?")
        elif start is not None and end is not None and end <= start:
            yield question("window_empty", field, "The window ends before it begins. From when to when?")
        elif any(m is not None and m > moment + MAX_DAYS_AHEAD * 86400 for m in (start, end)):
            yield question(
                "ambiguous_window", field, f"The window lies more than {MAX_DAYS_AHEAD} days ahead. Which one is meant?"
            )


def _bounds(intent: intent_pb2.IntentSpec, spec: NetworkSpec) -> Iterable[intent_pb2.Question]:
    base, peak = base_delay_ms(spec), peak_rate_mbps(spec)
    for i, c in enumerate(intent.constraints):
        field = f"constraints[{i}].bound"
        if c.kpi in (P99, MEAN) and c.comparator == AT_MOST and c.bound < base:
            text = f"A delay of {c.bound:g} ms cannot be reached: an idle network has {base:g} ms. Which bound above that?"
            yield question("impossible_bound", field, text, (f"{2 * base:g} ms", "as low as possible"))
        if c.kpi == THROUGHPUT and c.comparator == AT_LEAST:
            cells = _cell_count(c.scope, spec)
            if cells and c.bound > peak * cells:
                yield question(
                    "impossible_bound",
                    field,
                    f"{c.bound:g} Mbps is more than {cells} cells can carry ({peak * cells:.0f} Mbps). Which bound?",
                )
        if c.kpi == THROUGHPUT and c.comparator == AT_MOST and c.bound == 0:
            yield question(
                "impossible_bound", field, "No throughput at all: is the slice to be shut off? A policy cannot do that."
            )
    for i, a in enumerate(intent.constraints):
        for j in range(i):
            b = intent.constraints[j]
            if (
                {a.comparator, b.comparator} != {AT_MOST, AT_LEAST}
                or a.kpi != b.kpi
                or not _overlap(a.scope, b.scope, spec)
                or not _meet(a, b, intent)
            ):
                if _twice(a, b):
                    yield question(
                        "clashing_bounds",
                        f"constraints[{i}].bound",
                        f"{b.bound:g} and {a.bound:g} were read for the same thing: which one holds where?",
                        (f"{b.bound:g}", f"{a.bound:g}"),
                    )
                continue
            low, high = (a, b) if a.comparator == AT_LEAST else (b, a)
            if low.bound > high.bound:
                yield question(
                    "clashing_bounds",
                    f"constraints[{i}].bound",
                    f"At least {low.bound:g} and at most {high.bound:g}: which one holds?",
                    (f"at least {low.bound:g}", f"at most {high.bound:g}"),
                )


def peak_rate_mbps(spec: NetworkSpec) -> float:
    """What one cell can carry at the very best [Mbps]."""
    grid = spec.prb_grid
    return grid.prb_count * grid.prb_bandwidth_mhz * grid.layers * BITS_PER_HZ


def _cell_count(scope: intent_pb2.Scope, spec: NetworkSpec) -> int:
    cells = set(_cells(scope, spec))
    return len(cells)


def _cells(scope: intent_pb2.Scope, spec: NetworkSpec) -> set[int]:
    """Cell indices a scope covers; empty where it is about links only."""
    if not scope.zone and not scope.cells:
        return set() if scope.links else set(range(len(spec.cells)))
    index = {c.id: i for i, c in enumerate(spec.cells)}
    members = {index[c] for z in spec.zones if z.id == scope.zone for c in z.cells}
    return members | {c for c in scope.cells if c < len(spec.cells)}


def _links(scope: intent_pb2.Scope, spec: NetworkSpec) -> set[int]:
    if scope.links:
        return {x for x in scope.links if x < len(spec.transport.links)}
    return set() if scope.zone or scope.cells else set(range(len(spec.transport.links)))


def _overlap(a: intent_pb2.Scope, b: intent_pb2.Scope, spec: NetworkSpec) -> bool:
    if a.slices and b.slices and not set(a.slices) & set(b.slices):
        return False
    return bool(_cells(a, spec) & _cells(b, spec)) or bool(_links(a, spec) & _links(b, spec))


def _twice(a: intent_pb2.KpiConstraint, b: intent_pb2.KpiConstraint) -> bool:
    """Whether two parts bound the same from the same side at the same times and as surely, each by another figure."""
    other = intent_pb2.KpiConstraint()
    other.CopyFrom(b)
    other.bound = a.bound
    return a.bound != b.bound and a == other


def _meet(a: object, b: object, intent: intent_pb2.IntentSpec) -> bool:
    """Whether the windows of two parts have a moment in common."""
    spans = []
    for part in (a, b):
        window = part.window if part.HasField("window") else intent.window  # type: ignore[attr-defined]
        start = window.start.seconds if window.HasField("start") else 0
        end = window.end.seconds if window.HasField("end") else 2**62
        spans.append((start, end))
    return spans[0][0] < spans[1][1] and spans[1][0] < spans[0][1]


def _shares(intent: intent_pb2.IntentSpec, spec: NetworkSpec) -> Iterable[intent_pb2.Question]:
    limits = list(intent.limits)
    for i, a in enumerate(limits):
        if a.HasField("min_share") and a.HasField("max_share") and a.min_share > a.max_share + SHARE_TOLERANCE:
            yield _clash(i, a.min_share, a.max_share)
        for b in limits[:i]:
            both = a.HasField("max_change") and b.HasField("max_change") and a.scope == b.scope and _same_resource(a, b)
            if both and a.max_change != b.max_change and _meet(a, b, intent):
                yield question(
                    "clashing_change",
                    f"limits[{i}].max_change",
                    f"Changes of at most {a.max_change * 100:g} and of at most {b.max_change * 100:g} points: which one holds?",
                )
            if not _overlap(a.scope, b.scope, spec) or not _meet(a, b, intent) or not _same_resource(a, b):
                continue
            for low, high in ((a, b), (b, a)):
                if (
                    low.HasField("min_share")
                    and high.HasField("max_share")
                    and low.min_share > high.max_share + SHARE_TOLERANCE
                ):
                    yield _clash(i, low.min_share, high.max_share)
    yield from _floors(intent, spec)


def _same_resource(a: intent_pb2.ActionLimit, b: intent_pb2.ActionLimit) -> bool:
    return not a.resource or not b.resource or a.resource == b.resource


def _clash(i: int, low: float, high: float) -> intent_pb2.Question:
    return question(
        "clashing_bounds",
        f"limits[{i}]",
        f"A least share of {low * 100:g} % and a largest of {high * 100:g} %: which one holds?",
        (f"at least {low * 100:g} %", f"at most {high * 100:g} %"),
    )


def _floors(intent: intent_pb2.IntentSpec, spec: NetworkSpec) -> Iterable[intent_pb2.Question]:
    """Rows whose least shares sum to over 1, and ceilings below what the network spec promises a slice."""
    kinds = ((intent_pb2.RESOURCE_PRB, _cells, "prb_floor"), (intent_pb2.RESOURCE_BANDWIDTH, _links, "bandwidth_floor"))
    for resource, members, floor_name in kinds:
        base = {s.id: max(float(getattr(s, floor_name)), spec.control.share_min) for s in spec.slices}
        for i, limit in enumerate(intent.limits):
            if limit.resource not in (0, resource) or not limit.HasField("max_share") or not members(limit.scope, spec):
                continue
            for slice_id in _slices(limit.scope, spec):
                if limit.max_share < base.get(slice_id, 0.0) - SHARE_TOLERANCE:
                    yield question(
                        "clashing_bounds",
                        f"limits[{i}].max_share",
                        f"{quoted(slice_id)} has a floor of {base[slice_id] * 100:g} % in the network spec, above "
                        f"{limit.max_share * 100:g} %. Which one holds?",
                        (f"{base[slice_id] * 100:g} %",),
                    )
        windows = [
            x for x in intent.limits if x.HasField("min_share") and x.resource in (0, resource) and members(x.scope, spec)
        ]
        for row in _rows(windows, members, spec):
            together = _at_once([limit for limit in windows if row in members(limit.scope, spec)], intent)
            for group in together:
                floors = dict(base)
                for limit in group:
                    for slice_id in _slices(limit.scope, spec):
                        floors[slice_id] = max(floors.get(slice_id, 0.0), limit.min_share)
                total = sum(floors.values())
                if total > 1 + SHARE_TOLERANCE:
                    place = spec.cells[row].id if resource == intent_pb2.RESOURCE_PRB else spec.transport.links[row].id
                    yield question(
                        "clashing_shares",
                        "limits",
                        f"The least shares in {quoted(place)} sum to {total * 100:.0f} %, with the floors of the network spec. "
                        "Which one gives way?",
                        [f"{s}: {v * 100:g} %" for s, v in floors.items()],
                    )
                    return


def _rows(limits: Sequence[intent_pb2.ActionLimit], members: object, spec: NetworkSpec) -> list[int]:
    rows: set[int] = set()
    for limit in limits:
        rows |= members(limit.scope, spec)  # type: ignore[operator]
    return sorted(rows)


def _at_once(limits: Sequence[intent_pb2.ActionLimit], intent: intent_pb2.IntentSpec) -> list[list[intent_pb2.ActionLimit]]:
    """Groups of limits that hold at one moment: those that meet each limit."""
    return [[b for b in limits if b is a or _meet(a, b, intent)] for a in limits]


def _slices(scope: intent_pb2.Scope, spec: NetworkSpec) -> list[str]:
    return list(scope.slices) or [s.id for s in spec.slices]


def conflicts(
    intent: intent_pb2.IntentSpec, active: Sequence[intent_pb2.IntentSpec], spec: NetworkSpec, now: dt.datetime
) -> list[intent_pb2.Question]:
    """What cannot hold together with intents that are active already. The intents themselves are not judged again."""
    merged = intent_pb2.IntentSpec()
    for one in (*active, intent):
        for constraint in one.constraints:
            _adopt(merged.constraints.add(), constraint, one)
        for limit in one.limits:
            _adopt(merged.limits.add(), limit, one)
    alone = {(q.code, q.text) for one in (*active, intent) for q in (*_bounds(one, spec), *_shares(one, spec))}
    found = [*_bounds(merged, spec), *_shares(merged, spec)]
    return unique(
        [
            question(q.code, "", f"Together with the active intents: {q.text}", q.choices)
            for q in found
            if (q.code, q.text) not in alone
        ]
    )


def _adopt(copy: Any, item: Any, owner: intent_pb2.IntentSpec) -> None:
    copy.CopyFrom(item)
    if not copy.HasField("window") and owner.HasField("window"):
        copy.window.CopyFrom(owner.window)
