"""Measurements that E2 nodes send, and what each becomes: a column of a cell-slice row, with unit, bounds and rule.

Names and units: O-RAN.WG3.E2SM-KPM with TS 28.552; units as public gNBs send them (PDCP and RLC volumes in kbit where TS 28.552
says Mbit). Values are converted once, here. KPM values are per granularity period, not cumulative; a node that counts on
is named in the settings and handled by `twm.ingester.counters`.

A value outside its range is refused and counted by reason, never clipped: real gNBs send dummies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twm.core.metrics import VALUES_REJECTED

Float64 = NDArray[np.float64]
Rule = Literal["sum", "mean_by_volume", "cell"]
"""How values of several UEs of one slice become one: sum; volume-weighted mean; or not at all (a property of the cell)."""


class Column(IntEnum):
    """Columns of one row (a slice in a cell, or the cell as a whole) over one reporting period."""

    OFFERED_MBIT = 0
    SERVED_MBIT = 1
    UE_THROUGHPUT_MBPS = 2
    PRB_USED = 3
    RADIO_LOSS_RATIO = 4
    RADIO_DELAY_MS = 5
    ACTIVE_UES = 6
    PRB_AVAILABLE = 7
    PRB_TOTAL_RATIO = 8
    CONNECTED_UES = 9


COLUMN_COUNT = len(Column)


@dataclass(frozen=True, slots=True)
class Definition:
    """One measurement."""

    name: str
    column: Column | None
    """Where it goes; None: known, not used (uplink, signalling)."""
    scale: float = 1.0
    """Wire unit to column unit."""
    high: float = 0.0
    """Largest plausible value, wire unit; the least is 0."""
    rule: Rule = "sum"


_KBIT_MAX = 4e9
"""Above it only the dummies of a 32-bit counter; the rate is bounded apart (MAX_RATE_MBPS)."""
_DELAY_MAX = 6e5
WRAP = 2.0**32
"""Where the counters of E2 nodes begin again."""
MAX_RATE_MBPS = 1e5
"""Largest plausible rate of a slice in a cell or of a UE [Mbps]."""

_USED = (
    Definition("DRB.PdcpSduVolumeDL", Column.OFFERED_MBIT, 1e-3, _KBIT_MAX),
    Definition("DRB.RlcSduTransmittedVolumeDL", Column.SERVED_MBIT, 1e-3, _KBIT_MAX),
    Definition("DRB.UEThpDl", Column.UE_THROUGHPUT_MBPS, 1e-3, MAX_RATE_MBPS * 1e3),
    Definition("RRU.PrbUsedDl", Column.PRB_USED, 1.0, 1100.0 * 8),
    Definition("DRB.RlcPacketDropRateDl", Column.RADIO_LOSS_RATIO, 1e-6, 1e6, "mean_by_volume"),
    Definition("DRB.RlcSduDelayDl", Column.RADIO_DELAY_MS, 0.1, _DELAY_MAX, "mean_by_volume"),
    Definition("DRB.MeanActiveUeDl", Column.ACTIVE_UES, 1.0, 65535.0),
    Definition("RRU.PrbAvailDl", Column.PRB_AVAILABLE, 1.0, 1100.0 * 8, "cell"),
    Definition("RRU.PrbTotDl", Column.PRB_TOTAL_RATIO, 0.01, 100.0, "cell"),
    Definition("RRC.ConnMean", Column.CONNECTED_UES, 1.0, 65535.0, "cell"),
)
_NOT_USED = (
    "RRU.PrbTotUl",
    "RRU.PrbUsedUl",
    "RRU.PrbAvailUl",
    "DRB.UEThpUl",
    "DRB.AirIfDelayDl",
    "DRB.AirIfDelayUl",
    "DRB.RlcDelayUl",
    "DRB.PdcpSduVolumeUL",
    "DRB.RlcSduTransmittedVolumeUL",
    "DRB.MaxActiveUeDl",
    "DRB.PacketLossRateUl",
    "SM.PDUSessionSetupReq",
    "SM.PDUSessionSetupSucc",
    "RACH.PreambleDedCell",
    "RACH.PreambleACell",
    "RACH.PreambleBCell",
    "CQI",
    "RSRP",
    "RSRQ",
)
CATALOGUE: Mapping[str, Definition] = {d.name.lower(): d for d in (*_USED, *(Definition(n, None) for n in _NOT_USED))}
"""By lower-case name: nodes disagree about "PdcpSduVolumeDL" and "PdcpSduVolumeDl"."""
RULES: Mapping[Column, Rule] = {d.column: d.rule for d in _USED if d.column is not None}


def definition(name: str) -> Definition | None:
    """The measurement of that name, or None."""
    return CATALOGUE.get(name.lower())


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where the values of one information list go. Built once a list, used for every report that carries it."""

    width: int
    """Values a record must hold."""
    source: NDArray[np.intp]
    """Positions taken [M]."""
    row: NDArray[np.intp]
    """Row each goes to [M]: slice index, or the slice count for the cell (or UE) as a whole."""
    column: NDArray[np.intp]
    """Column each goes to [M]."""
    scale: Float64
    """Factor [M]."""
    high: Float64
    """Bound [M], wire unit."""
    cumulative: tuple[int, ...]
    """Indices into [M] of counters that count on."""
    unknown: int
    """Positions whose measurement or label is not known."""
    signature: int
    """Small number that tells lists apart; equal for equal lists."""


def checked_values(plan: Plan, records: Sequence[tuple[int | float | None, ...]]) -> tuple[Float64, dict[str, int]]:
    """Values [N, M] of N records in wire units, NaN where not measured or refused, and the refusals by reason."""
    raw = np.array(records, np.float64).reshape(len(records), plan.width)[:, plan.source]
    with np.errstate(invalid="ignore"):
        good = (raw >= 0.0) & (raw <= plan.high)
    refused: dict[str, int] = {}
    if not good.all():
        for n, m in np.argwhere(~good):
            sent = records[n][int(plan.source[m])]
            if sent is None:
                continue  # noValue
            value = raw[n, m]
            reason = (
                "nan" if np.isnan(value) else "infinite" if np.isinf(value) else "negative" if value < 0 else "out_of_range"
            )
            refused[reason] = refused.get(reason, 0) + 1
        raw[~good] = np.nan
    return raw, refused


def count_refused(refused: Mapping[str, int]) -> None:
    """Add to the metric."""
    for reason, count in refused.items():
        if count:
            VALUES_REJECTED.labels(reason).inc(count)
