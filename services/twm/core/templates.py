"""Parameterised templates for corner cases: their names, their parameters, and the offer by which others may fill them.

A template is the only thing that a language model may say about shares, and it says it in parameters: a name, a place of the
network, a strength, a duration. What comes of that is computed by the planner (twm.planner.corner) and must pass its gate.
The offer is JSON in a key of Redis with a deadline; it is checked here, field by field, and never believed beyond that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twm.core.errors import DecodeError, InvalidInputError
from twm.core.network import NetworkSpec

TemplateName = Literal["boost_zone", "urllc_floor", "shed_embb", "reroute", "freeze"]
ScopeKind = Literal["area", "zone", "cell", "link"]
TEMPLATE_NAMES: tuple[TemplateName, ...] = get_args(TemplateName)
OFFER_KEY = "corner-offer"
"""Name of the key (StreamNames.key) that holds the newest offer."""
MAX_OFFER_BYTES = 8192
MAX_OFFERED = 4
MAX_OFFER_AGE_STEPS = 2
"""An offer answers a frame; this many slow steps after it, it is of no use."""
AMOUNT_MAX: Mapping[TemplateName, float] = {
    "boost_zone": 0.3,
    "urllc_floor": 0.4,
    "shed_embb": 0.5,
    "reroute": 0.4,
    "freeze": 0.0,
}
"""Largest strength: share of a cell that is added (boost_zone), headroom over the expected load (urllc_floor, reroute), part of
the need that is taken (shed_embb)."""
AMOUNT_STEP = 0.05
SCOPES: Mapping[TemplateName, tuple[ScopeKind, ...]] = {
    "boost_zone": ("zone", "cell"),
    "urllc_floor": ("area", "zone", "cell"),
    "shed_embb": ("area", "zone", "cell"),
    "reroute": ("link",),
    "freeze": ("area",),
}
"""What each may be about."""


@dataclass(frozen=True, kw_only=True)
class TemplateCall:
    """One filled template."""

    name: TemplateName
    scope_kind: ScopeKind = "area"
    scope: str = ""
    """Id of the zone, cell or link; empty: the whole area."""
    amount: float = 0.0
    """See AMOUNT_MAX."""
    steps: int = 1
    """Slow steps it holds for; after them the plan it was put on goes on. The planner takes the next one: what follows is
    decided again, with an offer of its own."""


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    name: TemplateName
    scope: str = Field(default="", max_length=128)
    amount: float = Field(default=0.0, ge=0.0, le=1.0)
    steps: int = Field(default=1, ge=1, le=256)


class _Offer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    version: Literal[1]
    area: str = Field(min_length=1, max_length=64)
    step: int = Field(ge=0, lt=2**62)
    deadline_s: float = Field(ge=0)
    templates: tuple[_Parameters, ...] = Field(min_length=1, max_length=MAX_OFFERED, strict=False)


@dataclass(frozen=True, kw_only=True)
class TemplateOffer:
    """Template parameters that somebody offers for the frame of `step`."""

    step: int
    deadline_s: float
    """Wall time after which it is ignored, Unix [s]."""
    calls: tuple[TemplateCall, ...]

    def to_bytes(self, area_id: str) -> bytes:
        """The key's value."""
        templates = [{"name": c.name, "scope": c.scope, "amount": c.amount, "steps": c.steps} for c in self.calls]
        said = {"version": 1, "area": area_id, "step": self.step, "deadline_s": self.deadline_s, "templates": templates}
        return json.dumps(said, separators=(",", ":")).encode()


def read_offer(data: bytes, spec: NetworkSpec) -> TemplateOffer:
    """Check an offer. Raises DecodeError where it is no JSON of this form, InvalidInputError naming field, value and bound."""
    if len(data) > MAX_OFFER_BYTES:
        raise InvalidInputError(f"offer: {len(data)} bytes, at most {MAX_OFFER_BYTES}", reason="too_large")
    try:
        said = _Offer.model_validate(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"offer: {_first(error)}") from error
    if said.area != spec.area_id:
        raise InvalidInputError(f"offer.area: {said.area!a}, this is {spec.area_id!a}")
    return TemplateOffer(step=said.step, deadline_s=said.deadline_s, calls=tuple(_checked(one, spec) for one in said.templates))


def read_parameters(said: Mapping[str, Any], spec: NetworkSpec) -> TemplateCall:
    """Check the parameters of one template. Raises InvalidInputError naming field, value and bound."""
    try:
        parameters = _Parameters.model_validate(dict(said))
    except ValidationError as error:
        raise InvalidInputError(f"template: {_first(error)}") from error
    return _checked(parameters, spec)


def parameters_schema(spec: NetworkSpec, most: int = MAX_OFFERED) -> dict[str, Any]:
    """JSON schema of what a language model may answer: `{"templates": [...]}`, at most `most`, with names of this network only.

    Amounts are listed: servers hold decoding to a list of values, but not all of them to a range of numbers.
    """
    zones, cells = [z.id for z in spec.zones], [c.id for c in spec.cells]
    links = [link.id for link in spec.transport.links]
    by_kind = {"area": [""], "zone": zones, "cell": cells, "link": links}
    each = []
    for name in TEMPLATE_NAMES:
        scopes = [scope for kind in SCOPES[name] for scope in by_kind[kind]]
        amounts = round(AMOUNT_MAX[name] / AMOUNT_STEP)
        if scopes:
            each.append(
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "scope", "amount", "steps"],
                    "properties": {
                        "name": {"const": name},
                        "scope": {"enum": scopes},
                        "amount": {"enum": [round(AMOUNT_STEP * i, 2) for i in range(1, amounts + 1)] or [0]},
                        "steps": {"type": "integer", "minimum": 1, "maximum": spec.timing.horizon_steps},
                    },
                }
            )
    templates = {"type": "array", "minItems": 1, "maxItems": most, "items": {"anyOf": each}}
    return {"type": "object", "additionalProperties": False, "required": ["templates"], "properties": {"templates": templates}}


def _checked(said: _Parameters, spec: NetworkSpec) -> TemplateCall:
    kind = _kind_of(said.scope, spec)
    if kind is None:
        raise InvalidInputError(f"template.scope: {said.scope[:64]!a} is no zone, cell or link of {spec.area_id}")
    if kind not in SCOPES[said.name]:
        raise InvalidInputError(f"template.scope: {said.name} is about a {' or '.join(SCOPES[said.name])}, not a {kind}")
    if said.amount > AMOUNT_MAX[said.name]:
        raise InvalidInputError(f"template.amount: {said.name} {said.amount:g}, at most {AMOUNT_MAX[said.name]:g}")
    if said.steps > spec.timing.horizon_steps:
        raise InvalidInputError(f"template.steps: {said.steps}, at most {spec.timing.horizon_steps}")
    return TemplateCall(name=said.name, scope_kind=kind, scope=said.scope, amount=said.amount, steps=said.steps)


def _kind_of(scope: str, spec: NetworkSpec) -> ScopeKind | None:
    if not scope:
        return "area"
    if any(zone.id == scope for zone in spec.zones):
        return "zone"
    if any(cell.id == scope for cell in spec.cells):
        return "cell"
    return "link" if any(link.id == scope for link in spec.transport.links) else None


def _first(error: Exception) -> str:
    """What is wrong, without the text that came from outside."""
    if isinstance(error, ValidationError):
        one = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(str(part) for part in one['loc'])[:100]!a}: {one['type']}"
    return type(error).__name__
