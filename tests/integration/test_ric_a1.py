"""A1 policies over RMR: what an SMO asks for reaches the real gateway and is answered as the A1 mediator reads it."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ric_peers import RicProcess, RmrPeer

from twm.ric.rmr.messages import MessageType, RmrMessage

pytestmark = pytest.mark.redis

SLICE = {"sst": 1, "sd": "000001", "plmnId": {"mcc": "001", "mnc": "01"}}
POLICY = {"scope": {"sliceId": SLICE}, "sliceSlaObjectives": {"maxDlPacketDelayPerUe": 60}}


@pytest.fixture
def gateway(redis_url: str, free_port: Callable[[], int], tmp_path: Path) -> Iterator[str]:
    target = f"127.0.0.1:{free_port()}"
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWM_")}
    env |= {
        "TWM_REDIS_URL": redis_url,
        "TWM_GRPC_LISTEN": target,
        "TWM_HTTP_LISTEN": f"127.0.0.1:{free_port()}",
        "TWM_NETWORK": "explora-cell",
        "TWM_STATE_DIR": str(tmp_path / "gateway"),
    }
    process = subprocess.Popen([sys.executable, "-m", "twm.gateway"], env=env, stderr=subprocess.DEVNULL)
    host, _, port = target.partition(":")
    for _ in range(600):
        try:
            socket.create_connection((host, int(port)), 1.0).close()
            break
        except OSError:
            time.sleep(0.05)
    yield target
    process.kill()
    process.wait(10)


def test_policies_reach_the_gateway_and_are_answered(gateway: str, free_port: Callable[[], int], tmp_path: Path) -> None:
    """Text or number, JSON text or object; OK, DELETED and ERROR; the mediator is asked for its policies after start."""
    process = RicProcess(
        free_port,
        tmp_path / "ric",
        TWM_NETWORK="explora-cell",
        TWM_INGESTER_TARGET="127.0.0.1:1",
        TWM_RIC_SUBMGR_URL="",
        TWM_GATEWAY_TARGET=gateway,
        TWM_RIC_A1_TYPES="20103",
    )
    try:
        peer = RmrPeer(process.rmr_port)
        assert json.loads(peer.wait(MessageType.A1_POLICY_QUERY, 20).payload) == {"policy_type_id": 20103}

        def ask(**fields: Any) -> dict[str, Any]:
            for _ in range(20):  # while the gateway is still starting there is no answer
                peer.send(RmrMessage(MessageType.A1_POLICY_REQ, json.dumps(fields).encode(), 20103))
                try:
                    return json.loads(peer.wait(MessageType.A1_POLICY_RESP, 3.0).payload)
                except queue.Empty:
                    continue
            raise AssertionError(f"no answer: {process.log.read_text()[-2000:]}")

        text = {"policy_instance_id": "sla-1", "policy_type_id": "20103", "payload": json.dumps(POLICY)}
        expected = {"policy_type_id": 20103, "policy_instance_id": "sla-1", "handler_id": "twm", "status": "OK"}
        assert ask(operation="CREATE", **text) == expected
        assert ask(operation="UPDATE", **{**text, "policy_type_id": 20103, "payload": POLICY}) == expected
        mars = {**POLICY, "scope": {"sliceId": {**SLICE, "sst": 99}}}
        assert ask(operation="CREATE", **{**text, "policy_instance_id": "sla-2", "payload": mars})["status"] == "ERROR"
        assert ask(operation="CREATE", **{**text, "policy_instance_id": "sla-3", "payload": "{}"})["status"] == "ERROR"
        assert ask(operation="CREATE", **{**text, "policy_type_id": "7"})["status"] == "ERROR", "a type that is not ours"
        assert ask(operation="DELETE", **{**text, "payload": ""})["status"] == "DELETED"
        for broken in (b"", b"{", b"[]", b'{"operation":"DROP","policy_type_id":1}', b"[" * 100_000):
            peer.send(RmrMessage(MessageType.A1_POLICY_REQ, broken, 20103))
        assert ask(operation="DELETE", **text)["status"] == "DELETED", "deleting again is no error"
        assert 'twm_ric_a1_requests_total{operation="unknown",status="malformed"} 5.0' in process.metrics()
        peer.close()
        assert process.stop() == 0
    finally:
        process.kill()
