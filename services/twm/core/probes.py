"""/livez, /readyz and /metrics over plain HTTP, on threads of their own, so that they answer while the event loop is busy."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from twm.core.http_listener import Answer, HttpListener

MAX_CONNECTIONS = 16
LOOP_STALL_S = 30.0


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


class ProbeServer(HttpListener):
    """Serves the probes of one process until closed."""

    def __init__(self, host: str, port: int, health: Health) -> None:
        super().__init__(host, port, _answers(health), max_connections=MAX_CONNECTIONS, name="probes")


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
