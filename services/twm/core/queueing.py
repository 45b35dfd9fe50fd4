"""Mean-field queues of cells and links: what queueing theory says of a part of the network, where no model was trained to.

The world model predicts KPIs of slices over the whole area. For a zone, a cell or a link this stands in: what exceeds a rate is
lost (E[(load - rate)+] of a Gaussian load), a packet waits burst / (rate - load) at its cell and at each link of its route
(the formulas that the control model has as its base, deploy/docs/adr/0008). Constants are fitted to the frames of the history;
how far the formula was off in those frames corrects it and says how sure it is (`Calibration`).

Limits: no interference between cells beyond what the last frame shows, queues do not last from step to step, and shares far
from any that were seen are extrapolated.

Shape suffixes: K candidates, F futures, H slow steps, C cells, S slices, L links, T fast steps, W frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import FrameArrays
from twm.core.kpis import DELAY_MAX_MS, DELAY_POWER
from twm.core.network import NetworkSpec

Float = NDArray[np.float64]
Z99 = 2.326
"""99th percentile of a standard normal."""
SLACK_LEAST_RATIO = 0.02
"""Least rate that is left for a burst, as a share of the rate."""
LINK_SIGMA_RATIO = 0.5
"""Fluctuation of a link's load relative to a cell's: its cells do not move together."""
BUFFER_BURSTS = 10.0
"""Buffer of a slice with a delay bound, in bursts: a longer one would keep what is late already."""
DOWN_RATIO = 0.1
"""A link with less of its nominal capacity is down."""
_ENOUGH_SAMPLES = 24
_SIGMA_DEFAULT = 0.15


@dataclass(frozen=True, kw_only=True)
class QueueConstants:
    """Measured in frames."""

    base_ms_S: Float
    """Delay of an idle network; NaN where no delay was measured."""
    burst_mbit_S: Float
    """Burst that waits for the rate left over by the load."""
    sigma_S: Float
    """Relative standard deviation of a load within a slow step."""
    link_factor_LS: Float
    """Load that a link sees for each load its cells serve."""
    seen_efficiency_C: Float
    """Spectral efficiency in the newest frame [bit/s/Hz]; NaN where it was not measured."""

    @classmethod
    def fitted(cls, frames: Sequence[FrameArrays], spec: NetworkSpec) -> QueueConstants:
        """Least squares over all fast steps in which nothing was overloaded."""
        _, s, n_links = spec.sizes
        topology = spec.topology()
        route_CL = topology.route.astype(np.float64)
        per_share = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        samples: list[list[Float]] = [[] for _ in range(s)]
        spreads: list[list[Float]] = [[] for _ in range(s)]
        factors: list[Float] = []
        for frame in frames:
            blocks = frame.blocks()
            offered_CST, delay_CST = (blocks["fast"][..., i].astype(np.float64) for i in (0, 1))
            rate_CS = (
                frame.cell_slice_feature("prb_share") * (frame.cell_feature("spectral_efficiency_bps_hz") * per_share)[:, None]
            )
            slack_CST = rate_CS[..., None].astype(np.float64) - offered_CST
            wait_CS = np.zeros(rate_CS.shape)
            if n_links:
                up_L = np.nan_to_num(frame.link_feature("up_ratio"), nan=1.0)
                capacity_L = frame.link_feature("capacity_mbps") * up_L
                rate_LS = frame.link_slice_feature("bandwidth_share") * capacity_L[:, None]
                load_LS = frame.link_slice_feature("offered_mbps").astype(np.float64)
                slack_LS = np.where(rate_LS - load_LS > 0.1 * rate_LS, rate_LS - load_LS, np.nan)
                wait_CS = route_CL @ np.nan_to_num(1.0 / slack_LS)
                lost_CS = (route_CL @ (np.isnan(slack_LS) | (up_L < 0.999)[:, None])) > 0
                wait_CS[lost_CS] = np.nan
                sent_LS = route_CL.T @ np.nan_to_num(frame.cell_slice_feature("served_mbps")).astype(np.float64)
                factors.append(np.where((sent_LS > 1.0) & (up_L > 0.999)[:, None], load_LS / np.maximum(sent_LS, 1.0), np.nan))
            good = np.isfinite(delay_CST) & (slack_CST > 0.1 * rate_CS[..., None]) & np.isfinite(wait_CS)[..., None]
            x_CST = 1000.0 * (1.0 / np.maximum(slack_CST, 1e-6) + wait_CS[..., None])
            mean_CS = offered_CST.mean(-1)
            with np.errstate(invalid="ignore", divide="ignore"):
                relative_CS = offered_CST.std(-1) / mean_CS
            for i in range(s):
                chosen = good[:, i]
                samples[i].append(np.stack([x_CST[:, i][chosen], delay_CST[:, i][chosen]]))
                spreads[i].append(relative_CS[:, i][np.isfinite(relative_CS[:, i])])
        fits = [_fit(np.concatenate(part, 1)) for part in samples]
        sigma = [np.concatenate(part) for part in spreads]
        return cls(
            base_ms_S=np.array([fit[0] for fit in fits]),
            burst_mbit_S=np.array([fit[1] for fit in fits]),
            sigma_S=np.array([float(np.median(v)) if v.size else _SIGMA_DEFAULT for v in sigma]),
            link_factor_LS=_median(factors, (n_links, s)),
            seen_efficiency_C=frames[-1].cell_feature("spectral_efficiency_bps_hz").astype(np.float64),
        )


def _fit(sample_2N: Float) -> tuple[float, float]:
    """(base [ms], burst [Mbit]) of delay = base + burst x X, both at least 0; NaN where there are too few samples."""
    x, y = sample_2N
    if x.size < _ENOUGH_SAMPLES:
        return np.nan, np.nan
    keep = x <= np.quantile(x, 0.98)  # the formula bends near overload
    x, y = x[keep], y[keep]
    centred = x - x.mean()
    variance = float((centred**2).mean())
    burst = float((centred * (y - y.mean())).mean()) / variance if variance > 1e-12 else 0.0
    base = float(np.clip(y.mean() - burst * x.mean(), 0.0, y.min()))
    return base, max(float((x * (y - base)).sum() / (x**2).sum()), 0.0)


def _median(factors: Sequence[Float], shape: tuple[int, int]) -> Float:
    if not factors or not shape[0]:
        return np.ones(shape)
    stacked = np.stack(factors)
    known = np.isfinite(stacked).any(0)
    filled = np.where(np.isfinite(stacked), stacked, np.inf)
    order = np.sort(filled, 0)
    middle = np.take_along_axis(order, (np.isfinite(stacked).sum(0)[None] - 1).clip(0) // 2, 0)[0]
    return np.asarray(np.clip(np.where(known, middle, 1.0), 0.0, 3.0))


@dataclass(frozen=True, kw_only=True)
class Loads:
    """What meets the queues: shares of K candidates and F futures."""

    prb_share_KHCS: NDArray[np.floating]
    bandwidth_share_KHLS: NDArray[np.floating]
    demand_mbps_FHCS: NDArray[np.floating]
    spectral_efficiency_FHC: NDArray[np.floating]
    link_capacity_mbps_FHL: NDArray[np.floating]

    @property
    def steps(self) -> int:
        """Slow steps, H."""
        return int(self.prb_share_KHCS.shape[1])


@dataclass(frozen=True, kw_only=True)
class SliceFlow:
    """One slice's traffic under all candidates and futures."""

    demand_FHC: Float
    delivered_KFHC: Float
    used_KFHC: Float
    """Share of the cell's PRBs in use."""
    share_KHC: Float
    """Share of the cell's PRBs allotted."""
    link_load_KFHL: Float
    """What the link carries of it [Mbps]."""
    mean_ms_KFHC: Float
    p99_ms_KFHC: Float


