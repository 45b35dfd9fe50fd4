"""Schemathesis against our own OpenAPI: whatever fits the description, or does not, is answered as described."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twm.core.serving import Runtime
from twm.core.streams import Streams
from twm.gateway.access import gate
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings

pytestmark = [pytest.mark.redis, pytest.mark.slow]
LONG = os.environ.get("TWM_LONG") == "1"
EXAMPLES = 25 if LONG else 1
SHORT = ("/v1/deliveries", "/a1/", "/v1/policies", "/v1/intents", "/v1/mode", "/v1/other-policies")
"""Routes that are tried without TWM_LONG=1."""


@pytest.fixture
def gateway_url(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A gateway on a thread of its own, with a delivery that has nobody to talk to."""
    monkeypatch.setattr(gate, "READS_PER_S", 1e6)
    monkeypatch.setattr(gate, "READ_BURST", 1e6)
    monkeypatch.setattr(gate, "WRITES_PER_S", 1e6)
    monkeypatch.setattr(gate, "WRITE_BURST", 1e6)
    settings = GatewaySettings(
        network="poc-city", redis_url=redis_url, state_dir=tmp_path, instance="g", auth_development_role="approver",
        a1_peer="a1p", a1_url="http://127.0.0.1:9", a1_callback_url="http://127.0.0.1:9",
    )  # fmt: skip
    started, port, stops = threading.Event(), [0], list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        streams = await Streams.connect(redis_url)
        async with Runtime(settings, name="gateway", http=False, signals=False) as runtime:
            port[0] = await GatewayService(settings, streams, runtime.health).start(runtime)
            stops.append((asyncio.get_running_loop(), runtime.stop))
            started.set()
            await runtime.stop.wait()
        await streams.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(20)
    yield f"http://127.0.0.1:{port[0]}"
    loop, stop = stops[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)


@pytest.mark.timeout(1800 if LONG else 120)
def test_every_route_answers_as_its_description_says(gateway_url: str) -> None:
    # Imported here: collecting tests would pay for them in each worker.
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    hypothesis = pytest.importorskip("hypothesis")
    schema = schemathesis.openapi.from_url(gateway_url + "/openapi.json")
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if "text/event-stream" in str(operation.definition.raw.get("responses", {})):
            continue
        if not LONG and not operation.path.startswith(SHORT):
            continue
        seen.add(operation.path)

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
        )  # fmt: skip
        def check(case: Any) -> None:
            response = case.call(base_url=gateway_url, timeout=10)
            assert response.status_code < 500 or response.status_code == 503, (
                case.method,
                case.formatted_path,
                response.text[:300],
            )
            media = "".join(response.headers.get("content-type", [])).split(";")[0]
            assert media in ("application/json", "application/problem+json") or response.status_code == 204
            if media == "application/problem+json":
                assert response.json()["status"] == response.status_code

        check()
    assert {"/v1/deliveries", "/v1/policies", "/v1/intents", "/a1/status/{remote_id}/{code}"} <= seen
