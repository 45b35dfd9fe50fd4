"""Frames in, shadow scores out: the gateway's second worker. A proposal is scored once its horizon is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import metrics
from twm.core.drift import DriftStatus
from twm.core.errors import AuditError, DecodeError, InvalidInputError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.stream_worker import Effect
from twm.core.streams import GROUP_SCORER, Entry, KeyWrite, Output, StreamNames, Streams
from twm.gateway.audit import Event
from twm.gateway.drift_watch import DriftWatch, publish, tell
from twm.gateway.exposed import expose_frame, expose_network
from twm.gateway.recorder import Composition, Recorder
from twm.gateway.scoring import Forecast, forecast_of, score
from twm.gateway.step_search import StepOf, cursor_before_step, id_key

SCORED_KEY = "gateway-scored"
MAX_SCORES_PER_FRAME = 16
WINDOW_HORIZONS = 4
"""Frames are kept for so many horizons; a proposal that comes later than that is not scored."""
_PAGE = 32

T = TypeVar("T")


class Window(Generic[T]):
    """The entries of a stream by slow step, from some step on, read forward as needed."""

    def __init__(self, streams: Streams, stream: str, step_of: StepOf, decode: Callable[[bytes], T]) -> None:
        self.items: dict[int, T] = {}
        self._streams = streams
        self._stream = stream
        self._step_of = step_of
        self._decode = decode
        self._cursor: str | None = None

    async def advance(self, first_step: int, *, last_step: int, last_id: str | None = None) -> None:
        """Read on until `last_id` (None: the stream's end), or beyond `last_step`; steps below `first_step` are left out."""
        if self._cursor is None:
            self._cursor = await cursor_before_step(self._streams, self._stream, first_step, self._step_of)
        while last_id is None or self._cursor == "-" or id_key(self._cursor) < id_key(last_id):
            entries = await self._streams.range(self._stream, after=self._cursor, count=_PAGE)
            if not entries:
                return
            for entry in entries:
                self._keep(entry, first_step)
            self._cursor = entries[-1].id
            if self.items and max(self.items) > last_step:
                return

    def forget_below(self, step: int) -> None:
        """Drop what is no longer needed."""
        for old in [s for s in self.items if s < step]:
            del self.items[old]

    def _keep(self, entry: Entry, first_step: int) -> None:
        step = self._step_of(entry.payload)
        if step is None or step < first_step:
            return
        try:
            self.items[step] = self._decode(entry.payload)
        except InvalidInputError:
            return  # its own reader sends it to the dead letters


class Scorer:
    """Scores the proposals of one area."""

    def __init__(
        self, streams: Streams, names: StreamNames, recorder: Recorder, spec: NetworkSpec, *, min_steps: int | None = None
    ) -> None:
        """`min_steps`: frames of the horizon that must have been seen; None: half of them."""
        codec = FrameCodec(spec)
        expose_network(spec)
        self._drift = DriftWatch(streams, names, spec)
        self._drifted: tuple[DriftStatus, DriftStatus] | None = None
        self._streams = streams
        self._names = names
        self._recorder = recorder
        self._spec = spec
        self._horizon = spec.timing.horizon_steps
        self._min_steps = min_steps or -(-self._horizon // 2)
        self._frames: Window[FrameArrays] = Window(
            streams, names.frames, frame_step, lambda data: codec.decode(telemetry_pb2.KpiFrame.FromString(data))
        )
        self._forecasts: Window[Forecast] = Window(
            streams, names.proposals, proposal_step, lambda data: forecast_of(planning_pb2.Proposal.FromString(data), spec)
        )
        self._decisions: Window[policy_pb2.Decision] = Window(
            streams, names.verdicts, verdict_step, lambda data: policy_pb2.Verdict.FromString(data).decision
        )

    async def handle(self, entry: Entry) -> Effect:
        """Scores of the proposals whose horizon this frame ends. Raises DecodeError on bytes that are no frame."""
        step = frame_step(entry.payload)
        if step is None:
            raise DecodeError(f"frame {entry.id}: {len(entry.payload)} bytes are not a KpiFrame")
        ended = step - self._horizon
        scored = await self._scored()
        oldest = max(scored + 1, step - WINDOW_HORIZONS * self._horizon, 0)
        await self._frames.advance(oldest, last_step=step, last_id=entry.id)
        if step in self._frames.items and step == max(self._frames.items):
            expose_frame(self._frames.items[step], self._spec)
        self._frames.forget_below(oldest)
        if ended > scored:
            await self._forecasts.advance(oldest, last_step=ended)
            await self._decisions.advance(oldest, last_step=ended)
        self._forecasts.forget_below(oldest)
        self._decisions.forget_below(oldest)
        written: list[policy_pb2.ShadowScore] = []

        async def compose() -> Composition:
            composition, scores = await self._compose(ended)
            written[:] = scores
            return composition

        if not any(scored < p <= ended for p in self._forecasts.items):
            return Effect()
        if await self._recorder.commit(entry, GROUP_SCORER, compose) is not None:
            if written:
                _publish(written[-1])
            if self._drifted is not None:
                publish(self._drifted[1])
                tell(*self._drifted)
        return Effect()

    async def _compose(self, ended: int) -> tuple[Composition, list[policy_pb2.ShadowScore]]:
        scored = await self._scored()
        due = sorted(p for p in self._forecasts.items if scored < p <= ended)[:MAX_SCORES_PER_FRAME]
        scores = []
        for step in due:
            found = score(self._forecasts.items[step], self._frames.items, self._spec, decision=self._decision(step))
            if found is not None and found.observed_step_count >= self._min_steps:
                scores.append(found)
        outputs, events = [], []
        for found in scores:
            trace_id = self._forecasts.items[found.step].trace_id
            outputs.append(Output(self._names.scores, found.SerializeToString(deterministic=True), trace_id))
            events.append(Event("score", _score_event(found)))
        keys = [KeyWrite(self._names.key(SCORED_KEY), str(due[-1]).encode())] if due else []
        drift_keys, before, after = await self._drift.take([self._forecasts.items[s.step] for s in scores], self._frames.items)
        self._drifted = (before, after) if before is not None and after is not None else None
        keys += drift_keys
        if before is not None and after is not None and before.state != after.state:
            events.append(Event("drift", _drift_event(before, after)))
        return Composition(outputs=outputs, keys=keys, events=events), scores

    async def _scored(self) -> int:
        """Step of the last proposal that was scored, or passed over; -1: none."""
        stored = await self._streams.get(self._names.key(SCORED_KEY))
        try:
            return -1 if stored is None else int(stored)
        except ValueError as error:
            raise AuditError(f"{SCORED_KEY}: {stored!r:.80} is no step") from error

    def _decision(self, step: int) -> policy_pb2.Decision:
        return self._decisions.items.get(step, policy_pb2.DECISION_UNSPECIFIED)


def _step(kind: type[Message]) -> StepOf:
    def step_of(payload: bytes) -> int | None:
        try:
            return int(kind.FromString(payload).step)  # type: ignore[attr-defined]
        except (ProtobufDecodeError, UnicodeDecodeError):
            return None

    return step_of


frame_step = _step(telemetry_pb2.KpiFrame)
proposal_step = _step(planning_pb2.Proposal)
verdict_step = _step(policy_pb2.Verdict)
policy_step = _step(policy_pb2.SlicePolicy)


def _publish(found: policy_pb2.ShadowScore) -> None:
    for kind in ("observed", "running_predicted", "recommended_predicted"):
        field = f"{kind}_scm"
        if found.HasField(field):
            metrics.SHADOW_SCORE.labels(kind).set(getattr(found, field))
    if found.HasField("coverage_ratio"):
        metrics.SHADOW_COVERAGE.set(found.coverage_ratio)


def _drift_event(before: DriftStatus, after: DriftStatus) -> dict[str, object]:
    return {
        "state": after.state,
        "before": before.state,
        "step": after.last_step,
        "model": after.model,
        "reasons": list(after.reasons)[:8],
    }


def _score_event(found: policy_pb2.ShadowScore) -> dict[str, object]:
    event: dict[str, object] = {
        "policy_set_id": found.policy_set_id,
        "step": found.step,
        "observed_step_count": found.observed_step_count,
        "mean_absolute_error": dict(found.mean_absolute_error),
        "decision": policy_pb2.Decision.Name(found.decision),
    }
    for field in ("observed_scm", "running_predicted_scm", "recommended_predicted_scm", "coverage_ratio", "action_distance"):
        if found.HasField(field):
            event[field] = getattr(found, field)
    return event
