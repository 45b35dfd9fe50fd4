"""The gate every request passes: who is asking, how often, and whether they may.

Two ways to tell who: bearer tokens, or development mode, in which every caller on this machine is one principal. Development
mode answers only to loopback addresses and loopback host names (a page in a browser that rebinds its name to 127.0.0.1 is
turned away) and grants no approver unless that was configured.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from fastapi import Request

from twm.core import metrics
from twm.core.errors import AuthenticationError, ForbiddenError, RateLimitError
from twm.core.text import shown
from twm.gateway.access.limits import Buckets
from twm.gateway.access.principal import Principal, Role

if TYPE_CHECKING:  # brings the cryptography with it, which development mode does not need
    from twm.gateway.access.tokens import TokenVerifier

log = logging.getLogger(__name__)

READS_PER_S, READ_BURST = 50.0, 300.0
WRITES_PER_S, WRITE_BURST = 2.0, 30.0
FAILURES_PER_S, FAILURE_BURST = 1.0, 20.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEVELOPER = "development"


class Resolver(Protocol):
    """Tells who is asking."""

    async def resolve(self, authorization: str | None, peer: str, host: str) -> Principal:
        """Principal of a request. Raises AuthenticationError."""
        ...


class BearerTokens:
    """Who the bearer token says."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def resolve(self, authorization: str | None, peer: str, host: str) -> Principal:
        """Raises AuthenticationError where there is no good token."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AuthenticationError("authorization: a bearer token is needed")
        return await self._verifier.verify(token.strip())


class Development:
    """Everybody on this machine is one principal."""

    def __init__(self, role: Role) -> None:
        self._principal = Principal.of(DEVELOPER, role)

    async def resolve(self, authorization: str | None, peer: str, host: str) -> Principal:
        """Raises AuthenticationError for callers of other machines and for foreign host names."""
        if not is_loopback(peer):
            raise AuthenticationError("development mode: only callers on this machine; configure TWM_AUTH")
        if not is_loopback(host):
            raise AuthenticationError("development mode: the Host header must be localhost or a loopback address")
        return self._principal


class FixedPrincipal:
    """Everybody is this principal: for tests of routes."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal

    async def resolve(self, authorization: str | None, peer: str, host: str) -> Principal:
        """The principal."""
        return self._principal


Record = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Writes an audit record: kind, payload."""


class Access:
    """Answers whether a request may pass. One per process."""

    def __init__(
        self, resolver: Resolver, *, clock: Callable[[], float] = time.monotonic, record: Record | None = None
    ) -> None:
        """`clock`: steady [s]; `record`: audit of requests that are no reads."""
        self._resolver = resolver
        self._record = record
        self._reads = Buckets(READS_PER_S, READ_BURST, clock)
        self._writes = Buckets(WRITES_PER_S, WRITE_BURST, clock)
        self._failures = Buckets(FAILURES_PER_S, FAILURE_BURST, clock)

    async def admit(
        self, role: Role, *, action: str, writes: bool, authorization: str | None, peer: str, host: str
    ) -> Principal:
        """The principal, where it may. `action`: e.g. "PUT /v1/mode". Raises AuthenticationError, ForbiddenError,
        RateLimitError, UnavailableError."""
        if not self._failures.allows(peer):
            self._refused("rate_limited", action, peer)
            raise RateLimitError("authorization: too many failures from this address", retry_after_s=1.0 / FAILURES_PER_S)
        try:
            principal = await self._resolver.resolve(authorization, peer, host)
        except AuthenticationError as error:
            self._failures.spend(peer)
            self._refused(error.reason, action, peer)
            raise
        try:
            (self._writes if writes else self._reads).spend(principal.subject)
        except RateLimitError:
            self._refused("rate_limited", action, principal.subject)
            raise
        granted = principal.may(role)
        if writes:
            outcome = "granted" if granted else "denied"
            log.info("access: %s by %s: %s", action, shown(principal.subject), outcome)
            if self._record is not None:
                payload = {
                    "subject": principal.subject,
                    "roles": [r.word for r in sorted(principal.roles)],
                    "action": action[:300],
                    "outcome": outcome,
                }
                await self._record("access", payload)
        if not granted:
            self._refused("forbidden", action, principal.subject)
            raise ForbiddenError(f"role: {role.word} is needed, {shown(principal.subject)} is {_word(principal)}")
        return principal

    async def admit_request(self, request: Request, role: Role) -> Principal:
        """The principal of an HTTP request."""
        writes = request.method not in SAFE_METHODS
        if writes and _foreign(request.headers.get("origin", ""), request.headers.get("host", "")):
            # A page of another site may send such requests without reading the answer; it has no business here.
            self._refused("foreign_origin", f"{request.method} {shown(request.url.path, 200)[1:-1]}", "a browser")
            raise ForbiddenError("origin: requests that change something come from this host only")
        principal = await self.admit(
            role,
            action=f"{request.method} {shown(request.url.path, 200)[1:-1]}",
            writes=writes,
            authorization=request.headers.get("authorization"),
            peer=request.client.host if request.client else "",
            host=_host_name(request.headers.get("host", "")),
        )
        request.state.principal = principal
        return principal

    async def admit_call(self, context: Any, method: str, role: Role, *, writes: bool) -> Principal:
        """The principal of a gRPC call."""
        metadata: Mapping[str, Any] = {k.lower(): v for k, v in (context.invocation_metadata() or ())}
        token = metadata.get("authorization")
        return await self.admit(
            role,
            action=f"gRPC {method}",
            writes=writes,
            authorization=token if isinstance(token, str) else None,
            peer=_peer_address(context.peer()),
            host="localhost",  # browsers cannot speak gRPC, so names cannot be rebound
        )

    @staticmethod
    def _refused(reason: str, action: str, who: str) -> None:
        metrics.REQUESTS_REFUSED.labels(reason).inc()
        log.warning("access: %s by %s refused: %s", action, shown(who), reason)


class Require:
    """FastAPI dependency: the principal, where it has the role."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Principal:
        """Raises what `Access.admit` does; AuthenticationError where the application has no access control."""
        access: Access | None = getattr(request.app.state, "access", None)
        if access is None:
            raise AuthenticationError("access: not configured")
        return await access.admit_request(request, self.role)


def require(role: Role) -> Require:
    """Dependency for routes that need `role`."""
    return Require(role)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _foreign(origin: str, host: str) -> bool:
    """Whether a browser's Origin header names another host than the Host header does."""
    return bool(origin) and origin.partition("://")[2] != host


def _host_name(header: str) -> str:
    """Host of a Host header, without the port."""
    if header.startswith("["):
        return header.partition("]")[0].lstrip("[")
    return header.rpartition(":")[0] if ":" in header else header


def _peer_address(peer: str) -> str:
    """Address of a gRPC peer ("ipv4:127.0.0.1:5000", "ipv6:[::1]:5000", "unix:")."""
    kind, _, rest = peer.partition(":")
    if kind == "unix":
        return "127.0.0.1"
    return rest.replace("%5B", "[").replace("%5D", "]").rpartition(":")[0].strip("[]")


def _word(principal: Principal) -> str:
    return principal.role.word if principal.role is not None else "none of viewer, operator, approver"
