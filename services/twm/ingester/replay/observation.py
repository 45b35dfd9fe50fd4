"""One reporting period of a recorded trace, and the reports it becomes.

Values stand under TS 28.552 / E2SM-KPM names in their wire units, so that they take the same path as decoded KPM. What the
trace says of enforced shares, waiting data and end-to-end delay goes into a CellReport, as an O1 and user-plane adapter would.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec

ADAPTER = "replay-adapter"
MISSING = math.nan
BITS_PER_BYTE = 8


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was recorded over one reporting period. NaN: not recorded."""

    start_s: float
    """Begin of the period, from the begin of the trace [s]."""
    period_s: float
    columns: Sequence[str]
    """Slice id of each column; "": not known."""
    ue_keys: Sequence[str] = ()
    """UE of each column; empty: columns are slices."""
    values: Mapping[str, Sequence[float]]
    """Measurement name to one value a column."""
    cell_values: Mapping[str, float] = field(default_factory=dict)
    """Measurement name to a value of the whole cell."""
    prb_share: Sequence[float]
    """Enforced share of each slice of the network."""
    delay_ms: Sequence[float]
    """End-to-end delay of each slice [ms]."""
    queue_mbit: Sequence[float]
    """Data waiting at the end of the period, of each slice [Mbit]."""


def reports_of(observation: Observation, spec: NetworkSpec, begin_s: float) -> list[telemetry_pb2.Report]:
    """The reports of an observation, in the network's first cell, with event time from `begin_s` on."""
    cell = spec.cells[0]
    start_s = begin_s + observation.start_s
    out = []
    if observation.columns:
        measured = telemetry_pb2.MeasurementReport(
            names=list(observation.values),
            slice_ids=observation.columns,
            ue_keys=observation.ue_keys,
            values=[value for row in observation.values.values() for value in row],
        )
        out.append(telemetry_pb2.Report(node_id=cell.e2_node, cell_id=cell.id, measurements=measured))
    if observation.cell_values:
        whole = telemetry_pb2.MeasurementReport(
            names=list(observation.cell_values), slice_ids=[""], values=list(observation.cell_values.values())
        )
        out.append(telemetry_pb2.Report(node_id=cell.e2_node, cell_id=cell.id, measurements=whole))
    content = telemetry_pb2.CellReport(cell_id=cell.id, e2e_delay_ms=observation.delay_ms, queue_mbit=observation.queue_mbit)
    if not any(math.isnan(share) for share in observation.prb_share):
        content.prb_share.extend(min(max(share, 0.0), 1.0) for share in observation.prb_share)
    out.append(telemetry_pb2.Report(node_id=ADAPTER, cell=content))
    for report in out:
        report.period_start.FromNanoseconds(round(start_s * 1e9))
        report.period_s = observation.period_s
        report.received.FromNanoseconds(round((start_s + observation.period_s) * 1e9))
    return out


def little_delay_ms(queue_mbit: float, throughput_mbps: float) -> float:
    """Mean delay by Little's law [ms]: what waits over the rate it leaves at; 0 where nothing waits, NaN where it stands."""
    if queue_mbit == 0.0:
        return 0.0
    return 1e3 * queue_mbit / throughput_mbps if throughput_mbps > 0.0 else MISSING


def number(text: str, field_name: str, line: int) -> float:
    """A finite, non-negative number of a trace. Raises InvalidInputError naming line, field and value."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise InvalidInputError(f"line {line}: {field_name}: {text[:40]!r} is not a number of 0 or more", reason="bad_trace")
    return value
