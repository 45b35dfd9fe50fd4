"""Questions to the world model and the twin: a deadline on each, and answers checked before anyone believes them.

Shape suffixes: K candidates, M policies of the actor, P finalists, H slow steps, Q quantile levels, S slices, C cells, L links,
J scenarios.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import grpc
import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.twin.v1 import twin_pb2, twin_pb2_grpc
from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core.account import SlaAccount
from twm.core.actions import PolicyArrays, decode_policies, encode_policies, uniform_policy
from twm.core.clock import Clock
from twm.core.errors import DeadlineError, InvalidInputError, ModelMismatchError, TwmError, UnavailableError
from twm.core.network import NetworkSpec
from twm.core.packed import extend_packed
from twm.planner.contingency import Contingency
from twm.planner.objective import Predictions

Answer = TypeVar("Answer", bound=Message)
MAX_DETAIL = 300
MAX_ACTOR_POLICIES = 16
_TOLERANCE = 1e-3


class GarbageError(TwmError):
    """A peer's answer has wrong sizes, or numbers that cannot be."""

    reason = "garbage_answer"


class WorldCall(Protocol):
    """WorldModelService.Rollout as the gRPC stub has it."""

    def __call__(
        self, request: worldmodel_pb2.RolloutRequest, *, timeout: float
    ) -> Awaitable[worldmodel_pb2.RolloutResponse]: ...


class ActorCall(Protocol):
    """WorldModelService.Propose as the gRPC stub has it."""

    def __call__(
        self, request: worldmodel_pb2.ProposeRequest, *, timeout: float
    ) -> Awaitable[worldmodel_pb2.ProposeResponse]: ...


class TwinCall(Protocol):
    """TwinService.Verify as the gRPC stub has it."""

    def __call__(self, request: twin_pb2.VerifyRequest, *, timeout: float) -> Awaitable[twin_pb2.VerifyResponse]: ...


@dataclass(frozen=True, kw_only=True)
class Scenarios:
    """Exogenous futures in the layout of RolloutResponse.exogenous_scenarios."""

    demand_mbps_JHCS: NDArray[np.float32]
    spectral_efficiency_JHC: NDArray[np.float32]
    """[bit/s/Hz]."""
    link_capacity_mbps_JHL: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Scenarios, J."""
        return len(self.demand_mbps_JHCS)

    def spread_over(self, count: int, states: int) -> tuple[Scenarios, NDArray[np.intp]]:
        """`count` of them, as many of each assumed state, and the state of each: see `spread`."""
        state_J = np.arange(self.count) * states // self.count
        parts = []
        for state in range(states):
            block = Scenarios(**{name: array[state_J == state] for name, array in vars(self).items()})
            parts.append(block.spread(min(max(count // states, 1), block.count)))
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(self)}
        return Scenarios(**joined), np.repeat(np.arange(states), [part.count for part in parts])

    def spread(self, count: int) -> Scenarios:
        """`count` of them, evenly spaced by rank of the total demand, so that light and heavy futures are both there."""
        order = np.argsort(self.demand_mbps_JHCS.sum((1, 2, 3)), kind="stable")
        picks = order[np.round((np.arange(count) + 0.5) / count * len(order) - 0.5).astype(int)]
        return Scenarios(**{name: block[picks] for name, block in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class TargetColumns:
    """How K policies stand to M KPI targets."""

    predicted_M: NDArray[np.bool_]
    violation_KM: NDArray[np.float64]
    excess_KM: NDArray[np.float64]
    quantiles_KMQ: NDArray[np.float64]
    """5, 50, 95 %."""
    reach_KM: NDArray[np.float64]
    """Bound that is violated with just the accepted probability."""

    def take(self, indices: list[int]) -> TargetColumns:
        """Those of some policies."""
        columns = {name: array[indices] for name, array in vars(self).items() if name != "predicted_M"}
        return TargetColumns(predicted_M=self.predicted_M, **columns)


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """A checked answer of the world model."""

    predictions: Predictions
    models: tuple[tuple[str, str, str], ...]
    """(name, version, digest) of each model."""
    sample_count: int
    quantile_levels: tuple[float, ...] = ()
    kpi_names: tuple[str, ...] = ()
    fans_KHQSP: NDArray[np.float32] | None = None
    scenarios: Scenarios | None = None
    targets: TargetColumns | None = None
    """None where nothing was asked for."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the world model expects, whatever is done."""

    scenarios: Scenarios
    models: tuple[tuple[str, str, str], ...]
    """(name, version, digest) of each model."""


