"""`twm replay`: recorded traces through the whole line, and how the forecasts did against what was recorded.

Event time begins now (or after the newest frame) and runs on through the experiments, with a break between them that is
longer than any gap the assembler fills, so that they stay apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

from twm.cli.free_ports import free_ports
from twm.cli.replay_feed import Feed, Plan
from twm.cli.replay_report import collect, table
from twm.cli.run import add_start_timeout
from twm.cli.run import plan as plan_programs
from twm.cli.supervisor import Supervisor
from twm.cli.terminal import Terminal
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.redis_link import redact_url
from twm.core.stream_worker import pause
from twm.core.streams import GROUP_SCORER, StreamNames, Streams
from twm.ingester.replay import explora, tractor
from twm.ingester.replay.observation import Observation

TRACES = {"explora": explora, "tractor": tractor}
DEFAULT_EXPERIMENTS = 3
STALL_S = 90.0
POLL_S = 0.5
IDLE_AREA_S = 5.0
"""Silence after which the last steps close, in processes that the replay starts itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `twm replay`."""
    parser.add_argument("--trace", required=True, choices=sorted(TRACES), help="layout of the trace")
    parser.add_argument("path", type=Path, metavar="PATH", help="folder of the trace (explora: with reports.csv.gz)")
    parser.add_argument(
        "--experiment", action="append", metavar="E", default=[],
        help=f"experiment to replay, may be repeated (default: the first {DEFAULT_EXPERIMENTS}); --list shows them",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="print the experiments of the trace and end")
    parser.add_argument("--network", default="explora-cell", metavar="NAME|FILE", help="network spec the trace stands for")
    parser.add_argument(
        "--speed", default="max", metavar="X|max",
        help="event time per wall time, or as fast as the planner keeps up (default max)",
    )  # fmt: skip
    parser.add_argument("--redis-url", metavar="URL", help="feed processes that run already, with their streams here")
    parser.add_argument(
        "--ingester", metavar="HOST:PORT", default="127.0.0.1:50051", help="their ingester (only with --redis-url)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write counts and scores there as JSON")
    parser.add_argument("--max-steps", type=int, metavar="N", help="replay at most N slow steps of each experiment")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="keep data and logs here (default: a temporary one)")
    add_start_timeout(parser)
    parser.add_argument("--plain", action="store_true", help="plain lines even on a terminal")


def run(options: argparse.Namespace) -> int:
    """Replay; 0 when every frame was planned, judged and scored. Raises InvalidInputError, UnavailableError."""
    reader = TRACES[options.trace]
    if not options.path.exists():
        raise InvalidInputError(f"PATH: {str(options.path)!r} does not exist")
    if options.list:
        sys.stdout.write("\n".join(reader.experiments(options.path)) + "\n")
        return 0
    speed = _speed(options.speed)
    if options.max_steps is not None and options.max_steps < 1:
        raise InvalidInputError(f"--max-steps: {options.max_steps} is less than 1")
    spec = load_network(find_network(options.network))
    names = options.experiment or reader.experiments(options.path)[:DEFAULT_EXPERIMENTS]
    recorded: list[tuple[str, list[Observation]]] = []
    for name in names:
        observations = reader.read(options.path, name, spec)
        if options.max_steps is not None:
            end_s = options.max_steps * spec.timing.slow_step_s
            observations = [o for o in observations if o.start_s + o.period_s <= end_s + 1e-9]
        recorded.append((name, observations))
    if not any(observations for _, observations in recorded):
        raise InvalidInputError(f"PATH: {str(options.path)!r} holds nothing to replay")
    temporary = options.state_dir is None
    state_dir = Path(tempfile.mkdtemp(prefix="twm-replay-")) if temporary else options.state_dir.resolve()
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_replay(options, spec, recorded, speed, state_dir))
    finally:
        if temporary:
            shutil.rmtree(state_dir, ignore_errors=True)


async def _replay(
    options: argparse.Namespace,
    spec: NetworkSpec,
    recorded: list[tuple[str, list[Observation]]],
    speed: float,
    state_dir: Path,
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    terminal = Terminal(plain=options.plain)
    supervisor: Supervisor | None = None
    redis_url, target = options.redis_url, options.ingester
    try:
        with terminal:
            if redis_url is None:
                redis_url, target, supervisor = _programs(options, speed, state_dir, terminal)
                terminal.say(f"starting the services for network {spec.name}")
                await supervisor.start(options.start_timeout)
            return await _feed(options, spec, recorded, speed, redis_url, target, supervisor, terminal, stop)
    finally:
        if supervisor is not None:
            await supervisor.stop()


def _programs(options: argparse.Namespace, speed: float, state_dir: Path, terminal: Terminal) -> tuple[str, str, Supervisor]:
    """What `twm run --no-emulator` starts: Redis URL, ingester's address, supervisor."""
    wanted = argparse.Namespace(
        network=options.network, redis_url=None, speed=1.0, no_emulator=True, http_port_base=0, state_dir=state_dir
    )
    redis_url, programs = plan_programs(wanted, state_dir, free_ports)
    idle_s = max(IDLE_AREA_S, 2 * explora.MAX_PERIOD_S / speed)
    programs = [
        replace(p, environment={**p.environment, "TWM_IDLE_AREA_S": f"{idle_s:g}"}) if p.name == "ingester" else p
        for p in programs
    ]
    port = next(program.ports["grpc"] for program in programs if program.name == "ingester")
    supervisor = Supervisor(programs, state_dir, terminal.say)
    supervisor.status_extra = {"redis_url": redact_url(redis_url)}
    return redis_url, f"127.0.0.1:{port}", supervisor


