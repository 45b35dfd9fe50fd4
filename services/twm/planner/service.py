"""Frames in, proposals out: exactly one per area and slow step, whatever is redelivered, repeated or killed.

The proposal, the guard (which steps are answered) and the last plan are one atomic effect; the guard is a compare-and-set, so
two planners of one area cannot both answer a step. Nothing but the history cache lives in memory.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import metrics
from twm.core.errors import DecodeError, InvalidInputError
from twm.core.frames import FrameCodec
from twm.core.intents import ACTIVE_KEY, readable_intents
from twm.core.network import NetworkSpec
from twm.core.stream_worker import Effect
from twm.core.streams import GROUP_PLANNER, Entry, KeyWrite, Output, StreamNames, Streams
from twm.core.templates import MAX_OFFER_BYTES, OFFER_KEY
from twm.core.text import shown
from twm.core.validation import validate
from twm.planner.cycle import PlanningCycle
from twm.planner.memory import AnsweredSteps, History, LastPlan, keep_plan
from twm.planner.tape import INTENT_PROBLEM_INPUT, INTENTS_INPUT, DecisionRecorder

log = logging.getLogger(__name__)
_MAX_REFILL = 4608
_REASONS = frozenset(
    (
        "limits",
        "frame",
        "backlog",
        "budget",
        "deadline",
        "unavailable",
        "peer_error",
        "model_mismatch",
        "garbage_answer",
        "internal",
    )
)


@dataclass(frozen=True, kw_only=True)
class BacklogRules:
    """What happens when frames come faster than they are planned. Counts are frames waiting behind the one in hand."""

    reduced_above: int = 4
    """Above this, the search is one small round."""
    reactive_above: int = 24
    """Above this, the reactive rule answers: such a frame's plan is history before it is made."""


