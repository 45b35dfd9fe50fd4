"""The twin: B parallel networks that take PRB and bandwidth shares and move on by one slow step at a time.

Shape suffixes: B environments, T fast steps of the slow step, C cells, S slices, L links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import check_shares
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm_twin.exogenous import ExogenousBlock, ExogenousPath
from twm_twin.kernel import CELL_FIELDS, LINK_FIELDS, step_many
from twm_twin.layout import TwinLayout
from twm_twin.recording import FrameBatch, record_frames
from twm_twin.scenarios import Event

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One slow step of every environment as it truly was; volumes in Mbit per fast step."""

    step: int
    """Slow steps since reset."""
    fast_step_s: float
    prb_share_BCS: Doubles
    bandwidth_share_BLS: Doubles
    offered_mbit_BTCS: Doubles
    """Volume that arrives at the cell's PDCP, retries included."""
    served_mbit_BTCS: Doubles
    """Volume that the radio sends."""
    dropped_mbit_BTCS: Doubles
    """Volume that the cell's buffer cannot take."""
    lost_mbit_BTCS: Doubles
    """Volume lost end to end: dropped, or served by the radio and lost in transport."""
    delay_ms_BTCS: Doubles
    """End-to-end delay."""
    radio_delay_ms_BTCS: Doubles
    """Radio part of the delay."""
    queue_mbit_BTCS: Doubles
    """Data waiting in the cell at the end of the fast step."""
    prb_used_ratio_BTCS: Doubles
    """PRBs used over PRBs of the carrier."""
    users_BTCS: Doubles
    """Active UEs, whole numbers."""
    cell_rate_mbps_BTC: Doubles
    """What the cell's whole carrier serves."""
    spectral_efficiency_BTC: Doubles
    """Over all layers [bps/Hz]."""
    link_offered_mbit_BTLS: Doubles
    link_served_mbit_BTLS: Doubles
    link_dropped_mbit_BTLS: Doubles
    link_queue_mbit_BTLS: Doubles
    link_capacity_mbps_L: Doubles
    """Nominal capacity."""
    link_up_BL: NDArray[np.bool_]

    @property
    def offered_kbit_BTCS(self) -> Doubles:
        """DRB.PdcpSduVolumeDL of each fast step [kbit]."""
        return self.offered_mbit_BTCS * 1000.0

    @property
    def served_kbit_BTCS(self) -> Doubles:
        """DRB.RlcSduTransmittedVolumeDL of each fast step [kbit]."""
        return self.served_mbit_BTCS * 1000.0

    @property
    def loss_ratio_BTCS(self) -> Doubles:
        """End-to-end loss over the volume offered, 0..1; NaN where nothing was offered."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(self.offered_mbit_BTCS > 0, self.lost_mbit_BTCS / self.offered_mbit_BTCS, np.nan)
        return np.minimum(ratio, 1.0)


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """Something that is made to happen in every environment, on top of what the seeds draw."""

    first_step: int
    """Slow step since reset in which it begins."""
    last_step: int
    """Last slow step of it."""
    demand_factor_CS: Doubles | None = None
    """Factor on the demand."""
    link_factor_L: Doubles | None = None
    """Share of its capacity that a link has left; 0: down."""


class Twin:
    """B environments of one network. Not thread-safe; `step` releases the interpreter lock in the compiled part."""

    def __init__(self, spec: NetworkSpec, batch_size: int) -> None:
        if batch_size < 1:
            raise InvalidInputError(f"batch_size: {batch_size}, at least 1")
        self.spec, self.batch_size = spec, batch_size
        self.layout = TwinLayout.of(spec)
        self.paths: list[ExogenousPath] = []
        self.disturbances: list[Disturbance] = []
        """What is made to happen; kept by `reset`."""
        self.step_index = 0
        self._blocks: list[ExogenousBlock] = []

    def reset(self, seeds: Sequence[int] | NDArray[np.int64], scenarios: Sequence[str], *, quiet_steps: int = 0) -> None:
        """Begin anew with empty queues. In the first `quiet_steps` slow steps no shock begins and no link fails.

        Raises InvalidInputError where a seed is negative, a scenario unknown, or counts differ from the batch size.
        """
        b = self.batch_size
        if len(seeds) != b or len(scenarios) != b:
            raise InvalidInputError(f"seeds, scenarios: {len(seeds)} and {len(scenarios)} of them, expected {b}")
        for seed in seeds:
            if seed < 0:
                raise InvalidInputError(f"seed: {seed}, at least 0")
        self.paths = [
            ExogenousPath(self.layout, int(seed), name, quiet_steps) for seed, name in zip(seeds, scenarios, strict=True)
        ]
        c, s, n_links = self.spec.sizes
        self.step_index = 0
        self.queue_mbit_BCS = np.zeros((b, c, s))
        self.link_queue_mbit_BLS = np.zeros((b, n_links, s))
        self.retry_mbit_BCS = np.zeros((b, c, s))
        self._noise_BCQ = np.stack([p.geometry.noise_CQ for p in self.paths])
        self._interference_BCQJ = np.stack([p.geometry.interference_CQJ for p in self.paths])
        self._nominal_BCS = np.stack([p.nominal_mbps_CS for p in self.paths])
        self._blocks = [path.next_block() for path in self.paths]

    @property
    def ready(self) -> bool:
        """Whether there is something to step."""
        return bool(self.paths)

    def events(self, index: int) -> list[Event]:
        """Shocks of environment `index` that begin in the current horizon, and those of the one before that may go on.

        The twin itself knows them from `reset` on; a calendar tells `Event.calendar_*` only, with noise.
        """
        return list(self.paths[index].events)

    def _exogenous(self) -> tuple[Doubles, Doubles, NDArray[np.bool_]]:
        horizon = self.spec.timing.horizon_steps
        if self.step_index % horizon == 0 and self.step_index > 0:
            self._blocks = [path.next_block() for path in self.paths]
        at = self.step_index % horizon
        return (
            np.stack([block.demand_mbps_HTCS[at] for block in self._blocks]),
            np.stack([block.fading_HTC[at] for block in self._blocks]),
            np.stack([block.link_up_HL[at] for block in self._blocks]),
        )

    def step(self, prb_share_BCS: NDArray[np.floating], bandwidth_share_BLS: NDArray[np.floating]) -> StepResult:
        """Move on by one slow step under these shares.

        Raises InvalidInputError where `reset` was not called, shapes differ, or a row of shares is not within the simplex.
        """
        if not self.ready:
            raise InvalidInputError("twin: step before reset")
        b, (c, s, n_links) = self.batch_size, self.spec.sizes
        prb, bandwidth = np.asarray(prb_share_BCS, np.float64), np.asarray(bandwidth_share_BLS, np.float64)
        for name, array, shape in (("prb_share", prb, (b, c, s)), ("bandwidth_share", bandwidth, (b, n_links, s))):
            if array.shape != shape:
                raise InvalidInputError(f"{name}: shape {array.shape}, expected {shape}")
            check_shares(name, array)
        prb, bandwidth = feasible(prb), feasible(bandwidth)
        demand, fading, up = self._exogenous()
        layout, timing = self.layout, self.spec.timing
        capacity = up * layout.topology.link_capacity_mbps
        for one in self.disturbances:
            if one.first_step <= self.step_index <= one.last_step:
                demand = demand if one.demand_factor_CS is None else demand * one.demand_factor_CS
                capacity = capacity if one.link_factor_L is None else capacity * one.link_factor_L
                up = capacity > 0.0
        t = timing.fast_steps
        cell_out = np.zeros((b, t, c, s, len(CELL_FIELDS)))
        link_out = np.zeros((b, t, n_links, s, len(LINK_FIELDS)))
        capacity_BC = np.empty((b, c))
        step_many(
            timing.fast_step_s,
            demand,
            fading,
            self._noise_BCQ,
            self._interference_BCQJ,
            radio_constants(layout),
            prb,
            bandwidth,
            capacity,
            layout.route_choice(up),
            *queue_constants(layout),
            delay_constants(layout),
            np.ones(s, bool),
            self.queue_mbit_BCS,
            self.link_queue_mbit_BLS,
            self.retry_mbit_BCS,
            capacity_BC,
            cell_out,
            link_out,
        )
        cell = {name: cell_out[..., i] for i, name in enumerate(CELL_FIELDS)}
        link = {name: link_out[..., i] for i, name in enumerate(LINK_FIELDS)}
        rate_BTC = capacity_BC[:, None] * fading
        result = StepResult(
            step=self.step_index,
            fast_step_s=timing.fast_step_s,
            prb_share_BCS=prb,
            bandwidth_share_BLS=bandwidth,
            offered_mbit_BTCS=cell["offered"],
            served_mbit_BTCS=cell["served"],
            dropped_mbit_BTCS=cell["dropped"],
            lost_mbit_BTCS=cell["lost"],
            delay_ms_BTCS=cell["delay"],
            radio_delay_ms_BTCS=cell["radio_delay"],
            queue_mbit_BTCS=cell["queue"],
            prb_used_ratio_BTCS=cell["used"],
            users_BTCS=self._users(cell["offered"] / timing.fast_step_s),
            cell_rate_mbps_BTC=rate_BTC,
            spectral_efficiency_BTC=rate_BTC / layout.bandwidth_mhz * self.spec.prb_grid.layers,
            link_offered_mbit_BTLS=link["offered"],
            link_served_mbit_BTLS=link["served"],
            link_dropped_mbit_BTLS=link["dropped"],
            link_queue_mbit_BTLS=link["queue"],
            link_capacity_mbps_L=layout.topology.link_capacity_mbps,
            link_up_BL=up,
        )
        self.step_index += 1
        return result

    def _users(self, load_mbps_BTCS: Doubles) -> Doubles:
        nominal = self._nominal_BCS[:, None]
        relative = np.divide(load_mbps_BTCS, nominal, out=np.zeros_like(load_mbps_BTCS), where=nominal > 0)
        count = np.rint(self.layout.users_S * relative)
        return np.asarray(np.where(load_mbps_BTCS > 0, np.maximum(count, 1.0), 0.0))

    def frames(self, result: StepResult) -> FrameBatch:
        """What an operator can record of a step."""
        return record_frames(self.spec, result)


def feasible(shares: Doubles) -> Doubles:
    """Shares within rounding of the simplex, brought onto it, contiguous."""
    clipped = np.clip(shares, 0.0, 1.0)
    return np.ascontiguousarray(clipped / np.maximum(clipped.sum(-1, keepdims=True), 1.0))


def radio_constants(layout: TwinLayout) -> tuple[float, float, float, float]:
    """The kernel's `radio`."""
    radio = layout.parameters.radio
    return radio.efficiency_factor, radio.efficiency_max_bps_hz, radio.idle_activity, layout.bandwidth_mhz


def delay_constants(layout: TwinLayout) -> tuple[float, float, float, float]:
    """The kernel's `delay`."""
    delay = layout.parameters.delay
    return delay.base_ms, delay.radio_share, delay.slack_floor_ratio, delay.cap_ms


def queue_constants(layout: TwinLayout) -> tuple[NDArray[np.generic], ...]:
    """The kernel's routes and per-slice constants, in its order."""
    return (
        layout.route_link_2CR,
        layout.route_uplink_2CR,
        layout.extra_delay_ms_2C,
        layout.buffer_mbit_S,
        layout.burst_mbit_S,
        layout.uplink_ratio_S,
        layout.retry_ratio_S,
    )
