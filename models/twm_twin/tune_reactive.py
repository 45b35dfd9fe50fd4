"""Tunes the reactive rule on validation seeds: `python -m twm_twin.tune_reactive`. Prints parameters and scores as JSON.

Cross-entropy search over ReactiveParameters; score: mean SCM of the rule over the scored horizons of the benchmark's protocol
(a quiet horizon under uniform shares, then receding decisions on the frame before), less a penalty where the mean saving is
below what is asked for. What is found is scored beside the defaults on other validation seeds, which the search never saw.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, saving_ratio, uniform_policy
from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES, Float
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.planner.reactive import ReactiveParameters, reactive_batch
from twm_twin.calibrate import pairs
from twm_twin.outcomes import Outcome, horizon_outcome
from twm_twin.scenarios import SCENARIOS
from twm_twin.scored import ReplayTwin, ScoredHorizons
from twm_twin.seeds import require, seeds
from twm_twin.simulator import StepResult

TUNING_SEED, CHECK_SEED = 0x6000, 0x7000
"""First seeds within the validation range: to search on, and to compare on."""
PENALTY = 5.0
"""SCM that a missing saving of 1 costs."""
_BOUNDS = {
    "elastic_margin": (1.0, 2.0),
    "bounded_margin": (1.0, 2.5),
    "cell_headroom": (0.0, 0.4),
    "link_headroom": (0.0, 0.4),
    "queue_drain": (0.0, 1.0),
    "spare": (0.0, 1.0),
    "bounded_max": (0.3, 0.8),
}


@dataclass(frozen=True)
class Tuned:
    """What a search has found."""

    parameters: ReactiveParameters
    scm: float
    saving_ratio: float


def prepare(spec: NetworkSpec, chosen: Sequence[int]) -> ScoredHorizons:
    """Scored horizons of these seeds in all scenarios. Raises InvalidInputError for other than validation seeds."""
    require("validation", list(chosen))
    at, scenarios = pairs(chosen)
    return ScoredHorizons.prepare(spec, at.tolist(), scenarios)


def play(horizons: ScoredHorizons, parameters: ReactiveParameters) -> tuple[Outcome, NDArray[np.float64]]:
    """(outcome [N], control saving [N]) of the rule in closed loop over all horizons."""
    spec, n = horizons.spec, horizons.count
    c, s, n_links = spec.sizes
    twin = ReplayTwin(horizons, n)
    result = twin.begin(np.arange(n))
    prb, bandwidth = np.full((n, c, s), 1.0 / s, np.float32), np.full((n, n_links, s), 1.0 / s, np.float32)
    results, actions = [], []
    for _ in range(spec.timing.horizon_steps):
        prb, bandwidth = reactive_batch(spec, seen_by_rule(spec, result), (prb, bandwidth), parameters)
        actions.append((prb, bandwidth))
        result = twin.step(prb, bandwidth)
        results.append(result)
    policies = PolicyArrays(
        prb_share_KHCS=np.stack([a[0] for a in actions], 1), bandwidth_share_KHLS=np.stack([a[1] for a in actions], 1)
    )
    # The change from the uniform shares of the quiet horizon counts, as the benchmark counts it.
    return horizon_outcome(spec, results), saving_ratio(policies, spec, uniform_policy(spec, 1))


def seen_by_rule(spec: NetworkSpec, result: StepResult) -> dict[str, Float]:
    """The entries of the frame blocks that the rule reads, as twm_twin.recording writes them; all others are missing."""
    seconds = spec.timing.slow_step_s
    b, (c, s, n_links) = len(result.offered_mbit_BTCS), spec.sizes
    cell_slice = np.full((b, c, s, len(CELL_SLICE_FEATURES)), np.nan, np.float32)
    cell_slice[..., CELL_SLICE_FEATURES.index("offered_mbps")] = result.offered_mbit_BTCS.sum(1) / seconds
    cell_slice[..., CELL_SLICE_FEATURES.index("queue_mbit")] = result.queue_mbit_BTCS[:, -1]
    served, used = result.served_mbit_BTCS.sum((1, 3)), result.prb_used_ratio_BTCS.sum(-1).mean(1)
    carrier_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
    cell = np.full((b, c, len(CELL_FEATURES)), np.nan, np.float32)
    efficiency = np.divide(served, used * carrier_mhz * seconds, out=np.full((b, c), np.nan), where=used > 0)
    cell[..., CELL_FEATURES.index("spectral_efficiency_bps_hz")] = efficiency
    link_slice = np.full((b, n_links, s, len(LINK_SLICE_FEATURES)), np.nan, np.float32)
    link_slice[..., LINK_SLICE_FEATURES.index("offered_mbps")] = result.link_offered_mbit_BTLS.sum(1) / seconds
    link = np.full((b, n_links, len(LINK_FEATURES)), np.nan, np.float32)
    link[..., LINK_FEATURES.index("capacity_mbps")] = result.link_capacity_mbps_L
    link[..., LINK_FEATURES.index("up_ratio")] = result.link_up_BL
    return {"cell_slice": cell_slice, "cell": cell, "link_slice": link_slice, "link": link}


def tune(
    horizons: ScoredHorizons,
    *,
    rounds: int,
    candidates: int,
    elites: int,
    saving_min_ratio: float | None = None,
    start: ReactiveParameters | None = None,
) -> Tuned:
    """Cross-entropy search, from `start` (the defaults)."""
    generator = np.random.default_rng(5)
    names = [field.name for field in fields(ReactiveParameters)]
    first = asdict(start or ReactiveParameters())
    low, high = (np.array([_BOUNDS[name][side] for name in names]) for side in (0, 1))
    mean, std = np.array([first[name] for name in names]), 0.3 * (high - low)
    best, best_score = Tuned(ReactiveParameters(), 0.0, 0.0), -np.inf
    for _ in range(rounds):
        draws = np.clip(mean + std * generator.standard_normal((candidates, len(names))), low, high)
        draws[0] = mean
        score = np.empty(candidates)
        for k, draw in enumerate(draws):
            found = _scored(horizons, ReactiveParameters(**dict(zip(names, draw.tolist(), strict=True))))
            missing = 0.0 if saving_min_ratio is None else max(saving_min_ratio - found.saving_ratio, 0.0)
            score[k] = found.scm - PENALTY * missing
            if score[k] > best_score:
                best, best_score = found, float(score[k])
        elite = draws[np.argsort(-score)[:elites]]
        mean, std = elite.mean(0), np.maximum(elite.std(0), 0.01 * (high - low))
    return best


def _scored(horizons: ScoredHorizons, parameters: ReactiveParameters) -> Tuned:
    outcome, saving = play(horizons, parameters)
    return Tuned(parameters, float(outcome.scm.mean()), float(saving.mean()))


def report(horizons: ScoredHorizons, parameters: ReactiveParameters) -> dict[str, object]:
    """SCM over all and by scenario, saving, share of horizons with a violation."""
    outcome, saving = play(horizons, parameters)
    by_scenario = {name: round(float(outcome.scm[horizons.scenario_N == name].mean()), 4) for name in SCENARIOS}
    return {
        "scm": round(float(outcome.scm.mean()), 4),
        "saving": round(float(saving.mean()), 4),
        "violated": round(float(outcome.violated_S.any(-1).mean()), 4),
        "scm_by_scenario": by_scenario,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m twm_twin.tune_reactive", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", default="poc-city", help="name of a shipped spec, or a file")
    parser.add_argument("--seeds", type=int, default=32, help="validation seeds to use")
    parser.add_argument("--check-seeds", type=int, default=64, help="other validation seeds to compare on")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--saving-min", type=float, default=None, help="least control saving, e.g. 0.08")
    options = parser.parse_args(arguments)
    began = time.process_time()
    spec = load_network(find_network(options.network))
    found = tune(
        prepare(spec, seeds("validation", options.seeds, TUNING_SEED)),
        rounds=options.rounds,
        candidates=options.candidates,
        elites=max(options.candidates // 5, 2),
        saving_min_ratio=options.saving_min,
    )
    rounded = ReactiveParameters(**{name: round(value, 3) for name, value in asdict(found.parameters).items()})
    check = prepare(spec, seeds("validation", options.check_seeds, CHECK_SEED))
    answer = {
        "parameters": asdict(rounded),
        "tuning": {"scm": round(found.scm, 4), "saving": round(found.saving_ratio, 4)},
        "check": report(check, rounded),
        "check_of_defaults": report(check, ReactiveParameters()),
        "cpu_seconds": round(time.process_time() - began, 1),
    }
    print(json.dumps(answer, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
