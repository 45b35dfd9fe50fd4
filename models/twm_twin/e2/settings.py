"""Settings of the E2 emulator, read once at start."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator

from twm.core.settings import ServiceSettings
from twm_twin.scenarios import SCENARIOS

Running = Literal["uniform", "proportional", "reactive"]


class E2Settings(ServiceSettings):
    """Variables are the names in capitals with TWM_ before; TWM_SPEED serves where TWM_E2_SPEED is not set."""

    e2_running: Running = "uniform"
    """Rule that sets the shares the emulated network runs with."""
    e2_seed: int = Field(default=500, ge=0, lt=2**31)
    """Seed of the first scenario; each further one takes the next."""
    e2_scenarios: str = ",".join(SCENARIOS)
    """Scenarios one after another, separated by commas; after the last the first comes again."""
    e2_scenario_steps: int = Field(default=60, ge=1, le=1_000_000)
    """Slow steps of each scenario."""
    e2_speed: Annotated[float, Field(gt=0.0, le=1e6, validation_alias=AliasChoices("TWM_E2_SPEED", "TWM_SPEED"))] = 1.0
    """Event time per wall time."""
    e2_start: float | None = Field(default=None, ge=946_684_800, lt=2_085_978_496)
    """Event time of the first slow step, Unix [s], rounded down to a step; default: now."""
    e2_steps: int | None = Field(default=None, ge=0)
    """Slow steps after which to fall silent; default: never."""
    e2_deadline_s: float = Field(default=30.0, gt=0.0, le=600.0)
    """Deadline of one call to the ingester [s]."""

    @field_validator("e2_scenarios")
    @classmethod
    def _known(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",") if name.strip()]
        unknown = [name for name in names if name not in SCENARIOS]
        if unknown or not names:
            raise ValueError(f"{(unknown or [value])[0][:64]!r} is not one of {', '.join(SCENARIOS)}")
        return ",".join(names)

    @property
    def scenario_names(self) -> tuple[str, ...]:
        """The scenarios in order."""
        return tuple(self.e2_scenarios.split(","))

    def first_step(self, slow_step_s: float, now_s: float) -> int:
        """Index of the first slow step (Unix time over step length)."""
        return math.floor((now_s if self.e2_start is None else self.e2_start) / slow_step_s)
