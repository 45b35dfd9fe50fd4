"""Intents over REST: a whole gateway, real Redis; compile, activate, repeat, withdraw, audit."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jsonschema
import pytest

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec
from twm.core.serving import Runtime
from twm.core.streams import StreamNames, Streams
from twm.gateway.intents.store import ACTIVE_KEY
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings

pytestmark = pytest.mark.redis

TEXT = "Keep URLLC p99 below 8 ms in the hospital and give URLLC at least 20 % of the PRBs there."


@pytest.fixture
async def client(streams: Streams, redis_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = GatewaySettings(redis_url=redis_url, state_dir=tmp_path, instance="intent-test")
    async with Runtime(settings, "gateway", http=False, signals=False) as runtime:
        port = await GatewayService(settings, streams, runtime.health).start(runtime)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as session:
            yield session


async def test_times_are_read_in_the_zone_that_is_set(streams: Streams, redis_url: str, tmp_path: Path) -> None:
    said = {}
    for zone in ("UTC", "Asia/Tokyo"):
        settings = GatewaySettings(redis_url=redis_url, state_dir=tmp_path, instance="zone-test", time_zone=zone)
        async with Runtime(settings, "gateway", http=False, signals=False) as runtime:
            port = await GatewayService(settings, streams, runtime.health).start(runtime)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as session:
                body = {"text": "Keep URLLC p99 below 8 ms tomorrow from 18:00 to 19:00"}
                answer = (await session.post("/v1/intents/compile", json=body)).json()
        said[zone] = answer["intent"]["window"]["start"]
    hours = {zone: dt.datetime.fromisoformat(time).astimezone(dt.UTC).hour for zone, time in said.items()}
    assert hours == {"UTC": 18, "Asia/Tokyo": 9}


async def test_intent_from_words_to_withdrawal(client: httpx.AsyncClient, streams: Streams, spec: NetworkSpec) -> None:
    names = StreamNames.of(spec.area_id)
    compiled = (await client.post("/v1/intents/compile", json={"text": TEXT})).json()
    assert compiled["questions"] == []
    assert compiled["compiler"] == "grammar/1"
    schema = (await client.get("/v1/intents/schema")).json()
    jsonschema.validate(compiled["intent"], schema)
    assert await streams.get(names.key(ACTIVE_KEY)) is None, "compiling has no effect"

    first = await client.post("/v1/intents", json={"text": TEXT})
    assert first.status_code == 201
    intent_id = first.json()["intent"]["intent_id"]
    assert intent_id == compiled["intent_id"]
    again = await client.post("/v1/intents", json={"text": TEXT})
    assert (again.status_code, again.json()["intent"]["intent_id"]) == (200, intent_id)
    structured = await client.post("/v1/intents", json={"structured": compiled["intent"], "intent_id": "mine-1"})
    assert structured.status_code == 201

    stored = intent_pb2.ActiveIntents.FromString(await streams.get(names.key(ACTIVE_KEY)) or b"")
    assert [e.spec.intent_id for e in stored.intents] == [intent_id, "mine-1"]
    assert (stored.version, stored.intents[0].subject) == (2, "development")
    listed = (await client.get("/v1/intents")).json()
    assert [i["intent_id"] for i in listed["items"]] == [intent_id, "mine-1"]

    gone = await client.delete(f"/v1/intents/{intent_id}")
    assert gone.json()["state"] == "withdrawn"
    assert (await client.delete(f"/v1/intents/{intent_id}")).status_code == 404
    assert (await client.get(f"/v1/intents/{intent_id}")).json()["state"] == "withdrawn"

    changes = [intent_pb2.IntentChange.FromString(e.payload) for e in await streams.last(names.intents, 10)]
    assert [c.event for c in changes] == [1, 1, 2]
    assert [c.set_version for c in changes] == [1, 2, 3]
    records = [r for r in (await client.get("/v1/audit?limit=50")).json()["items"] if r["kind"] == "intent"]
    assert [(r["payload"]["event"], r["payload"]["intent_id"]) for r in records] == [
        ("activated", intent_id),
        ("activated", "mine-1"),
        ("withdrawn", intent_id),
    ]
    assert (await client.get("/v1/audit/verify")).json()["ok"]


async def test_nothing_unclear_or_clashing_is_activated(client: httpx.AsyncClient, streams: Streams, spec: NetworkSpec) -> None:
    key = StreamNames.of(spec.area_id).key(ACTIVE_KEY)
    unclear = await client.post("/v1/intents", json={"text": "keep urllc fast"})
    assert unclear.status_code == 422
    assert [q["code"] for q in unclear.json()["questions"]] == ["missing_bound"]
    assert await streams.get(key) is None

    assert (await client.post("/v1/intents", json={"text": "urllc at least 60 %", "intent_id": "a"})).status_code == 201
    clash = await client.post("/v1/intents", json={"text": "embb at least 60 %"})
    assert clash.status_code == 422
    assert [q["code"] for q in clash.json()["questions"]] == ["clashing_shares"]
    other = await client.post("/v1/intents", json={"text": "fwa at most 20 %", "intent_id": "a"})
    assert other.status_code == 409, "an id stands for one content"
    stored = intent_pb2.ActiveIntents.FromString(await streams.get(key) or b"")
    assert [e.spec.intent_id for e in stored.intents] == ["a"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"text": "x" * 2001}, "text"),
        ({}, "text"),
        ({"text": "freeze fwa", "structured": {}}, "structured"),
        ({"text": "freeze fwa", "timezone": "Mars/Olympus"}, "timezone"),
        ({"structured": {"constraints": [{"kpi": "speed"}]}}, "constraints[0]"),
        ({"structured": {"priority": 9, "limits": []}}, "priority"),
        ({"text": "freeze fwa", "sudo": True}, "sudo"),
    ],
)
async def test_bad_requests_name_the_field(client: httpx.AsyncClient, body: dict[str, object], named: str) -> None:
    answer = await client.post("/v1/intents", json=body)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]


async def test_command_line_asks_the_gateway(client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]) -> None:
    import asyncio

    from twm.cli.__main__ import main

    gateway = ["--gateway", str(client.base_url)]
    assert await asyncio.to_thread(main, ["intent", "freeze fwa for 2 hours", "--activate", *gateway]) == 0
    assert "no change of the share of fwa" in capsys.readouterr().out
    assert await asyncio.to_thread(main, ["intent", "--list", "--json", *gateway]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["expires"] is not None
    assert await asyncio.to_thread(main, ["intent", "--withdraw", item["intent_id"], *gateway]) == 0
    capsys.readouterr()
    assert await asyncio.to_thread(main, ["intent", "keep urllc fast", *gateway]) == 4
    assert "missing_bound" in capsys.readouterr().out
