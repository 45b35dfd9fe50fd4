"""Where a decision starts: what was measured, which shares are in force, what the reactive rule says.

Shape suffixes: C cells, L links, S slices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.account import SlaAccount
from twm.core.actions import PolicyArrays
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One frame's decision."""

    history: Sequence[telemetry_pb2.KpiFrame]
    """Consecutive frames, oldest first; the last is the one to answer."""
    frame: FrameArrays
    """The last of `history` in arrays."""
    running: PolicyArrays
    """Shares in force, one step: as reported, else as last reported within the history, else uniform."""
    measured: bool
    """Whether the frame holds any load measurement; without one there is nothing to plan from."""
    seed: int
    """Decision seed: of area and step, so that a redelivered frame gets the same plan."""
    account: SlaAccount
    """What the SLA window has cost so far."""

    @classmethod
    def of(cls, history: Sequence[telemetry_pb2.KpiFrame], spec: NetworkSpec, codec: FrameCodec) -> Situation:
        """Read the history. Raises FrameError where a frame does not fit the spec."""
        frames = [codec.decode(message) for message in history[-1:]]
        frame = frames[-1]
        shares = [_reported(frame)]
        for message in reversed(history[:-1]):
            if not np.isnan(shares[-1][0]).any() and not np.isnan(shares[-1][1]).any():
                break
            older = _reported(codec.decode(message))
            shares.append((_filled(shares[-1][0], older[0]), _filled(shares[-1][1], older[1])))
        prb_CS, bandwidth_LS = shares[-1]
        loads = (frame.cell_slice_feature("offered_mbps"), frame.cell_slice_feature("served_mbps"))
        return cls(
            history=history,
            frame=frame,
            running=PolicyArrays(
                prb_share_KHCS=_valid(prb_CS)[None, None], bandwidth_share_KHLS=_valid(bandwidth_LS)[None, None]
            ),
            measured=not all(np.isnan(load).all() for load in loads),
            seed=decision_seed(spec.area_id, frame.step),
            account=SlaAccount.of([*_in_window(history[:-1], frame.step, spec, codec), frame], spec),
        )


def _in_window(
    older: Sequence[telemetry_pb2.KpiFrame], newest_step: int, spec: NetworkSpec, codec: FrameCodec
) -> list[FrameArrays]:
    """Older frames of the SLA window that the next step belongs to."""
    first = (newest_step + 1) // spec.timing.horizon_steps * spec.timing.horizon_steps
    return [codec.decode(message) for message in older if message.step >= first]


def decision_seed(area_id: str, step: int) -> int:
    """63-bit seed of one decision."""
    digest = hashlib.blake2b(f"{area_id}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _reported(frame: FrameArrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return frame.cell_slice_feature("prb_share").copy(), frame.link_slice_feature("bandwidth_share").copy()


def _filled(newer: NDArray[np.float32], older: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows [., S] of `newer`; whole rows from `older` where one has a gap."""
    return np.where(np.isnan(newer).any(-1, keepdims=True), older, newer)


def _valid(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows with a gap become uniform; rows that sum to more than 1 (rounded read-backs) are scaled down."""
    known = np.where(np.isnan(shares).any(-1, keepdims=True), 1.0 / shares.shape[-1], np.clip(shares, 0.0, 1.0))
    return np.asarray(known / np.maximum(known.sum(-1, keepdims=True), 1.0), np.float32)
