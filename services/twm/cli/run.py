"""`twm run`: the whole line on one machine, from emulated E2 nodes to slice policies in the shadow log."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from twm.api.telemetry.v1 import telemetry_pb2
from twm.cli.embedded_redis import server_command
from twm.cli.free_ports import free_ports
from twm.cli.progress import Progress
from twm.cli.supervisor import START_TIMEOUT_S, Program, Supervisor
from twm.cli.terminal import Terminal
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.redis_link import redact_url
from twm.core.stream_worker import pause
from twm.core.streams import StreamNames, Streams

DEFAULT_SPEED = 30.0
STATUS_PERIOD_S = 2.0
NEWS_PERIOD_S = 0.25

SERVICES = ("gateway", "ingester", "inference", "planner", "twin", "emulator")
MODULES = {
    "inference": "twm.inference",
    "twin": "twm_twin",
    "ingester": "twm.ingester",
    "planner": "twm.planner",
    "gateway": "twm.gateway",
    "emulator": "twm_twin.e2",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `twm run`."""
    parser.add_argument("--network", default="poc-city", metavar="NAME|FILE", help="network spec that ships, or a network.yaml")
    parser.add_argument("--redis-url", metavar="URL", help="use this Redis-protocol server instead of an embedded one")
    parser.add_argument(
        "--speed", type=float, default=DEFAULT_SPEED, metavar="X", help="event time per wall time of the emulator (default 30)"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="end by itself after N slow steps were planned and judged")
    parser.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="keep data, logs and run.json here (default: a temporary one, removed)"
    )
    parser.add_argument("--no-emulator", action="store_true", help="wait for telemetry on the ingester's gRPC port")
    parser.add_argument(
        "--http-port-base", type=int, default=0, metavar="PORT",
        help="gateway's REST and metrics here, the other processes' probes on the next ports (default: free ports)",
    )  # fmt: skip
    add_start_timeout(parser)
    parser.add_argument("--plain", action="store_true", help="plain lines even on a terminal")


def add_start_timeout(parser: argparse.ArgumentParser) -> None:
    """The option of every command that starts processes."""
    parser.add_argument(
        "--start-timeout", type=_start_timeout, default=START_TIMEOUT_S, metavar="S",
        help="seconds until all processes have to be ready (default %(default)g: busy machines need some)",
    )  # fmt: skip


def _start_timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= 86_400.0:
        raise argparse.ArgumentTypeError(f"{text[:40]!a} is not a number of seconds in 1..86400")
    return seconds


def run(options: argparse.Namespace) -> int:
    """Run until Ctrl-C, SIGTERM or --steps. Raises InvalidInputError, UnavailableError."""
    if not 0.001 <= options.speed <= 100_000:
        raise InvalidInputError(f"--speed: {options.speed:g} is outside 0.001..100000")
    if options.steps is not None and options.steps < 1:
        raise InvalidInputError(f"--steps: {options.steps} is less than 1")
    if options.http_port_base and not 1024 <= options.http_port_base <= 65535 - len(SERVICES):
        raise InvalidInputError(f"--http-port-base: {options.http_port_base} is outside 1024..{65535 - len(SERVICES)}")
    temporary = options.state_dir is None
    state_dir = Path(tempfile.mkdtemp(prefix="twm-")) if temporary else options.state_dir.resolve()
    try:
        with _locked(state_dir):
            return asyncio.run(_run(options, state_dir))
    finally:
        if temporary:
            shutil.rmtree(state_dir, ignore_errors=True)


