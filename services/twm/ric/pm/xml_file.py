"""3GPP measurement files in XML: measCollecFile (TS 32.435) and measDataFile (TS 28.532 annex A), plain or gzip.

Read as a stream by expat, elements by local name. Files come from the network: document types and entities are refused, and
size, depth, text and number of values are bounded, also after decompression.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn
from xml.parsers import expat

from twm.core.errors import InvalidInputError

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_XML_BYTES = 512 * 1024 * 1024
MAX_DEPTH = 32
MAX_TEXT = 1 << 20
MAX_VALUES = 2_000_000
MAX_TYPES = 4096
MAX_PERIOD_S = 86400.0
_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
_DURATION = re.compile(r"^P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})(?:\.\d+)?S)?)?$", re.ASCII)
_ROOTS = ("measCollecFile", "measDataFile")
_MISSING = frozenset({"", "nil", "null", "nan"})


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured object's values over one granularity period."""

    entity: str
    """localDn of the managed element; empty: not said."""
    object_dn: str
    """measObjLdn."""
    begin_s: float
    """Unix time [s]."""
    period_s: float
    values: dict[str, float]
    """By measurement name, units of TS 28.552."""


def read_measurements(path: Path) -> list[Measured]:
    """Everything a file holds. Raises InvalidInputError naming what is wrong, OSError where it cannot be read."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InvalidInputError(f"{path.name}: {path.stat().st_size} bytes, more than {MAX_FILE_BYTES}", reason="too_large")
    with path.open("rb") as file:
        return parse_measurements(file)


def parse_measurements(file: BinaryIO) -> list[Measured]:
    """As `read_measurements`, of an open file."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = _CHUNK
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = lambda *_: _refuse("holds a document type declaration", "doctype")
    parser.EntityDeclHandler = lambda *_: _refuse("declares an entity", "doctype")
    parser.ExternalEntityRefHandler = lambda *_: _refuse("refers to an external entity", "doctype")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        for chunk in _xml(file):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise InvalidInputError(f"measurement file: not XML: {str(error)[:160]}", reason="malformed") from error
    if not reader.rooted:
        raise InvalidInputError(f"measurement file: root is none of {', '.join(_ROOTS)}", reason="not_a_measurement_file")
    return reader.out


def _xml(file: BinaryIO) -> Iterator[bytes]:
    head = file.read(_CHUNK)
    total = 0
    if head[:2] != _GZIP:
        while head:
            total += len(head)
            if total > MAX_XML_BYTES:
                _refuse(f"more than {MAX_XML_BYTES} bytes", "too_large")
            yield head
            head = file.read(_CHUNK)
        return
    unpack = zlib.decompressobj(wbits=31)
    try:
        while head:
            rest = head
            while rest:
                chunk = unpack.decompress(rest, _CHUNK)
                rest = unpack.unconsumed_tail
                total += len(chunk)
                if total > MAX_XML_BYTES:
                    _refuse(f"more than {MAX_XML_BYTES} bytes when unpacked", "too_large")
                if chunk:
                    yield chunk
                elif not rest:
                    break
            head = file.read(_CHUNK)
    except zlib.error as error:
        raise InvalidInputError(f"measurement file: not gzip: {str(error)[:120]}", reason="malformed") from error
    if not unpack.eof:
        _refuse("gzip data cut off", "malformed")


