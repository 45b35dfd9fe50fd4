"""Whose text stands: a language model's where every number in it is in the facts, else the template's."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from twm.api.explain.v1 import explain_pb2
from twm.core import metrics
from twm.core.errors import TwmError
from twm.core.text import clean
from twm.gateway.explain.facts import Facts
from twm.gateway.explain.numbers import check_numbers

log = logging.getLogger(__name__)
MAX_MODEL_TEXT = 2000
MAX_FINDINGS = 16


class TextWriter(Protocol):
    """Writes a text from an explanation's numbers; whatever it returns is checked."""

    async def write(self, explanation: explain_pb2.Explanation, facts: Facts) -> str:
        """The text. May raise a TwmError, be late, or return nonsense."""
        ...


def with_model_text(found: explain_pb2.Explanation, text: str, facts: Facts) -> explain_pb2.Explanation:
    """A copy with `text` where it is clean and every number holds; else with the template's, and why."""
    result = explain_pb2.Explanation()
    result.CopyFrom(found)
    del result.text_findings[:]
    cleaned = clean(text, MAX_MODEL_TEXT)
    findings = [f"text: {name}" for name in cleaned.suspicious]
    if not cleaned.text:
        findings.append("text: empty")
    if len(text) > MAX_MODEL_TEXT:
        findings.append(f"text: {len(text)} characters, at most {MAX_MODEL_TEXT}")
    checked = check_numbers(cleaned.text, facts)
    findings += [f"{finding.reason}: {clean(finding.text, 64).text}" for finding in checked.findings]
    if findings:
        for reason in {finding.partition(":")[0] for finding in findings}:
            metrics.TEXTS_REFUSED.labels(reason).inc()
        result.text_findings.extend(findings[:MAX_FINDINGS])
        return result
    result.text, result.text_source = cleaned.text, explain_pb2.TEXT_SOURCE_MODEL
    return result


async def told_by(
    writer: TextWriter, found: explain_pb2.Explanation, facts: Facts, *, timeout_s: float
) -> explain_pb2.Explanation:
    """`with_model_text` of what the writer says; the template's where it fails or is late."""
    try:
        async with asyncio.timeout(timeout_s):
            text = await writer.write(found, facts)
    except (TimeoutError, TwmError) as error:
        reason = "late" if isinstance(error, TimeoutError) else error.reason
        log.warning("step %d: no text of a model: %s", found.step, reason)
        metrics.TEXTS_REFUSED.labels(reason).inc()
        result = explain_pb2.Explanation()
        result.CopyFrom(found)
        result.text_findings[:] = [f"text: {reason}"]
        return result
    return with_model_text(found, text, facts)
