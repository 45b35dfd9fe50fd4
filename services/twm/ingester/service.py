"""The ingester put together: gRPC intake, intake stream, assembler, frames stream."""

from __future__ import annotations

import asyncio
import logging

from twm.core.errors import UnavailableError
from twm.core.serving import Runtime, grpc_server
from twm.core.stream_worker import Backoff, pause
from twm.core.streams import Streams
from twm.ingester.intake import SERVICE_NAME, TelemetryIngest, add_to_server
from twm.ingester.settings import IngesterSettings
from twm.ingester.worker import AssemblyWorker

log = logging.getLogger(__name__)

PING_S = 1.0


async def serve() -> int:
    """Run until told to stop. Returns the exit code."""
    settings = IngesterSettings.load()
    spec = settings.spec()
    patience = settings.patience(spec)
    async with Runtime(settings, "ingester") as runtime:
        streams = await _connect(settings.redis_url, runtime.stop)
        if streams is None:
            return await runtime.wait()
        try:
            intake = TelemetryIngest(streams, spec, wait_s=settings.ingest_wait_s, stop=runtime.stop)
            worker = AssemblyWorker(
                streams,
                spec,
                patience,
                instance=settings.instance,
                lease_s=settings.lease_s,
                cumulative=settings.cumulative(),
            )
            server = grpc_server()
            add_to_server(intake, server)
            await runtime.serve_grpc(server, [SERVICE_NAME])
            runtime.spawn(worker.run(runtime.stop), "assembler")
            runtime.spawn(_watch(streams, runtime), "redis watch")
            return await runtime.wait()
        finally:
            await streams.close()


async def _connect(url: str, stop: asyncio.Event) -> Streams | None:
    """Wait for Redis; None where the stop comes first."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            return await Streams.connect(url)
        except UnavailableError as error:
            log.warning("waiting for Redis: %s", error)
            await backoff.wait(stop)
    return None


async def _watch(streams: Streams, runtime: Runtime) -> None:
    """Ready exactly while Redis answers."""
    while not runtime.stop.is_set():
        try:
            await streams.ping()
            runtime.set_ready(True)
        except UnavailableError:
            runtime.set_ready(False)
        await pause(runtime.stop, PING_S)
