"""What a text about a decision may say: its numbers with units and what they are about, and the names that hold digits.

Everything comes out of the explanation's fields and the network spec; nothing is computed here that the explanation does not
state, but for differences of two values that stand side by side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from twm.api.explain.v1 import explain_pb2
from twm.core.network import NetworkSpec
from twm.gateway.explain.margins import check_unit
from twm.gateway.explain.rounding import INTERVAL_RATIO, UNITS, change_unit, kpi_unit
from twm.gateway.explain.template import MOST_FAILED, MOST_INTENTS

PHRASES = ("p99", "worst quarter", "99th percentile", "one of", "no one", "this one", "that one", "the one", "one another")
"""Words of the trade that hold a number and say no amount."""


@dataclass(frozen=True)
class Fact:
    """One number that may be cited."""

    name: str
    """Where it stands, e.g. "outlooks.proposed.scm_mean"."""
    value: float
    unit: str
    """One of twm.gateway.explain.rounding.UNITS."""
    about: frozenset[str] = frozenset()
    """Slices, zones, cells or links it speaks of; empty: of the whole."""
    is_change: bool = False
    """A difference: its sign must be told, by a sign or in words."""


@dataclass(frozen=True)
class Facts:
    """All that may be cited."""

    numbers: tuple[Fact, ...]
    names: frozenset[str]
    """Ids, origins, versions: may stand in a text as they are."""
    subjects: frozenset[str]
    """Names of slices, zones, cells and links: a number in a sentence with such names must be about one of them."""
    quotes: tuple[str, ...] = ()
    """Longer texts that may be repeated word for word (the guardrail's messages)."""
    times: frozenset[str] = frozenset()
    """Dates and times of day, ISO 8601."""


def facts_of(found: explain_pb2.Explanation, spec: NetworkSpec, *, times: Iterable[str] = ()) -> Facts:
    """The facts of an explanation."""
    numbers = tuple(fact for fact in _numbers(found) if math.isfinite(fact.value) and fact.unit in UNITS)
    subjects = {e.id for group in (spec.slices, spec.zones, spec.cells, spec.transport.links) for e in group}
    names = set(subjects) | {found.proposal_id, found.area_id, spec.name, f"slot {found.step}"}
    names |= {o.origin for o in found.outlooks if o.origin}
    names |= {c.name for c in found.checks} | {t.quantity for t in found.turns} | {f.kpi for f in found.forecasts}
    quotes = tuple(t for t in (found.fallback_reason.rstrip("."), *(c.message for c in found.checks), *found.intents) if t)
    return Facts(numbers, frozenset(n for n in names if n), frozenset(subjects), quotes, frozenset(times))


def _numbers(found: explain_pb2.Explanation) -> Iterator[Fact]:
    yield Fact("step", found.step, "step")
    yield Fact("next_step", found.step + 1, "step")
    yield Fact("horizon_steps", found.horizon_steps, "steps")
    yield Fact("interval", INTERVAL_RATIO, "ratio")
    failed = sum(not check.passed for check in found.checks)
    yield Fact("failed_checks", failed, "count")
    yield Fact("failed_checks_besides", max(failed - 1, 0), "count")
    yield Fact("failed_checks_not_told", max(failed - MOST_FAILED, 0), "count")
    yield Fact("intents_not_told", max(len(found.intents) - MOST_INTENTS, 0), "count")
    for i, move in enumerate(found.moves):
        about = frozenset(filter(None, (move.slice, move.scope)))
        yield Fact(f"moves.{i}.before", move.before_share, "share", about)
        yield Fact(f"moves.{i}.after", move.after_share, "share", about)
        yield Fact(f"moves.{i}.change", move.after_share - move.before_share, "points", about, True)
    for forecast in found.forecasts:
        yield from _of_forecast(forecast)
    for outlook in found.outlooks:
        yield from _of_outlook(outlook)
    yield from _comparisons({o.policy: o for o in found.outlooks})
    if found.HasField("binding"):
        yield from _of_binding(found.binding)
    for check in found.checks:
        yield from _of_check(check)
    yield from _of_confidence(found.confidence)
    for i, turn in enumerate(found.turns):
        yield Fact(f"turns.{i}.now", turn.now, turn.unit)
        yield Fact(f"turns.{i}.turning_point", turn.turning_point, turn.unit)
        yield Fact(f"turns.{i}.change", turn.turning_point - turn.now, change_unit(turn.unit), is_change=True)


def _of_forecast(forecast: explain_pb2.KpiForecast) -> Iterator[Fact]:
    unit, about = kpi_unit(forecast.kpi), frozenset((forecast.slice,))
    if forecast.HasField("bound"):
        yield Fact(f"forecasts.{forecast.slice}.{forecast.kpi}.bound", forecast.bound, unit, about)
    for policy in ("proposed", "running", "runner_up", "change_from_running", "change_from_runner_up"):
        if not forecast.HasField(policy):
            continue
        change = policy.startswith("change")
        name = f"forecasts.{forecast.slice}.{forecast.kpi}.{policy}"
        yield from _of_interval(name, getattr(forecast, policy), change_unit(unit) if change else unit, about, change)


def _of_interval(
    name: str, interval: explain_pb2.Interval, unit: str, about: frozenset[str], change: bool = False
) -> Iterator[Fact]:
    yield Fact(f"{name}.median", interval.median, unit, about, change)
    if interval.HasField("low") and interval.HasField("high"):
        yield Fact(f"{name}.low", interval.low, unit, about, change)
        yield Fact(f"{name}.high", interval.high, unit, about, change)


_OUTLOOK_UNITS = {
    "scm_mean": "scm",
    "scm_cvar": "scm",
    "violation_probability": "probability",
    "saving_ratio": "ratio",
    "twin_scm": "scm",
    "twin_violation_ratio": "ratio",
    "score": "score",
}


def _of_outlook(outlook: explain_pb2.PolicyOutlook) -> Iterator[Fact]:
    for field, unit in _OUTLOOK_UNITS.items():
        if outlook.HasField(field):
            yield Fact(f"outlooks.{outlook.policy}.{field}", getattr(outlook, field), unit)
    for entry, value in sorted(outlook.slice_violation_probability.items()):
        yield Fact(f"outlooks.{outlook.policy}.violation.{entry}", value, "probability", frozenset((entry,)))


def _comparisons(outlooks: dict[str, explain_pb2.PolicyOutlook]) -> Iterator[Fact]:
    proposed = outlooks.get("proposed")
    for name in ("running", "runner_up"):
        other = outlooks.get(name)
        if proposed is None or other is None:
            continue
        for field, unit in _OUTLOOK_UNITS.items():
            if proposed.HasField(field) and other.HasField(field):
                change = getattr(proposed, field) - getattr(other, field)
                yield Fact(f"outlooks.change_from_{name}.{field}", change, change_unit(unit), is_change=True)


def _of_binding(binding: explain_pb2.Binding) -> Iterator[Fact]:
    unit, about = kpi_unit(binding.kpi), frozenset((binding.slice,))
    yield from _of_interval("binding.value", binding.value, unit, about)
    yield Fact("binding.bound", binding.bound, unit, about)
    # "29 % inside its bound": the word tells the side, so the size alone is the fact.
    yield Fact("binding.margin", abs(binding.margin_ratio), "ratio", about)
    if binding.HasField("pessimistic_margin_ratio"):
        yield Fact("binding.pessimistic_margin", abs(binding.pessimistic_margin_ratio), "ratio", about)


def _of_check(check: explain_pb2.CheckMargin) -> Iterator[Fact]:
    unit = check_unit(check.name)
    if check.HasField("value"):
        yield Fact(f"checks.{check.name}.value", check.value, unit)
    if check.HasField("bound"):
        yield Fact(f"checks.{check.name}.bound", check.bound, unit)
    if check.HasField("value") and check.HasField("bound"):
        yield Fact(f"checks.{check.name}.distance", abs(check.bound - check.value), change_unit(unit))


def _of_confidence(sure: explain_pb2.Confidence) -> Iterator[Fact]:
    for field, unit in (
        ("violation_probability", "probability"),
        ("scm_cvar", "scm"),
        ("disagreement", "scm"),
        ("ood_score", "ood"),
        ("twin_violation_ratio", "ratio"),
    ):
        if sure.HasField(field):
            yield Fact(f"confidence.{field}", getattr(sure, field), unit)
    if sure.HasField("twin_scm_difference"):
        yield Fact("confidence.twin_scm_difference", sure.twin_scm_difference, "scm", is_change=True)
    for kpi, value in sorted(sure.coverage_ratio.items()):
        yield Fact(f"confidence.coverage.{kpi}", value, "ratio")


def name_pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Finds any of `names` as whole tokens, the longest first, whatever the case."""
    ordered = sorted((n for n in names if n), key=lambda n: (-len(n), n))
    if not ordered:
        return re.compile(r"(?!)")
    return re.compile(r"(?<![\w.-])(?:" + "|".join(map(re.escape, ordered)) + r")(?![\w-]|\.\w)", re.IGNORECASE)
