"""Tunes the reactive rule on validation seeds: `python -m twm_twin.tune_reactive`. Prints the best parameters as JSON.

Cross-entropy search over ReactiveParameters; score: mean SCM over seeds and scenarios of the rule in closed loop.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np

from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.planner.reactive import ReactiveParameters
from twm_twin.calibrate import pairs, run_rule
from twm_twin.seeds import require, seeds

_BOUNDS = {
    "elastic_margin": (1.0, 2.0),
    "bounded_margin": (1.0, 2.5),
    "cell_headroom": (0.0, 0.4),
    "link_headroom": (0.0, 0.4),
    "queue_drain": (0.0, 1.0),
    "spare": (0.0, 1.0),
    "bounded_max": (0.3, 0.8),
}


def tune(
    spec: NetworkSpec,
    chosen: Sequence[int],
    *,
    rounds: int,
    candidates: int,
    elites: int,
    saving_min_ratio: float | None = None,
) -> tuple[ReactiveParameters, float, float]:
    """(parameters, SCM, control saving). Raises InvalidInputError for other than validation seeds."""
    require("validation", list(chosen))
    at, scenarios = pairs(chosen)
    generator = np.random.default_rng(5)
    names = [field.name for field in fields(ReactiveParameters)]
    start = asdict(ReactiveParameters())
    low, high = (np.array([_BOUNDS[name][side] for name in names]) for side in (0, 1))
    mean, std = np.array([start[name] for name in names]), 0.3 * (high - low)
    best, best_score, best_scm, best_saving = ReactiveParameters(), -np.inf, 0.0, 0.0
    for _ in range(rounds):
        draws = np.clip(mean + std * generator.standard_normal((candidates, len(names))), low, high)
        draws[0] = mean
        score = np.empty(candidates)
        for k, draw in enumerate(draws):
            parameters = ReactiveParameters(**dict(zip(names, draw.tolist(), strict=True)))
            outcome, saving = run_rule(spec, at, scenarios, "reactive", parameters)
            missing = max((saving_min_ratio or -np.inf) - float(saving.mean()), 0.0)
            score[k] = float(outcome.scm.mean()) - missing
            if score[k] > best_score:
                best, best_score = parameters, float(score[k])
                best_scm, best_saving = float(outcome.scm.mean()), float(saving.mean())
        elite = draws[np.argsort(-score)[:elites]]
        mean, std = elite.mean(0), np.maximum(elite.std(0), 0.03 * (high - low))
    return best, best_scm, best_saving


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m twm_twin.tune_reactive", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", default="poc-city", help="name of a shipped spec, or a file")
    parser.add_argument("--seeds", type=int, default=12, help="validation seeds to use")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--candidates", type=int, default=24)
    parser.add_argument("--saving-min", type=float, default=None, help="least control saving, e.g. 0.08")
    options = parser.parse_args(arguments)
    spec = load_network(find_network(options.network))
    parameters, scm, saving = tune(
        spec,
        seeds("validation", options.seeds),
        rounds=options.rounds,
        candidates=options.candidates,
        elites=max(options.candidates // 5, 2),
        saving_min_ratio=options.saving_min,
    )
    rounded = {name: round(value, 3) for name, value in asdict(parameters).items()}
    print(json.dumps({"parameters": rounded, "scm": round(scm, 4), "saving": round(saving, 4)}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
