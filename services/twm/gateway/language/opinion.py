"""A second opinion on what the grammar read. It can only turn an answer into a question, never a question into an answer.

| grammar | model | answer |
|---|---|---|
| reads it | nothing usable in time (down, slow, busy, babble, another form) | the grammar's, `second_absent` |
| reads it | the same, field by field | the grammar's, `full` |
| reads it | otherwise, or asks | questions `compilers_differ`; both readings to choose from |
| asks | a valid intent | the grammar's questions, and whether the model's reading is meant |
| asks | asks, or nothing usable | the grammar's questions |
| has signs of instructions to the system in it | is not asked | the grammar's question |
"""

from __future__ import annotations

import datetime as dt
import logging

from twm.api.intent.v1 import intent_pb2
from twm.core import metrics
from twm.core.errors import TwmError
from twm.core.network import NetworkSpec
from twm.gateway.intents.agree import agree
from twm.gateway.language.compiler import ModelCompiler
from twm.gateway.screening.intents import signs_in_intent

log = logging.getLogger(__name__)


class SecondOpinion:
    """Asks the model where there is one."""

    def __init__(self, compiler: ModelCompiler) -> None:
        self._compiler = compiler

    async def on(
        self, first: intent_pb2.CompileResult, text: str, spec: NetworkSpec, now: dt.datetime
    ) -> intent_pb2.CompileResult:
        """The two answers together; never later than the model's deadline, never an error of the model's."""
        if signs_in_intent(text):
            metrics.READINGS.labels("not_asked").inc()
            return first
        second = None
        try:
            second = await self._compiler.read(text, spec, now)
        except TwmError as error:
            log.info("intent: no second reading: %s", ascii(str(error)[:200]))
            metrics.READINGS.labels(error.reason).inc()
        result = agree(first, second, spec)
        if second is not None:
            agreement = intent_pb2.Agreement.Name(result.agreement).removeprefix("AGREEMENT_").lower()
            metrics.READINGS.labels(agreement).inc()
        return result
