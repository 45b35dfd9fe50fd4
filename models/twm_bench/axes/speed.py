"""Speed axis: rollouts beside the compiled twin and the machine's measured GEMM peak, planning cycle, actor; all in one run.

Rates are per CPU-second, so that neighbours on the machine count less. A trajectory of the model is one candidate in one future
of one member over the horizon; a horizon of the twin is one policy in one future.

Shape suffixes: K candidates, J exogenous samples, E members, N rows of the controllable graph.
"""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import PolicyArrays, project_shares
from twm.core.clock import SystemClock
from twm.core.errors import ModelMismatchError, TwmError, UnavailableError
from twm.core.features import action_vector, history_matrix
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.zoo import find_model
from twm.inference.actor import HistoryRows, load_actor
from twm.inference.engine import EngineOptions
from twm.inference.loading import CONTROLLABLE
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.library import library_policies
from twm.planner.memory import LastPlan, keep_plan
from twm.planner.peers import Peers
from twm_bench.axes.flops import product_flops
from twm_bench.axes.kernels import profile, time_shares
from twm_bench.axes.scores import short
from twm_bench.axes.served import ServedModels
from twm_bench.peers import running_peers
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures, simulate
from twm_twin.scenarios import SCENARIOS
from twm_twin.seeds import seeds
from twm_twin.simulator import Twin

CANDIDATES, SAMPLES = 512, 4
REPEATS = 7
BATCHES = (128, 512, 1024, 2048)
"""Rows of the controllable graph; the target is read from 512 on."""
GEMM = """
import time, numpy as np
best = 0.0
for n in (512, 1024, 1536):
    a, b = np.ones((n, n), np.float32), np.ones((n, n), np.float32)
    out = a @ b
    for _ in range(6):
        begin = time.process_time()
        np.matmul(a, b, out=out)
        best = max(best, 2e-9 * n**3 / max(time.process_time() - begin, 1e-9))
print(best)
"""
_SPEED_SEED_INDEX = 0x5800
"""Validation seeds from here on: nothing else looks at them."""


def speed_axis(
    spec: NetworkSpec,
    zoo: Path,
    *,
    network: str,
    cycles: int = 120,
    decisions: int = 400,
    settings: CycleSettings | None = None,
) -> dict[str, Any]:
    """Measure what there is; a part that cannot be measured holds {"skipped": reason}.

    `network`: name or path of the spec, as the services take it.
    """
    models = ServedModels(spec, zoo, max_rows=1024)
    gemm = [gemm_gflops()]
    out: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "processor": _processor(), "load_before": short(os.getloadavg()[0])},
        "rollouts": _or_reason(lambda: rollout_rates(models), zoo),
    }
    out["graph"] = _or_reason(lambda: graph_rates(models, gemm), zoo)
    out["gemm_gflop_per_cpu_s"] = short(max(gemm))
    out["cycle"] = _or_reason(lambda: cycle_seconds(spec, zoo, network, cycles, settings or CycleSettings()), zoo)
    out["actor"] = _or_reason(lambda: actor_seconds(spec, zoo, decisions), zoo)
    return out


def _or_reason(measure: Callable[[], dict[str, Any]], zoo: Path) -> dict[str, Any]:
    try:
        return measure()
    except TwmError as error:
        return {"skipped": without_path(str(error), zoo)}


def without_path(text: str, zoo: Path) -> str:
    """A reason fit for a report that others read: the zoo by its name, not by where it lies on this machine."""
    return text.replace(str(zoo), "zoo")[:500]


