"""Parameters of the digital twin: the `twin:` mapping of a network spec, which the product leaves opaque.

Slices, zones and cells are named by their ids, so a spec of another size needs no change in code; `twin: {}` is a working twin.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from twm.core.errors import NetworkSpecError
from twm.core.network import NetworkSpec

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class TwinModel(BaseModel):
    """Base: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(TwinModel):
    """Closed interval that something is drawn from, uniformly."""

    low: NonNegative
    high: NonNegative

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Radio(TwinModel):
    """UMa propagation (TR 38.901 tables 7.4.1-1 and 7.4.2-1) and link adaptation."""

    carrier_ghz: Positive = 3.5
    tx_power_dbm: float = Field(default=46.0, ge=-50, le=100)
    antenna_gain_dbi: float = Field(default=8.0, ge=-50, le=100)
    noise_figure_db: float = Field(default=7.0, ge=0, le=50)
    shadowing_db: NonNegative = 6.0
    """Standard deviation of the log-normal shadowing [dB]."""
    station_height_m: Positive = 25.0
    terminal_height_m: Positive = 1.5
    cell_radius_km: Positive = 0.3
    """Users lie within this distance of their cell, or 0.6 of the way to the nearest other cell if that is less."""
    user_count: int = Field(default=6, ge=1, le=64)
    """SINR-quantile users whose efficiency is averaged."""
    efficiency_factor: Positive = 0.75
    """Share of the Shannon bound that is reached."""
    efficiency_max_bps_hz: Positive = 5.55
    """Highest efficiency of a layer [bps/Hz]."""
    idle_activity: Ratio = 0.1
    """Interference activity of a cell that has no PRB allotted; with all PRBs allotted it is 1."""
    fading_sigma: Ratio = 0.05
    """Standard deviation of the efficiency's relative variation from fast step to fast step."""


class SliceTraffic(TwinModel):
    """Traffic of one slice. Fractions are of the capacity of the cell with all cells fully active."""

    base: NonNegative | None = None
    """Demand as a fraction of cell capacity; None: half of the capacity shared evenly by all slices."""
    zones: dict[str, NonNegative] = {}
    """Fraction by zone id instead of `base`; a later zone wins."""
    cells: dict[str, NonNegative] = {}
    """Fraction by cell id instead; wins over zones."""
    zone_additions: dict[str, float] = {}
    """Added to the fraction by zone id."""
    noise_sigma: NonNegative = 0.10
    """Stationary standard deviation of the relative fast noise."""
    buffer_mbit: Positive = 3000.0
    """Buffer of the slice in a cell, and on a link [Mbit]."""
    retry_ratio: Ratio = 0.0
    """Share of the lost volume that comes back in the next slow step."""
    burst_kbit: NonNegative = 250.0
    """Burst that waits for the rate left over by the load [kbit]."""
    uplink_ratio: NonNegative = 0.45
    """Uplink volume for each unit of downlink volume."""
    users: Positive = 10.0
    """Active UEs in a cell at base demand."""
    shock_gain: NonNegative = 1.0
    """How much of a shock's intensity reaches the slice."""


class Shock(TwinModel):
    """One kind of demand shock. A hotspot sits near a cell of the zone; a wave travels along its cells in order."""

    zone: str | None = None
    """Zone id; None: first zone of the spec for hotspots, last for waves, all cells where there is no zone."""
    amplitude: Range = Range(low=0.5, high=1.1)
    """Peak relative demand increase."""
    event_count: tuple[int, int] = (1, 2)
    """Least and largest number of events in a horizon."""
    duration_steps: Range = Range(low=4, high=8)
    """Length [slow steps]."""
    onset_ratio: Range = Range(low=0.0, high=0.6)
    """Onset as a share of the horizon."""
    radius_km: Positive = 0.4
    """Intensity falls with exp(-(distance / radius)^2 / 2)."""
    scatter_km: NonNegative = 0.15
    """Standard deviation of the centre around its cell or path [km]."""
    link_failure_ratio: Ratio = 0.003
    """Probability that a link fails in a slow step."""


class OutOfDistribution(TwinModel):
    """What the "-ood" scenarios multiply."""

    amplitude: Positive = 1.4
    duration: Positive = 1.4
    link_failure: Positive = 3.0


class Delay(TwinModel):
    """End-to-end delay of a fast step: fixed part + fluid queueing + burst / (rate - load), at the cell and on each link."""

    base_ms: NonNegative = 4.0
    radio_share: Ratio = 0.5
    """Share of the fixed part that lies in the radio network."""
    slack_floor_ratio: Annotated[float, Field(gt=0, le=1)] = 0.02
    """The burst drains at this share of the rate at least."""
    cap_ms: Positive = 5000.0
    """Largest delay of one queue [ms] (a queue without any rate would wait for ever)."""


class TwinParameters(TwinModel):
    """The whole `twin:` mapping."""

    radio: Radio = Radio()
    slices: dict[str, SliceTraffic] = {}
    """By slice id; slices not named take the defaults."""
    seed_scale: Range = Range(low=0.88, high=1.12)
    """Factor on all demand, drawn once for a seed."""
    noise_correlation: Annotated[float, Field(ge=0, lt=1)] = 0.7
    """Correlation of the fast noise from one fast step to the next."""
    hotspot: Shock = Shock()
    wave: Shock = Shock(link_failure_ratio=0.006)
    ood: OutOfDistribution = OutOfDistribution()
    link_repair_steps: tuple[int, int] = (1, 3)
    """Least and largest length of a link failure [slow steps]."""
    delay: Delay = Delay()

    @classmethod
    def of(cls, spec: NetworkSpec) -> TwinParameters:
        """Read and check `spec.twin`. Raises NetworkSpecError naming field, value and bound."""
        try:
            parameters = cls.model_validate(spec.twin)
        except ValidationError as error:
            lines = [
                f"twin.{'.'.join(str(part) for part in e['loc'])}: {e['msg']} (got {repr(e['input'])[:80]})"
                for e in error.errors()
            ]
            raise NetworkSpecError("; ".join(lines)) from error
        parameters._check_ids(spec)
        return parameters

    def _check_ids(self, spec: NetworkSpec) -> None:
        slices = {s.id for s in spec.slices}
        zones = {z.id for z in spec.zones}
        cells = {c.id for c in spec.cells}
        problems = [f"twin.slices.{name}: not a slice of the network" for name in self.slices if name not in slices]
        for name, traffic in self.slices.items():
            for field in ("zones", "zone_additions"):
                known = getattr(traffic, field)
                problems += [f"twin.slices.{name}.{field}.{z}: not a zone of the network" for z in known if z not in zones]
            problems += [f"twin.slices.{name}.cells.{c}: not a cell of the network" for c in traffic.cells if c not in cells]
        for kind in ("hotspot", "wave"):
            shock: Shock = getattr(self, kind)
            if shock.zone is not None and shock.zone not in zones:
                problems.append(f"twin.{kind}.zone: {shock.zone!r} is not a zone of the network")
            if not 0 <= shock.event_count[0] <= shock.event_count[1] <= 16:
                problems.append(f"twin.{kind}.event_count: {shock.event_count} is not an ordered pair within 0..16")
        if not 1 <= self.link_repair_steps[0] <= self.link_repair_steps[1]:
            problems.append(f"twin.link_repair_steps: {self.link_repair_steps} is not an ordered pair from 1")
        if problems:
            raise NetworkSpecError("; ".join(problems))

    def traffic(self, slice_id: str) -> SliceTraffic:
        """Traffic of a slice, default where the spec does not name it."""
        return self.slices.get(slice_id, SliceTraffic())
