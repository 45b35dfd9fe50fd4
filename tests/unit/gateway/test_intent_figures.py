"""Figures in the words of many: fractions by strokes and signs, "half as much again", weights, hours of a part of the day."""

from __future__ import annotations

import datetime as dt

import pytest
from intent_reading import BERLIN, codes, plain, read, window

from twm.core.network import NetworkSpec


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("loss of fwa at most 1/2 %", [0.005]),
        ("fwa loss no higher than 3/4%", [0.0075]),
        ("fwa loss at most ½ %", [0.005]),
        ("fwa loss at most 2½ percent", [0.025]),
        ("urllc p99 at most 9½ ms", [9.5]),
        ("fwa/embb loss at most 1/2 %", [0.01, 0.02]),
        ("urllc and embb p99 at most 9/80 ms", [9.0, 80.0]),
    ],
)
def test_strokes_are_fractions_or_lists(spec: NetworkSpec, text: str, bounds: list[float]) -> None:
    assert [c.bound for c in read(spec, text).constraints] == bounds


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("half as much demand again in the corridor tomorrow", 1.5),
        ("Half again as many eMBB users in the corridor tomorrow.", 1.5),
        ("a third as much traffic again in the corridor", 1.333333333),
        ("half as much demand in the corridor tomorrow", 0.5),
        ("The ferry arrives at 7:00 tomorrow, so three quarters more eMBB traffic in the corridor", 1.75),
    ],
)
def test_so_much_again_is_more(spec: NetworkSpec, text: str, factor: float) -> None:
    (surge,) = read(spec, text).context.surges
    assert surge.factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("fwa is what pays the bills, weight it fourfold", {"fwa": 4.0}),
        ("URLLC is vital; give it a weight of 3", {"urllc": 3.0}),
        ("We like urllc and embb, weigh them double", {"urllc": 2.0, "embb": 2.0}),
        ("urllc weight 3, embb weight 0.5", {"urllc": 3.0, "embb": 0.5}),
    ],
)
def test_what_is_weighed_may_have_been_named_before(spec: NetworkSpec, text: str, weights: dict[str, float]) -> None:
    assert plain(spec, text) == {"objective": {"slice_weights": weights}}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("urllc weight 50", "out_of_range"),
        ("urllc weight 3, embb weight 20", "out_of_range"),
        ("urllc counts 30 times", "out_of_range"),
        ("weight it double", "ambiguous_scope"),
        ("Keep eMBB at 30 %; otherwise freeze FWA", "unsupported_condition"),
        ("urllc p99 below 9 ms in the corridor and p99 below 12 ms for urllc in the corridor", "clashing_bounds"),
    ],
)
def test_what_would_be_guessed_is_asked(spec: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(spec, text)


def test_two_figures_of_one_kpi_have_a_place_each(spec: NetworkSpec) -> None:
    wide, narrow = read(spec, "urllc p99 < 9 ms, < 12 ms in the corridor").constraints
    assert (wide.bound, wide.scope.zone) == (9.0, "")
    assert (narrow.bound, narrow.scope.zone) == (12.0, "corridor")


def test_otherwise_may_be_a_reason(spec: NetworkSpec) -> None:
    assert len(read(spec, "Keep eMBB loss below 6 %, otherwise the guests complain").constraints) == 1


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("freeze fwa from 3 this afternoon", "11-25 15:00", ""),
        ("30 % more embb traffic at 3 this afternoon for an hour", "11-25 15:00", "11-25 16:00"),
        ("give embb 30 % from seven this evening until 10 at night", "11-25 19:00", "11-25 22:00"),
        ("freeze fwa at 8 tomorrow morning for two hours", "11-26 08:00", "11-26 10:00"),
        ("freeze fwa from 9 tonight until 6 tomorrow morning", "11-25 21:00", "11-26 06:00"),
    ],
)
def test_a_part_of_the_day_tells_the_hour(spec: NetworkSpec, text: str, start: str, end: str) -> None:
    assert window(spec, text) == (start, end)


@pytest.mark.parametrize(
    ("text", "kpis"),
    [
        ("URLLC delay no longer than 9 ms on average", ["delay_mean_ms"]),
        ("urllc latency at most 9 ms on average, 15 ms at the 99th percentile", ["delay_mean_ms", "delay_p99_ms"]),
        ("keep the delay of urllc below 15 ms in the 99th percentile", ["delay_p99_ms"]),
    ],
)
def test_the_statistic_may_stand_behind_the_figure(spec: NetworkSpec, text: str, kpis: list[str]) -> None:
    assert [c["kpi"] for c in plain(spec, text)["constraints"]] == kpis


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("up-3 must not run hotter than 70 %", 0.7),
        ("keep a 20 % reserve on up-3", 0.8),
        ("keep 20 % of up-3 in reserve", 0.8),
        ("avoid congestion on up-3, keep it at 75 % or less", 0.75),
    ],
)
def test_links_are_bounded_and_not_under_work(spec: NetworkSpec, text: str, bound: float) -> None:
    assert plain(spec, text) == {
        "constraints": [
            {"kpi": "utilisation_ratio", "scope": {"links": ["up-3"]}, "comparator": "at_most", "bound": pytest.approx(bound)}
        ]
    }


