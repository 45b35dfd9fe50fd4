"""The one northbound interface: what every kind of A1 termination can be asked. Adapters implement it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from twm.core.errors import UnavailableError
from twm.gateway.delivery.answers import EnforceStatus
from twm.gateway.delivery.desired import Instance


class Outcome(enum.Enum):
    """What a request came to."""

    DONE = "done"
    ABSENT = "absent"
    """404: the policy, or what it hangs on, is not there."""
    CONFLICT = "conflict"
    """409: not in the present state of things."""
    BUSY = "busy"
    """It was not done; worth trying again (429, 423, 503, 507, 5xx, connection refused)."""
    UNKNOWN = "unknown"
    """It may have been done: the answer did not come (deadline, reset)."""
    REJECTED = "rejected"
    """It will not be done as it stands (400, 413, 415, 422, redirects ...)."""
    DENIED = "denied"
    """401 after a fresh token, or 403."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or the lack of one."""

    outcome: Outcome
    code: int = 0
    """HTTP status; 0: none came."""
    reason: str = ""
    """Short constant, fit for a metric label: "http_503", "timeout", "reset", "refused" ..."""
    detail: str = ""
    """In the peer's words, cleaned and short."""
    retry_after_s: float | None = None
    location: str = ""
    body: Any = None
    """JSON of a good answer; None where there was none."""
    seconds: float = 0.0
    """How long it took."""

    @property
    def done(self) -> bool:
        """Whether it was done."""
        return self.outcome is Outcome.DONE


class PeerError(UnavailableError):
    """The peer could not be asked."""

    def __init__(self, what: str, answer: Answer) -> None:
        super().__init__(f"{what}: {answer.reason}{' ' + answer.detail if answer.detail else ''}", reason=answer.reason)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Put:
    """What a create or update came to."""

    answer: Answer
    held_id: str = ""
    """Id under which the peer holds it."""


class Peer(Protocol):
    """An A1 termination."""

    @property
    def kind(self) -> str:
        """ "a1p", "oransc", "pms2" or "pms3"."""
        ...

    @property
    def keep_alive_s(self) -> float:
        """Interval within which `keep_alive` must be called; 0: it needs none."""
        ...

    @property
    def own_list(self) -> bool:
        """Whether `listed` gives this service's instances only, whatever their ids."""
        ...

    async def open(self) -> None:
        """Register, and make sure of the policy types. Idempotent. Raises PeerError."""
        ...

    async def types(self) -> Mapping[str, str]:
        """The peer's ids of those of our types that it offers, by our name. Raises PeerError."""
        ...

    async def listed(self) -> Mapping[str, str]:
        """Our type name ("" where it is not told) of the instances there are, by their ids. Raises PeerError."""
        ...

    async def put(self, instance: Instance, held_id: str, present: bool | None, callback_url: str) -> Put:
        """Create or update. `held_id`: id under which the peer holds it as far as is known, else the instance's own;
        `present`: whether it does, None: nobody knows."""
        ...

    async def delete(self, policy_type_id: str, held_id: str) -> Answer:
        """Delete; DONE where it is not there any more."""
        ...

    async def content(self, policy_type_id: str, held_id: str) -> Any:
        """The policy as the peer holds it; None: it does not. Raises PeerError."""
        ...

    async def status(self, policy_type_id: str, held_id: str) -> EnforceStatus:
        """Whether it is enforced. Raises PeerError."""
        ...

    async def keep_alive(self) -> bool:
        """A sign of life. False: the peer does not know this service (any more). Raises PeerError."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
