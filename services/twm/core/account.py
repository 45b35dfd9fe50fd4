"""SLA accounting: what a compliance window has already cost when its next step is decided.

SLAs bind over a window (loss and the 99th percentile are pooled over it), and a planner that forgets what was lost in its first
steps spends the same allowance again at every decision: each plan alone is within the SLA, all of them together are not.
Windows are as long as the horizon and aligned to step numbers.

Shape suffixes: ... any leading axes, S slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.kpis import DELAY_MAX_MS, DELAY_POWER, KPI_NAMES, offered_by_slice, slice_kpis
from twm.core.network import NetworkSpec
from twm.core.scm import least_margin

Float = NDArray[np.float64]
_LOSS, _DELAY = KPI_NAMES.index("loss_ratio"), KPI_NAMES.index("delay_p99_ms")


@dataclass(frozen=True, kw_only=True)
class SlaAccount:
    """The window so far."""

    remaining_steps: int
    """Slow steps from the next one on that belong to the window, at least 1."""
    offered_S: Float
    """Offered load summed over the window's past steps [Mbps x steps]; 0 where nothing passed yet."""
    loss_S: Float
    """Lost share of it, 0..1."""
    delay_S: Float
    """Power mean of the per-step p99 [ms] (twm.core.kpis.horizon_kpis), 0 where none was measured."""

    @classmethod
    def of(cls, frames: Sequence[FrameArrays], spec: NetworkSpec) -> SlaAccount:
        """Account of the window that the step after the newest frame belongs to, from the frames of it that are there."""
        horizon, s = spec.timing.horizon_steps, len(spec.slices)
        following = max(frame.step for frame in frames) + 1
        first = following // horizon * horizon
        offered, lost, late, measured = np.zeros(s), np.zeros(s), np.zeros(s), np.zeros(s)
        for frame in frames:
            if frame.step < first:
                continue
            blocks = frame.blocks()
            volume = np.nan_to_num(offered_by_slice(blocks).astype(np.float64))
            kpi = slice_kpis(blocks).astype(np.float64)
            offered += volume
            lost += volume * np.nan_to_num(kpi[:, _LOSS])
            known = np.isfinite(kpi[:, _DELAY])
            late += np.where(known, volume * np.minimum(np.nan_to_num(kpi[:, _DELAY]), DELAY_MAX_MS) ** DELAY_POWER, 0.0)
            measured += np.where(known, volume, 0.0)
        return cls(
            remaining_steps=first + horizon - following,
            offered_S=offered,
            loss_S=lost / np.maximum(offered, 1e-9),
            delay_S=(late / np.maximum(measured, 1e-9)) ** (1.0 / DELAY_POWER),
        )

    @property
    def begun(self) -> bool:
        """Whether the window has a past."""
        return bool((self.offered_S > 0).any())

    def pooled(self, loss_S: Float, delay_S: Float, offered_S: Float) -> tuple[Float, Float]:
        """(loss, delay) of the whole window [..., S] from those of its remaining steps, with their offered load [..., S]."""
        total = np.maximum(self.offered_S + offered_S, 1e-9)
        before, after = self.offered_S / total, offered_S / total
        loss = before * self.loss_S + after * loss_S
        late = before * self.delay_S**DELAY_POWER + after * np.minimum(np.nan_to_num(delay_S), DELAY_MAX_MS) ** DELAY_POWER
        return loss, np.where(np.isnan(delay_S), np.nan, late ** (1.0 / DELAY_POWER))

    def least_margin(self, loss_S: Float, delay_S: Float, offered_S: Float, spec: NetworkSpec) -> Float:
        """Least SLA margin of the whole window [...]; arguments as `pooled`."""
        return least_margin(*self.pooled(loss_S, delay_S, offered_S), spec.topology())

    def to_message(self) -> worldmodel_pb2.SlaAccount:
        """As protobuf."""
        return worldmodel_pb2.SlaAccount(
            remaining_steps=self.remaining_steps,
            offered_mbps_steps=self.offered_S,
            loss_ratio=np.clip(self.loss_S, 0.0, 1.0),
            delay_p99_ms=self.delay_S,
        )

    @classmethod
    def from_message(cls, message: worldmodel_pb2.SlaAccount, spec: NetworkSpec) -> SlaAccount:
        """Checked. Raises InvalidInputError naming field, value and bound."""
        s, horizon = len(spec.slices), spec.timing.horizon_steps
        columns = {}
        for name in ("offered_mbps_steps", "loss_ratio", "delay_p99_ms"):
            values = np.array(getattr(message, name), np.float64)
            if values.shape != (s,):
                raise InvalidInputError(f"account.{name}: {values.size} values, expected one for each of {s} slices")
            if not np.isfinite(values).all() or (values < 0).any():
                raise InvalidInputError(f"account.{name}: {values.tolist()}, expected finite values of at least 0")
            columns[name] = values
        if not 1 <= message.remaining_steps <= horizon:
            raise InvalidInputError(f"account.remaining_steps: {message.remaining_steps}, expected 1..{horizon}")
        return cls(
            remaining_steps=message.remaining_steps,
            offered_S=columns["offered_mbps_steps"],
            loss_S=np.minimum(columns["loss_ratio"], 1.0),
            delay_S=np.minimum(columns["delay_p99_ms"], DELAY_MAX_MS),
        )
