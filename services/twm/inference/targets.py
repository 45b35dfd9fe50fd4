"""Candidates held against bounds on KPIs: the probability of a violation, how far beyond, and which bound would hold.

What the world model predicts (delay, loss, served load and use of slices over the whole area) comes from its own draws; parts
of the network come from mean-field queues fitted to the history (twm.core.queueing), in the same futures.

Shape suffixes: M targets, K candidates, H slow steps, E members, J exogenous samples, R antithetic pairs, D draws, C cells,
S slices, L links, P slice KPIs, F futures (E x J), W frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.intent.v1 import intent_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import InvalidInputError
from twm.core.frames import FAST_FEATURES, FrameArrays
from twm.core.kpis import ASKED_RATIO, DELAY_FLOOR_MS, KPI_NAMES, LEVELS_PER_COMPONENT, LOSS_SCALE_RATIO, weighted_p99
from twm.core.network import NetworkSpec
from twm.core.queueing import Loads, QueueConstants, QueueModel, SliceFlow, pooled_delay
from twm.inference.states import state_of

Float = NDArray[np.float64]
QUANTILES = (0.05, 0.5, 0.95)
EXCESS_MAX = 3.0
"""Excess over a bound, relative to it, counts up to this."""
_LOSS, _DELAY, _USED = (KPI_NAMES.index(n) for n in ("loss_ratio", "delay_p99_ms", "utilisation_ratio"))
_P99, _MEAN, _LOST, _THROUGHPUT, _UTILISATION = (
    intent_pb2.KPI_DELAY_P99_MS,
    intent_pb2.KPI_DELAY_MEAN_MS,
    intent_pb2.KPI_LOSS_RATIO,
    intent_pb2.KPI_THROUGHPUT_MBPS,
    intent_pb2.KPI_UTILISATION_RATIO,
)
_OFFSET = {_P99: 0.0, _MEAN: 0.0, _LOST: LOSS_SCALE_RATIO, _THROUGHPUT: 1.0, _UTILISATION: 0.02}
"""Added before the logarithm in which errors of the queueing model are taken to be Gaussian."""
_BIAS_MAX, _SIGMA_LEAST, _SIGMA_MOST, _SIGMA_UNSEEN = 0.4, 0.05, 0.25, 0.1


@dataclass(frozen=True, kw_only=True)
class Target:
    """One bound, checked."""

    kpi: intent_pb2.Kpi
    at_most: bool
    bound: float
    slices: NDArray[np.intp]
    cells: NDArray[np.intp]
    """All cells where none was named."""
    links: NDArray[np.intp]
    """Empty: it is about slices or cells."""
    steps: NDArray[np.intp]
    """Empty: all."""
    states: NDArray[np.intp]
    """Empty: all."""
    accepted_probability: float
    whole: bool
    """About the whole area: no cells and links were named."""

    @classmethod
    def of(cls, message: worldmodel_pb2.KpiTarget, spec: NetworkSpec, number: int) -> Target:
        """Raises InvalidInputError naming field, value and bound."""
        c, s, n_links = spec.sizes
        for field, indices, count in (
            ("slices", message.slices, s),
            ("cells", message.cells, c),
            ("links", message.links, n_links),
        ):
            for index in indices:
                if index >= count:
                    raise InvalidInputError(f"targets[{number}].{field}: {index}, the network has {count}")

        def chosen(indices: Sequence[int], count: int) -> NDArray[np.intp]:
            return np.array(sorted(indices) if indices else range(count), np.intp)

        return cls(
            kpi=message.kpi,
            at_most=message.comparator == intent_pb2.COMPARATOR_AT_MOST,
            bound=message.bound,
            slices=chosen(message.slices, s),
            cells=chosen(message.cells, c),
            links=np.array(sorted(message.links), np.intp),
            steps=np.array(sorted(message.steps), np.intp),
            states=np.array(sorted(message.states), np.intp),
            accepted_probability=message.accepted_probability,
            whole=not message.cells and not message.links,
        )

    def counted(self, steps: int) -> NDArray[np.intp]:
        """Steps that count, of `steps` played."""
        return self.steps[self.steps < steps] if self.steps.size else np.arange(steps)

    @property
    def modelled(self) -> bool:
        """Whether the world model predicts it; else the queueing model stands in."""
        if self.kpi == _UTILISATION:
            return self.whole and self.slices.size == 1
        return self.whole and self.kpi in (_P99, _LOST)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How the queueing model stood to the history for one target, in log space."""

    bias: float
    sigma: float


