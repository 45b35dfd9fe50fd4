"""Operator REST API: JSON only, errors as application/problem+json (RFC 9457), OpenAPI at /openapi.json.

Every route of /v1 needs a role (twm.gateway.access); the routes in here only read.
"""

from __future__ import annotations

import asyncio
import http
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from google.protobuf.message import DecodeError as ProtobufDecodeError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException as StarletteHTTPException

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import (
    AuditError,
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    RateLimitError,
    TwmError,
    UnavailableError,
)
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.streams import GROUP_GATEWAY, GROUP_SCORER, Entry, StreamNames, Streams
from twm.core.text import clean, shown
from twm.gateway import rest_models as models
from twm.gateway import rest_views as views
from twm.gateway.a1 import POLICY_TYPES, policy_schema
from twm.gateway.access import VIEWER, Access, require
from twm.gateway.access.middleware import BodyLimit, Headers
from twm.gateway.audit import from_payload
from twm.gateway.audit_stream import verify_stream
from twm.gateway.drift_watch import DriftWatch
from twm.gateway.scorer import frame_step, policy_step, proposal_step
from twm.gateway.step_search import StepOf, find_step

MAX_PAGE = 100
MAX_SUMMARY = 2000

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most entries in the answer.")]
After = Annotated[
    str | None,
    Query(pattern=r"^\d{1,19}-\d{1,19}$", description="Cursor: entries written after it. Left out: the newest entries."),
]
Step = Annotated[int, Path(ge=0, le=2**63 - 1, description="Slow step.")]
ProblemJson = {"application/problem+json": {"schema": models.Problem.model_json_schema()}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"description": "Nobody knows who is asking.", "content": ProblemJson},
    403: {"description": "Who is asking may not.", "content": ProblemJson},
    404: {"description": "No such thing.", "content": ProblemJson},
    422: {"description": "A parameter breaks its bound.", "content": ProblemJson},
    429: {"description": "Asked too often.", "content": ProblemJson},
    503: {"description": "Redis is away.", "content": ProblemJson},
}

T = TypeVar("T")


class Gateway(Protocol):
    """What the API shows of the process."""

    @property
    def alive(self) -> bool:
        """The event loop turns."""
        ...

    @property
    def ready(self) -> bool:
        """Workers run and Redis answers."""
        ...

    async def status(self) -> models.Status:
        """The gateway at a glance."""
        ...


