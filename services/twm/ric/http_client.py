"""HTTP to the RIC platform's REST interfaces: one short call at a time, each with a deadline, off the event loop.

Standard library only: the calls are few (subscriptions, inventory, registration), so that a connection each costs nothing.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twm.core.errors import DeadlineError, InvalidInputError, UnavailableError
from twm.core.text import shown

MAX_ANSWER_BYTES = 8 * 1024 * 1024
WORKERS = 8


@dataclass(frozen=True)
class HttpAnswer:
    """Status and body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises InvalidInputError."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise InvalidInputError(f"HTTP {self.status}: answer is not JSON: {shown(repr(self.body[:80]))}") from error


class HttpClient:
    """Calls below one base URL."""

    def __init__(self, base_url: str, *, timeout_s: float, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise InvalidInputError(f"URL {base_url[:120]!r}: expected http://host:port or https://host:port without user name")
        try:
            port = parts.port
        except ValueError as error:
            raise InvalidInputError(f"URL {base_url[:120]!r}: {error}") from error
        self._https = parts.scheme == "https"
        self._host, self._port = parts.hostname, port or (443 if self._https else 80)
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._context = context
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="http")
        self.base_url = f"{parts.scheme}://{self._host}:{self._port}{self._prefix}"

    async def call(self, method: str, path: str, body: Any = None) -> HttpAnswer:
        """One call; `body` is sent as JSON. Raises UnavailableError (DeadlineError when it took too long)."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._call, method, path, body)
        try:
            # The socket's own timeout is for each read; this one is for the whole call.
            async with asyncio.timeout(2 * self._timeout_s):
                return await work
        except TimeoutError as error:
            raise DeadlineError(f"{self.base_url}: no answer within {2 * self._timeout_s:g} s") from error

    def close(self) -> None:
        """Forget calls that have not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _call(self, method: str, path: str, body: Any) -> HttpAnswer:
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Accept": "application/json", "Connection": "close"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        connection: http.client.HTTPConnection
        if self._https:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=self._context or ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, self._prefix + path, body=data, headers=headers)
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER_BYTES + 1)
            if len(content) > MAX_ANSWER_BYTES:
                raise UnavailableError(f"{self.base_url}: answer of more than {MAX_ANSWER_BYTES} bytes")
            return HttpAnswer(answer.status, content)
        except TimeoutError as error:
            raise DeadlineError(f"{self.base_url}: no answer within {self._timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(f"{self.base_url}: {str(error)[:200] or type(error).__name__}") from error
        finally:
            connection.close()


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """What https calls verify their peer with, and show of ourselves. Raises InvalidInputError naming the setting."""
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        if certificate is not None:
            context.load_cert_chain(str(certificate), None if key is None else str(key))
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(f"TWM_RIC_TLS_CA, _CERT or _KEY: {str(error)[:200]}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
