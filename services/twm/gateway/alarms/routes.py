"""Alarms over REST: another system posts notifications, people read what is active."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from twm.api.alarms.v1 import alarms_pb2
from twm.gateway.access import OPERATOR, VIEWER, Principal, require
from twm.gateway.alarms.book import AlarmBook, AlarmNotification

MAX_NOTIFICATIONS = 100


class AlarmBatch(BaseModel):
    """Notifications, oldest first."""

    alarms: list[AlarmNotification] = Field(min_length=1, max_length=MAX_NOTIFICATIONS)


class AlarmView(BaseModel):
    """An alarm."""

    alarm_id: str
    object: str
    severity: str
    event_type: str
    probable_cause: str
    text: str
    raised: str
    source: str
    held_back: bool = Field(description="Whether the text reads like instructions and no language model may see it.")
    signs: list[str] = Field(description="Why.")
    text_for_model: str = Field(description="What a language model sees of it.")


class AlarmAnswer(BaseModel):
    """What was taken."""

    taken: int
    held_back: int = Field(description="Texts that no language model may see.")


class AlarmList(BaseModel):
    """Active alarms, gravest first."""

    items: list[AlarmView]


def router(book: AlarmBook, clock: Callable[[], float]) -> APIRouter:
    """GET and POST /v1/alarms. `clock`: Unix [s]."""
    routes = APIRouter(tags=["alarms"])

    @routes.post("/v1/alarms", status_code=202)
    async def take(batch: AlarmBatch, who: Annotated[Principal, Depends(require(OPERATOR))]) -> AlarmAnswer:
        """Take notifications of network elements: raised, changed or cleared."""
        alarms = [book.read(reported, who.subject, clock()) for reported in batch.alarms]
        await book.add(alarms)
        return AlarmAnswer(taken=len(alarms), held_back=sum(alarm.held_back for alarm in alarms))

    @routes.get("/v1/alarms", dependencies=[Depends(require(VIEWER))])
    async def active() -> AlarmList:
        """Active alarms."""
        return AlarmList(items=[view(alarm) for alarm in await book.active()])

    return routes


def view(alarm: alarms_pb2.Alarm) -> AlarmView:
    """As it is shown to people."""
    return AlarmView(
        alarm_id=alarm.alarm_id,
        object=alarm.object,
        severity=alarms_pb2.Severity.Name(alarm.severity).removeprefix("SEVERITY_").lower(),
        event_type=alarm.event_type,
        probable_cause=alarm.probable_cause,
        text=alarm.text,
        raised=alarm.raised.ToJsonString(),
        source=alarm.source,
        held_back=alarm.held_back,
        signs=list(alarm.signs),
        text_for_model=alarm.text_for_model,
    )
