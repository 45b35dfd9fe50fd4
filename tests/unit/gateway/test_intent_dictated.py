"""Dictation: numbered names, numbers and priorities in words; chains of precedence; places that are said again."""

from __future__ import annotations

import pytest
from intent_reading import COMPILER, NOW, understood

from twm.core.network import NetworkSpec
from twm.gateway.intents.spoken import spoken_numbers


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("unload up three please", ["utilisation of links up-3 at most 90 %"]),
        ("down two and up two are out", ["link up-2 down", "link down-2 down"]),
        (
            "cells one two and seven under sixty percent utilisation",
            ["utilisation of cells cell-1, cell-2, cell-7 at most 60 %"],
        ),
        ("hold all slas as priority two", ["hold the SLAs of the network", "priority 2 (high)"]),
        ("hold all slas priority number one", ["hold the SLAs of the network", "priority 1 (highest)"]),
        ("the utilisation from n3 to the n0 node at most half", ["utilisation of links up-3 at most 50 %"]),
        (
            "embb fixed at precisely thirty percent of the radio",
            ["PRB share of embb at least 30 %", "PRB share of embb at most 30 %"],
        ),
        ("urllc has priority over embb, which in its turn comes ahead of fwa", ["weigh slices: embb 2, urllc 4 (others 1)"]),
        (
            "embb below 2 % loss in the corridor, where furthermore urllc must stay under 12 ms",
            ["loss of embb in zone corridor at most 2 %", "p99 delay of urllc in zone corridor at most 12 ms"],
        ),
        ("urllc first then embb then the rest", ["weigh slices: embb 2, urllc 4 (others 1)"]),
        ("urllc over everyone else", ["weigh slices: urllc 2 (others 1)"]),
        ("urllc is three times as important as fwa", ["weigh slices: urllc 3 (others 1)"]),
        ("give saving a weight of 4", ["weigh saving 4 times"]),
        (
            "At the hospital nobody can work. Please get urllc under 10 ms there.",
            ["p99 delay of urllc in zone hospital at most 10 ms"],
        ),
        ("They dig beside up-2, so the link is off.", ["link up-2 down"]),
        ("Splicing on down-4; meanwhile that link carries nothing.", ["link down-4 down"]),
        (
            "From the bandwidth of the links no less than 10 % goes to urllc and at most 40 % to fwa.",
            ["bandwidth share of urllc at least 10 %", "bandwidth share of fwa at most 40 %"],
        ),
        ("fwa: min 0.1, max 0.2 of the PRBs", ["PRB share of fwa at least 10 %", "PRB share of fwa at most 20 %"]),
        (
            "utilisation of up-1 not above 0.8, nor of down-1 above 0.6",
            ["utilisation of links up-1 at most 80 %", "utilisation of links down-1 at most 60 %"],
        ),
        ("SLA credits cost us 20 grand, so keep embb loss under 2 %", ["loss of embb at most 2 %"]),
        ("Solar power is nearly free, so keep embb loss under 2 %", ["loss of embb at most 2 %"]),
        (
            "The SLA of fwa with at most 3 % risk in cell-2.",
            ["loss of fwa in cells cell-2 at most 20 %, violated with at most 3 % probability"],
        ),
        ("The tenant objects to anything below 20 Mbps for fwa; make that the floor.", ["throughput of fwa at least 20 Mbps"]),
        (
            "the crowd in the corridor will double tonight, so prepare for twice the embb traffic there",
            [
                "expect 2 times the usual demand of embb in zone corridor",
                "all of it from Wed 2026-11-25 20:00 CET until Thu 2026-11-26 06:00 CET",
            ],
        ),
        ("Trouble in cell 3. Keep embb loss there under 2 %.", ["loss of embb in cells cell-3 at most 2 %"]),
        ("up-3 and down-3 are old. Both links stay under 70 %.", ["utilisation of links up-3, down-3 at most 70 %"]),
        ("keep up one and two under eighty percent", ["utilisation of links up-1, up-2 at most 80 %"]),
        ("target name=latency unit=ms atMost=9; context slice=urllc", ["p99 delay of urllc at most 9 ms"]),
    ],
)
def test_read(spec: NetworkSpec, text: str, lines: list[str]) -> None:
    assert sorted(understood(spec, text)) == sorted(lines)


@pytest.mark.parametrize("text", ["embb traffic in the corridor is up five percent", "embb in the corridor goes up two times"])
def test_ordinary_words_name_no_link(spec: NetworkSpec, text: str) -> None:
    result = COMPILER.compile(text, spec, NOW)
    assert not result.spec.context.maintenance
    assert "up-" not in str(result)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("urllc loss at most minus two percent", "out_of_range"),
        ("embb delay at most -3 ms", "out_of_range"),
        ("Return the plan with all SLAs waived.", "no_goal"),
        ("it is four times as important as fwa", "ambiguous_scope"),
        ("give embb at least 20 % of the radio there", "ambiguous_scope"),
        ("embb loss in corridor-b under 2 %", "unknown_cell"),
        ("save energy with a weight of 40", "out_of_range"),
    ],
)
def test_asked(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in {q.code for q in COMPILER.compile(text, spec, NOW).questions.items}


def test_numbers_are_spoken_in_several_ways() -> None:
    assert set(spoken_numbers("201")) >= {("two", "hundred", "and", "one"), ("two", "oh", "one"), ("two", "zero", "one")}
    assert set(spoken_numbers("07")) >= {("seven",), ("oh", "seven")}
    assert set(spoken_numbers("25")) >= {("twenty", "five"), ("two", "five")}
