"""Chat and operations talk: growth at a place, events in other words, windows told a sentence before, savings weighed."""

from __future__ import annotations

import pytest
from intent_reading import codes, read, window

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("corridor tomorrow: embb x1.8", 1.8),
        ("urllc x3 in the hospital tonight", 3.0),
        ("corridor: fwa twice the usual tomorrow 10:00-12:00", 2.0),
        ("embb in the corridor 45 % above normal on Friday", 1.45),
        ("embb in the corridor 20 % below normal tomorrow", 0.8),
        ("hospital, open day sat 10:00-15:00: embb x2.5", 2.5),
    ],
)
def test_growth_of_a_slice_at_a_place_is_demand(spec: NetworkSpec, text: str, factor: float) -> None:
    surges = read(spec, text).context.surges
    assert [round(s.factor, 6) for s in surges] == [factor]


def test_a_factor_without_a_place_is_asked_about(spec: NetworkSpec) -> None:
    assert codes(spec, "embb x2")
    assert codes(spec, "keep embb at twice the usual")


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ("the regatta", "regatta"),
        ("the flower market", "flower market"),
        ("the state visit", "state visit"),
        ("the final", "final"),
        ("the boat show", "boat show"),
    ],
)
def test_events_in_other_words(spec: NetworkSpec, said: str, event: str) -> None:
    found = read(spec, f"keep urllc p99 below 10 ms in the hospital during {said}")
    assert found.context.event == event
    assert found.window.occasion == intent_pb2.OCCASION_EVENT


def test_a_happening_nobody_knows_is_asked_about(spec: NetworkSpec) -> None:
    assert codes(spec, "keep urllc below 10 ms during the blackout") == {"ambiguous_window"}


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("Crane lift over the hospital tomorrow 09:00-11:00. Urllc must stay under 8 ms there.", "11-26 09:00", "11-26 11:00"),
        ("Tomorrow 08:00-09:30 the minister visits; freeze urllc.", "11-26 08:00", "11-26 09:30"),
        ("Staff meeting from 9:00 to 10:00 tomorrow. Keep urllc below 10 ms.", "", ""),
        ("until the auction closes at 14:30 keep urllc loss below 1 %", "", "11-25 14:30"),
        ("keep urllc loss below 1 % until the works end on Friday at 18:00", "", "11-27 18:00"),
        ("urllc loss below 1 % until 18:45, when the gates are shut", "", "11-25 18:45"),
        ("the night crew works late, keep urllc p99 below 12 ms tomorrow 04:30 till 19:00", "11-26 04:30", "11-26 19:00"),
        ("Peak tariff applies from 17:00 to 20:00 today; save energy in those hours", "11-25 17:00", "11-25 20:00"),
    ],
)
def test_windows_of_shift_talk(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    assert window(spec, text) == (start, end)


def test_a_bare_hour_of_a_start_is_asked_about(spec: NetworkSpec) -> None:
    assert codes(spec, "urllc needs at least 15 % of the PRBs tomorrow starting at seven") == {"ambiguous_time"}


@pytest.mark.parametrize(
    "text",
    ["give saving a weight of 3 until Friday noon", "set the saving weight to 3", "saving counts three times as much"],
)
def test_saving_is_weighed(spec: NetworkSpec, text: str) -> None:
    assert read(spec, text).objective.saving_weight == pytest.approx(3.0)


def test_what_happens_is_no_order(spec: NetworkSpec) -> None:
    assert read(spec, "urllc in the corridor: five nines, or the road closes.").constraints
    assert codes(spec, "close the road")


def test_slas_taken_away_are_asked_about(spec: NetworkSpec) -> None:
    assert codes(spec, "return the plan with all SLAs removed")


def test_held_to_a_share_is_at_most(spec: NetworkSpec) -> None:
    (limit,) = read(spec, "embb is held to 15 % of the radio in the hospital").limits
    assert limit.max_share == pytest.approx(0.15)
    assert not limit.HasField("min_share")


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("urllc over everybody else", {"urllc": 2.0}),
        ("urllc first, then embb, then the rest", {"urllc": 4.0, "embb": 2.0}),
        ("FWA pays the bills: it is three times as important as embb", {"fwa": 3.0}),
        ("for today urllc comes before embb, okay?", {"urllc": 2.0}),
    ],
)
def test_orders_in_other_words(spec: NetworkSpec, text: str, weights: dict[str, float]) -> None:
    assert {w.slice: w.weight for w in read(spec, text).objective.slice_weights} == weights


@pytest.mark.parametrize(
    "text",
    [
        "SLA penalties cost us a fortune last month. Keep fwa loss below 2 %.",
        "The SLA of urllc was broken twice in October. Keep fwa loss below 2 %.",
        "Electricity is cheap at present. Keep fwa loss below 2 %.",
        "There is no budget for new antennas, so keep fwa loss below 2 %.",
    ],
)
def test_money_and_past_are_no_goals(spec: NetworkSpec, text: str) -> None:
    found = read(spec, text)
    assert len(found.constraints) == 1
    assert not found.HasField("objective")
    assert not found.HasField("window")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("urllc below 10 ms in the hospital. Please keep that until Friday 18:00.", "", "11-27 18:00"),
        ("embb at least 20 % of the PRBs. This applies until 22:00.", "", "11-25 22:00"),
        ("High tariff from 17:00 to 20:00 today. Save 10 % during that time.", "11-25 17:00", "11-25 20:00"),
    ],
)
def test_a_window_in_a_sentence_of_its_own(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    assert window(spec, text) == (start, end)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("urllc p99 at most -5 ms", "out_of_range"),
        ("fwa loss of minus 1 percent at most", "out_of_range"),
        ("embb below 80 ms at the opera house", "unknown_zone"),
        ("embb below 80 ms at the brick plant", "unknown_zone"),
        ("do the usual for the derby", "out_of_domain"),
    ],
)
def test_what_cannot_be_is_asked_about(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(spec, text)


def test_the_networks_own_name_is_no_place_in_it(spec: NetworkSpec) -> None:
    (surge,) = read(spec, "twice the usual fwa traffic all over the city tomorrow").context.surges
    assert not surge.scope.zone
