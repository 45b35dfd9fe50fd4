"""The tools over REST: what there is, one call, the fixed pipeline. Each request is one session and one audit record.

Agents reach them here or through the MCP server (`twm mcp`), which asks these routes: the same roles, limits and audit for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path
from pydantic import BaseModel, Field

from twm.core.errors import RateLimitError
from twm.gateway.access import VIEWER, Principal, require
from twm.gateway.tools.agent import run_pipeline
from twm.gateway.tools.declarations import TOOLS, find_tool
from twm.gateway.tools.session import SessionLimits, ToolAnswer, ToolDeps, ToolSession

MAX_SESSIONS = 2
"""At once: a rollout and a twin call each take what the planner may need."""
ONE_CALL = SessionLimits(max_calls=1, budget_s=8.0)
PIPELINE = SessionLimits(max_calls=8, budget_s=20.0)

ToolName = Annotated[str, Path(max_length=64, description="Name of the tool.")]
Caller = Annotated[Principal, Depends(require(VIEWER))]


class ToolView(BaseModel):
    """A tool."""

    name: str
    description: str
    arguments: dict[str, Any] = Field(description="JSON schema of the arguments.")


class ToolAnswerView(BaseModel):
    """What a tool said. An error of the tool is an answer too."""

    ok: bool
    step: int = Field(description="Slow step of the newest frame: the moment the answer speaks of.")
    answer: dict[str, Any] = Field(description='The answer, or {"error": why not}.')


class PipelineView(BaseModel):
    """What every tool said of one moment."""

    step: int
    answers: dict[str, Any] = Field(description="Answers by tool.")


class Places:
    """So many sessions at once."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Raises RateLimitError where all are taken: nobody waits in a queue that cannot be seen."""
        if self._free.locked():
            raise RateLimitError(f"tools: {MAX_SESSIONS} sessions are being answered; again in a second", retry_after_s=1.0)
        async with self._free:
            yield


def router(deps: ToolDeps) -> APIRouter:
    """GET /v1/tools, POST /v1/tools/{name}, POST /v1/tools-pipeline."""
    routes = APIRouter(tags=["tools"])
    places = Places(MAX_SESSIONS)

    @routes.get("/v1/tools")
    async def tools(_: Caller) -> list[ToolView]:
        """The tools and their arguments."""
        return [ToolView(name=t.name, description=t.description, arguments=t.schema()) for t in TOOLS]

    @routes.post("/v1/tools/{name}")
    async def call(
        name: ToolName,
        who: Caller,
        arguments: Annotated[dict[str, Any] | None, Body(description="Arguments of the tool.")] = None,
    ) -> ToolAnswerView:
        """Ask one tool. Nothing but the audit log is written."""
        tool = find_tool(name)
        async with places.take():
            session = await ToolSession.open(deps, who.subject, f"tool {tool.name}", ONE_CALL)
            answer = await session.call(tool.name, arguments or {})
            await session.close(ended="answer", source="caller")
        return ToolAnswerView(ok=answer.ok, step=session.state.step, answer=_content(answer))

    @routes.post("/v1/tools-pipeline")
    async def pipeline(who: Caller) -> PipelineView:
        """Ask every tool the same questions in the same order: no model needed."""
        async with places.take():
            session = await ToolSession.open(deps, who.subject, "pipeline", PIPELINE)
            found = await run_pipeline(session)
        return PipelineView(step=session.state.step, answers={name: json.loads(text) for name, text in found.items()})

    return routes


def _content(answer: ToolAnswer) -> dict[str, Any]:
    return dict(json.loads(answer.text))
