"""The A1 Policy Management Service of the non-RT RIC, version 2 ("/a1-policy/v2") and 3 ("/a1-policy-management/v1").

It stands between rApps and many near-RT RICs. We register as a service with a keep-alive interval: when our signs of life
end, it removes every policy of ours by itself, which is our dead-man's switch. Both versions hold policies by id over all
types; what is ours is told by the service id.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from twm.core.errors import DecodeError
from twm.gateway.a1 import POLICY_TYPES
from twm.gateway.a1_inbound import TypeIds
from twm.gateway.delivery.a1p import read_status_answer
from twm.gateway.delivery.answers import EnforceStatus, read_content, read_ids
from twm.gateway.delivery.client import A1Client
from twm.gateway.delivery.desired import Instance
from twm.gateway.delivery.peer import Answer, Outcome, PeerError, Put
from twm.gateway.delivery.urls import segment

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServiceInfo:
    """How we are known to the service."""

    service_id: str
    ric_id: str
    """Near-RT RIC that the policies are for."""
    keep_alive_s: float
    """Interval after which our policies are removed where no sign of life came [s]; > 0."""
    callback_url: str = ""
    """Where it tells that a RIC is available again; empty: nowhere."""


class Pms2:
    """Version 2: snake case; one PUT creates and updates."""

    kind = "pms2"
    own_list = True
    _names: Mapping[str, str] = {
        "service_id": "service_id",
        "callback_url": "callback_url",
        "keep_alive": "keep_alive_interval_seconds",
        "ric": "ric_id",
        "type_ids": "policytype_ids",
        "type_id": "policytype_id",
        "policy_ids": "policy_ids",
        "policy_id": "policy_id",
    }

    def __init__(self, client: A1Client, info: ServiceInfo, type_ids: TypeIds) -> None:
        self._client, self._info, self._type_ids = client, info, type_ids
        self.keep_alive_s = info.keep_alive_s
        self._types: dict[str, str] = {}

    async def open(self) -> None:
        """Register; anew is harmless, and retains the policies."""
        names, info = self._names, self._info
        body = {
            names["service_id"]: info.service_id,
            names["keep_alive"]: max(1, round(info.keep_alive_s)),
            names["callback_url"]: info.callback_url,
        }
        answer = await self._client.call("register", "PUT", "/services", content=json.dumps(body))
        if not answer.done:
            raise PeerError("services", answer)
        await self.types()

    async def types(self) -> Mapping[str, str]:
        """Our types that the RIC offers, by name, else by the number an O-RAN SC RIC gives them."""
        names = self._names
        answer = await self._client.call("types", "GET", "/policy-types", params={names["ric"]: self._info.ric_id})
        if not answer.done:
            raise PeerError("policy-types", answer)
        offered = set(self._read_ids(answer, names["type_ids"], names["type_id"]))
        self._types = {}
        for name in POLICY_TYPES:
            number = str(self._type_ids.numbers.get(name, ""))
            if name in offered or number in offered:
                self._types[name] = name if name in offered else number
        return self._types

    async def listed(self) -> Mapping[str, str]:
        """Ours."""
        await self.types()
        params = {self._names["service_id"]: self._info.service_id, self._names["ric"]: self._info.ric_id}
        answer = await self._client.call("list", "GET", "/policies", params=params)
        if not answer.done:
            raise PeerError("policies", answer)
        return dict.fromkeys(self._read_ids(answer, self._names["policy_ids"], self._names["policy_id"]), "")

    async def put(self, instance: Instance, held_id: str, present: bool | None, callback_url: str) -> Put:
        """201 created, 200 updated."""
        known = self._types.get(instance.policy_type_id)
        if known is None:
            return Put(_type_missing())
        content = json.dumps(
            {
                "ric_id": self._info.ric_id,
                "policy_id": held_id,
                "policytype_id": known,
                "service_id": self._info.service_id,
                "transient": False,
                "status_notification_uri": callback_url,
                "policy_data": json.loads(instance.body),
            }
        )
        answer = await self._client.call("put", "PUT", "/policies", content=content)
        return Put(answer, held_id if answer.done else "")

    async def delete(self, policy_type_id: str, held_id: str) -> Answer:
        """204 (200 in the description); 404 means that it is gone."""
        answer = await self._client.call("delete", "DELETE", f"/policies/{segment(held_id)}")
        if answer.outcome is Outcome.ABSENT:
            return Answer(Outcome.DONE, answer.code, answer.reason, answer.detail, seconds=answer.seconds)
        return answer

    async def content(self, policy_type_id: str, held_id: str) -> Any:
        """The policy as the service holds it."""
        answer = await self._client.call("get", "GET", f"/policies/{segment(held_id)}")
        if answer.outcome is Outcome.ABSENT:
            return None
        if not answer.done:
            raise PeerError(f"policy {held_id}", answer)
        return self._content(answer.body)

    async def status(self, policy_type_id: str, held_id: str) -> EnforceStatus:
        """Whether the RIC enforces it."""
        path = f"/policies/{segment(held_id)}/status"
        return read_status_answer(await self._client.call("status", "GET", path, tries=1), held_id)

    async def keep_alive(self) -> bool:
        """A sign of life."""
        path = f"/services/{segment(self._info.service_id)}/keepalive"
        answer = await self._client.call("keep_alive", "PUT", path)
        if answer.outcome is Outcome.ABSENT:
            return False
        if not answer.done:
            raise PeerError("keepalive", answer)
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    def _content(self, body: Any) -> Any:
        return read_content(body, "policy_data")

    def _read_ids(self, answer: Answer, *keys: str) -> list[str]:
        try:
            return read_ids(answer.body, *keys)
        except DecodeError as error:
            raise PeerError("list", Answer(Outcome.UNKNOWN, answer.code, error.reason, str(error))) from error


class Pms3(Pms2):
    """Version 3: camel case; POST creates, PUT with the bare policy updates. Some versions take no id of ours and
    tell theirs in the Location header; it is kept with the delivery."""

    kind = "pms3"
    _names: Mapping[str, str] = {
        "service_id": "serviceId",
        "callback_url": "callbackUrl",
        "keep_alive": "keepAliveIntervalSeconds",
        "ric": "nearRtRicId",
        "type_ids": "policyTypeIds",
        "type_id": "policyTypeId",
        "policy_ids": "policyIds",
        "policy_id": "policyId",
    }

    async def put(self, instance: Instance, held_id: str, present: bool | None, callback_url: str) -> Put:
        """PUT 200 where there is one, else POST 201; either turns to the other where things were not as they seemed."""
        known = self._types.get(instance.policy_type_id)
        if known is None:
            return Put(_type_missing())
        if present is not False:
            answer = await self._client.call("put", "PUT", f"/policies/{segment(held_id)}", content=instance.body)
            if answer.outcome is not Outcome.ABSENT:
                return Put(answer, held_id if answer.done else "")
        content = json.dumps(
            {
                "nearRtRicId": self._info.ric_id,
                "policyId": instance.remote_id,
                "policyTypeId": known,
                "serviceId": self._info.service_id,
                "transient": False,
                "policyObject": json.loads(instance.body),
            }
        )
        answer = await self._client.call("put", "POST", "/policies", content=content)
        if answer.outcome is Outcome.CONFLICT:  # made by a request whose answer was lost
            path = f"/policies/{segment(instance.remote_id)}"
            answer = await self._client.call("put", "PUT", path, content=instance.body)
        return Put(answer, (_last_segment(answer.location) or instance.remote_id) if answer.done else "")

    def _content(self, body: Any) -> Any:
        return read_content(body)


def _last_segment(location: str) -> str:
    """Id at the end of a Location; "" where there is none. Only its path counts: nothing is ever sent to where it points."""
    try:
        path = urlsplit(location).path.rstrip("/")
    except ValueError:
        return ""
    found = unquote(path.rpartition("/")[2])
    return found if 1 <= len(found) <= 256 and found.isprintable() and path.count("/policies/") else ""


def _type_missing() -> Answer:
    return Answer(Outcome.ABSENT, reason="type_missing", detail="the RIC does not offer this policy type")