@dataclass(frozen=True, kw_only=True)
class ActorPlans:
    """A checked answer of the actor: its policies [M], the best guess first; not yet within floors and rate."""

    policies: PolicyArrays
    model: tuple[str, str, str]
    """(name, version, digest)."""


@dataclass(frozen=True, kw_only=True)
class TwinVerdict:
    """A checked answer of the twin."""

    scm_PJ: NDArray[np.float64]
    violated_PJ: NDArray[np.bool_]
    """Whether any slice's SLA is broken."""
    loss_PJS: NDArray[np.float64]
    delay_PJS: NDArray[np.float64]
    """99th percentile [ms]."""
    call_count: int
    target_measured_M: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    target_PJM: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 0)))
    """Value of each target's KPI."""


class Peers:
    """The two peers of one planning area."""

    def __init__(
        self, spec: NetworkSpec, rollout: WorldCall, verify: TwinCall, clock: Clock, propose: ActorCall | None = None
    ) -> None:
        """`propose` None: there is no actor to ask."""
        self._spec, self._rollout, self._verify, self._clock = spec, rollout, verify, clock
        self._propose = propose
        self._spec_digest = spec.digest()

    @classmethod
    def on(
        cls,
        spec: NetworkSpec,
        world: grpc.aio.Channel,
        twin: grpc.aio.Channel,
        clock: Clock,
        *,
        wrap: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]] | None = None,
    ) -> Peers:
        """Over gRPC channels. `wrap` is put around each call (twm.planner.tape records them)."""
        around = wrap or (lambda call: call)
        world_stub = worldmodel_pb2_grpc.WorldModelServiceStub(world)  # type: ignore[no-untyped-call]
        twin_stub = twin_pb2_grpc.TwinServiceStub(twin)  # type: ignore[no-untyped-call]
        return cls(spec, around(world_stub.Rollout), around(twin_stub.Verify), clock, around(world_stub.Propose))

    async def rollout(
        self,
        history: Sequence[telemetry_pb2.KpiFrame],
        policies: PolicyArrays,
        *,
        seed: int,
        sample_count: int,
        with_trajectories: bool,
        deadline: float,
        account: SlaAccount | None = None,
        contingencies: Sequence[Contingency] = (),
        states: Sequence[worldmodel_pb2.AssumedState] = (),
        targets: Sequence[worldmodel_pb2.KpiTarget] = (),
    ) -> Rollout:
        """What each policy would lead to. `deadline`: steady time of the clock [s]; `account`: past of the SLA window.

        `contingencies`: link states that the scores are the mean over; `states`, `targets`: as in RolloutRequest.

        Raises a TwmError whose reason says what went wrong.
        """
        request = worldmodel_pb2.RolloutRequest(
            area_id=self._spec.area_id,
            history=history,
            policies=encode_policies(policies),
            sample_count=sample_count,
            seed=seed,
            with_trajectories=with_trajectories,
            account=account.to_message() if account else None,
            contingencies=[one.to_message() for one in contingencies],
            states=states,
            targets=targets,
        )
        answer = await self._ask(lambda timeout: self._rollout(request, timeout=timeout), deadline, "world model")
        found = read_rollout(answer, policies.count, self._spec, with_trajectories=with_trajectories)
        return replace(found, targets=read_targets(answer, policies.count, len(targets))) if targets else found

    async def expect(
        self,
        history: Sequence[telemetry_pb2.KpiFrame],
        *,
        seed: int,
        sample_count: int,
        deadline: float,
        states: Sequence[worldmodel_pb2.AssumedState] = (),
    ) -> Expected:
        """The exogenous scenarios alone, over the horizon. Errors as `rollout`."""
        request = worldmodel_pb2.RolloutRequest(
            area_id=self._spec.area_id,
            history=history,
            policies=encode_policies(uniform_policy(self._spec)),
            sample_count=sample_count,
            seed=seed,
            with_trajectories=True,
            exogenous_only=True,
            states=states,
        )
        answer = await self._ask(lambda timeout: self._rollout(request, timeout=timeout), deadline, "world model")
        return Expected(scenarios=read_scenarios(answer, self._spec), models=_models(answer))

    async def propose(
        self,
        history: Sequence[telemetry_pb2.KpiFrame],
        running: PolicyArrays,
        saving_wanted_ratio: float,
        deadline: float,
    ) -> ActorPlans | None:
        """What the actor would do; None where there is no actor to ask. `running`: the shares in force, one step.

        Raises GarbageError or DeadlineError.
        """
        ask = self._propose
        if ask is None:
            return None
        request = worldmodel_pb2.ProposeRequest(
            area_id=self._spec.area_id,
            history=history,
            running=encode_policies(running),
            saving_wanted_ratio=min(max(saving_wanted_ratio, 0.0), 1.0),
        )
        try:
            answer = await self._ask(lambda timeout: ask(request, timeout=timeout), deadline, "actor")
        except (UnavailableError, ModelMismatchError):
            return None
        return read_actor(answer, self._spec)

    async def verify(
        self,
        start: telemetry_pb2.KpiFrame,
        policies: PolicyArrays,
        scenarios: Scenarios,
        *,
        seed: int,
        deadline: float,
        account: SlaAccount | None = None,
        targets: Sequence[worldmodel_pb2.KpiTarget] = (),
    ) -> TwinVerdict:
        """What the twin says of each policy in each scenario; with `account`, of the whole SLA window. Errors as `rollout`."""
        request = twin_pb2.VerifyRequest(
            area_id=self._spec.area_id,
            start=start,
            policies=encode_policies(policies),
            scenario_count=scenarios.count,
            seed=seed,
            played_steps=account.remaining_steps if account else 0,
            targets=targets,
        )
        for block in vars(scenarios).values():
            extend_packed(request, "exogenous_scenarios", block)
        answer = await self._ask(lambda timeout: self._verify(request, timeout=timeout), deadline, "twin")
        verdict = read_verdict(answer, policies.count, scenarios.count, self._spec, self._spec_digest, len(targets))
        if account is None:
            return verdict
        offered_JS = scenarios.demand_mbps_JHCS[:, : account.remaining_steps].sum((1, 2)).astype(np.float64)
        margin_PJ = account.least_margin(verdict.loss_PJS, verdict.delay_PJS, offered_JS, self._spec)
        return replace(verdict, scm_PJ=np.maximum(margin_PJ, 0.0), violated_PJ=margin_PJ < 0.0)

    async def _ask(self, call: Callable[[float], Awaitable[Answer]], deadline: float, peer: str) -> Answer:
        timeout = deadline - self._clock.monotonic_s()
        if timeout <= 0:
            raise DeadlineError(f"{peer}: no time left to ask")
        try:
            return await call(timeout)
        except grpc.aio.AioRpcError as error:
            code, detail = error.code(), (error.details() or "")[:MAX_DETAIL]
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise DeadlineError(f"{peer}: no answer within {timeout:.3f} s") from error
            if code is grpc.StatusCode.FAILED_PRECONDITION:
                raise ModelMismatchError(f"{peer}: {detail}") from error
            if code is grpc.StatusCode.UNAVAILABLE:
                raise UnavailableError(f"{peer}: {detail}") from error
            raise UnavailableError(f"{peer}: {code.name}: {detail}", reason="peer_error") from error


