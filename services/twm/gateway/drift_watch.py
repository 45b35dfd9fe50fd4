"""Feeds the drift monitor with what proposals promised for the running shares and what frames then showed.

The state is a key in Redis, written in the same step as the scores it comes from, so that it survives restarts, and several
gateways keep one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import numpy as np

from twm.core import metrics
from twm.core.drift import STATES, DriftMonitor, DriftOptions, DriftStatus
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.kpis import slice_kpis
from twm.core.network import NetworkSpec
from twm.core.streams import KeyWrite, StreamNames, Streams
from twm.gateway.scoring import Forecast

log = logging.getLogger(__name__)

DRIFT_KEY = "gateway-drift"
MOVED_RATIO = 0.02
"""Mean absolute change of the applied shares from which on the running fan no longer speaks of what was done."""


class DriftWatch:
    """The monitor of one area."""

    def __init__(self, streams: Streams, names: StreamNames, spec: NetworkSpec) -> None:
        self._streams, self._key = streams, names.key(DRIFT_KEY)
        self._spec = spec
        self._slices = tuple(s.id for s in spec.slices)
        self._options = DriftOptions(block=spec.timing.horizon_steps)

    async def monitor(self) -> tuple[DriftMonitor, bytes]:
        """The monitor as Redis has it, and its stored bytes; a fresh one where they are damaged."""
        stored = await self._streams.get(self._key) or b""
        try:
            return DriftMonitor.load(stored, self._slices, self._options), stored
        except InvalidInputError as error:
            log.warning("%s; beginning anew", error)
            return DriftMonitor(self._slices, self._options), stored

    async def status(self) -> DriftStatus:
        """The monitor's word as Redis has it."""
        return (await self.monitor())[0].status()

    async def take(
        self, forecasts: Iterable[Forecast], frames: Mapping[int, FrameArrays]
    ) -> tuple[list[KeyWrite], DriftStatus | None, DriftStatus | None]:
        """Update with forecasts whose horizon is over: (keys to write, status before and after); nothing where none counts."""
        monitor, stored = await self.monitor()
        before = monitor.status()
        counted = [feed(monitor, forecast, frames, self._spec) for forecast in forecasts]
        if not any(counted):
            return [], None, None
        return [KeyWrite(self._key, monitor.dump(), stored)], before, monitor.status()


def feed(monitor: DriftMonitor, forecast: Forecast, frames: Mapping[int, FrameArrays], spec: NetworkSpec) -> bool:
    """Give the monitor one forecast and the frames of its horizon, up to where other shares were put in force."""
    if forecast.fan_HQSP is None:
        return False
    start = frames.get(forecast.step)
    steps = []
    for step in range(forecast.step + 1, forecast.step + 1 + len(forecast.fan_HQSP)):
        frame = frames.get(step)
        if frame is None:
            continue
        if start is not None and _moved(start, frame):
            break
        steps.append(step)
    if not steps:
        return False
    offsets = np.array(steps) - forecast.step - 1
    seen_OSP = np.stack([slice_kpis(frames[step].blocks()) for step in steps]).astype(np.float64)
    return monitor.update(forecast.step, forecast.quantile_levels, forecast.fan_HQSP[offsets], seen_OSP, model=forecast.model)


def _moved(before: FrameArrays, after: FrameArrays) -> bool:
    parts = [
        np.abs(after.cell_slice_feature("prb_share") - before.cell_slice_feature("prb_share")).reshape(-1),
        np.abs(after.link_slice_feature("bandwidth_share") - before.link_slice_feature("bandwidth_share")).reshape(-1),
    ]
    change = np.concatenate(parts)
    known = change[np.isfinite(change)]
    return bool(known.size) and float(known.mean()) > MOVED_RATIO


def publish(status: DriftStatus) -> None:
    """Set the metrics."""
    for state in STATES:
        metrics.DRIFT_STATE.labels(state).set(state == status.state)
    for kpi, (share, _, _) in status.coverage.items():
        metrics.DRIFT_COVERAGE.labels(kpi).set(share)
    for kpi, value in status.residual.items():
        metrics.DRIFT_RESIDUAL.labels(kpi).set(value)
    for kpi, value in status.surprise_nats.items():
        metrics.DRIFT_SURPRISE.labels(kpi).set(value)


def tell(before: DriftStatus, after: DriftStatus) -> None:
    """Log a change of state."""
    if before.state != after.state:
        level = logging.WARNING if after.state in ("warn", "drift") else logging.INFO
        log.log(
            level, "drift: %s after %s at step %d: %s", after.state, before.state, after.last_step, "; ".join(after.reasons)
        )
