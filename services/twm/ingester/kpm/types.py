"""What an E2SM-KPM indication says, decoded (O-RAN.WG3.E2SM-KPM clauses 8.2.1.3 and 8.2.1.4).

Units are those on the wire; nothing is converted here. `json` members hold the ASN.1 names and forms of the standard.
"""

from __future__ import annotations

from dataclasses import dataclass

from twm.core.e2sm.types import Clock as Clock
from twm.core.e2sm.types import Condition as Condition
from twm.core.e2sm.types import Label as Label
from twm.core.e2sm.types import UeId as UeId

Value = int | float | None
"""Integer, real, or None for noValue."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement of the information list, with its labels in order."""

    name: str
    """Name; "" when it was sent by id."""
    meas_id: int | None
    """Id, 1..65536 or an extension value; None when it was sent by name."""
    labels: tuple[Label, ...]


@dataclass(slots=True)
class Record:
    """The values of one granularity period, ordered measurement x label."""

    values: tuple[Value, ...]
    incomplete: bool = False
    not_satisfied: tuple[int, ...] = ()
    """Positions of values that are None since they did not meet the reporting condition (E2SM-KPM v4 on)."""


@dataclass(slots=True)
class Format1:
    """Indication message Format 1: one record a granularity period."""

    records: list[Record]
    measurements: tuple[Measurement, ...] | None = None
    """None: not sent, the order of the subscription holds."""
    granularity_ms: int | None = None
    """Granularity period [ms]; None: that of the subscription."""


@dataclass(slots=True)
class UeReport:
    """What Format 3 says about one UE."""

    ue_id: UeId
    report: Format1

    @property
    def ue_key(self) -> str:
        """Key of the UE, see UeId.key."""
        return self.ue_id.key


@dataclass(slots=True)
class Format3:
    """Indication message Format 3: one Format 1 a UE."""

    ues: list[UeReport]


@dataclass(frozen=True, slots=True)
class ConditionMeasurement:
    """One measurement of Format 2 with its conditions and the UEs that met them."""

    name: str
    meas_id: int | None
    conditions: tuple[Condition, ...]
    ues: tuple[UeId, ...] | None
    """UEs that matched over the whole report; None: not sent."""
    ues_by_period: tuple[tuple[UeId, ...], ...] | None = None
    """UEs that matched in each granularity period (empty: none did); None: not sent."""


@dataclass(slots=True)
class Format2:
    """Indication message Format 2: one value a condition."""

    records: list[Record]
    measurements: tuple[ConditionMeasurement, ...]
    granularity_ms: int | None = None


@dataclass(slots=True)
class Header:
    """Indication header Format 1."""

    start_s: float
    """Collection start, Unix time [s]."""
    time_raw: bytes
    """The time stamp as on the wire, 4 or 8 bytes."""
    clock: Clock
    """How the time stamp was read."""
    file_format_version: str | None = None
    sender_name: str | None = None
    sender_type: str | None = None
    vendor_name: str | None = None


@dataclass(frozen=True, slots=True)
class RicIndication:
    """A RICindication (O-RAN.WG3.E2AP clause 9.1.2.3)."""

    ric_request_id: int
    instance_id: int
    ran_function_id: int
    action_id: int
    sn: int | None
    header: bytes
    message: bytes
