"""Radio geometry of one seed: users around each cell, path gains, SINR-quantile users.

Shape suffixes: C cells (serving), N candidate users, Q SINR-quantile users, J cells (interfering).
Source: TR 38.901 UMa, tables 7.4.1-1 (path loss) and 7.4.2-1 (line of sight).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm_twin.layout import TwinLayout
from twm_twin.parameters import Radio

Doubles = NDArray[np.float64]
_CANDIDATES = 64
_LIGHT_M_S = 299_792_458.0
_NOISE_DBM_HZ = -174.0


@dataclass(frozen=True)
class Geometry:
    """What the efficiency of the cells depends on."""

    noise_CQ: Doubles
    """Noise over signal of each quantile user."""
    interference_CQJ: Doubles
    """Interference of cell J, fully active, over signal; 0 for the own cell."""
    capacity_mbps_C: Doubles
    """Capacity with all cells fully active [Mbps]."""


def efficiency(noise_CQ: Doubles, interference_CQJ: Doubles, activity_J: Doubles, radio: Radio) -> Doubles:
    """Spectral efficiency of a layer [C] [bps/Hz]: mean over users of min(factor x log2(1 + SINR), maximum)."""
    sinr = 1.0 / (noise_CQ + interference_CQJ @ activity_J)
    return np.asarray(np.minimum(radio.efficiency_factor * np.log2(1.0 + sinr), radio.efficiency_max_bps_hz).mean(-1))


def path_loss_db(distance_m: Doubles, line_of_sight: NDArray[np.bool_], radio: Radio) -> Doubles:
    """UMa path loss [dB] at a horizontal distance [m]."""
    h_bs, h_ut, fc = radio.station_height_m, radio.terminal_height_m, radio.carrier_ghz
    d2 = np.maximum(distance_m, 10.0)
    d3 = np.hypot(d2, h_bs - h_ut)
    breakpoint_m = max(4.0 * (h_bs - 1.0) * (h_ut - 1.0) * fc * 1e9 / _LIGHT_M_S, 1.0)
    frequency = 20.0 * np.log10(fc)
    near = 28.0 + 22.0 * np.log10(d3) + frequency
    far = 28.0 + 40.0 * np.log10(d3) + frequency - 9.0 * np.log10(breakpoint_m**2 + (h_bs - h_ut) ** 2)
    los = np.where(d2 <= breakpoint_m, near, far)
    nlos = np.maximum(los, 13.54 + 39.08 * np.log10(d3) + frequency - 0.6 * (h_ut - 1.5))
    return np.asarray(np.where(line_of_sight, los, nlos))


def line_of_sight_probability(distance_m: Doubles) -> Doubles:
    """UMa probability of line of sight for terminals up to 13 m high."""
    d = np.maximum(distance_m, 18.0)
    return np.asarray(np.where(distance_m <= 18.0, 1.0, 18.0 / d + np.exp(-d / 63.0) * (1.0 - 18.0 / d)))


def draw_geometry(layout: TwinLayout, generator: np.random.Generator) -> Geometry:
    """Drop users around each cell, keep those the cell serves best, take its SINR-quantile users."""
    radio, xy_CD = layout.parameters.radio, layout.topology.cell_xy_km
    c = len(xy_CD)
    between = np.linalg.norm(xy_CD[:, None] - xy_CD[None], axis=-1) + np.where(np.eye(c) > 0, np.inf, 0.0)
    radius_C = np.minimum(radio.cell_radius_km, 0.6 * between.min(-1))
    distance, angle = np.sqrt(generator.random((c, _CANDIDATES))), generator.uniform(0, 2 * np.pi, (c, _CANDIDATES))
    offset = np.stack([np.cos(angle), np.sin(angle)], -1) * (distance * radius_C[:, None])[..., None]
    user_CND = xy_CD[:, None] + offset
    distance_m = np.linalg.norm(user_CND[:, :, None] - xy_CD[None, None], axis=-1) * 1000.0
    sight = generator.random(distance_m.shape) < line_of_sight_probability(distance_m)
    shadow = radio.shadowing_db * generator.standard_normal(distance_m.shape)
    received_dbm = radio.tx_power_dbm + radio.antenna_gain_dbi - path_loss_db(distance_m, sight, radio) - shadow
    power_CNJ = 10.0 ** (received_dbm / 10.0)
    bandwidth_hz = layout.bandwidth_mhz / layout.spec.prb_grid.layers * 1e6
    noise = 10.0 ** ((_NOISE_DBM_HZ + 10.0 * np.log10(bandwidth_hz) + radio.noise_figure_db) / 10.0)
    own = np.arange(c)
    q = radio.user_count
    noise_CQ, interference_CQJ = np.zeros((c, q)), np.zeros((c, q, c))
    for cell in own:
        power_NJ = power_CNJ[cell]
        signal = power_NJ[:, cell]
        other = np.where(own == cell, 0.0, power_NJ)
        advantage = signal / np.maximum(other.max(-1), 1e-300)
        served = np.flatnonzero(advantage >= 1.0)
        if len(served) < q:
            served = np.argsort(-advantage, kind="stable")[: max(q, 1)]
        order = served[np.argsort(signal[served] / (noise + other[served].sum(-1)), kind="stable")]
        chosen = order[((np.arange(q) + 0.5) / q * len(order)).astype(np.intp)]
        noise_CQ[cell] = noise / signal[chosen]
        interference_CQJ[cell] = other[chosen] / signal[chosen, None]
    capacity = efficiency(noise_CQ, interference_CQJ, np.ones(c), radio) * layout.bandwidth_mhz
    return Geometry(noise_CQ, interference_CQJ, capacity)
