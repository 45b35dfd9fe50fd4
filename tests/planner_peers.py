"""Peers of the planner with known arithmetic: real gRPC servers whose answers a test can compute by hand.

A slice needs the share `need_S` x (1 + 0.1 x scenario) in every cell and on every link; what a policy gives below that is lost.
SCM is 1 - 4 x the worst slice's lost share, and an SLA is violated where that would be negative.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from twm.api.twin.v1 import twin_pb2, twin_pb2_grpc
from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core.actions import PolicyArrays, decode_policies, encode_policies
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.packed import extend_packed
from twm.core.rpc import grpc_server

SCALE_MBPS = 100.0
LEVELS, KPIS = (0.05, 0.5, 0.95), ("loss_ratio", "delay_p99_ms", "utilisation_ratio", "served_mbps")


def margin(rows_KHRS: NDArray[Any], need_S: NDArray[Any]) -> NDArray[np.float64]:
    """1 - 4 x the worst slice's lost share [K]; not floored."""
    lost = np.maximum(need_S - rows_KHRS, 0.0).mean((1, 2)) / need_S
    return np.asarray(1.0 - 4.0 * lost.max(-1))


@dataclass
class Behaviour:
    """How a peer behaves; tests change it between frames."""

    delay_s: float = 0.0
    fail: grpc.StatusCode | None = None
    change: Callable[[Any], None] | None = None
    """Applied to the answer."""
    calls: list[Any] = field(default_factory=list)
    """Requests seen."""

    async def on(self, request: Any, context: grpc.aio.ServicerContext) -> None:
        """Record, wait, fail."""
        self.calls.append(request)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.fail is not None:
            await context.abort(self.fail, "as the test asked")


class ArithmeticWorld(worldmodel_pb2_grpc.WorldModelServiceServicer):
    """WorldModelService."""

    def __init__(self, spec: NetworkSpec, need_S: tuple[float, ...]) -> None:
        self.spec, self.need_S, self.behaviour = spec, np.array(need_S), Behaviour()
        self.actor: Behaviour | None = None
        """How the actor behaves; None: there is none."""

    async def Propose(self, request: Any, context: Any) -> worldmodel_pb2.ProposeResponse:
        """Two policies: what is needed and 5 % more, and the same share for all."""
        if self.actor is None:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "zoo: no actor for this network")
            raise AssertionError("abort raises")
        await self.actor.on(request, context)
        (c, s, n_links), h = self.spec.sizes, self.spec.timing.horizon_steps
        shares = np.stack([1.05 * self.need_S, np.full(s, 0.9 / s)])
        answer = worldmodel_pb2.ProposeResponse(
            policies=encode_policies(
                PolicyArrays(
                    prb_share_KHCS=np.broadcast_to(shares[:, None, None], (2, h, c, s)).astype(np.float32),
                    bandwidth_share_KHLS=np.broadcast_to(shares[:, None, None], (2, h, n_links, s)).astype(np.float32),
                )
            ),
            model=worldmodel_pb2.ModelIdentity(name="actor", version="arithmetic-1", digest="1" * 64),
        )
        if self.actor.change:
            self.actor.change(answer)
        return answer

    async def Rollout(self, request: Any, context: Any) -> worldmodel_pb2.RolloutResponse:
        """Scores by `margin`."""
        await self.behaviour.on(request, context)
        policies = decode_policies(request.policies, self.spec)
        rows = np.concatenate([policies.prb_share_KHCS, policies.bandwidth_share_KHLS], 2)
        c, s, n_links = self.spec.sizes
        j, h, k = request.sample_count or 8, self.spec.timing.horizon_steps, policies.count
        value = margin(rows, self.need_S)
        answer = worldmodel_pb2.RolloutResponse(
            scm_mean=np.maximum(value, 0.0),
            violation_probability=np.repeat(np.clip(0.5 - 2 * value, 0, 1), s),
            any_violation_probability=np.clip(0.5 - 2 * value, 0, 1),
            disagreement=np.full(k, 0.01),
            ood_score=np.zeros(k),
            scm_cvar=np.maximum(value - 0.1, 0.0),
            sample_count=j,
            models=[worldmodel_pb2.ModelIdentity(name="cdwm", version="arithmetic-1", digest="0" * 64)],
        )
        if request.with_trajectories:
            answer.quantile_levels.extend(LEVELS)
            answer.kpi_names.extend(KPIS)
            extend_packed(answer, "kpi_quantiles", np.broadcast_to(value[:, None], (k, h * 3 * s * 4)).astype(np.float32))
            demand = SCALE_MBPS * self.need_S * (1 + 0.1 * np.arange(j)[:, None])
            extend_packed(answer, "exogenous_scenarios", np.repeat(demand[:, None], h * c, 1).astype(np.float32))
            extend_packed(answer, "exogenous_scenarios", np.full(j * h * (c + n_links), 5.0, np.float32))
        if self.behaviour.change:
            self.behaviour.change(answer)
        return answer


