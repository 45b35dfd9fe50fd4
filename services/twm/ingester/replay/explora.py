"""EXPLORA traces (wineslab/explora, parsed logs): `reports.csv.gz` and `actions.csv.gz`.

A report is one E2 message with two or more samples of each UE; UEs carry no identity, only their slice. Slice k of the trace
is slice k of the network spec. Derived, per message and slice:

- UE count: rows of the slice / samples; the samples are how often the sequence of slice ids repeats (2 where it does not).
- served (DRB.RlcSduTransmittedVolumeDL): sum over UEs of the mean tx_brate, times the period since the message before.
- waiting (queue_mbit): sum over UEs of the mean dl_buffer.
- offered (DRB.PdcpSduVolumeDL): served + growth of what waits since the message before, at least 0; unknown for the first.
- delay (DRB.RlcSduDelayDl, e2e_delay_ms): waiting / throughput, Little's law. Transport and core are not in the trace.
- RRU.PrbUsedDl: where the slice was granted less than it asked (ratio_granted_req < 1), all PRBs it holds; else unknown.
- prb_share: slice_prb of the message / PRBs of the cell; for a slice without UEs the last command in `actions.csv.gz`.

Loss is not in the trace and stays missing. A message covers the time since the one before, at most MAX_PERIOD_S.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.ingester.replay.observation import BITS_PER_BYTE, MISSING, Observation, little_delay_ms, number

MAX_PERIOD_S = 6.0
FIRST_PERIOD_S = 1.0
USUAL_SAMPLES = 2
_FIELDS = (
    "experiment",
    "timestamp",
    "report",
    "slice_id",
    "dl_buffer [bytes]",
    "tx_brate downlink [Mbps]",
    "ratio_granted_req",
)
_ACTION_FIELDS = ("experiment", "timestamp", "prb_slice0", "prb_slice1", "prb_slice2")
_SLICES = 3
_FULLY_GRANTED = 0.995


@dataclass(frozen=True, slots=True)
class _Row:
    slice_id: int
    buffer_bytes: float
    rate_mbps: float
    granted_ratio: float
    slice_prb: float


@dataclass(slots=True)
class _Message:
    time_s: float
    rows: list[_Row]


def experiments(folder: Path) -> list[str]:
    """Experiments of a trace, in file order."""
    return list(dict.fromkeys(row["experiment"] for _, row in _lines(folder / "reports.csv.gz", _FIELDS)))


def read(folder: Path, experiment: str, spec: NetworkSpec) -> list[Observation]:
    """Observations of one experiment in time order.

    Raises InvalidInputError where the experiment, a column or a number is not there, or the network has too few slices.
    """
    if len(spec.slices) < _SLICES:
        raise InvalidInputError(f"network {spec.name}: {len(spec.slices)} slices, an EXPLORA trace has {_SLICES}")
    messages = list(_messages(folder / "reports.csv.gz", experiment))
    if not messages:
        raise InvalidInputError(f"experiment: {experiment[:80]!r} is not in {folder}", reason="bad_trace")
    action_times, action_prbs = _actions(folder / "actions.csv.gz", experiment)
    begin_s = messages[0].time_s - FIRST_PERIOD_S
    out: list[Observation] = []
    before_s, waiting_before = begin_s, np.full(_SLICES, np.nan)
    held = np.full(_SLICES, np.nan)
    for message in messages:
        gap_s = message.time_s - before_s
        if gap_s <= 0.0:
            continue  # two messages in one instant: the second says nothing new
        at = bisect_right(action_times, message.time_s) - 1
        if at >= 0:
            held = action_prbs[at].copy()
        period_s = min(gap_s, MAX_PERIOD_S)
        observation, waiting_before = _observe(message, period_s, gap_s, waiting_before, held, spec)
        out.append(_placed(observation, message.time_s - period_s - begin_s))
        before_s = message.time_s
    return out


def _observe(
    message: _Message, period_s: float, gap_s: float, waiting_before: np.ndarray, held: np.ndarray, spec: NetworkSpec
) -> tuple[Observation, np.ndarray]:
    samples = sample_count([row.slice_id for row in message.rows])
    s = len(spec.slices)
    count, rate, waiting = np.zeros(s), np.zeros(s), np.zeros(s)
    used, share = np.full(s, np.nan), np.full(s, np.nan)
    prb_count = spec.prb_grid.prb_count
    granted: list[list[float]] = [[] for _ in range(s)]
    for row in message.rows:
        k = row.slice_id
        count[k] += 1 / samples
        rate[k] += row.rate_mbps / samples
        waiting[k] += row.buffer_bytes * BITS_PER_BYTE * 1e-6 / samples
        share[k] = row.slice_prb
        granted[k].append(row.granted_ratio)
    for k, ratios in enumerate(granted):
        if ratios and float(np.mean(ratios)) < _FULLY_GRANTED:
            used[k] = share[k]
    idle = np.isnan(share)
    share[idle] = np.append(held, np.zeros(s - _SLICES))[idle]
    free = max(prb_count - float(share[~idle].sum()), 0.0)
    if idle.any() and share[idle].sum() > free:  # the command's change has not reached the others' reports yet
        share[idle] *= free / share[idle].sum()
    served = rate * period_s
    known = gap_s <= MAX_PERIOD_S
    growth = waiting[:_SLICES] - waiting_before
    offered = np.full(s, np.nan)
    if known:
        offered[:_SLICES] = np.maximum(served[:_SLICES] + growth, 0.0)
    delay = np.array([little_delay_ms(w, r) for w, r in zip(waiting, rate, strict=True)])
    delay[count == 0] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        per_ue = np.where(count > 0, rate / count, np.nan)
    return (
        Observation(
            start_s=0.0,
            period_s=period_s,
            columns=[entry.id for entry in spec.slices],
            values={
                "DRB.PdcpSduVolumeDL": list(offered * 1e3),
                "DRB.RlcSduTransmittedVolumeDL": list(served * 1e3),
                "DRB.UEThpDl": list(per_ue * 1e3),
                "DRB.RlcSduDelayDl": list(delay * 10.0),
                "RRU.PrbUsedDl": list(used),
                "DRB.MeanActiveUeDl": list(count),
            },
            cell_values={"RRU.PrbAvailDl": float(prb_count)},
            prb_share=list(share / prb_count),
            delay_ms=list(delay),
            queue_mbit=list(waiting),
        ),
        waiting[:_SLICES],
    )


def _placed(observation: Observation, start_s: float) -> Observation:
    return Observation(**{**observation.__dict__, "start_s": start_s})


def sample_count(slice_ids: Sequence[int]) -> int:
    """Samples of each UE in a message: how often the shortest sequence of slice ids repeats, else USUAL_SAMPLES.

    A late message holds more of them, four or six in `main/exp35`. Rows of one slice alone do not tell UEs from samples: two
    or three samples then.
    """
    n = len(slice_ids)
    one_slice = len(set(slice_ids)) == 1
    widths = [n // samples for samples in (USUAL_SAMPLES, 3) if n % samples == 0] if one_slice else range(2, n // 2 + 1)
    for width in widths:
        if n % width == 0 and all(slice_ids[i] == slice_ids[i % width] for i in range(n)):
            return n // width
    return min(USUAL_SAMPLES, n)


def _messages(path: Path, experiment: str) -> Iterator[_Message]:
    current: str | None = None
    message = _Message(0.0, [])
    for line, row in _lines(path, _FIELDS):
        if row["experiment"] != experiment:
            continue
        if row["report"] != current:
            if message.rows:
                yield message
            current, message = row["report"], _Message(_time_s(row["timestamp"], line), [])
        slice_id = int(number(row["slice_id"], "slice_id", line))
        if slice_id >= _SLICES:
            raise InvalidInputError(f"line {line}: slice_id: {slice_id}, expected 0..{_SLICES - 1}", reason="bad_trace")
        message.rows.append(
            _Row(
                slice_id,
                number(row["dl_buffer [bytes]"], "dl_buffer", line),
                number(row["tx_brate downlink [Mbps]"], "tx_brate", line),
                number(row["ratio_granted_req"], "ratio_granted_req", line),
                number(row["slice_prb"], "slice_prb", line),
            )
        )
    if message.rows:
        yield message


def _actions(path: Path, experiment: str) -> tuple[list[float], list[np.ndarray]]:
    """Times and PRBs per slice of the commands of an experiment, in time order; empty where there is no file."""
    if not path.is_file():
        return [], []
    found = [
        (_time_s(row["timestamp"], line), np.array([number(row[f"prb_slice{k}"], "prb_slice", line) for k in range(_SLICES)]))
        for line, row in _lines(path, _ACTION_FIELDS)
        if row["experiment"] == experiment
    ]
    found.sort(key=lambda item: item[0])
    return [t for t, _ in found], [prbs for _, prbs in found]


def _lines(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise InvalidInputError(f"{path}: no column {', '.join(missing)}", reason="bad_trace")
            for row in reader:
                yield reader.line_num, row
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}", reason="bad_trace") from error


def _time_s(text: str, line: int) -> float:
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        raise InvalidInputError(f"line {line}: timestamp: {text[:40]!r} is not a time", reason="bad_trace") from None


__all__ = ["MISSING", "experiments", "read", "sample_count"]
