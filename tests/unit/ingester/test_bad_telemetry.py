"""Every row of "bad input" that concerns telemetry: refused and counted with its reason, the good reports unharmed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from ingest_reports import city_step, measured, timed
from kpm_reports import NO_LABEL, format1, format3, kpm_report, kpm_step, ue_id

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.ingester.aggregation import FrameBuilder
from twm.ingester.counters import CounterMemory, difference
from twm.ingester.intake import TelemetryIngest
from twm.ingester.kpm.types import Format1, Format3, Label, Measurement, Record, UeReport
from twm.ingester.measurements import WRAP
from twm.ingester.reading import ReportReader
from twm.ingester.samples import KpmSample, Sample
from twm_twin.e2.kpm_encoder import encode_header, encode_message

CITY = load_network(find_network("poc-city"))
STEP = 30_000_000
START_S = STEP * 60.0
SLICES = [s.id for s in CITY.slices]


class Bench:
    """A reader and a builder that count refusals here."""

    def __init__(self, spec: NetworkSpec = CITY, cumulative: list[tuple[str, str]] | None = None) -> None:
        self.values: Counter[str] = Counter()
        self.reports: Counter[str] = Counter()
        self.reader = ReportReader(spec, cumulative=cumulative or [], count=self._count)
        self.builder = FrameBuilder(spec, count=self._count)

    def _count(self, refused: dict[str, int]) -> None:
        self.values.update({reason: count for reason, count in refused.items() if count})

    def read(self, *reports: telemetry_pb2.Report) -> list[Sample]:
        out: list[Sample] = []
        for report in reports:
            try:
                out += self.reader.read(report, START_S + 4)
            except InvalidInputError as error:
                self.reports[error.reason] += 1
        return out

    def frame(self, *reports: telemetry_pb2.Report, step: int = STEP) -> FrameArrays:
        return self.builder.build(step, self.read(*reports))


def kpm(message: Format1 | Format3, cell: int = 0) -> telemetry_pb2.Report:
    return kpm_report(CITY, cell, START_S, message)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_every_node_of_the_city_is_read_in_its_own_dialect_and_format() -> None:
    bench = Bench()
    frame = bench.frame(*kpm_step(CITY, STEP))
    assert not bench.reports
    assert not bench.values
    for name in ("offered_mbps", "served_mbps", "prb_used_ratio", "radio_loss_ratio", "active_ues"):
        assert not np.isnan(frame.cell_slice_feature(name)).any(), name
    assert not np.isnan(frame.fast_feature("offered_mbps")).any()


def test_truncated_indications_are_refused_at_every_length() -> None:
    whole = kpm(format1(CITY, rng()))
    bench = Bench()
    for length in range(1, len(whole.kpm.message)):
        cut = telemetry_pb2.Report()
        cut.CopyFrom(whole)
        cut.kpm.message = whole.kpm.message[:length]
        assert bench.read(cut) == []
    assert sum(bench.reports.values()) == len(whole.kpm.message) - 1


@pytest.mark.parametrize("message", [format1(CITY, rng()), format3(rng())])
def test_flipped_bits_are_refused_or_give_checked_values_and_never_crash(message: Format1 | Format3) -> None:
    whole = kpm(message)
    bits = np.random.default_rng(1).choice(8 * len(whole.kpm.message), 400, replace=False)
    for bit in bits:
        raw = bytearray(whole.kpm.message)
        raw[bit >> 3] ^= 1 << (bit & 7)
        flipped = telemetry_pb2.Report()
        flipped.CopyFrom(whole)
        flipped.kpm.message = bytes(raw)
        bench = Bench()
        frame = bench.frame(flipped)
        for name, block in frame.blocks().items():
            known = block[~np.isnan(block)]
            assert np.isfinite(known).all(), name
            assert (known >= 0).all(), name


def test_the_wrong_dialect_is_refused_and_not_misread() -> None:
    message = format1(CITY, rng())
    bench = Bench()
    for cell, dialect in ((0, "kpm_v3.00_flexric"), (2, "kpm_v3.00_standard")):
        report = kpm(message, cell)
        report.kpm.message = encode_message(message, dialect)
        assert bench.read(report) == []
    assert sum(bench.reports.values()) == 2


def test_good_reports_beside_bad_ones_are_unharmed() -> None:
    good = kpm_step(CITY, STEP)
    bad = [telemetry_pb2.Report() for _ in range(3)]
    for report in bad:
        report.CopyFrom(good[0])
    bad[0].kpm.message = b"\xff" * 30
    bad[1].kpm.header = b"\x00"
    bad[2].kpm.message = bad[2].kpm.message[:-3]
    bench, alone = Bench(), Bench()
    mixed = bench.frame(bad[0], *good[:70], bad[1], *good[70:], bad[2])
    for name, block in alone.frame(*good).blocks().items():
        np.testing.assert_array_equal(mixed.blocks()[name], block)
    assert sum(bench.reports.values()) == 3


@pytest.mark.parametrize(
    ("value", "reason"),
    [(float("nan"), "nan"), (float("inf"), "infinite"), (-1.0, "negative"), (1835e6, "out_of_range"), (-33.9, "negative")],
)
def test_wrong_and_dummy_values_are_missing_and_counted(value: float, reason: str) -> None:
    message = format1(CITY, rng(), names=("DRB.UEThpDl", "DRB.RlcSduDelayDl"))
    values = list(message.records[0].values)
    values[4] = value  # the delay of the second slice
    message.records[0].values = tuple(values)
    bench = Bench()
    frame = bench.frame(kpm(message))
    assert bench.values == Counter({reason: 1})
    delay = frame.cell_slice_feature("radio_delay_ms")[0]
    assert np.isnan(delay[1])
    assert not np.isnan(delay[[0, 2]]).any()


def test_no_value_is_missing_but_not_an_error() -> None:
    message = format1(CITY, rng(), names=("DRB.PdcpSduVolumeDL",))
    message.records[0].values = (1000, None, 3000)
    bench = Bench()
    offered = bench.frame(kpm(message)).cell_slice_feature("offered_mbps")[0]
    np.testing.assert_allclose(offered, [0.25, np.nan, 0.75])
    assert not bench.values


def test_zero_available_prbs_divide_nothing() -> None:
    names = ("RRU.PrbUsedDl", "RRU.PrbAvailDl")
    values = {names[0]: [10.0, 20.0, 0.0, np.nan], names[1]: [np.nan, np.nan, np.nan, 0.0]}
    frame = Bench().frame(measured("gnb-1", "cell-0", START_S, 4.0, values, [*SLICES, ""]))
    np.testing.assert_allclose(frame.cell_slice_feature("prb_used_ratio")[0], np.array([10, 20, 0]) / 273, rtol=1e-6)


def test_more_prbs_used_than_there_are_is_refused() -> None:
    bench = Bench()
    values = {"RRU.PrbUsedDl": [10.0, 600.0, 5.0]}
    frame = bench.frame(measured("gnb-1", "cell-0", START_S, 4.0, values, SLICES))
    assert np.isnan(frame.cell_slice_feature("prb_used_ratio")[0, 1])
    assert bench.values == Counter(out_of_range=1)


def test_volume_of_a_dummy_counter_is_refused() -> None:
    bench = Bench()
    values = {"DRB.PdcpSduVolumeDL": [4_294_967_295.0, 3_999_999_999.0, 5000.0]}
    offered = bench.frame(measured("gnb-1", "cell-0", START_S, 4.0, values, SLICES)).cell_slice_feature("offered_mbps")[0]
    np.testing.assert_allclose(offered, [np.nan, np.nan, 1.25])
    assert bench.values == Counter(out_of_range=2)


def test_unknown_measurements_and_labels_are_counted_and_the_known_ones_used() -> None:
    labels = (Label(sst=1, sd="000001", json={"sliceID": {"sST": "01", "sD": "000001"}}), NO_LABEL)
    five_qi = Label(sst=1, sd="000001", five_qi=9, json={"sliceID": {"sST": "01", "sD": "000001"}, "fiveQI": 9})
    other_plmn = Label(plmn="99f999", json={"plmnID": "99f999"})
    unknown_slice = Label(sst=77, json={"sliceID": {"sST": "4d"}})
    message = Format1(
        [Record((1000, 7, 5, 3, 4000, 8))],
        (
            Measurement("DRB.PdcpSduVolumeDL", None, (labels[0], five_qi, other_plmn, unknown_slice)),
            Measurement("X.Invented", None, (NO_LABEL,)),
            Measurement("", 17, (NO_LABEL,)),
        ),
        4000,
    )
    bench = Bench()
    frame = bench.frame(kpm(message))
    assert frame.cell_slice_feature("offered_mbps")[0, 0] == pytest.approx(0.25)
    assert bench.values == Counter(unknown_measurement=5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: setattr(r, "node_id", "gnb-99"), "unknown_node"),
        (lambda r: setattr(r, "cell_id", "cell-99"), "unknown_cell"),
        (lambda r: setattr(r, "cell_id", "cell-9"), "cell_of_another_node"),
        (lambda r: setattr(r, "cell_id", ""), "unknown_cell"),
        (lambda r: r.ClearField("kpm"), "invalid_field"),
    ],
)
def test_unknown_names_are_refused(change: Callable[[telemetry_pb2.Report], None], reason: str) -> None:
    report = kpm(format1(CITY, rng()))
    change(report)
    bench = Bench()
    assert bench.read(report) == []
    assert bench.reports == Counter({reason: 1})


def test_adapter_reports_with_unknown_names_wrong_sizes_or_no_time_are_refused() -> None:
    reports = [r for r in city_step(CITY, STEP) if r.WhichOneof("content") in ("cell", "link")]
    cell = next(r for r in reports if r.WhichOneof("content") == "cell")
    link = next(r for r in reports if r.WhichOneof("content") == "link")

    def changed(report: telemetry_pb2.Report, change: Callable[[telemetry_pb2.Report], object]) -> telemetry_pb2.Report:
        out = telemetry_pb2.Report()
        out.CopyFrom(report)
        change(out)
        return out

    bench = Bench()
    bench.read(
        changed(link, lambda r: setattr(r.link, "link_id", "up-99")),
        changed(cell, lambda r: setattr(r.cell, "cell_id", "cell-99")),
        changed(cell, lambda r: r.cell.queue_mbit.append(1.0)),
        changed(link, lambda r: r.ClearField("period_start")),
        changed(link, lambda r: setattr(r, "period_s", 0.0)),
        changed(link, lambda r: setattr(r, "period_s", 61.0)),
    )
    assert bench.reports == Counter(unknown_link=1, unknown_cell=1, bad_column_size=1, no_period_start=1, bad_period=2)
    wild = changed(cell, lambda r: r.cell.e2e_delay_ms.__setitem__(0, -4.0))
    wild.cell.queue_mbit[1] = float("inf")
    wild.cell.e2e_loss_ratio[2] = 1.5
    assert len(bench.read(wild)) == 1
    assert bench.values == Counter(negative=1, infinite=1, out_of_range=1)


def test_equal_and_wrapping_counters() -> None:
    assert difference(7.0, 7.0) == 0.0
    assert difference(WRAP - 10, 20.0) == 30.0
    assert np.isnan(difference(1000.0, 3.0))
    memory = CounterMemory()
    keys = [("ue", 4.0 * i, 4.0) for i in range(4)]
    first = memory.differences("column", keys, np.array([10.0, 10.0, np.nan, 40.0]))
    np.testing.assert_array_equal(first, [np.nan, 0.0, np.nan, np.nan])  # a gap gives no value


def test_a_node_that_sends_running_counters_is_read_as_differences() -> None:
    bench = Bench(cumulative=[("gnb-1", "DRB.PdcpSduVolumeDL")])

    def reports(node: str, cell: str) -> list[telemetry_pb2.Report]:
        readings = [4_294_960.0 * 1000 - 8000, 4_294_960.0 * 1000, 4_294_960.0 * 1000, (4_294_960.0 * 1000 + 8000) % WRAP]
        return [
            measured(node, cell, START_S + 4 * t, 4.0, {"DRB.PdcpSduVolumeDL": [reading, 10 * t, 5]}, SLICES)
            for t, reading in enumerate(readings)
        ]

    frame = bench.frame(*reports("gnb-1", "cell-0"))
    fast = frame.fast_feature("offered_mbps")[0, 0, :4]
    assert np.isnan(fast[0])
    assert fast[2] == 0.0
    assert not np.isnan(frame.fast_feature("offered_mbps")[0, 1, 1:4]).any()


def test_ues_are_summed_to_slices_and_unmapped_ones_counted_not_guessed() -> None:
    names = ("DRB.PdcpSduVolumeDL", "DRB.RlcSduDelayDl")
    measurements = tuple(Measurement(name, None, (NO_LABEL,)) for name in names)

    def ue(slice_number: int, number: int, volume: int, delay: float) -> UeReport:
        return UeReport(ue_id(slice_number, number), Format1([Record((volume, delay))], measurements, 4000))

    ues = [ue(1, 1, 4000, 10.0), ue(1, 2, 12000, 50.0), ue(2, 3, 0, 7.0), ue(9, 4, 99999, 1.0), ue(1, 1, 4000, 10.0)]
    bench = Bench()
    frame = bench.frame(kpm(Format3(ues), 4))
    np.testing.assert_allclose(frame.cell_slice_feature("offered_mbps")[4], [4.0, 0.0, np.nan])
    np.testing.assert_allclose(frame.cell_slice_feature("radio_delay_ms")[4], [4.0, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(frame.cell_slice_feature("active_ues")[4], [2.0, 0.0, np.nan])
    assert bench.values == Counter(unmapped_ue=1, duplicate_ue=1)


def test_one_bad_ue_value_makes_the_slice_sum_missing_not_small() -> None:
    message = format3(rng(), ues=6, names=("DRB.PdcpSduVolumeDL",))
    message.ues[0].report.records[0].values = (None,)
    offered = Bench().frame(kpm(message, 4)).cell_slice_feature("offered_mbps")[4]
    assert np.isnan(offered[0])
    assert not np.isnan(offered[1:]).any()


def test_a_list_left_out_is_that_of_the_report_before() -> None:
    full = format1(CITY, rng(), names=("DRB.PdcpSduVolumeDL",))
    bare = Format1([Record((4000, 8000, 12000))], None, 4000)
    bench = Bench()
    assert bench.read(kpm(bare)) == []
    assert bench.reports == Counter(no_measurement_list=1)
    (_, sample) = bench.read(kpm(full), kpm(bare))
    assert isinstance(sample, KpmSample)
    assert sample.values == (4000, 8000, 12000)


def test_unbelievable_time_stamps_and_periods_are_refused() -> None:
    message = format1(CITY, rng())
    report = kpm(message)
    report.kpm.header = encode_header(START_S, "kpm_v3.00_standard")[:-8] + bytes(8)
    endless = kpm(format1(CITY, rng(), period_ms=120_000))
    bench = Bench()
    assert bench.read(report, endless) == []
    assert bench.reports["bad_period"] == 1
    assert sum(bench.reports.values()) == 2


def judged(request: telemetry_pb2.IngestRequest | bytes) -> tuple[int, Counter[str]]:
    service = TelemetryIngest(None, CITY, wait_s=0.0, stop=asyncio.Event())  # type: ignore[arg-type]
    data = request if isinstance(request, bytes) else request.SerializeToString()
    payload, count, refused = service.judge(data)
    assert len(telemetry_pb2.ReportBatch.FromString(payload).reports) == count
    return count, refused


def test_a_batch_is_judged_report_by_report() -> None:
    reports = city_step(CITY, STEP)[:4]
    big = telemetry_pb2.Report(node_id="gnb-1", cell_id="cell-0", e2ap_pdu=b"\0" * ((1 << 20) + 1))
    no_content = telemetry_pb2.Report(node_id="gnb-1")
    long_name = telemetry_pb2.Report(node_id="x" * 65, e2ap_pdu=b"1")
    share = timed(
        telemetry_pb2.Report(node_id="o1", cell=telemetry_pb2.CellReport(cell_id="cell-0", prb_share=[1.5, 0, 0])), 0, 4
    )
    batch = telemetry_pb2.ReportBatch(area_id="poc-city", reports=[*reports, big, no_content, long_name, share])
    count, refused = judged(telemetry_pb2.IngestRequest(batch=batch))
    assert count == 4
    assert refused == Counter(too_large=1, invalid_field=3)


def test_garbage_empty_foreign_and_crowded_batches_are_refused() -> None:
    assert judged(b"\xff\xff\xff") == (0, Counter(malformed_batch=1))
    assert judged(b"") == (0, Counter(unknown_area=1))
    empty = telemetry_pb2.IngestRequest(batch=telemetry_pb2.ReportBatch(area_id="poc-city"))
    assert judged(empty) == (0, Counter(empty_batch=1))
    foreign = telemetry_pb2.IngestRequest(batch=telemetry_pb2.ReportBatch(area_id="\x1b[2J", reports=city_step(CITY, 1)[:3]))
    assert judged(foreign) == (0, Counter(unknown_area=3))
    crowd = telemetry_pb2.ReportBatch(area_id="poc-city", reports=[telemetry_pb2.Report(node_id="gnb-1")] * 4097)
    assert judged(telemetry_pb2.IngestRequest(batch=crowd)) == (0, Counter(too_many_reports=4097))
