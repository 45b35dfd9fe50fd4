"""Windows in forms of speech and of standards; what fixes no moment is asked about and never dropped."""

from __future__ import annotations

import pytest
from intent_reading import COMPILER, NOW, window

from twm.core.network import NetworkSpec
from twm.gateway.intents.spoken_times import timed


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("for PT2H", "", "11-25 12:30"),
        ("from now for PT1H30M", "", "11-25 12:00"),
        ("for P1D", "", "11-26 10:30"),
        ("2026-11-26T08:00Z/2026-11-26T10:00Z", "11-26 09:00", "11-26 11:00"),
        ("2026-11-26T08:00:00+01:00/PT2H", "11-26 08:00", "11-26 10:00"),
        ("until EOD", "", "11-26 00:00"),
        ("until the end of 31 Dec", "", "01-01 00:00"),
        ("until the end of Friday", "", "11-28 00:00"),
        ("through the end of Friday", "", "11-28 00:00"),
        ("through 30 November", "", "12-01 00:00"),
        ("up to and including Friday", "", "11-28 00:00"),
        ("until 30 November inclusive", "", "12-01 00:00"),
        ("through the end of the year", "", "01-01 00:00"),
        ("until the lorry from Hamburg leaves at 14:30", "", "11-25 14:30"),
        ("between now and 18:00", "", "11-25 18:00"),
        ("now to 18:00", "", "11-25 18:00"),
        ("tomorrow from ten pm to a quarter to six the next morning", "11-26 22:00", "11-27 05:45"),
        ("from 11:00 until 12:00 the following day", "11-25 11:00", "11-26 12:00"),
        ("22:00-06:00 (+1)", "11-25 22:00", "11-26 06:00"),
        ("from Sat 08:00 through Sun 20:00", "11-28 08:00", "11-29 20:00"),
        ("Fri 22:00 -> Mon 05:00", "11-27 22:00", "11-30 05:00"),
        ("from Friday, 22:00, to Monday, 05:00", "11-27 22:00", "11-30 05:00"),
        ("27 Nov 2200 - 28 Nov 0500", "11-27 22:00", "11-28 05:00"),
        ("1700-1900", "11-25 17:00", "11-25 19:00"),
        ("17:00-19:00 (UTC)", "11-25 18:00", "11-25 20:00"),
        ("(26.11., 08:00-10:00)", "11-26 08:00", "11-26 10:00"),
        ("until 30.11.", "", "11-30 00:00"),
        ("which expires at 20:00", "", "11-25 20:00"),
        ("start: 18:00, end: 20:00", "11-25 18:00", "11-25 20:00"),
        ("for a maximum of two hours", "", "11-25 12:30"),
        ("for 2 more hours", "", "11-25 12:30"),
        ("until two hours from now", "", "11-25 12:30"),
        ("as of Monday", "11-30 00:00", ""),
        ("tomorrow late afternoon", "11-26 12:00", "11-26 18:00"),
        ("from noon to two", "11-25 12:00", "11-25 14:00"),
        ("from 7 p.m. today through 5 a.m. tomorrow", "11-25 19:00", "11-26 05:00"),
        ("tonight from ten to five", "11-25 22:00", "11-26 05:00"),
        ("for two days starting tomorrow", "11-26 00:00", "11-28 00:00"),
        ("from now till 6am", "", "11-26 06:00"),
        ("18:00 PST to 20:00 PST", "11-26 03:00", "11-26 05:00"),
        ("from Thursday 0800 until Friday 1000", "11-26 08:00", "11-27 10:00"),
        ("between 1 and 15 December", "12-01 00:00", "12-16 00:00"),
        ("for 1:30 h", "", "11-25 12:00"),
        ("18:00 (2h)", "11-25 18:00", "11-25 20:00"),
        ("until 2027", "", "01-01 00:00"),
        ("during the next two hours", "", "11-25 12:30"),
    ],
)
def test_forms_of_times(spec: NetworkSpec, said: str, start: str, end: str) -> None:
    assert window(spec, f"freeze fwa {said}") == (start, end)


@pytest.mark.parametrize(
    "said",
    [
        "for the next couple of hours",
        "for an hour or two",
        "for one to two hours",
        "the Friday after next",
        "in a fortnight",
        "for the rest of the shift",
        "until the ship leaves",
        "for two hours on Friday",
        "from 9:00 to 11:00 and from 15:00 to 17:00",
    ],
)
def test_times_that_fix_no_moment_are_asked_about(spec: NetworkSpec, said: str) -> None:
    result = COMPILER.compile(f"freeze fwa {said}", spec, NOW)
    assert [q.code for q in result.questions.items] == ["ambiguous_window"]


@pytest.mark.parametrize(
    "text",
    [
        "the clinic has complained for the third time this week, keep urllc loss in the hospital below 0.5 %",
        "they have been on to me all day, keep urllc loss in the hospital below 0.5 %",
        "they rang twice today, keep urllc loss in the hospital below 0.5 %",
        "keep urllc loss in the hospital below 0.5 % 24/7",
    ],
)
def test_times_of_reasons_are_no_window(spec: NetworkSpec, text: str) -> None:
    assert window(spec, text) == ("", "")


def test_figures_are_no_times() -> None:
    for text in ("loss below 0.5 %", "demand of 1200 to 1500 kbps", "utilisation within 26.11.", "PT100 sensor"):
        assert timed(text) == text


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("keep urllc p99 below 9 ms in the hospital. That holds until Friday 18:00.", "", "11-27 18:00"),
        ("keep urllc p99 below 9 ms in the hospital. Valid from 18:00 to 20:00.", "11-25 18:00", "11-25 20:00"),
        ("keep urllc p99 below 9 ms in the hospital and freeze fwa. Both until 18:00.", "", "11-25 18:00"),
        (
            "the minister visits the hospital tomorrow 9:00-12:00. keep urllc loss below 0.1 % there",
            "11-26 09:00",
            "11-26 12:00",
        ),
        ("tomorrow 11:20-12:05 a long convoy passes; do not touch urllc in the hospital", "11-26 11:20", "11-26 12:05"),
        ("until 18:00, keep urllc p99 below 9 ms in the hospital; freeze fwa", "", "11-25 18:00"),
    ],
)
def test_windows_said_in_another_sentence(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    assert window(spec, text) == (start, end)


@pytest.mark.parametrize(
    "text",
    [
        "I will be out of the office until Friday. Keep urllc loss in the hospital below 0.5 %",
        "Keep urllc loss in the hospital below 0.5 %. It will rain until Friday.",
        "As discussed on Monday, keep urllc loss in the hospital below 0.5 %",
        "The night team complained, so keep urllc loss in the hospital below 0.5 %",
        "Since Monday people complain; keep urllc loss in the hospital below 0.5 %",
        "After the trouble with the mast yesterday, keep urllc loss in the hospital below 0.5 %",
    ],
)
def test_times_of_other_things_are_no_window(spec: NetworkSpec, text: str) -> None:
    assert window(spec, text) == ("", "")


def test_a_bare_hour_is_asked_about(spec: NetworkSpec) -> None:
    result = COMPILER.compile("give urllc at least 15 % of the PRBs tomorrow starting at seven", spec, NOW)
    assert [q.code for q in result.questions.items] == ["ambiguous_time"]


def test_hours_of_several_days_are_asked_about(spec: NetworkSpec) -> None:
    for said in ("Mon-Fri 9:00-17:00", "Saturday and Sunday from 9:00 to 17:00"):
        result = COMPILER.compile(f"freeze fwa {said}", spec, NOW)
        assert [q.code for q in result.questions.items] == ["unsupported_recurrence"]
