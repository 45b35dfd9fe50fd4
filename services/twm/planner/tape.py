"""The tape of a decision: what a planning cycle read from clocks and peers, so that the same cycle can be run again on it.

The cycle draws from seeds of area and step only; what else decides is what its clock said when, how fast its peers had been,
and what they answered. All of that passes through the clock and the three calls that `Peers` is built on, so these are
recorded, and the cycle itself knows nothing of it.
"""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import google.protobuf
import grpc
import numpy as np
from google.protobuf.message import Message

from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.twin.v1 import twin_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.clock import Clock
from twm.core.digest import digest_bytes, digest_message, digest_of, proposal_digest
from twm.core.errors import InvalidInputError
from twm.planner.cycle_settings import CycleSettings
from twm.planner.memory import CycleMemory

log = logging.getLogger(__name__)
MAX_READINGS, MAX_WALL_READINGS, MAX_STEPS = 4096, 64, 60
INTENTS_INPUT, INTENT_PROBLEM_INPUT = "intents", "intent-problem"
"""Names of what a decision reads of intents (TapeInput.name)."""
MAX_ERROR = 400
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class TapeClock:
    """A clock whose readings are kept while a decision is on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.monotonic: list[float] = []
        self.wall: list[float] = []

    def now_s(self) -> float:
        """Unix time, UTC [s]."""
        self.wall.append(self._clock.now_s())
        del self.wall[: -MAX_WALL_READINGS - 1]
        return self.wall[-1]

    def monotonic_s(self) -> float:
        """Steady time for durations [s]."""
        self.monotonic.append(self._clock.monotonic_s())
        del self.monotonic[: -MAX_READINGS - 1]
        return self.monotonic[-1]

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)


class DecisionRecorder:
    """Records one decision at a time: `begin`, the cycle, `finish`. Its clock and calls are what `Peers` and the cycle use."""

    def __init__(self, clock: Clock) -> None:
        self.clock = TapeClock(clock)
        self._steps: list[trace_pb2.TraceStep] = []
        self._tape = trace_pb2.DecisionTape()
        self._describe = Describe()

    def begin(
        self,
        history: Sequence[telemetry_pb2.KpiFrame],
        last_plan: bytes,
        last_plan_step: int | None,
        memory: CycleMemory,
        settings: CycleSettings,
        *,
        reduced: bool,
        backlog: int,
    ) -> None:
        """A decision on `history` begins; `last_plan`: the remembered plan as stored, b"" where there is none."""
        self.clock.monotonic.clear()
        self.clock.wall.clear()
        self._steps = []
        self._describe = Describe()
        tape = self._tape = trace_pb2.DecisionTape(
            frames=[trace_pb2.FrameReference(step=f.step, digest=self._describe.frame(f)) for f in history],
            reduced=reduced,
            backlog=backlog,
            candidate_s=memory.candidate_s,
            tail_s=memory.tail_s,
            actor_present=memory.actor_present,
            actor_silent=memory.actor_silent,
            settings_json=settings_to_json(settings),
            versions=versions(),
        )
        if memory.actor_absent_with is not None:
            tape.actor_absent = True
            tape.actor_absent_with.extend(
                worldmodel_pb2.ModelIdentity(name=n, version=v, digest=d) for n, v, d in memory.actor_absent_with
            )
        if last_plan_step is not None:
            tape.last_plan_step, tape.last_plan_digest = last_plan_step, digest_bytes(last_plan)
        self._steps.append(
            trace_pb2.TraceStep(
                kind="state",
                inputs={
                    "history": self._describe.history(history),
                    **({"last_plan": tape.last_plan_digest} if last_plan else {}),
                },
                numbers={"frame_count": len(history), "step": history[-1].step if history else 0},
            )
        )
        self._steps.append(
            trace_pb2.TraceStep(
                kind="intent", inputs={"settings": digest_bytes(tape.settings_json.encode())}, note="standing objective"
            )
        )

    def add_input(self, name: str, content: bytes) -> None:
        """Something else that the decision reads (an intent, say). Raises InvalidInputError where it is over 64 KiB."""
        if len(content) > 65536:
            raise InvalidInputError(f"tape input {name}: {len(content)} bytes, at most 65536")
        self._tape.inputs.add(name=name, digest=digest_bytes(content), content=content)
        if name == INTENTS_INPUT:
            self._steps[-1].inputs[name] = digest_bytes(content)
            self._steps[-1].note = "standing objective and active intents"

    def recorded(self, call: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        """A call of a peer, recorded: use in place of `call`."""

        async def ask(request: Message, *, timeout: float) -> Response:  # noqa: ASYNC109 - as the gRPC stub has it
            step = self._describe.call(request)
            try:
                answer = await call(request, timeout=timeout)
            except grpc.aio.AioRpcError as error:
                step.error = error_text(error)
                self._add(step)
                raise
            self._describe.answer(step, answer)
            self._add(step)
            return answer

        return ask

    def finish(self, proposal: planning_pb2.Proposal) -> None:
        """Put trace and tape into the proposal; without a tape where more was read than a tape holds."""
        chosen = proposal.candidates[proposal.chosen_index].origin if proposal.chosen_index < len(proposal.candidates) else ""
        tape, digest = self._tape, proposal_digest(proposal)
        self._add(
            trace_pb2.TraceStep(
                kind="choice",
                outputs={"proposal": digest},
                numbers={"evaluation_count": proposal.evaluation_count, "twin_call_count": proposal.twin_call_count},
                note=f"{chosen}; {proposal.fallback_reason}"[:MAX_ERROR] if proposal.fallback_reason else chosen,
            )
        )
        if proposal.corner.triggers:
            self._steps.insert(len(self._steps) - 1, _corner_step(proposal.corner))
        proposal.trace.extend(self._steps)
        if len(self.clock.monotonic) > MAX_READINGS or len(self.clock.wall) > MAX_WALL_READINGS or len(self._steps) > MAX_STEPS:
            log.warning("step %d: too long for a tape, the decision cannot be repeated", proposal.step)
            return
        tape.monotonic_s.extend(self.clock.monotonic)
        tape.now_s.extend(self.clock.wall)
        tape.proposal_digest = digest
        proposal.tape.CopyFrom(tape)

    def _add(self, step: trace_pb2.TraceStep) -> None:
        if len(self._steps) <= MAX_STEPS:
            self._steps.append(step)


class Describe:
    """Steps of calls: digests of what is asked and answered. Frames of one decision are digested once."""

    def __init__(self) -> None:
        self._frames: dict[int, str] = {}

    def frame(self, frame: telemetry_pb2.KpiFrame) -> str:
        """Digest of a frame."""
        if frame.step not in self._frames:
            self._frames[frame.step] = digest_message(frame)
        return self._frames[frame.step]

    def history(self, frames: Sequence[telemetry_pb2.KpiFrame]) -> str:
        """Digest of a history."""
        return digest_of(self.frame(frame) for frame in frames)

    def call(self, request: Message) -> trace_pb2.TraceStep:
        """The step of a question, not yet answered."""
        if isinstance(request, worldmodel_pb2.RolloutRequest):
            return self._rollout(request)
        if isinstance(request, worldmodel_pb2.ProposeRequest):
            return trace_pb2.TraceStep(
                kind="actor",
                inputs={"history": self.history(request.history), "running": digest_message(request.running)},
                numbers={"saving_wanted_ratio": request.saving_wanted_ratio},
            )
        if isinstance(request, twin_pb2.VerifyRequest):
            targets = digest_of(digest_message(one) for one in request.targets)
            return trace_pb2.TraceStep(
                kind="verification",
                inputs={
                    "start": self.frame(request.start),
                    "policies": digest_message(request.policies),
                    "scenarios": digest_bytes(np.array(request.exogenous_scenarios, "<f4").tobytes()),
                    **({"targets": targets} if request.targets else {}),
                },
                numbers={
                    "policy_count": request.policies.policy_count,
                    "scenario_count": request.scenario_count,
                    "played_steps": request.played_steps,
                },
                seed=request.seed,
            )
        raise InvalidInputError(f"trace: {type(request).__name__} is no question of a decision")

    def _rollout(self, request: worldmodel_pb2.RolloutRequest) -> trace_pb2.TraceStep:
        forecast = bool(getattr(request, "exogenous_only", False))
        step = trace_pb2.TraceStep(
            kind="forecast" if forecast else "rollout",
            inputs={"history": self.history(request.history), "policies": digest_message(request.policies)},
            numbers={
                "policy_count": request.policies.policy_count,
                "step_count": request.policies.step_count,
                "sample_count": request.sample_count,
                "with_trajectories": float(request.with_trajectories),
            },
            seed=request.seed,
        )
        if request.HasField("account"):
            step.inputs["account"] = digest_message(request.account)
        for name, asked in (("states", request.states), ("targets", request.targets)):
            if asked:
                step.inputs[name] = digest_of(digest_message(one) for one in asked)
        return step

    def answer(self, step: trace_pb2.TraceStep, answer: Message) -> None:
        """Put the answer's digest and the models that gave it into the step."""
        step.outputs["answer"] = digest_message(answer)
        if isinstance(answer, worldmodel_pb2.RolloutResponse):
            step.models.extend(answer.models[:16])
        elif isinstance(answer, worldmodel_pb2.ProposeResponse):
            step.models.append(answer.model)


