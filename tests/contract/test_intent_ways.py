"""One sentence by three ways, the command line, REST and MCP, has one answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from twm.core.serving import Runtime
from twm.core.streams import Streams
from twm.gateway.service import GatewayService
from twm.gateway.settings import GatewaySettings

pytestmark = pytest.mark.redis
CLEAR = "URLLC needs five nines of delivery in the hospital; freeze everything except FWA"
ASKED = "allow URLLC 20 ms unless the hospital calls, then 8 ms"


async def by_command(url: str, text: str) -> dict[str, Any]:
    command = (sys.executable, "-m", "twm.cli", "intent", text, "--gateway", url, "--json")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return dict(json.loads(out))


async def test_command_line_rest_and_mcp_agree(redis_url: str, tmp_path: Path) -> None:
    streams = await Streams.connect(redis_url)
    settings = GatewaySettings(redis_url=redis_url, state_dir=tmp_path, instance="ways-test")
    async with Runtime(settings, "gateway", http=False, signals=False) as runtime:
        url = f"http://127.0.0.1:{await GatewayService(settings, streams, runtime.health).start(runtime)}"
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "twm.cli", "mcp", "--gateway", url], env=dict(os.environ)
        )
        async with httpx.AsyncClient(base_url=url, timeout=60) as rest, Client(server, read_timeout_seconds=60) as agent:
            for text in (CLEAR, ASKED):
                told = (await rest.post("/v1/intents/compile", json={"text": text})).json()
                called = (await agent.call_tool("compile_intent", {"text": text})).structured_content
                commanded = await by_command(url, text)
                for answer in (dict(called or {}), commanded):
                    assert {k: answer.get(k) for k in ("questions", "intent", "intent_id")} == {
                        k: told.get(k) for k in ("questions", "intent", "intent_id")
                    }
                assert bool(told["questions"]) == (text == ASKED)
    await streams.close()
