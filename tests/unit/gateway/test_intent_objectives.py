"""Savings, SLAs and orders of slices, beside other goals and in lists; what stands beside an order unread is asked about."""

from __future__ import annotations

import pytest
from intent_reading import codes, plain

from twm.core.network import NetworkSpec


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("Public services come first: urllc, then fwa; embb can wait.", {"urllc": 4.0, "fwa": 2.0}),
        ("fwa yields to urllc. embb yields to both.", {"urllc": 4.0, "fwa": 2.0}),
        ("Prioritise in this order: urllc, fwa, embb.", {"urllc": 4.0, "fwa": 2.0}),
    ],
)
def test_orders_over_several_clauses(spec: NetworkSpec, text: str, weights: dict[str, float]) -> None:
    assert plain(spec, text)["objective"]["slice_weights"] == weights


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Give urllc the highest weight (8), embb 2.", "not_understood"),
        ("embb yields to both.", "ambiguous_scope"),
        ("I'd rather have urllc at 8 ms than embb at 100 Mbps.", "not_understood"),
        ("As long as the crane works, urllc p99 at most 10 ms.", "ambiguous_window"),
    ],
)
def test_orders_that_are_not_read_whole_are_asked_about(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(spec, text)


def test_costs_that_nobody_bothers_about_are_no_saving(spec: NetworkSpec) -> None:
    found = plain(spec, "Don't bother about costs tomorrow; only the SLAs matter.")["objective"]
    assert (found["saving_weight"], found["hold_slas"]) == (0.5, True)


def test_how_often_slas_may_be_violated(spec: NetworkSpec) -> None:
    found = plain(spec, "Keep SLA violations under 1 %.")["constraints"]
    assert {c["max_violation_probability"] for c in found} == {0.01}


@pytest.mark.parametrize(
    "founded", ["Pursuant to our agreement,", "In line with the SLA,", "Per the contract", "As laid down in our SLA,"]
)
def test_an_agreement_that_a_wish_is_founded_on_is_no_wish(spec: NetworkSpec, founded: str) -> None:
    assert plain(spec, f"{founded} urllc gets 20 % of the PRBs.") == plain(spec, "urllc gets 20 % of the PRBs.")


def test_an_sla_to_be_kept_in_line_with_is_one(spec: NetworkSpec) -> None:
    assert {c["kpi"] for c in plain(spec, "Keep urllc in line with its SLA.")["constraints"]} == {"delay_p99_ms", "loss_ratio"}


def test_goals_in_a_numbered_line(spec: NetworkSpec) -> None:
    found = plain(spec, "hey, 3 things for tonight: 1. save 10% 2. don't touch urllc 3. embb can have max 50% of the prbs")
    assert found["objective"] == {"saving_target_ratio": 0.1}
    assert [limit["scope"]["slices"] for limit in found["limits"]] == [["urllc"], ["embb"]]
    assert found["limits"][0]["max_change"] == 0.0


@pytest.mark.parametrize("spared", ["urllc exempt from any change", "no changes to urllc", "leave urllc as it is"])
def test_what_is_spared_of_a_saving(spec: NetworkSpec, spared: str) -> None:
    found = plain(spec, f"15 % savings target; {spared}.")
    assert found["objective"]["saving_target_ratio"] == 0.15
    assert found["limits"] == [{"scope": {"slices": ["urllc"]}, "max_change": 0.0}]


def test_a_time_and_a_ratio_are_of_delay_and_loss(spec: NetworkSpec) -> None:
    found = plain(spec, "Hold urllc to 35 ms or less with no more than 0.8 % lost.")["constraints"]
    assert [(c["kpi"], c["bound"]) for c in found] == [("delay_p99_ms", 35.0), ("loss_ratio", 0.008)]
    assert "unit_mismatch" in codes(spec, "urllc must lose less than 3 ms.")


def test_a_sentence_that_is_a_kpi_alone_is_a_title(spec: NetworkSpec) -> None:
    found = plain(spec, "Annex C. Mean delay. urllc: 6 ms. embb: 30 ms. Save 5 %.")
    assert [(c["kpi"], c["bound"]) for c in found["constraints"]] == [("delay_mean_ms", 6.0), ("delay_mean_ms", 30.0)]
    assert found["objective"] == {"saving_target_ratio": 0.05}
    assert "constraints" not in plain(spec, "Reliability. embb gets at least 20 % of the PRBs.")


@pytest.mark.parametrize(
    ("text", "also"),
    [
        ("keep urllc below 9 ms at all costs", "constraints"),
        ("freeze fwa at any cost", "limits"),
        ("at any cost give urllc 30 % of the PRBs", "limits"),
    ],
)
def test_what_is_wanted_at_any_cost_is_not_lost(spec: NetworkSpec, text: str, also: str) -> None:
    found = plain(spec, text)
    assert found["objective"] == {"saving_weight": 0.5}
    assert len(found[also]) == 1


def test_an_order_at_any_cost_is_an_order(spec: NetworkSpec) -> None:
    found = plain(spec, "urllc over embb whatever the cost")
    assert found == {"objective": {"saving_weight": 0.5, "slice_weights": {"urllc": 2.0}}}


def test_savings_in_a_part_of_the_area_are_asked_about(spec: NetworkSpec) -> None:
    assert codes(spec, "save energy in the corridor tonight") == {"unsupported_scope"}
