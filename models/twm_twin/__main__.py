"""Builds, serves and drains the verification service."""

from __future__ import annotations

import asyncio
import sys

from twm.api.twin.v1 import twin_pb2_grpc
from twm.core.serving import Runtime, grpc_server, run_service
from twm_twin.service import SERVICE_NAME, TwinService, VerificationCall
from twm_twin.settings import TwinSettings
from twm_twin.verification import Verifier


async def serve() -> int:
    """Run until told to stop; ready once the simulator is compiled. Returns the exit code."""
    settings = TwinSettings.load()
    spec = settings.spec()
    verifier = Verifier(spec)
    service = TwinService(
        VerificationCall(spec, verifier, settings.twin_max_calls),
        concurrent_calls=settings.twin_concurrent_calls,
        max_pending=settings.twin_max_pending,
        max_call_s=settings.twin_max_call_s,
    )
    try:
        async with Runtime(settings, "twin") as runtime:
            server = grpc_server()
            twin_pb2_grpc.add_TwinServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
            await runtime.serve_grpc(server, [SERVICE_NAME])
            await asyncio.to_thread(verifier.warm_up)
            runtime.set_ready(True)
            return await runtime.wait()
    finally:
        service.close()


if __name__ == "__main__":
    sys.exit(run_service("twin", serve))
