"""Modes on a real server: who may let a policy out, exactly once, and how all of it is stopped."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from gateway_samples import fallback_proposal, frame, good_proposal, shares

from twm.api.operations.v1 import operations_pb2, operations_pb2_grpc
from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.actions import encode_policies
from twm.core.errors import ConflictError, InvalidInputError, UnavailableError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel, grpc_server
from twm.core.serving import Runtime
from twm.core.streams import GROUP_GATEWAY, KeyWrite, Output, StreamNames, Streams
from twm.gateway.a1 import A1Options
from twm.gateway.access import APPROVER, OPERATOR, Access, FixedPrincipal, Principal
from twm.gateway.audit import from_payload
from twm.gateway.audit_stream import verify_stream
from twm.gateway.judgement import Judge
from twm.gateway.modes.desk import Desk
from twm.gateway.modes.handling import INTENTS_KEY
from twm.gateway.modes.rpc import Operations
from twm.gateway.modes.state import MODE_KEY
from twm.gateway.other_policies import OtherPolicy
from twm.gateway.recorder import Recorder
from twm.gateway.rules import GuardrailRules, load_rules
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings

pytestmark = pytest.mark.redis

ALICE, BOB = Principal.of("alice", APPROVER), Principal.of("bob", APPROVER)
BASE = 100
SHADOW, ADVISED = policy_pb2.ENFORCEMENT_SHADOW, policy_pb2.ENFORCEMENT_ADVISED
ENFORCE, WITHDRAW = policy_pb2.ENFORCEMENT_ENFORCE, policy_pb2.ENFORCEMENT_WITHDRAW
CALM = (0.34, 0.34, 0.3)


class Area:
    """One area's gateway parts on one server, as several processes would have them."""

    def __init__(self, streams: Streams, spec: NetworkSpec, rules: GuardrailRules) -> None:
        self.streams, self.spec, self.rules = streams, spec, rules
        self.names = StreamNames.of(spec.area_id)
        self.offset_s = 0.0
        self.judge = Judge(streams, self.names, self.recorder(), spec, rules, A1Options(), self.now_s)
        self.desk = self.another_desk()

    def now_s(self) -> float:
        return time.time() + self.offset_s

    def recorder(self) -> Recorder:
        return Recorder(self.streams, self.names, self.now_s)

    def another_desk(self) -> Desk:
        return Desk(self.streams, self.names, self.recorder(), self.spec, self.rules, A1Options(), self.now_s)

    async def frames(self, *steps: int) -> None:
        codec = FrameCodec(self.spec)
        for step in steps:
            await self.streams.append(Output(self.names.frames, codec.encode(frame(self.spec, step)).SerializeToString()))

    async def propose(self, step: int, proposal: planning_pb2.Proposal | None = None, **changes: Any) -> str:
        """Judge a proposal; its SHA-256."""
        await self.streams.ensure_group(self.names.proposals, GROUP_GATEWAY)
        await self.frames(step)
        proposal = proposal or good_proposal(self.spec, step)
        for name, value in changes.items():
            setattr(proposal, name, value)
        payload = proposal.SerializeToString()
        await self.streams.append(Output(self.names.proposals, payload))
        (entry,) = await self.streams.read(self.names.proposals, GROUP_GATEWAY, "g", count=1, block_ms=500)
        await self.judge.handle(entry)
        return hashlib.sha256(payload).hexdigest()

    async def policies(self) -> list[policy_pb2.SlicePolicy]:
        entries = await self.streams.range(self.names.policies, count=1000)
        return [policy_pb2.SlicePolicy.FromString(e.payload) for e in entries]

    async def left(self) -> list[tuple[str, int]]:
        """(id, enforcement) of each entry of the policy stream."""
        return [(p.policy_set_id.rpartition("/")[2], p.enforcement) for p in await self.policies()]

    async def last_verdict(self) -> policy_pb2.Verdict:
        return policy_pb2.Verdict.FromString((await self.streams.last(self.names.verdicts, 1))[0].payload)

    async def audit(self, kind: str) -> list[dict[str, Any]]:
        entries = await self.streams.range(self.names.audit, count=10_000)
        records = [from_payload(e.payload) for e in entries]
        await verify_stream(self.streams, self.names)
        return [json.loads(r.payload_json) for r in records if r.kind == kind]

    async def mode(self, mode: str) -> None:
        await self.desk.set_mode(ALICE, mode, (await self.desk.seen()).state.version, "test")


