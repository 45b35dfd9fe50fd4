"""Links that died, until when they are out, how full a link may be, and names and places beside the point."""

from __future__ import annotations

from typing import Any

import pytest
from intent_reading import COMPILER, NOW

from twm.core.network import NetworkSpec
from twm_bench.language.atoms import compare, items_of, reference_of
from twm_bench.language.intents import network


def bound(kpi: str, value: float, comparator: str = "at_most", **scope: Any) -> dict[str, Any]:
    return {"kpi": kpi, "scope": scope, "comparator": comparator, "bound": value}


def full(value: float, *links: str) -> dict[str, Any]:
    return {"constraints": [bound("utilisation_ratio", value, links=list(links))]}


def out(*links: str, until: str = "") -> dict[str, Any]:
    ended = {"window": {"end": f"2026-11-25T{until}:00+01:00"}} if until else {}
    return {"context": {"maintenance": [{"link": link, "capacity_factor": 0.0} for link in links]}, **ended}


def check(spec: NetworkSpec, text: str, expected: dict[str, Any]) -> None:
    result = COMPILER.compile(text, spec, NOW)
    assert result.HasField("spec"), [q.text for q in result.questions.items]
    right, count, total, wrong = compare(items_of(expected), items_of(reference_of(result.spec, spec)))
    assert right == count == total, wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up-3 died on us. Plan without it until 17:30.", out("up-3", until="17:30")),
        ("A lorry tore down up-3 at 09:05. Treat as lost until 16:00.", out("up-3", until="16:00")),
        ("up-3 is dead. Assume down until 15:00.", out("up-3", until="15:00")),
        ("up-4 snapped. Repair expected by 19:30", out("up-4", until="19:30")),
        ("up-2 severed, ETR 16:00", out("up-2", until="16:00")),
        ("up-3 is cut. Nothing gets over it, we expect the repair by 18:00.", out("up-3", until="18:00")),
        ("up-1 lost power; back by 16:00.", out("up-1", until="16:00")),
        ("We have lost up-2 to the storm", out("up-2")),
        ("up-3 should never carry more than 75 percent of its capacity", full(0.75, "up-3")),
        ("Don't load up-3 beyond 80 % of its capacity", full(0.8, "up-3")),
        ("up-3 and up-4 must not run hotter than 80 %", full(0.8, "up-3", "up-4")),
        (
            "up-3 can carry no more than 60 % of its capacity",
            {"context": {"maintenance": [{"link": "up-3", "capacity_factor": 0.6}]}},
        ),
        (
            "please don't let cell-1 or cell-2 get busier than 85 percent",
            {"constraints": [bound("utilisation_ratio", 0.85, cells=["cell-1", "cell-2"])]},
        ),
        (
            "embb at least 25 Mbps with a mean delay of 60 ms at most",
            {
                "constraints": [
                    bound("throughput_mbps", 25.0, "at_least", slices=["embb"]),
                    bound("delay_mean_ms", 60.0, slices=["embb"]),
                ]
            },
        ),
        (
            "embb traffic in the corridor grows by 45 %, in the hospital by 20 %",
            {
                "context": {
                    "surges": [
                        {"scope": {"slices": ["embb"], "zone": "corridor"}, "factor": 1.45},
                        {"scope": {"slices": ["embb"], "zone": "hospital"}, "factor": 1.2},
                    ]
                }
            },
        ),
        (
            "Corridor (the police keep calling):\n* urllc: delay at most 9 ms\n* embb: at least 15 Mbps",
            {
                "constraints": [
                    bound("delay_p99_ms", 9.0, slices=["urllc"], zone="corridor"),
                    bound("throughput_mbps", 15.0, "at_least", slices=["embb"], zone="corridor"),
                ]
            },
        ),
        ("urllc below 9 ms. Reason: crowd control.", {"constraints": [bound("delay_p99_ms", 9.0, slices=["urllc"])]}),
        ("relieve up-3, the corridor cameras keep stalling", full(0.9, "up-3")),
    ],
)
def test_read(spec: NetworkSpec, text: str, expected: dict[str, Any]) -> None:
    check(spec, text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L1 and L2 are near their limits. Both links at most 80 %.", full(0.8, "L1", "L2")),
        (
            "c101: guests max 30 % PRBs. c201: guests max 20 % PRBs. The two cells: utilisation at most 75 %.",
            {
                "constraints": [bound("utilisation_ratio", 0.75, cells=["c101", "c201"])],
                "limits": [
                    {"scope": {"slices": ["guests"], "cells": ["c101"]}, "max_share": 0.3, "resource": "prb"},
                    {"scope": {"slices": ["guests"], "cells": ["c201"]}, "max_share": 0.2, "resource": "prb"},
                ],
            },
        ),
    ],
)
def test_both_stands_for_the_two_that_were_named(text: str, expected: dict[str, Any]) -> None:
    check(network("campus"), text, expected)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("island", "relay up and down out for inspection", out("relay-up", "relay-down")),
        ("island", "leo-up/down damaged", out("leo-up", "leo-down")),
        ("island", "The sea cable is down in both directions", out("sea-cable-up", "sea-cable-down")),
        ("island", "keep the relay links below 70 %", full(0.7, "relay-up", "relay-down")),
        ("valley", "microwave-up is being repointed", out("microwave-up")),
    ],
)
def test_links_and_cells_of_one_family(name: str, text: str, expected: dict[str, Any]) -> None:
    check(network(name), text, expected)


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("campus", "Both cells under 80 % utilisation", "ambiguous_scope"),
        ("campus", "urllc: p99 delay at most 20 ms in the library", "unknown_slice"),
        ("harbour", "urllc: 20 % of the bandwidth on hub-A1", "missing_comparator"),
        ("island", "relay-north at half capacity until 16:00", "unknown_link"),
        ("poc-city", "iot-gold in the hospital: loss 1 % or less", "unknown_slice"),
        ("poc-city", "Ferry pier: embb min 100 Mbps", "unknown_zone"),
        ("poc-city", "Warm springs: utilisation of all cells at most 75 %", "unknown_zone"),
        ("poc-city", "Loss of urllc in the dental clinic: 1 % at most", "unknown_zone"),
    ],
)
def test_asked(name: str, text: str, code: str) -> None:
    questions = COMPILER.compile(text, network(name), NOW).questions.items
    assert code in {q.code for q in questions}


def test_one_of_a_slice_in_the_plural() -> None:
    mean = {"constraints": [bound("delay_mean_ms", 55.0, slices=["consumer"], zone="north-bank")]}
    check(network("capital"), "mean delay of the consumers on the north bank at most 55 ms", mean)
