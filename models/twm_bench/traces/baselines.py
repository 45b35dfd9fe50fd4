"""Rival forecasters of recorded experiments: persistence, running mean, ridge ARX and gradient boosting (scikit-learn).

Each predicts the mean of every KPI, slice and horizon step from the history, the experiment's levels, and the logged actions
ahead. What a method leaves open is chosen on the validation experiments, for every output on its own.

Shape suffixes: N windows, H horizon steps, S slices, P KPIs, D features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from twm_train.traces.windows import HORIZON, Float, P, Windows

ALPHAS = (10.0, 100.0, 1e3, 1e4, 1e5)
CLIP = 6.0
LEAVES = (7, 31)
TREES, TREE_RATE, LEAST_ROWS = 40, 0.12, 40
TREE_LAGS = 3
"""Newest steps of the history that the trees look at, besides the levels: they take one threshold at a time."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Baseline:
    """A fitted forecaster."""

    predict: Callable[[Windows], Float]
    """Normalised mean [N, H, S, P]."""
    tuned: dict[str, object]
    """What was chosen on the validation experiments."""


def persistence() -> Baseline:
    """The newest step goes on; the experiment's mean so far where that was not recorded."""

    def predict(w: Windows) -> Float:
        newest = np.where(np.isfinite(w.newest_NSP), w.newest_NSP, w.level_NSF[..., :P])
        return np.repeat(newest[:, None], HORIZON, 1).astype(np.float32)

    return Baseline(predict, {})


def running_mean() -> Baseline:
    """The mean of the experiment so far."""
    return Baseline(lambda w: np.repeat(w.level_NSF[:, None, :, :P], HORIZON, 1), {})


def features(w: Windows, step: int, *, lags: int | None = None, memory: bool = False) -> Float:
    """Columns [N, D] for the forecast of horizon step `step` (0: the next): history, levels, actions up to and with it."""
    flat = lambda x: x.reshape(len(x), -1)
    ahead = slice(max(step - 1, 0), step + 1)
    history = w.history_NWSF[:, -(lags or w.history_NWSF.shape[1]) :]
    parts = [history, w.level_NSF, w.before_NHS[:, step], w.action_NHS[:, ahead], w.scheduler_NHSK[:, ahead]]
    if memory:
        parts.append(w.memory_NHSF[:, step])
    return np.concatenate([flat(part) for part in parts], 1)


