"""SLA policies of others over gRPC on a real server: enforced or not, kept, audited, exactly once."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from twm.api.operations.v1 import operations_pb2 as pb
from twm.api.operations.v1 import operations_pb2_grpc
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel, grpc_server
from twm.core.streams import StreamNames, Streams
from twm.gateway.a1 import SLA_TYPE_3, A1Options
from twm.gateway.a1_inbound import TypeIds, intent_id_of
from twm.gateway.a1_policies import SlaPolicies
from twm.gateway.access import OPERATOR, VIEWER, Access, FixedPrincipal, Principal, Role
from twm.gateway.audit import from_payload
from twm.gateway.audit_stream import verify_stream
from twm.gateway.intents.store import IntentStore
from twm.gateway.modes.desk import Desk
from twm.gateway.modes.rpc import Operations
from twm.gateway.recorder import Recorder
from twm.gateway.rules import load_rules

pytestmark = pytest.mark.redis

AREA = "poc-city"
URLLC = {"sst": 2, "sd": "000002", "plmnId": {"mcc": "001", "mnc": "01"}}
ENFORCED, NOT_ENFORCED = pb.SLA_ENFORCE_STATUS_ENFORCED, pb.SLA_ENFORCE_STATUS_NOT_ENFORCED


def target(**objectives: Any) -> str:
    return json.dumps({"scope": {"sliceId": URLLC}, "sliceSlaObjectives": objectives})


class Gateway:
    def __init__(self, streams: Streams, spec: NetworkSpec) -> None:
        names, rules = StreamNames.of(spec.area_id), load_rules("default")
        recorder = Recorder(streams, names, time.time)
        self.names, self.streams = names, streams
        self.store = IntentStore(streams, names, recorder, spec, time.time)
        self.desk = Desk(streams, names, recorder, spec, rules, A1Options(), time.time)
        self.policies = SlaPolicies(streams, names, recorder, spec, self.store, TypeIds.parse(f"{SLA_TYPE_3}=20103"), time.time)

    @asynccontextmanager
    async def serve(self, role: Role) -> AsyncIterator[Any]:
        server = grpc_server()
        access = Access(FixedPrincipal(Principal.of("ric", role)))
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(Operations(self.desk, access, self.policies), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc_channel(f"127.0.0.1:{port}") as channel:
            yield operations_pb2_grpc.OperationsServiceStub(channel)
        await server.stop(None)

    async def audit(self) -> list[tuple[str, str, str]]:
        entries = await self.streams.range(self.names.audit, count=1000)
        await verify_stream(self.streams, self.names)
        found = [json.loads(r.payload_json) for r in map(from_payload, (e.payload for e in entries)) if r.kind == "sla_policy"]
        return [(f["policy_id"], f["what"], f["status"]) for f in found]


@pytest.fixture
async def gateway(redis_url: str, spec: NetworkSpec) -> AsyncIterator[Gateway]:
    streams = await Streams.connect(redis_url)
    yield Gateway(streams, spec)
    await streams.close()


def put(policy_id: str, payload: str, type_id: str = "20103") -> pb.PutSlaPolicyRequest:
    return pb.PutSlaPolicyRequest(
        area_id=AREA, policy_type_id=type_id, policy_id=policy_id, payload_json=payload, source="a1-rmr"
    )


async def test_a_policy_binds_until_it_is_deleted(gateway: Gateway) -> None:
    async with gateway.serve(OPERATOR) as stub:
        first = await stub.PutSlaPolicy(put("p1", target(maxDlPacketDelayPerUe=20)), timeout=5)
        assert first.created and (first.policy.status, first.policy.policy_type_id) == (ENFORCED, SLA_TYPE_3)
        again = await stub.PutSlaPolicy(put("p1", target(maxDlPacketDelayPerUe=20.0)), timeout=5)
        assert not again.created and again.policy == first.policy
        (active,) = (await gateway.store.active()).intents
        assert active.spec.constraints[0].bound == 20

        tighter = await stub.PutSlaPolicy(put("p1", target(maxDlPacketDelayPerUe=15)), timeout=5)
        assert not tighter.created
        (active,) = (await gateway.store.active()).intents
        assert active.spec.constraints[0].bound == 15

        # One that contradicts it waits, and holds once the first is gone.
        await stub.PutSlaPolicy(put("low", target(maxDlThptPerSlice=10_000)), timeout=5)
        clash = (await stub.PutSlaPolicy(put("high", target(guaDlThptPerSlice=90_000)), timeout=5)).policy
        assert (clash.status, clash.reason) == (NOT_ENFORCED, pb.SLA_ENFORCE_REASON_OTHER_REASON) and clash.detail
        assert (
            await stub.DeleteSlaPolicy(
                pb.DeleteSlaPolicyRequest(area_id=AREA, policy_type_id=SLA_TYPE_3, policy_id="low"), timeout=5
            )
        ).existed
        listed = (await stub.ListSlaPolicies(pb.ListSlaPoliciesRequest(area_id=AREA), timeout=5)).policies
        assert [(p.policy_id, p.status) for p in listed] == [("p1", ENFORCED), ("high", ENFORCED)]

        # What an operator takes back shows.
        await gateway.store.withdraw(intent_id_of(SLA_TYPE_3, "p1"), "operator")
        listed = (await stub.ListSlaPolicies(pb.ListSlaPoliciesRequest(area_id=AREA), timeout=5)).policies
        assert listed[0].status == NOT_ENFORCED

        outside = (await stub.PutSlaPolicy(put("ues", target(maxNumberOfUes=3)), timeout=5)).policy
        assert outside.reason == pb.SLA_ENFORCE_REASON_STATEMENT_NOT_APPLICABLE
        gone = pb.DeleteSlaPolicyRequest(area_id=AREA, policy_type_id="20103", policy_id="nobody")
        assert not (await stub.DeleteSlaPolicy(gone, timeout=5)).existed
    assert await gateway.audit() == [
        ("p1", "put", "ENFORCED"), ("p1", "put", "ENFORCED"), ("low", "put", "ENFORCED"), ("high", "put", "NOT_ENFORCED"),
        ("low", "deleted", "ENFORCED"), ("high", "enforced", "ENFORCED"), ("ues", "put", "NOT_ENFORCED"),
    ]  # fmt: skip


async def test_bad_requests_change_nothing_and_viewers_may_only_look(gateway: Gateway) -> None:
    bad = [
        put("p", "{}"), put("p", "nonsense"), put("p", target(maxDlPacketDelayPerUe=20), "unknown"),
        put("p\u202e", target(maxDlPacketDelayPerUe=20)), put("p" * 257, target(maxDlPacketDelayPerUe=20)),
    ]  # fmt: skip
    async with gateway.serve(OPERATOR) as stub:
        for request in bad:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.PutSlaPolicy(request, timeout=5)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert not (await stub.ListSlaPolicies(pb.ListSlaPoliciesRequest(area_id=AREA), timeout=5)).policies
    async with gateway.serve(VIEWER) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PutSlaPolicy(put("p", target(maxDlPacketDelayPerUe=20)), timeout=5)
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_new_version_of_the_network_is_judged_at_the_start(gateway: Gateway, spec: NetworkSpec) -> None:
    await gateway.policies.put("ric", SLA_TYPE_3, "p1", target(maxDlPacketDelayPerUe=20), "a1")
    renamed = Gateway(gateway.streams, spec.model_copy(update={"name": "poc-city-2"}))
    await renamed.policies.refresh()
    (active,) = (await renamed.store.active()).intents
    assert active.spec.spec_digest != spec.digest()
    (policy,) = await renamed.policies.listed()
    assert not policy.reason
