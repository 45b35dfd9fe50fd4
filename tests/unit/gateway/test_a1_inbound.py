"""A1 policies of others as intents: units, scopes, and what is not taken."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any

import pytest
from gateway_samples import good_proposal

from twm.api.intent.v1 import intent_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.gateway.a1 import RRM_TYPE, SLA_TYPE_1, SLA_TYPE_3, A1Options, slice_policy
from twm.gateway.a1_inbound import OTHER, SCOPE, STATEMENT, NotApplicable, TypeIds, intent_of, parse_payload

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
PLMN = {"mcc": "001", "mnc": "01"}
URLLC = {"sst": 2, "sd": "000002", "plmnId": PLMN}


def target(objectives: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"scope": {"sliceId": URLLC}, "sliceSlaObjectives": objectives, **changes}


def read(policy_type_id: str, content: Any, spec: NetworkSpec, now: dt.datetime = NOW) -> intent_pb2.IntentSpec:
    return intent_of(policy_type_id, "p1", parse_payload(policy_type_id, json.dumps(content)), "smo", spec, now)


def test_targets_become_constraints_in_our_units(spec: NetworkSpec) -> None:
    objectives = {
        "guaDlThptPerSlice": 25_000,
        "maxDlThptPerSlice": 400_000,
        "maxDlPacketDelayPerUe": 20,
        "maxDlPdcpSduPacketLossRatePerUe": 0.01,
    }
    cell = {"plmnId": PLMN, "cId": {"ncI": 33}}
    intent = read(SLA_TYPE_3, target(objectives, sliceSlaResources={"cellIdList": [cell]}), spec)
    found = [(c.kpi, c.comparator, c.bound) for c in intent.constraints]
    assert found == [
        (intent_pb2.KPI_THROUGHPUT_MBPS, intent_pb2.COMPARATOR_AT_LEAST, 25.0),
        (intent_pb2.KPI_THROUGHPUT_MBPS, intent_pb2.COMPARATOR_AT_MOST, 400.0),
        (intent_pb2.KPI_DELAY_P99_MS, intent_pb2.COMPARATOR_AT_MOST, 20.0),
        (intent_pb2.KPI_LOSS_RATIO, intent_pb2.COMPARATOR_AT_MOST, 0.01),
    ]
    assert all(list(c.scope.slices) == ["urllc"] and list(c.scope.cells) == [3] for c in intent.constraints)


def test_reliability_is_taken_as_delay_and_loss_that_imply_it(spec: NetworkSpec) -> None:
    wanted = {"packetSize": 32, "userPlaneLatency": 15, "successProbability": 0.95}
    delay, loss = read(SLA_TYPE_3, target({"minDlReliabilityPerUe": wanted}), spec).constraints
    assert delay.bound == 15 and 0.99 * (1 - loss.bound) == pytest.approx(0.95)
    with pytest.raises(NotApplicable, match="successProbability") as caught:
        read(SLA_TYPE_3, target({"minDlReliabilityPerUe": wanted | {"successProbability": 0.999}}), spec)
    assert caught.value.reason == STATEMENT


def test_what_we_write_reads_back_as_the_same_bounds(spec: NetworkSpec) -> None:
    proposal = good_proposal(spec)
    policy = slice_policy(proposal, spec, A1Options(), policy_pb2.MODE_SHADOW)
    now = dt.datetime.fromtimestamp(policy.effective.seconds, dt.UTC)
    for instance in policy.policies:
        intent = intent_of(
            instance.policy_type_id, "x", parse_payload(instance.policy_type_id, instance.policy_json), "us", spec, now
        )
        if instance.policy_type_id == RRM_TYPE:
            limits = {(tuple(x.scope.slices), x.resource): (x.min_share, x.max_share) for x in intent.limits}
            assert limits[("embb",), intent_pb2.RESOURCE_PRB] == (0.4, 0.4)
            assert limits[("fwa",), intent_pb2.RESOURCE_BANDWIDTH] == (0.2, 0.2)
            assert intent.expires.seconds - policy.effective.seconds == round(policy.ttl_s)
        else:
            sla = next(s.sla for s in spec.slices if instance.policy_id.endswith(f".{s.id}"))
            bounds = {c.kpi: c.bound for c in intent.constraints}
            assert bounds[intent_pb2.KPI_LOSS_RATIO] == sla.loss_max_ratio
            assert bounds.get(intent_pb2.KPI_DELAY_P99_MS) == sla.delay_p99_max_ms


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scope": {"sliceId": URLLC | {"sd": "00beef"}}}, SCOPE),
        ({"scope": {"sliceId": {k: v for k, v in URLLC.items() if k != "sd"}}}, SCOPE),
        ({"scope": {"sliceId": URLLC | {"plmnId": {"mcc": "999", "mnc": "01"}}}}, SCOPE),
        ({"sliceSlaResources": {"cellIdList": [{"plmnId": PLMN, "cId": {"ncI": 1}}]}}, SCOPE),
        ({"sliceSlaResources": {"cellIdList": []}}, SCOPE),
        ({"sliceSlaResources": {"taIList": [{"plmnId": PLMN, "tac": "000001"}]}}, SCOPE),
        ({"sliceSlaObjectives": {"maxNumberOfUes": 5, "maxDlPacketDelayPerUe": 20}}, STATEMENT),
        ({"sliceSlaObjectives": {"guaUlThptPerSlice": 5}}, STATEMENT),
        ({"sliceSlaObjectives": {"guaDlThptPerSlice": 1e300}}, OTHER),
        ({"sliceSlaObjectives": {"maxDlPacketDelayPerUe": 0.001}}, OTHER),
        ({"sliceSlaObjectives": {"guaDlThptPerSlice": 9e6, "maxDlThptPerSlice": 1e6}}, OTHER),
    ],
)
def test_what_cannot_be_held_to_is_not_enforced_as_a_whole(change: dict[str, Any], reason: str, spec: NetworkSpec) -> None:
    content = target({"maxDlPacketDelayPerUe": 20}) | change
    with pytest.raises(NotApplicable) as caught:
        read(SLA_TYPE_3, content, spec)
    assert caught.value.reason == reason and caught.value.detail


@pytest.mark.parametrize(
    "payload",
    [
        "", "[]", "null", "{", '{"a":NaN}', '{"scope":1,"scope":2}', "[" * 5000, '"' + "\ud800",
        json.dumps(target({})), json.dumps(target({"maxDlPacketDelayPerUe": -1})), json.dumps(target({"prb": 3})),
        json.dumps(target({"maxDlPacketDelayPerUe": "20"})), json.dumps(target({"maxDlPacketDelayPerUe": 20}) | {"x": 1}),
    ],
)  # fmt: skip
def test_broken_payloads_are_refused(payload: str) -> None:
    with pytest.raises(InvalidInputError, match="payload_json"):
        parse_payload(SLA_TYPE_3, payload)


def test_ratios_of_a_foreign_area_or_a_past_time_are_not_enforced(spec: NetworkSpec) -> None:
    policy = slice_policy(good_proposal(spec), spec, A1Options(), policy_pb2.MODE_SHADOW)
    content = json.loads(next(p.policy_json for p in policy.policies if p.policy_type_id == RRM_TYPE))
    early = dt.datetime.fromtimestamp(policy.effective.seconds, dt.UTC)
    with pytest.raises(NotApplicable, match="over"):
        read(RRM_TYPE, content, spec)
    foreign = copy.deepcopy(content)
    foreign["scope"]["areaId"] = "elsewhere"
    with pytest.raises(NotApplicable) as caught:
        read(RRM_TYPE, foreign, spec, early)
    assert caught.value.reason == SCOPE
    greedy = copy.deepcopy(content)
    member = greedy["radio"][0]["rRMPolicyMemberList"][0]
    member["rRMPolicyMinRatio"] = member["rRMPolicyMaxRatio"] = 0  # below the slice's floor
    member["rRMPolicyDedicatedRatio"] = 0
    with pytest.raises(NotApplicable) as caught:
        read(RRM_TYPE, greedy, spec, early)
    assert caught.value.reason == OTHER


def test_types_go_by_name_or_number() -> None:
    ids = TypeIds.parse(f"{SLA_TYPE_1}=7, {RRM_TYPE}=8")
    assert ids.name("7") == SLA_TYPE_1 and ids.name(SLA_TYPE_3) == SLA_TYPE_3
    for wrong in ("9", "07", "", "x"):
        with pytest.raises(InvalidInputError, match="policy_type_id"):
            ids.name(wrong)
    for text in (f"{SLA_TYPE_1}=0", "x=3", f"{SLA_TYPE_1}=1,{RRM_TYPE}=1", f"{SLA_TYPE_1}=2147483648"):
        with pytest.raises(InvalidInputError, match="a1_type_ids"):
            TypeIds.parse(text)
