"""From a slow step of the live network to the reports of all E2 nodes and adapters, by the moment each is sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.e2sm.dialects import dialect_of
from twm.core.network import E2Node, NetworkSpec
from twm.ingester.kpm.e2ap import encode_ric_indication
from twm.ingester.kpm.types import RicIndication
from twm_twin.e2.indications import CellIndications
from twm_twin.e2.kpm_encoder import encode_header, encode_message
from twm_twin.e2.periods import loads_of
from twm_twin.simulator import StepResult

CELL_ADAPTER = "o1-adapter"
"""Node id of the adapter that reads back enforced shares and user-plane quality."""
LINK_ADAPTER = "transport-controller"
"""Node id of the adapter that reports transport links."""
_RIC_REQUESTOR_ID = 1
_KPM_RAN_FUNCTION_ID = 2


@dataclass(frozen=True)
class Tick:
    """Reports of all periods that end at one moment."""

    end_s: float
    """The moment, Unix time [s]."""
    reports: list[telemetry_pb2.Report]


class ReportMaker:
    """Makes the reports of one network. The first node of a standard dialect sends whole E2AP PDUs, the others bare KPM."""

    def __init__(self, spec: NetworkSpec) -> None:
        self._spec = spec
        self._nodes = {node.id: node for node in spec.e2_nodes}
        self._cells = [CellIndications(spec, self._nodes[cell.e2_node], i) for i, cell in enumerate(spec.cells)]
        standard = [node.id for node in spec.e2_nodes if not dialect_of(node.kpm_dialect).format3_in_root]
        self.e2ap_node = standard[0] if standard else ""

    def ticks(self, result: StepResult, step: int) -> list[Tick]:
        """All reports of slow step `step` (Unix time over step length), by the end of their periods."""
        begin_s = step * self._spec.timing.slow_step_s
        by_end: dict[int, list[telemetry_pb2.Report]] = {}
        for node in self._spec.e2_nodes:
            self._kpm(node, result, begin_s, by_end)
        self._adapters(result, begin_s, by_end)
        return [Tick(end_ms / 1000.0, reports) for end_ms, reports in sorted(by_end.items())]

    def _kpm(self, node: E2Node, result: StepResult, begin_s: float, by_end: dict[int, list[telemetry_pb2.Report]]) -> None:
        loads = loads_of(result, node.report_period_s)
        cells = [i for i, cell in enumerate(self._spec.cells) if cell.e2_node == node.id]
        for period in range(len(loads.offered_kbit_PCS)):
            start_s = begin_s + period * node.report_period_s
            end_s = start_s + node.report_period_s
            header = encode_header(start_s, node.kpm_dialect)
            for cell in cells:
                message = encode_message(self._cells[cell].message(loads, period), node.kpm_dialect)
                report = telemetry_pb2.Report(node_id=node.id, cell_id=self._spec.cells[cell].id)
                report.received.FromNanoseconds(round(end_s * 1e9))
                if node.id == self.e2ap_node:
                    number = round(start_s / node.report_period_s) % 65536
                    indication = RicIndication(
                        _RIC_REQUESTOR_ID, cell % 65536, _KPM_RAN_FUNCTION_ID, 0, number, header, message
                    )
                    report.e2ap_pdu = encode_ric_indication(indication)
                else:
                    report.kpm.header, report.kpm.message = header, message
                by_end.setdefault(round(end_s * 1000), []).append(report)

    def _adapters(self, result: StepResult, begin_s: float, by_end: dict[int, list[telemetry_pb2.Report]]) -> None:
        spec, fast_s = self._spec, result.fast_step_s
        delay = np.where(result.offered_mbit_BTCS[0] > 0, result.delay_ms_BTCS[0], np.nan)
        loss = result.loss_ratio_BTCS[0]
        offered = result.link_offered_mbit_BTLS[0]
        served = result.link_served_mbit_BTLS[0]
        dropped = result.link_dropped_mbit_BTLS[0]
        link_loss = np.minimum(np.divide(dropped, offered, out=np.zeros_like(dropped), where=offered > 0), 1.0)
        for t in range(spec.timing.fast_steps):
            start_s = begin_s + t * fast_s
            reports = by_end.setdefault(round((start_s + fast_s) * 1000), [])
            for c, cell in enumerate(spec.cells):
                state = telemetry_pb2.CellReport(
                    cell_id=cell.id,
                    prb_share=result.prb_share_BCS[0, c],
                    e2e_delay_ms=delay[t, c],
                    e2e_loss_ratio=loss[t, c],
                    queue_mbit=result.queue_mbit_BTCS[0, t, c],
                )
                reports.append(_timed(telemetry_pb2.Report(node_id=CELL_ADAPTER, cell=state), start_s, fast_s))
            for k, link in enumerate(spec.transport.links):
                load = telemetry_pb2.LinkReport(
                    link_id=link.id,
                    capacity_mbps=float(result.link_capacity_mbps_L[k]),
                    up=bool(result.link_up_BL[0, k]),
                    offered_mbps=offered[t, k] / fast_s,
                    served_mbps=served[t, k] / fast_s,
                    loss_ratio=link_loss[t, k],
                    bandwidth_share=result.bandwidth_share_BLS[0, k],
                )
                reports.append(_timed(telemetry_pb2.Report(node_id=LINK_ADAPTER, link=load), start_s, fast_s))


def _timed(report: telemetry_pb2.Report, start_s: float, period_s: float) -> telemetry_pb2.Report:
    report.period_start.FromNanoseconds(round(start_s * 1e9))
    report.period_s = period_s
    report.received.FromNanoseconds(round((start_s + period_s) * 1e9))
    return report
