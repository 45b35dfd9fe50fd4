"""Parts of the language layer without a server: extraction, pruning, schema, prompt, breaker, cited numbers."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import jsonschema
import pytest
import yaml

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.gateway.explain.numbers import check_numbers
from twm.gateway.intents.plain import from_plain, json_schema
from twm.gateway.language.breaker import BreakerSettings, CircuitBreaker
from twm.gateway.language.calling import MAX_TOLD, call_or_answer, calling_schema, plain_chat, tool_lines, tool_prompt
from twm.gateway.language.compiler import decodable, pruned
from twm.gateway.language.extract import one_object
from twm.gateway.language.offline import shipped_adapter
from twm.gateway.language.prompt import messages, network_lines, ranges
from twm.gateway.settings import GatewaySettings
from twm.gateway.tools.agent import ChatTurn, ToolCall, answer_message, call_message, opening
from twm.gateway.tools.cited import cited_facts
from twm.gateway.tools.declarations import chat_tools

NOW = dt.datetime(2026, 11, 25, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Here: ```json\n{"a": {"b": 2}}\n``` ok?', {"a": {"b": 2}}),
        ("{} and nothing else", {}),
        ('{"a": 1} {"a": 1}', None),
        ('{"a": 1, "a": 2}', None),
        ('{"a": NaN}', None),
        ("no braces", None),
        ("{" * 70_000, None),
        ('{"a": ' + "[" * 5000, None),
    ],
)
def test_one_object_or_none(text: str, found: object) -> None:
    assert one_object(text) == found


def test_what_says_nothing_is_pruned() -> None:
    said = {
        "objective": {},
        "limits": [{"scope": {}, "max_share": 0.4, "window": {}, "resource": ""}],
        "context": {"surges": []},
    }
    assert pruned(said) == {"limits": [{"scope": {}, "max_share": 0.4}]}


def test_the_decoding_schema_is_the_plain_form_without_what_decoders_refuse(spec: NetworkSpec) -> None:
    schema = decodable(json_schema(spec))
    text = json.dumps(schema)
    assert not any(word in text for word in ("uniqueItems", "exclusiveM", "$schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["constraints"]["items"]["properties"]["scope"]["properties"]["zone"]["enum"] == [
        z.id for z in spec.zones
    ]
    bare = spec.model_copy(update={"zones": ()})
    assert "zone" not in json.dumps(decodable(json_schema(bare)))


def test_the_short_prompt_is_what_the_adapter_was_trained_with(spec: NetworkSpec) -> None:
    system, user = messages("save\u202e energy\n", spec, NOW, "short")
    assert system["content"].splitlines()[:4] == [
        "Intent to JSON. Unclear: {}",
        "slices embb urllc fwa",
        "zones hospital corridor fwa-enterprises",
        "cells cell-0..cell-9",
    ]
    assert system["content"].splitlines()[-1] == (
        "now Wed 2026-11-25T10:30+01:00; Thu 11-26, Fri 11-27, Sat 11-28, Sun 11-29, Mon 11-30, Tue 12-01"
    )
    assert user == {"role": "user", "content": "save energy"}
    assert ranges(["a1", "a2", "a3", "b", "c8", "c9"]) == ["a1..a3", "b", "c8", "c9"]


def test_examples_of_the_full_prompt_hold(spec: NetworkSpec) -> None:
    chat = messages("x", spec, NOW, "full")
    for turn in chat:
        if turn["role"] == "assistant":
            plain = json.loads(turn["content"])
            jsonschema.validate(plain, json_schema(spec))
            from_plain(plain, spec, 2)


def test_a_breaker_opens_tries_and_closes() -> None:
    now = 0.0
    breaker = CircuitBreaker(BreakerSettings(failures=2, first_pause_s=5, longest_pause_s=15), lambda: now)
    for _ in range(2):
        assert breaker.admit()
        breaker.failed()
    assert breaker.open and not breaker.admit()
    for pause in (5, 10, 15, 15):
        now += pause - 0.1
        assert not breaker.admit()
        now += 0.2
        assert breaker.admit() and not breaker.admit()  # one trial
        breaker.failed()
    now += 16
    assert breaker.admit()
    breaker.abandoned()
    assert breaker.admit()
    breaker.succeeded()
    assert not breaker.open and breaker.admit() and breaker.admit()


def test_calls_without_a_native_form(spec: NetworkSpec) -> None:
    schema = calling_schema(chat_tools())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"tool": "explain", "arguments": {"step": 5}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"tool": "write_policy", "arguments": {}}, schema)
    words, call = call_or_answer('{"tool":"explain","arguments":{"step":5}}')
    assert words == "" and call is not None and call["function"] == {"name": "explain", "arguments": '{"step":5}'}
    assert call_or_answer('{"answer":"no"}') == ("no", None)
    assert "roll_out(plans samples)" in tool_lines(chat_tools())


def test_a_chat_with_tools_is_told_in_the_form_the_adapter_learnt(spec: NetworkSpec) -> None:
    call = ToolCall("c", "explain", '{"step": 5}')
    broken = ToolCall("c", "explain", "[" * 5000)
    sent = [*opening("Why was 5 refused?", spec), call_message(ChatTurn("", (call,))), answer_message(call, "x" * 9000)]
    system, user, asked, told = plain_chat(sent, chat_tools())
    assert system["content"] == tool_prompt(chat_tools(), network_lines(spec))
    assert (user["content"], asked["content"]) == ("Why was 5 refused?", '{"tool":"explain","arguments":{"step":5}}')
    assert told["role"] == "user" and len(told["content"]) == MAX_TOLD
    assert "[[[" in plain_chat([call_message(ChatTurn("", (broken,)))], chat_tools())[1]["content"]


def test_an_agent_cites_what_tools_told_in_their_units(spec: NetworkSpec) -> None:
    told = {
        "step": 103,
        "sla_window_steps_left": 7,
        "slices": {"urllc": {"kpis": {"delay_p99_ms": 17.25, "loss_ratio": 0.0125}, "mean_prb_share": 0.333}},
        "plans": [{"scm_mean": 0.512, "violation_probability": {"embb": 0.08}}],
    }
    asked = {"plans": [{"moves": [{"slice": "embb", "change": 0.1}]}]}
    facts = cited_facts("What if eMBB gets 10 points more?", [(json.dumps(asked), json.dumps(told))], spec)
    for text in (
        "At step 103 urllc has a p99 delay of 17.3 ms and loses 1.25 % of its packets.",
        "Giving embb 10 points more leads to an SCM of 0.512, with embb violated in 8 % of futures.",
        "7 steps are left.",
    ):
        assert check_numbers(text, facts).ok, (text, check_numbers(text, facts).findings)
    for text in (
        "urllc has a p99 delay of 19.3 ms.",
        "urllc has a p99 delay of 17.3 Mbps.",
        "embb has a p99 delay of 17.3 ms.",
        "SCM is 0.612.",
        "It doubles.",
    ):
        assert not check_numbers(text, facts).ok, text


def test_the_shipped_adapter_is_that_of_its_card() -> None:
    adapter = shipped_adapter()
    assert adapter is not None
    card = yaml.safe_load(adapter.with_name("card.yaml").read_text(encoding="utf-8"))
    assert card["adapter"]["sha256"] == hashlib.sha256(adapter.read_bytes()).hexdigest()
    assert card["contract"] == "chat/intent-tools-short/1" and adapter.stat().st_size < 10e6


def test_settings_of_the_language_layer() -> None:
    assert GatewaySettings().llm_url == "" and GatewaySettings(llm_api_key_file="").llm_api_key_file is None
    for wrong in (
        {"llm_url": "http://x/v1"},
        {"llm_url": "ftp://x", "llm_model": "m"},
        {"llm_url": "http://u:p@x/v1", "llm_model": "m"},
    ):
        with pytest.raises((ValueError, InvalidInputError)):
            GatewaySettings(**wrong)
