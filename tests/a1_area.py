"""A policy stream with its mode, deliveries of it, and simulated A1 terminations, for the tests of the delivery."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from gateway_samples import good_proposal

from twm.api.policy.v1 import policy_pb2
from twm.core.clock import SystemClock
from twm.core.network import NetworkSpec
from twm.core.paths import a1_folder
from twm.core.streams import KeyWrite, Output, StreamNames, Streams
from twm.gateway.a1 import A1Options, slice_policy
from twm.gateway.audit import from_payload
from twm.gateway.audit_stream import verify_stream
from twm.gateway.delivery.loop import Delivery
from twm.gateway.delivery.settings import DeliverySettings
from twm.gateway.modes.state import MODE_KEY, ModeState
from twm.gateway.recorder import Recorder
from twm.gateway.settings import GatewaySettings
from twm_bench.ric.a1_simulator import A1Simulator, load_types

PEERS = {"a1p": "STD_2.0.0", "oransc": "OSC_2.1.0", "pms2": "PMS", "pms3": "PMS"}
IDS = {"twm~poc-city~sla3~embb", "twm~poc-city~sla3~urllc", "twm~poc-city~sla3~fwa", "twm~poc-city~rrm1~0"}


class Area:
    """A policy stream, a mode, and deliveries of it."""

    def __init__(self, streams: Streams, spec: NetworkSpec) -> None:
        self.streams, self.spec = streams, spec
        self.names = StreamNames.of(spec.area_id)
        self.recorder = Recorder(streams, self.names, time.time)
        self.healthy = True
        self.version = 0

    def settings(self, kind: str, url: str, **changes: Any) -> DeliverySettings:
        values = {
            "a1_peer": kind, "a1_url": url, "a1_ric_id": "ric1", "a1_timeout_s": 0.5, "a1_reconcile_s": 1.0,
            "a1_retry_first_s": 0.05, "a1_retry_most_s": 0.5, "network": "poc-city",
        }  # fmt: skip
        found = DeliverySettings.of(GatewaySettings(**(values | changes)), self.spec.area_id)
        assert found is not None
        return found

    @asynccontextmanager
    async def delivering(self, settings: DeliverySettings, instance: str = "g") -> AsyncIterator[Delivery]:
        delivery = Delivery(
            settings, self.streams, self.names, self.recorder, clock=SystemClock(), instance=instance,
            healthy=lambda: self.healthy,
        )  # fmt: skip
        stop = asyncio.Event()
        running = asyncio.create_task(delivery.run(stop))
        try:
            yield delivery
        finally:
            stop.set()
            await asyncio.wait_for(running, 10)

    async def mode(self, mode: str, *, stopped: bool = False) -> None:
        self.version += 1
        state = ModeState(mode=mode, stopped=stopped, version=self.version, changed_by="alice", changed_s=time.time())
        await self.streams.write([], [KeyWrite(self.names.key(MODE_KEY), state.encode())])

    def policy(self, step: int = 100, enforcement: int = policy_pb2.ENFORCEMENT_ENFORCE) -> policy_pb2.SlicePolicy:
        policy = slice_policy(good_proposal(self.spec, step), self.spec, A1Options(), policy_pb2.MODE_AUTONOMOUS)
        policy.effective.FromSeconds(int(time.time()) + 1)
        policy.enforcement, policy.mode_version = enforcement, self.version  # type: ignore[assignment]
        return policy

    async def write(self, policy: policy_pb2.SlicePolicy) -> None:
        await self.streams.append(Output(self.names.policies, policy.SerializeToString()))

    async def audit(self) -> list[tuple[str, str]]:
        await verify_stream(self.streams, self.names)
        entries = await self.streams.range(self.names.audit, count=1000)
        found = [json.loads(r.payload_json) for r in (from_payload(e.payload) for e in entries) if r.kind == "delivery"]
        return [(item["what"], item["remote_id"]) for f in found for item in f["items"]]


@asynccontextmanager
async def simulator(kind: str, **options: Any) -> AsyncIterator[A1Simulator]:
    found = A1Simulator(PEERS[kind], **options)
    load_types(found, a1_folder())
    async with found:
        yield found


async def until(holds: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if await found if isinstance(found, Awaitable) else found:
            return
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)
