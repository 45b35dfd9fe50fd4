"""Proposals in, verdicts and policies out: the gateway's first worker.

What becomes of an accepted policy is the mode's business (twm.gateway.modes). Nothing is sent to a RIC from here: deliveries
read the policy stream, and of it only what says ENFORCE or WITHDRAW.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import metrics
from twm.core.actions import decode_policies
from twm.core.errors import DecodeError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.stream_worker import Effect
from twm.core.streams import GROUP_GATEWAY, Entry, KeyWrite, Output, StreamNames, Streams
from twm.core.text import shown
from twm.gateway.a1 import A1Options, slice_policy
from twm.gateway.accepted import AcceptedShares
from twm.gateway.audit import Event
from twm.gateway.drift_watch import DriftWatch
from twm.gateway.exposed import expose_proposal
from twm.gateway.guardrail import Guardrail, Situation
from twm.gateway.modes.handling import Handler, Known, check_types
from twm.gateway.recorder import Composition, Recorder
from twm.gateway.reported import ReportedShares
from twm.gateway.rules import GuardrailRules
from twm.gateway.trace.attach import attach

ACCEPTED_KEY = "gateway-accepted"
_LAST_FRAMES = 4


class Judge:
    """Judges the proposals of one area."""

    def __init__(
        self,
        streams: Streams,
        names: StreamNames,
        recorder: Recorder,
        spec: NetworkSpec,
        rules: GuardrailRules,
        options: A1Options,
        clock: Callable[[], float],
    ) -> None:
        self._streams = streams
        self._names = names
        self._recorder = recorder
        self._spec = spec
        self._spec_digest = spec.digest()
        self._rules = rules
        self._options = options
        self._clock = clock
        self._drift = DriftWatch(streams, names, spec)
        self._frames = ReportedShares(streams, names, spec, rules.timing.max_lag_steps)
        self._guardrail = Guardrail(spec, rules, spec_digest=self._spec_digest)
        self._handling = Handler(streams, names, spec, rules, self._guardrail, self._drift)

    async def handle(self, entry: Entry) -> Effect:
        """Verdict, and policy where accepted, written with the acknowledgement. Raises DecodeError on bytes that are none."""
        proposal = parse_proposal(entry.payload)
        verdicts: list[policy_pb2.Verdict] = []

        async def compose() -> Composition:
            verdict, composition = await self._compose(entry, proposal)
            verdicts[:] = [verdict]
            return composition

        if await self._recorder.commit(entry, GROUP_GATEWAY, compose) is not None:
            _count(verdicts[0])
            expose_proposal(proposal, self._spec)
        return Effect()

    async def _compose(self, entry: Entry, proposal: planning_pb2.Proposal) -> tuple[policy_pb2.Verdict, Composition]:
        accepted = await self.accepted()
        known = await Known.read(self._streams, self._names)
        newest = await newest_step(self._streams, self._names)
        situation = Situation(
            now_s=self._clock(),
            newest_step=newest,
            measured=await self._frames.shares(proposal.step, newest),
            accepted=accepted,
            enforced=known.enforced.memory(self._spec),
            others=known.others,
            intents=known.intents,
            ttl_steps=self._options.ttl_steps,
            mode=known.mode.value,
        )
        verdict = self._guardrail.judge(proposal, situation)
        outputs: list[Output] = []
        events: list[Event] = []
        keys: list[KeyWrite] = [known.mode_guard]
        if verdict.decision == policy_pb2.DECISION_ACCEPTED:
            try:
                policy = slice_policy(proposal, self._spec, self._options, known.mode.value)
                check_types(policy, self._rules)
            except InvalidInputError as error:
                _reject(verdict, f"policy: {error}")
            else:
                handled = await self._handling.handle(entry, proposal, policy, verdict, known, situation)
                outputs += handled.outputs
                events += handled.events
                keys += handled.keys
                keys.append(KeyWrite(self._names.key(ACCEPTED_KEY), self._remember(accepted, proposal).encode()))
        else:
            swept = self._handling.sweep(known, situation.now_s)
            events += swept.events
            keys += swept.keys
        attached = attach(
            proposal, entry.payload, verdict, situation, self._rules, self._spec, await self._drift.status(),
            spec_digest=self._spec_digest, trace_id=entry.trace_id,
        )  # fmt: skip
        outputs += attached.outputs
        events += attached.events
        payload = verdict.SerializeToString(deterministic=True)
        outputs.insert(0, Output(self._names.verdicts, payload, entry.trace_id))
        events.insert(0, Event("verdict", _verdict_event(verdict, proposal, entry.payload)))
        return verdict, Composition(outputs=outputs, keys=keys, events=events)

    async def accepted(self) -> AcceptedShares | None:
        """What was accepted last; None where nothing was, or for a network of other sizes."""
        stored = await self._streams.get(self._names.key(ACCEPTED_KEY))
        if not stored:
            return None
        found = AcceptedShares.decode(stored)
        return found if found.arrays(self._spec) is not None else None

    def _remember(self, before: AcceptedShares | None, proposal: planning_pb2.Proposal) -> AcceptedShares:
        policy = decode_policies(proposal.policy, self._spec)
        if before is None:
            return AcceptedShares.of(proposal.step, policy)
        timing = self._rules.timing
        return before.followed_by(proposal.step, policy, epsilon=timing.change_epsilon, window_steps=timing.change_window_steps)


def parse_proposal(payload: bytes) -> planning_pb2.Proposal:
    """A proposal with a usable identity; the guardrail judges the rest. Raises DecodeError."""
    try:
        proposal = planning_pb2.Proposal.FromString(payload)
        proposal_id, area_id, step = proposal.proposal_id, proposal.area_id, proposal.step
    except (ProtobufDecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"proposal: {len(payload)} bytes are not a Proposal") from error
    if not 1 <= len(proposal_id) <= 160 or not 1 <= len(area_id) <= 64 or step < 0:
        found = f"proposal_id {shown(proposal_id)}, area_id {shown(area_id)}, step {step}"
        raise DecodeError(f"proposal: {found}: no identity to answer to")
    if len(proposal.trace_id) not in (0, 32) or not set(proposal.trace_id) <= set("0123456789abcdef"):
        raise DecodeError(f"proposal: trace_id {shown(proposal.trace_id)} is not 32 hexadecimal digits")
    return proposal


async def newest_step(streams: Streams, names: StreamNames) -> int | None:
    """Newest slow step among the last frames (they may be a little out of order); None where none can be read."""
    steps = []
    for entry in await streams.last(names.frames, _LAST_FRAMES):
        with contextlib.suppress(ProtobufDecodeError):
            steps.append(int(telemetry_pb2.KpiFrame.FromString(entry.payload).step))
    return max(steps, default=None)


def _reject(verdict: policy_pb2.Verdict, message: str) -> None:
    verdict.decision = policy_pb2.DECISION_REJECTED
    verdict.checks.add(name="a1_policy", passed=False, message=message[:1000])


def _count(verdict: policy_pb2.Verdict) -> None:
    accepted = verdict.decision == policy_pb2.DECISION_ACCEPTED
    metrics.VERDICTS.labels("accepted" if accepted else "rejected").inc()
    if accepted and verdict.handling != policy_pb2.HANDLING_STOPPED:
        metrics.POLICIES.labels(policy_pb2.Mode.Name(verdict.mode).removeprefix("MODE_").lower()).inc()
    for check in verdict.checks:
        if not check.passed:
            metrics.CHECK_FAILURES.labels(check.name).inc()


def _verdict_event(verdict: policy_pb2.Verdict, proposal: planning_pb2.Proposal, payload: bytes) -> dict[str, Any]:
    """What an auditor needs to see why: the proposal's digest, where it came from, and every failed check."""
    return {
        "proposal_id": verdict.proposal_id,
        "step": verdict.step,
        "decision": policy_pb2.Decision.Name(verdict.decision),
        "mode": policy_pb2.Mode.Name(verdict.mode),
        "guardrail_version": verdict.guardrail_version,
        "proposal_sha256": hashlib.sha256(payload).hexdigest(),
        "spec_digest": proposal.spec_digest[:128],
        "source": int(proposal.source),
        "models": [{"name": m.name[:64], "version": m.version[:64], "digest": m.digest[:64]} for m in proposal.models[:16]],
        "passed": [c.name for c in verdict.checks if c.passed],
        "failed": {c.name: c.message for c in verdict.checks if not c.passed},
        "handling": policy_pb2.Handling.Name(verdict.handling),
        "handling_reason": verdict.handling_reason,
        "trace_id": verdict.trace_id,
    }


def start_event(mode: policy_pb2.Mode, rules: GuardrailRules, spec: NetworkSpec, instance: str) -> Event:
    """Recorded before a process's first effect: under which mode, rules and network it decides."""
    return Event(
        "start",
        {
            "mode": policy_pb2.Mode.Name(mode),
            "guardrail_version": rules.label,
            "network": spec.name,
            "spec_digest": spec.digest(),
            "instance": instance,
        },
    )
