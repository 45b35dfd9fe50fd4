"""Reports for the ingester's tests: what a city's nodes and adapters send in one slow step, from a seeded generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.network import NetworkSpec

NAMES = (
    "DRB.PdcpSduVolumeDL",
    "DRB.RlcSduTransmittedVolumeDL",
    "RRU.PrbUsedDl",
    "RRU.PrbAvailDl",
    "DRB.RlcPacketDropRateDl",
    "DRB.RlcSduDelayDl",
    "DRB.MeanActiveUeDl",
    "RRU.PrbTotDl",
)


def timed(report: telemetry_pb2.Report, start_s: float, period_s: float) -> telemetry_pb2.Report:
    """Set the period, and the receive time to its end."""
    report.period_start.FromNanoseconds(round(start_s * 1e9))
    report.period_s = period_s
    report.received.FromNanoseconds(round((start_s + period_s) * 1e9))
    return report


def measured(
    node: str,
    cell: str,
    start_s: float,
    period_s: float,
    values: dict[str, Sequence[float]],
    columns: Sequence[str],
    ue_keys: Sequence[str] = (),
) -> telemetry_pb2.Report:
    """Decoded measurements of one cell: name to one value a column."""
    content = telemetry_pb2.MeasurementReport(
        names=list(values), slice_ids=columns, ue_keys=ue_keys, values=[v for row in values.values() for v in row]
    )
    return timed(telemetry_pb2.Report(node_id=node, cell_id=cell, measurements=content), start_s, period_s)


def city_step(spec: NetworkSpec, step: int, seed: int = 0) -> list[telemetry_pb2.Report]:
    """Every report of one slow step, in time order: measurements and cell report of each cell, and each link's report."""
    rng = np.random.default_rng([seed, step])
    period_s = spec.timing.fast_step_s
    s = len(spec.slices)
    columns = [entry.id for entry in spec.slices] + [""]
    nan = [float("nan")]
    reports = []
    for t in range(spec.timing.fast_steps):
        start_s = step * spec.timing.slow_step_s + t * period_s
        for cell in spec.cells:
            offered = rng.integers(0, 4_000_000, s)
            values = {
                "DRB.PdcpSduVolumeDL": [*offered, *nan],
                "DRB.RlcSduTransmittedVolumeDL": [*(offered * rng.uniform(0.5, 1.0, s)).round(), *nan],
                "RRU.PrbUsedDl": [*rng.integers(1, 90, s), *nan],
                "RRU.PrbAvailDl": [*nan * s, 273],
                "DRB.RlcPacketDropRateDl": [*rng.integers(0, 1_000_000, s), *nan],
                "DRB.RlcSduDelayDl": [*rng.uniform(10, 5000, s), *nan],
                "DRB.MeanActiveUeDl": [*rng.integers(0, 9, s), *nan],
                "RRU.PrbTotDl": [*nan * s, int(rng.integers(0, 100))],
            }
            reports.append(measured(cell.e2_node, cell.id, start_s, period_s, values, columns))
            content = telemetry_pb2.CellReport(
                cell_id=cell.id,
                prb_share=rng.dirichlet(np.ones(s)),
                e2e_delay_ms=rng.uniform(4, 60, s),
                e2e_loss_ratio=rng.uniform(0, 1, s),
                queue_mbit=rng.uniform(0, 3000, s),
            )
            reports.append(timed(telemetry_pb2.Report(node_id="o1-adapter", cell=content), start_s, period_s))
        for link in spec.transport.links:
            offered_mbps = rng.uniform(0, 300, s)
            load = telemetry_pb2.LinkReport(
                link_id=link.id,
                capacity_mbps=link.capacity_mbps,
                up=bool(rng.uniform() > 0.1),
                offered_mbps=offered_mbps,
                served_mbps=offered_mbps * 0.9,
                loss_ratio=rng.uniform(0, 0.2, s),
                bandwidth_share=rng.dirichlet(np.ones(s)),
            )
            reports.append(timed(telemetry_pb2.Report(node_id="transport", link=load), start_s, period_s))
    return reports


def batches(spec: NetworkSpec, reports: Sequence[telemetry_pb2.Report], size: int = 30) -> list[telemetry_pb2.IngestRequest]:
    """Reports in requests of `size`."""
    return [
        telemetry_pb2.IngestRequest(batch=telemetry_pb2.ReportBatch(area_id=spec.area_id, reports=reports[i : i + size]))
        for i in range(0, len(reports), size)
    ]
