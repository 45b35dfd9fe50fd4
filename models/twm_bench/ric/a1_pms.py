"""The API of the A1 Policy Management Service, versions 2 and 3 over one state, with supervision of services."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from typing import Any

import jsonschema

from twm_bench.ric.a1_std import validator
from twm_bench.ric.http_server import Request, Response

V2, V3 = "/a1-policy/v2", "/a1-policy-management/v1"


def _error(code: int, detail: str) -> Response:
    return Response(code, {"title": "Error", "status": code, "detail": detail}, media_type="application/problem+json")


class PolicyManagement:
    """Services, rics and policies."""

    def __init__(self, counts: Counter[str], rics: tuple[str, ...], *, own_ids: bool = False) -> None:
        self._counts, self._own_ids = counts, own_ids
        self.rics = dict.fromkeys(rics, "AVAILABLE")
        """State by RIC id; other than AVAILABLE: writes are 423."""
        self.types: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        """What was sent, by id, with keys of version 2."""
        self.services: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, dict[str, str]] = {}
        self._validators: dict[str, jsonschema.Draft7Validator] = {}

    def serves(self, path: str) -> bool:
        """Whether a path is of the API."""
        return path.startswith((V2 + "/", V3 + "/"))

    def offer(self, name: str, schema: dict[str, Any]) -> bool:
        """Have a policy type at every RIC."""
        self.types[name] = schema
        self._validators[name] = validator(schema)
        return True

    def put_type(self, type_id: str, body: bytes) -> tuple[int, str]:
        """Control API."""
        found = json.loads(body)
        self.offer(type_id, found.get("policySchema", found))
        return 201, "ok"

    def drop_type(self, type_id: str) -> None:
        """Control API."""
        self.types.pop(type_id, None)

    def clear(self, *, types: bool = False) -> None:
        """Forget services and policies, and the types."""
        self.policies.clear()
        self.services.clear()
        self.statuses.clear()
        if types:
            self.types.clear()

    def held(self) -> dict[str, Any]:
        """Policies by id."""
        return {policy_id: entry["policy_data"] for policy_id, entry in self.policies.items()}

    def adopt(self, policies: dict[str, Any]) -> None:
        """Hold policies of somebody else."""
        ric = next(iter(self.rics))
        self.policies.update({i: {"ric_id": ric, "service_id": "other", "policy_data": body} for i, body in policies.items()})

    def set_status(self, policy_id: str, status: str, reason: str | None) -> tuple[int, str]:
        """Control API."""
        if policy_id not in self.policies:
            return 404, "not found"
        self.statuses[policy_id] = {"enforceStatus": status} | ({"enforceReason": reason} if reason else {})
        return 200, "ok"

    def callback(self, policy_id: str) -> tuple[str, dict[str, str]]:
        """(where statuses of the policy are to be sent, its status)."""
        entry = self.policies.get(policy_id, {})
        return entry.get("status_notification_uri", ""), self.statuses.get(policy_id, {})

    def supervise(self, now_s: float) -> None:
        """Deregister services that gave no sign of life, and remove their policies."""
        for service_id, service in list(self.services.items()):
            if 0 < service["keep_alive"] < now_s - service["seen_s"]:
                self._drop_service(service_id)
                self._counts["services expired"] += 1

    def answer(self, request: Request, now_s: float) -> Response:
        """Do one request."""
        self.supervise(now_s)
        new = request.path.startswith(V3 + "/")
        parts = request.path.removeprefix(V3 if new else V2).strip("/").split("/")
        match (request.method, parts):
            case ("GET", ["status"]):
                return Response(200, {"status": "OK"})
            case ("GET", ["rics"]):
                return self._rics(new)
            case ("GET", ["policy-types"]):
                return self._types(request, new)
            case ("PUT", ["services"]):
                return self._register(json.loads(request.body), now_s, new)
            case ("PUT", ["services", service_id, "keepalive"]):
                if service_id not in self.services:
                    return _error(404, "service not found")
                self.services[service_id]["seen_s"] = now_s
                return Response(200)
            case ("DELETE", ["services", service_id]):
                if service_id not in self.services:
                    return _error(404, "service not found")
                self._drop_service(service_id)
                return Response(204)
            case ("GET", ["policies"]):
                return self._list(request, new)
            case ("PUT", ["policies"]) if not new:
                return self._put(json.loads(request.body), now_s)
            case ("POST", ["policies"]) if new:
                return self._post(json.loads(request.body), now_s)
            case (method, ["policies", policy_id]):
                return self._one(request, method, policy_id, now_s, new)
            case ("GET", ["policies", policy_id, "status"]):
                if policy_id not in self.policies:
                    return _error(404, "policy not found")
                status = self.statuses.get(policy_id, {})
                return Response(200, status if new else {"last_modified": "", "status": status})
        return _error(404, "no such path")

    def _rics(self, new: bool) -> Response:
        keys = ("ricId", "policyTypeIds") if new else ("ric_id", "policytype_ids")
        found = [{keys[0]: ric, "state": state, keys[1]: list(self.types)} for ric, state in self.rics.items()]
        return Response(200, {"rics": found})

    def _types(self, request: Request, new: bool) -> Response:
        ric = request.query.get("nearRtRicId" if new else "ric_id")
        if ric is not None and ric not in self.rics:
            return _error(404, "near-RT RIC not found")
        if not new:
            return Response(200, {"policytype_ids": list(self.types)})
        return Response(200, [{"policyTypeId": t, "nearRtRicId": r} for t in self.types for r in self.rics if ric in (None, r)])

    def _register(self, body: dict[str, Any], now_s: float, new: bool) -> Response:
        service_id = body.get("serviceId" if new else "service_id", "")
        interval = body.get("keepAliveIntervalSeconds" if new else "keep_alive_interval_seconds", 0)
        if not service_id or interval < 0:
            return _error(400, "service id or interval")
        created = service_id not in self.services
        self.services[service_id] = {"keep_alive": interval, "seen_s": now_s}
        return Response(201 if created else 200)

    def _drop_service(self, service_id: str) -> None:
        del self.services[service_id]
        for policy_id in [i for i, entry in self.policies.items() if entry.get("service_id") == service_id]:
            del self.policies[policy_id]
            self.statuses.pop(policy_id, None)

    def _list(self, request: Request, new: bool) -> Response:
        ric = request.query.get("nearRtRicId" if new else "ric_id")
        service = request.query.get("serviceId" if new else "service_id")
        found = [
            (i, entry["ric_id"])
            for i, entry in self.policies.items()
            if ric in (None, entry["ric_id"]) and service in (None, entry.get("service_id"))
        ]
        if new:
            return Response(200, [{"policyId": i, "nearRtRicId": r} for i, r in found])
        return Response(200, {"policy_ids": [i for i, _ in found]})

    def _post(self, body: dict[str, Any], now_s: float) -> Response:
        entry = {
            "ric_id": body.get("nearRtRicId"),
            "policytype_id": body.get("policyTypeId"),
            "service_id": body.get("serviceId", ""),
            "policy_data": body.get("policyObject"),
            "policy_id": uuid.uuid4().hex if self._own_ids or not body.get("policyId") else body["policyId"],
        }
        if entry["policy_id"] in self.policies:
            return _error(409, f"Policy already created with ID: {entry['policy_id']}")
        answer = self._store(entry, now_s)
        if answer.status >= 400:
            return answer
        return Response(201, body, {"Location": f"https://pms.example{V3}/policies/{entry['policy_id']}"})

    def _put(self, body: dict[str, Any], now_s: float) -> Response:
        if not all(body.get(k) for k in ("ric_id", "policy_id", "policytype_id")) or not isinstance(
            body.get("policy_data"), dict
        ):
            return _error(400, "Missing required parameter in body")
        return self._store(body, now_s)

    def _store(self, entry: dict[str, Any], now_s: float) -> Response:
        service = self.services.get(entry.get("service_id", ""))
        if service is not None:
            service["seen_s"] = now_s
        if entry["ric_id"] not in self.rics or entry["policytype_id"] not in self.types:
            return _error(404, "Near-RT RIC or policy type not found")
        if self.rics[entry["ric_id"]] != "AVAILABLE":
            return _error(423, "Near-RT RIC is not operational")
        before = self.policies.get(entry["policy_id"])
        if before is not None and (before["ric_id"], before["policytype_id"]) != (entry["ric_id"], entry["policytype_id"]):
            return _error(409, "Policy cannot change RIC or type")
        if not self._validators[entry["policytype_id"]].is_valid(entry["policy_data"]):
            return _error(400, "the policy does not fit its schema")
        self.policies[entry["policy_id"]] = entry
        self._counts["updated" if before else "created"] += 1
        return Response(200 if before else 201)

    def _one(self, request: Request, method: str, policy_id: str, now_s: float, new: bool) -> Response:
        entry = self.policies.get(policy_id)
        if entry is None:
            return _error(404, "policy not found")
        if method == "GET":
            # Version 3 of the service wraps the policy in a JSON string.
            return Response(200, json.dumps(entry["policy_data"]) if new else entry)
        if self.rics[entry["ric_id"]] != "AVAILABLE":
            return _error(423, "Near-RT RIC is not operational")
        if method == "DELETE":
            del self.policies[policy_id]
            self.statuses.pop(policy_id, None)
            self._counts["deleted"] += 1
            return Response(204)
        if method == "PUT" and new:
            answer = self._store(entry | {"policy_data": json.loads(request.body)}, now_s)
            return answer if answer.status >= 400 else Response(200, json.loads(request.body))
        return _error(405, "method not allowed")
