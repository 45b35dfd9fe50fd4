"""Off-policy evaluation on EXPLORA: the logged agent, its propensities, the policies judged against it, and the rewards.

An action is how the PRBs are cut between the slices (`classes`); within a cut, the scheduler stays the logged agent's own
choice, so it drops out of the importance ratio. The agent's propensities are not in the trace. They are estimated for each
experiment from its own decisions (multinomial logistic regression on the newest KPIs, the cut in force and the time), every
fold of contiguous decisions by a model that did not see it; where that foretells them no better, by plain frequencies.

Shape suffixes: N decisions (windows), S slices, H horizon steps, K actions, B blocks, J decisions of a block.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from twm.core.network import NetworkSpec
from twm.core.scm import scm
from twm_bench.traces.baselines import TREE_LAGS, features
from twm_train.traces.fit import TraceModel, predict
from twm_train.traces.steps import Array, Experiment
from twm_train.traces.windows import P, Scale, Windows, under

AGENT_WEIGHTS = (0.072, 0.0023, -4.9537)
"""The logged reward_avg is this combination of reward_raw, to 3e-4, in all experiments that log it (least squares)."""
LEAST_COUNT = 20
FOLDS, FOLD_LENGTH, TIME_BINS = 5, 20, 6
LEAST_PROPENSITY = 1e-3
GREEDY_SHARE = 0.9
MAX_DELAY_MS = 1e5


@dataclass(frozen=True)
class Decisions:
    """Decisions at the newest step of windows."""

    windows: Windows
    experiments: Sequence[Experiment]
    action_N: NDArray[np.int64]


def classes(experiments: Sequence[Experiment]) -> Array:
    """Cuts [K, S] that were in force for at least LEAST_COUNT steps, in rising order."""
    shares = np.concatenate([e.share_TS for e in experiments]).round(4)
    found, count = np.unique(shares[np.isfinite(shares).all(-1)], axis=0, return_counts=True)
    return np.asarray(found[count >= LEAST_COUNT])


def decisions(windows: Windows, experiments: Sequence[Experiment], classes_KS: Array) -> Decisions:
    """The windows whose next cut is one of the classes."""
    distance = np.abs(windows.action_NHS[:, 0, None] - classes_KS).max(-1)
    kept = np.flatnonzero(distance.min(-1) < 5e-3)
    return Decisions(windows.take(kept), experiments, distance[kept].argmin(-1))


def agent_rewards(d: Decisions) -> Array:
    """What EXPLORA's agent was rewarded with for each decision [N], recomputed from the next report."""
    parts = [d.experiments[x].agent_T3[t + 1] for x, t in zip(d.windows.experiment_N, d.windows.step_N, strict=True)]
    return np.asarray(np.array(parts) @ AGENT_WEIGHTS)


def scm_rewards(d: Decisions, spec: NetworkSpec) -> Array:
    """Our SCM in the next report [N]: slack of the tightest delay bound, delay by Little's law."""
    kpi = [d.experiments[x].kpi_TSP[t + 1] for x, t in zip(d.windows.experiment_N, d.windows.step_N, strict=True)]
    return scm_of(np.array(kpi), spec)


def scm_of(kpi_SP: Array, spec: NetworkSpec) -> Array:
    """SCM of throughput and buffer [..., S, P]; a slice without UEs breaks nothing."""
    buffer_kbit, rate = kpi_SP[..., 1] * 8.0, np.maximum(kpi_SP[..., 0], 1e-3)
    delay = np.nan_to_num(np.minimum(buffer_kbit / rate, MAX_DELAY_MS))
    return scm(np.zeros_like(delay), delay, spec.topology())


