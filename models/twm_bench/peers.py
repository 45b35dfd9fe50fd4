"""The planner's real peers, inference and twin, as processes of their own on loopback ports."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from twm.cli.free_ports import free_ports
from twm.cli.supervisor import START_TIMEOUT_S
from twm.core.errors import UnavailableError


@dataclass(frozen=True)
class PeerTargets:
    """gRPC addresses, host:port."""

    inference: str
    twin: str


@contextmanager
def running_peers(network: str, log_folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[PeerTargets]:
    """Start both, wait until they are ready, stop them at the end.

    Raises UnavailableError naming the one that is not ready, with the end of its log.
    """
    log_folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        targets = [
            stack.enter_context(_service(module, network, log_folder / f"{module}.log", environment or {}))
            for module in ("twm.inference", "twm_twin")
        ]
        yield PeerTargets(*targets)


@contextmanager
def _service(module: str, network: str, log_path: Path, environment: Mapping[str, str]) -> Iterator[str]:
    grpc_port, http_port = free_ports(2)
    settings = {
        "TWM_NETWORK": network,
        "TWM_GRPC_LISTEN": f"127.0.0.1:{grpc_port}",
        "TWM_HTTP_LISTEN": f"127.0.0.1:{http_port}",
    }
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module], env={**os.environ, **settings, **environment}, stdout=log, stderr=log
        )
        try:
            _wait_ready(process, http_port, module, log_path)
            yield f"127.0.0.1:{grpc_port}"
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_ready(process: subprocess.Popen[bytes], http_port: int, module: str, log_path: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    tail = log_path.read_text(errors="replace")[-600:]
    raise UnavailableError(f"{module} is not ready after {START_TIMEOUT_S:g} s; end of {log_path}: {tail}")
