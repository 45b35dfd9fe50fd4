"""Forecast rivals: what they say follows from the past, the actions and the calendar alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from twm.core.actions import PolicyArrays
from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.frames import FrameArrays
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm_bench.axes.episodes import Recording, Windows, record, windows_of
from twm_bench.axes.scores import LEVELS
from twm_bench.rivals import seasonal
from twm_bench.rivals.gru import WEIGHTS, WINDOW, GruForecaster, rival, window_inputs
from twm_bench.rivals.gru_train import GruNetwork
from twm_twin.seeds import seeds

_SERVED = KPI_NAMES.index("served_mbps")


@pytest.fixture(scope="module")
def recording() -> Recording:
    spec = load_network(find_network("poc-city"))
    return record(spec, "validation", seeds("validation", 1, 0x7800), ("hotspot-id", "wave-ood"))


@pytest.fixture(scope="module")
def windows(recording: Recording) -> Windows:
    return windows_of(recording, 6)


@pytest.fixture(scope="module")
def forecaster(recording: Recording) -> GruForecaster:
    return GruForecaster.load(recording.spec)


def _disturbed(recording: Recording, newest: int) -> Recording:
    blocks = {name: block.copy() for name, block in recording.blocks.items()}
    for block in blocks.values():
        block[:, newest + 1 :] *= 3.0
    return replace(recording, blocks=blocks)


def test_a_season_a_line_and_a_standstill() -> None:
    past = np.full((1, 14, 1, 4), 5.0)
    past[0, :, 0, _SERVED] = 100.0 + 10.0 * np.arange(14)
    at = lambda name: seasonal.FORECASTERS[name](past, 12)[0, :, 0, _SERVED]
    np.testing.assert_allclose(at("persistence"), 230.0)
    np.testing.assert_allclose(at("seasonal-naive"), past[0, 2:, 0, _SERVED])
    assert (np.diff(at("drift")) > 0).all() and at("drift")[0] > 230.0
    past[0, -1] = np.nan
    np.testing.assert_allclose(at("persistence"), 220.0)
    assert np.isfinite(at("seasonal-naive")).all()
    np.testing.assert_allclose(seasonal.drift(past[:, :1], 3)[0, :, 0, _SERVED], 100.0)


@pytest.mark.parametrize("name", list(seasonal.FORECASTERS))
def test_naive_forecasts_see_no_future(recording: Recording, name: str) -> None:
    which = Windows(recording, np.array([0, 1]), np.array([15, 15]))
    found = seasonal.points(name)(which)
    other = Windows(_disturbed(recording, 15), which.episode_B, which.newest_B)
    np.testing.assert_array_equal(found, seasonal.points(name)(other))
    policy = recording.policy(0, 15)
    np.testing.assert_allclose(seasonal.predict(recording.frames(0, 15, 16, "history"), policy, name), found[0], rtol=1e-6)


def test_unknown_forecasters_are_named(recording: Recording) -> None:
    with pytest.raises(InvalidInputError, match="oracle"):
        seasonal.points("oracle")
    with pytest.raises(InvalidInputError, match="frames"):
        seasonal.predict([], recording.policy(0, 15))


def test_the_gru_gives_ordered_quantiles_that_know_nothing_of_the_future(
    recording: Recording, windows: Windows, forecaster: GruForecaster
) -> None:
    found = forecaster.quantiles(windows)
    assert found.shape == (len(LEVELS), windows.count, 12, 3, 4)
    assert np.isfinite(found).all() and (np.diff(found, axis=0) >= -1e-9).all()
    which = Windows(recording, np.array([0, 1]), np.array([17, 17]))
    other = Windows(_disturbed(recording, 17), which.episode_B, which.newest_B)
    for variant in ("history", "calendar"):
        np.testing.assert_array_equal(forecaster.quantiles(which, variant), forecaster.quantiles(other, variant))


def test_the_gru_says_the_same_from_frames(recording: Recording, forecaster: GruForecaster) -> None:
    which = Windows(recording, np.array([0, 1]), np.array([11, 11]))
    ready = {variant: rival(variant)(recording)(which) for variant in ("history", "calendar")}
    for variant, expected in ready.items():
        for b in range(2):
            frames = recording.frames(b, 11, WINDOW, variant)
            found = forecaster.predict(frames, recording.policy(b, 11))
            np.testing.assert_allclose(found, expected[:, b], rtol=1e-4, atol=1e-6)
    assert not np.allclose(ready["history"], ready["calendar"])


def test_the_gru_expects_less_loss_where_more_is_given(recording: Recording, forecaster: GruForecaster) -> None:
    frames = recording.frames(0, 11, WINDOW, "history")
    loss = []
    for share in (0.1, 0.4):
        shares = np.full((1, 12, 10, 3), 0.3, np.float32)
        shares[..., 0] = share
        policy = PolicyArrays(prb_share_KHCS=shares, bandwidth_share_KHLS=shares.copy())
        loss.append(forecaster.predict(frames, policy)[LEVELS.index(0.5), :, 0, KPI_NAMES.index("loss_ratio")].mean())
    assert loss[0] > loss[1] + 0.05


def test_a_lost_frame_and_a_short_history_are_fine(recording: Recording, forecaster: GruForecaster) -> None:
    frames = recording.frames(0, 11, 4, "history")
    frames[2] = FrameArrays.missing(recording.spec, frames[2].step)
    assert np.isfinite(forecaster.predict(frames, recording.policy(0, 11))).all()
    with pytest.raises(InvalidInputError, match="frames"):
        forecaster.predict([], recording.policy(0, 11))


def test_numpy_plays_the_gru_that_torch_trains(recording: Recording, windows: Windows) -> None:
    torch.manual_seed(1)
    history, ahead, last = window_inputs(windows, np.ones(windows.count, bool))
    network = GruNetwork(history.shape[-1], ahead.shape[-1], 12)
    torch.nn.init.normal_(network.out.weight, std=0.3)
    arrays = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    width = history.shape[-1]
    played = GruForecaster(recording.spec, {**arrays, "mean": np.zeros(width), "std": np.full(width, 10.0)})
    mean, _ = played.forecast(history, ahead, last)
    rows = torch.from_numpy(np.nan_to_num(history / 10.0).astype(np.float32))
    known = torch.from_numpy(np.isfinite(history).any(-1))
    with torch.no_grad():
        expected = network(rows, known, torch.from_numpy(ahead.astype(np.float32)))[..., :12].numpy()
    np.testing.assert_allclose(mean - last[:, None], expected.reshape(mean.shape), atol=1e-4)


def test_weights_of_another_city_are_refused(recording: Recording) -> None:
    assert WEIGHTS.stat().st_size < 300_000
    other: NetworkSpec = recording.spec.model_copy(update={"slices": recording.spec.slices[:2]})
    with pytest.raises(ModelMismatchError, match="trained for"):
        GruForecaster.load(other)
