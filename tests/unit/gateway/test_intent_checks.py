"""What holds of an intent whoever made it: plain form and schema, checks, conflicts, agreement, structured shapes."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.gateway.intents.agree import agree
from twm.gateway.intents.compiler import asked, compiled
from twm.gateway.intents.grammar import GrammarCompiler
from twm.gateway.intents.plain import from_plain, json_schema, to_plain
from twm.gateway.intents.questions import question
from twm.gateway.intents.structured import compile_structured
from twm.gateway.intents.told import told
from twm.gateway.intents.validate import base_delay_ms, check, conflicts, problems
from twm_twin.parameters import Delay

NOW = dt.datetime(2026, 11, 25, 10, 30, tzinfo=dt.UTC)
MODEL = intent_pb2.INTENT_SOURCE_MODEL
TEXTS = (
    "Cut cost by 8 %, URLLC over eMBB, hold all SLAs tonight",
    "URLLC p99 below 8 ms in the hospital with 95 % confidence from 18:00 to 20:00, eMBB at most 40 % of the PRBs in cell 4",
    "Expect twice the traffic in the corridor this evening because of a concert, up-3 at half capacity until 16:00, freeze FWA",
)


def spec_of(spec: NetworkSpec, text: str) -> intent_pb2.IntentSpec:
    result = GrammarCompiler().compile(text, spec, NOW)
    assert result.HasField("spec"), [q.text for q in result.questions.items]
    return result.spec


@pytest.mark.parametrize("text", TEXTS)
def test_plain_form_obeys_its_schema_and_comes_back_the_same(spec: NetworkSpec, text: str) -> None:
    intent = spec_of(spec, text)
    data = to_plain(intent, spec)
    schema = json_schema(spec)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema, format_checker=jsonschema.FormatChecker())
    back = from_plain(json.loads(json.dumps(data)), spec, intent.source, intent.text)
    assert back == intent
    assert len(told(intent, spec)) >= 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"constraint": []}, "unknown property 'constraint'"),
        (
            {"constraints": [{"kpi": "delay_p99_ms", "scope": {"slices": ["gold"]}, "comparator": "at_most", "bound": 5}]},
            "'gold' is no slice",
        ),
        (
            {"constraints": [{"kpi": "delay_p99_ms", "scope": {}, "comparator": "at_most", "bound": "5"}]},
            r"constraints\[0\].bound",
        ),
        ({"limits": [{"scope": {"cells": ["cell-99"]}, "max_change": 0}]}, "'cell-99' is no cell"),
        ({"limits": [{"scope": {}, "min_share": float("nan")}]}, r"limits\[0\].min_share"),
        ({"objective": {"slice_weights": {"gold": 2}}}, "objective.slice_weights"),
        ({"context": {"maintenance": [{"link": "up-9", "capacity_factor": 0}]}}, "'up-9' is no link"),
        ({"window": {"end": "2026-11-25T18:00:00"}}, "no time zone"),
        ({"priority": True}, "priority"),
    ],
)
def test_a_malformed_plain_form_is_refused_by_field(spec: NetworkSpec, data: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        from_plain(data, spec, MODEL)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"limits": [{"scope": {"slices": ["urllc"]}, "min_share": 1.4}]}, "out_of_range"),
        ({"limits": [{"scope": {"slices": ["urllc"]}}]}, "out_of_range"),
        ({"limits": [{"scope": {"slices": ["urllc"]}, "min_share": 0.5, "max_share": 0.4}]}, "out_of_range"),
        ({"constraints": [{"kpi": "loss_ratio", "scope": {}, "comparator": "at_most", "bound": 3}]}, "out_of_range"),
        ({"context": {"surges": [{"scope": {}, "factor": 0}]}}, "out_of_range"),
        ({"objective": {"hold_slas": True, "window": {"end": "2026-11-25T09:00:00+00:00"}}}, "window_past"),
        ({}, "out_of_range"),
    ],
)
def test_what_a_model_writes_is_checked_by_the_same_code(spec: NetworkSpec, data: dict[str, Any], code: str) -> None:
    found = problems(from_plain(data, spec, MODEL), spec, NOW)
    assert code in [q.code for q in found]


def test_an_intent_of_another_network_is_refused(spec: NetworkSpec) -> None:
    intent = spec_of(spec, TEXTS[0])
    check(intent, spec)
    intent.spec_digest = "0" * 64
    with pytest.raises(InvalidInputError, match="spec_digest"):
        check(intent, spec)


def test_floors_count_with_those_of_the_network_and_only_while_they_meet(spec: NetworkSpec) -> None:
    active = [spec_of(spec, "urllc at least 60 % from 12:00 to 14:00")]
    clash = conflicts(spec_of(spec, "embb at least 36 % from 13:00 to 15:00"), active, spec, NOW)
    assert [q.code for q in clash] == ["clashing_shares"]  # 60 + 36 + the 5 % floor of fwa
    assert conflicts(spec_of(spec, "embb at least 35 % from 13:00 to 15:00"), active, spec, NOW) == []
    assert conflicts(spec_of(spec, "embb at least 36 % from 14:00 to 15:00"), active, spec, NOW) == []


def test_the_least_delay_is_that_of_the_twin(spec: NetworkSpec) -> None:
    assert base_delay_ms(spec) == Delay().base_ms
    assert base_delay_ms(spec.model_copy(update={"twin": {"delay": {"base_ms": 1}}})) == 1.0
    assert base_delay_ms(spec.model_copy(update={"twin": {}})) == 0.5


def test_agreement_of_two_compilers(spec: NetworkSpec) -> None:
    first = compiled(spec_of(spec, "urllc p99 below 8 ms in the hospital, embb at most 40 %"), "grammar/1")
    same = compiled(spec_of(spec, "cap embb at 40 % and keep urllc under 8 ms in the hospital"), "model/x")
    same.spec.source = MODEL
    both = agree(first, same, spec)
    assert (both.agreement, both.spec) == (intent_pb2.AGREEMENT_FULL, first.spec)
    other = compiled(spec_of(spec, "urllc p99 below 9 ms in the hospital, embb at most 40 %"), "model/x")
    differing = agree(first, other, spec)
    assert differing.agreement == intent_pb2.AGREEMENT_DISAGREE
    assert [(q.code, q.field, list(q.choices)) for q in differing.questions.items] == [
        ("compilers_differ", "constraints[0].bound", ["8.0", "9.0"])
    ]
    more = compiled(spec_of(spec, "fwa loss below 5 %, urllc p99 below 9 ms in the hospital, embb at most 40 %"), "model/x")
    assert {q.field for q in agree(first, more, spec).questions.items} == {"constraints[0].bound", "constraints[1]"}
    absent = agree(first, None, spec)
    assert (absent.agreement, absent.spec) == (intent_pb2.AGREEMENT_SECOND_ABSENT, first.spec)
    unsure = agree(first, asked([question("missing_bound", "", "Which?")], "model/x"), spec)
    assert [q.code for q in unsure.questions.items] == ["compilers_differ", "missing_bound"]
    assert [r.text for r in differing.readings] == [first.spec.text, other.spec.text] and len(unsure.readings) == 1
    offered = agree(asked([question("missing_bound", "", "Which?")], "grammar/1"), same, spec)
    assert [q.code for q in offered.questions.items] == ["missing_bound", "compilers_differ"] and len(offered.readings) == 1


def test_well_known_shapes(spec: NetworkSpec) -> None:
    tmf = {
        "name": "hospital",
        "priority": "1",
        "expression": {
            "expressionValue": {
                "@context": {"tio": "http://tio.models.tmforum.org/"},
                "@graph": [
                    {"@type": "tio:Target", "name": "latency", "value": "8", "unit": "ms", "tio:operator": "lessThan"},
                    {"@type": "tio:Target", "name": "reliability", "value": "99.9%"},
                    {"@type": "tio:Resource", "tio:specification": "URLLC"},
                ],
            }
        },
        "zone": "Hospital",
    }
    intent = compile_structured(tmf, spec, NOW).spec
    found = to_plain(intent, spec)
    assert [(c["kpi"], c["comparator"], c["bound"]) for c in found["constraints"]] == [
        ("delay_p99_ms", "at_most", 8.0),
        ("loss_ratio", "at_most", 0.001),
    ]
    assert found["constraints"][0]["scope"] == {"slices": ["urllc"], "zone": "hospital"}
    assert (found["priority"], intent.source) == (1, intent_pb2.INTENT_SOURCE_STRUCTURED)
    qos = compile_structured({"slice_type": "eMBB", "bandwidth": 50, "latency": 90, "packet_loss": 0.1}, spec, NOW).spec
    assert [(c.kpi, c.bound) for c in qos.constraints] == [
        (intent_pb2.KPI_THROUGHPUT_MBPS, 50),
        (intent_pb2.KPI_DELAY_P99_MS, 90),
        (intent_pb2.KPI_LOSS_RATIO, 0.001),
    ]


def test_properties_that_are_not_known_are_named(spec: NetworkSpec) -> None:
    result = compile_structured({"slice": "urllc", "latency": 9, "jitter": 1, "sparkle": 3}, spec, NOW)
    assert [(q.code, q.field) for q in result.questions.items] == [
        ("unsupported_kpi", "jitter"),
        ("unknown_property", "sparkle"),
    ]
    deep: dict[str, Any] = {}
    for _ in range(20):
        deep = {"targets": deep}
    with pytest.raises(InvalidInputError, match="structured: deeper"):
        compile_structured(deep, spec, NOW)


def test_recorded_structured_intents_compile_or_ask(spec: NetworkSpec, shared_data: Path) -> None:
    folder = shared_data / "intents-nl-to-structured"
    rows: list[Any] = [
        p["generated_intent"] for p in json.loads((folder / "tmf921-experimentation" / "generated_pairs.json").read_text())
    ]
    rows += json.loads((folder / "tmf921-dataset-generator" / "output.json").read_text())
    rows += [json.loads(line) for line in (folder / "oran-intent-mano" / "test_results.jsonl").read_text().splitlines() if line]
    kinds = [compile_structured(row, spec, NOW).WhichOneof("outcome") for row in rows if isinstance(row, dict)]
    assert len(kinds) > 60
    assert "spec" in kinds
    assert "questions" in kinds
