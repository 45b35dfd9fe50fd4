"""GET /v1/console/...: bounded reads for the page, computed from the streams; and GET /v1/console/events, the live stream."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams
from twm.core.text import shown
from twm.gateway.access import APPROVER, OPERATOR, VIEWER, Principal, require
from twm.gateway.console import decisions as views
from twm.gateway.console import models
from twm.gateway.console.atlas import map_view, models_view
from twm.gateway.console.forecast import Forecaster
from twm.gateway.console.history import frame_tail
from twm.gateway.console.layers import layers_of
from twm.gateway.console.live import Live, Pulse
from twm.gateway.console.now import Overview
from twm.gateway.console.series import Outlook, field_view, outlook_of, series_view
from twm.gateway.console.tail import Tail
from twm.gateway.console.trail import audit_tail
from twm.gateway.explain.routes import explanation_step, parse
from twm.gateway.modes.desk import Desk
from twm.gateway.rest import Gateway
from twm.gateway.scorer import proposal_step, verdict_step
from twm.gateway.step_search import find_step

GZIP_MIN_BYTES = 2048
GZIP_LEVEL = 5

Step = Annotated[int, Path(ge=0, le=2**63 - 1, description="Slow step.")]
After = Annotated[int, Query(ge=-1, le=2**63 - 1, description="Only steps after it; -1: all that are kept.")]
Viewer = Annotated[Principal, Depends(require(VIEWER))]


@dataclass(frozen=True, kw_only=True)
class ConsoleDeps:
    """What the views read."""

    spec: NetworkSpec
    streams: Streams
    names: StreamNames
    desk: Desk
    gateway: Gateway
    clock: Callable[[], float]
    """Unix [s]."""
    inference_target: str
    zoo: FilePath
    development: bool
    """No authentication."""
    max_streams: int
    stop: asyncio.Event


class Console:
    """The console's views of one gateway."""

    def __init__(self, deps: ConsoleDeps) -> None:
        self._deps = deps
        streams, names, spec = deps.streams, deps.names, deps.spec
        self._layers = {layer.id: layer for layer in layers_of(spec)}
        self._map = map_view(spec, tuple(self._layers.values()))
        self._frames = frame_tail(streams, names, spec)
        self._proposals = Tail(streams, names.proposals, 1, lambda entry: outlook_of(entry, spec))
        self._verdicts: Tail[policy_pb2.Verdict] = Tail(streams, names.verdicts, views.MAX_ROWS, views.verdict_of)
        self._outlooks = Tail(streams, names.explanations, views.MAX_ROWS, views.outlook_of)
        self._forecaster = Forecaster(streams, names, spec, deps.inference_target, deps.clock)
        self._overview = Overview(deps.spec, streams, names, deps.gateway, deps.clock, self._frames, self._verdicts)
        self._live = Live(Pulse(streams, names), deps.max_streams, deps.stop)

    async def run(self) -> None:
        """Close what was opened once the process stops."""
        await self._deps.stop.wait()
        await self._forecaster.close()

    async def _newest(self) -> tuple[int, Outlook] | None:
        """The newest proposal that can be read."""
        rows = await self._proposals.rows()
        return rows[-1] if rows else None

    def routes(self) -> APIRouter:
        """The routes; all need a viewer."""
        deps, spec = self._deps, self._deps.spec
        routes = APIRouter(prefix="/v1/console", dependencies=[Depends(require(VIEWER))])

        @routes.get("/session")
        async def session(principal: Viewer) -> models.SessionView:
            """Who is looking, and what they may do."""
            return models.SessionView(
                subject=principal.subject,
                role="none" if principal.role is None else principal.role.word,
                may_operate=principal.may(OPERATOR),
                may_approve=principal.may(APPROVER),
                development=deps.development,
                area_id=spec.area_id,
                network=spec.name,
                slow_step_s=spec.timing.slow_step_s,
                horizon_steps=spec.timing.horizon_steps,
            )

        @routes.get("/now")
        async def now() -> models.NowView:
            """The status line."""
            return await self._overview.now()

        @routes.get("/map", response_model=models.MapView)
        async def network_map(request: Request) -> Response:
            """Cells, zones, links, slices and layers; does not change while the gateway runs."""
            return packed(request, self._map)

        @routes.get("/series", response_model=models.SeriesView)
        async def series(request: Request, after: After = -1) -> Response:
            """Slice KPIs of the last hour, and the fans of the newest proposal."""
            rows = [(step, row) for step, row in await self._frames.rows() if step > after]
            return packed(request, series_view(rows, await self._newest()))

        @routes.get("/field", response_model=models.FieldView)
        async def field(
            request: Request,
            layer: Annotated[str, Query(max_length=32, description="Layer id, from /v1/console/map.")] = "load",
            after: After = -1,
        ) -> Response:
            """A layer over the last hour, and its forecast."""
            chosen = self._layers.get(layer)
            if chosen is None:
                raise HTTPException(404, f"layer: {shown(layer, 32)} is none of {', '.join(self._layers)}")
            rows = await self._frames.rows()
            forecast = await self._forecaster.newest(rows[-1][0] if rows else -1)
            kept = [(step, row) for step, row in rows if step > after]
            return packed(request, field_view(chosen, kept, forecast, spec))

        @routes.get("/decisions", response_model=models.DecisionList)
        async def decisions(
            request: Request, limit: Annotated[int, Query(ge=1, le=views.MAX_ROWS, description="Most rows.")] = 60
        ) -> Response:
            """The newest decisions, newest first."""
            verdicts, outlooks = dict(await self._verdicts.rows()), dict(await self._outlooks.rows())
            waiting = views.approvals_by_step(await deps.desk.approvals())
            steps = sorted({*verdicts, *waiting}, reverse=True)[:limit]
            items = [views.row(verdicts.get(s), outlooks.get(s), waiting.get(s), s, spec) for s in steps]
            return packed(request, models.DecisionList(items=items))

        @routes.get("/decisions/{step}", response_model=models.DecisionDetail)
        async def decision(request: Request, step: Step) -> Response:
            """All about one decision."""
            streams, names = deps.streams, deps.names
            entry = await find_step(streams, names.proposals, step, proposal_step)
            if entry is None:
                raise HTTPException(404, f"step {step}: none in proposals (trimmed, or never there)")
            proposal = planning_pb2.Proposal.FromString(entry.payload)
            judged = await find_step(streams, names.verdicts, step, verdict_step)
            verdict = None if judged is None else policy_pb2.Verdict.FromString(judged.payload)
            told = await find_step(streams, names.explanations, step, explanation_step)
            explanation = None if told is None else parse(told.payload)
            waiting = views.approvals_by_step(await deps.desk.approvals()).get(step)
            return packed(request, views.detail(proposal, verdict, explanation, waiting, spec))

        @routes.get("/audit", response_model=models.AuditTail)
        async def audit(
            request: Request,
            limit: Annotated[int, Query(ge=1, le=100, description="Most records in the answer.")] = 50,
            before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Only records before it.")] = None,
            kind: Annotated[str, Query(pattern=r"^[a-z_]{0,32}$", description="Kind of record; empty: all.")] = "",
        ) -> Response:
            """Audit records, read backwards from the newest."""
            return packed(request, await audit_tail(deps.streams, deps.names, limit=limit, before=before, kind=kind))

        @routes.get("/models", response_model=models.ModelsView)
        async def cards(request: Request) -> Response:
            """Model cards of the zoo; those the newest proposal names first."""
            newest = await self._newest()
            in_use = frozenset() if newest is None else newest[1].models
            return packed(request, await asyncio.to_thread(models_view, deps.zoo, spec, in_use))

        @routes.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
        async def events(last_event_id: Annotated[str | None, Header(max_length=512)] = None) -> StreamingResponse:
            """Server-sent events: `news` names what has changed since the event id given, `trouble` that Redis is away."""
            self._live.check_room()
            return StreamingResponse(
                self._live.events(last_event_id), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
            )

        return routes


def packed(request: Request, view: BaseModel) -> Response:
    """The view as JSON, compressed where that is worth it and taken."""
    body = view.model_dump_json().encode()
    headers = {"Vary": "Accept-Encoding"}
    if len(body) >= GZIP_MIN_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, 200, headers, "application/json")
