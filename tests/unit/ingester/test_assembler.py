"""Frames from samples: order, duplicates, time stamps, silence, bounds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_reports import city_step, measured

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.scm import weighted_quantile
from twm.ingester.aggregation import FrameBuilder
from twm.ingester.assembler import Assembler, Patience
from twm.ingester.reading import ReportReader

CITY = load_network(find_network("poc-city"))


def small_city() -> NetworkSpec:
    """Two cells of two nodes and one link, 8 s steps of two: quick to permute."""
    data = CITY.model_dump(mode="json")
    data["timing"] = {"slow_step_s": 8, "fast_steps": 2, "horizon_steps": 4}
    data["cells"] = [data["cells"][0], data["cells"][2]]
    data["zones"] = []
    data["e2_nodes"] = data["e2_nodes"][:2]
    data["transport"] |= {"links": data["transport"]["links"][:1], "backup_routes": {}}
    data["transport"]["routes"] = {"cell-0": ["up-1"], "cell-2": ["up-1"]}
    return NetworkSpec.model_validate(data)


SMALL = small_city()


class Area:
    """An assembler with its reader and a clock that stands still until told."""

    def __init__(self, spec: NetworkSpec, last_step: int | None = None, **patience: float) -> None:
        fits = Patience.of(spec)
        self.now = 0.0
        self.values: Counter[str] = Counter()
        self.reader = ReportReader(spec, count=self.values.update)
        wanted = Patience(**{**{k: getattr(fits, k) for k in fits.__dataclass_fields__}, **patience})
        self.assembler = Assembler(spec, wanted, FrameBuilder(spec, count=self.values.update), now=0.0, last_step=last_step)
        self.outcomes: Counter[str] = Counter()
        self.frames: list[FrameArrays] = []

    def feed(self, reports: Iterable[telemetry_pb2.Report]) -> None:
        for report in reports:
            received_s = report.received.seconds + report.received.nanos * 1e-9
            for sample in self.reader.read(report, received_s):
                self.outcomes[self.assembler.add(sample, received_s, self.now)] += 1

    def emit(self) -> list[FrameArrays]:
        out = []
        while (step := self.assembler.due(self.now, caught_up=True)) is not None:
            out.append(self.assembler.frame(step))
            self.assembler.closed(step)
        self.frames += out
        return out


def assert_same(a: FrameArrays, b: FrameArrays) -> None:
    assert (a.step, a.report_count, a.missing_report_count) == (b.step, b.report_count, b.missing_report_count)
    for name, block in a.blocks().items():
        np.testing.assert_array_equal(block, b.blocks()[name], err_msg=name)


def only_frame(spec: NetworkSpec, reports: Iterable[telemetry_pb2.Report]) -> FrameArrays:
    area = Area(spec)
    area.feed(reports)
    (frame,) = area.emit()
    return frame


def test_a_complete_step_closes_at_once_and_holds_every_value() -> None:
    frame = only_frame(CITY, city_step(CITY, 100))
    assert frame.step == 100
    assert frame.start_s == 6000.0
    assert frame.missing_report_count == 0
    assert frame.report_count == 15 * (10 + 10 + 10)
    for name, block in frame.blocks().items():
        assert not np.isnan(block).any(), name
    FrameCodec(CITY).decode(FrameCodec(CITY).encode(frame))


def test_features_follow_their_definitions() -> None:
    reports = city_step(CITY, 7, seed=3)
    frame = only_frame(CITY, reports)
    cell, slice_index = 4, 1
    kpm = [r.measurements for r in reports if r.WhichOneof("content") == "measurements" and r.cell_id == "cell-4"]
    column = {name: np.array([m.values[i * 4 + slice_index] for m in kpm]) for i, name in enumerate(kpm[0].names)}
    sums = {name: sum(np.array([m.values[i * 4 + s] for m in kpm]) for s in range(3)) for i, name in enumerate(kpm[0].names)}
    adapters = [r.cell for r in reports if r.WhichOneof("content") == "cell" and r.cell.cell_id == "cell-4"]
    delay = np.array([a.e2e_delay_ms[slice_index] for a in adapters])
    loss = np.array([a.e2e_loss_ratio[slice_index] for a in adapters])
    offered, served = column["DRB.PdcpSduVolumeDL"], column["DRB.RlcSduTransmittedVolumeDL"]
    expected = {
        "offered_mbps": offered.sum() / 1000 / 60,
        "served_mbps": served.sum() / 1000 / 60,
        "prb_share": np.mean([a.prb_share[slice_index] for a in adapters]),
        "prb_used_ratio": column["RRU.PrbUsedDl"].mean() / 273,
        "radio_loss_ratio": np.average(column["DRB.RlcPacketDropRateDl"], weights=offered) * 1e-6,
        "radio_delay_ms": np.average(column["DRB.RlcSduDelayDl"], weights=offered) * 0.1,
        "e2e_loss_ratio": np.average(loss, weights=offered),
        "e2e_delay_p99_ms": weighted_quantile(delay, offered, 0.99),
        "queue_mbit": adapters[-1].queue_mbit[slice_index],
        "active_ues": column["DRB.MeanActiveUeDl"].mean(),
    }
    for name, value in expected.items():
        assert frame.cell_slice_feature(name)[cell, slice_index] == pytest.approx(value, rel=1e-5), name
    np.testing.assert_allclose(frame.fast_feature("offered_mbps")[cell, slice_index], offered / 1000 / 4, rtol=1e-6)
    np.testing.assert_allclose(frame.fast_feature("e2e_delay_ms")[cell, slice_index], delay, rtol=1e-6)
    assert frame.cell_feature("prb_used_ratio")[cell] == pytest.approx(np.mean([m.values[-1] for m in kpm]) / 100, rel=1e-5)
    efficiency = sums["DRB.RlcSduTransmittedVolumeDL"].sum() / 1000 / (sums["RRU.PrbUsedDl"].sum() * 4 * 0.36)
    assert frame.cell_feature("spectral_efficiency_bps_hz")[cell] == pytest.approx(efficiency, rel=1e-5)
    loads = [r.link for r in reports if r.WhichOneof("content") == "link" and r.link.link_id == "down-2"]
    link = CITY.topology().link_index["down-2"]
    weights = [x.offered_mbps[0] for x in loads]
    assert frame.link_slice_feature("loss_ratio")[link, 0] == pytest.approx(
        np.average([x.loss_ratio[0] for x in loads], weights=weights), rel=1e-5
    )
    assert frame.link_feature("up_ratio")[link] == pytest.approx(np.mean([x.up for x in loads]), rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_and_any_duplicates_give_the_same_frame(random: object, copies: int) -> None:
    reports = city_step(SMALL, 20, seed=1)
    expected = only_frame(SMALL, reports)
    shuffled = reports + reports[: copies * 3]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    area = Area(SMALL)
    area.feed(shuffled)
    (frame,) = area.emit()
    assert_same(frame, expected)
    assert area.outcomes["duplicate"] == copies * 3


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.sets(st.integers(0, 29), max_size=12))
def test_steps_interleaved_within_the_watermark_give_the_frames_of_steps_in_order(random: object, lost: set[int]) -> None:
    """Reports of one source come out of order by at most one reporting period; some are lost."""
    reports = [r for step in range(20, 23) for r in city_step(SMALL, step)]
    kept = [r for i, r in enumerate(reports) if i not in lost]
    in_order, mixed = Area(SMALL), Area(SMALL)
    order = sorted(range(len(kept)), key=lambda i: kept[i].period_start.seconds + random.uniform(0.0, 3.9))  # type: ignore[attr-defined]
    for area, sequence in ((in_order, kept), (mixed, [kept[i] for i in order])):
        for report in sequence:
            area.feed([report])
            area.emit()
        area.now = 1000.0
        area.emit()
    assert mixed.outcomes == in_order.outcomes == Counter(accepted=len(kept))
    assert len(mixed.frames) == len(in_order.frames) == 3
    for a, b in zip(mixed.frames, in_order.frames, strict=True):
        assert_same(a, b)


def test_missing_stays_missing_and_is_counted() -> None:
    reports = city_step(CITY, 5)
    lost = [r for r in reports if r.cell_id == "cell-3" or (r.WhichOneof("content") == "link" and r.link.link_id == "up-2")]
    area = Area(CITY)
    area.feed(r for r in reports if r not in lost)
    assert area.emit() == []
    area.feed(city_step(CITY, 6))
    frame = area.emit()[0]
    assert frame.step == 5
    assert frame.missing_report_count == len(lost) == 30
    assert np.isnan(frame.cell_slice_feature("offered_mbps")[3]).all()
    assert not np.isnan(frame.cell_slice_feature("prb_share")[3]).any()
    assert np.isnan(frame.link_slice[CITY.topology().link_index["up-2"]]).all()
    assert not np.isnan(frame.cell_slice_feature("offered_mbps")[2]).any()


def test_one_silent_node_does_not_stall_the_area() -> None:
    area = Area(CITY)
    for step in (5, 6, 7):
        area.feed(r for r in city_step(CITY, step) if r.node_id != "gnb-2")
        area.now += 1.0
    assert [f.step for f in area.emit()] == []  # gnb-2 may still speak
    area.now += 7.0  # now only gnb-2 has been silent for longer than two report periods
    area.feed(r for r in city_step(CITY, 8)[:60] if r.node_id != "gnb-2")
    frames = area.emit()
    assert [f.step for f in frames] == [5, 6, 7]
    assert all(f.missing_report_count == 30 for f in frames)


def test_a_node_a_step_behind_the_others_does_not_hold_them_back() -> None:
    area = Area(CITY)
    area.feed(city_step(CITY, 5))
    area.feed(r for step in (6, 7, 8) for r in city_step(CITY, step) if r.node_id != "gnb-2")
    assert [f.step for f in area.emit()] == [5, 6, 7]


def test_when_all_fall_silent_the_open_step_closes_after_the_area_timeout() -> None:
    area = Area(CITY)
    area.feed(city_step(CITY, 5)[:200])
    area.now = 30.0
    assert area.emit() == []
    area.now = 61.0
    (frame,) = area.emit()
    assert frame.step == 5
    assert 0 < frame.missing_report_count < 300
    area.feed(city_step(CITY, 5)[200:])
    assert area.outcomes["late"] == 250


def test_our_own_outage_is_not_their_silence() -> None:
    area = Area(CITY)
    area.feed(city_step(CITY, 5)[:200])
    area.now = 90.0
    area.assembler.refresh(90.0)
    assert area.emit() == []
    area.feed(city_step(CITY, 5)[200:])
    (frame,) = area.emit()
    assert frame.missing_report_count == 0


def test_late_stale_and_future_reports_are_refused_with_their_reasons() -> None:
    area = Area(CITY, last_step=100)
    (late,), (stale,) = city_step(CITY, 99)[:1], city_step(CITY, 3)[:1]
    area.feed([late, stale])
    area.feed(city_step(CITY, 101)[:30])
    ahead = city_step(CITY, 150)[0]
    ahead.received.CopyFrom(city_step(CITY, 101)[0].received)
    area.feed([ahead])
    assert area.outcomes == Counter(accepted=30, late=1, stale=1, future=1)


def test_one_broken_clock_cannot_drag_time_along_but_a_jump_of_all_is_followed() -> None:
    area = Area(CITY)
    area.feed(city_step(CITY, 10))
    assert [f.step for f in area.emit()] == [10]

    def with_old_receive_time(reports: Iterable[telemetry_pb2.Report]) -> list[telemetry_pb2.Report]:
        out = list(reports)
        for report in out:
            report.received.FromSeconds(600)
        return out

    area.feed(with_old_receive_time(r for r in city_step(CITY, 30) if r.node_id == "gnb-1"))
    assert area.outcomes["future"] == 30
    area.feed(city_step(CITY, 11))
    assert [f.step for f in area.emit()] == [11]
    area.outcomes.clear()
    for step in (40, 41):
        area.feed(with_old_receive_time(city_step(CITY, step)))
    assert area.outcomes["future"] < 30
    steps = [f.step for f in area.emit()]
    assert steps[:29] == list(range(12, 41))


def test_a_gap_gives_all_missing_frames_and_a_long_one_is_skipped() -> None:
    area = Area(CITY, max_ahead_s=1e6)
    for step in (10, 14, 200):
        area.feed(city_step(CITY, step))
    frames = area.emit()
    assert [f.step for f in frames] == [10, 11, 12, 13, 14, 200]
    gap = frames[2]
    assert (gap.report_count, gap.missing_report_count) == (0, 10 * 15 * 2 + 10 * 15)
    assert all(np.isnan(block).all() for block in gap.blocks().values())
    assert gap.start_s == 12 * 60


def test_open_steps_and_samples_are_bounded() -> None:
    area = Area(CITY, max_ahead_s=1e9, idle_source_s=1e9, max_open_steps=4, max_gap_steps=0)
    for step in range(10, 60):
        area.feed(city_step(CITY, step)[:1])
        area.emit()
        assert len(area.assembler.open_steps) <= 4
    full = Area(CITY, max_samples=100)
    full.feed(city_step(CITY, 10))
    assert full.outcomes == Counter(accepted=100, overflow=350)


def test_sources_are_bounded() -> None:
    area = Area(CITY, max_sources=8)
    (report,) = [r for r in city_step(CITY, 10) if r.WhichOneof("content") == "link"][:1]
    for i in range(10):
        report.node_id = f"adapter-{i}"
        area.feed([report])
    assert area.outcomes == Counter(accepted=3, too_many_sources=7)


def test_a_source_that_fell_silent_makes_room_for_a_new_one() -> None:
    area = Area(CITY, max_sources=len(CITY.e2_nodes) + 2, idle_source_s=100.0)
    (report,) = [r for r in city_step(CITY, 10) if r.WhichOneof("content") == "link"][:1]

    def outcome_of(source: str) -> Counter[str]:
        report.node_id, area.outcomes = source, Counter()
        area.feed([report])
        return area.outcomes

    assert outcome_of("adapter-old") == Counter(accepted=1)
    area.now = 90.0
    assert outcome_of("adapter-kept")["too_many_sources"] == 0
    assert outcome_of("adapter-new") == Counter(too_many_sources=1)
    area.now = 110.0
    assert outcome_of("adapter-new")["too_many_sources"] == 0, "the old one has been silent for longer than a source may be"
    assert outcome_of("adapter-old") == Counter(too_many_sources=1)
    expected, area.outcomes = {node.id for node in CITY.e2_nodes}, Counter()
    area.feed(r for r in city_step(CITY, 10) if r.node_id in expected)
    assert area.outcomes["accepted"] > 0
    assert area.outcomes["too_many_sources"] == 0, "who is expected never made room"


def test_short_periods_add_up_and_long_ones_cover_several_fast_steps() -> None:
    spec = SMALL
    short, long = Area(spec), Area(spec)
    columns = ["embb", "urllc", "fwa"]
    for i in range(8):
        short.feed([measured("gnb-1", "cell-0", 80 + i, 1.0, {"DRB.PdcpSduVolumeDL": [1000 * i, 0, 500]}, columns)])
    long.feed([measured("gnb-1", "cell-0", 80, 8.0, {"DRB.PdcpSduVolumeDL": [28000, 0, 4000]}, columns)])
    frames = []
    for area in (short, long):
        area.now = 1000.0
        frames += area.emit()
    for frame in frames:
        np.testing.assert_allclose(frame.cell_slice_feature("offered_mbps")[0], [3.5, 0, 0.5], rtol=1e-6)
        assert np.isnan(frame.cell_slice_feature("offered_mbps")[1]).all()
    np.testing.assert_allclose(frames[0].fast_feature("offered_mbps")[0, 0], [1.5, 5.5], rtol=1e-6)
    np.testing.assert_allclose(frames[1].fast_feature("offered_mbps")[0, 0], [3.5, 3.5], rtol=1e-6)
    assert [f.missing_report_count for f in frames] == [2, 2]


def test_time_before_1970_and_far_before_receipt_is_stale() -> None:
    area = Area(CITY)
    old = measured("gnb-1", "cell-0", 60.0, 4.0, {"RRU.PrbTotDl": [1.0]}, [""])
    old.received.FromSeconds(1_790_000_000)
    area.feed([old])
    assert area.outcomes == Counter(stale=1)
    assert math.isinf(area.assembler._sources.front_s())
