"""GET /v1/deliveries, and the callbacks of A1 terminations."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from twm.core import metrics
from twm.core.clock import Clock
from twm.core.errors import DecodeError, RateLimitError
from twm.gateway.access import VIEWER, require
from twm.gateway.access.limits import Buckets
from twm.gateway.delivery.answers import MAX_STATUS_BYTES, read_json, read_status
from twm.gateway.delivery.loop import Delivery
from twm.gateway.delivery.record import STATES, Record
from twm.gateway.modes.router import utc_text

CALLBACKS_PER_S, CALLBACK_BURST = 50.0, 500.0
REMOTE_ID = r"^[A-Za-z0-9_.~-]{1,256}$"
RemoteId = Annotated[str, Path(pattern=REMOTE_ID, description="Id at the RIC.")]
Code = Annotated[str, Path(pattern=r"^[0-9a-f]{40}$", description="Code of the callback URL.")]


class DeliveryView(BaseModel):
    """One policy instance at the RIC."""

    policy_type_id: str
    policy_id: str
    remote_id: str = Field(description="Id at the RIC.")
    policy_set_id: str = Field(description="Policy it is part of.")
    state: str = Field(description=f"One of {', '.join(STATES)}.")
    enforced: bool | None = Field(description="What the RIC says; null: nothing yet.")
    enforce_reason: str = Field(description="Why it does not enforce it, A1's word.")
    code: int = Field(description="Last HTTP status; 0: no answer came, or none was asked for.")
    reason: str = Field(description="What came of the last request, e.g. ok, http_503, timeout.")
    detail: str = Field(description="In the RIC's words.")
    attempts: int = Field(description="Failures since the last success.")
    latency_s: float = Field(description="Of the last request [s].")
    changed: str | None = Field(description="When the last request ended.")
    expires: str | None


class DeliveryList(BaseModel):
    """The delivery and a page of its instances."""

    peer: str = Field(description="off, a1p, oransc, pms2 or pms3.")
    to: str = Field(description="Host of the RIC.")
    delivering: bool = Field(description="Some process of the area delivers.")
    open: bool = Field(description="The RIC was reached, and everything needed there was made.")
    problem: str = Field(description="What last went wrong; empty: nothing since it last went well.")
    circuit_open: bool
    reconciled: str | None = Field(description="When the RIC was last compared.")
    kept_alive: str | None = Field(description="When it last took a sign of life; null: never, or it needs none.")
    counts: dict[str, int] = Field(description="Instances by state.")
    items: list[DeliveryView] = Field(description="By id at the RIC.")
    next: str | None = Field(description="Cursor of the page after; null: this is the last.")


def router(delivery: Delivery | None, clock: Clock) -> APIRouter:
    """The routes; without a delivery, GET tells that it is off, and there are no callbacks."""
    routes = APIRouter()

    @routes.get("/v1/deliveries", dependencies=[Depends(require(VIEWER))])
    async def deliveries(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[str | None, Query(pattern=REMOTE_ID, description="Cursor: instances with later ids.")] = None,
        state: Annotated[str | None, Query(pattern="^[a-z_]{1,16}$", description="Only those in this state.")] = None,
    ) -> DeliveryList:
        """What was delivered to the RIC, and how it stands."""
        if delivery is None:
            return DeliveryList(
                peer="off", to="", delivering=False, open=False, problem="", circuit_open=False, reconciled=None,
                kept_alive=None, counts={}, items=[], next=None,
            )  # fmt: skip
        found, held = await delivery.seen()
        chosen = sorted(
            (r for r in held.values() if (after is None or r.remote_id > after) and (state is None or r.state == state)),
            key=lambda r: r.remote_id,
        )
        page = chosen[:limit]
        return DeliveryList(
            peer=delivery.settings.kind,
            to=delivery.settings.shown_url,
            delivering=found.leader and clock.now_s() - found.written_s < 15.0,
            open=found.open,
            problem=found.problem,
            circuit_open=found.circuit_open,
            reconciled=utc_text(found.reconciled_s),
            kept_alive=utc_text(found.kept_alive_s),
            counts={name: sum(r.state == name for r in held.values()) for name in STATES},
            items=[_view(r) for r in page],
            next=page[-1].remote_id if len(chosen) > limit else None,
        )

    if delivery is None or not delivery.settings.callback_base:
        return routes
    buckets = Buckets(CALLBACKS_PER_S, CALLBACK_BURST, clock.monotonic_s)

    async def body_of(request: Request) -> bytes:
        """Raises RateLimitError, HTTPException."""
        try:
            buckets.spend(request.client.host if request.client else "")
        except RateLimitError:
            metrics.A1_CALLBACKS.labels("rate_limited").inc()
            raise
        data = await request.body()
        if len(data) > MAX_STATUS_BYTES:
            metrics.A1_CALLBACKS.labels("too_long").inc()
            raise HTTPException(413, f"body: more than {MAX_STATUS_BYTES} bytes")
        return data

    @routes.post("/a1/status/{remote_id}/{code}", response_model=None)
    @routes.put("/a1/status/{remote_id}/{code}", response_model=None, include_in_schema=False)
    async def status(remote_id: RemoteId, code: Code, request: Request) -> Any:
        """A RIC tells the status of a policy: an object, or a JSON string that holds one."""
        data = await body_of(request)
        try:
            said = read_status(data)
        except DecodeError as error:
            metrics.A1_CALLBACKS.labels("malformed").inc()
            metrics.A1_BODIES_REFUSED.labels("callback", error.reason).inc()
            raise HTTPException(400, str(error)) from error
        return _answer(delivery.take_status(remote_id, code, said))

    @routes.post("/a1/ric/{ric_id}/{code}", response_model=None)
    async def ric(ric_id: Annotated[str, Path(min_length=1, max_length=256)], code: Code, request: Request) -> Any:
        """A policy management service tells that a near-RT RIC is there again."""
        data = await body_of(request)
        try:
            read_json(data or b"{}", MAX_STATUS_BYTES)
        except DecodeError as error:
            metrics.A1_CALLBACKS.labels("malformed").inc()
            metrics.A1_BODIES_REFUSED.labels("callback", error.reason).inc()
            raise HTTPException(400, str(error)) from error
        return _answer(delivery.take_ric(ric_id, code))

    return routes


def _answer(taken: bool | None) -> JSONResponse:
    """200 with a JSON text: the O-RAN SC simulator reads the answer as JSON and fails on 204."""
    if taken is False:
        metrics.A1_CALLBACKS.labels("forbidden").inc()
        raise HTTPException(403, "code: not that of this callback")
    metrics.A1_CALLBACKS.labels("taken" if taken else "not_delivering").inc()
    return JSONResponse("ok")


def _view(record: Record) -> DeliveryView:
    return DeliveryView(
        policy_type_id=record.policy_type_id,
        policy_id=record.policy_id,
        remote_id=record.name,
        policy_set_id=record.policy_set_id,
        state=record.state,
        enforced=record.enforced,
        enforce_reason=record.enforce_reason,
        code=record.code,
        reason=record.reason,
        detail=record.detail,
        attempts=record.attempts,
        latency_s=round(record.latency_s, 4),
        changed=utc_text(record.changed_s),
        expires=utc_text(record.expires_s),
    )
