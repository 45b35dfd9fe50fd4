"""The ingester put together: gRPC intake, intake stream, assembler, frames stream."""

from __future__ import annotations

from twm.core.redis_watch import connect_when_up, ready_while_up
from twm.core.serving import Runtime, grpc_server
from twm.ingester.intake import SERVICE_NAME, TelemetryIngest, add_to_server
from twm.ingester.settings import IngesterSettings
from twm.ingester.worker import AssemblyWorker


async def serve() -> int:
    """Run until told to stop. Returns the exit code."""
    settings = IngesterSettings.load()
    spec = settings.spec()
    patience = settings.patience(spec)
    async with Runtime(settings, "ingester") as runtime:
        streams = await connect_when_up(settings.redis_url, runtime.stop)
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
            runtime.spawn(ready_while_up(streams, runtime), "redis watch")
            return await runtime.wait()
        finally:
            await streams.close()
