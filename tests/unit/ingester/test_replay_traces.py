"""EXPLORA and TRACTOR traces: small ones written here, and the recorded ones where they lie beside the checkout."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.ingester.aggregation import FrameBuilder
from twm.ingester.assembler import ACCEPTED, Assembler, Patience
from twm.ingester.reading import ReportReader
from twm.ingester.replay import explora, tractor
from twm.ingester.replay.observation import Observation, little_delay_ms, reports_of

CELL = load_network(find_network("explora-cell"))
BEGIN_S = 1_800_000_000.0

REPORTS = """\
experiment,timestamp,report,row,slice_id,dl_buffer [bytes],tx_brate downlink [Mbps],ratio_granted_req,slice_prb,tx_pkts downlink
main/exp1,2022-09-28 21:34:10.000,0,0,2,0,0.5,1.00,11,6
main/exp1,2022-09-28 21:34:10.000,0,1,0,125000,2.0,0.50,36,6
main/exp1,2022-09-28 21:34:10.000,0,2,2,0,0.5,1.00,11,6
main/exp1,2022-09-28 21:34:10.000,0,3,0,125000,2.0,0.50,36,6
main/exp1,2022-09-28 21:34:11.000,1,0,2,1250,0.4,1.00,11,6
main/exp1,2022-09-28 21:34:11.000,1,1,0,250000,2.0,0.50,36,6
main/exp1,2022-09-28 21:34:11.000,1,2,2,1250,0.6,1.00,11,6
main/exp1,2022-09-28 21:34:11.000,1,3,0,250000,4.0,0.50,36,6
main/exp1,2022-09-28 21:34:31.000,2,0,2,0,0.4,1.00,14,6
main/exp1,2022-09-28 21:34:31.000,2,1,0,0,2.0,1.00,30,6
main/exp1,2022-09-28 21:34:31.000,2,2,2,0,0.4,1.00,14,6
main/exp1,2022-09-28 21:34:31.000,2,3,0,0,2.0,1.00,30,6
other,2022-09-28 21:34:31.000,0,0,1,0,0.4,1.00,14,6
"""
ACTIONS = """\
experiment,timestamp,sched_slice0,sched_slice1,sched_slice2,rbg_slice0,rbg_slice1,rbg_slice2,prb_slice0,prb_slice1,prb_slice2
main/exp1,2022-09-28 21:34:10.500,0,1,0,12,1,4,36,3,11
main/exp1,2022-09-28 21:34:20.000,0,1,0,10,2,5,30,6,14
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.write(text)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    write(tmp_path / "reports.csv.gz", REPORTS)
    write(tmp_path / "actions.csv.gz", ACTIONS)
    return tmp_path


def frames_of(observations: list[Observation], spec: NetworkSpec = CELL) -> list[FrameArrays]:
    """Through the reading and assembling that live telemetry takes."""
    reader = ReportReader(spec)
    assembler = Assembler(spec, Patience.of(spec), FrameBuilder(spec), now=0.0)
    out = []

    def emit(now: float) -> None:
        while (step := assembler.due(now, caught_up=True)) is not None:
            out.append(assembler.frame(step))
            assembler.closed(step)

    for observation in observations:
        for report in reports_of(observation, spec, BEGIN_S):
            received_s = report.received.seconds + report.received.nanos * 1e-9
            for sample in reader.read(report, received_s):
                assert assembler.add(sample, received_s, 0.0) == ACCEPTED
        emit(0.0)
    emit(1e6)
    return out


