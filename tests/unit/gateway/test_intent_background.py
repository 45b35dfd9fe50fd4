"""What is told beside an order and asks for nothing: reasons, reports, references, idle questions; and what looks like it."""

from __future__ import annotations

import pytest
from intent_reading import codes, plain, read

from twm.core.network import NetworkSpec

ORDER = "Keep embb loss below 2 % in the corridor."


@pytest.mark.parametrize(
    "told",
    [
        "Our cranes stop when urllc is slow.",
        "The tills freeze whenever packets go missing.",
        "Nothing loads in the evenings when the hotel is full.",
        "Forklifts stand still if messages come late.",
        "The lecture app freezes when the net does.",
        "I had to explain this to a rather unhappy client.",
        "We open the market at nine.",
        "They will switch the lights off.",
        "Our trading floor lost two orders last Friday.",
        "Last week the harbour master called me twice.",
        "We saw 40 % loss yesterday.",
        "The stream dropped to 3 Mbps last night.",
        "Who touched embb?",
        "Why is everything so slow today?",
        "What happened last night?",
        "As agreed in the contract review:",
        "Decided:",
        "embb is at 6 % loss at the moment.",
        "urllc currently has 30 % of the PRBs;",
        "Last month we saved 4 %;",
        "Holiday season: people stream video, so",
        "As agreed with the board in the contract review:",
        "Follow-up from the audit:",
        "Under licence condition 7,",
        "Pursuant to clause 4.2 of the agreement of 3 March,",
        "As per section 12(b):",
        "Minutes, 17 Feb, point 2:",
        "Ref. your letter of 12 October:",
        "See annex B.",
        "Work order no. 33/2026:",
        "Handover from the night shift:",
        "Budget cuts mean that nobody is on site.",
        "Sundays are dead anyway,",
        "We used to have 9 % there.",
        "I know 5 % was too much.",
        "Complaint 7731 (opened on 3 November):",
    ],
)
def test_what_is_told_asks_for_nothing(spec: NetworkSpec, told: str) -> None:
    assert plain(spec, f"{told} {ORDER}") == plain(spec, ORDER)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("If the arena is full, prioritise embb.", "unsupported_condition"),
        ("When urllc is late, give urllc more room.", "unsupported_condition"),
        ("Keep embb loss below 2 % if the corridor is busy.", "unsupported_condition"),
        ("Is the corridor busy? Then cap embb at 30 %.", "no_goal"),
        ("Why is urllc so slow?", "no_goal"),
        ("Who moved embb? Then freeze it.", "no_goal"),
    ],
)
def test_conditions_and_questions_are_still_asked_about(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(spec, text)


def test_a_question_names_what_the_order_is_about(spec: NetworkSpec) -> None:
    found = read(spec, "Why is urllc so slow today? Keep it below 9 ms p99 in the corridor.").constraints[0]
    assert (list(found.scope.slices), found.scope.zone, found.bound) == (["urllc"], "corridor", 9.0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Do whatever it takes to make the corridor feel better.", "no_goal"),
        ("Cut the load of up-4 by a fifth.", "relative_bound"),
        ("Lower the load on up-4 by 20 %.", "relative_bound"),
        ("Raise embb by 10 points per step.", "relative_bound"),
        ("Limit the load of the link to the hospital to 70 %.", "ambiguous_scope"),
        ("embb loss in the corridor below 5 % last night.", "window_past"),
        ("For the reception last Friday from 18:00 to 22:00, hold embb loss in the corridor below 5 %.", "window_past"),
        ("Utilisation of bluebird no higher than 70 %.", "ambiguous_scope"),
        ("Load of sidelink-down no higher than 70 %.", "unknown_link"),
        ("Splicing on kingfisher-up tomorrow from 01:00 to 05:00.", "unknown_link"),
        ("Drones: loss under 0.5 % in the corridor.", "unknown_slice"),
        ("Public library: embb gets at least 20 %.", "unknown_zone"),
        ("embb in the new library: 10 Mbps at least.", "unknown_zone"),
        ("Keep the cruise terminal at 200 Mbps for embb.", "unknown_zone"),
    ],
)
def test_what_nobody_could_carry_out_is_asked_about(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(spec, text)


def test_the_load_of_a_link_is_lowered_to_a_bound(spec: NetworkSpec) -> None:
    found = read(spec, "Lower the load on up-4 to 70 %.").constraints[0]
    assert found.bound == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("fwa can wait: it counts half until Sunday 20:00.", {"fwa": 0.5}),
        ("fwa earns little, and I would appreciate it if they were counted as less important.", {"fwa": 0.5}),
        ("I'd be glad if fwa counted for less.", {"fwa": 0.5}),
        ("fwa can wait. urllc x4, embb x2 pls", {"urllc": 4.0, "embb": 2.0, "fwa": 0.5}),
        ("urllc 3x weight, embb 2x weight, fwa 1x; priority 2", {"urllc": 3.0, "embb": 2.0}),
        ("embb can wait -> embb weight 0.5, urllc weight 2", {"embb": 0.5, "urllc": 2.0}),
    ],
)
def test_weights_of_what_was_spoken_of(spec: NetworkSpec, text: str, weights: dict[str, float]) -> None:
    assert plain(spec, text)["objective"]["slice_weights"] == weights


