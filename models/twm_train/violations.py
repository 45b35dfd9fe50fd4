"""Maps that make predicted violation probabilities frequencies, fitted on candidates that an optimiser would look at.

Under logged policies the samples' own frequencies are well calibrated; near the margin that a planner works at they are not:
small ones are too small, large ones too large. So the maps are fitted on starts of their own (twm_train.starts) in the
validation range, on which nothing else is fitted or measured.

Shape suffixes: N probabilities, K candidates, S slices, D terms of the map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.calibration import log_odds_terms, violation_probabilities
from twm.core.features import action_vector, exogenous_layout, history_matrix
from twm.core.zoo import ProbabilityMap, ViolationMaps
from twm.inference.answers import never
from twm.inference.futures import sample_futures
from twm.inference.rollout import Decision, Rollouts, kpi_noise
from twm_train.controllable import ControllableModel
from twm_train.data import VALIDATION_SEED
from twm_train.exogenous import ExogenousModel
from twm_train.stage import Run
from twm_train.starts import starts_of
from twm_train.visited import TorchDynamics

Doubles = NDArray[np.float64]
VIOLATIONS_OFFSET = 0xA000
"""Part of the validation range that the maps are fitted on."""
SEEDS = 24
CANDIDATES_PER_RANKED, SAMPLES, MAX_ROWS = 2, 8, 256
PRIOR, ROUNDS, STEP_MAX = 1e-3, 60, 4.0
"""A faint pull to leaving things as they are; Newton steps, and how long one is at most."""
IDENTITY = (1.0, 1.0, 0.0)
BINS = 10


def fitted_maps(
    run: Run, exogenous: ExogenousModel, controllable: ControllableModel, *, advance: Callable[[int], None] = lambda _: None
) -> tuple[ViolationMaps, dict[str, Any]]:
    """(maps, quality): half of the starts know the calendar. The quality's `ece` is that of maps fitted on other seeds."""
    spec, horizon = run.spec, run.horizon
    first, count = VALIDATION_SEED + VIOLATIONS_OFFSET, violation_seeds(run.recipe.ranking_starts)
    candidates = CANDIDATES_PER_RANKED * run.recipe.ranking_candidates
    starts = starts_of(spec, "validation", range(first, first + count), candidates=candidates)
    model = TorchDynamics(exogenous, controllable, spec, f"violations-{run.seed}")
    rollouts, layout = Rollouts(model, max_rows=MAX_ROWS), exogenous_layout(spec)
    told, found = [], []
    for i, start in enumerate(starts):
        for variant in ("history", "calendar"):
            history = history_matrix(start.seen(variant, horizon)[-run.recipe.window :], spec, run.recipe.window)
            futures = sample_futures(model, history, steps=horizon, samples=SAMPLES, seed=run.seed + i, check=never)
            decision = Decision(
                futures=futures,
                offered_HEJS=layout.split(futures.exogenous_HEJX)[0].sum(-2),
                kpi_noise_HR2SEJ=kpi_noise(horizon, model.sizes.members, SAMPLES, model.sizes.slices, seed=run.seed + i),
                topology=spec.topology(),
            )
            scores = rollouts.score(decision, action_vector(start.policies), check=never)
            told.append((scores.any_violation_K, scores.violation_KS))
            found.append(start.truth.violated_S)
        advance(1)
    any_N, each_NS = (np.concatenate([pair[i] for pair in told]).astype(np.float64) for i in (0, 1))
    broken_NS = np.concatenate(found)
    seed_N = np.repeat([start.seed for start in starts for _ in range(2)], [len(truth) for truth in found])
    maps = _maps(any_N, each_NS, broken_NS)
    mapped_any, mapped_each = np.empty_like(any_N), np.empty_like(each_NS)
    for parity in (0, 1):
        here = seed_N % 2 == parity
        others = _maps(any_N[~here], each_NS[~here], broken_NS[~here])
        mapped_any[here], mapped_each[here] = violation_probabilities(any_N[here], each_NS[here], others)
    return maps, {
        "any": {"ece_raw": ece(any_N, broken_NS.any(-1)), "ece": ece(mapped_any, broken_NS.any(-1))},
        "each": {"ece_raw": ece(each_NS, broken_NS), "ece": ece(mapped_each, broken_NS)},
        "starts": len(starts),
        "candidates": candidates,
    }


def violation_seeds(ranking_starts: int) -> int:
    """Seeds of each scenario that the maps are fitted on: as many whatever a run's minutes, a few in a quick one.

    At least two, so that each half can be judged by the other. Starts of a seed err together: seeds count, not candidates.
    """
    return max(2, min(SEEDS, 3 * ranking_starts))


def _maps(any_N: Doubles, each_NS: Doubles, broken_NS: NDArray[np.bool_]) -> ViolationMaps:
    return ViolationMaps(any=fit_map(any_N, broken_NS.any(-1)), each=fit_map(each_NS, broken_NS))


def fit_map(probability_N: NDArray[np.floating], happened_N: NDArray[np.bool_]) -> ProbabilityMap:
    """The map of most likelihood, of any shape; a coefficient that would fall is held at 0. Certain ones tell nothing."""
    p, y = np.asarray(probability_N, np.float64).reshape(-1), np.asarray(happened_N, np.float64).reshape(-1)
    inside = (p > 0.0) & (p < 1.0)
    terms_ND, y = log_odds_terms(p[inside]), y[inside]
    free = np.ones(3, bool)
    for _ in range(3):
        weight = _newton(terms_ND[:, free], y, np.array(IDENTITY)[free])
        full = np.zeros(3)
        full[free] = weight
        falling = free & (full < 0.0) & np.array([True, True, False])
        if not falling.any():
            break
        free &= ~falling
    under, over, offset = (float(f"{value:.5g}") for value in full)
    return ProbabilityMap(under=under, over=over, offset=offset)


def _newton(terms_ND: Doubles, happened_N: Doubles, start_D: Doubles) -> Doubles:
    weight = start_D.copy()
    for _ in range(ROUNDS):
        q = 1.0 / (1.0 + np.exp(-np.clip(terms_ND @ weight, -30, 30)))
        curvature = (terms_ND.T * (q * (1.0 - q))) @ terms_ND + PRIOR * np.eye(len(weight))
        step = np.linalg.solve(curvature, terms_ND.T @ (happened_N - q) - PRIOR * (weight - start_D))
        weight = weight + step * min(1.0, STEP_MAX / max(float(np.abs(step).max()), 1e-12))
    return np.asarray(weight)


def ece(probability_N: NDArray[np.floating], happened_N: NDArray[np.bool_]) -> float:
    """Expected calibration error over ten equal bins (Naeini et al. 2015)."""
    p, y = np.asarray(probability_N, np.float64).reshape(-1), np.asarray(happened_N, np.float64).reshape(-1)
    which = np.minimum((p * BINS).astype(np.intp), BINS - 1)
    gaps = np.abs(np.bincount(which, p, minlength=BINS) - np.bincount(which, y, minlength=BINS))
    return float(f"{gaps.sum() / max(len(p), 1):.4g}")
