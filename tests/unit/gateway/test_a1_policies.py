"""A1 objects: valid both ways against their schemas, ratios that add up, PRBs that fit the grid."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from gateway_samples import fallback_proposal, good_proposal, shares
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from twm.api.policy.v1 import policy_pb2
from twm.core.actions import PolicyArrays, encode_policies, project_shares
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, PrbGrid, SliceSla, load_network
from twm.core.paths import find_network
from twm.core.validation import validate
from twm.gateway.a1 import (
    MEMBERS_PER_PART,
    POLICY_TYPES,
    RRM_TYPE,
    SLA_TYPE_1,
    SLA_TYPE_3,
    A1Options,
    check_policy,
    policy_schema,
    rrm_ratios,
    sla_target,
    slice_policy,
)
from twm.gateway.canonical import canonical_json
from twm.gateway.prb import percent, prb_steps, quantisation_error_steps, quantise


def policies_of(spec: NetworkSpec, proposal: Any = None) -> tuple[policy_pb2.SlicePolicy, dict[str, Any]]:
    proposal = good_proposal(spec) if proposal is None else proposal
    found = slice_policy(proposal, spec, A1Options(), policy_pb2.MODE_SHADOW)
    return found, {p.policy_id: json.loads(p.policy_json) for p in found.policies}


def rrm(spec: NetworkSpec) -> dict[str, Any]:
    found: dict[str, Any] = policies_of(spec)[1]["poc-city.0"]
    return found


def test_the_city_gets_one_target_a_slice_and_one_ratio_object(spec: NetworkSpec) -> None:
    found, objects = policies_of(spec)
    validate(found)
    assert [p.policy_type_id for p in found.policies] == [SLA_TYPE_3] * 3 + [RRM_TYPE]
    assert list(objects) == ["poc-city.embb", "poc-city.urllc", "poc-city.fwa", "poc-city.0"]
    assert found.policy_set_id == "poc-city/100"
    assert found.mode == policy_pb2.MODE_SHADOW
    assert found.ttl_s == 120.0
    urllc = objects["poc-city.urllc"]
    assert urllc["scope"] == {"sliceId": {"sst": 2, "sd": "000002", "plmnId": {"mcc": "001", "mnc": "01"}}}
    assert urllc["sliceSlaObjectives"] == {
        "guaDlThptPerSlice": 100000,  # the proposed fan's median, 100 Mbps, in kbps
        "maxDlPacketDelayPerUe": 20,
        "maxDlPdcpSduPacketLossRatePerUe": 0.1,
    }
    cells = urllc["sliceSlaResources"]["cellIdList"]
    assert cells[0] == {"plmnId": {"mcc": "001", "mnc": "01"}, "cId": {"ncI": 16}}
    assert len(cells) == 10
    for policy in found.policies:
        assert policy.policy_json == canonical_json(json.loads(policy.policy_json))


def test_promised_throughput_comes_before_predicted(spec: NetworkSpec) -> None:
    entry = spec.slices[0].model_copy(update={"sla": SliceSla(throughput_min_mbps=50.5)})
    found = sla_target(entry, spec, "auto", 80.0)
    assert found is not None
    assert found[0] == SLA_TYPE_1
    assert found[1]["sliceSlaObjectives"] == {"guaDlThptPerSlice": 50500}
    assert sla_target(spec.slices[0], spec, "1.0.0", None) is None  # a loss bound cannot be said in 1.0.0
    assert sla_target(entry, spec, "3.0.0", None)[0] == SLA_TYPE_3  # type: ignore[index]


def test_a_fallback_has_no_prediction_but_its_sla(spec: NetworkSpec) -> None:
    _, objects = policies_of(spec, fallback_proposal(spec))
    assert objects["poc-city.embb"]["sliceSlaObjectives"] == {"maxDlPdcpSduPacketLossRatePerUe": 0.25}


def test_ratios_are_the_shares_of_the_first_step(spec: NetworkSpec) -> None:
    content = rrm(spec)
    assert content["scope"] == {"areaId": "poc-city", "part": 0, "partCount": 1}
    assert content["validity"] == {"effective": "1970-01-01T01:41:00Z", "ttlSeconds": 120.0}
    assert len(content["radio"]) == 10
    first = content["radio"][0]
    assert first["prbCount"] == 273
    got = [
        (m["rRMPolicyDedicatedRatio"], m["rRMPolicyMinRatio"], m["rRMPolicyMaxRatio"], m["prbQuota"])
        for m in first["rRMPolicyMemberList"]
    ]
    assert got == [(5, 40, 40, 109), (5, 30, 30, 82), (5, 20, 20, 54)]
    link = content["transport"][5]
    assert (link["linkId"], link["capacityKbps"]) == ("down-1", 2_300_000)
    assert [m["bandwidthRatio"] for m in link["bandwidthMemberList"]] == [40, 30, 20]


def test_a_network_without_links_and_with_a_coarse_grid() -> None:
    explora = load_network(find_network("explora-cell"))
    content = policies_of(explora)[1]["explora-cell.0"]
    assert content["transport"] == []
    quotas = [m["prbQuota"] for m in content["radio"][0]["rRMPolicyMemberList"]]
    assert all(q % 3 == 0 for q in quotas)
    assert sum(quotas) <= 50


def test_large_areas_are_cut_into_parts(spec: NetworkSpec) -> None:
    cells = [
        cell.model_copy(update={"id": f"c{i}", "nr_cell_identity": i, "transport_node": None})
        for i, cell in enumerate(spec.cells * 30)
    ]
    large = spec.model_copy(
        update={
            "cells": tuple(cells),
            "zones": (),
            "transport": spec.transport.model_copy(update={"links": (), "routes": {}, "backup_routes": {}}),
        }
    )
    parts = rrm_ratios(shares(large, 1), large, good_proposal(spec).effective, 60.0)
    assert len(parts) == 2
    assert [p["scope"]["partCount"] for p in parts] == [2, 2]
    assert sum(len(p["radio"]) for p in parts) == 300
    assert all(len(p["radio"]) * 3 <= MEMBERS_PER_PART for p in parts)
    for part in parts:
        check_policy(RRM_TYPE, part)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_every_feasible_policy_gives_valid_ratios(spec: NetworkSpec, data: st.DataObject) -> None:
    topology = spec.topology()
    raw = data.draw(hnp.arrays(np.float32, (20, 3), elements=st.floats(0, 1, width=32)))
    policy = PolicyArrays(
        prb_share_KHCS=project_shares(raw[None, None, :10], topology.prb_floor),
        bandwidth_share_KHLS=project_shares(raw[None, None, 10:], topology.bandwidth_floor),
    )
    (content,) = rrm_ratios(policy, spec, good_proposal(spec).effective, 60.0)
    check_policy(RRM_TYPE, content)
    for cell, row in zip(content["radio"], policy.prb_share_KHCS[0, 0], strict=True):
        for member, share in zip(cell["rRMPolicyMemberList"], row, strict=True):
            assert 5 == member["rRMPolicyDedicatedRatio"] <= member["rRMPolicyMinRatio"] <= member["rRMPolicyMaxRatio"]
            assert abs(member["rRMPolicyMaxRatio"] - 100 * share) <= 1.001
            assert abs(member["prbQuota"] - 273 * share) <= 1.001


@settings(max_examples=150, deadline=None)
@given(
    raw=hnp.arrays(np.float64, (4, 3), elements=st.floats(0, 1)),
    floor=st.floats(0, 0.2),
    prb_count=st.integers(6, 275),
    step=st.integers(1, 8),
)
def test_quantisation_keeps_sum_and_floors(raw: np.ndarray, floor: float, prb_count: int, step: int) -> None:
    floors = np.full(3, floor)
    share = project_shares(raw, floors).astype(float)
    grid = PrbGrid(prb_count=prb_count, share_step_prb=min(step, prb_count))
    total, scale = prb_count // grid.share_step_prb, prb_count / grid.share_step_prb
    if 3 * np.ceil(floor * scale - 1e-6) > total:
        with pytest.raises(InvalidInputError, match="floors"):
            prb_steps(share, floors, grid)
        return
    units = prb_steps(share, floors, grid)
    assert units.sum(-1).max() <= total
    assert (units >= np.ceil(floor * scale - 1e-6)).all()
    assert (percent(share, floors).sum(-1) <= 100).all()
    assert quantisation_error_steps(share, floors, grid) >= 0


def test_quantisation_gives_left_over_units_to_the_largest_remainders() -> None:
    found = quantise(np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25]]), np.zeros(3), 10.0, 10)
    assert found.tolist() == [[4, 3, 3], [5, 3, 2]]


class TestSchemas:
    @pytest.mark.parametrize("policy_type_id", POLICY_TYPES)
    def test_a_schema_ships_for_every_type(self, policy_type_id: str) -> None:
        assert policy_schema(policy_type_id)["title"] == policy_type_id

    def test_unknown_type(self) -> None:
        with pytest.raises(InvalidInputError, match="policy_type_id"):
            check_policy("ORAN_QoSTarget_1.0.0", {})

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("scope", "sliceId", "sst"), 256),
            (("scope", "sliceId", "sd"), "xyz"),
            (("scope", "sliceId", "plmnId", "mcc"), "1"),
            (("scope", "extra"), 1),
            (("sliceSlaObjectives",), {}),
            (("sliceSlaObjectives", "prbRatio"), 30),
            (("sliceSlaObjectives", "guaDlThptPerSlice"), "5"),
            (("sliceSlaObjectives", "maxDlPdcpSduPacketLossRatePerUe"), 1.5),
            (("sliceSlaResources",), {}),
            (("sliceSlaResources", "taIList"), []),
            (("sliceSlaResources", "cellIdList", 0, "cId", "ncI"), 2**36),
            (("sliceSlaResources", "cellIdList", 0, "cId", "ecI"), 1),
            (("unknown",), True),
        ],
    )
    def test_sla_targets_that_break_the_schema(self, spec: NetworkSpec, path: tuple[Any, ...], value: Any) -> None:
        content = policies_of(spec)[1]["poc-city.urllc"]
        check_policy(SLA_TYPE_3, content)
        with pytest.raises(InvalidInputError, match=SLA_TYPE_3):
            check_policy(SLA_TYPE_3, edited(content, path, value))

    def test_version_1_knows_no_delay(self, spec: NetworkSpec) -> None:
        content = policies_of(spec)[1]["poc-city.urllc"]
        with pytest.raises(InvalidInputError, match="maxDl"):
            check_policy(SLA_TYPE_1, content)

    @pytest.mark.parametrize(
        ("path", "value", "words"),
        [
            (("radio", 0, "rRMPolicyMemberList", 0, "rRMPolicyMaxRatio"), 101, "101"),
            (("radio", 0, "rRMPolicyMemberList", 0, "rRMPolicyMaxRatio"), 40.5, "40.5"),
            (("radio", 0, "rRMPolicyMemberList", 0, "rRMPolicyMaxRatio"), 39, "min 40 <= max 39"),
            (("radio", 0, "rRMPolicyMemberList", 0, "rRMPolicyDedicatedRatio"), 41, "dedicated 41"),
            (("radio", 0, "rRMPolicyMemberList", 0, "rRMPolicyMaxRatio"), 60, "rRMPolicyMaxRatio sums to 110"),
            (("radio", 0, "rRMPolicyMemberList", 0, "prbQuota"), 200, "prbQuota sums to 336, more than 273"),
            (("radio", 1, "cellId", "cId", "ncI"), 16, "appears more than once"),
            (("radio", 0, "rRMPolicyMemberList", 1, "rRMPolicyMember", "sd"), "00000G", "00000G"),
            (("radio", 0, "resourceType"), "DRB", "PRB"),
            (("transport", 1, "linkId"), "up-1", "appears more than once"),
            (("transport", 0, "bandwidthMemberList", 0, "bandwidthRatio"), 60, "bandwidthRatio sums to 110"),
            (("transport", 0, "linkId"), "a b", "a b"),
            (("validity", "ttlSeconds"), 0, "ttlSeconds"),
            (("validity", "effective"), "tomorrow", "tomorrow"),
            (("scope", "areaId"), "<script>", "script"),
        ],
    )
    def test_ratios_that_break_schema_or_sums(self, spec: NetworkSpec, path: tuple[Any, ...], value: Any, words: str) -> None:
        with pytest.raises(InvalidInputError, match=words):
            check_policy(RRM_TYPE, edited(rrm(spec), path, value))


def test_infeasible_shares_never_become_a_policy(spec: NetworkSpec) -> None:
    proposal = good_proposal(spec)
    proposal.policy.CopyFrom(encode_policies(shares(spec, 12, (0.6, 0.6, 0.1))))
    with pytest.raises(InvalidInputError, match="row sums"):
        slice_policy(proposal, spec, A1Options(), policy_pb2.MODE_SHADOW)


def edited(content: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    out = copy.deepcopy(content)
    at: Any = out
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return out