@pytest.fixture
def area(streams: Streams, spec: NetworkSpec) -> Area:
    return Area(streams, spec, load_rules("default"))


def pid(step: int) -> str:
    return f"poc-city/{step}"


def calm_proposal(spec: NetworkSpec, step: int) -> planning_pb2.Proposal:
    """Of low risk: moves little, and only the slices and cells that may."""
    proposal = good_proposal(spec, step)
    h, s = spec.timing.horizon_steps, len(spec.slices)
    running = shares(spec, 1, (1 / 3,) * s)
    policy = shares(spec, h, (1 / 3,) * s)
    policy.prb_share_KHCS[:, :, 6:] = CALM  # outside the hospital
    proposal.policy.CopyFrom(encode_policies(policy))
    proposal.running.CopyFrom(encode_policies(running))
    return proposal


async def put_scores(area: Area, steps: range, gain: float = 0.1, coverage: float = 0.9) -> None:
    scores = [
        policy_pb2.ShadowScore(
            policy_set_id=pid(n), area_id="poc-city", step=n, observed_step_count=12, observed_scm=0.5,
            running_predicted_scm=0.48, recommended_predicted_scm=0.48 + gain + 0.01 * (n % 3), coverage_ratio=coverage,
        )
        for n in steps
    ]  # fmt: skip
    await area.streams.append_many([Output(area.names.scores, s.SerializeToString()) for s in scores])


async def test_advisory_policies_wait_and_leave_once_when_approved(area: Area) -> None:
    await area.propose(BASE)
    await area.mode("advisory")
    first, second = await area.propose(BASE + 1), await area.propose(BASE + 2)
    assert await area.left() == [("100", SHADOW), ("101", ADVISED), ("102", ADVISED)]
    assert (await area.last_verdict()).handling == policy_pb2.HANDLING_PENDING
    assert [w.step for w in (await area.desk.approvals()).pending] == [101, 102]

    found = await area.desk.decide(ALICE, pid(101), first, True, "looks good")
    assert (found.state, found.decided_by) == ("approved", "alice")
    approved = (await area.policies())[-1]
    assert (approved.policy_set_id, approved.enforcement, approved.authorised_by) == (pid(101), ENFORCE, "alice")
    advised = (await area.policies())[1]
    assert [p.policy_json for p in approved.policies] == [p.policy_json for p in advised.policies]
    with pytest.raises(ConflictError, match="approved already by 'alice'"):
        await area.desk.decide(BOB, pid(101), first, False, "no")
    assert (await area.desk.decide(BOB, pid(102), second, False, "too bold")).state == "rejected"
    with pytest.raises(ConflictError, match="does not wait"):
        await area.desk.decide(ALICE, pid(100), first, True, "shadow ones never wait")
    assert [e for _, e in await area.left()].count(ENFORCE) == 1
    states = [(a["proposal_id"], a["state"], a["by"]) for a in await area.audit("approval")]
    assert states == [
        (pid(101), "pending", ""), (pid(102), "pending", ""), (pid(101), "approved", "alice"), (pid(102), "rejected", "bob"),
    ]  # fmt: skip


