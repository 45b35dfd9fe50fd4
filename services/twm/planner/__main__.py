"""Builds, serves and drains the planner."""

from __future__ import annotations

import sys

from twm.core.clock import SystemClock
from twm.core.redis_watch import connect_when_up, ready_while_up
from twm.core.serving import Runtime, grpc_channel, run_service
from twm.core.stream_worker import StreamWorker
from twm.core.streams import GROUP_PLANNER, StreamNames
from twm.planner.cycle import PlanningCycle
from twm.planner.peers import Peers
from twm.planner.service import PlannerService
from twm.planner.settings import PlannerSettings
from twm.planner.tape import DecisionRecorder


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
        recorder = DecisionRecorder(clock)
        peers = Peers.on(spec, world, twin, recorder.clock, wrap=recorder.recorded)
        cycle = PlanningCycle(spec, settings.cycle(), peers, recorder.clock)
        streams = await connect_when_up(settings.redis_url, runtime.stop)
        if streams is None:
            return await runtime.wait()
        try:
            frames = StreamNames.of(spec.area_id).frames
            service = PlannerService(
                spec,
                streams,
                cycle,
                history_steps=settings.plan_history_steps,
                backlog=settings.backlog(),
                recorder=recorder,
            )
            # Small batches: what is read but not yet planned is pending, and another replica would have to wait for it.
            worker = StreamWorker(streams, frames, GROUP_PLANNER, settings.instance, service.handle, batch=4)
            runtime.spawn(worker.run(runtime.stop), "frames worker")
            runtime.spawn(ready_while_up(streams, runtime), "redis watch")
            return await runtime.wait()
        finally:
            await streams.close()


if __name__ == "__main__":
    sys.exit(run_service("planner", serve))
