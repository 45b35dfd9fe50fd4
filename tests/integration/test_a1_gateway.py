"""The gateway with a delivery: over its REST, with callbacks as the O-RAN SC simulator sends them, and the shadow trap."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from gateway_samples import frame, good_proposal

from twm.api.policy.v1 import policy_pb2
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.paths import a1_folder
from twm.core.serving import Runtime
from twm.core.streams import KeyWrite, Output, StreamNames, Streams
from twm.gateway.a1 import A1Options, slice_policy
from twm.gateway.modes.state import MODE_KEY, ModeState
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings
from twm_bench.ric.a1_simulator import A1Simulator, load_types

pytestmark = pytest.mark.redis


async def test_deliveries_over_rest_with_callbacks(
    redis_url: str, spec: NetworkSpec, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    streams, names, port = await Streams.connect(redis_url), StreamNames.of(spec.area_id), free_port()
    ric = A1Simulator("STD_2.0.0")
    load_types(ric, a1_folder())
    async with ric:
        url = f"http://127.0.0.1:{port}"
        settings = GatewaySettings(
            network="poc-city", redis_url=redis_url, state_dir=tmp_path, http_listen=f"127.0.0.1:{port}", instance="g",
            a1_peer="a1p", a1_url=ric.url, a1_callback_url=url, a1_reconcile_s=2.0,
        )  # fmt: skip
        async with Runtime(settings, name="gateway", http=False) as runtime, httpx.AsyncClient(base_url=url) as http:
            await GatewayService(settings, streams, runtime.health).start(runtime)

            # In shadow mode a proposal is judged, and not one request goes to the RIC.
            await streams.append(Output(names.frames, FrameCodec(spec).encode(frame(spec, 100)).SerializeToString()))
            await streams.append(Output(names.proposals, good_proposal(spec, 100).SerializeToString()))
            await _until(lambda: _policies(http), "judged")
            await asyncio.sleep(0.7)
            assert not ric.counts
            found = (await http.get("/v1/deliveries")).json()
            assert (found["peer"], found["delivering"], found["items"]) == ("a1p", True, [])

            state = ModeState(mode="autonomous", version=1, changed_by="alice", changed_s=time.time())
            await streams.write([], [KeyWrite(names.key(MODE_KEY), state.encode())])
            policy = slice_policy(good_proposal(spec, 101), spec, A1Options(), policy_pb2.MODE_AUTONOMOUS)
            policy.effective.FromSeconds(int(time.time()))
            policy.enforcement, policy.mode_version = policy_pb2.ENFORCEMENT_ENFORCE, 1
            await streams.append(Output(names.policies, policy.SerializeToString()))
            await _until(lambda: _counted(http, 4), "delivered")

            # The simulator sends a JSON string inside JSON, and wants JSON back.
            one = "twm~poc-city~sla3~urllc"
            async with httpx.AsyncClient(base_url=ric.url) as control:
                await control.put("/status", params={"policyid": one, "status": "NOT_ENFORCED", "reason": "OTHER_REASON"})
                sent = (await control.post("/sendstatus", params={"policyid": one})).json()
                assert sent == {"code": 200, "answer": "ok"}
                await control.put("/status", params={"policyid": "twm~poc-city~rrm1~0", "status": "ENFORCED"})
            items = {item["remote_id"]: item for item in await _items(http, lambda i: i[one]["enforced"] is False)}
            assert (items[one]["enforced"], items[one]["enforce_reason"], items[one]["state"]) == (
                False,
                "OTHER_REASON",
                "delivered",
            )

            # Nobody else may say so, and nothing hostile gets through.
            callback = ric.api.callbacks[one].removeprefix(url)
            wrong = callback[:-1] + ("0" if callback[-1] != "0" else "1")
            good = {"enforceStatus": "ENFORCED"}
            for target, body, code in (
                (wrong, json.dumps(good), 403),
                (callback.replace("urllc", "embb"), json.dumps(good), 403),
                (callback, "nonsense", 400),
                (callback, json.dumps({"enforceStatus": "x" * 20_000}), 413),
                (callback, "[" * 200, 400),
                ("/a1/status/..%2f..%2fetc/" + "0" * 40, "{}", 404),
            ):
                assert (await http.post(target, content=body)).status_code == code, (target, body[:40])
            assert (await http.post(callback, json=good)).json() == "ok"
            await _items(http, lambda i: i[one]["enforced"] is True)
            page = (await http.get("/v1/deliveries", params={"limit": 3})).json()
            rest = (await http.get("/v1/deliveries", params={"limit": 3, "after": page["next"]})).json()
            assert len(page["items"]) == 3 and len(rest["items"]) == 1 and rest["next"] is None
            metrics = (await http.get("/metrics")).text
            assert 'twm_a1_policies{state="delivered"} 4.0' in metrics and "twm_a1_requests_total" in metrics
            runtime.stop.set()
    await streams.close()


async def _policies(http: httpx.AsyncClient) -> bool:
    return bool((await http.get("/v1/verdicts")).json()["items"])


async def _counted(http: httpx.AsyncClient, count: int) -> bool:
    return bool((await http.get("/v1/deliveries")).json()["counts"].get("delivered") == count)


async def _items(http: httpx.AsyncClient, holds: Callable[[dict[str, dict[str, object]]], bool]) -> list[dict[str, object]]:
    deadline = time.monotonic() + 8
    while True:
        items = (await http.get("/v1/deliveries")).json()["items"]
        if holds({str(item["remote_id"]): item for item in items}):
            return list(items)
        assert time.monotonic() < deadline, items
        await asyncio.sleep(0.2)


async def _until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not await holds():  # type: ignore[misc]
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.2)
