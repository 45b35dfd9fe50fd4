"""Redis as a condition of readiness: wait for it at start, and be ready exactly while it answers."""

from __future__ import annotations

import asyncio
import logging

from twm.core.errors import UnavailableError
from twm.core.serving import Runtime
from twm.core.stream_worker import Backoff, pause
from twm.core.streams import Streams

log = logging.getLogger(__name__)

PING_S = 1.0


async def connect_when_up(url: str, stop: asyncio.Event) -> Streams | None:
    """Wait for the server at `url`; None where `stop` comes first."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            return await Streams.connect(url)
        except UnavailableError as error:
            log.warning("waiting for Redis: %s", error)
            await backoff.wait(stop)
    return None


async def ready_while_up(streams: Streams, runtime: Runtime) -> None:
    """Set the process ready while Redis answers a ping each second and not ready otherwise, until it stops."""
    while not runtime.stop.is_set():
        try:
            await streams.ping()
            runtime.set_ready(True)
        except UnavailableError:
            runtime.set_ready(False)
        await pause(runtime.stop, PING_S)