def rollout_rates(models: ServedModels) -> dict[str, Any]:
    """Trajectories per CPU-second from frames to scores, and horizons per CPU-second of the twin, measured in turns."""
    spec = models.spec
    if models.dynamics is None:
        raise ModelMismatchError(models.why_no_dynamics)
    window, members = models.dynamics.card.window, models.dynamics.model.sizes.members
    frames = history_of(spec, 1, window)[0]
    policies = _random_policies(spec, CANDIDATES)
    layout = TwinLayout.of(spec)
    futures = Futures.drawn(layout, seeds("validation", len(SCENARIOS), _SPEED_SEED_INDEX), list(SCENARIOS))
    library, _ = library_policies(spec)
    count = iter(range(1 << 30))

    def model() -> None:
        decision = models.decision(history_matrix(frames, spec, window), samples=SAMPLES, seed=next(count))
        models.score(decision, policies)

    def twin() -> None:
        simulate(layout, library, futures)

    for warm in (model, twin):
        warm()
    pairs = [(_cpu_s(model), _cpu_s(twin)) for _ in range(REPEATS)]
    model_s, twin_s = (float(np.median([pair[i] for pair in pairs])) for i in range(2))
    trajectories, horizons = CANDIDATES * SAMPLES * members / model_s, library.count * futures.count / twin_s
    return {
        "candidates": CANDIDATES,
        "samples": SAMPLES,
        "members": members,
        "trajectories_per_cpu_s": short(trajectories),
        "candidate_futures_per_cpu_s": short(trajectories / members),
        "candidates_per_cpu_s": short(CANDIDATES / model_s),
        "twin_horizons_per_cpu_s": short(horizons),
        "ratio_to_twin": short(trajectories / horizons),
        "ratio_to_twin_members_as_one": short(trajectories / members / horizons),
    }


def graph_rates(models: ServedModels, gemm: list[float]) -> dict[str, Any]:
    """GFLOP per CPU-second of the controllable graph by rows, of which only matrix products count, and where its time goes.

    `gemm`: what was measured of the GEMM peak [GFLOP per CPU-second]; another measurement is added after the graph's.
    """
    if models.dynamics is None:
        raise ModelMismatchError(models.why_no_dynamics)
    card, model = models.dynamics.card, models.dynamics.model
    content = find_model(models.zoo, "cdwm", models.spec.topology_digest()).read_graph(CONTROLLABLE)
    futures = models.decision(np.zeros((card.window, model.sizes.history_width), np.float32), samples=1, seed=0).futures
    generator = np.random.default_rng(0)
    batches: dict[str, Any] = {}
    steps: dict[int, tuple[float, int, dict[str, Any]]] = {}
    for rows in (1, *BATCHES):
        one = model.controllable_pass(rows)
        latents = futures.latents
        one.noise_ENZ[:] = generator.standard_normal(one.noise_ENZ.shape, np.float32)
        one.action_NA[:] = action_vector(_random_policies(models.spec, 1))[0, :1]
        one.exogenous_ENX[:] = futures.exogenous_HEJX[0]

        def run(one: Any = one, latents: Any = latents) -> None:
            one.reset(latents.controllable_deter_EG, latents.controllable_stoch_EZ)
            for _ in range(12):
                one.step()

        run()
        seconds = min(_cpu_s(run) for _ in range(REPEATS)) / 12
        feeds = {
            "deter": np.repeat(latents.controllable_deter_EG[:, None], rows, 1),
            "stoch": np.repeat(latents.controllable_stoch_EZ[:, None], rows, 1),
            "noise": one.noise_ENZ,
            "action": one.action_NA,
            "exogenous": one.exogenous_ENX,
        }
        steps[rows] = seconds, product_flops(content, feeds), feeds
    gemm.append(gemm_gflops())
    peak = max(gemm)
    for rows in BATCHES:
        seconds, flops, feeds = steps[rows]
        batches[str(rows)] = {
            "ms_per_step": short(1e3 * seconds),
            "mflop_per_step": short(flops / 1e6),
            "gflop_per_cpu_s": short(1e-9 * flops / seconds),
            "share_of_gemm_peak": short(1e-9 * flops / seconds / peak),
            "time": time_shares(
                profile(content, feeds, {"deter", "stoch", "action"}),
                flops=flops,
                step_s=seconds,
                one_row_s=steps[1][0],
                peak_gflops=peak,
            ),
        }
    return {"batches": batches, "members": model.sizes.members}


def cycle_seconds(spec: NetworkSpec, zoo: Path, network: str, cycles: int, settings: CycleSettings) -> dict[str, Any]:
    """Wall time of the planning cycle with the real inference and twin services beside it."""
    codec = FrameCodec(spec)
    messages = [[codec.encode(f) for f in frames] for frames in history_of(spec, cycles + 3, 16)]
    with (
        tempfile.TemporaryDirectory(prefix="twm-speed-") as folder,
        running_peers(network, Path(folder), {"TWM_ZOO": str(zoo)}) as targets,
    ):
        seconds, fallbacks, evaluations, calls = asyncio.run(_cycles(spec, targets.inference, targets.twin, messages, settings))
    timed = np.array(seconds[3:])
    return {
        "cycles": len(timed),
        "p50_ms": short(1e3 * float(np.median(timed))),
        "p99_ms": short(1e3 * float(np.quantile(timed, 0.99))),
        "max_ms": short(1e3 * float(timed.max())),
        "fallbacks": fallbacks,
        "evaluations": evaluations,
        "twin_calls": calls,
    }


