"""A tool session: one caller, one moment of the network, so many calls and seconds; every call ends up in the audit log.

A call never raises for what a tool or a peer did wrong: the error is its answer, so that an agent can go on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import grpc

from twm.core import metrics
from twm.core.clock import Clock
from twm.core.digest import digest_bytes, digest_message, digest_of
from twm.core.errors import InvalidInputError, TwmError
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams
from twm.core.text import clean
from twm.gateway.audit import Event
from twm.gateway.canonical import canonical_json
from twm.gateway.recorder import Recorder
from twm.gateway.tools.answers import Asked, Toolbox, Twin, World
from twm.gateway.tools.declarations import BY_NAME, find_tool
from twm.gateway.tools.state import ToolState
from twm.gateway.trace.record import step_fields

MAX_ANSWER_CHARACTERS = 64 * 1024
MAX_TOLD_ARGUMENTS = 2000


@dataclass(frozen=True, kw_only=True)
class SessionLimits:
    """What a session may spend."""

    max_calls: int = 12
    budget_s: float = 30.0
    """Time of all calls together [s]."""
    call_timeout_s: float = 6.0
    """Longest one may take [s]."""


@dataclass(frozen=True)
class ToolAnswer:
    """What a tool said."""

    ok: bool
    text: str
    """Canonical JSON: the answer, or {"error": ...}."""


@dataclass(frozen=True, kw_only=True)
class ToolDeps:
    """What sessions are made of."""

    spec: NetworkSpec
    streams: Streams
    names: StreamNames
    world: World
    twin: Twin
    recorder: Recorder
    clock: Clock


class ToolSession:
    """Calls tools for one caller. Make one with `open`, end it with `close`."""

    def __init__(self, deps: ToolDeps, state: ToolState, subject: str, purpose: str, limits: SessionLimits) -> None:
        self._deps, self.limits = deps, limits
        self._subject, self._purpose = clean(subject, 128).text, clean(purpose, 200).text
        self._toolbox = Toolbox(deps.spec, deps.streams, deps.names, deps.world, deps.twin, state)
        self.state = state
        self._began = deps.clock.monotonic_s()
        self._steps: list[dict[str, Any]] = []

    @classmethod
    async def open(cls, deps: ToolDeps, subject: str, purpose: str, limits: SessionLimits | None = None) -> ToolSession:
        """A session on the newest frame. Raises UnavailableError where there is none."""
        state = await ToolState.read(deps.streams, deps.names, deps.spec)
        return cls(deps, state, subject, purpose, limits or SessionLimits())

    @property
    def spec(self) -> NetworkSpec:
        """The network it is about."""
        return self._deps.spec

    @property
    def calls(self) -> int:
        """Calls so far."""
        return len(self._steps)

    @property
    def left_s(self) -> float:
        """Time left [s]."""
        return self.limits.budget_s - (self._deps.clock.monotonic_s() - self._began)

    async def call(self, name: str, arguments: str | dict[str, Any]) -> ToolAnswer:
        """Call a tool. Errors are answers."""
        asked = Asked()
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, default=str)
        asked.step.inputs["arguments"] = digest_bytes(text.encode("utf-8", "replace"))
        asked.step.note = clean(name, 64).text
        outcome = "ok"
        try:
            if self.calls >= self.limits.max_calls:
                raise InvalidInputError(f"session: {self.calls} calls were made, no more are allowed", reason="budget")
            if self.left_s <= 0:
                raise InvalidInputError(f"session: its {self.limits.budget_s:g} s are over", reason="budget")
            form = find_tool(name).parse(arguments)
            found = await self._toolbox.answer(form, asked, min(self.limits.call_timeout_s, self.left_s))
            answer = canonical_json(found)
            if len(answer) > MAX_ANSWER_CHARACTERS:
                raise InvalidInputError(f"{name}: the answer has {len(answer)} characters, at most {MAX_ANSWER_CHARACTERS}")
        except TwmError as error:
            outcome, answer = error.reason, _error(str(error))
        except grpc.aio.AioRpcError as error:
            outcome, answer = error.code().name.lower(), _error(f"{error.code().name}: {error.details() or ''}")
        asked.step.outputs["answer"] = digest_bytes(answer.encode("utf-8", "replace"))
        if outcome != "ok":
            asked.step.error = clean(answer, 300).text
        fields = step_fields(asked.step)
        self._steps.append({**fields, "arguments": clean(text, MAX_TOLD_ARGUMENTS).text})
        metrics.TOOL_CALLS.labels(name if name in BY_NAME else "unknown", outcome).inc()
        return ToolAnswer(outcome == "ok", answer)

    async def close(self, *, ended: str, text: str = "", source: str = "") -> None:
        """Write the session into the audit log. `text`: what the caller made of it. Raises UnavailableError."""
        state = self.state
        payload = {
            "subject": self._subject,
            "purpose": self._purpose,
            "step": state.step,
            "state_sha256": digest_of(digest_message(frame) for frame in state.history),
            "calls": self._steps,
            "ended": ended,
            "text_sha256": digest_bytes(text.encode("utf-8", "replace")) if text else "",
            "text_source": source,
        }
        await self._deps.recorder.record(Event("tools", payload))


def _error(text: str) -> str:
    return canonical_json({"error": clean(text, 500).text})
