"""A1 policies of others as bounds of ours: what an SMO asks for becomes an intent that planner and guardrail hold to. Pure.

Units on the way in (O-RAN.WG2.A1TD): kbps -> Mbps, ms stay ms, rates 0..1 stay, percent -> shares 0..1. A policy is taken
whole or not at all: one statement that cannot be held to makes all of it "not enforced", with A1's own word for why, so
that "enforced" is never said of a part.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.text import clean, shown
from twm.gateway.a1 import POLICY_TYPES, RRM_TYPE, check_policy
from twm.gateway.intents.validate import problems

SCOPE = "SCOPE_NOT_APPLICABLE"
STATEMENT = "STATEMENT_NOT_APPLICABLE"
OTHER = "OTHER_REASON"
MAX_LIMITS = 64
"""Action limits of one intent (twm.api.intent.v1.IntentSpec.limits)."""
MAX_DEPTH = 16
"""Deepest nesting of a policy's JSON; the schemas need 8."""
PERCENTILE = 0.99
"""The delay KPI is the 99th percentile: nothing can be said of a larger share of packets within a time."""
STEERED = (
    "guaDlThptPerSlice",
    "maxDlThptPerSlice",
    "maxDlPacketDelayPerUe",
    "maxDlPdcpSduPacketLossRatePerUe",
    "minDlReliabilityPerUe",
)
"""Objectives of ORAN_SliceSLATarget that this service can hold to."""