def _corner_step(corner: planning_pb2.CornerReport) -> trace_pb2.TraceStep:
    """The step of the trace that tells of signs and templates."""
    return trace_pb2.TraceStep(
        kind="corner",
        outputs={"report": digest_message(corner)},
        numbers={
            "trigger_count": len(corner.triggers),
            "template_count": len(corner.templates),
            "screened_count": sum(one.count for one in corner.screened),
        },
        note=corner.reason,
    )


def error_text(error: grpc.aio.AioRpcError) -> str:
    """Status and detail of a call that failed, as the tape keeps them."""
    return f"{error.code().name}: {error.details() or ''}"[:MAX_ERROR]


def settings_to_json(settings: CycleSettings) -> str:
    """Canonical JSON of the settings; `settings_from_json` gives them back exactly."""
    return json.dumps(asdict(settings), sort_keys=True, separators=(",", ":"))


def settings_from_json(text: str) -> CycleSettings:
    """Back from `settings_to_json`. Raises InvalidInputError where a field is missing, unknown or out of range."""
    try:
        built = _built(CycleSettings, json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInputError(f"tape.settings_json: {error}"[:300]) from error
    assert isinstance(built, CycleSettings)
    return built


def _built(kind: type[Any], data: dict[str, Any]) -> Any:
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    if set(data) != names:
        raise ValueError(f"{kind.__name__}: fields {sorted(set(data) ^ names)} are missing or unknown")
    values = {}
    for name, value in data.items():
        hint = hints[name]
        if is_dataclass(hint):
            assert isinstance(hint, type)
            values[name] = _built(hint, value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def versions() -> list[str]:
    """What computes here, so that another outcome of a repetition can be told from another machine."""
    return [
        f"python {platform.python_version()}",
        f"numpy {np.__version__}",
        f"protobuf {google.protobuf.__version__}",
        f"machine {platform.machine()}",
    ]
