"""Scores, intervals and off-policy estimates of the trace experiments, against known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from twm_bench.traces import policies
from twm_bench.traces.ope import Log, effective, evaluate, weights, wis_of
from twm_bench.traces.scores import ResidualQuantiles, bootstrap, crps, headline, score
from twm_train.traces.fit import LEVELS, Forecast, TraceModel, TraceRecipe, conform, fit, interval, loss_of, predict, tensors
from twm_train.traces.steps import Experiment
from twm_train.traces.windows import Scale, Windows, windows_of


def made_up(steps: int, seed: int) -> Experiment:
    """Slices that serve what their share carries, up to a demand, for shares drawn at random."""
    generator = np.random.default_rng([seed, 7])
    share = generator.dirichlet(np.ones(3), steps)
    demand = np.array([4.0, 0.5, 0.2]) * (1 + seed % 3)
    served = np.minimum(demand, 10.0 * share)
    return Experiment(
        name=f"made-up/{seed}",
        group="made-up",
        end_s=np.arange(1.0, steps + 1),
        period_s=np.ones(steps),
        kpi_TSP=np.stack([served, 50 * np.maximum(demand - served, 0), np.minimum(10 * share / demand, 1)], -1),
        share_TS=share,
        scheduler_TS=np.zeros((steps, 3), np.int64),
        ues_TS=np.full((steps, 3), 2.0),
        segment_T=np.zeros(steps, np.int64),
        agent_T3=np.zeros((steps, 3)),
    )


@pytest.fixture(scope="module")
def windows() -> Windows:
    experiments = [made_up(60, seed) for seed in range(4)]
    return windows_of(experiments, Scale.fit(experiments))


def test_crps_of_a_normal_forecast() -> None:
    """Gneiting and Raftery 2007: CRPS of N(0, 1) at y is y (2 Phi(y) - 1) + 2 phi(y) - 1 / sqrt(pi)."""
    levels = (np.arange(2000) + 0.5) / 2000
    points = torch.special.ndtri(torch.tensor(levels)).numpy()
    for y in (0.0, 0.7, -2.0):
        cdf = float(torch.special.ndtr(torch.tensor(y)))
        expected = y * (2 * cdf - 1) + 2 * np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi) - 1 / np.sqrt(np.pi)
        assert float(crps(points, np.float64(y), levels)) == pytest.approx(expected, abs=1e-3)
    # a point forecast's CRPS is its absolute error
    assert float(crps(np.full(20, 3.0), np.float64(5.0), np.array(LEVELS))) == pytest.approx(2.0)


def test_scores_average_over_experiments_and_leave_out_what_is_missing(windows: Windows) -> None:
    mean = windows.target_NHSP + np.where(windows.experiment_N == 0, 2.0, 1.0)[:, None, None, None].astype(np.float32)
    holed = windows.take(slice(None))
    holed.target_NHSP[windows.experiment_N == 3, :, 1] = np.nan
    forecast = Forecast(mean, np.repeat(mean[None], len(LEVELS), 0))
    scores = score(forecast, mean - 1.5, mean + 1.5, holed)
    np.testing.assert_allclose(headline(scores.nrmse_XHSP), [2, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(headline(scores.crps_XHSP), [2, 1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(headline(scores.covered_XHSP), [0, 1, 1, 1])
    assert np.isnan(scores.nrmse_XHSP[3, :, 1]).all()
    low, high = bootstrap(np.array([1.0, 2.0, 3.0]))
    assert 1.0 <= low < 2.0 < high <= 3.0


def test_residual_quantiles_hold_what_they_say() -> None:
    generator = np.random.default_rng(3)
    mean = generator.uniform(0, 1, (4000, 1, 1, 1)).astype(np.float32)
    truth = (mean + generator.standard_normal(mean.shape) * (0.1 + mean)).astype(np.float32)
    fitted = ResidualQuantiles.fit(mean[:2000], truth[:2000], 6)
    low, high = interval(fitted.forecast(mean[2000:]))
    inside = (truth[2000:] >= low) & (truth[2000:] <= high)
    small = mean[2000:] < 0.3
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    assert inside[small].mean() == pytest.approx(0.9, abs=0.05)
    assert (high - low)[small].mean() < 0.5 * (high - low)[mean[2000:] > 0.7].mean()


def test_conformal_margin_restores_coverage() -> None:
    generator = np.random.default_rng(4)
    truth = generator.standard_normal((3000, 2, 1, 1)).astype(np.float32)
    quantiles = np.broadcast_to(np.linspace(-0.5, 0.5, len(LEVELS))[:, None, None, None, None], (len(LEVELS), *truth.shape))
    forecast = Forecast(np.zeros_like(truth), quantiles.astype(np.float32))
    margin = conform(forecast, truth)
    low, high = interval(forecast)
    assert ((truth >= low - margin) & (truth <= high + margin)).mean() == pytest.approx(0.9, abs=0.01)


def test_model_learns_and_the_exogenous_part_sees_no_action(windows: Windows) -> None:
    recipe = TraceRecipe(members=2, steps=12, batch=8)
    torch.manual_seed(1)
    untrained = TraceModel(2, 3)
    batch = tensors(windows, 1)
    batch = {name: x.expand(2, *x.shape[1:]) for name, x in batch.items()}
    torch.manual_seed(0)
    before, _ = loss_of(untrained, batch)
    model = fit(windows, 3, recipe, seed=1)
    torch.manual_seed(0)
    after, _ = loss_of(model, batch)
    assert after.detach() < before.detach()
    forecast = predict(model, windows, samples=2)
    assert forecast.mean_NHSP.shape == windows.target_NHSP.shape
    assert (np.diff(forecast.quantiles_QNHSP, axis=0) >= 0).all()
    with torch.no_grad():
        roll = lambda w: (torch.manual_seed(5), model.roll(w, 1))[1]
        _, points, futures = roll(batch)
        _, other_points, other_futures = roll({**batch, "action": batch["action"].flip(1)})
    assert torch.equal(futures, other_futures)
    assert not torch.equal(points, other_points)


def bandit(seed: int, length: int, rows: int) -> tuple[Log, np.ndarray, float, float]:
    """(log, target policy, its true value, the behaviour's) where context x is 0 or 1 and reward of action a is known."""
    generator = np.random.default_rng(seed)
    value = np.array([[0.0, 1.0, 0.4], [0.8, 0.1, 0.5]])
    behaviour = np.array([[0.6, 0.2, 0.2], [0.3, 0.4, 0.3]])
    target = np.array([[0.1, 0.8, 0.1], [0.7, 0.1, 0.2]])
    x = generator.integers(2, size=(rows, length))
    action = (generator.random((rows, length, 1)) > behaviour[x].cumsum(-1)).sum(-1).clip(0, 2)
    reward = value[x, action] + 0.1 * generator.standard_normal(x.shape)
    log = Log(action_BJ=action, reward_BJ=reward, behaviour_BJK=behaviour[x], value_BJK=np.full((rows, length, 3), 0.3))
    return log, target[x], float((target * value).sum(-1).mean()), float((behaviour * value).sum(-1).mean())


@pytest.mark.parametrize("length", [1, 2])
def test_wis_and_dr_find_a_known_value(length: int) -> None:
    log, target, truth, logged = bandit(5, length, 2500)
    estimate = evaluate(log, target)
    assert estimate.wis == pytest.approx(truth, abs=0.05)
    assert estimate.dr == pytest.approx(truth, abs=0.05)
    assert estimate.dr_interval[0] < truth < estimate.dr_interval[1]
    assert estimate.wis_interval[0] < truth < estimate.wis_interval[1]
    assert estimate.judged
    assert estimate.gain_interval[0] > 0  # the target is better than what was logged, and that is seen
    itself = evaluate(log, log.behaviour_BJK)
    assert itself.wis == pytest.approx(logged, abs=0.02)
    assert itself.ess == pytest.approx(itself.blocks)


def test_dr_is_right_with_wrong_propensities_when_the_reward_model_is() -> None:
    log, target, truth, _ = bandit(6, 1, 2500)
    value = np.array([[0.0, 1.0, 0.4], [0.8, 0.1, 0.5]])
    context = (log.behaviour_BJK[..., 0] < 0.5).astype(int)
    wrong = Log(
        action_BJ=log.action_BJ,
        reward_BJ=log.reward_BJ,
        behaviour_BJK=np.full_like(log.behaviour_BJK, 1 / 3),
        value_BJK=value[context],
    )
    estimate = evaluate(wrong, target)
    assert estimate.dr == pytest.approx(truth, abs=0.02)
    assert abs(estimate.wis - truth) > 0.02


def test_a_policy_without_overlap_cannot_be_judged() -> None:
    log, target, _, _ = bandit(7, 8, 300)
    greedy = np.eye(3)[target.argmax(-1)]
    assert not evaluate(log, greedy).judged
    assert effective(np.ones(50)) == pytest.approx(50)
    assert effective(np.array([1.0, 0, 0, 0])) == pytest.approx(1)
    assert effective(np.zeros(4)) == 0.0
    weight = weights(log, log.behaviour_BJK)
    assert wis_of(weight, log.reward_BJ) == pytest.approx(log.reward_BJ.mean())


def test_planner_policies_are_distributions_that_prefer_what_scores_well() -> None:
    score_NK = np.array([[0.1, 0.9, 0.2], [0.5, 0.4, 0.3]])
    behaviour = np.full((2, 3), 1 / 3)
    for policy in (policies.greedy(score_NK), policies.tilted(score_NK, behaviour)):
        np.testing.assert_allclose(policy.sum(-1), 1.0)
        assert policy.argmax(-1).tolist() == [1, 0]


def test_blocks_are_runs_of_decisions_within_an_experiment(windows: Windows) -> None:
    d = policies.Decisions(windows, [made_up(60, seed) for seed in range(4)], np.zeros(windows.count, np.int64))
    rows = policies.blocks(d, 5)
    assert len(np.unique(rows)) == rows.size
    assert (np.diff(windows.step_N[rows], axis=-1) == 1).all()
    assert (windows.experiment_N[rows] == windows.experiment_N[rows[:, :1]]).all()