class NotApplicable(Exception):
    """The policy cannot be enforced."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        """SCOPE, STATEMENT or OTHER."""
        self.detail = clean(detail, 1000).text


@dataclass(frozen=True)
class TypeIds:
    """Names of policy types and the numbers that stand for them in an O-RAN SC RIC."""

    numbers: Mapping[str, int]

    @classmethod
    def parse(cls, text: str) -> TypeIds:
        """From "name=number,name=number". Raises InvalidInputError."""
        found: dict[str, int] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, number = part.partition("=")
            if name not in POLICY_TYPES or not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 2**31 - 1:
                raise InvalidInputError(
                    f"a1_type_ids: {shown(part)}, expected one of {', '.join(POLICY_TYPES)} = 1..2147483647"
                )
            found[name] = int(number)
        if len(set(found.values())) != len(found):
            raise InvalidInputError("a1_type_ids: one number stands for two types")
        return cls(found)

    def name(self, type_id: str) -> str:
        """Name of a type given by name or number. Raises InvalidInputError on any other."""
        if type_id in POLICY_TYPES:
            return type_id
        for name, number in self.numbers.items():
            if type_id == str(number):
                return name
        known = ", ".join((*POLICY_TYPES, *map(str, self.numbers.values())))
        raise InvalidInputError(f"policy_type_id: {shown(type_id, 128)} is none of {known}")


def parse_payload(policy_type_id: str, payload_json: str) -> dict[str, Any]:
    """A policy of a type that is known, checked against its schema. Raises InvalidInputError naming what is wrong."""
    depth = deepest = 0
    for character in payload_json:  # brackets within strings count too: a bound, not a parser
        depth += (character in "{[") - (character in "}]")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise InvalidInputError(f"payload_json: nested deeper than {MAX_DEPTH}", reason="depth")
    try:
        content = json.loads(payload_json, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"payload_json: no JSON: {shown(str(error), 120)}", reason="json") from None
    if not isinstance(content, dict):
        raise InvalidInputError("payload_json: an object is expected", reason="json")
    try:
        check_policy(policy_type_id, content)
    except InvalidInputError as error:
        raise InvalidInputError(f"payload_json: {clean(str(error), 400).text}", reason="schema") from None
    return content


def intent_id_of(policy_type_id: str, policy_id: str) -> str:
    """Id of the intent that stands for a policy."""
    return "a1-" + hashlib.sha256(f"{policy_type_id}\0{policy_id}".encode()).hexdigest()[:32]


def intent_of(
    policy_type_id: str, policy_id: str, content: Mapping[str, Any], source: str, spec: NetworkSpec, now: dt.datetime
) -> intent_pb2.IntentSpec:
    """The intent that holds to a policy whose schema holds. Raises NotApplicable. `now` is aware."""
    words = clean(f"A1 policy {policy_id} ({policy_type_id}) of {source}", 2000).text
    intent = intent_pb2.IntentSpec(
        intent_id=intent_id_of(policy_type_id, policy_id),
        area_id=spec.area_id,
        spec_digest=spec.digest(),
        text=words,
        source=intent_pb2.INTENT_SOURCE_STRUCTURED,
        priority=2,
    )
    try:
        if policy_type_id == RRM_TYPE:
            _ratios(intent, content, spec, now)
        else:
            _targets(intent, content, spec)
    except ValueError as error:  # numbers beyond what protobuf holds
        raise NotApplicable(STATEMENT, str(error)) from None
    asked = problems(intent, spec, now)
    if asked:
        raise NotApplicable(OTHER, asked[0].text)
    return intent


def _targets(intent: intent_pb2.IntentSpec, content: Mapping[str, Any], spec: NetworkSpec) -> None:
    """ORAN_SliceSLATarget: KPI constraints of one slice."""
    objectives: Mapping[str, Any] = content["sliceSlaObjectives"]
    unknown = sorted(set(objectives) - set(STEERED))
    if unknown:
        raise NotApplicable(STATEMENT, f"sliceSlaObjectives: {', '.join(unknown)} is nothing that shares can bound")
    scope = intent_pb2.Scope(slices=[_slice(content["scope"]["sliceId"], spec)], cells=_cells(content, spec))
    for kpi, comparator, bound in _bounds(objectives):
        intent.constraints.add(kpi=kpi, scope=scope, comparator=comparator, bound=bound)


def _bounds(objectives: Mapping[str, Any]) -> Iterator[tuple[intent_pb2.Kpi, intent_pb2.Comparator, float]]:
    most, least = intent_pb2.COMPARATOR_AT_MOST, intent_pb2.COMPARATOR_AT_LEAST
    if "guaDlThptPerSlice" in objectives:
        yield intent_pb2.KPI_THROUGHPUT_MBPS, least, objectives["guaDlThptPerSlice"] / 1000
    if "maxDlThptPerSlice" in objectives:
        yield intent_pb2.KPI_THROUGHPUT_MBPS, most, objectives["maxDlThptPerSlice"] / 1000
    if "maxDlPacketDelayPerUe" in objectives:
        yield intent_pb2.KPI_DELAY_P99_MS, most, objectives["maxDlPacketDelayPerUe"]
    if "maxDlPdcpSduPacketLossRatePerUe" in objectives:
        yield intent_pb2.KPI_LOSS_RATIO, most, objectives["maxDlPdcpSduPacketLossRatePerUe"]
    reliability = objectives.get("minDlReliabilityPerUe")
    if reliability is not None:
        # P(delivered within L) >= p follows from p99(delay of what arrives) <= L and loss <= 1 - p / 0.99.
        probability = reliability["successProbability"]
        if probability >= PERCENTILE:
            raise NotApplicable(STATEMENT, f"successProbability: {probability:g}; below {PERCENTILE:g} can be told from p99")
        yield intent_pb2.KPI_DELAY_P99_MS, most, reliability["userPlaneLatency"]
        yield intent_pb2.KPI_LOSS_RATIO, most, 1 - probability / PERCENTILE


def _ratios(intent: intent_pb2.IntentSpec, content: Mapping[str, Any], spec: NetworkSpec, now: dt.datetime) -> None:
    """twm_RRMPolicyRatio: limits on shares, places with the same limits together."""
    if content["scope"]["areaId"] != spec.area_id:
        raise NotApplicable(SCOPE, f"scope.areaId: {shown(content['scope']['areaId'])}, this is {spec.area_id}")
    validity = content["validity"]
    try:
        begins = dt.datetime.fromisoformat(validity["effective"])
    except ValueError as error:
        raise NotApplicable(OTHER, f"validity.effective: {error}") from None
    ends_s = begins.timestamp() + validity["ttlSeconds"]
    if ends_s <= now.timestamp():
        raise NotApplicable(OTHER, "validity: its time is over")
    intent.window.start.FromDatetime(begins)
    intent.expires.FromNanoseconds(round(ends_s * 1e6) * 1000)
    cell_index = {cell.nr_cell_identity: index for index, cell in enumerate(spec.cells)}
    link_index = {link.id: index for index, link in enumerate(spec.transport.links)}
    radio: dict[tuple[str, float, float], list[int]] = {}
    transport: dict[tuple[str, float, float], list[int]] = {}
    for cell in content["radio"]:
        index = _cell(cell["cellId"], cell_index, spec)
        for member in cell["rRMPolicyMemberList"]:
            bounds = member["rRMPolicyMinRatio"] / 100, member["rRMPolicyMaxRatio"] / 100
            radio.setdefault((_slice(member["rRMPolicyMember"], spec), *bounds), []).append(index)
    for link in content["transport"]:
        if link["linkId"] not in link_index:
            raise NotApplicable(SCOPE, f"transport.linkId: {shown(link['linkId'])} is not in the network")
        for member in link["bandwidthMemberList"]:
            ratio = member["bandwidthRatio"] / 100
            place = link_index[link["linkId"]]
            transport.setdefault((_slice(member["sliceId"], spec), ratio, ratio), []).append(place)
    count = len(radio) + len(transport)
    if not count:
        raise NotApplicable(STATEMENT, "radio, transport: both empty")
    if count > MAX_LIMITS:
        raise NotApplicable(OTHER, f"{count} different ratios, at most {MAX_LIMITS}; cut the policy in parts")
    for (slice_id, low, high), cells in radio.items():
        where = intent_pb2.Scope(slices=[slice_id], cells=sorted(cells))
        intent.limits.add(scope=where, min_share=low, max_share=high, resource=intent_pb2.RESOURCE_PRB)
    for (slice_id, low, high), links in transport.items():
        where = intent_pb2.Scope(slices=[slice_id], links=sorted(links))
        intent.limits.add(scope=where, min_share=low, max_share=high, resource=intent_pb2.RESOURCE_BANDWIDTH)


def _slice(slice_id: Mapping[str, Any], spec: NetworkSpec) -> str:
    """Id of the slice with that S-NSSAI. An absent SD is an S-NSSAI of its own (TS 23.003 clause 28.4.2)."""
    _same_plmn(slice_id["plmnId"], spec)
    sd = str(slice_id.get("sd", "ffffff")).lower()
    for entry in spec.slices:
        if entry.s_nssai.sst == slice_id["sst"] and (entry.s_nssai.sd or "ffffff").lower() == sd:
            return entry.id
    raise NotApplicable(SCOPE, f"sliceId: SST {slice_id['sst']}, SD {sd} is no slice of this network")


def _same_plmn(plmn: Mapping[str, Any], spec: NetworkSpec) -> None:
    if (plmn["mcc"], plmn["mnc"]) != (spec.plmn.mcc, spec.plmn.mnc):
        raise NotApplicable(SCOPE, f"plmnId: {plmn['mcc']}-{plmn['mnc']}, this network is {spec.plmn.mcc}-{spec.plmn.mnc}")


def _cells(content: Mapping[str, Any], spec: NetworkSpec) -> list[int]:
    """Cell indices of sliceSlaResources; empty where it is absent or names every cell: the whole area."""
    resources = content.get("sliceSlaResources")
    if resources is None:
        return []
    if "cellIdList" not in resources:
        raise NotApplicable(SCOPE, "sliceSlaResources.taIList: tracking areas are not known here; name cells")
    index = {cell.nr_cell_identity: number for number, cell in enumerate(spec.cells)}
    found = sorted({_cell(cell_id, index, spec) for cell_id in resources["cellIdList"]})
    if not found:
        raise NotApplicable(SCOPE, "sliceSlaResources.cellIdList: empty")
    return [] if len(found) == len(spec.cells) else found


def _cell(cell_id: Mapping[str, Any], index: Mapping[int, int], spec: NetworkSpec) -> int:
    _same_plmn(cell_id["plmnId"], spec)
    identity = cell_id["cId"].get("ncI")
    if identity not in index:
        raise NotApplicable(SCOPE, f"cellId: {shown(json.dumps(cell_id['cId']))} is no cell of this network")
    return index[identity]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found
