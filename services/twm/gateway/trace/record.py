"""A decision's trace as canonical JSON of one audit record, and back. Pure.

What the planner put into its proposal (steps and tape), the gate with what it looked at, and the text. Digests that every step
shares (history, account) are told once; 64-bit seeds are strings, since JSON numbers of other readers are doubles.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import Message

from twm.api.explain.v1 import explain_pb2
from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.digest import digest_message
from twm.core.drift import DriftStatus
from twm.core.errors import AuditError
from twm.core.text import clean
from twm.gateway.trace.gate import judged_part

MAX_STEPS = 64
MAX_TAPE_BYTES = 256 * 1024
FORMAT = 1
SHARED = ("history", "account", "start")
"""Inputs that most steps of a decision have in common."""


def trace_payload(
    proposal: planning_pb2.Proposal,
    payload: bytes,
    gate: Mapping[str, Any],
    verdict: policy_pb2.Verdict,
    explanation: explain_pb2.Explanation | None,
    drift: DriftStatus | None,
) -> dict[str, Any]:
    """Payload of the audit record "trace". `payload`: the proposal as it came; `gate`: twm.gateway.trace.gate.gate_inputs."""
    steps = [step_fields(step) for step in proposal.trace[:MAX_STEPS]]
    tape = None
    if proposal.HasField("tape"):
        data = proposal.tape.SerializeToString(deterministic=True)
        tape = base64.b64encode(data).decode() if len(data) <= MAX_TAPE_BYTES else None
    return {
        "format": FORMAT,
        "proposal_id": clean(verdict.proposal_id, 160).text,
        "step": verdict.step,
        "trace_id": verdict.trace_id,
        "proposal_sha256": hashlib.sha256(payload).hexdigest(),
        "shared_inputs": (shared := _shared(steps)),
        "steps": [_without(step, shared) for step in steps],
        "gate": {**gate, "verdict_sha256": digest_message(verdict), "judged_sha256": digest_message(judged_part(verdict))},
        "text": _text(explanation, drift),
        "tape": tape,
    }


def step_fields(step: trace_pb2.TraceStep) -> dict[str, Any]:
    """A step as JSON."""
    found: dict[str, Any] = {"kind": clean(step.kind, 32).text}
    for name in ("inputs", "outputs"):
        if entries := getattr(step, name):
            found[name] = {clean(key, 64).text: clean(value, 64).text for key, value in sorted(entries.items())[:16]}
    if step.numbers:
        numbers = sorted(step.numbers.items())[:32]
        found["numbers"] = {clean(key, 64).text: value for key, value in numbers if math.isfinite(value)}
    if step.HasField("seed"):
        found["seed"] = str(step.seed)
    if step.models:
        found["models"] = [[clean(text, 128).text for text in (m.name, m.version, m.digest)] for m in step.models[:16]]
    for name in ("error", "note"):
        if text := getattr(step, name):
            found[name] = text if text.isprintable() and len(text) <= 400 else clean(text, 400).text
    return found


def _shared(steps: Iterable[dict[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for step in steps:
        for name, value in step.get("inputs", {}).items():
            if name in SHARED:
                found.setdefault(name, value)
    return found


def _without(step: dict[str, Any], shared: Mapping[str, str]) -> dict[str, Any]:
    """The step with digests that are as shared replaced by their names."""
    inputs = step.get("inputs", {})
    same = sorted(name for name, value in inputs.items() if shared.get(name) == value)
    if not same:
        return step
    rest = {name: value for name, value in inputs.items() if name not in same}
    return {**{k: v for k, v in step.items() if k != "inputs"}, **({"inputs": rest} if rest else {}), "same": same}


def _text(explanation: explain_pb2.Explanation | None, drift: DriftStatus | None) -> dict[str, Any] | None:
    if explanation is None:
        return None
    return {
        "explanation_sha256": digest_message(explanation),
        "text_sha256": hashlib.sha256(explanation.text.encode()).hexdigest(),
        "source": explain_pb2.TextSource.Name(explanation.text_source),
        "drift": None if drift is None else {"state": drift.state, "coverage": {k: v[0] for k, v in drift.coverage.items()}},
    }


def steps_of(payload: Mapping[str, Any]) -> list[trace_pb2.TraceStep]:
    """The planner's steps, back from a record. Raises AuditError where it is none."""
    try:
        shared = payload["shared_inputs"]
        return [_read_step(step, shared) for step in payload["steps"]]
    except (KeyError, TypeError, ValueError) as error:
        raise AuditError(f"trace record: steps are damaged: {error!r}"[:200]) from error


def _read_step(fields: Mapping[str, Any], shared: Mapping[str, str]) -> trace_pb2.TraceStep:
    step = trace_pb2.TraceStep(kind=fields["kind"], error=fields.get("error", ""), note=fields.get("note", ""))
    for name in fields.get("same", ()):
        step.inputs[name] = shared[name]
    for name in ("inputs", "outputs", "numbers"):
        for key, value in fields.get(name, {}).items():
            getattr(step, name)[key] = value
    if "seed" in fields:
        step.seed = int(fields["seed"])
    step.models.extend(worldmodel_pb2.ModelIdentity(name=n, version=v, digest=d) for n, v, d in fields.get("models", ()))
    return step


def tape_of(payload: Mapping[str, Any]) -> trace_pb2.DecisionTape | None:
    """The tape, back from a record; None where there is none. Raises AuditError where it is damaged."""
    text = payload.get("tape")
    if text is None:
        return None
    try:
        return _parsed(trace_pb2.DecisionTape(), base64.b64decode(text, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise AuditError(f"trace record: the tape is damaged: {error!r}"[:200]) from error


def _parsed(message: trace_pb2.DecisionTape, data: bytes) -> trace_pb2.DecisionTape:
    try:
        message.ParseFromString(data)
    except Exception as error:  # upb raises its own DecodeError, which is no ValueError
        raise AuditError("trace record: the tape is no DecisionTape") from error
    return message


def check_proposal(payload: Mapping[str, Any], proposal_bytes: bytes) -> planning_pb2.Proposal:
    """The proposal that a record speaks of. Raises AuditError naming what is not as recorded."""
    found = hashlib.sha256(proposal_bytes).hexdigest()
    if found != payload.get("proposal_sha256"):
        raise AuditError(f"proposal: sha256 {found[:12]}, the record says {str(payload.get('proposal_sha256'))[:12]}")
    proposal = planning_pb2.Proposal()
    proposal.ParseFromString(proposal_bytes)
    tape = tape_of(payload)
    if tape is not None and not _same(tape, proposal.tape):
        raise AuditError("proposal: its tape is not the recorded one")
    recorded = steps_of(payload)
    if len(recorded) != len(proposal.trace):
        raise AuditError(f"proposal: {len(proposal.trace)} steps, the record has {len(recorded)}")
    for index, (one, other) in enumerate(zip(recorded, proposal.trace, strict=True)):
        if not _same(one, other):
            raise AuditError(f"proposal: step {index} ({one.kind}) is not the recorded one")
    return proposal


def _same(first: Message, second: Message) -> bool:
    return first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)
