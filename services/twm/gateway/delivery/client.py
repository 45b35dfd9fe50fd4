"""HTTP towards an A1 termination: a deadline on each request, bounded answers, no redirects, tokens and certificates renewed.

What a failure means for the one who asked is told by `Outcome`: whether it was done, was not done, or nobody knows.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx

from twm.core import metrics
from twm.core.errors import AuthenticationError, DecodeError, InvalidInputError, UnavailableError
from twm.gateway.delivery.answers import problem_text, read_json
from twm.gateway.delivery.oauth import OAuthSettings, TokenSource
from twm.gateway.delivery.peer import Answer, Outcome
from twm.gateway.delivery.tls import TlsFiles

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_RETRY_AFTER_S = 120.0
TLS_LOOK_S = 5.0
_CLOSE_OLD_S = 30.0
_BUSY_CODES = frozenset({408, 409, 423, 425, 429})


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """How a peer is spoken to."""

    base_url: str
    timeout_s: float = 5.0
    """Deadline of each request [s]."""
    concurrency: int = 16
    """Most requests at once."""
    tls: TlsFiles = field(default_factory=TlsFiles)
    oauth: OAuthSettings | None = None


class A1Client:
    """One peer's connections. Never raises on what the network or the peer does: that is an Answer."""

    def __init__(self, settings: ClientSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: steady [s]. Raises InvalidInputError where a certificate cannot be used."""
        self._settings, self._clock = settings, clock
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs, and callback URLs are secrets
        self._stamp = settings.tls.stamp()
        self._http = self._connect()
        self._old: list[tuple[float, httpx.AsyncClient]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._look_s = clock() + TLS_LOOK_S
        self._tokens = TokenSource(settings.oauth, clock, settings.timeout_s) if settings.oauth else None
        self.base_url = settings.base_url
        """Where paths hang; adapters that find another base put it here."""

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        content: str | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """One request, with at most one more where the token was refused. `operation`: for metrics; `path`: from base_url."""
        began_s = self._clock()
        answer = await self._once(method, path, params, content, timeout_s)
        if answer.code == 401 and self._tokens is not None:
            answer = await self._once(method, path, params, content, timeout_s)
        answer = replace(answer, seconds=self._clock() - began_s)
        metrics.A1_REQUESTS.labels(operation, answer.reason).inc()
        metrics.A1_REQUEST_SECONDS.labels(operation).observe(answer.seconds)
        return answer

    async def _once(
        self, method: str, path: str, params: dict[str, str] | None, content: str | None, timeout_s: float | None
    ) -> Answer:
        self._renew()
        http, token = self._http, ""
        headers = {"Accept": "application/json, application/problem+json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        sent = False
        try:
            async with asyncio.timeout(timeout_s or self._settings.timeout_s):
                if self._tokens is not None:
                    token = await self._tokens.token(http)
                    headers["Authorization"] = f"Bearer {token}"
                sent = True
                request = http.build_request(
                    method,
                    self.base_url + path,
                    params=params,
                    content=None if content is None else content.encode(),
                    headers=headers,
                )
                response = await http.send(request, stream=True)
                try:
                    data = await _bounded(response)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException) as error:
            if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout) or not sent:
                return Answer(Outcome.BUSY, reason="unreachable")
            return Answer(Outcome.UNKNOWN, reason="timeout")
        except httpx.ConnectError as error:
            return Answer(Outcome.BUSY, reason="unreachable", detail=_tls_words(error))
        except httpx.TransportError as error:
            return Answer(Outcome.UNKNOWN, reason="reset", detail=type(error).__name__)
        except httpx.HTTPError as error:
            return Answer(Outcome.UNKNOWN, reason="protocol", detail=type(error).__name__)
        except AuthenticationError as error:
            return Answer(Outcome.DENIED, reason="token", detail=str(error))
        except UnavailableError as error:
            return Answer(Outcome.BUSY, reason="token", detail=str(error))
        except DecodeError as error:
            metrics.A1_BODIES_REFUSED.labels("answer", error.reason).inc()
            return Answer(Outcome.UNKNOWN, reason="bad_answer", detail=str(error))
        except InvalidInputError as error:
            return Answer(Outcome.DENIED, reason="token", detail=str(error))
        if response.status_code == 401 and self._tokens is not None:
            self._tokens.forget(token)
        return _judged(response, data)

    async def close(self) -> None:
        """Close every connection."""
        for _, old in self._old:
            await old.aclose()
        self._old.clear()
        await self._http.aclose()

    def _connect(self) -> httpx.AsyncClient:
        settings = self._settings
        return httpx.AsyncClient(
            verify=settings.tls.context() if settings.base_url.startswith("https") or settings.oauth else False,
            timeout=httpx.Timeout(settings.timeout_s, pool=None),
            limits=httpx.Limits(max_connections=settings.concurrency + 4, max_keepalive_connections=settings.concurrency + 4),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "twm", "Accept-Encoding": "identity"},
        )

    def _renew(self) -> None:
        """New connections where a certificate, key or authority has changed; requests in flight end on the old ones."""
        now_s = self._clock()
        if now_s < self._look_s:
            return
        self._look_s = now_s + TLS_LOOK_S
        for when_s, old in [pair for pair in self._old if pair[0] <= now_s]:
            self._old.remove((when_s, old))
            asyncio.get_running_loop().create_task(old.aclose())
        stamp = self._settings.tls.stamp()
        if stamp == self._stamp:
            return
        try:
            fresh = self._connect()
        except InvalidInputError as error:  # half-written files; the connections that stand are still good
            log.warning("A1 client: certificates changed and cannot be used yet: %s", error)
            return
        self._stamp = stamp
        self._old.append((now_s + _CLOSE_OLD_S, self._http))
        self._http = fresh
        log.info("A1 client: certificates changed; new connections use them")


async def _bounded(response: httpx.Response) -> bytes:
    """The body. Raises DecodeError where it is larger than any good one, or compressed although that was not asked for."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise DecodeError("answer: compressed", reason="compressed")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise DecodeError(f"answer: more than {MAX_ANSWER_BYTES} bytes", reason="too_long")
    return bytes(data)


def _judged(response: httpx.Response, data: bytes) -> Answer:
    code = response.status_code
    if 200 <= code < 300:
        body = None
        if data.strip() and code != 204:
            try:
                body = read_json(data, MAX_ANSWER_BYTES)
            except DecodeError as error:  # text/plain "OK" after a write is no failure; readers check what they need
                metrics.A1_BODIES_REFUSED.labels("answer", error.reason).inc()
        return Answer(Outcome.DONE, code, "ok", location=response.headers.get("location", "")[:2048], body=body)
    retry_s = retry_after_s(response.headers.get("retry-after", ""), time.time())
    outcome = Outcome.REJECTED
    if code == 404:
        outcome = Outcome.ABSENT
    elif code == 409:
        outcome = Outcome.CONFLICT
    elif code in (401, 403):
        outcome = Outcome.DENIED
    elif code in _BUSY_CODES or (code >= 500 and code not in (501, 505)):
        outcome = Outcome.BUSY
    return Answer(outcome, code, f"http_{code}", problem_text(data), retry_s)


def retry_after_s(value: str, now_s: float) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 clause 10.2.3), at most MAX_RETRY_AFTER_S; None: no usable one."""
    value = value.strip()[:64]
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        seconds = email.utils.parsedate_to_datetime(value).timestamp() - now_s
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else None


def _tls_words(error: Exception) -> str:
    """What is wrong with a certificate, where that is why the connection failed."""
    text = str(error)
    return text[:160] if "CERTIFICATE" in text or "SSL" in text or "TLS" in text else ""
