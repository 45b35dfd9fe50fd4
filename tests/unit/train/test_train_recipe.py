"""Parts of the recipe on another network: recorded data, windows, resuming, seeds. The whole: test_second_network.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from twm.core.errors import InvalidInputError
from twm.core.features import HistoryLayout
from twm.core.network import NetworkSpec, load_network
from twm_train.data import RANGE_LENGTH, SCENARIOS, TRAINING_SEED, Episodes, record
from twm_train.logging_policies import POLICY_SHARES
from twm_train.optimise import Schedule, train
from twm_train.sizes import Recipe, run_key
from twm_train.splits import data_card, recorded
from twm_train.stage import Run
from twm_train.windows import WindowSampler, feature_of_column

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"
TINY = replace(Recipe.quick(), episodes=12)


@pytest.fixture(scope="module", autouse=True)
def _torch_state() -> Iterator[None]:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def coast() -> NetworkSpec:
    return load_network(COAST)


@pytest.fixture(scope="module")
def episodes(coast: NetworkSpec) -> Episodes:
    return record(coast, TRAINING_SEED, 10, 22)


def test_a_run_repeats_itself_and_goes_on_where_it_stopped(episodes: Episodes, coast: NetworkSpec, tmp_path: Path) -> None:
    again = record(coast, TRAINING_SEED, 10, 22)
    assert again.digest() == episodes.digest()

    def trained_weights(stop_at: int | None) -> torch.Tensor:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 1)

        def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
            if step == stop_at:
                raise KeyboardInterrupt
            x = torch.randn(8, 3)
            return ((model(x) - x.sum(-1, keepdim=True)) ** 2).mean(), {}

        checkpoint = tmp_path / "resumed.pt" if stop_at is not None else tmp_path / "whole.pt"
        try:
            train(model, loss, Schedule(steps=450), seed=5, checkpoint=checkpoint)
        except KeyboardInterrupt:
            stop_at = None
            model = torch.nn.Linear(3, 1)
            train(model, loss, Schedule(steps=450), seed=5, checkpoint=checkpoint)
        return model.weight.detach()

    assert torch.equal(trained_weights(None), trained_weights(330))
    assert run_key(coast, TINY, 3) == run_key(coast, TINY, 3)
    assert run_key(coast, TINY, 3) != run_key(coast, TINY, 4)


def test_recorded_data_holds_what_was_done_and_how_probable_it_was(episodes: Episodes, coast: NetworkSpec) -> None:
    c, s, n_links = coast.sizes
    assert episodes.action_NTA.shape == (10, 22, (c + n_links) * s)
    rows = episodes.action_NTA.reshape(10, 22, -1, s).sum(-1)
    assert (rows <= 1 + 1e-5).all()
    assert np.isfinite(episodes.log_propensity_NT).all()
    names = list(POLICY_SHARES)
    library = episodes.kind_N == names.index("library")
    assert episodes.log_propensity_NT[library][:, 0] == pytest.approx(-np.log(256))
    assert not episodes.log_propensity_NT[library][:, 1 : coast.timing.horizon_steps].any()
    assert set(episodes.scenario_N.tolist()) == set(range(len(SCENARIOS)))
    assert np.isfinite(episodes.kpi_z_NTSP).mean() > 0.9


def test_evaluation_seeds_cannot_be_recorded(coast: NetworkSpec) -> None:
    for first, count in ((0, 4), (10000, 4), (0xAFFFE, 8), (0xC0000, 1)):
        with pytest.raises(InvalidInputError, match="neither for training nor for validation"):
            record(coast, first, count, 20)


def test_recipe_sizes_grow_with_the_minutes() -> None:
    small, large = Recipe.of_minutes(2), Recipe.of_minutes(20)
    assert small.field_steps < large.field_steps
    assert large.episodes <= RANGE_LENGTH


def test_windows_lose_frames_and_features_as_serving_does(episodes: Episodes, coast: NetworkSpec) -> None:
    sampler = WindowSampler(episodes, coast, 3, 8, seed=1)
    batch = sampler.draw(0, 64)
    layout = HistoryLayout.of(coast)
    assert batch.history.shape == (3, 64, 8, layout.width)
    assert torch.equal(batch.history, sampler.draw(0, 64).history)
    assert not torch.equal(batch.history, sampler.draw(1, 64).history)
    known = batch.history[..., layout.value_count :]
    frames = known.sum(-1) > 0
    assert frames[..., -1].all()
    assert 0.02 < 1 - float(frames.float().mean()) < 0.3
    group = feature_of_column(coast)
    assert len(group) == layout.value_count
    offered = known[..., -1, group == 0].sum(-1) > 0
    assert 0.01 < 1 - float(offered.float().mean()) < 0.25
    assert not batch.history[..., : layout.value_count][known == 0].any()


def test_ray_records_the_same_episodes(episodes: Episodes, coast: NetworkSpec) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    assert record(coast, TRAINING_SEED, 10, 22, ray="local").digest() == episodes.digest()


def test_episodes_of_a_real_network_are_split_and_no_twin_is_played(
    episodes: Episodes, coast: NetworkSpec, tmp_path: Path
) -> None:
    of = lambda given: Run(spec=coast, recipe=TINY, seed=3, folder=tmp_path, command="test", given=given)
    training, quality, fitting = recorded(of(episodes))
    assert (training.count, quality.count, fitting.count) == (7, 1, 2)
    assert not set(training.seed_N) & set(quality.seed_N) | set(quality.seed_N) & set(fitting.seed_N)
    assert data_card(of(episodes), training).seeds == {}
    with pytest.raises(InvalidInputError, match="data: 3 episodes, expected at least 6"):
        recorded(of(episodes.take(slice(0, 3))))
