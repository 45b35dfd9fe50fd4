"""Client of any OpenAI-compatible chat completions endpoint (vLLM, llama.cpp server, Ollama, `language.offline`).

Every call has a deadline over all of it, however slowly bytes drip; answers are bounded while they are read; few calls run at
once and a further one is refused, not queued; after failures in a row the circuit opens. The key is read from its file for each
call (it may be rotated) and stands in no message. Nothing is retried: the deterministic answer is always there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx

from twm.core import metrics
from twm.core.errors import DeadlineError, InvalidInputError, TwmError, UnavailableError
from twm.gateway.language.breaker import BreakerSettings, CircuitBreaker
from twm.gateway.tools.agent import MAX_CALLS_A_TURN, ChatTurn, ToolCall

log = logging.getLogger(__name__)

MAX_KEY_BYTES = 4096
MAX_ARGUMENTS = 64 * 1024
T = TypeVar("T")
Purpose = Literal["intent", "text", "agent"]
Mode = Literal["json_schema", "json_object", "plain"]
MODES: tuple[Mode, ...] = ("json_schema", "json_object", "plain")
"""Ways to ask for JSON of a schema, the strictest first."""
_NOT_UNDERSTOOD = frozenset({400, 404, 415, 422, 500, 501})
"""Statuses by which servers say that they do not know a `response_format` (llama_cpp.server: 500)."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where the model is and what a call may cost."""

    url: str
    """Base URL, up to and with /v1."""
    model: str
    """Name of the model there."""
    api_key_file: Path | None = None
    """File with the bearer token; None: none is sent."""
    timeout_s: float = 10.0
    """Longest a call may take [s]."""
    concurrency: int = 4
    """Calls at once."""
    max_response_bytes: int = 256 * 1024
    """Longest answer that is read [B]."""
    breaker: BreakerSettings = field(default_factory=BreakerSettings)


