"""Scenarios of the twin: kind of shock, in or out of distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twm.core.errors import InvalidInputError
from twm_twin.parameters import Shock, TwinParameters

Kind = Literal["hotspot", "wave"]


@dataclass(frozen=True)
class Scenario:
    """One scenario with its multipliers applied."""

    name: str
    kind: Kind
    shock: Shock
    amplitude_factor: float
    duration_factor: float
    link_failure_ratio: float
    """Probability that a link fails in a slow step."""

    @classmethod
    def of(cls, name: str, parameters: TwinParameters) -> Scenario:
        """By name. Raises InvalidInputError listing the names."""
        if name not in SCENARIOS:
            raise InvalidInputError(f"scenario: {name[:64]!r} is not one of {', '.join(SCENARIOS)}")
        kind: Kind = "hotspot" if name.startswith("hotspot") else "wave"
        shock: Shock = getattr(parameters, kind)
        ood = name.endswith("-ood")
        factors = parameters.ood
        return cls(
            name=name,
            kind=kind,
            shock=shock,
            amplitude_factor=factors.amplitude if ood else 1.0,
            duration_factor=factors.duration if ood else 1.0,
            link_failure_ratio=min(shock.link_failure_ratio * (factors.link_failure if ood else 1.0), 1.0),
        )


SCENARIOS = ("hotspot-id", "wave-id", "hotspot-ood", "wave-ood")


@dataclass(frozen=True)
class Event:
    """One demand shock as it happens. What a calendar may tell of it: `calendar_amplitude`, `calendar_duration_steps`."""

    kind: Kind
    onset_step: float
    """Begin [slow steps since reset]."""
    duration_steps: float
    amplitude: float
    """Peak relative demand increase."""
    path_km: tuple[tuple[float, float], ...]
    """Centre; a wave passes these points at constant speed."""
    radius_km: float
    calendar_amplitude: float
    """Peak without the out-of-distribution factor."""
    calendar_duration_steps: float
    """Length without the out-of-distribution factor [slow steps]."""
