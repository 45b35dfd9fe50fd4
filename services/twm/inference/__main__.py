"""Builds, serves and drains the inference service."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from twm.api.worldmodel.v1 import worldmodel_pb2_grpc
from twm.core.serving import Runtime, grpc_server, run_service
from twm.inference.actor import Proposer
from twm.inference.answers import Answers
from twm.inference.engine import EngineOptions
from twm.inference.model_store import ModelStore
from twm.inference.service import SERVICE_NAME, WorldModelService, follow_zoo
from twm.inference.settings import InferenceSettings
from twm.inference.shadow import Shadow


async def serve() -> int:
    """Run until told to stop. Returns the exit code."""
    settings = InferenceSettings.load()
    spec = settings.spec()
    options = EngineOptions(intra_op_threads=settings.intra_op_threads, use_cuda=settings.use_cuda)
    store = ModelStore(settings.zoo, spec, options)
    with ThreadPoolExecutor(settings.worker_threads, thread_name_prefix="inference-worker") as workers:
        answers = Answers(
            spec,
            store,
            default_samples=settings.default_samples,
            max_rows=settings.max_rows,
            cache_capacity=settings.decision_cache,
            workers=workers,
            worker_count=settings.worker_threads,
        )
        service = WorldModelService(
            answers,
            concurrent_calls=settings.concurrent_calls,
            max_pending=settings.max_pending,
            max_call_s=settings.max_call_s,
            proposer=Proposer(spec, store.actor),
        )
        try:
            async with Runtime(settings, "inference") as runtime:
                server = grpc_server()
                worldmodel_pb2_grpc.add_WorldModelServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
                await runtime.serve_grpc(server, [SERVICE_NAME])
                runtime.spawn(follow_zoo(store, runtime.set_ready, runtime.stop, poll_s=settings.zoo_poll_s), "zoo")
                runtime.spawn(Shadow(store, spec).run(settings.redis_url, runtime.stop), "shadow")
                return await runtime.wait()
        finally:
            service.close()


if __name__ == "__main__":
    sys.exit(run_service("inference", serve))
