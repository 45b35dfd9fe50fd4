"""Access control as the environment asks for it."""

from __future__ import annotations

import logging

from twm.gateway.access.gate import Access, BearerTokens, Development, Record
from twm.gateway.access.principal import ROLE_WORDS
from twm.gateway.settings import GatewaySettings

log = logging.getLogger(__name__)


def access_of(settings: GatewaySettings, *, record: Record | None = None) -> Access:
    """Raises InvalidInputError where the settings contradict themselves."""
    if settings.auth == "development":
        log.warning(
            "NO AUTHENTICATION: development mode, every caller on this machine is %s; set TWM_AUTH=jwt",
            settings.auth_development_role,
        )
        return Access(Development(ROLE_WORDS[settings.auth_development_role]), record=record)
    from twm.gateway.access.keys import KeySource
    from twm.gateway.access.tokens import TokenOptions, TokenVerifier

    options = TokenOptions(
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        algorithms=tuple(a.strip() for a in settings.auth_algorithms.split(",") if a.strip()),
        roles_claim=settings.auth_roles_claim,
        role_prefix=settings.auth_role_prefix,
    )
    return Access(BearerTokens(TokenVerifier(options, KeySource(settings.auth_jwks))), record=record)
