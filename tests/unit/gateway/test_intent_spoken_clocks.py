"""Times of day in words, and which statements the windows of a sentence hold for."""

from __future__ import annotations

import pytest
from intent_reading import codes, read, window

from twm.core.network import NetworkSpec
from twm.gateway.intents.spoken_clocks import clocks_told


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("until sixteen thirty", "", "11-25 16:30"),
        ("from fourteen hundred to seventeen fifteen", "11-25 14:00", "11-25 17:15"),
        ("from oh six hundred to oh eight thirty", "11-26 06:00", "11-26 08:30"),
        ("from ten past one to twenty to four in the morning", "11-26 01:10", "11-26 03:40"),
        ("from 8:30 to 9:15 in the evening", "11-25 20:30", "11-25 21:15"),
        ("between the 1st and the 15th of December", "12-01 00:00", "12-16 00:00"),
        ("from 30/11 to 02/12", "11-30 00:00", "12-03 00:00"),
        ("on the twenty-sixth of November", "11-26 00:00", "11-27 00:00"),
    ],
)
def test_times_in_words(spec: NetworkSpec, said: str, start: str, end: str) -> None:
    assert window(spec, f"freeze fwa {said}") == (start, end)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("until half seven tonight", "ambiguous_window"),
        ("in the first half of December", "ambiguous_window"),
        ("between 18:00 and 20:00 each of the next two days", "unsupported_recurrence"),
        ("on workdays", "unsupported_recurrence"),
    ],
)
def test_times_that_are_asked_about(spec: NetworkSpec, said: str, code: str) -> None:
    assert code in codes(spec, f"freeze fwa {said}")


@pytest.mark.parametrize("text", ["at least sixteen hundred megabit", "from sixteen to twenty percent", "one half of it"])
def test_figures_are_no_times(text: str) -> None:
    assert clocks_told(text) == text


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("Save energy tomorrow from 10:00 to 12:00 without cell-3 rising above 80 % load.", "11-26 10:00", "11-26 12:00"),
        ("Save energy tomorrow from 10:00 to 12:00 while keeping urllc below 9 ms.", "11-26 10:00", "11-26 12:00"),
        ("Tonight at 23:45 the track works begin and run to 04:15: up-3 and down-3 are down.", "11-25 23:45", "11-26 04:15"),
        ("During the card swap, up-4 is out of service tomorrow from 01:00 to 04:30.", "11-26 01:00", "11-26 04:30"),
        ("Embb p99 below 30 ms; urllc p99 below 9 ms. All of it until 18:00.", "", "11-25 18:00"),
        ("The minister comes on Thursday. Keep urllc below 9 ms in the corridor all day.", "11-26 00:00", "11-27 00:00"),
        (
            "Since the inspectors come on Thursday, keep urllc below 9 ms and embb loss below 2 % the whole day.",
            "11-26 00:00",
            "11-27 00:00",
        ),
        (
            "On Saturday is the harvest concert in the corridor: expect three times the demand there, from 17:00 to 23:30.",
            "11-28 17:00",
            "11-28 23:30",
        ),
        (
            "Night setback: from 00:30 to 04:30 tonight save 30 %, while urllc in the corridor keeps a loss of 5 % or less.",
            "11-26 00:30",
            "11-26 04:30",
        ),
    ],
)
def test_one_window_for_all(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    assert window(spec, text) == (start, end)
    assert not read(spec, text).window.occasion
