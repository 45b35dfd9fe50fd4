"""Which replica assembles an area: a lease in a key, by compare-and-set only.

A holder shows it is alive by changing the value. Whoever sees a value unchanged for the lease time by its own clock may
replace it: no two machines' clocks are compared. The lease only saves work; what makes frames exactly-once is the guard on
the state key.
"""

from __future__ import annotations

import json
import secrets

from twm.core.streams import KeyWrite, Streams


class Lease:
    """One replica's view of one lease. `now` is any monotonic clock [s]."""

    def __init__(self, streams: Streams, key: str, holder: str, lease_s: float) -> None:
        self._streams, self._key, self._holder, self._lease_s = streams, key, holder, lease_s
        self._mine = b""
        self._seen = b""
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self._count = 0

    async def take(self, now: float) -> bool:
        """Try to become the holder. A value left by the same holder name (its former life) is taken over at once."""
        value = await self._streams.get(self._key) or b""
        if value != self._seen:
            self._seen, self._seen_at = value, now
        free = not value or _holder(value) == self._holder or now - self._seen_at >= self._lease_s
        return free and await self._write(value, now)

    async def keep(self, now: float) -> bool:
        """Renew where a third of the time has passed. False: another has it."""
        if now - self._renewed_at < self._lease_s / 3:
            return True
        if await self._write(self._mine, now):
            return True
        # A write whose answer was lost may have happened.
        value = await self._streams.get(self._key) or b""
        return _holder(value) == self._holder and await self._write(value, now)

    async def give_up(self) -> None:
        """Let another take over at once."""
        if self._mine:
            await self._streams.write((), [KeyWrite(self._key, b"", self._mine)])
            self._mine = b""

    async def _write(self, expected: bytes, now: float) -> bool:
        self._count += 1
        value = json.dumps({"holder": self._holder, "beat": f"{self._count}-{secrets.token_hex(4)}"}).encode()
        if not await self._streams.write((), [KeyWrite(self._key, value, expected)]):
            return False
        self._mine, self._renewed_at = value, now
        return True


def _holder(value: bytes) -> str | None:
    try:
        data = json.loads(value)
    except ValueError:
        return None
    holder = data.get("holder") if isinstance(data, dict) else None
    return holder if isinstance(holder, str) else None
