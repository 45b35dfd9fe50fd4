"""Map layers: one number a cell, from the field features that frames and the field model share. Pure.

Shape suffixes: ... any leading axes, C cells, F field features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.features import FIELD_FEATURES
from twm.core.frames import Float
from twm.core.network import NetworkSpec

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer, and how it is shown."""

    id: str
    label: str
    unit: str
    """"ratio", "dB" or "percent"."""
    low: float
    """Value at the bottom of the colour scale."""
    high: float
    """Value at its top."""
    bad: str
    """"high" or "low": the end at which an operator should look."""
    bound: float | None
    """Where it becomes serious; None: no such value."""
    note: str
    decimals: int = 3


def layers_of(spec: NetworkSpec) -> tuple[Layer, ...]:
    """The layers of a network; delay stress only where a slice has a delay bound."""
    found = [
        Layer(
            id="load", label="Load", unit="ratio", low=0.0, high=1.2, bad="high", bound=1.0,
            note="Offered load over what the whole carrier could serve at its spectral efficiency.",
        ),
        Layer(
            id="sinr", label="SINR", unit="dB", low=-5.0, high=25.0, bad="low", bound=None, decimals=1,
            note="Effective SINR: what an ideal link of the same spectral efficiency per layer would have.",
        ),
        Layer(
            id="prb", label="PRB use", unit="ratio", low=0.0, high=1.0, bad="high", bound=0.95,
            note="PRBs used over PRBs of the carrier.",
        ),
        Layer(
            id="loss", label="Loss", unit="ratio", low=0.0, high=0.3, bad="high", bound=None, decimals=4,
            note="Lost share of the offered volume, weighted by load over slices.",
        ),
    ]  # fmt: skip
    critical = [s.id for s in spec.slices if s.sla.delay_p99_max_ms is not None]
    if critical:
        names = ", ".join(critical).upper()
        found.insert(
            2,
            Layer(
                id="stress", label=f"{names if len(names) <= 24 else 'Delay'} stress", unit="ratio", low=0.0, high=1.2,
                bad="high", bound=1.0, note=f"99th percentile of the delay of {names} over its SLA bound (1).",
            ),
        )  # fmt: skip
    return tuple(found)


def layer_values(layer: Layer, field_CF: Float, spec: NetworkSpec) -> Array:
    """Values [..., C] from field features [..., C, F]; NaN where something is missing. Every layer rises or falls with one
    feature, so that quantiles of the feature are quantiles of the layer."""
    field = np.asarray(field_CF, np.float64)

    def feature(name: str) -> Array:
        return np.asarray(field[..., FIELD_FEATURES.index(name)])

    if layer.id == "load":
        return feature("load_ratio")
    if layer.id == "sinr":
        per_layer = np.maximum(feature("spectral_efficiency_bps_hz"), 1e-3) / spec.prb_grid.layers
        return np.asarray(10.0 * np.log10(np.exp2(per_layer) - 1.0))
    if layer.id == "stress":
        bounds = [s.sla.delay_p99_max_ms for s in spec.slices if s.sla.delay_p99_max_ms is not None]
        return np.asarray(feature("critical_delay_p99_ms") / min(bounds))
    if layer.id == "prb":
        return feature("prb_used_ratio")
    return feature("loss_ratio")


def plain(values: NDArray[np.floating], decimals: int) -> list[object]:
    """Nested lists, rounded, None for what is not finite."""
    rounded = np.round(np.asarray(values, np.float64), decimals)
    out = rounded.astype(object)
    out[~np.isfinite(rounded)] = None
    found: list[object] = out.tolist()
    return found
