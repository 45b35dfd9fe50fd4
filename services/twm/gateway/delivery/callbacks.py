"""Callbacks of A1 terminations: told by an unguessable URL, limited in number and size, never interpreted.

A RIC has no token of ours to show, so each callback URL carries a code that only we can make: HMAC-SHA256 over what it is
about. The URL goes to the RIC alone, with the policy.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from twm.core.streams import KeyWrite, StreamNames, Streams
from twm.gateway.delivery.oauth import read_secret
from twm.gateway.delivery.urls import segment

CALLBACK_KEY = "a1-callback-key"
STATUS, RIC = "status", "ric"
_CODE_CHARACTERS = 40


class CallbackUrls:
    """Makes and checks callback URLs."""

    def __init__(self, base_url: str, key: bytes) -> None:
        self._base_url, self._key = base_url, key

    def url(self, kind: str, subject: str) -> str:
        """Where the peer tells the status of an instance (STATUS), or that a RIC is there again (RIC); "" where it cannot."""
        return f"{self._base_url}/a1/{kind}/{segment(subject)}/{self.code(kind, subject)}" if self._base_url else ""

    def code(self, kind: str, subject: str) -> str:
        """The code for a subject."""
        return hmac.new(self._key, f"{kind}\0{subject}".encode(), hashlib.sha256).hexdigest()[:_CODE_CHARACTERS]

    def holds(self, kind: str, subject: str, code: str) -> bool:
        """Whether the code is the subject's."""
        return hmac.compare_digest(self.code(kind, subject).encode(), code.encode("utf-8", "replace"))


async def callback_key(streams: Streams, names: StreamNames, path: str) -> bytes:
    """The key: from a file, else one that all gateways of the area share in Redis. Raises InvalidInputError,
    UnavailableError."""
    if path:
        return read_secret("TWM_A1_CALLBACK_KEY_FILE", path).encode()
    name = names.key(CALLBACK_KEY)
    stored = await streams.get(name)
    if not stored:
        await streams.write([], [KeyWrite(name, secrets.token_hex(32).encode(), b"")])
        stored = await streams.get(name)
    return stored or secrets.token_hex(32).encode()
