"""MeasurementRecord and MeasurementInfoList: the parts of a message whose speed counts.

Runs of usual values, and plain or slice labels in their usual position, are read straight from the buffer; all else goes
through Reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

from twm.core.e2sm.labels import NO_LABEL, TRUE, label_of, read_label, read_measurement_type
from twm.core.per import Reader, Reason, printable, real
from twm.ingester.kpm.types import Label, Measurement, Record, Value

_PLAIN = (NO_LABEL,)
_INTEGER_HEADS = (0x00, 0x08, 0x10, 0x18)
_NO_LABEL_OCTETS = b"\x20\x00\x00"
_SLICE_LABEL_OCTETS = b"\x08\x00\x00"


def read_records(reader: Reader) -> list[Record]:
    """MeasurementData: one record a granularity period."""
    count = reader.whole_number(1, 65535)
    records = []
    for _ in range(count):
        head = reader.bits(2)
        values, not_satisfied = read_values(reader)
        incomplete = False
        if head & 1:
            incomplete = reader.enumerated(TRUE) == "true"
        if head & 2:
            reader.additions()
        records.append(Record(values, incomplete, not_satisfied))
    return records


def read_values(reader: Reader) -> tuple[tuple[Value, ...], tuple[int, ...]]:
    """MeasurementRecord: the values of one granularity period, and the positions of those that were notSatisfied."""
    values: list[Value] = []
    not_satisfied: list[int] = []
    more = True
    while more:
        count, more = reader.length()
        reader.spend(count)
        if not _usual_values(reader, count, values):
            _any_values(reader, count, values, not_satisfied)
    if not values:
        reader.fail(Reason.BAD_LENGTH, "a record without values")
    return tuple(values), tuple(not_satisfied)


_REALS = b"|".join(rb"\x20%s\x80.{%d}" % (re.escape(bytes((size,))), size - 1) for size in (9, 8, 10, 7, 6, 5, 4, 3))
_TOKEN = rb"\x10.{3}|\x18.{4}|\x08.{2}|\x00.|" + _REALS
"""A value as encoders write it: an integer of 1 to 4 octets, or a positive REAL of base 2 with an exponent of one octet."""
_TOKENS = re.compile(_TOKEN, re.DOTALL)
_FACTORS = tuple(2.0 ** (exponent - 256 if exponent > 127 else exponent) for exponent in range(256))


@cache
def _run_of_values(power: int) -> re.Pattern[bytes]:
    """2^power values in a row."""
    return re.compile(rb"(?>%b){%d}" % (_TOKEN, 1 << power), re.DOTALL)


def _end_of_run(pattern: Callable[[int], re.Pattern[bytes]], buffer: bytes, start: int, limit: int, count: int) -> int | None:
    """Where `count` items in a row end, found by powers of two: few patterns serve any count. None: they are of other forms."""
    while count:
        power = count.bit_length() - 1
        found = pattern(power).match(buffer, start, limit)
        if found is None:
            return None
        start = found.end()
        count -= 1 << power
    return start


def _usual_values(reader: Reader, count: int, values: list[Value]) -> bool:
    """Read `count` values where all are usual, which is nearly always; else leave everything as it was."""
    buffer, start, limit = reader.buffer, reader.pos >> 3, reader.end >> 3
    stop = _end_of_run(_run_of_values, buffer, start, limit, count)
    if stop is None:
        return False
    number = int.from_bytes
    values += [
        number(t[1:], "big") if t[0] != 0x20 else number(t[4:], "big") * _FACTORS[t[3]]
        for t in _TOKENS.findall(buffer, start, stop)
    ]
    reader.pos = stop << 3
    return True


def _any_values(reader: Reader, count: int, values: list[Value], not_satisfied: list[int]) -> None:
    """Read `count` values of any form. Values in their usual position are taken straight from the buffer."""
    append = values.append
    buffer, end = reader.buffer, reader.end
    pos = reader.pos
    for _ in range(count):
        b = pos >> 3
        head = buffer[b]
        if not pos & 7 and head in _INTEGER_HEADS:
            start = b + 1
            stop = start + 1 + (head >> 3)
            pos = stop << 3
            append(int.from_bytes(buffer[start:stop], "big"))
            if pos > end:
                reader.pos = b << 3
                reader.fail(Reason.TRUNCATED, "value expected")
        else:
            pos = _value(reader, pos, values, not_satisfied)
    reader.pos = pos


def _value(reader: Reader, pos: int, values: list[Value], not_satisfied: list[int]) -> int:
    """One value at any position; the position behind it."""
    reader.pos = pos
    kind = reader.choice(3)
    value: Value = None
    if kind == 0:
        value = reader.whole_number(0, 0xFFFFFFFF)
    elif kind == 1:
        content = reader.counted_octets()
        value = real(content, reader.base + reader.pos - len(content) * 8)
    elif kind == 3:  # notSatisfied, E2SM-KPM v4 on: NULL in an open type
        if reader.counted_octets().strip(b"\0"):
            reader.fail(Reason.BAD_EXTENSION, "notSatisfied with content")
        not_satisfied.append(len(values))
    elif kind != 2:
        reader.fail(Reason.UNKNOWN_CHOICE, f"value choice {kind} is not known")
    values.append(value)
    return reader.pos


@lru_cache(maxsize=4096)
def _plain_measurement(name: bytes) -> Measurement:
    return Measurement(printable(name, 0), None, _PLAIN)


@lru_cache(maxsize=4096)
def _slice_label(s_nssai: bytes) -> Label:
    number = int.from_bytes(s_nssai[:2], "big")
    return label_of({"sliceID": {"sST": f"{number >> 7 & 255:02x}", "sD": s_nssai[2:].hex()}})


_PLAIN_ITEM = rb"([\x00-\x09][\x00-\xf0])([A-Za-z0-9 '()+,\-./:=?]{1,150}+)\x01\x20\x00\x00"
"""An unextended item with a name and the one label noLabel. Its name cannot hold the octet 1 that ends it."""
_PLAIN_ITEMS = re.compile(_PLAIN_ITEM)
_NAME_HEADS = tuple(((size - 1) << 4).to_bytes(2, "big") if size else b"" for size in range(151))
"""The first two octets of such an item by the length of its name."""


@cache
def _run_of_items(power: int) -> re.Pattern[bytes]:
    """2^power plain items in a row."""
    return re.compile(rb"(?>%b){%d}" % (_PLAIN_ITEM, 1 << power))


def read_measurements(reader: Reader, zero_id_is_65536: bool) -> tuple[tuple[Measurement, ...], int]:
    """MeasurementInfoList, and how many labels it has in all."""
    count = reader.whole_number(1, 65535)
    measurements: list[Measurement] = []
    if _plain_measurements(reader, count, measurements):
        return tuple(measurements), count
    for _ in range(count):
        measurements.append(_measurement(reader, zero_id_is_65536))
    return tuple(measurements), sum([len(m.labels) for m in measurements])


def _plain_measurements(reader: Reader, count: int, measurements: list[Measurement]) -> bool:
    """Read `count` items where all are plain; else leave everything as it was."""
    start, limit = reader.pos >> 3, reader.end >> 3
    stop = _end_of_run(_run_of_items, reader.buffer, start, limit, count)
    if stop is None:
        return False
    for head, name in _PLAIN_ITEMS.findall(reader.buffer, start, stop):
        if _NAME_HEADS[len(name)] != head:
            measurements.clear()
            return False
        measurements.append(_plain_measurement(name))
    reader.spend(count)
    reader.pos = stop << 3
    return True


def _measurement(reader: Reader, zero_id_is_65536: bool) -> Measurement:
    extended = reader.bits(1)
    name, meas_id = read_measurement_type(reader, zero_id_is_65536)
    labels: list[Label] = []
    more = True
    while more:
        count, more = reader.length()
        for _ in range(count):
            labels.append(_label_item(reader))
    if not labels:
        reader.fail(Reason.BAD_LENGTH, "a measurement without labels")
    if extended:
        reader.additions()
    return Measurement(name, meas_id, tuple(labels))


def _label_item(reader: Reader) -> Label:
    pos = reader.pos
    if not pos & 7:
        b = pos >> 3
        head = reader.buffer[b : b + 3]
        if head == _NO_LABEL_OCTETS and pos + 24 <= reader.end:
            reader.pos = pos + 24
            reader.spend(1)
            return NO_LABEL
        if head == _SLICE_LABEL_OCTETS and pos + 64 <= reader.end:
            s_nssai = reader.buffer[b + 3 : b + 8]
            if s_nssai[0] & 0x80 and not s_nssai[1] & 0x7F:
                reader.pos = pos + 64
                reader.spend(1)
                return _slice_label(s_nssai)
    extended = reader.bits(1)
    label = read_label(reader)
    if extended:
        reader.additions()
    return label
