"""GET /v1/explanations and /v1/explanations/{step}: reads only; a model's text only where one is asked for and configured."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.explain.v1 import explain_pb2
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams
from twm.gateway.access import VIEWER, require
from twm.gateway.explain.facts import facts_of
from twm.gateway.explain.text import TextWriter, told_by
from twm.gateway.explain.views import ExplanationPage, ExplanationView, explanation_view
from twm.gateway.step_search import find_step

MAX_PAGE = 100
TEXT_TIMEOUT_S = 10.0

Step = Annotated[int, Path(ge=0, le=2**63 - 1, description="Slow step.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most entries in the answer.")]
After = Annotated[
    str | None,
    Query(pattern=r"^\d{1,19}-\d{1,19}$", description="Cursor: entries written after it. Left out: the newest entries."),
]
Text = Annotated[
    Literal["template", "model"],
    Query(description="model: told by the language model where one is configured and every number it writes holds."),
]


def router(
    streams: Streams,
    names: StreamNames,
    spec: NetworkSpec,
    writer: TextWriter | None = None,
    *,
    timeout_s: float = TEXT_TIMEOUT_S,
) -> APIRouter:
    """The routes. `writer`: a language model's texts; None: the template's only."""
    routes = APIRouter(dependencies=[Depends(require(VIEWER))])

    @routes.get("/v1/explanations")
    async def explanations(limit: Limit = 20, after: After = None) -> ExplanationPage:
        """Explanations, oldest first."""
        stream = names.explanations
        entries = await (streams.last(stream, limit) if after is None else streams.range(stream, after=after, count=limit))
        found = [message for entry in entries if (message := parse(entry.payload)) is not None]
        return ExplanationPage(items=[explanation_view(m) for m in found], next=entries[-1].id if entries else after)

    @routes.get("/v1/explanations/{step}")
    async def explanation_of(step: Step, text: Text = "template") -> ExplanationView:
        """Why the verdict on a step's proposal is what it is."""
        entry = await find_step(streams, names.explanations, step, explanation_step)
        found = None if entry is None else parse(entry.payload)
        if found is None:
            raise HTTPException(404, f"step {step}: none in explanations (trimmed, or never there)")
        if text == "model" and writer is not None:
            found = await told_by(writer, found, facts_of(found, spec), timeout_s=timeout_s)
        return explanation_view(found)

    return routes


def parse(payload: bytes) -> explain_pb2.Explanation | None:
    """The explanation; None where another writer has put something else there."""
    try:
        return explain_pb2.Explanation.FromString(payload)
    except (ProtobufDecodeError, UnicodeDecodeError):
        return None


def explanation_step(payload: bytes) -> int | None:
    """Slow step of a payload; None where it is not readable."""
    found = parse(payload)
    return None if found is None else found.step
