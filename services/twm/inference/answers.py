"""Answers to the two questions of WorldModelService, without a socket: messages in, messages out. Blocking and thread-safe.

Shape suffixes: K candidates, H slow steps, W window, D history width, A action width, E members, J exogenous samples,
S slices, P slice KPIs, Q quantile levels, X exogenous width.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core import metrics
from twm.core.account import SlaAccount
from twm.core.actions import decode_policies
from twm.core.calibration import violation_probabilities
from twm.core.errors import FrameError, InvalidInputError, ModelMismatchError
from twm.core.features import FIELD_FEATURES, action_vector, exogenous_layout, history_matrix, knows_events, newest_field
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.intervals import corrected_quantiles
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec
from twm.core.ood import OodScale
from twm.core.packed import extend_packed
from twm.core.zoo import ModelCard
from twm.inference.actor import HistoryRows
from twm.inference.dynamics import DynamicsModel, Float, Latents
from twm.inference.futures import FutureCache, Futures, encoding_key, futures_key, sample_futures
from twm.inference.loading import LoadedDynamics
from twm.inference.model_store import ModelStore
from twm.inference.rollout import Contingency, Decision, Rollouts, kpi_noise
from twm.inference.states import AssumedStates
from twm.inference.targeting import Targeting
from twm.inference.targets import Queues, Target

QUANTILE_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Where the card names none."""
MAX_TRAJECTORY_VALUES = 12_000_000
"""Values of kpi_quantiles in one answer: they have to fit into a message of 64 MB."""
OOD_PIECE = 512
"""Policies whose distance to the training data is computed at a time."""

Check = Callable[[], None]


def never() -> None:
    """A check that never stops the work."""


