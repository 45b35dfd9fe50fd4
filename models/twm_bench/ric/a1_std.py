"""The A1-P API of version 2.0.0 and the A1 mediator's of 2.1.0, held in memory."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import jsonschema

from twm_bench.ric.http_server import Request, Response

NUMBERS = {
    "ORAN_SliceSLATarget_1.0.0": 20101,
    "ORAN_SliceSLATarget_3.0.0": 20103,
    "twm_RRMPolicyRatio_1.0.0": 20110,
}


def validator(schema: dict[str, Any]) -> jsonschema.Draft7Validator:
    """With references resolved beforehand: following them takes most of the time."""

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(item) for item in part]
        if not isinstance(part, dict):
            return part
        if str(part.get("$ref", "")).startswith("#/definitions/"):
            return inlined(schema["definitions"][part["$ref"].removeprefix("#/definitions/")])
        return {key: inlined(value) for key, value in part.items() if key != "definitions"}

    return jsonschema.Draft7Validator(inlined(schema))


def _problem(code: int, title: str) -> Response:
    return Response(code, {"title": title, "status": code}, media_type="application/problem+json")


class Standard:
    """A1-P v2: policy types under names; 201 and 200 with the policy; problem+json."""

    def __init__(self, counts: Counter[str], base: str) -> None:
        self._counts, self._base = counts, base
        self.types: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        """Policies by type and id."""
        self.statuses: dict[str, dict[str, str]] = {}
        self.callbacks: dict[str, str] = {}
        self._validators: dict[str, jsonschema.Draft7Validator] = {}

    def serves(self, path: str) -> bool:
        """Whether a path is of the A1 API."""
        return path == self._base or path.startswith(self._base + "/")

    def offer(self, name: str, schema: dict[str, Any]) -> bool:
        """Have a policy type; False where this API's are made over it."""
        self._have(name, {"policySchema": schema, "statusSchema": {"type": "object"}}, schema)
        return True

    def put_type(self, type_id: str, body: bytes) -> tuple[int, str]:
        """Control API."""
        found = json.loads(body)
        if "policySchema" not in found:
            return 400, "The policy type atribute policySchema is missing"
        self._have(type_id, found, found["policySchema"])
        return 201, f"Policy type {type_id} is OK."

    def drop_type(self, type_id: str) -> None:
        """Control API."""
        self.types.pop(type_id, None)
        self.policies.pop(type_id, None)

    def clear(self, *, types: bool = False) -> None:
        """Forget the policies, and the types."""
        for held in self.policies.values():
            held.clear()
        self.statuses.clear()
        self.callbacks.clear()
        if types:
            self.types.clear()
            self.policies.clear()

    def held(self) -> dict[str, Any]:
        """Policies by id."""
        return {policy_id: body for held in self.policies.values() for policy_id, body in held.items()}

    def adopt(self, policies: dict[str, Any]) -> None:
        """Hold policies of somebody else, under the first type."""
        self.policies[next(iter(self.types))].update(policies)

    def set_status(self, policy_id: str, status: str, reason: str | None) -> tuple[int, str]:
        """Control API."""
        if policy_id not in self.statuses:
            return 404, f"Policyid: {policy_id} not found."
        self.statuses[policy_id] = {"enforceStatus": status} | ({"enforceReason": reason} if reason else {})
        return 200, f"Status set to {status} for policy: {policy_id}"

    def callback(self, policy_id: str) -> tuple[str, dict[str, str]]:
        """(where statuses of the policy are to be sent, its status)."""
        return self.callbacks.get(policy_id, ""), self.statuses.get(policy_id, {})

    def answer(self, request: Request, now_s: float) -> Response:
        """Do one request."""
        parts = request.path.removeprefix(self._base).strip("/").split("/")
        if parts[0] != "policytypes":
            return self._elsewhere(request, parts)
        match parts[1:]:
            case []:
                return Response(200, self._type_ids()) if request.method == "GET" else _problem(405, "Method not allowed")
            case [type_id]:
                return self._type(request, type_id)
            case [type_id, "policies"]:
                return self._list(type_id)
            case [type_id, "policies", policy_id]:
                return self._policy(request, type_id, policy_id)
            case [type_id, "policies", policy_id, "status"]:
                if policy_id not in self.policies.get(type_id, {}):
                    return self._absent("The requested policy does not exist.")
                return Response(200, self.statuses[policy_id])
        return self._absent("no such path")

    def _have(self, type_id: str, entry: dict[str, Any], schema: dict[str, Any]) -> None:
        self.types[type_id] = entry
        self.policies.setdefault(type_id, {})
        self._validators[type_id] = validator(schema)

    def _elsewhere(self, request: Request, parts: list[str]) -> Response:
        return self._absent("no such path")

    def _type_ids(self) -> list[Any]:
        return list(self.types)

    def _type(self, request: Request, type_id: str) -> Response:
        if request.method != "GET":
            return _problem(405, "Method not allowed")
        return Response(200, self.types[type_id]) if type_id in self.types else self._absent("The policy type does not exist.")

    def _list(self, type_id: str) -> Response:
        if type_id not in self.types:
            return self._absent("The policy type does not exist.")
        return Response(200, list(self.policies[type_id]))

    def _policy(self, request: Request, type_id: str, policy_id: str) -> Response:
        if type_id not in self.types:
            return self._no_type()
        held = self.policies[type_id]
        if request.method == "PUT":
            return self._put(request, type_id, policy_id)
        if policy_id not in held:
            return self._absent("The requested policy does not exist.")
        if request.method == "DELETE":
            del held[policy_id]
            self.statuses.pop(policy_id, None)
            self.callbacks.pop(policy_id, None)
            self._counts["deleted"] += 1
            return self._deleted()
        return Response(200, held[policy_id])

    def _put(self, request: Request, type_id: str, policy_id: str) -> Response:
        try:
            body = json.loads(request.body)
        except ValueError:
            return self._bad("The policy is corrupt or missing.")
        if not self._validators[type_id].is_valid(body):
            return self._bad("The policy does not fit its schema.")
        if any(policy_id in held for other, held in self.policies.items() if other != type_id):
            return self._bad("The policy id already exist for other policy type.")
        created = policy_id not in self.policies[type_id]
        self.policies[type_id][policy_id] = body
        self.statuses[policy_id] = self._first_status()
        self.callbacks[policy_id] = request.query.get("notificationDestination", "")
        self._counts["created" if created else "updated"] += 1
        return self._written(request, type_id, policy_id, body, created)

    def _first_status(self) -> dict[str, str]:
        return {"enforceStatus": "", "enforceReason": ""}

    def _written(self, request: Request, type_id: str, policy_id: str, body: Any, created: bool) -> Response:
        location = f"{self._base}/policytypes/{type_id}/policies/{policy_id}"
        return Response(201, body, {"Location": location}) if created else Response(200, body)

    def _deleted(self) -> Response:
        return Response(204)

    def _absent(self, title: str) -> Response:
        return _problem(404, title)

    def _no_type(self) -> Response:
        return self._absent("The policy type does not exist.")

    def _bad(self, title: str) -> Response:
        return _problem(400, title)