def read_rollout(answer: worldmodel_pb2.RolloutResponse, count: int, spec: NetworkSpec, *, with_trajectories: bool) -> Rollout:
    """Check and unpack. Raises GarbageError naming field, value and bound."""
    s, h = len(spec.slices), spec.timing.horizon_steps
    predictions = Predictions(
        scm_mean_K=_column(answer.scm_mean, (count,), "scm_mean", -np.inf, 1.0),
        violation_KS=_column(answer.violation_probability, (count, s), "violation_probability", 0.0, 1.0),
        any_violation_K=_column(answer.any_violation_probability, (count,), "any_violation_probability", 0.0, 1.0),
        disagreement_K=_column(answer.disagreement, (count,), "disagreement", 0.0, np.inf),
        ood_K=_column(answer.ood_score, (count,), "ood_score", 0.0, np.inf),
        cvar_K=_column(answer.scm_cvar, (count,), "scm_cvar", -np.inf, 1.0) if len(answer.scm_cvar) else np.full(count, np.nan),
        shortfall_K=_column(answer.shortfall, (count,), "shortfall", 0.0, 1.0) if len(answer.shortfall) else np.zeros(count),
        soft_K=_column(answer.soft_margin, (count,), "soft_margin", -np.inf, 1.0)
        if len(answer.soft_margin)
        else np.full(count, np.nan),
    )
    models = _models(answer)
    if not with_trajectories:
        return Rollout(predictions=predictions, models=models, sample_count=answer.sample_count)
    q, p = len(answer.quantile_levels), len(answer.kpi_names)
    if not (1 <= q <= 64 and 1 <= p <= 64):
        raise GarbageError(f"{q} quantile_levels, {p} kpi_names: one is 0 or absurd")
    return Rollout(
        predictions=predictions,
        models=models,
        sample_count=answer.sample_count,
        quantile_levels=tuple(answer.quantile_levels),
        kpi_names=tuple(name[:64] for name in answer.kpi_names),
        fans_KHQSP=_column(answer.kpi_quantiles, (count, h, q, s, p), "kpi_quantiles", -np.inf, np.inf).astype(np.float32),
        scenarios=read_scenarios(answer, spec),
    )


