"""Recorded experiments as arrays, one row a step, and the fixed split of them.

A step is one reporting period of the trace: what it covers ends with the report. Actions are those in force over the step.

Shape suffixes: T steps of an experiment, S slices, P KPIs, 3 parts of the reward.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRACE_KPIS = ("throughput_mbps", "buffer_kbyte", "prb_ratio")
"""Per slice: downlink throughput, data waiting for the downlink, and PRBs.

EXPLORA: prb_ratio is granted over requested PRBs (what is used of a slice's PRBs is not in that trace).
TRACTOR: prb_ratio is PRBs used over PRBs of the cell.
"""
SPLITS = {"train": 0.5, "validation": 0.15, "calibration": 0.15, "test": 0.2}
"""Shares of the experiments of a group: weights are fitted on the first, choices made on the second, intervals on the third."""
SCHEDULERS = 3
"""0 round robin, 1 water filling, 2 proportionally fair; -1: not known."""
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One recorded experiment; NaN where nothing was recorded."""

    name: str
    group: str
    """Experiments of a group are alike (same agent and layout); each is split on its own."""
    end_s: Array
    """End of each step [T], event time."""
    period_s: Array
    """Time since the report before [T]."""
    kpi_TSP: Array
    """KPIs in the order and units of TRACE_KPIS; NaN for a slice without UEs."""
    share_TS: Array
    """Share of the cell's PRBs that a slice held over the step."""
    scheduler_TS: NDArray[np.int64]
    ues_TS: Array
    """Connected UEs."""
    segment_T: NDArray[np.int64]
    """Number of the stretch without a gap that a step is in; windows do not cross."""
    agent_T3: Array
    """What EXPLORA's agent is rewarded for, medians over the samples: throughput of slice 0 [Mbps], packets of slice 1, bytes
    waiting of slice 2; 0 for a slice without UEs, NaN in other traces."""

    def __post_init__(self) -> None:
        """Check that all arrays have the same steps."""
        steps = {len(v) for v in self.__dict__.values() if isinstance(v, np.ndarray)}
        if len(steps) != 1:
            raise ValueError(f"experiment {self.name}: arrays of {sorted(steps)} steps, expected one length")

    @property
    def steps(self) -> int:
        """Steps recorded."""
        return len(self.end_s)


def split_of(names: Mapping[str, str], *, salt: str = "twm-traces-1") -> dict[str, tuple[str, ...]]:
    """Experiments of each split by name, from {experiment: group}.

    Within a group they are ordered by a hash of the name and cut by SPLITS, so the lists are the same for ever and every
    group is in every split where it is large enough. No experiment is in two splits.
    """
    out: dict[str, list[str]] = {split: [] for split in SPLITS}
    for group in sorted(set(names.values())):
        members = sorted(
            (name for name, of in names.items() if of == group),
            key=lambda n: hashlib.sha256(f"{salt}/{n}".encode()).hexdigest(),
        )
        cuts = np.floor(np.cumsum(list(SPLITS.values())) * len(members) + 0.5).astype(int)
        begin = 0
        for split, end in zip(SPLITS, cuts, strict=True):
            out[split] += members[begin:end]
            begin = int(end)
    return {split: tuple(sorted(found)) for split, found in out.items()}


def pick(experiments: Sequence[Experiment], names: Sequence[str]) -> list[Experiment]:
    """The named experiments, in the order of the names."""
    by_name = {e.name: e for e in experiments}
    return [by_name[name] for name in names]


def segments_of(period_s: Array, longest_s: float) -> NDArray[np.int64]:
    """Segment number of each step [T]: a new one begins where the time since the report before is longer than `longest_s`."""
    return np.cumsum(period_s > longest_s).astype(np.int64)
