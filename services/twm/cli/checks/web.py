"""One HTTP GET: a deadline, a bounded answer, no redirects or proxies, plain words for what went wrong. No further library."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    """HTTP status; 0: nothing came back, see `problem`."""
    body: bytes = b""
    problem: str = ""
    """In plain words."""

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


async def get(
    url: str,
    *,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> Reply:
    """GET `url`. Never raises on what the network or the peer does."""
    try:
        async with asyncio.timeout(2 * timeout_s):  # the socket's own timeout is for each read
            return await asyncio.to_thread(_get, url, timeout_s, dict(headers or {}), context)
    except TimeoutError:
        return Reply(0, problem=f"no answer within {2 * timeout_s:g} s")


def _get(url: str, timeout_s: float, headers: dict[str, str], context: ssl.SSLContext | None) -> Reply:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return Reply(0, problem=f"not a URL: {error}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return Reply(0, problem="not an http or https URL")
    connection: http.client.HTTPConnection
    try:
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.hostname, port, timeout=timeout_s, context=context or ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, port, timeout=timeout_s)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET", target, headers={"Accept": "application/json", "Connection": "close", **headers})
            answer = connection.getresponse()
            body = answer.read(MAX_BYTES + 1)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Reply(0, problem=words(error, timeout_s))
    if len(body) > MAX_BYTES:
        return Reply(0, problem=f"answer of more than {MAX_BYTES} bytes")
    return Reply(answer.status, body)


def words(error: Exception, timeout_s: float) -> str:
    """What a failure of the network means, in plain words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS there, or another version: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there (connection refused)"
    if isinstance(error, ConnectionResetError | BrokenPipeError | http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, socket.gaierror):
        return "the host name is not known here"
    if isinstance(error, http.client.BadStatusLine):
        return "what answers there does not speak HTTP"
    return f"{type(error).__name__}: {error}"[:200]


def advice(reply: Reply, what: str, variable: str) -> str:
    """What to do about a reply that is none, or none of success."""
    if reply.status in (401, 403):
        return f"The {what} refuses our credentials (HTTP {reply.status}): check them."
    if reply.status == 404:
        return f"{variable} points at something else than the {what}, or at another base path."
    if reply.status:
        return f"Look at the {what}'s log: it answers HTTP {reply.status}."
    if "certificate" in reply.problem:
        return f"Give the authority that signed it, and use in {variable} the host name that stands in it."
    if "host name" in reply.problem:
        return f"Check the host name in {variable} and the DNS (in a cluster: service.namespace)."
    if "TLS" in reply.problem or "speak HTTP" in reply.problem:
        return f"Check scheme and port in {variable}: http against https, or another service's port."
    return f"Is the {what} running, and do {variable}, firewall and network policies fit?"
