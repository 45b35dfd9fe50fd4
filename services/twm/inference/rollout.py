"""Rollouts: K candidates x J shared exogenous futures x E members over H slow steps, and what follows from them.

The exogenous part runs once per decision (futures.py); here every candidate meets the same futures and the same noise, so
that candidates differ only by what they do. Per step one call of the controllable graph serves all rows of a chunk; chunks
of candidates go to worker threads. Horizon KPIs: loss weighted by offered load, delay as the load-weighted power mean of the
per-step p99 (twm.core.kpis.horizon_kpis, which this follows in float32 without keeping the trajectory).

Shape suffixes: K candidates, J exogenous samples, E members, N = K x J rows of a chunk (candidate-major), H slow steps,
S slices, P slice KPIs, Q quantile levels, R antithetic pairs of draws per row, A action width, Z stochastic latent width.
Draws are laid out with K innermost, so that what candidates share is a scalar to the inner loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twm.core.account import SlaAccount
from twm.core.errors import ModelMismatchError
from twm.core.kpis import DELAY_FLOOR_MS, DELAY_POWER, KPI_NAMES, LOSS_SCALE_RATIO, kpi_quantiles
from twm.core.network import Topology
from twm.core.scm import least_margin, shortfall, soft_margin, violated
from twm.inference.dynamics import ControllablePass, DynamicsModel
from twm.inference.futures import Futures

Float = NDArray[np.float32]

LOSS, DELAY = KPI_NAMES.index("loss_ratio"), KPI_NAMES.index("delay_p99_ms")
BOUNDED = slice(min(LOSS, DELAY), max(LOSS, DELAY) + 1)
"""The KPIs the SCM reads: neighbours at the head of KPI_NAMES, loss first."""
_OFFSET, _MEAN_FLOOR, _UPPER = (
    np.array(pair, np.float32).reshape(2, 1, 1, 1, 1)
    for pair in ((LOSS_SCALE_RATIO, 0.0), (0.0, DELAY_FLOOR_MS), (1.0, np.inf))
)
_EXPONENT_MAX = np.float32(20.0)
_RATIO_MAX = np.float32(100.0)
"""Delay over its bound counts up to this: its power must fit into a float32."""
MAX_KEPT_PASSES = 8
CVAR_SHARE = 0.25
"""Share of the worst futures that the CVaR of the SCM is the mean of."""


@dataclass(frozen=True, kw_only=True)
class RolloutScores:
    """What K candidates lead to."""

    scm_K: Float
    """Mean SCM over members, futures and draws."""
    cvar_K: Float
    """Mean SCM over the worst `CVAR_SHARE` of members, futures and draws."""
    shortfall_K: Float
    """Expected shortfall below the SCM's floor (twm.core.scm.shortfall), 0..1."""
    soft_K: Float
    """Expected soft minimum of the margins (twm.core.scm.soft_margin)."""
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
    kpi_noise_HR2SEJ: Float
    """Noise of the predicted loss and delay, shared by all candidates; each value is used with both signs."""
    topology: Topology
    account: SlaAccount | None = None
    """Past of the SLA window: SCM and violations are those of the whole window, steps beyond it do not count."""


