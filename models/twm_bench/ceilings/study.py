"""The study of ceilings: every predictor ranks the same candidates of the same starts; beside it, what rules the model's error.

Two readings of "Spearman of predicted against true SCM", both reported: the mean over starts of the rank correlation within a
start (`within`, the one the target is judged by), and one rank correlation over the candidates of all starts (`pooled`). A
start whose candidates all truly score the same ranks nothing and is left out of `within`; how many there are is reported.
Two truths: the one horizon that was played (`played`, what the axis is judged by), and the mean over other draws of its fast
noise (`expected`), since a single horizon's SCM is itself partly noise.

Shape suffixes: K candidates, J futures, N candidates of all starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm_bench.axes.ranking import LEAST_FEASIBLE, NEAR_ZERO, rank_of
from twm_bench.axes.scores import nanmean, reliability, short, spearman
from twm_bench.axes.served import ServedModels
from twm_bench.ceilings.calibration import mapped
from twm_bench.ceilings.predictors import PREDICTORS, Predicted, predict_start
from twm_train.starts import Start
from twm_twin.layout import TwinLayout

Doubles = NDArray[np.float64]
Progress = Callable[[int], None]
SPLITS = ("all", "id", "ood")


def ceilings(
    models: ServedModels, starts: Sequence[Start], variant: str, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Scores of every predictor, starts that rank, and the make-up of the model's error.

    Raises ModelMismatchError where the zoo has no CDWM for the network.
    """
    layout = TwinLayout.of(models.spec)
    found = []
    for i, start in enumerate(starts):
        found.append(predict_start(models, layout, start, variant, seed=seed + i))
        if progress:
            progress(1)
    played = [start.truth.scm for start in starts]
    expected = [one["true_future"].scm_K for one in found]
    shifted = np.array([start.scenario.endswith("-ood") for start in starts], bool)
    return {
        "starts": count_starts(played, shifted),
        "predictors": {
            name: {
                "played": ranks([one[name].scm_K for one in found], played, shifted),
                "expected": None if name == "true_future" else ranks([one[name].scm_K for one in found], expected, shifted),
                **errors([one[name] for one in found], starts),
            }
            for name in PREDICTORS
        },
        "error": error_shares(found, starts),
        "violation": calibration(found, starts),
    }


def count_starts(true_K: Sequence[Doubles], shifted: NDArray[np.bool_]) -> dict[str, dict[str, int]]:
    """By split: starts, those where every candidate breaks an SLA, those that rank, those that rank compliant candidates."""
    out: dict[str, dict[str, int]] = {}
    for split in SPLITS:
        chosen = [true for true, is_ood in zip(true_K, shifted, strict=True) if split == "all" or is_ood == (split == "ood")]
        out[split] = {
            "starts": len(chosen),
            "none_compliant": sum(bool((true <= 0).all()) for true in chosen),
            "rank": sum(bool(np.ptp(np.round(true, 9)) > 0) for true in chosen),
            "rank_feasible": sum(int((true > 0).sum()) >= LEAST_FEASIBLE for true in chosen),
            "candidates": sum(len(true) for true in chosen),
            "candidates_feasible": sum(int((true > 0).sum()) for true in chosen),
        }
    return out


def ranks(predicted: Sequence[Doubles], true: Sequence[Doubles], shifted: NDArray[np.bool_]) -> dict[str, dict[str, Any]]:
    """Spearman {within, pooled} to {all, id, ood, and each of these with _feasible}; None where nothing ranks."""
    within: dict[str, float | None] = {}
    pooled: dict[str, float | None] = {}
    for split in SPLITS:
        chosen = [
            (p, t)
            for p, t, is_ood in zip(predicted, true, shifted, strict=True)
            if split == "all" or is_ood == (split == "ood")
        ]
        for suffix, least in (("", 0), ("_feasible", LEAST_FEASIBLE)):
            kept = [(p[t > 0], t[t > 0]) if least else (p, t) for p, t in chosen]
            values = [rank_of(p, t) for p, t in kept if len(t) >= least]
            within[split + suffix] = _known(float(nanmean(np.array(values, float)))) if values else None
            flat = [np.concatenate([pair[side] for pair in kept]) if kept else np.zeros(0) for side in (0, 1)]
            pooled[split + suffix] = _known(spearman(flat[0], flat[1]))
    return {"within": within, "pooled": pooled}