@dataclass(frozen=True, kw_only=True)
class Queues:
    """The queueing model of one history, with what it takes to trust it."""

    model: QueueModel
    history: Loads
    """The history as loads: one candidate, one future, a step for each frame."""
    frames: tuple[FrameArrays, ...]

    @classmethod
    def of(cls, frames: Sequence[FrameArrays], spec: NetworkSpec) -> Queues:
        """Fit to the frames in which anything was measured (at least the newest)."""
        measured = [f for f in frames[:-1] if not np.isnan(f.cell_slice_feature("offered_mbps")).all()] + [frames[-1]]
        known = [_without_gaps(frame, spec) for frame in measured]
        return cls(
            model=QueueModel(spec, QueueConstants.fitted(measured, spec)),
            history=Loads(
                prb_share_KHCS=np.stack([k[0] for k in known])[None],
                bandwidth_share_KHLS=np.stack([k[1] for k in known])[None],
                demand_mbps_FHCS=np.stack([k[2] for k in known])[None],
                spectral_efficiency_FHC=np.stack([k[3] for k in known])[None],
                link_capacity_mbps_FHL=np.stack([k[4] for k in known])[None],
            ),
            frames=tuple(measured),
        )

    def predicts(self, target: Target) -> bool:
        """Whether the history measures what the target is about."""
        if target.kpi in (_P99, _MEAN):
            return bool(np.isfinite(self.model.constants.base_ms_S[target.slices]).all())
        return True

    def calibration(self, target: Target) -> Calibration:
        """Bias and spread of the model's errors in the history."""
        flows = {int(s): self.model.flow(self.history, int(s)) for s in target.slices}
        predicted_W = per_step(target, flows, self.history)[0, 0]
        observed_W = np.array([observed(target, frame) for frame in self.frames])
        offset = _OFFSET[target.kpi]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.log(observed_W + offset + 1e-9) - np.log(predicted_W + offset + 1e-9)
        error = error[np.isfinite(error)]
        if error.size < 3:
            return Calibration(bias=0.0, sigma=_SIGMA_UNSEEN)
        # Small losses are a matter of luck: what they miss says nothing of large ones.
        bias = 0.0 if target.kpi == _LOST else float(np.clip(np.median(error), -_BIAS_MAX, _BIAS_MAX))
        return Calibration(
            bias=bias,
            sigma=float(np.clip(error.std(), _SIGMA_LEAST, _SIGMA_MOST)),
        )


def _without_gaps(frame: FrameArrays, spec: NetworkSpec) -> tuple[Float, ...]:
    """(PRB shares, bandwidth shares, demand, efficiency, link capacity) of a frame; gaps filled with what changes least."""
    s = len(spec.slices)
    efficiency = frame.cell_feature("spectral_efficiency_bps_hz").astype(np.float64)
    known = efficiency[np.isfinite(efficiency)]
    capacity = frame.link_feature("capacity_mbps") * np.nan_to_num(frame.link_feature("up_ratio"), nan=1.0)
    nominal = spec.topology().link_capacity_mbps
    return (
        np.nan_to_num(frame.cell_slice_feature("prb_share").astype(np.float64), nan=1.0 / s),
        np.nan_to_num(frame.link_slice_feature("bandwidth_share").astype(np.float64), nan=1.0 / s),
        np.nan_to_num(frame.cell_slice_feature("offered_mbps").astype(np.float64)),
        np.nan_to_num(efficiency, nan=float(known.mean()) if known.size else 1.0),
        np.where(np.isfinite(capacity), capacity, nominal).astype(np.float64),
    )


def observed(target: Target, frame: FrameArrays) -> float:
    """The target's KPI in one frame; NaN where it was not measured."""
    cells, slices = target.cells, target.slices
    if target.links.size:
        served = np.nansum(frame.link_slice_feature("served_mbps")[np.ix_(target.links, slices)], 1)
        used = served / np.maximum(frame.link_feature("capacity_mbps")[target.links], 1e-9)
        return float(used[np.isfinite(used)].max()) if np.isfinite(used).any() else np.nan
    part = np.ix_(cells, slices)
    offered = frame.cell_slice_feature("offered_mbps")[part].astype(np.float64)
    fast = frame.fast[part]
    delay = fast[..., FAST_FEATURES.index("e2e_delay_ms")]
    weight = fast[..., FAST_FEATURES.index("offered_mbps")]
    if target.kpi == _P99:
        return float(np.max(weighted_p99(delay, weight)))
    if target.kpi == _MEAN:
        good = np.isfinite(delay) & np.isfinite(weight)
        sums = [(np.where(good, a, 0.0) * np.where(good, weight, 0.0)).sum((0, 2)) for a in (delay, np.ones_like(delay))]
        return float((sums[0] / np.where(sums[1] > 0, sums[1], np.nan)).max())
    if target.kpi == _UTILISATION:
        used, share = (frame.cell_slice_feature(n)[part] for n in ("prb_used_ratio", "prb_share"))
        known = np.isfinite(used) & np.isfinite(share)
        total = float(share[known].sum())
        return float(used[known].sum()) / total if total > 0 else np.nan
    loss = np.where(
        np.isnan(frame.cell_slice_feature("e2e_loss_ratio")),
        frame.cell_slice_feature("radio_loss_ratio"),
        frame.cell_slice_feature("e2e_loss_ratio"),
    )[part]
    known = np.isfinite(offered) & np.isfinite(loss)
    lost, total = float((offered * loss)[known].sum()), float(offered[known].sum())
    if target.kpi == _THROUGHPUT:
        return total - lost if known.any() else np.nan
    return lost / total if total > 0 else np.nan


