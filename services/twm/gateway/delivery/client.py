"""HTTP towards an A1 termination: a deadline on each request, bounded answers, no redirects, tokens and certificates renewed.

What a failure means for the one who asked is told by `Outcome`: whether it was done, was not done, or nobody knows.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit

from twm.core import metrics
from twm.core.errors import AuthenticationError, DecodeError, InvalidInputError, UnavailableError
from twm.gateway.delivery.answers import problem_text, read_json
from twm.gateway.delivery.connections import Attempt, ConnectError, Connections, HttpAnswer, LostError
from twm.gateway.delivery.oauth import MAX_TOKEN_BYTES, OAuthSettings, TokenSource
from twm.gateway.delivery.peer import Answer, Outcome
from twm.gateway.delivery.tls import TlsFiles

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_RETRY_AFTER_S = 120.0
READ_TRIES, READ_WAIT_S, READ_WAIT_MOST_S = 5, 0.05, 1.0
TLS_LOOK_S = 5.0
HEADERS = {"User-Agent": "twm", "Accept": "application/json, application/problem+json", "Accept-Encoding": "identity"}
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
        self._stamp = settings.tls.stamp()
        self._http, self._token_http = self._connect()
        self._closing: set[asyncio.Task[None]] = set()
        self._look_s = clock() + TLS_LOOK_S
        self._tokens = TokenSource(settings.oauth, self._post_form, clock, settings.timeout_s) if settings.oauth else None
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
        tries: int = READ_TRIES,
    ) -> Answer:
        """One request, with at most one more where the token was refused. `operation`: for metrics; `path`: from base_url.

        Reads are tried `tries` times; when a write is tried again is for the caller to say.
        """
        answer = await self._counted(operation, method, path, params, content, timeout_s)
        for attempt in range(tries - 1 if method == "GET" else 0):
            if answer.outcome not in (Outcome.BUSY, Outcome.UNKNOWN) or (answer.retry_after_s or 0.0) > READ_WAIT_MOST_S:
                break
            await asyncio.sleep(max(random.uniform(0.5, 1.0) * READ_WAIT_S * 2**attempt, answer.retry_after_s or 0.0))
            answer = await self._counted(operation, method, path, params, content, timeout_s)
        return answer

    async def _counted(
        self,
        operation: str,
        method: str,
        path: str,
        params: dict[str, str] | None,
        content: str | None,
        timeout_s: float | None,
    ) -> Answer:
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
        http, token, attempt = self._http, "", Attempt()
        headers = HEADERS if content is None else HEADERS | {"Content-Type": "application/json"}
        target = urlsplit(self.base_url).path + path + (f"?{urlencode(params)}" if params else "")
        try:
            async with asyncio.timeout(timeout_s or self._settings.timeout_s):
                if self._tokens is not None:
                    token = await self._tokens.token()
                    headers = headers | {"Authorization": f"Bearer {token}"}
                body = None if content is None else content.encode()
                found = await http.request(method, target, headers, body, MAX_ANSWER_BYTES, attempt)
            if found.headers.get("content-encoding", "identity").lower() != "identity":
                raise DecodeError("answer: compressed although that was not asked for", reason="compressed")
        except TimeoutError:
            return Answer(Outcome.UNKNOWN, reason="timeout") if attempt.sent else Answer(Outcome.BUSY, reason="unreachable")
        except ConnectError as error:
            return Answer(Outcome.BUSY, reason=error.reason, detail=str(error))
        except LostError as error:
            return Answer(Outcome.UNKNOWN, reason=error.reason, detail=str(error))
        except AuthenticationError as error:
            return Answer(Outcome.DENIED, reason="token", detail=str(error))
        except UnavailableError as error:
            return Answer(Outcome.BUSY, reason="token", detail=str(error))
        except DecodeError as error:
            metrics.A1_BODIES_REFUSED.labels("answer", error.reason).inc()
            return Answer(Outcome.UNKNOWN, reason="bad_answer", detail=str(error))
        except InvalidInputError as error:
            return Answer(Outcome.DENIED, reason="token", detail=str(error))
        if found.status == 401 and self._tokens is not None:
            self._tokens.forget(token)
        return _judged(found)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()
        if self._token_http is not None:
            await self._token_http.close()

    def _connect(self) -> tuple[Connections, Connections | None]:
        """(connections to the peer, to the token endpoint)."""
        settings, oauth = self._settings, self._settings.oauth
        secure = any(u.startswith("https") for u in (settings.base_url, oauth.token_url if oauth else ""))
        context = settings.tls.context() if secure or settings.tls.certificate else None
        http = Connections(settings.base_url, context, settings.concurrency, clock=self._clock)
        return http, Connections(oauth.token_url, context, 1, clock=self._clock) if oauth else None

    async def _post_form(self, target: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        assert self._token_http is not None
        return await self._token_http.request("POST", target, headers, body, MAX_TOKEN_BYTES, Attempt())

    def _renew(self) -> None:
        """New connections where a certificate, key or authority has changed; requests in flight end on the old ones."""
        now_s = self._clock()
        if now_s < self._look_s:
            return
        self._look_s = now_s + TLS_LOOK_S
        stamp = self._settings.tls.stamp()
        if stamp == self._stamp:
            return
        try:
            fresh = self._connect()
        except InvalidInputError as error:  # half-written files; the connections that stand are still good
            log.warning("A1 client: certificates changed and cannot be used yet: %s", error)
            return
        self._stamp = stamp
        for old in (self._http, self._token_http):
            if old is not None:
                closing = asyncio.create_task(old.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
        self._http, self._token_http = fresh
        log.info("A1 client: certificates changed; new connections use them")


def _judged(found: HttpAnswer) -> Answer:
    code, data = found.status, found.data
    if 200 <= code < 300:
        body = None
        if data.strip() and code != 204:
            try:
                body = read_json(data, MAX_ANSWER_BYTES)
            except DecodeError as error:  # text/plain "OK" after a write is no failure; readers check what they need
                metrics.A1_BODIES_REFUSED.labels("answer", error.reason).inc()
        return Answer(Outcome.DONE, code, "ok", location=found.headers.get("location", "")[:2048], body=body)
    retry_s = retry_after_s(found.headers.get("retry-after", ""), time.time())
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
