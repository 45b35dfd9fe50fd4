"""Sentences compiled by the grammar for the PoC city, on a Wednesday morning in Berlin."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec
from twm.gateway.intents.grammar import GrammarCompiler
from twm.gateway.intents.plain import to_plain
from twm.gateway.intents.told import told

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 25, 10, 30, tzinfo=BERLIN)
"""A Wednesday."""
COMPILER = GrammarCompiler()


def read(spec: NetworkSpec, text: str, now: dt.datetime = NOW) -> intent_pb2.IntentSpec:
    """What a clear sentence means."""
    result = COMPILER.compile(text, spec, now)
    assert result.HasField("spec"), [q.text for q in result.questions.items]
    return result.spec


def understood(spec: NetworkSpec, text: str) -> list[str]:
    """What a clear sentence means, as people are told."""
    return told(read(spec, text), spec, BERLIN)


def plain(spec: NetworkSpec, text: str) -> dict[str, Any]:
    """What a clear sentence means, as plain JSON with names."""
    return to_plain(read(spec, text), spec)


def codes(spec: NetworkSpec, text: str) -> set[str]:
    """Codes of the questions that a sentence raises; none where it is clear."""
    return {q.code for q in COMPILER.compile(text, spec, NOW).questions.items}


def window(spec: NetworkSpec, text: str) -> tuple[str, str]:
    """Begin and end of a clear sentence's window, month-day hour:minute in Berlin; "" where there is none."""
    found = read(spec, text).window
    ends = (found.start if found.HasField("start") else None, found.end if found.HasField("end") else None)
    stamps = ["" if end is None else f"{end.ToDatetime(dt.UTC).astimezone(BERLIN):%m-%d %H:%M}" for end in ends]
    return stamps[0], stamps[1]