class ArithmeticTwin(twin_pb2_grpc.TwinServiceServicer):
    """TwinService."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.spec, self.behaviour = spec, Behaviour()

    async def Verify(self, request: Any, context: Any) -> twin_pb2.VerifyResponse:
        """SCM by `margin` with the needs of the scenarios."""
        await self.behaviour.on(request, context)
        policies = decode_policies(request.policies, self.spec)
        rows = np.concatenate([policies.prb_share_KHCS, policies.bandwidth_share_KHLS], 2)
        c, s, _ = self.spec.sizes
        j, h = request.scenario_count, self.spec.timing.horizon_steps
        demand = np.array(request.exogenous_scenarios, np.float64)[: j * h * c * s].reshape(j, h, c, s)
        value_PJ = np.stack([margin(rows, demand[i, 0, 0] / SCALE_MBPS) for i in range(j)], 1)
        bound_S = np.nan_to_num(self.spec.topology().loss_max_ratio, nan=0.0)
        loss_PJS = np.clip((1.0 - value_PJ)[..., None] * bound_S, 0.0, 1.0)  # what makes the least margin `value`
        answer = twin_pb2.VerifyResponse(
            scm=np.maximum(value_PJ, 0.0).reshape(-1),
            saving_ratio=np.zeros(policies.count),
            loss_ratio=loss_PJS.reshape(-1),
            delay_p99_ms=np.zeros(policies.count * j * s),
            violated=np.repeat(value_PJ.reshape(-1) < 0, s).tolist(),
            twin_call_count=policies.count * j,
            spec_digest=self.spec.digest(),
        )
        if self.behaviour.change:
            self.behaviour.change(answer)
        return answer


class ArithmeticPeers:
    """Both behind one server on a loopback port."""

    def __init__(self, spec: NetworkSpec, need_S: tuple[float, ...] = (0.35, 0.2, 0.25)) -> None:
        self.spec = spec
        self.world, self.twin = ArithmeticWorld(spec, need_S), ArithmeticTwin(spec)
        self.target = ""

    async def __aenter__(self) -> ArithmeticPeers:
        self._server = grpc_server()
        worldmodel_pb2_grpc.add_WorldModelServiceServicer_to_server(self.world, self._server)
        twin_pb2_grpc.add_TwinServiceServicer_to_server(self.twin, self._server)
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0.1)


def measured_frame(spec: NetworkSpec, step: int, *, share: float | None = None) -> FrameArrays:
    """A frame with every value measured and plausible."""
    frame = FrameArrays.missing(spec, step)
    s = len(spec.slices)
    for block in frame.blocks().values():
        block[:] = 0.1
    frame.cell_slice_feature("offered_mbps")[:] = 50.0
    frame.cell_slice_feature("served_mbps")[:] = 45.0
    frame.cell_slice_feature("prb_share")[:] = share if share is not None else 1 / s
    frame.cell_feature("spectral_efficiency_bps_hz")[:] = 4.0
    frame.link_slice_feature("bandwidth_share")[:] = share if share is not None else 1 / s
    frame.link_slice_feature("offered_mbps")[:] = 100.0
    frame.link_slice_feature("served_mbps")[:] = 95.0
    frame.link_feature("capacity_mbps")[:] = 1000.0
    frame.link_feature("up_ratio")[:] = 1.0
    frame.report_count = 10
    return frame


def frame_messages(spec: NetworkSpec, steps: range) -> list[Any]:
    """Measured frames as messages."""
    codec = FrameCodec(spec)
    return [codec.encode(measured_frame(spec, step)) for step in steps]
