"""KPM indications of the SDK to reports.

Stock builds hand out decoded values: names, and a record a UE (a measurement "rnti" tells them apart) or one for the cell.
They come each few milliseconds, so they are pooled over the node's report period: volumes add up, everything else is a mean.
Builds that hand out the octets of header and message are forwarded as they are, in the dialect of the node's configuration.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from twm.api.telemetry.v1 import telemetry_pb2

MAX_UES = 1024
MAX_NAMES = 64
_RAW = (("ind_hdr", "ind_msg"), ("hdr", "msg"), ("header", "message"))
_INT, _REALS = 1, (0, 2)
"""Record types: the header says 1 integer, 2 real; the SDK's own examples see 0 for real."""
_ABOUT = {"timestamp", "rnti"}


def raw_octets(ind: Any) -> tuple[bytes, bytes] | None:
    """Header and message octets, where this build hands them out."""
    for header, message in _RAW:
        octets = getattr(ind, header, None), getattr(ind, message, None)
        if isinstance(octets[0], bytes | bytearray) and isinstance(octets[1], bytes | bytearray):
            return bytes(octets[0]), bytes(octets[1])
    return None


class Pool:
    """Decoded indications of one cell, pooled over `period_s`; `put` gets a report for each period that ended."""

    def __init__(
        self,
        node_id: str,
        cell_id: str,
        period_s: float,
        put: Callable[[telemetry_pb2.Report], None],
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._node_id, self._cell_id, self._period_s, self._put, self._now_s = node_id, cell_id, period_s, put, now_s
        self._lock = threading.Lock()
        self._index: int | None = None
        self._sums: dict[str, dict[str, tuple[float, int]]] = {}

    def add(self, ind: Any) -> None:
        """One indication, from any thread."""
        with self._lock:
            self._turn(self._now_s())
            for ue_key, name, value in _values(ind):
                column = self._sums.get(ue_key)
                if column is None:
                    if len(self._sums) >= MAX_UES:
                        continue
                    column = self._sums[ue_key] = {}
                total, count = column.get(name, (0.0, 0))
                if count or len(column) < MAX_NAMES:
                    column[name] = (total + value, count + 1)

    def flush(self) -> None:
        """End periods by the clock, without an indication."""
        with self._lock:
            self._turn(self._now_s())

    def _turn(self, now_s: float) -> None:
        index = math.floor(now_s / self._period_s)
        if self._index is not None and index != self._index and self._sums:
            self._put(self._report(self._index))
            self._sums = {}
        self._index = index

    def _report(self, index: int) -> telemetry_pb2.Report:
        ue_keys = list(self._sums)
        names = sorted({name for column in self._sums.values() for name in column})
        values = [_pooled(name, self._sums[key].get(name)) for name in names for key in ue_keys]
        content = telemetry_pb2.MeasurementReport(
            names=names,
            slice_ids=[""] * len(ue_keys),
            ue_keys=ue_keys if any(ue_keys) else [],
            values=values,
        )
        report = telemetry_pb2.Report(
            node_id=self._node_id, cell_id=self._cell_id, period_s=self._period_s, measurements=content
        )
        report.period_start.FromNanoseconds(round(index * self._period_s * 1e9))
        report.received.GetCurrentTime()
        return report


def _pooled(name: str, entry: tuple[float, int] | None) -> float:
    if entry is None:
        return math.nan
    total, count = entry
    return total if "volume" in name.lower() else total / count


def _values(ind: Any) -> list[tuple[str, str, float]]:
    """(UE key or "", name, value) of a decoded indication."""
    info = [_name(item) for item in list(ind.MeasInfo)[: MAX_NAMES + len(_ABOUT)]]
    out = []
    for row in list(ind.MeasData)[:MAX_UES]:
        record = [_value(item) for item in row.measRecord]
        entries = dict(zip(info, record, strict=False))
        rnti = entries.get("rnti")
        ue_key = "" if rnti is None else f"rnti:{int(rnti)}"
        out += [
            (ue_key, name, value)
            for name, value in entries.items()
            if name and name not in _ABOUT and value is not None and math.isfinite(value)
        ]
    return out


def _name(item: Any) -> str:
    return str(getattr(item, "measName", "")).rstrip("\0")[:150]


def _value(item: Any) -> float | None:
    if item.type == _INT:
        return float(item.int_val)
    if item.type in _REALS:
        return float(item.real_val)
    return None
