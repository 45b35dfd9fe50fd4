"""A decision of real services run again from the audit log, zoo and frames: bit for bit; and every kind of tampering named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from planner_peers import frame_messages

from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.cli.__main__ import main
from twm.cli.decision_bundle import load_bundle, save_bundle
from twm.cli.replay_decision import Report, repeat
from twm.core.clock import SystemClock
from twm.core.errors import AuditError, ModelMismatchError
from twm.core.network import NetworkSpec
from twm.core.paths import guardrail_folder, zoo_folder
from twm.core.rpc import grpc_channel
from twm.core.stream_worker import StreamWorker
from twm.core.streams import GROUP_GATEWAY, GROUP_PLANNER, Output, StreamNames, Streams
from twm.core.zoo import find_model
from twm.gateway.a1 import A1Options
from twm.gateway.audit import from_payload
from twm.gateway.audit_log import AuditLog
from twm.gateway.judgement import Judge
from twm.gateway.recorder import Recorder
from twm.gateway.rules import load_rules
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.peers import Peers
from twm.planner.search import SearchSettings
from twm.planner.service import PlannerService
from twm.planner.tape import DecisionRecorder
from twm_bench.peers import PeerTargets, running_peers

pytestmark = [pytest.mark.redis, pytest.mark.slow]
QUICK = CycleSettings(budget_s=60.0, grace_s=30.0, library_count=24, search=SearchSettings(populations=(16,)))
STEPS = range(200, 203)


@pytest.fixture(scope="module")
def targets(spec: NetworkSpec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeerTargets]:
    try:
        find_model(zoo_folder(), "cdwm", spec.topology_digest())
    except ModelMismatchError as error:
        pytest.skip(f"no model for the PoC city in the zoo: {error}")
    with running_peers("poc-city", tmp_path_factory.mktemp("peers")) as found:
        yield found


@asynccontextmanager
async def worker(streams: Streams, stream: str, group: str, handle: object) -> AsyncIterator[None]:
    stop = asyncio.Event()
    await streams.ensure_group(stream, group)
    task = asyncio.create_task(StreamWorker(streams, stream, group, "t", handle, block_ms=50).run(stop))
    yield
    async with asyncio.timeout(100):
        while await streams.lag(stream, group) != (0, 0):  # noqa: ASYNC110 - the state lies in Redis
            await asyncio.sleep(0.05)
    stop.set()
    await task


def lenient_rules(folder: Path) -> str:
    """The shipped rules without the bounds that made-up frames break, so that policies are accepted and remembered."""
    rules = yaml.safe_load((guardrail_folder() / "default.yaml").read_text())
    rules["name"] = "lenient-1"
    for name in list(rules["search"]):
        if name.endswith(("_max", "_max_scm", "_min", "_scm")):
            rules["search"][name] = None
    path = folder / "lenient.yaml"
    path.write_text(yaml.safe_dump(rules))
    return str(path)


async def decide(streams: Streams, spec: NetworkSpec, targets: PeerTargets, rules: str) -> None:
    """Frames of STEPS go through planner and gateway as their processes do it."""
    names = StreamNames.of(spec.area_id)
    recorder = DecisionRecorder(SystemClock())
    async with grpc_channel(targets.inference) as world, grpc_channel(targets.twin) as twin:
        peers = Peers.on(spec, world, twin, recorder.clock, wrap=recorder.recorded)
        cycle = PlanningCycle(spec, QUICK, peers, recorder.clock)
        planner = PlannerService(spec, streams, cycle, history_steps=16, recorder=recorder)
        audit = Recorder(streams, names, time.time)
        judge = Judge(streams, names, audit, spec, load_rules(rules), A1Options(), time.time)
        for frame in frame_messages(spec, STEPS):
            await streams.append(Output(names.frames, frame.SerializeToString()))
            async with worker(streams, names.frames, GROUP_PLANNER, planner.handle):
                pass
        async with worker(streams, names.proposals, GROUP_GATEWAY, judge.handle):
            pass


def edited(bundle: trace_pb2.DecisionBundle, field: str, message: object) -> trace_pb2.DecisionBundle:
    """A copy with another message in a field of bytes."""
    copy = trace_pb2.DecisionBundle()
    copy.CopyFrom(bundle)
    setattr(copy, field, message.SerializeToString(deterministic=True))  # type: ignore[attr-defined]
    return copy


async def test_a_served_decision_runs_again_bit_for_bit_and_tampering_is_named(
    spec: NetworkSpec, redis_url: str, targets: PeerTargets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = await Streams.connect(redis_url)
    names = StreamNames.of(spec.area_id)
    rules = lenient_rules(tmp_path)
    await decide(streams, spec, targets, rules)
    step, audit, saved = STEPS[-1], tmp_path / "audit.jsonl", tmp_path / "decision.bundle"
    log = AuditLog(audit)
    log.append([from_payload(entry.payload) for entry in await streams.range(names.audit, count=1000)])
    log.close()
    address = ["--inference", targets.inference, "--twin", targets.twin, "--guardrail", rules]
    # From the streams, and from the audit file with what the streams still hold; each saved and repeated from its file.
    for source in ([], ["--audit-log", str(audit)]):
        command = ["replay-decision", str(step), "--redis-url", redis_url, *source, "--save", str(saved), *address]
        assert await asyncio.to_thread(main, command) == 0
        told = capsys.readouterr().out
        assert "planner   same" in told and "gate      same" in told and "text      same" in told, told
    assert await asyncio.to_thread(main, ["replay-decision", "--bundle", str(saved), *address]) == 0

    bundle = load_bundle(saved)
    proposal = planning_pb2.Proposal.FromString(bundle.proposal)
    assert proposal.source == planning_pb2.PROPOSAL_SOURCE_SEARCH and proposal.tape.last_plan_step == step - 1
    assert {m.name for entry in proposal.trace for m in entry.models} == {"cdwm"}
    assert policy_pb2.Verdict.FromString(bundle.verdict).decision == policy_pb2.DECISION_ACCEPTED

    async def report(changed: trace_pb2.DecisionBundle) -> Report:
        return await repeat(changed, spec, rules, targets.inference, targets.twin)

    # Frame, proposal, plan before, verdict, evidence, record: each is named.
    frame = telemetry_pb2.KpiFrame.FromString(bundle.frames[0])
    frame.report_count += 1
    other_frame = trace_pb2.DecisionBundle()
    other_frame.CopyFrom(bundle)
    other_frame.frames[0] = frame.SerializeToString()
    forged = planning_pb2.Proposal.FromString(bundle.proposal)
    forged.policy.prb_share[0] += 0.001
    before = planning_pb2.Proposal.FromString(bundle.last_proposal)
    before.policy.prb_share[0] += 0.001
    verdict = policy_pb2.Verdict.FromString(bundle.verdict)
    verdict.decision = policy_pb2.DECISION_REJECTED
    evidence = trace_pb2.DecisionEvidence.FromString(bundle.evidence)
    accepted = next(item for item in evidence.inputs if item.name == "accepted")
    accepted.content = accepted.content.replace(b"0.", b"1.", 1)
    record = from_payload(bundle.trace_record)
    record.payload_json = record.payload_json.replace('"step":202', '"step":203')
    for changed, pattern in (
        (other_frame, f"frame {STEPS[0]}: digest"),
        (edited(bundle, "proposal", forged), "proposal: sha256"),
        (edited(bundle, "last_proposal", before), f"proposal before, step {step - 1}: its plan"),
        (edited(bundle, "verdict", verdict), "verdict: sha256"),
        (edited(bundle, "evidence", evidence), "gate: 'accepted' is not what its digest says"),
        (edited(bundle, "trace_record", record), "edited"),
    ):
        with pytest.raises(AuditError, match=pattern):
            await report(changed)
    # In the stream, too: the chain is looked through before anything is believed.
    entries = await streams.range(names.audit, count=1000)
    bad = from_payload(entries[1].payload)
    bad.sequence = from_payload(entries[-1].payload).sequence + 1
    await streams.append(Output(names.audit, bad.SerializeToString()))
    assert await asyncio.to_thread(main, ["replay-decision", str(step), "--redis-url", redis_url, *address]) == 3
    assert "previous_hash" in capsys.readouterr().err
    # Other rules are another gate.
    with pytest.raises(AuditError, match="guardrail: rules 'default"):
        await repeat(bundle, spec, "default", targets.inference, targets.twin)
    save_bundle(saved, edited(bundle, "trace_record", record))
    assert await asyncio.to_thread(main, ["replay-decision", "--bundle", str(saved), *address]) == 3
    await streams.close()


def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(b"\xff" * 100)
    for arguments, pattern in (
        (["--redis-url", "redis://127.0.0.1:1/0"], "STEP"),
        (["7", "--redis-url", "redis://127.0.0.1:1/0", "--inference", "127.0.0.1:1"], "give both or none"),
        (["--bundle", str(junk)], "not a DecisionBundle"),
        (["--bundle", str(tmp_path / "none")], "cannot be read"),
    ):
        assert main(["replay-decision", *arguments]) == 2
        assert pattern in capsys.readouterr().err
