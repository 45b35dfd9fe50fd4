"""What is known of each instance at the RIC, kept over restarts. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

WAITING, DELIVERED, FAILING, REJECTED, TYPE_MISSING, DELETING = (
    "waiting",
    "delivered",
    "failing",
    "rejected",
    "type_missing",
    "deleting",
)
STATES = (WAITING, DELIVERED, FAILING, REJECTED, TYPE_MISSING, DELETING)
_NOT_KEPT = frozenset({"touched_s", "check", "suspect", "strange"})


@dataclass(slots=True)
class Record:
    """One instance."""

    remote_id: str
    policy_type_id: str = ""
    policy_id: str = ""
    held_id: str = ""
    """Id under which the RIC holds it."""
    present: bool | None = None
    """Whether the RIC holds it; None: nobody knows."""
    sent: bool = False
    """Whether a create or update was ever sent: what was never sent need not be deleted."""
    digest: str = ""
    """SHA-256 of the body that the RIC holds; empty: not known."""
    state: str = WAITING
    code: int = 0
    """Last HTTP status; 0: no answer came, or none was asked for."""
    reason: str = ""
    detail: str = ""
    attempts: int = 0
    """Failures since the last success."""
    latency_s: float = 0.0
    """Of the last request."""
    changed_s: float = 0.0
    """When the last request ended [Unix s]."""
    expires_s: float = 0.0
    policy_set_id: str = ""
    enforced: bool | None = None
    """What the RIC says; None: nothing yet."""
    enforce_reason: str = ""
    status_s: float = 0.0
    """When it said so, or was asked last [Unix s]."""
    refused_digest: str = ""
    """Body that was rejected: the same is not sent again for a while."""
    touched_s: float = field(default=0.0, compare=False)
    """Steady time at which the last request ended [s]; of this process only."""
    check: bool = False
    """The RIC's content is to be compared before anything is written."""
    suspect: bool = False
    """The answer to a write was lost: it may come after a newer one, so the content is compared with the next listing."""
    strange: str = ""
    """Digest of content that came back other than it was sent, although it was sent again: the peer's own form of it."""

    @property
    def name(self) -> str:
        """Id under which the RIC is asked for it."""
        return self.held_id or self.remote_id


_KEPT = tuple(f.name for f in fields(Record) if f.name not in _NOT_KEPT)


def encode(records: Iterable[Record]) -> bytes:
    """JSON."""
    kept = [{name: getattr(r, name) for name in _KEPT} for r in records]
    return json.dumps(kept, separators=(",", ":")).encode()


def decode(data: bytes) -> dict[str, Record]:
    """Back from `encode`; unknown fields are left out, and what is damaged is nothing: the RIC is asked anyway."""
    names = set(_KEPT)
    try:
        found: Any = json.loads(data) if data else []
        records = [Record(**{k: v for k, v in entry.items() if k in names}) for entry in found]
    except (ValueError, TypeError, AttributeError):
        return {}
    return {r.remote_id: r for r in records if isinstance(r.remote_id, str) and r.remote_id}
