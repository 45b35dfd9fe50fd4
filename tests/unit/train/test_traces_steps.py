"""Recorded experiments: reading, splitting, windows, frames."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import InvalidInputError
from twm.core.frame_file import write_frames
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm_train.traces import explora, tractor
from twm_train.traces.frames import frames_of, load_frames, runs_of
from twm_train.traces.steps import SPLITS, Experiment, segments_of, split_of
from twm_train.traces.windows import HORIZON, WINDOW, Scale, offered_mbps, under, windows_of

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
EXPLORA, TRACTOR = SHARED / "explora-colosseum-slicing", SHARED / "tractor-colosseum-kpi"


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return load_network(find_network("explora-cell"))


def made_up(name: str = "a", steps: int = 40, *, seed: int = 0, gap_at: int | None = None) -> Experiment:
    """Throughput of slice k is what its share carries, up to its demand; the rest waits."""
    generator = np.random.default_rng([seed, steps])
    share = generator.dirichlet(np.ones(3), steps)
    demand = np.array([4.0, 0.5, 0.2])
    served = np.minimum(demand, 10.0 * share) + 0.01 * generator.random((steps, 3))
    period = np.full(steps, 1.0)
    if gap_at is not None:
        period[gap_at] = 60.0
    return Experiment(
        name=name,
        group="made-up",
        end_s=period.cumsum(),
        period_s=period,
        kpi_TSP=np.stack([served, 100 * np.maximum(demand - served, 0), np.minimum(10 * share / demand, 1)], -1),
        share_TS=share,
        scheduler_TS=generator.integers(3, size=(steps, 3)),
        ues_TS=np.full((steps, 3), 2.0),
        segment_T=segments_of(period, 6.0),
        agent_T3=np.zeros((steps, 3)),
    )


def test_splits_are_disjoint_complete_and_fixed() -> None:
    names = {f"x/exp{i}": "first" if i < 20 else "second" for i in range(30)}
    split = split_of(names)
    together = [name for part in split.values() for name in part]
    assert sorted(together) == sorted(names)
    assert len(set(together)) == len(together)
    assert split_of(dict(reversed(names.items()))) == split
    assert {part: len(found) for part, found in split.items()} == {"train": 15, "validation": 5, "calibration": 4, "test": 6}
    assert all({names[n] for n in found} == {"first", "second"} for found in split.values())
    assert sum(SPLITS.values()) == pytest.approx(1.0)


def test_windows_stay_in_their_segment_and_never_look_ahead() -> None:
    e = made_up(gap_at=20)
    scale = Scale.fit([e])
    windows = windows_of([e], scale)
    first, last = windows.step_N - WINDOW + 1, windows.step_N + HORIZON
    assert windows.count == (20 - WINDOW - HORIZON + 1) * 2
    assert ((last < 20) | (first >= 20)).all()
    row = 5
    t = int(windows.step_N[row])
    later = made_up(gap_at=20)
    later.kpi_TSP[t + 1 :] *= 3.0
    other = windows_of([later], scale)
    for name in ("history_NWSF", "level_NSF", "memory_NHSF", "newest_NSP", "action_NHS"):
        np.testing.assert_array_equal(getattr(windows, name)[row], getattr(other, name)[row], err_msg=name)
    assert not np.array_equal(windows.target_NHSP[row], other.target_NHSP[row])
    np.testing.assert_allclose(windows.target_NHSP[row], scale.normal(e.kpi_TSP)[t + 1 : t + 1 + HORIZON])


def test_memory_tells_what_like_shares_brought() -> None:
    e = made_up(steps=200)
    scale = Scale.fit([e])
    windows = windows_of([e], scale)
    held = under(windows, [e], scale, np.array([0.1, 0.5, 0.4]))
    full = under(windows, [e], scale, np.array([0.8, 0.1, 0.1]))
    late = windows.step_N > 100
    throughput = lambda w: scale.physical(w.memory_NHSF[..., :3])[late, 0, 0, 0]
    assert throughput(held).mean() == pytest.approx(1.0, abs=0.5)
    assert throughput(full).mean() == pytest.approx(4.0, abs=0.3)
    assert (held.action_NHS == np.float32([0.1, 0.5, 0.4])).all()
    np.testing.assert_array_equal(held.target_NHSP, windows.target_NHSP)


def test_offered_load_is_throughput_and_growth_of_the_queue() -> None:
    e = made_up(steps=12)
    growth = np.maximum(e.kpi_TSP[1:, :, 0] + np.diff(e.kpi_TSP[..., 1], axis=0) * 8e-3, 0)
    np.testing.assert_allclose(offered_mbps(e)[1:], growth)
    np.testing.assert_allclose(offered_mbps(e)[0], e.kpi_TSP[0, :, 0])


def test_scale_is_inverted_and_keeps_to_what_is_possible() -> None:
    e = made_up()
    scale = Scale.fit([e])
    np.testing.assert_allclose(scale.physical(scale.normal(e.kpi_TSP)), e.kpi_TSP, atol=1e-4)
    assert scale.physical(np.full((3, 3), -50.0)).min() == 0.0
    assert scale.physical(np.full((3, 3), 50.0))[..., 2].max() == 1.0


def test_explora_reports_become_steps_under_the_command_in_force(tmp_path: Path) -> None:
    header = "experiment,timestamp,report,row,slice_id,dl_buffer [bytes],tx_brate downlink [Mbps],"
    header += "ratio_granted_req,slice_prb,tx_pkts downlink\n"
    rows = [
        f"main/exp1,2022-09-28 21:00:00.000,0,{i},{k},1000,{rate},0.5,20,7\n"
        for i, (k, rate) in enumerate([(2, 1.0), (0, 3.0), (2, 2.0), (0, 5.0)])
    ]
    rows.append("main/exp1,2022-09-28 21:00:03.000,1,0,1,80,0.5,1.0,3,9\n")
    names = ",".join(f"{kind}_slice{k}" for kind in ("sched", "rbg", "prb") for k in range(3))
    actions = f"experiment,timestamp,{names}\n"
    actions += "main/exp1,2022-09-28 21:00:00.200,0,1,2,0,0,0,30,9,11\nmain/exp1,2022-09-28 21:00:02.900,2,2,2,0,0,0,6,39,5\n"
    for name, text in (("reports", header + "".join(rows)), ("actions", actions)):
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    (e,) = explora.read_all(tmp_path)
    np.testing.assert_array_equal(e.ues_TS, [[1, 0, 1], [0, 1, 0]])
    np.testing.assert_allclose(e.kpi_TSP[0, 0], [4.0, 1.0, 0.5])
    np.testing.assert_allclose(e.kpi_TSP[0, 2], [1.5, 1.0, 0.5])
    assert np.isnan(e.kpi_TSP[0, 1]).all()
    assert np.isnan(e.share_TS[0]).all()
    np.testing.assert_allclose(e.share_TS[1], [0.6, 0.18, 0.22])  # the command of 2.9 s comes too late for the report of 3 s
    assert e.scheduler_TS.tolist() == [[-1, -1, -1], [0, 1, 2]]
    np.testing.assert_allclose(e.agent_T3, [[4.0, 0, 1000], [0, 9, 0]])
    assert e.group == "main-embb"
    bad = (header + rows[0]).replace("1000", "much")
    (tmp_path / "reports.csv.gz").write_bytes(gzip.compress(bad.encode()))
    with pytest.raises(InvalidInputError, match=r"line 2: dl_buffer .*'much'"):
        explora.read_all(tmp_path)


@pytest.mark.parametrize(("ids", "period"), [((2, 1, 0, 2, 1, 0), 3), ((0, 0), 1), ((2, 2, 0, 2), 4), ((1,), 1)])
def test_shortest_repeating_sequence(ids: tuple[int, ...], period: int) -> None:
    assert explora.shortest_period(ids) == period


def test_frame_files_become_episodes(tmp_path: Path, spec: NetworkSpec) -> None:
    if not EXPLORA.is_dir():
        pytest.skip("the EXPLORA trace is not there")
    frames = frames_of(_first_observations(spec), spec)
    codec, path = FrameCodec(spec), tmp_path / "recorded.frames"
    event = telemetry_pb2.KnownEvent(x_km=0, y_km=0, onset_step=frames[3].step, duration_steps=2, amplitude=0.5)
    for frame in frames:
        frame.events = [event]
    write_frames(path, [codec.encode(frame) for frame in frames])
    episodes = load_frames(spec, path, steps=8)
    assert episodes.count == sum(len(run) // 8 for run in runs_of(frames, spec)) > 2
    assert np.isnan(episodes.log_propensity_NT).all()
    seen = np.stack([f.cell_slice_feature("prb_share").reshape(-1) for f in frames[:8]])
    known = np.isfinite(seen)
    np.testing.assert_allclose(episodes.action_NTA[0][known], seen[known])
    assert episodes.calendar_NTC[0, :8, 0].tolist() == [0, 0, 0, 0.5, 0.5, 0, 0, 0]
    assert episodes.calendar_NTC.shape[1] == 8 + spec.timing.horizon_steps
    assert episodes.digest() == load_frames(spec, tmp_path, steps=8).digest()
    with pytest.raises(InvalidInputError, match="an episode needs 5000"):
        load_frames(spec, path, steps=5000)
    with pytest.raises(InvalidInputError, match="no known trace"):
        load_frames(spec, tmp_path / "nothing")


def _first_observations(spec: NetworkSpec) -> list:
    from twm.ingester.replay import explora as replay

    return replay.read(EXPLORA, "main/exp1", spec)


def test_real_explora_is_read_as_the_data_says() -> None:
    if not EXPLORA.is_dir():
        pytest.skip("the EXPLORA trace is not there")
    experiments = explora.read_all(EXPLORA)
    split = split_of({e.name: e.group for e in experiments})
    assert {part: len(names) for part, names in split.items()} == {"train": 24, "validation": 8, "calibration": 7, "test": 9}
    by_name = {e.name: e for e in experiments}
    assert np.median(by_name["main/exp35"].ues_TS, axis=0).tolist() == [2, 2, 2]  # five samples of each in a report
    assert np.median(by_name["main/exp5"].ues_TS, axis=0).tolist() == [1, 0, 1]
    assert np.median(by_name["spring-2023/exp10"].period_s) == pytest.approx(3.06, abs=0.05)
    assert all(np.nanmax(e.share_TS.sum(-1)) <= 1.0 for e in experiments)


def test_real_tractor_is_read_without_actions(spec: NetworkSpec) -> None:
    if not TRACTOR.is_dir():
        pytest.skip("the TRACTOR trace is not there")
    from twm.ingester.replay import tractor as replay

    name = "Multi-UE/Trial0/embb1"
    e = tractor.experiment_of(name, replay.read(TRACTOR, name, spec), spec)
    assert e.steps > 1000
    assert np.isnan(e.share_TS).all()
    assert np.nanmax(e.kpi_TSP[..., 2]) <= 1.0
    assert (np.isfinite(e.kpi_TSP[..., 0]) == (e.ues_TS > 0)).all()
