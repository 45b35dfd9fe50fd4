"""What an operator can record of a step: frames as twm.core.frames defines them. NaN where there is nothing to measure.

Shape suffixes: B environments, C cells, S slices, L links, T fast steps, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import Float, FrameArrays
from twm.core.kpis import weighted_p99
from twm.core.network import NetworkSpec

if TYPE_CHECKING:
    from twm_twin.simulator import StepResult


@dataclass(frozen=True)
class FrameBatch:
    """Frames of B environments; feature order: the tuples of twm.core.frames."""

    step: int
    start_s: float
    """Begin of the slow step [s]; step 0 begins at 0."""
    cell_slice_BCSF: Float
    cell_BCF: Float
    link_slice_BLSF: Float
    link_BLF: Float
    fast_BCSTF: Float

    def frame(self, index: int) -> FrameArrays:
        """Frame of one environment (a copy)."""
        return FrameArrays(
            step=self.step,
            start_s=self.start_s,
            cell_slice=self.cell_slice_BCSF[index].copy(),
            cell=self.cell_BCF[index].copy(),
            link_slice=self.link_slice_BLSF[index].copy(),
            link=self.link_BLF[index].copy(),
            fast=self.fast_BCSTF[index].copy(),
        )


def frame_blocks(batch: FrameBatch) -> dict[str, Float]:
    """The blocks by the names of twm.core.frames, with a leading B."""
    return {
        "cell_slice": batch.cell_slice_BCSF,
        "cell": batch.cell_BCF,
        "link_slice": batch.link_slice_BLSF,
        "link": batch.link_BLF,
        "fast": batch.fast_BCSTF,
    }


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    empty = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.asarray(np.divide(part, whole, out=empty, where=whole > 0))


def record_frames(spec: NetworkSpec, result: StepResult) -> FrameBatch:
    """Frames of a step."""
    seconds = spec.timing.slow_step_s
    weight = result.offered_mbit_BTCS
    offered, served = weight.sum(1), result.served_mbit_BTCS.sum(1)
    delay_BCST, weight_BCST = np.moveaxis(result.delay_ms_BTCS, 1, -1), np.moveaxis(weight, 1, -1)
    p99 = weighted_p99(delay_BCST[:, :, None], weight_BCST[:, :, None])
    cell_slice = [
        offered / seconds,
        served / seconds,
        result.prb_share_BCS,
        result.prb_used_ratio_BTCS.mean(1),
        _ratio(result.dropped_mbit_BTCS.sum(1), offered),
        _ratio((result.radio_delay_ms_BTCS * weight).sum(1), offered),
        np.minimum(_ratio(result.lost_mbit_BTCS.sum(1), offered), 1.0),
        p99,
        result.queue_mbit_BTCS[:, -1],
        result.users_BTCS.mean(1),
    ]
    used = result.prb_used_ratio_BTCS.sum(-1).mean(1)
    carrier_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
    cell = [
        _ratio(served.sum(-1), used * carrier_mhz * seconds),
        np.minimum(used, 1.0),
        result.users_BTCS.sum(-1).mean(1),
    ]
    link_offered = result.link_offered_mbit_BTLS.sum(1)
    link_slice = [
        link_offered / seconds,
        result.link_served_mbit_BTLS.sum(1) / seconds,
        result.bandwidth_share_BLS,
        _ratio(result.link_dropped_mbit_BTLS.sum(1), link_offered),
    ]
    link = [np.broadcast_to(result.link_capacity_mbps_L, result.link_up_BL.shape), result.link_up_BL.astype(np.float64)]
    fast = [weight_BCST / result.fast_step_s, np.where(weight_BCST > 0, delay_BCST, np.nan)]

    def stack(columns: list[NDArray[np.float64]]) -> Float:
        return np.stack(columns, -1).astype(np.float32)

    return FrameBatch(
        step=result.step,
        start_s=result.step * seconds,
        cell_slice_BCSF=stack(cell_slice),
        cell_BCF=stack(cell),
        link_slice_BLSF=stack(link_slice),
        link_BLF=stack(link),
        fast_BCSTF=stack(fast),
    )
