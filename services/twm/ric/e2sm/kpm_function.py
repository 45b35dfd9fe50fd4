"""E2SM-KPM RAN function definitions: what a node can report (O-RAN.WG3.E2SM-KPM clause 8.2.2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from twm.core.e2sm.versions import UnknownVersion
from twm.core.errors import DecodeError
from twm.core.per import Reader, Reason, printable

_STYLES = 63


@dataclass(frozen=True, slots=True)
class OfferedMeasurement:
    """One measurement that a style can report."""

    name: str
    meas_id: int | None
    """Id to subscribe by instead of the name; None: the node gave none."""


@dataclass(frozen=True, slots=True)
class EventTriggerStyle:
    """One way of triggering."""

    style: int
    name: str
    format: int


@dataclass(frozen=True, slots=True)
class ReportStyle:
    """One way of reporting."""

    style: int
    name: str
    action_format: int
    header_format: int
    message_format: int
    measurements: tuple[OfferedMeasurement, ...]


@dataclass(frozen=True, slots=True)
class KpmFunction:
    """A node's KPM function."""

    short_name: str
    """"ORAN-E2SM-KPM" by the standard."""
    oid: str
    """Identifier of service model and version, see twm.core.e2sm.versions."""
    description: str
    instance: int | None
    event_trigger_styles: tuple[EventTriggerStyle, ...]
    report_styles: tuple[ReportStyle, ...]

    def measurements(self, style: int) -> tuple[OfferedMeasurement, ...]:
        """What a report style offers; empty where the node has no such style."""
        return next((entry.measurements for entry in self.report_styles if entry.style == style), ())


def decode_kpm_function(data: bytes) -> KpmFunction:
    """Decode the octets of a RANfunctionDefinition.

    Raises DecodeError with a reason of per.Reason, or of versions.UnknownVersion where it is one of E2SM-KPM version 1.
    """
    try:
        return _function(Reader(data))
    except DecodeError:
        if _is_version_1(data):
            raise DecodeError(
                "RAN function definition: laid out as in E2SM-KPM version 1; versions 2 to 5 are read",
                reason=UnknownVersion.UNKNOWN,
            ) from None
        raise


def _is_version_1(data: bytes) -> bool:
    """Version 1 has the presence of its style lists behind the name."""
    reader = Reader(data)
    try:
        reader.bits(3)
        return "KPM" in _text(reader, 150)
    except DecodeError:
        return False


def _function(reader: Reader) -> KpmFunction:
    extended, with_triggers, with_reports = reader.bits(1), reader.bits(1), reader.bits(1)
    name_extended, with_instance = reader.bits(1), reader.bits(1)
    short_name, oid, description = _text(reader, 150), _text(reader, 1000), _text(reader, 150)
    instance = reader.unconstrained_number() if with_instance else None
    if name_extended:
        reader.additions()
    triggers = tuple(_trigger(reader) for _ in range(reader.whole_number(1, _STYLES))) if with_triggers else ()
    reports = tuple(_report(reader) for _ in range(reader.whole_number(1, _STYLES))) if with_reports else ()
    if extended:
        reader.additions()  # v5: integrated report styles, which are not subscribed to
    reader.finish()
    return KpmFunction(short_name, oid, description, instance, triggers, reports)


def function_definition_octets(text: str) -> bytes:
    """Octets of a definition given as hex text, as E2 managers hand it out. Raises DecodeError."""
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise DecodeError("RAN function definition: not hex digits", reason="bad_hex") from error


def _trigger(reader: Reader) -> EventTriggerStyle:
    extended = reader.bits(1)
    style = reader.unconstrained_number()
    name = _text(reader, 150)
    found = EventTriggerStyle(style, name, reader.unconstrained_number())
    if extended:
        reader.additions()
    return found


def _report(reader: Reader) -> ReportStyle:
    extended = reader.bits(1)
    style = reader.unconstrained_number()
    name = _text(reader, 150)
    action_format = reader.unconstrained_number()
    measurements = tuple(_measurement(reader) for _ in range(reader.whole_number(1, 65535)))
    header_format, message_format = reader.unconstrained_number(), reader.unconstrained_number()
    if extended:
        reader.additions()
    return ReportStyle(style, name, action_format, header_format, message_format, measurements)


def _measurement(reader: Reader) -> OfferedMeasurement:
    reader.spend(1)
    extended, with_id = reader.bits(1), reader.bits(1)
    name = _text(reader, 150)
    meas_id = reader.extensible_number(1, 65536) if with_id else None
    if extended:
        reader.additions()
    return OfferedMeasurement(name, meas_id)


def _text(reader: Reader, largest: int) -> str:
    """PrintableString (SIZE (1..largest, ...))."""
    raw = reader.counted_octets() if reader.bits(1) else reader.octets(reader.whole_number(1, largest))
    if not raw:
        reader.fail(Reason.BAD_STRING, "a name without characters")
    return printable(raw, reader.base + reader.pos - len(raw) * 8)
