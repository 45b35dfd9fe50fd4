"""POST /v1/assistant: a question about the network, answered by the model with the read-only tools, checked and audited."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from twm.core.errors import InvalidInputError
from twm.gateway.access import VIEWER, Principal, require
from twm.gateway.language.client import ModelClient
from twm.gateway.screening.intents import signs_in_intent
from twm.gateway.tools.agent import MAX_TASK, Ended, run_agent
from twm.gateway.tools.routes import Places
from twm.gateway.tools.session import SessionLimits, ToolDeps, ToolSession

MAX_AGENTS = 1
LIMITS = SessionLimits(max_calls=12, budget_s=60.0)


class TaskRequest(BaseModel):
    """What is to be found out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(min_length=1, max_length=MAX_TASK, description="Question in words.")


class AnswerView(BaseModel):
    """What the model found."""

    text: str = Field(description="Its answer; empty where it has none or a number in it is in no tool's answer.")
    ended: Ended
    findings: list[str] = Field(description="Why a text is withheld.")
    step: int = Field(description="Slow step of the newest frame: the moment the answer speaks of.")
    turns: int
    calls: int
    model: str


def router(deps: ToolDeps, client: ModelClient) -> APIRouter:
    """The route; only where a model is configured."""
    routes = APIRouter(tags=["tools"])
    places = Places(MAX_AGENTS)

    @routes.post("/v1/assistant")
    async def assistant(request: TaskRequest, principal: Annotated[Principal, Depends(require(VIEWER))]) -> AnswerView:
        """Let the model look into it: at most 12 tool calls and 60 s. It can change nothing."""
        if signs_in_intent(request.task):
            raise InvalidInputError("task: reads like instructions to the system, or hides characters")
        async with places.take():
            session = await ToolSession.open(deps, principal.subject, "assistant", LIMITS)
            outcome = await run_agent(client, session, request.task)
        return AnswerView(
            text=outcome.text,
            ended=outcome.ended,
            findings=list(outcome.findings),
            step=session.state.step,
            turns=outcome.turns,
            calls=outcome.calls,
            model=client.name,
        )

    return routes
