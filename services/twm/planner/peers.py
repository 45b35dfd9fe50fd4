"""Questions to the world model and the twin, with a deadline on each.

Shape suffixes: P finalists, H slow steps, S slices, C cells, J scenarios.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import grpc
import numpy as np
from google.protobuf.message import Message

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.twin.v1 import twin_pb2, twin_pb2_grpc
from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core.account import SlaAccount
from twm.core.actions import PolicyArrays, encode_policies, uniform_policy
from twm.core.clock import Clock
from twm.core.errors import DeadlineError, ModelMismatchError, UnavailableError
from twm.core.network import NetworkSpec
from twm.core.packed import extend_packed
from twm.planner.answer_checks import (
    MAX_DETAIL,
    models_of,
    read_actor,
    read_rollout,
    read_scenarios,
    read_targets,
    read_verdict,
)
from twm.planner.answers import ActorPlans, Expected, Rollout, Scenarios, TwinVerdict
from twm.planner.contingency import Contingency

Answer = TypeVar("Answer", bound=Message)


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
        return Expected(scenarios=read_scenarios(answer, self._spec), models=models_of(answer))

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
