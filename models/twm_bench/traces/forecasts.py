"""Every forecaster on the held-out experiments of a trace.

Weights on `train`, choices on `validation`, intervals and residual quantiles on `calibration`, figures on `test`. Normalisation
is fitted on `train` alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twm_bench.traces.baselines import Baseline, boosting, persistence, ridge, running_mean
from twm_bench.traces.gru import gru
from twm_bench.traces.scores import Array, Scores, bootstrap, headline, known_mean, residual_quantiles, score
from twm_train.traces.fit import TraceModel, TraceRecipe, conform, fit, interval, predict
from twm_train.traces.steps import TRACE_KPIS, Experiment, pick, split_of
from twm_train.traces.windows import HORIZON, WINDOW, Float, Scale, Windows, windows_of

OURS = "cdwm"
BASELINES = ("persistence", "running-mean", "ridge-arx", "gru", "gbm")
MEMORY_RIVAL = "gbm-memory"
LEVEL = 0.9
Note = Callable[[str], None]


@dataclass(frozen=True)
class Trace:
    """A recorded data set, split and cut."""

    name: str
    experiments: dict[str, list[Experiment]]
    scale: Scale
    windows: dict[str, Windows]

    @classmethod
    def of(cls, name: str, experiments: Sequence[Experiment], *, stride: int = 1) -> Trace:
        """Split by experiment, scale on training only, and cut into windows: each `stride`-th, of the test experiments all."""
        names = split_of({e.name: e.group for e in experiments})
        parts = {split: pick(experiments, found) for split, found in names.items()}
        scale = Scale.fit(parts["train"])
        return cls(
            name, parts, scale, {s: windows_of(part, scale, stride=1 if s == "test" else stride) for s, part in parts.items()}
        )


@dataclass(frozen=True)
class Compared:
    """Scores of all methods and the model that made ours."""

    scores: dict[str, Scores]
    notes: dict[str, dict[str, Any]]
    """What each method chose and the CPU seconds it took."""
    model: TraceModel


def compare(
    trace: Trace, recipe: TraceRecipe, *, seed: int, memory_rival: bool = False, note: Note = lambda _: None
) -> Compared:
    """Fit everything and score it on the test experiments."""
    training, validation = trace.windows["train"], trace.windows["validation"]
    calibration, test = trace.windows["calibration"], trace.windows["test"]
    makers: dict[str, Callable[[], Baseline]] = {
        "persistence": persistence,
        "running-mean": running_mean,
        "ridge-arx": lambda: ridge(training, validation),
        "gru": lambda: gru(training, validation, seed=seed, steps=2 * recipe.steps),
        "gbm": lambda: boosting(training, validation),
    }
    if memory_rival:
        makers[MEMORY_RIVAL] = lambda: boosting(training, validation, memory=True)
    scores: dict[str, Scores] = {}
    notes: dict[str, dict[str, Any]] = {}
    for name, make in makers.items():
        start = time.process_time()
        baseline = make()
        spread, bins = residual_quantiles(
            (baseline.predict(calibration), calibration.target_NHSP), (baseline.predict(validation), validation.target_NHSP)
        )
        forecast = spread.forecast(baseline.predict(test))
        scores[name] = score(forecast, *interval(forecast, LEVEL), test)
        notes[name] = {**baseline.tuned, "residual_bins": bins, "cpu_s": round(time.process_time() - start, 1)}
        note(f"{trace.name}: {name}: {_short(scores[name])}, {notes[name]['cpu_s']} CPU-s")
    start = time.process_time()
    model = fit(training, training.newest_NSP.shape[1], recipe, seed=seed)
    margin = conform(predict(model, calibration, samples=recipe.samples), calibration.target_NHSP, LEVEL)
    forecast = predict(model, test, samples=recipe.samples)
    low, high = interval(forecast, LEVEL)
    scores[OURS] = score(forecast, *_widened(low, high, margin), test)
    notes[OURS] = {"steps": recipe.steps, "members": recipe.members, "cpu_s": round(time.process_time() - start, 1)}
    note(f"{trace.name}: {OURS}: {_short(scores[OURS])}, {notes[OURS]['cpu_s']} CPU-s")
    return Compared(scores, notes, model)


def report(trace: Trace, compared: Compared) -> dict[str, Any]:
    """The comparison as JSON: headline figures, then each KPI, slice and step."""
    test = [e.name for e in trace.experiments["test"]]
    best = {
        key: min(
            (n for n in compared.scores if n in BASELINES), key=lambda n: known_mean(headline(_array(compared.scores[n], key)))
        )
        for key in ("nrmse", "crps")
    }
    return {
        "window_steps": WINDOW,
        "horizon_steps": HORIZON,
        "split": {split: [e.name for e in part] for split, part in trace.experiments.items()},
        "windows": {split: w.count for split, w in trace.windows.items()},
        "normaliser": {kpi: [round(float(v), 5) for v in trace.scale.std_SP[:, p]] for p, kpi in enumerate(TRACE_KPIS)},
        "methods": {name: {**_figures(s, test), "chosen": compared.notes[name]} for name, s in compared.scores.items()},
        "against_best_baseline": {key: _gain(compared.scores, key, best[key]) for key in best},
    }


def _figures(scores: Scores, names: Sequence[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key in ("nrmse", "crps"):
        values = _array(scores, key)
        overall = headline(values)
        out[key] = {
            "mean": _round(known_mean(overall)),
            "interval": [_round(v) for v in bootstrap(overall)],
            "by_step": [_round(v) for v in known_mean(known_mean(values, (2, 3)), 0)],
            "by_kpi": {kpi: _round(known_mean(headline(values[..., p : p + 1]))) for p, kpi in enumerate(TRACE_KPIS)},
            "by_kpi_slice_step": {
                kpi: [[_round(v) for v in known_mean(values[:, :, s, p], 0)] for s in range(values.shape[2])]
                for p, kpi in enumerate(TRACE_KPIS)
            },
            "by_experiment": {name: _round(v) for name, v in zip(names, overall, strict=True)},
        }
    covered = scores.covered_XHSP
    out["coverage_90"] = {
        "mean": _round(known_mean(headline(covered))),
        "by_step": [_round(v) for v in known_mean(known_mean(covered, (2, 3)), 0)],
        "by_kpi": {kpi: _round(known_mean(headline(covered[..., p : p + 1]))) for p, kpi in enumerate(TRACE_KPIS)},
    }
    return out


def _gain(scores: dict[str, Scores], key: str, best: str) -> dict[str, Any]:
    """How much lower our score is than the best baseline's, paired by experiment."""
    ours, theirs = headline(_array(scores[OURS], key)), headline(_array(scores[best], key))
    low, high = bootstrap(theirs - ours)
    worse = [
        name
        for name in scores
        if name not in (OURS, MEMORY_RIVAL) and known_mean(headline(_array(scores[name], key))) <= ours.mean()
    ]
    return {
        "baseline": best,
        "lower_by": _round(1.0 - ours.mean() / theirs.mean()),
        "difference_interval": [_round(low), _round(high)],
        "experiments_better": int((ours < theirs).sum()),
        "experiments": len(ours),
        "beaten_by": worse,
    }


def _array(scores: Scores, key: str) -> Array:
    return scores.nrmse_XHSP if key == "nrmse" else scores.crps_XHSP


def _widened(low: Float, high: Float, margin_HSP: Array) -> tuple[Float, Float]:
    middle = (low + high) / 2
    return np.minimum(low - margin_HSP, middle).astype(np.float32), np.maximum(high + margin_HSP, middle).astype(np.float32)


def _short(scores: Scores) -> str:
    return f"NRMSE {known_mean(headline(scores.nrmse_XHSP)):.4f}, CRPS {known_mean(headline(scores.crps_XHSP)):.4f}"


def _round(value: Any) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