async def _feed(
    options: argparse.Namespace,
    spec: NetworkSpec,
    recorded: list[tuple[str, list[Observation]]],
    speed: float,
    redis_url: str,
    target: str,
    supervisor: Supervisor | None,
    terminal: Terminal,
    stop: asyncio.Event,
) -> int:
    streams = await Streams.connect(redis_url)
    try:
        plan = await Plan.of(spec, recorded, streams)
        terminal.say(
            f"replaying {', '.join(name for name, _ in recorded)}: {plan.report_count} reports, {plan.frame_count} slow steps"
        )
        feed = Feed(streams, spec, plan, target, speed)
        began_s = time.monotonic()
        sending = asyncio.create_task(feed.send(stop), name="feed")
        await _until_done(feed, streams, spec, sending, supervisor, terminal, stop)
        if not sending.done():
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            terminal.say("stopped before the end of the trace")
            return 1
        accepted, rejected = sending.result()
        summary = await collect(streams, spec, plan)
        summary.seconds = time.monotonic() - began_s
        summary.accepted, summary.rejected = accepted, rejected
        for line in table(summary):
            terminal.say(line)
        if options.report is not None:
            options.report.parent.mkdir(parents=True, exist_ok=True)
            options.report.write_text(json.dumps(asdict(summary), indent=1, allow_nan=False) + "\n")
            terminal.say(f"report written to {options.report}")
        return 0 if summary.complete else 1
    finally:
        await streams.close()


async def _until_done(
    feed: Feed,
    streams: Streams,
    spec: NetworkSpec,
    sending: asyncio.Task[tuple[int, dict[str, int]]],
    supervisor: Supervisor | None,
    terminal: Terminal,
    stop: asyncio.Event,
) -> None:
    """Until all was sent, framed, judged and scored; or `stop`; or nothing has moved for STALL_S."""
    names = StreamNames.of(spec.area_id)
    moved_s = time.monotonic()
    last: tuple[object, ...] = ()
    while not stop.is_set():
        if supervisor is not None and supervisor.failed.is_set():
            raise UnavailableError(supervisor.failure)
        if sending.done() and sending.exception() is not None:
            sending.result()
        try:
            counts = await feed.counts()
            scorer = await streams.lag(names.frames, GROUP_SCORER)
            done = sending.done() and counts.frames >= feed.plan.frame_count and counts.verdicts >= counts.frames
            if done and scorer == (0, 0):
                return
            terminal.status(f"sent {feed.sent}/{feed.plan.report_count} {counts.line()}")
        except UnavailableError as error:
            terminal.status(f"streams away: {error}")
            await pause(stop, POLL_S)
            continue
        state = (feed.sent, counts, scorer)
        if state != last:
            moved_s, last = time.monotonic(), state
        elif time.monotonic() - moved_s > STALL_S and sending.done():
            terminal.say(f"nothing has moved for {STALL_S:g} s: {counts.line()}")
            return
        await pause(stop, POLL_S)


def _speed(text: str) -> float:
    if text == "max":
        return math.inf
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.01 <= value <= 100_000:
        raise InvalidInputError(f"--speed: {text[:40]!r} is neither max nor a number in 0.01..100000")
    return value
