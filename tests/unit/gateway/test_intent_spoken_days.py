"""Days in words: holidays, months, nights between two days, hours that were said before; dates of documents are no windows."""

from __future__ import annotations

import pytest
from intent_reading import codes, read, window

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec
from twm.gateway.intents.spoken_days import days_told


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("for the two coming hours", "", "11-25 12:30"),
        ("this week-end", "11-28 00:00", "11-30 00:00"),
        ("on New Year's Eve from 22:00 until 02:00", "12-31 22:00", "01-01 02:00"),
        ("from Christmas Eve to Boxing Day", "12-24 00:00", "12-27 00:00"),
        ("for the whole of January 2027", "01-01 00:00", "02-01 00:00"),
        ("from 1 January 2027 to 31 January 2027", "01-01 00:00", "02-01 00:00"),
        ("in December and January", "12-01 00:00", "02-01 00:00"),
        ("until March 2027", "", "03-01 00:00"),
        ("next week from Tuesday to Thursday", "12-01 00:00", "12-04 00:00"),
        ("this week from Thursday 06:00 until Friday 23:00", "11-26 06:00", "11-27 23:00"),
        ("in the night from Saturday to Sunday, 23:00-04:00", "11-28 23:00", "11-29 04:00"),
        ("in the night of 27 to 28 November, 22:00-05:00", "11-27 22:00", "11-28 05:00"),
        ("until: 26 November 12:00", "", "11-26 12:00"),
        ("starting at 14:00, and it will take three hours", "11-25 14:00", "11-25 17:00"),
        ("from 14:00, back at 16:00", "11-25 14:00", "11-25 16:00"),
    ],
)
def test_days_in_words(spec: NetworkSpec, said: str, start: str, end: str) -> None:
    assert window(spec, f"freeze fwa {said}") == (start, end)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("Race on Sunday from 8 am to 1 pm; keep urllc below 9 ms in those five hours.", "11-29 08:00", "11-29 13:00"),
        (
            "Embb needs 90 Mbps from 18:00 to 22:00 on Saturday, and urllc loss at most 1 % in the same hours.",
            "11-28 18:00",
            "11-28 22:00",
        ),
        (
            "Friday from 19:00 to 22:30 expect twice the embb traffic in the corridor because of the evening concert.",
            "11-27 19:00",
            "11-27 22:30",
        ),
        ("Letter of 12 October 2026: freeze fwa until Friday noon.", "", "11-27 12:00"),
        ("Board resolution 11/26: freeze fwa until Friday noon.", "", "11-27 12:00"),
        ("As per your mail of Monday, freeze fwa until noon.", "", "11-25 12:00"),
        ("It started an hour ago: freeze fwa until noon.", "", "11-25 12:00"),
    ],
)
def test_windows_of_the_right_words(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    assert window(spec, text) == (start, end)


@pytest.mark.parametrize(
    "text",
    [
        "While the beach festival is on, keep urllc below 9 ms in the corridor.",
        "As long as the wine fair is under way, keep urllc below 9 ms in the corridor.",
        "Keep urllc below 9 ms in the corridor while the night race lasts.",
    ],
)
def test_while_an_event_lasts(spec: NetworkSpec, text: str) -> None:
    found = read(spec, text)
    assert found.window.occasion == intent_pb2.OCCASION_EVENT
    assert found.context.event


@pytest.mark.parametrize(
    "said",
    ["one day next week", "early next week", "some evening this week", "on 20 December from 15:00 to 13:00 of the same day"],
)
def test_days_that_are_asked_about(spec: NetworkSpec, said: str) -> None:
    assert "ambiguous_window" in codes(spec, f"freeze fwa {said}")


def test_bounds_in_words_for_time() -> None:
    assert days_told("a delay until 40 ms") == "a delay up to 40 ms"
    assert days_told("freeze fwa until 18:00") == "freeze fwa until 18:00"
