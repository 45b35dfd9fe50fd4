"""What one report says about one reporting period, decoded but not converted: kept until the step closes.

Shape suffixes: S slices, M values of a plan.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from twm.ingester.kpm.types import Value
from twm.ingester.measurements import Float64, Plan

Values = tuple[Value, ...]


@dataclass(slots=True, eq=False)
class UeValues:
    """Values of one UE. Not frozen: there are many, and a frozen one takes three times as long to make."""

    plan: Plan
    slice_index: int
    ue_key: str
    values: Values


@dataclass(frozen=True, slots=True, eq=False)
class KpmSample:
    """Measurements of a cell over one granularity period."""

    node_id: str
    cell: int
    start_s: float
    period_s: float
    signature: Hashable
    """Tells reports about different things (lists, UEs) apart."""
    plan: Plan | None
    """Plan of `values`; None where there are only UEs."""
    values: Values
    ues: tuple[UeValues, ...] = ()

    @property
    def key(self) -> Hashable:
        """Equal for the same report sent again."""
        return ("kpm", self.cell, round(self.start_s * 1e3), self.signature)


@dataclass(frozen=True, slots=True, eq=False)
class CellSample:
    """Configuration and user plane of a cell, from an adapter. NaN: not measured."""

    node_id: str
    cell: int
    start_s: float
    period_s: float
    values: Float64
    """[S, 4]: prb_share, e2e_delay_ms, e2e_loss_ratio, queue_mbit."""

    @property
    def key(self) -> Hashable:
        """Equal for the same report sent again."""
        return ("cell", self.node_id, self.cell, round(self.start_s * 1e3))


@dataclass(frozen=True, slots=True, eq=False)
class LinkSample:
    """Load of a transport link, from an adapter. NaN: not measured."""

    node_id: str
    link: int
    start_s: float
    period_s: float
    values: Float64
    """[S, 4]: offered_mbps, served_mbps, bandwidth_share, loss_ratio."""
    link_values: tuple[float, float]
    """capacity_mbps, up_ratio."""

    @property
    def key(self) -> Hashable:
        """Equal for the same report sent again."""
        return ("link", self.node_id, self.link, round(self.start_s * 1e3))


Sample = KpmSample | CellSample | LinkSample