def ridge(training: Windows, validation: Windows) -> Baseline:
    """ARX: linear in the lags of all KPIs and shares and in the shares ahead (scikit-learn Ridge), beside the running mean."""
    chosen: dict[float, int] = {}
    base, base_check = running_mean().predict(training), running_mean().predict(validation)
    outputs = _outputs(training)

    def fit_step(step: int) -> Callable[[Windows], Float]:
        x = features(training, step).astype(np.float64)
        centre, spread = x.mean(0), x.std(0)
        scale = np.where(spread > 1e-4, 1.0 / np.maximum(spread, 1e-4), 0.0)
        standard = lambda rows: np.clip((rows - centre) * scale, -CLIP, CLIP)
        x, x_check = standard(x), standard(features(validation, step))
        models: dict[tuple[int, int], tuple[Ridge, int]] = {}
        for s in sorted({s for s, _ in outputs}):
            y = (training.target_NHSP - base)[:, step, s]
            truth = (validation.target_NHSP - base_check)[:, step, s]
            known, check = np.isfinite(y).all(-1), np.isfinite(truth).all(-1)
            candidates = [Ridge(alpha).fit(x[known], y[known]) for alpha in ALPHAS]
            if check.any():
                errors = np.array([((m.predict(x_check[check]) - truth[check]) ** 2).mean(0) for m in candidates])
            else:  # no validation experiment has the slice: the middle of the choices
                errors = np.abs(np.arange(len(ALPHAS)) - len(ALPHAS) // 2)[:, None].repeat(y.shape[-1], 1)
            for p, best in enumerate(errors.argmin(0)):
                models[s, p] = candidates[best], p
                chosen[ALPHAS[best]] = chosen.get(ALPHAS[best], 0) + 1

        def predict(w: Windows) -> Float:
            rows = standard(features(w, step))
            return _gathered(w, {at: model.predict(rows)[:, p] for at, (model, p) in models.items()})

        return predict

    return Baseline(_stacked([fit_step(step) for step in range(HORIZON)]), {"alpha": dict(sorted(chosen.items()))})


def boosting(training: Windows, validation: Windows, *, memory: bool = False) -> Baseline:
    """Gradient boosted trees (scikit-learn HistGradientBoostingRegressor), beside the running mean.

    The size of the trees is chosen at the first step of an output and kept; the number of trees at every step.
    """
    leaves: dict[tuple[int, int], int] = {}
    trees: list[int] = []
    base, base_check = running_mean().predict(training), running_mean().predict(validation)

    def fit_step(step: int) -> Callable[[Windows], Float]:
        x, x_check = (
            features(training, step, lags=TREE_LAGS, memory=memory),
            features(validation, step, lags=TREE_LAGS, memory=memory),
        )
        models: dict[tuple[int, int], tuple[HistGradientBoostingRegressor, int]] = {}
        for at in _outputs(training):
            y = (training.target_NHSP - base)[:, step, *at]
            truth = (validation.target_NHSP - base_check)[:, step, *at]
            known, check = np.isfinite(y), np.isfinite(truth)
            found = []
            for size in (leaves[at],) if at in leaves else LEAVES:
                model = HistGradientBoostingRegressor(
                    max_iter=TREES, learning_rate=TREE_RATE, max_leaf_nodes=size, min_samples_leaf=LEAST_ROWS,
                    early_stopping=False, random_state=0,
                ).fit(x[known], y[known])  # fmt: skip
                errors = [0.0] * (TREES // 2)
                if check.any():
                    errors = [_error(p, truth[check]) for p in model.staged_predict(x_check[check])]
                count = _best(errors) + 1 if check.any() else TREES // 2
                found.append((errors[count - 1], size, model, count))
            _, size, model, count = min(found, key=lambda item: item[:2])
            leaves.setdefault(at, size)
            trees.append(count)
            models[at] = _shortened(model, count), count

        def predict(w: Windows) -> Float:
            rows = features(w, step, lags=TREE_LAGS, memory=memory)
            return _gathered(w, {at: model.predict(rows) for at, (model, _) in models.items()})

        return predict

    predict = _stacked([fit_step(step) for step in range(HORIZON)])
    sizes = [leaves[at] for at in sorted(leaves)]
    return Baseline(predict, {"leaves": {n: sizes.count(n) for n in LEAVES}, "median_trees": float(np.median(trees))})


def _shortened(model: HistGradientBoostingRegressor, count: int) -> HistGradientBoostingRegressor:
    """The model with its first `count` trees."""
    model._predictors = model._predictors[:count]
    return model


def _outputs(w: Windows) -> list[tuple[int, int]]:
    """(slice, KPI) of every output with enough training data."""
    known = np.isfinite(w.target_NHSP).all(1).sum(0)
    return [(s, p) for s, p in product(*map(range, known.shape)) if known[s, p] >= LEAST_ROWS]


def _gathered(w: Windows, changes: dict[tuple[int, int], Matrix]) -> Float:
    """Running mean and the predicted change [N, S, P]."""
    out = w.level_NSF[..., :P].copy()
    for at, values in changes.items():
        out[:, *at] += values
    return out


def _stacked(steps: list[Callable[[Windows], Float]]) -> Callable[[Windows], Float]:
    return lambda w: np.stack([step(w) for step in steps], 1)


def _error(predicted: Matrix, truth: NDArray[np.floating]) -> float:
    return float(np.mean((predicted - truth) ** 2))


def _best(errors: list[float]) -> int:
    return int(np.argmin(errors))