def test_explora_observations_follow_their_derivations(trace: Path) -> None:
    assert explora.experiments(trace) == ["main/exp1", "other"]
    first, second, third = explora.read(trace, "main/exp1", CELL)
    assert (first.start_s, first.period_s) == (0.0, 1.0)
    assert (second.start_s, second.period_s) == (1.0, 1.0)
    assert (third.start_s, third.period_s) == (16.0, explora.MAX_PERIOD_S)
    assert first.values["DRB.MeanActiveUeDl"] == [1, 0, 1]
    assert first.queue_mbit == pytest.approx([1.0, 0.0, 0.0])
    assert first.delay_ms == pytest.approx([500.0, np.nan, 0.0], nan_ok=True)
    assert np.isnan(first.values["DRB.PdcpSduVolumeDL"]).all()
    assert second.values["DRB.RlcSduTransmittedVolumeDL"] == pytest.approx([3000, 0, 500])
    np.testing.assert_allclose(second.values["DRB.PdcpSduVolumeDL"], [3000 + 1000, 0, 500 + 10])
    assert second.values["RRU.PrbUsedDl"] == pytest.approx([36, np.nan, np.nan], nan_ok=True)
    assert list(second.prb_share) == pytest.approx([36 / 50, 3 / 50, 11 / 50])
    assert list(third.prb_share) == pytest.approx([30 / 50, 6 / 50, 14 / 50])
    assert np.isnan(third.values["DRB.PdcpSduVolumeDL"]).all()  # too long since the message before
    assert np.isnan(list(first.prb_share)[1])  # no command yet, and no UE that tells


def test_explora_frames_have_loss_missing_and_the_logged_action_as_shares(trace: Path) -> None:
    frames = frames_of(explora.read(trace, "main/exp1", CELL))
    assert [f.step - frames[0].step for f in frames] == [0, 1]
    np.testing.assert_allclose(frames[0].cell_slice_feature("prb_share")[0], [0.72, 0.06, 0.22], rtol=1e-6)
    assert all(np.isnan(f.cell_slice_feature("e2e_loss_ratio")).all() for f in frames)
    assert frames[0].cell_slice_feature("queue_mbit")[0, 0] == pytest.approx(2.0)
    assert frames[0].cell_slice_feature("e2e_delay_p99_ms")[0, 0] == pytest.approx(2000 / 3, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("36,6\n", "x,6\n"), "slice_prb: 'x'"),
        (("2.0,0.50", "nan,0.50"), "tx_brate"),
        ((",2,0,0.5", ",3,0,0.5"), "slice_id: 3, expected 0..2"),
        (("2022-09-28 21:34:10.000", "yesterday"), "timestamp: 'yesterday'"),
        (("ratio_granted_req", "ratio"), "no column ratio_granted_req"),
    ],
)
def test_a_broken_explora_trace_is_refused_with_line_and_field(trace: Path, change: tuple[str, str], message: str) -> None:
    write(trace / "reports.csv.gz", REPORTS.replace(*change, 1))
    with pytest.raises(InvalidInputError, match=message):
        explora.read(trace, "main/exp1", CELL)


def test_unknown_experiments_and_truncated_files_are_refused(trace: Path) -> None:
    with pytest.raises(InvalidInputError, match="'main/exp99' is not in"):
        explora.read(trace, "main/exp99", CELL)
    path = trace / "reports.csv.gz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InvalidInputError, match="cannot be read"):
        explora.read(trace, "main/exp1", CELL)
    with pytest.raises(InvalidInputError, match="is not in"):
        tractor.read(trace, "../../etc", CELL)


@pytest.mark.parametrize(
    ("slice_ids", "samples"),
    [
        ([2, 1, 0, 2, 1, 0], 2),
        ([0, 0, 0], 3),
        ([0, 0, 0, 0], 2),
        ([0, 1, 0, 1, 0, 1], 3),
        ([2, 2, 1, 1, 0, 0] * 4, 4),
        ([2, 2, 1, 1, 0, 0] * 6, 6),
        ([0], 1),
        ([0, 1, 1], 2),
    ],
)
def test_samples_of_a_message(slice_ids: list[int], samples: int) -> None:
    assert explora.sample_count(slice_ids) == samples


def test_littles_law() -> None:
    assert little_delay_ms(2.0, 4.0) == 500.0
    assert little_delay_ms(0.0, 0.0) == 0.0
    assert np.isnan(little_delay_ms(1.0, 0.0))


HEAD = (
    "Timestamp,num_ues,IMSI,RNTI,,slicing_enabled,slice_id,slice_prb,"
    "dl_buffer [bytes],tx_brate downlink [Mbps],sum_granted_prbs\n"
)


