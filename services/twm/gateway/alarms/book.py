"""The alarms of an area: a bounded stream of notifications; what is active follows from its newest entries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from google.protobuf.message import DecodeError as ProtobufDecodeError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from twm.api.alarms.v1 import alarms_pb2
from twm.core.network import NetworkSpec
from twm.core.streams import Output, StreamNames, Streams
from twm.core.text import clean
from twm.core.validation import validate
from twm.gateway.screening.screen import HELD_BACK, screen

MAX_LOOKED_AT = 2000
"""Newest notifications that say what is active."""
SEVERITIES = tuple(
    name.removeprefix("SEVERITY_").lower() for name, _ in alarms_pb2.Severity.items() if name != "SEVERITY_UNSPECIFIED"
)
EVENT_TYPES = ("communications", "quality_of_service", "processing_error", "equipment", "environmental", "security", "other")


class AlarmNotification(BaseModel):
    """One notification as it is reported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alarm_id: str = Field(min_length=1, max_length=128, description="Notifications with the same id are about one alarm.")
    object: str = Field(min_length=1, max_length=128, description="Managed object: cell, link, zone or E2 node.")
    severity: str = Field(
        description=f"X.733 perceived severity: {', '.join(SEVERITIES)}.", json_schema_extra={"enum": list(SEVERITIES)}
    )
    event_type: str = Field(default="other", description="X.733 event type.", json_schema_extra={"enum": list(EVENT_TYPES)})
    probable_cause: str = Field(default="", max_length=128)
    text: str = Field(default="", max_length=1000, description="Additional text.")
    raised: AwareDatetime | None = Field(default=None, description="Time of the event; left out: now.")


class AlarmBook:
    """Writes and reads the alarms of one area."""

    def __init__(self, streams: Streams, names: StreamNames, spec: NetworkSpec) -> None:
        self._streams, self._names = streams, names
        ids = [spec.cells, spec.slices, spec.zones, spec.transport.links]
        self.object_names = frozenset(str(entry.id) for group in ids for entry in group)  # type: ignore[attr-defined]
        """Ids of the network: names that a model may see as they are."""

    def read(self, reported: AlarmNotification, source: str, now_s: float) -> alarms_pb2.Alarm:
        """The notification screened. Raises InvalidInputError naming field and bound."""
        parts = [screen(part, source="alarm") for part in (reported.object, reported.probable_cause, reported.text)]
        # Together as well: an instruction may be split over the fields.
        whole = screen(" ".join((reported.probable_cause, reported.text)), source="alarm")
        held_back = any(part.held_back for part in (*parts, whole))
        alarm = alarms_pb2.Alarm(
            alarm_id=clean(reported.alarm_id, 128).text or "?",
            object=clean(reported.object, 128).text or "?",
            severity=f"SEVERITY_{_one_of(reported.severity, SEVERITIES, 'indeterminate').upper()}",
            event_type=_one_of(reported.event_type, EVENT_TYPES, "other"),
            probable_cause=clean(reported.probable_cause, 128).text,
            text=clean(reported.text, 1000).text,
            text_for_model=HELD_BACK if held_back else whole.for_model(self.object_names),
            signs=sorted({sign for part in (*parts, whole) for sign in part.signs})[:32],
            held_back=held_back,
            source=source,
        )
        raised = reported.raised or dt.datetime.fromtimestamp(now_s, dt.UTC)
        alarm.raised.FromDatetime(raised.astimezone(dt.UTC))
        validate(alarm)
        return alarm

    async def add(self, alarms: Sequence[alarms_pb2.Alarm]) -> None:
        """Write notifications. Raises UnavailableError."""
        for alarm in alarms:
            await self._streams.append(Output(self._names.alarms, alarm.SerializeToString(deterministic=True)))

    async def active(self) -> list[alarms_pb2.Alarm]:
        """The newest notification of each alarm that is not cleared, gravest first."""
        latest: dict[str, alarms_pb2.Alarm] = {}
        for entry in await self._streams.last(self._names.alarms, MAX_LOOKED_AT):
            try:
                alarm = alarms_pb2.Alarm.FromString(entry.payload)
            except ProtobufDecodeError:
                continue
            latest.pop(alarm.alarm_id, None)
            latest[alarm.alarm_id] = alarm
        found = [alarm for alarm in latest.values() if alarm.severity != alarms_pb2.SEVERITY_CLEARED]
        return sorted(found, key=lambda a: (-a.severity, -a.raised.ToNanoseconds(), a.alarm_id))


def _one_of(value: str, known: Sequence[str], otherwise: str) -> str:
    word = value.strip().lower().replace(" ", "_").removesuffix("_alarm")
    return word if word in known else otherwise
