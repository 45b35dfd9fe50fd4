"""`twm replay-decision`: run a recorded decision again and hold every step against the audit log. Exit 0 the same, 3 not."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.twin.v1 import twin_pb2_grpc
from twm.api.worldmodel.v1 import worldmodel_pb2_grpc
from twm.cli.decision_bundle import gather, history_of, load_bundle, record_of, save_bundle
from twm.cli.free_ports import free_ports
from twm.cli.run import add_start_timeout
from twm.cli.supervisor import Program, Supervisor
from twm.core.digest import digest_bytes, digest_message
from twm.core.drift import STATES, DriftStatus
from twm.core.errors import AuditError, InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.rpc import grpc_channel
from twm.core.streams import StreamNames, Streams
from twm.gateway.explain.compose import explain
from twm.gateway.rules import load_rules
from twm.gateway.trace.find import trace_fields
from twm.gateway.trace.gate import judged_again, judged_part
from twm.gateway.trace.record import check_proposal, tape_of
from twm.planner.memory import keep_plan
from twm.planner.replay import Replay, replay

EXIT_SAME, EXIT_DIFFERS = 0, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("step", nargs="?", type=int, metavar="STEP", help="slow step of the decision")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--redis-url", metavar="URL", help="server with the area's streams")
    source.add_argument("--bundle", type=Path, metavar="FILE", help="a decision saved before with --save")
    parser.add_argument("--audit-log", type=Path, metavar="FILE", help="take the trace from this audit file, not the stream")
    parser.add_argument("--save", type=Path, metavar="FILE", help="also write all that was gathered to a file of its own")
    parser.add_argument("--network", default="poc-city", metavar="NAME|FILE", help="network spec (default: %(default)s)")
    parser.add_argument("--zoo", type=Path, metavar="DIR", help="model zoo (default: the shipped one)")
    parser.add_argument(
        "--guardrail", default="default", metavar="NAME|FILE", help="rules in force then (default: %(default)s)"
    )
    parser.add_argument("--inference", metavar="HOST:PORT", help="a running inference service (default: one is started)")
    parser.add_argument("--twin", metavar="HOST:PORT", help="a running twin (default: one is started)")
    add_start_timeout(parser)


def run(args: argparse.Namespace) -> int:
    """Repeat, print what was compared, return the exit code. Raises AuditError, InvalidInputError, UnavailableError."""
    if args.bundle is None and (args.step is None or args.step < 0):
        raise InvalidInputError(f"STEP: {args.step}, expected a slow step of at least 0")
    if (args.inference is None) != (args.twin is None):
        raise InvalidInputError("--inference and --twin: give both or none")
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    spec = load_network(find_network(args.network))
    if args.bundle is not None:
        bundle = load_bundle(args.bundle)
    else:
        streams = await Streams.connect(args.redis_url)
        try:
            bundle = await gather(streams, StreamNames.of(spec.area_id), args.step, spec, args.audit_log)
        finally:
            await streams.close()
    if args.save is not None:
        save_bundle(args.save, bundle)
        print(f"saved to {args.save}")
    async with _peers(args) as (inference, twin):
        report = await repeat(bundle, spec, args.guardrail, inference, twin)
    for line in report.lines:
        print(line)
    if report.same:
        return EXIT_SAME
    print("the decision did not come out as recorded", file=sys.stderr)
    return EXIT_DIFFERS


class Report:
    """What was compared, one line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.same = True

    def add(self, what: str, same: bool, detail: str) -> None:
        """One comparison."""
        self.same = self.same and same
        self.lines.append(f"{what:<9} {'same' if same else 'DIFFERS'}: {detail}")

    def left_out(self, what: str, why: str) -> None:
        """Something that cannot be compared."""
        self.lines.append(f"{what:<9} not compared: {why}")


async def repeat(bundle: trace_pb2.DecisionBundle, spec: NetworkSpec, guardrail: str, inference: str, twin: str) -> Report:
    """Repeat planner, gate and text of a bundle. Raises AuditError where what was gathered is not what was recorded."""
    report = Report()
    record = record_of(bundle)
    fields = trace_fields(record)
    report.add("record", True, f"{record.sequence} of the audit log, hash {record.hash[:12]}")
    try:
        proposal = check_proposal(fields, bundle.proposal)
        last = planning_pb2.Proposal.FromString(bundle.last_proposal) if bundle.last_proposal else None
        evidence = trace_pb2.DecisionEvidence.FromString(bundle.evidence)
        verdict = policy_pb2.Verdict.FromString(bundle.verdict) if bundle.verdict else None
    except ProtobufDecodeError as error:
        raise AuditError(f"bundle: {error}") from error
    report.add("proposal", True, f"{proposal.proposal_id!a}, sha256 {fields['proposal_sha256'][:12]}")
    tape = tape_of(fields)
    if tape is None:
        report.left_out("planner", "the proposal carries no tape")
    else:
        history = history_of(tape.frames, bundle.frames, spec)
        kept = b"" if last is None else keep_plan(last)
        if kept and digest_bytes(kept) != tape.last_plan_digest:
            raise AuditError(
                f"proposal before, step {tape.last_plan_step}: its plan is {digest_bytes(kept)[:12]}, "
                f"recorded {tape.last_plan_digest[:12]}"
            )
        _tell_planner(report, await _planned(proposal, history, kept, spec, inference, twin), len(history))
    _gate(report, fields, evidence, proposal, verdict, spec, guardrail)
    return report


