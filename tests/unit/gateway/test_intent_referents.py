"""What "it", "its", "the same cells" stand for, what is left of a link, demand that is told, places that are none."""

from __future__ import annotations

from typing import Any

import pytest
from intent_reading import COMPILER, NOW

from twm.core.network import NetworkSpec
from twm_bench.language.atoms import compare, items_of, reference_of
from twm_bench.language.intents import network


def bound(kpi: str, value: float, comparator: str = "at_most", **scope: Any) -> dict[str, Any]:
    return {"kpi": kpi, "scope": scope, "comparator": comparator, "bound": value}


def full(value: float, **scope: Any) -> dict[str, Any]:
    return {"constraints": [bound("utilisation_ratio", value, **scope)]}


def work(capacity: float, *links: str) -> dict[str, Any]:
    return {"context": {"maintenance": [{"link": link, "capacity_factor": capacity} for link in links]}}


def grown(factor: float, *zones: str, slice_id: str = "embb") -> dict[str, Any]:
    return {"context": {"surges": [{"scope": {"slices": [slice_id], "zone": zone}, "factor": factor} for zone in zones]}}


def shares(*limits: dict[str, Any]) -> dict[str, Any]:
    return {"limits": list(limits)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up-4 is getting warm. Please keep it below 70 %.", full(0.7, links=["up-4"])),
        ("cell-3 and cell-5 were packed again. They must stay under 65 % utilisation.", full(0.65, cells=["cell-3", "cell-5"])),
        ("A lot is going on in the corridor. Keep it below 75 % utilisation.", full(0.75, zone="corridor")),
        (
            "up-4 has 60 % of its capacity left, its utilisation must not exceed 90 %",
            work(0.6, "up-4") | full(0.9, links=["up-4"]),
        ),
        (
            "up-4 worries me. embb should not hold more than half of its bandwidth.",
            shares({"scope": {"slices": ["embb"], "links": ["up-4"]}, "max_share": 0.5, "resource": "bandwidth"}),
        ),
        (
            "embb gets no more than half of the bandwidth on up-4, and fwa no less than a fifth of it",
            shares(
                {"scope": {"slices": ["embb"], "links": ["up-4"]}, "max_share": 0.5, "resource": "bandwidth"},
                {"scope": {"slices": ["fwa"], "links": ["up-4"]}, "min_share": 0.2, "resource": "bandwidth"},
            ),
        ),
        (
            "up-4 flaps. It is important that urllc stays below 9 ms.",
            {"constraints": [bound("delay_p99_ms", 9, slices=["urllc"])]},
        ),
        ("up-4 keeps blinking. Derate it to 30 % please.", work(0.3, "up-4")),
        ("up-4 lost its power supply. Treat it as dead.", work(0.0, "up-4")),
        (
            "pin embb at 30 % in cell-3 and cell-5 and freeze fwa in the same cells",
            shares(
                {"scope": {"slices": ["embb"], "cells": ["cell-3", "cell-5"]}, "min_share": 0.3, "max_share": 0.3},
                {"scope": {"slices": ["fwa"], "cells": ["cell-3", "cell-5"]}, "max_change": 0.0},
            ),
        ),
        (
            "we are short of room at cell-3. Cap embb at 40 % on this cell.",
            shares({"scope": {"slices": ["embb"], "cells": ["cell-3"]}, "max_share": 0.4}),
        ),
        (
            "Trouble with fwa at the corridor again. Loss there is to stay below 2 %, and mean delay below 40 ms.",
            {
                "constraints": [
                    bound("loss_ratio", 0.02, slices=["fwa"], zone="corridor"),
                    bound("delay_mean_ms", 40.0, slices=["fwa"], zone="corridor"),
                ]
            },
        ),
        (
            "Hospital: (a) urllc loses at most 1 %; (b) embb never under 20 Mbps; (c) cell utilisation not above 80 %.",
            {
                "constraints": [
                    bound("loss_ratio", 0.01, slices=["urllc"], zone="hospital"),
                    bound("throughput_mbps", 20.0, "at_least", slices=["embb"], zone="hospital"),
                    bound("utilisation_ratio", 0.8, zone="hospital"),
                ]
            },
        ),
        (
            "embb takes at most half of the radio in the corridor and fwa at least 12 %",
            shares(
                {"scope": {"slices": ["embb"], "zone": "corridor"}, "max_share": 0.5, "resource": "prb"},
                {"scope": {"slices": ["fwa"], "zone": "corridor"}, "min_share": 0.12, "resource": "prb"},
            ),
        ),
        ("Agreed: up-4 is to stay under 55 % utilisation", full(0.55, links=["up-4"])),
        (
            "fwa in the corridor: loss <= 1.5 %, same for the hospital",
            {
                "constraints": [
                    bound("loss_ratio", 0.015, slices=["fwa"], zone="corridor"),
                    bound("loss_ratio", 0.015, slices=["fwa"], zone="hospital"),
                ]
            },
        ),
        (
            "Cap embb at 30 % on up-4. The same goes for up-5.",
            shares(
                {"scope": {"slices": ["embb"], "links": ["up-4"]}, "max_share": 0.3, "resource": "bandwidth"},
                {"scope": {"slices": ["embb"], "links": ["up-5"]}, "max_share": 0.3, "resource": "bandwidth"},
            ),
        ),
        (
            "Mean delay of urllc: 4 ms tops. p99: 12 ms tops. Both in the hospital.",
            {
                "constraints": [
                    bound("delay_mean_ms", 4.0, slices=["urllc"], zone="hospital"),
                    bound("delay_p99_ms", 12.0, slices=["urllc"], zone="hospital"),
                ]
            },
        ),
        (
            "Everyone but fwa may lose 5 % at most; fwa not more than 0.4 %",
            {
                "constraints": [
                    bound("loss_ratio", 0.05, slices=["embb", "urllc"]),
                    bound("loss_ratio", 0.004, slices=["fwa"]),
                ]
            },
        ),
        ("up-2 to up-4 below 85 %", full(0.85, links=["up-2", "up-3", "up-4"])),
        (
            "Cap embb at a quarter on cell-3, I need room for the fwa boxes.",
            shares({"scope": {"slices": ["embb"], "cells": ["cell-3"]}, "max_share": 0.25}),
        ),
        (
            "Stay off fwa, I repeat, leave fwa exactly as it is",
            shares({"scope": {"slices": ["fwa"]}, "max_change": 0.0}),
        ),
        ("up-4 is our next bottleneck. 85 % fill is the ceiling.", full(0.85, links=["up-4"])),
        (
            "- embb loss: max 5 %\n- where: corridor",
            {"constraints": [bound("loss_ratio", 0.05, slices=["embb"], zone="corridor")]},
        ),
        ("up-4: utilisation 65 % or lower", full(0.65, links=["up-4"])),
        ("up-2, -3 and -4 below 85 %", full(0.85, links=["up-2", "up-3", "up-4"])),
        ("cell-3/5 below 70 %", full(0.7, cells=["cell-3", "cell-5"])),
        ("the corridor cells below 80 %", full(0.8, zone="corridor")),
        ("the link up-4 between N4 and N0 below 80 %", full(0.8, links=["up-4"])),
        (
            "embb loss below 2 % in the corridor, not at the hospital",
            {"constraints": [bound("loss_ratio", 0.02, slices=["embb"], zone="corridor")]},
        ),
        ("up-4 should be kept off the ceiling, i.e. at 88 % or less", full(0.88, links=["up-4"])),
        ("cap up-4 at 80% load", full(0.8, links=["up-4"])),
        ("Not one slice may lose more than 4 % at the hospital", {"constraints": [bound("loss_ratio", 0.04, zone="hospital")]}),
    ],
)
def test_spoken_of(spec: NetworkSpec, text: str, expected: dict[str, Any]) -> None:
    _holds(spec, text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up-4 is down to 250 of its 1000 Mbps", work(0.25, "up-4")),
        ("up-4: 400 out of 1000 Mbps remaining", work(0.4, "up-4")),
        ("up-4 keeps only 0.3 Gbps of its usual 1 Gbps, as its cabinet is moved", work(0.3, "up-4")),
        ("250 of the 1000 Mbps of up-4 are gone", work(0.75, "up-4")),
        ("up-4: assume 70 % remaining", work(0.7, "up-4")),
        ("up-4: capacity down by 20 %", work(0.8, "up-4")),
        ("up-4 stays stopped, for a change of the fibre", work(0.0, "up-4")),
        ("up-4 goes dark (fibre splice)", work(0.0, "up-4")),
        ("up-4 and down-4: both out of service, the repair takes until 19:00", work(0.0, "up-4", "down-4")),
        ("Ice on the mast: up-4 and down-4 are down to half their capacity", work(0.5, "up-4", "down-4")),
        ("The mast loses half its capacity: take up-4 and down-4 at 50 %", work(0.5, "up-4", "down-4")),
        ("INC-77120 up-4 failed, no ETA", work(0.0, "up-4")),
        ("ticket no. 4711: no traffic on up-4", work(0.0, "up-4")),
        (
            "Reserve fwa no less than half of the link bandwidth on up-4, and don't let up-4 fill beyond 92 %",
            shares({"scope": {"slices": ["fwa"], "links": ["up-4"]}, "min_share": 0.5, "resource": "bandwidth"})
            | full(0.92, links=["up-4"]),
        ),
        ("get up-4 below 0.9", full(0.9, links=["up-4"])),
    ],
)
def test_links_under_work(spec: NetworkSpec, text: str, expected: dict[str, Any]) -> None:
    _holds(spec, text, expected, windows=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("embb up 70 % in the corridor", grown(1.7, "corridor")),
        ("An increase of 35 % on embb is awaited in the corridor", grown(1.35, "corridor")),
        ("embb in the corridor to rise by 40 %", grown(1.4, "corridor")),
        ("embb in the corridor +120 %", grown(2.2, "corridor")),
        ("I expect embb to double in the corridor", grown(2.0, "corridor")),
        ("embb will want four times what it usually does in the corridor", grown(4.0, "corridor")),
        ("demand of embb is +40 % in the corridor and +25 % at the hospital", grown(1.4, "corridor") | grown(1.25, "hospital")),
        ("embb traffic in the corridor climbs by 60 %", grown(1.6, "corridor")),
    ],
)
def test_demand_told(spec: NetworkSpec, text: str, expected: dict[str, Any]) -> None:
    if " and " in text:
        expected = {"context": {"surges": [*grown(1.4, "corridor")["context"]["surges"], *expected["context"]["surges"]]}}
    _holds(spec, text, expected)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Raise embb by 20 % in the corridor", "missing_comparator"),
        ("v2x in the corridor: loss <= 1.5 %", "unknown_slice"),
        ("embb 100 Mbps in the corridor, 60 Mbps elsewhere", "unsupported_scope"),
        ("the first cell of the corridor below 80 %", "ambiguous_scope"),
        ("we want embb up 20 % in the corridor", "relative_bound"),
        ("no work on up-4 tonight", "no_goal"),
        ("the works on up-4 are cancelled", "no_goal"),
        ("up-4 has been above 90 % all day", "missing_comparator"),
        ("embb in the rose garden: 10 Mbps at least", "unknown_zone"),
        ("Utilisation of chairlift-down no higher than 70 %", "unknown_link"),
        ("drones: loss under 0.5 % in the corridor", "ambiguous_scope"),
        ("There was an accident: urllc delay at most 9 ms in it", "ambiguous_scope"),
    ],
)
def test_asked(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in {q.code for q in COMPILER.compile(text, spec, NOW).questions.items}


def test_each_word_of_a_name_misspelt() -> None:
    """ "contianer termnal": a slip in each word."""
    result = COMPILER.compile("Hold v2x delay under 20 ms in the contianer termnal", network("harbour"), NOW)
    assert "fuzzy_name" in {q.code for q in result.questions.items}


def _holds(spec: NetworkSpec, text: str, expected: dict[str, Any], *, windows: bool = True) -> None:
    result = COMPILER.compile(text, spec, NOW)
    assert result.HasField("spec"), [q.text for q in result.questions.items]
    wanted, found = items_of(expected), items_of(reference_of(result.spec, spec))
    right, count, total, wrong = compare(wanted, found)
    if not windows:
        wrong = [w for w in wrong if ".window." not in w]
        assert not wrong
        return
    assert right == count == total, wrong