@dataclass
class _Reader:
    out: list[Measured] = field(default_factory=list)
    rooted: bool = False
    _depth: int = 0
    _count: int = 0
    _text: list[str] = field(default_factory=list)
    _size: int = 0
    _keep: bool = False
    _entity: str = ""
    _object: str = ""
    _period: tuple[float, float] | None = None
    _types: dict[str, str] = field(default_factory=dict)
    _results: dict[str, str] = field(default_factory=dict)
    _suspect: bool = False
    _position: str = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _refuse(f"nested deeper than {MAX_DEPTH}", "too_deep")
        if self._depth == 1 and name not in _ROOTS:
            _refuse(f"root is {name[:40]!r}, expected one of {', '.join(_ROOTS)}", "not_a_measurement_file")
        self.rooted = True
        begin = self._begins.get(name)
        self._text, self._size, self._keep = [], 0, name in self._ends
        if begin is not None:
            begin(self, attributes)

    def text(self, data: str) -> None:
        if not self._keep:
            return
        self._size += len(data)
        if self._size > MAX_TEXT:
            _refuse(f"text of more than {MAX_TEXT} characters", "too_large")
        self._text.append(data)

    def end(self, name: str) -> None:
        self._depth -= 1
        name = name.rpartition(":")[2]
        end = self._ends.get(name)
        if end is not None:
            end(self, "".join(self._text).strip())
        elif name == "measValue":
            self._object_ends()
        self._text, self._keep = [], False

    def _entity_begins(self, attributes: dict[str, str]) -> None:
        self._entity = attributes.get("localDn", "")[:512]

    def _info_begins(self, _: dict[str, str]) -> None:
        self._types, self._period = {}, None

    def _granularity(self, attributes: dict[str, str]) -> None:
        period_s = _duration(attributes.get("duration", ""))
        self._period = _time(attributes.get("endTime", "")) - period_s, period_s

    def _object_begins(self, attributes: dict[str, str]) -> None:
        self._object, self._results, self._suspect = attributes.get("measObjLdn", "")[:1024], {}, False

    def _numbered(self, attributes: dict[str, str]) -> None:
        self._position = attributes.get("p", "")[:16]

    def _type(self, text: str) -> None:
        self._name(self._position, text)

    def _all_types(self, text: str) -> None:
        for number, name in enumerate(text.split(), 1):
            self._name(str(number), name)

    def _result(self, text: str) -> None:
        self._value(self._position, text)

    def _all_results(self, text: str) -> None:
        for number, value in enumerate(text.split(), 1):
            self._value(str(number), value)

    def _is_suspect(self, text: str) -> None:
        self._suspect = text.lower() == "true"

    def _name(self, position: str, name: str) -> None:
        if len(self._types) >= MAX_TYPES:
            _refuse(f"more than {MAX_TYPES} measurement types in one measInfo", "too_many_values")
        self._types[position] = name[:150]

    def _value(self, position: str, text: str) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            _refuse(f"more than {MAX_VALUES} values", "too_many_values")
        self._results[position] = text

    def _object_ends(self) -> None:
        if self._suspect or self._period is None or not self._object:
            return
        values = {}
        for position, text in self._results.items():
            name = self._types.get(position)
            if name and text.lower() not in _MISSING:
                try:
                    value = float(text)
                except ValueError:
                    continue
                if math.isfinite(value):
                    values[name] = value
        if values:
            begin_s, period_s = self._period
            self.out.append(Measured(self._entity, self._object, begin_s, period_s, values))

    _begins: dict[str, Callable[[_Reader, dict[str, str]], None]] = field(init=False, repr=False, default_factory=dict)
    _ends: dict[str, Callable[[_Reader, str], None]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._begins = {
            "managedElement": _Reader._entity_begins,
            "measEntity": _Reader._entity_begins,
            "measInfo": _Reader._info_begins,
            "granPeriod": _Reader._granularity,
            "measValue": _Reader._object_begins,
            "measType": _Reader._numbered,
            "r": _Reader._numbered,
        }
        self._ends = {
            "measType": _Reader._type,
            "measTypes": _Reader._all_types,
            "r": _Reader._result,
            "measResults": _Reader._all_results,
            "suspect": _Reader._is_suspect,
        }


def _refuse(what: str, reason: str) -> NoReturn:
    raise InvalidInputError(f"measurement file: {what}", reason=reason)


def _duration(text: str) -> float:
    match = _DURATION.match(text.strip())
    if match is None:
        _refuse(f"granPeriod duration {text[:40]!r} is not like PT900S", "bad_period")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = float(86400 * days + 3600 * hours + 60 * minutes + seconds)
    if not 0.0 < total <= MAX_PERIOD_S:
        _refuse(f"granPeriod duration {text[:40]!r} is not in (0, {MAX_PERIOD_S:g}] s", "bad_period")
    return total


def _time(text: str) -> float:
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        _refuse(f"granPeriod endTime {text[:40]!r} is not an ISO 8601 time", "bad_period")
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
