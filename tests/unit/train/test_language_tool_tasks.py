"""Made-up tool tasks: every call is one that the tools take, every answer one that the gateway lets pass, all from a seed."""

from __future__ import annotations

import json
import random

import jsonschema
import pytest

from twm.core.network import NetworkSpec
from twm.gateway.explain.numbers import check_numbers
from twm.gateway.language.calling import call_or_answer, calling_schema, plain_chat
from twm.gateway.tools.agent import ChatTurn, opening
from twm.gateway.tools.cited import cited_facts
from twm.gateway.tools.declarations import BY_NAME, chat_tools
from twm_bench.language.tool_score import judged
from twm_bench.language.tool_set import effect
from twm_train.language.networks import MadeNetwork, made_network
from twm_train.language.tool_turns import after
from twm_train.language.tools import refusal, tool_batch


@pytest.fixture(scope="module")
def net(spec: NetworkSpec) -> MadeNetwork:
    links = tuple((link.id, link.source, link.target) for link in spec.transport.links)
    return MadeNetwork(
        tuple(s.id for s in spec.slices), tuple(z.id for z in spec.zones), tuple(c.id for c in spec.cells), links
    )


def test_every_call_is_one_that_the_tools_take(net: MadeNetwork, spec: NetworkSpec) -> None:
    rng, seen = random.Random(11), set()
    validator = jsonschema.Draft202012Validator(calling_schema(chat_tools()))
    for i in range(10):
        here = net if i % 2 else made_network(rng)
        for j, chat in enumerate(tool_batch(rng, here, 40)[1]):
            assert len(chat) in (2, 4)
            for text in chat[1::2]:
                found = json.loads(text)
                assert j % 8 or validator.is_valid(found), text
                if "tool" in found:
                    seen.add(found["tool"])
                    BY_NAME[found["tool"]].parse(found["arguments"])
            if here is net and "tool" in (last := json.loads(chat[-1])):
                effect(last["tool"], last["arguments"], spec)
    assert seen == set(BY_NAME)


def test_every_answer_is_one_that_the_gateway_lets_pass(net: MadeNetwork, spec: NetworkSpec) -> None:
    rng, answers = random.Random(12), 0
    for _ in range(150):
        task, call, told, then = after(rng, net)
        words, _ = call_or_answer(then)
        if words:
            answers += 1
            facts = cited_facts(task, [(json.dumps(json.loads(call)["arguments"]), told)], spec)
            assert check_numbers(words, facts).ok, (task, words, check_numbers(words, facts).findings)
    assert answers > 60
    for _ in range(50):
        task, meant = refusal(rng, net)
        row = {"id": "x", "kind": "refuse", "network": "poc-city", "text": task, "expect": [{"refuse": True}]}
        assert judged(row, ChatTurn(call_or_answer(meant)[0]), spec)["right"], (task, meant)


def test_batches_are_made_by_their_seed_in_the_served_prompt(net: MadeNetwork, spec: NetworkSpec) -> None:
    first, second, other = (tool_batch(random.Random(seed), net, 6) for seed in (3, 3, 4))
    assert first == second and first[1] != other[1]
    assert first[0] == plain_chat(opening("?", spec), chat_tools())[0]["content"]
