"""Which E2 nodes are connected, and under which ids they serve E2SM-KPM, RC and CCC: from the E2 manager's REST or the SDL."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from twm.core.errors import DecodeError, InvalidInputError, UnavailableError
from twm.ric.e2sm.kpm_function import KpmFunction, decode_kpm_function
from twm.ric.http_client import HttpClient
from twm.ric.sdl.rnib import NodeRecord, RanFunction

log = logging.getLogger(__name__)

DETAILS_S = 120.0
"""How long a connected node's RAN functions are taken for unchanged."""

Model = Literal["kpm", "rc", "ccc"]
_OID = re.compile(r"^1\.3\.6\.1\.4\.1\.53148\.1\.(\d{1,5})\.2\.(\d{1,5})$", re.ASCII)
_MODEL_OF_OID: Mapping[int, Model] = {2: "kpm", 3: "rc", 4: "ccc"}
_NAMES: Mapping[Model, bytes] = {"kpm": b"ORAN-E2SM-KPM", "rc": b"ORAN-E2SM-RC", "ccc": b"ORAN-E2SM-CCC"}


@dataclass(frozen=True, slots=True)
class Functions:
    """RAN functions of one node, as far as it says which they are."""

    kpm: int | None = None
    rc: int | None = None
    ccc: int | None = None
    kpm_oid: str = ""
    """Object identifier of E2SM-KPM and its version; empty: not told."""
    kpm_definition: KpmFunction | None = None
    """What E2SM-KPM of the node can report; None: not told, or not readable."""


def functions_of(functions: Sequence[RanFunction]) -> Functions:
    """Service models by object identifier (O-RAN 53148.1.<version>.2.<model>), else by short name in the definition."""
    found: dict[Model, RanFunction] = {}
    for function in functions:
        match = _OID.match(function.oid.strip())
        model = _MODEL_OF_OID.get(int(match[2])) if match else None
        if model is None:
            model = next((name for name, text in _NAMES.items() if text in function.definition), None)
        if model is not None:
            found.setdefault(model, function)
    numbers = {model: function.function_id for model, function in found.items()}
    kpm = found.get("kpm")
    definition = None
    if kpm is not None and kpm.definition:
        try:
            definition = decode_kpm_function(kpm.definition)
        except DecodeError as error:
            log.warning("RAN function %d: definition not read: %s", kpm.function_id, error)
    oid = (kpm.oid.strip() if kpm else "") or (definition.oid if definition else "")
    return Functions(numbers.get("kpm"), numbers.get("rc"), numbers.get("ccc"), oid, definition)


class E2Manager:
    """REST of the E2 manager (ric-plt-e2mgr), such as http://service-ricplt-e2mgr-http.ricplt:3800."""

    def __init__(self, client: HttpClient, now_s: Callable[[], float] = time.monotonic) -> None:
        self._client, self._now_s = client, now_s
        self._known: dict[str, tuple[float, NodeRecord]] = {}
        """Details by RAN name, and until when they count: they are one call a node."""

    async def inventory(self, names: Sequence[str]) -> list[NodeRecord]:
        """Nodes of these RAN names, as far as the E2 manager knows them. Raises UnavailableError."""
        answer = await self._client.call("GET", "/v1/nodeb/states")
        if answer.status != 200:
            raise UnavailableError(f"E2 manager: HTTP {answer.status} to /v1/nodeb/states")
        listed = answer.json()
        if not isinstance(listed, list):
            raise UnavailableError("E2 manager: /v1/nodeb/states is no list")
        states = {
            str(item.get("inventoryName")): str(item.get("connectionStatus")) for item in listed if isinstance(item, Mapping)
        }
        records = []
        for name in names:
            if name not in states:
                continue
            if states[name] != "CONNECTED":
                self._known.pop(name, None)
                records.append(NodeRecord(name, False))
                continue
            until_s, details = self._known.get(name, (0.0, None))
            if details is None or self._now_s() >= until_s:
                details = await self._details(name) or NodeRecord(name, True)
                if details.functions:
                    self._known[name] = self._now_s() + DETAILS_S, details
            records.append(details)
        return records

    async def _details(self, name: str) -> NodeRecord | None:
        answer = await self._client.call("GET", f"/v1/nodeb/{quote(name, safe='')}")
        if answer.status != 200:
            return None
        try:
            return record_of(answer.json())
        except InvalidInputError:
            return None


def record_of(body: Any) -> NodeRecord:
    """A node of the E2 manager's JSON. Raises InvalidInputError."""
    if not isinstance(body, Mapping):
        raise InvalidInputError("nodeb: not an object")
    gnb = body.get("gnb") if isinstance(body.get("gnb"), Mapping) else {}
    functions: list[RanFunction] = []
    for item in (gnb or {}).get("ranFunctions") or ():
        if not isinstance(item, Mapping) or len(functions) >= 256:
            continue
        try:
            definition = bytes.fromhex(str(item.get("ranFunctionDefinition") or ""))
        except ValueError:
            definition = b""
        number, revision = item.get("ranFunctionId", 0), item.get("ranFunctionRevision", 0)
        if isinstance(number, int) and 0 <= number <= 4095:
            oid = str(item.get("ranFunctionOid") or item.get("ranFunctionOID") or "")[:128]
            functions.append(RanFunction(number, definition, revision if isinstance(revision, int) else 0, oid))
    connected = body.get("connectionStatus") == "CONNECTED"
    return NodeRecord(str(body.get("ranName") or "")[:64], connected, tuple(functions))
