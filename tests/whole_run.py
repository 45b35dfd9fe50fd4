"""A `twm run` as its own process, many times faster than life.

The network is the single EXPLORA cell cut to two reporting periods a step, the world model the tiny one of tests/tiny_zoo.py,
since what is tested is what the processes do, not how good the plans are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml
from tiny_zoo import write_dynamics, write_field

from twm.core.errors import UnavailableError
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.core.streams import StreamNames, Streams

SPEED = 250
# Plans stay close behind the frames, so that policies are accepted rather than refused for lag.
QUICK = {"TWM_PLAN_REDUCED_ABOVE": "0", "TWM_PLAN_REACTIVE_ABOVE": "2", "OMP_NUM_THREADS": "1"}


class Run:
    """A `twm run` and its streams."""

    def __init__(self, state_dir: Path, zoo: Path, network: Path) -> None:
        self.state_dir = state_dir
        self.names = StreamNames.of(load_network(network).area_id)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TWM_")}
        command = [sys.executable, "-m", "twm.cli", "run", "--plain", "--network", str(network), "--speed", str(SPEED)]
        self.output = state_dir / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*command, "--state-dir", str(state_dir)],
                env={**environment, **QUICK, "TWM_ZOO": str(zoo)},
                stdout=output,
                stderr=output,
                process_group=0,
            )

    def status(self) -> dict[str, Any]:
        """run.json."""
        parsed: dict[str, Any] = json.loads((self.state_dir / "run.json").read_text())
        return parsed

    def pid(self, name: str) -> int | None:
        """Process id of one of its processes now."""
        found = self.status()["processes"][name]["pid"]
        return None if found is None else int(found)

    def pids(self) -> list[int]:
        """All of them."""
        return [p["pid"] for p in self.status()["processes"].values() if p["pid"]]

    async def connect(self) -> Streams:
        """Its streams, once it prints that all is ready."""
        until = time.monotonic() + 60
        while "processes ready in" not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < until, self.output.read_text()
            await asyncio.sleep(0.2)
        return await Streams.connect(self.status()["redis_url"], timeout_s=2.0)


@contextlib.asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[Run]:
    """Start one, and end it whatever happens."""
    network = tmp_path / "network.yaml"
    data = yaml.safe_load(find_network("explora-cell").read_text())
    data["timing"]["fast_steps"] = 2
    data["e2_nodes"][0]["report_period_s"] = data["timing"]["slow_step_s"] / 2
    network.write_text(yaml.safe_dump(data))
    spec = load_network(network)
    zoo = tmp_path / "zoo"
    write_dynamics(zoo, spec)
    write_field(zoo, spec)
    (tmp_path / "state").mkdir()
    started = Run(tmp_path / "state", zoo, network)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.process.wait(60)
            started.process.kill()
            started.process.wait()


async def added(streams: Streams, stream: str) -> int:
    """Entries written so far; -1 while Redis is away."""
    try:
        return await streams.added(stream)
    except UnavailableError:
        return -1


async def grow(streams: Streams, stream: str, least: int, timeout_s: float) -> float:
    """Wait for `stream` to hold `least` entries ever; how long it took."""
    began_s = time.monotonic()
    while (now := await added(streams, stream)) < least:
        assert time.monotonic() - began_s < timeout_s, f"{stream}: {now} entries after {timeout_s} s, expected {least}"
        await asyncio.sleep(0.05)
    return time.monotonic() - began_s
