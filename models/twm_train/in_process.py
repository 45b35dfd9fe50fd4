"""The services in one process: the planner's peers without gRPC, and the closed loop in the twin that judges a method.

`LocalPeers` asks the code behind the services (twm.inference.answers, twm_twin.service) in the calling thread and gives their
answers. `play` plays many horizons in lockstep: one quiet horizon under uniform shares, so that there is a history, then a
scored one in which step t is decided from frames strictly before t (receding horizon).

Shape suffixes: B horizons side by side, H slow steps, C cells, L links, S slices.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.twin.v1 import twin_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import PolicyArrays, saving_ratio, uniform_policy
from twm.core.clock import Clock, ManualClock
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.frames import Float, FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.paths import zoo_folder
from twm.core.zoo import CARD_NAME, ModelEntry, find_model, load_card
from twm.inference.actor import LoadedActor, Proposer, load_actor
from twm.inference.answers import Answers
from twm.inference.engine import EngineOptions
from twm.inference.loading import LoadedDynamics, LoadedField, load_dynamics, load_field
from twm.planner.peers import Peers
from twm_twin.calendar import known_at, noisy_calendar
from twm_twin.outcomes import horizon_outcome
from twm_twin.recording import frame_blocks
from twm_twin.service import VerificationCall
from twm_twin.simulator import StepResult, Twin
from twm_twin.verification import Verifier

Loaded = TypeVar("Loaded", LoadedDynamics, LoadedField, LoadedActor)
Result = TypeVar("Result")
Variant = Literal["history", "calendar"]
VARIANTS: tuple[Variant, ...] = ("history", "calendar")
HISTORY_STEPS = 16
"""Frames a decision is made from: as the planner service keeps them."""
MAX_ROWS = 256
MAX_TWIN_CALLS = 100_000
_CALENDAR_HORIZONS = 3
"""Horizons a calendar tells: quiet, scored, and the one that the last decisions look into."""


class LocalModels:
    """The models of one network in this process; what `Answers` asks a ModelStore for."""

    def __init__(
        self, spec: NetworkSpec, folder: Path | None = None, change: Callable[[LoadedDynamics], LoadedDynamics] | None = None
    ) -> None:
        """`folder`: a zoo (default: the one that ships), or the folder of one CDWM. `change` is applied to the CDWM.

        Raises ModelMismatchError where there is none for the network.
        """
        self._spec, self._folder = spec, folder or zoo_folder()
        loaded = load_dynamics(self._entry("cdwm"), spec, EngineOptions(use_cuda=False))
        self.dynamics: Slot[LoadedDynamics] = Slot(lambda: change(loaded) if change else loaded)
        self.actor: Slot[LoadedActor] = Slot(lambda: load_actor(self._entry("actor"), spec, EngineOptions(use_cuda=False)))
        self.field: Slot[LoadedField] = Slot(lambda: load_field(self._entry("fwm"), spec, EngineOptions(use_cuda=False)))

    def _entry(self, name: str) -> ModelEntry:
        card = self._folder / CARD_NAME
        if name == "cdwm" and card.is_file():
            return ModelEntry(self._folder, load_card(card))
        return find_model(self._folder, name, self._spec.topology_digest())


class Slot(Generic[Loaded]):
    """One model, opened when it is first asked for."""

    def __init__(self, load: Callable[[], Loaded]) -> None:
        self._load = load
        self._loaded: Loaded | None = None

    def get(self) -> Loaded:
        """The model."""
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded


class LocalPeers(Peers):
    """The planner's peers in this process: same questions, same answers, no socket. Blocks the event loop while it answers.

    Deadlines are held by the clock given; with the default one, which stands still, an answer does not depend on how fast the
    machine is.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        models: LocalModels | Path | None = None,
        *,
        clock: Clock | None = None,
        verifier: Verifier | None = None,
        wrap: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]] | None = None,
    ) -> None:
        """`wrap` is put around each call, as in `Peers.on`."""
        clock, around = clock or ManualClock(), wrap or (lambda call: call)
        self.models = models if isinstance(models, LocalModels) else LocalModels(spec, models)
        self.answers = Answers(spec, self.models, default_samples=4, max_rows=MAX_ROWS, cache_capacity=4)
        self.verifier = verifier or Verifier(spec)
        self._proposer = Proposer(spec, self.models.actor)
        self._call = VerificationCall(spec, self.verifier, MAX_TWIN_CALLS)
        calls = [around(call) for call in (self._answer_rollout, self._answer_verify, self._answer_propose)]
        super().__init__(spec, calls[0], calls[1], clock, calls[2])

    async def _answer_rollout(
        self,
        request: worldmodel_pb2.RolloutRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - as the gRPC stub has it
    ) -> worldmodel_pb2.RolloutResponse:
        del timeout
        return self.answers.rollout(request)

    async def _answer_verify(
        self,
        request: twin_pb2.VerifyRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - as the gRPC stub has it
    ) -> twin_pb2.VerifyResponse:
        del timeout
        return self._call.answer(request, lambda: None)

    async def _answer_propose(
        self,
        request: worldmodel_pb2.ProposeRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - as the gRPC stub has it
    ) -> worldmodel_pb2.ProposeResponse:
        del timeout
        return self._proposer.propose(request)


