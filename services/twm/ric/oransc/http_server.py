"""The xApp's HTTP side (port 8080 by O-RAN SC's custom): health, configuration, metrics, and the subscription callback.

On threads of its own, so that probes are answered while the event loop is busy. Bounded: connections, body size, time.
"""

from __future__ import annotations

import http.server
import json
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from twm.core.errors import TwmError, UnavailableError
from twm.core.probes import Health
from twm.ric.oransc.submgr import RESPONSE_PATH

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 32
MAX_BODY_BYTES = 256 * 1024
REQUEST_TIMEOUT_S = 5.0

Answer = tuple[int, str, bytes]


class XappHttp:
    """Serves until closed. `on_response` gets the parsed body of each callback, on a thread of this server."""

    def __init__(
        self, host: str, port: int, health: Health, config: Callable[[], Any], on_response: Callable[[Any], None]
    ) -> None:
        self._health, self._config, self._on_response = health, config, on_response
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._server = _Server(family, host, port, self._get, self._post)
        except OSError as error:
            raise UnavailableError(f"TWM_RIC_HTTP_LISTEN: cannot listen on {host}:{port}: {error.strerror}") from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="xapp-http"
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _get(self, path: str) -> Answer:
        if path in ("/ric/v1/health/alive", "/livez"):
            return _health(self._health.alive, "alive")
        if path in ("/ric/v1/health/ready", "/readyz"):
            return _health(self._health.ready and self._health.alive, "ready")
        if path == "/ric/v1/config":
            return 200, "application/json", json.dumps(self._config()).encode()
        if path in ("/ric/v1/metrics", "/metrics"):
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        return 404, "application/json", b'{"error":"not found"}'

    def _post(self, path: str, body: bytes) -> Answer:
        if path != RESPONSE_PATH:
            return 404, "application/json", b'{"error":"not found"}'
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            return 400, "application/json", b'{"error":"not JSON"}'
        try:
            self._on_response(data)
        except TwmError as error:
            return 400, "application/json", json.dumps({"error": str(error)[:300]}).encode()
        return 200, "application/json", b"{}"


def _path(target: str) -> str:
    """The path of a request target, without query and without a slash at the end."""
    return target.partition("?")[0].rstrip("/")


def _health(good: bool, word: str) -> Answer:
    body = {"status": word if good else f"not {word}"}
    return (200 if good else 503), "application/json", json.dumps(body).encode()


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        family: socket.AddressFamily,
        host: str,
        port: int,
        get: Callable[[str], Answer],
        post: Callable[[str, bytes], Answer],
    ) -> None:
        self.address_family = family
        self.get, self.post = get, post
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
        log.debug("connection failed", exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = REQUEST_TIMEOUT_S
    server: _Server
    server_version = "twm"
    sys_version = ""

    def do_GET(self) -> None:
        """Health, configuration, metrics."""
        self._answer(self.server.get(_path(self.path)))

    def do_POST(self) -> None:
        """The subscription callback."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY_BYTES:
            self._answer((413 if length.isdigit() else 411, "application/json", b'{"error":"body length"}'))
            return
        self._answer(self.server.post(_path(self.path), self.rfile.read(int(length))))

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _answer(self, answer: Answer) -> None:
        code, content_type, body = answer
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True
