"""Measured objects of PM files to reports of the spec's cells. Pure.

A measurement is per slice where its name ends in an S-NSSAI ("DRB.UEThpDl.1-000001", "...SNSSAI.01000001") or its object's
name holds one; else it is about the cell. Periods longer than a slow step are cut into slow steps: volumes are divided,
rates hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from twm.api.telemetry.v1 import telemetry_pb2
from twm.ric.nodes import CELL_MEASUREMENTS, SLICE_MEASUREMENTS, Nodes
from twm.ric.pm.xml_file import Measured

MAX_PARTS = 1440
_KNOWN = {name.lower(): name for name in (*SLICE_MEASUREMENTS, *CELL_MEASUREMENTS, "RRC.ConnMean")}
_SPLIT = re.compile(r"^(?:s-?nssai)?[._:=-]*(\d{1,3})(?:[-_.:]([0-9a-f]{6}))?$", re.IGNORECASE | re.ASCII)
_PACKED = re.compile(r"^(?:s-?nssai)?[._:=-]*([0-9a-f]{2})([0-9a-f]{6})$", re.IGNORECASE | re.ASCII)
_IN_DN = re.compile(r"(?:^|,)(?:s-?nssai|networkslice|slice)=([^,]{1,40})", re.IGNORECASE)
_CELL_CLASSES = ("nrcelldu", "nrcellcu", "nrcell", "cell", "eutrancell", "eutrangenericcell")


class PmReports:
    """Turns measured objects into reports."""

    def __init__(self, nodes: Nodes, volume_unit: str) -> None:
        spec = nodes.spec
        self._spec = spec
        self._slow_step_s = spec.timing.slow_step_s
        self._volume_scale = 1000.0 if volume_unit == "mbit" else 1.0
        self._node_of_cell = {cell.id: cell.e2_node for cell in spec.cells}
        self._by_value = {str(cell.nr_cell_identity): cell.id for cell in spec.cells}
        self._by_value |= {cell.id.lower(): cell.id for cell in spec.cells}
        self._by_suffix = [(dn, cell) for link in nodes.link.values() for dn, cell in link.pm_objects.items()]
        self._slices = {entry.id.lower(): entry.id for entry in spec.slices}
        self._s_nssai = {(entry.s_nssai.sst, (entry.s_nssai.sd or "").lower()): entry.id for entry in spec.slices}
        self._columns = [*(entry.id for entry in spec.slices), ""]

    def reports(self, measured: Iterable[Measured]) -> tuple[list[telemetry_pb2.Report], dict[str, int]]:
        """Reports in time order, and how many values were left out by reason."""
        left_out = {"unknown_object": 0, "unknown_measurement": 0, "unknown_label": 0}
        table: dict[tuple[str, float, float], dict[str, dict[str, float]]] = {}
        for item in measured:
            cell = self.cell_of(item.object_dn)
            if cell is None:
                left_out["unknown_object"] += len(item.values)
                continue
            match = _IN_DN.search(item.object_dn)
            in_dn = self.slice_of(match[1]) if match else ""
            rows = table.setdefault((cell, item.begin_s, item.period_s), {})
            for full_name, value in item.values.items():
                name, label = _base(full_name)
                if name is None:
                    left_out["unknown_measurement"] += 1
                    continue
                column = in_dn if not label else self.slice_of(label)
                if column is None:
                    left_out["unknown_label"] += 1
                    continue
                scale = self._volume_scale if "volume" in name.lower() else 1.0
                rows.setdefault(name, {})[column] = value * scale
        out = [r for (cell, begin_s, period_s), rows in table.items() if rows for r in self._cut(cell, begin_s, period_s, rows)]
        out.sort(key=lambda r: (r.period_start.seconds, r.period_start.nanos))
        return out, left_out

    def cell_of(self, object_dn: str) -> str | None:
        """The spec's cell of a distinguished name; None where it is none of them."""
        for suffix, cell in self._by_suffix:
            if object_dn == suffix or object_dn.endswith("," + suffix):
                return cell
        for part in reversed(object_dn.split(",")):
            kind, _, value = part.strip().partition("=")
            if kind.strip().lower() in _CELL_CLASSES:
                return self._by_value.get(value.strip().lower())
        return None

    def slice_of(self, label: str) -> str | None:
        """The spec's slice of a label; None where it names none."""
        found = self._slices.get(label.strip("._:=- ").lower())
        if found is not None:
            return found
        match = _SPLIT.match(label)
        if match:
            return self._s_nssai.get((int(match[1]), (match[2] or "").lower()))
        match = _PACKED.match(label)
        return self._s_nssai.get((int(match[1], 16), match[2].lower())) if match else None

    def _cut(
        self, cell: str, begin_s: float, period_s: float, rows: dict[str, dict[str, float]]
    ) -> Iterable[telemetry_pb2.Report]:
        parts = min(max(math.ceil(period_s / self._slow_step_s - 1e-9), 1), MAX_PARTS)
        length_s = period_s / parts
        values = [
            columns.get(column, math.nan) / (parts if "volume" in name.lower() else 1)
            for name, columns in rows.items()
            for column in self._columns
        ]
        content = telemetry_pb2.MeasurementReport(names=list(rows), slice_ids=self._columns, values=values)
        for part in range(parts):
            report = telemetry_pb2.Report(
                node_id=self._node_of_cell[cell], cell_id=cell, period_s=length_s, measurements=content
            )
            report.period_start.FromNanoseconds(round((begin_s + part * length_s) * 1e9))
            report.received.GetCurrentTime()
            yield report


def _base(full_name: str) -> tuple[str | None, str]:
    """(measurement, what follows its name): the longest known name that is the whole or ends before '.', '_' or ':'."""
    lower = full_name.lower()
    for name in sorted((n for n in _KNOWN if lower.startswith(n)), key=len, reverse=True):
        rest = full_name[len(name) :]
        if not rest or rest[0] in "._:":
            return _KNOWN[name], rest.lstrip("._:")
    return None, ""
