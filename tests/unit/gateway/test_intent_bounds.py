"""Bounds, shares, freezes, ranks and savings in the words of many: classes of sentences that were once misread."""

from __future__ import annotations

from typing import Any

import pytest
from intent_reading import codes, plain

from twm.core.network import NetworkSpec
from twm_bench.language.intents import network


@pytest.mark.parametrize(
    "text",
    [
        "The air is cold and there is snow on the mast, so keep URLLC under 9 ms.",
        "Our remote surgery cannot wait: URLLC below 9 ms.",
        "The labs asked for it, so URLLC at most 9 ms.",
        "This means URLLC has to stay within 9 ms.",
    ],
)
def test_ordinary_words_are_no_slips_of_the_pen(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"constraints": [bound("delay_p99_ms", ["urllc"], 9.0)]}


def bound(kpi: str, slices: list[str], value: float, comparator: str = "at_most", **scope: Any) -> dict[str, Any]:
    where = {"slices": slices} if slices else {}
    return {"kpi": kpi, "scope": {**where, **scope}, "comparator": comparator, "bound": value}


@pytest.mark.parametrize(
    "text",
    [
        "- URLLC p99 at most 9 ms\n- FWA loss up to 4 %\n- eMBB: hands off",
        "* URLLC p99 at most 9 ms\n* FWA loss up to 4 %\n* eMBB frozen",
        "1. URLLC p99 at most 9 ms\n2. FWA loss up to 4 %\n3. freeze eMBB",
        "1) URLLC p99 at most 9 ms 2) FWA loss up to 4 % 3) freeze eMBB",
        "URLLC p99 at most 9 ms\nFWA loss up to 4 %\nfreeze eMBB",
    ],
)
def test_items_of_a_list_are_apart(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {
        "constraints": [bound("delay_p99_ms", ["urllc"], 9.0), bound("loss_ratio", ["fwa"], 0.04)],
        "limits": [{"scope": {"slices": ["embb"]}, "max_change": 0.0}],
    }


@pytest.mark.parametrize(
    "text",
    [
        "Hospital:\n- URLLC: 9 ms at most\n- eMBB: throughput not below 90 Mbit/s",
        "For the hospital\n  a) URLLC p99 within 9 ms\n  b) eMBB at least 90 Mbps",
        "In the hospital:\n\n(1) URLLC below 9 ms\n(2) 90 Mbps for eMBB",
    ],
)
def test_heading_of_a_list_is_of_all_its_items(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {
        "constraints": [
            bound("delay_p99_ms", ["urllc"], 9.0, zone="hospital"),
            bound("throughput_mbps", ["embb"], 90.0, "at_least", zone="hospital"),
        ]
    }


def test_wrapped_lines_are_one(spec: NetworkSpec) -> None:
    text = "Dear all,\n\nplease see to it that in the hospital the packets of URLLC need no\nmore than 9 ms.\n\nRegards\nJo"
    assert plain(spec, text) == {"constraints": [bound("delay_p99_ms", ["urllc"], 9.0, zone="hospital")]}


@pytest.mark.parametrize(
    "text",
    [
        "not more than one URLLC packet in a thousand may be lost",
        "One lost packet per thousand is the most we accept for URLLC",
        "loss of URLLC no higher than 1 per 1,000",
        "URLLC: at most 2 lost packets for every 2000 sent",
    ],
)
def test_one_packet_in_many(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"constraints": [bound("loss_ratio", ["urllc"], 0.001)]}


def test_respectively(spec: NetworkSpec) -> None:
    found = plain(spec, "Keep the loss of eMBB and FWA under 1 % and 4 % respectively in the corridor.")
    assert found["constraints"] == [
        bound("loss_ratio", ["embb"], 0.01, zone="corridor"),
        bound("loss_ratio", ["fwa"], 0.04, zone="corridor"),
    ]
    assert "ambiguous_scope" in codes(spec, "eMBB, URLLC and FWA under 10 ms and 30 ms respectively")


def limit(slices: list[str], resource: str = "", window: None = None, **values: Any) -> dict[str, Any]:
    scope = {k: values.pop(k) for k in ("zone", "cells", "links") if k in values}
    return {"scope": {"slices": slices, **scope}, **values} | ({"resource": resource} if resource else {})


@pytest.mark.parametrize(
    "text",
    [
        "FWA has to get ninety-nine point five percent of its packets through",
        "99.5 % of the FWA packets must arrive",
        "FWA must not drop more than 0.5 % of its packets",
        "no more than 0.5 % of the frames of FWA may go missing",
        "FWA should not loose more than 0.5 % of packets",
    ],
)
def test_shares_of_packets_are_loss(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"constraints": [bound("loss_ratio", ["fwa"], 0.005)]}


@pytest.mark.parametrize(
    ("text", "kpi", "value", "side"),
    [
        ("URLLC should never be slower than 9 ms", "delay_p99_ms", 9.0, "at_most"),
        ("packets of URLLC have to arrive within 9 ms on average", "delay_mean_ms", 9.0, "at_most"),
        ("URLLC no faster than 40 Mbit/s", "throughput_mbps", 40.0, "at_most"),
        ("URLLC must not be slower than 40 Mbit/s", "throughput_mbps", 40.0, "at_least"),
        ("URLLC in less then 9 ms", "delay_p99_ms", 9.0, "at_most"),
        ("it is unacceptable that URLLC has more than 9 ms", "delay_p99_ms", 9.0, "at_most"),
    ],
)
def test_comparatives(spec: NetworkSpec, text: str, kpi: str, value: float, side: str) -> None:
    assert plain(spec, text) == {"constraints": [bound(kpi, ["urllc"], value, side)]}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("Total throughput in the hospital at least 800 Mbps", {"zone": "hospital"}),
        ("aggregate throughput of the hospital >= 0.8 Gbps", {"zone": "hospital"}),
        ("throughput in the hospital: 800 Mbps, for all slices", {"zone": "hospital"}),
    ],
)
def test_bounds_of_all_slices_of_a_place(spec: NetworkSpec, text: str, where: dict[str, Any]) -> None:
    assert plain(spec, text) == {"constraints": [bound("throughput_mbps", [], 800.0, "at_least", **where)]}


