"""All that it takes to repeat one decision, gathered from the streams of a running system or from a file saved before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.digest import digest_message
from twm.core.errors import AuditError, InvalidInputError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams
from twm.core.validation import validate
from twm.gateway.audit import ChainVerifier, from_payload
from twm.gateway.audit_log import read_records
from twm.gateway.audit_stream import verify_stream
from twm.gateway.step_search import DISORDER_STEPS, cursor_before_step, find_step
from twm.gateway.trace.find import KIND, find_trace, trace_fields
from twm.gateway.trace.record import tape_of

MAX_BUNDLE_BYTES = 256 * 1024 * 1024
_PAGE = 64


def save_bundle(path: Path, bundle: trace_pb2.DecisionBundle) -> None:
    """Write it, appearing only when whole. Raises InvalidInputError where it cannot be written."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(bundle.SerializeToString(deterministic=True))
        partial.replace(path)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def load_bundle(path: Path) -> trace_pb2.DecisionBundle:
    """Read it. Raises InvalidInputError where it cannot be read, is too large, or is no bundle."""
    try:
        if path.stat().st_size > MAX_BUNDLE_BYTES:
            raise InvalidInputError(f"{path}: {path.stat().st_size} bytes, at most {MAX_BUNDLE_BYTES}")
        bundle = trace_pb2.DecisionBundle.FromString(path.read_bytes())
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
    except ProtobufDecodeError as error:
        raise InvalidInputError(f"{path}: not a DecisionBundle") from error
    validate(bundle)
    return bundle


async def gather(
    streams: Streams, names: StreamNames, step: int, spec: NetworkSpec, audit_log: Path | None = None
) -> trace_pb2.DecisionBundle:
    """The bundle of a step's decision, once the audit chain that its trace stands in was found whole.

    `audit_log`: take the trace from this file instead of the stream. Raises AuditError where the chain does not hold,
    InvalidInputError naming what is not there any more.
    """
    record = await _record(streams, names, step) if audit_log is None else record_in(audit_log, step)
    fields = trace_fields(record)
    tape = tape_of(fields)
    bundle = trace_pb2.DecisionBundle(trace_record=record.SerializeToString(deterministic=True))
    bundle.proposal = await _payload(streams, names.proposals, step, "proposal")
    if tape is not None:
        if tape.HasField("last_plan_step"):
            bundle.last_proposal = await _payload(streams, names.proposals, tape.last_plan_step, "proposal before")
        bundle.frames.extend(await _frames(streams, names, tape.frames))
    verdict = await find_step(streams, names.verdicts, step, _verdict_step)
    evidence = await find_step(streams, names.evidence, step, _evidence_step)
    bundle.verdict = b"" if verdict is None else verdict.payload
    bundle.evidence = b"" if evidence is None else evidence.payload
    return bundle


def record_in(path: Path, step: int) -> policy_pb2.AuditRecord:
    """The newest trace record of a step in an audit file, once the whole file was found to hold.

    Raises AuditError naming the first bad record, InvalidInputError where the file cannot be read or has no such trace.
    """
    verifier, found = ChainVerifier(partial=True), None
    try:
        for record in read_records(path):
            verifier.feed(record)
            if record.kind == KIND and trace_fields(record).get("step") == step:
                found = record
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
    if found is None:
        raise InvalidInputError(f"{path}: no trace of step {step}")
    return found


def history_of(
    references: Iterable[trace_pb2.FrameReference], payloads: Iterable[bytes], spec: NetworkSpec
) -> list[telemetry_pb2.KpiFrame]:
    """The frames as the cycle saw them; where none came, the empty frame that took its place.

    Raises AuditError naming the first frame that is missing or is not the recorded one.
    """
    known: dict[int, dict[str, telemetry_pb2.KpiFrame]] = {}
    for payload in payloads:
        frame = telemetry_pb2.KpiFrame.FromString(payload)
        known.setdefault(frame.step, {})[digest_message(frame)] = frame
    codec, found = FrameCodec(spec), []
    for reference in references:
        frames = known.get(reference.step, {})
        if reference.digest in frames:
            found.append(frames[reference.digest])
            continue
        gap = codec.encode(FrameArrays.missing(spec, reference.step))
        if digest_message(gap) != reference.digest:
            there = f"digest {next(iter(frames))[:12]}" if frames else "not there"
            raise AuditError(f"frame {reference.step}: {there}, recorded {reference.digest[:12]}")
        found.append(gap)
    return found


async def _record(streams: Streams, names: StreamNames, step: int) -> policy_pb2.AuditRecord:
    await verify_stream(streams, names)
    record = await find_trace(streams, names, step)
    if record is None:
        raise InvalidInputError(f"step {step}: no trace in the audit stream (trimmed, or never there)")
    return record


async def _payload(streams: Streams, stream: str, step: int, what: str) -> bytes:
    entry = await find_step(streams, stream, step, _proposal_step)
    if entry is None:
        raise InvalidInputError(f"{what} of step {step}: not in the stream (trimmed, or never there)")
    return entry.payload


async def _frames(streams: Streams, names: StreamNames, references: Sequence[trace_pb2.FrameReference]) -> list[bytes]:
    """Every entry of the wanted steps: a step may have come twice."""
    wanted = {reference.step for reference in references}
    cursor = await cursor_before_step(streams, names.frames, min(wanted), _frame_step)
    found: list[bytes] = []
    while entries := await streams.range(names.frames, after=cursor, count=_PAGE):
        for entry in entries:
            step = _frame_step(entry.payload)
            if step in wanted:
                found.append(entry.payload)
            elif step is not None and step > max(wanted) + DISORDER_STEPS:
                return found[:256]
        cursor = entries[-1].id
    return found[:256]


def _frame_step(payload: bytes) -> int | None:
    try:
        return int(telemetry_pb2.KpiFrame.FromString(payload).step)
    except ProtobufDecodeError:
        return None


def _proposal_step(payload: bytes) -> int | None:
    try:
        return int(planning_pb2.Proposal.FromString(payload).step)
    except ProtobufDecodeError:
        return None


def _verdict_step(payload: bytes) -> int | None:
    try:
        return int(policy_pb2.Verdict.FromString(payload).step)
    except ProtobufDecodeError:
        return None


def _evidence_step(payload: bytes) -> int | None:
    try:
        return int(trace_pb2.DecisionEvidence.FromString(payload).step)
    except ProtobufDecodeError:
        return None


def record_of(bundle: trace_pb2.DecisionBundle) -> policy_pb2.AuditRecord:
    """The trace record. Raises AuditError where its own hash does not hold."""
    record = from_payload(bundle.trace_record)
    verifier = ChainVerifier(partial=True)
    verifier.feed(record)
    return record