async def _planned(
    proposal: planning_pb2.Proposal,
    history: Sequence[telemetry_pb2.KpiFrame],
    kept: bytes,
    spec: NetworkSpec,
    inference: str,
    twin: str,
) -> Replay:
    async with grpc_channel(inference) as world_channel, grpc_channel(twin) as twin_channel:
        world = worldmodel_pb2_grpc.WorldModelServiceStub(world_channel)  # type: ignore[no-untyped-call]
        check = twin_pb2_grpc.TwinServiceStub(twin_channel)  # type: ignore[no-untyped-call]
        return await replay(proposal, history, kept, spec, world.Rollout, check.Verify, world.Propose)


def _tell_planner(report: Report, result: Replay, frames: int) -> None:
    calls = f"{frames} frames, {result.calls} calls of peers made again"
    if result.same:
        report.add("planner", True, f"{calls}, proposal digest {result.digest[:12]}")
        return
    hint = f" (computed with {', '.join(result.other_versions)})" if result.other_versions else ""
    report.add("planner", False, f"{calls}; {'; '.join(result.differences) or 'proposal digest'}{hint}")


def _gate(
    report: Report,
    fields: Mapping[str, Any],
    evidence: trace_pb2.DecisionEvidence,
    proposal: planning_pb2.Proposal,
    verdict: policy_pb2.Verdict | None,
    spec: NetworkSpec,
    guardrail: str,
) -> None:
    gate, text = fields["gate"], fields["text"]
    if verdict is not None and digest_message(verdict) != gate["verdict_sha256"]:
        raise AuditError(f"verdict: sha256 {digest_message(verdict)[:12]}, recorded {gate['verdict_sha256'][:12]}")
    again = judged_again(gate, evidence.inputs, proposal, spec, load_rules(guardrail))
    if again is None:
        report.left_out("gate", "what it looked at is not kept (trimmed, or too large)")
    else:
        same = digest_message(judged_part(again)) == gate["judged_sha256"]
        report.add("gate", same, f"{len(again.checks)} checks, rules {gate['rules']}")
    if text is None or verdict is None:
        report.left_out("text", "there was none" if text is None else "the verdict is trimmed")
        return
    kept = next((item.content for item in evidence.inputs if item.name == "intents"), None)
    if kept is None and gate["situation"].get("intents") is not None:
        report.left_out("text", "the intents it tells of are not kept (trimmed, or too large)")
        return
    intents = None if kept is None else intent_pb2.ActiveIntents.FromString(kept)
    told = explain(proposal, verdict, spec, _drift(text["drift"]), intents)
    report.add("text", digest_message(told) == text["explanation_sha256"], told.headline)


def _drift(fields: object) -> DriftStatus | None:
    if not isinstance(fields, dict):
        return None
    state = fields["state"]
    if state not in STATES:
        raise AuditError(f"trace record: drift state {str(state)[:32]!a}")
    coverage = {str(kpi): (float(share), 0.0, 1.0) for kpi, share in fields["coverage"].items()}
    return DriftStatus(
        state=state, reasons=(), since_step=-1, last_step=-1, model="", blocks=0, coverage=coverage, residual={}, surprise={},
        surprise_nats={}, changes=(),
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _peers(args: argparse.Namespace) -> AsyncIterator[tuple[str, str]]:
    """Addresses of inference and twin; started here where none are given."""
    if args.inference is not None:
        yield args.inference, args.twin
        return
    ports = free_ports(4)
    environment = {**({"TWM_ZOO": str(args.zoo.resolve())} if args.zoo is not None else {})}
    with tempfile.TemporaryDirectory(prefix="twm-replay-") as folder:
        programs = [
            Program(
                name=name,
                command=(sys.executable, "-m", module),
                environment={
                    **environment,
                    "TWM_NETWORK": str(find_network(args.network).resolve()),
                    "TWM_REDIS_URL": args.redis_url or os.environ.get("TWM_REDIS_URL", "redis://127.0.0.1:6379/0"),
                    "TWM_GRPC_LISTEN": f"127.0.0.1:{grpc}",
                    "TWM_HTTP_LISTEN": f"127.0.0.1:{http}",
                },
                http_port=http,
            )
            for name, module, grpc, http in (
                ("inference", "twm.inference", ports[0], ports[1]),
                ("twin", "twm_twin", ports[2], ports[3]),
            )
        ]
        supervisor = Supervisor(programs, Path(folder), lambda line: print(line, file=sys.stderr))
        try:
            await supervisor.start(args.start_timeout)
            yield f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[2]}"
        finally:
            await supervisor.stop()
