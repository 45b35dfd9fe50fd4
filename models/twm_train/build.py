"""Constants measured in the training episodes, and the untrained models that hold them.

Shape suffixes: N samples, C cells, S slices, L links.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from twm.core.features import FAST_POOLED, FIELD_FEATURES, HistoryLayout, exogenous_layout
from twm.core.frames import CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES, Float
from twm.core.network import NetworkSpec
from twm_train.controllable import ControllableModel
from twm_train.data import Episodes, summed_share
from twm_train.exogenous import Dependence, ExogenousModel, fit_dependence, normal_scores
from twm_train.fwm import FieldModel, to_field_z
from twm_train.losses import demand_truth, summed_prb
from twm_train.normalise import ColumnScaler, Coupling
from twm_train.physics import PhysicsConstants
from twm_train.windows import cut

DEFAULT_SIGMA, DEFAULT_BASE_MS, DEFAULT_BURST_MBIT = 0.12, 4.0, 0.25
"""Where nothing was measured: relative load variation, delay of an idle network, burst."""


def build_field(spec: NetworkSpec, training: Episodes, *, members: int, window: int) -> FieldModel:
    """Untrained Field World Model with constants measured in the training episodes."""
    demand, efficiency, _ = exogenous_layout(spec).split(training.exogenous_NTX)
    share = summed_share(training.action_NTA, spec)
    coupling = Coupling.fit(share, efficiency)
    mean, std = moments(
        to_field_z(torch.from_numpy(training.field_NTCF.reshape(-1, len(FIELD_FEATURES)))).numpy(), least_std=1e-3
    )
    log_demand = np.log1p(demand).reshape(-1, *demand.shape[2:])
    with np.errstate(invalid="ignore"):
        log_se = (np.log(np.maximum(efficiency, 1e-3)) - coupling.log_factor(share)).reshape(-1, efficiency.shape[-1])
    return FieldModel(
        spec,
        members,
        window,
        mean,
        std,
        moments(log_demand, least_std=1e-3)[0],
        moments(log_se, least_std=1e-3)[0],
        coupling.weight_UC,
    )


def build_controllable(spec: NetworkSpec, training: Episodes, *, members: int, recent: int) -> ControllableModel:
    """Untrained controllable part: the physics alone, with constants measured in the training episodes."""
    layout = HistoryLayout.of(spec)
    flat = training.values_NTV.reshape(-1, training.values_NTV.shape[-1])
    z = training.kpi_z_NTSP.reshape(-1, *training.kpi_z_NTSP.shape[2:])
    kpi_mean, kpi_std = moments(z, least_std=0.02)
    return ControllableModel(
        spec, members, recent, feature_scaler(layout, flat), kpi_mean, kpi_std, physics_constants(spec, training)
    )


@torch.no_grad()
def fit_exogenous(spec: NetworkSpec, field: FieldModel, training: Episodes, episodes: int = 256) -> ExogenousModel:
    """The sampler on a trained Field World Model; its dependence is fitted to normal scores of the model's training errors."""
    field.eval()
    model = ExogenousModel(spec, field, Dependence())
    horizon, few = field.horizon, training.take(slice(0, episodes))
    newest = np.arange(min(field.window, few.steps - horizon) - 1, few.steps - horizon, 3)
    episode, at = (grid.reshape(1, -1) for grid in np.meshgrid(np.arange(few.count), newest, indexing="ij"))
    scores, errors = [], []
    for start in range(0, episode.shape[1], 128):
        pick = slice(start, start + 128)
        knows = episode[:, pick] % 2 == 1
        windows = cut(few, episode[:, pick], at[:, pick], field.window, horizon, knows)
        forecast = field.forecast(windows.history.expand(field.members, -1, -1, -1))
        truth, known = demand_truth(windows.exogenous[0], field)
        score = normal_scores(forecast.demand_log.mean(0).movedim(2, -1), truth)
        scores.append(torch.where(known > 0, score, torch.nan).numpy())
        c, s, _ = spec.sizes
        seen = model.action_free(windows.exogenous, summed_prb(windows.action, spec.sizes))[0, ..., c * s : c * s + c]
        errors.append((torch.log(seen.clamp(min=1e-3)) - forecast.efficiency_log.mean(0).unsqueeze(1)).numpy())
    error = np.concatenate(errors)
    sigma = float(np.nanstd(error)) if np.isfinite(error).any() else Dependence.efficiency_sigma
    model.set_dependence(fit_dependence(np.concatenate(scores), model.distance.numpy().astype(np.float64), sigma))
    return model.eval()


def feature_scaler(layout: HistoryLayout, values_NV: Float) -> ColumnScaler:
    """A scaler with one mean and spread a feature, shared by all cells, slices and links, so that it fits any network."""
    mean, std = np.zeros(layout.value_count, np.float32), np.zeros(layout.value_count, np.float32)
    for columns, shape in layout.blocks.values():
        block = values_NV[:, columns].reshape(-1, shape[-1]) if shape[0] else np.zeros((0, shape[-1] if shape else 0))
        if not block.size:
            continue
        squashed = np.sign(block) * np.log1p(np.abs(block))
        m, s = moments(squashed, least_std=1e-4)
        mean[columns] = np.broadcast_to(m, shape).reshape(-1)
        std[columns] = np.broadcast_to(s, shape).reshape(-1)
    return ColumnScaler(mean, std)


