"""E2SM-CCC control of O-RRMPolicyRatio: style 2 (cell level), header Format 1, message Format 2. JSON (O-RAN.WG3.E2SM-CCC).

One message sets all policies of one or more cells; every structure states the values it replaces and the new ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from twm.core.e2sm.cell_id import NrCgi, plmn_digits, plmn_octets
from twm.core.errors import DecodeError, InvalidInputError
from twm.core.text import clean
from twm.ric.e2sm.quota import CellQuotas, PolicyMember, SliceQuota, check_quotas

STYLE = 2
STRUCTURE = "O-RRMPolicyRatio"
OID = "1.3.6.1.4.1.53148.1.1.2.4"
"""Object identifier of E2SM-CCC."""
MAX_CELLS = 64
MAX_BYTES = 1 << 20
_RATIOS = (("rRMPolicyMaxRatio", "maximum"), ("rRMPolicyMinRatio", "minimum"), ("rRMPolicyDedicatedRatio", "dedicated"))
ResourceType = Literal["PRB_DL", "PRB_UL", "PRB", "RRC_CONNECTED_USERS", "DRB"]
RESOURCE_TYPES = ("PRB_DL", "PRB_UL", "PRB", "RRC_CONNECTED_USERS", "DRB")


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One RRM policy of a cell: what it becomes, and what the node is believed to have."""

    new: SliceQuota
    old: SliceQuota | None = None
    """None: not known, the new values are stated."""
    resource_type: ResourceType = "PRB_DL"


@dataclass(frozen=True, slots=True)
class CellChange:
    """The RRM policies of one cell."""

    cell: NrCgi
    changes: tuple[PolicyChange, ...]


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """What became of a control request in one cell."""

    cell: NrCgi | None
    """None: the outcome names no cell."""
    accepted: tuple[SliceQuota | None, ...] = ()
    """Values now in force; None: the node did not repeat them."""
    failed: tuple[tuple[SliceQuota | None, str], ...] = field(default=())
    """Values asked for, and the node's cause."""


def ccc_policy_ratio(
    cells: Sequence[CellQuotas],
    *,
    running: Mapping[NrCgi, Sequence[SliceQuota]] | None = None,
    resource_type: ResourceType = "PRB_DL",
) -> tuple[bytes, bytes]:
    """Control header and message that set the quotas of cells.

    `running`: what each cell has now, where known: the old values. Raises InvalidInputError.
    """
    changes = []
    for entry in cells:
        old = {quota.members: quota for quota in (running or {}).get(entry.cell, ())}
        changes.append(
            CellChange(entry.cell, tuple(PolicyChange(quota, old.get(quota.members), resource_type) for quota in entry.quotas))
        )
    return encode_ccc_header(), encode_ccc_message(changes)


def encode_ccc_header(style: int = STYLE) -> bytes:
    """Control header Format 1."""
    return _dump({"controlHeaderFormat": {"ricStyleType": style}})


def decode_ccc_header(data: bytes) -> int:
    """The style of a control header Format 1. Raises DecodeError."""
    style = _get(_load(data, "E2SM-CCC control header"), "controlHeaderFormat", "ricStyleType")
    if isinstance(style, bool) or not isinstance(style, int):
        raise DecodeError("E2SM-CCC control header: ricStyleType is no whole number", reason="bad_ccc")
    return style


def encode_ccc_message(cells: Sequence[CellChange]) -> bytes:
    """Control message Format 2. Raises InvalidInputError."""
    if not 1 <= len(cells) <= MAX_CELLS:
        raise InvalidInputError(f"cells: {len(cells)}, expected 1..{MAX_CELLS}")
    if len({entry.cell for entry in cells}) != len(cells):
        raise InvalidInputError("cells: one appears more than once")
    content = []
    for entry in cells:
        by_type: dict[str, list[SliceQuota]] = {}
        for change in entry.changes:
            by_type.setdefault(change.resource_type, []).append(change.new)
        if not by_type:
            raise InvalidInputError(f"cell {entry.cell.nci:#x}: no policies")
        for resource_type, quotas in by_type.items():
            check_quotas(quotas, f"cell {entry.cell.nci:#x} {resource_type}")
        content.append(
            {
                "cellGlobalId": _cell_json(entry.cell),
                "listOfConfigurationStructures": [
                    {
                        "ranConfigurationStructureName": STRUCTURE,
                        "oldValuesOfAttributes": _values_json(change.old or change.new, change.resource_type),
                        "newValuesOfAttributes": _values_json(change.new, change.resource_type),
                    }
                    for change in entry.changes
                ],
            }
        )
    return _dump({"controlMessageFormat": {"listOfCellsControlled": content}})


def decode_ccc_message(data: bytes) -> tuple[CellChange, ...]:
    """The mirror of `encode_ccc_message`; structures of other names are left out. Raises DecodeError, InvalidInputError."""
    cells = _get(_load(data, "E2SM-CCC control message"), "controlMessageFormat", "listOfCellsControlled")
    found = []
    for entry in _list(cells, "listOfCellsControlled"):
        changes = []
        for structure in _list(_get(entry, "listOfConfigurationStructures"), "listOfConfigurationStructures"):
            if _get(structure, "ranConfigurationStructureName") != STRUCTURE:
                continue
            new, resource_type = _read_values(_get(structure, "newValuesOfAttributes"))
            old = structure.get("oldValuesOfAttributes")
            changes.append(PolicyChange(new, None if old is None else _read_values(old)[0], resource_type))
        found.append(CellChange(_read_cell(_get(entry, "cellGlobalId")), tuple(changes)))
    return tuple(found)