def kpi_noise(steps: int, members: int, samples: int, slices: int, *, seed: int, pairs: int = 1) -> Float:
    """Standard normal noise [H, R, 2, S, E, J] for `pairs` antithetic pairs of draws."""
    generator = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
    return generator.standard_normal((steps, pairs, 2, slices, members, samples), np.float32)


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
        rows = self._pool.take(k * j)
        horizon = np.zeros((2 * decision.kpi_noise_HR2SEJ.shape[1], 2, s, e, j, k), np.float32)
        fans: list[NDArray[np.float64]] = []
        rows.reset(decision.futures.latents.controllable_deter_EG, decision.futures.latents.controllable_stoch_EZ)
        action_KJA = rows.action_NA.reshape(k, j, a)
        noise_EKJZ = rows.noise_ENZ.reshape(e, k, j, -1)
        exogenous_EKJX = rows.exogenous_ENX.reshape(e, k, j, -1)
        counted = h if decision.account is None else min(decision.account.remaining_steps, h)
        weight_HSEJ = _begin(horizon, decision, counted)
        scale_S111 = _delay_scale(decision.topology).astype(np.float32)[:, None, None, None]
        for step in range(h):
            check()
            action_KJA[:] = action_KHA[:, step, None]
            noise_EKJZ[:] = decision.futures.noise_HEJZ[step][:, None]
            exogenous_EKJX[:] = decision.futures.exogenous_HEJX[step][:, None]
            mean, std = rows.step()
            if not (np.isfinite(mean).all() and np.isfinite(std).all()):
                raise ModelMismatchError("controllable_step: KPIs are not finite")
            if step < counted:
                bounded = [x.reshape(e, k, j, s, -1)[..., BOUNDED].transpose(4, 3, 0, 2, 1) for x in (mean, std)]
                noise_R2SEJ1 = decision.kpi_noise_HR2SEJ[step, ..., None]
                _add_draws(horizon, bounded[0], bounded[1], noise_R2SEJ1, weight_HSEJ[step, ..., None], scale_S111)
            if levels is not None:
                mixture = [m.reshape(e, k, j, s, -1).swapaxes(1, 2).reshape(e * j, k, s, -1) for m in (mean, std)]
                fans.append(kpi_quantiles(mixture[0], mixture[1], levels))
        self._pool.give_back(k * j, rows)
        return _scores(horizon, decision.topology, fans if levels is not None else None)


def _begin(horizon_R2SEJK: Float, decision: Decision, counted: int) -> Float:
    """Put the window's past into the sums; returns the weight of each counted step [H, S, E, J]: its share of the offered load.

    Even weights where a slice offers nothing.
    """
    offered = np.maximum(decision.offered_HEJS[:counted], 0.0).astype(np.float64).transpose(0, 3, 1, 2)
    account = decision.account
    total = offered.sum(0)
    if account is not None:
        past = account.offered_S[:, None, None]
        total = total + past
        share = np.divide(past, total, out=np.zeros_like(total), where=total > 1e-9).astype(np.float32)[..., None]
        horizon_R2SEJK[:, 0] += share * account.loss_S.astype(np.float32)[:, None, None, None]
        past_ratio = np.minimum(account.delay_S / _delay_scale(decision.topology), _RATIO_MAX).astype(np.float32)
        horizon_R2SEJK[:, 1] += share * (past_ratio**DELAY_POWER)[:, None, None, None]
    even = np.full_like(offered, 1.0 / counted)
    return np.where(total > 1e-9, offered / np.maximum(total, 1e-9), even).astype(np.float32)


def _delay_scale(topology: Topology) -> NDArray[np.float64]:
    """Delay [S] [ms] that counts as 1 in the power mean: the slice's bound, 1 s without one; its power must fit a float32."""
    return np.where(np.isnan(topology.delay_p99_max_ms), 1000.0, topology.delay_p99_max_ms)


def _add_draws(
    horizon_R2SEJK: Float,
    mean_2SEJK: Float,
    std_2SEJK: Float,
    noise_R2SEJ1: Float,
    weight_SEJ1: Float,
    delay_scale_S111: Float,
) -> None:
    """Add one step's weighted draws of loss and delay: twm.core.kpis.kpi_draw in one expression, two draws for each noise.

    With z = log(x + c): x' = exp(log(m + c) + sigma n) - c = (m + c) exp(s n / (m + c)) - c, c = 0.01 for loss, 0 for delay.
    """
    centre = np.maximum(mean_2SEJK, _MEAN_FLOOR, order="C")
    centre += _OFFSET
    sigma = np.divide(std_2SEJK, centre, order="C")
    for pair, noise in enumerate(noise_R2SEJ1):
        factor = sigma * noise
        np.minimum(factor, _EXPONENT_MAX, out=factor)
        np.maximum(factor, -_EXPONENT_MAX, out=factor)
        np.exp(factor, out=factor)
        for sign, scale in enumerate((np.multiply, np.divide)):  # divided by e^x is times e^-x: the other draw of the pair
            drawn = scale(centre, factor)
            np.subtract(drawn, _OFFSET, out=drawn)
            np.maximum(drawn, _MEAN_FLOOR, out=drawn)
            np.minimum(drawn, _UPPER, out=drawn)
            _raise(drawn[1], delay_scale_S111)
            np.multiply(drawn, weight_SEJ1, out=drawn)
            horizon_R2SEJK[2 * pair + sign] += drawn