def errors(predicted: Sequence[Predicted], starts: Sequence[Start]) -> dict[str, Any]:
    """RMSE and bias of the SCM, regret of the best predicted, calibration of the probability that any SLA is broken."""
    difference = np.concatenate([p.scm_K - start.truth.scm for p, start in zip(predicted, starts, strict=True)])
    regret = [
        start.truth.scm.max() - start.truth.scm[int(np.argmax(p.scm_K))] for p, start in zip(predicted, starts, strict=True)
    ]
    broken = np.concatenate([start.truth.violated_S.any(-1) for start in starts])
    return {
        "scm_rmse": short(float(np.sqrt((difference**2).mean()))),
        "scm_bias": short(float(difference.mean())),
        "regret": short(float(np.mean(regret))),
        "ece_any": reliability(np.concatenate([p.any_violation_K for p in predicted]), broken)["ece"],
    }


def calibration(found: Sequence[Any], starts: Sequence[Start]) -> dict[str, Any]:
    """The model's violation probabilities, of any slice and over slices, as they are and with a monotone map."""
    any_N = np.concatenate([one["model"].any_violation_K for one in found])
    slices_NS = np.concatenate([one["model"].violation_KS for one in found])
    broken_NS = np.concatenate([start.truth.violated_S for start in starts])
    seed_N = np.concatenate([np.full(len(start.truth.scm), start.seed) for start in starts])
    pooled = mapped(slices_NS.reshape(-1), broken_NS.reshape(-1), np.repeat(seed_N, slices_NS.shape[1]))
    return {"any": mapped(any_N, broken_NS.any(-1), seed_N), "pooled": pooled}


def error_shares(found: Sequence[Any], starts: Sequence[Start]) -> dict[str, Any]:
    """What rules the model's error where candidates contest (not both SCM near 0), and how well any uncertainty could rank it.

    `noise_share`: variance of the SCM under other fast noise over the model's squared error; `law_share`: the same over all
    that the law left open. `ceiling_*`: Spearman of the expected absolute error, over those futures, against the error that
    came: the best that a perfect uncertainty reaches which knows the future's slow part, or the law alone.
    `disagreement`: ours.
    """
    columns = {
        "error": [one["model"].scm_K - start.truth.scm for one, start in zip(found, starts, strict=True)],
        "near": [
            (one["model"].scm_K <= NEAR_ZERO) & (start.truth.scm <= NEAR_ZERO) for one, start in zip(found, starts, strict=True)
        ],
        "disagreement": [one["model"].disagreement_K for one in found],
    }
    for key, name in (("noise", "true_future"), ("law", "law")):
        columns[f"{key}_variance"] = [one[name].scm_KJ.var(1, ddof=1) for one in found]
        columns[f"{key}_error"] = [np.abs(one["model"].scm_K[:, None] - one[name].scm_KJ).mean(1) for one in found]
    flat = {name: np.concatenate(parts) for name, parts in columns.items()}
    out: dict[str, Any] = {}
    for which, mask in (("all", np.ones(len(flat["error"]), bool)), ("contested", ~flat["near"].astype(bool))):
        one = {name: values[mask] for name, values in flat.items()}
        size = np.abs(one["error"])
        square = float((size**2).mean()) if mask.any() else 0.0
        share = lambda key, one=one, square=square: short(float(one[key].mean()) / square) if square > 0 else None
        out[which] = {
            "candidates": int(mask.sum()),
            "rmse": short(float(np.sqrt(square))),
            "noise_share": share("noise_variance"),
            "law_share": share("law_variance"),
            "disagreement": _known(spearman(one["disagreement"], size)),
            "ceiling_noise": _known(spearman(one["noise_error"], size)),
            "ceiling_law": _known(spearman(one["law_error"], size)),
        }
    return out


def _known(value: float) -> float | None:
    return short(value) if np.isfinite(value) else None
