"""Event triggers and action definitions: read by asn1tools in both dialect families, and as FlexRIC's C writes them."""

from __future__ import annotations

import random
from typing import Any

import e2sm_peers
import pytest
import xdevsm_kpm

from twm.core.e2sm.labels import NO_LABEL
from twm.core.e2sm.types import UeId
from twm.core.errors import InvalidInputError
from twm.ric.e2sm import NrCgi, WantedMeasurement, kpm_action_definition, kpm_event_trigger
from twm.ric.e2sm.kpm_subscription import EVERY_UE, five_qi_label, label_condition, slice_condition, slice_label, ue_condition

DIALECTS = ("kpm_v2.01_standard", "kpm_v3.00_standard", "kpm_v2.03_flexric", "kpm_v3.00_flexric")
CELL = NrCgi("00f110", 0x66C000)
DU_UES = [UeId("", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": number}) for number in (3, 70_000, 2**32 - 1)]
GNB_UE = UeId(
    "",
    "gNB-UEID",
    {
        "amf-UE-NGAP-ID": 2**40 - 1,
        "guami": {"pLMNIdentity": "00f110", "aMFRegionID": 1, "aMFSetID": 2, "aMFPointer": 3},
        "ran-UEID": "0102030405060708",
    },
)
WANTED = ["DRB.UEThpDl", 7, 65536, WantedMeasurement("RRU.PrbUsedDl", None, (slice_label(1, "0000AA"), slice_label(2)))]
NCI = ((0x66C000 << 4).to_bytes(5, "big"), 36)


def _decoded(dialect: str, style: int, **arguments: Any) -> tuple[bytes, Any]:
    encoded = kpm_action_definition(style, WANTED, 1000, cell=CELL, dialect=dialect, **arguments)
    value = e2sm_peers.kpm(dialect).decode("ActionDefinition", encoded)
    assert value["style"] == style and value["formats"][0] == f"f{style}"
    assert e2sm_peers.kpm(dialect).encode("ActionDefinition", value) == encoded
    return encoded, value["formats"][1]


def _check_format1(value: Any) -> None:
    types = [item["measType"] for item in value["measInfoList"]]
    assert types == [("measName", "DRB.UEThpDl"), ("measID", 7), ("measID", 65536), ("measName", "RRU.PrbUsedDl")]
    assert [label["measLabel"] for label in value["measInfoList"][0]["labelInfoList"]] == [{"noLabel": "true"}]
    assert [label["measLabel"] for label in value["measInfoList"][3]["labelInfoList"]] == [
        {"sliceID": {"sST": b"\x01", "sD": b"\x00\x00\xaa"}},
        {"sliceID": {"sST": b"\x02"}},
    ]
    assert value["granulPeriod"] == 1000
    assert value["cellGlobalID"] == ("nR-CGI", {"pLMNIdentity": b"\x00\xf1\x10", "nRCellIdentity": NCI})


def test_event_trigger_of_one_second_is_the_known_octets() -> None:
    assert kpm_event_trigger(1000) == bytes.fromhex("0803e7")
    for period_ms in (1, 10, 255, 256, 257, 65536, 2**24, 2**32 - 1):
        value = e2sm_peers.kpm("standard").decode("EventTrigger", kpm_event_trigger(period_ms))
        assert value["formats"] == ("format1", {"reportingPeriod": period_ms})


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.endswith("standard")])
def test_styles_1_2_and_5(dialect: str) -> None:
    _check_format1(_decoded(dialect, 1)[1])
    value = _decoded(dialect, 2, ue_ids=[GNB_UE])[1]
    _check_format1(value["subscriptInfo"])
    assert value["ueID"][1]["amf-UE-NGAP-ID"] == 2**40 - 1 and value["ueID"][1]["ran-UEID"] == bytes(range(1, 9))
    value = _decoded(dialect, 5, ue_ids=DU_UES)[1]
    _check_format1(value["subscriptionInfo"])
    assert [ue["ueID"][1]["gNB-CU-UE-F1AP-ID"] for ue in value["matchingUEidList"]] == [3, 70_000, 2**32 - 1]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_styles_3_and_4_with_conditions(dialect: str) -> None:
    wanted = ["DRB.UEThpDl", "RRU.PrbUsedDl"]
    tests = [slice_condition(1, "00000a", logical_or=True), ue_condition("rSRP", "greaterthan", ("valueInt", -110)), EVERY_UE]
    expected = [
        {"testType": ("sNSSAI", "true"), "testExpr": "equal", "testValue": ("valueOctS", b"\x01\x00\x00\x0a")},
        {"testType": ("rSRP", "true"), "testExpr": "greaterthan", "testValue": ("valueInt", -110)},
        {"testType": ("ul-rSRP", "true"), "testExpr": "lessthan", "testValue": ("valueInt", 1000)},
    ]
    peer = e2sm_peers.kpm(dialect)
    encoded = kpm_action_definition(4, wanted, 500, conditions=tests, dialect=dialect)
    value = peer.decode("ActionDefinition", encoded)["formats"][1]
    assert [item["testCondInfo"] for item in value["matchingUeCondList"]] == expected
    assert [item.get("logicalOR") for item in value["matchingUeCondList"]] == ["true", None, None]
    assert "cellGlobalID" not in value["subscriptionInfo"]

    encoded = kpm_action_definition(
        3, wanted, 500, cell=CELL, conditions=[label_condition(five_qi_label(9), logical_or=True), *tests], dialect=dialect
    )
    value = peer.decode("ActionDefinition", encoded)["formats"][1]
    for item, name in zip(value["measCondList"], wanted, strict=True):
        assert item["measType"] == ("measName", name)
        assert item["matchingCond"][0] == {"choice": ("measLabel", {"fiveQI": 9}), "logicalOR": "true"}
        assert [c["choice"] for c in item["matchingCond"][1:]] == [("testCondInfo", test) for test in expected]
    assert value["cellGlobalID"][1]["nRCellIdentity"] == NCI