def per_step(target: Target, flows: dict[int, SliceFlow], loads: Loads) -> Float:
    """The target's KPI in each step by itself [K, F, H]."""
    return np.concatenate([pooled(target, flows, loads, np.array([h]))[0][..., None] for h in range(loads.steps)], -1)


def pooled(target: Target, flows: dict[int, SliceFlow], loads: Loads, steps: NDArray[np.intp]) -> tuple[Float, Float]:
    """(the target's KPI over `steps`, what is offered of it) [K, F]; the second only means something for throughput."""
    parts = [flows[int(s)] for s in target.slices]
    cells = target.cells
    nothing = np.zeros((1, 1))
    if target.links.size:
        carried = sum(p.link_load_KFHL[:, :, steps][..., target.links] for p in parts)
        capacity = loads.link_capacity_mbps_FHL[:, steps][..., target.links]
        used = np.where(capacity > 1.0, carried / np.maximum(capacity, 1.0), 0.0)
        return np.asarray(used.max((2, 3))), nothing
    at = [(p.demand_FHC[:, steps][..., cells], p) for p in parts]
    if target.kpi == _P99:
        worst = [pooled_delay(p.p99_ms_KFHC[:, :, steps][..., cells], w, (2, 3)) for w, p in at]
        return np.maximum.reduce(worst), nothing
    if target.kpi == _MEAN:
        worst = [(p.mean_ms_KFHC[:, :, steps][..., cells] * w).sum((2, 3)) / np.maximum(w.sum((1, 2)), 1e-9) for w, p in at]
        return np.maximum.reduce(worst), nothing
    if target.kpi == _UTILISATION:
        used = sum(p.used_KFHC[:, :, steps][..., cells].sum((2, 3)) for _, p in at)
        share = sum(p.share_KHC[:, steps][..., cells].sum((1, 2)) for _, p in at)
        return np.asarray(used / np.maximum(np.asarray(share)[:, None], 1e-9)), nothing
    delivered = np.asarray(sum(p.delivered_KFHC[:, :, steps][..., cells].sum((2, 3)) for _, p in at))
    offered = np.asarray(sum(w.sum((1, 2)) for w, _ in at))[None]
    if target.kpi == _THROUGHPUT:
        return delivered / len(steps), offered / len(steps)
    return 1.0 - delivered / np.maximum(offered, 1e-9), nothing


def modelled_draws(
    target: Target,
    seen_2HEKJSP: NDArray[np.float32],
    noise_HR2SEJ: NDArray[np.float32],
    offered_HEJS: NDArray[np.float32],
    steps: NDArray[np.intp],
) -> tuple[Float, Float]:
    """(draws [D, K, J] of the world model for a target over the whole area, what is offered [D or 1, 1, J])."""
    column = {_P99: _DELAY, _LOST: _LOSS, _UTILISATION: _USED}[target.kpi]
    offset = {_DELAY: 0.0, _LOSS: LOSS_SCALE_RATIO, _USED: 0.0}[column]
    least = DELAY_FLOOR_MS if column == _DELAY else 0.0
    kept, total, out = [], None, None
    for s in target.slices:
        mean, spread = (seen_2HEKJSP[i][steps][..., s, column].astype(np.float64) for i in range(2))  # [h, E, K, J]
        weight_HE1J = np.maximum(offered_HEJS[steps][..., s].astype(np.float64), 1e-9)[:, :, None]
        centre = np.maximum(mean, least) + offset
        draws = []
        for pair in range(noise_HR2SEJ.shape[1]):
            noise = noise_HR2SEJ[steps, pair, 1 if column == _DELAY else 0, s].astype(np.float64)[:, :, None]
            for sign in (1.0, -1.0):
                if column == _USED:
                    draws.append(np.clip(mean + sign * spread * noise, 0.0, 1.0))
                else:
                    draws.append(np.maximum(centre * np.exp(np.clip(sign * spread / centre * noise, -20, 20)) - offset, least))
        drawn_RHEKJ = np.stack(draws)
        if column == _DELAY:
            value = pooled_delay(drawn_RHEKJ, weight_HE1J, (1,))
        elif column == _LOSS:
            drawn_RHEKJ = np.minimum(drawn_RHEKJ, 1.0) * weight_HE1J
            value = drawn_RHEKJ.sum(1)
        else:
            value = drawn_RHEKJ.mean(1)
        kept.append(value)
        here = weight_HE1J.sum(0) if column == _LOSS else weight_HE1J.mean(0)
        total = here if total is None else total + here
    assert total is not None
    out = np.maximum.reduce(kept) if column == _DELAY else np.asarray(sum(kept))
    if column == _LOSS:
        out = out / total
    r, e, k, j = out.shape
    asked = np.broadcast_to(total, (r, e, 1, j)).reshape(r * e, 1, j)
    return out.reshape(r * e, k, j), asked


