"""Rollouts of the PoC city with the shipped models: rate beside the twin's and beside the bare graph, in one run.

A candidate is one policy scored under J futures by E members: J x E trajectories of H slow steps. Prints figures; gates on
ratios of this run only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_zoo import frames

from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core.actions import PolicyArrays, encode_policies, project_shares
from twm.core.errors import ModelMismatchError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.paths import zoo_folder
from twm.core.serving import grpc_channel, grpc_server
from twm.core.zoo import find_model
from twm.inference.answers import Answers
from twm.inference.engine import EngineOptions
from twm.inference.model_store import ModelStore
from twm.inference.service import WorldModelService
from twm.planner.library import library_policies
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures, simulate
from twm_twin.scenarios import SCENARIOS

pytestmark = pytest.mark.bench

CANDIDATES, SAMPLES, CALLS = 150, 4, 4
"""600 evaluations of a decision as a search asks for them: four calls of 150 candidates."""
REPEATS = 5


@pytest.fixture
def zoo(spec: NetworkSpec) -> Path:
    """The shipped zoo, where it has both models of the PoC city."""
    try:
        for name in ("cdwm", "fwm"):
            find_model(zoo_folder(), name, spec.topology_digest())
    except ModelMismatchError as error:
        pytest.skip(f"no shipped model for the PoC city: {error}")
    return zoo_folder()


def make_answers(spec: NetworkSpec, zoo: Path, *, threads: int, intra_op: int = 1) -> tuple[Answers, ModelStore]:
    store = ModelStore(zoo, spec, EngineOptions(intra_op_threads=intra_op, use_cuda=False))
    store.refresh()
    workers = ThreadPoolExecutor(threads)
    answers = Answers(
        spec, store, default_samples=SAMPLES, max_rows=256, cache_capacity=4, workers=workers, worker_count=threads
    )
    return answers, store


def make_request(spec: NetworkSpec, seed: int) -> worldmodel_pb2.RolloutRequest:
    codec = FrameCodec(spec)
    generator = np.random.default_rng(seed)
    c, s, n_links = spec.sizes
    h = spec.timing.horizon_steps

    def shares(rows: int) -> np.ndarray:
        return project_shares(generator.uniform(0.05, 1, (CANDIDATES, h, rows, s)), np.full(s, 0.05))

    return worldmodel_pb2.RolloutRequest(
        area_id=spec.area_id,
        history=[codec.encode(frame) for frame in frames(spec, 16)],
        policies=encode_policies(PolicyArrays(prb_share_KHCS=shares(c), bandwidth_share_KHLS=shares(n_links))),
        sample_count=SAMPLES,
        seed=seed,
    )


def least(work: Callable[[], object]) -> tuple[float, float]:
    """(wall, CPU) seconds of the quickest of some repeats."""
    walls, cpus = [], []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def graph_seconds(store: ModelStore, steps: int) -> float:
    """CPU time of the bare controllable graph on the rows of one call, one thread."""
    loaded = store.dynamics.get()
    one = loaded.model.controllable_pass(CANDIDATES * SAMPLES)
    sizes = loaded.model.sizes
    generator = np.random.default_rng(0)
    one.noise_ENZ[:] = generator.standard_normal(one.noise_ENZ.shape, np.float32)
    one.action_NA[:] = 1 / sizes.slices
    one.exogenous_ENX[:] = 50.0
    one.reset(np.zeros((sizes.members, sizes.deter), np.float32), np.zeros((sizes.members, sizes.stoch), np.float32))

    def run() -> None:
        for _ in range(steps):
            one.step()

    run()
    return least(run)[1]


async def test_600_evaluations_over_grpc(spec: NetworkSpec, zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Serving adds little to the bare graph: Python, gRPC and scoring together stay under half of it."""
    answers, store = make_answers(spec, zoo, threads=2)
    members = store.dynamics.get().model.sizes.members
    requests = [make_request(spec, 1) for _ in range(CALLS)]
    service = WorldModelService(answers, concurrent_calls=2, max_pending=16, max_call_s=60)
    server = grpc_server()
    worldmodel_pb2_grpc.add_WorldModelServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    walls, cpus = [], []
    try:
        async with grpc_channel(f"127.0.0.1:{port}") as channel:
            stub = worldmodel_pb2_grpc.WorldModelServiceStub(channel)
            await stub.Rollout(requests[0], timeout=60)
            for repeat in range(REPEATS):
                for request in requests:
                    request.seed = repeat
                wall, cpu = time.perf_counter(), time.process_time()
                for request in requests:
                    await stub.Rollout(request, timeout=60)
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
    finally:
        await server.stop(0)
        service.close()
    bare = CALLS * graph_seconds(store, spec.timing.horizon_steps)
    evaluations = CANDIDATES * CALLS
    with capsys.disabled():
        print(
            f"\n{evaluations} evaluations (J={SAMPLES}, E={members}) over gRPC: "
            f"{min(walls):.3f} s wall, {min(cpus):.3f} s CPU; "
            f"{evaluations / min(cpus):.0f} candidates = {evaluations * SAMPLES * members / min(cpus):.0f} trajectories "
            f"per CPU-second; bare graph {bare:.3f} s CPU"
        )
    assert min(cpus) < 2.0 * bare  # feature work, drawing, scoring and gRPC cost less than the graphs themselves


def test_chunks_on_threads_against_threads_in_the_graph(
    spec: NetworkSpec, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Why intra_op_threads is 1: two threads with a chunk each against one call on two threads. Printed, loosely gated."""
    request = make_request(spec, 2)
    seconds = {}
    for name, threads, intra_op in (("one thread", 1, 1), ("two chunks", 2, 1), ("two in the graph", 1, 2)):
        answers, _ = make_answers(spec, zoo, threads=threads, intra_op=intra_op)
        answers.rollout(request)
        seconds[name] = least(lambda answers=answers: answers.rollout(request))  # type: ignore[misc]
    with capsys.disabled():
        print()
        for name, (wall, cpu) in seconds.items():
            print(f"{CANDIDATES} candidates, {name}: {wall * 1e3:.0f} ms wall, {cpu * 1e3:.0f} ms CPU")
    assert seconds["two chunks"][0] < 1.3 * seconds["two in the graph"][0]


def test_rate_beside_the_twin(spec: NetworkSpec, zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trajectories per CPU-second of the world model against horizons per CPU-second of the compiled twin."""
    layout = TwinLayout.of(spec)
    futures = Futures.drawn(layout, [0xA0000] * len(SCENARIOS), list(SCENARIOS))
    policies, _ = library_policies(spec)
    simulate(layout, policies.take([0]), futures)
    twin_rate = policies.count * futures.count / least(lambda: simulate(layout, policies, futures))[1]
    answers, store = make_answers(spec, zoo, threads=1)
    request = make_request(spec, 3)
    answers.rollout(request)
    cpu = least(lambda: answers.rollout(request))[1]
    members = store.dynamics.get().model.sizes.members
    rate = CANDIDATES * SAMPLES * members / cpu
    size = 1024
    matrix = np.ones((size, size), np.float32)
    gemm = 2e-9 * size**3 / least(lambda: matrix @ matrix)[1]
    with capsys.disabled():
        print(
            f"\nworld model: {CANDIDATES / cpu:.0f} candidates/CPU-s = {rate:.0f} trajectories/CPU-s; "
            f"twin: {twin_rate:.0f} horizons/CPU-s; ratio {rate / twin_rate:.2f}; GEMM {gemm:.0f} GFLOP/CPU-s"
        )
    assert rate > 0.5 * twin_rate
