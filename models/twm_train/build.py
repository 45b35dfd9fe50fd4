"""Normalisation constants from the training episodes, and the untrained CDWM that holds them.

Shape suffixes: N samples, C cells, S slices, L links.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twm.core.features import HistoryLayout, exogenous_layout
from twm.core.frames import CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES, Float
from twm.core.network import NetworkSpec
from twm_train.controllable import ControllableModel
from twm_train.data import Episodes, summed_share
from twm_train.exogenous import ExogenousModel, exogenous_statistics
from twm_train.normalise import ColumnScaler, Coupling


def build_dynamics(
    spec: NetworkSpec, training: Episodes, *, members: int, window: int, recent: int
) -> tuple[ExogenousModel, ControllableModel]:
    """Untrained parts with normalisation constants fitted on the training episodes."""
    layout = exogenous_layout(spec)
    scaler = ColumnScaler.fit(training.values_NTV.reshape(-1, training.values_NTV.shape[-1]))
    share = summed_share(training.action_NTA, spec)
    _, efficiency, _ = layout.split(training.exogenous_NTX)
    coupling = Coupling.fit(share, efficiency)
    factor = coupling.log_factor(share).reshape(-1, len(spec.cells))
    mean, std = exogenous_statistics(layout, training.exogenous_NTX.reshape(-1, layout.width), factor)
    z = training.kpi_z_NTSP.reshape(-1, *training.kpi_z_NTSP.shape[2:])
    kpi_mean, kpi_std = moments(z, least_std=0.02)
    exogenous = ExogenousModel(spec, members, window, scaler, mean, std, coupling.weight_UC)
    controllable = ControllableModel(
        spec,
        members,
        min(recent, window),
        scaler,
        kpi_mean,
        kpi_std,
        coupling.weight_UC,
        link_factor(spec, training),
    )
    return exogenous, controllable


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
