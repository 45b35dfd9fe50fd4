"""Predictors of the SCM of candidates, from all-knowing to ours: between two neighbours lies what one part of the model costs.

- `true_future`: the twin with the shocks and link failures that do come, other fast noise. What is left is irreducible.
- `law`: the twin with what its law still draws given all that has happened (city, running shocks, queues) and, in the
  `calendar` variant, what the noisy calendar tells: a perfect model of the process. It knows the scenario and running shocks
  to their end, which no forecaster of frames can, so it is a ceiling.
- `forecast_in_twin`: the twin fed with the learned forecast's samples: our forecast with a perfect control model.
- `model_true_future`: our control model fed with the slow steps that do come: our control model with a perfect forecast. Its
  load holds the retries, as in the frames it learned from: those of the mean candidate, since all candidates share a future.
- `model`: ours.

Shape suffixes: K candidates, J futures, E members, H horizon steps, X exogenous columns, C cells, S slices, L links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twm.core.features import exogenous_layout, history_matrix
from twm.inference.rollout import Decision
from twm_bench.axes.ranking import SAMPLES
from twm_bench.axes.served import ServedModels
from twm_train.starts import Start
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures, simulate
from twm_twin.redraw import MomentPath, retries_off

Doubles = NDArray[np.float64]
TWIN_FUTURES = 24
"""Futures that each twin predictor averages over: as many as E x J of the shipped model."""
PREDICTORS = ("true_future", "law", "forecast_in_twin", "model_true_future", "model")
_STREAM = 0xCE


@dataclass(frozen=True)
class Predicted:
    """What a predictor says of the candidates of one start."""

    scm_K: Doubles
    any_violation_K: Doubles
    """Probability that any slice's SLA is broken."""
    scm_KJ: Doubles | None = None
    """SCM in each future, of predictors that play the twin."""
    disagreement_K: Doubles | None = None
    """Of predictors that are an ensemble."""
    violation_KS: Doubles | None = None
    """Probability that a slice's SLA is broken, of our models."""


def predict_start(
    models: ServedModels, layout: TwinLayout, start: Start, variant: str, *, seed: int
) -> Mapping[str, Predicted]:
    """All predictors on one start; the model's own futures and noise are those of the ranking axis for the same seed."""
    spec = models.spec
    path = MomentPath(layout, start.moment)
    generator = np.random.default_rng([_STREAM, seed, start.seed])
    history = history_matrix(start.seen(variant, spec.timing.horizon_steps)[-models.window :], spec, models.window)
    decision = models.decision(history, samples=SAMPLES, seed=seed)
    return {
        "true_future": _in_twin(layout, start, path.other_noise(TWIN_FUTURES, generator)),
        "law": _in_twin(layout, start, path.other_events(TWIN_FUTURES, generator, told=variant == "calendar")),
        "forecast_in_twin": _in_twin(retries_off(layout), start, _forecast(models, path, decision, generator)),
        "model_true_future": _by_model(models, start, _told(models, start, path, decision)),
        "model": _by_model(models, start, decision),
    }


def _in_twin(layout: TwinLayout, start: Start, futures: Futures) -> Predicted:
    outcome = simulate(layout, start.policies, futures)
    return Predicted(outcome.scm.mean(1), outcome.violated_S.any(-1).mean(1), outcome.scm)


def _by_model(models: ServedModels, start: Start, decision: Decision) -> Predicted:
    found = models.score(decision, start.policies)
    wide = lambda values: np.asarray(values, np.float64)
    return Predicted(
        wide(found.scm_K),
        wide(found.any_violation_K),
        disagreement_K=wide(found.disagreement_K),
        violation_KS=wide(found.violation_KS),
    )


def _forecast(models: ServedModels, path: MomentPath, decision: Decision, generator: np.random.Generator) -> Futures:
    """The decision's own sampled futures, those of all members."""
    flat_JHX = np.moveaxis(decision.futures.exogenous_HEJX, 0, 2).reshape(-1, *decision.futures.exogenous_HEJX.shape[::3])
    demand, efficiency, capacity = (
        np.maximum(part, 0.0).astype(np.float64) for part in exogenous_layout(models.spec).split(flat_JHX)
    )
    return path.forecast(demand, efficiency, capacity, generator)


def _told(models: ServedModels, start: Start, path: MomentPath, decision: Decision) -> Decision:
    """The decision with the true slow steps in the place of every sampled future."""
    efficiency_HC, capacity_HL = path.slow()
    true_HX = np.concatenate([start.load_HCS.reshape(len(start.load_HCS), -1), efficiency_HC, capacity_HL], 1)
    shape = decision.futures.exogenous_HEJX.shape
    exogenous = np.ascontiguousarray(np.broadcast_to(true_HX[:, None, None], shape), np.float32)
    offered = exogenous_layout(models.spec).split(exogenous)[0].sum(-2)
    return replace(decision, futures=replace(decision.futures, exogenous_HEJX=exogenous), offered_HEJS=offered)
