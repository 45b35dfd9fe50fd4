"""Kept HTTP/1.1 connections to one host, over asyncio and h11 (which parses; it does no I/O).

Written for one question that a general client leaves open: whether a request that failed may have reached the peer. It also
does nothing that nobody asked for: no redirects, no proxies from the environment, no decompression, no second attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from twm.core.errors import DecodeError, UnavailableError

MAX_HEAD_BYTES = 32 * 1024
MAX_IDLE_S = 10.0
_CHUNK = 64 * 1024


class ConnectError(UnavailableError):
    """No connection; nothing was sent."""

    reason = "unreachable"


class LostError(UnavailableError):
    """The connection ended before the answer did."""

    reason = "reset"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of several of one name the last."""
    data: bytes


@dataclass(slots=True)
class Attempt:
    """How far a request has come."""

    sent: bool = False
    """Some of it may have reached the peer."""


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    state: h11.Connection
    idle_since_s: float = 0.0


class Connections:
    """Connections to one host."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, keep: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`url`: of which scheme, host and port count; `tls`: for https; `keep`: most idle connections kept."""
        parts = urlsplit(url)
        self._host, self._tls, self._keep, self._clock = parts.hostname or "", tls, keep, clock
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._secure = parts.scheme == "https"
        self._name = parts.netloc
        self._idle: list[_Connection] = []
        self._closed = False

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, limit: int, attempt: Attempt
    ) -> HttpAnswer:
        """One request. The caller sets the deadline; `attempt.sent` tells it then how far things came.

        Raises ConnectError, LostError, and DecodeError where the answer is none, or larger than `limit` bytes.
        """
        connection = self._take() or await self._connect()
        kept = False
        try:
            attempt.sent = True
            answer = await self._exchange(connection, method, target, headers, body, limit)
            kept = connection.state.our_state is h11.DONE and connection.state.their_state is h11.DONE
        except (OSError, EOFError) as error:
            raise LostError(type(error).__name__) from None
        except h11.LocalProtocolError as error:
            raise DecodeError(f"request: {str(error)[:100]}", reason="bad_request") from None
        except h11.RemoteProtocolError as error:
            if connection.reader.at_eof():
                raise LostError("closed before the answer was whole") from None
            raise DecodeError(f"answer: {str(error)[:100]}", reason="bad_http") from None
        finally:
            if kept and len(self._idle) < self._keep and not self._closed:
                connection.state.start_next_cycle()
                connection.idle_since_s = self._clock()
                self._idle.append(connection)
            else:
                connection.writer.close()
        return answer

    async def close(self) -> None:
        """Close what is idle; requests under way close theirs when they end."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.writer.close()
        for connection in idle:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(connection.writer.wait_closed(), 1.0)

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            fresh = self._clock() - connection.idle_since_s < MAX_IDLE_S
            if fresh and not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.writer.close()
        return None

    async def _connect(self) -> _Connection:
        try:
            reader, writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls if self._secure else None, limit=_CHUNK,
                server_hostname=self._host if self._secure else None,
            )  # fmt: skip
        except ssl.SSLError as error:
            raise ConnectError(f"TLS: {(getattr(error, 'verify_message', '') or error.reason or 'failed')!s}"[:160]) from None
        except OSError as error:
            raise ConnectError(f"{error.strerror or type(error).__name__}"[:160]) from None
        return _Connection(reader, writer, h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES))

    async def _exchange(
        self, connection: _Connection, method: str, target: str, headers: Mapping[str, str], body: bytes | None, limit: int
    ) -> HttpAnswer:
        state = connection.state
        fields = [("Host", self._name), *headers.items()]
        if body is not None or method in ("PUT", "POST"):
            fields.append(("Content-Length", str(len(body or b""))))
        data = state.send(h11.Request(method=method, target=target, headers=fields)) or b""
        if body:
            data += state.send(h11.Data(data=body)) or b""
        data += state.send(h11.EndOfMessage()) or b""
        connection.writer.write(data)
        await connection.writer.drain()
        found: h11.Response | None = None
        received = bytearray()
        while True:
            event = state.next_event()
            if event is h11.NEED_DATA:
                state.receive_data(await connection.reader.read(_CHUNK))
            elif isinstance(event, h11.Response):
                found = event
            elif isinstance(event, h11.Data):
                received += event.data
                if len(received) > limit:
                    raise DecodeError(f"answer: more than {limit} bytes", reason="too_long")
            elif isinstance(event, h11.EndOfMessage):
                break
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                raise LostError("closed without an answer")
        assert found is not None
        names = {name.decode("latin-1"): value.decode("latin-1") for name, value in found.headers}
        return HttpAnswer(int(found.status_code), names, bytes(received))
