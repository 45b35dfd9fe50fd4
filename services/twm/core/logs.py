"""Structured logs: one JSON object a line on standard error.

Strings from the network are safe in here: JSON escapes control characters and everything outside ASCII, lengths are bounded,
and passwords in URLs are blotted out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any

MAX_MESSAGE_CHARACTERS = 2000
MAX_TRACEBACK_CHARACTERS = 8000
MAX_FIELD_CHARACTERS = 300

_PASSWORD = re.compile(r"(://[^:@/\s]*:)[^@/\s]*@")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; what was passed as `extra` becomes fields."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line, ASCII only."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": _bounded(record.getMessage(), MAX_MESSAGE_CHARACTERS),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in line:
                plain = isinstance(value, int | float | bool)
                line[name] = value if plain else _bounded(str(value), MAX_FIELD_CHARACTERS)
        if record.exc_info and record.exc_info[0] is not None:
            text = self.formatException(record.exc_info)
            line["traceback"] = _PASSWORD.sub(r"\1***@", text[-MAX_TRACEBACK_CHARACTERS:])
        return json.dumps(line, ensure_ascii=True)


def configure_logging(process: str, level: str = "INFO") -> None:
    """Send every log record of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("asyncio", "httpx", "httpcore"):  # httpx writes every URL at INFO
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _bounded(text: str, limit: int) -> str:
    text = _PASSWORD.sub(r"\1***@", text)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
