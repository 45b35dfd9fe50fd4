"""What the guardrail looked at besides the proposal, so that its verdict can be had again; and having it again. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.errors import AuditError
from twm.core.network import NetworkSpec
from twm.gateway.accepted import AcceptedShares
from twm.gateway.guardrail import Situation, judge
from twm.gateway.rules import GuardrailRules

MAX_INLINE_BYTES = 64 * 1024


def gate_inputs(situation: Situation, rules: GuardrailRules, spec_digest: str) -> dict[str, Any]:
    """The situation by field, JSON; what is neither a number nor accepted shares makes the gate not repeatable."""
    found: dict[str, Any] = {"rules": rules.label, "spec_digest": spec_digest, "situation": {}, "repeatable": True}
    for entry in fields(situation):
        value = getattr(situation, entry.name)
        if value is None or isinstance(value, bool | int | float | str):
            found["situation"][entry.name] = value
        elif isinstance(value, AcceptedShares):
            data = value.encode()
            kept = base64.b64encode(data).decode() if len(data) <= MAX_INLINE_BYTES else None
            found["situation"][entry.name] = {"sha256": hashlib.sha256(data).hexdigest(), "content": kept}
            found["repeatable"] = found["repeatable"] and kept is not None
        else:
            digest = hashlib.sha256(repr(value).encode()).hexdigest()
            found["situation"][entry.name] = {"sha256": digest, "content": None}
            found["repeatable"] = False
    return found


def judged_again(
    gate: Mapping[str, Any], proposal: planning_pb2.Proposal, spec: NetworkSpec, rules: GuardrailRules
) -> policy_pb2.Verdict | None:
    """The verdict once more; None where the record does not hold all that was looked at.

    Raises AuditError where the rules or the network are not those recorded, or the record is damaged.
    """
    try:
        if gate["rules"] != rules.label:
            raise AuditError(f"guardrail: rules {rules.label!a}, recorded {str(gate['rules'])[:64]!a}")
        if gate["spec_digest"] != spec.digest():
            raise AuditError(f"network: spec digest {spec.digest()[:12]}, recorded {str(gate['spec_digest'])[:12]}")
        if not gate["repeatable"]:
            return None
        values: dict[str, Any] = {}
        for name, value in gate["situation"].items():
            if isinstance(value, Mapping):
                data = base64.b64decode(value["content"], validate=True)
                if hashlib.sha256(data).hexdigest() != value["sha256"]:
                    raise AuditError(f"gate: {name} is not what its digest says")
                values[name] = AcceptedShares.decode(data)
            else:
                values[name] = value
        return judge(proposal, spec, rules, Situation(**values))
    except (KeyError, TypeError, ValueError) as error:
        raise AuditError(f"trace record: the gate is damaged: {error!r}"[:200]) from error


def judged_part(verdict: policy_pb2.Verdict) -> policy_pb2.Verdict:
    """What `judge` itself said: without the headline, and without what became of the policy after the checks."""
    found = policy_pb2.Verdict()
    found.CopyFrom(verdict)
    found.headline = ""
    kept = [check for check in verdict.checks if check.name != "a1_policy"]
    del found.checks[:]
    found.checks.extend(kept)
    passed = all(check.passed for check in kept)
    found.decision = policy_pb2.DECISION_ACCEPTED if passed else policy_pb2.DECISION_REJECTED
    return found
