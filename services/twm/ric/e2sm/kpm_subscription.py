"""E2SM-KPM event triggers and action definitions, Formats 1 to 5 (O-RAN.WG3.E2SM-KPM clauses 8.2.1.1 and 8.2.1.2).

A report style takes the action definition format of its number. The standard has Formats 4 and 5 behind the extension marker;
FlexRIC has them before it, and adds presence bits for bin ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twm.core.e2sm.cell_id import NrCgi, cgi_json, write_cgi
from twm.core.e2sm.dialects import Dialect, dialect_of
from twm.core.e2sm.kpm_writer import write_condition, write_measurement, write_measurement_type, write_test
from twm.core.e2sm.labels import NO_LABEL, TRUE, label_of
from twm.core.e2sm.types import Condition, Label, UeId
from twm.core.e2sm.ue_id import write_ue_id
from twm.core.errors import InvalidInputError
from twm.core.per_writer import Writer

_PERIOD_MS = (1, 0xFFFFFFFF)
_FORMATS, _STANDARD_ROOT_FORMATS = 5, 3
_UES_IN_A_LIST = 2
"""Least number of UEs of Format 5."""


@dataclass(frozen=True, slots=True)
class WantedMeasurement:
    """One measurement to subscribe to, with the labels it is broken down by."""

    name: str = ""
    """Name, e.g. "DRB.UEThpDl"; empty: by id."""
    meas_id: int | None = None
    """Id that the node gave the measurement in its RAN function definition; None: by name."""
    labels: tuple[Label, ...] = (NO_LABEL,)


def slice_label(sst: int, sd: str | None = None, *, plmn: str | None = None) -> Label:
    """Label of one slice: `sd` six hex digits, `plmn` as on the wire."""
    if not 0 <= sst <= 255:
        raise InvalidInputError(f"sst: {sst} is outside 0..255")
    s_nssai = {"sST": f"{sst:02x}"} if sd is None else {"sST": f"{sst:02x}", "sD": _hex(sd, 3, "sd")}
    return label_of({**({"plmnID": _hex(plmn, 3, "plmn")} if plmn is not None else {}), "sliceID": s_nssai})


def five_qi_label(five_qi: int) -> Label:
    """Label of one 5QI."""
    return label_of({"fiveQI": five_qi})


def ue_condition(test_type: str, expression: str, value: tuple[str, Any], *, logical_or: bool = False) -> Condition:
    """A condition on a UE: e.g. ("cQI", "greaterthan", ("valueInt", 7)). Names as in ASN.1."""
    return Condition(None, {"testType": [test_type, "true"], "testExpr": expression, "testValue": list(value)}, logical_or)


def label_condition(label: Label, *, logical_or: bool = False) -> Condition:
    """A condition that is a sub-population (style 3 only)."""
    return Condition(label, None, logical_or)


def slice_condition(sst: int, sd: str | None = None, *, logical_or: bool = False) -> Condition:
    """UEs of one slice: the S-NSSAI's octets, SST and where given SD."""
    content = f"{sst:02x}" + ("" if sd is None else _hex(sd, 3, "sd"))
    return ue_condition("sNSSAI", "equal", ("valueOctS", content), logical_or=logical_or)


EVERY_UE = ue_condition("ul-rSRP", "lessthan", ("valueInt", 1000))
"""Holds for every UE: what public gNBs are subscribed with in style 4 when all UEs are wanted."""


def kpm_event_trigger(period_ms: int) -> bytes:
    """Event trigger Format 1, a report each `period_ms` [ms]; the same octets in every dialect."""
    _check_period("period_ms", period_ms)
    writer = Writer()
    writer.bits(0, 3)
    writer.whole_number(period_ms, *_PERIOD_MS)
    return writer.finish()


def kpm_action_definition(
    style: int,
    measurements: Sequence[str | int | WantedMeasurement],
    granularity_ms: int,
    *,
    cell: NrCgi | None = None,
    labels: Sequence[Label] = (NO_LABEL,),
    ue_ids: Sequence[UeId] = (),
    conditions: Sequence[Condition] = (),
    dialect: str,
) -> bytes:
    """Action definition of a report style.

    `measurements`: names, ids of the node's RAN function definition, or WantedMeasurement; `labels` go with names and ids.
    `granularity_ms`: length of one record [ms], at most the reporting period. `cell`: the one cell that is meant.
    `ue_ids`: one UE for style 2, two or more for style 5. `conditions`: each measurement's for style 3, the UEs' for style 4.
    Raises InvalidInputError naming the field.
    """
    rules = dialect_of(dialect)
    if not 1 <= style <= _FORMATS:
        raise InvalidInputError(f"style: {style} is outside 1..{_FORMATS}", reason="unknown_style")
    _check_period("granularity_ms", granularity_ms)
    wanted = [_wanted(item, tuple(labels)) for item in measurements]
    if not 1 <= len(wanted) <= 65535:
        raise InvalidInputError(f"measurements: {len(wanted)}, expected 1..65535")
    _check_subjects(style, ue_ids, conditions)
    roots = _FORMATS if rules.format3_in_root else _STANDARD_ROOT_FORMATS
    writer = Writer()
    try:
        writer.bits(0, 1)
        writer.unconstrained_number(style)
        writer.choice(style - 1, roots)
        body = Writer() if style > roots else writer
        _body(body, style, wanted, granularity_ms, cell, ue_ids, conditions, rules)
        if body is not writer:
            writer.open_type(body.finish())
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise InvalidInputError(f"action definition of style {style}: {error}") from error
    return writer.finish()


