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
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.account import SlaAccount
from twm.core.errors import ModelMismatchError
from twm.core.kpis import DELAY_FLOOR_MS, DELAY_POWER, KPI_NAMES, LOSS_SCALE_RATIO, kpi_quantiles
from twm.core.network import Topology
from twm.core.scm import shortfall, soft_least
from twm.inference.dynamics import ControllablePass, DynamicsModel
from twm.inference.futures import Futures
from twm.inference.states import AssumedStates
from twm.inference.targeting import Targeting
from twm.inference.targets import TargetScores

Float = NDArray[np.float32]

LOSS, DELAY = KPI_NAMES.index("loss_ratio"), KPI_NAMES.index("delay_p99_ms")
BOUNDED = slice(min(LOSS, DELAY), max(LOSS, DELAY) + 1)
"""The KPIs the SCM reads: neighbours at the head of KPI_NAMES, loss first."""
_OFFSET, _MEAN_FLOOR = (
    np.array(pair, np.float32).reshape(2, 1, 1, 1, 1) for pair in ((LOSS_SCALE_RATIO, 0.0), (0.0, DELAY_FLOOR_MS))
)
_EXPONENT_MAX = np.float32(20.0)
_RATIO_MAX = np.float32(100.0)
"""Delay over its bound counts up to this: its power must fit into a float32."""
MAX_KEPT_PASSES = 24
"""A decision of the planner asks for about ten sizes of chunk."""
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
    """Quantiles of the slice KPIs in the first state, before conformal correction; None unless asked for."""
    targets: TargetScores | None = None
    """How they stand to the targets; None where there are none."""


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
    contingencies: tuple[Contingency, ...] = ()
    """Link states that the scores are the mean over; none: links as sampled.

    A link that fails is seen one step later and planned for then. So an outage is played in the first step only, and costs one
    more call of the graph, not a rollout.
    """
    states: AssumedStates | None = None
    """What the futures were changed by (they hold it already), as far as steps of a rollout need it; None: by nothing."""
    targets: Targeting | None = None
    """Bounds that candidates are held against; None: none."""


def kpi_noise(steps: int, members: int, samples: int, slices: int, *, seed: int, pairs: int = 1) -> Float:
    """Standard normal noise [H, R, 2, S, E, J] for `pairs` antithetic pairs of draws."""
    generator = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
    return generator.standard_normal((steps, pairs, 2, slices, members, samples), np.float32)


