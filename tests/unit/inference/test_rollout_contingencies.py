"""Scores as a mean over link states: an outage is played in the first step, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_inference_rollout import LEVELS, actions, decide, go_on
from tiny_zoo import TinyDynamics

from twm.core.network import NetworkSpec
from twm.inference.dynamics import Float
from twm.inference.rollout import Contingency, Decision, Rollouts, RolloutScores

SCORES = ("scm_K", "cvar_K", "shortfall_K", "soft_K", "violation_KS", "any_violation_K")


class Linked(TinyDynamics):
    """Loses what links that are down would have carried."""

    def controllable(self, deter: Float, noise: Float, action: Float, exogenous: Float) -> tuple[Float, Float, Float]:
        after, mean, std = super().controllable(deter, noise, action, exogenous)
        links = len(self.spec.transport.links)
        down = (exogenous[..., -links:] < 500).mean(-1)[..., None]
        mean[..., 0] += 0.5 * down
        mean[..., 1] += 40 * down
        return after, mean, std


def state(probability: float, *links: int) -> Contingency:
    return Contingency(down_links=np.array(links, np.intp), probability=probability)


def scored(model: TinyDynamics, decision: Decision, *states: Contingency) -> RolloutScores:
    judged = replace(decision, contingencies=states)
    return Rollouts(model, max_rows=10_000).score(judged, actions(model, 4), quantile_levels=LEVELS, check=go_on)


def test_scores_are_the_mean_over_link_states(spec: NetworkSpec) -> None:
    model = Linked(spec)
    decision = decide(model)
    calm, one, two = (scored(model, decision, s) for s in (state(0.0, 0), state(1.0, 0, 1), state(1.0, 2, 3, 4)))
    mixed = scored(model, decision, state(0.2, 0, 1), state(0.3, 2, 3, 4))
    for name in SCORES:
        expected = 0.5 * getattr(calm, name) + 0.2 * getattr(one, name) + 0.3 * getattr(two, name)
        np.testing.assert_allclose(getattr(mixed, name), expected, atol=1e-5)
    assert (two.scm_K < one.scm_K).all() and (one.scm_K < calm.scm_K).all()


def test_an_outage_lasts_one_step(spec: NetworkSpec) -> None:
    model = Linked(spec)
    decision = decide(model)
    every = tuple(range(len(spec.transport.links)))
    outage = scored(model, decision, state(1.0, *every))
    exogenous = decision.futures.exogenous_HEJX.copy()
    exogenous[0, ..., -len(every) :] = 0.0
    exogenous[..., -len(every) :][1:] = decision.futures.exogenous_HEJX[..., -len(every) :].max((0, 1, 2))
    played = replace(decision, futures=replace(decision.futures, exogenous_HEJX=exogenous))
    for name in SCORES:
        np.testing.assert_allclose(getattr(outage, name), getattr(scored(model, played), name), atol=1e-5)


def test_sampled_outages_count_for_trajectories_only(spec: NetworkSpec) -> None:
    model = Linked(spec)
    decision = decide(model)
    exogenous = decision.futures.exogenous_HEJX.copy()
    exogenous[2, :, 0, -1] = 0.0
    broken = replace(decision, futures=replace(decision.futures, exogenous_HEJX=exogenous))
    calm, sampled = scored(model, decision, state(0.0, 0)), scored(model, broken, state(0.0, 0))
    np.testing.assert_allclose(sampled.scm_K, calm.scm_K, atol=1e-6)
    assert sampled.kpi_quantiles_KHQSP is not None and calm.kpi_quantiles_KHQSP is not None
    assert (sampled.kpi_quantiles_KHQSP[:, 2] != calm.kpi_quantiles_KHQSP[:, 2]).any()
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(scored(model, broken).scm_K, calm.scm_K, atol=1e-6)
