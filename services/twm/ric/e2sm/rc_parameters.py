"""RAN parameters of E2SM-RC, aligned PER: trees of elements, structures and lists (clauses 9.3.8 to 9.3.14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twm.core.per import Reader, Reason, printable, real
from twm.core.per_writer import Writer, real_octets

_IDS = (1, 2**32 - 1)
_VALUES, _TYPES = 6, 4
MAX_DEPTH = 16
"""Deepest tree read: a PRB quota is 8 deep."""
Value = bool | int | float | bytes | str | tuple[int, int]
"""BOOLEAN, INTEGER, REAL, OCTET STRING, PrintableString, or BIT STRING as (value, bits)."""


@dataclass(frozen=True, slots=True)
class Element:
    """A parameter with a value."""

    parameter_id: int
    value: Value | None
    key: bool = False
    """Key flag true: the parameter tells entries of a list apart."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A parameter made of parameters."""

    parameter_id: int
    members: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class ParameterList:
    """A parameter that is a list; every entry is a structure without an id of its own."""

    parameter_id: int
    entries: tuple[tuple[Parameter, ...], ...]


Parameter = Element | Structure | ParameterList


def write_parameter(writer: Writer, parameter: Parameter) -> None:
    """A sequence item: extension bit, RANParameter-ID, RANParameter-ValueType. What ASN.1 cannot hold raises ValueError."""
    writer.bits(0, 1)
    writer.extensible_number(parameter.parameter_id, *_IDS)
    write_value_type(writer, parameter)


def write_value_type(writer: Writer, parameter: Parameter) -> None:
    """RANParameter-ValueType."""
    if isinstance(parameter, Element):
        writer.choice(0 if parameter.key else 1, _TYPES)
        writer.bits(0, 1)
        if not parameter.key:
            writer.bits(parameter.value is not None, 1)
        elif parameter.value is None:
            raise ValueError(f"RAN parameter {parameter.parameter_id}: a key has a value")
        if parameter.value is not None:
            write_value(writer, parameter.value)
    elif isinstance(parameter, Structure):
        writer.choice(2, _TYPES)
        writer.bits(0, 1)
        _write_structure(writer, parameter.members)
    else:
        writer.choice(3, _TYPES)
        writer.bits(0, 2)
        writer.whole_number(len(parameter.entries), 1, 65535)
        for entry in parameter.entries:
            _write_structure(writer, entry)


def _write_structure(writer: Writer, members: tuple[Parameter, ...]) -> None:
    writer.bits(0, 1)
    writer.bits(bool(members), 1)
    if members:
        writer.whole_number(len(members), 1, 65535)
        for member in members:
            write_parameter(writer, member)


def write_value(writer: Writer, value: Value) -> None:
    """RANParameter-Value."""
    if isinstance(value, bool):
        writer.choice(0, _VALUES)
        writer.bits(value, 1)
    elif isinstance(value, int):
        writer.choice(1, _VALUES)
        writer.unconstrained_number(value)
    elif isinstance(value, float):
        writer.choice(2, _VALUES)
        writer.counted_octets(real_octets(value))
    elif isinstance(value, tuple):
        writer.choice(3, _VALUES)
        number, count = value
        writer.length(count)
        writer.align()
        writer.bits(number, count)
    elif isinstance(value, bytes):
        writer.choice(4, _VALUES)
        writer.counted_octets(value)
    else:
        raw = value.encode("ascii")
        printable(raw, 0)
        writer.choice(5, _VALUES)
        writer.counted_octets(raw)


def read_parameter(reader: Reader, depth: int = 0) -> Parameter:
    """The mirror of `write_parameter`."""
    reader.spend(1)
    extended = reader.bits(1)
    parameter_id = reader.extensible_number(*_IDS)
    found = read_value_type(reader, parameter_id, depth)
    if extended:
        reader.additions()
    return found


def read_value_type(reader: Reader, parameter_id: int, depth: int = 0) -> Parameter:
    """The mirror of `write_value_type`."""
    if depth > MAX_DEPTH:
        reader.fail(Reason.TOO_MANY, f"RAN parameters more than {MAX_DEPTH} deep")
    kind = reader.choice(_TYPES)
    if kind >= _TYPES:
        reader.fail(Reason.UNKNOWN_CHOICE, f"RAN parameter type {kind} is not known")
    extended = reader.bits(1)
    found: Parameter
    if kind == 0:
        found = Element(parameter_id, read_value(reader), key=True)
    elif kind == 1:
        found = Element(parameter_id, read_value(reader) if reader.bits(1) else None)
    elif kind == 2:
        found = Structure(parameter_id, _read_structure(reader, depth))
    else:
        list_extended = reader.bits(1)
        count = reader.whole_number(1, 65535)
        found = ParameterList(parameter_id, tuple(_read_structure(reader, depth) for _ in range(count)))
        if list_extended:
            reader.additions()
    if extended:
        reader.additions()
    return found


def _read_structure(reader: Reader, depth: int) -> tuple[Parameter, ...]:
    reader.spend(1)
    extended, present = reader.bits(1), reader.bits(1)
    members = tuple(read_parameter(reader, depth + 1) for _ in range(reader.whole_number(1, 65535))) if present else ()
    if extended:
        reader.additions()
    return members


def read_value(reader: Reader) -> Value:
    """The mirror of `write_value`."""
    kind = reader.choice(_VALUES)
    if kind >= _VALUES:
        reader.fail(Reason.UNKNOWN_CHOICE, f"RAN parameter value {kind} is not known")
    return _READ[kind](reader)


def _read_bits(reader: Reader) -> tuple[int, int]:
    count, more = reader.length()
    if more or count > 1024:
        reader.fail(Reason.BAD_LENGTH, "BIT STRING of more than 1024 bits")
    whole = int.from_bytes(reader.octets(count >> 3), "big")
    return (whole << (count & 7)) | (reader.bits(count & 7) if count & 7 else 0), count


def _read_real(reader: Reader) -> float:
    content = reader.counted_octets()
    return real(content, reader.base + reader.pos - len(content) * 8)


def _read_text(reader: Reader) -> str:
    content = reader.counted_octets()
    return printable(content, reader.base + reader.pos - len(content) * 8)


_READ: tuple[Callable[[Reader], Value], ...] = (
    lambda reader: bool(reader.bits(1)),
    Reader.unconstrained_number,
    _read_real,
    _read_bits,
    Reader.counted_octets,
    _read_text,
)
