"""Starts programs in order, keeps them running, and stops them in reverse order, leaving nothing behind.

- Every program has a process group of its own, so that Ctrl-C at the terminal reaches the supervisor only.
- Linux kills them when the supervisor dies in whatever way (PR_SET_PDEATHSIG).
- One that ends by itself, or whose /livez fails for LIVENESS_S, is started again after a growing, capped wait. Until its first
  answer the processor time it gets counts as a sign of life, so that a busy machine is given time.
- Output goes to one log file a program, kept under MAX_LOG_BYTES twice (file and file.1).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twm.cli.probe_client import ping_redis, probe
from twm.cli.processor_time import load_note, used_s
from twm.core.errors import UnavailableError

POLL_S = 0.1
BACKOFF_FIRST_S = 0.2
BACKOFF_MOST_S = 5.0
SETTLED_S = 10.0
START_ATTEMPTS = 4
START_TIMEOUT_S = 300.0
START_CPU_S = 120.0
"""Processor time that a program may use before its first answer [s]."""
PROGRESS_CPU_S = 0.02
WAIT_NOTE_S = 15.0
LIVENESS_S = 20.0
LEAST_MISSES = 3
"""Questions in a row without an answer before a program counts as hung: one may fall into a stall of the supervisor itself."""
TERM_DEADLINE_S = 12.0
MAX_LOG_BYTES = 8 * 1024 * 1024
BAD_INPUT_EXIT = 2
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process to run."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own."""
    http_port: int = 0
    """Where /readyz and /livez are; 0: none."""
    redis_port: int = 0
    """Where PING is answered; 0: no Redis server."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Other ports, for the status file."""
    stage: int = 0
    """Programs of a stage start together, once those of lower stages are ready."""


class _Running:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.started_s = 0.0
        self.restarts = 0
        self.quick_ends = 0
        self.start_at_s = 0.0
        self.ready = False
        self.was_ready = False
        self.returning = False
        self.alive_s = 0.0
        """Its last sign of life."""
        self.answered = False
        """Whether it answered since it was started."""
        self.cpu_s = 0.0
        """Processor time when it last was a sign of life."""
        self.misses = 0

    def spawned(self, process: subprocess.Popen[bytes]) -> None:
        """It was started."""
        self.process = process
        self.started_s = self.alive_s = time.monotonic()
        self.start_at_s, self.cpu_s, self.misses = 0.0, 0.0, 0
        self.ready = self.answered = False

    def heard(self, answer: bool) -> None:
        """It was asked: note the answer, or, before the first one, whether it got on."""
        if answer:
            self.alive_s, self.answered, self.misses = time.monotonic(), True, 0
            return
        self.misses += 1
        if self.answered or self.process is None:
            return
        used = used_s(self.process.pid) or 0.0
        if self.cpu_s + PROGRESS_CPU_S <= used < START_CPU_S:
            self.alive_s, self.cpu_s = time.monotonic(), used

    @property
    def hangs(self) -> bool:
        """Whether it gives no sign of life any more."""
        asked = self.program.http_port or self.program.redis_port
        return bool(asked and self.misses >= LEAST_MISSES and time.monotonic() - self.alive_s > LIVENESS_S)


