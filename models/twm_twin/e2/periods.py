"""What happened in a cell over one reporting period, from the twin's fast steps.

Within a fast step everything is constant, so a period of any length takes the fast steps by the time they overlap.

Shape suffixes: P periods of the slow step, T fast steps, C cells, S slices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm_twin.simulator import StepResult

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PeriodLoads:
    """Every cell and slice over the periods of one slow step. NaN: nothing to measure."""

    offered_kbit_PCS: Doubles
    served_kbit_PCS: Doubles
    prb_used_ratio_PCS: Doubles
    """PRBs used over PRBs of the carrier, mean over time."""
    drop_ratio_PCS: Doubles
    delay_ms_PCS: Doubles
    """Radio part, mean over the volume offered."""
    users_PCS: Doubles
    """Active UEs, mean over time."""


def overlap_PT(fast_step_s: float, fast_steps: int, period_s: float) -> Doubles:
    """Share of each fast step that lies in each period of the slow step."""
    slow_step_s = fast_step_s * fast_steps
    count = round(slow_step_s / period_s)
    begin_P, begin_T = np.arange(count) * period_s, np.arange(fast_steps) * fast_step_s
    end = np.minimum(begin_P[:, None] + period_s, begin_T + fast_step_s)
    return np.asarray(np.maximum(end - np.maximum(begin_P[:, None], begin_T), 0.0) / fast_step_s)


def loads_of(result: StepResult, period_s: float) -> PeriodLoads:
    """Loads of environment 0 over the periods of a slow step."""
    offered, served = result.offered_kbit_BTCS[0], result.served_kbit_BTCS[0]
    share = overlap_PT(result.fast_step_s, offered.shape[0], period_s)
    mean = share / share.sum(1, keepdims=True)

    def total(values_TCS: Doubles) -> Doubles:
        return np.asarray(np.einsum("pt,tcs->pcs", share, values_TCS))

    volume = total(offered)
    with np.errstate(invalid="ignore", divide="ignore"):
        drop = np.where(volume > 0, total(result.dropped_mbit_BTCS[0] * 1000.0) / volume, np.nan)
        delay = np.where(volume > 0, total(result.radio_delay_ms_BTCS[0] * offered) / volume, np.nan)
    return PeriodLoads(
        offered_kbit_PCS=volume,
        served_kbit_PCS=total(served),
        prb_used_ratio_PCS=np.einsum("pt,tcs->pcs", mean, result.prb_used_ratio_BTCS[0]),
        drop_ratio_PCS=np.minimum(drop, 1.0),
        delay_ms_PCS=delay,
        users_PCS=np.einsum("pt,tcs->pcs", mean, result.users_BTCS[0]),
    )
