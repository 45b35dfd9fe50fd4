"""The second intent compiler: a language model held to the plain form's schema, its answer checked by the code that checks all.

What it returns is an IntentSpec that passed `from_plain`, `problems` and the contract, or questions; anything else (no JSON,
two objects, unknown names, another form) is an error with a reason, and then the grammar's answer stands.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import OrderedDict
from typing import Any

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.network import NetworkSpec
from twm.gateway.intents.compiler import asked, compiled
from twm.gateway.intents.plain import from_plain, json_schema
from twm.gateway.intents.questions import question
from twm.gateway.intents.tokens import MAX_CHARACTERS
from twm.gateway.intents.validate import problems
from twm.gateway.language.client import ModelClient
from twm.gateway.language.extract import one_object
from twm.gateway.language.prompt import Style, messages

MAX_SPECS = 8
MAX_TOKENS = {"full": 1024, "short": 320}
"""Longest reading [tokens]: one that does not end is no reading."""
_UNKNOWN_TO_DECODERS = ("uniqueItems", "$schema", "title", "exclusiveMinimum", "exclusiveMaximum")
"""Keywords that decoders refuse or ignore; what they forbid is checked afterwards."""
_MAY_BE_EMPTY = ("scope",)


class ModelCompiler:
    """The second implementation of `twm.gateway.intents.compiler.Compiler`."""

    def __init__(self, client: ModelClient, style: Style = "full", *, timeout_s: float = 10.0) -> None:
        self._client, self._style, self._timeout_s = client, style, timeout_s
        self._schemas: OrderedDict[str, dict[str, Any]] = OrderedDict()

    @property
    def name(self) -> str:
        """Name and version."""
        return f"model/{self._client.name}"[:64]

    def compile(self, text: str, spec: NetworkSpec, now: dt.datetime) -> intent_pb2.CompileResult:
        """See `Compiler.compile`; for callers without an event loop. Raises besides what `read` raises."""
        return asyncio.run(self.read(text, spec, now))

    async def read(self, text: str, spec: NetworkSpec, now: dt.datetime) -> intent_pb2.CompileResult:
        """Compile within the deadline. Raises UnavailableError (with a reason) where the model gives nothing usable."""
        if now.tzinfo is None:
            raise InvalidInputError(f"now: {now.isoformat()} has no time zone")
        if len(text) > MAX_CHARACTERS:
            raise InvalidInputError(f"text: {len(text)} characters, at most {MAX_CHARACTERS}")
        said = await self._client.structured(
            messages(text, spec, now, self._style),
            self._schema(spec),
            timeout_s=self._timeout_s,
            max_tokens=MAX_TOKENS[self._style],
            tell_schema=self._style == "full",
        )
        return self.checked(said, text, spec, now)

    def checked(self, said: str, text: str, spec: NetworkSpec, now: dt.datetime) -> intent_pb2.CompileResult:
        """What the model wrote as a result. Raises UnavailableError with reason "babble" or "wrong_form"."""
        found = one_object(said)
        if found is None:
            raise UnavailableError(f"model: {len(said)} characters that hold no single JSON object", reason="babble")
        plain = pruned(found)
        if not plain:
            return asked([question("no_goal", "", "What is to be reached, where, and by which figure?")], self.name)
        try:
            intent = from_plain(plain, spec, intent_pb2.INTENT_SOURCE_MODEL, text)
            unclear = problems(intent, spec, now)
        except (InvalidInputError, ValueError, OverflowError, RecursionError) as error:
            reason = str(error)[:200] if isinstance(error, InvalidInputError) else type(error).__name__
            raise UnavailableError(f"model: {reason}", reason="wrong_form") from error
        return asked(unclear, self.name) if unclear else compiled(intent, self.name)

    def _schema(self, spec: NetworkSpec) -> dict[str, Any]:
        digest = spec.digest()
        found = self._schemas.pop(digest, None) or decodable(json_schema(spec))
        self._schemas[digest] = found
        while len(self._schemas) > MAX_SPECS:
            self._schemas.popitem(last=False)
        return found


def decodable(schema: Any) -> Any:
    """The schema without what decoders do not know, and without properties that nothing fits (a network without zones)."""
    if isinstance(schema, list):
        return [decodable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: decodable(v) for k, v in schema.items() if k not in _UNKNOWN_TO_DECODERS and k not in ("properties", "enum")}
    if "enum" in schema:
        out["enum"] = list(schema["enum"])
    if "properties" in schema:
        kept = {k: v for k, v in schema["properties"].items() if v is not False and v.get("items") is not False}
        out["properties"] = {k: decodable(v) for k, v in kept.items()}
    return out


def pruned(value: Any, name: str = "") -> Any:
    """Without empty objects, lists, strings and nulls, which say nothing; an empty scope says "everywhere"."""
    if isinstance(value, dict):
        made = {k: pruned(v, k) for k, v in value.items()}
        return {k: v for k, v in made.items() if k in _MAY_BE_EMPTY or v not in ({}, [], "", None)}
    if isinstance(value, list):
        return [pruned(v) for v in value if v is not None]
    return value
