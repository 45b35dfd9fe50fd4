"""Many scored horizons, ready to be played again and again from the point where decisions begin.

A scored horizon of the benchmark follows a quiet one under uniform shares. Neither the exogenous path nor the quiet horizon
depends on who decides later, so both are made once; `ReplayTwin` then plays any of them from there as `Twin` would have.

Shape suffixes: N horizons, B of them played side by side, H slow steps, T fast steps, C cells, L links, S slices, Q users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.features import known_events
from twm.core.frames import Float
from twm.core.network import NetworkSpec
from twm_twin.calendar import known_at, told_calendar
from twm_twin.exogenous import ExogenousBlock
from twm_twin.scenarios import Event
from twm_twin.simulator import StepResult, Twin

Doubles = NDArray[np.float64]
CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class ScoredHorizons:
    """N horizons with the state that the quiet horizon before each has left."""

    spec: NetworkSpec
    seed_N: NDArray[np.int64]
    scenario_N: NDArray[np.str_]
    demand_mbps_NHTCS: Doubles
    fading_NHTC: Doubles
    link_up_NHL: NDArray[np.bool_]
    noise_NCQ: Doubles
    interference_NCQJ: Doubles
    nominal_mbps_NCS: Doubles
    queue_mbit_NCS: Doubles
    link_queue_mbit_NLS: Doubles
    retry_mbit_NCS: Doubles
    calendar_NHCH: Float | None
    """`known_events` of the frame before each scored step: the relative demand increase that the calendar tells for the steps
    from there on [N, H, C, H]; NaN where it tells nothing. None where it was not asked for."""
    last: StepResult
    """The last quiet step, arrays [N, ...]."""

    @property
    def count(self) -> int:
        """Horizons, N."""
        return len(self.seed_N)

    @classmethod
    def prepare(
        cls, spec: NetworkSpec, seeds: Sequence[int], scenarios: Sequence[str], *, calendar: bool = False
    ) -> ScoredHorizons:
        """Play the quiet horizon of every (seed, scenario) and draw the one after it."""
        parts = [
            _prepare(spec, seeds[at : at + CHUNK], scenarios[at : at + CHUNK], calendar) for at in range(0, len(seeds), CHUNK)
        ]
        arrays: dict[str, Any] = {}
        for field in fields(cls):
            values = [getattr(part, field.name) for part in parts]
            if field.name == "spec" or values[0] is None:
                arrays[field.name] = values[0]
            else:
                arrays[field.name] = _joined(values) if field.name == "last" else np.concatenate(values)
        return cls(**arrays)


def _prepare(spec: NetworkSpec, seeds: Sequence[int], scenarios: Sequence[str], calendar: bool) -> ScoredHorizons:
    h, b, (c, s, n_links) = spec.timing.horizon_steps, len(seeds), spec.sizes
    twin = Twin(spec, b)
    twin.reset(seeds, scenarios, quiet_steps=h)
    events: list[list[Event]] = [list(path.events) for path in twin.paths]
    uniform = np.full((b, c, s), 1.0 / s), np.full((b, n_links, s), 1.0 / s)
    for _ in range(h):
        last = twin.step(*uniform)
    blocks: list[ExogenousBlock] = [path.next_block() for path in twin.paths]
    told = None
    if calendar:
        # A calendar goes on beyond the scored horizon: what it tells of the one after belongs to it.
        for found, path in zip(events, twin.paths, strict=True):
            found += [event for event in path.events if event not in found]
            path.next_block()
            found += [event for event in path.events if event not in found]
        told = _calendar(spec, events, seeds, scenarios)
    return ScoredHorizons(
        spec=spec,
        seed_N=np.asarray(seeds, np.int64),
        scenario_N=np.asarray(scenarios),
        demand_mbps_NHTCS=np.stack([block.demand_mbps_HTCS for block in blocks]),
        fading_NHTC=np.stack([block.fading_HTC for block in blocks]),
        link_up_NHL=np.stack([block.link_up_HL for block in blocks]),
        noise_NCQ=np.stack([path.geometry.noise_CQ for path in twin.paths]),
        interference_NCQJ=np.stack([path.geometry.interference_CQJ for path in twin.paths]),
        nominal_mbps_NCS=np.stack([path.nominal_mbps_CS for path in twin.paths]),
        queue_mbit_NCS=twin.queue_mbit_BCS,
        link_queue_mbit_NLS=twin.link_queue_mbit_BLS,
        retry_mbit_NCS=twin.retry_mbit_BCS,
        calendar_NHCH=told,
        last=last,
    )


def _calendar(
    spec: NetworkSpec,
    events: Sequence[Sequence[Event]],
    seeds: Sequence[int],
    scenarios: Sequence[str],
) -> Float:
    h = spec.timing.horizon_steps
    out = np.empty((len(events), h, len(spec.cells), h), np.float32)
    for i, (seed, scenario) in enumerate(zip(seeds, scenarios, strict=True)):
        told = told_calendar(events[i], seed, scenario)
        for step in range(h):
            out[i, step] = known_events(known_at(told, h - 1 + step, h), spec, h - 1 + step)
    return out


def _joined(results: Sequence[StepResult]) -> StepResult:
    shared = ("step", "fast_step_s", "link_capacity_mbps_L")
    arrays: dict[str, Any] = {
        field.name: np.concatenate([getattr(result, field.name) for result in results])
        for field in fields(StepResult)
        if field.name not in shared
    }
    return replace(results[0], **arrays)


def taken(result: StepResult, which: NDArray[np.intp]) -> StepResult:
    """Some environments of a step."""
    shared = ("step", "fast_step_s", "link_capacity_mbps_L")
    arrays: dict[str, Any] = {
        field.name: getattr(result, field.name)[which] for field in fields(StepResult) if field.name not in shared
    }
    return replace(result, **arrays)


class ReplayTwin(Twin):
    """Plays scored horizons: `begin` puts B of them where the quiet horizon ended, `step` goes on as Twin does."""

    def __init__(self, horizons: ScoredHorizons, batch_size: int) -> None:
        super().__init__(horizons.spec, batch_size)
        self.horizons = horizons
        self._which: NDArray[np.intp] | None = None

    @property
    def ready(self) -> bool:
        """Whether `begin` was called."""
        return self._which is not None

    def begin(self, which: NDArray[np.intp]) -> StepResult:
        """Begin the horizons `which` [B]. Returns the last quiet step of each."""
        of = self.horizons
        self._which = which
        self.step_index = self.spec.timing.horizon_steps
        self.queue_mbit_BCS = of.queue_mbit_NCS[which].copy()
        self.link_queue_mbit_BLS = of.link_queue_mbit_NLS[which].copy()
        self.retry_mbit_BCS = of.retry_mbit_NCS[which].copy()
        self._noise_BCQ, self._interference_BCQJ = of.noise_NCQ[which], of.interference_NCQJ[which]
        self._nominal_BCS = of.nominal_mbps_NCS[which]
        return taken(of.last, which)

    def _exogenous(self) -> tuple[Doubles, Doubles, NDArray[np.bool_]]:
        of, at = self.horizons, self.step_index % self.spec.timing.horizon_steps
        which = self._which
        return of.demand_mbps_NHTCS[which, at], of.fading_NHTC[which, at], of.link_up_NHL[which, at]
