"""Policies that wait for an approval, as Redis keeps them: one record, compared in every write. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from twm.core.errors import AuditError, ConflictError
from twm.core.text import shown
from twm.gateway.canonical import canonical_json

APPROVALS_KEY = "gateway-approvals"
MAX_DECIDED = 64
PENDING, APPROVED, REJECTED, EXPIRED = "pending", "approved", "rejected", "expired"
STATES = (PENDING, APPROVED, REJECTED, EXPIRED)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One policy, waiting or decided."""

    proposal_id: str
    step: int
    entry_id: str
    """Its proposal's entry in the stream."""
    proposal_sha256: str
    """Of the proposal as it came: nothing else is approved."""
    created_s: float
    expires_s: float
    waits_for: str
    """Why it needs an approval."""
    trace_id: str = ""
    state: str = PENDING
    decided_by: str = ""
    decided_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Book:
    """Those that wait, oldest first, and those decided last."""

    pending: tuple[Waiting, ...] = ()
    decided: tuple[Waiting, ...] = ()

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json({k: [asdict(w) for w in getattr(self, k)] for k in ("pending", "decided")}).encode()

    @classmethod
    def decode(cls, data: bytes) -> Book:
        """Back from `encode`; b"" is an empty book. Raises AuditError where it is something else."""
        if not data:
            return cls()
        try:
            found = json.loads(data)
            book = cls(*(tuple(Waiting(**entry) for entry in found[k]) for k in ("pending", "decided")))
            if any(w.state not in STATES for w in (*book.pending, *book.decided)):
                raise ValueError("state")
            return book
        except (ValueError, TypeError, KeyError) as error:
            raise AuditError(f"{APPROVALS_KEY}: stored approvals are damaged: {type(error).__name__}") from error

    def find(self, proposal_id: str, sha256: str, now_s: float) -> Waiting:
        """The one that waits. Raises ConflictError where it does not (any more), is over, or is another proposal."""
        for waiting in self.pending:
            if waiting.proposal_id == proposal_id:
                if waiting.proposal_sha256 != sha256:
                    raise ConflictError(f"proposal_sha256: {shown(proposal_id)} that waits is another proposal")
                if now_s >= waiting.expires_s:
                    raise ConflictError(f"approval: {shown(proposal_id)} expired {now_s - waiting.expires_s:.1f} s ago")
                return waiting
        for old in reversed(self.decided):
            if old.proposal_id == proposal_id:
                who = f" by {shown(old.decided_by)}" if old.decided_by else ""
                raise ConflictError(f"approval: {shown(proposal_id)} is {old.state} already{who}")
        raise ConflictError(f"approval: {shown(proposal_id)} does not wait for one")

    def with_waiting(self, new: Waiting, limit: int, now_s: float) -> tuple[Book, list[Waiting]]:
        """(book with `new`, those that gave way to it because more than `limit` would wait)."""
        kept = [w for w in self.pending if w.proposal_id != new.proposal_id]
        away = kept[: max(0, len(kept) + 1 - limit)]
        book = replace(self, pending=(*kept[len(away) :], new))
        gone = [replace(w, state=EXPIRED, decided_s=now_s, reason="gave way to newer ones") for w in away]
        return book.closed(gone), gone

    def swept(self, now_s: float) -> tuple[Book, list[Waiting]]:
        """(book without those whose time is over, those)."""
        gone = [
            replace(w, state=EXPIRED, decided_s=now_s, reason="nobody decided") for w in self.pending if now_s >= w.expires_s
        ]
        return self.closed(gone), gone

    def emptied(self, by: str, now_s: float, reason: str) -> tuple[Book, list[Waiting]]:
        """(book in which nothing waits, what waited)."""
        gone = [replace(w, state=REJECTED, decided_by=by, decided_s=now_s, reason=reason) for w in self.pending]
        return self.closed(gone), gone

    def closed(self, decided: Iterable[Waiting]) -> Book:
        """With those entries decided."""
        decided = tuple(decided)
        ids = {w.proposal_id for w in decided}
        kept = tuple(w for w in self.pending if w.proposal_id not in ids)
        return Book(kept, (*self.decided, *decided)[-MAX_DECIDED:])
