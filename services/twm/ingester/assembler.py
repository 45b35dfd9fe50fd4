"""Samples in any order to frames in step order, by event time. Pure: no I/O, the clock is a parameter.

A step closes when every expected period has come, or the watermark (twm.ingester.sources) has passed its end by the allowed
lateness, or everything has been silent for long. What has not come by then stays missing. Steps without any report between two
steps with reports give all-missing frames, up to a bound. Everything held is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.ingester.aggregation import FrameBuilder
from twm.ingester.measurements import Float64
from twm.ingester.samples import CellSample, KpmSample, Sample
from twm.ingester.sources import Sources

ACCEPTED = "accepted"
DUPLICATE = "duplicate"
LATE = "late"
STALE = "stale"
FUTURE = "future"
OVERFLOW = "overflow"
TOO_MANY_SOURCES = "too_many_sources"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait, and how much to hold."""

    allowed_lateness_s: float
    """Event time past the end of a step before it closes incomplete [s]."""
    idle_source_s: float
    """Processing time after which a silent source no longer holds steps open [s]."""
    idle_area_s: float
    """Processing time without any report after which the open steps close [s]."""
    max_ahead_s: float
    """Furthest a time stamp may lie ahead of event time [s]."""
    max_behind_s: float = 86400.0
    """Furthest the first report may lie behind its receive time [s]."""
    max_gap_steps: int = 60
    """Longest run of steps without reports that still gives frames."""
    max_open_steps: int = 8
    """Steps held open at a time; one more closes the oldest."""
    max_samples: int = 200_000
    """Samples held at a time."""
    max_sources: int = 256
    """Sources an area may have."""

    @classmethod
    def of(cls, spec: NetworkSpec) -> Patience:
        """What fits a network's timing."""
        period_s = max(node.report_period_s for node in spec.e2_nodes)
        slow_s = spec.timing.slow_step_s
        return cls(
            allowed_lateness_s=max(period_s, spec.timing.fast_step_s),
            idle_source_s=max(2 * period_s + 1.0, 3.0),
            idle_area_s=max(60.0, 3 * period_s),
            max_ahead_s=max(2 * slow_s, 60.0),
        )


@dataclass(slots=True)
class _Step:
    covered: dict[str, Float64]
    """Time covered by kind and subject [s]."""
    samples: dict[Hashable, Sample] = field(default_factory=dict)
    periods: set[tuple[str, int, int]] = field(default_factory=set)
    """(kind, subject, period start [ms]) seen."""
    longest: dict[tuple[str, int], float] = field(default_factory=dict)
    """Longest reporting period seen by kind and subject [s]."""


