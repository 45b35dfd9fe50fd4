"""What the delivery is configured with, from the gateway's settings."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from twm.core.errors import InvalidInputError
from twm.gateway.a1_inbound import TypeIds
from twm.gateway.delivery.a1p import A1P, Mediator
from twm.gateway.delivery.client import A1Client, ClientSettings
from twm.gateway.delivery.engine import EngineOptions
from twm.gateway.delivery.oauth import OAuthSettings
from twm.gateway.delivery.peer import Peer
from twm.gateway.delivery.pms import Pms2, Pms3, ServiceInfo
from twm.gateway.delivery.retry import RetryPolicy
from twm.gateway.delivery.tls import TlsFiles
from twm.gateway.delivery.urls import checked_url, host_of
from twm.gateway.settings import GatewaySettings

BASES = {
    "a1p": ("/A1-P/v2",),
    "oransc": ("/a1-p", "/A1-P/v2"),
    "pms2": ("/a1-policy/v2",),
    "pms3": ("/a1-policy-management/v1",),
}
"""Base paths where TWM_A1_URL has none."""


@dataclass(frozen=True, kw_only=True)
class DeliverySettings:
    """Settings of one area's delivery."""

    kind: str
    area_id: str
    client: ClientSettings
    bases: tuple[str, ...]
    """Base URLs to try."""
    type_ids: TypeIds
    create_types: bool
    service: ServiceInfo
    id_prefix: str
    callback_base: str
    """Our own URL as the peer sees it; empty: no callbacks."""
    callback_key_file: str
    reconcile_s: float
    engine: EngineOptions

    @property
    def shown_url(self) -> str:
        """Where policies go, without anything secret."""
        return host_of(self.client.base_url)

    @classmethod
    def of(cls, settings: GatewaySettings, area_id: str) -> DeliverySettings | None:
        """None where the delivery is off. Raises InvalidInputError naming the setting that does not hold."""
        if settings.a1_peer == "off":
            return None
        if not settings.a1_url:
            raise InvalidInputError(f"TWM_A1_URL: needed where TWM_A1_PEER is {settings.a1_peer}")
        pms = settings.a1_peer in ("pms2", "pms3")
        if pms and not settings.a1_ric_id:
            raise InvalidInputError(f"TWM_A1_RIC_ID: needed where TWM_A1_PEER is {settings.a1_peer}")
        oauth = _oauth(settings)
        url = checked_url("TWM_A1_URL", settings.a1_url, secret=oauth is not None)
        bases = tuple(url + path for path in BASES[settings.a1_peer]) if urlsplit(url).path in ("", "/") else (url,)
        callback = checked_url("TWM_A1_CALLBACK_URL", settings.a1_callback_url) if settings.a1_callback_url else ""
        service_id = settings.a1_service_id or f"twm-{area_id}"
        return cls(
            kind=settings.a1_peer,
            area_id=area_id,
            client=ClientSettings(
                base_url=bases[0],
                timeout_s=settings.a1_timeout_s,
                concurrency=settings.a1_concurrency,
                tls=TlsFiles(certificate=settings.a1_tls_cert, key=settings.a1_tls_key, authority=settings.a1_tls_ca),
                oauth=oauth,
            ),
            bases=bases,
            type_ids=TypeIds.parse(settings.a1_type_ids),
            create_types=settings.a1_create_types,
            service=ServiceInfo(service_id=service_id, ric_id=settings.a1_ric_id, keep_alive_s=settings.a1_keep_alive_s),
            id_prefix=settings.a1_id_prefix,
            callback_base=callback,
            callback_key_file=settings.a1_callback_key_file,
            reconcile_s=settings.a1_reconcile_s,
            engine=EngineOptions(
                concurrency=settings.a1_concurrency,
                retry=RetryPolicy(first_s=settings.a1_retry_first_s, most_s=settings.a1_retry_most_s),
            ),
        )


def _oauth(settings: GatewaySettings) -> OAuthSettings | None:
    if not settings.a1_oauth_token_url:
        return None
    if not settings.a1_oauth_client_id or not settings.a1_oauth_client_secret_file:
        raise InvalidInputError("TWM_A1_OAUTH_TOKEN_URL needs TWM_A1_OAUTH_CLIENT_ID and TWM_A1_OAUTH_CLIENT_SECRET_FILE")
    found = OAuthSettings(
        token_url=checked_url("TWM_A1_OAUTH_TOKEN_URL", settings.a1_oauth_token_url, secret=True),
        client_id=settings.a1_oauth_client_id,
        secret_file=settings.a1_oauth_client_secret_file,
        scope=settings.a1_oauth_scope,
        in_body=settings.a1_oauth_in_body,
    )
    found.secret()
    return found


def peer_of(settings: DeliverySettings, ric_callback: str = "") -> Peer:
    """The adapter. `ric_callback`: where a policy management service tells that a RIC is there again.

    Raises InvalidInputError where a certificate cannot be used.
    """
    client = A1Client(settings.client)
    if settings.kind == "a1p":
        return A1P(client)
    if settings.kind == "oransc":
        return Mediator(client, settings.type_ids, create_types=settings.create_types, bases=settings.bases)
    info = ServiceInfo(
        service_id=settings.service.service_id,
        ric_id=settings.service.ric_id,
        keep_alive_s=settings.service.keep_alive_s,
        callback_url=ric_callback,
    )
    return (Pms2 if settings.kind == "pms2" else Pms3)(client, info, settings.type_ids)
