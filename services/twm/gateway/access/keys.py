"""The issuer's public keys (JWKS, RFC 7517): from a file or an https URL, cached, with a deadline, a size bound and a bound on
how stale they may get. A token never says where keys are fetched from.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jwt

from twm.core.errors import InvalidInputError, UnavailableError

log = logging.getLogger(__name__)

MAX_JWKS_BYTES = 256 * 1024
MAX_KEYS = 64
MIN_RSA_BITS = 2048
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class KeySource:
    """Keys by id."""

    def __init__(
        self,
        location: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        deadline_s: float = 5.0,
        lifetime_s: float = 300.0,
        stale_s: float = 3600.0,
        retry_s: float = 15.0,
    ) -> None:
        """`location`: file or URL. Keys are fetched again after `lifetime_s`, or when a token names an unknown one (at most
        every `retry_s`), and used up to `stale_s` where that fails. Raises InvalidInputError on a URL that is not https."""
        parts = urllib.parse.urlsplit(location)
        self._url = parts.scheme in ("http", "https")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise InvalidInputError(f"jwks: {location[:200]!a} is not https; plain http is for loopback only")
        self._location, self._clock = location, clock
        self._deadline_s, self._lifetime_s, self._stale_s, self._retry_s = deadline_s, lifetime_s, stale_s, retry_s
        self._keys: list[dict[str, Any]] = []
        self._fetched_s = self._tried_s = float("-inf")
        self._turn = asyncio.Lock()

    async def find(self, key_id: str | None) -> list[dict[str, Any]]:
        """Signature keys (as JWK) of that id; without an id, the only key there is.

        Raises UnavailableError where the keys could not be fetched and the last ones are too old.
        """
        found = self._match(key_id)
        if found and self._clock() - self._fetched_s <= self._lifetime_s:
            return found
        async with self._turn:
            if self._clock() - self._tried_s >= self._retry_s:
                await self._refresh()
        if self._clock() - self._fetched_s > self._stale_s:
            raise UnavailableError("jwks: the issuer's keys cannot be fetched", reason="jwks")
        return self._match(key_id)

    def _match(self, key_id: str | None) -> list[dict[str, Any]]:
        if key_id is None:
            return self._keys if len(self._keys) == 1 else []
        return [key for key in self._keys if key.get("kid") == key_id]

    async def _refresh(self) -> None:
        self._tried_s = self._clock()
        try:
            async with asyncio.timeout(self._deadline_s):
                data = await asyncio.to_thread(self._fetch)
            self._keys = parse_jwks(data)
            self._fetched_s = self._clock()
        except (OSError, http.client.HTTPException, TimeoutError, InvalidInputError) as error:
            log.warning("jwks: not refreshed: %s: %s", type(error).__name__, ascii(str(error))[:200])

    def _fetch(self) -> bytes:
        if not self._url:
            with Path(self._location).open("rb") as file:
                return file.read(MAX_JWKS_BYTES + 1)
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        end = time.monotonic() + self._deadline_s
        with opener.open(self._location, timeout=self._deadline_s) as answer:
            data = bytearray()
            while len(data) <= MAX_JWKS_BYTES and (chunk := answer.read1(65536)):
                data += chunk
                if time.monotonic() > end:
                    raise TimeoutError(f"not read within {self._deadline_s:g} s")
            return bytes(data)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Keys come from the configured place or not at all."""
        return None


def parse_jwks(data: bytes) -> list[dict[str, Any]]:
    """Public signature keys of a JWKS document. Raises InvalidInputError naming what is wrong; symmetric keys are an error."""
    if len(data) > MAX_JWKS_BYTES:
        raise InvalidInputError(f"jwks: more than {MAX_JWKS_BYTES} bytes")
    try:
        document = json.loads(data)
        listed = document["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInputError("jwks: not a JSON object with 'keys'") from error
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise InvalidInputError(f"jwks: keys is not a list of at most {MAX_KEYS}")
    found = []
    for index, key in enumerate(listed):
        if not isinstance(key, dict) or not isinstance(key.get("kty"), str):
            raise InvalidInputError(f"jwks: keys[{index}] has no kty")
        if key["kty"] == "oct" or "d" in key:
            raise InvalidInputError(f"jwks: keys[{index}] is a secret key; only public keys belong here")
        if key.get("use", "sig") == "sig" and key["kty"] in ("RSA", "EC", "OKP"):
            found.append(key)
    return found


def usable(keys: Sequence[dict[str, Any]], algorithm: str) -> list[jwt.PyJWK]:
    """Those keys that fit the algorithm: type, curve, the key's own `alg`, and at least MIN_RSA_BITS."""
    fit = []
    for key in keys:
        if key.get("alg", algorithm) != algorithm:
            continue
        try:
            made = jwt.PyJWK(key, algorithm)
        except (jwt.exceptions.PyJWTError, ValueError, TypeError, KeyError):
            continue
        bits = getattr(made.key, "key_size", MIN_RSA_BITS) if key["kty"] == "RSA" else MIN_RSA_BITS
        if bits >= MIN_RSA_BITS:
            fit.append(made)
    return fit
