"""Fixtures that every part shares: a real Redis-protocol server, the PoC city's spec, the shared data folder, free ports."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from twm.cli.embedded_redis import EmbeddedRedis
from twm.cli.free_ports import free_ports
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.streams import Streams

REPO_ROOT = Path(__file__).resolve().parents[1]
ALONE = tuple(REPO_ROOT / "tests" / folder for folder in ("e2e", "bench"))
"""Folders whose tests run whole systems or measure, and so need the machine to themselves."""
FIRST = tuple(
    REPO_ROOT / "tests" / path
    for path in (
        "integration/test_second_network.py",
        "integration/test_quick_bench.py",
        "integration/test_stream_worker.py",
        "integration/test_a1_delivery.py",
        "integration/test_adaptation.py",
        "unit/train/test_train_actor.py",
        "integration",
        "unit/train",
        "unit/bench",
        "contract",
    )
)
"""Files and folders that take longest, begun in this order, so that at the end no core waits for the others."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test` runs what is not marked `alone` on all cores at once, and the rest one after the other."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in ALONE):
            item.add_marker(pytest.mark.alone)
    items.sort(key=lambda item: next((i for i, path in enumerate(FIRST) if item.path.is_relative_to(path)), len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """A worker more than cores, since many tests wait."""
    return (os.cpu_count() or 1) + 1


def unused_port() -> int:
    """A loopback port that was free a moment ago."""
    return free_ports(1)[0]


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that returns a free loopback port, another one at each call."""
    return unused_port


@pytest.fixture(scope="session")
def spec() -> NetworkSpec:
    """The PoC city."""
    return load_network(find_network("poc-city"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Recorded data and codec vectors beside the checkout."""
    folder = REPO_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no shared data folder beside this checkout")
    return folder


@pytest.fixture(scope="session")
def _session_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("valkey"), unused_port(), durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(_session_redis: EmbeddedRedis) -> str:
    """URL of a running server, empty at the start of each test; shared by the session, so never stop it."""
    with socket.create_connection(("127.0.0.1", _session_redis.port), 5) as connection:
        connection.sendall(b"*1\r\n$8\r\nFLUSHALL\r\n")
        assert connection.recv(16).startswith(b"+OK")
    return _session_redis.url


@pytest.fixture
async def streams(redis_url: str) -> AsyncIterator[Streams]:
    """Streams on that server."""
    connection = await Streams.connect(redis_url)
    yield connection
    await connection.close()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Callable[[], EmbeddedRedis]]:
    """A function that starts a server of the test's own, to be stopped, killed, frozen and started again."""
    servers: list[EmbeddedRedis] = []

    def start() -> EmbeddedRedis:
        server = EmbeddedRedis(tmp_path / f"valkey-{len(servers)}", unused_port())
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.thaw()
        server.kill()
