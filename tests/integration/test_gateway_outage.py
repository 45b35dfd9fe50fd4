"""The gateway while Redis is away: it says so, decides nothing, and goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from gateway_samples import frame, good_proposal

from twm.cli.embedded_redis import EmbeddedRedis
from twm.core.errors import UnavailableError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.serving import Runtime
from twm.core.streams import Output, StreamNames, Streams
from twm.gateway.audit_log import read_records
from twm.gateway.audit_stream import log_path, verify_stream
from twm.gateway.service import GatewayService, connect, listen
from twm.gateway.settings import GatewaySettings

pytestmark = pytest.mark.redis


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await done():  # noqa: ASYNC110 - the state lies in Redis
            await asyncio.sleep(0.05)


async def test_redis_goes_and_comes_back(redis_server: Callable[[], EmbeddedRedis], spec: NetworkSpec, tmp_path: Path) -> None:
    server = await asyncio.to_thread(redis_server)
    names, codec = StreamNames.of(spec.area_id), FrameCodec(spec)
    settings = GatewaySettings(redis_url=server.url, state_dir=tmp_path / "state", instance="gateway-0")
    streams = await Streams.connect(server.url, timeout_s=1.0)

    async def put(step: int) -> None:
        await streams.append(Output(names.frames, codec.encode(frame(spec, step)).SerializeToString()))
        await streams.append(Output(names.proposals, good_proposal(spec, step).SerializeToString()))

    async def judged(count: int) -> bool:
        try:
            return await streams.length(names.verdicts) == count
        except UnavailableError:
            return False

    async with Runtime(settings, "gateway", http=False, signals=False) as runtime:
        port = await GatewayService(settings, streams, runtime.health).start(runtime)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:

            async def is_ready(wanted: bool) -> bool:
                return ((await client.get("/readyz")).status_code == 200) is wanted

            await put(100)
            await until(lambda: judged(1))
            await asyncio.to_thread(server.kill)
            await until(lambda: is_ready(False))
            answer = await client.get("/v1/verdicts")
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert (await client.get("/livez")).status_code == 200
            await asyncio.to_thread(server.start)
            await until(lambda: is_ready(True))
            await put(101)
            await until(lambda: judged(2))
            assert (await client.get("/v1/audit/verify")).json()["ok"] is True
        runtime.stop.set()
        assert await runtime.wait() == 0
    head = (await verify_stream(streams, names)).head
    records = list(read_records(log_path(settings.state_dir, names)))
    assert records[-1].hash == head.hash
    assert [r.kind for r in records] == ["start", *("verdict", "policy", "trace") * 2]
    await streams.close()


async def test_starting_waits_for_redis(redis_server: Callable[[], EmbeddedRedis]) -> None:
    server = await asyncio.to_thread(redis_server)
    await asyncio.to_thread(server.kill)
    stop = asyncio.Event()
    waiting = asyncio.create_task(connect(server.url, stop))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(10):
        streams = await waiting
    assert streams is not None
    await streams.close()
    stop.set()
    assert await connect(server.url, stop) is None


def test_a_taken_port_is_named() -> None:
    first = listen("127.0.0.1:0")
    port = first.getsockname()[1]
    with pytest.raises(UnavailableError, match=f"TWM_HTTP_LISTEN: cannot listen on 127.0.0.1:{port}"):
        listen(f"127.0.0.1:{port}")
    first.close()