class PlannerService:
    """The handler of the frames stream."""

    def __init__(
        self,
        spec: NetworkSpec,
        streams: Streams,
        cycle: PlanningCycle,
        *,
        history_steps: int,
        backlog: BacklogRules | None = None,
        recorder: DecisionRecorder | None = None,
    ) -> None:
        """`history_steps`: frames the world model is shown at most; `recorder`: whose clock and calls the cycle uses."""
        self._spec, self._streams, self._cycle = spec, streams, cycle
        self._names = StreamNames.of(spec.area_id)
        self._guard_key, self._plan_key = self._names.key("planner-answered"), self._names.key("planner-last-plan")
        self._offer_key, self._intents_key = self._names.key(OFFER_KEY), self._names.key(ACTIVE_KEY)
        self._digest = spec.digest()
        self._codec = FrameCodec(spec)
        self._window = history_steps
        self._history = History(spec, history_steps)
        self._backlog = backlog or BacklogRules()
        self._recorder = recorder

    async def handle(self, entry: Entry) -> Effect:
        """The effect of one frame.

        Raises InvalidInputError where it is no frame of this area, UnavailableError without Redis.
        """
        frame = self._read(entry)
        guard_bytes = await self._streams.get(self._guard_key) or b""
        answered = self._answered(guard_bytes)
        if answered.holds(frame.step):
            metrics.FRAMES_REPEATED.inc()
            if answered.too_old(frame.step):
                log.warning("step %d is %d behind the newest, no proposal", frame.step, answered.newest - frame.step)
            return Effect()
        waiting = await self._waiting()
        self._history.add([frame])
        if not self._history.knows(frame.step - 1):
            await self._refill(frame.step, waiting)
        plan_bytes = await self._streams.get(self._plan_key) or b""
        last = self._last_plan(plan_bytes)
        history = self._history.window(frame.step)
        offer = await self._offer()
        intents, problem = await self._intents()
        reduced = waiting > self._backlog.reduced_above
        backlog = waiting if waiting > self._backlog.reactive_above else 0
        if self._recorder is not None:
            self._recorder.begin(
                history,
                plan_bytes if last is not None else b"",
                last.step if last is not None else None,
                self._cycle.memory(),
                self._cycle.settings,
                reduced=reduced,
                backlog=backlog,
            )
            if offer:
                self._recorder.add_input(OFFER_KEY, offer)
            if intents:
                self._recorder.add_input(INTENTS_INPUT, intents)
            if problem:
                self._recorder.add_input(INTENT_PROBLEM_INPUT, problem.encode())
        with metrics.PLAN_SECONDS.time():
            proposal = await self._cycle.plan(
                history,
                last,
                reduced=reduced,
                backlog=backlog,
                offer=offer,
                intents=intents,
                intent_problem=problem,
            )
        if self._recorder is not None:
            self._recorder.finish(proposal)
        self._count(proposal, reduced=reduced)
        keys = [KeyWrite(self._guard_key, answered.with_step(frame.step).to_bytes(), expected=guard_bytes)]
        if last is None or frame.step > last.step:
            keys.append(KeyWrite(self._plan_key, keep_plan(proposal)))
        output = Output(self._names.proposals, proposal.SerializeToString(), proposal.trace_id)
        return Effect(outputs=[output], keys=keys)

    def _read(self, entry: Entry) -> telemetry_pb2.KpiFrame:
        try:
            frame = telemetry_pb2.KpiFrame.FromString(entry.payload)
        except ProtobufDecodeError as error:
            raise DecodeError(f"frame {entry.id}: not a KpiFrame: {error}") from error
        validate(frame)
        self._codec.decode(frame)
        return frame

    def _answered(self, data: bytes) -> AnsweredSteps:
        try:
            return AnsweredSteps.from_bytes(data)
        except InvalidInputError as error:
            # Not this entry's fault: start over; the compare-and-set replaces the broken value.
            log.error("%s holds garbage, starting over: %s", self._guard_key, error)
            return AnsweredSteps()

    def _last_plan(self, data: bytes) -> LastPlan | None:
        try:
            return LastPlan.from_bytes(data, self._spec, self._digest)
        except InvalidInputError as error:
            log.error("%s holds garbage, planning without a warm start: %s", self._plan_key, error)
            return None

    async def _offer(self) -> bytes:
        """Template parameters that the gateway offers, unchecked; one byte more than may be stands for all of a longer one."""
        corner = self._cycle.settings.corner
        if not (corner.templates and corner.offers):
            return b""
        return (await self._streams.get(self._offer_key) or b"")[: MAX_OFFER_BYTES + 1]

    async def _intents(self) -> tuple[bytes, str]:
        """(active intents to plan for, b"" where there never was one; why others are left out)."""
        stored = await self._streams.get(self._intents_key) or b""
        if not stored:
            return b"", ""
        found, problem = readable_intents(stored, self._spec.area_id, self._digest)
        if problem:
            log.error("%s: intents are left out: %s", self._intents_key, problem)
        return found.SerializeToString(deterministic=True), problem

    async def _waiting(self) -> int:
        """Frames waiting behind the one in hand."""
        lag, pending = await self._streams.lag(self._names.frames, GROUP_PLANNER)
        return max(lag + pending - 1, 0)

    async def _refill(self, step: int, waiting: int) -> None:
        """Frames before `step` out of the stream: after a start, or where another replica had them."""
        entries = await self._streams.last(self._names.frames, min(waiting + self._window + 16, _MAX_REFILL))
        for entry in entries:
            try:
                frame = telemetry_pb2.KpiFrame.FromString(entry.payload)
                if step - self._window < frame.step < step and not self._history.knows(frame.step):
                    self._history.add([self._read(entry)])
            except (ProtobufDecodeError, InvalidInputError) as error:
                log.info("history: entry %s is left out: %s", entry.id, error)

    def _count(self, proposal: planning_pb2.Proposal, *, reduced: bool) -> None:
        metrics.PROPOSALS.labels(planning_pb2.ProposalSource.Name(proposal.source)[16:].lower()).inc()
        metrics.TWIN_CALLS.inc(proposal.twin_call_count)
        metrics.EVALUATIONS.inc(proposal.evaluation_count)
        if reduced:
            metrics.PLANS_REDUCED.labels("backlog").inc()
        elif any(timing.part == "stopped_early" for timing in proposal.timings):
            metrics.PLANS_REDUCED.labels("deadline").inc()
        self._count_corner(proposal)
        for met in [o.met for o in proposal.intent_outcomes] + [o.met for o in proposal.objective_outcomes]:
            metrics.INTENT_OUTCOMES.labels("met" if met else "unmet").inc()
        reason = shown(proposal.fallback_reason, 300)
        if proposal.source == planning_pb2.PROPOSAL_SOURCE_ACTOR:
            log.info("step %d: the actor's plan, without a search: %s", proposal.step, reason)
        elif proposal.fallback_reason:
            word = proposal.fallback_reason.partition(":")[0]
            metrics.PLAN_FALLBACKS.labels(word if word in _REASONS else "other").inc()
            log.warning("step %d: reactive fallback: %s", proposal.step, reason)
        else:
            log.info(
                "step %d: %d evaluations, %d twin calls, predicted SCM %.3f, saving %.3f",
                proposal.step, proposal.evaluation_count, proposal.twin_call_count, proposal.predicted_scm,
                proposal.saving_ratio,
            )  # fmt: skip

    def _count_corner(self, proposal: planning_pb2.Proposal) -> None:
        corner = proposal.corner
        for trigger in corner.triggers:
            metrics.CORNER_TRIGGERS.labels(trigger.kind).inc()
        for template in corner.templates:
            metrics.CORNER_TEMPLATES.labels(template.name, template.outcome).inc()
        for screened in corner.screened:
            metrics.PRESCREENED.labels(screened.reason).inc(screened.count)
        if corner.offer:
            metrics.CORNER_OFFERS.labels(corner.offer).inc()
        if corner.reason:
            log.info("step %d: %s", proposal.step, shown(corner.reason, 300))