def queued_draws(
    target: Target, flows: dict[int, SliceFlow], loads: Loads, calibration: Calibration, members: int, steps: NDArray[np.intp]
) -> tuple[Float, Float]:
    """The same from the queueing model: each future with the errors that it had in the history."""
    value_KF, asked_1F = pooled(target, flows, loads, steps)
    offset = _OFFSET[target.kpi]
    z = np.array(LEVELS_PER_COMPONENT)[:, None, None]
    drawn = (value_KF + offset) * np.exp(calibration.bias + calibration.sigma * z) - offset
    if target.kpi in (_LOST, _UTILISATION):
        drawn = np.clip(drawn, 0.0, 1.0)
    elif target.kpi == _THROUGHPUT:
        drawn = np.clip(drawn, 0.0, asked_1F)
    z_count, k, f = drawn.shape
    by_member = drawn.reshape(z_count, k, members, f // members).swapaxes(1, 2).reshape(-1, k, f // members)
    if asked_1F.shape[1] != f:
        return by_member, asked_1F[:, :, None]
    asked = np.broadcast_to(asked_1F.reshape(1, 1, members, f // members), (z_count, 1, members, f // members))
    return by_member, asked.swapaxes(1, 2).reshape(-1, 1, f // members)


@dataclass(frozen=True, kw_only=True)
class TargetScores:
    """How K candidates stand to M targets."""

    predicted_M: NDArray[np.bool_]
    violation_KM: Float
    excess_KM: Float
    quantiles_KMQ: Float
    reach_KM: Float

    @staticmethod
    def concatenate(parts: Sequence[TargetScores]) -> TargetScores:
        """All candidates of `parts`, in order."""
        names = ("violation_KM", "excess_KM", "quantiles_KMQ", "reach_KM")
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return TargetScores(predicted_M=parts[0].predicted_M, **columns)


def stand(target: Target, draw_DKJ: Float, asked_DKJ: Float, state_count: int) -> tuple[Float, Float, Float, Float]:
    """(violation [K], excess [K], quantiles [K, Q], reach [K]) in the worst of the target's states."""
    found = []
    state_J = state_of(draw_DKJ.shape[2], state_count)
    for state in target.states if target.states.size else range(max(state_count, 1)):
        here = np.flatnonzero(state_J == state)
        if not here.size:
            continue
        draw = np.moveaxis(draw_DKJ[:, :, here], 1, -1).reshape(-1, draw_DKJ.shape[1])
        bound: Float | float = target.bound
        if target.kpi == _THROUGHPUT and not target.at_most:
            asked = np.broadcast_to(asked_DKJ[:, :, here if asked_DKJ.shape[2] > 1 else [0]], (len(draw_DKJ), 1, len(here)))
            bound = np.minimum(target.bound, ASKED_RATIO * np.moveaxis(asked, 1, -1).reshape(-1, 1))
        beyond = draw - bound if target.at_most else bound - draw
        relative = np.clip(beyond / max(target.bound, 1e-6), 0.0, EXCESS_MAX)
        level = 1.0 - target.accepted_probability if target.at_most else target.accepted_probability
        values = np.quantile(draw, (*QUANTILES, level), axis=0)
        found.append(((beyond > 1e-9).mean(0), relative.mean(0), values))
    worst = np.maximum if target.at_most else np.minimum
    values = worst.reduce([f[2] for f in found])
    return np.maximum.reduce([f[0] for f in found]), np.maximum.reduce([f[1] for f in found]), values[:-1].T, values[-1]