def _body(
    writer: Writer,
    style: int,
    wanted: Sequence[WantedMeasurement],
    granularity_ms: int,
    cell: NrCgi | None,
    ue_ids: Sequence[UeId],
    conditions: Sequence[Condition],
    rules: Dialect,
) -> None:
    if style == 3:
        _format3(writer, wanted, granularity_ms, cell, conditions, rules)
        return
    if style != 1:
        writer.bits(0, 1)
    if style == 2:
        write_ue_id(writer, ue_ids[0])
    elif style == 4:
        writer.whole_number(len(conditions), 1, 32768)
        for condition in conditions:
            writer.bits(condition.logical_or, 1)
            write_test(writer, dict(condition.test or {}), rules)
            if condition.logical_or:
                flag = Writer()
                flag.enumerated("true", TRUE)
                writer.additions([flag.finish()])
    elif style == 5:
        writer.whole_number(len(ue_ids), _UES_IN_A_LIST, 65535)
        for ue_id in ue_ids:
            writer.bits(0, 1)
            write_ue_id(writer, ue_id)
    _format1(writer, wanted, granularity_ms, cell, rules)


def _format1(
    writer: Writer, wanted: Sequence[WantedMeasurement], granularity_ms: int, cell: NrCgi | None, rules: Dialect
) -> None:
    writer.bits(0, 1)
    writer.bits(cell is not None, 1)
    if rules.format3_in_root:
        writer.bits(0, 1)  # distMeasBinRangeInfo
    writer.whole_number(len(wanted), 1, 65535)
    for item in wanted:
        write_measurement(writer, item.name, item.meas_id, item.labels, rules)
    writer.whole_number(granularity_ms, *_PERIOD_MS)
    if cell is not None:
        write_cgi(writer, cgi_json(cell))


def _format3(
    writer: Writer,
    wanted: Sequence[WantedMeasurement],
    granularity_ms: int,
    cell: NrCgi | None,
    conditions: Sequence[Condition],
    rules: Dialect,
) -> None:
    writer.bits(0, 1)
    writer.bits(cell is not None, 1)
    writer.whole_number(len(wanted), 1, 65535)
    for item in wanted:
        writer.bits(0, 1)
        if rules.format3_in_root:
            writer.bits(0, 1)  # binRangeDef
        write_measurement_type(writer, item.name, item.meas_id, rules)
        own = conditions or [label_condition(label) for label in item.labels]
        writer.whole_number(len(own), 1, 32768)
        for condition in own:
            write_condition(writer, condition, rules)
    writer.whole_number(granularity_ms, *_PERIOD_MS)
    if cell is not None:
        write_cgi(writer, cgi_json(cell))


def _wanted(item: str | int | WantedMeasurement, labels: tuple[Label, ...]) -> WantedMeasurement:
    if isinstance(item, WantedMeasurement):
        found = item
    elif isinstance(item, str):
        found = WantedMeasurement(item, None, labels)
    elif isinstance(item, int) and not isinstance(item, bool):
        found = WantedMeasurement("", item, labels)
    else:
        raise InvalidInputError(f"measurements: {item!r:.80} is neither a name, an id nor a WantedMeasurement")
    if found.meas_id is None and not found.name:
        raise InvalidInputError("measurements: one has neither name nor id")
    if not found.labels:
        raise InvalidInputError(f"measurements: {found.name[:64] or found.meas_id!r} has no label")
    return found


def _check_subjects(style: int, ue_ids: Sequence[UeId], conditions: Sequence[Condition]) -> None:
    expected = {2: (1, 1), 5: (_UES_IN_A_LIST, 65535)}.get(style, (0, 0))
    if not expected[0] <= len(ue_ids) <= expected[1]:
        raise InvalidInputError(f"ue_ids: {len(ue_ids)}, expected {expected[0]}..{expected[1]} for style {style}")
    allowed = {3: (0, 32768), 4: (1, 32768)}.get(style, (0, 0))
    if not allowed[0] <= len(conditions) <= allowed[1]:
        raise InvalidInputError(f"conditions: {len(conditions)}, expected {allowed[0]}..{allowed[1]} for style {style}")
    if style == 4 and any(condition.test is None for condition in conditions):
        raise InvalidInputError("conditions: style 4 takes tests of UEs, no labels")


def _check_period(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not _PERIOD_MS[0] <= value <= _PERIOD_MS[1]:
        raise InvalidInputError(f"{name}: {value!r:.40} is not a whole number in {_PERIOD_MS[0]}..{_PERIOD_MS[1]}")


def _hex(text: str, octets: int, name: str) -> str:
    try:
        content = bytes.fromhex(text)
    except ValueError:
        content = b""
    if len(content) != octets or len(text) != 2 * octets:
        raise InvalidInputError(f"{name}: {text[:32]!r} is not {2 * octets} hex digits")
    return content.hex()
