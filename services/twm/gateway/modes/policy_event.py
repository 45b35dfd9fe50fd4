"""The audit event of a policy stream entry."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from twm.api.policy.v1 import policy_pb2
from twm.gateway.audit import Event

MAX_INLINE_POLICY_CHARACTERS = 512 * 1024


def policy_event(policy: policy_pb2.SlicePolicy, payload: bytes) -> Event:
    """What was written, for whom, and by whose word. `payload`: the policy's bytes in the stream."""
    inline = sum(len(p.policy_json) for p in policy.policies) <= MAX_INLINE_POLICY_CHARACTERS
    return Event(
        "policy",
        {
            "policy_set_id": policy.policy_set_id,
            "step": policy.step,
            "mode": policy_pb2.Mode.Name(policy.mode),
            "mode_version": policy.mode_version,
            "enforcement": policy_pb2.Enforcement.Name(policy.enforcement),
            "authorised_by": policy.authorised_by,
            "ttl_s": policy.ttl_s,
            "sha256": hashlib.sha256(payload).hexdigest(),
            "policies": [_instance(p, inline) for p in policy.policies],
        },
    )


def _instance(policy: policy_pb2.A1Policy, inline: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"policy_type_id": policy.policy_type_id, "policy_id": policy.policy_id}
    if inline:
        found["policy"] = json.loads(policy.policy_json)
    else:
        found["sha256"] = hashlib.sha256(policy.policy_json.encode()).hexdigest()
    return found