@dataclass(frozen=True, kw_only=True)
class Contingency:
    """Links that may be down in the first step."""

    down_links: NDArray[np.intp]
    probability: float


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
        exogenous_HEJX = decision.futures.exogenous_HEJX
        fans, sampled = None, None
        if levels is not None or not decision.contingencies:
            sampled = self._play(decision, action_KHA, exogenous_HEJX, check)
            fans = _fans(sampled, levels, decision.states)
        if sampled is not None and not decision.contingencies:
            scores = _scores(_horizon(sampled, decision)[0], decision.topology, fans)
            return _with_targets(scores, decision, sampled, action_KHA, exogenous_HEJX)
        up_HEJX = _all_up(exogenous_HEJX, decision.topology)
        if decision.states is not None:
            decision.states.take_down(up_HEJX)
        undisturbed_2HEKJSP = self._play(decision, action_KHA, up_HEJX, check)
        horizon_R2SEJK, first_R2SEJK = _horizon(undisturbed_2HEKJSP, decision)
        weighted = []
        for contingency in decision.contingencies:
            out_1EJX = up_HEJX[:1].copy()
            out_1EJX[..., out_1EJX.shape[-1] - len(decision.topology.link_capacity_mbps) + contingency.down_links] = 0.0
            step_R2SEJK = _horizon(self._play(decision, action_KHA[:, :1], out_1EJX, check), decision)[1]
            other = np.maximum(horizon_R2SEJK - first_R2SEJK + step_R2SEJK, 0.0)
            weighted.append((contingency.probability, _scores(other, decision.topology, None)))
        undisturbed = _scores(horizon_R2SEJK, decision.topology, fans)
        scores = _mean_over_states(undisturbed, weighted)
        return _with_targets(scores, decision, undisturbed_2HEKJSP, action_KHA, up_HEJX)

    def _play(self, decision: Decision, action_KHA: Float, exogenous_HEJX: Float, check: Callable[[], None]) -> Float:
        """KPI means and standard deviations [2, H, E, K, J, S, P] of the candidates' steps. Raises ModelMismatchError."""
        k, h, a = action_KHA.shape
        sizes = self._model.sizes
        e, j, s, p = sizes.members, exogenous_HEJX.shape[2], sizes.slices, sizes.kpis
        rows = self._pool.take(k * j)
        seen_H2ENSP = np.empty((h, 2, e, k * j, s, p), np.float32)
        rows.reset(decision.futures.latents.controllable_deter_EG, decision.futures.latents.controllable_stoch_EZ)
        action_KJA = rows.action_NA.reshape(k, j, a)
        noise_EKJZ = rows.noise_ENZ.reshape(e, k, j, -1)
        exogenous_EKJX = rows.exogenous_ENX.reshape(e, k, j, -1)
        for step in range(h):
            check()
            action_KJA[:] = action_KHA[:, step, None]
            if decision.states is not None:
                decision.states.narrow(action_KJA, step)
            noise_EKJZ[:] = decision.futures.noise_HEJZ[step][:, None]
            exogenous_EKJX[:] = exogenous_HEJX[step][:, None]
            seen_H2ENSP[step, 0], seen_H2ENSP[step, 1] = rows.step()
        self._pool.give_back(k * j, rows)
        if not np.isfinite(seen_H2ENSP).all():
            raise ModelMismatchError("controllable_step: KPIs are not finite")
        return seen_H2ENSP.reshape(h, 2, e, k, j, s, p).swapaxes(0, 1)


def _fans(
    seen_2HEKJSP: Float, levels: Sequence[float] | None, states: AssumedStates | None = None
) -> NDArray[np.float64] | None:
    """Quantiles of the KPIs; where states are assumed, of the first, which is what is expected to be seen."""
    if levels is None:
        return None
    if states is not None:
        seen_2HEKJSP = seen_2HEKJSP[:, :, :, :, states.first(seen_2HEKJSP.shape[4])]
    _, h, e, k, j, s, p = seen_2HEKJSP.shape
    mean, std = seen_2HEKJSP.transpose(0, 2, 4, 1, 3, 5, 6).reshape(2, e * j, h, k, s, p)
    return kpi_quantiles(mean, std, levels)


def _with_targets(
    scores: RolloutScores, decision: Decision, seen_2HEKJSP: Float, action_KHA: Float, exogenous_HEJX: Float
) -> RolloutScores:
    if decision.targets is None:
        return scores
    found = decision.targets.scores(
        seen_2HEKJSP,
        decision.kpi_noise_HR2SEJ,
        decision.offered_HEJS,
        action_KHA,
        exogenous_HEJX,
        decision.states,
    )
    return replace(scores, targets=found)


def _all_up(exogenous_HEJX: Float, topology: Topology) -> Float:
    """The futures with every link as good as in the best step of the best sample."""
    links = len(topology.link_capacity_mbps)
    out = exogenous_HEJX.copy()
    if links:
        out[..., -links:] = exogenous_HEJX[..., -links:].max((0, 1, 2))
    return out


