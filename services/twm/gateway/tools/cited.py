"""What an agent's text may cite: the numbers its tools answered with, those it put into its plans, and those of the task.

Units come from the names of fields (`_ms`, `_mbps`, `_ratio`, ...), subjects from the slices, zones, cells and links on the way
to a number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from twm.core.network import NetworkSpec
from twm.gateway.explain.facts import Fact, Facts
from twm.gateway.explain.tokens import Token, read_numbers
from twm.gateway.tools.declarations import BY_NAME

MAX_NUMBERS = 5000
MAX_QUOTE = 500
_UNITS: tuple[tuple[str, str], ...] = (
    ("_ms", "ms"),
    ("_mbps", "Mbps"),
    ("_s", "s"),
    ("ratio", "ratio"),
    ("probability", "probability"),
    ("share", "share"),
    ("change", "points"),
    ("scm", "scm"),
    ("score", "score"),
    ("disagreement", "scm"),
    ("steps", "steps"),
    ("step", "step"),
    ("offsets", "steps"),
)
_TASK_UNITS = {"%": ("ratio", 0.01), "points": ("points", 0.01), "ms": ("ms", 1.0), "s": ("s", 1.0), "Mbps": ("Mbps", 1.0),
               "steps": ("steps", 1.0)}  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9][\w.:/ @-]{0,63}")


def cited_facts(task: str, exchanges: Sequence[tuple[str, str]], spec: NetworkSpec) -> Facts:
    """Facts of a session. `exchanges`: (arguments as JSON, answer as JSON) of each call."""
    subjects = frozenset(e.id for group in (spec.slices, spec.zones, spec.cells, spec.transport.links) for e in group)
    numbers = list(_of_task(task))
    names: set[str] = {*subjects, *BY_NAME, spec.name, spec.area_id}
    quotes: list[str] = []
    for i, texts in enumerate(exchanges):
        for side, text in zip(("asked", "told"), texts, strict=True):
            try:
                value = json.loads(text or "{}")
            except (ValueError, RecursionError):
                continue
            for path, found in _leaves(value, ()):
                if isinstance(found, str):
                    if len(found) <= MAX_QUOTE and side == "told":
                        quotes.append(found)
                    if _ID.fullmatch(found):
                        names.add(found)
                elif not isinstance(found, bool) and math.isfinite(found) and len(numbers) < MAX_NUMBERS:
                    numbers.append(_fact(f"{side}.{i}." + ".".join(path), path, float(found), subjects))
    return Facts(tuple(numbers), frozenset(names), subjects, tuple(q for q in quotes if any(c.isdigit() for c in q)))


def _fact(name: str, path: tuple[str, ...], value: float, subjects: frozenset[str]) -> Fact:
    key = next((p for p in reversed(path) if not p.isdecimal() and p not in subjects), "")
    unit = next((unit for end, unit in _UNITS if key.endswith(end)), "")
    if not unit:
        usual = "count" if value.is_integer() else "number"
        unit = next((unit for part, unit in _UNITS if not part.startswith("_") and part in key), usual)
    return Fact(name[:200], value, unit, frozenset(path) & subjects, unit == "points")


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    items: Iterable[tuple[str, Any]]
    if isinstance(value, dict):
        items = ((str(k), v) for k, v in value.items())
    elif isinstance(value, list):
        items = ((str(i), v) for i, v in enumerate(value))
    else:
        if isinstance(value, str | int | float):
            yield path, value
        return
    for name, entry in items:
        yield from _leaves(entry, (*path, name))


def _of_task(task: str) -> Iterator[Fact]:
    """Numbers of the task, in the unit they are said in, to be repeated as they are."""
    tokens, _ = read_numbers(task)
    for i, token in enumerate(tokens):
        yield from _said(i, token)


def _said(i: int, token: Token) -> Iterator[Fact]:
    if token.unit in _TASK_UNITS:
        unit, factor = _TASK_UNITS[token.unit]
        yield Fact(f"task.{i}", token.value * factor, unit)
        if token.unit == "%":
            yield Fact(f"task.{i}.points", token.value * factor, "points", is_change=True)
    elif token.before in ("step", "steps"):
        yield Fact(f"task.{i}", token.value, "step")
    else:
        yield Fact(f"task.{i}", token.value, "count" if token.decimals <= 0 else "number")
