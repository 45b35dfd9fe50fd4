"""File-ready notifications: which files a VES event names. Pure.

Forms: VES 7 domain `notification` with changeType FileReady (arrayOfNamedHashMap), VES stndDefined with notifyFileReady of
3GPP TS 28.532 (fileInfoList), and the short form that a data file collector publishes ({"filename": ...}).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twm.core.errors import InvalidInputError
from twm.core.text import shown

MAX_EVENT_BYTES = 1 << 20
MAX_FILES = 256


@dataclass(frozen=True, slots=True)
class ReadyFile:
    """One file that can be fetched."""

    name: str
    location: str
    """URL or path."""
    format: str
    """e.g. "org.3GPP.32.435#measCollec"; empty: not said."""


def ready_files(payload: bytes) -> list[ReadyFile]:
    """Files of one event or event list; empty for events about something else. Raises InvalidInputError."""
    if len(payload) > MAX_EVENT_BYTES:
        raise InvalidInputError(f"VES event: {len(payload)} bytes, more than {MAX_EVENT_BYTES}", reason="too_large")
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"VES event: not JSON: {shown(repr(payload[:60]))}", reason="malformed") from error
    files: list[ReadyFile] = []
    for event in _events(data):
        for file in _files(event):
            if len(files) >= MAX_FILES:
                raise InvalidInputError(f"VES event: more than {MAX_FILES} files", reason="too_large")
            files.append(file)
    return files


def _events(data: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(data, list):
        for item in data[:MAX_FILES]:
            yield from _events(item)
    elif isinstance(data, Mapping):
        if isinstance(data.get("eventList"), list):
            yield from _events(data["eventList"])
        else:
            event = data.get("event", data)
            if isinstance(event, Mapping):
                yield event


def _files(event: Mapping[str, Any]) -> Iterator[ReadyFile]:
    notification = event.get("notificationFields")
    if isinstance(notification, Mapping) and str(notification.get("changeType", "")).lower() == "fileready":
        for item in _list(notification.get("arrayOfNamedHashMap")):
            content = item.get("hashMap")
            if isinstance(content, Mapping):
                yield ReadyFile(_text(item, "name"), _text(content, "location"), _text(content, "fileFormatType"))
    standard = event.get("stndDefinedFields")
    if isinstance(standard, Mapping) and isinstance(standard.get("data"), Mapping):
        content = standard["data"]
        if str(content.get("notificationType", "")).lower() == "notifyfileready":
            for item in _list(content.get("fileInfoList")):
                location = _text(item, "fileLocation")
                if _text(item, "fileDataType").lower() in ("", "performance"):
                    yield ReadyFile(location.rpartition("/")[2], location, _text(item, "fileFormat"))
    name = event.get("filename", event.get("fileName"))
    if isinstance(name, str) and name:
        yield ReadyFile(name.rpartition("/")[2], name[:2048], "")


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name, "")
    return value[:2048] if isinstance(value, str) else ""
