"""What the world model's parts must hold before and after training: physics, forecasts, dependence, other networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from twm.core.features import FIELD_FEATURES, HistoryLayout, exogenous_layout
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm_train.build import build_controllable, build_field, fit_exogenous, physics_constants
from twm_train.cards import draft_card, ood_statistics
from twm_train.data import TRAINING_SEED, Episodes, calendar_of, record
from twm_train.exogenous import KNOTS, TAIL_MAX, Dependence, ExogenousModel, at_score, fit_dependence, normal_scores
from twm_train.losses import OVERSHOOTING, SAMPLED_FUTURES, TEACHER_FORCED, Paths, controllable_loss, field_loss
from twm_train.optimise import Schedule, train
from twm_train.physics import overflow
from twm_train.sizes import Recipe
from twm_train.stage import Run
from twm_train.visited import planner_on, record_visited
from twm_train.windows import VISITED_KIND, WindowSampler, cut

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"


@pytest.fixture(scope="module", autouse=True)
def _torch_state() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def city() -> NetworkSpec:
    return load_network(find_network("poc-city"))


@pytest.fixture(scope="module")
def coast() -> NetworkSpec:
    return load_network(COAST)


@pytest.fixture(scope="module")
def episodes(city: NetworkSpec) -> Episodes:
    return record(city, TRAINING_SEED, 48, 28)


@pytest.fixture(scope="module")
def sampler(city: NetworkSpec, episodes: Episodes) -> ExogenousModel:
    torch.manual_seed(0)
    field = build_field(city, episodes, members=2, window=8)
    windows = WindowSampler(episodes, city, 2, 8, 0)
    train(field, lambda i: field_loss(field, windows.draw(i, 16)), Schedule(steps=60), seed=0)
    return fit_exogenous(city, field, episodes)


def test_overflow_is_the_mean_excess_of_a_normal_load() -> None:
    x = torch.linspace(-6, 6, 241)
    normal = torch.distributions.Normal(0.0, 1.0)
    exact = torch.exp(normal.log_prob(x)) + x * normal.cdf(x)
    assert float((overflow(x) - exact).abs().max()) < 2e-3


def test_physics_alone_says_the_kpis_of_a_step_better_than_persistence(city: NetworkSpec, episodes: Episodes) -> None:
    """Untrained, on the true exogenous state: loss and p99 delay of the bounded slice in z."""
    model = build_controllable(city, episodes, members=1, recent=2)
    exogenous = torch.from_numpy(episodes.exogenous_NTX[:, 1:])
    action = torch.from_numpy(episodes.action_NTA[:, 1:])
    c, s, _ = city.sizes
    shares = action[..., : c * s].unflatten(-1, (c, s)).sum(-1)
    torch.manual_seed(0)
    field = build_field(city, episodes, members=1, window=8)
    free = ExogenousModel(city, field, Dependence()).action_free(exogenous, shares)
    with torch.no_grad():
        _, _, kpi, _ = model.physics(action.flatten(0, 1)[None], free.flatten(0, 1)[None])
    predicted = kpi[0].permute(2, 0, 1).numpy()
    truth = episodes.kpi_z_NTSP[:, 1:].reshape(-1, s, 4)
    before = episodes.kpi_z_NTSP[:, :-1].reshape(-1, s, 4)
    urllc = int(np.flatnonzero(np.isfinite(city.topology().delay_p99_max_ms))[0])
    for slice_index, kpi_index in ((0, 0), (urllc, 0), (2, 0), (urllc, 1), (0, 3)):
        y, p, held = truth[:, slice_index, kpi_index], predicted[:, slice_index, kpi_index], before[:, slice_index, kpi_index]
        known = np.isfinite(y) & np.isfinite(held)
        error, base = np.sqrt(((p - y)[known] ** 2).mean()), np.sqrt(((held - y)[known] ** 2).mean())
        assert error < 0.6 * base, (slice_index, kpi_index, error, base)


def test_constants_are_measured_in_frames(city: NetworkSpec, episodes: Episodes) -> None:
    found = physics_constants(city, episodes)
    assert found.sigma_S == pytest.approx([0.11, 0.08, 0.07], abs=0.03)
    assert 2.0 < found.base_ms < 8.0
    assert 0.1 < found.burst_mbit_S[1] < 0.5
    assert (found.coupling_UC.sum(0) <= 0).all()


def test_what_was_reported_is_said_of_now_however_far_out_it_is(
    city: NetworkSpec, episodes: Episodes, sampler: ExogenousModel
) -> None:
    model = sampler.field
    windows = cut(episodes, np.zeros((1, 1), np.intp), np.full((1, 1), 9), 8, city.timing.horizon_steps)
    reported = windows.field_now.clone()
    reported[..., 0, FIELD_FEATURES.index("critical_delay_p99_ms")] = 2e6
    reported[..., 1, :] = torch.nan
    with torch.no_grad():
        forecast = model.forecast(windows.history.expand(model.members, -1, -1, -1))
        field = model.predict_field(forecast, reported.expand(model.members, -1, -1, -1))
    now = field[:, :, 0]
    seen = reported[:, :, None].expand_as(now)
    known = torch.isfinite(seen)
    assert torch.equal(now[known], seen[known])
    assert torch.isfinite(field).all()
    assert (now[..., 1, :].diff(dim=2) >= -1e-3).all()  # what was not reported keeps its quantiles


def test_quantiles_and_scores_invert_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    quantiles = torch.randn(50, len(KNOTS), generator=generator).abs().cumsum(-1)
    score = torch.rand(50, generator=generator) * 4 - 2
    assert normal_scores(quantiles, at_score(quantiles, score)) == pytest.approx(score, abs=1e-3)
    for i, knot in enumerate(KNOTS):
        assert at_score(quantiles, torch.full((50,), knot)) == pytest.approx(quantiles[:, i], abs=1e-4)
    far = at_score(quantiles, torch.full((50,), 50.0))
    assert torch.equal(far, at_score(quantiles, torch.full((50,), TAIL_MAX)))


def test_dependence_is_found_again() -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 2, (8, 2))
    distance = np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(-1))
    factor = np.linalg.cholesky(np.exp(-distance / 0.6) + 1e-9 * np.eye(8))
    shared, own = np.zeros((400, 12, 8)), np.zeros((400, 12, 8, 3))
    state, other = rng.standard_normal((400, 8)) @ factor.T, rng.standard_normal((400, 8, 3))
    for t in range(12):
        state = 0.8 * state + 0.6 * rng.standard_normal((400, 8)) @ factor.T
        other = 0.3 * other + np.sqrt(1 - 0.09) * rng.standard_normal((400, 8, 3))
        shared[:, t], own[:, t] = state, other
    found = fit_dependence(np.sqrt(0.5) * shared[..., None] + np.sqrt(0.5) * own, distance, 0.02)
    assert found.shared_ratio == pytest.approx(0.5, abs=0.06)
    assert found.length_km == pytest.approx(0.6, rel=0.4)
    assert 0.6 < found.shared_memory < 0.85
    assert found.own_memory < 0.45


def test_a_little_training_beats_persistence_and_a_calendar_helps(
    sampler: ExogenousModel, city: NetworkSpec, episodes: Episodes
) -> None:
    newest = np.arange(11, 16)
    episode, at = (grid.reshape(1, -1) for grid in np.meshgrid(np.arange(episodes.count), newest, indexing="ij"))
    error = {}
    c, s, _ = city.sizes
    for knows in (False, True):
        windows = cut(episodes, episode, at, 8, 12, np.full(episode.shape, knows))
        with torch.no_grad():
            forecast = sampler.field.forecast(windows.history.expand(2, -1, -1, -1))
        median = forecast.demand_log.mean(0)[:, :, forecast.demand_log.shape[3] // 2]
        truth = torch.log1p(windows.exogenous[0, ..., : c * s]).unflatten(-1, (c, s))
        error[knows] = float((median - truth).abs().mean())
        now = torch.log1p(windows.history[0, :, -1, sampler.field.demand_columns]).unflatten(-1, (c, s))
        error["held"] = float((now[:, None] - truth).abs().mean())
    assert error[True] < error[False] < error["held"]


def test_samples_have_the_marginals_of_the_forecast_and_rise_together(sampler: ExogenousModel, episodes: Episodes) -> None:
    windows = cut(episodes, np.zeros((1, 1), np.intp), np.full((1, 1), 12), 8, 12)
    history = windows.history.expand(2, -1, -1, -1)
    torch.manual_seed(1)
    with torch.no_grad():
        drawn = sampler.sample(history, 400)[0, :, 0]
        forecast = sampler.field.forecast(history)
    c, s, _ = sampler.sizes
    demand = drawn[..., : c * s].unflatten(-1, (c, s))
    share_below_median = (torch.log1p(demand) <= forecast.demand_log[0, 0, :, 3]).float().mean(0)
    assert float((share_below_median - 0.5).abs().mean()) < 0.05
    flat = demand[:, 6].flatten(1).numpy()
    correlation = np.corrcoef(flat.T)
    near = [correlation[0 * s, 1 * s], correlation[0, 1]]
    assert min(near) > 0.03
    first, last = demand[:, 4, 0, 0].numpy(), demand[:, 5, 0, 0].numpy()
    assert np.corrcoef(first, last)[0, 1] > 0.2


def test_one_set_of_weights_serves_another_network(city: NetworkSpec, coast: NetworkSpec, sampler: ExogenousModel) -> None:
    """Same parameters (but the place vectors), other buffers: 5 cells, 4 slices and a transport ring."""
    there = record(coast, TRAINING_SEED, 4, 22)
    field = build_field(coast, there, members=2, window=8)
    weights = {k: v for k, v in sampler.field.named_parameters() if k != "place"}
    with torch.no_grad():
        for name, parameter in field.named_parameters():
            if name == "place":
                parameter.zero_()
            else:
                assert parameter.shape == weights[name].shape, name
                parameter.copy_(weights[name])
    other = fit_exogenous(coast, field, there)
    layout = HistoryLayout.of(coast)
    history = torch.zeros(2, 3, 8, layout.width)
    future = other.sample(history, 2)
    assert future.shape == (2, 2, 3, 12, exogenous_layout(coast).width)
    assert torch.isfinite(future).all()
    shapes = [
        {
            n: tuple(p.shape)
            for n, p in build_controllable(spec, data, members=2, recent=2).named_parameters()
            if "log_" not in n
        }
        for spec, data in ((coast, there), (city, record(city, TRAINING_SEED, 4, 22)))
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (OVERSHOOTING, {"posterior", "kl", "prior"}),
        (TEACHER_FORCED, {"posterior", "kl"}),
        (SAMPLED_FUTURES, {"posterior", "kl", "prior", "sampled"}),
    ],
)
def test_no_gradient_of_an_action_reaches_the_exogenous_part(
    sampler: ExogenousModel, city: NetworkSpec, episodes: Episodes, paths: Paths, named: set[str]
) -> None:
    model = build_controllable(city, episodes, members=2, recent=2)
    loss, terms = controllable_loss(model, sampler, WindowSampler(episodes, city, 2, 8, 1).draw(0, 4), paths)
    loss.backward()
    assert set(terms) == named
    assert not any(p.requires_grad for p in sampler.parameters())
    assert model.physics.log_burst.grad is not None


def test_calendar_names_the_shocks_of_an_episode(city: NetworkSpec) -> None:
    told = calendar_of(city, 0xB0000, "hotspot-id", 24, 12)
    assert told.shape == (36, len(city.cells))
    assert not told[:10].any()
    assert told[12:].max() > 0.2
    windows_blind = told[0:12]
    assert windows_blind.max() == pytest.approx(0.0, abs=1.2)


def test_the_planner_visits_states_and_says_how_probable_its_acts_were(
    sampler: ExogenousModel, city: NetworkSpec, episodes: Episodes, tmp_path: Path
) -> None:
    model = build_controllable(city, episodes, members=2, recent=2).eval()
    run = Run(spec=city, recipe=Recipe(window=8, members=2), seed=0, folder=tmp_path, command="test")
    card = draft_card(run, ood_statistics(run, episodes))
    seen = record_visited(city, planner_on(city, sampler, model, card, "test"), [0xA8000, 0xA8004])
    assert seen.steps == 36
    assert (seen.kind_N == VISITED_KIND).all()
    c, s, n_links = city.sizes
    rows = seen.action_NTA.reshape(2, 36, c + n_links, s)
    assert rows[:, :12] == pytest.approx(1 / 3, abs=1e-5)
    assert (rows.sum(-1) <= 1 + 1e-4).all()
    assert np.abs(rows[:, 13] - 1 / 3).max() > 0.02
    assert (seen.log_propensity_NT[:, :12] == 0).all()
    assert np.isfinite(seen.log_propensity_NT).all()
