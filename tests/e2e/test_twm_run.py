"""`twm run` from E2 bytes to printed slice policies, ended by --steps and by Ctrl-C; nothing is left behind.

Ctrl-C with a Redis server of the run's own: test_chaos_kill.py.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_zoo import write_dynamics, write_field

from twm.core.network import load_network
from twm.core.paths import find_network

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(300)]

NETWORK = "explora-cell"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    zoo = tmp_path_factory.mktemp("zoo")
    spec = load_network(find_network(NETWORK))
    write_dynamics(zoo, spec)
    write_field(zoo, spec)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TWM_")}
    return {**kept, "TWM_ZOO": str(zoo), "OMP_NUM_THREADS": "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "twm.cli", "run", "--plain", "--network", NETWORK, *arguments]


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def test_run_prints_policies_and_ends_by_itself(environment: dict[str, str], tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        command("--speed", "50", "--steps", "6"),
        env={**environment, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    policies = [line for line in done.stdout.splitlines() if " policy step " in line]
    assert policies, done.stdout
    for word in ("[shadow]", "predicted SCM", "saving", "guardrail passed", "mean PRB embb"):
        assert word in policies[-1]
    assert "REST     http://127.0.0.1:" in done.stdout and "console  http://127.0.0.1:" in done.stdout
    assert "6 steps done" in done.stdout
    assert list(scratch.glob("twm-*")) == []


def test_a_second_run_goes_on_after_the_first_and_ctrl_c_leaves_no_process_and_no_port(
    environment: dict[str, str], redis_url: str, tmp_path: Path
) -> None:
    """Accelerated event time lies ahead of the clock: the next run on a server must not start behind the newest frame."""
    first = subprocess.run(
        command("--speed", "100", "--steps", "3", "--redis-url", redis_url),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert first.returncode == 0, first.stdout + first.stderr
    assert "3 steps done" in first.stdout
    process = subprocess.Popen(
        command("--speed", "100", "--state-dir", str(tmp_path), "--redis-url", redis_url),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    assert process.stdout is not None
    try:
        shown = []
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        for line in process.stdout:
            shown.append(line)
            if " policy step " in line:
                break
        watchdog.cancel()
        assert " policy step " in shown[-1], "".join(shown)
        status: dict[str, Any] = json.loads((tmp_path / "run.json").read_text())["processes"]
        pids = {name: p["pid"] for name, p in status.items()}
        ports = [p["http_port"] for p in status.values() if p["http_port"]] + [
            v for p in status.values() for v in p["ports"].values()
        ]
        assert all(listening(port) for port in ports)
        for name, p in status.items():
            if p["http_port"]:
                with urllib.request.urlopen(f"http://127.0.0.1:{p['http_port']}/metrics", timeout=5) as answer:
                    assert b"twm_ready 1.0" in answer.read(), name
        asked_s = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, rest
        assert "Traceback" not in rest
        print(f"\nstopped in {time.monotonic() - asked_s:.1f} s")
    finally:
        process.kill()
        process.communicate()
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert not any(listening(port) for port in ports)
    assert {p.name for p in (tmp_path / "logs").iterdir()} >= {f"{name}.log" for name in pids}
