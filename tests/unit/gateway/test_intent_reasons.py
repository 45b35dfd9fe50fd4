"""Reasons, values told against what is now, orders over several sentences: what is told beside an order is no part of it."""

from __future__ import annotations

import pytest
from intent_reading import codes, plain

from twm.core.network import NetworkSpec


@pytest.mark.parametrize(
    "text",
    [
        "embb pays little, so urllc p99 below 20 ms.",
        "Because embb is mostly films, urllc p99 below 20 ms.",
        "fwa earns more than embb, therefore urllc p99 below 20 ms.",
    ],
)
def test_slices_of_a_reason_are_no_scope(spec: NetworkSpec, text: str) -> None:
    assert [c["scope"] for c in plain(spec, text)["constraints"]] == [{"slices": ["urllc"]}]


@pytest.mark.parametrize(
    "text",
    [
        "Cap embb at 30 % of the PRBs, the hospital board is fine with it.",
        "Cap embb at 30 % of the PRBs, as the corridor is full of lorries.",
    ],
)
def test_places_that_are_told_of_are_no_scope(spec: NetworkSpec, text: str) -> None:
    assert [limit["scope"] for limit in plain(spec, text)["limits"]] == [{"slices": ["embb"]}]


def test_chances_of_weather_are_no_risk_of_a_bound(spec: NetworkSpec) -> None:
    found = plain(spec, "There is a slight chance of hail, so embb loss no more than 2 %.")["constraints"]
    assert [(c["bound"], "max_violation_probability" in c) for c in found] == [(0.02, False)]


@pytest.mark.parametrize(
    "text",
    [
        "Get fwa loss to a third of what it is at present.",
        "embb loss 15 % below what we have now.",
        "cell-2 utilisation no higher than 90 % of the current one.",
        "urllc in the hospital: 5 points more PRBs than it has today.",
        "Give fwa 10 % on top of its present share.",
    ],
)
def test_values_against_what_is_now_are_asked_about(spec: NetworkSpec, text: str) -> None:
    assert "relative_bound" in codes(spec, text)


@pytest.mark.parametrize(
    ("text", "saving"),
    [
        ("Cut the power bill to 85 %.", 0.15),
        ("Bring energy use down to 90 % of today's.", 0.1),
        ("Cut the power bill by 85 %.", 0.85),
    ],
)
def test_what_is_left_of_a_cost_is_not_what_is_saved(spec: NetworkSpec, text: str, saving: float) -> None:
    assert plain(spec, text)["objective"]["saving_target_ratio"] == pytest.approx(saving)


@pytest.mark.parametrize(
    "text",
    [
        "urllc first, then embb, fwa last.",
        "urllc first. Then embb. fwa comes last.",
        "Priorities:\n1. urllc\n2. embb\n3. fwa",
        "embb pays for fwa, but it has to be urllc over embb over fwa, says the board.",
        "What counts in the end: urllc over embb over fwa.",
    ],
)
def test_orders_over_lists_and_sentences(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text)["objective"]["slice_weights"] == {"urllc": 4.0, "embb": 2.0}


def test_a_heading_of_sla_alone_sets_no_goal(spec: NetworkSpec) -> None:
    found = plain(spec, "SLO: urllc delivery ratio at least 99.9 % in the hospital")
    assert "objective" not in found
    assert found["constraints"][0]["bound"] == pytest.approx(0.001)


def test_doing_without_a_link_that_died(spec: NetworkSpec) -> None:
    found = plain(spec, "up-2 just died. Plan without it until 23:30.")
    assert found["context"]["maintenance"][0]["link"] == "up-2"
    assert "end" in found["window"]


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("Nurses at the hospital grumble about urllc lag. Keep it within 12 ms.", 12.0),
        ("Robots halt when urllc delay passes 20 ms, so urllc p99 at most 12 ms in the hospital.", 12.0),
        ("The scanners crash if urllc delay goes over 20 ms. Keep urllc p99 at 12 ms or less in the hospital.", 12.0),
    ],
)
def test_complaints_and_what_breaks_down_set_no_bound(spec: NetworkSpec, text: str, bound: float) -> None:
    found = plain(spec, text)["constraints"]
    assert [(c["scope"], c["bound"]) for c in found] == [({"slices": ["urllc"], "zone": "hospital"}, bound)]


@pytest.mark.parametrize(
    "text",
    [
        "That cell must not go over 75 % utilisation.",
        "The other links at most 75 % utilised.",
        "Several of the cells at most 75 % utilised.",
    ],
)
def test_cells_and_links_that_were_not_named_are_asked_about(spec: NetworkSpec, text: str) -> None:
    assert "ambiguous_scope" in codes(spec, text)


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("Run at 80 % of the usual power cost.", {"saving_target_ratio": 0.2}),
        ("embb gets double weight, fwa half.", {"slice_weights": {"embb": 2.0, "fwa": 0.5}}),
        ("The SLAs count, not the cost.", {"hold_slas": True, "saving_weight": 0.5}),
        ("Hold all SLAs and spare energy.", {"hold_slas": True, "saving_weight": 2.0}),
    ],
)
def test_costs_and_weights_in_short(spec: NetworkSpec, text: str, objective: dict[str, object]) -> None:
    assert plain(spec, text)["objective"] == objective


@pytest.mark.parametrize(
    "text",
    [
        "Any chance of getting embb to at least 40 Mbps in the corridor?",
        "Can you get embb up to 40 Mbps in the corridor?",
        "If you ask me, embb needs 40 Mbps in the corridor.",
    ],
)
def test_wishes_put_as_questions(spec: NetworkSpec, text: str) -> None:
    found = plain(spec, text)["constraints"]
    assert [(c["comparator"], c["bound"]) for c in found] == [("at_least", 40.0)]


def test_conditions_without_an_if_are_asked_about(spec: NetworkSpec) -> None:
    assert "unsupported_condition" in codes(spec, "Should urllc exceed 20 ms in the hospital, cap embb at 30 % of the PRBs.")
