"""PRB quotas of slices (3GPP TS 28.541 clause 4.3.36, RRMPolicyRatio), out of the policies that the gateway writes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twm.api.policy.v1 import policy_pb2
from twm.core.e2sm.cell_id import NrCgi, plmn_octets
from twm.core.errors import InvalidInputError

RRM_POLICY_TYPE = "twm_RRMPolicyRatio_1.0.0"
MAX_POLICIES = 64
"""Most policies of one cell, and members of one policy: as many slices as a network may have."""
_SD = re.compile(r"[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class PolicyMember:
    """A slice of an operator."""

    mcc: str
    """Mobile country code, three digits."""
    mnc: str
    """Mobile network code, two or three digits."""
    sst: int
    """Slice/service type, 0..255."""
    sd: str | None = None
    """Slice differentiator, six lower-case hex digits."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        plmn_octets(self.mcc, self.mnc)
        if isinstance(self.sst, bool) or not isinstance(self.sst, int) or not 0 <= self.sst <= 255:
            raise InvalidInputError(f"sst: {self.sst!r:.40} is not a whole number in 0..255")
        if self.sd is not None and not _SD.fullmatch(self.sd):
            raise InvalidInputError(f"sd: {self.sd[:16]!r} is not six lower-case hex digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceQuota:
    """One RRM policy: what its members together get of a cell's PRBs, in whole percent."""

    members: tuple[PolicyMember, ...]
    minimum: int
    """What they get when they want it."""
    maximum: int
    """What they never exceed."""
    dedicated: int
    """What stays theirs when they do not use it."""

    def __post_init__(self) -> None:
        """Check ranges and order."""
        if not 1 <= len(self.members) <= MAX_POLICIES:
            raise InvalidInputError(f"members: {len(self.members)}, expected 1..{MAX_POLICIES}")
        for name in ("dedicated", "minimum", "maximum"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
                raise InvalidInputError(f"{name}: {value!r:.40} is not a whole number in 0..100 percent")
        if not self.dedicated <= self.minimum <= self.maximum:
            raise InvalidInputError(
                f"quota: dedicated {self.dedicated} <= minimum {self.minimum} <= maximum {self.maximum} does not hold"
            )


@dataclass(frozen=True, slots=True)
class CellQuotas:
    """All policies of one cell."""

    cell: NrCgi
    quotas: tuple[SliceQuota, ...]

    def __post_init__(self) -> None:
        """Check the sums."""
        check_quotas(self.quotas, f"cell {self.cell.nci:#x}")


def check_quotas(quotas: Sequence[SliceQuota], where: str = "quotas") -> None:
    """Raise InvalidInputError unless minima and dedicated shares each sum to at most 100 and no slice stands twice.

    Maxima may sum to more: they are caps (TS 28.541 clause 4.3.36).
    """
    if not 1 <= len(quotas) <= MAX_POLICIES:
        raise InvalidInputError(f"{where}: {len(quotas)} policies, expected 1..{MAX_POLICIES}")
    for name in ("dedicated", "minimum"):
        total = sum(getattr(quota, name) for quota in quotas)
        if total > 100:
            raise InvalidInputError(f"{where}: {name} sums to {total} percent, more than 100")
    seen: set[PolicyMember] = set()
    for quota in quotas:
        for member in quota.members:
            if member in seen:
                raise InvalidInputError(f"{where}: slice sst {member.sst} sd {member.sd} appears more than once")
            seen.add(member)


def cell_quotas(policy: policy_pb2.SlicePolicy) -> list[CellQuotas]:
    """The quotas of a policy set, from its RRM objects; empty where it has none (a withdrawal has "{}" objects).

    Raises InvalidInputError naming the object.
    """
    found: dict[NrCgi, CellQuotas] = {}
    for instance in policy.policies:
        if instance.policy_type_id != RRM_POLICY_TYPE:
            continue
        where = f"{RRM_POLICY_TYPE} {instance.policy_id[:64]!r}"
        try:
            radio = json.loads(instance.policy_json).get("radio", [])
            entries = [_cell(entry) for entry in radio]
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise InvalidInputError(f"{where}: not of the type's form ({type(error).__name__})") from error
        for entry in entries:
            if entry.cell in found:
                raise InvalidInputError(f"{where}: cell {entry.cell.nci:#x} appears more than once")
            found[entry.cell] = entry
    return list(found.values())


def _cell(entry: dict[str, Any]) -> CellQuotas:
    plmn = entry["cellId"]["plmnId"]
    cell = NrCgi(plmn_octets(plmn["mcc"], plmn["mnc"]).hex(), entry["cellId"]["cId"]["ncI"])
    return CellQuotas(cell, tuple(_quota(member) for member in entry["rRMPolicyMemberList"]))


def _quota(entry: dict[str, Any]) -> SliceQuota:
    slice_id = entry["rRMPolicyMember"]
    sd = slice_id.get("sd")
    member = PolicyMember(
        slice_id["plmnId"]["mcc"], slice_id["plmnId"]["mnc"], slice_id["sst"], None if sd is None else sd.lower()
    )
    return SliceQuota(
        members=(member,),
        minimum=entry["rRMPolicyMinRatio"],
        maximum=entry["rRMPolicyMaxRatio"],
        dedicated=entry["rRMPolicyDedicatedRatio"],
    )
