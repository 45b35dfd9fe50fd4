"""What the verification service reads from its environment."""

from __future__ import annotations

from pydantic import Field

from twm.core.settings import ServiceSettings


class TwinSettings(ServiceSettings):
    """Settings of the verification service."""

    twin_max_calls: int = Field(default=4096, ge=1, le=1_000_000)
    """Twin calls (policies x scenarios) that one request may ask for."""
    twin_concurrent_calls: int = Field(default=2, ge=1, le=64)
    """Requests that run at a time."""
    twin_max_pending: int = Field(default=16, ge=1, le=1024)
    """Requests that may wait or run; more are refused as UNAVAILABLE."""
    twin_max_call_s: float = Field(default=30.0, gt=0, le=3600)
    """Longest a request may take [s]; a shorter deadline of the client holds."""
