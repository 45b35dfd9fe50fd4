"""From our policy stream to somebody else's xApp runtime and back: airpuls-ric-sdk's A1Runtime enforces what is delivered.

The simulated termination hands its policies to the runtime over Redis, in the runtime's own envelopes, and takes the statuses
it reports; everything between the policy stream and the termination is the product.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis as redis_client
from a1_area import IDS, Area, simulator, until

from twm.api.policy.v1 import policy_pb2
from twm.core.network import NetworkSpec
from twm.core.streams import Streams
from twm_bench.ric.a1_simulator import A1Simulator

pytestmark = pytest.mark.redis
runtime_module = pytest.importorskip("airpuls_ric_sdk.a1.runtime", reason="airpuls-ric-sdk is not installed")
sdk = pytest.importorskip("airpuls_ric_sdk.a1")


@pytest.fixture
async def area(redis_url: str, spec: NetworkSpec) -> AsyncIterator[Area]:
    streams = await Streams.connect(redis_url)
    yield Area(streams, spec)
    await streams.close()


class Seam:
    """Between the termination and the runtime: mirror, generation and changes out, statuses in."""

    def __init__(self, ric: A1Simulator, url: str) -> None:
        self.ric, self.redis, self.keys = ric, redis_client.Redis.from_url(url), sdk.Keys("a1")
        self.known: dict[tuple[str, str], str] = {}
        self.version, self.cursor = 0, "0"

    def turn(self) -> None:
        now = {(t, i): json.dumps(b) for t, held in self.ric.api.policies.items() for i, b in held.items()}
        for key in {*now, *self.known}:
            if now.get(key) != self.known.get(key):
                self._tell(*key, now.get(key))
        self.known = now
        for _, entries in self.redis.xread({self.keys.status_stream(): self.cursor}) or []:
            for entry_id, fields in entries:
                said = json.loads(fields[b"env"])
                self.ric.api.set_status(said["policy_id"], said["enforce_status"], said["enforce_reason"])
                self.cursor = entry_id

    def _tell(self, type_id: str, policy_id: str, body: str | None) -> None:
        self.version += 1
        generation = self.redis.incr(self.keys.policy_gen(type_id))
        envelope: dict[str, Any] = {
            "op": "delete" if body is None else "put", "ref": policy_id, "policy_type_id": type_id, "policy_id": policy_id,
            "generation": generation, "version": self.version,
        }  # fmt: skip
        if body is None:
            self.redis.hdel(self.keys.policy_mirror(type_id), policy_id)
        else:
            envelope["policy"] = json.loads(body)
            self.redis.hset(self.keys.policy_mirror(type_id), policy_id, json.dumps(envelope))
        self.redis.publish(self.keys.policy_delta(type_id), json.dumps(envelope))


class Enforcer(sdk.A1Enforcer):  # type: ignore[misc,name-defined]
    """Enforces ratios and targets, but those of one slice."""

    policy_types = ["ORAN_SliceSLATarget_1.0.0", "ORAN_SliceSLATarget_3.0.0", "twm_RRMPolicyRatio_1.0.0"]  # noqa: RUF012

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}

    def on_policy_put(self, policy: Any) -> None:
        self.held[policy.policy_id] = policy.body
        if policy.body["scope"].get("sliceId", {}).get("sd") == "000002":
            self.ctx.report(policy.ref, sdk.EnforceStatus.NOT_ENFORCED, sdk.EnforceReason.SCOPE_NOT_APPLICABLE)
        else:
            self.ctx.report(policy.ref, sdk.EnforceStatus.ENFORCED)

    def on_policy_deleted(self, policy_type_id: str, policy_id: str, ref: str) -> None:
        self.held.pop(policy_id, None)


async def test_somebody_elses_xapp_enforces_our_policies_and_says_so(area: Area, redis_url: str) -> None:
    enforcer = Enforcer()
    runtime = runtime_module.A1Runtime(runtime_module.A1RuntimeConfig(url=redis_url), [enforcer], "xapp-1")
    async with simulator("a1p") as ric:
        seam = Seam(ric, redis_url)
        await asyncio.to_thread(runtime.start)

        async def turn() -> None:
            while True:
                seam.turn()
                runtime.drain_inbound()
                await asyncio.sleep(0.05)

        turning = asyncio.create_task(turn())
        try:
            await area.mode("autonomous")
            async with area.delivering(area.settings("a1p", ric.url)) as delivery:
                policy = area.policy(100)
                await area.write(policy)
                await until(lambda: enforcer.held.keys() == IDS, "with the xApp")
                rrm = next(json.loads(p.policy_json) for p in policy.policies if "Ratio" in p.policy_type_id)
                assert enforcer.held["twm~poc-city~rrm1~0"] == rrm
                records = delivery.engine.records
                await until(lambda: all(r.enforced is not None for r in records.values()), "statuses are back")
                refused = records["twm~poc-city~sla3~urllc"]
                assert (refused.enforced, refused.enforce_reason) == (False, "SCOPE_NOT_APPLICABLE")
                assert all(r.enforced for i, r in records.items() if not i.endswith("urllc"))
                await area.write(area.policy(101, policy_pb2.ENFORCEMENT_WITHDRAW))
                await until(lambda: not enforcer.held, "withdrawn at the xApp")
        finally:
            turning.cancel()
            await asyncio.wait([turning])
            began = time.monotonic()
            await asyncio.to_thread(runtime.stop)
            assert time.monotonic() - began < 10
            seam.redis.close()
