"""Another network.yaml (5 cells, 4 slices, a transport ring) trains, runs and plans; nothing but the file differs.

Trained once, by the command; then what the exported graphs must hold, and what they plan in a running system. `--quick` stands
for fewer steps here than an operator gets; `TWM_LONG=1` takes those.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import decode_policies
from twm.core.errors import ModelMismatchError
from twm.core.features import FIELD_FEATURES, KPI_NAMES, HistoryLayout, exogenous_layout
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.streams import StreamNames, Streams
from twm.core.zoo import ModelEntry, check_digests, check_network, find_model
from twm_train.__main__ import main
from twm_train.imagination import ActorSizes
from twm_train.sizes import Recipe

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(420)]

NETWORK = Path(__file__).resolve().parents[1] / "fixtures" / "networks" / "coast.yaml"
LONG = os.environ.get("TWM_LONG") == "1"
TINY = replace(
    Recipe.quick(),
    episodes=12,
    controllable_steps=4,
    field_steps=4,
    validation_episodes=4,
    ranking_starts=1,
    ranking_candidates=6,
    batch=4,
    actor=ActorSizes(steps=2, batch=4, samples=2, look_steps=1, judged_windows=2, judged_seeds=1),
)
STEPS = 4
BUDGET_S = "20"
"""Of a planning cycle: asked is what a plan holds, not how long it takes beside other tests."""


def run(*command: str, zoo: Path, timeout_s: float) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TWM_")}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={**kept, "TWM_ZOO": str(zoo), "OMP_NUM_THREADS": "1", "TWM_PLAN_BUDGET_S": BUDGET_S},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def coast() -> NetworkSpec:
    return load_network(NETWORK)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """(zoo, what the command printed)."""
    folder = tmp_path_factory.mktemp("coast")
    zoo, shown = folder / "zoo", io.StringIO()
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(shown):
        if not LONG:
            patch.setattr(Recipe, "quick", classmethod(lambda _: TINY))
        command = ["--network", str(NETWORK), "--quick", "--out", str(zoo), "--work", str(folder / "work")]
        assert main(command) == 0
    yield zoo, shown.getvalue()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def session(entry: ModelEntry, file: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(entry.read_graph(file), providers=["CPUExecutionProvider"])


def test_another_network_trains_without_a_change_in_code(trained: tuple[Path, str], coast: NetworkSpec) -> None:
    zoo, shown = trained
    c, s, n_links = coast.sizes
    assert (c, s) != (10, 3)
    field, dynamics = (find_model(zoo, name, coast.topology_digest()) for name in ("fwm", "cdwm"))
    actor = find_model(zoo, "actor", coast.topology_digest())
    assert field.card.version == f"{coast.name}-1"
    for entry in (field, dynamics, actor):
        assert f"{entry.card.name} {entry.card.version}: " in shown
        check_digests(entry)
        check_network(entry.card, coast)
        assert entry.card.spec_digest == coast.digest()
    draw = np.random.default_rng(0)
    feeds = {i.name: draw.random(i.shape, np.float32) for i in field.card.graphs["fwm.onnx"].inputs}
    output, demand = session(field, "fwm.onnx").run(["field", "demand"], feeds)
    assert demand.shape == (coast.timing.horizon_steps, len(field.card.demand_levels), c, s)
    assert (np.diff(demand, axis=1) >= 0).all()
    t, q = len(field.card.step_offsets), len(field.card.quantile_levels)
    assert output.shape == (t, q, c, len(FIELD_FEATURES))
    assert (np.diff(output, axis=1) >= 0).all()
    assert dynamics.card.conformal is not None
    assert np.array(dynamics.card.conformal.factor).shape == (coast.timing.horizon_steps, s, len(KPI_NAMES))
    low, high = field.card.data.seeds["training"]
    assert 0xA0000 <= low <= high < 0xB0000
    others = [seed for name, pair in field.card.data.seeds.items() if name != "training" for seed in pair]
    assert all(0xB0000 <= seed < 0xC0000 for seed in others)
    assert {"kpi", "exogenous", "ranking_history", "ranking_calendar"} <= set(dynamics.card.quality)
    assert {"r2_ahead", "demand"} <= set(field.card.quality["calendar"])
    assert n_links == exogenous_layout(coast).links


def test_exogenous_futures_are_bit_equal_whatever_the_actions(trained: tuple[Path, str], coast: NetworkSpec) -> None:
    zoo, _ = trained
    entry = find_model(zoo, "cdwm", coast.topology_digest())
    encode, outside, inside = (session(entry, f"{n}.onnx") for n in ("encode", "exogenous_step", "controllable_step"))
    assert {i.name for i in outside.get_inputs()} == {"deter", "stoch", "noise"}
    rng = np.random.default_rng(1)
    layout = HistoryLayout.of(coast)
    history = np.zeros((entry.card.window, layout.width), np.float32)
    history[:, : layout.value_count] = rng.random((entry.card.window, layout.value_count))
    history[:, layout.value_count :] = 1.0
    draw = lambda graph: rng.standard_normal(
        (coast.timing.horizon_steps, entry.card.members, 4, next(i.shape[-1] for i in graph.get_inputs() if i.name == "noise"))
    ).astype(np.float32)
    noise = list(zip(draw(outside), draw(inside), strict=True))

    def rollout(actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [np.repeat(part[:, None], 4, 1) for part in encode.run(None, {"history": history})]
        (exo_h, exo_z), (ctl_h, ctl_z) = parts[:2], parts[2:]
        futures, kpis = [], []
        for t, (outer, inner) in enumerate(noise):
            exo_h, exo_z, future = outside.run(None, {"deter": exo_h, "stoch": exo_z, "noise": outer})
            ctl_h, ctl_z, mean, std = inside.run(
                None, {"deter": ctl_h, "stoch": ctl_z, "noise": inner, "action": actions[t], "exogenous": future}
            )
            futures.append(future)
            kpis.append(mean)
            assert np.isfinite(mean).all()
            assert (std > 0).all()
        return np.stack(futures), np.stack(kpis)

    c, s, n_links = coast.sizes
    shares = rng.dirichlet(np.ones(s), (coast.timing.horizon_steps, 4, c + n_links)).astype(np.float32)
    actions = shares.reshape(*shares.shape[:2], -1)
    first, kpi = rollout(actions)
    second, other_kpi = rollout(np.roll(actions, 1, 0) * np.float32(0.5))
    assert first.tobytes() == second.tobytes()
    assert not np.array_equal(kpi, other_kpi)


def test_every_row_count_gives_the_same_row(trained: tuple[Path, str], coast: NetworkSpec) -> None:
    zoo, _ = trained
    entry = find_model(zoo, "cdwm", coast.topology_digest())
    graph = session(entry, "controllable_step.onnx")
    rng = np.random.default_rng(2)
    feed = {i.name: rng.random([7 if d == "N" else d for d in i.shape]).astype(np.float32) for i in graph.get_inputs()}
    whole = graph.run(None, feed)
    single = graph.run(None, {k: v[-1:] if k == "action" else v[:, -1:] for k, v in feed.items()})
    for a, b in zip(whole, single, strict=True):
        assert a[:, -1:] == pytest.approx(b, rel=1e-4, abs=1e-5)


def test_a_model_is_refused_for_another_network(trained: tuple[Path, str], coast: NetworkSpec, tmp_path: Path) -> None:
    zoo = shutil.copytree(trained[0], tmp_path / "zoo")
    city = load_network(find_network("poc-city"))
    entry = find_model(zoo, "cdwm", coast.topology_digest())
    with pytest.raises(ModelMismatchError, match="topology_digest"):
        check_network(entry.card, city)
    with pytest.raises(ModelMismatchError, match="coast"):
        find_model(zoo, "cdwm", city.topology_digest())
    path = entry.graph("encode.onnx")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelMismatchError, match=r"encode\.onnx: sha256"):
        check_digests(find_model(zoo, "cdwm", coast.topology_digest()))


async def test_another_network_runs_and_plans(trained: tuple[Path, str], coast: NetworkSpec, redis_url: str) -> None:
    zoo, _ = trained
    flags = ("--plain", "--speed", "40", "--steps", str(STEPS), "--redis-url", redis_url)
    shown = run("twm.cli", "run", "--network", str(NETWORK), *flags, zoo=zoo, timeout_s=180)
    assert f"{STEPS} steps done" in shown

    assert coast.sizes[:2] == (5, 4)
    streams = await Streams.connect(redis_url)
    try:
        names = StreamNames.of(coast.area_id)
        frames = [telemetry_pb2.KpiFrame.FromString(e.payload) for e in await streams.last(names.frames, 100)]
        proposals = [planning_pb2.Proposal.FromString(e.payload) for e in await streams.last(names.proposals, 100)]
    finally:
        await streams.close()
    codec = FrameCodec(coast)
    for frame in frames:
        codec.decode(frame)
        assert frame.missing_report_count == 0
    searched = [p for p in proposals if p.source == planning_pb2.PROPOSAL_SOURCE_SEARCH]
    assert searched, [p.fallback_reason for p in proposals]
    for proposal in searched:
        decode_policies(proposal.policy, coast)
        assert proposal.spec_digest == coast.digest()
        assert proposal.twin_call_count == 12
        assert {m.name for m in proposal.models} >= {"cdwm"}
        assert len(proposal.violation_probability) == len(coast.slices)
