"""Settings of the ingester, read once at start."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from twm.core.network import NetworkSpec
from twm.core.settings import ServiceSettings
from twm.ingester.assembler import Patience

_CUMULATIVE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}:[A-Za-z0-9_.]{1,150}$")


class IngesterSettings(ServiceSettings):
    """Variables are the names in capitals with TWM_ before."""

    cumulative_measurements: str = ""
    """Measurements that a node sends as running counters, "node:measurement" separated by commas."""
    allowed_lateness_s: float | None = Field(default=None, ge=0.0, le=86400.0)
    """Event time past the end of a step before it closes incomplete [s]; default: a report period or a fast step."""
    idle_source_s: float | None = Field(default=None, gt=0.0, le=3600.0)
    """Silence after which a source no longer holds steps open [s]; default: two report periods and a second."""
    idle_area_s: float | None = Field(default=None, gt=0.0, le=86400.0)
    """Silence of all sources after which open steps close [s]; default: a minute or three report periods."""
    max_ahead_s: float | None = Field(default=None, gt=0.0, le=86400.0)
    """Furthest a time stamp may lie ahead of event time [s]; default: two slow steps, at least a minute."""
    max_behind_s: float = Field(default=86400.0, gt=0.0)
    """Furthest the first report of an area may lie behind its receive time [s]."""
    max_gap_steps: int = Field(default=60, ge=0, le=10000)
    """Longest run of slow steps without reports that still gives (all-missing) frames."""
    lease_s: float = Field(default=4.0, ge=0.5, le=60.0)
    """Silence of the replica that assembles after which another takes over [s]."""
    ingest_wait_s: float = Field(default=60.0, ge=0.0, le=600.0)
    """How long a batch waits for Redis before the caller is told UNAVAILABLE [s]."""

    @field_validator("cumulative_measurements")
    @classmethod
    def _pairs(cls, value: str) -> str:
        for item in filter(None, value.split(",")):
            if not _CUMULATIVE.match(item.strip()):
                raise ValueError(f"{item[:80]!r} is not node:measurement")
        return value

    def cumulative(self) -> list[tuple[str, str]]:
        """(node, measurement) pairs."""
        pairs = [item.strip().partition(":") for item in self.cumulative_measurements.split(",") if item.strip()]
        return [(node, name) for node, _, name in pairs]

    def patience(self, spec: NetworkSpec) -> Patience:
        """Waiting times for a network: what is set, else what fits its timing."""
        fits = Patience.of(spec)
        return Patience(
            allowed_lateness_s=fits.allowed_lateness_s if self.allowed_lateness_s is None else self.allowed_lateness_s,
            idle_source_s=self.idle_source_s or fits.idle_source_s,
            idle_area_s=self.idle_area_s or fits.idle_area_s,
            max_ahead_s=self.max_ahead_s or fits.max_ahead_s,
            max_behind_s=self.max_behind_s,
            max_gap_steps=self.max_gap_steps,
        )
