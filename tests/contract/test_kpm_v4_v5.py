"""What E2SM-KPM v4 and v5 add, encoded by asn1tools; versions that are not read; RAN function definitions."""

from __future__ import annotations

import re
from typing import Any

import e2sm_peers
import pytest

from twm.core.e2sm.dialects import DIALECTS
from twm.core.e2sm.versions import check_kpm_dialect, kpm_dialects
from twm.core.errors import DecodeError, InvalidInputError
from twm.ingester.kpm import decode_header, decode_message, to_json
from twm.ingester.kpm.types import Format1
from twm.ric.e2sm.kpm_function import OfferedMeasurement, decode_kpm_function, function_definition_octets
from twm_twin.e2.kpm_encoder import encode_message

V4 = "kpm_v4.00_standard"
OID = "1.3.6.1.4.1.53148.1.2.2.2"
CELL = ("nR-CGI", {"pLMNIdentity": b"\x00\xf1\x10", "nRCellIdentity": ((0x66C000 << 4).to_bytes(5, "big"), 36)})
DEFINITION_OF_VERSION_1 = (
    "20c04f52414e2d4532534d2d4b504d0000054f494431323305004b504d206d6f6e69746f720860283861aae33f0060000101070050657269"
)
"""Beginning of the definition that O-RAN SC's e2sim announces, with an identifier that is none."""


def _message(values: list[Any], items: list[Any]) -> bytes:
    body = {"measData": [{"measRecord": values}], "measInfoList": items, "granulPeriod": 1000}
    return bytes(e2sm_peers.kpm(V4).encode("Message", {"formats": ("f1", body)}))


def _item(name: str, *labels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"measType": ("measName", name), "labelInfoList": [{"measLabel": label} for label in labels], **more}


@pytest.mark.parametrize("dialect", ["kpm_v3.00_standard", V4, "kpm_v5.00_standard"])
def test_not_satisfied_is_no_value_and_is_told_apart(dialect: str) -> None:
    condition = {"matchCondReportList": [{"cond": {"testExpr": "greaterthan", "testValue": ("valueInt", 5)}}]}
    data = _message(
        [("integer", 7), ("notSatisfied", None), ("real", 2.5), ("noValue", None), ("notSatisfied", None)],
        [_item(f"DRB.X{i}", {"noLabel": "true"}, **condition) for i in range(5)],
    )
    message = decode_message(data, dialect, cache=None)
    assert isinstance(message, Format1)
    assert message.records[0].values == (7, None, 2.5, None, None)
    assert message.records[0].not_satisfied == (1, 4)
    kinds = [kind for kind, _ in to_json(message)["measData"][0]["measRecord"]]
    assert kinds == ["integer", "notSatisfied", "real", "noValue", "notSatisfied"]
    assert decode_message(encode_message(message, dialect), dialect, cache=None) == message


def test_labels_name_a_cell_and_a_beam() -> None:
    slice_of_cell = {"sliceID": {"sST": b"\x01"}, "cellGlobalID": CELL}
    data = _message([("integer", 1), ("integer", 2)], [_item("RRU.PrbUsedDl", slice_of_cell, {"beamID": ("nR-Beam-ID", 63)})])
    message = decode_message(data, V4, cache=None)
    assert isinstance(message, Format1) and message.measurements is not None
    first, second = message.measurements[0].labels
    assert (first.cell, first.sst) == ("00f110:00066c000", 1)
    assert first.json["cellGlobalID"] == ["nR-CGI", {"pLMNIdentity": "00f110", "nRCellIdentity": 0x66C000}]
    assert second.json == {"beamID": ["nR-Beam-ID", 63]}
    assert decode_message(encode_message(message, V4), V4, cache=None) == message


def test_a_job_id_in_the_header_is_passed_over() -> None:
    header = {"start": bytes.fromhex("ecdd5d8000000000"), "senderName": "gnb-1", "jobID": 9}
    data = e2sm_peers.kpm(V4).encode("Header", {"formats": ("f1", header)})
    assert decode_header(data, "kpm_v5.00_standard").sender_name == "gnb-1"


