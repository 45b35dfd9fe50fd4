"""The number check: what stands in the facts passes however it is written, and nothing else does."""

from __future__ import annotations

import pytest

from twm.gateway.explain.facts import Fact, Facts
from twm.gateway.explain.numbers import MAX_TEXT, check_numbers
from twm.gateway.explain.rounding import UNITS, number, write, write_apart

FACTS = Facts(
    numbers=(
        Fact("step", 118, "step"),
        Fact("horizon", 12, "steps"),
        Fact("interval", 0.9, "ratio"),
        Fact("failed", 2, "count"),
        Fact("urllc.delay", 14.237, "ms", frozenset(("urllc",))),
        Fact("urllc.delay.low", 9.81, "ms", frozenset(("urllc",))),
        Fact("urllc.delay.high", 19.06, "ms", frozenset(("urllc",))),
        Fact("urllc.delay.change", -4.7, "ms", frozenset(("urllc",)), is_change=True),
        Fact("embb.loss", 0.1234, "ratio", frozenset(("embb",))),
        Fact("embb.loss.change", 0.021, "points", frozenset(("embb",)), is_change=True),
        Fact("embb.served", 1234.5, "Mbps", frozenset(("embb",))),
        Fact("fwa.share", 0.5, "share", frozenset(("fwa", "hospital"))),
        Fact("scm", 0.4187, "scm"),
        Fact("scm.change", -0.031, "scm", is_change=True),
        Fact("violation", 0.0004, "probability"),
        Fact("age", 90.0, "s"),
    ),
    names=frozenset(("urllc", "embb", "fwa", "hospital", "cell-3", "up-1", "poc-city/118", "cem:7", "poc-city-4", "N5")),
    subjects=frozenset(("urllc", "embb", "fwa", "hospital", "cell-3", "up-1")),
    quotes=("shares: largest change 0.62, bound <= 0.5001",),
    times=frozenset(("2026-11-22T10:15:00Z", "10:15")),
)


