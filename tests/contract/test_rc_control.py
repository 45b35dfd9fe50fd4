"""E2SM-RC PRB quotas: octet for octet what FlexRIC's C writes (through xdevsm), and both ways through asn1tools."""

from __future__ import annotations

import random
from typing import Any

import e2sm_peers
import pytest
import xdevsm_rc

from twm.core.e2sm.types import UeId
from twm.core.errors import DecodeError, InvalidInputError
from twm.ric.e2sm.quota import PolicyMember, SliceQuota
from twm.ric.e2sm.rc import (
    NESTINGS,
    RcHeader,
    RcNesting,
    decode_rc_header,
    decode_rc_message,
    decode_rc_outcome,
    encode_rc_header,
    encode_rc_message,
    quota_parameters,
    quotas_of,
    rc_prb_quota,
)
from twm.ric.e2sm.rc_parameters import MAX_DEPTH, Element, Parameter, ParameterList, Structure, Value

UE = UeId("", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": 4})
PLMN = bytes.fromhex("00f110")


def _quota(sst: int, sd: str | None, low: int, middle: int, high: int, *more: PolicyMember) -> SliceQuota:
    return SliceQuota(members=(PolicyMember("001", "01", sst, sd), *more), dedicated=low, minimum=middle, maximum=high)


QUOTAS = (
    _quota(1, "0000aa", 5, 10, 90),
    _quota(2, None, 0, 20, 20, PolicyMember("310", "410", 3, "ffffff"), PolicyMember("001", "01", 255)),
    _quota(0, "00000a", 0, 0, 100),
)


def test_one_slice_is_octet_for_octet_what_flexrics_c_writes() -> None:
    peer = xdevsm_rc.RcPeer()
    rng = random.Random(3)
    for _ in range(20):
        low, middle, high = sorted(rng.choices(range(101), k=3))
        sst, sd, ue = rng.randrange(256), rng.randrange(2**24), rng.choice((0, 1, 255, 256, 70_000, 2**32 - 1))
        theirs = peer.prb_quota(ue, PLMN, sst, sd, minimum=middle, maximum=high, dedicated=low)
        ours = rc_prb_quota(UeId("", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": ue}), [_quota(sst, f"{sd:06x}", low, middle, high)])
        assert ours == theirs


def test_the_known_octets_of_a_header() -> None:
    # as public xApps send it for the UE with gNB-CU-UE-F1AP-ID 4
    assert encode_rc_header(RcHeader(UE, 2, 6)) == bytes.fromhex("0100040102000005")
    header = decode_rc_header(bytes.fromhex("0000002a0002f859a100410102000005"))  # recorded by others: gNB-UEID, AMF UE id 42
    assert (header.ue_id.kind, header.ue_id.fields["amf-UE-NGAP-ID"], header.style, header.action) == ("gNB-UEID", 42, 2, 6)
    values = decode_rc_message(bytes.fromhex("000003000001010a00010101320002010164"))
    assert values == (Element(1, 10, key=True), Element(2, 50, key=True), Element(3, 100, key=True))


@pytest.mark.parametrize("decision", [None, "accept", "reject"])
def test_headers_through_asn1tools(decision: str | None) -> None:
    guami = {"pLMNIdentity": "00f110", "aMFRegionID": 1, "aMFSetID": 1000, "aMFPointer": 63}
    for ue_id in (UE, UeId("", "gNB-UEID", {"amf-UE-NGAP-ID": 2**40 - 1, "guami": guami, "ran-UEID": "0102030405060708"})):
        header = RcHeader(ue_id, 2, 6, decision)
        encoded = encode_rc_header(header)
        value = e2sm_peers.rc().decode("ControlHeader", encoded)["formats"][1]
        assert (value["ueID"][0], value["style"], value["action"], value.get("decision")) == (ue_id.kind, 2, 6, decision)
        assert e2sm_peers.rc().encode("ControlHeader", e2sm_peers.rc().decode("ControlHeader", encoded)) == encoded
        found = decode_rc_header(encoded)
        assert (found.ue_id.fields, found.style, found.action, found.decision) == (ue_id.fields, 2, 6, decision)


def _peer_value(value: Value) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "valueBoolean", value
    if isinstance(value, tuple):
        number, count = value
        octets = -(-count // 8)
        return "valueBitS", ((number << (octets * 8 - count)).to_bytes(octets, "big"), count)
    kinds = {int: "valueInt", float: "valueReal", bytes: "valueOctS", str: "valuePrintableString"}
    return kinds[type(value)], value


def _peer_items(parameters: tuple[Parameter, ...]) -> list[dict[str, Any]]:
    return [{"id": p.parameter_id, "valueType": _peer_type(p)} for p in parameters]


def _peer_type(parameter: Parameter) -> tuple[str, Any]:
    if isinstance(parameter, Element):
        content = {} if parameter.value is None else {"value": _peer_value(parameter.value)}
        return "elementTrue" if parameter.key else "elementFalse", content
    if isinstance(parameter, Structure):
        return "structure", {"structure": _peer_structure(parameter.members)}
    return "list", {"list": {"entries": [_peer_structure(entry) for entry in parameter.entries]}}


def _peer_structure(members: tuple[Parameter, ...]) -> dict[str, Any]:
    return {"members": _peer_items(members)} if members else {}


def _random_tree(rng: random.Random, depth: int) -> Parameter:
    number = rng.choice((1, 13, 255, 65536, rng.randint(1, 2**32 - 1)))
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        value: Value = rng.choice(
            [
                rng.random() < 0.5,
                rng.randint(-(2**40), 2**40),
                rng.choice((0.0, 0.5, -1e6, rng.uniform(-1, 1))),
                (rng.getrandbits(13), 13),
                rng.randbytes(rng.randrange(200)),
                "Slice-level PRB quota",
            ]
        )
        key = rng.random() < 0.3
        return Element(number, value if key or rng.random() < 0.9 else None, key)
    members = tuple(_random_tree(rng, depth - 1) for _ in range(rng.randint(0, 3)))
    if kind < 0.75:
        return Structure(number, members)
    return ParameterList(number, tuple((_random_tree(rng, depth - 1),) * rng.randint(0, 2) for _ in range(rng.randint(1, 3))))


def test_any_tree_of_parameters_both_ways_through_asn1tools() -> None:
    rng, peer = random.Random(5), e2sm_peers.rc()
    for _ in range(150):
        tree = tuple(_random_tree(rng, 4) for _ in range(rng.randint(0, 4)))
        theirs = bytes(peer.encode("ControlMessage", {"formats": ("f1", {"ranP-List": _peer_items(tree)})}))
        ours = encode_rc_message(tree)
        assert decode_rc_message(theirs) == tree == decode_rc_message(ours)
        assert peer.decode("ControlMessage", ours) == peer.decode("ControlMessage", theirs)


@pytest.mark.parametrize("name", sorted(NESTINGS))
def test_quotas_come_back_out_of_every_nesting(name: str) -> None:
    nesting = NESTINGS[name]
    _, message = rc_prb_quota(UE, QUOTAS, nesting)
    assert quotas_of(decode_rc_message(message), nesting.ids) == QUOTAS
    assert e2sm_peers.rc().decode("ControlMessage", message)["formats"][0] == "f1"


def test_levels_can_be_left_out_and_plmns_written_as_text() -> None:
    (top,) = quota_parameters(QUOTAS[:1], NESTINGS["standard"])
    assert isinstance(top, ParameterList) and top.parameter_id == 1
    ((group,),) = top.entries
    assert isinstance(group, Structure) and group.parameter_id == 2
    assert [part.parameter_id for part in group.members] == [3, 11, 12, 13]

    (top,) = quota_parameters(QUOTAS[:1], NESTINGS["oran-sc-ric"])
    assert isinstance(top, ParameterList)
    (entry,) = top.entries
    assert [part.parameter_id for part in entry] == [3, 11, 12, 13]
    assert entry[0] == Structure(
        3, (ParameterList(4, ((Element(7, b"00101"), Structure(8, (Element(9, b"1"), Element(10, b"170")))),)),)
    )
    assert [len(p.entries) for p in quota_parameters(QUOTAS, NESTINGS["srsran"]) if isinstance(p, ParameterList)] == [1, 1, 1]
    assert [p.parameter_id for p in quota_parameters(QUOTAS, RcNesting(ids="consecutive"))] == [1]
    with pytest.raises(InvalidInputError, match="parameter 6"):
        RcNesting(member=False, members_in_one_entry=True)


def test_outcomes_of_formats_1_and_3() -> None:
    peer = e2sm_peers.rc()
    items = [{"id": 11, "value": ("valueInt", 10)}, {"id": 7, "value": ("valueOctS", PLMN)}]
    assert decode_rc_outcome(peer.encode("ControlOutcome", {"formats": ("f1", {"ranP-List": items})})) == (
        Element(11, 10),
        Element(7, PLMN),
    )
    tree = quota_parameters(QUOTAS, NESTINGS["standard"])
    data = peer.encode("ControlOutcome", {"formats": ("f3", {"ranP-List": _peer_items(tree)})})
    assert quotas_of(decode_rc_outcome(data)) == QUOTAS
    assert decode_rc_outcome(peer.encode("ControlOutcome", {"formats": ("f1", {"ranP-List": []})})) == ()
    with pytest.raises(DecodeError, match="Format 2"):
        decode_rc_outcome(peer.encode("ControlOutcome", {"formats": ("f2", {"a": [None]})}))


@pytest.mark.parametrize(
    ("ratios", "word"),
    [((5, 4, 90), "dedicated 5"), ((0, 91, 90), "minimum 91"), ((0, 0, 101), "maximum"), ((-1, 0, 0), "dedicated")],
)
def test_ratios_out_of_order_or_range_are_refused(ratios: tuple[int, int, int], word: str) -> None:
    with pytest.raises(InvalidInputError, match=word):
        _quota(1, None, *ratios)


def test_quotas_that_do_not_fit_a_cell_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="minimum sums to 101"):
        rc_prb_quota(UE, [_quota(1, None, 0, 51, 60), _quota(2, None, 0, 50, 60)])
    with pytest.raises(InvalidInputError, match="more than once"):
        rc_prb_quota(UE, [_quota(1, None, 0, 1, 2), _quota(1, None, 0, 1, 2)])
    with pytest.raises(InvalidInputError, match="policies"):
        rc_prb_quota(UE, [])
    rc_prb_quota(UE, [_quota(1, None, 0, 1, 100), _quota(2, None, 0, 1, 100)])  # maxima are caps: they may sum to more
    for bad in ({"minimum": 1.0}, {"maximum": True}, {"members": ()}):
        fields: dict[str, Any] = {"members": QUOTAS[0].members, "dedicated": 0, "minimum": 1, "maximum": 2, **bad}
        with pytest.raises(InvalidInputError):
            SliceQuota(**fields)
    for member in (("01", "01", 1, None), ("001", "1", 1, None), ("001", "01", 256, None), ("001", "01", 1, "AA")):
        with pytest.raises(InvalidInputError):
            PolicyMember(*member)
    with pytest.raises(InvalidInputError, match="header"):
        encode_rc_header(RcHeader(UeId("", "gNB-DU-UEID", {}), 2, 6))


def test_broken_messages_raise_decode_errors_only() -> None:
    header, message = rc_prb_quota(UE, QUOTAS)
    outcome = bytes(
        e2sm_peers.rc().encode("ControlOutcome", {"formats": ("f1", {"ranP-List": [{"id": 1, "value": ("valueInt", 1)}]})})
    )
    cases = ((header, decode_rc_header), (message, decode_rc_message), (outcome, decode_rc_outcome))
    rng = random.Random(9)
    for data, decode in cases:
        for length in range(len(data)):
            with pytest.raises(DecodeError):
                decode(data[:length])
        with pytest.raises(DecodeError):
            decode(data + b"\0")
        for _ in range(400):
            broken = bytearray(data)
            for _ in range(rng.choice((1, 2, 8))):
                broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
            for read in (decode_rc_header, decode_rc_message, decode_rc_outcome):
                try:
                    found = read(bytes(broken))
                    if read is decode_rc_message:
                        quotas_of(found)
                except InvalidInputError:
                    pass


def test_a_tree_too_deep_is_refused() -> None:
    tree: Parameter = Element(1, 1)
    for _ in range(MAX_DEPTH + 2):
        tree = Structure(1, (tree,))
    with pytest.raises(DecodeError, match="deep"):
        decode_rc_message(encode_rc_message((tree,)))
