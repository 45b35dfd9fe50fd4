"""What else might have come of a moment: the path's fast noise drawn anew, or all that its law had still left open.

What differs between such futures no predictor can know at the moment, so they measure the ceiling of any forecast. For the
benchmark's own study only: everything here looks at the simulator's inside.

Shape suffixes: J futures, H slow steps, T fast steps, C cells, S slices, L links, M = C x S, N = fast steps in a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError
from twm_twin.calendar import ToldError, told_errors
from twm_twin.exogenous import ExogenousPath
from twm_twin.kernel import first_order_noise
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures
from twm_twin.radio import efficiency
from twm_twin.scenarios import Event

Doubles = NDArray[np.float64]
_LEAST = 0.05
"""Noise leaves at least this share of demand and of capacity, as in the path itself."""
_DOWN_BELOW_RATIO = 0.1
"""A forecast link is down where its capacity is below this share of the nominal one."""
_TRIES = 400


def retries_off(layout: TwinLayout) -> TwinLayout:
    """The layout in which lost volume does not come back."""
    return replace(layout, retry_ratio_S=np.zeros_like(layout.retry_ratio_S))


@dataclass(frozen=True)
class Moment:
    """A state of the twin: what has happened to a path by a slow step, and what waits in the queues."""

    seed: int
    scenario: str
    quiet_steps: int
    first: int
    """Slow steps played; the futures begin with this one."""
    queue_mbit_CS: Doubles
    link_queue_mbit_LS: Doubles
    retry_mbit_CS: Doubles


class MomentPath:
    """The true path of a moment, taken apart: what drives the mean, and the noise about it."""

    def __init__(self, layout: TwinLayout, moment: Moment) -> None:
        """Raises InvalidInputError where nothing has been played yet: the noise goes on from what was seen."""
        if moment.first < 1:
            raise InvalidInputError(f"first: {moment.first}, at least 1 step must have been played")
        self.layout, self.moment = layout, moment
        self.horizon, t = layout.spec.timing.horizon_steps, layout.spec.timing.fast_steps
        blocks = -(-(moment.first + self.horizon) // self.horizon)
        noisy = ExogenousPath(layout, moment.seed, moment.scenario, moment.quiet_steps)
        self._still = replace(layout, noise_sigma_S=np.zeros_like(layout.noise_sigma_S))
        still, self._other = (
            kind(self._still, moment.seed, moment.scenario, moment.quiet_steps) for kind in (ExogenousPath, _DrawnEvents)
        )
        self.geometry, self.base_CS = noisy.geometry, noisy.nominal_mbps_CS * noisy.scale
        played, told = [], []
        self.events: list[Event] = []
        for _ in range(blocks):
            played.append(noisy.next_block())
            told.append(still.next_block())
            self.events += [event for event in still.events if event not in self.events]
        self.mean_HTCS = np.concatenate([block.demand_mbps_HTCS for block in told])
        self.demand_HTCS = np.concatenate([block.demand_mbps_HTCS for block in played])
        self.fading_HTC = np.concatenate([block.fading_HTC for block in played])
        self.up_HL = np.concatenate([block.link_up_HL for block in played])
        sigma = layout.noise_sigma_S
        last, mean = self.demand_HTCS[moment.first - 1, t - 1], self.mean_HTCS[moment.first - 1, t - 1]
        ratio = np.divide(last, mean, out=np.ones_like(last), where=mean > 0) - 1.0
        self.noise_M = np.divide(ratio, sigma, out=np.zeros_like(ratio), where=sigma > 0).reshape(-1)

    @property
    def ahead(self) -> slice:
        """Slow steps of the futures."""
        return slice(self.moment.first, self.moment.first + self.horizon)

    def true(self) -> Futures:
        """What did come, as one future."""
        return self._futures(
            self.demand_HTCS[None, self.ahead], self.fading_HTC[None, self.ahead], self.up_HL[None, self.ahead]
        )

    def other_noise(self, count: int, generator: np.random.Generator) -> Futures:
        """Shocks and links as they came; the fast noise of demand and capacity drawn anew from the moment on."""
        mean = np.broadcast_to(self.mean_HTCS[self.ahead], (count, *self.mean_HTCS[self.ahead].shape))
        up = np.broadcast_to(self.up_HL[self.ahead], (count, *self.up_HL[self.ahead].shape))
        return self._futures(*self._noisy(mean, generator), up)

    def other_events(self, count: int, generator: np.random.Generator, *, told: bool = False) -> Futures:
        """Shocks that have not begun, link failures and fast noise drawn anew; what goes on already goes on as it does.

        `told`: the calendar is known, so the shocks are those it names, off by as much as it may be.
        """
        events = self._told_events if told else self._redrawn_events
        mean = np.stack([self._mean_of(events(generator)) for _ in range(count)])
        up = np.stack([self._redrawn_links(generator) for _ in range(count)])
        return self._futures(*self._noisy(mean, generator), up)

    def forecast(
        self, demand_JHCS: Doubles, efficiency_JHC: Doubles, capacity_JHL: Doubles, generator: np.random.Generator
    ) -> Futures:
        """Forecast means of slow steps, with fast noise of mean zero within a step.

        Demand [Mbps], spectral efficiency at full PRB use [bps/Hz], link capacity [Mbps]. Load forecasts hold the retries:
        play them with `retries_off`.
        """
        t = self.layout.spec.timing.fast_steps
        noisy, fading = self._noisy(np.ones((*demand_JHCS.shape[:2], t, *demand_JHCS.shape[2:])), generator)
        demand = demand_JHCS[:, :, None] * np.maximum(1.0 + noisy - noisy.mean(2, keepdims=True), _LEAST)
        nominal = self.layout.topology.link_capacity_mbps
        up = capacity_JHL >= _DOWN_BELOW_RATIO * nominal
        scale = np.maximum(efficiency_JHC, 1e-3) / self.full_efficiency_C
        capacity = np.where(up, np.minimum(capacity_JHL, nominal), 0.0)
        found = self.futures(demand, np.maximum(1.0 + fading - fading.mean(2, keepdims=True), _LEAST), scale, capacity, up)
        return replace(found, retry_mbit_JCS=np.zeros_like(found.retry_mbit_JCS))

    @property
    def full_efficiency_C(self) -> Doubles:
        """Spectral efficiency over all layers where every cell is fully active [bps/Hz]."""
        geometry, radio = self.geometry, self.layout.parameters.radio
        found = efficiency(geometry.noise_CQ, geometry.interference_CQJ, np.ones(len(geometry.noise_CQ)), radio)
        return np.asarray(found * self.layout.spec.prb_grid.layers)

    def slow(self) -> tuple[Doubles, Doubles]:
        """What did come, as means of slow steps: efficiency at full PRB use [H, C] [bps/Hz], link capacity [H, L] [Mbps]."""
        ahead = self.ahead
        return (
            self.full_efficiency_C * self.fading_HTC[ahead].mean(1),
            self.up_HL[ahead] * self.layout.topology.link_capacity_mbps,
        )

    def _noisy(self, mean_JHTCS: Doubles, generator: np.random.Generator) -> tuple[Doubles, Doubles]:
        j, h, t, c, s = mean_JHTCS.shape
        layout, noise = self.layout, generator.standard_normal((j, h * t, c * s))
        for row in noise:
            first_order_noise(row, self.noise_M.copy(), layout.parameters.noise_correlation)
        demand = mean_JHTCS * np.maximum(1.0 + layout.noise_sigma_S * noise.reshape(mean_JHTCS.shape), _LEAST)
        fading = 1.0 + layout.parameters.radio.fading_sigma * generator.standard_normal((j, h, t, c))
        return demand, np.maximum(fading, _LEAST)

    def _redrawn_events(self, generator: np.random.Generator) -> list[Event]:
        """Events that have begun, and others as the law draws them given these.

        The block that the moment lies in is drawn until as many of its events have begun as truly had.
        """
        moment, horizon = self.moment, self.horizon
        begun = [event for event in self.events if event.onset_step < moment.first]
        block = moment.first // horizon
        here = sum(event.onset_step >= block * horizon for event in begun)
        found = list(begun)
        for first in range(block * horizon, moment.first + horizon, horizon):
            for _ in range(_TRIES):
                drawn = self._other.block(first, generator)
                new = [event for event in drawn if event.onset_step >= moment.first]
                if first > moment.first or len(drawn) - len(new) == here:
                    found += new
                    break
        return found

    def _told_events(self, generator: np.random.Generator) -> list[Event]:
        """Events that have begun, and the others as they may be, given what the calendar tells of them."""
        moment, factor = self.moment, self._other.scenario.amplitude_factor
        allowed = self._other.scenario.shock.amplitude
        found = []
        for event, error in zip(self.events, told_errors(self.events, moment.seed, moment.scenario), strict=True):
            if event.onset_step < moment.first:
                found.append(event)
                continue
            for _ in range(_TRIES):
                other = ToldError.drawn(generator)
                onset = event.onset_step + error.onset_steps - other.onset_steps
                peak = event.calendar_amplitude * math.exp(error.log_peak - other.log_peak)
                if onset >= moment.first and allowed.low <= peak <= allowed.high:
                    break
            else:  # told far from what the law allows: the nearest that it does
                onset, peak = max(onset, moment.first), min(max(peak, allowed.low), allowed.high)
            x, y = (a - b for a, b in zip(error.shift_km, other.shift_km, strict=True))
            path = tuple((px + x, py + y) for px, py in event.path_km)
            found.append(replace(event, onset_step=onset, amplitude=peak * factor, path_km=path))
        return found

    def _mean_of(self, events: list[Event]) -> Doubles:
        blocks = []
        begin = self.moment.first // self.horizon * self.horizon
        for first in range(begin, self.moment.first + self.horizon, self.horizon):
            blocks.append(self._other.intensity(events, first))
        shocked = 1.0 + np.concatenate(blocks)[:, :, None] * self.layout.shock_gain_S
        t, offset = self.layout.spec.timing.fast_steps, self.moment.first - begin
        mean = self.base_CS * shocked.reshape(-1, t, *shocked.shape[1:])
        return np.asarray(mean[offset : offset + self.horizon])

    def _redrawn_links(self, generator: np.random.Generator) -> NDArray[np.bool_]:
        """Links that are down are repaired as the law says given how long they have been; others fail anew."""
        first, n_links = self.moment.first, self.up_HL.shape[1]
        ratio = self._other.scenario.link_failure_ratio
        least, largest = self.layout.parameters.link_repair_steps
        left_L = np.zeros(n_links, np.int64)
        for link in range(n_links):
            down = 0
            while down < first and not self.up_HL[first - 1 - down, link]:
                down += 1
            if 0 < down < largest:
                left_L[link] = int(generator.integers(max(least, down), largest + 1)) - down
        up = np.ones((self.horizon, n_links), bool)
        for step in range(self.horizon):
            begins = (generator.random(n_links) < ratio) & (left_L == 0)
            left_L = np.where(begins, generator.integers(least, largest + 1, n_links), left_L)
            up[step] = left_L == 0
            left_L = np.maximum(left_L - 1, 0)
        return up

    def _futures(self, demand_JHTCS: Doubles, fading_JHTC: Doubles, up_JHL: NDArray[np.bool_]) -> Futures:
        j, h, _, c, _ = demand_JHTCS.shape
        return self.futures(
            demand_JHTCS, fading_JHTC, np.ones((j, h, c)), up_JHL * self.layout.topology.link_capacity_mbps, up_JHL
        )

    def futures(
        self,
        demand_JHTCS: Doubles,
        fading_JHTC: Doubles,
        efficiency_scale_JHC: Doubles,
        capacity_JHL: Doubles,
        up_JHL: NDArray[np.bool_],
    ) -> Futures:
        """Given exogenous values in the moment's city, from its queues on."""
        j, moment = demand_JHTCS.shape[0], self.moment
        wide = lambda array: np.ascontiguousarray(np.broadcast_to(array, (j, *array.shape)))
        return Futures(
            demand_mbps_JHTCS=np.ascontiguousarray(demand_JHTCS),
            fading_JHTC=np.ascontiguousarray(fading_JHTC),
            noise_JCQ=wide(self.geometry.noise_CQ),
            interference_JCQJ=wide(self.geometry.interference_CQJ),
            efficiency_scale_JHC=efficiency_scale_JHC,
            link_capacity_mbps_JHL=capacity_JHL,
            route_JHC=self.layout.route_choice(up_JHL),
            queue_mbit_JCS=wide(moment.queue_mbit_CS),
            link_queue_mbit_JLS=wide(moment.link_queue_mbit_LS),
            retry_mbit_JCS=wide(moment.retry_mbit_CS),
        )


class _DrawnEvents(ExogenousPath):
    """A path whose events come from another generator."""

    def block(self, first: int, generator: np.random.Generator) -> list[Event]:
        """Events of the block that begins with slow step `first`."""
        self.events, self._streams["events"] = [], generator
        self._begin_events(first)
        return self.events

    def intensity(self, events: list[Event], first: int) -> Doubles:
        """Relative demand increase [N, C] in the block that begins with slow step `first`."""
        self.events = list(events)
        return self._intensity_NC(first)
