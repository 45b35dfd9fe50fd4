"""A small HTTP server on threads of its own, for what has to be answered while the event loop is busy.

Bounded: connections at a time (more are closed at once), one request a connection, bytes of head and body, and
REQUEST_TIMEOUT_S for the whole of it, however slowly the client sends or reads.
"""

from __future__ import annotations

import http.server
import io
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from typing import Any

REQUEST_TIMEOUT_S = 5.0
MAX_HEAD_BYTES = 64 * 1024

log = logging.getLogger(__name__)

Answer = tuple[int, str, bytes]
"""Status, media type, body."""


class HttpListener:
    """Serves until closed. `get` is told the path without its query, `post` the body too; both run on threads of the server."""

    def __init__(
        self,
        host: str,
        port: int,
        get: Callable[[str], Answer],
        post: Callable[[str, bytes], Answer] | None = None,
        *,
        max_connections: int,
        max_body_bytes: int = 0,
        name: str,
    ) -> None:
        """Listen on `port` (0: any free one). Raises OSError where that cannot be."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = _Server(family, (host, port), get, post, max_connections, max_body_bytes)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name=name
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        family: socket.AddressFamily,
        address: tuple[str, int],
        get: Callable[[str], Answer],
        post: Callable[[str, bytes], Answer] | None,
        max_connections: int,
        max_body_bytes: int,
    ) -> None:
        self.address_family = family
        self.get, self.post, self.max_body_bytes = get, post, max_body_bytes
        self._slots = threading.BoundedSemaphore(max_connections)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name that http.server makes."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the connection, or none where too many are at work."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, then free the slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, lingers or sends without end is no event."""
        log.debug("connection failed", exc_info=True)


class _Bounded(io.RawIOBase):
    """What a connection sends, until a time and up to a number of bytes."""

    def __init__(self, connection: socket.socket, until_s: float, most_bytes: int) -> None:
        self._connection, self._until_s, self._left = connection, until_s, most_bytes

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError after the time, ConnectionError after the last byte allowed."""
        if self._left <= 0:
            raise ConnectionError("request is too long")
        self._connection.settimeout(max(self._until_s - time.monotonic(), 0.001))
        count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    server_version = "twm"
    sys_version = ""

    def setup(self) -> None:
        """One deadline for the request and its answer."""
        super().setup()
        self._until_s = time.monotonic() + REQUEST_TIMEOUT_S
        self.rfile.close()
        bounded = _Bounded(self.connection, self._until_s, MAX_HEAD_BYTES + self.server.max_body_bytes)
        self.rfile = io.BufferedReader(bounded)

    def do_GET(self) -> None:
        """Answer by path."""
        self._answer(self.server.get(_path(self.path)))

    def do_POST(self) -> None:
        """Answer by path and body."""
        if self.server.post is None:
            self.send_error(501, "Unsupported method ('POST')")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._answer((411, "application/json", b'{"error":"body length"}'))
            return
        if len(length) > 18 or int(length) > self.server.max_body_bytes:
            self._answer((413, "application/json", b'{"error":"body length"}'))
            return
        self._answer(self.server.post(_path(self.path), self.rfile.read(int(length))))

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _answer(self, answer: Answer) -> None:
        code, media_type, body = answer
        self.send_response(code)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.connection.settimeout(max(self._until_s - time.monotonic(), 0.001))
        self.wfile.write(body)
        self.close_connection = True


def _path(target: str) -> str:
    return target.partition("?")[0]
