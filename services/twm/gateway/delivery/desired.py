"""What a RIC should hold: the newest policy in force, as instances whose ids do not change from step to step. Pure.

An id is `<prefix>~<area>~<type tag>~<name>`: the next policy of the same slice or part replaces the one before, and whose an
instance is can be told from its id alone. The tilde is unreserved in URLs (RFC 3986) and no part of our names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.policy.v1 import policy_pb2
from twm.core.errors import DecodeError
from twm.gateway.a1 import RRM_TYPE, SLA_TYPE_1, SLA_TYPE_3

TAGS = {SLA_TYPE_1: "sla1", SLA_TYPE_3: "sla3", RRM_TYPE: "rrm1"}
SAME_CLOCK_S = 7200.0
"""Event time that lies further from the wall clock than this is that of a replay or a simulation."""
_PART = re.compile(r"[A-Za-z0-9_.-]{1,80}")


@dataclass(frozen=True, slots=True)
class Instance:
    """One policy instance that a RIC should hold."""

    remote_id: str
    """Id at the RIC."""
    policy_type_id: str
    """Name of the type."""
    policy_id: str
    """Id in the policy stream."""
    body: str
    """JSON text."""
    digest: str
    """SHA-256 of the body."""
    expires_s: float
    """Wall clock at which it ends [Unix s]."""
    policy_set_id: str = ""
    trace_id: str = ""


@dataclass(frozen=True)
class Desired:
    """What an entry of the policy stream asks for."""

    entry_id: str = ""
    """Entry of the policy stream; empty: none yet."""
    mode_version: int = 0
    instances: Mapping[str, Instance] = field(default_factory=dict)
    """By id at the RIC; empty: nothing is to be in force."""
    expires_s: float = 0.0


class Naming:
    """Ids of one area's instances at the RIC."""

    def __init__(self, prefix: str, area_id: str) -> None:
        self._own = f"{_part(prefix)}~{_part(area_id)}~"

    def remote_id(self, policy_type_id: str, policy_id: str, area_id: str) -> str:
        """Id at the RIC of an instance of the policy stream ("<area>.<slice or part>")."""
        tag = TAGS.get(policy_type_id, _part(policy_type_id))
        return f"{self._own}{tag}~{_part(policy_id.removeprefix(f'{area_id}.'))}"

    def owns(self, remote_id: str) -> bool:
        """Whether an instance at the RIC is this area's."""
        return remote_id.startswith(self._own)


def desired_of(entry_id: str, payload: bytes, naming: Naming) -> Desired | None:
    """What an entry of the policy stream asks for; None where it concerns no RIC (shadow, waiting for an approval).

    Raises DecodeError on bytes that are no policy.
    """
    try:
        policy = policy_pb2.SlicePolicy.FromString(payload)
    except ProtobufDecodeError as error:
        raise DecodeError(f"policy: {len(payload)} bytes are not a SlicePolicy") from error
    if policy.enforcement == policy_pb2.ENFORCEMENT_WITHDRAW:
        return Desired(entry_id, policy.mode_version)
    if policy.enforcement != policy_pb2.ENFORCEMENT_ENFORCE:
        return None
    expires_s = ends_s(entry_id, policy)
    instances: dict[str, Instance] = {}
    for found in policy.policies:
        remote_id = naming.remote_id(found.policy_type_id, found.policy_id, policy.area_id)
        instances[remote_id] = Instance(
            remote_id=remote_id,
            policy_type_id=found.policy_type_id,
            policy_id=found.policy_id,
            body=found.policy_json,
            digest=hashlib.sha256(found.policy_json.encode()).hexdigest(),
            expires_s=expires_s,
            policy_set_id=policy.policy_set_id,
            trace_id=policy.trace_id,
        )
    return Desired(entry_id, policy.mode_version, instances, expires_s)


def ends_s(entry_id: str, policy: policy_pb2.SlicePolicy) -> float:
    """Wall clock at which a policy ends [Unix s]: its event time and time to live where event time is wall time, else its time
    to live from when it was written (stream ids are times)."""
    written_s = int(entry_id.partition("-")[0]) / 1000
    effective_s = policy.effective.seconds + policy.effective.nanos * 1e-9
    return (effective_s if abs(effective_s - written_s) <= SAME_CLOCK_S else written_s) + policy.ttl_s


def _part(text: str) -> str:
    """`text` where it is safe in an id and a URL, else a digest of it."""
    return text if _PART.fullmatch(text) else "x" + hashlib.sha256(text.encode()).hexdigest()[:32]
