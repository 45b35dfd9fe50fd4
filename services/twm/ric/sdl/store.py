"""Reading the SDL: keys are "{namespace},key" (PyPI ricsdl). Read-only; every scan bounded."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from twm.core.errors import DecodeError, InvalidInputError, TwmError, UnavailableError
from twm.core.network import NetworkSpec
from twm.core.redis_link import RedisLink
from twm.ric.nodes import Nodes
from twm.ric.sdl.rnib import NodeRecord, nb_identity, nodeb_info

E2_MANAGER = "e2Manager"
MAX_NODES = 65536
MAX_UES = 65536
_SCAN = 512
_MAX_VALUE = 4096


def sdl_url(given: str, environment: Mapping[str, str] = os.environ) -> str:
    """The configured URL, else that of the DBaaS service variables every xApp pod has; empty where there is neither."""
    if given:
        return given
    host, port = environment.get("DBAAS_SERVICE_HOST", ""), environment.get("DBAAS_SERVICE_PORT", "6379")
    return f"redis://{host.split(',')[0]}:{port.split(',')[0]}/0" if host else ""


class SdlStore:
    """The SDL behind one Redis URL."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    @classmethod
    def connect(cls, url: str, timeout_s: float = 5.0) -> SdlStore:
        """Connections are made when needed. Raises InvalidInputError for a URL that is none."""
        return cls(RedisLink(url, timeout_s))

    async def close(self) -> None:
        """Close every connection."""
        await self._link.close()

    async def inventory(self) -> list[NodeRecord]:
        """E2 nodes as the E2 manager knows them. A record that cannot be read is left out. Raises UnavailableError."""
        names: dict[str, bool] = {}
        for kind in ("GNB", "ENB"):
            for member in await self._link.call("SMEMBERS", _key(E2_MANAGER, kind)) or ():
                try:
                    identity = nb_identity(_bytes(member))
                except DecodeError:
                    continue
                if identity.ran_name and len(names) < MAX_NODES:
                    names[identity.ran_name] = identity.connected
        records = []
        for name, connected in names.items():
            data = await self._link.call("GET", _key(E2_MANAGER, f"RAN:{name}"))
            record = NodeRecord(name, connected)
            if data is not None:
                with contextlib.suppress(DecodeError):
                    record = nodeb_info(_bytes(data))
            records.append(record if record.ran_name else NodeRecord(name, connected))
        return records

    async def ue_slices(self, namespace: str, nodes: Nodes) -> tuple[dict[str, dict[str, str]], int]:
        """(slice id by UE key by node id, entries left out because node, UE or slice is not known).

        Keys of `namespace`: "<RAN name>/<UE key>"; values as `slice_of` takes them. Raises UnavailableError.
        """
        found: dict[str, dict[str, str]] = {}
        count = left_out = 0
        prefix = _key(namespace, "")
        cursor = b"0"
        while True:
            reply = await self._link.call("SCAN", cursor, "MATCH", _escaped(prefix) + "*", "COUNT", _SCAN)
            cursor, keys = _bytes(reply[0]), [_bytes(key) for key in reply[1]]
            values = await self._link.call_many([("GET", key) for key in keys]) if keys else []
            for key, value in zip(keys, values, strict=True):
                ran_name, _, ue_key = key.decode("utf-8", "replace")[len(prefix) :].partition("/")
                node_id = nodes.of_ran_name(ran_name)
                slice_id = None if isinstance(value, TwmError | None) else slice_of(_bytes(value), nodes.spec)
                if node_id is None or slice_id is None or not 0 < len(ue_key) <= 64:
                    left_out += 1
                elif count < MAX_UES:
                    found.setdefault(node_id, {})[ue_key] = slice_id
                    count += 1
            if cursor == b"0":
                return found, left_out


def slice_of(value: bytes, spec: NetworkSpec) -> str | None:
    """The slice a value names: slice id, "sst-sd", {"slice": id} or {"sst": n, "sd": hex}; as text, JSON or a MessagePack
    string (what ricxappframe writes). None where it names none."""
    text = _unpacked(value[:_MAX_VALUE])
    parsed: Any = text
    if text[:1] in ('"', "{"):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return None
    if isinstance(parsed, dict):
        if "slice" in parsed:
            parsed = str(parsed["slice"])
        else:
            parsed = f"{parsed.get('sst', '')}-{parsed.get('sd') or ''}"
    wanted = str(parsed).strip().lower()
    for entry in spec.slices:
        name = f"{entry.s_nssai.sst}-{(entry.s_nssai.sd or '').lower()}"
        if wanted in (entry.id.lower(), name, name.rstrip("-")):
            return entry.id
    return None


def _unpacked(value: bytes) -> str:
    if value and 0xA0 <= value[0] <= 0xBF and len(value) == 1 + (value[0] & 31):
        value = value[1:]
    elif value[:1] == b"\xd9" and len(value) > 1 and len(value) == 2 + value[1]:
        value = value[2:]
    return value.decode("utf-8", "replace")


def _key(namespace: str, key: str) -> str:
    if "}" in namespace or "," in namespace:
        raise InvalidInputError(f"SDL namespace {namespace[:40]!r}: holds '}}' or ','")
    return f"{{{namespace}}},{key}"


def _escaped(pattern: str) -> str:
    return "".join(f"\\{c}" if c in "*?[]\\^" else c for c in pattern)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise UnavailableError(f"SDL: unexpected reply of type {type(value).__name__}")
