"""Each product process, started for real against a real Redis: ready within seconds, small, and gone when told so.

Seconds are held to the budget of an idle machine; where they exceed it, the machine may be busy, and the ratio to an
interpreter that only does the same imports at that moment counts. Memory is asserted as it is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tiny_zoo import write_dynamics, write_field

from twm.core.network import NetworkSpec

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.alone]

SERVICES = ("ingester", "inference", "planner", "gateway", "ric")
RSS_MB = 200
READY_S = 3.0
READY_RATIO = 2.0
"""Ready within READY_S, or within this many times what importing takes on this machine at this moment."""
GIVE_UP_S = 60.0


def environment(redis_url: str, zoo: Path, state: Path, http: int) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TWM_")}
    return {
        **kept,
        "TWM_NETWORK": "poc-city",
        "TWM_REDIS_URL": redis_url,
        "TWM_ZOO": str(zoo),
        "TWM_STATE_DIR": str(state),
        "TWM_HTTP_LISTEN": f"127.0.0.1:{http}",
        "TWM_GRPC_LISTEN": "127.0.0.1:0",
        "TWM_INFERENCE_TARGET": "127.0.0.1:1",
        "TWM_TWIN_TARGET": "127.0.0.1:1",
        "TWM_RIC_TRANSPORT": "tcp",
        "TWM_RIC_RMR_PORT": "0",
        "TWM_RIC_HTTP_LISTEN": "127.0.0.1:0",
        "TWM_RIC_SUBMGR_URL": "",
    }


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextmanager
def started(service: str, env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", f"twm.{service}"], env=env, stdout=output, stderr=output)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def import_seconds(*services: str) -> float:
    began = time.perf_counter()
    modules = ", ".join(f"twm.{service}.__main__" for service in services)
    subprocess.run([sys.executable, "-c", f"import {modules}"], check=True, timeout=GIVE_UP_S)
    return time.perf_counter() - began


@pytest.fixture(scope="module", autouse=True)
def _modules_are_compiled() -> None:
    """As in an image: no start pays for what the first import on a fresh checkout writes."""
    import_seconds(*SERVICES)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory, spec: NetworkSpec) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    write_dynamics(folder, spec)
    write_field(folder, spec)
    return folder


def ready_seconds(process: subprocess.Popen[bytes], port: int, began: float, log: Path) -> float:
    while not is_ready(port):
        assert process.poll() is None, f"ended with {process.returncode}: {log.read_text()[-2000:]}"
        assert time.perf_counter() - began < GIVE_UP_S, f"not ready: {log.read_text()[-2000:]}"
        time.sleep(0.02)
    return time.perf_counter() - began


@pytest.mark.parametrize("service", SERVICES)
def test_ready_small_and_orderly(
    service: str,
    zoo: Path,
    redis_url: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ready, under 200 MB, none of torch, numba and the twin loaded, and stopped by SIGTERM with 0 and no child left."""
    log, port = tmp_path / "log", free_port()
    env = environment(redis_url, zoo, tmp_path / "state", port)
    began = time.perf_counter()
    with started(service, env, log) as process:
        seconds = ready_seconds(process, port, began, log)
        watched = psutil.Process(process.pid)
        rss_mb = watched.memory_info().rss / 1e6
        mapped = {Path(m.path).name for m in watched.memory_maps()}
        with capsys.disabled():
            print(f"\n{service}: ready in {seconds:.2f} s, {rss_mb:.0f} MB")
        assert not [name for name in mapped if name.startswith(("libtorch", "libllvmlite"))]
        process.send_signal(signal.SIGTERM)
        children = watched.children(recursive=True)
        assert process.wait(20) == 0, log.read_text()[-2000:]
        assert not [child for child in children if child.is_running()]
    assert rss_mb < RSS_MB
    assert seconds < READY_S or seconds < READY_RATIO * import_seconds(service)


@pytest.mark.parametrize("service", SERVICES)
def test_wrong_settings_end_the_start_with_a_clear_line(service: str, redis_url: str, tmp_path: Path) -> None:
    """An unknown network is named with what ships; exit code 2."""
    env = {**environment(redis_url, tmp_path, tmp_path, 0), "TWM_NETWORK": "atlantis"}
    ended = subprocess.run(
        [sys.executable, "-m", f"twm.{service}"], env=env, capture_output=True, timeout=GIVE_UP_S, check=False
    )
    assert ended.returncode == 2
    assert b"atlantis" in ended.stderr + ended.stdout
    assert b"Traceback" not in ended.stderr
