"""GET /v1/sla-policies: what others asked for over A1, and what became of it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from twm.gateway.a1_policies import SlaPolicies
from twm.gateway.access import VIEWER, require
from twm.gateway.modes.router import utc_text


class SlaPolicyView(BaseModel):
    """An SLA policy of somebody else."""

    policy_type_id: str
    policy_id: str
    source: str = Field(description="Who asked for it.")
    status: str = Field(description="ENFORCED or NOT_ENFORCED.")
    reason: str = Field(description="Why not, A1's word; empty where it is enforced.")
    detail: str = Field(description="Why not, in words.")
    changed: str | None
    intent_id: str = Field(description="The intent it stands as, active while it is enforced.")
    policy: dict[str, Any]


def router(policies: SlaPolicies) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.get("/v1/sla-policies", dependencies=[Depends(require(VIEWER))])
    async def sla_policies(
        policy_type_id: Annotated[str, Query(max_length=128, description="Name or number of a type; empty: all.")] = "",
    ) -> list[SlaPolicyView]:
        """SLA policies that others asked for over A1, enforced or not."""
        return [
            SlaPolicyView(
                policy_type_id=p.policy_type_id,
                policy_id=p.policy_id,
                source=p.source,
                status="NOT_ENFORCED" if p.reason else "ENFORCED",
                reason=p.reason,
                detail=p.detail,
                changed=utc_text(p.changed_s),
                intent_id=p.intent_id,
                policy=json.loads(p.payload_json),
            )
            for p in await policies.listed(policy_type_id)
        ]

    return routes
