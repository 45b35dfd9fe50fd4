"""Policies of others on the same network, as their owners have announced them: one key in Redis, bounded, with expiry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from twm.core.errors import AuditError, ConflictError
from twm.core.text import clean
from twm.gateway.canonical import canonical_json

OTHERS_KEY = "gateway-other-policies"
MAX_OTHERS = 64
PolicyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Indices = Annotated[tuple[Annotated[int, Field(ge=0, le=100_000)], ...], Field(max_length=4096)]


class OtherPolicyBody(BaseModel):
    """What another policy does, as its owner announces it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str = Field(min_length=1, max_length=64)
    """xApp, rApp or A1 consumer it belongs to."""
    resource: Literal["prb", "bandwidth", "both"] = "both"
    """Kind of shares."""
    slices: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=64)] = ()
    """Slice ids; empty: every slice."""
    zone: str = Field(default="", max_length=64)
    """Zone id; empty: none named."""
    cells: Indices = ()
    """Cell indices; with no zone, cells and links: the whole area."""
    links: Indices = ()
    """Link indices."""
    min_share: Share | None = None
    """Least share it gives or needs."""
    max_share: Share | None = None
    """Largest share it allows."""
    exclusive: bool = False
    """It steers these shares by itself: nobody else may move them."""
    expires_s: Annotated[float, Field(gt=0, le=4e9, allow_inf_nan=False)]
    """When it ends, Unix [s]."""

    @field_validator("owner")
    @classmethod
    def _plain(cls, value: str) -> str:
        found = clean(value, 64)
        if not found.text or found.suspicious:
            raise ValueError(f"not plain text: {', '.join(found.suspicious) or 'empty'}")
        return found.text

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.min_share is None and self.max_share is None and not self.exclusive:
            raise ValueError("one of min_share, max_share, exclusive is needed")
        if self.min_share is not None and self.max_share is not None and self.min_share > self.max_share:
            raise ValueError(f"min_share {self.min_share:g} is above max_share {self.max_share:g}")
        return self


class OtherPolicy(OtherPolicyBody):
    """One other policy."""

    policy_id: PolicyId


def encode_others(policies: Sequence[OtherPolicy]) -> bytes:
    """Canonical JSON."""
    return canonical_json([p.model_dump(mode="json") for p in policies]).encode()


def decode_others(data: bytes) -> tuple[OtherPolicy, ...]:
    """Back from `encode_others`; b"" is none. Raises AuditError where it is something else."""
    if not data:
        return ()
    try:
        return tuple(OtherPolicy.model_validate(entry) for entry in json.loads(data))
    except (ValueError, TypeError, ValidationError) as error:
        raise AuditError(f"{OTHERS_KEY}: stored policies are damaged: {type(error).__name__}") from error


def with_policy(policies: Sequence[OtherPolicy], new: OtherPolicy, now_s: float) -> tuple[OtherPolicy, ...]:
    """With `new` in place of the one of its id, and without those that ended. Raises ConflictError where there are too many."""
    kept = [p for p in policies if p.policy_id != new.policy_id and p.expires_s > now_s]
    if len(kept) >= MAX_OTHERS:
        raise ConflictError(f"other policies: {len(kept)} are registered, at most {MAX_OTHERS}")
    return (*kept, new)
