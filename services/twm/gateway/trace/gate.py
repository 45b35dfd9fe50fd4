"""What the guardrail looked at besides the proposal, so that its verdict can be had again; and having it again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from google.protobuf import descriptor_pool as default_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.digest import digest_bytes
from twm.core.errors import AuditError
from twm.core.network import NetworkSpec
from twm.gateway.accepted import AcceptedShares
from twm.gateway.guardrail import Situation, judge
from twm.gateway.rules import GuardrailRules

MAX_CONTENT_BYTES = 64 * 1024
AFTERWARDS = frozenset(("a1_policy",))
"""Checks that the making of the policy adds to what the guardrail said."""
MAX_TOLD = 64
"""Longest text that stands in the record itself."""
_SHARES, _TEXT = "AcceptedShares", "text"


def gate_inputs(
    situation: Situation, rules: GuardrailRules, spec_digest: str
) -> tuple[dict[str, Any], list[trace_pb2.TapeInput]]:
    """The situation by field, as JSON with digests of what is large, and the large things themselves.

    What can be had back from neither makes the gate not repeatable.
    """
    told: dict[str, Any] = {}
    evidence: list[trace_pb2.TapeInput] = []
    repeatable = True
    for entry in fields(situation):
        value = getattr(situation, entry.name)
        if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= MAX_TOLD):
            told[entry.name] = value
            continue
        kind, data = _encoded(value)
        told[entry.name] = {"kind": kind, "sha256": digest_bytes(data)}
        if kind and len(data) <= MAX_CONTENT_BYTES:
            evidence.append(trace_pb2.TapeInput(name=entry.name, digest=digest_bytes(data), content=data))
        else:
            repeatable = False
    return {"rules": rules.label, "spec_digest": spec_digest, "situation": told, "repeatable": repeatable}, evidence


def _encoded(value: Any) -> tuple[str, bytes]:
    """(kind, bytes); kind "" where there is no way back."""
    if isinstance(value, str):
        return _TEXT, value.encode()
    if isinstance(value, AcceptedShares):
        return _SHARES, value.encode()
    if isinstance(value, Message):
        return value.DESCRIPTOR.full_name, value.SerializeToString(deterministic=True)
    return "", repr(getattr(value, "count", value)).encode()


def _decoded(kind: str, data: bytes) -> Any:
    if kind == _TEXT:
        return data.decode()
    if kind == _SHARES:
        return AcceptedShares.decode(data)
    found = GetMessageClass(default_pool.Default().FindMessageTypeByName(kind))()
    found.ParseFromString(data)
    return found


def judged_again(
    gate: Mapping[str, Any],
    evidence: Iterable[trace_pb2.TapeInput],
    proposal: planning_pb2.Proposal,
    spec: NetworkSpec,
    rules: GuardrailRules,
) -> policy_pb2.Verdict | None:
    """The verdict once more; None where record and evidence do not hold all that was looked at.

    Raises AuditError where rules, network or evidence are not those recorded, or the record is damaged.
    """
    contents = {item.name: item.content for item in evidence}
    try:
        if gate["rules"] != rules.label:
            raise AuditError(f"guardrail: rules {rules.label!a}, recorded {str(gate['rules'])[:64]!a}")
        if gate["spec_digest"] != spec.digest():
            raise AuditError(f"network: spec digest {spec.digest()[:12]}, recorded {str(gate['spec_digest'])[:12]}")
        if not gate["repeatable"]:
            return None
        values: dict[str, Any] = {}
        for name, value in gate["situation"].items():
            if not isinstance(value, Mapping):
                values[name] = value
                continue
            if name not in contents:
                return None
            if digest_bytes(contents[name]) != value["sha256"]:
                raise AuditError(f"gate: {name[:32]!a} is not what its digest says")
            values[name] = _decoded(value["kind"], contents[name])
        return judge(proposal, spec, rules, Situation(**values))
    except (KeyError, TypeError, ValueError) as error:
        raise AuditError(f"trace record: the gate is damaged: {error!r}"[:200]) from error


def judged_part(verdict: policy_pb2.Verdict) -> policy_pb2.Verdict:
    """What `judge` itself said: without the headline, and without what became of the policy after the checks."""
    kept = [check for check in verdict.checks if check.name not in AFTERWARDS]
    passed = all(check.passed for check in kept)
    return policy_pb2.Verdict(
        proposal_id=verdict.proposal_id,
        area_id=verdict.area_id,
        step=verdict.step,
        decision=policy_pb2.DECISION_ACCEPTED if passed else policy_pb2.DECISION_REJECTED,
        mode=verdict.mode,
        checks=kept,
        guardrail_version=verdict.guardrail_version,
        decided=verdict.decided,
        trace_id=verdict.trace_id,
    )
