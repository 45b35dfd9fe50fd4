"""What the grammar has understood, before it becomes protobuf: ids instead of indices, windows in parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from twm.gateway.intents.times import Part


@dataclass(slots=True)
class Where:
    """A scope in ids. `all_slices`, `all_links`: it was said that all of them are meant."""

    slices: list[str] = field(default_factory=list)
    zone: str = ""
    cells: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    all_slices: bool = False

    def copy(self, zone: str | None = None) -> Where:
        """The same, in another zone."""
        return Where(
            list(self.slices), self.zone if zone is None else zone, list(self.cells), list(self.links), self.all_slices
        )


@dataclass(slots=True, kw_only=True)
class Draft:
    """Base of what has a window."""

    clause: int
    parts: list[Part] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ConstraintDraft(Draft):
    """A KPI constraint."""

    kpi: str
    where: Where
    side: str
    bound: float
    probability: float | None = None
    default: bool = False
    """The bound was not said, but follows from the word ("overload")."""


@dataclass(slots=True, kw_only=True)
class LimitDraft(Draft):
    """An action limit."""

    where: Where
    low: float | None = None
    high: float | None = None
    change: float | None = None
    resource: str = ""


@dataclass(slots=True, kw_only=True)
class SurgeDraft(Draft):
    """Expected demand."""

    where: Where
    factor: float


@dataclass(slots=True, kw_only=True)
class MaintenanceDraft(Draft):
    """Planned work."""

    links: list[str]
    capacity: float


@dataclass(slots=True, kw_only=True)
class ObjectiveDraft(Draft):
    """What to strive for."""

    saving: float | None = None
    saving_weight: float | None = None
    ranks: list[list[str]] = field(default_factory=list)
    """Slices from most to least important."""
    weights: dict[str, float] = field(default_factory=dict)
    hold_slas: bool = False


@dataclass(slots=True, kw_only=True)
class EventDraft(Draft):
    """An event that was named."""

    name: str


Item = ConstraintDraft | LimitDraft | SurgeDraft | MaintenanceDraft | ObjectiveDraft | EventDraft
