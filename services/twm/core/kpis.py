"""Slice KPIs: what is predicted, in which space, and what follows from a predicted trajectory.

Shape suffixes: ... any leading axes, H slow steps, C cells, S slices, T fast steps, P KPIs, M mixture components.

A graph returns `kpi_mean` and `kpi_std` in physical units, but a slice KPI is skewed, so the model's Gaussian lives in a
transformed space z (`kpi_to_z`): `kpi_mean` is the median z_inverse(mu) and `kpi_std` is sigma times the slope there.
`kpi_gaussian` recovers (mu, sigma) exactly; draws and quantiles go through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import CELL_SLICE_FEATURES, FAST_FEATURES, Float
from twm.core.network import Topology
from twm.core.scm import scm, violated

KPI_NAMES = ("loss_ratio", "delay_p99_ms", "utilisation_ratio", "served_mbps")
LOSS_SCALE_RATIO = 0.01
"""Loss is linear below, logarithmic above this ratio in z."""
DELAY_FLOOR_MS = 0.1
DELAY_POWER, DELAY_MAX_MS = 16, 5000.0
"""Exponent of the power mean over the steps of a horizon, and the largest delay that enters it. On validation seeds under the
reactive rule the pooled percentile lies 2 % above this mean (9 % with exponent 8, 22 % with 1), and follows it best.
"""
LEVELS_PER_COMPONENT = (-1.4051, -0.5688, 0.0, 0.5688, 1.4051)
"""Standard normal quantiles at 0.08, 0.285, 0.5, 0.715, 0.92: one component as five equally weighted points (variance 0.92)."""

ASKED_RATIO = 0.97
"""A least throughput asks for no more than this share of what is offered."""

_LOSS, _DELAY, _USED, _SERVED = range(4)
Array = NDArray[np.floating]


def slice_kpis(blocks: Mapping[str, Float]) -> Float:
    """Observed KPIs of the area [..., S, P] from frame blocks with any leading axes; NaN where nothing was measured.

    loss_ratio: lost share of the offered volume, weighted over cells by offered load (end-to-end, else radio);
    delay_p99_ms: 99th percentile over cells and fast steps of the step, weighted by offered load;
    utilisation_ratio: PRBs used over PRBs allotted; served_mbps: sum over cells.
    """
    cs = blocks["cell_slice"]

    def get(name: str) -> Float:
        return cs[..., CELL_SLICE_FEATURES.index(name)]

    offered, served = get("offered_mbps"), get("served_mbps")
    loss = np.where(np.isnan(get("e2e_loss_ratio")), get("radio_loss_ratio"), get("e2e_loss_ratio"))
    fast = blocks["fast"]
    delay = weighted_p99(fast[..., FAST_FEATURES.index("e2e_delay_ms")], fast[..., FAST_FEATURES.index("offered_mbps")])
    delay = np.where(np.isnan(delay), _weighted_mean(get("e2e_delay_p99_ms"), offered), delay)
    used, share = get("prb_used_ratio"), get("prb_share")
    known = ~np.isnan(used) & ~np.isnan(share)
    used_sum, share_sum = np.where(known, used, 0).sum(-2), np.where(known, share, 0).sum(-2)
    utilisation = np.where(share_sum > 0, used_sum / np.maximum(share_sum, 1e-9), np.nan)
    served_sum = np.where(np.isnan(served).all(-2), np.nan, np.nansum(served, -2))
    return np.stack([_weighted_mean(loss, offered), delay, utilisation, served_sum], -1).astype(np.float32)


def offered_by_slice(blocks: Mapping[str, Float]) -> Float:
    """Offered load of the area [..., S], Mbps; NaN where no cell reports it."""
    offered = blocks["cell_slice"][..., CELL_SLICE_FEATURES.index("offered_mbps")]
    return np.asarray(np.where(np.isnan(offered).all(-2), np.nan, np.nansum(offered, -2)), np.float32)


def _weighted_mean(value_CS: Array, weight_CS: Array) -> NDArray[np.float64]:
    known = np.isfinite(value_CS) & np.isfinite(weight_CS) & (weight_CS > 0)
    weight = np.where(known, weight_CS, 0.0).astype(np.float64)
    total = weight.sum(-2)
    mean = (np.where(known, value_CS, 0.0) * weight).sum(-2) / np.maximum(total, 1e-12)
    return np.asarray(np.where(total > 0, mean, np.nan))


def weighted_p99(value_CST: Array, weight_CST: Array, level: float = 0.99) -> NDArray[np.float64]:
    """Weighted quantile over cells and fast steps [..., S] (as twm.core.scm.weighted_quantile, vectorised)."""
    known = np.isfinite(value_CST) & np.isfinite(weight_CST) & (weight_CST > 0)
    value = np.moveaxis(np.where(known, value_CST, np.inf), -3, -2)
    weight = np.moveaxis(np.where(known, weight_CST, 0.0), -3, -2).astype(np.float64)
    value, weight = value.reshape(*value.shape[:-2], -1), weight.reshape(*weight.shape[:-2], -1)
    order = np.argsort(value, -1, kind="stable")
    cumulative = np.cumsum(np.take_along_axis(weight, order, -1), -1)
    total = cumulative[..., -1:]
    index = (cumulative < level * total * (1 - 1e-12)).sum(-1, keepdims=True)
    found = np.take_along_axis(np.take_along_axis(value, order, -1), np.minimum(index, value.shape[-1] - 1), -1)[..., 0]
    return np.asarray(np.where(total[..., 0] > 0, found, np.nan), np.float64)


def kpi_to_z(kpi: Array) -> NDArray[np.float64]:
    """Physical [..., P] to the space in which the models are Gaussian."""
    x = np.asarray(kpi, np.float64)
    return np.stack(
        [
            np.log1p(np.maximum(x[..., _LOSS], 0) / LOSS_SCALE_RATIO),
            np.log(np.maximum(x[..., _DELAY], DELAY_FLOOR_MS)),
            x[..., _USED],
            np.log1p(np.maximum(x[..., _SERVED], 0)),
        ],
        -1,
    )


def kpi_from_z(z: Array) -> NDArray[np.float64]:
    """Inverse of `kpi_to_z`, clipped to what is physically possible."""
    z = np.asarray(z, np.float64)
    return np.stack(
        [
            np.clip(LOSS_SCALE_RATIO * np.expm1(np.clip(z[..., _LOSS], 0, 20)), 0, 1),
            np.maximum(np.exp(np.clip(z[..., _DELAY], -20, 20)), DELAY_FLOOR_MS),
            np.clip(z[..., _USED], 0, 1),
            np.expm1(np.clip(z[..., _SERVED], 0, 30)),
        ],
        -1,
    )


def kpi_gaussian(mean: Array, std: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(mu, sigma) in z from a graph's `kpi_mean` and `kpi_std` [..., P]."""
    x = np.asarray(mean, np.float64)
    slope = np.stack(
        [
            1.0 / (np.maximum(x[..., _LOSS], 0) + LOSS_SCALE_RATIO),
            1.0 / np.maximum(x[..., _DELAY], DELAY_FLOOR_MS),
            np.ones_like(x[..., _USED]),
            1.0 / (1.0 + np.maximum(x[..., _SERVED], 0)),
        ],
        -1,
    )
    return kpi_to_z(x), np.asarray(std, np.float64) * slope


