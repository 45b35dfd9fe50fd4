"""Rollouts: K candidates x J shared exogenous futures x E members over H slow steps, and what follows from them.

The exogenous part runs once per decision (futures.py); here every candidate meets the same futures and the same noise, so
that candidates differ only by what they do. Per step one call of the controllable graph serves all rows of a chunk; chunks
of candidates go to worker threads. Horizon KPIs: loss weighted by offered load, delay as the load-weighted mean of the
per-step p99 (twm.core.kpis.horizon_kpis, which this follows in float32 without keeping the trajectory).

Shape suffixes: K candidates, J exogenous samples, E members, N = K x J rows of a chunk (candidate-major), H slow steps,
S slices, P slice KPIs, Q quantile levels, R draws per row, A action width, Z stochastic latent width.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import ModelMismatchError
from twm.core.kpis import DELAY_FLOOR_MS, KPI_NAMES, LOSS_SCALE_RATIO, kpi_quantiles
from twm.core.network import Topology
from twm.core.scm import scm, violated
from twm.inference.dynamics import ControllablePass, DynamicsModel
from twm.inference.futures import Futures

Float = NDArray[np.float32]

LOSS, DELAY = KPI_NAMES.index("loss_ratio"), KPI_NAMES.index("delay_p99_ms")
BOUNDED = slice(min(LOSS, DELAY), max(LOSS, DELAY) + 1)
"""The KPIs the SCM reads: neighbours at the head of KPI_NAMES, loss first."""
_OFFSET = np.array([LOSS_SCALE_RATIO, 0.0], np.float32)
_MEAN_FLOOR = np.array([0.0, DELAY_FLOOR_MS], np.float32)
_UPPER = np.array([1.0, np.inf], np.float32)
_EXPONENT_MAX = np.float32(20.0)
MAX_KEPT_PASSES = 8


@dataclass(frozen=True, kw_only=True)
class RolloutScores:
    """What K candidates lead to."""

    scm_K: Float
    """Mean SCM over members, futures and draws."""
    violation_KS: Float
    """Probability that the slice's SLA is violated over the horizon."""
    any_violation_K: Float
    """Probability that any slice's SLA is violated."""
    disagreement_K: Float
    """Standard deviation over members of the member's mean SCM."""
    kpi_quantiles_KHQSP: Float | None
    """Quantiles of the slice KPIs, before conformal correction; None unless asked for."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What all candidates of one decision are scored against."""

    futures: Futures
    offered_HEJS: Float
    """Offered load per slice in the exogenous futures [Mbps]."""
    kpi_noise_HEJRS2: Float
    """Noise of the predicted loss and delay, shared by all candidates."""
    topology: Topology


def kpi_noise(steps: int, members: int, samples: int, slices: int, *, seed: int, pairs: int = 1) -> Float:
    """Standard normal noise [H, E, J, R, S, 2] in `pairs` antithetic pairs, R = 2 x pairs."""
    generator = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
    half = generator.standard_normal((steps, members, samples, pairs, slices, 2), np.float32)
    return np.concatenate([half, -half], 3)


class PassPool:
    """Passes kept for the next chunk of the same size; the newest MAX_KEPT_PASSES."""

    def __init__(self, model: DynamicsModel) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._free: list[tuple[int, ControllablePass]] = []

    def take(self, row_count: int) -> ControllablePass:
        """A pass for `row_count` rows that nobody else uses."""
        with self._lock:
            for i, (rows, _) in enumerate(self._free):
                if rows == row_count:
                    return self._free.pop(i)[1]
        return self._model.controllable_pass(row_count)

    def give_back(self, row_count: int, one: ControllablePass) -> None:
        """Return what `take` handed out."""
        with self._lock:
            self._free.append((row_count, one))
            del self._free[:-MAX_KEPT_PASSES]