def build_app(
    streams: Streams, names: StreamNames, spec: NetworkSpec, gateway: Gateway, access: Access, routers: Sequence[APIRouter] = ()
) -> FastAPI:
    """The application. `routers`: further routes, each with its own roles."""
    app = FastAPI(
        title="twm gateway",
        version="1",
        description="Frames, proposals, verdicts, policies, scores, modes, approvals and audit trail of one planning area.",
        docs_url=None,
        redoc_url=None,
        responses=RESPONSES,
    )
    app.state.access = access
    app.add_middleware(BodyLimit)
    app.add_middleware(Headers)
    v1 = APIRouter(dependencies=[Depends(require(VIEWER))])
    app.add_exception_handler(StarletteHTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    app.add_exception_handler(TwmError, _twm_problem)
    app.add_exception_handler(Exception, _internal_problem)
    codec = FrameCodec(spec)
    verifying = asyncio.Lock()
    watch = DriftWatch(streams, names, spec)

    def frame(payload: bytes) -> Any:
        return codec.decode(telemetry_pb2.KpiFrame.FromString(payload))

    async def page(stream: str, limit: int, after: str | None, view: Callable[[bytes], T]) -> tuple[list[T], str | None]:
        entries = await (streams.last(stream, limit) if after is None else streams.range(stream, after=after, count=limit))
        found = [item for entry in entries if (item := _read(entry, view)) is not None]
        return found, entries[-1].id if entries else after

    async def one(stream: str, step: int, step_of: StepOf, view: Callable[[bytes], T]) -> T:
        entry = await find_step(streams, stream, step, step_of)
        found = None if entry is None else _read(entry, view)
        if found is None:
            raise HTTPException(404, f"step {step}: none in {stream.rpartition(':')[2]} (trimmed, or never there)")
        return found

    @v1.get("/v1/frames")
    async def frames(limit: Limit = 20, after: After = None) -> models.FramePage:
        """KPI frames in short."""
        items, cursor = await page(names.frames, limit, after, lambda data: views.frame_summary(frame(data), spec))
        return models.FramePage(items=items, next=cursor)

    @v1.get("/v1/frames/{step}")
    async def frame_of(step: Step) -> models.FrameDetail:
        """One KPI frame."""
        return await one(names.frames, step, frame_step, lambda data: views.frame_detail(frame(data), spec))

    @v1.get("/v1/proposals")
    async def proposals(limit: Limit = 20, after: After = None) -> models.ProposalPage:
        """Proposals in short."""
        parse = planning_pb2.Proposal.FromString
        items, cursor = await page(names.proposals, limit, after, lambda data: views.proposal_summary(parse(data)))
        return models.ProposalPage(items=items, next=cursor)

    @v1.get("/v1/proposals/{step}")
    async def proposal_of(step: Step) -> models.ProposalDetail:
        """One proposal with its trace."""
        parse = planning_pb2.Proposal.FromString
        return await one(names.proposals, step, proposal_step, lambda data: views.proposal_detail(parse(data), spec))

    @v1.get("/v1/verdicts")
    async def verdicts(limit: Limit = 20, after: After = None) -> models.VerdictPage:
        """Verdicts with every check."""
        parse = policy_pb2.Verdict.FromString
        items, cursor = await page(names.verdicts, limit, after, lambda data: views.verdict_view(parse(data)))
        return models.VerdictPage(items=items, next=cursor)

    @v1.get("/v1/policies")
    async def policies(limit: Limit = 20, after: After = None) -> models.PolicyPage:
        """Shadow policies in A1 form."""
        parse = policy_pb2.SlicePolicy.FromString
        items, cursor = await page(names.policies, limit, after, lambda data: views.policy_view(parse(data)))
        return models.PolicyPage(items=items, next=cursor)

    @v1.get("/v1/policies/{step}")
    async def policy_of(step: Step) -> models.PolicyView:
        """The A1 policies of one step's proposal."""
        parse = policy_pb2.SlicePolicy.FromString
        return await one(names.policies, step, policy_step, lambda data: views.policy_view(parse(data)))

    @v1.get("/v1/policy-types")
    async def policy_types() -> list[str]:
        """The A1 policy types in use."""
        return list(POLICY_TYPES)

    @v1.get("/v1/policy-types/{policy_type_id}")
    async def policy_type(policy_type_id: str) -> dict[str, Any]:
        """JSON schema of a policy type."""
        if policy_type_id not in POLICY_TYPES:
            raise HTTPException(404, f"policy_type_id: {shown(policy_type_id, 128)} is none of {', '.join(POLICY_TYPES)}")
        return policy_schema(policy_type_id)

    @v1.get("/v1/scores")
    async def scores(limit: Limit = 20, after: After = None) -> models.ScorePage:
        """Shadow scores."""
        parse = policy_pb2.ShadowScore.FromString
        items, cursor = await page(names.scores, limit, after, lambda data: views.score_view(parse(data)))
        return models.ScorePage(items=items, next=cursor)

    @v1.get("/v1/scores/summary")
    async def scores_summary(
        limit: Annotated[int, Query(ge=1, le=MAX_SUMMARY, description="Newest scores to look at.")] = 1000,
    ) -> models.ScoreSummary:
        """Means over the newest shadow scores."""
        items, _ = await page(names.scores, limit, None, policy_pb2.ShadowScore.FromString)
        return views.score_summary(items)

    @v1.get("/v1/drift")
    async def drift() -> models.DriftView:
        """Whether the network still is what the model knows."""
        return views.drift_view(await watch.status())

    @v1.get("/v1/audit")
    async def audit(limit: Limit = 20, after: After = None) -> models.AuditPage:
        """Audit records."""
        items, cursor = await page(names.audit, limit, after, lambda data: views.audit_view(from_payload(data)))
        return models.AuditPage(items=items, next=cursor)

    @v1.get("/v1/audit/verify")
    async def audit_verify() -> models.AuditCheck:
        """Whether the hash chain in the stream holds; reads all of it."""
        async with verifying:
            try:
                verifier = await verify_stream(streams, names)
            except AuditError as error:
                return models.AuditCheck(ok=False, first_sequence=0, last_sequence=0, head_hash="", problem=str(error))
        return models.AuditCheck(
            ok=True,
            first_sequence=verifier.first_sequence,
            last_sequence=verifier.head.sequence,
            head_hash=verifier.head.hash,
            problem="",
        )

    @v1.get("/v1/network")
    async def network() -> models.NetworkView:
        """The network spec."""
        return models.NetworkView(
            name=spec.name,
            area_id=spec.area_id,
            spec_digest=spec.digest(),
            topology_digest=spec.topology_digest(),
            spec=spec.model_dump(mode="json"),
        )

    @v1.get("/v1/status")
    async def status() -> models.Status:
        """The gateway at a glance."""
        return await gateway.status()

    app.include_router(v1)
    for router in routers:
        app.include_router(router)

    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return _probe("alive", gateway.alive)

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        return _probe("ready", gateway.ready)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


STREAM_GROUPS = (
    ("frames", GROUP_SCORER),
    ("proposals", GROUP_GATEWAY),
    ("verdicts", None),
    ("explanations", None),
    ("policies", None),
    ("scores", None),
    ("audit", None),
)


async def stream_states(streams: Streams, names: StreamNames) -> dict[str, models.StreamState]:
    """Lengths and lags of the streams the gateway reads and writes."""
    found = {}
    for kind, group in STREAM_GROUPS:
        stream = getattr(names, kind)
        waiting, pending = (None, None) if group is None else await streams.lag(stream, group)
        found[kind] = models.StreamState(length=await streams.length(stream), waiting=waiting, pending=pending)
    return found


def _read(entry: Entry, view: Callable[[bytes], T]) -> T | None:
    """The entry as shown; None where another writer has put something unreadable there."""
    try:
        return view(entry.payload)
    except (ProtobufDecodeError, InvalidInputError, AuditError, ValueError):
        return None


def _probe(word: str, good: bool) -> Response:
    return PlainTextResponse(word if good else f"not {word}", 200 if good else 503)


def problem(status: int, detail: str) -> JSONResponse:
    """An RFC 9457 answer."""
    content = models.Problem(title=http.HTTPStatus(status).phrase, status=status, detail=clean(detail, 1000).text).model_dump()
    return JSONResponse(content, status, media_type="application/problem+json")


Handler = Callable[[Request, Exception], Awaitable[Response]]


async def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    found = problem(error.status_code, str(error.detail))
    found.headers.update(error.headers or {})
    return found


async def _validation_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {shown(str(e['input']))})" for e in error.errors()]
    return problem(422, "; ".join(lines))


_STATUS: tuple[tuple[type[TwmError], int], ...] = (
    (UnavailableError, 503),
    (InvalidInputError, 422),
    (AuthenticationError, 401),
    (ForbiddenError, 403),
    (RateLimitError, 429),
    (ConflictError, 409),
)


async def _twm_problem(_: Request, error: Exception) -> Response:
    found = problem(next((status for kind, status in _STATUS if isinstance(error, kind)), 500), str(error))
    if isinstance(error, AuthenticationError):
        found.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RateLimitError):
        found.headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return found


async def _internal_problem(_: Request, error: Exception) -> Response:
    return problem(500, f"internal error: {type(error).__name__}")
