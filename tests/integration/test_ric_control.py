"""E2 control: nothing is sent in shadow mode; what is to be enforced is sent, acknowledged, withdrawn, and ends in time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from twm.api.policy.v1 import policy_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.streams import Output, StreamNames, Streams
from twm.ric.control.controller import E2Controller
from twm.ric.control.e2ap import load_e2ap
from twm.ric.control.requests import by_node, neutral, requests
from twm.ric.control.state import AppliedFile, quotas_json, quotas_of_json
from twm.ric.e2sm import cell_quotas
from twm.ric.e2sm.ccc import decode_ccc_message
from twm.ric.e2sm.rc import decode_rc_header, decode_rc_message, quotas_of
from twm.ric.nodes import ControlLink, NodeLink, Nodes, NodesFile
from twm.ric.oransc.discovery import Functions
from twm.ric.rmr.messages import MessageType, RmrMessage

pytestmark = pytest.mark.redis


class E2Termination:
    """A transport that plays E2 termination and nodes: keeps what was sent, and answers as told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.answer = "ack"
        self.controller: E2Controller | None = None
        self.loop = asyncio.get_running_loop()

    def send(self, message: RmrMessage) -> bool:
        if self.answer == "no route":
            return False
        codec = load_e2ap()
        codec.from_aper(message.payload)
        body = {e["id"]: e["value"][1] for e in codec.get_val()[1]["value"][1]["protocolIEs"]}
        assert message.mtype == MessageType.RIC_CONTROL_REQ and message.sub_id == -1
        assert body[29]["ricInstanceID"] >= 64536, "away from the ids of subscriptions"
        self.sent.append((message.meid, body))
        if self.answer != "silence":
            acknowledged = self.answer == "ack"
            ies = [(29, "RICrequestID", body[29]), (5, "RANfunctionID", body[5])]
            if not acknowledged:
                ies.append((1, "Cause", ("ricRequest", "control-failed-to-execute")))
            name = "RICcontrolAcknowledge" if acknowledged else "RICcontrolFailure"
            content = {"protocolIEs": [{"id": n, "criticality": "reject", "value": (k, v)} for n, k, v in ies]}
            outer = {"procedureCode": 4, "criticality": "reject", "value": (name, content)}
            codec.set_val(("successfulOutcome" if acknowledged else "unsuccessfulOutcome", outer))
            kind = MessageType.RIC_CONTROL_ACK if acknowledged else MessageType.RIC_CONTROL_FAILURE
            answer = RmrMessage(kind, codec.to_aper(), body[29]["ricInstanceID"], message.meid)
            assert self.controller is not None
            self.loop.call_soon_threadsafe(self.controller.answered, answer)
        return True

    def start(self, deliver: object) -> None: ...
    def reply(self, received: RmrMessage, mtype: int, payload: bytes) -> bool:
        return False

    def release(self, received: RmrMessage) -> None: ...
    def routed(self) -> bool:
        return True

    def healthy(self) -> bool:
        return True

    def close(self) -> None: ...


def policy(spec: NetworkSpec, enforcement: int, *, share: int = 30, ttl_s: float = 60.0) -> policy_pb2.SlicePolicy:
    plmn = {"mcc": spec.plmn.mcc, "mnc": spec.plmn.mnc}
    radio = [
        {
            "cellId": {"plmnId": plmn, "cId": {"ncI": cell.nr_cell_identity}},
            "resourceType": "PRB",
            "rRMPolicyMemberList": [
                {
                    "rRMPolicyMember": {"sst": s.s_nssai.sst, "sd": s.s_nssai.sd, "plmnId": plmn},
                    "rRMPolicyMinRatio": share,
                    "rRMPolicyMaxRatio": share + i,
                    "rRMPolicyDedicatedRatio": 5,
                }
                for i, s in enumerate(spec.slices)
            ],
        }
        for cell in spec.cells
    ]
    out = policy_pb2.SlicePolicy(
        policy_set_id=f"{spec.area_id}/1", area_id=spec.area_id, step=1, mode=policy_pb2.MODE_SHADOW, ttl_s=ttl_s
    )
    out.enforcement = enforcement  # type: ignore[assignment]
    out.policies.add(
        policy_type_id="twm_RRMPolicyRatio_1.0.0", policy_id=f"{spec.area_id}.0", policy_json=json.dumps({"radio": radio})
    )
    return out


