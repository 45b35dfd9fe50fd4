"""The rival `ppo`: its environment is the twin, it sees no future, and what was saved plays without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from twm.core.actions import PolicyArrays, saving_ratio, uniform_policy
from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.planner.reactive import ReactiveParameters
from twm_bench.rivals.ppo.environment import HorizonEnv, training_pairs
from twm_bench.rivals.ppo.method import POLICY, PpoMethod, PpoPolicy, corrected, forward
from twm_bench.rivals.ppo.network import RowNetwork
from twm_bench.rivals.ppo.observation import ObservationLayout
from twm_bench.rivals.ppo.train import PpoOptions, train
from twm_twin.calendar import known_at, noisy_calendar
from twm_twin.outcomes import horizon_outcome
from twm_twin.scenarios import SCENARIOS
from twm_twin.scored import ReplayTwin, ScoredHorizons
from twm_twin.seeds import seeds
from twm_twin.simulator import Twin


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return load_network(find_network("poc-city"))


@pytest.fixture(scope="module")
def horizons(spec: NetworkSpec) -> ScoredHorizons:
    return ScoredHorizons.prepare(spec, *training_pairs(seeds("training", 2), SCENARIOS), calendar=True)


@pytest.fixture(scope="module")
def weights(spec: NetworkSpec) -> dict[str, np.ndarray]:
    torch.manual_seed(3)
    network = RowNetwork(ObservationLayout(len(spec.cells), spec.sizes[2], len(spec.slices)), len(spec.slices))
    for part in (network.cell, network.link):
        torch.nn.init.normal_(part.out.weight, std=0.1)
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}


def _begun(horizons: ScoredHorizons) -> Twin:
    spec, b = horizons.spec, horizons.count
    twin = Twin(spec, b)
    twin.reset(horizons.seed_N, horizons.scenario_N.tolist(), quiet_steps=spec.timing.horizon_steps)
    c, s, n_links = spec.sizes
    for _ in range(spec.timing.horizon_steps):
        twin.step(np.full((b, c, s), 1 / s), np.full((b, n_links, s), 1 / s))
    return twin


def test_the_environment_gives_what_the_twin_gives(horizons: ScoredHorizons) -> None:
    spec, b = horizons.spec, horizons.count
    env = HorizonEnv(horizons, b, ReactiveParameters(), price=0.0)
    twin, generator = _begun(horizons), np.random.default_rng(1)
    env.begin(np.arange(b), np.ones(b))
    results, taken, rewards = [], [], np.zeros(b)
    over = False
    while not over:
        action = 0.05 * generator.standard_normal(env.action_space.shape)[None].repeat(b, 0)
        shares = corrected(spec, env._rule, action)
        _, reward, over = env.play(action)
        rewards += reward
        results.append(twin.step(*shares))
        taken.append(shares)
    outcome = horizon_outcome(spec, results)
    policies = PolicyArrays(
        prb_share_KHCS=np.stack([p for p, _ in taken], 1), bandwidth_share_KHLS=np.stack([q for _, q in taken], 1)
    )
    np.testing.assert_allclose(np.maximum(env.margin_B, 0.0), outcome.scm, atol=1e-9)
    np.testing.assert_allclose(env.saving_B, saving_ratio(policies, spec, uniform_policy(spec, 1)), atol=1e-6)
    assert (outcome.scm > 0).any() and not np.allclose(rewards, 0.0)


def test_the_rule_earns_nothing_beside_itself(horizons: ScoredHorizons) -> None:
    env = HorizonEnv(horizons, horizons.count, ReactiveParameters())
    env.reset()
    for _ in range(horizons.spec.timing.horizon_steps):
        _, reward, done, infos = env.step(np.zeros((env.num_envs, *env.action_space.shape), np.float32))
        np.testing.assert_allclose(reward, 0.0, atol=1e-5)
    assert done.all() and "terminal_observation" in infos[0]
    assert env.price != 0.3


def test_replayed_steps_are_the_twins(horizons: ScoredHorizons) -> None:
    which = np.array([5, 0, 3])
    replay, twin = ReplayTwin(horizons, 3), _begun(horizons)
    with pytest.raises(InvalidInputError, match="reset"):
        replay.step(np.full((3, 10, 3), 0.3), np.full((3, 10, 3), 0.3))
    replay.begin(which)
    for share in (0.2, 0.3):
        ours = replay.step(np.full((3, 10, 3), share), np.full((3, 10, 3), share))
        theirs = twin.step(np.full((8, 10, 3), share), np.full((8, 10, 3), share))
        np.testing.assert_array_equal(ours.delay_ms_BTCS, theirs.delay_ms_BTCS[which])
        np.testing.assert_array_equal(ours.users_BTCS, theirs.users_BTCS[which])


def test_an_observation_holds_nothing_of_the_future(horizons: ScoredHorizons) -> None:
    at, b = 4, horizons.count
    demand, up = horizons.demand_mbps_NHTCS.copy(), horizons.link_up_NHL.copy()
    demand[:, at:] *= 3.0
    up[:, at:] = ~up[:, at:]
    other = replace(horizons, demand_mbps_NHTCS=demand, link_up_NHL=up)
    seen = []
    for path in (horizons, other):
        env = HorizonEnv(path, b, ReactiveParameters())
        found = [env.begin(np.arange(b), np.ones(b))]
        for _ in range(at + 1):
            found.append(env.play(np.full((b, *env.action_space.shape), 0.1))[0])
        seen.append(found)
    for ours, theirs in list(zip(*seen, strict=True))[: at + 1]:
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(seen[0][at + 1], seen[1][at + 1])


def test_a_hidden_calendar_is_not_seen(horizons: ScoredHorizons) -> None:
    assert horizons.calendar_NHCH is not None
    b = horizons.count
    other = replace(horizons, calendar_NHCH=np.nan_to_num(horizons.calendar_NHCH) + 1.0)
    hidden, shown = [], []
    for path in (horizons, other):
        env = HorizonEnv(path, b, ReactiveParameters())
        for known, found in ((0.0, hidden), (1.0, shown)):
            env.begin(np.arange(b), np.full(b, known))
            found.append(env.play(np.zeros((b, *env.action_space.shape)))[0])
    np.testing.assert_array_equal(hidden[0], hidden[1])
    assert not np.array_equal(shown[0], shown[1])


@pytest.mark.parametrize("calendar", [False, True])
def test_the_method_decides_as_the_environment_was_trained(
    horizons: ScoredHorizons, weights: dict[str, np.ndarray], calendar: bool
) -> None:
    spec, b, horizon = horizons.spec, horizons.count, horizons.spec.timing.horizon_steps
    policy = PpoPolicy(spec, weights, ReactiveParameters())
    env = HorizonEnv(horizons, b, policy.base)
    observation = env.begin(np.arange(b), np.full(b, float(calendar)))
    row = b - 1
    seed, scenario = int(horizons.seed_N[row]), str(horizons.scenario_N[row])
    twin = Twin(spec, 1)
    told = noisy_calendar(twin.layout, seed, scenario, horizons=3, quiet_steps=horizon)
    twin.reset([seed], [scenario], quiet_steps=horizon)
    c, s, n_links = spec.sizes
    shares = (np.full((c, s), 1 / s, np.float32), np.full((n_links, s), 1 / s, np.float32))
    method, frames = PpoMethod(spec, calendar=calendar, policy=policy), list[FrameArrays]()
    for step in range(horizon + 5):
        if step >= horizon:
            shares = method.decide(frames, shares)
            expected = corrected(spec, env._rule, forward(weights, env.layout, observation))
            np.testing.assert_allclose(shares[0], expected[0][row], atol=1e-5)
            np.testing.assert_allclose(shares[1], expected[1][row], atol=1e-5)
            observation, _, _ = env.play(forward(weights, env.layout, observation))
        frame = twin.frames(twin.step(shares[0][None], shares[1][None])).frame(0)
        frames.append(replace(frame, events=list(known_at(told, step, horizon)) if calendar else []))


def test_numpy_plays_what_torch_trains(spec: NetworkSpec, weights: dict[str, np.ndarray]) -> None:
    layout = ObservationLayout(len(spec.cells), spec.sizes[2], len(spec.slices))
    network = RowNetwork(layout, len(spec.slices))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    observation = np.random.default_rng(2).standard_normal((7, layout.width)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(observation)).numpy()
    np.testing.assert_allclose(forward(weights, layout, observation), expected, atol=1e-5)


@pytest.mark.skipif(not POLICY.is_file(), reason="not trained: python -m twm_bench.rivals.ppo train")
def test_the_shipped_policy_plays_without_torch() -> None:
    assert POLICY.stat().st_size < 200_000
    program = """
