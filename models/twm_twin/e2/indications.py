"""KPM indications as the emulated gNBs send them: per cell and reporting period, in each node's format and dialect.

Names and units: TS 28.552 as public gNBs implement it (volumes in kbit, delay in 0.1 ms, drop rate in 1e-6).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from twm.core.e2sm.labels import NO_LABEL, label_of
from twm.core.network import E2Node, NetworkSpec
from twm.ingester.kpm.types import Format1, Format3, Label, Measurement, Record, UeId, UeReport, Value
from twm_twin.e2.periods import PeriodLoads

SLICE_NAMES = (
    "RRU.PrbUsedDl",
    "DRB.PdcpSduVolumeDL",
    "DRB.RlcSduTransmittedVolumeDL",
    "DRB.UEThpDl",
    "DRB.RlcSduDelayDl",
    "DRB.RlcPacketDropRateDl",
    "DRB.MeanActiveUeDl",
)
CELL_NAMES = ("RRU.PrbAvailDl", "RRU.PrbTotDl")
UE_NAMES = SLICE_NAMES[:-1]
_MAX_UES_PER_SLICE = 256


def s_nssai_label(sst: int, sd: str | None) -> Label:
    """Label of a slice."""
    return label_of({"sliceID": {"sST": f"{sst:02x}", **({"sD": sd.lower()} if sd else {})}})


class CellIndications:
    """Makes the indication message of one cell for one period."""

    def __init__(self, spec: NetworkSpec, node: E2Node, cell: int) -> None:
        labels = tuple(s_nssai_label(entry.s_nssai.sst, entry.s_nssai.sd) for entry in spec.slices)
        self._prb_count = spec.prb_grid.prb_count
        self._cell = cell
        self._period_s = node.report_period_s
        self._by_ue = node.report_format == 3
        self._granularity_ms = max(round(node.report_period_s * 1000), 1)
        whole = tuple(Measurement(name, None, (NO_LABEL,)) for name in CELL_NAMES)
        self._slice_list = tuple(Measurement(name, None, labels) for name in SLICE_NAMES) + whole
        self._ue_list = tuple(Measurement(name, None, (NO_LABEL,)) for name in UE_NAMES)

    def message(self, loads: PeriodLoads, period: int) -> Format1 | Format3:
        """Format 1 with slice labels, or Format 3 per UE."""
        columns = self._columns(loads, period)
        if self._by_ue:
            users = [math.ceil(u - 1e-9) for u in loads.users_PCS[period, self._cell].tolist()]
            return self._format3(columns, users)
        used = float(loads.prb_used_ratio_PCS[period, self._cell].sum())
        values = [value for name in SLICE_NAMES for value in columns[name]]
        values += [self._prb_count, min(round(100 * used), 100)]
        return Format1([Record(tuple(values))], self._slice_list, self._granularity_ms)

    def _columns(self, loads: PeriodLoads, period: int) -> dict[str, list[Value]]:
        at = period, self._cell
        users = loads.users_PCS[at].tolist()
        served = loads.served_kbit_PCS[at].tolist()
        return {
            "RRU.PrbUsedDl": [round(u * self._prb_count) for u in loads.prb_used_ratio_PCS[at].tolist()],
            "DRB.PdcpSduVolumeDL": [round(v) for v in loads.offered_kbit_PCS[at].tolist()],
            "DRB.RlcSduTransmittedVolumeDL": [round(v) for v in served],
            "DRB.UEThpDl": [v / self._period_s / n if n else None for v, n in zip(served, users, strict=True)],
            "DRB.RlcSduDelayDl": [None if math.isnan(v) else 10.0 * v for v in loads.delay_ms_PCS[at].tolist()],
            "DRB.RlcPacketDropRateDl": [None if math.isnan(v) else round(1e6 * v) for v in loads.drop_ratio_PCS[at].tolist()],
            "DRB.MeanActiveUeDl": [round(n) for n in users],
        }

    def _format3(self, columns: dict[str, list[Value]], users: Sequence[int]) -> Format3:
        ues = []
        for s, count in enumerate(users):
            parts = max(min(count, _MAX_UES_PER_SLICE), 1)  # a slice without active UEs still has one connected
            split = [
                divide(int(columns[name][s] or 0), parts, salt)
                for salt, name in enumerate(("RRU.PrbUsedDl", "DRB.PdcpSduVolumeDL", "DRB.RlcSduTransmittedVolumeDL"))
            ]
            for k in range(parts):
                prb, offered, served = (column[k] for column in split)
                values: tuple[Value, ...] = (
                    prb,
                    offered,
                    served,
                    served / self._period_s if served else None,
                    columns["DRB.RlcSduDelayDl"][s],
                    columns["DRB.RlcPacketDropRateDl"][s],
                )
                report = Format1([Record(values)], self._ue_list, self._granularity_ms)
                ues.append(UeReport(self._ue_id(s, k), report))
        return Format3(ues)

    def _ue_id(self, slice_index: int, k: int) -> UeId:
        ran = bytes((slice_index + 1,)) + self._cell.to_bytes(3, "big") + k.to_bytes(4, "big")
        f1ap = (self._cell << 16 | slice_index << 10 | k) & 0xFFFFFFFF
        return UeId(f"ran:{ran.hex()}", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": f1ap, "ran-UEID": ran.hex()})


def divide(total: int, parts: int, salt: int) -> list[int]:
    """`total` as `parts` whole numbers of uneven size, at least 1 each where the total allows it; they sum to `total`."""
    weights = [1 + (k * 7 + salt * 3) % 5 for k in range(parts)]
    base = 1 if total >= parts else 0
    rest = total - base * parts
    edges = np.rint(np.cumsum([0, *weights]) * (rest / sum(weights))).astype(int).tolist()
    return [base + b - a for a, b in itertools.pairwise(edges)]
