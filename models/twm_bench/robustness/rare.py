"""Rare events: the horizons of a report in which a link failed, or two shocks were there at once, and who did how well there.

Nothing is played: seeds and scenarios say what truly happened, and the report holds every horizon of every method. Subsets are
chosen by what happened to the network, never by what a method made of it.

Shape suffixes: Y scenarios, N seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.network import NetworkSpec
from twm_bench.results import MethodResult, Report
from twm_twin.exogenous import ExogenousPath
from twm_twin.layout import TwinLayout

OURS = "twm"
RIVALS = ("uniform", "reactive", "dt-cem-12", "dt-cem-96", "dt-cem-3840", "analytic", "ppo", "oracle")
RESAMPLES = 10_000
WORST = 0.05
EVENTS = {
    "all": "every horizon",
    "link-failure": "a transport link is down in at least one step",
    "two-shocks": "two demand shocks are active in the same step",
    "failure-under-shock": "a link is down while a shock is active",
    "calm": "no link down, and never two shocks at once",
}
Mask = NDArray[np.bool_]


def events_of(spec: NetworkSpec, scenarios: Sequence[str], seeds: Sequence[int]) -> dict[str, Mask]:
    """Which scored horizons [Y, N] an event happened in."""
    layout, horizon = TwinLayout.of(spec), spec.timing.horizon_steps
    found = {name: np.zeros((len(scenarios), len(seeds)), bool) for name in EVENTS}
    for y, scenario in enumerate(scenarios):
        for n, seed in enumerate(seeds):
            path = ExogenousPath(layout, int(seed), scenario, horizon)
            path.next_block()
            down_H = ~path.next_block().link_up_HL.all(-1)
            steps = horizon + np.arange(horizon)
            active_HE = np.array(
                [[e.onset_step < step + 1 and e.onset_step + e.duration_steps > step for e in path.events] for step in steps]
            ).reshape(horizon, len(path.events))
            shocks_H = active_HE.sum(-1)
            found["link-failure"][y, n] = down_H.any()
            found["two-shocks"][y, n] = (shocks_H >= 2).any()
            found["failure-under-shock"][y, n] = (down_H & (shocks_H > 0)).any()
    found["all"][:] = True
    found["calm"] = ~(found["link-failure"] | found["two-shocks"])
    return found


def rare_events(spec: NetworkSpec, report: Report) -> dict[str, Any]:
    """By variant and event: number of horizons, and of each method SCM, violations, worst 5 %, and twm's lead over it."""
    masks = events_of(spec, report.scenarios, report.seeds.seeds)
    out: dict[str, Any] = {"events": EVENTS, "variants": {}}
    for variant, methods in report.variants.items():
        some = {name: methods[name] for name in (OURS, *RIVALS) if name in methods}
        out["variants"][variant] = {
            event: {
                "horizons": int(mask.sum()),
                "by_scenario": dict(zip(report.scenarios, mask.sum(1).tolist(), strict=True)),
                "methods": _methods(some, mask, report.scenarios) if mask.any() else {},
            }
            for event, mask in masks.items()
        }
    return out


def _methods(methods: dict[str, MethodResult], mask: Mask, scenarios: Sequence[str]) -> dict[str, Any]:
    scm = {name: _column(result, "scm", scenarios) for name, result in methods.items()}
    out: dict[str, Any] = {}
    for name, result in methods.items():
        here = np.sort(scm[name][mask])
        entry = {
            "scm": float(here.mean()),
            "p_violation": float(_column(result, "violated", scenarios)[mask].mean()),
            "scm_worst_5_percent": float(here[: max(math.ceil(WORST * len(here)), 1)].mean()),
            "saving": float(_column(result, "saving", scenarios)[mask].mean()),
        }
        if name != OURS and OURS in scm:
            low, high = _interval(np.where(mask, scm[OURS] - scm[name], np.nan))
            entry["twm_better_by"] = float((scm[OURS] - scm[name])[mask].mean())
            entry["interval"] = [low, high]
        out[name] = entry
    return out


def _column(result: MethodResult, name: str, scenarios: Sequence[str]) -> NDArray[np.float64]:
    return np.array([getattr(result.scores[s].horizons, name) for s in scenarios], np.float64)


def _interval(delta_YN: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """95 % of means under drawing seeds anew; a seed brings those of its horizons that are in the subset."""
    total, count = np.nansum(delta_YN, 0), np.isfinite(delta_YN).sum(0)
    if (count > 0).sum() < 3:
        return None, None
    index = np.random.default_rng(0xB007).integers(len(total), size=(RESAMPLES, len(total)))
    drawn = count[index].sum(1)
    means = total[index].sum(1)[drawn > 0] / drawn[drawn > 0]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
