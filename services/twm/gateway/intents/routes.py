"""POST /v1/intents/compile, POST and GET /v1/intents, GET and DELETE /v1/intents/{id}, GET /v1/intents/schema."""

from __future__ import annotations

import asyncio
import datetime as dt
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, HTTPException, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.text import shown
from twm.gateway.access import OPERATOR, VIEWER, Principal, require
from twm.gateway.intents.compiler import Compiler
from twm.gateway.intents.plain import json_schema, to_plain
from twm.gateway.intents.standing import NewestProposal, PlanStanding, standing_of
from twm.gateway.intents.store import IntentStore, Stand
from twm.gateway.intents.structured import compile_structured
from twm.gateway.intents.tokens import MAX_CHARACTERS
from twm.gateway.intents.told import told

IntentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="Intent id.")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IntentRequest(_Model):
    """An intent: words, or a structured one."""

    text: str | None = Field(default=None, min_length=1, max_length=MAX_CHARACTERS, description="Words.")
    structured: dict[str, Any] | None = Field(
        default=None, description="Plain form (GET /v1/intents/schema), TMF921 targets or characteristics, or a QoS object."
    )
    timezone: str | None = Field(
        default=None, max_length=64, description="IANA time zone that times are said in; left out: the gateway's."
    )


class ActivateRequest(IntentRequest):
    """An intent to compile and activate."""

    intent_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="Id of the caller's; left out: from the content.",
    )


class QuestionView(BaseModel):
    """What must be answered first."""

    code: str
    field: str
    text: str
    choices: list[str]


class ReadingView(BaseModel):
    """What one compiler reads where two differ; sent back as `structured`, it is what was meant."""

    source: str
    intent: dict[str, Any]
    told: list[str]


class CompileView(BaseModel):
    """What was understood, or what is unclear."""

    intent_id: str | None = Field(description="Null where there are questions.")
    intent: dict[str, Any] | None = Field(description="Plain form; null where there are questions.")
    told: list[str] = Field(description="The same in words.")
    questions: list[QuestionView]
    compiler: str
    agreement: str
    readings: list[ReadingView] = Field(default=[], description="Where two compilers differ: what each reads, to choose from.")


class ConstraintStanding(BaseModel):
    """How the newest plan stands to one KPI constraint."""

    index: int = Field(description="In `intent.constraints`.")
    met: bool
    violation_probability: float
    accepted_probability: float
    running_violation_probability: float | None = Field(description="As things run now; null: not evaluated.")
    predicted: float | None = Field(description="Median, in the KPI's unit; null: not predicted.")
    predicted_low: float | None = Field(description="5 % quantile.")
    predicted_high: float | None = Field(description="95 % quantile.")
    reachable_bound: float | None = Field(description="Best bound that a plan holds with the accepted probability.")
    basis: str = Field(description="World model, queueing (mean-field queues of a part of the network), twin.")
    reason: str


class ObjectiveStanding(BaseModel):
    """How the newest plan stands to a saving, and to the SLAs where they were said to hold."""

    met: bool
    wanted_ratio: float = Field(description="Control saving wanted; 0: none was named.")
    saving_ratio: float
    hold_slas: bool
    any_violation_probability: float | None
    reachable_saving_ratio: float | None = Field(description="Largest saving of a plan that holds the SLAs.")
    reason: str


class StandingView(BaseModel):
    """How the newest plan stands to the intent."""

    step: int
    created: str
    met: bool | None = Field(description="Null: nothing of it is a matter of prediction within the planned steps.")
    told: list[str] = Field(description="In words.")
    constraints: list[ConstraintStanding]
    objectives: list[ObjectiveStanding]
    questions: list[QuestionView] = Field(description="What no plan reaches, with the nearest feasible offer.")


class IntentView(BaseModel):
    """An intent and its state."""

    intent_id: str
    state: str
    subject: str
    changed: str
    expires: str | None
    priority: int
    source: str
    text: str
    intent: dict[str, Any] = Field(description="Plain form; empty where it was compiled against another network spec.")
    told: list[str]
    plan: StandingView | None = Field(default=None, description="Null: no plan was made for it yet.")


