"""Tools on real Redis and real gRPC peers of known arithmetic; the agentic loop against a local server of the OpenAI API."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from gateway_samples import good_proposal
from planner_peers import ArithmeticPeers, frame_messages

from twm.api.policy.v1 import policy_pb2
from twm.api.twin.v1 import twin_pb2_grpc
from twm.api.worldmodel.v1 import worldmodel_pb2_grpc
from twm.core.clock import SystemClock
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.streams import Output, StreamNames, Streams
from twm.gateway.audit import from_payload
from twm.gateway.audit_stream import verify_stream
from twm.gateway.explain.compose import explain
from twm.gateway.recorder import Recorder
from twm.gateway.tools.agent import ChatTurn, ToolCall, run_agent, run_pipeline
from twm.gateway.tools.arguments import Plan
from twm.gateway.tools.declarations import TOOLS, chat_tools, find_tool
from twm.gateway.tools.plans import plan_policy
from twm.gateway.tools.session import SessionLimits, ToolDeps, ToolSession

pytestmark = pytest.mark.redis
SHARES = {"base": "running", "moves": [{"slice": "embb", "change": 0.1}, {"slice": "fwa", "change": -0.1, "zone": "hospital"}]}


@asynccontextmanager
async def rig(spec: NetworkSpec, redis_url: str) -> AsyncIterator[tuple[ToolDeps, ArithmeticPeers]]:
    streams, names = await Streams.connect(redis_url), StreamNames.of(spec.area_id)
    for frame in frame_messages(spec, range(100, 104)):
        await streams.append(Output(names.frames, frame.SerializeToString()))
    proposal = good_proposal(spec, 103)
    await streams.append(Output(names.proposals, proposal.SerializeToString()))
    verdict = policy_pb2.Verdict(
        proposal_id="poc-city/103", area_id="poc-city", step=103, decision=policy_pb2.DECISION_ACCEPTED
    )
    await streams.append(Output(names.explanations, explain(proposal, verdict, spec).SerializeToString()))
    async with ArithmeticPeers(spec) as peers, grpc_channel(peers.target) as channel:
        yield (
            ToolDeps(
                spec=spec,
                streams=streams,
                names=names,
                world=worldmodel_pb2_grpc.WorldModelServiceStub(channel),
                twin=twin_pb2_grpc.TwinServiceStub(channel),
                recorder=Recorder(streams, names, time.time),
                clock=SystemClock(),
            ),
            peers,
        )
    await streams.close()


async def audited(deps: ToolDeps) -> list[dict[str, Any]]:
    await verify_stream(deps.streams, deps.names)
    records = [from_payload(entry.payload) for entry in await deps.streams.range(deps.names.audit, count=100)]
    assert {record.kind for record in records} == {"tools"}  # nothing else was written: tools have no write path
    assert await deps.streams.length(deps.names.policies) == await deps.streams.length(deps.names.verdicts) == 0
    return [json.loads(record.payload_json) for record in records]


async def test_the_fixed_pipeline_asks_everything_and_is_audited(spec: NetworkSpec, redis_url: str) -> None:
    async with rig(spec, redis_url) as (deps, _):
        session = await ToolSession.open(deps, "anna", "test")
        found = {name: json.loads(text) for name, text in (await run_pipeline(session)).items()}
        assert found["query_state"]["step"] == 103
        assert found["query_state"]["slices"]["urllc"]["sla"] == {"loss_max_ratio": 0.1, "delay_p99_max_ms": 20.0}
        assert found["forecast_field"]["error"].startswith("INTERNAL")  # these peers have no field model
        assert found["propose_candidates"]["error"].startswith("FAILED_PRECONDITION")  # and no actor
        running, proposed = found["roll_out"]["plans"]
        assert running["scm_mean"] == pytest.approx(1 - 4 * (0.35 - 1 / 3) / 0.35, abs=1e-3)  # every slice gets a third
        assert proposed["scm_mean"] == pytest.approx(1 - 4 * 0.05 / 0.25, abs=1e-3)  # fwa: 0.2 of 0.25
        assert found["verify_in_twin"]["scenarios"] == 2
        assert found["explain"]["step"] == 103
        (record,) = await audited(deps)
        assert (record["subject"], record["step"], record["ended"]) == ("anna", 103, "answer")
        assert [call["note"] for call in record["calls"]] == [tool.name for tool in TOOLS]
        assert record["calls"][1]["error"].startswith('{"error":"INTERNAL')
        # The same questions at the same moment ask and get the same bytes.
        again = await ToolSession.open(deps, "anna", "again")
        await run_pipeline(again)
        first, second = await audited(deps)
        assert first["calls"] == second["calls"] and first["state_sha256"] == second["state_sha256"]


async def test_what_is_wrong_is_the_answer_and_budgets_hold(spec: NetworkSpec, redis_url: str) -> None:
    async with rig(spec, redis_url) as (deps, peers):
        session = await ToolSession.open(deps, "anna", "test", SessionLimits(max_calls=10, call_timeout_s=0.3))
        for name, arguments, pattern in (
            ("write_policy", {}, "is none of query_state"),
            ("roll_out", "{not json", "Invalid JSON"),
            ("roll_out", {"plans": []}, "plans"),
            ("roll_out", {"plans": [{"base": "running"}] * 9}, "plans"),
            ("roll_out", {"plans": [{"base": "running", "policy_id": 1}]}, "Extra inputs"),
            ("roll_out", {"plans": [{"moves": [{"slice": "gold", "change": 0.1}]}]}, "'gold' is none of embb"),
            ("query_state", {"cells": ["cell-99"]}, "cells: 'cell-99' is none of cell-0"),
            ("forecast_field", {"cells": ["cell-99"]}, "cells: 'cell-99' is none of cell-0"),
            ("explain", {"step": 5}, "has no explanation"),
        ):
            answer = await session.call(name, arguments)
            assert not answer.ok and pattern in json.loads(answer.text)["error"], answer
        peers.world.behaviour.delay_s = 1.0
        late = await session.call("roll_out", {"plans": [SHARES]})
        assert "DEADLINE_EXCEEDED" in late.text
        assert "no more are allowed" in (await session.call("query_state", {})).text
        await session.close(ended="steps")
        peers.world.behaviour.fail, peers.world.behaviour.delay_s = grpc.StatusCode.UNAVAILABLE, 0.0
        hurried = await ToolSession.open(deps, "anna\u202e\n", "test", SessionLimits(budget_s=0.01))
        await asyncio.sleep(0.02)
        assert "are over" in (await hurried.call("query_state", {})).text
        await hurried.close(ended="time")
        assert [record["subject"] for record in await audited(deps)] == ["anna", "anna"]


def test_plans_keep_floors_sums_and_the_rate_of_change(spec: NetworkSpec) -> None:
    c, s, n_links = spec.sizes
    bases = {"running": (np.full((c, s), 1 / 3), np.full((n_links, s), 1 / 3))}
    policy = plan_policy(Plan.model_validate(SHARES), bases, spec)
    assert policy.prb_share_KHCS.shape == (1, 12, c, s) and policy.bandwidth_share_KHLS.shape == (1, 12, n_links, s)
    assert policy.prb_share_KHCS.sum(-1).max() <= 1 + 1e-6
    assert policy.prb_share_KHCS[0, 0, 0, 2] < 0.25 < policy.prb_share_KHCS[0, 0, 9, 2]  # cell-0 is in the zone, cell-9 not
    wild = plan_policy(
        Plan.model_validate({"moves": [{"slice": "embb", "change": -1}, {"slice": "fwa", "change": 1}]}), bases, spec
    )
    assert wild.prb_share_KHCS.min() >= 0.05 - 1e-6 and wild.prb_share_KHCS.max() <= 1 / 3 + 0.5 + 1e-6
    with pytest.raises(InvalidInputError, match="no 'proposed' now"):
        plan_policy(Plan(base="proposed"), bases, spec)


def test_declarations_are_schemas_that_refuse_what_they_do_not_name() -> None:
    for tool in TOOLS:
        assert tool.schema()["additionalProperties"] is False
    assert [entry["function"]["name"] for entry in chat_tools()] == [tool.name for tool in TOOLS]
    with pytest.raises(InvalidInputError, match="characters of arguments"):
        find_tool("explain").parse(" " * 40_000)


class HttpModel:
    """A chat model behind an OpenAI-compatible HTTP endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def complete(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], *, timeout_s: float
    ) -> ChatTurn:
        body = {"model": "m", "messages": list(messages), "tools": list(tools)}
        async with httpx.AsyncClient(timeout=timeout_s) as client:
            answer = await client.post(f"{self._url}/v1/chat/completions", json=body)
        if answer.status_code != 200:
            raise UnavailableError(f"chat model: HTTP {answer.status_code}")
        message = answer.json()["choices"][0]["message"]
        calls = [ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls") or ()]
        return ChatTurn(message.get("content") or "", tuple(calls))


@asynccontextmanager
async def chat_server(script: list[Any]) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Speaks the chat completions API; `script`: for each request a text, a list of (tool, arguments), or an HTTP status."""
    app, seen = FastAPI(), []

    @app.post("/v1/chat/completions")
    async def completions(request: Request) -> Response:
        seen.append(await request.json())
        says = script[min(len(seen), len(script)) - 1]
        if isinstance(says, int):
            return Response(status_code=says)
        message: dict[str, Any] = {"role": "assistant", "content": says if isinstance(says, str) else None}
        if not isinstance(says, str):
            message["tool_calls"] = [
                {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for i, (name, arguments) in enumerate(says)
            ]
        return Response(json.dumps({"choices": [{"index": 0, "message": message}]}), media_type="application/json")

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", seen
    server.should_exit = True
    await task


@pytest.mark.parametrize(
    ("script", "ended", "calls"),
    [
        ([[("query_state", "{}")], [("roll_out", json.dumps({"plans": [SHARES]}))], "Step 103 is calm."], "answer", 2),
        ([[("query_state", "{}")], "Step 103: URLLC loses 7.77 % of its packets."], "unfounded", 1),
        ([[("set_policy", '{"share": 1}'), ("query_state", "null"), ("roll_out", "[]")], "I could not."], "answer", 3),
        ([[("query_state", "{}")] * 50], "steps", 12),
        ([500], "failed", 0),
    ],
)
async def test_an_agent_asks_answers_or_is_stopped(
    spec: NetworkSpec, redis_url: str, script: list[Any], ended: str, calls: int
) -> None:
    async with rig(spec, redis_url) as (deps, _), chat_server(script) as (url, seen):
        session = await ToolSession.open(deps, "agent", "what is going on in \u202ehospital?", SessionLimits(max_calls=12))
        outcome = await run_agent(HttpModel(url), session, "What is going on in the hospital zone?", max_turns=3)
        assert (outcome.ended, outcome.calls) == (ended, calls)
        assert bool(outcome.text) == (ended == "answer")
        assert [tool["function"]["name"] for tool in seen[0]["tools"]] == [tool.name for tool in TOOLS]
        if ended == "answer":
            tool_messages = [m for m in seen[-1]["messages"] if m["role"] == "tool"]
            assert len(tool_messages) == calls and {m["tool_call_id"] for m in tool_messages} <= {"c0", "c1", "c2"}
        (record,) = await audited(deps)
        assert record["ended"] == ended and len(record["calls"]) == calls


async def test_a_slow_model_runs_out_of_time(spec: NetworkSpec, redis_url: str) -> None:
    class Slow:
        async def complete(self, messages: Any, tools: Any, *, timeout_s: float) -> ChatTurn:
            await asyncio.sleep(30)
            raise AssertionError("was not stopped")

    async with rig(spec, redis_url) as (deps, _):
        session = await ToolSession.open(deps, "agent", "test", SessionLimits(budget_s=0.3))
        outcome = await run_agent(Slow(), session, "?")
        assert (outcome.ended, outcome.text) == ("time", "")
        assert (await audited(deps))[0]["ended"] == "time"