def test_format_255_is_refused_with_advice() -> None:
    data = e2sm_peers.kpm(V4).encode("Message", {"formats": ("f255", {"reports": [{"jobID": 1}]})})
    with pytest.raises(DecodeError, match="Format 255") as caught:
        decode_message(data, "kpm_v5.00_standard")
    assert caught.value.reason == "unknown_format"


def _definition(**change: Any) -> dict[str, Any]:
    styles = [
        {
            "type": style,
            "name": f"E2 Node Measurement {style}",
            "actionFormat": style,
            "measurements": [{"measName": "DRB.UEThpDl"}, {"measName": "RRU.PrbTotDl", "measID": 9}],
            "headerFormat": 1,
            "messageFormat": 1 if style < 3 else 2 if style == 3 else 3,
        }
        for style in (1, 2, 3, 4, 5)
    ]
    name = {"shortName": "ORAN-E2SM-KPM", "oid": OID, "description": "KPM Monitor", "instance": 1}
    trigger = {"type": 1, "name": "Periodic Report", "format": 1}
    return {"ranFunction-Name": name, "eventTriggerStyles": [trigger], "reportStyles": styles, **change}


def test_a_ran_function_definition_says_styles_and_measurements() -> None:
    value = _definition(integratedReportStyles=[{"type": 255, "name": "Multiple report measurements"}])
    value["reportStyles"][0]["measurements"][0]["binRangeDef"] = {"binRangeListX": [1, 2]}
    data = e2sm_peers.kpm(V4).encode("FunctionDescription", value)
    found = decode_kpm_function(function_definition_octets(data.hex().upper()))
    assert (found.short_name, found.oid, found.instance) == ("ORAN-E2SM-KPM", OID, 1)
    assert [(s.style, s.action_format, s.message_format) for s in found.report_styles] == [
        (1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 4, 3), (5, 5, 3),
    ]  # fmt: skip
    assert found.event_trigger_styles[0].name == "Periodic Report"
    assert found.measurements(2) == (OfferedMeasurement("DRB.UEThpDl", None), OfferedMeasurement("RRU.PrbTotDl", 9))
    assert found.measurements(6) == ()
    bare = {"ranFunction-Name": value["ranFunction-Name"]}
    assert decode_kpm_function(e2sm_peers.kpm(V4).encode("FunctionDescription", bare)).report_styles == ()


def test_broken_definitions_and_those_of_version_1_are_refused() -> None:
    data = e2sm_peers.kpm(V4).encode("FunctionDescription", _definition())
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            decode_kpm_function(data[:length])
    with pytest.raises(DecodeError):
        decode_kpm_function(data + b"\0")
    with pytest.raises(DecodeError):
        function_definition_octets("4f5")
    with pytest.raises(DecodeError, match="version 1") as caught:
        decode_kpm_function(bytes.fromhex(DEFINITION_OF_VERSION_1))
    assert caught.value.reason == "unknown_kpm_version"


def test_versions_that_are_not_read_are_refused_by_name() -> None:
    assert kpm_dialects(OID) == tuple(DIALECTS)
    assert kpm_dialects("1.3.6.1.4.1.53148.1.3.2.2") == tuple(d for d in DIALECTS if not d.startswith("kpm_v2"))
    for dialect in DIALECTS:
        check_kpm_dialect(OID, dialect)
    cases = {
        "1.3.6.1.4.1.53148.1.1.2.2": ("unknown_kpm_version", "version 1"),
        "1.3.6.1.4.1.53148.1.9.2.2": ("unknown_kpm_version", "version 9"),
        "1.3.6.1.4.1.53148.1.1.2.3": ("not_kpm", "not O-RAN's of E2SM-KPM"),
        "OID123\x1b[31m\u202e": ("not_kpm", "OID123"),
        "": ("not_kpm", "not O-RAN's"),
    }
    for oid, (reason, words) in cases.items():
        with pytest.raises(InvalidInputError, match=re.escape(words)) as caught:
            kpm_dialects(oid)
        assert caught.value.reason == reason
        assert "\x1b" not in str(caught.value)
    with pytest.raises(InvalidInputError, match=r"kpm_v2\.01_standard") as caught:
        check_kpm_dialect("1.3.6.1.4.1.53148.1.3.2.2", "kpm_v2.01_standard")
    assert caught.value.reason == "kpm_version_contradicts_dialect"
