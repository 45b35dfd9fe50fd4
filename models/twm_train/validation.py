"""Validation of a trained CDWM: corrections on splits of their own, quality on another, ranking of policies in the twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twm.core.features import knows_events
from twm.core.kpis import kpi_from_z
from twm.core.zoo import Conformal, ViolationMaps
from twm_train import conformal
from twm_train.controllable import ControllableModel
from twm_train.data import VALIDATION_SEED, Episodes
from twm_train.exogenous import ExogenousModel
from twm_train.prediction import Predictions, predict
from twm_train.quality import dynamics_quality, ranking_quality, shifted_windows, validation_starts, validation_windows
from twm_train.splits import RANKING_OFFSET
from twm_train.stage import Run
from twm_train.violations import fitted_maps
from twm_train.windows import Windows

STRIDE = 3
"""Slow steps between two validation windows of an episode."""


@dataclass(frozen=True)
class Corrections:
    """What is served besides the graphs' own answers."""

    intervals: Conformal
    violations: ViolationMaps | None
    """None of a real network: no candidate but the one that ran is known there."""
    violation_quality: dict[str, Any]


def calibrated(
    run: Run, exogenous: ExogenousModel, controllable: ControllableModel, fitting: Episodes
) -> tuple[Corrections, Windows]:
    """(corrections, the windows that the conformal one was fitted on)."""
    # Of a twin's network each window is seen without and with the calendar: each has a factor of its own.
    both = [
        validation_windows(fitting, run.recipe.window, run.horizon, STRIDE, knows=knows)
        for knows in ((None,) if run.real else (False, True))
    ]
    predictions = Predictions.concatenate([_predicted(run, exogenous, controllable, windows) for windows, _ in both])
    truth = np.concatenate([_truth(windows.kpi_z) for windows, _ in both])
    told = np.concatenate([knows_events(windows.history[0].numpy(), run.spec) for windows, _ in both])
    shifted = np.concatenate([shifted_windows(fitting, episode) for _, episode in both])
    counts = np.ones_like(told) if run.real else ~shifted
    intervals = conformal.fit(predictions, truth, controllable.std.numpy(), told, counts)
    maps, quality = (None, {}) if run.real else fitted_maps(run, exogenous, controllable)
    return Corrections(intervals, maps, quality), both[0][0]


def measured(
    run: Run, exogenous: ExogenousModel, controllable: ControllableModel, quality: Episodes, corrections: Conformal
) -> dict[str, Any]:
    """Quality of the predictions on the quality split; of a twin's network also that of the ranking, in both variants."""
    recipe = run.recipe
    windows, episode = validation_windows(quality, recipe.window, run.horizon, STRIDE)
    predictions = _predicted(run, exogenous, controllable, windows)
    newest = validation_starts(quality, recipe.window, run.horizon, STRIDE)
    persisted = kpi_from_z(quality.kpi_z_NTSP[:, newest]).reshape(-1, *quality.kpi_z_NTSP.shape[2:])
    found = dynamics_quality(
        exogenous, predictions, quality, windows, episode, _truth(windows.kpi_z), persisted, corrections, run.spec
    )
    run.progress.advance(1)
    for variant in () if run.real else ("history", "calendar"):
        found[f"ranking_{variant}"] = ranking_quality(
            run.spec,
            exogenous,
            controllable,
            first_seed=VALIDATION_SEED + RANKING_OFFSET,
            starts=recipe.ranking_starts,
            candidates=recipe.ranking_candidates,
            warmup=run.horizon,
            samples=recipe.samples,
            seed=run.seed,
            calendar=variant == "calendar",
            progress=run.progress.advance,
        )
    return found


def _predicted(run: Run, exogenous: ExogenousModel, controllable: ControllableModel, windows: Windows) -> Predictions:
    history, action = windows.history[0], windows.action[0]
    return predict(exogenous, controllable, history, action, run.recipe.samples, run.seed, shared=False)


def _truth(kpi_z: torch.Tensor) -> NDArray[np.float64]:
    z = kpi_z[0].numpy()
    return np.where(np.isfinite(z), kpi_from_z(np.where(np.isfinite(z), z, 0.0)), np.nan)