async def test_two_approvers_at_once_and_a_restart_decide_once(area: Area) -> None:
    await area.mode("advisory")
    for step in range(BASE, BASE + 4):
        sha = await area.propose(step)
        desks = [area.another_desk() for _ in range(4)]  # other processes, each with its own recorder
        answers = await asyncio.gather(
            *(d.decide(p, pid(step), sha, d is not desks[3], "now") for d, p in zip(desks, (ALICE, BOB) * 2, strict=True)),
            return_exceptions=True,
        )
        assert sum(not isinstance(a, BaseException) for a in answers) == 1, answers
        assert all(isinstance(a, ConflictError) for a in answers if isinstance(a, BaseException))
    enforced = [n for n, e in await area.left() if e == ENFORCE]
    approved = [a["proposal_id"] for a in await area.audit("approval") if a["state"] == "approved"]
    assert [pid(int(n)) for n in enforced] == approved
    decided = [a for a in await area.audit("approval") if a["state"] != "pending"]
    assert len(decided) == 4


async def test_forged_and_late_approvals(area: Area) -> None:
    await area.mode("advisory")
    sha = await area.propose(BASE)
    with pytest.raises(ConflictError, match="another proposal"):
        await area.desk.decide(ALICE, pid(BASE), "ab" * 32, True, "forged")
    with pytest.raises(InvalidInputError, match="reason: bidi"):
        await area.desk.decide(ALICE, pid(BASE), sha, True, "ok \u202eko")
    # The same step again, other content: refused by the guardrail, and the approval still means the first.
    await area.propose(BASE, saving_ratio=0.3)
    assert (await area.last_verdict()).decision == policy_pb2.DECISION_REJECTED
    area.offset_s = 61.0
    with pytest.raises(ConflictError, match="expired"):
        await area.desk.decide(ALICE, pid(BASE), sha, True, "late")
    assert [w.state for w in (await area.desk.approvals()).decided] == ["expired"]
    await area.propose(BASE + 1, good_proposal(area.spec, BASE + 1, created_s=area.now_s()))
    assert [a["state"] for a in await area.audit("approval")] == ["pending", "expired", "pending"]
    assert ENFORCE not in [e for _, e in await area.left()]


async def test_an_approval_is_judged_again(area: Area) -> None:
    await area.mode("advisory")
    first, second = await area.propose(BASE), await area.propose(BASE + 1)
    await area.desk.register(
        Principal.of("op", OPERATOR),
        OtherPolicy(policy_id="x1", owner="xapp", slices=("embb",), max_share=0.3, expires_s=time.time() + 60),
    )
    with pytest.raises(ConflictError, match="policy x1 of xapp"):
        await area.desk.decide(ALICE, pid(BASE), first, True, "go")
    await area.desk.forget(BOB, "x1")
    await area.desk.decide(ALICE, pid(BASE + 1), second, True, "go")
    with pytest.raises(ConflictError, match="does not pass any more"):  # older than what is in force
        await area.desk.decide(ALICE, pid(BASE), first, True, "go")
    third = await area.propose(BASE + 2)
    await area.frames(BASE + 5)
    with pytest.raises(ConflictError, match="is over"):
        await area.desk.decide(ALICE, pid(BASE + 2), third, True, "go")
    assert [o["what"] for o in await area.audit("other_policy")] == ["registered", "forgotten"]


async def test_the_kill_switch_stops_everything_at_once(area: Area) -> None:
    await area.mode("advisory")
    first, second = await area.propose(BASE), await area.propose(BASE + 1)
    await area.desk.decide(ALICE, pid(BASE), first, True, "go")
    # Approvals of another process race with the stop: after its answer nothing leaves.
    other = area.another_desk()
    stopping = asyncio.create_task(area.desk.stop(BOB, True, True, "smoke"))
    racing = asyncio.create_task(other.decide(ALICE, pid(BASE + 1), second, True, "go"))
    seen, _ = await stopping
    await asyncio.gather(racing, return_exceptions=True)
    assert seen.state.stopped
    left = [e for _, e in await area.left()]
    assert left[-1] == WITHDRAW
    withdrawn = (await area.policies())[-1]
    in_force = [p for p in await area.policies() if p.enforcement == ENFORCE][-1]
    assert {p.policy_id for p in withdrawn.policies} == {p.policy_id for p in in_force.policies}
    assert (await area.desk.approvals()).pending == ()
    await area.propose(BASE + 2)
    verdict = await area.last_verdict()
    assert (verdict.decision, verdict.handling) == (policy_pb2.DECISION_ACCEPTED, policy_pb2.HANDLING_STOPPED)
    assert "bob" in verdict.handling_reason and "smoke" in verdict.handling_reason
    assert [e for _, e in await area.left()] == left
    version = seen.state.version
    with pytest.raises(ConflictError, match="kill switch is on"):
        await area.desk.set_mode(ALICE, "advisory", version, "again")
    with pytest.raises(ConflictError, match="on already"):
        await area.desk.stop(ALICE, True, True, "again")
    seen, _ = await area.desk.stop(ALICE, False, False, "all clear")
    assert (seen.state.mode, seen.state.stopped) == ("shadow", False)
    await area.propose(BASE + 3)
    assert (await area.left())[-1] == ("103", SHADOW)
    assert [(m["by"], m["after"]["stopped"]) for m in await area.audit("mode")] == [
        ("alice", False), ("bob", True), ("alice", False),
    ]  # fmt: skip


