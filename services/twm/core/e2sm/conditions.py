"""Matching conditions and tests (O-RAN.WG3.E2SM-KPM clauses 8.3.22 and 8.3.23)."""

from __future__ import annotations

from typing import Any

from twm.core.e2sm.dialects import Dialect
from twm.core.e2sm.labels import TRUE, read_label
from twm.core.e2sm.types import Condition
from twm.core.per import Reader, Reason, printable, real

TEST_TYPES = ("gBR", "aMBR", "isStat", "isCatM", "rSRP", "rSRQ", "ul-rSRP", "cQI", "fiveQI", "qCI", "sNSSAI")
"""Alternatives; the O-RAN text has the first six before the extension marker, FlexRIC all."""
STANDARD_ROOT_TEST_TYPES = 6
TEST_EXPRESSIONS = ("equal", "greaterthan", "lessthan", "contains", "present")
TEST_VALUES = ("valueInt", "valueEnum", "valueBool", "valueBitS", "valueOctS", "valuePrtS", "valueReal")
ROOT_TEST_VALUES = 6


def read_condition(reader: Reader, dialect: Dialect) -> Condition:
    """MatchingCondItem."""
    extended, with_or = reader.bits(1), reader.bits(1)
    kind = reader.choice(2)
    label = test = None
    if kind == 0:
        label = read_label(reader)
    elif kind == 1:
        test = read_test(reader, dialect)
    else:
        reader.fail(Reason.UNKNOWN_CHOICE, f"matching condition {kind} is not known")
    joined = bool(with_or) and reader.enumerated(TRUE) == "true"
    if extended:
        reader.additions()
    return Condition(label, test, joined)


def read_test(reader: Reader, dialect: Dialect) -> dict[str, Any]:
    """TestCondInfo, by ASN.1 names."""
    reader.spend(1)
    extended, present = reader.bits(1), reader.bits(2)
    roots = len(TEST_TYPES) if dialect.format3_in_root else STANDARD_ROOT_TEST_TYPES
    kind = reader.choice(roots)
    if kind >= len(TEST_TYPES):
        reader.fail(Reason.UNKNOWN_CHOICE, f"test type {kind} is not known")
    part = reader.open_type() if kind >= roots else reader
    test: dict[str, Any] = {"testType": [TEST_TYPES[kind], part.enumerated(TRUE)]}
    if part is not reader:
        part.finish()
    if present & 2:
        test["testExpr"] = reader.enumerated(TEST_EXPRESSIONS)
    if present & 1:
        test["testValue"] = _test_value(reader)
    if extended:
        reader.additions()
    return test


def _test_value(reader: Reader) -> list[Any]:
    kind = reader.choice(ROOT_TEST_VALUES)
    if kind >= len(TEST_VALUES):
        reader.fail(Reason.UNKNOWN_CHOICE, f"test value {kind} is not known")
    name = TEST_VALUES[kind]
    if name in ("valueInt", "valueEnum"):
        return [name, reader.unconstrained_number()]
    if name == "valueBool":
        return [name, bool(reader.bits(1))]
    if name == "valueBitS":
        return [name, _bit_string(reader)]
    if name == "valueReal":
        part = reader.open_type()
        content = part.counted_octets()
        part.finish()
        return [name, real(content, part.base + part.pos - len(content) * 8)]
    content = reader.counted_octets()
    if name == "valueOctS":
        return [name, content.hex()]
    return [name, printable(content, reader.base + reader.pos - len(content) * 8)]


def _bit_string(reader: Reader) -> str:
    """BIT STRING of any size, as "0" and "1"."""
    parts = []
    more = True
    while more:
        count, more = reader.length()
        whole = reader.octets(count >> 3)
        parts.append("".join(f"{octet:08b}" for octet in whole))
        if count & 7:
            parts.append(f"{reader.bits(count & 7):0{count & 7}b}")
    return "".join(parts)