def behaviour(d: Decisions, count: int) -> tuple[Array, dict[str, float]]:
    """(estimated propensities [N, K], how well they foretell the logged cuts beside plain frequencies)."""
    out = np.empty((len(d.action_N), count))
    plain = np.empty_like(out)
    for x in np.unique(d.windows.experiment_N):
        mine = np.flatnonzero(d.windows.experiment_N == x)
        w = d.windows.take(mine)
        time = w.step_N / max(w.step_N.max(), 1)
        columns = [
            w.level_NSF[..., 2 * P : 3 * P].reshape(len(mine), -1).clip(-3, 3),
            w.level_NSF[..., -1],
            w.before_NHS[:, 0] * 5.0,
            (np.minimum((time * TIME_BINS).astype(int), TIME_BINS - 1)[:, None] == np.arange(TIME_BINS)) * 2.0,
        ]
        inputs, taken = np.concatenate(columns, 1), d.action_N[mine]
        fold = np.arange(len(mine)) // FOLD_LENGTH % FOLDS
        for f in range(FOLDS):
            held, rest = fold == f, fold != f
            frequency = (np.bincount(taken[rest], minlength=count) + 0.5) / (rest.sum() + 0.5 * count)
            plain[mine[held]] = frequency
            out[mine[held]] = frequency
            if held.any() and len(np.unique(taken[rest])) > 1:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    model = LogisticRegression(C=0.1, max_iter=200).fit(inputs[rest], taken[rest])
                fitted = np.zeros((held.sum(), count))
                fitted[:, model.classes_] = model.predict_proba(inputs[held])
                out[mine[held]] = 0.9 * fitted + 0.1 * frequency
        if _surprise(out[mine], taken) > _surprise(plain[mine], taken):
            out[mine] = plain[mine]  # what it looks at tells nothing of its cuts here
    out = np.maximum(out, LEAST_PROPENSITY)
    out /= out.sum(-1, keepdims=True)
    measured = {"log_loss": _surprise(out, d.action_N), "log_loss_of_frequencies": _surprise(plain, d.action_N)}
    return out, {**measured, "log_loss_of_uniform": float(np.log(count))}


def _surprise(propensity_NK: Array, taken_N: NDArray[np.int64]) -> float:
    return float(-np.log(np.take_along_axis(propensity_NK, taken_N[:, None], -1)).mean())


def candidates(d: Decisions, classes_KS: Array, scale: Scale) -> list[Windows]:
    """The decisions' windows under every cut, held over the horizon."""
    return [under(d.windows, d.experiments, scale, cut) for cut in classes_KS]


def reward_model(fitted_on: Decisions, reward_N: Array, under_K: Sequence[Windows]) -> Array:
    """Expected reward of every action [N, K] by gradient boosting on other experiments, for the doubly robust estimate."""
    columns = lambda w: features(w, 0, lags=TREE_LAGS, memory=True)
    model = HistGradientBoostingRegressor(
        max_iter=100, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=40, early_stopping=False, random_state=0
    ).fit(columns(fitted_on.windows), reward_N)
    return np.stack([model.predict(columns(w)) for w in under_K], -1)


def planned_scm(model: TraceModel, under_K: Sequence[Windows], scale: Scale, spec: NetworkSpec, *, samples: int) -> Array:
    """Predicted mean SCM of every cut over the horizon [N, K], as our planner's objective sees it."""
    out = []
    for w in under_K:
        forecast = predict(model, w, samples=samples)
        out.append(scm_of(scale.physical(forecast.quantiles_QNHSP), spec).mean((0, 2)))
    return np.stack(out, -1)


def greedy(score_NK: Array) -> Array:
    """The best cut with GREEDY_SHARE, else any."""
    k = score_NK.shape[-1]
    best = score_NK.argmax(-1)[:, None] == np.arange(k)
    return np.asarray(GREEDY_SHARE * best + (1.0 - GREEDY_SHARE) / k)


def tilted(score_NK: Array, behaviour_NK: Array) -> Array:
    """The logged agent, drawn to what scores well: behaviour x exp(score / spread of the scores)."""
    spread = max(float((score_NK - score_NK.mean(-1, keepdims=True)).std()), 1e-6)
    raw = behaviour_NK * np.exp((score_NK - score_NK.max(-1, keepdims=True)) / spread)
    return np.asarray(raw / raw.sum(-1, keepdims=True))


def blocks(d: Decisions, length: int) -> NDArray[np.int64]:
    """Indices [B, J] of runs of `length` decisions that follow each other within an experiment; none is in two runs."""
    out, at = [], 0
    step, x = d.windows.step_N, d.windows.experiment_N
    while at + length <= len(step):
        run = slice(at, at + length)
        if x[at] == x[at + length - 1] and step[at + length - 1] - step[at] == length - 1:
            out.append(np.arange(len(step))[run])
            at += length
        else:
            at += 1
    return np.array(out, np.int64).reshape(-1, length)
