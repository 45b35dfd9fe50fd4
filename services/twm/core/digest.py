"""SHA-256 of messages, and of what a decision is compared by.

Protobuf's deterministic form: same fields, same bytes, for one version of the runtime. So digests are compared by processes of
one release.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from google.protobuf.message import Message

from twm.api.planning.v1 import planning_pb2

NOT_DECIDED = ("timings", "trace", "tape")
"""Fields of a Proposal that tell how it came about, not what was decided: wall times differ from run to run."""


def digest_bytes(*parts: bytes) -> str:
    """SHA-256 over the parts, each behind its length, 64 hex digits."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()


def digest_message(message: Message) -> str:
    """SHA-256 of the deterministic protobuf form."""
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()


def digest_of(digests: Iterable[str]) -> str:
    """One digest of several, in order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def decided(proposal: planning_pb2.Proposal) -> planning_pb2.Proposal:
    """A copy without the fields of NOT_DECIDED."""
    kept = planning_pb2.Proposal()
    kept.CopyFrom(proposal)
    for name in NOT_DECIDED:
        kept.ClearField(name)
    return kept


def proposal_digest(proposal: planning_pb2.Proposal) -> str:
    """Digest of what was decided."""
    return digest_message(decided(proposal))