def read_targets(answer: worldmodel_pb2.RolloutResponse, count: int, target_count: int) -> TargetColumns:
    """Check and unpack. Raises GarbageError naming field, value and bound."""
    shape = (count, target_count)
    return TargetColumns(
        predicted_M=_flags(answer.target_predicted, target_count, "target_predicted"),
        violation_KM=_column(answer.target_violation, shape, "target_violation", 0.0, 1.0),
        excess_KM=_column(answer.target_excess, shape, "target_excess", 0.0, np.inf),
        quantiles_KMQ=_column(answer.target_quantiles, (*shape, 3), "target_quantiles", 0.0, np.inf),
        reach_KM=_column(answer.target_reach, shape, "target_reach", 0.0, np.inf),
    )


def _flags(values: Sequence[bool], count: int, name: str) -> NDArray[np.bool_]:
    if len(values) != count:
        raise GarbageError(f"{name}: {len(values)} values, expected {count}")
    return np.array(values, bool)


def read_scenarios(answer: worldmodel_pb2.RolloutResponse, spec: NetworkSpec) -> Scenarios:
    """Check and unpack. Raises GarbageError naming field, value and bound."""
    (c, s, n_links), h, j = spec.sizes, spec.timing.horizon_steps, answer.sample_count
    if not 1 <= j <= 4096:
        raise GarbageError(f"sample_count {j}: 0 or absurd")
    sizes = (j * h * c * s, j * h * c, j * h * n_links)
    flat = _column(answer.exogenous_scenarios, (sum(sizes),), "exogenous_scenarios", 0.0, np.inf).astype(np.float32)
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return Scenarios(
        demand_mbps_JHCS=parts[0].reshape(j, h, c, s),
        spectral_efficiency_JHC=parts[1].reshape(j, h, c),
        link_capacity_mbps_JHL=parts[2].reshape(j, h, n_links),
    )


