"""OAuth 2.0 client credentials (RFC 6749 clause 4.4): one token, fetched ahead of its end, by one caller at a time."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from twm.core.errors import AuthenticationError, InvalidInputError, UnavailableError
from twm.gateway.delivery.answers import read_json
from twm.gateway.delivery.connections import HttpAnswer

log = logging.getLogger(__name__)

MAX_SECRET_BYTES = 4096
MAX_TOKEN_BYTES = 64 * 1024
LIFETIME_UNKNOWN_S = 300.0
AHEAD_RATIO, AHEAD_MOST_S = 0.2, 60.0
"""A token is replaced when a fifth of its life is left, at most a minute."""


Post = Callable[[str, dict[str, str], bytes], Awaitable[HttpAnswer]]
"""Target, headers and body to the answer. Raises UnavailableError."""


@dataclass(frozen=True, kw_only=True)
class OAuthSettings:
    """How a token is got."""

    token_url: str
    client_id: str
    secret_file: str
    """File with the client secret; read at each request for a token, so that it can be exchanged."""
    scope: str = ""
    in_body: bool = False
    """Credentials in the form instead of the Authorization header, for servers that know nothing else."""

    def secret(self) -> str:
        """Raises InvalidInputError where it cannot be read; its content is never told."""
        return read_secret("a1_oauth_client_secret_file", self.secret_file)


def read_secret(name: str, path: str) -> str:
    """A secret from a file. Raises InvalidInputError naming the setting and the file, never the content."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{name}: {path}: cannot be read: {error.strerror}") from None
    text = data[: MAX_SECRET_BYTES + 1].decode("utf-8", "replace").strip()
    if not text or len(data) > MAX_SECRET_BYTES or not text.isprintable():
        raise InvalidInputError(f"{name}: {path}: empty, longer than {MAX_SECRET_BYTES} bytes or no text")
    return text


class TokenSource:
    """The token in use."""

    def __init__(self, settings: OAuthSettings, post: Post, clock: Callable[[], float], timeout_s: float) -> None:
        """`post`: sends a form to the token endpoint; `clock`: steady [s]."""
        self._settings, self._post, self._clock, self._timeout_s = settings, post, clock, timeout_s
        self._token = ""
        self._renew_s = self._ends_s = 0.0
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good for a while. Raises AuthenticationError, UnavailableError, InvalidInputError."""
        if self._token and self._clock() < self._renew_s:
            return self._token
        async with self._turn:
            now_s = self._clock()
            if self._token and now_s < self._renew_s:
                return self._token
            try:
                await self._fetch()
            except UnavailableError:
                if self._token and now_s < self._ends_s:  # the old one is still good; try again at the next call
                    return self._token
                raise
        return self._token

    def forget(self, token: str) -> None:
        """A token was refused; the next call gets a new one. One that has been replaced meanwhile stays."""
        if token == self._token:
            self._token = ""

    async def _fetch(self) -> None:
        settings = self._settings
        form = {"grant_type": "client_credentials"}
        if settings.scope:
            form["scope"] = settings.scope
        secret = settings.secret()
        headers = {"Accept": "application/json"}
        if settings.in_body:
            form |= {"client_id": settings.client_id, "client_secret": secret}
        else:  # RFC 6749 clause 2.3.1: form-encoded before they become user name and password
            pair = f"{quote(settings.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        began_s = self._clock()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        parts = urlsplit(settings.token_url)
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._post(parts.path or "/", headers, urlencode(form).encode())
        except (UnavailableError, TimeoutError) as error:
            words = str(error) or type(error).__name__
            raise UnavailableError(f"token endpoint: {words}"[:200], reason="token_endpoint") from None
        if found.status in (400, 401, 403):
            raise AuthenticationError(f"token endpoint: {found.status}: the client credentials are not taken")
        if found.status != 200:
            raise UnavailableError(f"token endpoint: {found.status}", reason="token_endpoint")
        self._take(read_json(found.data, MAX_TOKEN_BYTES), began_s)

    def _take(self, found: object, began_s: float) -> None:
        token = found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not 1 <= len(token) <= 16384:
            raise UnavailableError("token endpoint: no usable access_token in the answer", reason="token_endpoint")
        assert isinstance(found, dict)
        if str(found.get("token_type", "bearer")).lower() != "bearer":
            raise UnavailableError("token endpoint: the token is no bearer token", reason="token_endpoint")
        try:
            lifetime_s = float(found.get("expires_in") or LIFETIME_UNKNOWN_S)
        except (TypeError, ValueError):
            lifetime_s = LIFETIME_UNKNOWN_S
        if not 0 < lifetime_s < 1e9:
            lifetime_s = LIFETIME_UNKNOWN_S
        self._token = token
        self._ends_s = began_s + lifetime_s
        self._renew_s = self._ends_s - min(AHEAD_RATIO * lifetime_s, AHEAD_MOST_S)
        log.info("token endpoint: new token, good for %.0f s", lifetime_s)
