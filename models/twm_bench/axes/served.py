"""A zoo's models as the inference service runs them: the same feature code, ONNX sessions, futures and scoring, without gRPC.

Shape suffixes: W window, D history columns, K candidates, H horizon steps, Q quantile levels, S slices, P KPIs, X exogenous
columns, E members, J exogenous samples, T step offsets, C cells, F field features, A action columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays
from twm.core.calibration import violation_probabilities
from twm.core.errors import ModelMismatchError
from twm.core.features import action_vector, exogenous_layout, history_matrix, knows_events, newest_field
from twm.core.frames import Float, FrameArrays
from twm.core.intervals import corrected_quantiles
from twm.core.network import NetworkSpec
from twm.inference.answers import never
from twm.inference.engine import EngineOptions
from twm.inference.futures import Futures, sample_futures
from twm.inference.loading import LoadedDynamics, LoadedField
from twm.inference.model_store import ModelStore
from twm.inference.rollout import Decision, Rollouts, RolloutScores, kpi_noise
from twm_bench.axes.scores import LEVELS

MAX_ROWS = 1024
"""Rows a call of the controllable graph has at most."""


@dataclass(frozen=True)
class FieldForecast:
    """Field features in physical units."""

    quantiles_TQCF: Float
    step_offsets: tuple[int, ...]
    """Steps after the newest frame; 0 is now."""
    quantile_levels: tuple[float, ...]


FieldPredictor = Callable[[Sequence[FrameArrays]], FieldForecast]
"""From frames, oldest first, to the field now and ahead. Needs nothing of the zoo: a model of another network will do."""


@dataclass(frozen=True)
class KpiForecast:
    """Candidates of one decision."""

    scores: RolloutScores
    quantiles_QKHSP: NDArray[np.float64]
    """Of the slice KPIs at LEVELS, with the card's conformal correction."""
    exogenous_HEJX: Float
    """Sampled futures, shared by the candidates."""


class ServedModels:
    """The zoo's newest models of a network."""

    def __init__(self, spec: NetworkSpec, zoo: Path, *, max_rows: int = MAX_ROWS) -> None:
        """Loads what there is; what is missing is said by `why_no_dynamics`, `why_no_field`."""
        self.spec, self.zoo = spec, zoo
        store = ModelStore(zoo, spec, EngineOptions(intra_op_threads=1, use_cuda=False))
        store.refresh()
        self.dynamics: LoadedDynamics | None = store.dynamics.current
        self.field: LoadedField | None = store.field.current
        self.why_no_dynamics, self.why_no_field = (_reason(slot.get) for slot in (store.dynamics, store.field))
        self._layout = exogenous_layout(spec)
        self._topology = spec.topology()
        self._rollouts = Rollouts(self.dynamics.model, max_rows=max_rows) if self.dynamics else None

    @property
    def window(self) -> int:
        """Frames of history the models look at."""
        cards = [loaded.card for loaded in (self.dynamics, self.field) if loaded is not None]
        return max((card.window for card in cards), default=1)

    def digests(self) -> dict[str, str]:
        """Model name and version to digest."""
        cards = [loaded.card for loaded in (self.dynamics, self.field) if loaded is not None]
        return {f"{card.name}/{card.version}": card.digest for card in cards}

    def corrections(self) -> dict[str, Any] | None:
        """What the card of the dynamics corrects besides its graphs, which no digest tells."""
        return (
            None if self.dynamics is None else self.dynamics.card.model_dump(mode="json", include={"conformal", "violations"})
        )

    def decision(self, history_WD: Float, *, samples: int, seed: int) -> Decision:
        """Futures and noise that all candidates of a decision meet."""
        model = self._need().model
        steps = self.spec.timing.horizon_steps
        futures: Futures = sample_futures(model, history_WD, steps=steps, samples=samples, seed=seed, check=never)
        return Decision(
            futures=futures,
            offered_HEJS=self._layout.split(futures.exogenous_HEJX)[0].sum(-2),
            kpi_noise_HR2SEJ=kpi_noise(steps, model.sizes.members, samples, model.sizes.slices, seed=seed),
            topology=self._topology,
        )

    def score(self, decision: Decision, policies: PolicyArrays, levels: Sequence[float] | None = None) -> RolloutScores:
        """Scores of candidates, as served."""
        card = self._need().card
        if self._rollouts is None:
            raise ModelMismatchError(self.why_no_dynamics)
        found = self._rollouts.score(decision, action_vector(policies), quantile_levels=levels, check=never)
        any_violation_K, violation_KS = violation_probabilities(found.any_violation_K, found.violation_KS, card.violations)
        return replace(found, any_violation_K=any_violation_K, violation_KS=violation_KS)

    def forecast(self, frames: Sequence[FrameArrays], policies: PolicyArrays, *, samples: int, seed: int) -> KpiForecast:
        """KPIs of the candidates over the horizon after the newest frame."""
        card = self._need().card
        history = history_matrix(frames, self.spec, card.window)
        decision = self.decision(history, samples=samples, seed=seed)
        scores = self.score(decision, policies, LEVELS)
        raw, conformal = scores.kpi_quantiles_KHQSP, card.conformal
        if raw is None or conformal is None:
            raise ModelMismatchError(f"cdwm {card.version}: quantiles or conformal correction: missing")
        told = bool(knows_events(history, self.spec))
        corrected = corrected_quantiles(np.moveaxis(raw, 2, 0), LEVELS, conformal, told=told)
        return KpiForecast(scores=scores, quantiles_QKHSP=corrected, exogenous_HEJX=decision.futures.exogenous_HEJX)

    def predict_field(self, frames: Sequence[FrameArrays]) -> FieldForecast:
        """The field now and ahead, as PredictField answers."""
        loaded = self.field
        if loaded is None:
            raise ModelMismatchError(self.why_no_field)
        card = loaded.card
        feeds = {"history": history_matrix(frames, self.spec, card.window), "newest": newest_field(frames, self.spec)}
        field = loaded.graph.run(feeds)["field"]
        return FieldForecast(np.asarray(field.reshape(field.shape[-4:])), card.step_offsets, card.quantile_levels)

    def _need(self) -> LoadedDynamics:
        if self.dynamics is None:
            raise ModelMismatchError(self.why_no_dynamics)
        return self.dynamics


def _reason(get: Callable[[], object]) -> str:
    try:
        get()
    except ModelMismatchError as error:
        return str(error)
    return ""