def test_tractor_ues_are_summed_to_slices_and_unmapped_ones_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "Multi-UE" / "Trial9" / "mixedtraffic"

    def rows(imsi: str, rate: float, buffer: int, sliced: str = "0,0,0") -> str:
        lines = [f"{1_677_812_704_000 + 250 * i},3,{imsi},71,,{sliced},{buffer},{rate},1000\n" for i in range(40)]
        return HEAD + "".join(lines)

    write(folder / "1010123456002_metrics.csv.gz", rows("1010123456002", 2.0, 125000))
    write(folder / "1010123456003_metrics.csv.gz", rows("1010123456003", 4.0, 0, "1,2,14"))
    write(folder / "1010123456004_metrics.csv.gz", rows("1010123456004", 8.0, 0))
    write(folder / "1010123456005_metrics.csv.gz", rows("1010123456005", 1.0, 0))
    (folder / "output_x.txt").write_text(
        "Using trace: ./raw/embb_03_03b.csv for 1010123456002\nUsing trace: ./raw/embb_2.csv for 1010123456005\n"
    )
    (name,) = tractor.experiments(tmp_path)
    assert name == "Multi-UE/Trial9/mixedtraffic"
    observations = tractor.read(tmp_path, name, CELL)
    assert len(observations) == 10
    assert observations[3].columns == ["embb", "urllc", "", "embb"]
    frame = frames_of(observations)[0]
    np.testing.assert_allclose(frame.cell_slice_feature("served_mbps")[0], [3.0, np.nan, 4.0], rtol=1e-6)
    np.testing.assert_allclose(frame.cell_slice_feature("offered_mbps")[0], [3.0, np.nan, 4.0], rtol=1e-6)
    np.testing.assert_allclose(frame.cell_slice_feature("prb_used_ratio")[0], [8 / 50, np.nan, 4 / 50], rtol=1e-6)
    np.testing.assert_allclose(frame.cell_slice_feature("queue_mbit")[0], [1.0, np.nan, 0.0], rtol=1e-6)
    np.testing.assert_allclose(frame.cell_slice_feature("e2e_delay_p99_ms")[0], [1000 / 3, np.nan, 0.0], rtol=1e-6)
    np.testing.assert_allclose(frame.cell_slice_feature("active_ues")[0], [2, np.nan, 1], rtol=1e-6)
    assert np.isnan(frame.cell_slice_feature("prb_share")).all()


def test_late_messages_of_a_recorded_experiment_hold_more_samples_not_more_ues(shared_data: Path) -> None:
    """Two UEs in each slice, as in the experiment's description; its messages come every 3 s with five samples on average."""
    observations = explora.read(shared_data / "explora-colosseum-slicing", "main/exp35", CELL)
    counts = np.array([o.values["DRB.MeanActiveUeDl"] for o in observations])
    assert np.quantile(counts, (0.05, 0.5, 0.95), axis=0).tolist() == [[2.0] * 3] * 3


@pytest.mark.parametrize("experiment", ["main/exp1", "main/exp28", "spring-2023/exp10"])
def test_recorded_explora_experiments_fill_their_frames(shared_data: Path, experiment: str) -> None:
    observations = explora.read(shared_data / "explora-colosseum-slicing", experiment, CELL)
    frames = frames_of(observations)
    steps = [f.step for f in frames]
    assert steps == list(range(steps[0], steps[0] + len(steps)))
    measured = [f for f in frames if f.report_count]
    assert len(measured) >= 60
    share = np.mean([~np.isnan(f.cell_slice_feature("e2e_delay_p99_ms")) for f in measured])
    filled = np.mean([~np.isnan(f.fast_feature("offered_mbps")) for f in measured])
    missing = sum(f.missing_report_count for f in measured) / sum(f.report_count + f.missing_report_count for f in measured)
    assert share > 0.9
    assert filled > 0.9
    assert missing < 0.05
    held = np.array([f.cell_slice_feature("prb_share")[0] for f in measured])
    assert np.nanmax(held.sum(-1)) <= 1.01


def test_recorded_tractor_experiments_fill_their_frames(shared_data: Path) -> None:
    folder = shared_data / "tractor-colosseum-kpi"
    names = tractor.experiments(folder)
    assert len(names) > 40
    for name in ("Multi-UE/Trial2/multi4", "SingleUE/Trial5/Raw/embb_1010123456002_metrics.csv.gz"):
        frames = frames_of(tractor.read(folder, name, CELL))
        served = np.array([f.cell_slice_feature("served_mbps")[0, :3] for f in frames if f.report_count])
        assert len(served) > 20
        assert np.isfinite(served).any(1).mean() > 0.9
