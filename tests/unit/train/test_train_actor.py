"""The actor: the reactive rule before training, feasible whatever its weights, trained through the world model alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from twm.core.actions import PolicyArrays, control_cost
from twm.core.features import HistoryLayout, history_columns
from twm.core.frames import block_shapes
from twm.core.kpis import horizon_kpis as horizon_kpis_of
from twm.core.kpis import kpi_draw
from twm.core.network import NetworkSpec, load_network
from twm.core.zoo import DataCard, ModelCard, find_model, load_card
from twm.inference.actor import load_actor
from twm.inference.engine import EngineOptions
from twm.planner.reactive import reactive_batch
from twm_train import build
from twm_train.actor import Actor
from twm_train.actor_export import ActorGraph
from twm_train.actor_recipe import train_actor
from twm_train.controllable import ControllableModel
from twm_train.data import TRAINING_SEED, VALIDATION_SEED, Episodes, record
from twm_train.exogenous import ExogenousModel
from twm_train.imagination import ActorSizes, Objective, actor_loss, begin, draw, expected, frozen, horizon_kpis, train_policy
from twm_train.windows import Windows, WindowSampler

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"
WINDOW = 4
SHORT = ActorSizes(steps=2, batch=2, samples=2, look_steps=1, judged_windows=2, judged_seeds=1)
Dynamics = tuple[ExogenousModel, ControllableModel]


@pytest.fixture(scope="module", autouse=True)
def _torch_state() -> Iterator[None]:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def coast() -> NetworkSpec:
    return load_network(COAST)


@pytest.fixture(scope="module")
def training(coast: NetworkSpec) -> Episodes:
    return record(coast, TRAINING_SEED, 10, 20)


@pytest.fixture(scope="module")
def dynamics(coast: NetworkSpec, training: Episodes) -> Dynamics:
    """An untrained world model: what of it is physics reacts to actions already."""
    torch.manual_seed(0)
    exogenous = build.fit_exogenous(coast, build.build_field(coast, training, members=2, window=WINDOW), training)
    return exogenous, build.build_controllable(coast, training, members=2, recent=2)


@pytest.fixture
def windows(coast: NetworkSpec, training: Episodes) -> Windows:
    return WindowSampler(training, coast, 1, WINDOW, 5).draw(0, 6)


def shaken(spec: NetworkSpec, scale: float) -> Actor:
    """An actor with random weights."""
    actor = Actor(spec, WINDOW)
    with torch.no_grad():
        for i, parameter in enumerate(actor.parameters()):
            torch.manual_seed(i)
            parameter.add_(scale * torch.randn_like(parameter))
    return actor


def foreseen(dynamics: Dynamics, history: Tensor, actor: Actor) -> Tensor:
    return expected(dynamics[0], begin(dynamics[0], history), actor)


def policies(plan: Tensor, spec: NetworkSpec) -> PolicyArrays:
    c, s, n_links = spec.sizes
    rows = plan.detach().numpy().reshape(*plan.shape[:2], c + n_links, s)
    return PolicyArrays(prb_share_KHCS=rows[:, :, :c], bandwidth_share_KHLS=rows[:, :, c:])


def test_untrained_it_is_the_reactive_rule(coast: NetworkSpec, dynamics: Dynamics) -> None:
    generator = np.random.default_rng(3)
    blocks = {k: generator.uniform(0.0, 1.0, (5, *v)).astype(np.float32) for k, v in block_shapes(coast).items()}
    blocks["cell_slice"][..., 0] *= generator.uniform(5, 200, (5, 1, 1))
    blocks["cell"][..., 0] = generator.uniform(2, 6, blocks["cell"].shape[:-1])
    blocks["link_slice"][..., 0] *= 400
    blocks["link"][..., 0] = generator.uniform(500, 1000, blocks["link"].shape[:-1])
    blocks["link"][..., 1] = generator.uniform(0.3, 1.0, blocks["link"].shape[:-1])
    blocks["link"][0, 0, 1] = 0.0  # down: the shares in force stay
    blocks["cell"][1, 0, 0] = np.nan
    history = torch.zeros(5, WINDOW, HistoryLayout.of(coast).width)
    history[:, -1] = torch.tensor(history_columns(blocks, coast))
    c, s, n_links = coast.sizes
    running = torch.full((5, (c + n_links) * s), 0.8 / s)
    actor = Actor(coast, WINDOW)
    plan = policies(actor.reactive(history, running, foreseen(dynamics, history, actor)), coast)
    before = tuple(np.full((5, rows, s), 0.8 / s) for rows in (c, n_links))
    prb, bandwidth = reactive_batch(coast, blocks, before, limit_change=False)  # type: ignore[arg-type]
    for step in (0, actor.horizon - 1):
        np.testing.assert_allclose(plan.prb_share_KHCS[:, step], prb, atol=2e-5)
        np.testing.assert_allclose(plan.bandwidth_share_KHLS[:, step], bandwidth, atol=2e-5)


@pytest.mark.parametrize("scale", [0.0, 0.3, 3.0])
def test_plans_are_feasible_with_any_weights(coast: NetworkSpec, dynamics: Dynamics, windows: Windows, scale: float) -> None:
    actor, topology = shaken(coast, scale), coast.topology()
    wild = windows.history[0].clone()
    wild[0] *= 1e6
    wild[1] = 0.0
    forecast = foreseen(dynamics, wild, actor)
    plan = policies(actor(wild, windows.last_action[0], torch.full((6, 1), 0.1), forecast), coast)
    for shares, floor in ((plan.prb_share_KHCS, topology.prb_floor), (plan.bandwidth_share_KHLS, topology.bandwidth_floor)):
        assert np.isfinite(shares).all()
        assert (shares - floor).min() >= -1e-5
        assert shares.sum(-1).max() <= 1 + 1e-5


def test_a_gradient_reaches_the_actor_and_never_the_world_model(
    coast: NetworkSpec, dynamics: Dynamics, windows: Windows
) -> None:
    actor, sizes = Actor(coast, WINDOW), ActorSizes.quick()
    flags = [p.requires_grad for model in dynamics for p in model.parameters()]
    torch.manual_seed(0)
    with frozen(*dynamics):
        loss, _ = actor_loss(actor, *dynamics, Objective(coast, sizes), windows, sizes, 0.0)
        loss.backward()
    for name in ("cell_out.weight", "link_out.weight", "cell_rule.parameters_6", "mix"):
        gradient = actor.get_parameter(name).grad
        assert gradient is not None, name
        assert torch.isfinite(gradient).all(), name
        assert gradient.abs().max() > 0, name
    parameters = [p for model in dynamics for p in model.parameters()]
    assert all(p.grad is None for p in parameters)
    assert [p.requires_grad for p in parameters] == flags


def test_costs_and_kpis_are_those_of_the_product(coast: NetworkSpec) -> None:
    """Control cost, draws and the horizon's KPIs in torch equal the numpy code that judges policies."""
    actor, generator = Actor(coast, WINDOW), np.random.default_rng(0)
    c, s, n_links = coast.sizes
    plan = torch.tensor(generator.uniform(0, 1 / s, (3, actor.horizon, (c + n_links) * s)), dtype=torch.float32)
    running = torch.tensor(generator.uniform(0, 1 / s, (3, (c + n_links) * s)), dtype=torch.float32)
    for i in range(3):
        expected_cost = control_cost(policies(plan[i : i + 1], coast), coast, policies(running[i][None, None], coast))
        np.testing.assert_allclose(actor.cost(plan, running)[i].numpy(), expected_cost[0], rtol=1e-5)
    mean = generator.uniform(0.01, 0.9, (4, actor.horizon, s, 4))
    mean[..., 1] *= 50
    std, noise = mean * 0.2, generator.standard_normal(mean.shape)
    drawn = kpi_draw(mean, std, noise)
    loss, delay = draw(*(torch.tensor(x, dtype=torch.float32) for x in (mean, std)), torch.tensor(noise[..., :2]).float())
    np.testing.assert_allclose(loss, drawn[..., 0], rtol=1e-3)
    np.testing.assert_allclose(delay, drawn[..., 1], rtol=1e-3)
    offered = generator.uniform(1, 100, (4, actor.horizon, s))
    ours = horizon_kpis(*(torch.tensor(x, dtype=torch.float32) for x in (drawn[..., 0], drawn[..., 1], offered)))
    np.testing.assert_allclose(ours[0], horizon_kpis_of(drawn, offered)[0], rtol=1e-4)
    np.testing.assert_allclose(ours[1], horizon_kpis_of(drawn, offered)[1], rtol=1e-4)