@pytest.fixture
async def streams(redis_url: str) -> AsyncIterator[Streams]:
    found = await Streams.connect(redis_url)
    yield found
    await found.close()


async def until(check: Callable[[], object], timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < end, "did not come about"
        await asyncio.sleep(0.02)


async def run(
    nodes: Nodes,
    redis_url: str,
    file: Path,
    body: Callable[[E2Termination], Awaitable[None]],
    model: str = "ccc",
    ack_s: float = 5.0,
) -> E2Termination:
    peer = E2Termination()
    controller = E2Controller(
        nodes, peer, model, lambda _: Functions(ccc=9), requestor_id=1021, ack_s=0.5, file=AppliedFile(file)
    )  # type: ignore[arg-type]
    peer.controller = controller
    stop = asyncio.Event()
    task = asyncio.create_task(controller.run(lambda: Streams.connect(redis_url), stop))
    try:
        await body(peer)
    finally:
        stop.set()
        await task
    return peer


async def write(streams: Streams, spec: NetworkSpec, *policies: policy_pb2.SlicePolicy) -> None:
    for entry in policies:
        await streams.append(Output(StreamNames.of(spec.area_id).policies, entry.SerializeToString()))


async def test_shadow_mode_writes_nothing(streams: Streams, redis_url: str, spec: NetworkSpec, tmp_path: Path) -> None:
    """The trap counts 0 sends for shadow, unspecified and advised policies, and for one that ended before we came."""
    kinds = (policy_pb2.ENFORCEMENT_SHADOW, policy_pb2.ENFORCEMENT_UNSPECIFIED, policy_pb2.ENFORCEMENT_ADVISED)
    await write(streams, spec, policy(spec, policy_pb2.ENFORCEMENT_ENFORCE, ttl_s=0.01))
    await asyncio.sleep(0.05)

    async def body(peer: E2Termination) -> None:
        for kind in kinds * 5:
            await write(streams, spec, policy(spec, kind))
        await asyncio.sleep(1.5)

    peer = await run(Nodes(spec), redis_url, tmp_path / "a.json", body)
    assert peer.sent == []


async def test_enforced_acknowledged_withdrawn(streams: Streams, redis_url: str, spec: NetworkSpec, tmp_path: Path) -> None:
    """One CCC request a node; refused ones again; a restart takes over without sending; a withdrawal sets neutral ratios."""
    file = tmp_path / "a.json"

    async def first(peer: E2Termination) -> None:
        peer.answer = "refuse"
        await write(streams, spec, policy(spec, policy_pb2.ENFORCEMENT_ENFORCE))
        await until(lambda: len(peer.sent) >= 5)
        peer.answer = "ack"
        await until(lambda: len(peer.sent) >= 10 and len(json.loads(file.read_text())["applied"]) == 5)

    peer = await run(Nodes(spec), redis_url, file, first)
    assert {meid for meid, _ in peer.sent} == {node.id for node in spec.e2_nodes}
    cells = {c.cell.nci: c for _, body in peer.sent for c in decode_ccc_message(body[23])}
    assert sorted(cells) == sorted(cell.nr_cell_identity for cell in spec.cells)
    assert [change.new.minimum for change in cells[16].changes] == [30, 30, 30]
    assert all(body[5] == 9 for _, body in peer.sent), "function id of the inventory"

    async def second(peer: E2Termination) -> None:
        await asyncio.sleep(1.2)
        assert peer.sent == [], "what nodes have already is not sent again"
        await write(streams, spec, policy(spec, policy_pb2.ENFORCEMENT_WITHDRAW))
        await until(lambda: len(peer.sent) == 5 and json.loads(file.read_text())["applied"] == {})

    peer = await run(Nodes(spec), redis_url, file, second)
    quotas = [change.new for _, body in peer.sent for c in decode_ccc_message(body[23]) for change in c.changes]
    assert len(quotas) == 30 and {(q.minimum, q.maximum, q.dedicated) for q in quotas} == {(0, 100, 0)}


async def test_what_nobody_renews_ends(streams: Streams, redis_url: str, tmp_path: Path) -> None:
    """The end of a policy's time takes it away; a node that does not answer is tried again."""
    spec = load_network(find_network("explora-cell"))

    async def body(peer: E2Termination) -> None:
        await write(streams, spec, policy(spec, policy_pb2.ENFORCEMENT_ENFORCE, ttl_s=2.0))
        await until(lambda: len(peer.sent) == 1)
        await until(lambda: len(peer.sent) == 2)

    peer = await run(Nodes(spec), redis_url, tmp_path / "b.json", body, model="rc")
    first, last = (quotas_of(decode_rc_message(sent[23])) for _, sent in peer.sent)
    assert [q.maximum for q in first] == [30, 31, 32] and [q.maximum for q in last] == [100, 100, 100]
    header = decode_rc_header(peer.sent[0][1][22])
    assert (header.style, header.action, header.ue_id.key) == (2, 6, "du:0")
    assert peer.sent[0][1][5] == 3, "the usual id of E2SM-RC, where the inventory does not say"


async def test_what_was_never_acknowledged_is_taken_back_too(streams: Streams, redis_url: str, tmp_path: Path) -> None:
    """A node that does not answer may have what it was sent: over a restart, the withdrawal goes to it."""
    spec, file = load_network(find_network("explora-cell")), tmp_path / "c.json"

    async def first(peer: E2Termination) -> None:
        peer.answer = "silence"
        await write(streams, spec, policy(spec, policy_pb2.ENFORCEMENT_ENFORCE))
        await until(lambda: len(peer.sent) == 1)

    await run(Nodes(spec), redis_url, file, first)
    assert json.loads(file.read_text())["applied"] == {} and list(json.loads(file.read_text())["sent"]) == ["scope-bs"]
    await write(streams, spec, policy(spec, policy_pb2.ENFORCEMENT_WITHDRAW))

    async def second(peer: E2Termination) -> None:
        await until(lambda: len(peer.sent) == 1 and json.loads(file.read_text())["sent"] == {})

    peer = await run(Nodes(spec), redis_url, file, second)
    ((_, body),) = peer.sent
    assert [change.new.maximum for c in decode_ccc_message(body[23]) for change in c.changes] == [100, 100, 100]


def test_rc_needs_a_ue_to_name_a_cell(spec: NetworkSpec) -> None:
    quotas = list(cell_quotas(policy(spec, policy_pb2.ENFORCEMENT_ENFORCE)))
    other = cell_quotas(policy(spec, policy_pb2.ENFORCEMENT_ENFORCE, share=20))
    mixed = by_node(Nodes(spec), [quotas[0], other[1]])["gnb-1"]
    with pytest.raises(InvalidInputError, match="ue_ids: no UE of cell-0"):
        requests(Nodes(spec), "gnb-1", "rc", mixed, {})
    link = NodeLink(control=ControlLink(nesting="srsran", ue_ids={"cell-0": "du:5", "cell-1": "du:6"}))
    asked = requests(Nodes(spec, NodesFile(nodes={"gnb-1": link})), "gnb-1", "rc", mixed, {})
    assert [decode_rc_header(request.header).ue_id.key for request in asked] == ["du:5", "du:6"]
    same = by_node(Nodes(spec), quotas)["gnb-1"]
    assert len(requests(Nodes(spec), "gnb-1", "rc", same, {})) == 1, "one for all cells that get the same"
    assert quotas_of_json(json.loads(json.dumps(quotas_json(quotas)))) == tuple(quotas)
    assert neutral(neutral(quotas)) == neutral(quotas)
