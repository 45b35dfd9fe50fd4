"""E2SM-RC control of PRB quotas: style 2 (radio resource allocation), action 6 (slice-level PRB quota). E2SM-RC v1.03.

Header and message are Format 1. The tree of parameters, by id (clause 8.4.3.6; the standard has no 4):

    1 RRM Policy Ratio List -> 2 Group -> 3 RRM Policy -> 5 Member List -> 6 Member -> 7 PLMN, 8 S-NSSAI -> 9 SST, 10 SD
                                       -> 11 Min, 12 Max, 13 Dedicated PRB Policy Ratio

Nodes disagree about which levels there are and how a PLMN is written: `RcNesting` says it, per node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from twm.core.e2sm.cell_id import plmn_digits, plmn_octets
from twm.core.e2sm.types import UeId
from twm.core.e2sm.ue_id import read_ue_id, write_ue_id
from twm.core.errors import DecodeError, InvalidInputError
from twm.core.per import Reader, Reason
from twm.core.per_writer import Writer
from twm.ric.e2sm.quota import PolicyMember, SliceQuota, check_quotas
from twm.ric.e2sm.rc_parameters import (
    Element,
    Parameter,
    ParameterList,
    Structure,
    Value,
    read_parameter,
    read_value,
    write_parameter,
)

STYLE, ACTION = 2, 6
OID = "1.3.6.1.4.1.53148.1.1.2.3"
"""Object identifier of E2SM-RC."""
_ACTIONS = (1, 65535)
_DECISIONS = ("accept", "reject")
_NAMES = (
    "list",
    "group",
    "policy",
    "member_list",
    "member",
    "plmn",
    "s_nssai",
    "sst",
    "sd",
    "minimum",
    "maximum",
    "dedicated",
)
Ids = Literal["standard", "consecutive", "member_list_4"]
_IDS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "standard": dict(zip(_NAMES, (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13), strict=True)),
        "consecutive": dict(zip(_NAMES, range(1, 13), strict=True)),
        "member_list_4": dict(zip(_NAMES, (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13), strict=True)),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RcNesting:
    """How a node wants the tree. The defaults are the standard's."""

    group: bool = True
    """Parameter 2 inside each entry of the list; False: the entry holds its contents directly."""
    member: bool = True
    """Parameter 6 inside each entry of the member list; False: the entry holds its contents directly."""
    list_per_policy: bool = False
    """A parameter 1 for each policy, with one entry; False: one with all."""
    members_in_one_entry: bool = False
    """All members in one entry of the member list (needs `member`); False: one entry each."""
    plmn: Literal["octets", "ascii"] = "octets"
    """PLMN identity: three octets, or its digits as text."""
    s_nssai: Literal["octets", "ascii"] = "octets"
    """SST and SD: one and three octets, or decimal digits as text."""
    ids: Ids = "standard"
    """Parameter ids; "consecutive": 1 to 12 without the gap; "member_list_4": the member list is 4."""

    def __post_init__(self) -> None:
        """Check what excludes itself."""
        if self.members_in_one_entry and not self.member:
            raise InvalidInputError("rc nesting: members in one entry need parameter 6 to be told apart")


NESTINGS: Mapping[str, RcNesting] = MappingProxyType(
    {
        "standard": RcNesting(),
        "srsran": RcNesting(list_per_policy=True, members_in_one_entry=True),
        "oran-sc-ric": RcNesting(group=False, member=False, plmn="ascii", s_nssai="ascii", ids="member_list_4"),
        "flexric": RcNesting(group=False, member=False, plmn="ascii", s_nssai="ascii"),
        "flexric-consecutive": RcNesting(group=False, member=False, plmn="ascii", s_nssai="ascii", ids="consecutive"),
    }
)
"""Forms in use, by the software whose senders or nodes have them."""


@dataclass(frozen=True, slots=True)
class RcHeader:
    """Control header Format 1."""

    ue_id: UeId
    style: int
    action: int
    decision: str | None = None


def rc_prb_quota(ue_id: UeId, quotas: Sequence[SliceQuota], nesting: RcNesting = NESTINGS["standard"]) -> tuple[bytes, bytes]:
    """Control header and message that set the quotas. `ue_id`: a UE of the cell, which the action's header has to name.

    Raises InvalidInputError where the quotas do not fit together or cannot be written in that nesting.
    """
    return encode_rc_header(RcHeader(ue_id, STYLE, ACTION)), encode_rc_message(quota_parameters(quotas, nesting))


