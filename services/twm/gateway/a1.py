"""A1 policies from an accepted proposal's next step. Pure; every object is checked against its schema before it leaves.

One `ORAN_SliceSLATarget` per slice says what the slice is promised; `twm_RRMPolicyRatio_1.0.0` says with which shares,
because the O-RAN type has no ratio field. Shares are not work-conserving in the world model, so max = min = the share; the
dedicated part is the slice's floor: nobody else may borrow it. Schemas: deploy/a1.

Shape suffixes: C cells, L links, S slices.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema
import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.actions import PolicyArrays, decode_policies
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, Slice
from twm.core.paths import a1_folder
from twm.gateway.canonical import canonical_json
from twm.gateway.prb import percent, prb_steps

SLA_TYPE_1 = "ORAN_SliceSLATarget_1.0.0"
SLA_TYPE_3 = "ORAN_SliceSLATarget_3.0.0"
RRM_TYPE = "twm_RRMPolicyRatio_1.0.0"
POLICY_TYPES = (SLA_TYPE_1, SLA_TYPE_3, RRM_TYPE)
MEMBERS_PER_PART = 512
"""Most slice entries of cells (and of links) in one RRM object; a larger area is cut into parts."""
CELLS_IN_SCOPE = 2048
"""Most cells listed in an SLA object; above, the list is left out: the whole area is meant."""
_BANDWIDTH_STEPS = 10_000

SlaType = Literal["auto", "1.0.0", "3.0.0"]


@dataclass(frozen=True, kw_only=True)
class A1Options:
    """How policies are written."""

    sla_type: SlaType = "auto"
    """Version of ORAN_SliceSLATarget; auto: 3.0.0 where the SLA bounds delay or loss, which 1.0.0 cannot say, else 1.0.0."""
    ttl_steps: float = 2.0
    """How long a policy holds [slow steps]; 2: one late successor does not drop the network to its own configuration."""


def slice_policy(
    proposal: planning_pb2.Proposal, spec: NetworkSpec, options: A1Options, mode: policy_pb2.Mode
) -> policy_pb2.SlicePolicy:
    """All A1 objects of the first step of `proposal`. Raises InvalidInputError where an object would break its schema."""
    policy = decode_policies(proposal.policy, spec)
    ttl_s = min(options.ttl_steps * spec.timing.slow_step_s, 86400.0)
    served_mbps = _predicted_served(proposal, spec)
    instances = []
    for index, entry in enumerate(spec.slices):
        found = sla_target(entry, spec, options.sla_type, None if served_mbps is None else served_mbps[index])
        if found is not None:
            instances.append((found[0], f"{spec.area_id}.{entry.id}", found[1]))
    parts = rrm_ratios(policy, spec, proposal.effective, ttl_s)
    instances += [(RRM_TYPE, f"{spec.area_id}.{part}", content) for part, content in enumerate(parts)]
    out = policy_pb2.SlicePolicy(
        policy_set_id=proposal.proposal_id,
        area_id=proposal.area_id,
        step=proposal.step,
        mode=mode,
        effective=proposal.effective,
        ttl_s=ttl_s,
        predicted_scm=proposal.predicted_scm if proposal.HasField("predicted_scm") else None,
        saving_ratio=proposal.saving_ratio,
        trace_id=proposal.trace_id,
    )
    for policy_type_id, policy_id, content in instances:
        check_policy(policy_type_id, content)
        out.policies.add(policy_type_id=policy_type_id, policy_id=policy_id, policy_json=canonical_json(content))
    return out


def sla_target(
    entry: Slice, spec: NetworkSpec, sla_type: SlaType, predicted_served_mbps: float | None
) -> tuple[str, dict[str, Any]] | None:
    """(type, object) of one slice; None where nothing can be said of it in that type.

    Throughput: the SLA's, else what the plan is predicted to serve [kbps]. Delay and loss bounds are the SLA's; a bound on the
    slice's 99th percentile and pooled loss is handed on as the bound of each UE.
    """
    sla = entry.sla
    objectives: dict[str, Any] = {}
    promised_mbps = sla.throughput_min_mbps if sla.throughput_min_mbps is not None else predicted_served_mbps
    if promised_mbps is not None and promised_mbps > 0:
        objectives["guaDlThptPerSlice"] = round(promised_mbps * 1000)
    bounded = sla.delay_p99_max_ms is not None or sla.loss_max_ratio is not None
    version = ("3.0.0" if bounded else "1.0.0") if sla_type == "auto" else sla_type
    if version == "3.0.0":
        if sla.delay_p99_max_ms is not None:
            objectives["maxDlPacketDelayPerUe"] = sla.delay_p99_max_ms
        if sla.loss_max_ratio is not None:
            objectives["maxDlPdcpSduPacketLossRatePerUe"] = sla.loss_max_ratio
    if not objectives:
        return None
    content: dict[str, Any] = {"scope": {"sliceId": _slice_id(entry, spec)}, "sliceSlaObjectives": objectives}
    if len(spec.cells) <= CELLS_IN_SCOPE:
        content["sliceSlaResources"] = {"cellIdList": [_cell_id(cell.nr_cell_identity, spec) for cell in spec.cells]}
    return (SLA_TYPE_3 if version == "3.0.0" else SLA_TYPE_1), content


def rrm_ratios(policy: PolicyArrays, spec: NetworkSpec, effective: Timestamp, ttl_s: float) -> list[dict[str, Any]]:
    """The policy's first step as RRM objects, cut into parts. Raises InvalidInputError where floors do not fit the PRB grid."""
    topology = spec.topology()
    share_CS, share_LS = policy.prb_share_KHCS[0, 0], policy.bandwidth_share_KHLS[0, 0]
    percent_CS = percent(share_CS, topology.prb_floor)
    quota_CS = prb_steps(share_CS, topology.prb_floor, spec.prb_grid) * spec.prb_grid.share_step_prb
    dedicated_CS = np.minimum(np.ceil(topology.prb_floor * 100 - 1e-6).astype(int), percent_CS)
    members = [_slice_id(entry, spec) for entry in spec.slices]
    radio = [
        {
            "cellId": _cell_id(cell.nr_cell_identity, spec),
            "resourceType": "PRB",
            "prbCount": spec.prb_grid.prb_count,
            "rRMPolicyMemberList": [
                {
                    "rRMPolicyMember": member,
                    "rRMPolicyMaxRatio": int(percent_CS[c, s]),
                    "rRMPolicyMinRatio": int(percent_CS[c, s]),
                    "rRMPolicyDedicatedRatio": int(dedicated_CS[c, s]),
                    "prbQuota": int(quota_CS[c, s]),
                }
                for s, member in enumerate(members)
            ],
        }
        for c, cell in enumerate(spec.cells)
    ]
    # Hundredths of a percent, rounded down: the sum cannot pass 100.
    hundredths_LS = np.floor(share_LS.astype(np.float64).clip(0, 1) * _BANDWIDTH_STEPS + 0.01).astype(int)
    excess_L = np.maximum(hundredths_LS.sum(-1) - _BANDWIDTH_STEPS, 0)
    rows = np.arange(len(excess_L))
    if len(rows):
        hundredths_LS[rows, hundredths_LS.argmax(-1)] -= excess_L
    transport = [
        {
            "linkId": link.id,
            "capacityKbps": link.capacity_mbps * 1000,
            "bandwidthMemberList": [
                {"sliceId": member, "bandwidthRatio": int(hundredths_LS[index, s]) / 100} for s, member in enumerate(members)
            ],
        }
        for index, link in enumerate(spec.transport.links)
    ]
    size = max(MEMBERS_PER_PART // len(members), 1)
    count = max(-(-len(radio) // size), -(-len(transport) // size))
    return [
        {
            "scope": {"areaId": spec.area_id, "part": part, "partCount": count},
            "validity": {"effective": _utc(effective), "ttlSeconds": ttl_s},
            "radio": radio[part * size : (part + 1) * size],
            "transport": transport[part * size : (part + 1) * size],
        }
        for part in range(count)
    ]


def check_policy(policy_type_id: str, content: Any) -> None:
    """Raise InvalidInputError naming the field unless `content` fits the type's schema and, for our own type, its sums."""
    error = jsonschema.exceptions.best_match(_validator(policy_type_id).iter_errors(content))
    if error is not None:
        raise InvalidInputError(f"{policy_type_id} {error.json_path}: {error.message[:300]}")
    if policy_type_id == RRM_TYPE:
        _check_sums(content)


def policy_schema(policy_type_id: str) -> dict[str, Any]:
    """JSON schema of a policy type that ships. Raises InvalidInputError on any other."""
    if policy_type_id not in POLICY_TYPES:
        raise InvalidInputError(f"policy_type_id: {policy_type_id[:128]!r} is none of {', '.join(POLICY_TYPES)}")
    return _read_schema(a1_folder() / f"{policy_type_id}.json")


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"A1 schema {path}: cannot be read: {error}") from error
    return found


@cache
def _validator(policy_type_id: str) -> jsonschema.Draft7Validator:
    schema = policy_schema(policy_type_id)
    jsonschema.Draft7Validator.check_schema(schema)
    # Following a reference costs more than the check behind it; the schemas do not recurse.
    return jsonschema.Draft7Validator(_inlined(schema, schema.get("definitions", {})))


def _inlined(part: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(part, list):
        return [_inlined(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(definitions[part["$ref"].removeprefix("#/definitions/")], definitions)
    return {key: _inlined(value, definitions) for key, value in part.items() if key != "definitions"}


def _check_sums(content: dict[str, Any]) -> None:
    """What a JSON schema cannot say (TS 28.541 clause 4.3.36): order of the ratios, their sums, one entry each."""
    _unique(f"{RRM_TYPE} radio", [canonical_json(cell["cellId"]) for cell in content["radio"]])
    _unique(f"{RRM_TYPE} transport", [link["linkId"] for link in content["transport"]])
    for cell in content["radio"]:
        where = f"{RRM_TYPE} radio {canonical_json(cell['cellId'])}"
        members = cell["rRMPolicyMemberList"]
        _unique(where, [canonical_json(m["rRMPolicyMember"]) for m in members])
        for member in members:
            low, middle, high = (member[f"rRMPolicy{name}Ratio"] for name in ("Dedicated", "Min", "Max"))
            if not low <= middle <= high:
                raise InvalidInputError(f"{where}: dedicated {low} <= min {middle} <= max {high} does not hold")
        for name, bound in (
            ("rRMPolicyDedicatedRatio", 100),
            ("rRMPolicyMinRatio", 100),
            ("rRMPolicyMaxRatio", 100),
            ("prbQuota", cell["prbCount"]),
        ):
            total = sum(member[name] for member in members)
            if total > bound:
                raise InvalidInputError(f"{where}: {name} sums to {total}, more than {bound}")
    for link in content["transport"]:
        where = f"{RRM_TYPE} transport {link['linkId']}"
        _unique(where, [canonical_json(m["sliceId"]) for m in link["bandwidthMemberList"]])
        total = sum(member["bandwidthRatio"] for member in link["bandwidthMemberList"])
        if total > 100 + 1e-6:
            raise InvalidInputError(f"{where}: bandwidthRatio sums to {total:.6g}, more than 100")


def _unique(where: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInputError(f"{where}: {name} appears more than once")
        seen.add(name)


def _slice_id(entry: Slice, spec: NetworkSpec) -> dict[str, Any]:
    found: dict[str, Any] = {"sst": entry.s_nssai.sst, "plmnId": _plmn(spec)}
    if entry.s_nssai.sd is not None:
        found["sd"] = entry.s_nssai.sd
    return found


def _cell_id(nr_cell_identity: int, spec: NetworkSpec) -> dict[str, Any]:
    return {"plmnId": _plmn(spec), "cId": {"ncI": nr_cell_identity}}


def _plmn(spec: NetworkSpec) -> dict[str, Any]:
    return {"mcc": spec.plmn.mcc, "mnc": spec.plmn.mnc}


def _utc(time: Timestamp) -> str:
    try:
        whole = dt.datetime.fromtimestamp(time.seconds, dt.UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidInputError(f"effective: {time.seconds} s is no time") from error
    fraction = f".{time.nanos:09d}".rstrip("0").rstrip(".")
    return f"{whole:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _predicted_served(proposal: planning_pb2.Proposal, spec: NetworkSpec) -> list[float] | None:
    """Median served load the plan's first step is predicted to reach, per slice [Mbps]; None where it was not predicted."""
    for fan in proposal.fans:
        if fan.policy != "proposed" or "served_mbps" not in fan.kpi_names:
            continue
        levels = np.array(fan.quantile_levels)
        shape = (-1, len(levels), len(spec.slices), len(fan.kpi_names))
        if len(levels) == 0 or len(fan.values) == 0 or len(fan.values) % int(np.prod(shape[1:])):
            return None
        median, served = int(np.abs(levels - 0.5).argmin()), list(fan.kpi_names).index("served_mbps")
        values = np.array(fan.values).reshape(shape)[0, median, :, served]
        return [float(v) for v in values] if np.isfinite(values).all() else None
    return None
