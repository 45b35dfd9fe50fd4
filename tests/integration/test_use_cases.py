"""The five use cases from one sentence each: gateway, Redis, planner, shipped models, twin and guardrail, all real.

By default one decision each with a smaller search; `TWM_LONG=1` plays six slow steps each as the walk-through does.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from twm.api.planning.v1 import planning_pb2
from twm.core.errors import ModelMismatchError
from twm.core.network import NetworkSpec
from twm.planner.cycle_settings import CycleSettings
from twm.planner.search import SearchSettings
from twm_bench.use_cases.__main__ import UNHURRIED, UNREACHABLE
from twm_bench.use_cases.cases import CASES, SEED, STEPS, Case, Place, play
from twm_bench.use_cases.city import Models, Network, operator

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(300)]
LONG = os.environ.get("TWM_LONG") == "1"
SETTINGS = UNHURRIED if LONG else CycleSettings(budget_s=60, grace_s=30, search=SearchSettings(populations=(64, 60, 60, 60)))


@pytest.fixture(scope="module")
def models(spec: NetworkSpec) -> Models:
    try:
        return Models.of(spec)
    except ModelMismatchError as error:
        pytest.skip(f"no model for the PoC city in the zoo: {error}")


@pytest.mark.parametrize("case", CASES, ids=[case.key for case in CASES])
async def test_a_sentence_has_its_effect(case: Case, spec: NetworkSpec, models: Models, redis_url: str, tmp_path: Path) -> None:
    steps = STEPS if LONG else 1
    played = await play(case, spec, models, SETTINGS, redis_url, tmp_path, steps)
    claims = case.claims(played, Place(spec), range(steps))
    assert claims
    assert [claim.text for claim in claims if not claim.holds] == []
    first = played.decisions[0]
    assert first.proposal.source == planning_pb2.PROPOSAL_SOURCE_SEARCH
    assert first.proposal.intent_set_version == 1
    assert not first.proposal.intent_problem
    assert played.accepted >= 1, "the guardrail lets the plan pass"
    assert "plan of step" in first.explanation
    assert ("Intents: " in first.explanation) is bool(played.standings[0].get("told"))
    read = {one.name for one in first.proposal.tape.inputs}
    assert read == {"intents"}, "what was read of intents stands on the tape"


async def test_what_no_plan_reaches_is_answered_with_the_nearest_offer(
    spec: NetworkSpec, models: Models, redis_url: str, tmp_path: Path
) -> None:
    async with operator(Network(spec, SEED), models, SETTINGS, redis_url, tmp_path) as person:
        said = await person.say(UNREACHABLE)
        intent_id = said["intent"]["intent_id"]
        assert said["intent"]["plan"] is None
        await person.decide()
        plan = (await person.intent(intent_id))["plan"]
        assert plan["met"] is False
        (found,) = plan["constraints"]
        assert found["reachable_bound"] > 5.0 and found["predicted_low"] <= found["predicted"] <= found["predicted_high"]
        (question,) = plan["questions"]
        assert (question["code"], question["field"]) == ("infeasible", "constraints[0].bound")
        assert question["choices"][0].startswith("at most ") and "withdraw it" in question["choices"]
        # The offer, said as a sentence, takes its place.
        await person.take_back(intent_id)
        offer = question["choices"][0].removeprefix("at most ")
        again = await person.say(UNREACHABLE.replace("5 ms", offer))
        assert again["activated"], again
        assert (await person.intent(intent_id))["plan"] is None, "an intent that is withdrawn is not planned for"