def test_short_training_teaches_the_saving_and_repeats_bit_by_bit(
    coast: NetworkSpec, dynamics: Dynamics, training: Episodes, windows: Windows, tmp_path: Path
) -> None:
    sizes = ActorSizes(steps=20, batch=4, samples=2, look_steps=1, peak_rate=1.5e-2, saving_max=0.4)
    actor, _ = train_policy(coast, *dynamics, training, sizes, seed=2)
    history, running = windows.history[0], windows.last_action[0]
    forecast = foreseen(dynamics, history, actor)
    wanted = (0.0, 0.1, 0.2, 0.3, 0.4)
    with torch.no_grad():
        costs = [float(actor.cost(actor(history, running, torch.full((6, 1), w), forecast), running).mean()) for w in wanted]
    assert all(a > b for a, b in pairwise(costs)), costs
    assert costs[0] - costs[-1] > 0.03
    first, _ = train_policy(coast, *dynamics, training, SHORT, seed=4, checkpoint=tmp_path / "actor.pt")
    again, _ = train_policy(coast, *dynamics, training, SHORT, seed=4)
    resumed, _ = train_policy(coast, *dynamics, training, SHORT, seed=4, checkpoint=tmp_path / "actor.pt")
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.fixture(scope="module")
def shipped(
    coast: NetworkSpec, dynamics: Dynamics, training: Episodes, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ModelCard, Actor]:
    zoo, work = tmp_path_factory.mktemp("zoo"), tmp_path_factory.mktemp("work")
    data = DataCard(sha256=training.digest(), episodes=10, steps=20, scenarios=(), policies={}, seeds={})
    card = train_actor(
        coast,
        *dynamics,
        training,
        record(coast, VALIDATION_SEED, 4, 20),
        SHORT,
        seed=1,
        folder=zoo / "actor" / "coast-1",
        data=data,
        command="test",
        checkpoint=work / "actor.pt",
    )
    actor = Actor(coast, WINDOW, look_steps=SHORT.look_steps)
    actor.load_state_dict(torch.load(work / "actor.pt", weights_only=True)["model"])
    return zoo, card, actor.eval()