async def test_a_judgement_under_way_does_not_outrun_the_kill_switch(area: Area, monkeypatch: pytest.MonkeyPatch) -> None:
    await area.mode("advisory")
    handler = area.judge._handling
    original, stopped = handler.handle, False

    async def handle(*arguments: Any) -> Any:
        nonlocal stopped
        if not stopped:  # the mode was read; now somebody stops
            stopped = True
            await area.another_desk().stop(BOB, True, False, "smoke")
        return await original(*arguments)

    monkeypatch.setattr(handler, "handle", handle)
    await area.propose(BASE)
    assert await area.left() == []
    assert (await area.last_verdict()).handling == policy_pb2.HANDLING_STOPPED
    assert await area.streams.length(area.names.verdicts) == 1


async def test_rollback_to_the_last_good_policy_and_to_none(area: Area) -> None:
    await area.mode("advisory")
    with pytest.raises(ConflictError, match="no policy is in force"):
        await area.desk.rollback(ALICE, True, "nothing there")
    for step, row in ((BASE, (0.4, 0.3, 0.2)), (BASE + 1, (0.3, 0.4, 0.2))):
        proposal = good_proposal(area.spec, step)
        proposal.policy.CopyFrom(encode_policies(shares(area.spec, 12, row)))
        sha = await area.propose(step, proposal)
        await area.desk.decide(ALICE, pid(step), sha, True, "go")
    first = next(p for p in await area.policies() if p.enforcement == ENFORCE)
    policy_set_id, _ = await area.desk.rollback(BOB, True, "worse than before")
    back = (await area.policies())[-1]
    assert (back.policy_set_id, back.enforcement, back.authorised_by) == (policy_set_id, ENFORCE, "bob")

    def ratios(policy: policy_pb2.SlicePolicy) -> Any:
        content = json.loads(next(p.policy_json for p in policy.policies if p.policy_type_id.startswith("twm_RRM")))
        return content["radio"], content["transport"]

    assert ratios(back) == ratios(first)
    _, count = await area.desk.rollback(BOB, False, "away with it")
    assert count == len(back.policies) > 0
    assert (await area.left())[-1][1] == WITHDRAW
    with pytest.raises(ConflictError, match="no policy is in force"):
        await area.desk.rollback(BOB, False, "again")
    assert [r["to"] for r in await area.audit("rollback")] == ["last_good", "policy_free"]


