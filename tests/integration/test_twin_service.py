"""TwinService over real gRPC: answers, refusals, deadlines, the process itself; on networks of different sizes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from twm.api.twin.v1 import twin_pb2, twin_pb2_grpc
from twm.core.actions import PolicyArrays, encode_policies, saving_ratio, uniform_policy
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec, load_network
from twm.core.packed import extend_packed
from twm.core.paths import find_network
from twm.core.serving import grpc_channel, grpc_server
from twm.planner.library import library_policies
from twm_twin.service import TwinService, VerificationCall
from twm_twin.simulator import Twin
from twm_twin.verification import Verifier, simulate_scenarios

COAST = Path(__file__).resolve().parents[1] / "fixtures" / "networks" / "coast.yaml"
LIMIT_S = 20.0


@asynccontextmanager
async def serve(
    spec: NetworkSpec, *, max_calls: int = 4096, max_pending: int = 16
) -> AsyncIterator[twin_pb2_grpc.TwinServiceStub]:
    verifier = Verifier(spec)
    verifier.warm_up()
    service = TwinService(
        VerificationCall(spec, verifier, max_calls), concurrent_calls=2, max_pending=max_pending, max_call_s=LIMIT_S
    )
    server = grpc_server()
    twin_pb2_grpc.add_TwinServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc_channel(f"127.0.0.1:{port}") as channel:
            yield twin_pb2_grpc.TwinServiceStub(channel)
    finally:
        await server.stop(0)
        service.close()


def observed(spec: NetworkSpec, steps: int = 4) -> FrameArrays:
    c, s, n_links = spec.sizes
    twin = Twin(spec, 1)
    twin.reset([777], ["hotspot-id"])
    for _ in range(steps):
        result = twin.step(np.full((1, c, s), 1 / s), np.full((1, n_links, s), 1 / s))
    return twin.frames(result).frame(0)


def scenarios(spec: NetworkSpec, frame: FrameArrays, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Persistence, scaled a little differently in each scenario."""
    h, n_links = spec.timing.horizon_steps, len(spec.transport.links)
    factor = 1 + 0.1 * np.arange(count)
    demand = factor[:, None, None, None] * np.repeat(frame.cell_slice_feature("offered_mbps")[None, None], h, 1)
    efficiency = np.broadcast_to(frame.cell_feature("spectral_efficiency_bps_hz"), (count, h, len(spec.cells)))
    capacity = np.broadcast_to([link.capacity_mbps for link in spec.transport.links], (count, h, n_links))
    return demand, efficiency, capacity


def request(
    spec: NetworkSpec, policies: PolicyArrays, parts: tuple[np.ndarray, ...], frame: FrameArrays, seed: int = 5
) -> twin_pb2.VerifyRequest:
    message = twin_pb2.VerifyRequest(
        area_id=spec.area_id,
        start=FrameCodec(spec).encode(frame),
        policies=encode_policies(policies),
        scenario_count=len(parts[0]),
        seed=seed,
    )
    for part in parts:
        extend_packed(message, "exogenous_scenarios", part.astype(np.float32))
    return message


@pytest.mark.parametrize("network", ["poc-city", "explora-cell", "coast"])
async def test_answers_have_their_sizes_and_agree_with_the_library_call(network: str) -> None:
    spec = load_network(COAST if network == "coast" else find_network(network))
    frame = observed(spec)
    policies, _ = library_policies(spec, 3)
    parts = scenarios(spec, frame, 4)
    async with serve(spec) as stub:
        answer = await stub.Verify(request(spec, policies, parts, frame), timeout=LIMIT_S)
        again = await stub.Verify(request(spec, policies, parts, frame), timeout=LIMIT_S)
    s = len(spec.slices)
    assert answer == again
    assert answer.twin_call_count == 12
    assert answer.spec_digest == spec.digest()
    assert [len(answer.scm), len(answer.saving_ratio), len(answer.loss_ratio), len(answer.violated)] == [12, 3, 12 * s, 12 * s]
    single = tuple(part.astype(np.float32) for part in parts)
    outcome, saving = simulate_scenarios(spec, frame, policies, *single, 5)
    np.testing.assert_allclose(np.array(answer.scm).reshape(3, 4), outcome.scm, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answer.saving_ratio, saving, atol=1e-6)
    np.testing.assert_allclose(np.array(answer.delay_p99_ms).reshape(3, 4, s), outcome.delay_p99_ms_S, rtol=1e-5)
    assert list(answer.violated) == outcome.violated_S.reshape(-1).tolist()
    loss = np.array(answer.loss_ratio).reshape(3, 4, s)
    assert ((loss >= 0) & (loss <= 1)).all()
    assert (loss[0, -1] >= loss[0, 0] - 0.02).all(), "more demand, more loss"