@contextlib.contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    """Hold the folder for this run; the lock goes with the process. Raises InvalidInputError where another run has it."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock_file = (state_dir / "lock").open("w")
    except OSError as error:
        raise InvalidInputError(f"--state-dir: {state_dir} cannot be used: {error.strerror}") from error
    with lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidInputError(f"--state-dir: {state_dir} is in use by another run") from error
        yield


async def _run(options: argparse.Namespace, state_dir: Path) -> int:
    spec = load_network(find_network(options.network))
    if options.redis_url is not None:  # a wrong URL is told here, not by six processes
        await (await Streams.connect(options.redis_url)).close()
    stop = asyncio.Event()
    terminal = Terminal(plain=options.plain)
    redis_url, programs = plan(options, state_dir, free_ports)
    if options.redis_url is not None:
        programs = await _after_history(programs, options.redis_url, spec)
    supervisor = Supervisor(programs, state_dir, terminal.say)
    supervisor.status_extra = {
        "redis_url": redact_url(redis_url),
        "area_id": spec.area_id,
        "network": str(find_network(options.network).resolve()),
        "spec_digest": spec.digest(),
    }
    _stop_on_signals(stop, supervisor)
    began_s = time.monotonic()
    try:
        with terminal:
            terminal.say(
                f"network {spec.name}: {len(spec.cells)} cells, {len(spec.slices)} slices, {len(spec.transport.links)} links"
            )
            terminal.say(f"starting {', '.join(program.name for program in programs)}")
            starting = asyncio.create_task(supervisor.start(options.start_timeout))
            if not await _unless(stop, starting):
                return 0
            _greet(terminal, programs, state_dir, time.monotonic() - began_s)
            return await _follow(options.steps, spec, redis_url, supervisor, terminal, stop)
    finally:
        await supervisor.stop()
        sys.stdout.write(f"stopped after {time.monotonic() - began_s:.0f} s\n")


def plan(options: argparse.Namespace, state_dir: Path, take_ports: Callable[[int], list[int]]) -> tuple[str, list[Program]]:
    """Redis URL and programs of a run; `take_ports(n)` gives free loopback ports."""
    base = options.http_port_base
    http_ports = list(range(base, base + len(SERVICES))) if base else take_ports(len(SERVICES))
    http = dict(zip(SERVICES, http_ports, strict=True))
    redis_port, *grpc_ports = take_ports(4)
    grpc = dict(zip(("ingester", "inference", "twin"), grpc_ports, strict=True))
    redis_url = options.redis_url or f"redis://127.0.0.1:{redis_port}/0"
    programs = []
    if options.redis_url is None:
        folder = state_dir / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        programs.append(Program(name="redis", command=server_command(redis_port, folder), redis_port=redis_port))
    common = {
        "TWM_NETWORK": str(find_network(options.network).resolve()),
        "TWM_REDIS_URL": redis_url,
        "TWM_STATE_DIR": str(state_dir),
        "TWM_SPEED": f"{options.speed:g}",
        "PYTHONUNBUFFERED": "1",
        **{f"TWM_{name.upper()}_TARGET": f"127.0.0.1:{port}" for name, port in grpc.items()},
    }
    for name, module in MODULES.items():
        if name == "emulator" and options.no_emulator:
            continue
        environment = {**common, "TWM_HTTP_LISTEN": f"127.0.0.1:{http[name]}", "TWM_INSTANCE": f"{name}-0"}
        if name in grpc:
            environment["TWM_GRPC_LISTEN"] = f"127.0.0.1:{grpc[name]}"
        programs.append(
            Program(
                name=name,
                command=(sys.executable, "-m", module),
                environment=environment,
                http_port=http[name],
                ports={"grpc": grpc[name]} if name in grpc else {},
                stage=2 if name == "emulator" else 1,
            )
        )
    return redis_url, programs


async def _after_history(programs: list[Program], redis_url: str, spec: NetworkSpec) -> list[Program]:
    """The programs, with the emulator told to start after the newest frame of a server that has some.

    An accelerated run's event time lies ahead of the clock, and what lies before the newest frame is refused as late.
    """
    streams = await Streams.connect(redis_url)
    try:
        newest = await streams.last(StreamNames.of(spec.area_id).frames, 1)
    finally:
        await streams.close()
    if not newest or "TWM_E2_START" in os.environ:
        return programs
    next_start_s = (telemetry_pb2.KpiFrame.FromString(newest[0].payload).step + 1) * spec.timing.slow_step_s
    start = {"TWM_E2_START": f"{max(time.time(), next_start_s):.0f}"}
    return [
        replace(program, environment={**program.environment, **start}) if program.name == "emulator" else program
        for program in programs
    ]


async def _follow(
    steps: int | None,
    spec: NetworkSpec,
    redis_url: str,
    supervisor: Supervisor,
    terminal: Terminal,
    stop: asyncio.Event,
) -> int:
    """Show progress until `stop`, the failure of a program, or the number of steps asked for."""
    streams = await Streams.connect(redis_url)
    began_s, next_status_s = time.monotonic(), 0.0
    try:
        progress = Progress(streams, spec)
        await progress.skip_history()
        first = (await progress.counts()).verdicts
        while not stop.is_set():
            if supervisor.failed.is_set():
                raise UnavailableError(supervisor.failure)
            try:
                for line in await progress.news():
                    terminal.say(line)
                counts = await progress.counts()
                now = time.monotonic()
                if now >= next_status_s:
                    waiting = supervisor.unready()
                    note = f" not ready: {', '.join(waiting)}" if waiting else ""
                    restarts = f" restarts {supervisor.restarts()}" if supervisor.restarts() else ""
                    terminal.status(f"up {now - began_s:.0f} s {counts.line()}{restarts}{note}")
                    next_status_s = now + STATUS_PERIOD_S
                if steps is not None and counts.verdicts - first >= steps:
                    for line in await progress.news():
                        terminal.say(line)
                    terminal.say(f"{steps} steps done in {now - began_s:.1f} s: {counts.line()}")
                    return 0
            except UnavailableError as error:
                terminal.status(f"up {time.monotonic() - began_s:.0f} s, streams away: {error}")
            await pause(stop, NEWS_PERIOD_S)
        return 0
    finally:
        await streams.close()


def _greet(terminal: Terminal, programs: list[Program], state_dir: Path, seconds: float) -> None:
    http = {p.name: p.http_port for p in programs if p.http_port}
    terminal.say(f"{len(programs)} processes ready in {seconds:.1f} s; logs in {state_dir / 'logs'}; Ctrl-C stops all")
    terminal.say(f"console  http://127.0.0.1:{http['gateway']}/")
    terminal.say(f"REST     http://127.0.0.1:{http['gateway']}  (OpenAPI at /openapi.json)")
    ingest = next(p.ports["grpc"] for p in programs if p.name == "ingester")
    terminal.say(f"ingest   gRPC 127.0.0.1:{ingest} (twm.api.telemetry.v1.TelemetryIngestService)")
    terminal.say("metrics  " + "  ".join(f"{name} http://127.0.0.1:{port}/metrics" for name, port in http.items()))


def _stop_on_signals(stop: asyncio.Event, supervisor: Supervisor) -> None:
    def on_signal() -> None:
        if stop.is_set():  # asked twice: at once
            supervisor.kill()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)


async def _unless(stop: asyncio.Event, task: asyncio.Task[None]) -> bool:
    """Wait for `task`, but cancel it at `stop`; whether it finished. Raises what it raised."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False