def test_a_lost_link_is_no_loss_of_packets(spec: NetworkSpec) -> None:
    found = plain(spec, "we lost up-4, keep FWA above 20 Mbps anyway")
    assert found["context"] == {"maintenance": [{"link": "up-4", "capacity_factor": 0.0}]}
    assert [c["kpi"] for c in found["constraints"]] == ["throughput_mbps"]


def test_who_is_spoken_of_before_does_not_come_first(spec: NetworkSpec) -> None:
    found = plain(spec, "eMBB should get what it needs, but URLLC comes first")
    assert found == {"objective": {"slice_weights": {"urllc": 2.0}}}


def test_one_bound_or_another_is_asked_about(spec: NetworkSpec) -> None:
    assert "clashing_bounds" in codes(spec, "URLLC under 8 ms or at worst 10 ms in the hospital")


def test_a_heading_of_a_surge_makes_a_multiple_demand(spec: NetworkSpec) -> None:
    found = read(spec, "Tonight's surge: double eMBB in the corridor. During it URLLC stays under 9 ms.")
    assert [s.factor for s in found.context.surges] == [2.0]
    assert found.constraints[0].window.occasion


def test_an_end_behind_an_event_is_of_its_day(spec: NetworkSpec) -> None:
    text = "There's a football match on Saturday at 15:30; expect double eMBB traffic in the corridor until 18:00"
    assert window(spec, text) == ("11-28 15:30", "11-28 18:00")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("Give eMBB half of the PRBs between 18:00 and 20:00 and a third after that", "11-25 20:00"),
        ("Give eMBB half of the PRBs from 18:00 to 20:00 tomorrow. After that freeze it.", "11-26 20:00"),
    ],
)
def test_after_that_is_behind_the_window_before(spec: NetworkSpec, text: str, start: str) -> None:
    _, later = plain(spec, text)["limits"]
    moment = dt.datetime.fromisoformat(later["window"]["start"]).astimezone(BERLIN)
    assert (f"{moment:%m-%d %H:%M}", later["window"].get("end")) == (start, None)


def test_a_word_behind_that_is_for_the_reader_is_no_window(spec: NetworkSpec) -> None:
    assert window(spec, "freeze fwa until 18:00, and report to me afterwards") == ("", "11-25 18:00")


def test_what_comes_after_an_outage_does_not_take_its_place(spec: NetworkSpec) -> None:
    assert codes(spec, "Up-4 is down until 14:00; after that at half capacity until 16:00")


@pytest.mark.parametrize(
    ("text", "change"),
    [("never take more than 5 points from eMBB at once", 0.05), ("fwa: 3 points at a time", 0.03)],
)
def test_points_that_are_taken_are_a_step(spec: NetworkSpec, text: str, change: float) -> None:
    (limit,) = plain(spec, text)["limits"]
    assert (limit["max_change"], "max_share" in limit) == (change, False)


def test_points_of_a_slice_alone_are_asked_about(spec: NetworkSpec) -> None:
    assert codes(spec, "embb at most 30 points")


def test_two_links_with_two_figures_have_one_each(spec: NetworkSpec) -> None:
    found = plain(spec, "up-3 and up-4 will be at 50 % and 70 % of their capacity tonight")
    works = found["context"]["maintenance"]
    assert [(w["link"], w["capacity_factor"]) for w in works] == [("up-3", 0.5), ("up-4", 0.7)]


def test_the_link_of_an_occasion_is_not_bounded(spec: NetworkSpec) -> None:
    found = plain(spec, "cap the load on up-5 at 80 percent during the works on up-3")
    assert [c["scope"] for c in found["constraints"]] == [{"links": ["up-5"]}]


def test_a_link_that_drops_to_a_rate_has_that_left(spec: NetworkSpec) -> None:
    found = plain(spec, "up-3 drops to 120 Mbps from 6 to 9 am tomorrow because of the rain")
    (work,) = found["context"]["maintenance"]
    assert work["link"] == "up-3"
    assert 0 < work["capacity_factor"] < 1


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("raise urllc's floor from 10 % to 20 % of the PRBs", {"min_share": 0.2}),
        ("lower the cap of embb from 40 to 30 %", {"max_share": 0.3}),
        ("embb gets from 20 to 40 % of the PRBs", {"min_share": 0.2, "max_share": 0.4}),
    ],
)
def test_a_limit_that_is_moved_is_where_it_goes(spec: NetworkSpec, text: str, limit: dict[str, float]) -> None:
    (found,) = plain(spec, text)["limits"]
    assert {k: v for k, v in found.items() if k.endswith("share")} == limit


def test_work_on_two_links_at_two_times(spec: NetworkSpec) -> None:
    found = plain(spec, "There is maintenance on down-2 from 12:00 to 13:00 and on up-2 from 13:00 to 15:00.")
    works = found["context"]["maintenance"]
    assert [(w["link"], w["window"]["start"][11:16]) for w in works] == [("down-2", "11:00"), ("up-2", "12:00")]


def test_a_link_kept_at_a_figure_is_asked_about(spec: NetworkSpec) -> None:
    assert codes(spec, "keep up-3 around 70 %") == {"missing_comparator"}


def test_time_zones_in_capitals(spec: NetworkSpec) -> None:
    assert window(spec, "freeze fwa until 18:00 WAT") == ("", "11-25 18:00")
    assert window(spec, "freeze fwa until 18:00 PKT") == ("", "11-25 14:00")
    assert codes(spec, "freeze fwa from 15 hrs to 17 hrs IST") == {"ambiguous_window"}
