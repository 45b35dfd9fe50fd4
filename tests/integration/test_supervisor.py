"""The supervisor with small real children: restart after kill -9, order, no orphans, no ports, bounded logs, clear failures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from twm.cli import supervisor as supervision
from twm.cli.probe_client import ping_redis, probe
from twm.cli.supervisor import Program, Supervisor
from twm.core.errors import UnavailableError

CHILD = """
import http.server, os, signal, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        hung = os.path.exists(sys.argv[2] + ".hung")
        self.send_response(503 if hung else 200); self.end_headers()
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
def stop(*_):
    with open(sys.argv[2], "a") as order: order.write(sys.argv[3] + " stopped\\n")
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv[3] else stop)
with open(sys.argv[2], "a") as order: order.write(sys.argv[3] + " started\\n")
print("hello", flush=True)
server.serve_forever()
"""

SLOW = """
import sys, time
def work(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until: pass
for _ in range(int(sys.argv[4])):
    work(0.06)
    time.sleep(0.24)
"""

DRIVER = """
import asyncio, json, signal, sys
from pathlib import Path
from twm.cli.supervisor import Program, Supervisor
async def main():
    supervisor = Supervisor([Program(**p) for p in json.loads(sys.argv[2])], Path(sys.argv[1]), print)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await supervisor.start()
        print("all ready", flush=True)
        await stop.wait()
    finally:
        await supervisor.stop()
asyncio.run(main())
"""


def child(name: str, port: int, folder: Path, stage: int = 0) -> Program:
    command = (sys.executable, "-c", CHILD, str(port), str(folder / "order"), name)
    return Program(name=name, command=command, http_port=port, stage=stage)


def listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


@contextlib.asynccontextmanager
async def supervised(programs: list[Program], folder: Path, said: list[str] | None = None) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(programs, folder, (said if said is not None else []).append)
    try:
        await supervisor.start(60.0)
        yield supervisor
    finally:
        await supervisor.stop()


async def until(condition: Callable[[], bool], timeout_s: float = 40.0) -> float:
    began_s = time.monotonic()
    while not condition():
        assert time.monotonic() - began_s < timeout_s
        await asyncio.sleep(0.02)
    return time.monotonic() - began_s


async def test_starts_by_stage_and_stops_in_reverse(tmp_path: Path, free_port: Callable[[], int]) -> None:
    ports = [free_port() for _ in range(3)]
    programs = [child(name, port, tmp_path, stage) for stage, (name, port) in enumerate(zip("abc", ports, strict=True))]
    async with supervised(programs, tmp_path) as running:
        pids = running.pids()
        status = json.loads((tmp_path / "run.json").read_text())
        assert {n: p["pid"] for n, p in status["processes"].items()} == pids
        assert status["supervisor_pid"] == os.getpid()
        assert {os.getpgid(pid) for pid in pids.values()} == set(pids.values())
        assert (tmp_path / "logs" / "a.log").read_text() == "hello\n"
    order = (tmp_path / "order").read_text().split("\n")[:-1]
    assert order == ["a started", "b started", "c started", "c stopped", "b stopped", "a stopped"]
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert not any(listening(port) for port in ports)


async def test_killed_child_is_started_again(tmp_path: Path, free_port: Callable[[], int]) -> None:
    said: list[str] = []
    async with supervised([child("a", free_port(), tmp_path), child("b", free_port(), tmp_path)], tmp_path, said) as running:
        before = running.pids()
        os.kill(before["a"], signal.SIGKILL)
        await until(lambda: running.restarts() == 1)
        took_s = await until(lambda: not running.unready())
        after = running.pids()
        assert took_s < 5
        assert after["b"] == before["b"]
        assert after["a"] != before["a"]
        await asyncio.sleep(0.1)
        status = json.loads((tmp_path / "run.json").read_text())
        assert (status["processes"]["a"]["restarts"], status["processes"]["a"]["pid"]) == (1, after["a"])
    assert any(line.startswith("a ended (signal 9)") for line in said)
    assert any(line.startswith("a is back") for line in said)


async def test_child_that_hangs_is_replaced(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised([child("a", free_port(), tmp_path)], tmp_path) as running:
        monkeypatch.setattr(supervision, "LIVENESS_S", 0.8)
        before = running.pids()
        (tmp_path / "order.hung").touch()
        await until(lambda: running.pids().get("a", before["a"]) != before["a"])
        (tmp_path / "order.hung").unlink()
        monkeypatch.undo()
        await until(lambda: not running.unready())


async def test_child_that_gets_little_of_the_processor_is_given_time(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine with twenty others at work: it gets a fifth of a core, and opens its port after 3 s."""
    monkeypatch.setattr(supervision, "LIVENESS_S", 1.5)
    monkeypatch.setattr(supervision, "WAIT_NOTE_S", 0.5)
    said: list[str] = []
    program = child("late", free_port(), tmp_path)
    command = (*program.command[:2], SLOW + CHILD, *program.command[3:], "10")
    async with supervised([replace(program, command=command)], tmp_path, said) as running:
        assert running.restarts() == 0
    assert not any("killed" in line for line in said)
    assert re.fullmatch(r"waiting for late \(\d+ of 60 s; load .*\)", said[0])


@pytest.mark.parametrize("stuck", ["import time; time.sleep(60)", "while True: pass"])
async def test_child_that_never_answers_is_given_up(
    stuck: str, tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that waits for ever nor one that turns in circles is started again without end."""
    monkeypatch.setattr(supervision, "LIVENESS_S", 0.4)
    monkeypatch.setattr(supervision, "START_CPU_S", 0.1)
    monkeypatch.setattr(supervision, "BACKOFF_MOST_S", 0.1)
    monkeypatch.setattr(supervision, "SETTLED_S", 0.2)
    said: list[str] = []
    program = Program(name="stuck", command=(sys.executable, "-S", "-c", stuck), http_port=free_port())
    supervisor = Supervisor([program], tmp_path, said.append)
    with pytest.raises(UnavailableError, match=r"stuck does not start \(signal 9\)"):
        await supervisor.start(60.0)
    await supervisor.stop()
    assert sum("has not answered" in line for line in said) == supervision.START_ATTEMPTS


async def test_stubborn_child_is_killed_after_the_deadline(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "TERM_DEADLINE_S", 0.3)
    said: list[str] = []
    async with supervised([child("stubborn", free_port(), tmp_path)], tmp_path, said) as running:
        (pid,) = running.pids().values()
    assert not psutil.pid_exists(pid)
    assert "ignored SIGTERM" in said[-1]


@pytest.mark.parametrize(("code", "attempts"), [(2, 1), (1, supervision.START_ATTEMPTS)])
async def test_program_that_cannot_start_fails_with_its_log(
    tmp_path: Path, free_port: Callable[[], int], code: int, attempts: int
) -> None:
    script = f"import sys; print('TWM_GRPC_LISTEN: bad', flush=True); sys.exit({code})"
    bad = Program(name="bad", command=(sys.executable, "-c", script), http_port=free_port())
    supervisor = Supervisor([child("good", free_port(), tmp_path), bad], tmp_path, print)
    with pytest.raises(UnavailableError, match=rf"bad does not start \(exit code {code}\)(.|\n)*TWM_GRPC_LISTEN: bad"):
        await supervisor.start(30.0)
    await supervisor.stop()
    assert supervisor.pids() == {}
    assert (tmp_path / "logs" / "bad.log").read_text().count("bad\n") == attempts


async def test_program_that_never_is_ready_is_named(tmp_path: Path, free_port: Callable[[], int]) -> None:
    idle = Program(name="idle", command=(sys.executable, "-c", "import time; time.sleep(60)"), http_port=free_port())
    supervisor = Supervisor([idle], tmp_path, print)
    with pytest.raises(UnavailableError, match=r"idle is not ready after 0\.5 s \(load .*; --start-timeout waits longer\)$"):
        await supervisor.start(0.5)
    await supervisor.stop()
    assert supervisor.pids() == {}


async def test_logs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "MAX_LOG_BYTES", 20_000)
    script = "import time\nfor i in range(10**6): print('x' * 99, flush=True); time.sleep(0.0005)"
    chatty = Program(name="chatty", command=(sys.executable, "-c", script))
    async with supervised([chatty], tmp_path):
        await until((tmp_path / "logs" / "chatty.log.1").exists)
        await asyncio.sleep(1.5)
        assert (tmp_path / "logs" / "chatty.log").stat().st_size < 500_000
        assert len(list((tmp_path / "logs").iterdir())) == 2


def _drive(folder: Path, ports: list[int], **options: object) -> tuple[subprocess.Popen[str], dict[str, int]]:
    programs = [
        {"name": p.name, "command": p.command, "http_port": p.http_port}
        for p in (child(f"c{i}", port, folder) for i, port in enumerate(ports))
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(folder), json.dumps(programs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "all ready\n"
    status = json.loads((folder / "run.json").read_text())
    return process, {name: p["pid"] for name, p in status["processes"].items()}


def test_kill_9_of_the_supervisor_leaves_no_orphan(tmp_path: Path, free_port: Callable[[], int]) -> None:
    ports = [free_port() for _ in range(3)]
    process, pids = _drive(tmp_path, ports)
    assert all(psutil.pid_exists(pid) for pid in pids.values())
    process.kill()
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids.values() if psutil.pid_exists(pid)], timeout=5)
    # A killed child may stay as a zombie of whoever inherits it; it holds nothing any more.
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
    assert not any(listening(port) for port in ports)


def test_ctrl_c_reaches_only_the_supervisor_and_leaves_nothing(tmp_path: Path, free_port: Callable[[], int]) -> None:
    ports = [free_port() for _ in range(3)]
    process, pids = _drive(tmp_path, ports, process_group=0)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert not any(listening(port) for port in ports)
    assert (tmp_path / "order").read_text().count("stopped") == 3


async def test_probes_of_absent_or_strange_servers(free_port: Callable[[], int]) -> None:
    assert await probe(free_port(), "/readyz", 0.2) == 0
    assert not await ping_redis(free_port(), 0.2)

    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xff" * 100_000)
        writer.close()

    async with await asyncio.start_server(garbage, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await probe(port, "/readyz", 0.5) == 0
        assert not await ping_redis(port, 0.5)
