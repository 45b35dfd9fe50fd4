"""What happens to the network whatever is done to it: geometry, demand, fading, link failures. Never reads an action.

Streams of random numbers are split by purpose, so the path of a seed is the same whatever the actions, the batch it runs in
or the way it is asked for. A path comes in blocks of one horizon; the events of a block begin in it and may outlast it.

Shape suffixes: H slow steps of a block, T fast steps, C cells, S slices, L links, N = H x T.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm_twin.kernel import first_order_noise
from twm_twin.layout import TwinLayout
from twm_twin.radio import Geometry, draw_geometry
from twm_twin.scenarios import Event, Scenario

Doubles = NDArray[np.float64]
_STREAMS = ("geometry", "scale", "noise", "fading", "events", "links")
_PER_SEED = ("geometry", "scale")
"""Streams that do not depend on the scenario: same city, other weather."""
_DEMAND_LEAST = 0.05
"""Fast noise leaves at least this share of the demand."""
_EFFICIENCY_LEAST = 0.05


@dataclass(frozen=True)
class ExogenousBlock:
    """One horizon of the path."""

    demand_mbps_HTCS: Doubles
    fading_HTC: Doubles
    """Factor on the cell's capacity."""
    link_up_HL: NDArray[np.bool_]


class ExogenousPath:
    """The path of one seed in one scenario."""

    def __init__(self, layout: TwinLayout, seed: int, scenario: str, quiet_steps: int = 0) -> None:
        """In the first `quiet_steps` slow steps nothing begins: no shock, no failure."""
        self.layout, self.scenario = layout, Scenario.of(scenario, layout.parameters)
        tag = zlib.crc32(scenario.encode())
        self._streams = {
            name: np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, 0 if name in _PER_SEED else tag, index])))
            for index, name in enumerate(_STREAMS)
        }
        self.geometry: Geometry = draw_geometry(layout, self._streams["geometry"])
        scale = layout.parameters.seed_scale
        self.scale = float(self._streams["scale"].uniform(scale.low, scale.high))
        self.events: list[Event] = []
        self._quiet_steps = quiet_steps
        self._block = 0
        c, s, n_links = layout.spec.sizes
        self._noise_M = self._streams["noise"].standard_normal(c * s)
        self._down_steps_L = np.zeros(n_links, np.int64)

    @property
    def nominal_mbps_CS(self) -> Doubles:
        """Demand without shocks, noise and the seed's scale."""
        return self.geometry.capacity_mbps_C[:, None] * self.layout.demand_fraction_CS

    def next_block(self) -> ExogenousBlock:
        """The next horizon."""
        timing = self.layout.spec.timing
        h, t = timing.horizon_steps, timing.fast_steps
        first = self._block * h
        self._block += 1
        self._begin_events(first)
        c, s, _ = self.layout.spec.sizes
        noise_NM = self._streams["noise"].standard_normal((h * t, c * s))
        first_order_noise(noise_NM, self._noise_M, self.layout.parameters.noise_correlation)
        noisy = 1.0 + self.layout.noise_sigma_S * noise_NM.reshape(h * t, c, s)
        shocked = 1.0 + self._intensity_NC(first)[:, :, None] * self.layout.shock_gain_S
        demand = self.nominal_mbps_CS * self.scale * shocked * np.maximum(noisy, _DEMAND_LEAST)
        sigma = self.layout.parameters.radio.fading_sigma
        fading = np.maximum(1.0 + sigma * self._streams["fading"].standard_normal((h, t, c)), _EFFICIENCY_LEAST)
        return ExogenousBlock(demand.reshape(h, t, c, s), fading, self._links_HL(first))

    def _begin_events(self, first: int) -> None:
        generator, scenario = self._streams["events"], self.scenario
        horizon = self.layout.spec.timing.horizon_steps
        shock = scenario.shock
        for _ in range(int(generator.integers(shock.event_count[0], shock.event_count[1] + 1))):
            onset = first + generator.uniform(shock.onset_ratio.low, shock.onset_ratio.high) * horizon
            duration = generator.uniform(shock.duration_steps.low, shock.duration_steps.high)
            amplitude = generator.uniform(shock.amplitude.low, shock.amplitude.high)
            path = self._path(generator)
            if onset >= self._quiet_steps:
                self.events.append(
                    Event(
                        kind=scenario.kind,
                        onset_step=onset,
                        duration_steps=duration * scenario.duration_factor,
                        amplitude=amplitude * scenario.amplitude_factor,
                        path_km=path,
                        radius_km=shock.radius_km,
                        calendar_amplitude=amplitude,
                        calendar_duration_steps=duration,
                    )
                )

    def _path(self, generator: np.random.Generator) -> tuple[tuple[float, float], ...]:
        shock, spec, topology = self.scenario.shock, self.layout.spec, self.layout.topology
        names = [zone.id for zone in spec.zones]
        default = (names[0] if self.scenario.kind == "hotspot" else names[-1]) if names else None
        name = shock.zone or default
        cells = next((zone.cells for zone in spec.zones if zone.id == name), [cell.id for cell in spec.cells])
        xy = topology.cell_xy_km[[topology.cell_index[cell] for cell in cells]]
        offset = shock.scatter_km * generator.standard_normal(2)
        pick, backwards = int(generator.integers(len(xy))), bool(generator.random() < 0.5)
        points = xy[pick : pick + 1] if self.scenario.kind == "hotspot" else (xy[::-1] if backwards else xy)
        return tuple((float(x), float(y)) for x, y in points + offset)

    def _intensity_NC(self, first: int) -> Doubles:
        """Relative demand increase at each fast step of the block that begins with slow step `first`."""
        timing, xy = self.layout.spec.timing, self.layout.topology.cell_xy_km
        h, t = timing.horizon_steps, timing.fast_steps
        at = first + (np.arange(h * t) + 0.5) / t
        out = np.zeros((h * t, len(xy)))
        self.events = [e for e in self.events if e.onset_step + e.duration_steps > first - h]
        for event in self.events:
            progress = (at - event.onset_step) / event.duration_steps
            active = (progress >= 0.0) & (progress <= 1.0)
            # Ramps of one slow step, or a third of the event where it is short.
            ramp = min(1.0 / event.duration_steps, 1.0 / 3.0)
            profile = np.clip(np.minimum(progress, 1.0 - progress) / ramp, 0.0, 1.0) * active
            centre = _along(event.path_km, np.clip(progress, 0.0, 1.0))
            distance2 = ((xy[None] - centre[:, None]) ** 2).sum(-1)
            out += event.amplitude * profile[:, None] * np.exp(-0.5 * distance2 / event.radius_km**2)
        return out

    def _links_HL(self, first: int) -> NDArray[np.bool_]:
        h, n_links = self.layout.spec.timing.horizon_steps, len(self._down_steps_L)
        generator = self._streams["links"]
        fails = generator.random((h, n_links)) < self.scenario.link_failure_ratio
        least, largest = self.layout.parameters.link_repair_steps
        length = generator.integers(least, largest + 1, (h, n_links))
        up = np.ones((h, n_links), bool)
        for step in range(h):
            begins = fails[step] & (self._down_steps_L == 0) & (first + step >= self._quiet_steps)
            self._down_steps_L = np.where(begins, length[step], self._down_steps_L)
            up[step] = self._down_steps_L == 0
            self._down_steps_L = np.maximum(self._down_steps_L - 1, 0)
        return up


def _along(path_km: Sequence[tuple[float, float]], progress_N: Doubles) -> Doubles:
    """Points [N, 2] at the given shares of a path's length."""
    points = np.array(path_km)
    if len(points) == 1:
        return np.repeat(points, len(progress_N), 0)
    reached = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    reached = reached / max(float(reached[-1]), 1e-9)
    return np.stack([np.interp(progress_N, reached, points[:, d]) for d in range(2)], -1)
