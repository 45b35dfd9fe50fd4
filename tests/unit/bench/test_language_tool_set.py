"""The hand-written tool tasks hold together, and the scorer tells right from wrong."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.gateway.tools.agent import ChatTurn, ToolCall
from twm_bench.language.intents import network as network_of
from twm_bench.language.tool_baselines import BASELINES
from twm_bench.language.tool_model import _show
from twm_bench.language.tool_score import judged, measures, value_at
from twm_bench.language.tool_set import KINDS, chat_of, effect, exchanges, tasks

network = functools.cache(network_of)


def call(name: str, **arguments: Any) -> ChatTurn:
    return ChatTurn("", (ToolCall("c", name, json.dumps(arguments)),))


def test_the_set_holds_together() -> None:
    rows = tasks()
    assert len(rows) >= 60 and len({row["id"] for row in rows}) == len({row["text"] + str(row.get("turns")) for row in rows})
    assert {row["kind"] for row in rows} == set(KINDS) and len({row["network"] for row in rows}) >= 2
    for row in rows:
        spec = network(row["network"])
        for one in row["expect"]:
            if "tool" in one:
                effect(one["tool"], one["arguments"], spec)
            elif "cites" in one:
                assert all(isinstance(value_at(row["turns"][-1]["answer"], path), int | float | str) for path in one["cites"])
            else:
                assert one == {"refuse": True}
        roles = [message["role"] for message in chat_of(row, spec)]
        assert roles == ["system", "user", *["assistant", "tool"] * len(row.get("turns", ()))]
        assert (row["kind"] == "after") == bool(exchanges(row))


def test_calls_are_the_same_where_they_do_the_same(spec: NetworkSpec) -> None:
    zone = {"slice": "urllc", "change": 0.1, "zone": "hospital"}
    cells = {"slice": "urllc", "change": 0.1, "cells": ["cell-3", "cell-2", "cell-1", "cell-0"]}
    less = {"slice": "embb", "change": -0.1}
    assert effect("roll_out", {"plans": [{"moves": [zone, less]}]}, spec) == effect(
        "roll_out", {"plans": [{"base": "running", "moves": [less, cells]}], "samples": 8}, spec
    )
    for other in (
        {"moves": [less]},
        {"moves": [zone, less], "base": "proposed"},
        {"moves": [{**zone, "resource": "bandwidth"}]},
    ):
        assert effect("roll_out", {"plans": [other]}, spec) != effect("roll_out", {"plans": [{"moves": [zone, less]}]}, spec)
    assert effect("forecast_field", {}, spec) == effect("forecast_field", {"features": ["offered_mbps"]}, spec)
    assert effect("explain", {}, spec) != effect("explain", {"step": 0}, spec)
    for tool, wrong in (
        ("query_state", {"cells": ["cell-99"]}),
        ("roll_out", {"plans": [{"moves": [{**zone, "zone": "moon"}]}]}),
        ("reboot", {}),
    ):
        with pytest.raises(InvalidInputError):
            effect(tool, wrong, spec)


def test_the_scorer_tells_right_from_wrong(spec: NetworkSpec) -> None:
    asked = {"id": "a", "kind": "first", "network": "poc-city", "text": "why was 5 refused?"}
    asked["expect"] = [{"tool": "explain", "arguments": {"step": 5}}]
    assert judged(asked, call("explain", step=5), spec)["right"]
    near = judged(asked, call("explain", step=6), spec)
    assert near["valid"] and near["tool_right"] and not near["right"]
    assert not judged(asked, call("explain", step="soon"), spec)["valid"]
    assert not judged(asked, call("reboot"), spec)["valid"]
    assert not judged(asked, ChatTurn("It was unsafe."), spec)["tool_right"]
    assert judged(asked, None, spec)["did"] == "nothing"

    act = {**asked, "kind": "refuse", "expect": [{"refuse": True}]}
    assert judged(act, ChatTurn("I cannot do that; I can only look."), spec)["right"]
    done = judged(act, ChatTurn("Done, the policy is active."), spec)
    assert done["tool_right"] and not done["right"]
    assert not judged(act, call("query_state"), spec)["tool_right"]

    told = {"slices": {"urllc": {"kpis": {"delay_p99_ms": 17.25, "loss_ratio": 0.0125}}}}
    after = {
        **asked, "kind": "after", "text": "p99 of urllc?", "turns": [{"tool": "query_state", "arguments": {}, "answer": told}],
        "expect": [{"cites": ["slices.urllc.kpis.delay_p99_ms"]}],
    }  # fmt: skip
    assert judged(after, ChatTurn("The p99 delay of urllc is 17.25 ms."), spec)["right"]
    for wrong in (
        "The p99 delay of urllc is 18.25 ms.",
        "urllc loses 1.25 % of its packets.",
        "It is fine.",
        "The p99 delay of embb is 17.25 ms.",
    ):
        assert not judged(after, ChatTurn(wrong), spec)["right"], wrong


def test_rules_without_a_model_are_measured_alike(capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for name, rule in BASELINES.items():
        judgements = []
        for row in tasks():
            spec = network(row["network"])
            judgements.append(judged(row, rule(row, spec), spec))
        found[name] = measures(judgements)
        _show({"name": name, **found[name]})
    assert found["keywords"]["first"]["right"] > found["always-state"]["first"]["right"] > 0
    assert all(measured["valid"] == 1.0 and measured["refusals"]["right"] == 0.0 for measured in found.values())
    assert "keywords: 114 tasks" in capsys.readouterr().out
