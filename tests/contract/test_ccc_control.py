"""E2SM-CCC O-RRMPolicyRatio as JSON, and the way from the gateway's policies to quotas of cells."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from gateway_samples import good_proposal

from twm.api.policy.v1 import policy_pb2
from twm.core.e2sm.types import UeId
from twm.core.errors import DecodeError, InvalidInputError
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.gateway.a1 import A1Options, slice_policy
from twm.ric.e2sm import (
    CellQuotas,
    NrCgi,
    PolicyMember,
    SliceQuota,
    ccc_policy_ratio,
    cell_quotas,
    decode_ccc_outcome,
    rc_prb_quota,
)
from twm.ric.e2sm.ccc import (
    CellChange,
    CellOutcome,
    PolicyChange,
    decode_ccc_header,
    decode_ccc_message,
    encode_ccc_header,
    encode_ccc_message,
)
from twm.ric.e2sm.rc import decode_rc_message, quotas_of

CELL, OTHER = NrCgi("00f110", 0x66C000), NrCgi("130014", 2**36 - 1)


def _quota(sst: int, sd: str | None, low: int, middle: int, high: int) -> SliceQuota:
    return SliceQuota(members=(PolicyMember("001", "01", sst, sd),), dedicated=low, minimum=middle, maximum=high)


OLD, NEW = _quota(1, "0000aa", 5, 10, 90), _quota(1, "0000aa", 5, 30, 80)


def test_a_message_is_the_json_that_public_nodes_read() -> None:
    header, message = ccc_policy_ratio([CellQuotas(CELL, (NEW,))], running={CELL: [OLD]})
    assert json.loads(header) == {"controlHeaderFormat": {"ricStyleType": 2}}

    def values(low: int, middle: int, high: int) -> dict[str, Any]:
        return {
            "ranConfigurationStructure": {
                "resourceType": "PRB_DL",
                "rRMPolicyMemberList": [{"plmnId": {"mcc": "001", "mnc": "01"}, "snssai": {"sst": 1, "sd": "0000aa"}}],
                "rRMPolicyMaxRatio": high,
                "rRMPolicyMinRatio": middle,
                "rRMPolicyDedicatedRatio": low,
            }
        }

    assert json.loads(message) == {
        "controlMessageFormat": {
            "listOfCellsControlled": [
                {
                    "cellGlobalId": {"plmnIdentity": {"mcc": "001", "mnc": "01"}, "nRCellIdentity": "00066C000"},
                    "listOfConfigurationStructures": [
                        {
                            "ranConfigurationStructureName": "O-RRMPolicyRatio",
                            "oldValuesOfAttributes": values(5, 10, 90),
                            "newValuesOfAttributes": values(5, 30, 80),
                        }
                    ],
                }
            ]
        }
    }


def test_both_ways() -> None:
    cells = (
        CellChange(
            CELL, (PolicyChange(NEW, OLD), PolicyChange(_quota(2, None, 0, 70, 100), _quota(2, None, 0, 0, 100), "PRB_UL"))
        ),
        CellChange(OTHER, (PolicyChange(_quota(255, "ffffff", 0, 0, 0), _quota(255, "ffffff", 0, 0, 0)),)),
    )
    assert decode_ccc_message(encode_ccc_message(cells)) == cells
    assert decode_ccc_header(encode_ccc_header()) == 2
    unknown = CellChange(CELL, (PolicyChange(NEW),))
    assert decode_ccc_message(encode_ccc_message([unknown])) == (CellChange(CELL, (PolicyChange(NEW, NEW),)),)


def test_outcomes_of_both_formats() -> None:
    (change,) = json.loads(encode_ccc_message([CellChange(CELL, (PolicyChange(NEW, OLD),))]))["controlMessageFormat"][
        "listOfCellsControlled"
    ]
    structure = change["listOfConfigurationStructures"][0]
    accepted = {
        "ranConfigurationStructureName": "O-RRMPolicyRatio",
        "oldValuesOfAttributes": structure["oldValuesOfAttributes"],
        "currentValuesOfAttributes": structure["newValuesOfAttributes"],
    }
    failed = {
        "ranConfigurationStructureName": "O-RRMPolicyRatio",
        "requestedValuesOfAttributes": structure["newValuesOfAttributes"],
        "cause": "unspecified\x1b[31m",
    }
    cell = {
        "cellGlobalId": change["cellGlobalId"],
        "ranConfigurationStructuresAcceptedList": [accepted],
        "ranConfigurationStructuresFailedList": [failed],
    }
    data = json.dumps({"controlOutcomeFormat": {"listOfCellsForControlOutcome": [cell]}}).encode()
    assert decode_ccc_outcome(data) == (CellOutcome(CELL, (NEW,), ((NEW, "unspecified"),)),)
    bare = {"receivedTimestamp": "x", "ranConfigurationStructuresAcceptedList": [{"ranConfigurationStructureName": "O-RUInfo"}]}
    assert decode_ccc_outcome(json.dumps(bare).encode()) == (CellOutcome(None, (None,)),)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="minimum sums to 110"):
        CellQuotas(CELL, (_quota(1, None, 0, 60, 60), _quota(2, None, 0, 50, 50)))
    with pytest.raises(InvalidInputError, match="minimum sums to 110"):
        encode_ccc_message(
            [CellChange(CELL, (PolicyChange(_quota(1, None, 0, 60, 60)), PolicyChange(_quota(2, None, 0, 50, 50))))]
        )
    with pytest.raises(InvalidInputError, match="cells"):
        encode_ccc_message([])
    with pytest.raises(InvalidInputError, match="more than once"):
        encode_ccc_message([CellChange(CELL, (PolicyChange(NEW),))] * 2)
    with pytest.raises(InvalidInputError, match="no policies"):
        encode_ccc_message([CellChange(CELL, ())])


def _at(content: Any, path: tuple[str | int, ...], value: Any) -> bytes:
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return json.dumps(content).encode()


def test_hostile_json_raises_our_errors_only() -> None:
    data = encode_ccc_message([CellChange(CELL, (PolicyChange(NEW, OLD),))])
    root = ("controlMessageFormat", "listOfCellsControlled")
    cell = (*root, 0)
    values = (*cell, "listOfConfigurationStructures", 0, "newValuesOfAttributes", "ranConfigurationStructure")
    member = (*values, "rRMPolicyMemberList", 0)
    paths = [
        root[:1], root, (*root, 0), (*cell, "cellGlobalId"), (*cell, "cellGlobalId", "nRCellIdentity"),
        (*cell, "cellGlobalId", "plmnIdentity"), (*cell, "cellGlobalId", "plmnIdentity", "mcc"),
        (*cell, "listOfConfigurationStructures"), (*cell, "listOfConfigurationStructures", 0),
        values[:-1], values, (*values, "resourceType"), (*values, "rRMPolicyMaxRatio"), (*values, "rRMPolicyMinRatio"),
        member[:-1], member, (*member, "plmnId"), (*member, "snssai"), (*member, "snssai", "sst"), (*member, "snssai", "sd"),
    ]  # fmt: skip
    readers = (decode_ccc_message, decode_ccc_outcome, decode_ccc_header)
    refused = set()
    for path in paths:
        for wrong in (None, 7, -1, 1e300, "x", "\ud800", [], {}, [[]], True, "9" * 5000):
            refused |= {_refusal(read, _at(json.loads(data), path, wrong)) for read in readers}
    for raw in (b"", b"\xff", b"[]", b"[" * 100_000, b'{"controlMessageFormat":1}', b"null", b"1" * (1 << 20) + b"1"):
        refused |= {_refusal(read, raw) for read in readers}
    rng = random.Random(4)
    for _ in range(300):
        broken = bytearray(data)
        broken[rng.randrange(len(broken))] = rng.randrange(256)
        refused.add(_refusal(decode_ccc_message, bytes(broken)))
    assert refused == {None, "bad_ccc", "bad_json", "too_large", "invalid_input"}


def _refusal(read: Callable[[bytes], object], data: bytes) -> str | None:
    try:
        read(data)
    except InvalidInputError as error:
        return error.reason
    return None


def test_the_gateways_policies_become_quotas_that_rc_and_ccc_can_say() -> None:
    spec = load_network(find_network("poc-city"))
    policy = slice_policy(good_proposal(spec), spec, A1Options(), policy_pb2.MODE_SHADOW)
    cells = cell_quotas(policy)
    assert [entry.cell.nci for entry in cells] == [cell.nr_cell_identity for cell in spec.cells]
    for entry in cells:
        assert {m.sst for quota in entry.quotas for m in quota.members} == {s.s_nssai.sst for s in spec.slices}
        assert sum(quota.minimum for quota in entry.quotas) <= 100
        _, message = rc_prb_quota(UeId("", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": 1}), entry.quotas)
        assert quotas_of(decode_rc_message(message)) == entry.quotas
    _, message = ccc_policy_ratio(cells)
    assert [(c.cell, tuple(change.new for change in c.changes)) for c in decode_ccc_message(message)] == [
        (entry.cell, entry.quotas) for entry in cells
    ]


def test_withdrawals_hold_no_quotas_and_broken_policies_are_refused() -> None:
    policy = policy_pb2.SlicePolicy()
    policy.policies.add(policy_type_id="ORAN_SliceSLATarget_1.0.0", policy_id="a", policy_json="[")
    policy.policies.add(policy_type_id="twm_RRMPolicyRatio_1.0.0", policy_id="b", policy_json="{}")
    assert cell_quotas(policy) == []
    for broken in ("[", "[]", '{"radio":[{}]}', '{"radio":7}', "[" * 100_000, '{"radio":[{"cellId":{"plmnId":7}}]}'):
        policy.policies[1].policy_json = broken
        with pytest.raises(InvalidInputError, match="twm_RRMPolicyRatio"):
            cell_quotas(policy)
    with pytest.raises(DecodeError):
        decode_ccc_header(b'{"controlHeaderFormat":{"ricStyleType":"2"}}')