def physics_constants(spec: NetworkSpec, training: Episodes) -> PhysicsConstants:
    """What queueing theory needs to know, measured in frames."""
    layout = HistoryLayout.of(spec)
    _, s, _ = spec.sizes
    values = training.values_NTV.reshape(-1, layout.value_count)

    def feature(block: str, index: int) -> NDArray[np.float64]:
        columns, shape = layout.blocks[block]
        return values[:, columns].reshape(-1, *shape)[..., index].astype(np.float64)

    offered = feature("cell_slice", CELL_SLICE_FEATURES.index("offered_mbps"))
    spread = feature("fast", FAST_POOLED.index("offered_std_mbps"))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(offered > 0.1, spread / offered, np.nan)
    sigma = np.array([_median(relative[..., i], DEFAULT_SIGMA) for i in range(s)])
    share = summed_share(training.action_NTA, spec)
    _, efficiency, _ = exogenous_layout(spec).split(training.exogenous_NTX)
    coupling = Coupling.fit(share, efficiency)
    base, burst = _delay_constants(spec, training, offered, feature("fast", FAST_POOLED.index("e2e_delay_mean_ms")))
    return PhysicsConstants(
        coupling_UC=coupling.weight_UC,
        link_factor_LS=link_factor(spec, training),
        sigma_S=sigma.astype(np.float32),
        base_ms=base,
        burst_mbit_S=burst.astype(np.float32),
    )


def _delay_constants(
    spec: NetworkSpec, training: Episodes, offered_NCS: NDArray[np.float64], delay_NCS: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """(delay of an idle network [ms], burst [Mbit] by slice): delay = base + 1000 burst / (rate - load) with slack."""
    c, s, _ = spec.sizes
    _, efficiency, _ = exogenous_layout(spec).split(training.exogenous_NTX)
    carrier = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
    prb = training.action_NTA[..., : c * s].reshape(-1, c, s)
    rate = prb * efficiency.reshape(-1, c, 1) * carrier
    base, burst = np.full(s, np.nan), np.full(s, DEFAULT_BURST_MBIT)
    for i in range(s):
        slack, delay = rate[..., i] - offered_NCS[..., i], delay_NCS[..., i]
        good = np.isfinite(delay) & np.isfinite(slack) & (slack > 0.3 * rate[..., i]) & (delay < 200.0)
        if good.sum() < 100:
            continue
        x = np.stack([np.ones(good.sum()), 1000.0 / slack[good]], -1)
        weight = 1.0 / np.maximum(delay[good], 1.0)  # relative errors
        found = np.linalg.lstsq(x * weight[:, None], delay[good] * weight, rcond=None)[0]
        base[i], burst[i] = np.clip(found[0], 0.2, 100.0), np.clip(found[1], 1e-3, 10.0)
    bounded = ~np.isnan(spec.topology().delay_p99_max_ms)
    return _median(base[bounded] if np.isfinite(base[bounded]).any() else base, DEFAULT_BASE_MS), burst


def _median(values: NDArray[np.float64], default: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else default


def moments(values_ND: Float, *, least_std: float) -> tuple[Float, Float]:
    """(mean, std) over the first axis of what is not NaN; 0 and the least where nothing is."""
    known = np.isfinite(values_ND)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values_ND, 0).sum(0, dtype=np.float64) / count
    spread = np.where(known, values_ND - mean, 0) ** 2
    std = np.maximum(np.sqrt(spread.sum(0, dtype=np.float64) / count), least_std)
    return mean.astype(np.float32), std.astype(np.float32)


def link_factor(spec: NetworkSpec, training: Episodes) -> Float:
    """Load a link is offered per load its cells serve, by slice [L, S]: 1 where nothing was measured."""
    layout, topology = HistoryLayout.of(spec), spec.topology()
    _, s, n_links = spec.sizes
    if n_links == 0:
        return np.ones((0, s), np.float32)
    values = training.values_NTV.reshape(-1, layout.value_count)

    def feature(block: str, index: int) -> NDArray[np.float64]:
        columns, shape = layout.blocks[block]
        return values[:, columns].reshape(-1, *shape)[..., index].astype(np.float64)

    served = feature("cell_slice", CELL_SLICE_FEATURES.index("served_mbps"))
    offered = feature("link_slice", LINK_SLICE_FEATURES.index("offered_mbps"))
    up = feature("link", LINK_FEATURES.index("up_ratio"))
    all_up = np.nan_to_num(up, nan=1.0).min(-1) > 0.999
    through = np.einsum("cl,ncs->nls", topology.route.astype(np.float64), np.nan_to_num(served[all_up]))
    seen = np.nan_to_num(offered[all_up])
    total = through.sum(0)
    return np.where(total > 0, seen.sum(0) / np.maximum(total, 1e-9), 1.0).astype(np.float32).reshape(n_links, s)
