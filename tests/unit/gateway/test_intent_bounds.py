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