class Answers:
    """Holds the models of one network and answers from them."""

    def __init__(
        self,
        spec: NetworkSpec,
        store: ModelStore,
        *,
        default_samples: int,
        max_rows: int,
        cache_capacity: int,
        workers: Executor | None = None,
        worker_count: int = 1,
    ) -> None:
        self._spec, self._store = spec, store
        self._topology = spec.topology()
        self._layout = exogenous_layout(spec)
        self._codec = FrameCodec(spec)
        self._history = HistoryRows(spec)
        self._default_samples = default_samples
        self._rows = {"max_rows": max_rows, "worker_count": worker_count}
        self._workers = workers
        self._latents: FutureCache[Latents] = FutureCache(cache_capacity)
        self._decisions: FutureCache[Decision] = FutureCache(cache_capacity)
        self._queues: FutureCache[Queues] = FutureCache(cache_capacity)
        self._lock = threading.Lock()
        self._rollouts: tuple[str, Rollouts] | None = None
        self._distance: tuple[ModelCard, OodScale, FutureCache[float]] | None = None
        self._cache_capacity = cache_capacity

    def predict_field(self, request: worldmodel_pb2.PredictFieldRequest) -> worldmodel_pb2.PredictFieldResponse:
        """Field features per cell now and over the horizon. Raises InvalidInputError, ModelMismatchError."""
        self._check_area(request.area_id)
        loaded = self._store.field.get()
        card = loaded.card
        frames = self._decode(request.history)
        history = history_matrix(frames, self._spec, card.window)
        found = loaded.graph.run({"history": history, "newest": newest_field(frames, self._spec)})
        for name, values in found.items():
            if not np.isfinite(values).all():
                raise ModelMismatchError(f"fwm {card.version}: {name}: not finite")
        response = worldmodel_pb2.PredictFieldResponse(
            feature_names=FIELD_FEATURES,
            quantile_levels=card.quantile_levels,
            step_offsets=card.step_offsets,
            demand_levels=card.demand_levels,
            model=identity(card),
        )
        extend_packed(response, "values", found["field"])
        extend_packed(response, "demand_mbps", found["demand"])
        return response

    def rollout(self, request: worldmodel_pb2.RolloutRequest, check: Check = never) -> worldmodel_pb2.RolloutResponse:
        """What each candidate leads to. `check` runs between horizon steps and may raise.

        Raises InvalidInputError, ModelMismatchError.
        """
        check()
        self._check_area(request.area_id)
        loaded = self._store.dynamics.get()
        card, model = loaded.card, loaded.model
        policies = decode_policies(request.policies, self._spec)
        levels = card.quantile_levels or QUANTILE_LEVELS
        self._check_size(request, card, len(levels))
        samples = request.sample_count or self._default_samples
        history_WD = self._history.matrix(request.history, card.window)
        check()
        steps = policies.step_count
        key = encoding_key(model.digest, history_WD)
        latents = self._latents.get(key, lambda: model.encode(history_WD))
        decision = self._decisions.get(
            futures_key(key, steps, samples, request.seed),
            lambda: self._decision(model, latents, history_WD, steps, samples, request.seed, check),
        )
        if states := AssumedStates.of(request.states, self._spec, steps, samples):
            decision = self._in_states(decision, states)
        response = worldmodel_pb2.RolloutResponse(sample_count=samples, models=[identity(card)])
        if request.with_trajectories:
            extend_packed(response, "exogenous_scenarios", self._scenarios(decision.futures, states))
            if request.exogenous_only:
                return response
        if request.HasField("account"):
            decision = replace(decision, account=SlaAccount.from_message(request.account, self._spec))
        if request.contingencies:
            decision = replace(decision, contingencies=self._contingencies(request.contingencies))
        if request.targets:
            decision = replace(decision, targets=self._targeting(request, key))
        action_KHA = action_vector(policies)
        scores = self._rollouts_of(loaded).score(
            decision, action_KHA, quantile_levels=levels if request.with_trajectories else None, check=check
        )
        extend_packed(response, "scm_mean", scores.scm_K)
        extend_packed(response, "scm_cvar", scores.cvar_K)
        extend_packed(response, "shortfall", scores.shortfall_K)
        extend_packed(response, "soft_margin", scores.soft_K)
        any_violation_K, violation_KS = violation_probabilities(scores.any_violation_K, scores.violation_KS, card.violations)
        extend_packed(response, "violation_probability", violation_KS)
        extend_packed(response, "any_violation_probability", any_violation_K)
        extend_packed(response, "disagreement", scores.disagreement_K)
        extend_packed(response, "ood_score", self._ood_score(card, key, history_WD, action_KHA))
        if (found := scores.targets) is not None:
            response.target_predicted.extend(found.predicted_M.tolist())
            extend_packed(response, "target_violation", found.violation_KM)
            extend_packed(response, "target_excess", found.excess_KM)
            extend_packed(response, "target_quantiles", found.quantiles_KMQ)
            extend_packed(response, "target_reach", found.reach_KM)
        if scores.kpi_quantiles_KHQSP is not None:
            response.quantile_levels.extend(levels)
            response.kpi_names.extend(KPI_NAMES)
            told = bool(knows_events(history_WD, self._spec))
            extend_packed(response, "kpi_quantiles", corrected(scores.kpi_quantiles_KHQSP, levels, card, told))
        metrics.ROLLOUTS.inc(policies.count)
        return response

    def _decision(
        self,
        model: DynamicsModel,
        latents: Latents,
        history_WD: Float,
        steps: int,
        samples: int,
        seed: int,
        check: Check,
    ) -> Decision:
        """What all candidates of a decision are scored against, but for the past of its SLA window."""
        futures = sample_futures(model, history_WD, steps=steps, samples=samples, seed=seed, check=check, latents=latents)
        return Decision(
            futures=futures,
            offered_HEJS=self._layout.split(futures.exogenous_HEJX)[0].sum(-2),
            kpi_noise_HR2SEJ=kpi_noise(steps, model.sizes.members, samples, model.sizes.slices, seed=seed),
            topology=self._topology,
        )

    def _in_states(self, decision: Decision, states: AssumedStates) -> Decision:
        """The decision in assumed states: its samples changed, and the load that they offer."""
        exogenous_HEJX = states.applied(decision.futures.exogenous_HEJX)
        return replace(
            decision,
            futures=replace(decision.futures, exogenous_HEJX=exogenous_HEJX),
            offered_HEJS=self._layout.split(exogenous_HEJX)[0].sum(-2),
            states=states,
        )

    def _targeting(self, request: worldmodel_pb2.RolloutRequest, key: bytes) -> Targeting:
        """The targets, checked, with the queueing model fitted to the history where one needs it."""
        targets = [Target.of(message, self._spec, i) for i, message in enumerate(request.targets)]
        for i, target in enumerate(targets):
            if target.states.size and target.states.max() >= max(len(request.states), 1):
                raise InvalidInputError(f"targets[{i}].states: {target.states.max()}, there are {len(request.states)}")
        queues = None
        if not all(target.modelled for target in targets):
            queues = self._queues.get(key, lambda: Queues.of(self._decode(request.history), self._spec))
        return Targeting.of(targets, queues, self._layout)

    def _contingencies(self, messages: Sequence[worldmodel_pb2.Contingency]) -> tuple[Contingency, ...]:
        """Checked. Raises InvalidInputError naming field, value and bound."""
        links = len(self._spec.transport.links)
        total = sum(message.probability for message in messages)
        if not total <= 1.0 + 1e-9:
            raise InvalidInputError(f"contingencies.probability: they sum up to {total:g}, more than 1")
        for i, message in enumerate(messages):
            if not message.probability >= 0.0:
                raise InvalidInputError(f"contingencies[{i}].probability: {message.probability:g}, expected at least 0")
            for link in message.down_links:
                if link >= links:
                    raise InvalidInputError(f"contingencies[{i}].down_links: {link}, the network has {links} links")
        return tuple(
            Contingency(down_links=np.array(message.down_links, np.intp), probability=message.probability)
            for message in messages
        )

    def _check_area(self, area_id: str) -> None:
        if area_id != self._spec.area_id:
            raise InvalidInputError(f"area_id: {area_id[:64]!r}, this service answers for {self._spec.area_id!r}")

    def _check_size(self, request: worldmodel_pb2.RolloutRequest, card: ModelCard, level_count: int) -> None:
        count, steps = request.policies.policy_count, request.policies.step_count
        if steps > card.horizon_steps:
            raise InvalidInputError(f"policies.step_count: {steps}, more than the model's horizon {card.horizon_steps}")
        values = count * steps * level_count * len(self._spec.slices) * len(KPI_NAMES)
        if request.with_trajectories and values > MAX_TRAJECTORY_VALUES:
            raise InvalidInputError(
                f"policies.policy_count: {count} with trajectories makes {values} values, more than {MAX_TRAJECTORY_VALUES}"
            )

    def _decode(self, history: Iterable[telemetry_pb2.KpiFrame]) -> list[FrameArrays]:
        """Frames in order. A step that is not there counts as missing; steps must rise. Raises FrameError."""
        frames: list[FrameArrays] = []
        for i, message in enumerate(history):
            try:
                frame = self._codec.decode(message)
            except FrameError as error:
                raise FrameError(f"history[{i}].{error}") from error
            if frames and frame.step <= frames[-1].step:
                raise FrameError(f"history[{i}].step: {frame.step}, not after {frames[-1].step}: oldest first, each step once")
            frames.append(frame)
        return frames

    def _rollouts_of(self, loaded: LoadedDynamics) -> Rollouts:
        """Buffers go with the model: a new model starts new ones, and the old ones end with their last request."""
        with self._lock:
            if self._rollouts is None or self._rollouts[0] != loaded.model.digest:
                self._rollouts = loaded.model.digest, Rollouts(loaded.model, workers=self._workers, **self._rows)
            return self._rollouts[1]

    def _distance_of(self, card: ModelCard) -> tuple[OodScale, FutureCache[float]]:
        """The card's scale, with what histories measured on it: two cards may share their weights and differ in this."""
        if card.ood is None:
            raise ModelMismatchError(f"cdwm {card.version}: ood: missing in the card")
        with self._lock:
            if self._distance is None or self._distance[0] is not card:
                self._distance = card, OodScale(card.ood, self._spec), FutureCache(self._cache_capacity)
            return self._distance[1:]

    def _ood_score(self, card: ModelCard, key: bytes, history_WD: Float, action_KHA: Float) -> NDArray[np.float64]:
        scale, excesses = self._distance_of(card)
        excess = excesses.get(key, lambda: scale.history_excess(history_WD))
        pieces = range(0, action_KHA.shape[0], OOD_PIECE)  # its summary works in float64: in one go 4096 policies take 100 MB
        return np.concatenate([scale.score(excess, action_KHA[i : i + OOD_PIECE]) for i in pieces])

    def _scenarios(self, futures: Futures, states: AssumedStates | None = None) -> Float:
        """J futures, one from each member in turn, as blocks (RolloutResponse.exogenous_scenarios), none below 0."""
        exogenous = futures.exogenous_HEJX
        samples = np.arange(exogenous.shape[2])
        picked_JHX = exogenous[:, samples % exogenous.shape[1], samples].transpose(1, 0, 2)
        if states is not None:
            links = states.link_factor_HJL.shape[2]
            picked_JHX[..., picked_JHX.shape[2] - links :] *= states.link_factor_HJL.transpose(1, 0, 2)
        blocks = self._layout.split(np.maximum(picked_JHX, 0.0))
        return np.concatenate([block.reshape(-1) for block in blocks])


def corrected(kpi_KHQSP: Float, levels: tuple[float, ...], card: ModelCard, told: bool) -> Float:
    """Quantiles with the card's conformal correction, cut to the steps asked for. `told`: whether events are known."""
    if card.conformal is None:
        raise ModelMismatchError(f"cdwm {card.version}: conformal: missing in the card")
    quantiles_QKHSP = corrected_quantiles(np.moveaxis(kpi_KHQSP, 2, 0), levels, card.conformal, told=told)
    return np.moveaxis(quantiles_QKHSP, 0, 2).astype(np.float32)


def identity(card: ModelCard) -> worldmodel_pb2.ModelIdentity:
    """Which model answered."""
    return worldmodel_pb2.ModelIdentity(name=card.name, version=card.version, digest=card.digest)
