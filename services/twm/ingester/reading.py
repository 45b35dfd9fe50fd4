"""From a Report (protobuf) to samples: decodes KPM, names the cell, maps UEs to slices. Pure; judges each report alone.

Refusals are InvalidInputError (DecodeError for bytes) whose `reason` is a metric label: see `Refusal` and `kpm.per.Reason`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import DecodeError, InvalidInputError
from twm.core.network import E2Node, NetworkSpec
from twm.ingester.kpm import decode_header, decode_message
from twm.ingester.kpm.types import ConditionMeasurement, Format1, Format2, Format3, Record, UeId
from twm.ingester.measurements import Float64, Plan, count_refused
from twm.ingester.plans import Lists, PlanCache, plmn_hex
from twm.ingester.samples import CellSample, KpmSample, LinkSample, Sample, UeValues, Values
from twm.ingester.ue_map import UNMAPPED, UeMap

MAX_RECORDS = 1024
"""Granularity periods accepted in one indication."""
_MAX_DELAY_MS = 1e6
_MAX_QUEUE_MBIT = 1e7
_MAX_LINK_MBPS = 1e7


class Refusal:
    """Reasons a report is refused for, besides those of the decoder."""

    UNKNOWN_AREA = "unknown_area"
    UNKNOWN_NODE = "unknown_node"
    UNKNOWN_CELL = "unknown_cell"
    WRONG_NODE = "cell_of_another_node"
    UNKNOWN_LINK = "unknown_link"
    UNKNOWN_SLICE = "unknown_slice"
    BAD_SIZE = "bad_column_size"
    BAD_PERIOD = "bad_period"
    NO_PERIOD = "no_period_start"
    NO_LIST = "no_measurement_list"
    TOO_LARGE = "too_large"
    INVALID = "invalid_field"


class ReportReader:
    """Reads the reports of one area."""

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        cumulative: Iterable[tuple[str, str]] = (),
        count: Callable[[dict[str, int]], None] = count_refused,
    ) -> None:
        self.ue_map = UeMap(spec)
        self._count = count
        self._plans = PlanCache(spec, cumulative)
        self._slices = {entry.id: i for i, entry in enumerate(spec.slices)}
        self._cells = {cell.id: i for i, cell in enumerate(spec.cells)}
        self._links = {link.id: i for i, link in enumerate(spec.transport.links)}
        self._nodes = {node.id: node for node in spec.e2_nodes}
        plmn = plmn_hex(spec.plmn.mcc, spec.plmn.mnc)
        self._cell_keys = [f"{plmn}:{cell.nr_cell_identity:09x}" for cell in spec.cells]
        self._cell_of_key = {key: i for i, key in enumerate(self._cell_keys)}
        self._node_of_cell = [cell.e2_node for cell in spec.cells]
        self._cells_of_node = {n: [i for i, c in enumerate(spec.cells) if c.e2_node == n] for n in self._nodes}
        self._slow_step_s = spec.timing.slow_step_s
        self._whole = len(spec.slices)
        self._no_values = np.full(len(spec.slices), np.nan)
        self._last_plan: dict[tuple[int, str], Plan] = {}

    def check(self, report: telemetry_pb2.Report) -> None:
        """What can be said of a report without decoding it. Raises InvalidInputError with a Refusal."""
        content = report.WhichOneof("content")
        if content == "link":
            self._link(report.link.link_id)
        elif content == "cell":
            self._cell(report.cell.cell_id)
        elif content == "ue_slices":
            self._slices_of_ues(report)
        else:
            self._cell_of(report)
        if content not in ("kpm", "e2ap_pdu", "ue_slices"):
            self._period(report)

    def read(self, report: telemetry_pb2.Report, received_s: float) -> list[Sample]:
        """Samples of a report, one a granularity period. Raises InvalidInputError, for bytes DecodeError."""
        content = report.WhichOneof("content")
        if content == "kpm":
            return self._kpm(report, report.kpm.header, report.kpm.message, received_s)
        if content == "e2ap_pdu":
            from twm.ingester.kpm.e2ap import decode_ric_indication  # pycrate is slow to import

            pdu = decode_ric_indication(report.e2ap_pdu)
            return self._kpm(report, pdu.header, pdu.message, received_s)
        if content == "cell":
            return [self._cell_report(report)]
        if content == "link":
            return [self._link_report(report)]
        if content == "measurements":
            return [self._decoded(report)]
        if content == "ue_slices":
            for ue_key, index in self._slices_of_ues(report):
                self.ue_map.learn(report.node_id, ue_key, index)
            return []
        raise InvalidInputError("report: no content this version knows", reason=Refusal.INVALID)

    # --- KPM

    def _kpm(self, report: telemetry_pb2.Report, header: bytes, message: bytes, received_s: float) -> list[Sample]:
        node, cell = self._cell_of(report)
        start_s = decode_header(header, node.kpm_dialect, received_s=received_s).start_s
        body = decode_message(message, node.kpm_dialect)
        if isinstance(body, Format1):
            return self._format1(node, cell, start_s, body)
        if isinstance(body, Format3):
            return self._format3(node, cell, start_s, body)
        return self._format2(node, cell, start_s, body)

    def _format1(self, node: E2Node, cell: int, start_s: float, body: Format1) -> list[Sample]:
        if body.measurements is not None and (keys := self._plans.cells_of(body.measurements)):
            return self._cells_of_format1(node, cell, start_s, body, body.measurements, keys)
        plan = self._plan(node, cell, body)
        period_s = self._granularity(node, body.granularity_ms)
        return [
            KpmSample(node.id, cell, start_s + i * period_s, period_s, plan.signature, plan, record.values)
            for i, record in enumerate(_bounded(body.records))
        ]

    def _cells_of_format1(
        self, node: E2Node, cell: int, start_s: float, body: Format1, measurements: Lists, keys: tuple[str, ...]
    ) -> list[Sample]:
        """A list whose labels name cells (E2SM-KPM v4 on): a sample a cell; values without such a label are `cell`'s."""
        period_s = self._granularity(node, body.granularity_ms)
        about = {cell: self._plans.of_cells(measurements, node.id, (None, self._cell_keys[cell]))}
        strangers = 0
        for key in keys:
            index = self._cell_of_key.get(key)
            if index is None or self._node_of_cell[index] != node.id:
                strangers += 1
            elif index != cell:
                about[index] = self._plans.of_cells(measurements, node.id, (key,))
        self._count({"unknown_cell": strangers, "unknown_measurement": sum(plan.unknown for plan in about.values())})
        return [
            KpmSample(node.id, index, start_s + i * period_s, period_s, plan.signature, plan, self._full(plan, record.values))
            for index, plan in about.items()
            if len(plan.source)
            for i, record in enumerate(_bounded(body.records))
        ]

    def _format3(self, node: E2Node, cell: int, start_s: float, body: Format3) -> list[Sample]:
        by_period: dict[tuple[int, float], list[UeValues]] = {}
        seen: set[str] = set()
        unmapped = twice = 0
        for ue in body.ues:
            key = ue.ue_id.key
            if key in seen:
                twice += 1
                continue
            seen.add(key)
            target = self.ue_map.slice_index(node.id, key)
            unmapped += target == UNMAPPED
            plan = self._plan(node, cell, ue.report)
            period_s = self._granularity(node, ue.report.granularity_ms)
            for i, record in enumerate(_bounded(ue.report.records)):
                ues = by_period.setdefault((i, period_s), [])
                if target != UNMAPPED:
                    ues.append(UeValues(plan, target, key, record.values))
        if unmapped or twice:
            self._count({"unmapped_ue": unmapped, "duplicate_ue": twice})
        return [
            KpmSample(node.id, cell, start_s + i * period_s, period_s, tuple(u.ue_key for u in ues), None, (), tuple(ues))
            for (i, period_s), ues in by_period.items()
        ]

    def _format2(self, node: E2Node, cell: int, start_s: float, body: Format2) -> list[Sample]:
        rows = tuple(self._condition_row(node.id, cell, m) for m in body.measurements)
        plan = self._plans.of_targets(tuple(m.name for m in body.measurements), rows, node.id)
        self._count({"unknown_measurement": plan.unknown})
        period_s = self._granularity(node, body.granularity_ms)
        return [
            KpmSample(node.id, cell, start_s + i * period_s, period_s, plan.signature, plan, self._full(plan, record.values))
            for i, record in enumerate(_bounded(body.records))
        ]

    def _condition_row(self, node_id: str, cell: int, measurement: ConditionMeasurement) -> int | None:
        """The slice a conditional value is about: by the one label that is its condition, or by the UEs that matched."""
        if len(measurement.conditions) == 1:
            label = measurement.conditions[0].label
            if label is not None and label.cell not in (None, self._cell_keys[cell]):
                return None
            if label is not None:
                row = self._plans.row_of(label)
                if row is not None and row != self._whole:
                    return row
        ues: Sequence[UeId] = measurement.ues or ()
        rows = {self.ue_map.slice_index(node_id, ue.key) for ue in ues}
        if len(rows) == 1 and UNMAPPED not in rows:
            return rows.pop()
        return None

    def _plan(self, node: E2Node, cell: int, body: Format1) -> Plan:
        """The plan of its list; where none was sent, that of the cell's last report."""
        if body.measurements is None:
            plan = self._last_plan.get((cell, node.id))
            if plan is None:
                raise DecodeError("measInfoList: not sent, and no earlier report told it", reason=Refusal.NO_LIST)
        else:
            if self._plans.cells_of(body.measurements):
                plan = self._plans.of_cells(body.measurements, node.id, (None, self._cell_keys[cell]))
            else:
                plan = self._plans.of_list(body.measurements, node.id)
            self._last_plan[cell, node.id] = plan
        if plan.unknown:
            self._count({"unknown_measurement": plan.unknown})
        for record in body.records:
            self._full(plan, record.values)
        return plan

    @staticmethod
    def _full(plan: Plan, values: Values) -> Values:
        if len(values) != plan.width:
            raise DecodeError(f"measRecord: {len(values)} values, expected {plan.width}", reason="value_count_mismatch")
        return values

    def _granularity(self, node: E2Node, granularity_ms: int | None) -> float:
        period_s = node.report_period_s if granularity_ms is None else granularity_ms / 1e3
        if not 0.0 < period_s <= self._slow_step_s:
            raise InvalidInputError(
                f"granulPeriod: {period_s} s, expected more than 0 and at most {self._slow_step_s}", reason=Refusal.BAD_PERIOD
            )
        return period_s

    # --- adapters

    def _decoded(self, report: telemetry_pb2.Report) -> Sample:
        node, cell = self._cell_of(report)
        start_s, period_s = self._period(report)
        m = report.measurements
        names, width = tuple(m.names), len(m.slice_ids)
        if len(m.values) != len(names) * width or (m.ue_keys and len(m.ue_keys) != width):
            raise InvalidInputError(
                f"measurements: {len(m.values)} values and {len(m.ue_keys)} UE keys for {len(names)} names x {width} columns",
                reason=Refusal.BAD_SIZE,
            )
        values = tuple(None if math.isnan(v) else v for v in m.values)
        if not m.ue_keys:
            plan = self._plans.of_columns(names, tuple(m.slice_ids), node.id)
            self._count({"unknown_measurement": plan.unknown})
            return KpmSample(node.id, cell, start_s, period_s, plan.signature, plan, values)
        plan = self._plans.of_columns(names, None, node.id)
        ues = []
        for j, (key, slice_id) in enumerate(zip(m.ue_keys, m.slice_ids, strict=True)):
            if slice_id in self._slices:
                self.ue_map.learn(node.id, key, self._slices[slice_id])
            target = self.ue_map.slice_index(node.id, key)
            if target != UNMAPPED:
                ues.append(UeValues(plan, target, key, values[j::width]))
        self._count({"unknown_measurement": plan.unknown, "unmapped_ue": width - len(ues)})
        return KpmSample(node.id, cell, start_s, period_s, tuple(m.ue_keys), None, (), tuple(ues))

    def _slices_of_ues(self, report: telemetry_pb2.Report) -> list[tuple[str, int]]:
        """(UE key, slice index) of a UE-to-slice map."""
        self._node(report)
        found = [(entry.ue_key, self._slices.get(entry.slice_id, UNMAPPED)) for entry in report.ue_slices.entries]
        if any(index == UNMAPPED for _, index in found):
            wrong = next(entry.slice_id for entry in report.ue_slices.entries if entry.slice_id not in self._slices)
            raise InvalidInputError(f"slice_id: {wrong[:64]!r} is not in slices", reason=Refusal.UNKNOWN_SLICE)
        return found

    def _cell_report(self, report: telemetry_pb2.Report) -> Sample:
        start_s, period_s = self._period(report)
        content = report.cell
        cell = self._cell(content.cell_id)
        columns = (
            self._column("prb_share", content.prb_share, 1.0),
            self._column("e2e_delay_ms", content.e2e_delay_ms, _MAX_DELAY_MS),
            self._column("e2e_loss_ratio", content.e2e_loss_ratio, 1.0),
            self._column("queue_mbit", content.queue_mbit, _MAX_QUEUE_MBIT),
        )
        return CellSample(report.node_id, cell, start_s, period_s, np.stack(columns, -1))

    def _link_report(self, report: telemetry_pb2.Report) -> Sample:
        start_s, period_s = self._period(report)
        content = report.link
        link = self._link(content.link_id)
        columns = (
            self._column("offered_mbps", content.offered_mbps, _MAX_LINK_MBPS),
            self._column("served_mbps", content.served_mbps, _MAX_LINK_MBPS),
            self._column("bandwidth_share", content.bandwidth_share, 1.0),
            self._column("loss_ratio", content.loss_ratio, 1.0),
        )
        capacity = content.capacity_mbps if content.HasField("capacity_mbps") else math.nan
        if capacity > _MAX_LINK_MBPS or math.isinf(capacity):
            self._count({"out_of_range": 1})
            capacity = math.nan
        up = float(content.up) if content.HasField("up") else math.nan
        return LinkSample(report.node_id, link, start_s, period_s, np.stack(columns, -1), (capacity, up))

    def _column(self, name: str, sent: Sequence[float], high: float) -> Float64:
        """One value a slice [S]; NaN where not measured or out of 0..high (counted). Refused where the length is another."""
        if not sent:
            return self._no_values
        if len(sent) != self._whole:
            raise InvalidInputError(f"{name}: {len(sent)} values, expected {self._whole} slices", reason=Refusal.BAD_SIZE)
        values = np.array(sent, np.float64)
        with np.errstate(invalid="ignore"):
            bad = (values < 0.0) | (values > high)
        if bad.any():
            infinite, negative = int(np.isinf(values).sum()), int((values[np.isfinite(values)] < 0).sum())
            self._count({"infinite": infinite, "negative": negative, "out_of_range": int(bad.sum()) - infinite - negative})
            values[bad] = np.nan
        return values

    # --- names and times

    def _node(self, report: telemetry_pb2.Report) -> E2Node:
        node = self._nodes.get(report.node_id)
        if node is None:
            raise InvalidInputError(f"node_id: {report.node_id[:64]!r} is not in e2_nodes", reason=Refusal.UNKNOWN_NODE)
        return node

    def _cell_of(self, report: telemetry_pb2.Report) -> tuple[E2Node, int]:
        node = self._node(report)
        if not report.cell_id:
            only = self._cells_of_node[node.id]
            if len(only) != 1:
                raise InvalidInputError(
                    f"cell_id: empty, and node {node.id!r} has {len(only)} cells", reason=Refusal.UNKNOWN_CELL
                )
            return node, only[0]
        cell = self._cell(report.cell_id)
        if self._node_of_cell[cell] != node.id:
            raise InvalidInputError(
                f"cell_id: {report.cell_id[:64]!r} belongs to {self._node_of_cell[cell]!r}, not to {node.id!r}",
                reason=Refusal.WRONG_NODE,
            )
        return node, cell

    def _cell(self, cell_id: str) -> int:
        if cell_id not in self._cells:
            raise InvalidInputError(f"cell_id: {cell_id[:64]!r} is not in cells", reason=Refusal.UNKNOWN_CELL)
        return self._cells[cell_id]

    def _link(self, link_id: str) -> int:
        if link_id not in self._links:
            raise InvalidInputError(f"link_id: {link_id[:64]!r} is not in transport.links", reason=Refusal.UNKNOWN_LINK)
        return self._links[link_id]

    def _period(self, report: telemetry_pb2.Report) -> tuple[float, float]:
        if not report.HasField("period_start"):
            raise InvalidInputError("period_start: absent, and the content holds no time", reason=Refusal.NO_PERIOD)
        if not 0.0 < report.period_s <= self._slow_step_s:
            raise InvalidInputError(
                f"period_s: {report.period_s}, expected more than 0 and at most {self._slow_step_s}", reason=Refusal.BAD_PERIOD
            )
        return report.period_start.seconds + report.period_start.nanos * 1e-9, report.period_s


def _bounded(records: list[Record]) -> list[Record]:
    if len(records) > MAX_RECORDS:
        raise DecodeError(f"measData: {len(records)} records, more than {MAX_RECORDS}", reason="too_many_values")
    return records