def encode_rc_header(header: RcHeader) -> bytes:
    """Control header Format 1."""
    writer = Writer()
    try:
        writer.bits(0, 3)
        writer.bits(header.decision is not None, 1)
        write_ue_id(writer, header.ue_id)
        writer.unconstrained_number(header.style)
        writer.extensible_number(header.action, *_ACTIONS)
        if header.decision is not None:
            writer.enumerated(header.decision, _DECISIONS)
    except (ValueError, KeyError, IndexError) as error:
        raise InvalidInputError(f"E2SM-RC control header: {error}") from error
    return writer.finish()


def decode_rc_header(data: bytes) -> RcHeader:
    """The mirror of `encode_rc_header`. Raises DecodeError."""
    reader = Reader(data)
    extended = reader.bits(1)
    if kind := reader.choice(1):
        reader.fail(Reason.UNKNOWN_FORMAT, f"control header Format {kind + 1} is not read")
    format_extended, with_decision = reader.bits(1), reader.bits(1)
    ue_id = read_ue_id(reader)
    style = reader.unconstrained_number()
    action = reader.extensible_number(*_ACTIONS)
    decision = reader.enumerated(_DECISIONS) if with_decision else None
    _end(reader, format_extended, extended)
    return RcHeader(ue_id, style, action, decision)


def encode_rc_message(parameters: Sequence[Parameter]) -> bytes:
    """Control message Format 1."""
    writer = Writer()
    try:
        writer.bits(0, 3)
        writer.whole_number(len(parameters), 0, 65535)
        for parameter in parameters:
            write_parameter(writer, parameter)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(f"E2SM-RC control message: {error}") from error
    return writer.finish()


def decode_rc_message(data: bytes) -> tuple[Parameter, ...]:
    """The mirror of `encode_rc_message`. Raises DecodeError."""
    reader = Reader(data)
    extended = reader.bits(1)
    if kind := reader.choice(1):
        reader.fail(Reason.UNKNOWN_FORMAT, f"control message Format {kind + 1} is not read")
    format_extended = reader.bits(1)
    found = tuple(read_parameter(reader) for _ in range(reader.whole_number(0, 65535)))
    _end(reader, format_extended, extended)
    return found


def decode_rc_outcome(data: bytes) -> tuple[Parameter, ...]:
    """Parameters of a control outcome, Format 1 (values) or 3 (trees). Raises DecodeError, for Format 2 (many actions) too."""
    reader = Reader(data)
    extended = reader.bits(1)
    kind = reader.choice(1)
    if kind not in (0, 2):
        reader.fail(Reason.UNKNOWN_FORMAT, f"control outcome Format {kind + 1} is not read")
    part = reader.open_type() if kind else reader
    format_extended = part.bits(1)
    found: list[Parameter] = []
    for _ in range(part.whole_number(0, 255)):
        if kind:
            found.append(read_parameter(part))
            continue
        item_extended = part.bits(1)
        parameter_id = part.extensible_number(1, 2**32 - 1)
        found.append(Element(parameter_id, read_value(part)))
        if item_extended:
            part.additions()
    if format_extended:
        part.additions()
    if part is not reader:
        part.finish()
    _end(reader, 0, extended)
    return tuple(found)


def _end(reader: Reader, format_extended: int, extended: int) -> None:
    for flag in (format_extended, extended):
        if flag:
            reader.additions()
    reader.finish()


# --- quotas as parameters


def quota_parameters(quotas: Sequence[SliceQuota], nesting: RcNesting) -> tuple[Parameter, ...]:
    """The tree of parameters of a quota message. Raises InvalidInputError."""
    check_quotas(quotas)
    ids = _IDS[nesting.ids]
    entries = []
    for quota in quotas:
        members = tuple(_member(member, nesting, ids) for member in quota.members)
        if nesting.members_in_one_entry:
            member_entries: tuple[tuple[Parameter, ...], ...] = (tuple(part for entry in members for part in entry),)
        else:
            member_entries = members
        group: tuple[Parameter, ...] = (
            Structure(ids["policy"], (ParameterList(ids["member_list"], member_entries),)),
            Element(ids["minimum"], quota.minimum),
            Element(ids["maximum"], quota.maximum),
            Element(ids["dedicated"], quota.dedicated),
        )
        entries.append((Structure(ids["group"], group),) if nesting.group else group)
    if nesting.list_per_policy:
        return tuple(ParameterList(ids["list"], (entry,)) for entry in entries)
    return (ParameterList(ids["list"], tuple(entries)),)