@pytest.mark.parametrize("dialect", DIALECTS)
def test_many_random_subscriptions(dialect: str) -> None:
    rng, peer = random.Random(dialect), e2sm_peers.kpm(dialect)
    for _ in range(40):
        wanted = [
            WantedMeasurement(
                f"DRB.X{rng.randrange(10**9)}" if rng.random() < 0.7 else "",
                rng.randint(1, 65535),
                tuple(
                    rng.choice((NO_LABEL, slice_label(rng.randrange(256)), five_qi_label(rng.randrange(256)))) for _ in range(3)
                ),
            )
            for _ in range(rng.randint(1, 60))
        ]
        wanted = [WantedMeasurement(w.name, None if w.name else w.meas_id, w.labels) for w in wanted]
        style = rng.choice((1, 2, 5))
        ues = DU_UES[: {1: 0, 2: 1, 5: 3}[style]]
        period_ms = rng.choice((10, 1000, rng.randint(1, 2**32 - 1)))
        encoded = kpm_action_definition(style, wanted, period_ms, ue_ids=ues, dialect=dialect)
        value = peer.decode("ActionDefinition", encoded)["formats"][1]
        value = value.get("subscriptInfo") or value.get("subscriptionInfo") or value
        assert value["granulPeriod"] == period_ms
        assert [i["measType"] for i in value["measInfoList"]] == [
            ("measName", w.name) if w.name else ("measID", w.meas_id) for w in wanted
        ]
        assert peer.encode("ActionDefinition", peer.decode("ActionDefinition", encoded)) == encoded


def test_octet_for_octet_what_flexrics_c_writes() -> None:
    builder = pytest.importorskip(
        "xdevsm.sm_framework.py_oran.kpm.function_definition_builder", reason="xdevsm is not installed"
    )
    names, standard = ["DRB.UEThpDl", "RRU.PrbTotDl"], "kpm_v3.00_standard"
    with xdevsm_kpm.muted():
        trigger = builder.ev_trigger_encoder(2000).byte_array_to_tuple()
        built = builder.action_encoder({0: names, 3: names}, gran_period_ms=500, sst=2, sd=0)
        theirs = {form + 1: bytes(array.byte_array_to_tuple()) for form, array in built.items()}
    assert bytes(trigger) == kpm_event_trigger(2000)
    assert theirs[1] == kpm_action_definition(1, names, 500, dialect=standard)
    assert theirs[4] == kpm_action_definition(4, names, 500, conditions=[slice_condition(2)], dialect=standard)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"style": 0}, "style"),
        ({"style": 6}, "style"),
        ({"granularity_ms": 0}, "granularity_ms"),
        ({"granularity_ms": 2**32}, "granularity_ms"),
        ({"granularity_ms": True}, "granularity_ms"),
        ({"measurements": []}, "measurements"),
        ({"measurements": [""]}, "measurements"),
        ({"measurements": [1.5]}, "measurements"),
        ({"measurements": ["DRB\x00"]}, "PrintableString"),
        ({"measurements": ["Überlast"]}, "action definition"),
        ({"labels": []}, "label"),
        ({"style": 2}, "ue_ids"),
        ({"style": 5, "ue_ids": DU_UES[:1]}, "ue_ids"),
        ({"ue_ids": DU_UES}, "ue_ids"),
        ({"style": 4}, "conditions"),
        ({"style": 4, "conditions": [label_condition(NO_LABEL)]}, "conditions"),
        ({"conditions": [EVERY_UE]}, "conditions"),
        ({"dialect": "kpm_v9"}, "dialect"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(arguments: dict[str, Any], word: str) -> None:
    fields: dict[str, Any] = {"style": 1, "measurements": ["CQI"], "granularity_ms": 100, "dialect": DIALECTS[1], **arguments}
    with pytest.raises(InvalidInputError, match=word):
        kpm_action_definition(**fields)


def test_bad_periods_cells_and_slices_are_refused() -> None:
    for period_ms in (0, -1, 2**32, 1.5, True):
        with pytest.raises(InvalidInputError, match="period_ms"):
            kpm_event_trigger(period_ms)  # type: ignore[arg-type]
    for plmn, nci in (("00F110", 1), ("00f1", 1), ("00f110", -1), ("00f110", 2**36)):
        with pytest.raises(InvalidInputError, match="cell"):
            NrCgi(plmn, nci)
    with pytest.raises(InvalidInputError, match="sd"):
        slice_label(1, "0xaa")
    with pytest.raises(InvalidInputError, match="sst"):
        slice_label(256)
