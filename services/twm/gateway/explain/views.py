"""Explanations as answers of the REST API."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.json_format import MessageToDict
from pydantic import Field

from twm.api.explain.v1 import explain_pb2
from twm.api.policy.v1 import policy_pb2
from twm.gateway.rest_models import Answer, Page

_PREFIXES = {
    "decision": "DECISION_",
    "text_source": "TEXT_SOURCE_",
    "resource": "RESOURCE_",
    "span": "SPAN_",
    "handling": "HANDLING_",
}


class ExplanationView(Answer):
    """Why a verdict is what it is. Fields and units as in twm.api.explain.v1; absent numbers are left out."""

    proposal_id: str
    step: int
    decision: str
    handling: str = Field(description="What became of an accepted policy: shadow, pending, enforced, stopped; or unspecified.")
    source: str
    headline: str = Field(description="One sentence.")
    text: str = Field(description="What, why, which limits, how sure, what would change it: one line each.")
    text_source: str = Field(description="template or model; every number of a model's text was found in the numbers below.")
    text_findings: list[str] = Field(description="Why a model's text was not taken.")
    horizon_steps: int
    moves: list[dict[str, Any]]
    forecasts: list[dict[str, Any]]
    outlooks: list[dict[str, Any]]
    binding: dict[str, Any] | None = Field(description="SLA term nearest its bound; null: nothing predicted or bounded.")
    checks: list[dict[str, Any]] = Field(description="Failed checks, then the nearest of those that held.")
    confidence: dict[str, Any]
    turns: list[dict[str, Any]] = Field(description="What would change the decision, smallest relative change first.")
    fallback_reason: str


class ExplanationPage(Page):
    """Explanations."""

    items: list[ExplanationView]


def explanation_view(found: explain_pb2.Explanation) -> ExplanationView:
    """An explanation."""
    fields = _plain(MessageToDict(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
    return ExplanationView(
        **{name: fields[name] for name in ("proposal_id", "source", "headline", "text", "text_findings", "fallback_reason")},
        **{name: fields[name] for name in ("moves", "forecasts", "outlooks", "checks", "turns")},
        step=found.step,
        decision=policy_pb2.Decision.Name(found.decision).removeprefix("DECISION_").lower(),
        handling=policy_pb2.Handling.Name(found.handling).removeprefix("HANDLING_").lower(),
        text_source=explain_pb2.TextSource.Name(found.text_source).removeprefix("TEXT_SOURCE_").lower(),
        horizon_steps=found.horizon_steps,
        binding=fields.get("binding"),
        confidence=fields.get("confidence", {}),
    )


def _plain(value: Any, name: str = "") -> Any:
    """Enum names in lower case without their prefix; numbers that are not finite as null."""
    if isinstance(value, dict):
        return {key: _plain(entry, key) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry, name) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return None
    prefix = _PREFIXES.get(name)
    if prefix is not None and isinstance(value, str):
        return value.removeprefix(prefix).lower()
    return value