def _models(answer: worldmodel_pb2.RolloutResponse) -> tuple[tuple[str, str, str], ...]:
    return tuple((m.name[:64], m.version[:64], m.digest[:128]) for m in answer.models[:16])


def read_actor(answer: worldmodel_pb2.ProposeResponse, spec: NetworkSpec) -> ActorPlans:
    """Check and unpack. Raises GarbageError naming field, value and bound."""
    batch = answer.policies
    if not 1 <= batch.policy_count <= MAX_ACTOR_POLICIES or batch.step_count != spec.timing.horizon_steps:
        raise GarbageError(
            f"actor: {batch.policy_count} policies of {batch.step_count} steps, "
            f"expected 1..{MAX_ACTOR_POLICIES} of {spec.timing.horizon_steps}"
        )
    try:
        policies = decode_policies(batch, spec)
    except InvalidInputError as error:
        raise GarbageError(f"actor: {error}"[:MAX_DETAIL]) from error
    model = answer.model
    return ActorPlans(policies=policies, model=(model.name[:64], model.version[:64], model.digest[:128]))


def read_verdict(
    answer: twin_pb2.VerifyResponse,
    policy_count: int,
    scenario_count: int,
    spec: NetworkSpec,
    spec_digest: str,
    target_count: int = 0,
) -> TwinVerdict:
    """Check and unpack. Raises GarbageError, or ModelMismatchError where the twin runs another spec."""
    if answer.spec_digest != spec_digest:
        raise ModelMismatchError(f"twin: spec_digest {answer.spec_digest[:16]!r}, expected {spec_digest[:16]!r}")
    shape = (policy_count, scenario_count)
    scm_PJ = _column(answer.scm, shape, "scm", 0.0, 1.0)
    slices = len(spec.slices)
    if len(answer.violated) != policy_count * scenario_count * slices:
        raise GarbageError(f"violated: {len(answer.violated)} values, expected {policy_count * scenario_count * slices}")
    violated = np.array(answer.violated, bool).reshape(*shape, slices).any(-1)
    by_slice = (*shape, slices)
    by_target = (*shape, target_count)
    return TwinVerdict(
        scm_PJ=scm_PJ,
        violated_PJ=np.asarray(violated),
        loss_PJS=_column(answer.loss_ratio, by_slice, "loss_ratio", 0.0, 1.0),
        delay_PJS=_column(answer.delay_p99_ms, by_slice, "delay_p99_ms", 0.0, np.inf),
        call_count=answer.twin_call_count,
        target_measured_M=_flags(answer.target_measured, target_count, "target_measured"),
        target_PJM=_column(answer.target_value, by_target, "target_value", 0.0, np.inf)
        if target_count
        else np.zeros(by_target),
    )


def _column(values: Sequence[float], shape: tuple[int, ...], name: str, low: float, high: float) -> NDArray[np.float64]:
    """A packed column as an array of `shape`; sizes, finiteness and bounds checked, rounding error clipped."""
    size = math.prod(shape)
    if len(values) != size:
        raise GarbageError(f"{name}: {len(values)} values, expected {size}")
    array = np.array(values, np.float64)
    if not size:
        return array.reshape(shape)
    least, most = float(array.min()), float(array.max())
    if not (math.isfinite(least) and math.isfinite(most)):
        raise GarbageError(f"{name}: not finite at index {int(np.argmin(np.isfinite(array)))}")
    if least < low - _TOLERANCE or most > high + _TOLERANCE:
        raise GarbageError(f"{name}: {least:.6g}..{most:.6g}, expected {low:g}..{high:g}")
    if least < low or most > high:
        np.clip(array, low, high, out=array)
    return array.reshape(shape)
