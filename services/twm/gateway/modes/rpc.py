"""gRPC OperationsService: the same desk as over REST, behind the same access control."""

from __future__ import annotations

from typing import Any, cast

from twm.api.operations.v1 import operations_pb2 as pb
from twm.api.operations.v1 import operations_pb2_grpc
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.text import shown
from twm.gateway.a1_policies import SlaPolicies, SlaPolicy
from twm.gateway.access import APPROVER, OPERATOR, VIEWER, Access, Principal, Role
from twm.gateway.modes.approvals import Waiting
from twm.gateway.modes.desk import Desk, Seen
from twm.gateway.modes.state import MODES

SERVICE = "twm.api.operations.v1.OperationsService"


class Operations(operations_pb2_grpc.OperationsServiceServicer):
    """Operations of one area."""

    def __init__(self, desk: Desk, access: Access, policies: SlaPolicies | None = None) -> None:
        """`policies`: SLA policies of others; None: they are not served."""
        self._desk, self._access, self._policies = desk, access, policies

    async def GetMode(self, request: pb.GetModeRequest, context: Any) -> pb.GetModeResponse:
        """Mode in force."""
        await self._admit(request, context, "GetMode", VIEWER)
        return pb.GetModeResponse(state=self._state(await self._desk.seen()))

    async def SetMode(self, request: pb.SetModeRequest, context: Any) -> pb.SetModeResponse:
        """Change it."""
        principal = await self._admit(request, context, "SetMode", APPROVER)
        mode = next(word for word, value in MODES.items() if value == request.mode)
        seen = await self._desk.set_mode(principal, mode, request.expected_version, request.reason)
        return pb.SetModeResponse(state=self._state(seen))

    async def ListApprovals(self, request: pb.ListApprovalsRequest, context: Any) -> pb.ListApprovalsResponse:
        """What waits for an approval, then what was decided last."""
        await self._admit(request, context, "ListApprovals", VIEWER)
        book = await self._desk.approvals()
        return pb.ListApprovalsResponse(approvals=[_approval(w) for w in (*book.pending, *book.decided)])

    async def DecideApproval(self, request: pb.DecideApprovalRequest, context: Any) -> pb.DecideApprovalResponse:
        """Approve or reject."""
        principal = await self._admit(request, context, "DecideApproval", APPROVER)
        found = await self._desk.decide(
            principal, request.proposal_id, request.proposal_sha256, request.approve, request.reason
        )
        return pb.DecideApprovalResponse(approval=_approval(found))

    async def Stop(self, request: pb.StopRequest, context: Any) -> pb.StopResponse:
        """Kill switch."""
        principal = await self._admit(request, context, "Stop", APPROVER)
        seen, count = await self._desk.stop(principal, request.stopped, request.withdraw, request.reason)
        return pb.StopResponse(state=self._state(seen), withdrawn_count=count)

    async def Rollback(self, request: pb.RollbackRequest, context: Any) -> pb.RollbackResponse:
        """Back to an earlier state."""
        principal = await self._admit(request, context, "Rollback", APPROVER)
        last_good = request.target == pb.ROLLBACK_TARGET_LAST_GOOD
        policy_set_id, count = await self._desk.rollback(principal, last_good, request.reason)
        return pb.RollbackResponse(policy_set_id=policy_set_id, withdrawn_count=count)

    async def PutSlaPolicy(self, request: pb.PutSlaPolicyRequest, context: Any) -> pb.PutSlaPolicyResponse:
        """A policy of somebody else counts from now on, where it can be enforced."""
        principal = await self._admit(request, context, "PutSlaPolicy", OPERATOR)
        policy, created = await self._served().put(
            principal.subject, request.policy_type_id, request.policy_id, request.payload_json, request.source
        )
        return pb.PutSlaPolicyResponse(policy=_sla_policy(policy), created=created)

    async def DeleteSlaPolicy(self, request: pb.DeleteSlaPolicyRequest, context: Any) -> pb.DeleteSlaPolicyResponse:
        """It counts no more."""
        principal = await self._admit(request, context, "DeleteSlaPolicy", OPERATOR)
        existed = await self._served().delete(principal.subject, request.policy_type_id, request.policy_id)
        return pb.DeleteSlaPolicyResponse(existed=existed)

    async def ListSlaPolicies(self, request: pb.ListSlaPoliciesRequest, context: Any) -> pb.ListSlaPoliciesResponse:
        """Those that are kept."""
        await self._admit(request, context, "ListSlaPolicies", VIEWER)
        found = await self._served().listed(request.policy_type_id)
        return pb.ListSlaPoliciesResponse(policies=[_sla_policy(p) for p in found])

    def _served(self) -> SlaPolicies:
        if self._policies is None:
            raise UnavailableError("SLA policies: not served here")
        return self._policies

    async def _admit(self, request: Any, context: Any, method: str, role: Role) -> Principal:
        principal = await self._access.admit_call(context, method, role, writes=role != VIEWER)
        if request.area_id != self._desk.area_id:
            raise InvalidInputError(f"area_id: {shown(request.area_id)}, this gateway's is {self._desk.area_id}")
        return principal

    def _state(self, seen: Seen) -> pb.ModeState:
        state = seen.state
        found = pb.ModeState(
            area_id=self._desk.area_id,
            mode=state.value,
            stopped=state.stopped,
            version=state.version,
            changed_by=state.changed_by,
            reason=state.reason,
            missing_for_autonomous=[words[:300] for words in seen.missing[:16]],
        )
        if state.changed_s:
            found.changed.FromNanoseconds(round(state.changed_s * 1e6) * 1000)
        return found


def _sla_policy(policy: SlaPolicy) -> pb.SlaPolicy:
    reason = pb.SlaEnforceReason.Value(f"SLA_ENFORCE_REASON_{policy.reason or 'UNSPECIFIED'}")
    found = pb.SlaPolicy(
        policy_type_id=policy.policy_type_id,
        policy_id=policy.policy_id,
        payload_json=policy.payload_json,
        source=policy.source,
        status=pb.SLA_ENFORCE_STATUS_NOT_ENFORCED if policy.reason else pb.SLA_ENFORCE_STATUS_ENFORCED,
        reason=cast(pb.SlaEnforceReason, reason),
        detail=policy.detail,
    )
    found.changed.FromNanoseconds(round(policy.changed_s * 1e6) * 1000)
    return found


def _approval(waiting: Waiting) -> pb.Approval:
    found = pb.Approval(
        proposal_id=waiting.proposal_id,
        step=waiting.step,
        waits_for=waiting.waits_for,
        proposal_sha256=waiting.proposal_sha256,
        state=waiting.state,
        decided_by=waiting.decided_by,
        reason=waiting.reason,
    )
    found.created.FromNanoseconds(round(waiting.created_s * 1e6) * 1000)
    found.expires.FromNanoseconds(round(waiting.expires_s * 1e6) * 1000)
    if waiting.decided_s:
        found.decided.FromNanoseconds(round(waiting.decided_s * 1e6) * 1000)
    return found
