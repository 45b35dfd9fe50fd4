"""What the gateway reads from its environment."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from pathlib import Path
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
    a1_peer: Literal["off", "a1p", "oransc", "pms2", "pms3"] = "off"
    """A1 termination that policies are delivered to: A1-P v2, the O-RAN SC mediator, or the A1 Policy Management Service."""
    a1_url: str = Field(default="", max_length=1024)
    """Its URL; with a path, that is the base path, else the usual one of its kind."""
    a1_ric_id: str = Field(default="", max_length=256)
    """Near-RT RIC that a policy management service is to hand the policies to."""
    a1_service_id: str = Field(default="", max_length=128, pattern=r"^[A-Za-z0-9_.~-]*$")
    """Our id at a policy management service; empty: twm-<area>."""
    a1_keep_alive_s: Annotated[float, Field(ge=3, le=3600, allow_inf_nan=False)] = 60.0
    """After so long without a sign of life a policy management service removes our policies [s]."""
    a1_id_prefix: str = Field(default="twm", pattern=r"^[A-Za-z0-9_.-]{1,32}$")
    """Begin of our policy ids at the RIC; two deployments at one RIC need two."""
    a1_create_types: bool = True
    """Make policy types that an O-RAN SC mediator lacks."""
    a1_callback_url: str = Field(default="", max_length=512)
    """URL of this gateway as the RIC sees it, for status callbacks; empty: statuses are asked for instead."""
    a1_callback_key_file: str = Field(default="", max_length=1024)
    """Secret that callback URLs are signed with; empty: one that is made once and kept in Redis."""
    a1_timeout_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 5.0
    """Deadline of each request [s]."""
    a1_concurrency: Annotated[int, Field(ge=1, le=256)] = 16
    """Requests at once."""
    a1_reconcile_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 30.0
    """How often the RIC is asked what it holds [s]."""
    a1_retry_first_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 0.5
    """First wait before a failed write is tried again; doubled each time [s]."""
    a1_retry_most_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 30.0
    """Longest such wait [s]."""
    a1_tls_ca: str = Field(default="", max_length=1024)
    """Authorities of the RIC's certificate, PEM file; empty: the system's."""
    a1_tls_cert: str = Field(default="", max_length=1024)
    """Our certificate for mutual TLS, PEM file; read again when it changes."""
    a1_tls_key: str = Field(default="", max_length=1024)
    """Its key, PEM file."""
    a1_oauth_token_url: str = Field(default="", max_length=1024)
    """Token endpoint for OAuth 2.0 client credentials; empty: no tokens."""
    a1_oauth_client_id: str = Field(default="", max_length=256)
    """Client id."""
    a1_oauth_client_secret_file: str = Field(default="", max_length=1024)
    """File with the client secret."""
    a1_oauth_scope: str = Field(default="", max_length=512)
    """Scope asked for."""
    a1_oauth_in_body: bool = False
    """Client credentials in the form instead of the Authorization header."""
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

    llm_url: str = Field(default="", max_length=2048, pattern=r"^(|https?://[^\s@?#]+)$")
    """Base URL (with /v1) of an OpenAI-compatible endpoint (vLLM, llama.cpp server, Ollama); empty: no language model."""
    llm_model: str = Field(default="", max_length=128)
    """Name of the model there; needed with a URL."""
    llm_api_key_file: Path | None = None
    """File with the bearer token for it; read for each call, so that it may be rotated."""
    llm_timeout_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 8.0
    """Longest that a call of the model may take, and an intent waits for its reading [s]."""
    llm_concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Calls of the model at once; a further one is refused at once, and the deterministic answer stands."""
    llm_prompt: Literal["full", "short"] = "full"
    """Prompt for intents: `full` for a general instruction model, `short` for the small adapter of the zoo."""
    llm_templates: bool = False
    """Whether the model fills templates for corner cases that the planner tells of (`TWM_PLAN_CORNER_TEMPLATES`)."""

    time_zone: str = Field(default="UTC", min_length=1, max_length=64)
    """IANA time zone in which "tonight" and "6 pm" of an intent are read, where a request names none."""

    @field_validator("mode")
    @classmethod
    def _only_shadow(cls, value: str) -> str:
        if value in ("advisory", "autonomous"):
            raise ValueError("an approver changes the mode (PUT /v1/mode); here only 'shadow' can be switched on")
        if value != "shadow":
            raise ValueError("expected 'shadow'")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            _zone(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("expected an IANA time zone, e.g. Europe/Berlin") from error
        return value

    @field_validator("llm_api_key_file", mode="before")
    @classmethod
    def _none_where_empty(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.llm_url and not self.llm_model:
            raise ValueError("TWM_LLM_URL needs TWM_LLM_MODEL, the model's name there")
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
    def zone(self) -> dt.tzinfo:
        """`time_zone`."""
        return _zone(self.time_zone)

    @property
    def mode_value(self) -> policy_pb2.Mode:
        """The mode as the protobuf enum."""
        return policy_pb2.MODE_SHADOW


def _zone(name: str) -> dt.tzinfo:
    return dt.UTC if name == "UTC" else zoneinfo.ZoneInfo(name)
