"""Half-structured intents: records of fields, JSON-like fragments, tables, signs in place of words."""

from __future__ import annotations

import time

import pytest
from intent_reading import COMPILER, NOW, understood

from twm.core.network import NetworkSpec
from twm.gateway.intents.forms import formed

P99 = "p99 delay of urllc in zone hospital at most 7 ms"


@pytest.mark.parametrize(
    "text",
    [
        "zone=hospital; slice=urllc; metric=p99 delay; upper=7 ms",
        "SLICE: urllc | AREA: hospital | KPI: delay_p99_ms | LIMIT: 7",
        "comparator=<=; value=7; unit=ms; kpi=p99; slice=urllc; place=hospital",
        '{"intent": {"slice": "urllc", "zone": "hospital", "max_delay_ms": 7}}',
        "{slice: urllc, where: hospital, p99_delay: '<= 7 ms', ticket: INC-40221}",
        "slice: urllc\nzone: hospital\np99 delay: max 7 ms",
        "p99(urllc, hospital) <= 7 ms",
        "urllc @ hospital -> p99 7 ms max.",
        "slice,area,kpi,max\nurllc,hospital,p99,7 ms",
        "| slice | zone | kpi | max |\n|---|---|---|---|\n| urllc | hospital | p99 | 7 ms |",
    ],
)
def test_one_bound_in_many_forms(spec: NetworkSpec, text: str) -> None:
    assert understood(spec, text) == [P99]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "slice|kpi|max // urllc|p99|7 ms // embb|loss|2 %",
            ["p99 delay of urllc at most 7 ms", "loss of embb at most 2 %"],
        ),
        ("0.1 <= share of embb <= 0.35", ["share of embb at least 10 %", "share of embb at most 35 %"]),
        ("fwa: PRB share >= 0.2 && <= 0.45", ["PRB share of fwa at least 20 %", "PRB share of fwa at most 45 %"]),
        (
            "pin: slice=embb; radio share=30 %; zone=corridor",
            ["PRB share of embb in zone corridor at least 30 %", "PRB share of embb in zone corridor at most 30 %"],
        ),
        (
            "surge: fwa @ corridor = 1.4x",
            ["expect 1.4 times the usual demand of fwa in zone corridor"],
        ),
        (
            "largest change per step -> embb: 2 pp, fwa: 5 pp (pp = points of share)",
            ["at most 2 points of change a step of the share of embb", "at most 5 points of change a step of the share of fwa"],
        ),
        ("FREEZE slice=embb zone=corridor (no share changes)", ["no change of the share of embb in zone corridor"]),
        ("work: link=up-3; capacity=40 %", ["link up-3 at 40 % of its capacity"]),
        (
            "saving=12 %; slas=hold; prio=P2",
            ["save 12 % of the control cost", "hold the SLAs of the network", "priority 2 (high)"],
        ),
        ("slice=urllc; loss<=0.2 %; slice=embb; loss<=3 %", ["loss of urllc at most 0.2 %", "loss of embb at most 3 %"]),
    ],
)
def test_records_and_signs(spec: NetworkSpec, text: str, lines: list[str]) -> None:
    assert understood(spec, text) == lines


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("slice=urllc; zone=hospital; kpi=p99; max=", "missing_bound"),
        ('{"slice": "embb", "throughput": ">= TBD Mbps"}', "missing_bound"),
        ("embb @ corridor :: throughput = current + 80 Mbps", "relative_bound"),
        ("urllc :: loss <= 1 % @ cruise-terminal", "unknown_zone"),
        ("zone=ice-rink; slice=embb; loss<=1 %", "unknown_zone"),
        ("slice=urllc; kpi=p99; max=7 ms; note=only if the ferry is late", "unsupported_condition"),
        ("slice=urllc; kpi=jitter; max=2 ms", "unsupported_kpi"),
    ],
)
def test_what_a_record_leaves_open_is_asked(spec: NetworkSpec, text: str, code: str) -> None:
    result = COMPILER.compile(text, spec, NOW)
    assert code in {q.code for q in result.questions.items}


@pytest.mark.parametrize(
    "text",
    [
        "Keep urllc below 7 ms in the hospital zone, please.",
        "From: a@b.example To: noc Subject: up-3. Link up-3 is down tomorrow from 10:00 to 12:00.",
        "mean delay: embb below 40 ms, fwa below 60 ms",
        "Hospital: urllc under 7 ms, loss: 1 % at most",
    ],
)
def test_prose_stays_as_it_is(text: str) -> None:
    assert formed(text) == text


@pytest.mark.parametrize("piece", ['"slice": {', "slice=a;", "a|b // ", "0 <= a ", "p99(", "[a, ", "x @ y -> ", "kpi: \n"])
def test_hostile_forms_are_read_in_bounded_time(spec: NetworkSpec, piece: str) -> None:
    text = (piece * 2000)[:1900]
    start = time.process_time()
    formed(text)
    assert time.process_time() - start < 0.5
