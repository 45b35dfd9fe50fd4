"""What the gateway reads from its environment."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from twm.api.policy.v1 import policy_pb2
from twm.core.settings import ServiceSettings, split_address
from twm.gateway.a1 import SlaType
from twm.gateway.access.gate import is_loopback


class GatewaySettings(ServiceSettings):
    """Settings of the gateway; TWM_ before each name."""

    mode: str = "shadow"
    """Mode an area begins in. Only "shadow": further modes are switched on by an approver, over REST or gRPC."""
    guardrail: str = Field(default="default", min_length=1, max_length=4096)
    """Rules: name of a set that ships, or path of a file."""
    a1_sla_type: SlaType = "auto"
    """Version of ORAN_SliceSLATarget that is written; auto: the least one that can say what the SLA says."""
    a1_type_ids: str = Field(
        default="ORAN_SliceSLATarget_1.0.0=20101,ORAN_SliceSLATarget_3.0.0=20103,twm_RRMPolicyRatio_1.0.0=20110",
        max_length=512,
    )
    """Numbers that stand for the policy types in an O-RAN SC RIC, inbound and outbound."""
    policy_ttl_steps: Annotated[float, Field(gt=0, le=1440, allow_inf_nan=False)] = 2.0
    """How long a policy holds [slow steps]."""
    score_min_steps: Annotated[int, Field(ge=1, le=256)] | None = None
    """Frames of a horizon that must have been seen to score it; empty: half of them."""
    auth: Literal["development", "jwt"] = "development"
    """Who is asking: bearer tokens, or everybody on this machine is one principal of `auth_development_role`."""
    auth_development_role: Literal["viewer", "operator", "approver"] = "operator"
    """What that principal may do."""
    auth_issuer: str = Field(default="", max_length=512)
    """`iss` of good tokens."""
    auth_audience: str = Field(default="", max_length=512)
    """`aud` of good tokens."""
    auth_jwks: str = Field(default="", max_length=2048)
    """The issuer's public keys: file or https URL of a JWKS document."""
    auth_algorithms: str = Field(default="RS256,PS256,ES256,EdDSA", max_length=256)
    """Signature algorithms that are taken, comma between them; asymmetric ones only."""
    auth_roles_claim: str = Field(default="roles", min_length=1, max_length=128)
    """Claim with the roles, dots between the parts of its path (Keycloak: realm_access.roles)."""
    auth_role_prefix: str = Field(default="", max_length=64)
    """What stands before viewer, operator, approver in that claim."""

    console_streams: Annotated[int, Field(ge=1, le=64)] = 16
    """Live streams of operator consoles open at a time; a page that finds none free asks every few seconds instead."""

    @field_validator("mode")
    @classmethod
    def _only_shadow(cls, value: str) -> str:
        if value in ("advisory", "autonomous"):
            raise ValueError("an approver changes the mode (PUT /v1/mode); here only 'shadow' can be switched on")
        if value != "shadow":
            raise ValueError("expected 'shadow'")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.auth == "jwt":
            missing = [name for name in ("auth_issuer", "auth_audience", "auth_jwks") if not getattr(self, name)]
            if missing:
                raise ValueError("TWM_AUTH=jwt needs " + ", ".join(f"TWM_{name.upper()}" for name in missing))
        elif not is_loopback(split_address(self.http_listen)[0]) or not is_loopback(split_address(self.grpc_listen)[0]):
            raise ValueError(
                "without TWM_AUTH=jwt the gateway listens on loopback only "
                f"(TWM_HTTP_LISTEN {self.http_listen}, TWM_GRPC_LISTEN {self.grpc_listen})"
            )
        return self

    @property
    def mode_value(self) -> policy_pb2.Mode:
        """The mode as the protobuf enum."""
        return policy_pb2.MODE_SHADOW
