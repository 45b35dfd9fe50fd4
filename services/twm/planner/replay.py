"""A decision once more: recorded clock and memory, the same frames, models and twin; it must come to the same bytes.

What was late then is late now: a call that failed is not made again but fails as it did. Every other call is made and its
answer held against the recorded digest, so that the first step that differs is named, not only the last.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.digest import decided, digest_bytes, digest_message, proposal_digest
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.templates import OFFER_KEY
from twm.planner.cycle import PlanningCycle
from twm.planner.memory import CycleMemory, LastPlan
from twm.planner.peers import ActorCall, Peers, TwinCall, WorldCall
from twm.planner.tape import INTENT_PROBLEM_INPUT, INTENTS_INPUT, Describe, settings_from_json, versions

Response = TypeVar("Response", bound=Message)
CALL_TIMEOUT_S = 60.0
MAX_DIFFERENCES = 20


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What came out of running a decision again."""

    proposal: planning_pb2.Proposal
    """What the cycle proposes now."""
    recorded_digest: str
    digest: str
    differences: tuple[str, ...]
    """Steps and fields that differ, in the order in which they came; empty: bit for bit the same."""
    other_versions: tuple[str, ...]
    """What computes here and did not then: a reason for differences, not one itself."""
    calls: int
    """Calls of peers that were made again."""

    @property
    def same(self) -> bool:
        """Whether every step and the proposal came to the same bytes."""
        return not self.differences and self.digest == self.recorded_digest


@dataclass(kw_only=True)
class _Differences:
    found: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """One more; the first ones count."""
        if len(self.found) < MAX_DIFFERENCES:
            self.found.append(text)


class ReplayClock:
    """Gives the recorded readings, one after the other."""

    def __init__(self, tape: trace_pb2.DecisionTape, differences: _Differences) -> None:
        self._monotonic, self._wall = list(tape.monotonic_s), list(tape.now_s)
        self._differences = differences
        self.monotonic_read = self.wall_read = 0

    def now_s(self) -> float:
        """The next recorded wall time."""
        self.wall_read += 1
        return self._next(self._wall, self.wall_read, "wall clock")

    def monotonic_s(self) -> float:
        """The next recorded steady time."""
        self.monotonic_read += 1
        return self._next(self._monotonic, self.monotonic_read, "steady clock")

    async def sleep(self, seconds: float) -> None:
        """Nothing in a cycle sleeps; a replay does not wait."""
        del seconds

    def finish(self) -> None:
        """Tell readings that were not asked for."""
        for name, read, recorded in (
            ("steady clock", self.monotonic_read, len(self._monotonic)),
            ("wall clock", self.wall_read, len(self._wall)),
        ):
            if read < recorded:
                self._differences.add(f"{name}: read {read} times, recorded {recorded}")

    def _next(self, readings: list[float], count: int, name: str) -> float:
        if count > len(readings):
            self._differences.add(f"{name}: read more often than the {len(readings)} times recorded")
            return readings[-1] if readings else 0.0
        return readings[count - 1]


class _Calls:
    """The calls of a decision, held against the recorded steps in order."""

    def __init__(self, steps: Sequence[trace_pb2.TraceStep], differences: _Differences) -> None:
        self._steps = [(i, s) for i, s in enumerate(steps) if s.kind in ("forecast", "rollout", "actor", "verification")]
        self._differences = differences
        self._describe = Describe()
        self.asked = 0
        self.made = 0

    def replayed(self, call: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        """Use in place of `call`."""

        async def ask(request: Message, *, timeout: float) -> Response:  # noqa: ASYNC109 - as the gRPC stub has it
            del timeout
            now, index = self._describe.call(request), self.asked
            self.asked += 1
            recorded = self._steps[index] if index < len(self._steps) else None
            if recorded is None:
                self._differences.add(f"call {index} ({now.kind}): not on the tape")
            else:
                self._compare_question(*recorded, now)
                if recorded[1].error:
                    raise _as_recorded(recorded[1].error)
            self.made += 1
            answer = await call(request, timeout=CALL_TIMEOUT_S)
            if recorded is not None:
                self._describe.answer(now, answer)
                self._compare_answer(*recorded, now)
            return answer

        return ask

    def finish(self) -> None:
        """Tell recorded calls that were not made."""
        if self.asked < len(self._steps):
            index, step = self._steps[self.asked]
            self._differences.add(f"step {index} ({step.kind}): recorded, not asked now")

    def _compare_question(self, index: int, then: trace_pb2.TraceStep, now: trace_pb2.TraceStep) -> None:
        if then.kind != now.kind:
            self._differences.add(f"step {index}: asked {now.kind}, recorded {then.kind}")
            return
        for name in sorted(set(then.inputs) | set(now.inputs)):
            if then.inputs.get(name) != now.inputs.get(name):
                self._tell(index, then, f"input {name}", then.inputs.get(name), now.inputs.get(name))
        if dict(then.numbers) != dict(now.numbers) or then.seed != now.seed:
            self._differences.add(f"step {index} ({then.kind}): sizes or seed differ")

    def _compare_answer(self, index: int, then: trace_pb2.TraceStep, now: trace_pb2.TraceStep) -> None:
        models = [[(m.name, m.version, m.digest) for m in step.models] for step in (then, now)]
        if models[0] != models[1]:
            self._differences.add(f"step {index} ({then.kind}): models {_models(models[1])}, recorded {_models(models[0])}")
        for name in sorted(set(then.outputs) | set(now.outputs)):
            if then.outputs.get(name) != now.outputs.get(name):
                self._tell(index, then, f"output {name}", then.outputs.get(name), now.outputs.get(name))

    def _tell(self, index: int, step: trace_pb2.TraceStep, what: str, then: str | None, now: str | None) -> None:
        text = f"step {index} ({step.kind}): {what} is {(now or 'missing')[:12]}, recorded {(then or 'missing')[:12]}"
        self._differences.add(text)


def _models(models: list[tuple[str, str, str]]) -> str:
    return ", ".join(f"{n} {v} {d[:12]}" for n, v, d in models) or "none"


def _as_recorded(text: str) -> grpc.aio.AioRpcError:
    name, _, detail = text.partition(": ")
    code = grpc.StatusCode.__members__.get(name, grpc.StatusCode.UNKNOWN)
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=detail)