def _raise(delay_SEJK: Float, scale_S111: Float) -> None:
    """In place: delay over its scale to the power DELAY_POWER."""
    delay = delay_SEJK
    np.divide(delay, scale_S111, out=delay)
    np.minimum(delay, _RATIO_MAX, out=delay)
    for _ in range(int(DELAY_POWER).bit_length() - 1):
        np.multiply(delay, delay, out=delay)


def _scores(horizon_R2SEJK: Float, topology: Topology, fans: list[NDArray[np.float64]] | None) -> RolloutScores:
    horizon_R2SEJK[:, 1] **= np.float32(1.0 / DELAY_POWER)
    horizon_R2SEJK[:, 1] *= _delay_scale(topology).astype(np.float32)[:, None, None, None]
    loss, delay = (np.moveaxis(horizon_R2SEJK[:, i], 1, -1) for i in range(2))
    least_REJK = least_margin(loss, delay, topology)
    margin_REJK = np.maximum(least_REJK, 0.0)
    broken_REJKS = violated(loss, delay, topology)
    return RolloutScores(
        scm_K=margin_REJK.mean((0, 1, 2)).astype(np.float32),
        cvar_K=worst_mean(margin_REJK.reshape(-1, margin_REJK.shape[-1]), CVAR_SHARE).astype(np.float32),
        shortfall_K=shortfall(least_REJK).mean((0, 1, 2)).astype(np.float32),
        soft_K=soft_margin(loss, delay, topology).mean((0, 1, 2)).astype(np.float32),
        violation_KS=broken_REJKS.mean((0, 1, 2)).astype(np.float32),
        any_violation_K=broken_REJKS.any(-1).mean((0, 1, 2)).astype(np.float32),
        disagreement_K=margin_REJK.mean((0, 2)).std(0).astype(np.float32),
        kpi_quantiles_KHQSP=None if fans is None else np.stack(fans).transpose(2, 0, 1, 3, 4).astype(np.float32),
    )


def worst_mean(value_MK: NDArray[np.floating], share: float) -> NDArray[np.floating]:
    """Mean of the lowest `share` of M values [K], at least of one."""
    count = max(round(share * len(value_MK)), 1)
    return np.asarray(np.partition(value_MK, count - 1, axis=0)[:count].mean(0))


def _join(parts: Sequence[RolloutScores]) -> RolloutScores:
    if len(parts) == 1:
        return parts[0]
    fans = [part.kpi_quantiles_KHQSP for part in parts]
    return RolloutScores(
        scm_K=np.concatenate([p.scm_K for p in parts]),
        cvar_K=np.concatenate([p.cvar_K for p in parts]),
        shortfall_K=np.concatenate([p.shortfall_K for p in parts]),
        soft_K=np.concatenate([p.soft_K for p in parts]),
        violation_KS=np.concatenate([p.violation_KS for p in parts]),
        any_violation_K=np.concatenate([p.any_violation_K for p in parts]),
        disagreement_K=np.concatenate([p.disagreement_K for p in parts]),
        kpi_quantiles_KHQSP=np.concatenate([f for f in fans if f is not None]) if fans[0] is not None else None,
    )