async def _cycles(
    spec: NetworkSpec,
    inference: str,
    twin: str,
    histories: Sequence[Sequence[telemetry_pb2.KpiFrame]],
    settings: CycleSettings,
) -> tuple[list[float], int, int, int]:
    clock, seconds, fallbacks, evaluations, calls = SystemClock(), [], 0, [], []
    last: LastPlan | None = None
    async with grpc_channel(inference) as world, grpc_channel(twin) as other:
        cycle = PlanningCycle(spec, settings, Peers.on(spec, world, other, clock), clock)
        for history in histories:
            begin = time.perf_counter()
            proposal = await cycle.plan(history, last)
            seconds.append(time.perf_counter() - begin)
            fallbacks += bool(proposal.fallback_reason)
            evaluations.append(proposal.evaluation_count)
            calls.append(proposal.twin_call_count)
            last = LastPlan.from_bytes(keep_plan(proposal), spec, spec.digest())
    return seconds, fallbacks, round(float(np.median(evaluations))), round(float(np.median(calls)))


def actor_seconds(spec: NetworkSpec, zoo: Path, decisions: int) -> dict[str, Any]:
    """Wall time from frames to a feasible policy in one pass, one thread; rows of frames seen before are kept, as served."""
    actor = load_actor(find_model(zoo, "actor", spec.topology_digest()), spec, EngineOptions(use_cuda=False))
    codec, rows, topology = FrameCodec(spec), HistoryRows(spec), spec.topology()
    c, s, n_links = spec.sizes
    running = np.full((c + n_links) * s, 1 / s, np.float32)
    seconds = []
    for frames in history_of(spec, decisions + 10, 16):
        messages = [codec.encode(frame) for frame in frames]
        begin = time.perf_counter()
        plan = actor.plan(rows.matrix(messages, actor.card.window), running, 0.1)
        project_shares(plan.prb_share_KHCS, topology.prb_floor)
        project_shares(plan.bandwidth_share_KHLS, topology.bandwidth_floor)
        seconds.append(time.perf_counter() - begin)
    timed = np.array(seconds[10:])
    return {
        "decisions": len(timed),
        "p50_ms": short(1e3 * float(np.median(timed))),
        "p99_ms": short(1e3 * float(np.quantile(timed, 0.99))),
    }


def gemm_gflops() -> float:
    """Best GFLOP per CPU-second of numpy's sgemm on one thread, in a process of its own."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            [sys.executable, "-c", GEMM], env={**os.environ, **one}, capture_output=True, text=True, timeout=60, check=True
        )
        return float(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise UnavailableError(f"GEMM: {str(error)[:200]}") from error


def history_of(spec: NetworkSpec, count: int, length: int) -> list[list[FrameArrays]]:
    """`count` histories of up to `length` frames that move on by a step each, under uniform shares."""
    c, s, n_links = spec.sizes
    twin = Twin(spec, 1)
    twin.reset(seeds("validation", 1, _SPEED_SEED_INDEX), [SCENARIOS[0]])
    frames: list[FrameArrays] = []
    for _ in range(length + count):
        frames.append(twin.frames(twin.step(np.full((1, c, s), 1 / s), np.full((1, n_links, s), 1 / s))).frame(0))
    return [frames[i + 1 : i + 1 + length] for i in range(count)]


def _random_policies(spec: NetworkSpec, count: int) -> PolicyArrays:
    generator, topology = np.random.default_rng(0), spec.topology()
    c, s, n_links = spec.sizes
    h = spec.timing.horizon_steps
    return PolicyArrays(
        prb_share_KHCS=project_shares(generator.uniform(0.05, 1, (count, h, c, s)), topology.prb_floor),
        bandwidth_share_KHLS=project_shares(generator.uniform(0.05, 1, (count, h, n_links, s)), topology.bandwidth_floor),
    )


def _cpu_s(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return max(time.process_time() - begin, 1e-9)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