class Mediator(Standard):
    """The O-RAN SC A1 mediator: integer type ids made over the API, 202 without a body, bare codes."""

    def offer(self, name: str, schema: dict[str, Any]) -> bool:
        """Types are made over the API."""
        return False

    def put_type(self, type_id: str, body: bytes) -> tuple[int, str]:
        """Control API."""
        found = json.loads(body)
        if not type_id.isdigit() or not {"name", "description", "policy_type_id", "create_schema"} <= found.keys():
            return 400, "The policy type missing atributes"
        self._have(type_id, found, found["create_schema"])
        return 201, f"Policy type {type_id} is OK."

    def _elsewhere(self, request: Request, parts: list[str]) -> Response:
        return Response(200) if parts == ["healthcheck"] else Response(404)

    def _type_ids(self) -> list[Any]:
        return [int(type_id) for type_id in self.types]

    def _type(self, request: Request, type_id: str) -> Response:
        if not type_id.isdigit() or not 1 <= int(type_id) <= 2**31 - 1:
            return Response(400)
        if request.method == "PUT":
            found = json.loads(request.body)
            if type_id in self.types or found.get("policy_type_id") != int(type_id) or "create_schema" not in found:
                return Response(400)
            self._have(type_id, found, found["create_schema"])
            self._counts["types created"] += 1
            return Response(201)
        return Response(200, self.types[type_id]) if type_id in self.types else Response(404)

    def _list(self, type_id: str) -> Response:
        if not self.policies.get(type_id):
            return Response(404)
        return super()._list(type_id)

    def _first_status(self) -> dict[str, str]:
        return {"instance_status": "NOT IN EFFECT", "has_been_deleted": "false", "created_at": "01/01/2026, 00:00:00"}

    def set_status(self, policy_id: str, status: str, reason: str | None) -> tuple[int, str]:
        """Control API: "ENFORCED" is spelled as the mediator does."""
        code, words = super().set_status(policy_id, status.replace("_", " "), reason)
        return code, words

    def _written(self, request: Request, type_id: str, policy_id: str, body: Any, created: bool) -> Response:
        return Response(202)

    def _deleted(self) -> Response:
        return Response(202)

    def _absent(self, title: str) -> Response:
        return Response(404)

    def _no_type(self) -> Response:
        return Response(503)

    def _bad(self, title: str) -> Response:
        return Response(400)
