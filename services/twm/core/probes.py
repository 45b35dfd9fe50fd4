"""/livez, /readyz and /metrics over plain HTTP, on threads of their own, so that they answer while the event loop is busy.

Bounded: at most MAX_CONNECTIONS at a time (more are closed at once), one request a connection, a time limit on each.
"""

from __future__ import annotations

import http.server
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

MAX_CONNECTIONS = 16
REQUEST_TIMEOUT_S = 5.0
LOOP_STALL_S = 30.0

log = logging.getLogger(__name__)


class Health:
    """What the probes tell. Alive: the event loop turned within LOOP_STALL_S; ready: the service said so."""

    def __init__(self) -> None:
        self.ready = False
        self._beat_s = time.monotonic()

    def beat(self) -> None:
        """The event loop turns."""
        self._beat_s = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether the event loop turned lately."""
        return time.monotonic() - self._beat_s < LOOP_STALL_S


class ProbeServer:
    """Serves the probes of one process until closed."""

    def __init__(self, host: str, port: int, health: Health) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = _Server(family, host, port, _answers(health))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


Answer = tuple[int, str, bytes]


def _answers(health: Health) -> Callable[[str], Answer]:
    def answer(path: str) -> Answer:
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        if path == "/livez":
            good, word = health.alive, "alive"
        elif path == "/readyz":
            good, word = health.ready and health.alive, "ready"
        else:
            return 404, "text/plain", b"not found: /livez, /readyz, /metrics\n"
        return (200 if good else 503), "text/plain", (word if good else f"not {word}").encode() + b"\n"

    return answer


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, family: socket.AddressFamily, host: str, port: int, answer: Callable[[str], Answer]) -> None:
        self.address_family = family
        self.answer = answer
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((host, port), _Handler)

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
        """A client that hangs up or lingers is no event."""
        log.debug("probe connection failed", exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = REQUEST_TIMEOUT_S
    server: _Server
    server_version = "twm"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one probe."""
        code, content_type, body = self.server.answer(self.path.partition("?")[0])
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes are not logged."""
