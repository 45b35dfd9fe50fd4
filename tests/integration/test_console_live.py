"""The console's live stream and bounded reads: a whole gateway in this process behind a real uvicorn, on a real Redis."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from console_site import put_frames, put_proposal

from twm.core.network import NetworkSpec
from twm.core.serving import Runtime
from twm.core.stream_names import StreamNames
from twm.core.streams import Output, Streams
from twm.gateway.console.assets import CSP, load_assets
from twm.gateway.console.live import Live, Pulse, changed, marks_of
from twm.gateway.console.tail import Tail
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings

pytestmark = pytest.mark.redis

WEB = Path(__file__).parents[2] / "services" / "twm" / "gateway" / "console"


@pytest.fixture
async def client(streams: Streams, redis_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = GatewaySettings(redis_url=redis_url, state_dir=tmp_path, instance="console-live", console_streams=1)
    async with Runtime(settings, "gateway", http=False, signals=False) as runtime:
        port = await GatewayService(settings, streams, runtime.health).start(runtime)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as session:
            yield session


async def next_event(lines: AsyncIterator[str]) -> tuple[str, set[str]]:
    """(id, names of what has changed) of the next `news`."""
    event_id = ""
    async with asyncio.timeout(15):
        async for line in lines:
            if line.startswith("id: "):
                event_id = line[4:]
            if line.startswith("data: ") and event_id:
                return event_id, set(json.loads(line[6:])["changed"])
    raise AssertionError("the stream ended")


async def test_stream_tells_changes_is_taken_up_again_and_is_bounded(
    client: httpx.AsyncClient, streams: Streams, spec: NetworkSpec
) -> None:
    async with client.stream("GET", "/v1/console/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        first, names = await next_event(lines)
        assert {"frames", "mode", "approvals", "intents"} <= names
        await put_frames(streams, spec, 100, 1)
        second, names = await next_event(lines)
        assert "frames" in names and "mode" not in names
        full = await client.get("/v1/console/events")
        assert full.status_code == 429 and int(full.headers["retry-after"]) > 0
    await put_proposal(streams, spec, 100)
    async with asyncio.timeout(10):
        while (again := await client.send(_asked(client, second), stream=True)).status_code == 429:
            await again.aclose()
            await asyncio.sleep(0.1)
    _, names = await next_event(again.aiter_lines())
    await again.aclose()
    assert "proposals" in names and "frames" not in names, "only what came since the event it had"
    assert first != second


def _asked(client: httpx.AsyncClient, last: str) -> httpx.Request:
    return client.build_request("GET", "/v1/console/events", headers={"Last-Event-ID": last})


async def test_stream_beats_ends_with_its_life_and_tells_trouble(redis_server: object, spec: NetworkSpec) -> None:
    server = redis_server()  # type: ignore[operator]
    streams = await Streams.connect(server.url)
    try:
        live = Live(Pulse(streams, StreamNames.of(spec.area_id)), 1, asyncio.Event(), beat_s=0.2, life_s=3.0)
        events = live.events(None)
        seen = [await anext(events), await anext(events), await anext(events)]
        assert seen[1].startswith(b"id: ") and seen[2] == b": beat\n\n" and live.open == 1
        server.kill()
        rest = b"".join([event async for event in events])
        assert b"event: trouble" in rest and b"come back" in rest and live.open == 0
    finally:
        await streams.close()


async def test_no_place_is_lost_with_a_client_that_goes(streams: Streams, spec: NetworkSpec) -> None:
    live = Live(Pulse(streams, StreamNames.of(spec.area_id)), 1, asyncio.Event())
    events = live.events("garbage\n")
    await anext(events)
    assert live.open == 1
    await events.aclose()  # type: ignore[attr-defined]
    assert live.open == 0


def test_marks_of_an_event_id() -> None:
    assert marks_of(None) == marks_of("") == marks_of("a" * 600) == marks_of("1.x\n2") == ()
    marks = ("1", "2", "3", "4", "5", "6", "7", "0", "0", "0", "0", "0")
    assert marks_of(".".join(marks)) == marks
    assert changed(marks, ("2", *marks[1:])) == ["frames"]
    assert len(changed((), marks)) == len(marks)


async def test_views_are_bounded_and_compressed(client: httpx.AsyncClient, streams: Streams, spec: NetworkSpec) -> None:
    await put_frames(streams, spec, 1000, 70)
    await streams.append(Output(StreamNames.of(spec.area_id).frames, b"\xff no frame"))
    series = (await client.get("/v1/console/series")).json()
    assert series["steps"] == list(range(1011, 1070)), "the last hour, but for what is no frame"
    assert series["link_up"][-1][-1] == 0.0
    more = await client.get("/v1/console/series?after=1067")
    assert more.json()["steps"] == [1068, 1069]
    field = await client.get("/v1/console/field?layer=stress")
    assert field.headers["content-encoding"] == "gzip"
    found = field.json()
    assert len(found["values"]) == 59 and found["values"][-1][-1] is None and found["values"][-1][0] > 0
    assert found["forecast"] is None and found["forecast_problem"] == "inference does not answer"
    assert (await client.get("/v1/console/field?layer=nothing")).status_code == 404
    assert (await client.get("/v1/console/decisions?limit=100000")).status_code == 422
    await client.post("/v1/intents/compile", json={"text": "x"})
    newest = (await client.get("/v1/console/audit?limit=1")).json()
    older = (await client.get(f"/v1/console/audit?limit=50&before={newest['items'][0]['sequence']}")).json()
    assert older["items"][-1]["sequence"] == newest["items"][0]["sequence"] - 1 and older["first_sequence"] == 1
    assert {r["kind"] for r in (await client.get("/v1/console/audit?kind=start")).json()["items"]} == {"start"}


async def test_page_and_files_are_strict_and_kept(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-security-policy"] == CSP and page.headers["cache-control"] == "no-cache"
    assert page.headers["x-frame-options"] == "DENY" and page.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in page.text and "style=" not in page.text
    script = re.findall(r'src="(console/app\.js\?v=\w+)"', page.text)[0]
    kept = await client.get(f"/{script}")
    assert "immutable" in kept.headers["cache-control"] and kept.headers["content-encoding"] == "gzip"
    again = await client.get(f"/{script}", headers={"If-None-Match": kept.headers["etag"]})
    assert again.status_code == 304 and not again.content
    plain = await client.get("/console/app.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == kept.content and plain.headers["cache-control"] == "no-cache"
    assert (await client.get("/console/../settings.py")).status_code == 404
    assert (await client.get("/console/%2e%2e%2fsettings.py")).status_code == 404
    api = await client.get("/v1/status")
    assert (
        api.headers["content-security-policy"].startswith("default-src 'none'") and api.headers["cache-control"] == "no-store"
    )


def test_static_files_are_what_vendor_and_sources_say() -> None:
    vendor = json.loads((WEB / "static" / "vendor.json").read_text())
    for library in vendor.values():
        assert library["license"] in ("MIT", "BSD-2-Clause") and library["integrity"].startswith("sha512-")
        for name, entry in library["files"].items():
            assert hashlib.sha256((WEB / "static" / name).read_bytes()).hexdigest() == entry["sha256"], name
    assets = load_assets()
    assert all(gzip.decompress(asset.packed) == asset.body for asset in assets.values())
    assert sum(len(a.body) for n, a in assets.items() if n.endswith(".js")) < 500_000
    sources = "".join(path.read_text() for path in (WEB / "web" / "src").rglob("*.ts"))
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://(?!www\.w3\.org)", sources
    )


def test_static_files_are_what_the_sources_build_to() -> None:
    import shutil
    import subprocess

    node = shutil.which("node")
    if node is None or not (WEB / "web" / "node_modules").is_dir():
        pytest.skip("no node, or its packages are not installed (npm ci)")
    done = subprocess.run([node, "build.mjs", "--check"], cwd=WEB / "web", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


async def test_tail_follows_begins_anew_and_stays_small(streams: Streams, spec: NetworkSpec, redis_url: str) -> None:
    name = StreamNames.of(spec.area_id).scores
    reads = 0

    def derive(entry: object) -> tuple[int, str] | None:
        nonlocal reads
        reads += 1
        text = entry.payload.decode()  # type: ignore[attr-defined]
        return (int(text), text) if text.isdigit() else None

    tail = Tail(streams, name, 5, derive)
    assert await tail.rows() == []
    await streams.append_many([Output(name, str(i).encode()) for i in range(8)])
    assert [step for step, _ in await tail.rows()] == [3, 4, 5, 6, 7]
    await streams.append_many([Output(name, b"none"), Output(name, b"8"), Output(name, b"8")])
    assert [step for step, _ in await tail.rows()] == [4, 5, 6, 7, 8]
    before = reads
    await tail.rows()
    assert reads == before, "each entry is read once"
    import redis.asyncio

    raw = redis.asyncio.Redis.from_url(redis_url)
    await raw.delete(name)
    await raw.aclose()
    await streams.append(Output(name, b"2"))
    assert [step for step, _ in await tail.rows()] == [2]
