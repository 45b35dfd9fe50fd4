"""Builds, serves and drains the planner."""

from __future__ import annotations

import asyncio
import logging
import sys

from twm.core.clock import SystemClock
from twm.core.errors import UnavailableError
from twm.core.serving import Runtime, grpc_channel, run_service
from twm.core.stream_worker import Backoff, StreamWorker, pause
from twm.core.streams import GROUP_PLANNER, StreamNames, Streams
from twm.planner.cycle import PlanningCycle
from twm.planner.peers import Peers
from twm.planner.service import PlannerService
from twm.planner.settings import PlannerSettings

log = logging.getLogger(__name__)
WATCH_PERIOD_S = 2.0


async def serve() -> int:
    """Run until told to stop; the exit code."""
    settings = PlannerSettings.load()
    spec = settings.spec()
    clock = SystemClock()
    async with (
        Runtime(settings, name="planner") as runtime,
        grpc_channel(settings.inference_target) as world,
        grpc_channel(settings.twin_target) as twin,
    ):
        cycle = PlanningCycle(spec, settings.cycle(), Peers.on(spec, world, twin, clock), clock)
        streams = await _connect(settings.redis_url, runtime.stop)
        if streams is None:
            return await runtime.wait()
        try:
            frames = StreamNames.of(spec.area_id).frames
            service = PlannerService(
                spec, streams, cycle, history_steps=settings.plan_history_steps, backlog=settings.backlog()
            )
            # Small batches: what is read but not yet planned is pending, and another replica would have to wait for it.
            worker = StreamWorker(streams, frames, GROUP_PLANNER, settings.instance, service.handle, batch=4)
            runtime.spawn(worker.run(runtime.stop), "frames worker")
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
    """Ready while Redis answers. The peers do not count: without them the reactive rule is proposed."""
    while not runtime.stop.is_set():
        try:
            await streams.ping()
            runtime.set_ready(True)
        except UnavailableError:
            runtime.set_ready(False)
        await pause(runtime.stop, WATCH_PERIOD_S)


if __name__ == "__main__":
    sys.exit(run_service("planner", serve))