def check_inputs(
    proposal: planning_pb2.Proposal, history: Sequence[telemetry_pb2.KpiFrame], last_plan: bytes
) -> trace_pb2.DecisionTape:
    """The tape, once frames and plan are those that it names. Raises InvalidInputError naming the first that is not."""
    if not proposal.HasField("tape"):
        raise InvalidInputError(f"proposal {proposal.proposal_id!a}: carries no tape, it cannot be repeated")
    tape = proposal.tape
    if len(history) != len(tape.frames):
        raise InvalidInputError(f"history: {len(history)} frames, the tape names {len(tape.frames)}")
    for frame, reference in zip(history, tape.frames, strict=True):
        found = digest_message(frame)
        if frame.step != reference.step or found != reference.digest:
            raise InvalidInputError(
                f"frame {reference.step}: digest {found[:12]} (step {frame.step}), the tape says {reference.digest[:12]}"
            )
    found = digest_bytes(last_plan) if last_plan else ""
    if found != tape.last_plan_digest:
        raise InvalidInputError(
            f"last plan: digest {found[:12] or 'none'}, the tape says {tape.last_plan_digest[:12] or 'none'}"
        )
    found = proposal_digest(proposal)
    if found != tape.proposal_digest:
        what = f"proposal {proposal.proposal_id!a}"
        raise InvalidInputError(f"{what}: digest {found[:12]}, the tape says {tape.proposal_digest[:12]}")
    return tape


async def replay(
    recorded: planning_pb2.Proposal,
    history: Sequence[telemetry_pb2.KpiFrame],
    last_plan: bytes,
    spec: NetworkSpec,
    world: WorldCall,
    twin: TwinCall,
    propose: ActorCall | None = None,
) -> Replay:
    """Run the decision behind `recorded` again.

    Raises InvalidInputError where frames, plan or proposal are not those recorded.
    """
    tape = check_inputs(recorded, history, last_plan)
    if recorded.spec_digest != spec.digest():
        raise InvalidInputError(f"spec_digest: {spec.digest()[:12]}, recorded {recorded.spec_digest[:12]}")
    differences = _Differences()
    clock = ReplayClock(tape, differences)
    calls = _Calls(recorded.trace, differences)
    peers = Peers(
        spec,
        calls.replayed(world),
        calls.replayed(twin),
        clock,
        None if propose is None else calls.replayed(propose),
    )
    cycle = PlanningCycle(spec, settings_from_json(tape.settings_json), peers, clock)
    cycle.recall(memory_of(tape))
    plan = LastPlan.from_bytes(last_plan, spec, recorded.spec_digest)
    read = {one.name: one.content for one in tape.inputs}
    proposal = await cycle.plan(
        history,
        plan,
        reduced=tape.reduced,
        backlog=tape.backlog,
        offer=read.get(OFFER_KEY, b""),
        intents=read.get(INTENTS_INPUT, b""),
        intent_problem=read.get(INTENT_PROBLEM_INPUT, b"").decode(errors="replace"),
    )
    clock.finish()
    calls.finish()
    digest = proposal_digest(proposal)
    if digest != tape.proposal_digest:
        for name in _fields_that_differ(recorded, proposal):
            differences.add(f"proposal.{name}: differs")
    here = tuple(version for version in versions() if version not in tape.versions)
    return Replay(
        proposal=proposal,
        recorded_digest=tape.proposal_digest,
        digest=digest,
        differences=tuple(differences.found),
        other_versions=here,
        calls=calls.made,
    )


def memory_of(tape: trace_pb2.DecisionTape) -> CycleMemory:
    """What the cycle remembered."""
    absent = tuple((m.name, m.version, m.digest) for m in tape.actor_absent_with) if tape.actor_absent else None
    return CycleMemory(
        candidate_s=tape.candidate_s,
        tail_s=tape.tail_s,
        actor_present=tape.actor_present,
        actor_silent=tape.actor_silent,
        actor_absent_with=absent,
    )


def _fields_that_differ(first: planning_pb2.Proposal, second: planning_pb2.Proposal) -> list[str]:
    a, b = decided(first), decided(second)
    names = []
    for entry in planning_pb2.Proposal.DESCRIPTOR.fields:
        one, other = planning_pb2.Proposal(), planning_pb2.Proposal()
        for source, target in ((a, one), (b, other)):
            target.CopyFrom(source)
            for name in [f.name for f in planning_pb2.Proposal.DESCRIPTOR.fields if f.name != entry.name]:
                target.ClearField(name)
        if digest_message(one) != digest_message(other):
            names.append(entry.name)
    return names
