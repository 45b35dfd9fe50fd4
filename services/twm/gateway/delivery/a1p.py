"""A1-P (O-RAN.WG2.A1AP-v02, "/A1-P/v2") and the O-RAN SC A1 mediator ("/a1-p"): policy types hold policies.

The mediator differs in what it calls things: type ids are integers, which are made by PUT with a schema; writes are answered
202 without a body; an unknown type may come back as 503; a type without instances is listed as 404 by some versions.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from twm.core.errors import DecodeError
from twm.gateway.a1 import POLICY_TYPES, policy_schema
from twm.gateway.a1_inbound import TypeIds
from twm.gateway.delivery.answers import EnforceStatus, read_ids, status_of
from twm.gateway.delivery.client import A1Client
from twm.gateway.delivery.desired import Instance
from twm.gateway.delivery.peer import Answer, Outcome, PeerError, Put
from twm.gateway.delivery.urls import segment

log = logging.getLogger(__name__)


class A1P:
    """A near-RT RIC that speaks A1-P version 2."""

    kind = "a1p"
    keep_alive_s = 0.0
    own_list = False

    def __init__(self, client: A1Client) -> None:
        self._client = client
        self._types: dict[str, str] = {}

    async def open(self) -> None:
        """Learn which of our types there are. Types are not made over A1-P."""
        await self.types()

    async def types(self) -> Mapping[str, str]:
        """Our types that the RIC offers."""
        offered = set(await self._ids("types", "/policytypes", "policytypeIds", "policy_type_ids"))
        self._types = {name: known for name in POLICY_TYPES if (known := self._known_as(name)) in offered}
        return self._types

    async def listed(self) -> Mapping[str, str]:
        """Every instance of our types."""
        found: dict[str, str] = {}
        for name, known in (await self.types()).items():
            for policy_id in await self._instances(known):
                found[policy_id] = name
        return found

    async def put(self, instance: Instance, held_id: str, present: bool | None, callback_url: str) -> Put:
        """201 created, 200 updated (mediator: 202)."""
        known = self._types.get(instance.policy_type_id)
        if known is None:
            return Put(Answer(Outcome.ABSENT, reason="type_missing", detail="the RIC does not offer this policy type"))
        params = {"notificationDestination": callback_url} if callback_url else None
        path = f"/policytypes/{segment(known)}/policies/{segment(held_id)}"
        answer = await self._client.call("put", "PUT", path, params=params, content=instance.body)
        return Put(answer, held_id if answer.done else "")

    async def delete(self, policy_type_id: str, held_id: str) -> Answer:
        """204 (mediator: 202); 404 means that it is gone."""
        known = self._known_as(policy_type_id)
        answer = await self._client.call("delete", "DELETE", f"/policytypes/{segment(known)}/policies/{segment(held_id)}")
        return _gone(answer)

    async def content(self, policy_type_id: str, held_id: str) -> Any:
        """The policy as the RIC holds it."""
        known = self._known_as(policy_type_id)
        answer = await self._client.call("get", "GET", f"/policytypes/{segment(known)}/policies/{segment(held_id)}")
        if answer.outcome is Outcome.ABSENT:
            return None
        if not answer.done:
            raise PeerError(f"policy {held_id}", answer)
        return answer.body

    async def status(self, policy_type_id: str, held_id: str) -> EnforceStatus:
        """Whether it is enforced."""
        known = self._known_as(policy_type_id)
        path = f"/policytypes/{segment(known)}/policies/{segment(held_id)}/status"
        return read_status_answer(await self._client.call("status", "GET", path, tries=1), held_id)

    async def keep_alive(self) -> bool:
        """Nobody asks for it."""
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    def _known_as(self, name: str) -> str:
        return name

    async def _instances(self, known: str) -> list[str]:
        return await self._ids("list", f"/policytypes/{segment(known)}/policies", "policyIds", "policy_ids")

    async def _ids(self, operation: str, path: str, *keys: str) -> list[str]:
        answer = await self._client.call(operation, "GET", path)
        if not answer.done:
            raise PeerError(path, answer)
        try:
            return read_ids(answer.body, *keys)
        except DecodeError as error:
            raise PeerError(path, Answer(Outcome.UNKNOWN, answer.code, error.reason, str(error))) from error


class Mediator(A1P):
    """The A1 mediator of the O-RAN SC near-RT RIC."""

    kind = "oransc"

    def __init__(self, client: A1Client, type_ids: TypeIds, *, create_types: bool, bases: tuple[str, ...] = ()) -> None:
        """`create_types`: make policy types that are missing; `bases`: base URLs to try, the first that answers is taken."""
        super().__init__(client)
        self._type_ids, self._create_types, self._bases = type_ids, create_types, bases

    async def open(self) -> None:
        """Find the base path, and make the types that are missing."""
        await self._find_base()
        found = await self.types()
        if not self._create_types:
            return
        for name in self._type_ids.numbers:
            if name not in found:
                await self._create(name)
        await self.types()

    async def _find_base(self) -> None:
        for base in self._bases:
            self._client.base_url = base
            answer = await self._client.call("types", "GET", "/policytypes")
            if answer.done:
                self._bases = ()
                return
            if answer.outcome is not Outcome.ABSENT:
                raise PeerError("policytypes", answer)
        if self._bases:
            raise PeerError("policytypes", Answer(Outcome.ABSENT, 404, "http_404", f"tried {', '.join(self._bases)}"))

    async def _create(self, name: str) -> None:
        number = self._type_ids.numbers[name]
        content = json.dumps(
            {
                "name": name,
                "description": str(policy_schema(name).get("description", name)),
                "policy_type_id": number,
                "create_schema": policy_schema(name),
            }
        )
        answer = await self._client.call("create_type", "PUT", f"/policytypes/{number}", content=content)
        if answer.done:
            log.info("A1 mediator: made policy type %d (%s)", number, name)
        elif answer.code != 400:  # 400: somebody else made it meanwhile; the list tells
            raise PeerError(f"policytypes/{number}", answer)

    async def listed(self) -> Mapping[str, str]:
        """Every instance of our types; a listing of 404 is that of a type without instances."""
        return await super().listed()

    async def _instances(self, known: str) -> list[str]:
        try:
            return await super()._instances(known)
        except PeerError as error:
            if error.answer.outcome is Outcome.ABSENT:
                return []
            raise

    def _known_as(self, name: str) -> str:
        return str(self._type_ids.numbers.get(name, name))


def read_status_answer(answer: Answer, held_id: str) -> EnforceStatus:
    """The status in an answer. Raises PeerError where there is none to read."""
    if not answer.done:
        raise PeerError(f"status of {held_id}", answer)
    try:
        return status_of(answer.body)
    except DecodeError as error:
        raise PeerError(f"status of {held_id}", Answer(Outcome.UNKNOWN, answer.code, error.reason, str(error))) from error


def _gone(answer: Answer) -> Answer:
    """A DELETE of what is not there has done what was wanted."""
    if answer.outcome is Outcome.ABSENT:
        return Answer(Outcome.DONE, answer.code, answer.reason, answer.detail, seconds=answer.seconds)
    return answer
