"""What one part of a sentence lends to another, and what it must not: freezes, orders, headings, figures with gaps."""

from __future__ import annotations

from typing import Any

import pytest
from intent_reading import COMPILER, NOW, codes, plain

from twm.core.network import NetworkSpec

FROZEN = {"scope": {"slices": ["fwa"]}, "max_change": 0.0}
URLLC_9 = {"kpi": "delay_p99_ms", "scope": {"slices": ["urllc"]}, "comparator": "at_most", "bound": 9.0}


@pytest.mark.parametrize(
    "text",
    [
        "freeze fwa, urllc p99 below 9 ms",
        "do not touch fwa, urllc at most 9 ms",
        "freeze FWA, URLLC delay must be < 9 ms",
        "no changes to FWA, URLLC p99 below 9 ms",
    ],
)
def test_a_bound_after_a_freeze(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"limits": [FROZEN], "constraints": [URLLC_9]}


def test_a_freeze_of_a_list(spec: NetworkSpec) -> None:
    frozen = {"scope": {"slices": ["embb", "fwa"]}, "max_change": 0.0}
    assert plain(spec, "freeze fwa, embb, urllc p99 below 9 ms") == {"limits": [frozen], "constraints": [URLLC_9]}
    assert plain(spec, "freeze fwa, embb in the corridor")["limits"][0]["scope"]["slices"] == ["embb", "fwa"]


@pytest.mark.parametrize(
    "text", ["urllc over embb over fwa, urllc p99 below 9 ms", "urllc before embb before fwa and urllc at most 9 ms"]
)
def test_a_bound_after_an_order(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"objective": {"slice_weights": {"urllc": 4.0, "embb": 2.0}}, "constraints": [URLLC_9]}


@pytest.mark.parametrize("text", ["Freeze it in the corridor.", "Don't change it in the hospital."])
def test_it_that_stands_for_nothing(spec: NetworkSpec, text: str) -> None:
    assert codes(spec, text) == {"ambiguous_scope"}


def test_it_that_stands_for_something(spec: NetworkSpec) -> None:
    assert plain(spec, "FWA is doing fine. Freeze it in the corridor.")["limits"][0]["scope"]["slices"] == ["fwa"]


@pytest.mark.parametrize(
    ("text", "mbps"),
    [
        ("embb at least 800 000 kbps", 800.0),
        ("embb needs 12 500 kbit/s", 12.5),
        ("eMBB throughput >= 1\u202f200\u202f000 kbps", 1200.0),
        ("embb throughput minimum 1 200 Mbps", 1200.0),
        ("eMBB on cell 4 300 Mbps", 300.0),
    ],
)
def test_gaps_between_thousands(spec: NetworkSpec, text: str, mbps: float) -> None:
    assert plain(spec, text)["constraints"][0]["bound"] == pytest.approx(mbps)


@pytest.mark.parametrize(
    "text", ["URLLC loss: 10^-4 at most", "URLLC loss ratio: max 0.0001", "Loss ratio of URLLC: at most 1e-4"]
)
def test_a_plain_figure_under_a_heading(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text)["constraints"] == [URLLC_9 | {"kpi": "loss_ratio", "bound": 0.0001}]


@pytest.mark.parametrize(
    "text",
    ["Bandwidth of fwa: at most 20 % on up-2, at most 40 % on up-4", "FWA bandwidth: 20 % max on up-2, 40 % max on up-4"],
)
def test_shares_of_the_slice_of_a_heading(spec: NetworkSpec, text: str) -> None:
    told = [(x["scope"], x["max_share"], x["resource"]) for x in plain(spec, text)["limits"]]
    scopes = [{"slices": ["fwa"], "links": [link]} for link in ("up-2", "up-4")]
    assert told == [(scopes[0], 0.2, "bandwidth"), (scopes[1], 0.4, "bandwidth")]


@pytest.mark.parametrize(
    "text", ["FWA counts triple, eMBB half", "fwa counts three times and embb half", "FWA counts threefold, but eMBB half."]
)
def test_multiples_one_after_the_other(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"objective": {"slice_weights": {"fwa": 3.0, "embb": 0.5}}}


@pytest.mark.parametrize("text", ["spare energy", "please spare power", "go easy on energy", "be frugal with electricity"])
def test_savings_in_other_words(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text) == {"objective": {"saving_weight": 2.0}}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("up-3 lost a fibre and keeps 60 % of its capacity", 0.6),
        ("up-3 lost a card and has 60 % of its capacity left", 0.6),
        ("up-3 has lost 60 % of its capacity", 0.4),
        ("up-3 has 60 % less capacity", 0.4),
        ("Link up-3: works from 22:00 to 23:00, 60 % of the capacity stays available", 0.6),
    ],
)
def test_what_a_link_lost_and_what_is_left(spec: NetworkSpec, text: str, left: float) -> None:
    assert [m["capacity_factor"] for m in plain(spec, text)["context"]["maintenance"]] == [left]


@pytest.mark.parametrize(
    "text",
    [
        "When you shift the shares of embb, never by more than 4 points per step, radio only.",
        "Per our agreement, restrict share changes of eMBB to 4 percentage points per step, PRBs only",
    ],
)
def test_steps_of_one_resource(spec: NetworkSpec, text: str) -> None:
    assert plain(spec, text)["limits"] == [{"scope": {"slices": ["embb"]}, "max_change": 0.04, "resource": "prb"}]