def run_now(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine whose peers are local, so that it never waits: an event loop made for each decision costs milliseconds.

    Raises UnavailableError where it does wait for something.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    work.close()
    raise UnavailableError("local peers: a coroutine waits for something outside this process")


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a method may know when it decides slow step `step` of the scored horizon: nothing from that step or later."""

    step: int
    """0 .. H - 1."""
    frames_B: Sequence[Sequence[FrameArrays]]
    """Frames of each horizon, oldest first, at most HISTORY_STEPS; `events` is empty in variant `history`."""
    messages_B: Sequence[Sequence[telemetry_pb2.KpiFrame]]
    """The same as messages."""
    blocks: Mapping[str, Float]
    """The last frame of every horizon, by block name, with a leading B."""
    prb_share_BCS: Float
    """Shares in force."""
    bandwidth_share_BLS: Float

    @property
    def count(self) -> int:
        """Horizons, B."""
        return len(self.frames_B)

    def running(self, index: int) -> PolicyArrays:
        """Shares in force in one horizon, one step."""
        return PolicyArrays(
            prb_share_KHCS=self.prb_share_BCS[index][None, None],
            bandwidth_share_KHLS=self.bandwidth_share_BLS[index][None, None],
        )


@dataclass(kw_only=True)
class Decided:
    """What a method decided for one step of every horizon, and what it says of that."""

    prb_share_BCS: NDArray[np.floating]
    bandwidth_share_BLS: NDArray[np.floating]
    twin_calls: int = 0
    """Horizons played in the twin for each decision."""
    evaluations: int = 0
    """Candidates scored without the twin for each decision."""
    predicted_scm_B: Sequence[float] | None = None
    verified_scm_B: Sequence[float] | None = None
    seconds_B: Sequence[float] | None = None
    """Wall time of each decision; None: the batch took its time together."""
    notes_B: Sequence[str] | None = None
    """Where each decision came from."""


Decide = Callable[[Observed], Decided]


@dataclass(kw_only=True)
class Outcome:
    """B scored horizons of one method, as they truly went."""

    scm_B: NDArray[np.float64]
    saving_B: NDArray[np.float64]
    """Control saving relative to uniform; changes count from the uniform shares of the quiet horizon on."""
    change_cost_B: NDArray[np.float64]
    """Part of the control cost that moving shares makes."""
    violated_BS: NDArray[np.bool_]
    loss_BS: NDArray[np.float64]
    delay_BS: NDArray[np.float64]
    """p99 [ms]."""
    seconds_BH: NDArray[np.float64]
    predicted_BH: NDArray[np.float64]
    """Predicted SCM of what was decided, NaN where nothing was predicted."""
    verified_BH: NDArray[np.float64]
    """SCM that the twin found for it in the scenarios it was verified in."""
    twin_calls_H: list[int]
    evaluations_H: list[int]
    notes_BH: list[list[str]] = field(default_factory=list)


def play(
    spec: NetworkSpec,
    decide: Decide,
    seed_list: Sequence[int],
    scenarios: Sequence[str],
    variant: Variant = "history",
    *,
    after_step: Callable[[int], None] | None = None,
) -> Outcome:
    """Play one quiet and one scored horizon of every (seed, scenario) pair. `after_step` hears of each scored step.

    Raises InvalidInputError where the variant is unknown, or seeds and scenarios do not pair.
    """
    if variant not in VARIANTS:
        raise InvalidInputError(f"variant: {variant!r} is not one of {', '.join(VARIANTS)}")
    b, (c, s, n_links), horizon = len(seed_list), spec.sizes, spec.timing.horizon_steps
    twin, codec = Twin(spec, b), FrameCodec(spec)
    twin.reset(seed_list, scenarios, quiet_steps=horizon)
    told = [
        noisy_calendar(twin.layout, int(seed), name, horizons=_CALENDAR_HORIZONS, quiet_steps=horizon)
        if variant == "calendar"
        else []
        for seed, name in zip(seed_list, scenarios, strict=True)
    ]
    prb, bandwidth = np.full((b, c, s), 1 / s, np.float32), np.full((b, n_links, s), 1 / s, np.float32)
    frames: list[list[FrameArrays]] = [[] for _ in range(b)]
    messages: list[list[telemetry_pb2.KpiFrame]] = [[] for _ in range(b)]
    blocks: Mapping[str, Float] = {}
    results: list[StepResult] = []
    taken: list[Decided] = []
    seconds: list[Sequence[float]] = []
    for step in range(2 * horizon):
        if step >= horizon:
            observed = Observed(
                step=step - horizon,
                frames_B=[list(f) for f in frames],
                messages_B=[list(m) for m in messages],
                blocks=blocks,
                prb_share_BCS=prb.copy(),
                bandwidth_share_BLS=bandwidth.copy(),
            )
            begin = time.perf_counter()
            decided = decide(observed)
            seconds.append(decided.seconds_B or [(time.perf_counter() - begin) / b] * b)
            taken.append(decided)
            prb, bandwidth = (np.array(a, np.float32) for a in (decided.prb_share_BCS, decided.bandwidth_share_BLS))
        result = twin.step(prb, bandwidth)
        batch = twin.frames(result)
        blocks = frame_blocks(batch)
        for i in range(b):
            frame = batch.frame(i)
            frame.events = list(known_at(told[i], step, horizon))
            frames[i] = [*frames[i][1 - HISTORY_STEPS :], frame]
            messages[i] = [*messages[i][1 - HISTORY_STEPS :], codec.encode(frame)]
        if step >= horizon:
            results.append(result)
            if after_step is not None:
                after_step(step - horizon)
    return _judged(spec, results, taken, seconds)


def _judged(
    spec: NetworkSpec, results: Sequence[StepResult], taken: Sequence[Decided], seconds: Sequence[Sequence[float]]
) -> Outcome:
    """SCM from what truly happened, pooled over the horizon; saving of the shares taken."""
    outcome = horizon_outcome(spec, results)
    policies = PolicyArrays(
        prb_share_KHCS=np.stack([r.prb_share_BCS for r in results], 1).astype(np.float32),
        bandwidth_share_KHLS=np.stack([r.bandwidth_share_BLS for r in results], 1).astype(np.float32),
    )
    saving = saving_ratio(policies, spec, uniform_policy(spec, 1))
    still = spec.model_copy(update={"control": spec.control.model_copy(update={"change_cost_weight": 0.0})})
    b = len(saving)

    def column(values: Sequence[Sequence[float] | None]) -> NDArray[np.float64]:
        return np.stack([np.full(b, np.nan) if v is None else np.asarray(v, np.float64) for v in values], 1)

    return Outcome(
        scm_B=outcome.scm,
        saving_B=saving,
        change_cost_B=saving_ratio(policies, still) - saving,
        violated_BS=outcome.violated_S,
        loss_BS=outcome.loss_ratio_S,
        delay_BS=outcome.delay_p99_ms_S,
        seconds_BH=column(seconds),
        predicted_BH=column([d.predicted_scm_B for d in taken]),
        verified_BH=column([d.verified_scm_B for d in taken]),
        twin_calls_H=[d.twin_calls for d in taken],
        evaluations_H=[d.evaluations for d in taken],
        notes_BH=[[(d.notes_B[i] if d.notes_B else "") for d in taken] for i in range(b)],
    )


def uniform_shares(observed: Observed) -> Decided:
    """The uniform method: 1/S everywhere."""
    return Decided(
        prb_share_BCS=np.full_like(observed.prb_share_BCS, 1 / observed.prb_share_BCS.shape[-1]),
        bandwidth_share_BLS=np.full_like(observed.bandwidth_share_BLS, 1 / observed.bandwidth_share_BLS.shape[-1]),
    )
