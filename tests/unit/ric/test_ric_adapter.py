"""The O-RAN SC side against an inventory: who is subscribed to when nodes come, go and come back, and where messages end."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ric_peers import SubscriptionManagerPeer

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.network import NetworkSpec
from twm.core.probes import Health
from twm.ric.http_client import HttpClient
from twm.ric.nodes import NodeLink, Nodes, NodesFile
from twm.ric.oransc import discovery
from twm.ric.oransc.adapter import OranScAdapter
from twm.ric.oransc.appmgr import registration, stay_registered
from twm.ric.oransc.book import Book
from twm.ric.oransc.discovery import E2Manager
from twm.ric.oransc.submgr import ClientEndpoint, SubscriptionManager
from twm.ric.oransc.subscriber import Patience, Subscriber
from twm.ric.rmr.messages import MessageType, RmrMessage

KPM_OID = "1.3.6.1.4.1.53148.1.2.2.2"


class Platform:
    """E2 manager and application manager over HTTP."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.functions: list[dict[str, Any]] = [{"ranFunctionId": 147, "ranFunctionDefinition": "", "ranFunctionOid": KPM_OID}]
        self.registered: list[tuple[str, dict[str, Any]]] = []
        self.up = True
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/v1/nodeb/states":
                    listed = [{"inventoryName": n, "connectionStatus": s} for n, s in platform.states.items()]
                    self._answer(200 if platform.up else 500, listed)
                    return
                name = self.path.rpartition("/")[2]
                gnb = {"ranFunctions": platform.functions}
                self._answer(200, {"ranName": name, "connectionStatus": platform.states[name], "gnb": gnb})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                platform.registered.append((self.path, body))
                self._answer(201 if platform.up else 503, {})

            def log_message(self, format: str, *args: object) -> None: ...

            def _answer(self, code: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Kept:
    def __init__(self) -> None:
        self.reports: list[telemetry_pb2.Report] = []

    def put(self, report: telemetry_pb2.Report) -> None:
        self.reports.append(report)


class Silent:
    """A transport nobody listens to."""

    def __init__(self) -> None:
        self.released = 0
        self.replies: list[tuple[int, bytes]] = []

    def reply(self, received: RmrMessage, mtype: int, payload: bytes) -> bool:
        self.replies.append((mtype, payload))
        return True

    def release(self, received: RmrMessage) -> None:
        self.released += 1


@pytest.fixture
def peers() -> Iterator[tuple[Platform, SubscriptionManagerPeer]]:
    platform, submgr = Platform(), SubscriptionManagerPeer()
    yield platform, submgr
    platform.close()
    submgr.close()


async def until(check: Any, timeout_s: float = 10.0) -> None:
    for _ in range(round(timeout_s / 0.02)):
        if check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("did not come about")


async def test_subscriptions_follow_the_inventory(
    peers: tuple[Platform, SubscriptionManagerPeer], spec: NetworkSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only connected nodes are subscribed to, by the function id they announce; one that comes back is asked again."""
    monkeypatch.setattr(discovery, "DETAILS_S", 0.0)
    platform, submgr = peers
    nodes = Nodes(spec, NodesFile(nodes={"gnb-1": NodeLink(ran_name="gnb_001")}))
    client, manager = HttpClient(submgr.url, timeout_s=5), HttpClient(platform.url, timeout_s=5)
    endpoint = ClientEndpoint(host="127.0.0.1", http_port=9, rmr_port=4560)
    book, e2_manager = Book(), E2Manager(manager)
    subscriber = Subscriber(
        SubscriptionManager(client), book, endpoint, tmp_path / "s.json", Patience(settle_s=0.1, silence_s=60, check_s=0)
    )
    transport, kept, health = Silent(), Kept(), Health()
    functions: dict[str, Any] = {}
    adapter = OranScAdapter(
        nodes,
        transport,  # type: ignore[arg-type]
        kept,  # type: ignore[arg-type]
        book,
        subscriber=subscriber,
        a1=None,
        control=None,
        functions=functions,
        inventory=lambda: e2_manager.inventory([nodes.ran_name(n) for n in nodes.node]),
        inventory_s=0.1,
        health=health,
    )
    stop = asyncio.Event()
    tasks = [asyncio.create_task(adapter.keep_subscribed(stop)), asyncio.create_task(subscriber.run(stop))]

    def callback() -> None:
        for subscription_id, held in list(submgr.active.items()):
            event = held["body"]["SubscriptionDetails"][0]["XappEventInstanceId"]
            instance = {"XappEventInstanceId": event, "E2EventInstanceId": held["instance"]}
            subscriber.on_response({"SubscriptionId": subscription_id, "SubscriptionInstances": [instance]})

    try:
        await asyncio.sleep(0.4)
        assert submgr.posts == []
        platform.states = {"gnb_001": "CONNECTED", "gnb-2": "DISCONNECTED", "stranger": "CONNECTED"}
        await until(lambda: len(submgr.active) == 2)
        assert {(p["Meid"], p["RANFunctionID"]) for p in submgr.posts} == {("gnb_001", 147)}
        assert functions["gnb_001"].kpm == 147
        callback()
        first = set(submgr.active)
        sub_ids = sorted(held["instance"] for held in submgr.active.values())

        adapter.deliver(RmrMessage(MessageType.RIC_INDICATION, b"pdu", sub_ids[0], "gnb_001"))
        assert (kept.reports[0].node_id, kept.reports[0].e2ap_pdu) == ("gnb-1", b"pdu")
        adapter.deliver(RmrMessage(MessageType.RIC_INDICATION, b"pdu", 4242, "gnb_001"))
        assert len(kept.reports) == 1, "two cells, and no subscription of ours says which"
        adapter.deliver(RmrMessage(MessageType.A1_POLICY_REQ, b"{}", 1))
        adapter.deliver(RmrMessage(77777, b"?"))
        assert transport.released == 2
        adapter.deliver(RmrMessage(MessageType.RIC_HEALTH_CHECK_REQ, b""))
        assert transport.replies == [(101, b"ERROR [twm is not ready]\n")]

        platform.states["gnb_001"] = "DISCONNECTED"
        await asyncio.sleep(0.4)
        assert set(submgr.active) == first, "the RIC drops them itself"
        platform.states["gnb_001"] = "CONNECTED"
        await until(lambda: len(submgr.active) == 2 and not set(submgr.active) & first)
        assert set(submgr.deleted) >= first

        platform.functions = [{"ranFunctionId": 1, "ranFunctionOid": "1.3.6.1.4.1.53148.1.9.2.2"}]
        await until(lambda: not submgr.active)
        platform.up = False
        await asyncio.sleep(0.3)
        assert not any(task.done() for task in tasks)
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        client.close()
        manager.close()
    assert not submgr.active


async def test_registration_is_tried_again_and_taken_back(
    peers: tuple[Platform, SubscriptionManagerPeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twm.ric.oransc.appmgr.RETRY_S", 0.05)
    platform, _ = peers
    platform.up = False
    client = HttpClient(platform.url, timeout_s=5)
    endpoint = ClientEndpoint(host="service-ricxapp-twm-rmr.ricxapp", http_port=8080, rmr_port=4560)
    request = registration("twm", "0.1.0", endpoint, {"xapp_name": "twm"})
    assert request["rmrEndpoint"] == "service-ricxapp-twm-rmr.ricxapp:4560" and json.loads(request["config"])
    stop = asyncio.Event()
    task = asyncio.create_task(stay_registered(client, request, stop))
    await until(lambda: len(platform.registered) >= 2)
    platform.up = True
    count = len(platform.registered)
    await until(lambda: len(platform.registered) > count)
    await asyncio.sleep(0.1)
    stop.set()
    await task
    client.close()
    assert platform.registered[-1] == ("/ric/v1/deregister", {"appName": "twm", "appInstanceName": "twm"})
