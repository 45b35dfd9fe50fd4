"""Calls to one Redis-protocol server (the master that Sentinels name, where the URL is theirs): a bounded set of connections, a
deadline on every call, one kind of error.

redis-py's connections (RESP3, TLS, authentication) with commands packed by hiredis, without redis-py's client layer: its
silent re-sending of commands after a lost connection would write twice what is not idempotent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from twm.core import metrics
from twm.core.errors import DeadlineError, InvalidInputError, TwmError, UnavailableError
from twm.core.redis_sentinel import Sentinels, names_sentinels
from twm.core.stream_scripts import Argument, Script

MAX_CONNECTIONS = 32
# Refusals that pass by themselves or by an operator's hand; the caller waits and tries again.
_TRANSIENT = ("OOM", "LOADING", "MISCONF", "READONLY", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "NOGROUP")


def redact_url(url: str) -> str:
    """The URL without its passwords."""
    return re.sub(r"(password=)[^&]*", r"\1***", re.sub(r"(://[^:@/]*):[^@]*@", r"\1:***@", url))


class RedisLink:
    """Bounded connections to one server. Every failure is an UnavailableError (DeadlineError when it took too long)."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.address = redact_url(url)
        self._sentinels: Sentinels | None = None
        try:
            if names_sentinels(url):
                self._sentinels = Sentinels(url, self.address, self._pool_of)
                self._pool = self._sentinels.server_pool
            else:
                self._pool = self._pool_of(url)
        except ValueError as error:
            raise InvalidInputError(
                f"redis_url: {self.address!r} is not a Redis URL (redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://)"
            ) from error
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._idle: list[AbstractConnection] = []

    async def call(self, *command: Argument, wait_s: float = 0.0) -> Any:
        """One command's reply, undecoded. `wait_s`: how long the command itself may block, on top of the deadline."""
        (reply,) = await self.call_many([command], wait_s=wait_s)
        if isinstance(reply, ResponseError):
            raise _refusal(reply)
        return reply

    async def call_many(self, commands: Sequence[Sequence[Argument]], *, wait_s: float = 0.0) -> list[Any]:
        """Replies of commands sent together on one connection; a refused command's reply is its ResponseError."""
        packed = b"".join(hiredis.pack_command(tuple(command)) for command in commands)  # type: ignore[arg-type]
        deadline_s = self.timeout_s + wait_s
        try:
            async with asyncio.timeout(deadline_s), self._slots:
                return await self._exchange(packed, len(commands))
        except TimeoutError as error:
            metrics.REDIS_ERRORS.labels("timeout").inc()
            raise DeadlineError(f"redis {self.address}: no answer within {deadline_s:g} s") from error
        except (RedisError, OSError) as error:
            metrics.REDIS_ERRORS.labels("connection").inc()
            await self._drop_idle()
            raise UnavailableError(f"redis {self.address}: {str(error)[:200]}") from error

    async def run(self, script: Script, keys: Sequence[Argument], arguments: Sequence[Argument]) -> Any:
        """A script's reply; loads it first where the server has forgotten it."""
        reply, *_ = await self.run_then(script, keys, arguments, ())
        return reply

    async def run_then(
        self, script: Script, keys: Sequence[Argument], arguments: Sequence[Argument], then: Sequence[Sequence[Argument]]
    ) -> list[Any]:
        """A script and further commands on the same connection, sent together; raises where the script is refused."""
        evaluate: list[Argument] = ["EVALSHA", script.sha, len(keys), *keys, *arguments]
        replies = await self.call_many([evaluate, *then])
        if isinstance(replies[0], NoScriptError):  # nothing was run, so running it again is safe
            replies = await self.call_many([["SCRIPT", "LOAD", script.source], evaluate, *then])
            replies = replies[1:]
        if isinstance(replies[0], ResponseError):
            raise _refusal(replies[0])
        return replies

    async def close(self) -> None:
        """Close every connection."""
        await self._drop_idle()
        await (self._pool if self._sentinels is None else self._sentinels).aclose()

    async def _exchange(self, packed: bytes, count: int) -> list[Any]:
        connection = self._idle.pop() if self._idle else await self._new_connection()
        finished = False
        try:
            await connection.send_packed_command(packed, check_health=False)
            replies: list[Any] = []
            for _ in range(count):
                try:
                    replies.append(await connection.read_response(disconnect_on_error=False))
                except ResponseError as error:
                    replies.append(error)
            demoted = self._sentinels is not None and any(isinstance(reply, ReadOnlyError) for reply in replies)
            if demoted:  # no longer the master: the Sentinels know another
                await self._drop_idle()
            finished = not demoted
            return replies
        finally:
            if finished:
                self._idle.append(connection)
            else:
                await connection.disconnect(nowait=True)

    def _pool_of(self, url: str) -> ConnectionPool:
        return ConnectionPool.from_url(
            url,
            protocol=3,
            socket_timeout=None,  # one deadline around the whole call instead
            socket_connect_timeout=self.timeout_s,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )

    async def _new_connection(self) -> AbstractConnection:
        if self._sentinels is not None:
            return await self._sentinels.connection()
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection

    async def _drop_idle(self) -> None:
        # A server that went away leaves every idle connection dead; each would cost one more failed call.
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)


def _refusal(error: ResponseError) -> TwmError:
    text = str(error)[:300]
    metrics.REDIS_ERRORS.labels("refused").inc()
    code = next((prefix for prefix in _TRANSIENT if prefix in type(error).__name__.upper() or prefix in text), None)
    if code is not None or type(error).__name__ in ("OutOfMemoryError", "ReadOnlyError", "BusyLoadingError"):
        return UnavailableError(f"redis: {text}", reason="lost_group" if code == "NOGROUP" else "unavailable")
    return TwmError(f"redis: {text}", reason="redis_refused")
