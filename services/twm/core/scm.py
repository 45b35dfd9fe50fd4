"""SLA compliance margin (SCM), "Telecom World Models" Eq. 2: the least normalised margin over all SLA terms, floored at 0.

Shape suffixes: ... any leading axes, S slices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twm.core.network import Topology

Floating = NDArray[np.floating]
SOFT_TEMPERATURE, SOFT_LEAST = 0.15, 2.0
"""Temperature of the soft minimum, and how far below 0 a margin counts in it."""
SHORTFALL_MARGIN = 5.0
"""Margin below 0 at which the shortfall is 1."""


def sla_margins(loss_ratio_S: Floating, delay_p99_ms_S: Floating, topology: Topology) -> NDArray[np.float64]:
    """Margins 1 - value / bound [..., S, 2] (loss, delay); NaN where there is no bound or no measurement."""
    with np.errstate(invalid="ignore"):
        loss = 1.0 - np.asarray(loss_ratio_S, np.float64) / topology.loss_max_ratio
        delay = 1.0 - np.asarray(delay_p99_ms_S, np.float64) / topology.delay_p99_max_ms
    return np.stack([loss, delay], -1)


def least_margin(loss_ratio_S: Floating, delay_p99_ms_S: Floating, topology: Topology) -> NDArray[np.float64]:
    """SCM without its floor [...]; NaN where a bounded KPI is missing, 1 where nothing has a bound."""
    margins = sla_margins(loss_ratio_S, delay_p99_ms_S, topology)
    bounded = np.stack([~np.isnan(topology.loss_max_ratio), ~np.isnan(topology.delay_p99_max_ms)], -1)
    if not bounded.any():
        return np.ones(margins.shape[:-2])
    filled = np.where(bounded, margins, np.inf)
    return np.asarray(filled.reshape(*filled.shape[:-2], -1).min(-1))


def scm(loss_ratio_S: Floating, delay_p99_ms_S: Floating, topology: Topology) -> NDArray[np.float64]:
    """SCM [...]: least margin, floored at 0; NaN where a bounded KPI is missing."""
    return np.asarray(np.maximum(least_margin(loss_ratio_S, delay_p99_ms_S, topology), 0.0))


def soft_margin(loss_ratio_S: Floating, delay_p99_ms_S: Floating, topology: Topology) -> NDArray[np.float64]:
    """Soft minimum of the margins [...]: -T log(mean(exp(-margin / T))) over the bounded terms; 1 where nothing has a bound.

    A hard minimum leaves every other term to chance; which term will bind at the end is not known when a step is decided.
    """
    margins = sla_margins(loss_ratio_S, delay_p99_ms_S, topology)
    bounded = np.stack([~np.isnan(topology.loss_max_ratio), ~np.isnan(topology.delay_p99_max_ms)], -1)
    if not bounded.any():
        return np.ones(margins.shape[:-2])
    return soft_least(np.moveaxis(margins[..., bounded], -1, 0))


def soft_least(margin_M: Floating) -> NDArray[np.float64]:
    """Soft minimum over the leading axis of margins [M, ...]; see `soft_margin`."""
    terms = np.clip(margin_M, -SOFT_LEAST, 1.0)
    return np.asarray(-SOFT_TEMPERATURE * np.log(np.exp(-terms / SOFT_TEMPERATURE).mean(0)))


def shortfall(least_margin: Floating) -> NDArray[np.float64]:
    """A fifth of what a least margin [...] lies below 0, at most 1: still ranks policies whose SCM is 0."""
    return np.asarray(np.clip(-least_margin / SHORTFALL_MARGIN, 0.0, 1.0))


def violated(loss_ratio_S: Floating, delay_p99_ms_S: Floating, topology: Topology) -> NDArray[np.bool_]:
    """Whether any term of the slice's SLA is broken [..., S]; missing KPIs break nothing."""
    margins = sla_margins(loss_ratio_S, delay_p99_ms_S, topology)
    return np.asarray((margins < 0.0).any(-1))


def weighted_quantile(values: Floating, weights: Floating, level: float) -> float:
    """Least value whose cumulative weight reaches `level` of the total, over all axes; NaN where nothing is measured."""
    v, w = np.asarray(values, np.float64).reshape(-1), np.asarray(weights, np.float64).reshape(-1)
    good = np.isfinite(v) & np.isfinite(w) & (w > 0)
    if not good.any():
        return float("nan")
    v, w = v[good], w[good]
    order = np.argsort(v, kind="stable")
    cumulative = np.cumsum(w[order])
    index = int(np.searchsorted(cumulative, level * cumulative[-1] * (1 - 1e-12)))
    return float(v[order][min(index, len(v) - 1)])
