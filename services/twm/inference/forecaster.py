"""One loaded dynamics model asked for fans of slice KPIs, without a service around it. Blocking; one thread at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import encode_policies
from twm.core.errors import ModelMismatchError
from twm.core.frames import FrameCodec
from twm.core.hindsight import Origin
from twm.core.network import NetworkSpec
from twm.core.paired import Score, quantile_score
from twm.inference.answers import Answers
from twm.inference.engine import EngineOptions
from twm.inference.loading import LoadedDynamics
from twm.inference.model_store import ModelStore

SAMPLES, MAX_ROWS = 8, 256


class _One:
    """A slot that always holds the same model."""

    def __init__(self, loaded: LoadedDynamics) -> None:
        self._loaded = loaded

    def get(self) -> LoadedDynamics:
        """The model."""
        return self._loaded


class _OneStore(ModelStore):
    """A store that holds one dynamics model and nothing else."""

    def __init__(self, loaded: LoadedDynamics) -> None:
        self.dynamics = _One(loaded)  # type: ignore[assignment]


class Forecaster:
    """Answers of one model."""

    def __init__(self, loaded: LoadedDynamics, spec: NetworkSpec, *, samples: int = SAMPLES) -> None:
        self.card = loaded.card
        self._spec, self._codec, self._samples = spec, FrameCodec(spec), samples
        self._answers = Answers(spec, _OneStore(loaded), default_samples=samples, max_rows=MAX_ROWS, cache_capacity=2)

    def fan(self, at: Origin) -> tuple[tuple[float, ...], NDArray[np.float64]]:
        """(levels, quantiles [H, Q, S, P]) for the shares that were applied, as the service would answer.

        Raises InvalidInputError, ModelMismatchError.
        """
        answer = self._answers.rollout(
            worldmodel_pb2.RolloutRequest(
                area_id=self._spec.area_id,
                history=[self._codec.encode(frame) for frame in at.history],
                policies=encode_policies(at.policy),
                sample_count=self._samples,
                seed=at.step % 2**32,
                with_trajectories=True,
            )
        )
        levels = tuple(answer.quantile_levels)
        shape = (at.policy.step_count, len(levels), len(self._spec.slices), len(answer.kpi_names))
        values = np.array(answer.kpi_quantiles, np.float64)
        if values.size != int(np.prod(shape)):
            raise ModelMismatchError(f"cdwm {self.card.version}: {values.size} quantiles, expected {shape}")
        return levels, values.reshape(shape)

    def score(self, at: Origin) -> Score:
        """The forecast held against what was seen. Raises InvalidInputError, ModelMismatchError."""
        levels, fan_HQSP = self.fan(at)
        return quantile_score(levels, fan_HQSP[at.offset_O], at.seen_OSP)


ENGINE = EngineOptions(intra_op_threads=1, use_cuda=False)
"""For models that are only scored: they leave the device and the cores to the one in use."""
