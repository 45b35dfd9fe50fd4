"""`python -m twm.gateway`: build, serve, drain."""

from __future__ import annotations

import sys

from twm.core.serving import Runtime, run_service
from twm.gateway.service import GatewayService, connect
from twm.gateway.settings import GatewaySettings


async def serve() -> int:
    """Until SIGTERM or SIGINT; returns the exit code."""
    settings = GatewaySettings.load()
    async with Runtime(settings, name="gateway", http=False) as runtime:
        streams = await connect(settings.redis_url, runtime.stop)
        if streams is None:
            return await runtime.wait()
        try:
            await GatewayService(settings, streams, runtime.health).start(runtime)
            return await runtime.wait()
        finally:
            await streams.close()


if __name__ == "__main__":
    sys.exit(run_service("gateway", serve))