def decode_ccc_outcome(data: bytes) -> tuple[CellOutcome, ...]:
    """A control outcome, Format 1 (node) or 2 (cells). Raises DecodeError, InvalidInputError."""
    content = _load(data, "E2SM-CCC control outcome")
    content = content.get("controlOutcomeFormat", content)
    if not isinstance(content, dict):
        raise DecodeError("E2SM-CCC control outcome: controlOutcomeFormat is no object", reason="bad_ccc")
    cells = content.get("listOfCellsForControlOutcome")
    entries = [content] if cells is None else _list(cells, "listOfCellsForControlOutcome")
    return tuple(_outcome(entry) for entry in entries)


def _outcome(entry: Any) -> CellOutcome:
    if not isinstance(entry, dict):
        raise DecodeError("E2SM-CCC control outcome: a cell is no object", reason="bad_ccc")
    cell = entry.get("cellGlobalId")
    accepted = [
        _values_or_none(item, "currentValuesOfAttributes")
        for item in _list(entry.get("ranConfigurationStructuresAcceptedList") or [], "ranConfigurationStructuresAcceptedList")
    ]
    failed = [
        (_values_or_none(item, "requestedValuesOfAttributes"), clean(str(_get(item, "cause")), 64).text)
        for item in _list(entry.get("ranConfigurationStructuresFailedList") or [], "ranConfigurationStructuresFailedList")
    ]
    return CellOutcome(None if cell is None else _read_cell(cell), tuple(accepted), tuple(failed))


def _values_or_none(item: Any, name: str) -> SliceQuota | None:
    if not isinstance(item, dict):
        raise DecodeError("E2SM-CCC control outcome: a structure is no object", reason="bad_ccc")
    if item.get("ranConfigurationStructureName") != STRUCTURE or name not in item:
        return None
    return _read_values(item[name])[0]


def _cell_json(cell: NrCgi) -> dict[str, Any]:
    mcc, mnc = plmn_digits(bytes.fromhex(cell.plmn))
    return {"plmnIdentity": {"mcc": mcc, "mnc": mnc}, "nRCellIdentity": f"{cell.nci:09X}"}


def _read_cell(entry: Any) -> NrCgi:
    plmn, identity = _get(entry, "plmnIdentity"), _get(entry, "nRCellIdentity")
    mcc, mnc = _get(plmn, "mcc"), _get(plmn, "mnc")
    if not all(isinstance(text, str) for text in (identity, mcc, mnc)):
        raise DecodeError("E2SM-CCC: cellGlobalId holds no texts", reason="bad_ccc")
    try:
        nci = int(identity, 16) if len(identity) == 9 else -1
    except ValueError:
        nci = -1
    if nci < 0:
        raise DecodeError(f"E2SM-CCC: nRCellIdentity {clean(identity, 16).text!r} is not nine hex digits", reason="bad_ccc")
    return NrCgi(plmn_octets(mcc, mnc).hex(), nci)


def _values_json(quota: SliceQuota, resource_type: str) -> dict[str, Any]:
    members = []
    for member in quota.members:
        s_nssai: dict[str, Any] = {"sst": member.sst}
        if member.sd is not None:
            s_nssai["sd"] = member.sd
        members.append({"plmnId": {"mcc": member.mcc, "mnc": member.mnc}, "snssai": s_nssai})
    ratios = {name: getattr(quota, attribute) for name, attribute in _RATIOS}
    return {"ranConfigurationStructure": {"resourceType": resource_type, "rRMPolicyMemberList": members, **ratios}}


def _read_values(entry: Any) -> tuple[SliceQuota, ResourceType]:
    values = _get(entry, "ranConfigurationStructure")
    members = [_read_member(member) for member in _list(_get(values, "rRMPolicyMemberList"), "rRMPolicyMemberList")]
    resource_type = values.get("resourceType", "PRB")
    if resource_type not in RESOURCE_TYPES:
        raise DecodeError(f"E2SM-CCC: resourceType is none of {', '.join(RESOURCE_TYPES)}", reason="bad_ccc")
    ratios = {attribute: _get(values, name) for name, attribute in _RATIOS}
    return SliceQuota(members=tuple(members), **ratios), resource_type


def _read_member(entry: Any) -> PolicyMember:
    plmn, s_nssai = _get(entry, "plmnId"), _get(entry, "snssai")
    mcc, mnc, sd = _get(plmn, "mcc"), _get(plmn, "mnc"), s_nssai.get("sd") if isinstance(s_nssai, dict) else None
    if not isinstance(mcc, str) or not isinstance(mnc, str) or not (sd is None or isinstance(sd, str)):
        raise DecodeError("E2SM-CCC: a policy member's PLMN or SD is no text", reason="bad_ccc")
    return PolicyMember(mcc, mnc, _get(s_nssai, "sst"), None if sd is None else sd.lower())


def _dump(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _load(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise DecodeError(f"{what}: {len(data)} bytes, more than {MAX_BYTES}", reason="too_large")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"{what}: not JSON", reason="bad_json") from error
    if not isinstance(content, dict):
        raise DecodeError(f"{what}: no JSON object", reason="bad_ccc")
    return content


def _get(entry: Any, *names: str) -> Any:
    for name in names:
        if not isinstance(entry, dict) or name not in entry:
            raise DecodeError(f"E2SM-CCC: {name} is missing", reason="bad_ccc")
        entry = entry[name]
    return entry


def _list(entry: Any, name: str) -> list[Any]:
    if not isinstance(entry, list) or len(entry) > MAX_CELLS:
        raise DecodeError(f"E2SM-CCC: {name} is no list of at most {MAX_CELLS}", reason="bad_ccc")
    return entry