import sys
from twm.core.frames import FrameArrays
from twm.core.network import load_network
from twm.core.paths import find_network
from twm_bench.rivals.ppo.method import PpoMethod
import numpy as np
spec = load_network(find_network("poc-city"))
c, s, n_links = spec.sizes
running = np.full((c, s), 1 / s), np.full((n_links, s), 1 / s)
for frame in (FrameArrays.missing(spec, 30), FrameArrays.missing(spec, 11)):
    for part in PpoMethod(spec).decide([frame], running):
        assert np.isfinite(part).all() and part.min() >= 0.05 - 1e-6 and part.sum(-1).max() <= 1 + 1e-6
assert not {"torch", "stable_baselines3", "numba"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_policy_of_another_network_is_refused(spec: NetworkSpec, weights: dict[str, np.ndarray], tmp_path: Path) -> None:
    policy = PpoPolicy(spec, weights, ReactiveParameters(spare=0.5))
    policy.save(tmp_path / "policy.npz")
    other = spec.model_copy(update={"name": "elsewhere", "area_id": "elsewhere"})
    with pytest.raises(ModelMismatchError, match="trained for"):
        PpoPolicy.load(other, tmp_path / "policy.npz")
    stored = PpoPolicy.load(spec, tmp_path / "policy.npz")
    assert stored.base.spare == 0.5
    assert stored.weights.keys() == weights.keys()
    with pytest.raises(InvalidInputError, match="frames"):
        PpoMethod(spec, policy=policy).decide([], (np.zeros((10, 3)), np.zeros((10, 3))))


def test_training_writes_a_policy_and_its_card(spec: NetworkSpec, tmp_path: Path) -> None:
    options = PpoOptions(
        steps=200, training_seeds=4, validation_seeds=1, check_seeds=1, batch=8, minibatch=48, epochs=1, cpu_seconds=1e9
    )
    card = train(spec, ReactiveParameters(), options, tmp_path, "test")
    policy = PpoPolicy.load(spec, tmp_path / "policy.npz")
    assert card["quality"]["check"]["calendar"].keys() == {"scm", "saving", "violated", "scm_by_scenario"}
    assert policy.base == ReactiveParameters()
    assert "test" in (tmp_path / "card.yaml").read_text()