def test_conditions_on_changes_that_bound_none(spec: NetworkSpec) -> None:
    assert codes(spec, "When embb moves into the corridor, urllc p99 below 9 ms") == {"unsupported_condition"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("URLLC loss at most 1 %, in the hospital as everywhere else.", {"slices": ["urllc"]}),
        (
            "For URLLC we accept at most 1 % loss in the hospital, else the picture freezes.",
            {"slices": ["urllc"], "zone": "hospital"},
        ),
    ],
)
def test_places_and_consequences(spec: NetworkSpec, text: str, expected: dict[str, Any]) -> None:
    got = plain(spec, text)
    assert [c["scope"] for c in got["constraints"]] == [expected]
    assert "limits" not in got


def test_a_loss_in_milliseconds(spec: NetworkSpec) -> None:
    assert codes(spec, "embb may lose up to 3 ms of its packets") == {"unit_mismatch"}


def test_a_share_that_is_kept(spec: NetworkSpec) -> None:
    assert plain(spec, "FWA must keep 20 % of the radio in the corridor")["limits"][0]["min_share"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "text",
    [
        "urllc has priority over fwa, embb loss below 2 %",
        "urllc is more important than fwa, embb loss below 2 %",
        "fwa yields to urllc, embb loss below 2 %",
    ],
)
def test_orders_in_other_words(spec: NetworkSpec, text: str) -> None:
    got = plain(spec, text)
    assert got["objective"] == {"slice_weights": {"urllc": 2.0}}
    assert [c["scope"] for c in got["constraints"]] == [{"slices": ["embb"]}]


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("urllc gets weight 4 and fwa 0.5", {"urllc": 4.0, "fwa": 0.5}),
        ("urllc's weight is 3, embb's is 2", {"urllc": 3.0, "embb": 2.0}),
        ("set weights urllc=3, embb=1.5", {"urllc": 3.0, "embb": 1.5}),
        ("weights: urllc 3 embb 2 fwa 0.5", {"urllc": 3.0, "embb": 2.0, "fwa": 0.5}),
        ("fwa twice as important as embb, urllc three times", {"fwa": 2.0, "urllc": 3.0}),
    ],
)
def test_weights_of_several(spec: NetworkSpec, text: str, weights: dict[str, float]) -> None:
    assert plain(spec, text)["objective"]["slice_weights"] == weights


def test_a_link_with_its_own_statement(spec: NetworkSpec) -> None:
    got = plain(spec, "fwa at least 30 % on up-1, up-3 down tonight")
    assert got["limits"][0]["scope"]["links"] == ["up-1"]
    assert [m["link"] for m in got["context"]["maintenance"]] == ["up-3"]


@pytest.mark.parametrize(
    "text", ["no one touches fwa, urllc p99 stays under 9 ms", "Tonight no-one changes FWA, and URLLC p99 stays under 9 ms"]
)
def test_hands_off_and_a_bound(spec: NetworkSpec, text: str) -> None:
    assert [(x["scope"], x["max_change"]) for x in plain(spec, text)["limits"]] == [(FROZEN["scope"], 0.0)]


@pytest.mark.parametrize(
    "text",
    [
        "fwa max 20 %, urllc min 30 %, embb the rest",
        "loss fwa/embb/urllc: 2/1 %",
        "urllc is to have 30 %, embb gets the remainder",
    ],
)
def test_what_has_no_figure_of_its_own(spec: NetworkSpec, text: str) -> None:
    assert codes(spec, text)


def test_figures_parted_by_slashes(spec: NetworkSpec) -> None:
    got = plain(spec, "loss of urllc/fwa at most 0.5/2 %")["constraints"]
    assert sorted((c["scope"]["slices"][0], c["bound"]) for c in got) == [("fwa", 0.02), ("urllc", 0.005)]


def test_a_chain_of_then_and_a_bound(spec: NetworkSpec) -> None:
    got = plain(spec, "first urllc, then embb, then fwa, urllc p99 below 9 ms")
    assert got["objective"] == {"slice_weights": {"urllc": 4.0, "embb": 2.0}}
    assert got["constraints"] == [URLLC_9]


@pytest.mark.parametrize(
    "text",
    [
        "freeze fwa, embb at most 20 % of the radio",
        "fwa must not be touched, embb max 20 % of PRBs",
        "don't change fwa, embb share max 20 %",
    ],
)
def test_a_share_after_a_freeze(spec: NetworkSpec, text: str) -> None:
    limits = plain(spec, text)["limits"]
    assert FROZEN in limits
    assert [(x["scope"], x["max_share"]) for x in limits if x != FROZEN] == [({"slices": ["embb"]}, 0.2)]


def test_a_surge_after_an_order(spec: NetworkSpec) -> None:
    got = plain(spec, "urllc over fwa, embb traffic doubles tonight")
    assert got["objective"]["slice_weights"] == {"urllc": 2.0}
    assert [s["scope"] for s in got["context"]["surges"]] == [{"slices": ["embb"]}]


def test_a_bound_of_two_after_a_freeze(spec: NetworkSpec) -> None:
    got = plain(spec, "freeze fwa, urllc and embb p99 below 30 ms")
    assert got["limits"] == [FROZEN]
    assert [c["scope"]["slices"] for c in got["constraints"]] == [["embb", "urllc"]]


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("energy matters less than urllc delay", 0.5),
        ("cost is less important than urllc", 0.5),
        ("savings matter less than quality", 0.5),
        ("saving is less important than performance", 0.5),
        ("energy matters more than urllc", 2.0),
        ("quality matters less than savings", 2.0),
        ("savings matter more than quality", 2.0),
    ],
)
def test_saving_compared_with_something_gets_its_weight(spec: NetworkSpec, text: str, weight: float) -> None:
    result = COMPILER.compile(text, spec, NOW)
    assert result.spec.objective.saving_weight == weight
    assert not result.spec.objective.slice_weights


def test_what_is_no_slice_is_not_weighed_as_one(spec: NetworkSpec) -> None:
    assert "not_understood" in codes(spec, "comfort matters less than urllc")