class TestAutonomous:
    async def test_needs_a_good_shadow_record(self, area: Area) -> None:
        await area.frames(BASE)
        with pytest.raises(ConflictError, match=r"scored horizons: 0, at least 120.*drift: learning"):
            await area.mode("autonomous")
        assert (await area.desk.seen()).state.mode == "shadow"

    @pytest.fixture
    def ready(self, streams: Streams, spec: NetworkSpec) -> Area:
        """Rules that take a learning drift monitor; everything else as it ships."""
        data = load_rules("default").model_dump(mode="json")
        data["modes"]["shadow_record"]["drift_states"] = ["ok", "learning"]
        return Area(streams, spec, GuardrailRules.model_validate(data))

    async def test_low_risk_goes_out_and_the_rest_waits(self, ready: Area) -> None:
        await ready.frames(300)
        await put_scores(ready, range(150, 299))
        await ready.mode("autonomous")
        await ready.propose(300, calm_proposal(ready.spec, 300))
        assert (await ready.last_verdict()).handling == policy_pb2.HANDLING_ENFORCED
        assert await ready.left() == [("300", ENFORCE)]
        await ready.propose(301)  # moves shares in the hospital
        verdict = await ready.last_verdict()
        assert verdict.handling == policy_pb2.HANDLING_PENDING
        assert "it moves shares in hospital" in verdict.handling_reason and "it shrinks urllc" in verdict.handling_reason
        await ready.propose(302, fallback_proposal(ready.spec, 302))
        assert "source reactive_fallback" in (await ready.last_verdict()).handling_reason
        doubtful = calm_proposal(ready.spec, 303)
        doubtful.disagreement = 0.2
        await ready.propose(303, doubtful)
        assert "disagreement" in (await ready.last_verdict()).handling_reason
        await put_scores(ready, range(299, 304), gain=-9.0)  # the record turns bad
        await ready.propose(304, calm_proposal(ready.spec, 304))
        verdict = await ready.last_verdict()
        assert verdict.handling == policy_pb2.HANDLING_PENDING
        assert "mean gain" in verdict.handling_reason
        assert [e for _, e in await ready.left()] == [ENFORCE, ADVISED, ADVISED, ADVISED, ADVISED]
        await ready.desk.rollback(ALICE, False, "enough")
        assert (await ready.desk.seen()).state.mode == "advisory"

    async def test_a_bad_record_is_named(self, ready: Area) -> None:
        await ready.frames(300)
        for changes, words in (
            ({"coverage": 0.5}, "coverage: 0.5, at least 0.8"),
            ({"coverage": 1.0}, "coverage: 1, at most 0.98"),
            ({"gain": -0.2}, "mean gain, lower bound"),
        ):
            await put_scores(ready, range(150, 299), **changes)
            assert any(words in line for line in (await ready.desk.seen()).missing), words
        await put_scores(ready, range(150, 299))
        assert (await ready.desk.seen()).missing == []
        await ready.frames(330)
        assert (await ready.desk.seen()).missing == ["newest score: 32 slow steps old, at most 24"]


async def test_mode_changes_are_versioned(area: Area) -> None:
    await area.mode("advisory")
    answers = await asyncio.gather(
        *(area.another_desk().set_mode(p, "shadow", 1, "both") for p in (ALICE, BOB)), return_exceptions=True
    )
    assert sum(isinstance(a, ConflictError) for a in answers) == 1
    assert (await area.desk.seen()).state.version == 2
    assert [m["version"] for m in await area.audit("mode")] == [1, 2]


async def test_damaged_records_let_nothing_out(area: Area) -> None:
    for key in (MODE_KEY, INTENTS_KEY, "gateway-enforced", "gateway-approvals"):
        await area.streams.write([], [KeyWrite(area.names.key(key), b"\xff{damaged")])
        with pytest.raises(Exception, match="damaged"):
            await area.propose(BASE)
        await area.streams.write([], [KeyWrite(area.names.key(key), b"")])
    await area.streams.write([], [KeyWrite(area.names.key("gateway-other-policies"), b"{damaged")])
    await area.propose(BASE)
    assert [c.name for c in (await area.last_verdict()).checks if not c.passed] == ["conflict"]
    assert await area.left() == []


