"""Windows that lean on what was said before: "after that", "until then", "that day", "in the evening" of a day said before."""

from __future__ import annotations

import datetime as dt

import pytest
from intent_reading import BERLIN, codes, plain, read, window

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec


def ends(window: intent_pb2.Window) -> tuple[str, str]:
    """Clock times of both ends; "" where there is none."""
    told = (window.start if window.HasField("start") else None, window.end if window.HasField("end") else None)
    stamps = ["" if end is None else f"{end.ToDatetime(dt.UTC).astimezone(BERLIN):%H:%M}" for end in told]
    return stamps[0], stamps[1]


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("Saturday night into Sunday", "11-28 20:00", "11-29 06:00"),
        ("in the night to Saturday", "11-27 20:00", "11-28 06:00"),
        ("this evening, 7 to 9", "11-25 19:00", "11-25 21:00"),
        ("Friday afternoon, 1 to 3", "11-27 13:00", "11-27 15:00"),
        ("from 13:00, for not longer than three hours", "11-25 13:00", "11-25 16:00"),
        ("until the afternoon of the 29th", "", "11-29 12:00"),
        ("from the evening of 28 November", "11-28 18:00", ""),
        ("Fr 8-10h", "11-27 08:00", "11-27 10:00"),
        ("(27.11.2026, 9:00 Uhr bis 11:00 Uhr)", "11-27 09:00", "11-27 11:00"),
        ("on 4, 5 and 6 December", "12-04 00:00", "12-07 00:00"),
        ("during the next half hour", "", "11-25 11:00"),
        ("during the night shift, 22:00-06:00", "11-25 22:00", "11-26 06:00"),
        ("until 18:00 instead of 16:00", "", "11-25 18:00"),
        ("not before 14:00 and not after 18:00", "11-25 14:00", "11-25 18:00"),
        ("during the hour from 14:00", "11-25 14:00", "11-25 15:00"),
        ("2morrow b/w 15:00 and 17:00", "11-26 15:00", "11-26 17:00"),
        ("on the morning of 3 December", "12-03 06:00", "12-03 12:00"),
    ],
)
def test_spans_in_other_words(spec: NetworkSpec, said: str, start: str, end: str) -> None:
    assert window(spec, f"freeze fwa {said}") == (start, end)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("The convoy leaves at 16:20. Until then urllc needs 9 Mbps.", "", "11-25 16:20"),
        ("The convoy leaves at 16:20; up to that moment urllc needs 9 Mbps.", "", "11-25 16:20"),
        ("The frost comes tomorrow at 19:00. From then on urllc comes first.", "11-26 19:00", ""),
        ("We host the spring fair this weekend; for its duration embb needs 30 Mbps.", "11-28 00:00", "11-30 00:00"),
        ("Because the envoy lands on Friday at 14:00, keep urllc p99 below 9 ms all that day.", "11-27 00:00", "11-28 00:00"),
        ("On 2 December the envoy lands: freeze fwa from 9:00 to 11:00 that day.", "12-02 09:00", "12-02 11:00"),
        ("The fair is on Friday. In the evening embb needs at least 30 Mbps.", "11-27 18:00", "11-27 23:00"),
        ("Friday: embb at least 30 Mbps in the evening.", "11-27 18:00", "11-27 23:00"),
    ],
)
def test_windows_lean_on_what_was_said(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    assert window(spec, text) == (start, end)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("The jury sits tomorrow between 13:30 and 15:45. Keep urllc loss under 0.1 % then.", "11-26 13:30", "11-26 15:45"),
        (
            "Parade begins at 17:00: from an hour before it until 20:30 give embb 90 Mbps at least.",
            "11-25 16:00",
            "11-25 20:30",
        ),
        ("After the last lap all of them phone, so from 16:00 to 17:00 freeze fwa.", "11-25 16:00", "11-25 17:00"),
        ("Freeze fwa between 12:30 and 13:30 (lunch).", "11-25 12:30", "11-25 13:30"),
        ("Freeze fwa over Easter, 27 March 2027 08:00 to 29 March 2027 20:00.", "03-27 08:00", "03-29 20:00"),
        ("Freeze fwa in week 50.", "12-07 00:00", "12-14 00:00"),
        ("Freeze fwa in calendar week 2.", "01-11 00:00", "01-18 00:00"),
        ("The mast of up-3 was struck at 07:45, count it as out until 20:00.", "", "11-25 20:00"),
        ("Down-2 broke at 8:20. Assume it is down until noon tomorrow.", "", "11-26 12:00"),
        (
            "Gala, Friday 18:30 until 22:00. Embb: 60 Mbps at least. Fwa: 5 Mbps at least.",
            "11-27 18:30",
            "11-27 22:00",
        ),
        ("Tomorrow 07:00-11:00 (the dean calls): freeze fwa; urllc first; embb loss max 1 %.", "11-26 07:00", "11-26 11:00"),
    ],
)
def test_times_told_beside_other_words(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    assert window(spec, text) == (start, end)


def test_a_place_and_times_before_a_colon_hold_for_all_of_it(spec: NetworkSpec) -> None:
    said = plain(spec, "Hospital, Friday 17:00-20:00 (drill): embb min 40 Mbps; urllc p99 max 9 ms.")
    assert {item["scope"]["zone"] for item in said["constraints"]} == {"hospital"}
    assert "start" in said["window"]


def test_an_event_with_its_times_keeps_its_name(spec: NetworkSpec) -> None:
    said = plain(spec, "Hold all SLAs during our inspection on 3 December, 08:00-15:00.")
    assert said["context"]["event"] == "inspection"
    assert "occasion" not in said["window"]


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("Until 15:00 keep embb below 30 % of the PRBs, after that below 50 %.", [("", "15:00"), ("15:00", "")]),
        ("From 12:00 to 15:00 give fwa 5 Mbps or more; afterwards 9 Mbps or more.", [("12:00", "15:00"), ("15:00", "")]),
        ("Today fwa needs 5 Mbps in the afternoon and 9 Mbps in the evening.", [("12:00", "18:00"), ("18:00", "23:00")]),
    ],
)
def test_one_window_after_the_other(spec: NetworkSpec, text: str, windows: list[tuple[str, str]]) -> None:
    said = read(spec, text)
    assert [ends(item.window) for item in (*said.constraints, *said.limits)] == windows


