"""`twm mcp` as an agent has it: the official client over stdio and HTTP before a whole gateway with bearer tokens."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from gateway_samples import good_proposal
from httpx2 import AsyncClient
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from planner_peers import ArithmeticPeers, frame_messages

from twm.core.network import NetworkSpec
from twm.core.serving import Runtime
from twm.core.streams import Output, StreamNames, Streams
from twm.gateway.audit import from_payload
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings
from twm.gateway.tools.declarations import TOOLS

pytestmark = pytest.mark.redis
KEY = ec.generate_private_key(ec.SECP256R1())
PLANS = {"plans": [{"base": "running"}, {"base": "running", "moves": [{"slice": "fwa", "change": -0.1}]}]}


def token(role: str) -> str:
    now = int(time.time())
    claims = {"iss": "i", "aud": "a", "sub": f"{role}-1", "iat": now, "exp": now + 600, "roles": [role]}
    return jwt.encode(claims, KEY, "ES256", headers={"kid": "k"})


@asynccontextmanager
async def gateway(spec: NetworkSpec, redis_url: str, folder: Path) -> AsyncIterator[tuple[str, Streams]]:
    """A gateway that asks for tokens, on four frames and a proposal, with peers that answer rollouts."""
    public = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": "k", "use": "sig", "alg": "ES256"}
    (folder / "jwks.json").write_text(json.dumps({"keys": [public]}))
    streams, names = await Streams.connect(redis_url), StreamNames.of(spec.area_id)
    for frame in frame_messages(spec, range(100, 104)):
        await streams.append(Output(names.frames, frame.SerializeToString()))
    await streams.append(Output(names.proposals, good_proposal(spec, 103).SerializeToString()))
    async with ArithmeticPeers(spec) as peers:
        settings = GatewaySettings(
            redis_url=redis_url,
            state_dir=folder,
            instance="mcp-test",
            inference_target=peers.target,
            twin_target=peers.target,
            auth="jwt",
            auth_issuer="i",
            auth_audience="a",
            auth_jwks=str(folder / "jwks.json"),
        )
        async with Runtime(settings, "gateway", http=False, signals=False) as runtime:
            port = await GatewayService(settings, streams, runtime.health).start(runtime)
            yield f"http://127.0.0.1:{port}", streams
    await streams.close()


def content(result: Any) -> dict[str, Any]:
    """What a tool said; text and structured form are the same."""
    assert json.loads(result.content[0].text) == result.structured_content
    return dict(result.structured_content)


async def records(streams: Streams, names: StreamNames, kind: str) -> list[dict[str, Any]]:
    found = [from_payload(entry.payload) for entry in await streams.range(names.audit, count=200)]
    return [json.loads(record.payload_json) for record in found if record.kind == kind]


async def test_an_agent_asks_over_stdio(spec: NetworkSpec, redis_url: str, tmp_path: Path) -> None:
    async with gateway(spec, redis_url, tmp_path) as (url, streams):
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "twm.cli", "mcp", "--gateway", url],
            env={**os.environ, "TWM_TOKEN": token("viewer")},
        )
        async with Client(command, read_timeout_seconds=30) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert list(tools) == [*(tool.name for tool in TOOLS), "compile_intent"]
            assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools.values())
            assert tools["roll_out"].input_schema["additionalProperties"] is False
            state = content(await client.call_tool("query_state", {"cells": ["cell-3"]}))
            assert state["step"] == 103 and set(state["slices"]) == {entry.id for entry in spec.slices}
            running, less = content(await client.call_tool("roll_out", PLANS))["plans"]
            assert less["saving_ratio"] > running["saving_ratio"]
            compiled = content(await client.call_tool("compile_intent", {"text": "Keep URLLC p99 below 8 ms in the hospital"}))
            assert compiled["questions"] == [] and compiled["intent"]["constraints"]
            for name, arguments, pattern in (
                ("set_policy", {"share": 1}, "is none of query_state"),
                ("../intents", {}, "no such name"),
                ("roll_out", {"plans": [{"base": "running", "policy_id": "x"}]}, "Extra inputs"),
                ("query_state", {"cells": ["\u202ecell-99"]}, "cells"),
                ("compile_intent", {"text": "a", "activate": True}, "exactly one argument"),
                ("explain", {"step": 5, "note": "x" * 40_000}, "more than 32768 characters"),
            ):
                refused = await client.call_tool(name, arguments)
                assert refused.is_error and pattern in content(refused)["error"], (name, refused)
        names = StreamNames.of(spec.area_id)
        assert {(r["subject"], r["purpose"]) for r in await records(streams, names, "tools")} == {
            ("viewer-1", "tool query_state"),
            ("viewer-1", "tool roll_out"),
        }
        assert {"granted"} == {r["outcome"] for r in await records(streams, names, "access") if "/v1/tools" in r["action"]}
        assert await streams.length(names.policies) == 1  # of the proposal, in shadow mode; none of the calls made another


async def test_over_http_each_caller_brings_its_own_token(
    spec: NetworkSpec, redis_url: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    async with gateway(spec, redis_url, tmp_path) as (url, _):
        port = free_port()
        arguments = [sys.executable, "-m", "twm.cli", "mcp", "--gateway", url, "--listen", f"127.0.0.1:{port}"]
        environment = {**os.environ, "TWM_TOKEN": token("viewer")}  # the server's own token is nobody else's
        process = await asyncio.create_subprocess_exec(*arguments, env=environment)
        try:
            await _listening(port)
            asked = {
                "anna": {"Authorization": f"Bearer {token('viewer')}"},
                "nobody": {},
                "stranger": {"Authorization": f"Bearer {token('guest')}"},
            }
            answers = {}
            for name, headers in asked.items():
                async with AsyncClient(headers=headers, timeout=30) as http:
                    transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
                    async with Client(transport) as client:
                        answers[name] = content(await client.call_tool("query_state", {}))
            assert answers["anna"]["step"] == 103
            assert "bearer token is needed" in answers["nobody"]["error"]
            assert "viewer is needed" in answers["stranger"]["error"]
            async with AsyncClient(headers={"Host": "attacker.example"}) as http:
                rebound = await http.post(f"http://127.0.0.1:{port}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
            assert rebound.status_code in (400, 403, 421)
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 10)


async def _listening(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise AssertionError("the MCP server does not listen")
