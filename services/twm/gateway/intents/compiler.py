"""What every intent compiler is: text, network spec and moment in, an IntentSpec or questions out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec
from twm.gateway.intents.questions import unique


class Compiler(Protocol):
    """A compiler. The grammar is one, a language model behind schema-constrained decoding another."""

    @property
    def name(self) -> str:
        """Name and version, e.g. "grammar/1"."""
        ...

    def compile(self, text: str, spec: NetworkSpec, now: dt.datetime) -> intent_pb2.CompileResult:
        """Compile. `now` is aware; its time zone is the one that "6 pm" is said in.

        Raises InvalidInputError where the text is longer than the bound. What is unclear is a question, not an error.
        """
        ...


def asked(questions: Sequence[intent_pb2.Question], compiler: str) -> intent_pb2.CompileResult:
    """A result that asks."""
    return intent_pb2.CompileResult(questions=intent_pb2.Questions(items=unique(questions)), compiler=compiler)


def compiled(intent: intent_pb2.IntentSpec, compiler: str) -> intent_pb2.CompileResult:
    """A result that stands."""
    return intent_pb2.CompileResult(spec=intent, compiler=compiler)
