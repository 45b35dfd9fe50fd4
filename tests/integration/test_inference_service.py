"""WorldModelService over real gRPC with real ONNX Runtime: answers, refusals, deadlines, hot reload, memory."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
from google.protobuf.message import Message
from tiny_zoo import HEADS, frames, write_actor, write_dynamics, write_field

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core import metrics
from twm.core.actions import PolicyArrays, decode_policies, encode_policies, project_shares, uniform_policy
from twm.core.errors import ModelMismatchError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.paths import zoo_folder
from twm.core.serving import grpc_channel, grpc_server
from twm.core.zoo import find_model
from twm.inference.actor import Proposer
from twm.inference.answers import Answers
from twm.inference.engine import EngineOptions
from twm.inference.model_store import ModelStore
from twm.inference.service import WorldModelService, follow_zoo

LIMIT_S = 20.0


@dataclass
class Served:
    """A running service and a client of it."""

    store: ModelStore
    service: WorldModelService
    stub: worldmodel_pb2_grpc.WorldModelServiceStub


@asynccontextmanager
async def serve(spec: NetworkSpec, zoo: Path, *, max_pending: int = 16, max_rows: int = 1200) -> AsyncIterator[Served]:
    store = ModelStore(zoo, spec, EngineOptions(use_cuda=False))
    store.refresh()
    with ThreadPoolExecutor(2) as workers:
        answers = Answers(spec, store, default_samples=4, max_rows=max_rows, cache_capacity=4, workers=workers, worker_count=2)
        service = WorldModelService(
            answers, concurrent_calls=2, max_pending=max_pending, max_call_s=LIMIT_S, proposer=Proposer(spec, store.actor)
        )
        server = grpc_server()
        worldmodel_pb2_grpc.add_WorldModelServiceServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc_channel(f"127.0.0.1:{port}") as channel:
                yield Served(store, service, worldmodel_pb2_grpc.WorldModelServiceStub(channel))
        finally:
            await server.stop(0)
            service.close()


@pytest.fixture
def zoo(tmp_path: Path, spec: NetworkSpec) -> Path:
    write_dynamics(tmp_path, spec)
    write_field(tmp_path, spec)
    return tmp_path


def history(spec: NetworkSpec, count: int = 6, *, first_step: int = 100) -> list[telemetry_pb2.KpiFrame]:
    codec = FrameCodec(spec)
    return [codec.encode(frame) for frame in frames(spec, count, first_step=first_step)]


def candidates(spec: NetworkSpec, count: int, seed: int = 0) -> PolicyArrays:
    c, s, n_links = spec.sizes
    h = spec.timing.horizon_steps
    generator = np.random.default_rng(seed)
    return PolicyArrays(
        prb_share_KHCS=project_shares(generator.uniform(size=(count, h, c, s)), np.zeros(s)),
        bandwidth_share_KHLS=project_shares(generator.uniform(size=(count, h, n_links, s)), np.zeros(s)),
    )


def rollout_request(spec: NetworkSpec, count: int = 5, **more: object) -> worldmodel_pb2.RolloutRequest:
    return worldmodel_pb2.RolloutRequest(
        area_id=spec.area_id, history=history(spec), policies=encode_policies(candidates(spec, count)), seed=11, **more
    )


async def test_rollout_answers_with_everything_asked_for(zoo: Path, spec: NetworkSpec) -> None:
    async with serve(spec, zoo) as served:
        request = rollout_request(spec, 5, with_trajectories=True, sample_count=3)
        first = await served.stub.Rollout(request, timeout=LIMIT_S)
        again = await served.stub.Rollout(request, timeout=LIMIT_S)
        plain = await served.stub.Rollout(rollout_request(spec, 5, sample_count=3), timeout=LIMIT_S)
        asked = {"with_trajectories": True, "exogenous_only": True, "sample_count": 3}
        expected = await served.stub.Rollout(rollout_request(spec, 1, **asked), timeout=LIMIT_S)
    c, s, n_links = spec.sizes
    h = spec.timing.horizon_steps
    assert first == again
    assert first.sample_count == 3
    assert len(first.scm_mean) == len(first.any_violation_probability) == len(first.disagreement) == len(first.ood_score) == 5
    assert len(first.violation_probability) == 5 * s
    assert 0 < min(first.scm_mean) < max(first.scm_mean) < 1
    assert list(first.kpi_names) == ["loss_ratio", "delay_p99_ms", "utilisation_ratio", "served_mbps"]
    fans = np.array(first.kpi_quantiles).reshape(5, h, len(first.quantile_levels), s, 4)
    assert (np.diff(fans, axis=2) >= -1e-6).all()
    assert len(first.exogenous_scenarios) == 3 * h * (c * s + c + n_links)
    assert min(first.exogenous_scenarios) >= 0
    demand = np.array(first.exogenous_scenarios)[: 3 * h * c * s]
    assert 30 < demand.mean() < 120
    assert first.models[0].version == "tiny-1"
    assert list(plain.scm_mean) == list(first.scm_mean)
    assert not plain.kpi_quantiles
    assert not plain.exogenous_scenarios
    assert list(expected.exogenous_scenarios) == list(first.exogenous_scenarios)
    assert {field.name for field, _ in expected.ListFields()} == {"sample_count", "models", "exogenous_scenarios"}


async def test_conformal_correction_widens_the_fans(zoo: Path, spec: NetworkSpec) -> None:
    h, s = spec.timing.horizon_steps, len(spec.slices)
    widths = []
    for version, factor in (("tiny-2", 1.0), ("tiny-3", 2.0)):
        conformal = {"level": 0.9, "factor": np.full((h, s, 4), factor).tolist(), "floor": np.full((s, 4), 0.01).tolist()}
        write_dynamics(zoo, spec, version=version, conformal=conformal)
        async with serve(spec, zoo) as served:
            answer = await served.stub.Rollout(rollout_request(spec, 1, with_trajectories=True), timeout=LIMIT_S)
        fans = np.array(answer.kpi_quantiles).reshape(h, len(answer.quantile_levels), s, 4)
        widths.append((fans[:, -1] - fans[:, 0])[..., 1].mean())
    assert widths[1] > 1.8 * widths[0] > 0


async def test_predict_field(zoo: Path, spec: NetworkSpec) -> None:
    async with serve(spec, zoo) as served:
        request = worldmodel_pb2.PredictFieldRequest(area_id=spec.area_id, history=history(spec))
        answer = await served.stub.PredictField(request, timeout=LIMIT_S)
    assert len(answer.values) == len(answer.step_offsets) * len(answer.quantile_levels) * len(spec.cells) * len(
        answer.feature_names
    )
    assert (answer.model.name, list(answer.step_offsets)) == ("fwm", [0, 1])


async def test_a_gap_in_the_history_is_missing_not_an_error(zoo: Path, spec: NetworkSpec) -> None:
    async with serve(spec, zoo) as served:
        request = rollout_request(spec, 2)
        whole = await served.stub.Rollout(request, timeout=LIMIT_S)
        del request.history[3]
        gap = await served.stub.Rollout(request, timeout=LIMIT_S)
        del request.history[:-1]
        newest = await served.stub.Rollout(request, timeout=LIMIT_S)
    for answer in (gap, newest):
        assert len(answer.scm_mean) == 2
        assert list(answer.scm_mean) != list(whole.scm_mean)


def _with_history(change: Callable[[list[telemetry_pb2.KpiFrame]], object]) -> Callable[[Message], object]:
    def damage(request: worldmodel_pb2.RolloutRequest) -> None:
        items = list(request.history)
        change(items)
        del request.history[:]
        request.history.extend(items)

    return damage


def _set(name: str, value: object) -> Callable[[Message], object]:
    return lambda request: setattr(request, name, value)


BAD_FRAMES: list[tuple[str, Callable[[Message], object]]] = [
    (r"history\[2\].values: not finite at index 7", lambda r: r.history[2].values.__setitem__(7, float("nan"))),
    (r"history\[0\].values: not finite", lambda r: r.history[0].values.__setitem__(0, float("-inf"))),
    (r"history\[5\].values: .* expected", lambda r: r.history[5].values.append(1.0)),
    (r"history\[5\].values: .* expected", lambda r: setattr(r.history[5], "mask", b"\xff")),
    (r"history\[1\].topology_digest", lambda r: setattr(r.history[1], "topology_digest", "ab" * 32)),
    (r"history\[1\].schema_id", lambda r: setattr(r.history[1], "schema_id", "kpi-frame/0")),
    (r"history\[1\].area_id", lambda r: setattr(r.history[1], "area_id", "elsewhere")),
    (r"history\[1\].step: 105, not after 105", _with_history(lambda items: items.reverse())),
    (r"history\[1\].step: 100, not after 100", _with_history(lambda items: items.insert(0, items[0]))),
    ("history", _with_history(lambda items: items.clear())),
    ("area_id: 'other'", _set("area_id", "other")),
    ("area_id", _set("area_id", "")),
]


@pytest.mark.parametrize(("message", "damage"), BAD_FRAMES)
async def test_malformed_history_is_refused(
    zoo: Path, spec: NetworkSpec, message: str, damage: Callable[[Message], object]
) -> None:
    request = rollout_request(spec, 1)
    damage(request)
    if message.endswith("not after 105"):
        request.history[0].step, request.history[1].step = 105, 105
    field = worldmodel_pb2.PredictFieldRequest(area_id=request.area_id, history=request.history)
    async with serve(spec, zoo) as served:
        for call, asked in ((served.stub.Rollout, request), (served.stub.PredictField, field)):
            with pytest.raises(grpc.aio.AioRpcError, match=message) as caught:
                await call(asked, timeout=LIMIT_S)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        good = await served.stub.Rollout(rollout_request(spec, 1), timeout=LIMIT_S)
        assert len(good.scm_mean) == 1


BAD_POLICIES: list[tuple[str, Callable[[worldmodel_pb2.RolloutRequest], object]]] = [
    ("policies.prb_share: not finite", lambda r: r.policies.prb_share.__setitem__(0, float("nan"))),
    ("policies.prb_share: -0.5 is outside", lambda r: r.policies.prb_share.__setitem__(0, -0.5)),
    ("policies.bandwidth_share: .*outside|sums to", lambda r: r.policies.bandwidth_share.__setitem__(0, 1.5)),
    ("policies.prb_share: .*values, expected", lambda r: r.policies.prb_share.append(0.1)),
    ("policy_count", lambda r: setattr(r.policies, "policy_count", 4097)),
    ("policy_count", lambda r: setattr(r.policies, "policy_count", 0)),
    ("policies", lambda r: r.ClearField("policies")),
    ("sample_count", lambda r: setattr(r, "sample_count", 257)),
    (r"contingencies\[0\]\.down_links: 999, the network has", lambda r: r.contingencies.add(down_links=[999], probability=0.1)),
    ("contingencies.*down_links", lambda r: r.contingencies.add(probability=0.1)),
    ("contingencies.*probability", lambda r: r.contingencies.add(down_links=[0], probability=float("nan"))),
    (
        "contingencies.probability: they sum up to 1.2, more than 1",
        lambda r: r.contingencies.extend([worldmodel_pb2.Contingency(down_links=[0], probability=0.6)] * 2),
    ),
]


@pytest.mark.parametrize(("message", "damage"), BAD_POLICIES)
async def test_malformed_policies_are_refused(
    zoo: Path, spec: NetworkSpec, message: str, damage: Callable[[worldmodel_pb2.RolloutRequest], object]
) -> None:
    request = rollout_request(spec, 2)
    damage(request)
    async with serve(spec, zoo) as served:
        with pytest.raises(grpc.aio.AioRpcError, match=message) as caught:
            await served.stub.Rollout(request, timeout=LIMIT_S)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_longer_than_the_horizon_or_too_many_trajectories(zoo: Path, spec: NetworkSpec) -> None:
    long = rollout_request(spec, 1)
    long.policies.CopyFrom(encode_policies(uniform_policy(spec, spec.timing.horizon_steps + 1)))
    many = rollout_request(spec, 1, with_trajectories=True)
    many.policies.CopyFrom(encode_policies(uniform_policy(spec).take([0] * 4096)))
    short = rollout_request(spec, 1, with_trajectories=True)
    short.policies.CopyFrom(encode_policies(uniform_policy(spec, 2)))
    async with serve(spec, zoo) as served:
        with pytest.raises(grpc.aio.AioRpcError, match=r"policies\.step_count: 13, more than the model's horizon 12") as caught:
            await served.stub.Rollout(long, timeout=LIMIT_S)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert len((await served.stub.Rollout(short, timeout=LIMIT_S)).scm_mean) == 1
        answer = await served.stub.Rollout(many, timeout=LIMIT_S)
        assert len(answer.kpi_quantiles) == 4096 * 12 * 5 * 3 * 4


async def test_no_model_is_failed_precondition(tmp_path: Path, spec: NetworkSpec) -> None:
    folder = write_dynamics(tmp_path, spec)
    (folder / "encode.onnx").write_bytes(b"not a graph")
    async with serve(spec, tmp_path) as served:
        assert not served.store.ready
        for call, request in (
            (served.stub.Rollout, rollout_request(spec, 1)),
            (served.stub.PredictField, worldmodel_pb2.PredictFieldRequest(area_id=spec.area_id, history=history(spec))),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match="no usable") as caught:
                await call(request, timeout=LIMIT_S)
            assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.alone
async def test_deadline_stops_the_work_and_the_loop_stays_awake(zoo: Path, spec: NetworkSpec) -> None:
    request = rollout_request(spec, 1, sample_count=256)
    request.policies.CopyFrom(encode_policies(uniform_policy(spec).take([0] * 4096)))
    async with serve(spec, zoo) as served:
        await served.stub.Rollout(rollout_request(spec, 1), timeout=LIMIT_S)
        began = time.monotonic()
        call = served.stub.Rollout(request, timeout=1.0)
        beats = 0
        while not call.done():
            await asyncio.sleep(0.02)
            beats += 1
        assert await call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - began < 10.0
        assert beats > 10
        while served.service.pending:  # the threads end soon after, at their next step
            assert time.monotonic() - began < 30.0
            await asyncio.sleep(0.02)
        assert len((await served.stub.Rollout(rollout_request(spec, 1), timeout=LIMIT_S)).scm_mean) == 1


async def test_more_calls_than_allowed_are_refused(zoo: Path, spec: NetworkSpec) -> None:
    request = rollout_request(spec, 1, sample_count=256)
    request.policies.CopyFrom(encode_policies(uniform_policy(spec).take([0] * 1024)))
    async with serve(spec, zoo, max_pending=2) as served:
        calls = [served.stub.Rollout(request, timeout=1.5) for _ in range(5)]
        codes = [await call.code() for call in calls]
        assert codes.count(grpc.StatusCode.UNAVAILABLE) == 3
        assert codes.count(grpc.StatusCode.DEADLINE_EXCEEDED) + codes.count(grpc.StatusCode.OK) == 2


async def test_hot_reload_under_load_fails_no_request(zoo: Path, spec: NetworkSpec, tmp_path: Path) -> None:
    """Versions come, one of them broken, while clients ask: every call is answered, by the old model or the new one.

    Each next version comes once the one before was seen: how long that takes is the machine's affair, only a hang is bounded.
    """
    aside, refused = tmp_path / "aside", metrics.MODEL_RELOADS.labels("cdwm", "refused")
    async with serve(spec, zoo) as served:
        stop, ready = asyncio.Event(), []
        watcher = asyncio.create_task(follow_zoo(served.store, ready.append, stop, poll_s=0.02))
        seen: list[str] = []

        async def ask() -> None:
            while not stop.is_set():
                answer = await served.stub.Rollout(rollout_request(spec, 3), timeout=LIMIT_S)
                assert len(answer.scm_mean) == 3
                if answer.models[0].version not in seen:
                    seen.append(answer.models[0].version)

        clients = [asyncio.create_task(ask()) for _ in range(3)]

        async def until(condition: Callable[[], bool]) -> None:
            began = time.monotonic()
            while not condition():
                for task in (watcher, *clients):
                    if task.done():
                        task.result()
                assert time.monotonic() - began < 60, f"seen: {seen}"
                await asyncio.sleep(0.01)

        def add(version: str, *, broken: bool = False) -> None:
            folder = write_dynamics(aside, spec, version=version, scale=1.0 + int(version[-1]) / 10)
            if broken:
                (folder / "exogenous_step.onnx").write_bytes(b"broken")
            folder.rename(zoo / "cdwm" / version)

        await until(lambda: "tiny-1" in seen)
        add("tiny-2")
        await until(lambda: "tiny-2" in seen)
        shutil.rmtree(zoo / "cdwm" / "tiny-1")
        add("tiny-3")
        await until(lambda: "tiny-3" in seen)
        before = refused._value.get()
        add("tiny-4", broken=True)
        await until(lambda: refused._value.get() > before)
        add("tiny-5")
        await until(lambda: "tiny-5" in seen)
        stop.set()
        await asyncio.gather(watcher, *clients)
    assert ready == [True]
    assert seen == ["tiny-1", "tiny-2", "tiny-3", "tiny-5"]


@pytest.mark.slow
async def test_memory_does_not_grow(zoo: Path, spec: NetworkSpec) -> None:
    """1,000 rollouts (TWM_LONG=1: 2,000) of changing decisions and sizes after a warm-up: resident memory stays."""
    count = 2000 if os.environ.get("TWM_LONG") == "1" else 1000
    process = psutil.Process()
    async with serve(spec, zoo) as served:
        requests = [rollout_request(spec, k, sample_count=j) for k, j in ((1, 4), (7, 4), (20, 4), (13, 2), (5, 8))]
        fields = worldmodel_pb2.PredictFieldRequest(area_id=spec.area_id, history=history(spec))

        async def ask(first: int, count: int) -> None:
            for i in range(first, first + count):
                request = requests[i % len(requests)]
                request.seed = i
                await served.stub.Rollout(request, timeout=LIMIT_S)
                if i % 10 == 0:
                    await served.stub.PredictField(fields, timeout=LIMIT_S)

        await ask(0, count // 4)
        gc.collect()
        before = process.memory_info().rss
        await ask(count // 4, count)
        gc.collect()
        grown_mb = (process.memory_info().rss - before) / 1e6
    assert grown_mb < 0.006 * count, f"grew by {grown_mb:.1f} MB"


async def test_shipped_models_answer(spec: NetworkSpec) -> None:
    """The zoo that ships: loads, passes its self-test and ranks more capacity for a slice above none."""
    try:
        for name in ("cdwm", "fwm"):
            find_model(zoo_folder(), name, spec.topology_digest())
    except ModelMismatchError as error:
        pytest.skip(f"no shipped model for the PoC city yet: {error}")
    async with serve(spec, zoo_folder()) as served:
        assert served.store.ready
        request = rollout_request(spec, 4, with_trajectories=True)
        starved = candidates(spec, 1)
        starved.prb_share_KHCS[:] = [0.94, 0.01, 0.05]
        starved.bandwidth_share_KHLS[:] = [0.94, 0.01, 0.05]
        both = PolicyArrays.concatenate([uniform_policy(spec), starved])
        request.policies.CopyFrom(encode_policies(both))
        answer = await served.stub.Rollout(request, timeout=LIMIT_S)
        assert answer.scm_mean[0] >= answer.scm_mean[1]
        urllc = next(i for i, s in enumerate(spec.slices) if s.sla.delay_p99_max_ms is not None)
        risk = np.array(answer.violation_probability).reshape(2, -1)
        assert risk[1, urllc] >= risk[0, urllc]
        assert np.isfinite(answer.kpi_quantiles).all()
        field = worldmodel_pb2.PredictFieldRequest(area_id=spec.area_id, history=history(spec))
        assert (await served.stub.PredictField(field, timeout=LIMIT_S)).model.name == "fwm"


async def test_propose_answers_as_soon_as_there_is_an_actor(spec: NetworkSpec, zoo: Path) -> None:
    """FAILED_PRECONDITION before, policies after, without a restart; bad shares and savings are INVALID_ARGUMENT."""
    running = encode_policies(uniform_policy(spec, 1))
    message = worldmodel_pb2.ProposeRequest(
        area_id=spec.area_id, history=history(spec), running=running, saving_wanted_ratio=0.1
    )
    async with serve(spec, zoo) as served:
        assert served.store.ready
        with pytest.raises(grpc.aio.AioRpcError, match="no usable actor") as refused:
            await served.stub.Propose(message, timeout=LIMIT_S)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        write_actor(zoo, spec)
        assert served.store.refresh()
        answer = await served.stub.Propose(message, timeout=LIMIT_S)
        found = decode_policies(answer.policies, spec)
        assert (found.count, found.step_count, answer.model.name) == (len(HEADS), spec.timing.horizon_steps, "actor")
        assert served.service.pending == 0
        for field, value in (("saving_wanted_ratio", 1.2), ("saving_wanted_ratio", float("nan"))):
            bad = worldmodel_pb2.ProposeRequest()
            bad.CopyFrom(message)
            setattr(bad, field, value)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await served.stub.Propose(bad, timeout=LIMIT_S)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert field in str(refused.value.details())
