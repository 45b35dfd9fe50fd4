"""Figures in the word orders and company people give them, and what is said of them apart: topics, places, risks."""

from __future__ import annotations

from typing import Any

import pytest
from intent_reading import codes, plain, read

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("As set out in clause 12, urllc loss must not be above 0.5 %.", 0.005),
        ("Ticket no. 88172: keep embb throughput at 50 Mbps or above.", 50.0),
        ("Per annex 3 of the contract, the fwa slice gets no less than 20 Mbps.", 20.0),
        ("The urllc delay must not 9 ms exceed.", 9.0),
        ("embb loss must not over 4 % climb.", 0.04),
        ("urllc must not drop more than 1 in 200.", 0.005),
        ("fwa may drop at most two percent.", 0.02),
        ("No cell may be fuller than 75 %.", 0.75),
        ("Get down-1 below 0.85 please.", 0.85),
        ("fwa can do with a latency until 80 ms.", 80.0),
        ("urllc should see 8 ms or quicker.", 8.0),
        ("embb loss should stay south of 3 %.", 0.03),
        ("embb throughput may drop to 20 Mbps, no further.", 20.0),
        ("Mind down-2: keep its fill off the ceiling, at 78 % or below.", 0.78),
        ("urllc 8 ms, and not one millisecond more.", 8.0),
        ("Never, ever, let embb loss pass 4 %.", 0.04),
        ("fwa must - and I mean must - stay under 70 ms.", 70.0),
        ("Anything slower than 11 ms is unacceptable for urllc.", 11.0),
        ("Less than 25 Mbps is not OK for embb.", 25.0),
        ("Delays over 20 ms spoil the picture, so urllc has to stay below 14 ms.", 14.0),
        ("Anything above 6 % loss gets us calls, so embb in the corridor has to be at or under 6 %.", 0.06),
        ("up-2 should never carry more than 72 percent of its capacity.", 0.72),
        ("Don't let up-1 run hotter than 88 %.", 0.88),
        ("PRB utilisation of cell-1: 0.8 max", 0.8),
        ("SLO: urllc delivery ratio >= 0.998.", 0.002),
        ("down-2 needs a reserve of 30 %.", 0.7),
        ("Zero loss for urllc, please.", 0.0),
        ("The load of up-1 has to remain at 76 % or lower.", 0.76),
    ],
)
def test_figures_in_other_word_orders_are_bounds(spec: NetworkSpec, text: str, bound: float) -> None:
    assert [c.bound for c in read(spec, text).constraints] == pytest.approx([bound])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("up-1 runs with 300 of its 1000 Mbps until 18:00 today.", 0.3),
        ("down-2 has only 2 out of 10 Gbps left tonight.", 0.2),
        ("up-3: capacity down by 20 % tonight.", 0.8),
        ("up-3: capacity down to 20 % tonight.", 0.2),
    ],
)
def test_what_is_left_is_a_part_of_the_whole(spec: NetworkSpec, text: str, left: float) -> None:
    assert [m.capacity_factor for m in read(spec, text).context.maintenance] == pytest.approx([left])


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("embb gets min 10, max 40 % of the PRBs.", {"min_share": 0.1, "max_share": 0.4, "resource": "prb"}),
        ("Give embb a quarter of the PRBs, exactly a quarter.", {"min_share": 0.25, "max_share": 0.25, "resource": "prb"}),
        (
            "Let the embb radio share lie between 20 and 40 %, with no step above 3 points.",
            {"min_share": 0.2, "max_share": 0.4, "max_change": 0.03, "resource": "prb"},
        ),
        ("embb's part of the radio: anywhere from 15 up to 35 %.", {"min_share": 0.15, "max_share": 0.35, "resource": "prb"}),
        (
            "A minimum of 15 and a maximum of 35 % of the radio for embb.",
            {"min_share": 0.15, "max_share": 0.35, "resource": "prb"},
        ),
        ("embb's PRB share: steps no bigger than 4 points each.", {"max_change": 0.04, "resource": "prb"}),
        ("At most 40 % of the bandwidth of any link for embb.", {"max_share": 0.4, "resource": "bandwidth"}),
        ("embb stays frozen, nobody alters its shares.", {"max_change": 0.0}),
        ("embb has 20 % of the PRBs, that's the minimum.", {"min_share": 0.2, "resource": "prb"}),
        ("embb's part of the PRBs: two fifths, no bigger.", {"max_share": 0.4, "resource": "prb"}),
        ("Put a lid of 40 % on embb's PRBs.", {"max_share": 0.4, "resource": "prb"}),
        ("embb is happy with a fifth of the PRBs.", {"max_share": 0.2, "resource": "prb"}),
    ],
)
def test_what_is_said_of_one_share_is_one_limit(spec: NetworkSpec, text: str, limit: dict[str, Any]) -> None:
    assert plain(spec, text) == {"limits": [{"scope": {"slices": ["embb"]}, **limit}]}