@pytest.mark.parametrize(
    "text",
    [
        "Freeze fwa today, and then again on Friday.",
        "Cap embb at 30 % of the PRBs for tomorrow's day shift.",
        "Except between 14:00 and 18:00, cap embb at 30 % of the PRBs.",
        "Freeze fwa first thing tomorrow.",
        "Freeze fwa in the last hour of today.",
        "Freeze fwa over the first weekend of December.",
        "Urllc delay below 9 ms by tomorrow evening.",
        "Save 10 % of the cost overnight, but from 06:00 hold the SLAs.",
        "From an hour before kick-off until 23:00 embb gets 90 Mbps.",
        "The frost comes tomorrow at 18:00 and passes by Friday noon. In between urllc comes first.",
    ],
)
def test_windows_that_are_not_fixed_are_asked_about(spec: NetworkSpec, text: str) -> None:
    assert "ambiguous_window" in codes(spec, text)


def test_hours_of_two_days_come_again(spec: NetworkSpec) -> None:
    assert "unsupported_recurrence" in codes(spec, "Embb: 90 Mbps, 11:00-13:00 on Saturday and Sunday.")


def test_an_order_of_slices_is_no_order_of_times(spec: NetworkSpec) -> None:
    objective = plain(spec, "Urllc first, after that fwa, then embb.")["objective"]
    assert objective == plain(spec, "urllc over fwa over embb")["objective"]
