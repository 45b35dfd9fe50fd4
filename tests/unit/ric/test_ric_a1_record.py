"""A1 policies over time: what the mediator no longer announces goes, what changes is reported; never on one lost message."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from twm.api.operations.v1 import operations_pb2, operations_pb2_grpc
from twm.core.serving import grpc_channel
from twm.ric.oransc import a1
from twm.ric.oransc.a1 import A1Inbound
from twm.ric.oransc.a1_record import A1Record
from twm.ric.rmr.messages import MessageType, RmrMessage

ENFORCED = operations_pb2.SLA_ENFORCE_STATUS_ENFORCED
NOT_ENFORCED = operations_pb2.SLA_ENFORCE_STATUS_NOT_ENFORCED


def test_two_silent_queries_and_a_voice_of_the_same_type() -> None:
    record = A1Record()
    one, two, other = (1, "a"), (1, "b"), (2, "c")
    for key in (one, two):
        record.announced(key)
    record.begin()
    record.announced(one)
    assert record.judge([one, two, other]) == ([], True), "one query may have lost it"
    record.begin()
    assert record.judge([one, two, other]) == ([], False), "no voice of any type: the mediator may not answer queries"
    record.begin()
    record.announced(one)
    assert record.judge([one, two, other]) == ([two], False)
    assert record.changed([(one, "OK")]) == [], "never told anything"
    record.told(one, "OK")
    assert record.changed([(one, "ERROR"), (two, "OK")]) == [(one, "ERROR")]
    record.told(one, "DELETED")
    assert record.changed([(one, "ERROR")]) == []


class Gateway(operations_pb2_grpc.OperationsServiceServicer):
    """Keeps policies; asks for a token."""

    def __init__(self) -> None:
        self.held: dict[str, operations_pb2.SlaPolicy] = {}
        self.status = ENFORCED
        self.tokens: set[str] = set()

    async def PutSlaPolicy(self, request: Any, context: Any) -> operations_pb2.PutSlaPolicyResponse:
        self.tokens.add(dict(context.invocation_metadata()).get("authorization", ""))
        policy = operations_pb2.SlaPolicy(
            policy_type_id="ORAN_SliceSLATarget_3.0.0", policy_id=request.policy_id, source=request.source, status=self.status
        )
        self.held[request.policy_id] = policy
        return operations_pb2.PutSlaPolicyResponse(policy=policy, created=True)

    async def DeleteSlaPolicy(self, request: Any, context: Any) -> operations_pb2.DeleteSlaPolicyResponse:
        return operations_pb2.DeleteSlaPolicyResponse(existed=self.held.pop(request.policy_id, None) is not None)

    async def ListSlaPolicies(self, request: Any, context: Any) -> operations_pb2.ListSlaPoliciesResponse:
        return operations_pb2.ListSlaPoliciesResponse(policies=list(self.held.values()))


class Mediator:
    """A transport that answers queries with the policies it holds, and keeps what it is told."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.policies = {"kept", "dropped"}
        self.queries = 0
        self.told: list[dict[str, Any]] = []
        self.inbound: A1Inbound | None = None
        self._loop = loop

    def send(self, message: RmrMessage) -> bool:
        if message.mtype == MessageType.A1_POLICY_QUERY:
            self.queries += 1
            for policy_id in self.policies:
                self._loop.call_soon_threadsafe(self.create, policy_id)
            return True
        self.told.append(json.loads(message.payload))
        return True

    def create(self, policy_id: str) -> None:
        body = {"operation": "CREATE", "policy_type_id": "20103", "policy_instance_id": policy_id, "payload": "{}"}
        assert self.inbound is not None
        self.inbound.put(RmrMessage(MessageType.A1_POLICY_REQ, json.dumps(body).encode(), sender=self))

    def reply(self, received: RmrMessage, mtype: int, payload: bytes) -> bool:
        self.told.append(json.loads(payload))
        return True

    def release(self, received: RmrMessage) -> None: ...
    def routed(self) -> bool:
        return True


async def test_orphans_go_and_changes_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("QUERY_FIRST_S", 0.05), ("SETTLE_S", 0.2), ("STATUS_S", 0.1), ("QUERY_S", 0.1)):
        monkeypatch.setattr(a1, name, value)
    gateway, server = Gateway(), grpc.aio.server()
    operations_pb2_grpc.add_OperationsServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    token = tmp_path / "token"
    token.write_text("secret\n")
    mediator = Mediator(asyncio.get_running_loop())
    stop = asyncio.Event()
    async with grpc_channel(f"127.0.0.1:{port}") as channel:
        inbound = A1Inbound(
            mediator,  # type: ignore[arg-type]
            channel,
            area_id="area",
            types=(20103,),
            handler_id="twm",
            token_file=token,
        )
        mediator.inbound = inbound
        task = asyncio.create_task(inbound.run(stop))

        async def until(check: Any) -> None:
            for _ in range(400):
                if check():
                    return
                await asyncio.sleep(0.02)
            raise AssertionError("did not come about")

        await until(lambda: set(gateway.held) == {"kept", "dropped"})
        await until(lambda: {t["policy_instance_id"] for t in mediator.told} == {"kept", "dropped"})
        assert gateway.tokens == {"Bearer secret"}
        mediator.policies = {"kept"}  # deleted there while nobody listened
        inbound._ask_again = True
        await until(lambda: set(gateway.held) == {"kept"})
        mediator.told.clear()
        gateway.held["kept"].status = NOT_ENFORCED
        await until(lambda: mediator.told)
        expected = {"policy_type_id": 20103, "policy_instance_id": "kept", "handler_id": "twm", "status": "ERROR"}
        assert expected in mediator.told
        stop.set()
        await task
    await server.stop(0)
