"""Forecasts in hindsight: recorded frames give the history at a step, the shares that were then applied, and what came of them.

A model asked for the fan of exactly those shares can be judged without any planner between.

Shape suffixes: H slow steps, O observed steps, C cells, S slices, L links, P KPIs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays
from twm.core.frames import FrameArrays
from twm.core.kpis import slice_kpis
from twm.core.network import NetworkSpec

SEEN_MIN = 0.75
"""Least share of the horizon's frames that must be there."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One forecast to be made in hindsight."""

    step: int
    """Slow step of the newest frame of the history."""
    history: list[FrameArrays]
    """Oldest first; missing steps left out."""
    policy: PolicyArrays
    """Applied shares, K = 1."""
    offset_O: NDArray[np.intp]
    """Steps of the horizon that were seen, from 0."""
    ahead: list[FrameArrays]
    """Their frames."""
    seen_OSP: NDArray[np.float64]
    """Their KPIs; NaN where not measured."""


def origin(frames: Mapping[int, FrameArrays], step: int, window: int, spec: NetworkSpec) -> Origin | None:
    """The forecast of `step`; None where its frame, or more than a quarter of the horizon's, is missing."""
    h = spec.timing.horizon_steps
    ahead = [s for s in range(step + 1, step + 1 + h) if s in frames]
    if step not in frames or len(ahead) < SEEN_MIN * h:
        return None
    seen = [frames[s] for s in ahead]
    return Origin(
        step=step,
        history=[frames[s] for s in range(step - window + 1, step + 1) if s in frames],
        policy=applied_policy([frames.get(s) for s in range(step, step + 1 + h)], spec),
        offset_O=np.array(ahead, np.intp) - step - 1,
        ahead=seen,
        seen_OSP=np.stack([slice_kpis(frame.blocks()) for frame in seen]).astype(np.float64),
    )


def origins(frames: Iterable[FrameArrays], window: int, spec: NetworkSpec) -> list[Origin]:
    """Every forecast that the frames allow and that has at least half a window of history, by rising step."""
    by_step = {frame.step: frame for frame in frames}
    found = (origin(by_step, step, window, spec) for step in sorted(by_step))
    return [o for o in found if o is not None and len(o.history) >= (window + 1) // 2]


def applied_policy(frames: Sequence[FrameArrays | None], spec: NetworkSpec) -> PolicyArrays:
    """Shares in force in frames[1:], K = 1: where one was not reported, the last that was; an even split where none was."""
    s = len(spec.slices)
    parts = []
    for name, rows in (("prb_share", len(spec.cells)), ("bandwidth_share", len(spec.transport.links))):
        last = np.full((rows, s), 1.0 / s)
        steps = []
        for frame in frames:
            if frame is not None:
                share = frame.cell_slice_feature(name) if name == "prb_share" else frame.link_slice_feature(name)
                last = np.where(np.isfinite(share), np.clip(share, 0.0, 1.0), last)
            steps.append(last / np.maximum(last.sum(-1, keepdims=True), 1.0))
        parts.append(np.stack(steps[1:])[None].astype(np.float32))
    return PolicyArrays(prb_share_KHCS=parts[0], bandwidth_share_KHLS=parts[1])
