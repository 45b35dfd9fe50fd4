"""REST routes of modes, approvals, kill switch, rollback and other policies."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from twm.gateway.access import APPROVER, OPERATOR, VIEWER, Principal, require
from twm.gateway.modes.approvals import Waiting
from twm.gateway.modes.desk import Desk, Seen
from twm.gateway.other_policies import OtherPolicy, OtherPolicyBody

Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why; kept in the audit trail.")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
StepPath = Annotated[int, Path(ge=0, le=2**63 - 1, description="Slow step of the proposal.")]
PolicyIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Approver = Annotated[Principal, Depends(require(APPROVER))]
Operator = Annotated[Principal, Depends(require(OPERATOR))]


class Body(BaseModel):
    """Base of request bodies."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModeBody(Body):
    """A change of mode."""

    mode: Literal["shadow", "advisory", "autonomous"]
    expected_version: Annotated[int, Field(ge=0)]
    reason: Reason


class StopBody(Body):
    """The kill switch."""

    stopped: bool
    withdraw: bool = False
    reason: Reason


class RollbackBody(Body):
    """A rollback."""

    target: Literal["policy_free", "last_good"]
    reason: Reason


class DecisionBody(Body):
    """An approval or a rejection."""

    proposal_sha256: Sha256
    reason: Reason


class ModeView(BaseModel):
    """Mode of the area."""

    mode: str
    stopped: bool = Field(description="Kill switch: no policy leaves.")
    version: int
    changed_by: str
    changed: str | None
    reason: str
    missing_for_autonomous: list[str] = Field(description="What the shadow record lacks; empty: nothing.")
    critical_zones: list[str] = Field(description="Zones in which nothing moves without an approval.")
    critical_slices: list[str] = Field(description="Slices that never shrink without an approval.")


class ApprovalView(BaseModel):
    """A policy that waits, or what became of it."""

    proposal_id: str
    step: int
    proposal_sha256: str
    created: str
    expires: str
    waits_for: str
    state: str
    decided_by: str
    decided: str | None
    reason: str


class ApprovalList(BaseModel):
    """Approvals."""

    pending: list[ApprovalView] = Field(description="Oldest first.")
    decided: list[ApprovalView] = Field(description="The last ones, oldest first.")


class StopView(ModeView):
    """Mode after the kill switch."""

    withdrawn_count: int


class RollbackView(BaseModel):
    """What a rollback led to."""

    policy_set_id: str = Field(description="The policy in force again; empty: none.")
    withdrawn_count: int


def router(desk: Desk) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get("/v1/mode", dependencies=[Depends(require(VIEWER))])
    async def mode() -> ModeView:
        """Mode in force, and what is missing to autonomous mode."""
        return ModeView(**_mode(desk, await desk.seen()))

    @routes.put("/v1/mode")
    async def set_mode(body: ModeBody, principal: Approver) -> ModeView:
        """Change the mode."""
        return ModeView(**_mode(desk, await desk.set_mode(principal, body.mode, body.expected_version, body.reason)))

    @routes.put("/v1/kill-switch")
    async def kill_switch(body: StopBody, principal: Approver) -> StopView:
        """Stop all policies, or go on in shadow mode."""
        seen, count = await desk.stop(principal, body.stopped, body.withdraw, body.reason)
        return StopView(**_mode(desk, seen), withdrawn_count=count)

    @routes.post("/v1/rollback")
    async def rollback(body: RollbackBody, principal: Approver) -> RollbackView:
        """Back to the policy before the present one, or to none."""
        policy_set_id, count = await desk.rollback(principal, body.target == "last_good", body.reason)
        return RollbackView(policy_set_id=policy_set_id, withdrawn_count=count)

    @routes.get("/v1/approvals", dependencies=[Depends(require(VIEWER))])
    async def approvals() -> ApprovalList:
        """What waits for an approval, and what was decided last."""
        book = await desk.approvals()
        return ApprovalList(pending=[_approval(w) for w in book.pending], decided=[_approval(w) for w in book.decided])

    @routes.post("/v1/approvals/{step}/approve")
    async def approve(step: StepPath, body: DecisionBody, principal: Approver) -> ApprovalView:
        """Put the policy of this step in force."""
        found = await desk.decide(principal, f"{desk.area_id}/{step}", body.proposal_sha256, True, body.reason)
        return _approval(found)

    @routes.post("/v1/approvals/{step}/reject")
    async def reject(step: StepPath, body: DecisionBody, principal: Approver) -> ApprovalView:
        """Refuse the policy of this step."""
        found = await desk.decide(principal, f"{desk.area_id}/{step}", body.proposal_sha256, False, body.reason)
        return _approval(found)

    @routes.get("/v1/other-policies", dependencies=[Depends(require(VIEWER))])
    async def others() -> list[OtherPolicy]:
        """Policies of others on this network that are held in mind."""
        return list(await desk.others())

    @routes.put("/v1/other-policies/{policy_id}", status_code=204)
    async def register(policy_id: PolicyIdPath, body: OtherPolicyBody, principal: Operator) -> None:
        """Announce another policy; plans that contradict it are refused until it ends."""
        await desk.register(principal, OtherPolicy(policy_id=policy_id, **body.model_dump()))

    @routes.delete("/v1/other-policies/{policy_id}", status_code=204)
    async def forget(policy_id: PolicyIdPath, principal: Operator) -> None:
        """Another policy has ended."""
        await desk.forget(principal, policy_id)

    return routes


def _mode(desk: Desk, seen: Seen) -> dict[str, Any]:
    state, (zones, slices) = seen.state, desk.critical
    return {
        "mode": state.mode,
        "stopped": state.stopped,
        "version": state.version,
        "changed_by": state.changed_by,
        "changed": utc_text(state.changed_s),
        "reason": state.reason,
        "missing_for_autonomous": seen.missing,
        "critical_zones": list(zones),
        "critical_slices": list(slices),
    }


def _approval(waiting: Waiting) -> ApprovalView:
    return ApprovalView(
        proposal_id=waiting.proposal_id,
        step=waiting.step,
        proposal_sha256=waiting.proposal_sha256,
        created=utc_text(waiting.created_s) or "",
        expires=utc_text(waiting.expires_s) or "",
        waits_for=waiting.waits_for,
        state=waiting.state,
        decided_by=waiting.decided_by,
        decided=utc_text(waiting.decided_s),
        reason=waiting.reason,
    )


def utc_text(seconds: float) -> str | None:
    """RFC 3339; None for 0."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat() if seconds else None