async def test_over_rest_and_grpc_with_roles(streams: Streams, redis_url: str, tmp_path: Path, area: Area) -> None:
    settings = GatewaySettings(redis_url=redis_url, state_dir=tmp_path, instance="modes", auth_development_role="approver")
    async with Runtime(settings, "gateway", http=False, signals=False) as runtime:
        port = await GatewayService(settings, streams, runtime.health).start(runtime)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            assert (await client.get("/v1/mode")).json()["mode"] == "shadow"
            body = {"mode": "advisory", "expected_version": 0, "reason": "try it"}
            assert (await client.put("/v1/mode", json=body)).json()["version"] == 1
            assert (await client.put("/v1/mode", json=body)).status_code == 409
            assert (await client.put("/v1/mode", json={**body, "mode": "off"})).status_code == 422
            await area.frames(BASE)
            payload = good_proposal(area.spec, BASE).SerializeToString()
            await streams.append(Output(area.names.proposals, payload))
            async with asyncio.timeout(10):
                while not (waiting := (await client.get("/v1/approvals")).json()["pending"]):  # noqa: ASYNC110 - the state lies in Redis
                    await asyncio.sleep(0.02)
            sha = waiting[0]["proposal_sha256"]
            answer = await client.post(f"/v1/approvals/{BASE}/approve", json={"proposal_sha256": sha, "reason": "go"})
            assert (answer.status_code, answer.json()["decided_by"]) == (200, "development")
            answer = await client.post(f"/v1/approvals/{BASE}/reject", json={"proposal_sha256": sha, "reason": "no"})
            assert answer.status_code == 409
            policy = (await client.get(f"/v1/policies/{BASE}")).json()
            assert (policy["enforcement"], policy["authorised_by"]) == ("enforce", "development")
            other = {"owner": "xapp", "slices": ["embb"], "max_share": 0.3, "expires_s": time.time() + 60}
            assert (await client.put("/v1/other-policies/x1", json=other)).status_code == 204
            assert (await client.put("/v1/other-policies/x2", json={**other, "zone": "moon"})).status_code == 422
            assert [p["policy_id"] for p in (await client.get("/v1/other-policies")).json()] == ["x1"]
            assert (await client.delete("/v1/other-policies/x1")).status_code == 204
            assert (await client.post("/v1/rollback", json={"target": "last_good", "reason": "?"})).status_code == 409
            answer = await client.put("/v1/kill-switch", json={"stopped": True, "withdraw": True, "reason": "smoke"})
            assert answer.json()["stopped"] and answer.json()["withdrawn_count"] > 0
            assert (await client.get("/v1/status")).json()["stopped"] is True
    actions = [(a["subject"], a["action"], a["outcome"]) for a in await area.audit("access")]
    assert ("development", f"POST /v1/approvals/{BASE}/approve", "granted") in actions
    # gRPC, as somebody who may not, and as somebody who may.
    for principal, code in ((Principal.of("vera", OPERATOR), grpc.StatusCode.PERMISSION_DENIED), (ALICE, None)):
        server = grpc_server()
        operations = Operations(area.desk, Access(FixedPrincipal(principal)))
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(operations, server)
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        async with grpc_channel(target) as channel:
            stub = operations_pb2_grpc.OperationsServiceStub(channel)
            state = (await stub.GetMode(operations_pb2.GetModeRequest(area_id="poc-city"), timeout=5)).state
            assert state.stopped and state.missing_for_autonomous
            listed = await stub.ListApprovals(operations_pb2.ListApprovalsRequest(area_id="poc-city"), timeout=5)
            assert [a.state for a in listed.approvals] == ["approved"]
            request = operations_pb2.StopRequest(area_id="poc-city", stopped=False, reason="clear")
            if code is None:
                assert not (await stub.Stop(request, timeout=5)).state.stopped
                with pytest.raises(grpc.aio.AioRpcError, match="kill switch: off already"):
                    await stub.Stop(request, timeout=5)
                with pytest.raises(grpc.aio.AioRpcError, match="area_id"):
                    await stub.GetMode(operations_pb2.GetModeRequest(area_id="elsewhere"), timeout=5)
            else:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.Stop(request, timeout=5)
                assert caught.value.code() is code
        await server.stop(None)


async def test_an_operation_that_is_always_outrun_ends(area: Area, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any) -> bool:
        return False

    monkeypatch.setattr(area.streams, "write", refused)
    with pytest.raises(UnavailableError, match="moved 50 times"):
        await area.desk.set_mode(ALICE, "advisory", 0, "never")
