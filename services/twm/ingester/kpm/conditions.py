"""MeasurementCondUEidList, the information list of Format 2 (O-RAN.WG3.E2SM-KPM clauses 8.3.17 to 8.3.26)."""

from __future__ import annotations

from twm.core.e2sm.conditions import read_condition
from twm.core.e2sm.dialects import Dialect
from twm.core.e2sm.labels import TRUE, read_measurement_type
from twm.core.e2sm.ue_id import read_ue_id
from twm.core.per import Reader, Reason
from twm.ingester.kpm.types import ConditionMeasurement, UeId


def read_conditions(reader: Reader, dialect: Dialect) -> tuple[ConditionMeasurement, ...]:
    """MeasurementCondUEidList."""
    return tuple(_measurement(reader, dialect) for _ in range(reader.whole_number(1, 65535)))


def _measurement(reader: Reader, dialect: Dialect) -> ConditionMeasurement:
    extended = reader.bits(1)
    with_ues = reader.bits(1)
    with_periods = reader.bits(1) if dialect.format3_in_root else 0
    name, meas_id = read_measurement_type(reader, dialect.format3_in_root)
    conditions = tuple(read_condition(reader, dialect) for _ in range(reader.whole_number(1, 32768)))
    ues = _ues(reader) if with_ues else None
    periods = _periods(reader) if with_periods else None
    if extended:
        part = reader.additions().get(0)
        if part is not None and not dialect.format3_in_root:
            periods = _periods(part)
            part.finish()
    return ConditionMeasurement(name, meas_id, conditions, ues, periods)


def _ues(reader: Reader) -> tuple[UeId, ...]:
    ues = []
    for _ in range(reader.whole_number(1, 65535)):
        reader.spend(4)
        extended = reader.bits(1)
        ues.append(read_ue_id(reader))
        if extended:
            reader.additions()
    return tuple(ues)


def _periods(reader: Reader) -> tuple[tuple[UeId, ...], ...]:
    periods: list[tuple[UeId, ...]] = []
    for _ in range(reader.whole_number(1, 65535)):
        reader.spend(1)
        extended = reader.bits(1)
        kind = reader.choice(2)
        if kind == 0:
            reader.enumerated(TRUE)
            periods.append(())
        elif kind == 1:
            periods.append(_ues(reader))
        else:
            reader.fail(Reason.UNKNOWN_CHOICE, f"matching of a granularity period {kind} is not known")
        if extended:
            reader.additions()
    return tuple(periods)