class ActivationView(BaseModel):
    """What activating led to."""

    activated: bool
    intent: IntentView | None
    questions: list[QuestionView]
    readings: list[ReadingView] = Field(default=[], description="As in CompileView.")


class IntentList(BaseModel):
    """Active intents."""

    version: int
    items: list[IntentView]


class SecondOpinion(Protocol):
    """Asked about what the compiler made of words (`twm.gateway.language.opinion`)."""

    async def on(
        self, first: intent_pb2.CompileResult, text: str, spec: NetworkSpec, now: dt.datetime
    ) -> intent_pb2.CompileResult:
        """The answer of both together. Bounded in time; never raises for what the other did wrong."""
        ...


@dataclass(frozen=True, kw_only=True)
class IntentDeps:
    """What the routes need."""

    spec: NetworkSpec
    compiler: Compiler
    store: IntentStore
    clock: Callable[[], float]
    """Unix [s]."""
    timezone: dt.tzinfo = dt.UTC
    plans: NewestProposal | None = None
    """The newest proposal of the area; None: nobody plans for intents."""
    second: SecondOpinion | None = None
    """Asked after the compiler about words, never about structured intents; None: nobody."""


def router(deps: IntentDeps) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    async def compiled(request: IntentRequest) -> intent_pb2.CompileResult:
        now = dt.datetime.fromtimestamp(deps.clock(), _zone(request.timezone, deps.timezone))
        if (request.text is None) == (request.structured is None):
            raise InvalidInputError("text, structured: exactly one of them is needed")
        if request.text is None:
            return await asyncio.to_thread(compile_structured, request.structured, deps.spec, now)
        first = await asyncio.to_thread(deps.compiler.compile, request.text, deps.spec, now)
        return first if deps.second is None else await deps.second.on(first, request.text, deps.spec, now)

    def readings(result: intent_pb2.CompileResult, zone: dt.tzinfo) -> list[ReadingView]:
        return [
            ReadingView(source=_source(found), intent=to_plain(found, deps.spec), told=told(found, deps.spec, zone))
            for found in result.readings
        ]

    def view(stand: Stand) -> IntentView:
        return _intent_view(stand, deps)

    @routes.post("/v1/intents/compile", dependencies=[Depends(require(VIEWER))])
    async def compile_intent(request: IntentRequest) -> CompileView:
        """Compile without any effect."""
        result = await compiled(request)
        zone = _zone(request.timezone, deps.timezone)
        agreement = intent_pb2.Agreement.Name(result.agreement).removeprefix("AGREEMENT_").lower()
        if result.HasField("questions"):
            return CompileView(
                intent_id=None,
                intent=None,
                told=[],
                questions=_questions(result.questions.items),
                compiler=result.compiler,
                agreement=agreement,
                readings=readings(result, zone),
            )
        return CompileView(
            intent_id=result.spec.intent_id,
            intent=to_plain(result.spec, deps.spec),
            told=told(result.spec, deps.spec, zone),
            questions=[],
            compiler=result.compiler,
            agreement=agreement,
        )

    @routes.post("/v1/intents", status_code=201)
    async def activate(
        request: ActivateRequest, response: Response, principal: Annotated[Principal, Depends(require(OPERATOR))]
    ) -> ActivationView:
        """Compile and activate. 201 activated; 200 it was active already; 422 with `questions` where something is unclear."""
        result = await compiled(request)
        if result.HasField("questions"):
            response.status_code = 422
            found = readings(result, _zone(request.timezone, deps.timezone))
            return ActivationView(activated=False, intent=None, questions=_questions(result.questions.items), readings=found)
        if request.intent_id is not None:
            result.spec.intent_id = request.intent_id
        outcome = await deps.store.activate(result.spec, principal.subject)
        if outcome.stand is None:
            response.status_code = 422
            return ActivationView(activated=False, intent=None, questions=_questions(outcome.questions))
        if not outcome.fresh:
            response.status_code = 200
        return ActivationView(activated=True, intent=view(outcome.stand), questions=[])

    @routes.get("/v1/intents", dependencies=[Depends(require(VIEWER))])
    async def intents() -> IntentList:
        """Active intents, in order of activation."""
        active = await deps.store.active()
        items = [view(Stand(e.spec, "active", e.subject, e.activated.ToNanoseconds() / 1e9)) for e in active.intents]
        return IntentList(version=active.version, items=items)

    @routes.get("/v1/intents/schema", dependencies=[Depends(require(VIEWER))])
    async def schema() -> dict[str, Any]:
        """JSON schema of the plain form for this network."""
        return json_schema(deps.spec)

    @routes.get("/v1/intents/{intent_id}", dependencies=[Depends(require(VIEWER))])
    async def intent_of(intent_id: IntentId) -> IntentView:
        """One intent, active or not."""
        stand = await deps.store.find(intent_id)
        if stand is None:
            raise HTTPException(404, f"intent_id: {shown(intent_id)} is not known")
        plan = await deps.plans() if deps.plans is not None and stand.state == "active" else None
        return _intent_view(stand, deps, standing_of(stand.spec, plan, deps.spec))

    @routes.delete("/v1/intents/{intent_id}")
    async def withdraw(intent_id: IntentId, principal: Annotated[Principal, Depends(require(OPERATOR))]) -> IntentView:
        """Take an intent back."""
        stand = await deps.store.withdraw(intent_id, principal.subject)
        if stand is None:
            raise HTTPException(404, f"intent_id: {shown(intent_id)} is not active")
        return view(stand)

    return routes


