"""Another network.yaml (5 cells, 4 slices, a transport ring) trains, runs and plans; nothing but the file differs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import decode_policies
from twm.core.frames import FrameCodec
from twm.core.network import load_network
from twm.core.streams import StreamNames, Streams

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(420)]

NETWORK = Path(__file__).resolve().parents[1] / "fixtures" / "networks" / "coast.yaml"
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


async def test_another_network_trains_runs_and_plans(tmp_path: Path, redis_url: str) -> None:
    zoo = tmp_path / "zoo"
    run(
        "twm.cli", "train", "--network", str(NETWORK), "--quick", "--out", str(zoo), "--work", str(tmp_path / "work"),
        zoo=zoo, timeout_s=240,
    )  # fmt: skip
    flags = ("--plain", "--speed", "40", "--steps", str(STEPS), "--redis-url", redis_url)
    shown = run("twm.cli", "run", "--network", str(NETWORK), *flags, zoo=zoo, timeout_s=180)
    assert f"{STEPS} steps done" in shown

    spec = load_network(NETWORK)
    assert spec.sizes[:2] == (5, 4)
    streams = await Streams.connect(redis_url)
    try:
        names = StreamNames.of(spec.area_id)
        frames = [telemetry_pb2.KpiFrame.FromString(e.payload) for e in await streams.last(names.frames, 100)]
        proposals = [planning_pb2.Proposal.FromString(e.payload) for e in await streams.last(names.proposals, 100)]
    finally:
        await streams.close()
    codec = FrameCodec(spec)
    for frame in frames:
        codec.decode(frame)
        assert frame.missing_report_count == 0
    searched = [p for p in proposals if p.source == planning_pb2.PROPOSAL_SOURCE_SEARCH]
    assert searched, [p.fallback_reason for p in proposals]
    for proposal in searched:
        decode_policies(proposal.policy, spec)
        assert proposal.spec_digest == spec.digest()
        assert proposal.twin_call_count == 12
        assert {m.name for m in proposal.models} >= {"cdwm"}
        assert len(proposal.violation_probability) == len(spec.slices)