@pytest.mark.parametrize(
    "wish",
    [
        "I was wondering if it would be possible to keep embb loss below 2 % in the corridor.",
        "We wonder whether you could keep embb loss below 2 % in the corridor.",
        "It would mean a lot to us if embb loss stayed below 2 % in the corridor.",
        "It would be a great help if you kept embb loss below 2 % in the corridor.",
        "Is there any way to keep embb loss below 2 % in the corridor?",
        "Keep embb loss below 2 % in the corridor instead of 5 %.",
        "Keep embb loss below 2 %, not 5 %, in the corridor.",
        "Keep embb loss below 2 % in the corridor, I repeat, keep embb loss below 2 % in the corridor.",
    ],
)
def test_wishes_corrections_and_repetitions(spec: NetworkSpec, wish: str) -> None:
    assert plain(spec, wish) == plain(spec, ORDER)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("It would be bad if loss of embb went over 2 %.", "missing_comparator"),
        ("Handover success must stay above 99 %.", "unsupported_kpi"),
        ("The pilots' slice must stay under 20 ms in the corridor.", "unknown_slice"),
        ("The embassy slice over embb, says the protocol office.", "unknown_slice"),
        ("Put a ceiling on the embb bandwidth share.", "missing_bound"),
        ("Cap the utilisation of up-4 while the match is on.", "missing_bound"),
        ("There was an accident at the tunnel: urllc delay at most 20 ms in it until 23:00.", "ambiguous_scope"),
        ("We test the crane one day next week, and urllc has to be at 20 ms or less on that day.", "ambiguous_window"),
    ],
)
def test_what_is_short_of_a_figure_a_place_or_a_day_is_asked_about(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(spec, text)


@pytest.mark.parametrize(
    "lead", ["If you have to choose,", "When in doubt,", "If push comes to shove,", "If things get tight,"]
)
def test_an_order_of_slices_is_for_when_it_is_tight(spec: NetworkSpec, lead: str) -> None:
    assert plain(spec, f"{lead} favour urllc over embb.")["objective"]["slice_weights"] == {"urllc": 2.0}


def test_links_under_work_may_stand_before_their_verb(spec: NetworkSpec) -> None:
    found = plain(spec, "Tonight are up-4 and up-5 in maintenance; nevertheless the loss of embb must not exceed 1 %.")
    assert [m["link"] for m in found["context"]["maintenance"]] == ["up-4", "up-5"]
    assert found["constraints"][0]["bound"] == 0.01


def test_what_has_begun_has_no_start(spec: NetworkSpec) -> None:
    found = plain(spec, "Ever since the storm on Monday, up-4 has only half its capacity.")
    assert found["context"]["maintenance"] == [{"link": "up-4", "capacity_factor": 0.5}]
    assert "window" not in found