def _zone(name: str | None, default: dt.tzinfo) -> dt.tzinfo:
    if name is None:
        return default
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError(f"timezone: {shown(name)} is no IANA time zone") from error


def _questions(found: Any) -> list[QuestionView]:
    return [QuestionView(code=q.code, field=q.field, text=q.text, choices=list(q.choices)) for q in found]


def _source(intent: intent_pb2.IntentSpec) -> str:
    return intent_pb2.IntentSource.Name(intent.source).removeprefix("INTENT_SOURCE_").lower()


def _standing_view(found: PlanStanding) -> StandingView:
    return StandingView(
        step=found.step,
        created=found.created,
        met=found.met,
        told=list(found.lines),
        constraints=[
            ConstraintStanding(
                index=o.constraint_index,
                met=o.met,
                violation_probability=o.violation_probability,
                accepted_probability=o.accepted_probability,
                basis=o.basis,
                reason=o.reason,
                **{
                    name: getattr(o, name) if o.HasField(name) else None
                    for name in (
                        "running_violation_probability",
                        "predicted",
                        "predicted_low",
                        "predicted_high",
                        "reachable_bound",
                    )
                },
            )
            for o in found.constraints
        ],
        objectives=[
            ObjectiveStanding(
                met=o.met,
                wanted_ratio=o.wanted_ratio,
                saving_ratio=o.saving_ratio,
                hold_slas=o.hold_slas,
                reason=o.reason,
                any_violation_probability=o.any_violation_probability if o.HasField("any_violation_probability") else None,
                reachable_saving_ratio=o.reachable_saving_ratio if o.HasField("reachable_saving_ratio") else None,
            )
            for o in found.objectives
        ],
        questions=_questions(found.questions),
    )


def _intent_view(stand: Stand, deps: IntentDeps, plan: PlanStanding | None = None) -> IntentView:
    intent = stand.spec
    current = intent.spec_digest == deps.spec.digest()
    return IntentView(
        intent_id=intent.intent_id,
        state=stand.state,
        subject=stand.subject,
        changed=dt.datetime.fromtimestamp(stand.changed_s, dt.UTC).isoformat(),
        expires=intent.expires.ToDatetime(dt.UTC).isoformat() if intent.HasField("expires") else None,
        priority=intent.priority,
        source=_source(intent),
        text=intent.text,
        intent=to_plain(intent, deps.spec) if current else {},
        told=told(intent, deps.spec, deps.timezone) if current else [],
        plan=None if plan is None else _standing_view(plan),
    )