class Rollouts:
    """Scores candidates with one model."""

    def __init__(self, model: DynamicsModel, *, max_rows: int, workers: Executor | None = None, worker_count: int = 1) -> None:
        self._model = model
        self._pool = PassPool(model)
        self._max_rows = max_rows
        self._workers = workers
        self._worker_count = worker_count

    def chunks(self, candidates: int, samples: int) -> list[slice]:
        """Even chunks of candidates: at least one per worker, none with more than max_rows rows (but one candidate)."""
        per_chunk = max(1, self._max_rows // samples)
        count = max(-(-candidates // per_chunk), min(self._worker_count, candidates))
        edges = np.linspace(0, candidates, count + 1).astype(int)
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def score(
        self,
        decision: Decision,
        action_KHA: Float,
        *,
        quantile_levels: Sequence[float] | None = None,
        check: Callable[[], None],
    ) -> RolloutScores:
        """Score the candidates.

        `check` runs between steps of every chunk and may raise (deadline, cancelled), which ends the others at their next step.
        Raises ModelMismatchError where the model yields numbers that are not finite.
        """
        samples = decision.futures.exogenous_HEJX.shape[2]
        pieces = self.chunks(action_KHA.shape[0], samples)

        def one(piece: slice) -> RolloutScores:
            return self._score_chunk(decision, action_KHA[piece], quantile_levels, check)

        if self._workers is None or len(pieces) == 1:
            return _join([one(piece) for piece in pieces])
        futures: list[Future[RolloutScores]] = [self._workers.submit(one, piece) for piece in pieces]
        try:
            return _join([future.result() for future in futures])
        finally:
            for future in futures:
                future.cancel()

    def _score_chunk(
        self, decision: Decision, action_KHA: Float, levels: Sequence[float] | None, check: Callable[[], None]
    ) -> RolloutScores:
        check()
        k, h, a = action_KHA.shape
        sizes = self._model.sizes
        e, j, s = sizes.members, decision.futures.exogenous_HEJX.shape[2], sizes.slices
        draws = decision.kpi_noise_HEJRS2.shape[3]
        rows = self._pool.take(k * j)
        horizon = np.zeros((e, k, j, draws, s, 2), np.float32)
        fans: list[NDArray[np.float64]] = []
        rows.reset(decision.futures.latents.controllable_deter_EG, decision.futures.latents.controllable_stoch_EZ)
        action_KJA = rows.action_NA.reshape(k, j, a)
        noise_EKJZ = rows.noise_ENZ.reshape(e, k, j, -1)
        exogenous_EKJX = rows.exogenous_ENX.reshape(e, k, j, -1)
        weight_HEJS = _weights(decision.offered_HEJS)
        for step in range(h):
            check()
            action_KJA[:] = action_KHA[:, step, None]
            noise_EKJZ[:] = decision.futures.noise_HEJZ[step][:, None]
            exogenous_EKJX[:] = decision.futures.exogenous_HEJX[step][:, None]
            mean, std = rows.step()
            drawn = _draw(
                mean[..., BOUNDED].reshape(e, k, j, 1, s, 2),
                std[..., BOUNDED].reshape(e, k, j, 1, s, 2),
                decision.kpi_noise_HEJRS2[step][:, None],
            )
            drawn *= weight_HEJS[step][:, None, :, None, :, None]
            horizon += drawn
            if levels is not None:
                mixture = [m.reshape(e, k, j, s, -1).swapaxes(1, 2).reshape(e * j, k, s, -1) for m in (mean, std)]
                fans.append(kpi_quantiles(mixture[0], mixture[1], levels))
        if not np.isfinite(horizon).all():
            raise ModelMismatchError("controllable_step: KPIs are not finite")
        self._pool.give_back(k * j, rows)
        return _scores(horizon, decision.topology, fans if levels is not None else None)


def _weights(offered_HEJS: Float) -> Float:
    """Share of the horizon's offered load that falls into each step; even where a slice offers nothing."""
    offered = np.maximum(offered_HEJS, 0.0).astype(np.float64)
    total = offered.sum(0)
    even = np.full_like(offered, 1.0 / offered.shape[0])
    return np.where(total > 1e-9, offered / np.maximum(total, 1e-9), even).astype(np.float32)


def _draw(mean: Float, std: Float, noise: Float) -> Float:
    """twm.core.kpis.kpi_draw for loss and delay in one expression.

    With z = log(x + c): x' = exp(log(m + c) + sigma n) - c = (m + c) exp(s n / (m + c)) - c, c = 0.01 for loss, 0 for delay.
    """
    centre = np.maximum(mean, _MEAN_FLOOR) + _OFFSET
    drawn = (std / centre) * noise
    np.clip(drawn, -_EXPONENT_MAX, _EXPONENT_MAX, out=drawn)
    np.exp(drawn, out=drawn)
    drawn *= centre
    drawn -= _OFFSET
    return np.asarray(np.clip(drawn, _MEAN_FLOOR, _UPPER, out=drawn), np.float32)


def _scores(horizon_EKJRS2: Float, topology: Topology, fans: list[NDArray[np.float64]] | None) -> RolloutScores:
    loss, delay = horizon_EKJRS2[..., 0], horizon_EKJRS2[..., 1]
    margin_EKJR = scm(loss, delay, topology)
    broken_EKJRS = violated(loss, delay, topology)
    return RolloutScores(
        scm_K=margin_EKJR.mean((0, 2, 3)).astype(np.float32),
        violation_KS=broken_EKJRS.mean((0, 2, 3)).astype(np.float32),
        any_violation_K=broken_EKJRS.any(-1).mean((0, 2, 3)).astype(np.float32),
        disagreement_K=margin_EKJR.mean((2, 3)).std(0).astype(np.float32),
        kpi_quantiles_KHQSP=None if fans is None else np.stack(fans).transpose(2, 0, 1, 3, 4).astype(np.float32),
    )


def _join(parts: Sequence[RolloutScores]) -> RolloutScores:
    if len(parts) == 1:
        return parts[0]
    fans = [part.kpi_quantiles_KHQSP for part in parts]
    return RolloutScores(
        scm_K=np.concatenate([p.scm_K for p in parts]),
        violation_KS=np.concatenate([p.violation_KS for p in parts]),
        any_violation_K=np.concatenate([p.any_violation_K for p in parts]),
        disagreement_K=np.concatenate([p.disagreement_K for p in parts]),
        kpi_quantiles_KHQSP=np.concatenate([f for f in fans if f is not None]) if fans[0] is not None else None,
    )
