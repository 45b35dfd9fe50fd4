"""The list of known events that the `calendar` variant of the benchmark gives to everyone: true shocks, told with noise.

Onset +-1 slow step, log of the peak with sigma 0.25, centre within 200 m; neither the out-of-distribution factors nor link
failures stand in it. A wave is told stop by stop, since a KnownEvent has one centre. Noise is drawn once for an event, from
(seed, scenario, index) alone: it stays the same however often and by whomever the calendar is asked.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from twm.api.telemetry.v1 import telemetry_pb2
from twm_twin.exogenous import ExogenousPath
from twm_twin.layout import TwinLayout
from twm_twin.scenarios import Event

ONSET_ERROR_STEPS = 1
LOG_PEAK_SIGMA = 0.25
CENTRE_ERROR_KM = 0.2
_STREAM = 0xCA1


def noisy_calendar(
    layout: TwinLayout, seed: int, scenario: str, *, horizons: int, quiet_steps: int = 0
) -> list[telemetry_pb2.KnownEvent]:
    """Known events of the first `horizons` horizons of a path, as `Twin.reset(seed, scenario, quiet_steps=...)` plays it.

    Steps count from the reset, as KpiFrame.step does in an episode.
    """
    path = ExogenousPath(layout, seed, scenario, quiet_steps)
    found: list[Event] = []
    for _ in range(horizons):
        path.next_block()
        found += [event for event in path.events if event not in found]
    return told_calendar(found, seed, scenario)


def told_calendar(events: Sequence[Event], seed: int, scenario: str) -> list[telemetry_pb2.KnownEvent]:
    """What is told of all the events of a path, in the order in which they were drawn."""
    return [
        told for event, error in zip(events, told_errors(events, seed, scenario), strict=True) for told in _told(event, error)
    ]


@dataclass(frozen=True)
class ToldError:
    """What the calendar gets wrong of an event."""

    onset_steps: float
    log_peak: float
    shift_km: tuple[float, float]

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> ToldError:
        """One draw."""
        onset = float(generator.integers(-ONSET_ERROR_STEPS, ONSET_ERROR_STEPS + 1))
        log_peak = LOG_PEAK_SIGMA * float(generator.standard_normal())
        angle, radius = 2 * math.pi * float(generator.random()), CENTRE_ERROR_KM * math.sqrt(float(generator.random()))
        return cls(onset, log_peak, (radius * math.cos(angle), radius * math.sin(angle)))


def told_errors(events: Sequence[Event], seed: int, scenario: str) -> list[ToldError]:
    """What `told_calendar` gets wrong of each event."""
    generator = np.random.default_rng([_STREAM, seed, zlib.crc32(scenario.encode())])
    return [ToldError.drawn(generator) for _ in events]


def _told(event: Event, error: ToldError) -> list[telemetry_pb2.KnownEvent]:
    onset = event.onset_step + error.onset_steps
    peak = event.calendar_amplitude * math.exp(error.log_peak)
    shift = error.shift_km
    end = onset + event.calendar_duration_steps
    if len(event.path_km) == 1:
        return [_entry(event, onset, end, event.path_km[0], shift, peak)]
    legs = [math.dist(a, b) for a, b in pairwise(event.path_km)]
    passed = np.concatenate([[0.0], np.cumsum(legs)]) / max(sum(legs), 1e-9)
    edges = [0.0, *((passed[1:] + passed[:-1]) / 2).tolist(), 1.0]
    at = lambda ratio: onset + ratio * event.calendar_duration_steps
    return [
        _entry(event, at(begin), at(finish), stop, shift, peak)
        for stop, begin, finish in zip(event.path_km, edges, edges[1:], strict=False)
    ]


def _entry(
    event: Event, begin: float, end: float, stop: tuple[float, float], shift: tuple[float, float], peak: float
) -> telemetry_pb2.KnownEvent:
    first = max(round(begin), 0)
    return telemetry_pb2.KnownEvent(
        kind=event.kind,
        onset_step=first,
        duration_steps=max(round(end) - first, 1),
        x_km=stop[0] + shift[0],
        y_km=stop[1] + shift[1],
        amplitude=peak,
    )


def known_at(events: Sequence[telemetry_pb2.KnownEvent], step: int, horizon_steps: int) -> tuple[telemetry_pb2.KnownEvent, ...]:
    """Those of a calendar that concern the steps step+1 .. step+horizon_steps: what `KpiFrame.events` of frame `step` holds."""
    return tuple(
        event
        for event in events
        if event.onset_step <= step + horizon_steps and event.onset_step + event.duration_steps > step + 1
    )
