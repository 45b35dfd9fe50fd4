"""Decoded PDUs as JSON, by the ASN.1 names of the standard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twm.ingester.kpm.header import STRINGS, flexric_number
from twm.ingester.kpm.types import ConditionMeasurement, Format1, Format2, Format3, Header, Record, UeId, Value

Json = dict[str, Any]


def to_json(pdu: Header | Format1 | Format2 | Format3) -> Json:
    """The JSON form of a decoded header or message. REAL is a number (Python's json writes NaN and Infinity as such)."""
    if isinstance(pdu, Header):
        return _header(pdu)
    if isinstance(pdu, Format1):
        return _format1(pdu)
    if isinstance(pdu, Format2):
        return _format2(pdu)
    return {
        "format": 3,
        "ueMeasReportList": [{"ueID": _ue_id(ue.ue_id), "measReport": _format1(ue.report)} for ue in pdu.ues],
    }


def _header(header: Header) -> Json:
    json: Json
    if header.clock == "ntp":
        json = {"colletStartTime": header.time_raw.hex()}
    else:
        json = {"collectStartTime_passed_to_FlexRIC": flexric_number(header.time_raw)}
    values = (header.file_format_version, header.sender_name, header.sender_type, header.vendor_name)
    for (name, _), value in zip(STRINGS, values, strict=True):
        if value is not None:
            json[name] = value
    return json


def _format1(message: Format1) -> Json:
    json: Json = {"format": 1, "measData": _records(message.records)}
    if message.measurements is not None:
        json["measInfoList"] = [
            {"measType": _type(m.name, m.meas_id), "labels": [dict(label.json) for label in m.labels]}
            for m in message.measurements
        ]
    if message.granularity_ms is not None:
        json["granulPeriod"] = message.granularity_ms
    return json


def _format2(message: Format2) -> Json:
    json: Json = {
        "format": 2,
        "measData": _records(message.records),
        "measCondUEidList": [_conditions(m) for m in message.measurements],
    }
    if message.granularity_ms is not None:
        json["granulPeriod"] = message.granularity_ms
    return json


def _conditions(measurement: ConditionMeasurement) -> Json:
    json: Json = {"measType": _type(measurement.name, measurement.meas_id), "matchingCond": []}
    for condition in measurement.conditions:
        member: Json = {}
        if condition.label is not None:
            member["measLabel"] = dict(condition.label.json)
        if condition.test is not None:
            member["testCondInfo"] = dict(condition.test)
        if condition.logical_or:
            member["logicalOR"] = "true"
        json["matchingCond"].append(member)
    if measurement.ues is not None:
        json["matchingUEidList"] = [_ue_id(ue) for ue in measurement.ues]
    if measurement.ues_by_period is not None:
        json["matchingUEidPerGP"] = [
            ["oneOrMoreUEmatched", [_ue_id(ue) for ue in ues]] if ues else ["noUEmatched", "true"]
            for ues in measurement.ues_by_period
        ]
    return json


def _records(records: list[Record]) -> list[Json]:
    out = []
    for record in records:
        json: Json = {"measRecord": [_value(value) for value in record.values]}
        for position in record.not_satisfied:
            json["measRecord"][position] = ["notSatisfied", None]
        if record.incomplete:
            json["incompleteFlag"] = True
        out.append(json)
    return out


def _value(value: Value) -> list[Any]:
    if value is None:
        return ["noValue", None]
    return ["real" if isinstance(value, float) else "integer", value]


def _type(name: str, meas_id: int | None) -> list[Any]:
    return ["measName", name] if meas_id is None else ["measID", meas_id]


def _ue_id(ue_id: UeId) -> list[Any]:
    fields: Mapping[str, Any] = ue_id.fields
    return [ue_id.kind, dict(fields)]