@pytest.mark.parametrize(
    "text",
    [
        "surgeons below 10 ms in the hospital",
        "keep the loss of one of the slices in the hospital below 1 %, you know which",
        "it must have less than 10 ms delay there",
    ],
)
def test_whose_bound_it_is_has_to_be_said(spec: NetworkSpec, text: str) -> None:
    assert codes(spec, text) & {"ambiguous_scope", "unknown_slice"}


@pytest.mark.parametrize(
    "text",
    [
        "The share of FWA should be no bigger than 0.3 and not smaller than 0.1.",
        "In no case shall FWA be given less than 10 % or more than 30 %.",
        "FWA share: floor 0.1, ceiling 0.3",
        "FWA needs no less than 10 percent and not more than 30",
        "It is forbidden that FWA gets more than 30 % or falls below 10 %.",
    ],
)
def test_both_sides_of_a_share(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"limits": [limit(["fwa"], min_share=0.1, max_share=0.3)]}


def test_share_of_radio_and_of_links(spec: NetworkSpec) -> None:
    for text in (
        "Allot URLLC at least 30 % of the PRBs in cell-1 and at least 25 % of the bandwidth on up-1 and up-2",
        "URLLC: at least 30 % PRBs in cell-1, at least 25 % bandwidth on up-1 and up-2",
    ):
        assert plain(spec, text)["limits"] == [
            limit(["urllc"], "prb", cells=["cell-1"], min_share=0.3),
            limit(["urllc"], "bandwidth", links=["up-1", "up-2"], min_share=0.25),
        ]


@pytest.mark.parametrize(
    "text",
    [
        "Keep 20 % of up-3 free",
        "leave at least 20 % headroom on up-3",
        "up-3 no more than four fifths full",
        "up-3 must not run above 80 %",
    ],
)
def test_what_is_left_free(spec: NetworkSpec, text: str) -> None:
    expected = {"kpi": "utilisation_ratio", "scope": {"links": ["up-3"]}, "comparator": "at_most", "bound": 0.8}
    assert plain(spec, text) == {"constraints": [expected]}


@pytest.mark.parametrize(
    "text",
    [
        "eMBB: 2 points per step at most",
        "move eMBB by no more than 2 percentage points in one go",
        "small steps: at most 2 % per step for eMBB",
    ],
)
def test_changes_per_step(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"limits": [limit(["embb"], max_change=0.02)]}


