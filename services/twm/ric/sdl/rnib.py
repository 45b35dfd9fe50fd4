"""RAN inventory records (R-NIB) as the E2 manager stores them: protobuf messages of ric-plt-nodeb-rnib, as far as needed. Pure.

Read field by field from the wire format: the inventory's own Python classes need a protobuf generation that excludes ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twm.core.errors import DecodeError

MAX_RECORD_BYTES = 4 * 1024 * 1024
MAX_FUNCTIONS = 256
CONNECTED = 1
"""ConnectionStatus of connection_status.proto: 0 unknown, 1 connected, 2 connecting, 3 disconnected ..."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
Value = int | bytes


@dataclass(frozen=True, slots=True)
class RanFunction:
    """RanFunction of ran_function.proto."""

    function_id: int
    definition: bytes
    """RAN function definition, aligned PER; empty where it is not hexadecimal text."""
    revision: int
    oid: str


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One E2 node of the inventory."""

    ran_name: str
    connected: bool
    functions: tuple[RanFunction, ...] = ()
    cells: tuple[str, ...] = ()
    """Cell ids the node serves, as it wrote them."""


def nb_identity(data: bytes) -> NodeRecord:
    """NbIdentity (member of the sets ENB and GNB): name and connection status. Raises DecodeError."""
    name, status = "", CONNECTED
    for number, value in fields(data):
        if number == 1:
            name = _text(value)
        elif number == 3 and isinstance(value, int):
            status = value
    return NodeRecord(name, status == CONNECTED)


def nodeb_info(data: bytes) -> NodeRecord:
    """NodebInfo (key RAN:<name>). Raises DecodeError."""
    name, status = "", 0
    functions: list[RanFunction] = []
    cells: list[str] = []
    for number, value in fields(data):
        if number == 1:
            name = _text(value)
        elif number == 5 and isinstance(value, int):
            status = value
        elif number == 9 and isinstance(value, bytes):
            for inner, content in fields(value):
                if inner == 1 and isinstance(content, bytes):
                    cells += _cell_ids(content)
                elif inner == 2 and isinstance(content, bytes) and len(functions) < MAX_FUNCTIONS:
                    functions.append(_function(content))
    return NodeRecord(name, status == CONNECTED, tuple(functions), tuple(cells))


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Fields of a protobuf message: number and varint or bytes. Raises DecodeError where the bytes are none."""
    if len(data) > MAX_RECORD_BYTES:
        raise DecodeError(f"inventory record: {len(data)} bytes, more than {MAX_RECORD_BYTES}", reason="too_large")
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if key >> 3 == 0:
            raise DecodeError(f"inventory record: field number 0 at byte {at}")
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise DecodeError(f"inventory record: wire type {kind} at byte {at}")
        if size > len(data) - at:
            raise DecodeError(
                f"inventory record: field of {size} bytes at byte {at}, {len(data) - at} left", reason="truncated"
            )
        yield key >> 3, data[at : at + size]
        at += size


def _function(data: bytes) -> RanFunction:
    function_id = revision = 0
    definition, oid = b"", ""
    for number, value in fields(data):
        if number == 1 and isinstance(value, int):
            function_id = value
        elif number == 2:
            try:
                definition = bytes.fromhex(_text(value))
            except ValueError:
                definition = b""
        elif number == 3 and isinstance(value, int):
            revision = value
        elif number == 4:
            oid = _text(value)[:128]
    return RanFunction(function_id, definition, revision, oid)


def _cell_ids(served_cell: bytes) -> list[str]:
    found = []
    for number, value in fields(served_cell):
        if number == 1 and isinstance(value, bytes):
            found += [_text(content)[:64] for inner, content in fields(value) if inner == 2]
    return found


def _text(value: Value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise DecodeError(f"inventory record: number cut off at byte {at}", reason="truncated")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
