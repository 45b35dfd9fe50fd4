"""One process of an area delivers: a lease in Redis, taken by compare-and-set, held by renewing it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable

from twm.core.errors import UnavailableError
from twm.core.streams import KeyWrite, StreamNames, Streams

LEASE_KEY = "a1-lease"
LEASE_S = 10.0
RENEW_S = 2.0
MARGIN_S = 3.0
"""The holder stops this much before its lease ends: clocks differ, and a write on its way needs time."""


class Lease:
    """The right to deliver for an area."""

    def __init__(
        self, streams: Streams, names: StreamNames, instance: str, clock: Callable[[], float], steady: Callable[[], float]
    ) -> None:
        """`clock`: Unix [s]; `steady`: steady [s]."""
        self._streams, self._key = streams, names.key(LEASE_KEY)
        self._holder = f"{instance}/{secrets.token_hex(4)}"
        self._clock, self._steady = clock, steady
        self._until_s = self._renew_s = float("-inf")

    @property
    def held(self) -> bool:
        """Whether this process may write now."""
        return self._steady() < self._until_s - MARGIN_S

    async def hold(self) -> bool:
        """Take or renew it where that is due. Raises UnavailableError; the lease then runs on until its end."""
        if self._steady() < self._renew_s:
            return self.held
        stored = await self._streams.get(self._key) or b""
        holder, until_s = _read(stored)
        if holder != self._holder and until_s > self._clock():
            self._until_s = float("-inf")
            self._renew_s = self._steady() + RENEW_S / 2
            return False
        began_s = self._steady()
        value = json.dumps({"holder": self._holder, "until_s": self._clock() + LEASE_S}).encode()
        if await self._streams.write([], [KeyWrite(self._key, value, stored)]):
            self._until_s, self._renew_s = began_s + LEASE_S, began_s + RENEW_S
        return self.held

    async def give_back(self) -> None:
        """Let another process have it at once; without Redis it ends by itself."""
        self._until_s = self._renew_s = float("-inf")
        try:
            stored = await self._streams.get(self._key) or b""
            if _read(stored)[0] == self._holder:
                await self._streams.write([], [KeyWrite(self._key, b"", stored)])
        except UnavailableError:
            return


def _read(stored: bytes) -> tuple[str, float]:
    """(holder, end [Unix s]); what is damaged is free to take."""
    try:
        found = json.loads(stored) if stored else {}
        return str(found.get("holder", "")), float(found.get("until_s", 0.0))
    except (ValueError, TypeError, AttributeError):
        return "", 0.0
