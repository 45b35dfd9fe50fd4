"""Log lines: one JSON object a line whatever is in them, bounded, without secrets."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from twm.core.logs import MAX_MESSAGE_CHARACTERS, JsonLines
from twm.core.redis_link import redact_url


def line(message: str, *arguments: object, **extra: object) -> str:
    record = logging.LogRecord("twm.test", logging.INFO, __file__, 1, message, arguments, None)
    vars(record).update(extra)
    return JsonLines("planner").format(record)


@pytest.mark.parametrize("hostile", ["a\nb", '"}{', "\x1b[31mred\x07", "\u202eevil", "\ud800", "\x00", "%s %d"])
def test_hostile_strings_stay_inside_one_line_of_ascii(hostile: str) -> None:
    text = line("node %s", hostile)
    assert "\n" not in text
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["message"] == f"node {hostile}"


def test_lengths_are_bounded() -> None:
    text = line("%s", "x" * 1_000_000, node="y" * 10_000)
    assert len(text) < MAX_MESSAGE_CHARACTERS + 1000
    assert "(1000000 characters)" in json.loads(text)["message"]


def test_passwords_are_blotted_out_in_message_field_and_traceback() -> None:
    url = "rediss://user:hunter2@redis.example:6380/0"
    try:
        raise ConnectionError(f"cannot reach {url}")
    except ConnectionError:
        record = logging.LogRecord("twm.test", logging.ERROR, __file__, 1, "failed: %s", (url,), sys.exc_info())
    vars(record)["target"] = url
    text = JsonLines("planner").format(record)
    assert "hunter2" not in text
    assert json.loads(text)["target"] == "rediss://user:***@redis.example:6380/0"
    assert redact_url(url) == "rediss://user:***@redis.example:6380/0"
    assert redact_url("redis://localhost:6379") == "redis://localhost:6379"


def test_extra_fields_keep_numbers() -> None:
    parsed = json.loads(line("frame", step=3, ratio=0.5))
    assert (parsed["step"], parsed["ratio"], parsed["process"], parsed["level"]) == (3, 0.5, "planner", "info")
