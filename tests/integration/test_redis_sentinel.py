"""The streams behind a real Sentinel: the master is found, and found again after a fail-over."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from twm.cli.embedded_redis import answers, server_binary, server_command
from twm.core.errors import InvalidInputError, TwmError, UnavailableError
from twm.core.redis_link import RedisLink, redact_url
from twm.core.streams import Output, StreamNames, Streams

pytestmark = pytest.mark.redis

NAMES = StreamNames.of("city")
GIVE_UP_S = 30.0


class Pair:
    """A master with a replica and one Sentinel over them."""

    def __init__(self, folder: Path, free_port: Callable[[], int]) -> None:
        self._ports = {name: free_port() for name in ("master", "replica", "sentinel")}
        self.url = (
            f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{self._ports['sentinel']}/city/0"  # the first is not there
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        replica_of = ["--replicaof", "127.0.0.1", str(self._ports["master"])]
        for name, further in (("master", ["--repl-diskless-sync-delay", "0"]), ("replica", replica_of)):
            data = folder / name
            data.mkdir()
            self._start(name, [*server_command(self._ports[name], data), *further])
        settings = folder / "sentinel.conf"
        settings.write_text(
            f"port {self._ports['sentinel']}\nbind 127.0.0.1\nsentinel monitor city 127.0.0.1 {self._ports['master']} 1\n"
            "sentinel down-after-milliseconds city 700\nsentinel failover-timeout city 3000\n"
        )
        self._start("sentinel", [str(server_binary()), str(settings), "--sentinel"])

    def _start(self, name: str, command: list[str]) -> None:
        self._processes[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + GIVE_UP_S
        while not answers(self._ports[name]):
            assert time.monotonic() < until, f"{name} does not start"
            time.sleep(0.02)

    async def ask(self, name: str, *command: str) -> Any:
        """One command's reply of one server."""
        link = RedisLink(f"redis://127.0.0.1:{self._ports[name]}/0", 5.0)
        try:
            return await link.call(*command)
        finally:
            await link.close()

    async def replicate(self, streams: Streams) -> None:
        """Write an entry; wait until the replica has it and the Sentinel knows the replica."""
        await streams.append(Output(NAMES.frames, b"before"))
        await _eventually(lambda: self.ask("replica", "XLEN", NAMES.frames), lambda length: length == 1)
        await _eventually(lambda: self.ask("sentinel", "SENTINEL", "REPLICAS", "city"), lambda found: len(found) == 1)

    def kill(self, name: str) -> None:
        """As a crash would."""
        self._processes[name].send_signal(signal.SIGKILL)
        self._processes[name].wait(10)

    def stop(self) -> None:
        """End all."""
        for name in self._processes:
            self.kill(name)


@pytest.fixture
def pair(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Pair]:
    made = Pair(tmp_path, free_port)
    yield made
    made.stop()


async def test_streams_follow_the_master(pair: Pair) -> None:
    """Writes go on after the master is gone, on what the Sentinel made master, with what was replicated."""
    streams = await Streams.connect(pair.url)
    try:
        await pair.replicate(streams)
        pair.kill("master")
        await _until_taken(lambda: streams.append(Output(NAMES.frames, b"after")))
        assert [entry.payload for entry in await streams.last(NAMES.frames, 10)] == [b"before", b"after"]
        assert await pair.ask("replica", "XLEN", NAMES.frames) == 2
    finally:
        await streams.close()


async def test_a_demoted_master_is_left(pair: Pair) -> None:
    """A server that answers READONLY is no master any more; the next call asks the Sentinel."""
    streams = await Streams.connect(pair.url)
    try:
        await pair.replicate(streams)
        await _until_taken(lambda: pair.ask("sentinel", "SENTINEL", "FAILOVER", "city"))
        await _eventually(lambda: pair.ask("master", "ROLE"), lambda role: role[0] == b"slave")
        await _until_taken(lambda: streams.append(Output(NAMES.frames, b"after")))
        assert await pair.ask("replica", "XLEN", NAMES.frames) == 2
    finally:
        await streams.close()


async def test_no_sentinel_knows_the_master(pair: Pair) -> None:
    with pytest.raises(UnavailableError, match="no master 'village'"):
        await Streams.connect(pair.url.replace("/city/", "/village/"))


@pytest.mark.parametrize(
    "url", ["redis+sentinel://h:1", "redis+sentinel://h:1/", "redis+sentinel://h:1,;/m/0", "redis+sentinel://h:1/m/x"]
)
async def test_a_bad_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="redis_url"):
        await Streams.connect(url)


def test_passwords_are_not_shown() -> None:
    shown = redact_url("redis+sentinel://u:one@h:1,h:2/m/0?sentinel_password=two&x=1")
    assert shown == "redis+sentinel://u:***@h:1,h:2/m/0?sentinel_password=***&x=1"


async def _eventually(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> None:
    """Ask until it holds; errors of this project are no answer."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(TwmError):
            if holds(await ask()):
                return
        assert time.monotonic() - began < GIVE_UP_S
        await asyncio.sleep(0.05)


async def _until_taken(call: Callable[[], Awaitable[Any]]) -> None:
    """Call until it raises nothing."""
    await _eventually(call, lambda _: True)
