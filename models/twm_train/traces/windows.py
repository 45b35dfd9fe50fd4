"""Windows of recorded experiments: W steps of history, the H that follow with their actions, and what came before.

Everything a window holds besides `action`, `scheduler` (the logged ones of the steps ahead) and the targets was recorded up to
its newest step. Levels and the memory look back over the whole experiment, not only over W steps.

Shape suffixes: N windows, W history steps, H horizon steps, S slices, P KPIs, F inputs, T steps of an experiment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from twm_train.traces.steps import SCHEDULERS, TRACE_KPIS, Array, Experiment

WINDOW, HORIZON = 8, 5
MEMORY_SHARE, MEMORY_STEPS = 0.05, 120.0
"""Kernel of the memory: past steps count by exp(-|share - wanted| / MEMORY_SHARE) and exp(-age / MEMORY_STEPS)."""
P = len(TRACE_KPIS)
HISTORY_FEATURES = 3 * P + 2 + 5 + SCHEDULERS
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """Normalisation fitted on the training experiments."""

    mean_SP: Array
    std_SP: Array
    log_mean_SP: Array
    log_std_SP: Array

    @classmethod
    def fit(cls, experiments: Sequence[Experiment]) -> Scale:
        """Moments of all steps of all experiments, in physical units and in logarithms."""
        kpi = np.concatenate([e.kpi_TSP for e in experiments])
        return cls(*_moments(kpi), *_moments(_log(kpi)))

    def normal(self, kpi: Array) -> Float:
        """(value - mean) / std [..., S, P]; this is the space of targets and scores."""
        return np.asarray((kpi - self.mean_SP) / self.std_SP, np.float32)

    def physical(self, normal: NDArray[np.floating]) -> Array:
        """Inverse of `normal`, clipped to what is possible."""
        value = np.maximum(np.asarray(normal, np.float64) * self.std_SP + self.mean_SP, 0.0)
        value[..., 2] = np.minimum(value[..., 2], 1.0)
        return value

    def compressed(self, kpi: Array) -> Float:
        """Normalised logarithms [..., S, P]: inputs that span decades."""
        return np.asarray(np.clip((_log(kpi) - self.log_mean_SP) / self.log_std_SP, -6, 6), np.float32)


@dataclass(frozen=True)
class Windows:
    """Windows [N, ...]; unknown inputs are 0 (each has its flag), unknown targets NaN."""

    history_NWSF: Float
    level_NSF: Float
    """Of the experiment so far: mean and spread of each KPI, and the newest step's KPIs, normalised, S x 3P; then UEs."""
    memory_NHSF: Float
    """Of past steps under shares like those ahead: mean of each KPI normalised, its spread, and the logarithm of the weight."""
    action_NHS: Float
    """Shares ahead; 0 where not recorded."""
    before_NHS: Float
    """Shares of the step before each."""
    scheduler_NHSK: Float
    acted_N: Float
    """1 where the trace records shares."""
    target_NHSP: Float
    """Normalised KPIs ahead."""
    offered_NHS: Float
    """Offered load ahead, normalised by the throughput's scale: throughput and growth of the buffer; NaN where unknown."""
    newest_NSP: Float
    """Normalised KPIs of the newest step (persistence); NaN where unknown."""
    experiment_N: NDArray[np.int64]
    step_N: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Windows."""
        return len(self.step_N)

    def take(self, which: NDArray[np.integer] | slice) -> Windows:
        """Some windows."""
        return Windows(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


def windows_of(experiments: Sequence[Experiment], scale: Scale, *, stride: int = 1) -> Windows:
    """All windows of the experiments, each within one segment; `experiment_N` numbers the sequence given."""
    parts = [_of_one(e, i, scale, stride) for i, e in enumerate(experiments)]
    return Windows(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Windows)})


def under(windows: Windows, experiments: Sequence[Experiment], scale: Scale, shares_S: Array) -> Windows:
    """The windows as if these shares were held from the next step on; what is ahead of them in the trace is left as it is."""
    wanted = np.broadcast_to(shares_S.astype(np.float32), windows.action_NHS.shape)
    memory = np.empty_like(windows.memory_NHSF)
    for index, e in enumerate(experiments):
        mine = windows.experiment_N == index
        memory[mine] = _memory(e, scale.normal(e.kpi_TSP), _shares(e), windows.step_N[mine], wanted[mine])
    before = np.concatenate([windows.before_NHS[:, :1], wanted[:, 1:]], 1)
    return replace(windows, action_NHS=wanted.copy(), before_NHS=before, memory_NHSF=memory)


def offered_mbps(experiment: Experiment) -> Array:
    """Throughput and growth of what waits [T, S], at least 0; without a report before, throughput alone."""
    waiting_mbit = experiment.kpi_TSP[..., 1] * 8e-3
    growth = np.diff(waiting_mbit, axis=0, prepend=np.nan) / experiment.period_s[:, None]
    return np.asarray(np.maximum(experiment.kpi_TSP[..., 0] + np.nan_to_num(growth), 0.0))


def _of_one(e: Experiment, index: int, scale: Scale, stride: int) -> Windows:
    newest = np.arange(WINDOW - 1, e.steps - HORIZON, stride)
    newest = newest[e.segment_T[newest - WINDOW + 1] == e.segment_T[newest + HORIZON]]
    past = newest[:, None] + np.arange(1 - WINDOW, 1)
    ahead = newest[:, None] + np.arange(1, HORIZON + 1)
    normal = scale.normal(e.kpi_TSP)
    share = _shares(e)
    kinds = (e.scheduler_TS[..., None] == np.arange(SCHEDULERS)).astype(np.float32)
    offered = ((offered_mbps(e) - scale.mean_SP[:, 0]) / scale.std_SP[:, 0]).astype(np.float32)
    mean, spread = _running(normal)
    rows = _step_inputs(e, scale, share, kinds, offered)
    level = np.concatenate([mean[newest], spread[newest], np.nan_to_num(normal[newest])], -1)
    level = np.concatenate([level, e.ues_TS[newest][..., None] / 2], -1)
    return Windows(
        history_NWSF=rows[past],
        level_NSF=level.astype(np.float32),
        memory_NHSF=_memory(e, normal, share, newest, share[ahead]),
        action_NHS=share[ahead],
        before_NHS=share[ahead - 1],
        scheduler_NHSK=kinds[ahead],
        acted_N=np.isfinite(e.share_TS[newest]).all(-1).astype(np.float32),
        target_NHSP=normal[ahead],
        offered_NHS=np.where(np.isfinite(offered[ahead]), offered[ahead], np.nan).astype(np.float32),
        newest_NSP=normal[newest],
        experiment_N=np.full(len(newest), index),
        step_N=newest.astype(np.int64),
    )


def _shares(e: Experiment) -> Float:
    return np.nan_to_num(e.share_TS).astype(np.float32)


def _step_inputs(e: Experiment, scale: Scale, share: Float, kinds: Float, offered: Float) -> Float:
    """Inputs of each step [T, S, F]."""
    known = np.isfinite(e.kpi_TSP)
    normal = np.clip(np.nan_to_num(scale.normal(e.kpi_TSP)), -6, 6)
    logs = np.nan_to_num(scale.compressed(e.kpi_TSP))
    served = np.nan_to_num(e.kpi_TSP[..., 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(share > 0, np.log1p(served / np.maximum(share, 0.02)), 0.0)
    columns = [
        normal,
        logs,
        known.astype(np.float32),
        np.clip(np.nan_to_num(offered), -6, 6)[..., None],
        rate[..., None] * 0.3,
        share[..., None],
        (share / np.maximum(e.ues_TS, 1))[..., None],
        (e.ues_TS / 2)[..., None],
        (share.sum(-1, keepdims=True) - share)[..., None],
        np.broadcast_to(np.log(np.clip(e.period_s, 0.2, 10.0))[:, None, None], (*share.shape, 1)),
        kinds,
    ]
    return np.concatenate(columns, -1).astype(np.float32)


def _running(values_TSP: Float) -> tuple[Float, Float]:
    """Mean and standard deviation of what was known up to and with each step [T, S, P]; 0 before anything was."""
    known = np.isfinite(values_TSP)
    x = np.clip(np.where(known, values_TSP, 0.0), -6, 6).astype(np.float64)
    count = np.maximum(known.cumsum(0), 1)
    mean = x.cumsum(0) / count
    variance = np.maximum((x**2).cumsum(0) / count - mean**2, 0.0)
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def _memory(e: Experiment, normal: Float, share: Float, newest: NDArray[np.int64], wanted_NHS: Float) -> Float:
    """What the experiment showed before under shares like those wanted [N, H, S, 2P + 1] (Nadaraya 1964, Watson 1964)."""
    known = np.isfinite(normal)
    x = np.clip(np.where(known, normal, 0.0), -6, 6)
    out = np.zeros((len(newest), HORIZON, share.shape[1], 2 * P + 1), np.float32)
    decay = np.exp(-np.arange(e.steps) / MEMORY_STEPS).astype(np.float32)
    stacked = np.concatenate([x, x**2, known[..., :1]], -1).astype(np.float32)
    for row, t in enumerate(newest):
        begin = max(0, t - 3 * int(MEMORY_STEPS))
        age = decay[t - np.arange(begin, t + 1)]
        same = np.abs(e.ues_TS[begin : t + 1] - e.ues_TS[t]) < 0.5
        for s in range(share.shape[1]):
            distance = np.abs(share[begin : t + 1, s] - wanted_NHS[row, :, s, None])
            weight = np.exp(-distance / MEMORY_SHARE) * (age * (0.1 + 0.9 * same[:, s]))
            sums = weight @ stacked[begin : t + 1, s]
            total = sums[:, -1:]
            mean = sums[:, :P] / np.maximum(total, 1e-6)
            spread = np.sqrt(np.maximum(sums[:, P : 2 * P] / np.maximum(total, 1e-6) - mean**2, 0.0))
            out[row, :, s] = np.concatenate([mean, spread, np.log1p(total)], -1)
    return out


def _log(kpi: Array) -> Array:
    """Logarithms that keep 0 finite: of throughput above 10 kbps and of buffers above 100 bytes; ratios as they are."""
    return np.stack([np.log1p(kpi[..., 0] / 0.01), np.log1p(kpi[..., 1] / 0.1), kpi[..., 2]], -1)


def _moments(values: Array) -> tuple[Array, Array]:
    known = np.isfinite(values)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0.0).sum(0) / count
    std = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(0) / count)
    return mean, np.maximum(std, 1e-6)
