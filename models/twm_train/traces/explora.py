"""EXPLORA (wineslab/explora, parsed logs) as experiments: one step is one E2 report, about 1 s in `main` and 3 s elsewhere.

The agent decides once a report, so its own reporting period is the only step at which the recorded actions are constant.

- UEs carry no identity. A report holds several samples of each, in a repeating order: the samples are how often the shortest
  repeating sequence of slice ids fits; a report in which nothing repeats is read as USUAL_SAMPLES.
- throughput and buffer: sum over the slice's UEs of the mean over samples; prb_ratio: mean granted / requested PRBs.
- A command follows the report it was decided on; over a step the last command at least SETTLE_S before its end is in force.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import math
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError
from twm.ingester.replay.observation import number
from twm_train.traces.steps import Experiment, segments_of

SLICES = 3
CELL_PRBS = 50
LONGEST_S = 6.5
"""A longer time without a report ends a segment."""
USUAL_SAMPLES = 2
SETTLE_S = 0.5
"""A command later than this before a report does not show in it (slice_prb of 99.9 % of the reports agrees with that)."""
_ROW = ("slice_id", "dl_buffer [bytes]", "tx_brate downlink [Mbps]", "ratio_granted_req", "tx_pkts downlink")
AGENT_COLUMN = (2, 4, 1)
"""Column of _ROW that the agent is rewarded for in each slice."""
Rows = NDArray[np.float64]


def read_all(folder: Path) -> list[Experiment]:
    """All experiments of the folder, in file order. Raises InvalidInputError where a file, column or number is wrong."""
    reports: dict[str, dict[str, tuple[str, list[list[float]]]]] = {}
    for line, (name, time, report, *cells) in _lines(folder / "reports.csv.gz", ("experiment", "timestamp", "report", *_ROW)):
        _, rows = reports.setdefault(name, {}).setdefault(report, (time, []))
        rows.append(_numbers(cells, _ROW, line))
    names = tuple(f"{kind}_slice{k}" for kind in ("prb", "sched") for k in range(SLICES))
    commands: dict[str, list[tuple[float, list[float]]]] = {}
    for line, (name, time, *cells) in _lines(folder / "actions.csv.gz", ("experiment", "timestamp", *names)):
        commands.setdefault(name, []).append((_time_s(time), _numbers(cells, names, line)))
    return [_experiment(name, list(messages.values()), commands.get(name, [])) for name, messages in reports.items()]


def group_of(name: str) -> str:
    """Which experiments are alike: the two pre-trained agents of `main`, and the steering runs of each season."""
    campaign, _, experiment = name.partition("/")
    if campaign != "main":
        return campaign
    return "main-embb" if int(experiment.removeprefix("exp")) < 27 else "main-urllc"


def shortest_period(slice_ids: tuple[int, ...]) -> int:
    """Length of the shortest sequence whose repetition is the whole [n]; n where nothing repeats."""
    n = len(slice_ids)
    fits = (p for p in range(1, n + 1) if n % p == 0 and slice_ids == slice_ids[:p] * (n // p))
    return next(fits)


def _experiment(
    name: str, messages: list[tuple[str, list[list[float]]]], commands: list[tuple[float, list[float]]]
) -> Experiment:
    kept: list[tuple[float, Rows]] = []
    for text, rows in messages:
        at = _time_s(text)
        if not kept or at > kept[-1][0]:  # two reports in one instant: the second says nothing new
            kept.append((at, np.array(rows)))
    end_s = np.array([at for at, _ in kept])
    repeats = [len(rows) // shortest_period(tuple(rows[:, 0].astype(int))) for _, rows in kept]
    kpi = np.full((len(kept), SLICES, 3), np.nan)
    ues, agent = np.zeros((len(kept), SLICES)), np.zeros((len(kept), SLICES))
    for t, ((_, rows), repeat) in enumerate(zip(kept, repeats, strict=True)):
        samples = repeat if repeat > 1 else USUAL_SAMPLES
        for k in range(SLICES):
            mine = rows[rows[:, 0] == k]
            if len(mine):
                ues[t, k] = max(round(len(mine) / samples), 1)
                kpi[t, k] = mine[:, 2].mean() * ues[t, k], mine[:, 1].mean() * ues[t, k] * 1e-3, mine[:, 3].mean()
                agent[t, k] = np.median(mine[:, AGENT_COLUMN[k]])
    commands = sorted(commands, key=lambda item: item[0])
    times = np.array([at for at, _ in commands])
    values = np.array([v for _, v in commands]).reshape(-1, 2 * SLICES)
    index = np.searchsorted(times, end_s - SETTLE_S, side="right") - 1
    held = np.where(index[:, None] >= 0, values[np.maximum(index, 0)] if len(values) else np.nan, np.nan)
    period_s = np.diff(end_s, prepend=end_s[0] - LONGEST_S - 1)
    return Experiment(
        name=name,
        group=group_of(name),
        end_s=end_s,
        period_s=period_s,
        kpi_TSP=kpi,
        share_TS=held[:, :SLICES] / CELL_PRBS,
        scheduler_TS=np.where(np.isfinite(held[:, SLICES:]), held[:, SLICES:], -1).astype(np.int64),
        ues_TS=ues,
        segment_T=segments_of(period_s, LONGEST_S),
        agent_T3=agent,
    )


def _lines(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line number, cells of the needed columns) of each row."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            missing = [name for name in needed if name not in header]
            if missing:
                raise InvalidInputError(f"{path.name}: no column {', '.join(missing)}", reason="bad_trace")
            pick = itemgetter(*(header.index(name) for name in needed))
            for row in reader:
                if len(row) < len(header):
                    raise InvalidInputError(f"{path.name}: line {reader.line_num}: {len(row)} columns", reason="bad_trace")
                yield reader.line_num, pick(row)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}", reason="bad_trace") from error


def _numbers(cells: Sequence[str], names: Sequence[str], line: int) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = [math.nan]
    if all(0 <= value < math.inf for value in values):
        return values
    return [number(cell, name, line) for cell, name in zip(cells, names, strict=True)]  # raises, naming the cell


def _time_s(text: str) -> float:
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        raise InvalidInputError(f"timestamp: {text[:40]!r} is not a time", reason="bad_trace") from None