@pytest.mark.parametrize(
    "text",
    [
        "Ranking: URLLC, eMBB, FWA",
        "order of importance: URLLC, eMBB, FWA",
        "rank URLLC over eMBB over FWA",
        "weights: URLLC 4, eMBB 2",
        "FWA yields to eMBB, and eMBB gives way to URLLC",
    ],
)
def test_orders(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"objective": {"slice_weights": {"urllc": 4.0, "embb": 2.0}}}


@pytest.mark.parametrize(
    "text",
    [
        "Between URLLC and FWA, it is URLLC that must have the priority.",
        "between URLLC and FWA the former goes first",
        "give URLLC the highest priority",
        "URLLC outranks FWA",
        "a weight of 2 for URLLC",
    ],
)
def test_one_before_the_other(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"objective": {"slice_weights": {"urllc": 2.0}}}


@pytest.mark.parametrize(
    "text",
    [
        "all SLAs must hold whatever it costs",
        "hold every SLA, and I don't mind what it costs",
        "keep all SLAs, money plays no role",
        "SLAs hold, cost is of no concern",
    ],
)
def test_cost_set_aside(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"objective": {"saving_weight": 0.5, "hold_slas": True}}


def test_saving_with_an_order(spec: NetworkSpec) -> None:
    found = plain(spec, "Save 12 % energy with URLLC over FWA, and all SLAs kept.")
    assert found == {"objective": {"saving_target_ratio": 0.12, "slice_weights": {"urllc": 2.0}, "hold_slas": True}}
    assert plain(spec, "saving target: 0.12") == {"objective": {"saving_target_ratio": 0.12}}


def test_said_once_for_several(spec: NetworkSpec) -> None:
    both = {"constraints": [bound("loss_ratio", ["urllc"], 0.01), bound("delay_p99_ms", ["urllc"], 9.0)]}
    assert plain(spec, "Loss below 1 % and delay below 9 ms for URLLC.") == both
    sure = plain(spec, "URLLC: loss below 1 % and delay below 9 ms, each with a confidence of 95 %")
    assert sure == {"constraints": [c | {"max_violation_probability": 0.05} for c in both["constraints"]]}
    late = plain(spec, "URLLC delay at most 9 ms; a risk of 5 % is acceptable")
    assert late == {"constraints": [both["constraints"][1] | {"max_violation_probability": 0.05}]}
    there = plain(spec, "In the corridor loss below 1 % for URLLC and below 4 % for FWA.")["constraints"]
    assert [c["scope"]["zone"] for c in there] == ["corridor", "corridor"]


@pytest.mark.parametrize("text", ["0.1 <= FWA share <= 0.3", "FWA share 10..30 %", "FWA share: 0.1 ≤ share ≤ 0.3"])
def test_signs_before_and_after(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"limits": [limit(["fwa"], min_share=0.1, max_share=0.3)]}


@pytest.mark.parametrize(
    "text",
    [
        "URLLC under 9 ms in 98 out of 100 cases",
        "URLLC under 9 ms with a probability of violation of at most 2 %",
        "max. 9 ms for URLLC, max. risk 2 %",
        "URLLC: 9 ms, 98 % of the time",
        "Make sure that URLLC stays below 9 ms. A risk of 2 % is acceptable.",
    ],
)
def test_risk(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"constraints": [bound("delay_p99_ms", ["urllc"], 9.0) | {"max_violation_probability": 0.02}]}


