"""TRACTOR traces (genesys-neu/TRACTOR): SCOPE's per-UE metrics each 250 ms, in the Multi-UE and the SingleUE Raw layout.

An experiment is one folder `Multi-UE/TrialN/CONDITION` (all its UEs share the cell) or one file `SingleUE/TrialN/Raw/FILE`.
Rows are gathered into periods of PERIOD_S. Derived per UE:

- slice: slice_id where slicing is enabled; else the traffic class that `output_*.txt`, the file or the folder names
  (embb, mmtc, urll: slices 0, 1, 2); else not known: the UE is then counted as unmapped.
- served (DRB.RlcSduTransmittedVolumeDL) and DRB.UEThpDl: mean tx_brate over the period's rows.
- offered (DRB.PdcpSduVolumeDL): served + growth of dl_buffer since the period before, at least 0.
- RRU.PrbUsedDl: sum_granted_prbs / TTIs of 1 ms.
- per slice: queue = sum of the last dl_buffer, delay = queue / throughput (Little's law).
- prb_share: slice_prb / PRBs, where every slice's is known; not enforced (slicing disabled) is missing.

tx_errors is HARQ's, not loss: loss stays missing. Uplink columns are not used.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.ingester.replay.observation import BITS_PER_BYTE, Observation, little_delay_ms, number

PERIOD_S = 1.0
_TTIS_PER_ROW = 250
_CLASSES = (("embb", 0), ("mmtc", 1), ("urll", 2))
_UE = re.compile(r"(\d{15}|\d{13})")
_TRACE_OF = re.compile(r"Using trace: \S*?([A-Za-z0-9_]+)\.csv for (\d{10,16})")
_NEEDED = ("Timestamp", "dl_buffer [bytes]", "tx_brate downlink [Mbps]", "sum_granted_prbs")


@dataclass(slots=True)
class _Ue:
    """One UE in one period."""

    slice_index: int | None
    rates_mbps: list[float] = field(default_factory=list)
    granted_prbs: float = 0.0
    buffer_bytes: float = 0.0
    slice_prb: float = np.nan


def experiments(folder: Path) -> list[str]:
    """Experiments under a trace folder (the data set's root or its `logs`), as paths relative to `logs`."""
    logs = _logs(folder)
    multi = sorted({path.parent.relative_to(logs).as_posix() for path in logs.glob("Multi-UE/*/*/*_metrics.csv.gz")})
    single = sorted(path.relative_to(logs).as_posix() for path in logs.glob("SingleUE/*/Raw/*.csv.gz"))
    return multi + single


def read(folder: Path, experiment: str, spec: NetworkSpec) -> list[Observation]:
    """Observations of one experiment in time order. Raises InvalidInputError where it or a column is not there."""
    logs = _logs(folder)
    path = logs / experiment
    if not path.resolve().is_relative_to(logs.resolve()) or not path.exists():
        raise InvalidInputError(f"experiment: {experiment[:80]!r} is not in {logs}", reason="bad_trace")
    files = sorted(path.glob("*_metrics.csv.gz")) if path.is_dir() else [path]
    traces = _assigned_traces(path)
    periods: dict[int, dict[str, _Ue]] = {}
    begin_ms: float | None = None
    rows = [(file, list(_rows(file))) for file in files]
    first = [items[0][0] for _, items in rows if items]
    if not first:
        raise InvalidInputError(f"experiment: {experiment[:80]!r} has no rows", reason="bad_trace")
    begin_ms = min(first)
    for file, items in rows:
        found = _UE.search(file.name)
        key = f"imsi:{found[1] if found else file.name.removesuffix('.csv.gz')[:40]}"
        named = traces.get(found[1] if found else "", "") or (file.name if not path.is_dir() else path.name)
        for time_ms, row, line in items:
            period = periods.setdefault(int((time_ms - begin_ms) / 1e3 // PERIOD_S), {})
            ue = period.setdefault(key, _Ue(_slice_of(row, named, line, spec)))
            ue.rates_mbps.append(number(row["tx_brate downlink [Mbps]"], "tx_brate", line))
            ue.granted_prbs += number(row["sum_granted_prbs"], "sum_granted_prbs", line)
            ue.buffer_bytes = number(row["dl_buffer [bytes]"], "dl_buffer", line)
            if row.get("slicing_enabled") == "1":
                ue.slice_prb = number(row["slice_prb"], "slice_prb", line)
    return list(_observations(periods, spec))


def _observations(periods: dict[int, dict[str, _Ue]], spec: NetworkSpec) -> Iterator[Observation]:
    s = len(spec.slices)
    before: dict[str, tuple[int, float]] = {}
    for index in sorted(periods):
        ues = periods[index]
        rate = np.array([np.mean(ue.rates_mbps) for ue in ues.values()])
        waiting = np.array([ue.buffer_bytes * BITS_PER_BYTE * 1e-6 for ue in ues.values()])
        growth = np.array(
            [
                w - before[key][1] if before.get(key, (-9, 0.0))[0] == index - 1 else np.nan
                for key, w in zip(ues, waiting, strict=True)
            ]
        )
        before.update({key: (index, w) for key, w in zip(ues, waiting, strict=True)})
        queue, speed, share, present = np.zeros(s), np.zeros(s), np.full(s, np.nan), np.zeros(s, bool)
        for ue, ue_rate, ue_waiting in zip(ues.values(), rate, waiting, strict=True):
            if ue.slice_index is not None:
                queue[ue.slice_index] += ue_waiting
                speed[ue.slice_index] += ue_rate
                share[ue.slice_index] = ue.slice_prb / spec.prb_grid.prb_count
                present[ue.slice_index] = True
        if not np.isnan(share).all() and float(np.nansum(share)) >= 1.0:
            share = np.nan_to_num(share)  # nothing is left for the slices without UEs
        delay = [little_delay_ms(q, v) if here else np.nan for q, v, here in zip(queue, speed, present, strict=True)]
        yield Observation(
            start_s=index * PERIOD_S,
            period_s=PERIOD_S,
            columns=["" if ue.slice_index is None else spec.slices[ue.slice_index].id for ue in ues.values()],
            ue_keys=list(ues),
            values={
                "DRB.PdcpSduVolumeDL": list(np.maximum(rate * PERIOD_S + growth, 0.0) * 1e3),
                "DRB.RlcSduTransmittedVolumeDL": list(rate * PERIOD_S * 1e3),
                "DRB.UEThpDl": list(rate * 1e3),
                "RRU.PrbUsedDl": [ue.granted_prbs / (len(ue.rates_mbps) * _TTIS_PER_ROW) for ue in ues.values()],
            },
            cell_values={"RRU.PrbAvailDl": float(spec.prb_grid.prb_count)},
            prb_share=list(share),
            delay_ms=delay,
            queue_mbit=[q if here else np.nan for q, here in zip(queue, present, strict=True)],
        )


def _slice_of(row: dict[str, str], named: str, line: int, spec: NetworkSpec) -> int | None:
    if row.get("slicing_enabled") == "1":
        index = int(number(row["slice_id"], "slice_id", line))
        return index if index < len(spec.slices) else None
    name = named.lower()
    return next((index for word, index in _CLASSES if word in name and index < len(spec.slices)), None)


def _assigned_traces(path: Path) -> dict[str, str]:
    """UE to the traffic trace it replays, from `output_*.txt`."""
    out: dict[str, str] = {}
    for file in sorted(path.glob("output_*.txt")) if path.is_dir() else ():
        out.update({ue: trace for trace, ue in _TRACE_OF.findall(file.read_text(encoding="utf-8", errors="replace"))})
    return out


def _rows(path: Path) -> Iterator[tuple[float, dict[str, str], int]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise InvalidInputError(f"{path.name}: no column {', '.join(missing)}", reason="bad_trace")
            for row in reader:
                if None not in row.values():  # a row cut off at the file's end
                    yield number(row["Timestamp"], "Timestamp", reader.line_num), row, reader.line_num
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}", reason="bad_trace") from error


def _logs(folder: Path) -> Path:
    inner = folder / "logs"
    return inner if inner.is_dir() else folder
