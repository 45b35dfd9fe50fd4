"""Labels, conditions and UE ids, as E2SM-KPM and E2SM-RC have them (O-RAN.WG3.E2SM clause 6, E2SM-KPM clause 8.3).

Units are those on the wire. `json` and `fields` members hold the ASN.1 names and forms of the standard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

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
    cell: str | None = None
    """Cell the value is about (v4 on), see cell_id.cell_key; None: not sent."""
    json: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Every member that was sent, by ASN.1 name."""


@dataclass(frozen=True, slots=True)
class UeId:
    """UE identity (E2SM clause 6.2.2.6)."""

    key: str
    """"ran:<16 hex digits>" of the ran-UEID as on the wire where sent, else "du:", "cuup:", "amf:", ... and the decimal id."""
    kind: str
    """ASN.1 name of the choice, e.g. "gNB-DU-UEID"."""
    fields: Mapping[str, Any] = field(hash=False)
    """Members by ASN.1 name."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One matching condition of Format 2 (clause 8.3.22): a label or a test."""

    label: Label | None
    test: Mapping[str, Any] | None
    """testType, testExpr, testValue by ASN.1 name."""
    logical_or: bool = False
    """Joined to the next condition by OR instead of AND."""