@pytest.mark.parametrize(
    "text",
    [
        "up-1 may be used up to 85 %, and the chance of going beyond that shall be 2 % at most.",
        "up-1 at most 85 % utilised, P(breach) <= 0.02",
        "up-1 at most 85 % utilised, alpha = 0.02",
        "up-1 at most 85 % utilised, with a 98 % guarantee",
        "Hold up-1 at or below 85 % utilisation 98 times out of 100.",
        "up-1 at most 85 % utilised. Probability of breaking this bound: 2 percent or less.",
    ],
)
def test_a_risk_in_words_of_its_own_is_of_the_bound_before(spec: NetworkSpec, text: str) -> None:
    (bound,) = read(spec, text).constraints
    assert (bound.bound, bound.max_violation_probability) == pytest.approx((0.85, 0.02))


def test_a_topic_lends_its_kpi_and_asks_for_nothing(spec: NetworkSpec) -> None:
    said = read(spec, "Reliability targets. urllc: 99.99 %. embb: 98 %.")
    assert [c.bound for c in said.constraints] == pytest.approx([0.0001, 0.02])
    assert len(read(spec, "Subject: urllc latency. Wanted: 9 ms or less for urllc.").constraints) == 1
    assert codes(spec, "URLLC latency. Freeze fwa.") == {"missing_bound"}


def test_a_place_said_of_both_is_of_both(spec: NetworkSpec) -> None:
    said = read(spec, "fwa: 4 % loss is the worst we take. Throughput: 18 Mbps or more. Both at the hospital.")
    assert [c.scope.zone for c in said.constraints] == ["hospital", "hospital"]
    assert codes(spec, "fwa loss 4 % at most. Throughput of fwa: 18 Mbps or more. Both in the stadium.") == {"unknown_zone"}


def test_what_is_feared_is_on_the_wrong_side_of_the_bound(spec: NetworkSpec) -> None:
    for text in ("I accept a 2 % risk that embb drops below 10 Mbps.", "Chance that embb drops below 10 Mbps: at most 2 %."):
        (bound,) = read(spec, text).constraints
        assert (bound.comparator, bound.bound) == (intent_pb2.COMPARATOR_AT_LEAST, 10.0)
        assert bound.max_violation_probability == pytest.approx(0.02)
    (loss,) = read(spec, "The risk that fwa loss exceeds 6 % must be under 1 %.").constraints
    assert (loss.bound, loss.max_violation_probability) == pytest.approx((0.06, 0.01))


def test_a_complaint_lends_its_kpi(spec: NetworkSpec) -> None:
    (bound,) = read(spec, "Our fwa customers complain about latency. 60 ms at most for them.").constraints
    assert (bound.kpi, bound.bound, len(bound.scope.slices)) == (intent_pb2.KPI_DELAY_P99_MS, 60.0, 1)


def test_a_load_cut_by_so_much_is_relative(spec: NetworkSpec) -> None:
    assert codes(spec, "Cut the load of up-1 by a fifth.") == {"relative_bound"}
    assert codes(spec, "Raise urllc by 5 points per step.") == {"relative_bound"}


def test_a_rate_with_a_delay_of_its_own_is_two_bounds(spec: NetworkSpec) -> None:
    said = read(spec, "embb needs at least 25 Mbps with a mean delay of 60 ms at most.")
    assert [(c.kpi, c.bound) for c in said.constraints] == [
        (intent_pb2.KPI_THROUGHPUT_MBPS, 25.0),
        (intent_pb2.KPI_DELAY_MEAN_MS, 60.0),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Get embb loss down to half of what it is now.",
        "Bring urllc delay 20 % below what it is today.",
        "embb: 8 points more PRBs than it has today.",
        "Make embb 30 % faster.",
    ],
)
def test_a_figure_against_now_is_relative(spec: NetworkSpec, text: str) -> None:
    assert codes(spec, text) == {"relative_bound"}


def test_a_range_of_bandwidth_is_a_share_and_no_work(spec: NetworkSpec) -> None:
    said = read(spec, "urllc: between 12 and 25 % of the bandwidth on up-1 and up-3.")
    (limit,) = said.limits
    assert (limit.min_share, limit.max_share, list(limit.scope.links)) == (0.12, 0.25, [0, 2])


def test_what_is_counted_on_of_a_fading_link_is_left(spec: NetworkSpec) -> None:
    (work,) = read(spec, "up-1 is fading in the fog: count on 60 % of it until 18:00.").context.maintenance
    assert work.capacity_factor == pytest.approx(0.6)


def test_a_cost_that_was_told_is_cut(spec: NetworkSpec) -> None:
    assert plain(spec, "Energy to 90 % of what it is now.") == {"objective": {"saving_target_ratio": 0.1}}
    assert plain(spec, "Consumption is too high. Cut it by a tenth.") == {"objective": {"saving_target_ratio": 0.1}}
