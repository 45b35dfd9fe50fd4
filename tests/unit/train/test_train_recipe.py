"""The recipe end to end on another network: data, training, export, cards; then what the exported graphs must hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.features import FIELD_FEATURES, KPI_NAMES, HistoryLayout, exogenous_layout
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.zoo import ModelCard, ModelEntry, check_digests, check_network, find_model
from twm_train.data import RANGE_LENGTH, SCENARIOS, TRAINING_SEED, Episodes, record
from twm_train.logging_policies import POLICY_SHARES
from twm_train.optimise import Schedule, train
from twm_train.recipe import run
from twm_train.sizes import Recipe, run_key
from twm_train.splits import data_card, recorded
from twm_train.stage import Run
from twm_train.windows import WindowSampler, feature_of_column

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"
TINY = replace(
    Recipe.quick(),
    episodes=12,
    controllable_steps=4,
    field_steps=4,
    validation_episodes=4,
    ranking_starts=1,
    ranking_candidates=6,
    batch=4,
)


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


@pytest.fixture(scope="module")
def trained(coast: NetworkSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ModelCard]]:
    zoo, work = tmp_path_factory.mktemp("zoo"), tmp_path_factory.mktemp("work")
    return zoo, run(coast, TINY, seed=3, zoo=zoo, work=work, command="test")


def session(entry: ModelEntry, file: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(entry.read_graph(file), providers=["CPUExecutionProvider"])


def test_another_network_trains_without_a_change_in_code(trained: tuple[Path, list[ModelCard]], coast: NetworkSpec) -> None:
    zoo, cards = trained
    c, s, n_links = coast.sizes
    assert (c, s) != (10, 3)
    field, dynamics = (find_model(zoo, name, coast.topology_digest()) for name in ("fwm", "cdwm"))
    actor = find_model(zoo, "actor", coast.topology_digest())
    assert [field.card, dynamics.card, actor.card] == cards
    assert field.card.version == f"{coast.name}-1"
    for entry in (field, dynamics, actor):
        check_digests(entry)
        check_network(entry.card, coast)
        assert entry.card.spec_digest == coast.digest()
    draw = np.random.default_rng(0)
    feeds = {i.name: draw.random(i.shape, np.float32) for i in field.card.graphs["fwm.onnx"].inputs}
    output, demand = session(field, "fwm.onnx").run(["field", "demand"], feeds)
    assert demand.shape == (coast.timing.horizon_steps, len(field.card.demand_levels), c, s)
    assert (np.diff(demand, axis=1) >= 0).all()
    t, q = len(field.card.step_offsets), len(field.card.quantile_levels)
    assert output.shape == (t, q, c, len(FIELD_FEATURES))
    assert (np.diff(output, axis=1) >= 0).all()
    assert dynamics.card.conformal is not None
    assert np.array(dynamics.card.conformal.factor).shape == (coast.timing.horizon_steps, s, len(KPI_NAMES))
    low, high = field.card.data.seeds["training"]
    assert 0xA0000 <= low <= high < 0xB0000
    others = [seed for name, pair in field.card.data.seeds.items() if name != "training" for seed in pair]
    assert all(0xB0000 <= seed < 0xC0000 for seed in others)
    assert {"kpi", "exogenous", "ranking_history", "ranking_calendar"} <= set(dynamics.card.quality)
    assert {"r2_ahead", "demand"} <= set(field.card.quality["calendar"])
    assert n_links == exogenous_layout(coast).links


def test_exogenous_futures_are_bit_equal_whatever_the_actions(
    trained: tuple[Path, list[ModelCard]], coast: NetworkSpec
) -> None:
    zoo, _ = trained
    entry = find_model(zoo, "cdwm", coast.topology_digest())
    encode, outside, inside = (session(entry, f"{n}.onnx") for n in ("encode", "exogenous_step", "controllable_step"))
    assert {i.name for i in outside.get_inputs()} == {"deter", "stoch", "noise"}
    rng = np.random.default_rng(1)
    layout = HistoryLayout.of(coast)
    history = np.zeros((entry.card.window, layout.width), np.float32)
    history[:, : layout.value_count] = rng.random((entry.card.window, layout.value_count))
    history[:, layout.value_count :] = 1.0
    draw = lambda graph: rng.standard_normal(
        (coast.timing.horizon_steps, entry.card.members, 4, next(i.shape[-1] for i in graph.get_inputs() if i.name == "noise"))
    ).astype(np.float32)
    noise = list(zip(draw(outside), draw(inside), strict=True))

    def rollout(actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [np.repeat(part[:, None], 4, 1) for part in encode.run(None, {"history": history})]
        (exo_h, exo_z), (ctl_h, ctl_z) = parts[:2], parts[2:]
        futures, kpis = [], []
        for t, (outer, inner) in enumerate(noise):
            exo_h, exo_z, future = outside.run(None, {"deter": exo_h, "stoch": exo_z, "noise": outer})
            ctl_h, ctl_z, mean, std = inside.run(
                None, {"deter": ctl_h, "stoch": ctl_z, "noise": inner, "action": actions[t], "exogenous": future}
            )
            futures.append(future)
            kpis.append(mean)
            assert np.isfinite(mean).all()
            assert (std > 0).all()
        return np.stack(futures), np.stack(kpis)

    c, s, n_links = coast.sizes
    shares = rng.dirichlet(np.ones(s), (coast.timing.horizon_steps, 4, c + n_links)).astype(np.float32)
    actions = shares.reshape(*shares.shape[:2], -1)
    first, kpi = rollout(actions)
    second, other_kpi = rollout(np.roll(actions, 1, 0) * np.float32(0.5))
    assert first.tobytes() == second.tobytes()
    assert not np.array_equal(kpi, other_kpi)


def test_every_row_count_gives_the_same_row(trained: tuple[Path, list[ModelCard]], coast: NetworkSpec) -> None:
    zoo, _ = trained
    entry = find_model(zoo, "cdwm", coast.topology_digest())
    graph = session(entry, "controllable_step.onnx")
    rng = np.random.default_rng(2)
    feed = {i.name: rng.random([7 if d == "N" else d for d in i.shape]).astype(np.float32) for i in graph.get_inputs()}
    whole = graph.run(None, feed)
    single = graph.run(None, {k: v[-1:] if k == "action" else v[:, -1:] for k, v in feed.items()})
    for a, b in zip(whole, single, strict=True):
        assert a[:, -1:] == pytest.approx(b, rel=1e-4, abs=1e-5)


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


def test_a_model_is_refused_for_another_network(trained: tuple[Path, list[ModelCard]]) -> None:
    zoo, cards = trained
    city = load_network(find_network("poc-city"))
    with pytest.raises(ModelMismatchError, match="topology_digest"):
        check_network(cards[1], city)
    with pytest.raises(ModelMismatchError, match="coast"):
        find_model(zoo, "cdwm", city.topology_digest())
    path = find_model(zoo, "cdwm", cards[1].topology_digest).graph("encode.onnx")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelMismatchError, match=r"encode\.onnx: sha256"):
        check_digests(find_model(zoo, "cdwm", cards[1].topology_digest))


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
