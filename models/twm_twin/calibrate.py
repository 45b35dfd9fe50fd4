"""Calibration of a twin, on calibration seeds only: `python -m twm_twin.calibrate --network poc-city`.

Prints the four measures that the protocol bounds (deploy/docs/adr, 0003): (a) SCM of the uniform allocation,
(b) how often each SLA term binds over (horizon, library policy) pairs, (c) SCM of the clairvoyant oracle, (d) SCM of the rules.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, saving_ratio, uniform_policy
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.scm import sla_margins
from twm.planner.library import library_policies
from twm.planner.reactive import ReactiveParameters, proportional_batch, reactive_batch
from twm_twin.layout import TwinLayout
from twm_twin.oracle import OracleOptions, search
from twm_twin.outcomes import Futures, Outcome, horizon_outcome, simulate
from twm_twin.recording import frame_blocks
from twm_twin.scenarios import SCENARIOS
from twm_twin.seeds import require, seeds
from twm_twin.simulator import Twin

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Binding:
    """How the SLA terms bind."""

    terms: list[str]
    ratio: list[float]
    """Share of (horizon, policy) pairs in which the term has the least margin."""


def pairs(chosen: Sequence[int]) -> tuple[NDArray[np.int64], list[str]]:
    """(seeds, scenarios) of every seed in every scenario; the scenarios of a seed stand together."""
    return np.repeat(np.asarray(chosen, np.int64), len(SCENARIOS)), list(SCENARIOS) * len(chosen)


def binding(spec: NetworkSpec, outcome: Outcome) -> Binding:
    """How often each bounded term has the least margin."""
    margins = sla_margins(outcome.loss_ratio_S, outcome.delay_p99_ms_S, spec.topology())
    flat = np.where(np.isnan(margins), np.inf, margins).reshape(-1, margins.shape[-2] * 2)
    least = np.bincount(flat.argmin(-1), minlength=flat.shape[1]) / len(flat)
    names = [f"{s.id}.{kind}" for s in spec.slices for kind in ("loss", "delay")]
    used = [s_bound is not None for s in spec.slices for s_bound in (s.sla.loss_max_ratio, s.sla.delay_p99_max_ms)]
    return Binding(
        [n for n, u in zip(names, used, strict=True) if u], [float(v) for v, u in zip(least, used, strict=True) if u]
    )


def run_rule(
    spec: NetworkSpec,
    chosen: NDArray[np.int64],
    scenarios: Sequence[str],
    rule: str,
    parameters: ReactiveParameters | None = None,
) -> tuple[Outcome, Doubles]:
    """(outcome [B], control saving [B]) of a rule that acts on the frame of the step before; the first step is uniform."""
    b, (c, s, n_links) = len(chosen), spec.sizes
    twin = Twin(spec, b)
    twin.reset(chosen, scenarios)
    prb, bandwidth = np.full((b, c, s), 1.0 / s, np.float32), np.full((b, n_links, s), 1.0 / s, np.float32)
    results, actions = [], []
    for _ in range(spec.timing.horizon_steps):
        actions.append((prb, bandwidth))
        result = twin.step(prb, bandwidth)
        results.append(result)
        blocks = frame_blocks(twin.frames(result))
        if rule == "reactive":
            prb, bandwidth = reactive_batch(spec, blocks, (prb, bandwidth), parameters)
        elif rule == "proportional":
            prb, bandwidth = proportional_batch(spec, blocks)
    policies = PolicyArrays(
        prb_share_KHCS=np.stack([a[0] for a in actions], 1), bandwidth_share_KHLS=np.stack([a[1] for a in actions], 1)
    )
    return horizon_outcome(spec, results), saving_ratio(policies, spec)


def measure(
    spec: NetworkSpec, chosen: Sequence[int], *, oracle_seeds: int = 0, oracle: OracleOptions | None = None
) -> dict[str, object]:
    """The four measures; the oracle on the first `oracle_seeds` seeds.

    Raises InvalidInputError for other than calibration seeds.
    """
    require("calibration", list(chosen))
    layout = TwinLayout.of(spec)
    at, scenarios = pairs(chosen)
    futures = Futures.drawn(layout, at.tolist(), scenarios)
    library, names = library_policies(spec)
    outcome = simulate(layout, library, futures)
    saving = saving_ratio(library, spec)
    uniform = simulate(layout, uniform_policy(spec), futures).scm[0]
    terms = binding(spec, outcome)
    static = outcome.scm.mean(1)
    saves = saving >= 0.08
    report: dict[str, object] = {
        "network": spec.name,
        "spec_digest": spec.digest(),
        "seeds": [int(chosen[0]), int(chosen[-1])],
        "uniform_scm": float(uniform.mean()),
        "uniform_scm_by_scenario": dict(zip(SCENARIOS, uniform.reshape(-1, len(SCENARIOS)).mean(0).tolist(), strict=True)),
        "binding": dict(zip(terms.terms, terms.ratio, strict=True)),
        "best_static": {"name": names[int(static.argmax())], "scm": float(static.max())},
        "best_static_saving_8": float(static[saves].max()) if saves.any() else None,
        "per_horizon_best_of_library": float(outcome.scm.max(0).mean()),
    }
    for rule in ("proportional", "reactive"):
        result, saved = run_rule(spec, at, scenarios, rule)
        report[rule] = {"scm": float(result.scm.mean()), "saving": float(saved.mean())}
    if oracle_seeds:
        options = oracle or OracleOptions()
        found = [
            search(layout, futures.take(i), options, np.random.default_rng([7, i]))
            for i in range(min(oracle_seeds * len(SCENARIOS), futures.count))
        ]
        scm = np.array([r.scm for r in found])
        report["oracle"] = {
            "scm": float(scm.mean()),
            "by_scenario": dict(zip(SCENARIOS, scm.reshape(-1, len(SCENARIOS)).mean(0).tolist(), strict=True)),
            "saving_least": float(min(r.saving_ratio for r in found)),
            "calls": options.calls,
            "horizons": len(found),
        }
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m twm_twin.calibrate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", default="poc-city", help="name of a shipped spec, or a file")
    parser.add_argument("--seeds", type=int, default=64, help="calibration seeds to use, at most 64")
    parser.add_argument("--oracle-seeds", type=int, default=0, help="of these, how many for the oracle (slow)")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    report = measure(
        load_network(find_network(options.network)), seeds("calibration", options.seeds), oracle_seeds=options.oracle_seeds
    )
    report["seconds"] = round(time.perf_counter() - began, 1)
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
