"""What the gateway reads from its environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from twm.api.policy.v1 import policy_pb2
from twm.core.settings import ServiceSettings
from twm.gateway.a1 import SlaType


class GatewaySettings(ServiceSettings):
    """Settings of the gateway; TWM_ before each name."""

    mode: str = "shadow"
    """How far a policy may go by itself. Only "shadow" can be switched on: nothing is sent to a RIC."""
    guardrail: str = Field(default="default", min_length=1, max_length=4096)
    """Rules: name of a set that ships, or path of a file."""
    a1_sla_type: SlaType = "auto"
    """Version of ORAN_SliceSLATarget that is written; auto: the least one that can say what the SLA says."""
    policy_ttl_steps: Annotated[float, Field(gt=0, le=1440, allow_inf_nan=False)] = 2.0
    """How long a policy holds [slow steps]."""
    score_min_steps: Annotated[int, Field(ge=1, le=256)] | None = None
    """Frames of a horizon that must have been seen to score it; empty: half of them."""

    @field_validator("mode")
    @classmethod
    def _only_shadow(cls, value: str) -> str:
        if value in ("advisory", "autonomous"):
            raise ValueError("this version has no approvals and no way to a RIC; only 'shadow' can be switched on")
        if value != "shadow":
            raise ValueError("expected 'shadow'")
        return value

    @property
    def mode_value(self) -> policy_pb2.Mode:
        """The mode as the protobuf enum."""
        return policy_pb2.MODE_SHADOW
