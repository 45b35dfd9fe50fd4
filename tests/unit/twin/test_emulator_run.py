"""The emulator against a real gRPC server: every tick arrives in order, outages are waited out, a restart continues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from twm.api.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from twm.core.clock import SystemClock
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.serving import grpc_channel, grpc_server
from twm_twin.e2.emulator import Emulator
from twm_twin.e2.indications import divide
from twm_twin.e2.live_network import LiveNetwork
from twm_twin.e2.periods import overlap_PT
from twm_twin.e2.progress import Progress, ProgressFile, run_digest
from twm_twin.e2.settings import E2Settings

FIRST_STEP = 179_000_000


class Collector(telemetry_pb2_grpc.TelemetryIngestServiceServicer):
    """Keeps the reports of calls that ended well; the first calls fail, the n-th before or after taking the reports in."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.reports: list[bytes] = []

    async def Ingest(self, requests: AsyncIterator[telemetry_pb2.IngestRequest], context: Any) -> telemetry_pb2.IngestResponse:
        taken = [report.SerializeToString(deterministic=True) async for r in requests for report in r.batch.reports]
        if self.failures > 0:
            self.failures -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        self.reports += taken
        return telemetry_pb2.IngestResponse(accepted=len(taken))


@pytest.fixture(scope="module")
def small() -> NetworkSpec:
    return load_network(find_network("explora-cell"))


def _network(spec: NetworkSpec) -> LiveNetwork:
    return LiveNetwork(spec, seed=7, scenarios=["hotspot-id", "wave-id"], scenario_steps=3, running="proportional")


async def _play(spec: NetworkSpec, folder: Path, steps: int, collector: Collector, *, until: int | None = None) -> Progress:
    """Play `steps` slow steps, or stop as soon as `until` reports have come."""
    server = grpc_server()
    telemetry_pb2_grpc.add_TelemetryIngestServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    file, stop = ProgressFile(folder, spec.area_id), asyncio.Event()
    progress = file.read("run") or Progress(run="run", first_step=FIRST_STEP)
    speed = 1e5 if until is None else 100.0
    async with grpc_channel(f"127.0.0.1:{port}") as channel:
        emulator = Emulator(
            spec, _network(spec), progress, file, channel, SystemClock(), speed=speed, steps=steps, deadline_s=5.0
        )
        task = asyncio.create_task(emulator.run(stop))
        async with asyncio.timeout(60):
            while emulator.progress.steps < steps and (until is None or len(collector.reports) < until):
                assert not task.done() or task.exception() is None
                await asyncio.sleep(0.005)
        stop.set()
        await task
    await server.stop(0)
    return emulator.progress


async def test_all_reports_arrive_once_in_order_despite_an_outage(small: NetworkSpec, tmp_path: Path) -> None:
    calm, rough = Collector(0), Collector(2)
    await _play(small, tmp_path / "calm", 4, calm)
    await _play(small, tmp_path / "rough", 4, rough)
    assert rough.reports == calm.reports
    assert len(calm.reports) == 4 * 10 * 2  # slow steps x fast steps x (indication, cell report); no links
    ends = [telemetry_pb2.Report.FromString(r).received.ToNanoseconds() for r in calm.reports]
    assert ends == sorted(ends)
    assert ends[0] == (FIRST_STEP * 10 + 1) * 10**9


async def test_a_restart_continues_where_it_was(small: NetworkSpec, tmp_path: Path) -> None:
    whole, parts = Collector(0), Collector(0)
    await _play(small, tmp_path / "whole", 5, whole)
    stopped = await _play(small, tmp_path / "parts", 5, parts, until=50)
    assert stopped.steps in (2, 3)
    await _play(small, tmp_path / "parts", 5, parts)
    assert parts.reports == whole.reports


def test_progress_of_another_run_or_damaged_does_not_count(small: NetworkSpec, tmp_path: Path) -> None:
    file = ProgressFile(tmp_path, small.area_id)
    file.write(Progress(run="a", first_step=5, steps=7, ticks=2))
    assert file.read("a") == Progress(run="a", first_step=5, steps=7, ticks=2)
    assert file.read("b") is None
    for text in ("", "{", "[]", '{"run": "a"}', '{"run": "a", "first_step": -1}', '{"run": "a", "first_step": "x"}'):
        file.path.write_text(text)
        assert file.read("a") is None


def test_settings(small: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWM_SPEED", "30")
    assert E2Settings.load().e2_speed == 30.0
    monkeypatch.setenv("TWM_E2_SPEED", "60")
    assert E2Settings.load().e2_speed == 60.0
    before = run_digest(small, E2Settings.load())
    monkeypatch.setenv("TWM_E2_SEED", "501")
    assert run_digest(small, E2Settings.load()) != before
    assert E2Settings.load().first_step(60.0, 125.0) == 2
    for name, value in (("TWM_E2_SCENARIOS", "flood"), ("TWM_E2_SPEED", "0"), ("TWM_E2_RUNNING", "none")):
        with monkeypatch.context() as wrong:
            wrong.setenv(name, value)
            with pytest.raises(InvalidInputError, match=value):
                E2Settings.load()


def test_periods_of_any_length_take_fast_steps_by_overlap() -> None:
    assert overlap_PT(4.0, 15, 4.0).tolist() == [[float(p == t) for t in range(15)] for p in range(15)]
    for period_s in (1.0, 2.0, 6.0, 10.0, 60.0):
        share = overlap_PT(4.0, 15, period_s)
        assert share.shape == (round(60 / period_s), 15)
        assert share.sum(0).tolist() == pytest.approx([1.0] * 15)


@pytest.mark.parametrize(("total", "parts"), [(0, 3), (2, 3), (3, 3), (1000, 7), (4_000_000_000, 250)])
def test_a_slice_is_the_sum_of_its_ues(total: int, parts: int) -> None:
    split = divide(total, parts, 1)
    assert sum(split) == total
    assert len(split) == parts
    assert min(split) >= (1 if total >= parts else 0)
