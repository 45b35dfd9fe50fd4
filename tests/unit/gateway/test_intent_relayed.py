"""Relayed wishes and academic prose: the frames say nothing, what they hold counts."""

from __future__ import annotations

import time

import pytest
from intent_reading import BERLIN, COMPILER, NOW

from twm.core.network import NetworkSpec
from twm.gateway.intents.relayed import plainly
from twm.gateway.intents.told import told


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "The clinic director would be most grateful if urllc could be kept below 9 ms in the hospital.",
            ["p99 delay of urllc in zone hospital at most 9 ms"],
        ),
        (
            "What the tram people want, as far as I could follow, is that embb in the corridor stays under 40 ms.",
            ["p99 delay of embb in zone corridor at most 40 ms"],
        ),
        (
            "The matron tells me that the monitors keep freezing, so please see to it that urllc stays under 9 ms.",
            ["p99 delay of urllc at most 9 ms"],
        ),
        ("All they ask for is 120 Mbps for embb in the corridor.", ["throughput of embb in zone corridor at least 120 Mbps"]),
        (
            "The ward manager, who has been waiting since noon, wants urllc under 9 ms at the hospital.",
            ["p99 delay of urllc in zone hospital at most 9 ms"],
        ),
        ("The links up-1 and up-2, through which the ring is closed, have failed.", ["link up-1 down", "link up-2 down"]),
        ("It is required that the loss of embb be bounded from above by 2 %.", ["loss of embb at most 2 %"]),
        (
            "Let the PRB share of fwa be bounded below by 0.2 and above by 0.4.",
            ["PRB share of fwa at least 20 %", "PRB share of fwa at most 40 %"],
        ),
        ("The allocation of fwa shall remain unaltered.", ["no change of the share of fwa"]),
        (
            "Keep urllc below 9 ms in the hospital, otherwise the alarms come too late.",
            ["p99 delay of urllc in zone hospital at most 9 ms"],
        ),
        ("urllc must lose at most 1 %, in the hospital just as everywhere else.", ["loss of urllc at most 1 %"]),
        ("embb must stay below 30 ms anywhere in the town.", ["p99 delay of embb at most 30 ms"]),
        ("up-3 lost one of its two fibres and still carries 70 % of its capacity.", ["link up-3 at 70 % of its capacity"]),
        (
            "Expect 50 % more embb traffic and 20 % more fwa traffic in the corridor.",
            [
                "expect 1.5 times the usual demand of embb in zone corridor",
                "expect 1.2 times the usual demand of fwa in zone corridor",
            ],
        ),
        (
            "Expect 50 % more embb traffic everywhere and 20 % more fwa traffic in the corridor.",
            [
                "expect 1.5 times the usual demand of embb",
                "expect 1.2 times the usual demand of fwa in zone corridor",
            ],
        ),
        (
            "Freeze urllc in the hospital and reserve 35 % of the link bandwidth for it on up-3.",
            ["no change of the share of urllc in zone hospital", "bandwidth share of urllc in links up-3 at least 35 %"],
        ),
        ("up-2 lost 30 % of its capacity.", ["link up-2 at 70 % of its capacity"]),
        ("Three times as many embb in the corridor as usual.", ["expect 3 times the usual demand of embb in zone corridor"]),
        (
            "urllc, which must not be touched, needs 20 % at least.",
            ["no change of the share of urllc", "share of urllc at least 20 %"],
        ),
    ],
)
def test_frames_say_nothing(spec: NetworkSpec, text: str, lines: list[str]) -> None:
    result = COMPILER.compile(text, spec, NOW)
    assert result.HasField("spec"), [q.text for q in result.questions.items]
    assert told(result.spec, spec, BERLIN) == lines


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The pilots would be obliged if the drones slice were kept below 15 ms.", "ambiguous_scope"),
        ("Keep embb below 40 ms, as the manager said, if it rains.", "unsupported_condition"),
        ("What they want is that embb is better in the corridor.", "no_goal"),
        ("Freeze them in the corridor.", "ambiguous_scope"),
        ("In the hospital or perhaps the corridor urllc must stay below 9 ms.", "ambiguous_scope"),
        ("embb may lose up to 4 ms of its packets.", "unit_mismatch"),
        ("embb in the bakery: delay at most 20 ms.", "unknown_zone"),
    ],
)
def test_what_a_frame_holds_is_still_asked_about(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in {q.code for q in COMPILER.compile(text, spec, NOW).questions.items}


@pytest.mark.parametrize("piece", ["would be so if ", "what he he he needs, ", ", who a, ", ", as the b", "bounded above by "])
def test_hostile_prose_is_put_plainly_in_bounded_time(piece: str) -> None:
    text = (piece * 500)[:2000]
    start = time.process_time()
    assert len(plainly(text)) <= len(text)
    assert time.process_time() - start < 0.5