@pytest.mark.parametrize(
    "text",
    [
        "urllc p99 delay is 14.2 ms.",
        "urllc p99 delay is 14.24 milliseconds, at best 9.8 ms and at worst 19.1 ms.",
        "urllc delay 14.2 ms (9.8 to 19.1 ms).",
        "urllc delay lies between 9.8 and 19.1 ms.",
        "urllc delay 9.8-19.1 ms.",
        "urllc delay of 14,237 us",
        "The urllc delay falls by 4.7 ms.",
        "The urllc delay changes by -4.7 ms.",
        "embb loss 12.3 %, embb loss 12.34 percent, embb loss of 0.1234",
        "embb loss rises by 2.1 percentage points.",
        "embb is served 1,234.5 Mbps, or 1.23 Gbps.",
        "fwa has half of the PRBs in hospital.",
        "Half a share: fwa gets 50 %.",
        "SCM 0.419 and then SCM 0.42.",
        "SCM drops by 0.031.",
        "Some SLA breaks with probability 0.0 %.",
        "The plan of step 118 covers twelve slow steps; two checks failed.",
        "It holds for 12 steps, 1.5 minutes after it was made (90 s).",
        "cem:7 moved cell-3 and up-1 (proposal poc-city/118, model poc-city-4) behind N5.",
        "At 10:15, more exactly 2026-11-22T10:15:00Z, with 90 % intervals.",
        "It said: shares: largest change 0.62, bound <= 0.5001.",
        "No number here at all.",
        "",
    ],
)
def test_what_the_facts_say_passes(text: str) -> None:
    assert check_numbers(text, FACTS).findings == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("urllc delay is 15.2 ms.", "not_in_facts"),  # invented
        ("urllc delay is 14.3 ms.", "not_in_facts"),  # rounded the wrong way
        ("urllc delay is about 20 ms.", "not_in_facts"),
        ("urllc delay is about 9 ms.", "not_in_facts"),
        ("urllc delay is 14.2 s.", "other_unit"),
        ("urllc delay is 14.2.", "other_unit"),
        ("urllc delay is 14.2 %.", "other_unit"),
        ("embb loss is 0.1234 %.", "not_in_facts"),
        ("embb loss is 12.3.", "not_in_facts"),
        ("embb loss is 12.3 points.", "other_unit"),
        ("embb loss rises by 2.1 %.", "other_unit"),
        ("embb delay is 14.2 ms.", "other_subject"),
        ("urllc loss is 12.3 %.", "other_subject"),
        ("The urllc delay rises by 4.7 ms.", "direction"),
        ("The urllc delay is +4.7 ms.", "not_in_facts"),
        ("embb loss falls by 2.1 points.", "direction"),
        ("SCM rises by 0.031.", "direction"),
        ("SCM is 0.", "too_coarse"),
        ("SCM is 0.4.", "too_coarse"),
        ("SCM is -0.419.", "not_in_facts"),
        ("embb is served 1.2 Mbps.", "not_in_facts"),
        ("embb is served 1235 kbps.", "not_in_facts"),
        ("It covers thirteen slow steps.", "not_in_facts"),
        ("Three checks failed.", "not_in_facts"),
        ("The delay doubles.", "vague_word"),
        ("A third of the PRBs.", "vague_word"),
        ("Hundreds of users.", "vague_word"),
        ("The plan of step 119.", "not_in_facts"),
        ("118 users.", "other_unit"),
        ("It moves cell-12.", "unknown_name"),
        ("It moves N6.", "unknown_name"),
        ("Proposal poc-city/119 holds.", "unknown_name"),
        ("Model poc-city-5 answered.", "unknown_name"),
        ("At 10:16 it began.", "date"),
        ("On 2026-11-23 it began.", "date"),
        ("On 3 March it began.", "date"),
        ("Since 4 pm.", "date"),
        ("It costs $14.2.", "unknown_name"),
        ("SINR 14.2 dB.", "unknown_unit"),
        ("It is 2x better.", "unknown_unit"),
        ("urllc delay is １４.２ ms.", "script"),
        ("urllc delay is ١٤ ms.", "script"),
        ("Loss falls by ½.", "script"),
        ("10² users.", "script"),
        ("Phase II begins.", "roman"),
        ("urllc delay 14.2 ± 0.3 ms", "sign"),
        ("urllc delay is 1.4237e1 s.", "other_unit"),
        ("bound <= 0.5001", "not_in_facts"),
    ],
)
def test_everything_else_is_named(text: str, reason: str) -> None:
    assert reason in [finding.reason for finding in check_numbers(text, FACTS).findings]


def test_what_was_cited_is_told() -> None:
    assert check_numbers("urllc delay 14.2 ms, SCM 0.419", FACTS).cited == ("urllc.delay", "scm")


def test_a_text_too_long_is_not_read() -> None:
    assert [f.reason for f in check_numbers("1 " * MAX_TEXT, FACTS).findings] == ["too_long"]


def test_each_wrong_number_among_right_ones_is_found() -> None:
    found = check_numbers("urllc delay 14.2 ms (9.8 to 19.2 ms), SCM 0.419, embb loss 12.4 %", FACTS)
    assert [f.text for f in found.findings] == ["19.2 ms", "12.4 %"]


@pytest.mark.parametrize("unit", list(UNITS))
@pytest.mark.parametrize("value", [0.0, -0.0, 1e-9, 0.04999, 0.05, 0.123456, 0.999999, 3.0, 17.35, 118.0])
def test_what_the_house_writes_is_found_again(unit: str, value: float) -> None:
    if unit in ("step", "steps", "count"):
        value = float(round(value))
    facts = Facts((Fact("f", value, unit),), frozenset(), frozenset())
    text = write(value, unit) + (" steps" if unit == "steps" else "")
    assert check_numbers(f"step {text}." if unit == "step" else f"It is {text}.", facts).ok


def test_numbers_are_written_with_sign_and_without_minus_zero() -> None:
    assert number(-0.0001, "scm") == "0.000"
    assert write(-0.031, "scm", signed=True) == "-0.031"
    assert write(0.021, "points", signed=True) == "+2.1 points"
    assert write_apart(0.4187, 0.41862, "scm") == ("0.4187", "0.4186")
