"""Ranking: does the model order candidates as the twin does, does it know when it is wrong, are its probabilities right?

Candidates of the starts of twm_train.starts; the model scores each from the frames before the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.features import history_matrix
from twm_bench.axes.scores import nanmean, plain, reliability, short, spearman
from twm_bench.axes.served import ServedModels
from twm_train.starts import Start

Progress = Callable[[int], None]

SAMPLES = 8
LEAST_FEASIBLE = 5
"""Feasible candidates a start needs to be ranked by itself."""
SCATTER_POINTS = 1500
NEAR_ZERO = 0.01
"""Where predicted and true SCM are both below, disagreement and error are both 0 of necessity: not counted as contested."""


def rank_of(predicted_K: NDArray[np.floating], true_K: NDArray[np.floating]) -> float:
    """Spearman; NaN where the truth ranks nothing (all equal), 0 where only the prediction says so."""
    found = spearman(predicted_K, true_K)
    return 0.0 if np.isnan(found) and len(true_K) > 2 and np.ptp(np.round(true_K, 9)) > 0 else found


def ranking(
    models: ServedModels, starts: Sequence[Start], variant: str, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Spearman of predicted against true SCM, of disagreement against error, calibration of P(violation), regret.

    Raises ModelMismatchError where the zoo has no CDWM for the network.
    """
    spec = models.spec
    horizon = spec.timing.horizon_steps
    names = [f"{part}{feasible}" for part in ("all", "id", "ood", "library") for feasible in ("", "_feasible")]
    rank: dict[str, list[float]] = {name: [] for name in names}
    columns: dict[str, list[NDArray[Any]]] = {k: [] for k in ("predicted", "true", "disagreement", "ood", "any", "any_true")}
    by_slice: list[list[NDArray[Any]]] = [[], []]
    within, regrets, spreads = [], [], []
    for i, start in enumerate(starts):
        history = history_matrix(start.seen(variant, horizon)[-models.window :], spec, models.window)
        decision = models.decision(history, samples=SAMPLES, seed=seed + i)
        scores = models.score(decision, start.policies)
        true, predicted = start.truth.scm, np.asarray(scores.scm_K, np.float64)
        feasible, is_ood = true > 0, start.scenario.endswith("-ood")
        for part, inside in (("all", True), ("id", not is_ood), ("ood", is_ood), ("library", True)):
            which = start.library_K if part == "library" else np.ones(len(true), bool)
            if inside:
                rank[part].append(rank_of(predicted[which], true[which]))
                if (which & feasible).sum() >= LEAST_FEASIBLE:
                    rank[f"{part}_feasible"].append(rank_of(predicted[which & feasible], true[which & feasible]))
        error, disagreement = np.abs(predicted - true), np.asarray(scores.disagreement_K, np.float64)
        within.append(spearman(disagreement, error))
        regrets.append(true.max() - true[int(np.argmax(predicted))])
        spreads.append(true.max() - true.mean())
        for name, values in (
            ("predicted", predicted),
            ("true", true),
            ("disagreement", disagreement),
            ("ood", np.full(len(true), is_ood)),
            ("any", scores.any_violation_K),
            ("any_true", start.truth.violated_S.any(-1)),
        ):
            columns[name].append(np.asarray(values))
        by_slice[0].append(np.asarray(scores.violation_KS))
        by_slice[1].append(start.truth.violated_S)
        if progress:
            progress(1)
    flat = {name: np.concatenate(parts) for name, parts in columns.items()}
    predicted, true, shifted = flat["predicted"], flat["true"], flat["ood"].astype(bool)
    error = predicted - true
    violation, violated = (np.concatenate(parts) for parts in by_slice)
    keep = np.linspace(0, len(true) - 1, min(SCATTER_POINTS, len(true))).astype(np.intp)
    return {
        "starts": len(starts),
        "candidates": len(true) // max(len(starts), 1),
        "spearman": {name: plain(float(nanmean(np.array(values, float)))) if values else None for name, values in rank.items()},
        "starts_ranked": {name: int(np.isfinite(np.array(values, float)).sum()) for name, values in rank.items()},
        "spearman_pooled": {
            name: plain(spearman(predicted[which], true[which]))
            for name, which in (
                ("all", shifted | True),
                ("id", ~shifted),
                ("ood", shifted),
                ("all_feasible", true > 0),
                ("id_feasible", ~shifted & (true > 0)),
                ("ood_feasible", shifted & (true > 0)),
            )
        },
        "feasible_share": short(float((true > 0).mean())),
        "scm_rmse": short(float(np.sqrt((error**2).mean()))),
        "scm_bias": short(float(error.mean())),
        "regret_of_best_predicted": short(float(np.mean(regrets))),
        "regret_of_random": short(float(np.mean(spreads))),
        "disagreement": {
            name: plain(spearman(flat["disagreement"][which], np.abs(error[which])))
            for name, which in (
                ("all", np.ones(len(true), bool)),
                ("id", ~shifted),
                ("ood", shifted),
                ("contested", (predicted > NEAR_ZERO) | (true > NEAR_ZERO)),
            )
        }
        | {"within_start": plain(float(nanmean(np.array(within))))},
        "violation": {
            "any": reliability(flat["any"], flat["any_true"]),
            "any_id": reliability(flat["any"][~shifted], flat["any_true"][~shifted]),
            "any_ood": reliability(flat["any"][shifted], flat["any_true"][shifted]),
            "by_slice": {piece.id: reliability(violation[:, s], violated[:, s]) for s, piece in enumerate(spec.slices)},
            "pooled": reliability(violation, violated),
        },
        "scatter": {
            "predicted": plain(predicted[keep]),
            "true": plain(true[keep]),
            "ood": [bool(v) for v in shifted[keep]],
        },
    }
