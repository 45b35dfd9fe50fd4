"""The axes on a few validation windows: what is known of perfect and of poor predictors, and that nothing peeks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from twm.core.errors import ModelMismatchError
from twm.core.features import FIELD_FEATURES
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder
from twm_bench.axes.baselines import DemandPersistence, Spread
from twm_bench.axes.episodes import Recording, Windows, record, windows_of
from twm_bench.axes.field import FieldCase, field_axis, unseen_cities, unseen_city
from twm_bench.axes.ranking import ranking
from twm_bench.axes.served import FieldForecast, ServedModels
from twm_bench.axes.trajectory import trajectory_axis
from twm_bench.rivals import seasonal
from twm_train.starts import starts_of
from twm_twin.seeds import seeds

OFFSETS = (0, 1, 3, 12)


@pytest.fixture(scope="module")
def city() -> NetworkSpec:
    return load_network(find_network("poc-city"))


@pytest.fixture(scope="module")
def recording(city: NetworkSpec) -> Recording:
    return record(city, "validation", seeds("validation", 1, 0x7000), ["hotspot-id", "wave-ood"])


@pytest.fixture(scope="module")
def windows(recording: Recording) -> Windows:
    return windows_of(recording, 6)


@pytest.fixture(scope="module")
def models(city: NetworkSpec) -> ServedModels:
    found = ServedModels(city, zoo_folder())
    if found.dynamics is None:
        pytest.skip(found.why_no_dynamics)
    return found


def test_windows_hold_nothing_of_their_horizon_and_differ_between_variants_by_the_calendar_only(
    recording: Recording, windows: Windows
) -> None:
    told = 0
    for episode, newest in zip(windows.episode_B.tolist(), windows.newest_B.tolist(), strict=True):
        plain, known = (recording.frames(episode, newest, 8, variant) for variant in ("history", "calendar"))
        assert [frame.step for frame in plain] == list(range(newest - 7, newest + 1))
        assert not any(frame.events for frame in plain)
        told += sum(len(frame.events) for frame in known)
        for a, b in zip(plain, known, strict=True):
            assert all(np.array_equal(a.blocks()[name], b.blocks()[name], equal_nan=True) for name in a.blocks())
    assert told > 0
    again = record(recording.spec, "validation", [int(recording.seed_N[0])], ["hotspot-id", "wave-ood"])
    assert np.array_equal(again.prb_NTCS, recording.prb_NTCS)


def test_field_axis_of_a_seer_and_of_persistence(recording: Recording, windows: Windows) -> None:
    at = iter(zip(windows.episode_B.tolist(), windows.newest_B.tolist(), strict=True))

    def seer(frames: Sequence[FrameArrays]) -> FieldForecast:
        episode, newest = next(at)
        assert frames[-1].step == newest
        truth = recording.field_NTCF[episode, [newest + o for o in OFFSETS]]
        wide = 1e-3 + 0.1 * np.abs(truth)
        return FieldForecast(np.stack([truth - wide, truth, truth + wide], 1), OFFSETS, (0.05, 0.5, 0.95))

    found = field_axis(windows, seer, "history")
    assert found["r2_now"] == pytest.approx(1.0)
    assert found["r2_ahead"] == pytest.approx(1.0)
    assert found["ssim"] == pytest.approx(1.0)
    assert found["coverage"]["90"] == pytest.approx(1.0)
    assert set(found["features"]) <= set(FIELD_FEATURES)
    again = iter(zip(windows.episode_B.tolist(), windows.newest_B.tolist(), strict=True))

    def held(frames: Sequence[FrameArrays]) -> FieldForecast:
        episode, newest = next(again)
        now = recording.field_NTCF[episode, newest]
        return FieldForecast(np.broadcast_to(now, (len(OFFSETS), 3, *now.shape)), OFFSETS, (0.05, 0.5, 0.95))

    poor = field_axis(windows, held, "history")
    assert poor["r2_ahead"] == pytest.approx(poor["r2_ahead_persistence"], abs=1e-3)
    assert poor["r2_ahead"] < 0.9
    assert poor["coverage"]["90"] < 0.5


def test_an_unseen_city_is_another_city_and_is_skipped_where_nothing_predicts_it(city: NetworkSpec) -> None:
    other = unseen_city(city)
    assert len(other.cells) == 13
    assert other.topology_digest() != city.topology_digest()
    places = np.array([[cell.x_km, cell.y_km] for cell in other.cells])
    apart = np.linalg.norm(places[:, None] - places, axis=-1) + 9 * np.eye(13)
    assert apart.min() > 0.2
    played = record(other, "validation", seeds("validation", 1), ["wave-id"])
    found = unseen_cities({"other": FieldCase("other", played, None, "no model")}, windows_of, "history")
    assert found == {"other": {"skipped": "no model"}}


def test_trajectory_axis_beats_persistence_that_knows_no_actions(
    windows: Windows, recording: Recording, models: ServedModels
) -> None:
    spread = Spread.fit(seasonal.points("persistence"), recording)
    found = trajectory_axis(models, windows, "history", {"persistence": spread.quantiles}, DemandPersistence.fit(recording))
    for kpi in found["kpi"]["all"].values():
        assert kpi["crps"]["twm"] < kpi["crps"]["persistence"]
        assert len(kpi["coverage_by_step"]["90"]) == 12
        for covered, (low, high) in zip(kpi["coverage_by_step"]["90"], kpi["coverage_90_interval_by_step"], strict=True):
            assert 0 <= low <= covered <= high <= 1
        assert kpi["coverage"]["50"] < kpi["coverage"]["95"]
    assert set(found["demand"]["all"]["skill"]) == {"3", "6", "12"}
    assert found["windows"]["all"] == windows.count
    assert {fan["scenario"] for fan in found["fans"]} == set(recording.scenarios)


def test_ranking_of_the_shipped_model_is_better_than_chance(city: NetworkSpec, models: ServedModels) -> None:
    starts = starts_of(city, "validation", seeds("validation", 1, 0x7000), ["hotspot-id"], candidates=32)
    assert len({tuple(row) for row in starts[0].policies.prb_share_KHCS.reshape(32, -1).round(4).tolist()}) == 32
    assert starts[0].truth.scm.max() > 0
    found = ranking(models, starts, "history")
    assert found["spearman"]["id"] > 0.3
    assert found["spearman"]["ood"] is None
    assert found["violation"]["any"]["count"] == 32


def test_a_zoo_without_a_model_says_so(city: NetworkSpec, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = ServedModels(city, tmp_path_factory.mktemp("zoo"))
    assert empty.digests() == {}
    with pytest.raises(ModelMismatchError, match="no usable fwm"):
        empty.predict_field([])
