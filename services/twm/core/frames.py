"""KpiFrame layout, and its conversion between protobuf and arrays.

Shape suffixes: C cells, S slices, L links, T fast steps of one slow step. Missing is NaN in arrays and a 0 bit in the
protobuf mask; it is never 0. Measurement names and units follow TS 28.552 where it has one, converted once, here named:

cell_slice [C, S, .]  loads and user plane of a slice in a cell, mean over the slow step
cell [C, .]           the cell as a whole
link_slice [L, S, .]  loads of a slice on a transport link
link [L, .]           the link as a whole
fast [C, S, T, .]     the same at the fast rate, for what varies within a slow step
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import FrameError
from twm.core.network import NetworkSpec
from twm.core.packed import extend_packed

SCHEMA_ID = "kpi-frame/1"

CELL_SLICE_FEATURES = (
    "offered_mbps",  # DRB.PdcpSduVolumeDL / period
    "served_mbps",  # DRB.RlcSduTransmittedVolumeDL / period, else DRB.UEThpDl x active UEs
    "prb_share",  # enforced share of the cell's PRBs (RRMPolicyRatio read-back), 0..1
    "prb_used_ratio",  # RRU.PrbUsedDl / RRU.PrbAvailDl, 0..1
    "radio_loss_ratio",  # DRB.RlcPacketDropRateDl x 1e-6, volume-weighted, 0..1
    "radio_delay_ms",  # DRB.RlcSduDelayDl x 0.1, volume-weighted mean
    "e2e_loss_ratio",  # UPF QoS monitoring, volume-weighted, 0..1
    "e2e_delay_p99_ms",  # 99th percentile over the fast steps, volume-weighted
    "queue_mbit",  # data waiting at the end of the step
    "active_ues",  # DRB.MeanActiveUeDl
)
CELL_FEATURES = (
    "spectral_efficiency_bps_hz",  # served / (used PRBs x PRB bandwidth)
    "prb_used_ratio",  # RRU.PrbTotDl / 100
    "active_ues",
)
LINK_SLICE_FEATURES = ("offered_mbps", "served_mbps", "bandwidth_share", "loss_ratio")
LINK_FEATURES = ("capacity_mbps", "up_ratio")
FAST_FEATURES = ("offered_mbps", "e2e_delay_ms")

BLOCKS = ("cell_slice", "cell", "link_slice", "link", "fast")
Float = NDArray[np.float32]


def block_shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """Shapes of the blocks in the order they are packed."""
    c, s, n_links = spec.sizes
    return {
        "cell_slice": (c, s, len(CELL_SLICE_FEATURES)),
        "cell": (c, len(CELL_FEATURES)),
        "link_slice": (n_links, s, len(LINK_SLICE_FEATURES)),
        "link": (n_links, len(LINK_FEATURES)),
        "fast": (c, s, spec.timing.fast_steps, len(FAST_FEATURES)),
    }


@dataclass(kw_only=True)
class FrameArrays:
    """One slow step in arrays; NaN where nothing was measured. Feature order: the tuples above."""

    step: int
    start_s: float
    """Begin of the slow step, Unix event time [s]."""
    cell_slice: Float
    cell: Float
    link_slice: Float
    link: Float
    fast: Float
    events: list[telemetry_pb2.KnownEvent] = field(default_factory=list)
    report_count: int = 0
    missing_report_count: int = 0
    trace_id: str = ""

    @classmethod
    def missing(cls, spec: NetworkSpec, step: int) -> FrameArrays:
        """A frame in which nothing was measured."""
        blocks: dict[str, Any] = {name: np.full(shape, np.nan, np.float32) for name, shape in block_shapes(spec).items()}
        return cls(step=step, start_s=step * spec.timing.slow_step_s, **blocks)

    def blocks(self) -> Mapping[str, Float]:
        """Block name to array."""
        return {name: getattr(self, name) for name in BLOCKS}

    def cell_slice_feature(self, name: str) -> Float:
        """One cell-slice feature [C, S] (a view)."""
        return self.cell_slice[..., CELL_SLICE_FEATURES.index(name)]

    def link_slice_feature(self, name: str) -> Float:
        """One link-slice feature [L, S] (a view)."""
        return self.link_slice[..., LINK_SLICE_FEATURES.index(name)]

    def cell_feature(self, name: str) -> Float:
        """One cell feature [C] (a view)."""
        return self.cell[..., CELL_FEATURES.index(name)]

    def link_feature(self, name: str) -> Float:
        """One link feature [L] (a view)."""
        return self.link[..., LINK_FEATURES.index(name)]

    def fast_feature(self, name: str) -> Float:
        """One fast feature [C, S, T] (a view)."""
        return self.fast[..., FAST_FEATURES.index(name)]


class FrameCodec:
    """KpiFrame to arrays and back for one network spec."""

    def __init__(self, spec: NetworkSpec) -> None:
        self._spec = spec
        self._shapes = block_shapes(spec)
        self._sizes = [int(np.prod(shape)) for shape in self._shapes.values()]
        self._offsets = np.concatenate([[0], np.cumsum(self._sizes)])
        self._count = int(self._offsets[-1])
        self._topology_digest = spec.topology_digest()

    @property
    def value_count(self) -> int:
        """Values in one frame."""
        return self._count

    def encode(self, frame: FrameArrays) -> telemetry_pb2.KpiFrame:
        """Pack. Raises FrameError where a block has another shape than the spec says, or holds an infinity."""
        parts = []
        for name, shape in self._shapes.items():
            block = getattr(frame, name)
            if block.shape != shape:
                raise FrameError(f"{name}: shape {block.shape}, expected {shape}")
            parts.append(block.reshape(-1))
        flat = np.concatenate(parts).astype(np.float32, copy=False)
        known = ~np.isnan(flat)
        if np.isinf(flat).any():
            raise FrameError(f"values: infinite at index {int(np.argmax(np.isinf(flat)))}")
        message = telemetry_pb2.KpiFrame(
            area_id=self._spec.area_id,
            step=frame.step,
            duration_s=self._spec.timing.slow_step_s,
            schema_id=SCHEMA_ID,
            topology_digest=self._topology_digest,
            mask=np.packbits(known).tobytes(),
            events=frame.events,
            report_count=frame.report_count,
            missing_report_count=frame.missing_report_count,
            trace_id=frame.trace_id,
        )
        extend_packed(message, "values", np.where(known, flat, np.float32(0.0)))
        message.start.FromDatetime(dt.datetime.fromtimestamp(frame.start_s, dt.UTC))
        return message

    def decode(self, message: telemetry_pb2.KpiFrame) -> FrameArrays:
        """Unpack. Raises FrameError where area, schema, topology or sizes differ from the spec, or a value is not finite."""
        if message.area_id != self._spec.area_id:
            raise FrameError(f"area_id: {message.area_id[:64]!r}, expected {self._spec.area_id!r}")
        if message.schema_id != SCHEMA_ID:
            raise FrameError(f"schema_id: {message.schema_id[:64]!r}, expected {SCHEMA_ID!r}")
        if message.topology_digest != self._topology_digest:
            raise FrameError(f"topology_digest: {message.topology_digest[:16]!r}, expected {self._topology_digest[:16]!r}")
        if len(message.values) != self._count or len(message.mask) != (self._count + 7) // 8:
            raise FrameError(
                f"values: {len(message.values)} values and {len(message.mask)} mask bytes, "
                f"expected {self._count} and {(self._count + 7) // 8}"
            )
        flat = np.array(message.values, np.float32)
        if not np.isfinite(flat).all():
            raise FrameError(f"values: not finite at index {int(np.argmin(np.isfinite(flat)))}")
        known = np.unpackbits(np.frombuffer(message.mask, np.uint8), count=self._count).view(bool)
        flat[~known] = np.nan
        o = self._offsets
        blocks: dict[str, Any] = {
            name: flat[o[i] : o[i + 1]].reshape(shape) for i, (name, shape) in enumerate(self._shapes.items())
        }
        return FrameArrays(
            step=message.step,
            start_s=message.start.seconds + message.start.nanos * 1e-9,
            events=list(message.events),
            report_count=message.report_count,
            missing_report_count=message.missing_report_count,
            trace_id=message.trace_id,
            **blocks,
        )