def kpi_draw(mean: Array, std: Array, noise: Array) -> NDArray[np.float64]:
    """One draw per component [..., P]: `noise` standard normal, broadcast against `mean` (use the same for all candidates)."""
    mu, sigma = kpi_gaussian(mean, std)
    return kpi_from_z(mu + sigma * noise)


def kpi_quantiles(mean_M: Array, std_M: Array, levels: Sequence[float]) -> NDArray[np.float64]:
    """Quantiles [Q, ..., P] of the equal-weight mixture over the leading axis of `mean_M`, `std_M` [M, ..., P]."""
    mu, sigma = kpi_gaussian(mean_M, std_M)
    points = np.concatenate([mu + z * sigma for z in LEVELS_PER_COMPONENT])
    return kpi_from_z(np.quantile(points, levels, axis=0))


def horizon_kpis(kpi_HSP: Array, offered_mbps_HS: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(loss_ratio, delay_p99_ms) over the horizon, each [..., S], from KPIs [..., H, S, P] and offered load [..., H, S].

    Loss is volume-weighted. Delay is the load-weighted power mean of the per-step p99: the 99th percentile pooled over the
    horizon lies near the worst steps, which a plain mean hides: it reads low, and violations look rare.
    """
    weight = np.asarray(offered_mbps_HS, np.float64)
    kpi = np.asarray(kpi_HSP)
    total = np.maximum(weight.sum(-2), 1e-12)
    power = (np.minimum(kpi[..., _DELAY], DELAY_MAX_MS) ** DELAY_POWER * weight).sum(-2) / total
    return (kpi[..., _LOSS] * weight).sum(-2) / total, power ** (1.0 / DELAY_POWER)


def horizon_scm(kpi_HSP: Array, offered_mbps_HS: Array, topology: Topology) -> NDArray[np.float64]:
    """SCM [...] of a trajectory; see `horizon_kpis`."""
    return scm(*horizon_kpis(kpi_HSP, offered_mbps_HS), topology)


def horizon_violated(kpi_HSP: Array, offered_mbps_HS: Array, topology: Topology) -> NDArray[np.bool_]:
    """Whether a slice's SLA is broken over the horizon [..., S]; see `horizon_kpis`."""
    return violated(*horizon_kpis(kpi_HSP, offered_mbps_HS), topology)