def test_what_was_spoken_of(spec: NetworkSpec) -> None:
    found = plain(spec, "The customer is unhappy with the URLLC slice. The delay has to be lower than 9 ms.")
    assert found == {"constraints": [bound("delay_p99_ms", ["urllc"], 9.0)]}
    found = plain(spec, "URLLC below 9 ms in cell-0 and cell-1, and these two cells must not be loaded more than 75 %.")
    assert found["constraints"][1]["scope"] == {"cells": ["cell-0", "cell-1"]}
    found = plain(spec, "Service levels for URLLC in the hospital:\n- latency p99: 9 ms max\n- loss: not above 1 %")
    assert [c["scope"] for c in found["constraints"]] == [{"slices": ["urllc"], "zone": "hospital"}] * 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Freeze FWA in cell-2 and raise the FWA share there to at least 40 %.", "clashing_change"),
        ("In the hospital: URLLC p99 <= 12 ms, loss of slice telemedicine <= 0.5 %.", "unknown_slice"),
    ],
)
def test_contradictions_and_strangers(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(spec, text)


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("FWA has the lowest priority of all slices", 0.5),
        ("FWA is of lesser importance", 0.5),
        ("FWA should count three times as much", 3.0),
    ],
)
def test_weights(spec: NetworkSpec, text: str, weight: float) -> None:
    assert plain(spec, text) == {"objective": {"slice_weights": {"fwa": weight}}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("FWA loss <= 1/50", 0.02),
        ("FWA loss max .02", 0.02),
        ("FWA: 2 in a hundred packets lost at the outside", 0.02),
        ("loss of FWA < 2*10⁻²", 0.02),
    ],
)
def test_ratios_as_fractions(spec: NetworkSpec, text: str, value: float) -> None:
    assert plain(spec, text) == {"constraints": [bound("loss_ratio", ["fwa"], value)]}


def test_full_stops_of_short_words(spec: NetworkSpec) -> None:
    found = plain(spec, "FWA: 20 % PRBs max. eMBB: 40 % max.")["limits"]
    assert {x["scope"]["slices"][0]: x["max_share"] for x in found} == {"embb": 0.4, "fwa": 0.2}


def test_sums_of_slices_are_asked_about(spec: NetworkSpec) -> None:
    assert "unsupported_scope" in codes(spec, "eMBB and FWA together at most 80 % of the PRBs")


def test_links_by_a_word_of_theirs() -> None:
    valley = network("valley")
    found = plain(valley, "the microwave links must not be used more than 70 %")["constraints"]
    assert found[0]["scope"] == {"links": ["microwave-up", "microwave-down"]}
    assert "unknown_link" in codes(valley, "satellite links under 70 % utilisation")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hold some SLAs", "ambiguous_scope"),
        ("URLLC or FWA below 9 ms", "ambiguous_scope"),
        ("keep one of the links below 80 %", "ambiguous_scope"),
        ("the link must stay below 80 %", "ambiguous_scope"),
        ("URLLC below 9 ms for most users", "unsupported_scope"),
        ("weights: URLLC 4, gaming 2", "unknown_slice"),
        ("move 5 % from eMBB to URLLC", "relative_bound"),
        ("FWA should have at most half of eMBB's share", "relative_bound"),
    ],
)
def test_half_said_is_asked_about(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(spec, text)


def test_places_and_subjects_go_on(spec: NetworkSpec) -> None:
    found = plain(spec, "keep the FWA share between 10 and 25 percent, and don't change it by more than 1 point per step")
    assert found == {"limits": [limit(["fwa"], min_share=0.1, max_share=0.25, max_change=0.01)]}
    found = plain(spec, "FWA at least 30 % but no more than 50 % of the PRBs in the corridor")
    assert found == {"limits": [limit(["fwa"], "prb", zone="corridor", min_share=0.3, max_share=0.5)]}
    found = plain(spec, "eMBB needs 120 Mbps in the corridor and 80 in the hospital")["constraints"]
    assert [(c["scope"]["zone"], c["bound"]) for c in found] == [("corridor", 120.0), ("hospital", 80.0)]
    found = plain(spec, "URLLC: 9 ms (p99), 5 ms (mean)")
    assert found == {"constraints": [bound("delay_p99_ms", ["urllc"], 9.0), bound("delay_mean_ms", ["urllc"], 5.0)]}
    found = plain(spec, "keep cells 4 and 8 under 75 %")["constraints"]
    assert found[0] == {
        "kpi": "utilisation_ratio",
        "scope": {"cells": ["cell-4", "cell-8"]},
        "comparator": "at_most",
        "bound": 0.75,
    }


def test_share_of_packets_within_a_delay(spec: NetworkSpec) -> None:
    assert plain(spec, "99 % of the URLLC packets must arrive within 9 ms") == {
        "constraints": [bound("delay_p99_ms", ["urllc"], 9.0)]
    }
    assert codes(spec, "99.9 % of URLLC packets delivered within 9 ms") == {"unsupported_kpi"}
    assert codes(spec, "cut energy by 10-15 %") == {"missing_bound"}
