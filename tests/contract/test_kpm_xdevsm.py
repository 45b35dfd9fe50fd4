"""Our encoder's standard KPM, read by xdevsm's C library, holds the values that we put in and that our decoder reads back."""

from __future__ import annotations

import ctypes
import random
from typing import Any

import pytest
import xdevsm_kpm

from twm.core.e2sm.labels import NO_LABEL, label_of
from twm.ingester.kpm import decode_message, to_json
from twm.ingester.kpm.types import Format1, Format3, Label, Measurement, Record, UeId, UeReport, Value
from twm_twin.e2.kpm_encoder import encode_message

STANDARD = ("kpm_v2.01_standard", "kpm_v3.00_standard")


def _value(rng: random.Random) -> Value:
    return rng.choice([rng.randrange(2**32), rng.randrange(300), rng.uniform(-1e6, 1e6), float(rng.randrange(10**6)), None])


def _label(rng: random.Random) -> Label:
    return rng.choice(
        [
            NO_LABEL,
            label_of({"sliceID": {"sST": f"{rng.randrange(256):02x}", "sD": f"{rng.randrange(2**24):06x}"}}),
            label_of({"sliceID": {"sST": "02"}}),
            label_of({"fiveQI": rng.randrange(256), "avg": "true"}),
            label_of({"distBinX": rng.randint(1, 65535), "distBinY": 1}),
        ]
    )


def _format1(rng: random.Random) -> Format1:
    measurements = tuple(
        Measurement(f"DRB.X{i}", None, tuple(_label(rng) for _ in range(rng.randint(1, 3)))) for i in range(rng.randint(1, 90))
    )
    count = sum(len(m.labels) for m in measurements)
    records = [Record(tuple(_value(rng) for _ in range(count))) for _ in range(rng.randint(1, 3))]
    return Format1(records, measurements, rng.randint(1, 2**32 - 1))


def _expected(json: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"measData": [[value for _, value in r["measRecord"]] for r in json["measData"]]}
    if "measInfoList" in json:
        out["measInfoList"] = [[m["measType"][1], m["labels"]] for m in json["measInfoList"]]
    if "granulPeriod" in json:
        out["granulPeriod"] = json["granulPeriod"]
    return out


@pytest.mark.parametrize("dialect", STANDARD)
def test_format1_reads_the_same_in_c(dialect: str) -> None:
    decode, free = xdevsm_kpm.load()
    rng = random.Random(7)
    for _ in range(25):
        encoded = encode_message(_format1(rng), dialect)
        with xdevsm_kpm.muted():
            message = decode(len(encoded), encoded)
        assert message.type.value == 0
        theirs = xdevsm_kpm.format1_of(message.data.frm_1)
        free(ctypes.byref(message))
        assert theirs == _expected(to_json(decode_message(encoded, dialect)))


@pytest.mark.parametrize("dialect", STANDARD)
def test_format3_reads_the_same_in_c(dialect: str) -> None:
    decode, free = xdevsm_kpm.load()
    rng = random.Random(8)
    for _ in range(10):
        ids = [
            {"gNB-CU-UE-F1AP-ID": rng.randrange(2**32), "ran-UEID": rng.randbytes(8).hex()} for _ in range(rng.randint(1, 6))
        ]
        ues = [UeReport(UeId("", "gNB-DU-UEID", fields), _format1(rng)) for fields in ids]
        encoded = encode_message(Format3(ues), dialect)
        ours = to_json(decode_message(encoded, dialect))["ueMeasReportList"]
        with xdevsm_kpm.muted():
            message = decode(len(encoded), encoded)
        assert message.type.value == 2
        assert message.data.frm_3.ue_meas_report_lst_len == len(ues)
        for index, ue in enumerate(ours):
            theirs = message.data.frm_3.meas_report_per_ue[index]
            du = theirs.ue_meas_report_lst.union.gnb_du
            assert du.gnb_cu_ue_f1ap == ue["ueID"][1]["gNB-CU-UE-F1AP-ID"]
            assert du.ran_ue_id.contents.value in {
                int.from_bytes(bytes.fromhex(ue["ueID"][1]["ran-UEID"]), order) for order in ("little", "big")
            }
            assert xdevsm_kpm.format1_of(theirs.ind_msg_format_1) == _expected(ue["measReport"])
        free(ctypes.byref(message))