def _mean_over_states(undisturbed: RolloutScores, weighted: Sequence[tuple[float, RolloutScores]]) -> RolloutScores:
    """Scores averaged over link states; disagreement and quantiles stay those without an outage."""
    rest = 1.0 - sum(probability for probability, _ in weighted)

    def mean(name: str) -> Float:
        value = rest * getattr(undisturbed, name) + sum(p * getattr(scores, name) for p, scores in weighted)
        return np.asarray(value, np.float32)

    names = ("scm_K", "cvar_K", "shortfall_K", "soft_K", "violation_KS", "any_violation_K")
    means: dict[str, Any] = {name: mean(name) for name in names}
    return replace(undisturbed, **means)


def _horizon(seen_2HEKJSP: Float, decision: Decision) -> tuple[Float, Float]:
    """Loss and delay over the window [R, 2, S, E, J, K] of every draw (two for each noise), the delay as a power of its scale;
    and what the first step has in it.

    Each step's draws (twm.core.kpis.kpi_draw in one expression) count by the step's share of the offered load.
    With z = log(x + c): x' = exp(log(m + c) + sigma n) - c = (m + c) exp(s n / (m + c)) - c, c = 0.01 for loss, 0 for delay.
    """
    _, h, e, k, j, s, _ = seen_2HEKJSP.shape
    whole = len(decision.offered_HEJS)
    window = whole if decision.account is None else min(decision.account.remaining_steps, whole)
    counted = min(window, h)
    scale_S111 = _delay_scale(decision.topology).astype(np.float32)[:, None, None, None]
    past_2SEJ, weight_HSEJ = _past_and_weights(decision, window)
    weight_HSEJ = weight_HSEJ[:counted]
    centre_H2SEJK, spread = (x[:counted, ..., BOUNDED].transpose(0, 5, 4, 1, 3, 2) for x in seen_2HEKJSP)
    centre_H2SEJK = np.maximum(centre_H2SEJK, _MEAN_FLOOR, order="C")
    centre_H2SEJK += _OFFSET
    sigma_H2SEJK = np.divide(spread, centre_H2SEJK, order="C")
    pairs = decision.kpi_noise_HR2SEJ.shape[1]
    horizon = np.empty((2 * pairs, 2, s, e, j, k), np.float32)
    first = np.empty_like(horizon)
    terms = np.empty((1 + counted, 2, s, e, j, k), np.float32)  # the past, then the steps: summed in this order
    terms[0] = past_2SEJ[..., None]
    drawn, factor = terms[1:], np.empty_like(sigma_H2SEJK)
    for pair in range(pairs):
        np.multiply(sigma_H2SEJK, decision.kpi_noise_HR2SEJ[:counted, pair, ..., None], out=factor)
        np.minimum(factor, _EXPONENT_MAX, out=factor)
        np.maximum(factor, -_EXPONENT_MAX, out=factor)
        np.exp(factor, out=factor)
        for sign, scale in enumerate((np.multiply, np.divide)):  # divided by e^x is times e^-x: the other draw of the pair
            scale(centre_H2SEJK, factor, out=drawn)
            np.subtract(drawn, _OFFSET, out=drawn)
            np.maximum(drawn, _MEAN_FLOOR, out=drawn)
            np.minimum(drawn[:, 0], np.float32(1.0), out=drawn[:, 0])
            _raise(drawn[:, 1], scale_S111)
            np.multiply(drawn, weight_HSEJ[:, None, ..., None], out=drawn)
            np.add.reduce(terms, axis=0, out=horizon[2 * pair + sign])
            first[2 * pair + sign] = drawn[0]
    return horizon, first


