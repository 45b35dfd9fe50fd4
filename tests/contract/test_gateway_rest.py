"""The REST contract: a whole gateway in this process behind a real uvicorn, answers held against its own OpenAPI."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from gateway_samples import frame, good_proposal

from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.serving import Runtime
from twm.core.streams import GROUP_GATEWAY, GROUP_SCORER, Output, StreamNames, Streams
from twm.core.text import clean
from twm.gateway.a1 import POLICY_TYPES, check_policy
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings

pytestmark = pytest.mark.redis

BASE = 100
HOSTILE = '</script><img src=x onerror=alert(1)>"\\\x07\u202e\u2028${jndi:ldap://x}\n\r'


@pytest.fixture
async def client(streams: Streams, redis_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = GatewaySettings(redis_url=redis_url, state_dir=tmp_path, instance="rest-test")
    async with Runtime(settings, "gateway", http=False, signals=False) as runtime:
        port = await GatewayService(settings, streams, runtime.health).start(runtime)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as session:
            yield session


@pytest.fixture
async def filled(client: httpx.AsyncClient, streams: Streams, spec: NetworkSpec) -> httpx.AsyncClient:
    """20 frames and proposals went through; proposal 101 is hostile."""
    names, codec = StreamNames.of(spec.area_id), FrameCodec(spec)

    async def put_frames(steps: range) -> None:
        packed = [codec.encode(frame(spec, step, loss=0.05, delay_ms=12)).SerializeToString() for step in steps]
        await streams.append_many([Output(names.frames, payload) for payload in packed])

    async def read(stream: str, group: str) -> None:
        async with asyncio.timeout(20):
            while await streams.lag(stream, group) != (0, 0):  # noqa: ASYNC110 - the state lies in Redis
                await asyncio.sleep(0.02)

    for steps in (range(BASE, BASE + 10), range(BASE + 10, BASE + 20)):
        await put_frames(steps)
        for step in steps:
            proposal = good_proposal(spec, step)
            if step == BASE + 1:
                proposal.fallback_reason = HOSTILE
                proposal.candidates[0].origin = HOSTILE
                proposal.predicted_scm = math.nan
                proposal.fans[0].values[0] = math.inf
            await streams.append(Output(names.proposals, proposal.SerializeToString()))
        await read(names.proposals, GROUP_GATEWAY)
    await read(names.frames, GROUP_SCORER)
    return client


PATHS = (
    "/v1/frames",
    f"/v1/frames/{BASE + 3}",
    "/v1/proposals",
    f"/v1/proposals/{BASE + 1}",
    "/v1/verdicts",
    "/v1/explanations",
    f"/v1/explanations/{BASE + 1}",
    f"/v1/traces/{BASE}",
    "/v1/policies",
    f"/v1/policies/{BASE}",
    "/v1/policy-types",
    f"/v1/policy-types/{POLICY_TYPES[0]}",
    "/v1/scores",
    "/v1/scores/summary",
    "/v1/drift",
    "/v1/intents",
    "/v1/intents/schema",
    "/v1/mode",
    "/v1/approvals",
    "/v1/other-policies",
    "/v1/audit",
    "/v1/audit/verify",
    "/v1/network",
    "/v1/status",
    "/v1/alarms",
    "/v1/deliveries",
    "/v1/sla-policies",
    "/v1/tools",
    "/v1/console/session",
    "/v1/console/now",
    "/v1/console/map",
    "/v1/console/series",
    "/v1/console/field",
    "/v1/console/decisions",
    f"/v1/console/decisions/{BASE + 1}",
    "/v1/console/models",
    "/v1/console/audit",
)
STREAMING = {"/v1/console/events"}
CHANGING = {
    ("post", "/v1/intents"),
    ("post", "/v1/intents/compile"),
    ("delete", "/v1/intents/{intent_id}"),
    ("put", "/v1/mode"),
    ("put", "/v1/kill-switch"),
    ("post", "/v1/rollback"),
    ("post", "/v1/approvals/{step}/approve"),
    ("post", "/v1/approvals/{step}/reject"),
    ("put", "/v1/other-policies/{policy_id}"),
    ("delete", "/v1/other-policies/{policy_id}"),
    ("post", "/v1/alarms"),
    ("post", "/v1/tools/{name}"),
    ("post", "/v1/tools-pipeline"),
}
"""Every route that changes something; what is added here needs a role and an audit record."""


def schema_of(openapi: dict[str, Any], path: str, status: str) -> dict[str, Any]:
    for template, operations in openapi["paths"].items():
        parts = template.strip("/").split("/")
        given = path.partition("?")[0].strip("/").split("/")
        if len(parts) == len(given) and all(p == g or p.startswith("{") for p, g in zip(parts, given, strict=True)):
            exact = template == path.partition("?")[0]
            content = operations["get"]["responses"][status]["content"]
            found = next(iter(content.values()))["schema"]
            if exact or "{" in template:
                return {**found, "components": openapi["components"]}
    raise AssertionError(f"{path} is not in the OpenAPI")


def no_constant(text: str) -> None:
    pytest.fail(f"{text} is not JSON")


async def test_every_answer_fits_the_openapi_and_comes_in_time(filled: httpx.AsyncClient) -> None:
    openapi = (await filled.get("/openapi.json")).json()
    readable = [
        p
        for p, operations in openapi["paths"].items()
        if "get" in operations and p not in {"/v1/intents/{intent_id}", *STREAMING}
    ]
    assert len(readable) == len(PATHS)
    for path in PATHS:
        answer = await filled.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        json.loads(answer.text, parse_constant=no_constant)
        jsonschema.Draft202012Validator(schema_of(openapi, path, "200")).validate(answer.json())
    # Probes and metrics.
    assert (await filled.get("/livez")).text == "alive"
    async with asyncio.timeout(5):
        while (await filled.get("/readyz")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    text = (await filled.get("/metrics")).text
    for name in (
        'twm_verdicts_total{decision="accepted"}',
        'twm_guardrail_check_failures_total{check="predicted_scm"}',
        'twm_policies_total{mode="shadow"}',
        'twm_audit_records_total{kind="score"}',
        'twm_shadow_score_scm{kind="observed"}',
        "twm_shadow_coverage_ratio",
        'twm_explanations_total{text="template"}',
    ):
        assert name in text
    # Under load.
    begin = time.monotonic()
    answers = await asyncio.gather(*(filled.get(path) for path in PATHS * 3))
    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - begin < 10


async def test_the_line_is_told_from_frame_to_score(filled: httpx.AsyncClient, spec: NetworkSpec) -> None:
    frames = (await filled.get("/v1/frames", params={"limit": 100})).json()
    assert [f["step"] for f in frames["items"]] == list(range(BASE, BASE + 20))
    assert frames["items"][0]["kpis"]["urllc"]["delay_p99_ms"] == pytest.approx(12)
    one = (await filled.get(f"/v1/frames/{BASE + 3}")).json()
    index = one["cell_slice_features"].index("offered_mbps")
    assert one["cell_slice"]["cell-0"]["embb"][index] == pytest.approx(10)
    assert one["link"]["up-1"] == [None, None]  # not measured is null
    proposal = (await filled.get(f"/v1/proposals/{BASE}")).json()
    assert proposal["chosen"] == "cem:5"
    assert proposal["prb_share"]["cell-9"] == pytest.approx({"embb": 0.4, "urllc": 0.3, "fwa": 0.2})
    assert proposal["candidates"][0]["twin_passed"] is True
    assert len(proposal["fans"][0]["values"]) == spec.timing.horizon_steps
    policy = (await filled.get(f"/v1/policies/{BASE}")).json()
    assert [p["policy_type_id"] for p in policy["policies"]].count("twm_RRMPolicyRatio_1.0.0") == 1
    for instance in policy["policies"]:
        check_policy(instance["policy_type_id"], instance["policy"])
    verdicts = {v["step"]: v for v in (await filled.get("/v1/verdicts")).json()["items"]}
    assert verdicts[BASE]["decision"] == "accepted"
    assert verdicts[BASE + 1]["decision"] == "rejected"
    assert (await filled.get(f"/v1/policies/{BASE + 1}")).status_code == 404
    told = (await filled.get(f"/v1/explanations/{BASE}")).json()
    assert (told["decision"], told["text_source"]) == ("accepted", "template")
    assert told["headline"] == verdicts[BASE]["headline"] and told["text"].startswith(told["headline"])
    assert told["moves"][0]["slice"] == "fwa" and told["binding"]["slice"] == "urllc"
    refused = (await filled.get(f"/v1/explanations/{BASE + 1}")).json()
    assert refused["decision"] == "rejected" and refused["fallback_reason"].isprintable()
    trace = (await filled.get(f"/v1/traces/{BASE}")).json()
    assert trace["proposal_id"] == f"poc-city/{BASE}" and trace["gate"]["situation"]["accepted"] is None
    assert not trace["repeatable"]  # these proposals carry no tape
    scores = (await filled.get("/v1/scores")).json()["items"]
    assert [s["step"] for s in scores] == list(range(BASE, BASE + 8))
    summary = (await filled.get("/v1/scores/summary")).json()
    assert summary["count"] == 8
    assert summary["accepted_count"] == 7
    assert summary["observed_scm"] == pytest.approx(0.4)
    check = (await filled.get("/v1/audit/verify")).json()
    assert check["ok"] is True
    assert check["first_sequence"] == 1
    status = (await filled.get("/v1/status")).json()
    assert status["newest_step"] == BASE + 19
    assert status["last_accepted_step"] == BASE + 19
    assert status["audit_sequence"] == check["last_sequence"]
    assert status["streams"]["proposals"] == {"length": 20, "waiting": 0, "pending": 0}
    assert (await filled.get("/v1/network")).json()["spec_digest"] == spec.digest()
    # Pages follow each other.
    newest = (await filled.get("/v1/proposals", params={"limit": 3})).json()
    assert [p["step"] for p in newest["items"]] == [BASE + 17, BASE + 18, BASE + 19]
    steps, cursor = [], "0-0"
    while True:
        page = (await filled.get("/v1/proposals", params={"limit": 7, "after": cursor})).json()
        if not page["items"]:
            break
        steps += [p["step"] for p in page["items"]]
        cursor = page["next"]
    assert steps == list(range(BASE, BASE + 20))
    assert page["next"] == cursor  # the place to go on from stays
    # Hostile strings stay strings.
    answer = await filled.get(f"/v1/proposals/{BASE + 1}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["fallback_reason"] == clean(HOSTILE, 1024).text
    assert answer.json()["predicted_scm"] is None
    assert answer.json()["fans"][0]["values"][0][0][0][0] is None
    missing = await filled.get("/v1/policy-types/<img src=x>")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"


ERRORS = (
    ("/v1/frames/99999", 404),
    ("/v1/explanations/99999", 404),
    ("/v1/explanations/1?text=poem", 422),
    ("/v1/traces/99999", 404),
    ("/v1/policies/7", 404),
    ("/v1/nothing", 404),
    ("/v1/frames/-1", 422),
    ("/v1/frames/x", 422),
    (f"/v1/frames/{2**63}", 422),
    ("/v1/frames?limit=0", 422),
    ("/v1/frames?limit=101", 422),
    ("/v1/frames?after=%2B", 422),
    ("/v1/frames?after=" + "9" * 500 + "-1", 422),
    ("/v1/frames?after=99999999999999999999-0", 422),
    ("/v1/scores/summary?limit=100000", 422),
    ("/v1/policy-types/..%2f..%2fetc%2fpasswd", 404),
)


async def test_every_route_needs_a_role(client: httpx.AsyncClient) -> None:
    """A caller with a foreign Host header is nobody in development mode: no route of /v1 answers to nobody."""
    openapi = (await client.get("/openapi.json")).json()
    assert all(path.startswith("/v1/") for path in openapi["paths"])
    for path, operations in openapi["paths"].items():
        for method in operations:
            filled_in = re.sub(r"{(\w+)}", "1", path)
            answer = await client.request(method, filled_in, headers={"Host": "evil.example"}, json={})
            assert answer.status_code in (401, 429), (method, path, answer.text)


async def test_an_empty_system_answers_and_refuses(client: httpx.AsyncClient) -> None:
    for kind in ("frames", "proposals", "verdicts", "explanations", "policies", "scores"):
        assert (await client.get(f"/v1/{kind}")).json() == {"next": None, "items": []}
    assert (await client.get("/v1/scores/summary")).json()["count"] == 0
    assert (await client.get("/v1/audit")).json()["items"][0]["kind"] == "start"
    for path, status in ERRORS:
        answer = await client.get(path)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["status"] == status
        assert set(body) == {"type", "title", "status", "detail"}
    # There is no write path.
    openapi = (await client.get("/openapi.json")).json()
    changing = {(m, p) for p, operations in openapi["paths"].items() for m in operations if m != "get"}
    assert changing == CHANGING
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = await client.request(method, "/v1/policies", content=b"{}")
        assert answer.status_code == 405
        assert answer.headers["content-type"] == "application/problem+json"


async def test_unreadable_entries_are_left_out(filled: httpx.AsyncClient, streams: Streams, spec: NetworkSpec) -> None:
    names = StreamNames.of(spec.area_id)
    for stream in (names.verdicts, names.policies, names.scores, names.audit):
        await streams.append(Output(stream, b"\xff\x00 garbage"))
    for kind in ("verdicts", "policies", "scores", "audit"):
        page = (await filled.get(f"/v1/{kind}", params={"limit": 5})).json()
        assert len(page["items"]) == 4
    check = (await filled.get("/v1/audit/verify")).json()
    assert check["ok"] is False
    assert "not protobuf" in check["problem"]
    async with asyncio.timeout(10):
        while (await filled.get("/readyz")).status_code == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await filled.get("/livez")).status_code == 200
    assert "not protobuf" in (await filled.get("/v1/status")).json()["audit_problem"]
    # The chain goes on behind the foreign entry, in the stream and in the file.
    codec = FrameCodec(spec)
    await streams.append(Output(names.frames, codec.encode(frame(spec, BASE + 20)).SerializeToString()))
    async with asyncio.timeout(10):
        while (await filled.get("/readyz")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
