"""How far each guardrail check was from its bound. Which side of it is allowed follows from the numbers themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable

from twm.api.explain.v1 import explain_pb2
from twm.api.policy.v1 import policy_pb2

STRUCTURAL = frozenset(
    (
        "schema",
        "proposal_id",
        "spec_digest",
        "source",
        "effective",
        "freshness",
        "clock",
        "lag",
        "step_order",
        "sizes",
        "finite",
        "simplex",
        "floors",
        "prb_quantisation",
        "models",
        "change_frequency",
        "ttl",
        "conflict",
        "intent_limits",
        "action_scope",
        "oscillation",
    )
)
"""Checks of form and time: at their bound in good order (rows sum to 1), so nearness says nothing. They count when failed."""
MOST_NEAR = 5


def margin_of(check: policy_pb2.Check) -> explain_pb2.CheckMargin:
    """The check with its margin in units of the larger of |value| and |bound|."""
    found = explain_pb2.CheckMargin(name=check.name, passed=check.passed, message=check.message)
    if check.HasField("value"):
        found.value = check.value
    if check.HasField("bound"):
        found.bound = check.bound
    if check.HasField("value") and check.HasField("bound") and math.isfinite(check.value) and math.isfinite(check.bound):
        distance, scale = abs(check.bound - check.value), max(abs(check.bound), abs(check.value))
        if scale > 0:
            found.margin_ratio = distance / scale if check.passed else -distance / scale
        else:
            found.margin_ratio = 0.0
    return found


def margins_of(checks: Iterable[policy_pb2.Check]) -> list[explain_pb2.CheckMargin]:
    """The failed ones in the guardrail's order, then the nearest of those that held (form and time left out)."""
    every = [margin_of(check) for check in checks]
    failed = [entry for entry in every if not entry.passed]
    near = [e for e in every if e.passed and e.HasField("margin_ratio") and e.name not in STRUCTURAL]
    return (failed + sorted(near, key=lambda e: e.margin_ratio)[:MOST_NEAR])[:64]


UNITS = {
    "effective": "s",
    "freshness": "s",
    "clock": "s",
    "lag": "steps",
    "step_order": "step",
    "change_frequency": "count",
    "ttl": "steps",
    "action_scope": "points",
    "conflict": "points",
    "intent_limits": "points",
    "simplex": "share",
    "floors": "points",
    "rate_from_running": "points",
    "rate_from_accepted": "points",
    "rate_within_policy": "points",
    "prb_quantisation": "number",
    "predicted_scm": "scm",
    "do_no_harm": "scm",
    "any_violation_probability": "probability",
    "slice_violation_probability": "probability",
    "disagreement": "scm",
    "scm_cvar": "scm",
    "ood_score": "ood",
    "twin_verification": "probability",
}
"""Unit of a check's numbers (twm.gateway.explain.rounding); what is not named is a bare number."""


def check_unit(name: str) -> str:
    """Unit of a check's value and bound."""
    return UNITS.get(name, "number")
