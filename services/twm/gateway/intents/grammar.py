"""The grammar compiler: deterministic, no model, bounded time. Tokens, chunks, windows, clauses, statements, checks."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Sequence

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.text import clean
from twm.gateway.intents.again import arrivals, as_many, much_again, named_again, ordinals, other_senses, small_shares
from twm.gateway.intents.assemble import Assembler
from twm.gateway.intents.background import past_days
from twm.gateway.intents.carried_units import carried_units
from twm.gateway.intents.chunks import Chunker
from twm.gateway.intents.clauses import clauses, ranges
from twm.gateway.intents.compiler import asked, compiled
from twm.gateway.intents.context import Understood
from twm.gateway.intents.drafts import EventDraft
from twm.gateway.intents.exceptions import exceptions
from twm.gateway.intents.figures_said import (
    drops,
    filled,
    not_one,
    references,
    there_of,
    until_figures,
    verbs_last,
)
from twm.gateway.intents.forms import formed
from twm.gateway.intents.insertions import bracketed, inserted, nothing_more, violations
from twm.gateway.intents.lines import lined
from twm.gateway.intents.listings import listed
from twm.gateway.intents.meaning import Reader
from twm.gateway.intents.names import NameIndex
from twm.gateway.intents.pairs import as_per, cases, of_nominal, one_in_many, respectively, signs_before
from twm.gateway.intents.questions import question
from twm.gateway.intents.relayed import plainly
from twm.gateway.intents.spoken_times import timed
from twm.gateway.intents.tokens import MAX_CHARACTERS, tokenize
from twm.gateway.intents.validate import problems
from twm.gateway.intents.windows import WindowReader
from twm.gateway.screening.intents import signs_in_intent

NAME = "grammar/1"
MAX_SPECS = 8
_JOINED = (
    inserted,
    nothing_more,
    violations,
    bracketed,
    references,
    until_figures,
    verbs_last,
    not_one,
    filled,
    there_of,
    as_per,
    signs_before,
    one_in_many,
    of_nominal,
    drops,
    cases,
    respectively,
    named_again,
    small_shares,
    as_many,
    much_again,
    arrivals,
    ordinals,
    other_senses,
)
"""What is put right among chunks, in order."""


class GrammarCompiler:
    """The first implementation of `Compiler`. Name indices of the newest specs are kept."""

    def __init__(self) -> None:
        self._indices: OrderedDict[str, NameIndex] = OrderedDict()

    @property
    def name(self) -> str:
        """Name and version."""
        return NAME

    def compile(self, text: str, spec: NetworkSpec, now: dt.datetime) -> intent_pb2.CompileResult:
        """See `Compiler.compile`."""
        if now.tzinfo is None:
            raise InvalidInputError(f"now: {now.isoformat()} has no time zone")
        if len(text) > MAX_CHARACTERS:
            raise InvalidInputError(f"text: {len(text)} characters, at most {MAX_CHARACTERS}")
        signs = signs_in_intent(text)
        if not signs:
            return self._compile(text, spec, now)
        result = self._compile(text, spec, now)
        return result if result.HasField("questions") else asked([_suspicious(signs)], NAME)

    def _compile(self, text: str, spec: NetworkSpec, now: dt.datetime) -> intent_pb2.CompileResult:
        cleaned = clean(text, MAX_CHARACTERS).text
        names = self._names(spec)
        understood = read(clean(timed(lined(plainly(formed(text)))), MAX_CHARACTERS).text, spec, names, now)
        if understood.questions:
            strange = all(q.code == "unsupported_action" for q in understood.questions)
            if strange and not understood.touched and not understood.items:
                return asked([_nothing(understood, spec)], NAME)
            return asked(understood.questions, NAME)
        if all(isinstance(item, EventDraft) for item in understood.items):
            return asked([_nothing(understood, spec)], NAME)
        assembler = Assembler(spec, names, now)
        intent = assembler.build(understood.items, understood.priority, cleaned, intent_pb2.INTENT_SOURCE_GRAMMAR)
        found = [*assembler.questions, *problems(intent, spec, now)]
        return asked(found, NAME) if found else compiled(intent, NAME)

    def _names(self, spec: NetworkSpec) -> NameIndex:
        digest = spec.digest()
        found = self._indices.pop(digest, None) or NameIndex(spec)
        self._indices[digest] = found
        while len(self._indices) > MAX_SPECS:
            self._indices.popitem(last=False)
        return found


def read(text: str, spec: NetworkSpec, names: NameIndex, now: dt.datetime) -> Understood:
    """What a cleaned text says."""
    chunks = listed(Chunker(names).chunks(tokenize(text), now.date()), names)
    for joined in _JOINED:
        chunks = joined(chunks)
    windowed = exceptions(past_days(WindowReader(now).read(chunks)), names)
    return Reader(spec, names, now.date()).read(carried_units(clauses(ranges(windowed))))


def _suspicious(signs: Sequence[str]) -> intent_pb2.Question:
    return question(
        "suspicious_text",
        "text",
        f"The text holds what is no goal for the network ({', '.join(signs)[:300]}); please say the goal alone and plainly.",
    )


def _nothing(understood: Understood, spec: NetworkSpec) -> intent_pb2.Question:
    examples = (
        f"keep {spec.slices[0].id} loss below 1 %",
        f"give {spec.slices[-1].id} at least 20 %",
        "cut cost by 10 % without breaking SLAs",
    )
    if understood.touched:
        return question(
            "no_goal",
            "",
            "What is to be reached? A bound, a limit, a priority, a saving or a coming event was not found.",
            examples,
        )
    return question(
        "out_of_domain", "", "This is not about the network's slices, cells or links. What is the network to do?", examples
    )
