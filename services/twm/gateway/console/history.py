"""What the console keeps of each frame of the last hour: slice KPIs, field features, link use. Pure but for the tail.

Shape suffixes: S slices, P KPIs, C cells, F field features, L links.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import InvalidInputError
from twm.core.features import field_features
from twm.core.frames import Float, FrameCodec
from twm.core.kpis import KPI_NAMES, offered_by_slice, slice_kpis
from twm.core.network import NetworkSpec, Topology
from twm.core.scm import scm
from twm.core.streams import Entry, StreamNames, Streams
from twm.gateway.console.tail import Tail

PAST_S = 3600.0
MAX_PAST_STEPS = 120


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One frame, as far as it is shown."""

    start_s: float
    """Begin of the slow step, event time [s]."""
    written_s: float
    """When the frame came into the stream, by the server's clock [s]."""
    kpi_SP: Float
    offered_mbps_S: Float
    field_CF: Float
    link_used_L: Float
    """Served over capacity."""
    link_up_L: Float
    scm: float
    """Of this step alone; NaN where a bounded KPI is missing."""
    report_count: int
    missing_report_count: int


def past_steps(spec: NetworkSpec) -> int:
    """Slow steps in the hour that is shown."""
    return max(2, min(MAX_PAST_STEPS, math.ceil(PAST_S / spec.timing.slow_step_s)))


def frame_tail(streams: Streams, names: StreamNames, spec: NetworkSpec) -> Tail[Seen]:
    """The last hour's frames of a network."""
    codec, topology = FrameCodec(spec), spec.topology()

    def derive(entry: Entry) -> tuple[int, Seen] | None:
        try:
            return seen(entry, codec, spec, topology)
        except (ProtobufDecodeError, InvalidInputError, ValueError, OverflowError):
            return None  # another writer put something unreadable there; the frame API tells of it

    return Tail(streams, names.frames, past_steps(spec), derive)


def seen(entry: Entry, codec: FrameCodec, spec: NetworkSpec, topology: Topology) -> tuple[int, Seen]:
    """(step, what is kept). Raises what decoding a frame raises."""
    frame = codec.decode(telemetry_pb2.KpiFrame.FromString(entry.payload))
    blocks = frame.blocks()
    kpi_SP = slice_kpis(blocks)
    served_LS = frame.link_slice_feature("served_mbps")
    measured_L = frame.link_feature("capacity_mbps")
    capacity_L = np.where(np.isfinite(measured_L) & (measured_L > 0), measured_L, topology.link_capacity_mbps)
    served_L = np.where(np.isnan(served_LS).all(-1), np.nan, np.nansum(served_LS, -1))
    reached = float(scm(kpi_SP[:, KPI_NAMES.index("loss_ratio")], kpi_SP[:, KPI_NAMES.index("delay_p99_ms")], topology))
    row = Seen(
        start_s=frame.start_s,
        written_s=int(entry.id.partition("-")[0]) / 1000.0,
        kpi_SP=kpi_SP,
        offered_mbps_S=offered_by_slice(blocks),
        field_CF=field_features(blocks, None, spec),
        link_used_L=np.asarray(served_L / capacity_L, np.float32),
        link_up_L=frame.link_feature("up_ratio").copy(),
        scm=reached,
        report_count=frame.report_count,
        missing_report_count=frame.missing_report_count,
    )
    return frame.step, row