def _past_and_weights(decision: Decision, counted: int) -> tuple[Float, Float]:
    """The window's past as it enters the sums [2, S, E, J], and the weight of each counted step [H, S, E, J].

    A weight is the step's share of the offered load; even weights where a slice offers nothing.
    """
    offered = np.maximum(decision.offered_HEJS[:counted], 0.0).astype(np.float64).transpose(0, 3, 1, 2)
    account = decision.account
    total = offered.sum(0)
    past_2SEJ = np.zeros((2, *total.shape), np.float32)
    if account is not None:
        past = account.offered_S[:, None, None]
        total = total + past
        share = np.divide(past, total, out=np.zeros_like(total), where=total > 1e-9).astype(np.float32)
        past_2SEJ[0] = share * account.loss_S.astype(np.float32)[:, None, None]
        past_ratio = np.minimum(account.delay_S / _delay_scale(decision.topology), _RATIO_MAX).astype(np.float32)
        past_2SEJ[1] = share * (past_ratio**DELAY_POWER)[:, None, None]
    even = np.full_like(offered, 1.0 / counted)
    return past_2SEJ, np.where(total > 1e-9, offered / np.maximum(total, 1e-9), even).astype(np.float32)


def _delay_scale(topology: Topology) -> NDArray[np.float64]:
    """Delay [S] [ms] that counts as 1 in the power mean: the slice's bound, 1 s without one; its power must fit a float32."""
    return np.where(np.isnan(topology.delay_p99_max_ms), 1000.0, topology.delay_p99_max_ms)


def _raise(delay_HSEJK: Float, scale_S111: Float) -> None:
    """In place: delay over its scale to the power DELAY_POWER."""
    np.divide(delay_HSEJK, scale_S111, out=delay_HSEJK)
    np.minimum(delay_HSEJK, _RATIO_MAX, out=delay_HSEJK)
    for _ in range(int(DELAY_POWER).bit_length() - 1):
        np.multiply(delay_HSEJK, delay_HSEJK, out=delay_HSEJK)


def _scores(horizon_R2SEJK: Float, topology: Topology, fans_QHKSP: NDArray[np.float64] | None) -> RolloutScores:
    """Scores of the draws; as twm.core.scm, with the margins computed once and K innermost."""
    horizon_R2SEJK[:, 1] **= np.float32(1.0 / DELAY_POWER)
    horizon_R2SEJK[:, 1] *= _delay_scale(topology).astype(np.float32)[:, None, None, None]
    bound_2S = np.stack([topology.loss_max_ratio, topology.delay_p99_max_ms])
    bounded = [(s, i) for s, i in np.ndindex(bound_2S.T.shape) if not np.isnan(bound_2S[i, s])]
    draws = (horizon_R2SEJK.shape[0], *horizon_R2SEJK.shape[3:])
    least_REJK, soft_REJK = np.ones(draws), np.ones(draws)
    broken_SREJK = np.zeros((bound_2S.shape[1], *draws), bool)
    if bounded:
        margins = [1.0 - horizon_R2SEJK[:, i, s].astype(np.float64) / bound_2S[i, s] for s, i in bounded]
        least_REJK = np.minimum.reduce(margins)
        soft_REJK = soft_least(np.stack(margins))
        for (s, _), margin in zip(bounded, margins, strict=True):
            broken_SREJK[s] |= margin < 0.0
    margin_REJK = np.maximum(least_REJK, 0.0)
    means = (margin_REJK, shortfall(least_REJK), soft_REJK, broken_SREJK.any(0), *broken_SREJK)
    scm_K, shortfall_K, soft_K, any_violation_K, *violation_SK = np.stack(means).mean((1, 2, 3)).astype(np.float32)
    return RolloutScores(
        scm_K=scm_K,
        cvar_K=worst_mean(margin_REJK.reshape(-1, margin_REJK.shape[-1]), CVAR_SHARE).astype(np.float32),
        shortfall_K=shortfall_K,
        soft_K=soft_K,
        violation_KS=np.stack(violation_SK, -1),
        any_violation_K=any_violation_K,
        disagreement_K=margin_REJK.mean((0, 2)).std(0).astype(np.float32),
        kpi_quantiles_KHQSP=None if fans_QHKSP is None else fans_QHKSP.transpose(2, 1, 0, 3, 4).astype(np.float32),
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
        targets=TargetScores.concatenate([p.targets for p in parts if p.targets is not None]) if parts[0].targets else None,
    )
