"""The xApp's HTTP side (port 8080 by O-RAN SC's custom): health, configuration, metrics, and the subscription callback.

On threads of its own, so that probes are answered while the event loop is busy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from twm.core.errors import TwmError, UnavailableError
from twm.core.http_listener import Answer, HttpListener
from twm.core.probes import Health
from twm.ric.oransc.submgr import RESPONSE_PATH

MAX_CONNECTIONS = 32
MAX_BODY_BYTES = 256 * 1024


class XappHttp(HttpListener):
    """Serves until closed. `on_response` gets the parsed body of each callback, on a thread of this server."""

    def __init__(
        self, host: str, port: int, health: Health, config: Callable[[], Any], on_response: Callable[[Any], None]
    ) -> None:
        self._health, self._config, self._on_response = health, config, on_response
        try:
            super().__init__(
                host,
                port,
                self._get,
                self._post,
                max_connections=MAX_CONNECTIONS,
                max_body_bytes=MAX_BODY_BYTES,
                name="xapp-http",
            )
        except OSError as error:
            raise UnavailableError(f"TWM_RIC_HTTP_LISTEN: cannot listen on {host}:{port}: {error.strerror}") from error

    def _get(self, path: str) -> Answer:
        path = path.rstrip("/")
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
        if path.rstrip("/") != RESPONSE_PATH:
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


def _health(good: bool, word: str) -> Answer:
    body = {"status": word if good else f"not {word}"}
    return (200 if good else 503), "application/json", json.dumps(body).encode()
