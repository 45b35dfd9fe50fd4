"""Our planner's choices on EXPLORA's held-out experiments, judged from what the logged agent did there."""

from __future__ import annotations

from typing import Any

import numpy as np

from twm.core.network import NetworkSpec
from twm_bench.traces import policies
from twm_bench.traces.forecasts import Trace
from twm_bench.traces.ope import LEAST_ESS, LEAST_ESS_RATIO, Array, Estimate, Log, evaluate
from twm_train.traces.fit import TraceModel
from twm_train.traces.steps import Experiment

LENGTHS = (1, 5)
STEERING = ("spring-2023", "winter-2023")
"""Runs in which the agent explores. In `main` it nearly always repeats one cut: nothing can be said of another policy there."""


def judge(trace: Trace, model: TraceModel, spec: NetworkSpec) -> dict[str, Any]:
    """Every policy under both rewards, for single decisions and for blocks of LENGTHS[-1]; with what cannot be judged."""
    fitted_on = trace.experiments["train"] + trace.experiments["calibration"]
    cuts = policies.classes([e for e in fitted_on if e.group in STEERING])
    windows, other = trace.windows["test"], trace.windows["train"]
    logged = policies.decisions(*_steering(windows, trace.experiments["test"]), cuts)
    earlier = policies.decisions(*_steering(other, trace.experiments["train"]), cuts)
    behaviour, fit = policies.behaviour(logged, len(cuts))
    under = policies.candidates(logged, cuts, trace.scale)
    score = policies.planned_scm(model, under, trace.scale, spec, samples=1)
    judged = {
        "uniform": np.full_like(behaviour, 1.0 / len(cuts)),
        "planner-greedy": policies.greedy(score),
        "planner-tilted": policies.tilted(score, behaviour),
    }
    rewards = {
        "scm": (policies.scm_rewards(logged, spec), policies.scm_rewards(earlier, spec)),
        "agent_reward": (policies.agent_rewards(logged), policies.agent_rewards(earlier)),
    }
    out: dict[str, Any] = {
        "decisions": len(logged.action_N),
        "experiments": [e.name for e in logged.experiments],
        "cuts_prb_share": cuts.round(2).tolist(),
        "behaviour_fit": {name: round(value, 4) for name, value in fit.items()},
        "bound": f"judged from an effective sample size of {LEAST_ESS:g} and {LEAST_ESS_RATIO:.0%} of the blocks on",
        "main": _repetition(trace.experiments["test"]),
        "rewards": {},
    }
    for name, (reward, reward_before) in rewards.items():
        value = policies.reward_model(earlier, reward_before, under)
        out["rewards"][name] = {
            f"blocks_of_{length}": _table(logged, reward, behaviour, value, judged, length) for length in LENGTHS
        }
    return out


def _steering(windows: Any, experiments: list[Experiment]) -> tuple[Any, list[Experiment]]:
    """Windows of the steering runs, numbered anew, and those runs."""
    kept = [i for i, e in enumerate(experiments) if e.group in STEERING]
    chosen = windows.take(np.flatnonzero(np.isin(windows.experiment_N, kept)))
    renumbered = np.searchsorted(kept, chosen.experiment_N)
    return type(windows)(**{**chosen.__dict__, "experiment_N": renumbered}), [experiments[i] for i in kept]


def _table(
    logged: policies.Decisions, reward: Array, behaviour: Array, value: Array, judged: dict[str, Array], length: int
) -> dict[str, Any]:
    rows = policies.blocks(logged, length)
    log = Log(action_BJ=logged.action_N[rows], reward_BJ=reward[rows], behaviour_BJK=behaviour[rows], value_BJK=value[rows])
    out = {"logged-agent": _entry(evaluate(log, log.behaviour_BJK), None)}
    agent = float(log.reward_BJ.mean())
    for name, policy in judged.items():
        out[name] = _entry(evaluate(log, policy[rows]), agent)
    return out


def _entry(e: Estimate, agent: float | None) -> dict[str, Any]:
    """One policy; `agent` is what the logged agent earned (None: this is the agent itself)."""
    entry: dict[str, Any] = {
        "wis": round(e.wis, 4),
        "wis_interval": [round(v, 4) for v in e.wis_interval],
        "dr": round(e.dr, 4),
        "dr_interval": [round(v, 4) for v in e.dr_interval],
        "effective_sample_size": round(e.ess, 1),
        "blocks": e.blocks,
        "judged": e.judged,
    }
    if agent is None:
        return entry
    if not e.judged:
        entry["verdict"] = f"cannot be judged: effective sample size {e.ess:.0f} of {e.blocks}"
        return entry
    low, high = e.gain_interval
    entry["gain_interval"] = [round(low, 4), round(high, 4)]
    if low > 0:
        entry["verdict"] = f"better than the logged agent ({agent:.3f}) by both estimators"
    elif high < 0:
        entry["verdict"] = f"worse than the logged agent ({agent:.3f}) by both estimators"
    else:
        entry["verdict"] = f"no difference from the logged agent ({agent:.3f}) can be shown"
    return entry


def _repetition(experiments: list[Experiment]) -> dict[str, Any]:
    """Share of the most frequent cut in each test run of `main`: why no other policy can be judged there."""
    out: dict[str, Any] = {}
    for e in experiments:
        if e.group not in STEERING:
            shares = e.share_TS[np.isfinite(e.share_TS).all(-1)]
            _, count = np.unique(shares, axis=0, return_counts=True)
            out[e.name] = round(float(count.max() / count.sum()), 3)
    return {"most_frequent_cut_ratio": out, "verdict": "cannot be judged: the agent hardly ever takes another cut"}