def test_the_graph_equals_torch_and_loads_against_its_card(
    shipped: tuple[Path, ModelCard, Actor], coast: NetworkSpec, dynamics: Dynamics, windows: Windows
) -> None:
    zoo, card, actor = shipped
    entry = find_model(zoo, "actor", coast.topology_digest())
    assert entry.card == card == load_card(entry.folder)
    load_actor(entry, coast, EngineOptions(use_cuda=False))
    session = onnxruntime.InferenceSession(entry.read_graph("actor.onnx"), providers=["CPUExecutionProvider"])
    graph = ActorGraph(actor, dynamics[0])
    for i, saving in enumerate((0.0, 0.1, 0.9)):
        feeds = {"history": windows.history[0, i], "running": windows.last_action[0, i], "saving": torch.tensor([saving])}
        (found,) = session.run(None, {name: value.numpy() for name, value in feeds.items()})
        with torch.no_grad():
            np.testing.assert_allclose(found, graph(*feeds.values()).numpy(), atol=1e-4)


def test_the_card_says_what_it_is_worth(shipped: tuple[Path, ModelCard, Actor]) -> None:
    _, card, _ = shipped
    assert (card.contract, card.members, card.window) == ("actor/1", 3, WINDOW)
    for where in ("imagined", "twin"):
        for name in ("reactive", "actor_0", "actor_0.08", "actor_0.16"):
            assert 0 <= card.quality[where][name]["scm"] <= 1
    assert card.quality["imagined"]["library_best"]["policies"] > 30
    assert card.training.cpu_s > 0
