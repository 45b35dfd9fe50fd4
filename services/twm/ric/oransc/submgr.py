"""REST of the subscription manager (ric-plt-submgr), as in ric-plt-xapp-frame: api/xapp_rest_api.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from twm.core.errors import ConflictError, InvalidInputError, UnavailableError
from twm.core.text import shown
from twm.ric.http_client import HttpClient
from twm.ric.oransc.book import Answer
from twm.ric.oransc.plan import Wanted

RESPONSE_PATH = "/ric/v1/subscriptions/response"
ACTION_ID = 1
_ERROR_FIELDS = ("ErrorCause", "ErrorSource", "TimeoutType")
MAX_INSTANCES = 64
_ID = re.compile(r"^[A-Za-z0-9_.:-]{1,128}$")


@dataclass(frozen=True, kw_only=True)
class ClientEndpoint:
    """Where the subscription manager and the E2 termination reach us."""

    host: str
    """Service name or address, e.g. "service-ricxapp-twm-rmr.ricxapp"."""
    http_port: int
    rmr_port: int


def request_body(wanted: Wanted, event_id: int, endpoint: ClientEndpoint, subscription_id: str = "") -> dict[str, Any]:
    """SubscriptionParams. An empty SubscriptionId asks for a new one."""
    return {
        "SubscriptionId": subscription_id,
        "ClientEndpoint": {"Host": endpoint.host, "HTTPPort": endpoint.http_port, "RMRPort": endpoint.rmr_port},
        "Meid": wanted.ran_name,
        "RANFunctionID": wanted.function_id,
        "SubscriptionDetails": [
            {
                "XappEventInstanceId": event_id,
                "EventTriggers": list(wanted.event_trigger),
                "ActionToBeSetupList": [
                    {
                        "ActionID": ACTION_ID,
                        "ActionType": "report",
                        "ActionDefinition": list(wanted.action_definition),
                    }
                ],
            }
        ],
    }


def parse_response(body: Any) -> list[Answer]:
    """The instances of a callback body (SubscriptionResponse). Raises InvalidInputError naming the field."""
    if not isinstance(body, Mapping):
        raise InvalidInputError(f"SubscriptionResponse: {type(body).__name__}, expected an object")
    subscription_id = _text_id(body.get("SubscriptionId"))
    instances = body.get("SubscriptionInstances") or []
    if not isinstance(instances, list) or len(instances) > MAX_INSTANCES:
        raise InvalidInputError(f"SubscriptionInstances: expected a list of at most {MAX_INSTANCES}")
    answers = []
    for instance in instances:
        if not isinstance(instance, Mapping):
            raise InvalidInputError("SubscriptionInstances: one is no object")
        answers.append(
            Answer(
                subscription_id=subscription_id,
                event_id=_number(instance, "XappEventInstanceId"),
                sub_id=_number(instance, "E2EventInstanceId"),
                error="; ".join(
                    shown(str(instance[name]), 160)
                    for name in ("ErrorCause", "ErrorSource", "TimeoutType")
                    if instance.get(name)
                ),
            )
        )
    return answers


class SubscriptionManager:
    """Calls of /ric/v1/subscriptions below a base URL such as http://service-ricplt-submgr-http.ricplt:8088."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def subscribe(self, body: Mapping[str, Any]) -> tuple[str, list[Answer]]:
        """POST: the SubscriptionId, and what is said of its instances already (the callback says it, but for old managers).

        Raises UnavailableError where it may work later (503: the E2 node is not connected), ConflictError for 404 (the id in
        the body is not known any more) and InvalidInputError for what this request cannot be (400).
        """
        answer = await self._client.call("POST", "/ric/v1/subscriptions", body)
        if answer.status in (200, 201):
            data = answer.json()
            subscription_id = _text_id(data.get("SubscriptionId") if isinstance(data, Mapping) else None)
            return subscription_id, [found for found in parse_response(data) if found.sub_id > 0]
        said = shown(answer.body.decode("utf-8", "replace"), 160)
        if answer.status == 404:
            raise ConflictError(f"subscription manager: HTTP 404 {said}")
        if answer.status == 400:
            raise InvalidInputError(f"subscription manager: HTTP 400 {said}")
        why = ": the E2 node is not connected" if answer.status == 503 else ""
        raise UnavailableError(f"subscription manager: HTTP {answer.status}{why} {said}", reason=f"http_{answer.status}")

    async def unsubscribe(self, subscription_id: str) -> bool:
        """DELETE: whether it is gone. False where it is to be tried again. Raises UnavailableError."""
        answer = await self._client.call("DELETE", f"/ric/v1/subscriptions/{quote(subscription_id, safe='')}")
        return answer.status in (200, 202, 204, 404)

    async def known(self) -> set[int] | None:
        """GET: E2 event instance ids the manager holds, of all xApps; None where it does not say. Raises UnavailableError."""
        answer = await self._client.call("GET", "/ric/v1/subscriptions")
        if answer.status != 200:
            return None
        data = answer.json()
        if not isinstance(data, list):
            return set() if data is None else None
        held: set[int] = set()
        for item in data:
            if isinstance(item, Mapping):
                value = item.get("SubscriptionId")
                if isinstance(value, int):
                    held.add(value)
                for instance in item.get("SubscriptionInstances") or ():
                    if isinstance(instance, Mapping) and isinstance(instance.get("E2EventInstanceId"), int):
                        held.add(instance["E2EventInstanceId"])
        return held


def _text_id(value: Any) -> str:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _ID.match(text):
        raise InvalidInputError(f"SubscriptionId: {shown(repr(value), 60)} is not an id")
    return text


def _number(instance: Mapping[str, Any], name: str) -> int:
    value = instance.get(name, 0)
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 11:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise InvalidInputError(f"{name}: {shown(repr(value), 40)} is not a whole number from 0")
    return value