def _member(member: PolicyMember, nesting: RcNesting, ids: Mapping[str, int]) -> tuple[Parameter, ...]:
    octets = nesting.s_nssai == "octets"
    s_nssai = [Element(ids["sst"], bytes((member.sst,)) if octets else str(member.sst).encode())]
    if member.sd is not None:
        s_nssai.append(Element(ids["sd"], bytes.fromhex(member.sd) if octets else str(int(member.sd, 16)).encode()))
    plmn = plmn_octets(member.mcc, member.mnc) if nesting.plmn == "octets" else (member.mcc + member.mnc).encode()
    parts: tuple[Parameter, ...] = (Element(ids["plmn"], plmn), Structure(ids["s_nssai"], tuple(s_nssai)))
    return (Structure(ids["member"], parts),) if nesting.member else parts


def quotas_of(parameters: Sequence[Parameter], ids: Ids = "standard") -> tuple[SliceQuota, ...]:
    """The quotas in a tree of parameters, whatever levels it has; texts and octets are both understood.

    Raises DecodeError where a part is missing, InvalidInputError where the quotas do not fit together.
    """
    names = {number: name for name, number in _IDS[ids].items()}
    found: list[tuple[list[PolicyMember], dict[str, int]]] = []
    member: dict[str, Value] = {}
    for parameter in _flat(parameters):
        name = names.get(parameter.parameter_id)
        if isinstance(parameter, Structure) and name == "policy":
            found.append(([], {}))
        if not isinstance(parameter, Element) or name is None:
            continue
        if not found:
            raise DecodeError(f"E2SM-RC quota: parameter {parameter.parameter_id} before any RRM policy", reason="bad_quota")
        if name == "plmn":
            member = {"plmn": parameter.value or b""}
        elif name in ("sst", "sd"):
            member[name] = parameter.value if parameter.value is not None else b""
        if name == "sst":
            found[-1][0].append(_read_member(member))
        elif name == "sd" and found[-1][0]:
            found[-1][0][-1] = _read_member(member)
        elif name in ("minimum", "maximum", "dedicated"):
            if isinstance(parameter.value, bool) or not isinstance(parameter.value, int):
                raise DecodeError(f"E2SM-RC quota: {name} is no INTEGER", reason="bad_quota")
            found[-1][1][name] = parameter.value
    quotas = []
    for members, ratios in found:
        if len(ratios) != 3 or not members:
            raise DecodeError("E2SM-RC quota: a policy without members or one of its three ratios", reason="bad_quota")
        quotas.append(SliceQuota(members=tuple(members), **ratios))
    check_quotas(quotas)
    return tuple(quotas)


def _flat(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    for parameter in parameters:
        yield parameter
        if isinstance(parameter, Structure):
            yield from _flat(parameter.members)
        elif isinstance(parameter, ParameterList):
            for entry in parameter.entries:
                yield from _flat(entry)


def _read_member(parts: Mapping[str, Value]) -> PolicyMember:
    plmn, sst, sd = (parts.get(name, b"") for name in ("plmn", "sst", "sd"))
    if not (isinstance(plmn, bytes) and isinstance(sst, bytes) and isinstance(sd, bytes)) or not plmn or not sst:
        raise DecodeError("E2SM-RC quota: PLMN, SST and SD are no OCTET STRINGs", reason="bad_quota")
    digits = plmn_digits(plmn) if len(plmn) == 3 else _digits(plmn)
    if "sd" not in parts:
        differentiator = None
    elif len(sd) == 3 and len(plmn) == 3:
        differentiator = sd.hex()
    else:
        differentiator = f"{_number(sd):06x}"
    return PolicyMember(*digits, sst[0] if len(plmn) == 3 and len(sst) == 1 else _number(sst), differentiator)


def _digits(text: bytes) -> tuple[str, str]:
    if not text.isdigit() or len(text) not in (5, 6):
        raise DecodeError(f"E2SM-RC quota: PLMN {text[:8].hex()} is neither three octets nor 5 or 6 digits", reason="bad_quota")
    return text[:3].decode("ascii"), text[3:].decode("ascii")


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 8:
        raise DecodeError(f"E2SM-RC quota: {text[:8].hex()} is neither octets nor decimal digits", reason="bad_quota")
    return int(text)