class ModelClient:
    """One endpoint. Belongs to one event loop at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises InvalidInputError where the key file cannot be read."""
        self.endpoint = endpoint
        self.breaker = CircuitBreaker(endpoint.breaker, time.monotonic)
        self._tls = ssl.create_default_context()
        self._running = 0
        self._mode = 0
        self._headers()

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.endpoint.model

    @property
    def mode(self) -> Mode:
        """How JSON is asked for now."""
        return MODES[self._mode]

    async def complete(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], *, timeout_s: float
    ) -> ChatTurn:
        """See `twm.gateway.tools.agent.ChatModel`."""
        body: dict[str, Any] = {"messages": list(messages), "max_tokens": 1024}
        if tools:
            body |= {"tools": list(tools), "tool_choice": "auto"}
        return await self._counted("agent", timeout_s, lambda: self._turn(body))

    async def text(self, messages: Sequence[dict[str, Any]], *, timeout_s: float, max_tokens: int = 512) -> str:
        """Words. Raises a TwmError where the endpoint fails or is late."""
        body = {"messages": list(messages), "max_tokens": max_tokens}
        return (await self._counted("text", timeout_s, lambda: self._turn(body))).text

    async def structured(
        self,
        messages: Sequence[dict[str, Any]],
        schema: Mapping[str, Any],
        *,
        timeout_s: float,
        max_tokens: int = 1024,
        tell_schema: bool = True,
    ) -> str:
        """Text that should be JSON of `schema`: decoding is held to it where the server can. Raises as `text`.

        A server that does not know the strictest way is asked in the next one, within the same deadline, and from then on;
        it is told the schema in words too (`tell_schema`).
        """
        told = _with_schema(messages, schema) if tell_schema else list(messages)
        return await self._counted("intent", timeout_s, lambda: self._formatted(list(messages), told, schema, max_tokens))

    async def _formatted(
        self, messages: list[dict[str, Any]], told: list[dict[str, Any]], schema: Mapping[str, Any], max_tokens: int
    ) -> str:
        for i in range(self._mode, len(MODES)):
            shown = messages if MODES[i] == "json_schema" else told
            body = {"messages": shown, "max_tokens": max_tokens, **_format(MODES[i], schema)}
            try:
                turn = await self._turn(body)
            except _StatusError as error:
                if error.status not in _NOT_UNDERSTOOD or i == len(MODES) - 1:
                    raise
                log.info("model endpoint: status %d to response_format %s", error.status, MODES[i])
                continue
            self._mode = i
            return turn.text
        raise AssertionError("unreachable")

    async def _counted(self, purpose: Purpose, timeout_s: float, ask: Callable[[], Awaitable[T]]) -> T:
        """Run a call within its bounds; count how it ended."""
        if self._running >= self.endpoint.concurrency:
            metrics.MODEL_CALLS.labels(purpose, "busy").inc()
            raise UnavailableError(f"model: {self._running} calls are under way, at most that many", reason="busy")
        if not self.breaker.admit():
            metrics.MODEL_CALLS.labels(purpose, "circuit_open").inc()
            raise UnavailableError("model: failed several times in a row, not asked for a while", reason="circuit_open")
        self._running += 1
        limit_s = min(timeout_s, self.endpoint.timeout_s)
        began, outcome = time.perf_counter(), "cancelled"
        try:
            async with asyncio.timeout(limit_s):
                found = await ask()
            outcome = "ok"
            return found
        except TimeoutError as error:
            outcome = "deadline"
            raise DeadlineError(f"model: no answer within {limit_s:g} s") from error
        except TwmError as error:
            outcome = error.reason
            raise
        finally:
            self._running -= 1
            if outcome == "ok":
                self.breaker.succeeded()
            elif outcome == "cancelled":
                self.breaker.abandoned()
            else:
                self.breaker.failed()
                self._mode = 0  # what comes back may be another server
            metrics.MODEL_CALLS.labels(purpose, outcome).inc()
            metrics.MODEL_SECONDS.labels(purpose).observe(time.perf_counter() - began)
            metrics.MODEL_CIRCUIT_OPEN.set(self.breaker.open)

    async def _turn(self, body: dict[str, Any]) -> ChatTurn:
        return _turn_of(await self._post({"model": self.endpoint.model, "temperature": 0, "seed": 0, **body}))

    async def _post(self, body: dict[str, Any]) -> Any:
        """One request; the JSON of its answer."""
        url = self.endpoint.url.rstrip("/") + "/chat/completions"
        limit = self.endpoint.max_response_bytes
        try:
            async with (
                httpx.AsyncClient(verify=self._tls, timeout=None, trust_env=False, follow_redirects=False) as session,
                session.stream("POST", url, json=body, headers=self._headers()) as response,
            ):
                if response.status_code != 200:
                    raise _StatusError(response.status_code)
                data = bytearray()
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > limit:
                        raise UnavailableError(f"model: its answer is longer than {limit} bytes", reason="too_large")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UnavailableError(f"model: {type(error).__name__}", reason="connection") from error
        try:
            return json.loads(bytes(data))
        except (ValueError, RecursionError) as error:
            raise UnavailableError(f"model: {len(data)} bytes that are no JSON", reason="not_json") from error

    def _headers(self) -> dict[str, str]:
        path = self.endpoint.api_key_file
        if path is None:
            return {}
        try:
            with path.open("rb") as file:
                key = file.read(MAX_KEY_BYTES + 1).decode("ascii").strip()
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"TWM_LLM_API_KEY_FILE: {path} cannot be read ({type(error).__name__})") from error
        if not key or len(key) > MAX_KEY_BYTES or not key.isprintable() or " " in key:
            raise InvalidInputError(f"TWM_LLM_API_KEY_FILE: {path} holds no key of 1 to {MAX_KEY_BYTES} printable characters")
        return {"Authorization": f"Bearer {key}"}


class _StatusError(UnavailableError):
    """The endpoint answered with an HTTP error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"model: HTTP status {status}", reason="status")
        self.status = status


def _format(mode: Mode, schema: Mapping[str, Any]) -> dict[str, Any]:
    if mode == "json_schema":
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "intent", "schema": schema}}}
    if mode == "json_object":
        return {"response_format": {"type": "json_object", "schema": schema}}
    return {}


def _with_schema(messages: Sequence[dict[str, Any]], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chat with the schema at the end of its first message."""
    first, *rest = messages
    text = json.dumps(schema, separators=(",", ":"))
    return [{**first, "content": f"{first['content']}\nJSON schema of the answer: {text}"}, *rest]


def _turn_of(answer: Any) -> ChatTurn:
    """The first choice of a chat completion. Raises UnavailableError where it is none."""
    try:
        message = answer["choices"][0]["message"]
        content = message.get("content") or ""
        if not isinstance(content, str):
            raise TypeError("content")
        calls = tuple(_call_of(call, i) for i, call in enumerate((message.get("tool_calls") or [])[:MAX_CALLS_A_TURN]))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UnavailableError("model: its answer is no chat completion", reason="malformed") from error
    return ChatTurn(content, calls)


def _call_of(call: Any, i: int) -> ToolCall:
    name, arguments = call["function"]["name"], call["function"].get("arguments") or "{}"
    if isinstance(arguments, dict):  # Ollama's own form
        arguments = json.dumps(arguments)
    if not isinstance(name, str) or not isinstance(arguments, str):
        raise TypeError("tool call")
    return ToolCall(str(call.get("id") or f"call-{i}")[:64], name[:64], arguments[:MAX_ARGUMENTS])
