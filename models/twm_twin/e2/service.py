"""The emulator put together: settings, live network, channel to the ingester."""

from __future__ import annotations

import asyncio
import logging

from twm.core.clock import SystemClock
from twm.core.network import NetworkSpec
from twm.core.serving import Runtime, grpc_channel
from twm.ingester.kpm.e2ap import load_e2ap
from twm_twin.e2.emulator import Emulator
from twm_twin.e2.live_network import LiveNetwork
from twm_twin.e2.progress import Progress, ProgressFile, run_digest
from twm_twin.e2.settings import E2Settings

log = logging.getLogger(__name__)


async def serve() -> int:
    """Run until told to stop. Returns the exit code."""
    settings = E2Settings.load()
    spec = settings.spec()
    clock = SystemClock()
    async with Runtime(settings, "emulator") as runtime, grpc_channel(settings.ingester_target) as channel:
        file = ProgressFile(settings.state_dir, spec.area_id)
        run = run_digest(spec, settings)
        progress = file.read(run)
        if progress is None:
            progress = Progress(run=run, first_step=settings.first_step(spec.timing.slow_step_s, clock.now_s()))
            file.write(progress)
        else:
            log.info("continuing after %d slow steps and %d ticks", progress.steps, progress.ticks)
        network = await asyncio.to_thread(prepare, spec, settings)
        emulator = Emulator(
            spec,
            network,
            progress,
            file,
            channel,
            clock,
            speed=settings.e2_speed,
            steps=settings.e2_steps,
            deadline_s=settings.e2_deadline_s,
        )
        runtime.spawn(emulator.run(runtime.stop), "emulator")
        runtime.set_ready(True)
        return await runtime.wait()


def prepare(spec: NetworkSpec, settings: E2Settings) -> LiveNetwork:
    """The live network, with everything slow imported and compiled."""
    load_e2ap()
    return LiveNetwork(
        spec,
        seed=settings.e2_seed,
        scenarios=settings.scenario_names,
        scenario_steps=settings.e2_scenario_steps,
        running=settings.e2_running,
    )
