"""Windows as people say them: clock times, dates, spans of days; what fixes no moment is asked about."""

from __future__ import annotations

import datetime as dt

import pytest
from intent_reading import BERLIN, COMPILER, NOW

from twm.core.network import NetworkSpec


def window(spec: NetworkSpec, said: str) -> tuple[str, str]:
    result = COMPILER.compile(f"freeze fwa {said}", spec, NOW)
    assert result.HasField("spec"), [q.text for q in result.questions.items]
    found = result.spec.window
    ends = (found.start if found.HasField("start") else None, found.end if found.HasField("end") else None)
    stamps = ["" if end is None else f"{end.ToDatetime(dt.UTC).astimezone(BERLIN):%m-%d %H:%M}" for end in ends]
    return stamps[0], stamps[1]


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("from half past eight till a quarter to ten in the evening", "11-25 20:30", "11-25 21:45"),
        ("until half past four this afternoon", "", "11-25 16:30"),
        ("tomorrow from seven in the morning to one in the afternoon", "11-26 07:00", "11-26 13:00"),
        ("tomorrow between eight and ten in the morning", "11-26 08:00", "11-26 10:00"),
        ("between 11 at night and 4 in the morning", "11-25 23:00", "11-26 04:00"),
        ("from 3 pm to 7", "11-25 15:00", "11-25 19:00"),
        ("Friday 14:00 → 17:30", "11-27 14:00", "11-27 17:30"),
        ("from 0800 to 1730 hrs tomorrow", "11-26 08:00", "11-26 17:30"),
        ("from 2200 until 0600", "11-25 22:00", "11-26 06:00"),
        ("from 13.15 to 14.45", "11-25 13:15", "11-25 14:45"),
        ("22:00 UTC to 23:00 UTC", "11-25 23:00", "11-26 00:00"),
        ("tomorrow 22:00-23:30 CET", "11-26 22:00", "11-26 23:30"),
        ("from 2026-11-27T18:00Z to 2026-11-27T20:00Z", "11-27 19:00", "11-27 21:00"),
        ("on Saturday and Sunday", "11-28 00:00", "11-30 00:00"),
        ("from Monday through Wednesday", "11-30 00:00", "12-03 00:00"),
        ("27-29 November", "11-27 00:00", "11-30 00:00"),
        ("Sat 28 Nov 22:00 - Sun 29 Nov 06:00", "11-28 22:00", "11-29 06:00"),
        ("on Friday the 27th until noon", "", "11-27 12:00"),
        ("on the 5th from 10:00 to 12:00", "12-05 10:00", "12-05 12:00"),
        ("in the night from Friday to Saturday", "11-27 20:00", "11-28 06:00"),
        ("from Friday evening until Monday morning", "11-27 18:00", "11-30 06:00"),
        ("the day after tomorrow", "11-27 00:00", "11-28 00:00"),
        ("on Saturday next week", "12-05 00:00", "12-06 00:00"),
        ("tonight at eight for two hours", "11-25 20:00", "11-25 22:00"),
        ("for 2h30", "", "11-25 13:00"),
        ("for the next hour and a half", "", "11-25 12:00"),
        ("not before 18:00", "11-25 18:00", ""),
        ("in December", "12-01 00:00", "01-01 00:00"),
        ("on the 27th and 28th", "11-27 00:00", "11-29 00:00"),
        ("until 18:00 local time", "", "11-25 18:00"),
        ("until the end of the month", "", "12-01 00:00"),
    ],
)
def test_windows(spec: NetworkSpec, said: str, start: str, end: str) -> None:
    assert window(spec, said) == (start, end)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("from nine to eleven", "ambiguous_time"),
        ("Saturdays 10:00-12:00", "unsupported_recurrence"),
        ("over Christmas", "ambiguous_window"),
        ("on 05/12/2026", "ambiguous_window"),
        ("on the fifth or the sixth", "ambiguous_window"),
        ("Monday and Wednesday", "ambiguous_window"),
        ("until the end of the week", "ambiguous_window"),
        ("from 20:00 till closing time", "ambiguous_window"),
        ("until dusk", "ambiguous_window"),
        ("until then", "ambiguous_window"),
        ("until 18:00 Tokyo time", "ambiguous_window"),
        ("from 19:00 to 17:00 on Friday", "ambiguous_window"),
        ("tomorrow, 8 to 4", "ambiguous_time"),
    ],
)
def test_no_moment(spec: NetworkSpec, said: str, code: str) -> None:
    result = COMPILER.compile(f"freeze fwa {said}", spec, NOW)
    assert code in {q.code for q in result.questions.items}


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("Fire drill tomorrow evening. Keep urllc below 9 ms in the hospital.", "11-26 18:00", "11-26 23:00"),
        (
            "The parade takes place on Friday from 14:00 to 16:00. Keep urllc below 9 ms and embb below 30 ms in the corridor.",
            "11-27 14:00",
            "11-27 16:00",
        ),
        (
            "Fire drill on Friday, 14:00 to 16:00. In that time urllc needs 10 Mbps in the corridor and a loss of 1 % there.",
            "11-27 14:00",
            "11-27 16:00",
        ),
        (
            "Fire drill on Friday, 14:00 to 16:00. In those hours urllc needs 10 Mbps in the corridor; for the whole time embb "
            "must stay below 30 ms.",
            "11-27 14:00",
            "11-27 16:00",
        ),
        ("up-3 is down until 14:00; keep urllc below 9 ms until then.", "", "11-25 14:00"),
        ("Freeze fwa, and keep embb below 30 ms; all of this until Friday 18:00.", "", "11-27 18:00"),
        ("down-3 is being repaired tomorrow from 08:00 to 10:00; half of its capacity remains.", "11-26 08:00", "11-26 10:00"),
        ("Because the minister comes: on Friday from 14:00 to 16:00 keep urllc below 9 ms.", "11-27 14:00", "11-27 16:00"),
    ],
)
def test_one_window_of_all_that_is_said(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    result = COMPILER.compile(text, spec, NOW)
    assert result.HasField("spec"), [q.text for q in result.questions.items]
    found = result.spec.window
    ends = (found.start if found.HasField("start") else None, found.end if found.HasField("end") else None)
    assert tuple("" if e is None else f"{e.ToDatetime(dt.UTC).astimezone(BERLIN):%m-%d %H:%M}" for e in ends) == (start, end)
