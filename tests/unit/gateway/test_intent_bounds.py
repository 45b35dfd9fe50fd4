"""Bounds, shares, freezes, ranks and savings in the words of many: classes of sentences that were once misread."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import pytest

from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.gateway.intents.grammar import GrammarCompiler
from twm.gateway.intents.plain import to_plain

NOW = dt.datetime(2026, 11, 25, 10, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
COMPILER = GrammarCompiler()


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return load_network(find_network("poc-city"))


def codes(spec: NetworkSpec, text: str) -> set[str]:
    return {q.code for q in COMPILER.compile(text, spec, NOW).questions.items}


def read(spec: NetworkSpec, text: str) -> dict[str, Any]:
    result = COMPILER.compile(text, spec, NOW)
    assert result.HasField("spec"), [q.text for q in result.questions.items]
    return to_plain(result.spec, spec)


@pytest.mark.parametrize(
    "text",
    [
        "The air is cold and there is snow on the mast, so keep URLLC under 9 ms.",
        "Our remote surgery cannot wait: URLLC below 9 ms.",
        "The labs asked for it, so URLLC at most 9 ms.",
        "This means URLLC has to stay within 9 ms.",
    ],
)
def test_ordinary_words_are_no_slips_of_the_pen(spec: NetworkSpec, text: str) -> None:
    assert read(spec, text) == {"constraints": [bound("delay_p99_ms", ["urllc"], 9.0)]}


def bound(kpi: str, slices: list[str], value: float, comparator: str = "at_most", **scope: Any) -> dict[str, Any]:
    where = {"slices": slices} if slices else {}
    return {"kpi": kpi, "scope": {**where, **scope}, "comparator": comparator, "bound": value}


@pytest.mark.parametrize(
    "text",
    [
        "- URLLC p99 at most 9 ms\n- FWA loss up to 4 %\n- eMBB: hands off",
        "* URLLC p99 at most 9 ms\n* FWA loss up to 4 %\n* eMBB frozen",
        "1. URLLC p99 at most 9 ms\n2. FWA loss up to 4 %\n3. freeze eMBB",
        "1) URLLC p99 at most 9 ms 2) FWA loss up to 4 % 3) freeze eMBB",
        "URLLC p99 at most 9 ms\nFWA loss up to 4 %\nfreeze eMBB",
    ],
)
def test_items_of_a_list_are_apart(spec: NetworkSpec, text: str) -> None:
    assert read(spec, text) == {
        "constraints": [bound("delay_p99_ms", ["urllc"], 9.0), bound("loss_ratio", ["fwa"], 0.04)],
        "limits": [{"scope": {"slices": ["embb"]}, "max_change": 0.0}],
    }


@pytest.mark.parametrize(
    "text",
    [
        "Hospital:\n- URLLC: 9 ms at most\n- eMBB: throughput not below 90 Mbit/s",
        "For the hospital\n  a) URLLC p99 within 9 ms\n  b) eMBB at least 90 Mbps",
        "In the hospital:\n\n(1) URLLC below 9 ms\n(2) 90 Mbps for eMBB",
    ],
)
def test_heading_of_a_list_is_of_all_its_items(spec: NetworkSpec, text: str) -> None:
    assert read(spec, text) == {
        "constraints": [
            bound("delay_p99_ms", ["urllc"], 9.0, zone="hospital"),
            bound("throughput_mbps", ["embb"], 90.0, "at_least", zone="hospital"),
        ]
    }


def test_wrapped_lines_are_one(spec: NetworkSpec) -> None:
    text = "Dear all,\n\nplease see to it that in the hospital the packets of URLLC need no\nmore than 9 ms.\n\nRegards\nJo"
    assert read(spec, text) == {"constraints": [bound("delay_p99_ms", ["urllc"], 9.0, zone="hospital")]}


@pytest.mark.parametrize(
    "text",
    [
        "not more than one URLLC packet in a thousand may be lost",
        "One lost packet per thousand is the most we accept for URLLC",
        "loss of URLLC no higher than 1 per 1,000",
        "URLLC: at most 2 lost packets for every 2000 sent",
    ],
)
def test_one_packet_in_many(spec: NetworkSpec, text: str) -> None:
    assert read(spec, text) == {"constraints": [bound("loss_ratio", ["urllc"], 0.001)]}


def test_respectively(spec: NetworkSpec) -> None:
    found = read(spec, "Keep the loss of eMBB and FWA under 1 % and 4 % respectively in the corridor.")
    assert found["constraints"] == [
        bound("loss_ratio", ["embb"], 0.01, zone="corridor"),
        bound("loss_ratio", ["fwa"], 0.04, zone="corridor"),
    ]
    assert "ambiguous_scope" in codes(spec, "eMBB, URLLC and FWA under 10 ms and 30 ms respectively")