async def test_a_scenario_is_the_same_in_any_company_and_missing_values_start_empty(spec: NetworkSpec) -> None:
    frame = observed(spec)
    policies, _ = library_policies(spec, 4)
    demand, efficiency, capacity = scenarios(spec, frame, 3)
    verifier = Verifier(spec)
    whole, _ = verifier.verify(frame, policies, demand, efficiency, capacity, seed=9)
    part, _ = verifier.verify(frame, policies.take([2]), demand[:1], efficiency[:1], capacity[:1], seed=9)
    np.testing.assert_array_equal(whole.loss_ratio_S[2, 0], part.loss_ratio_S[0, 0])
    blank = FrameArrays.missing(spec, frame.step)
    outcome, saving = verifier.verify(blank, uniform_policy(spec), demand, efficiency, capacity, seed=9)
    assert np.isfinite(outcome.scm).all()
    np.testing.assert_allclose(saving, saving_ratio(uniform_policy(spec), spec, uniform_policy(spec)))
    full = observed(spec)
    full.cell_slice_feature("queue_mbit")[:] = 2000.0
    worse, _ = verifier.verify(full, uniform_policy(spec), demand, efficiency, capacity, seed=9)
    assert (worse.loss_ratio_S >= outcome.loss_ratio_S - 1e-12).all()
    assert worse.loss_ratio_S.sum() > outcome.loss_ratio_S.sum()
    cut = capacity.copy()
    cut[:, 3:, 0] = 0.0
    rerouted, _ = verifier.verify(frame, uniform_policy(spec), demand, efficiency, cut, seed=9)
    whole_uniform, _ = verifier.verify(frame, uniform_policy(spec), demand, efficiency, capacity, seed=9)
    assert rerouted.delay_p99_ms_S[..., 1].min() > whole_uniform.delay_p99_ms_S[..., 1].min()


async def test_bad_requests_are_refused_with_field_value_and_bound(spec: NetworkSpec) -> None:
    frame = observed(spec)
    policies = uniform_policy(spec)
    parts = scenarios(spec, frame, 2)

    async def refused(stub: twin_pb2_grpc.TwinServiceStub, message: twin_pb2.VerifyRequest, expected: str) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Verify(message, timeout=LIMIT_S)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert expected in str(caught.value.details())

    async with serve(spec, max_calls=3) as stub:
        message = request(spec, policies, parts, frame)
        message.area_id = "elsewhere"
        await refused(stub, message, "area_id: 'elsewhere', expected 'poc-city'")
        message = request(spec, policies, (parts[0], parts[1], parts[2][:1]), frame)
        await refused(stub, message, "exogenous_scenarios: 1080 values, expected 2 x 12 x (10 x 3 + 10 + 10) = 1200")
        await refused(stub, request(spec, policies, (-parts[0], *parts[1:]), frame), "demand_mbps")
        await refused(stub, request(spec, policies, (parts[0], parts[1] * np.nan, parts[2]), frame), "exogenous_scenarios")
        await refused(stub, request(spec, uniform_policy(spec, 7), parts, frame), "policies.step_count: 7, expected 12")
        two = PolicyArrays.concatenate([policies, policies])
        await refused(stub, request(spec, two, parts, frame), "2 x 2 = 4 twin calls, no more than 3")
        over = PolicyArrays(prb_share_KHCS=policies.prb_share_KHCS * 1.5, bandwidth_share_KHLS=policies.bandwidth_share_KHLS)
        await refused(stub, request(spec, over, parts, frame), "policies.prb_share: a row sums to 1.5")
        wrong = request(spec, policies, parts, frame)
        wrong.start.topology_digest = "0" * 64
        await refused(stub, wrong, "topology_digest")


async def answered(stub: twin_pb2_grpc.TwinServiceStub, message: twin_pb2.VerifyRequest) -> None:
    """Asks until the service is no longer busy."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            call = stub.Verify(message, timeout=LIMIT_S)
            if await call.code() is grpc.StatusCode.OK:
                return
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            await asyncio.sleep(0.05)


async def serving(health: health_pb2_grpc.HealthStub) -> None:
    """Waits until the twin says it serves."""
    ask = health_pb2.HealthCheckRequest(service="twm.api.twin.v1.TwinService")
    async with asyncio.timeout(60):
        while True:
            call = health.Check(ask, timeout=5)
            if await call.code() is grpc.StatusCode.OK and (await call).status == health_pb2.HealthCheckResponse.SERVING:
                return
            await asyncio.sleep(0.1)


async def test_a_deadline_ends_the_work_and_load_is_bounded(spec: NetworkSpec) -> None:
    frame = observed(spec)
    policies, _ = library_policies(spec)
    long = request(spec, policies, scenarios(spec, frame, 16), frame)
    short = request(spec, uniform_policy(spec), scenarios(spec, frame, 1), frame)
    async with serve(spec, max_pending=1) as stub:
        running = asyncio.ensure_future(stub.Verify(long, timeout=LIMIT_S))
        await asyncio.sleep(0.2)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Verify(short, timeout=LIMIT_S)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        running.cancel()
        await answered(stub, short)  # the thread stops before its next policy
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await stub.Verify(long, timeout=0.1)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_the_process_gets_ready_answers_and_stops(spec: NetworkSpec, free_port) -> None:  # type: ignore[no-untyped-def]
    port = free_port()
    environment = dict(os.environ, TWM_NETWORK="poc-city", TWM_GRPC_LISTEN=f"127.0.0.1:{port}", TWM_LOG_LEVEL="WARNING")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "twm_twin", env=environment)
    try:
        async with grpc_channel(f"127.0.0.1:{port}") as channel:
            await serving(health_pb2_grpc.HealthStub(channel))
            frame = observed(spec)
            message = request(spec, library_policies(spec, 3)[0], scenarios(spec, frame, 4), frame)
            answer = await twin_pb2_grpc.TwinServiceStub(channel).Verify(message, timeout=LIMIT_S)
            assert answer.twin_call_count == 12
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
