"""What an E2SM-KPM indication says, decoded (O-RAN.WG3.E2SM-KPM clauses 8.2.1.3 and 8.2.1.4).

Units are those on the wire; nothing is converted here. `json` members hold the ASN.1 names and forms of the standard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Value = int | float | None
"""Integer, real, or None for noValue."""
Clock = Literal["ntp", "flexric"]


@dataclass(frozen=True, slots=True)
class Label:
    """One measurement label (clause 8.3.11): the sub-population a value is about."""

    no_label: bool = False
    """Whole cell (or UE): no sub-counter."""
    sst: int | None = None
    """Slice/service type, 0..255."""
    sd: str | None = None
    """Slice differentiator, six lower-case hex digits; None: not sent."""
    plmn: str | None = None
    """PLMN identity as on the wire, six lower-case hex digits (TS 38.413 clause 9.3.3.5)."""
    five_qi: int | None = None
    qfi: int | None = None
    json: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Every member that was sent, by ASN.1 name."""


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


@dataclass(slots=True)
class Format1:
    """Indication message Format 1: one record a granularity period."""

    records: list[Record]
    measurements: tuple[Measurement, ...] | None = None
    """None: not sent, the order of the subscription holds."""
    granularity_ms: int | None = None
    """Granularity period [ms]; None: that of the subscription."""


@dataclass(frozen=True, slots=True)
class UeId:
    """UE identity (E2SM clause 6.2.2.6)."""

    key: str
    """"ran:<16 hex digits>" of the ran-UEID as on the wire where sent, else "du:", "cuup:", "amf:", ... and the decimal id."""
    kind: str
    """ASN.1 name of the choice, e.g. "gNB-DU-UEID"."""
    fields: Mapping[str, Any] = field(hash=False)
    """Members by ASN.1 name."""


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
class Condition:
    """One matching condition of Format 2 (clause 8.3.22): a label or a test."""

    label: Label | None
    test: Mapping[str, Any] | None
    """testType, testExpr, testValue by ASN.1 name."""
    logical_or: bool = False
    """Joined to the next condition by OR instead of AND."""


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
