"""GET /v1/traces/{step}: how a decision came about, as the audit log has it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path
from pydantic import Field

from twm.core.streams import StreamNames, Streams
from twm.gateway.access import VIEWER, require
from twm.gateway.audit import written_text
from twm.gateway.rest_models import Answer
from twm.gateway.trace.find import find_trace, trace_fields

Step = Annotated[int, Path(ge=0, le=2**63 - 1, description="Slow step.")]


class TraceView(Answer):
    """A decision's planning trace. `twm replay-decision` repeats it."""

    sequence: int = Field(description="Number of the audit record.")
    written: str
    hash: str
    proposal_id: str
    step: int
    proposal_sha256: str
    steps: list[dict[str, Any]] = Field(description="What was read, asked and got, by digest; `same`: as in shared_inputs.")
    shared_inputs: dict[str, str]
    gate: dict[str, Any] = Field(description="What the guardrail looked at, and the digest of its verdict.")
    text: dict[str, Any] | None = Field(description="Digests of explanation and text; null: none was made.")
    repeatable: bool = Field(description="Whether the decision can be run again.")


def router(streams: Streams, names: StreamNames) -> APIRouter:
    """The route."""
    routes = APIRouter(dependencies=[Depends(require(VIEWER))])

    @routes.get("/v1/traces/{step}")
    async def trace_of(step: Step) -> TraceView:
        """The planning trace of a step's decision."""
        record = await find_trace(streams, names, step)
        if record is None:
            raise HTTPException(404, f"step {step}: no trace in the audit stream (trimmed, or never there)")
        fields = trace_fields(record)
        kept = ("proposal_id", "step", "proposal_sha256", "steps", "shared_inputs", "gate", "text")
        return TraceView(
            sequence=record.sequence,
            written=written_text(record),
            hash=record.hash,
            repeatable=fields.get("tape") is not None,
            **{name: fields[name] for name in kept},
        )

    return routes
