"""Parts of E2SM-KPM to aligned PER: measurement types, labels and conditions. What ASN.1 cannot hold raises ValueError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twm.core.e2sm.conditions import ROOT_TEST_VALUES, STANDARD_ROOT_TEST_TYPES, TEST_EXPRESSIONS, TEST_TYPES, TEST_VALUES
from twm.core.e2sm.dialects import Dialect
from twm.core.e2sm.labels import ADDITIONS, FLAGS, MEMBERS, NUMBERS, QCIS, START_END, TRUE, write_addition
from twm.core.e2sm.types import Condition, Label
from twm.core.per import printable
from twm.core.per_writer import Writer, real_octets


def write_measurement_type(writer: Writer, name: str, meas_id: int | None, rules: Dialect) -> None:
    """MeasurementType: by name where `meas_id` is None."""
    if meas_id is None:
        raw = name.encode("ascii")
        printable(raw, 0)
        writer.choice(0, 2)
        writer.bits(len(raw) > 150, 1)
        if len(raw) > 150:
            writer.counted_octets(raw)
        else:
            writer.whole_number(len(raw), 1, 150)
            writer.octets(raw)
    else:
        writer.choice(1, 2)
        writer.extensible_number(0 if meas_id == 65536 and rules.format3_in_root else meas_id, 1, 65536)


def write_measurement(writer: Writer, name: str, meas_id: int | None, labels: Sequence[Label], rules: Dialect) -> None:
    """MeasurementInfoItem."""
    writer.bits(0, 1)
    write_measurement_type(writer, name, meas_id, rules)
    if not labels:
        raise ValueError("a measurement has at least one label")
    for part in writer.fragments(len(labels)):
        writer.begin(part)
        for label in labels[part.start : part.stop]:
            writer.bits(0, 1)
            write_label(writer, label)


def write_label(writer: Writer, label: Label) -> None:
    """MeasurementLabel, from its members by ASN.1 name."""
    json = label.json
    added = [name in json for name in ADDITIONS]
    writer.bits(any(added), 1)
    for name in MEMBERS:
        writer.bits(name in json, 1)
    for name in MEMBERS:
        if name in json:
            _label_member(writer, name, json[name])
    if any(added):
        parts: list[bytes | None] = []
        for name in ADDITIONS:
            part = None
            if name in json:
                inner = Writer()
                write_addition(inner, name, json[name])
                part = inner.finish()
            parts.append(part)
        writer.additions(parts)


def _label_member(writer: Writer, name: str, value: Any) -> None:
    if name in FLAGS:
        writer.enumerated(value, TRUE)
    elif name in NUMBERS:
        writer.extensible_number(value, *NUMBERS[name])
    elif name in QCIS:
        writer.whole_number(value, 0, 255)
    elif name == "plmnID":
        writer.octets(bytes.fromhex(value))
    elif name == "sliceID":
        sd = value.get("sD")
        writer.bits(0, 1)
        writer.bits(sd is not None, 1)
        writer.bits(int(value["sST"], 16), 8)
        if sd is not None:
            writer.octets(bytes.fromhex(sd))
    else:
        writer.enumerated(value, START_END)


def write_condition(writer: Writer, condition: Condition, rules: Dialect) -> None:
    """MatchingCondItem."""
    writer.bits(0, 1)
    writer.bits(condition.logical_or, 1)
    if condition.label is not None:
        writer.choice(0, 2)
        write_label(writer, condition.label)
    else:
        writer.choice(1, 2)
        write_test(writer, dict(condition.test or {}), rules)
    if condition.logical_or:
        writer.enumerated("true", TRUE)


def write_test(writer: Writer, test: dict[str, Any], rules: Dialect) -> None:
    """TestCondInfo, by ASN.1 names."""
    writer.bits(0, 1)
    writer.bits("testExpr" in test, 1)
    writer.bits("testValue" in test, 1)
    index = TEST_TYPES.index(test["testType"][0])
    roots = len(TEST_TYPES) if rules.format3_in_root else STANDARD_ROOT_TEST_TYPES
    writer.choice(index, roots)
    body = Writer() if index >= roots else writer
    body.enumerated(test["testType"][1], TRUE)
    if body is not writer:
        writer.open_type(body.finish())
    if "testExpr" in test:
        writer.enumerated(test["testExpr"], TEST_EXPRESSIONS)
    if "testValue" in test:
        _test_value(writer, *test["testValue"])


def _test_value(writer: Writer, name: str, value: Any) -> None:
    writer.choice(TEST_VALUES.index(name), ROOT_TEST_VALUES)
    if name in ("valueInt", "valueEnum"):
        writer.unconstrained_number(value)
    elif name == "valueBool":
        writer.bits(value, 1)
    elif name == "valueBitS":
        for part in writer.fragments(len(value)):
            writer.begin(part)
            writer.align()
            for bit in value[part.start : part.stop]:
                writer.bits(bit == "1", 1)
    elif name == "valueOctS":
        writer.counted_octets(bytes.fromhex(value))
    elif name == "valuePrtS":
        writer.counted_octets(value.encode("ascii"))
    else:
        inner = Writer()
        inner.counted_octets(real_octets(value))
        writer.open_type(inner.finish())