class Assembler:
    """The open steps of one area."""

    def __init__(
        self, spec: NetworkSpec, patience: Patience, builder: FrameBuilder, *, now: float, last_step: int | None = None
    ) -> None:
        self._spec, self._patience, self._builder = spec, patience, builder
        self._slow_s = spec.timing.slow_step_s
        c, _, links = spec.sizes
        self._subjects = {"kpm": c, "cell": c, "link": links}
        nodes = {node.id: node.report_period_s for node in spec.e2_nodes}
        self._kpm_period = np.array([nodes[cell.e2_node] for cell in spec.cells])
        self._adapter_period = {kind: np.full(self._subjects[kind], spec.timing.fast_step_s) for kind in ("cell", "link")}
        self._adapter_seen: set[str] = set()
        self._sources = Sources(
            sorted({cell.e2_node for cell in spec.cells}),
            idle_s=patience.idle_source_s,
            max_ahead_s=patience.max_ahead_s,
            max_behind_s=self._slow_s + patience.allowed_lateness_s,
            now=now,
        )
        self._open: dict[int, _Step] = {}
        self._held = 0
        self.last_step = last_step
        """Last step closed; None before the first."""

    @property
    def held(self) -> int:
        """Samples held."""
        return self._held

    @property
    def open_steps(self) -> list[int]:
        """Open steps that have samples, in order."""
        return sorted(self._open)

    def step_of(self, sample: Sample) -> int:
        """Slow step of a sample: that of the middle of its period."""
        return math.floor((sample.start_s + sample.period_s / 2) / self._slow_s)

    def add(self, sample: Sample, received_s: float, now: float) -> str:
        """Take a sample in: ACCEPTED, or why not.

        `received_s`: when the adapter had it [Unix s]; `now`: processing time [s].
        """
        patience, source = self._patience, sample.node_id
        step, end_s = self.step_of(sample), sample.start_s + sample.period_s
        if self.last_step is None:
            floor_s = -math.inf
            if end_s < max(received_s, self._sources.front_s()) - patience.max_behind_s or step < 0:
                return STALE
        else:
            floor_s = (self.last_step + 1) * self._slow_s
            if step <= self.last_step:
                return LATE if step > self.last_step - patience.max_gap_steps else STALE
        if not self._sources.admits(source, patience.max_sources, now):
            return TOO_MANY_SOURCES
        if not self._sources.believable(source, end_s, received_s, floor_s):
            return FUTURE
        held = self._open.get(step)
        if held is not None and sample.key in held.samples:
            self._sources.saw(source, end_s, now)
            return DUPLICATE
        if self._held >= patience.max_samples:
            return OVERFLOW
        self._sources.saw(source, end_s, now)
        if held is None:
            held = self._open[step] = self._empty()
        held.samples[sample.key] = sample
        self._held += 1
        self._cover(held, sample)
        return ACCEPTED

    def _cover(self, held: _Step, sample: Sample) -> None:
        kind, subject = _kind(sample)
        period = (kind, subject, round(sample.start_s * 1e3))
        if period in held.periods:
            return
        held.periods.add(period)
        begin_s = self.step_of(sample) * self._slow_s
        end_s = min(sample.start_s + sample.period_s, begin_s + self._slow_s)
        held.covered[kind][subject] += end_s - max(sample.start_s, begin_s)
        held.longest[kind, subject] = max(held.longest.get((kind, subject), 0.0), sample.period_s)

    def refresh(self, now: float) -> None:
        """Forget silences: the reports could not be read until now."""
        self._sources.refresh(now)

    def due(self, now: float, *, caught_up: bool) -> int | None:
        """The step to close next, or None. `caught_up`: nothing more waits to be read, so a silence is one."""
        if not self._open:
            return None
        oldest = min(self._open)
        ready = (
            self._complete(self._open[oldest])
            or len(self._open) > self._patience.max_open_steps
            or self._sources.watermark_s(now if caught_up else -math.inf)
            >= (oldest + 1) * self._slow_s + self._patience.allowed_lateness_s
            or (caught_up and self._sources.silent_s(now) >= self._patience.idle_area_s)
        )
        if not ready:
            return None
        if self.last_step is None or oldest - self.last_step - 1 > self._patience.max_gap_steps:
            return oldest
        return self.last_step + 1

    def frame(self, step: int) -> FrameArrays:
        """The frame of a step that is due. Steps are asked for in order, each once."""
        held = self._open.get(step) or self._empty()
        frame = self._builder.build(step, held.samples.values())
        for (kind, subject), period_s in held.longest.items():
            if kind != "kpm":
                self._adapter_seen.add(kind)
                self._adapter_period[kind][subject] = period_s
        frame.missing_report_count = self._missing(held)
        return frame

    def _empty(self) -> _Step:
        return _Step(covered={kind: np.zeros(n) for kind, n in self._subjects.items()})

    def closed(self, step: int) -> None:
        """The frame of `step` is out: forget its samples."""
        held = self._open.pop(step, None)
        self._held -= len(held.samples) if held is not None else 0
        self.last_step = step

    def _complete(self, held: _Step) -> bool:
        enough = self._slow_s * (1 - 1e-6)
        return all((covered >= enough).all() for covered in held.covered.values())

    def _missing(self, held: _Step) -> int:
        """Whole periods expected but not seen. KPM always; adapters' reports from the first of their kind on.

        A source that reports less often than the spec says, or off the step's bounds, misses only what would fill its period.
        """
        missing = 0.0
        for kind in ("kpm", *sorted(self._adapter_seen)):
            period = self._kpm_period.copy() if kind == "kpm" else self._adapter_period[kind].copy()
            for (of_kind, subject), longest_s in held.longest.items():
                if of_kind == kind:
                    period[subject] = max(period[subject], longest_s)
            missing += float(np.floor((self._slow_s - held.covered[kind]) / period + 1e-3).clip(0).sum())
        return int(missing)


def _kind(sample: Sample) -> tuple[str, int]:
    if isinstance(sample, KpmSample):
        return "kpm", sample.cell
    if isinstance(sample, CellSample):
        return "cell", sample.cell
    return "link", sample.link