class QueueModel:
    """The formulas for one network."""

    def __init__(self, spec: NetworkSpec, constants: QueueConstants) -> None:
        topology = spec.topology()
        self._constants = constants
        self._route_CL, self._backup_CL = topology.route.astype(np.float64), topology.backup_route.astype(np.float64)
        self._nominal_L = topology.link_capacity_mbps
        self._detour_ms_C = spec.transport.hop_delay_ms * self._backup_CL.sum(1)
        self._per_share = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        self._step_s = spec.timing.slow_step_s
        self._bound_ms_S = topology.delay_p99_max_ms

    @property
    def constants(self) -> QueueConstants:
        """What was fitted."""
        return self._constants

    def flow(self, loads: Loads, s: int) -> SliceFlow:
        """Slice `s` through cells and links."""
        own = self._constants
        demand = loads.demand_mbps_FHCS[..., s].astype(np.float64)
        share = loads.prb_share_KHCS[..., s].astype(np.float64)
        carrier = np.maximum(loads.spectral_efficiency_FHC.astype(np.float64), 1e-3) * self._per_share
        rate = share[:, None] * carrier + 1e-3
        sigma = own.sigma_S[s]
        spread = demand * sigma + 0.1
        excess = np.minimum(spread * _overflow((demand - rate) / spread), demand)
        sent = demand - excess
        survive, wait, wait99, carried = self._transport(loads, sent, s)
        fixed = own.base_ms_S[s] + self._aside(loads) * self._detour_ms_C
        return SliceFlow(
            demand_FHC=demand,
            delivered_KFHC=sent * survive,
            used_KFHC=np.minimum(sent / carrier, share[:, None]),
            share_KHC=share,
            link_load_KFHL=carried,
            mean_ms_KFHC=np.minimum(fixed + wait + self._wait(demand, rate, s), DELAY_MAX_MS),
            p99_ms_KFHC=np.minimum(fixed + wait99 + self._wait(demand * (1.0 + Z99 * sigma), rate, s), DELAY_MAX_MS),
        )

    def _aside(self, loads: Loads) -> Float:
        """Whether a cell's traffic takes the backup route [F, H, C]."""
        if not self._nominal_L.size:
            return np.zeros(loads.demand_mbps_FHCS.shape[:-1])
        down = (loads.link_capacity_mbps_FHL < DOWN_RATIO * self._nominal_L).astype(np.float64)
        return np.asarray((down @ self._route_CL.T > 0) * (self._backup_CL.any(1)), np.float64)

    def _wait(self, load: Float, rate: Float, s: int) -> Float:
        """Wait for the rate left over by the load, and in a queue that fills over half a step where more comes than goes [ms];
        no longer than a buffer takes to drain that is as small as a delay bound asks for."""
        burst = self._constants.burst_mbit_S[s]
        slack = np.maximum(rate - load, SLACK_LEAST_RATIO * rate)
        wait = 1000.0 * burst / slack + np.maximum(load - rate, 0.0) / rate * (500.0 * self._step_s)
        longest = DELAY_MAX_MS if np.isnan(self._bound_ms_S[s]) else 1000.0 * BUFFER_BURSTS * burst / rate
        return np.asarray(np.minimum(wait, longest), np.float64)

    def _transport(self, loads: Loads, sent_KFHC: Float, s: int) -> tuple[Float, Float, Float, Float]:
        """(share that survives, mean wait [ms], p99 wait [ms]) [K, F, H, C], and what links carry [K, F, H, L] [Mbps]."""
        if not self._nominal_L.size:
            none = np.zeros(sent_KFHC.shape)
            return none + 1.0, none, none, np.zeros((*sent_KFHC.shape[:-1], 0))
        own = self._constants
        aside = self._aside(loads)
        offered = (sent_KFHC * (1.0 - aside)) @ self._route_CL + (sent_KFHC * aside) @ self._backup_CL
        offered = offered * own.link_factor_LS[:, s]
        rate = loads.bandwidth_share_KHLS[..., s].astype(np.float64)[:, None] * loads.link_capacity_mbps_FHL + 1e-3
        spread = offered * (own.sigma_S[s] * LINK_SIGMA_RATIO) + 0.1
        excess = np.minimum(spread * _overflow((offered - rate) / spread), offered)
        passed = np.log(np.maximum(1.0 - excess / (offered + 1e-3), 1e-6))
        peak = offered * (1.0 + Z99 * LINK_SIGMA_RATIO * own.sigma_S[s])
        waits = [self._wait(load, rate, s) for load in (offered, peak)]

        def along(value_KFHL: Float) -> Float:
            straight, detour = value_KFHL @ self._route_CL.T, value_KFHL @ self._backup_CL.T
            return np.asarray(straight + aside * (detour - straight))

        return np.exp(along(passed)), along(waits[0]), along(waits[1]), offered - excess


def _overflow(x: Float) -> Float:
    """E[(Z + x)+] of a standard normal Z within 0.001."""
    t = np.minimum(np.abs(x), 8.0)
    return np.asarray(np.maximum(x, 0.0) + 0.39894 * np.exp(-t * (1.2533 + 0.32 * t)))


def pooled_delay(delay_ms: Float, weight: Float, axes: tuple[int, ...]) -> Float:
    """Power mean of per-step p99 over axes, as twm.core.kpis.horizon_kpis; `weight` broadcasts against it."""
    top = np.maximum(delay_ms.max(axes, keepdims=True), 1e-3)
    total = np.broadcast_to(weight, delay_ms.shape).sum(axes)
    power = ((delay_ms / top) ** DELAY_POWER * weight).sum(axes) / np.maximum(total, 1e-9)
    return np.asarray(power ** (1.0 / DELAY_POWER) * top.reshape(total.shape))