class Supervisor:
    """Runs programs until `stop` is called. `tell` gets one line for each event worth a person's attention."""

    def __init__(self, programs: Sequence[Program], state_dir: Path, tell: Callable[[str], None]) -> None:
        self._running = {program.name: _Running(program) for program in programs}
        self._logs = state_dir / "logs"
        self._status_path = state_dir / "run.json"
        self._tell = tell
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False
        self.failed = asyncio.Event()
        """Set when a program cannot be kept running."""
        self.failure = ""
        self.status_extra: dict[str, Any] = {}
        """Further content of run.json."""

    async def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start all and wait until each is ready. Raises UnavailableError naming the one that is not, with its log's end."""
        self._logs.mkdir(parents=True, exist_ok=True)
        began_s = time.monotonic()
        next_note_s = began_s + WAIT_NOTE_S
        for stage in sorted({r.program.stage for r in self._running.values()}):
            members = [r for r in self._running.values() if r.program.stage == stage]
            for running in members:
                self._spawn(running)
            if self._watch is None:
                self._watch = asyncio.create_task(self._keep_running(), name="supervisor")
            while not all(r.ready for r in members):
                if self.failed.is_set():
                    raise UnavailableError(self.failure)
                now = time.monotonic()
                if now > began_s + timeout_s:
                    raise UnavailableError(self._late(timeout_s, [r for r in members if not r.ready]))
                if now > next_note_s:
                    waiting = ", ".join(r.program.name for r in members if not r.ready)
                    self._tell(f"waiting for {waiting} ({now - began_s:.0f} of {timeout_s:g} s; {load_note()})")
                    next_note_s = now + WAIT_NOTE_S
                await asyncio.sleep(POLL_S / 2)
            self._write_status()

    async def stop(self) -> None:
        """SIGTERM in reverse order of start, SIGKILL after a deadline; returns when every process is gone."""
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        stages = sorted({r.program.stage for r in self._running.values()}, reverse=True)
        for stage in stages:
            for running in reversed([r for r in self._running.values() if r.program.stage == stage]):
                await self._end(running)
        self._write_status()

    def kill(self) -> None:
        """SIGKILL everything at once."""
        self._stopping = True
        for running in self._running.values():
            _signal_group(running.process, signal.SIGKILL)

    def pids(self) -> dict[str, int]:
        """Process ids of what runs now."""
        return {name: r.process.pid for name, r in self._running.items() if r.process is not None and r.process.poll() is None}

    def restarts(self) -> int:
        """Restarts so far, of all programs."""
        return sum(r.restarts for r in self._running.values())

    def unready(self) -> list[str]:
        """Programs that are not ready now."""
        return [name for name, r in self._running.items() if not r.ready]

    def _spawn(self, running: _Running) -> None:
        program = running.program
        parent = os.getpid()
        with (self._logs / f"{program.name}.log").open("ab") as log_file:
            process = subprocess.Popen(
                list(program.command),
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                env={**os.environ, **program.environment},
                process_group=0,
                preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 - this process has one thread
            )
        running.spawned(process)

    async def _keep_running(self) -> None:
        # Each on its own: one that answers slowly keeps nobody waiting.
        async with asyncio.TaskGroup() as group:
            for running in self._running.values():
                group.create_task(self._keep(running))
            while True:
                self._bound_logs()
                await asyncio.sleep(1.0)

    async def _keep(self, running: _Running) -> None:
        while not self.failed.is_set():
            try:
                await self._look_after(running)
            except OSError as error:
                self.failure = f"{running.program.name} cannot be kept running: {error}"
                self.failed.set()
            await asyncio.sleep(POLL_S)

    async def _look_after(self, running: _Running) -> None:
        process, now = running.process, time.monotonic()
        if process is None:
            if running.start_at_s and now >= running.start_at_s:
                self._spawn(running)
                running.restarts += 1
                running.returning = True
                self._write_status()
            return
        code = process.poll()
        if code is not None:
            self._plan_restart(running, code)
            return
        if not running.ready or now - running.alive_s > LIVENESS_S / 4:
            ready = await self._is_ready(running.program)
            port = running.program.http_port
            running.heard(ready or bool(port and await probe(port, "/livez", LIVENESS_S / 4) == 200))
            if ready and running.returning:
                running.returning = False
                self._tell(f"{running.program.name} is back (pid {process.pid}, {time.monotonic() - running.started_s:.1f} s)")
            running.ready = ready
            running.was_ready |= ready
        if running.hangs:
            who = f"{running.program.name} (pid {process.pid})"
            self._tell(f"{who} has not answered for {LIVENESS_S:g} s ({load_note()}): killed")
            _signal_group(process, signal.SIGKILL)
            running.misses = 0

    def _plan_restart(self, running: _Running, code: int) -> None:
        name, now = running.program.name, time.monotonic()
        settled = running.answered and now - running.started_s > SETTLED_S
        running.quick_ends = 1 if settled else running.quick_ends + 1
        running.process, running.ready = None, False
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if not running.was_ready and (code == BAD_INPUT_EXIT or running.quick_ends >= START_ATTEMPTS):
            self.failure = f"{name} does not start ({how}){self._log_end(running)}"
            self.failed.set()
            return
        wait_s = min(BACKOFF_FIRST_S * 2 ** (running.quick_ends - 1), BACKOFF_MOST_S)
        running.start_at_s = now + wait_s
        self._tell(f"{name} ended ({how}); starting it again in {wait_s:.1f} s")

    async def _is_ready(self, program: Program) -> bool:
        if program.redis_port:
            return await ping_redis(program.redis_port, LIVENESS_S / 4)
        if program.http_port:
            return await probe(program.http_port, "/readyz", LIVENESS_S / 4) == 200
        return True

    async def _end(self, running: _Running) -> None:
        process = running.process
        if process is None or process.poll() is not None:
            return
        _signal_group(process, signal.SIGTERM)
        until = time.monotonic() + TERM_DEADLINE_S
        while process.poll() is None and time.monotonic() < until:  # noqa: ASYNC110 - no event tells of a process's end
            await asyncio.sleep(0.02)
        if process.poll() is None:
            self._tell(f"{running.program.name} (pid {process.pid}) ignored SIGTERM for {TERM_DEADLINE_S:g} s: killed")
            _signal_group(process, signal.SIGKILL)
            process.wait()

    def _bound_logs(self) -> None:
        # Programs hold their log open for appending, so it is copied and emptied in place, not renamed.
        for path in self._logs.glob("*.log"):
            if path.stat().st_size > MAX_LOG_BYTES:
                shutil.copyfile(path, path.with_suffix(".log.1"))
                os.truncate(path, 0)

    def _late(self, timeout_s: float, late: Sequence[_Running]) -> str:
        first, *others = late
        used = None if first.process is None else used_s(first.process.pid)
        got = "" if used is None else f", it got {used:.1f} s of processor time"
        nor = f", nor {', '.join(r.program.name for r in others)}" if others else ""
        hint = f"{load_note()}{got}; --start-timeout waits longer"
        return f"{first.program.name} is not ready after {timeout_s:g} s ({hint}){nor}{self._log_end(first)}"

    def _log_end(self, running: _Running) -> str:
        path = self._logs / f"{running.program.name}.log"
        try:
            lines = path.read_text(errors="replace").splitlines()[-6:]
        except OSError:
            return ""
        return "; end of its log:\n  " + "\n  ".join(line[:400] for line in lines) if lines else ""

    def _write_status(self) -> None:
        processes = {
            name: {
                "pid": None if r.process is None else r.process.pid,
                "http_port": r.program.http_port or None,
                "ports": dict(r.program.ports),
                "restarts": r.restarts,
            }
            for name, r in self._running.items()
        }
        content = {"supervisor_pid": os.getpid(), "stopping": self._stopping, **self.status_extra, "processes": processes}
        draft = self._status_path.with_suffix(".tmp")
        draft.write_text(json.dumps(content, indent=1) + "\n")
        draft.replace(self._status_path)


def _signal_group(process: subprocess.Popen[bytes] | None, number: signal.Signals) -> None:
    if process is not None and process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _die_with(parent: int) -> None:
    """Between fork and exec: be killed when the parent dies. The setting survives exec."""
    if sys.platform != "linux":
        return
    if _LIBC is None or _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        os._exit(127)
    if os.getppid() != parent:  # it died before the setting took hold
        os._exit(127)


# Loaded before any fork: loading a library between fork and exec is not safe.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
