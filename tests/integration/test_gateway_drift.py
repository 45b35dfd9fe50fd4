"""The scorer feeds the drift monitor: exactly once, over restarts and with two gateways; a change of state is audited."""

from __future__ import annotations

import asyncio
import time

import pytest
from gateway_samples import frame, good_proposal

from twm.api.policy.v1 import policy_pb2
from twm.core import metrics
from twm.core.drift import DriftMonitor, DriftOptions
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.stream_worker import StreamWorker
from twm.core.streams import GROUP_SCORER, KeyWrite, Output, StreamNames, Streams
from twm.gateway.drift_watch import DriftWatch, feed
from twm.gateway.recorder import Recorder
from twm.gateway.scorer import Scorer
from twm.gateway.scoring import forecast_of

pytestmark = pytest.mark.redis

CHANGE, LAST = 216, 276
"""Proposals promise loss .10; from this step on the network loses .30."""


def worker(streams: Streams, names: StreamNames, spec: NetworkSpec, name: str) -> StreamWorker:
    scorer = Scorer(streams, names, Recorder(streams, names, time.time), spec)
    return StreamWorker(streams, names.frames, GROUP_SCORER, name, scorer.handle, block_ms=50, stale_ms=2000)


async def play(streams: Streams, names: StreamNames, spec: NetworkSpec, steps: range, workers: int = 1) -> None:
    codec = FrameCodec(spec)
    for step in steps:
        await streams.append(Output(names.proposals, good_proposal(spec, step).SerializeToString()))
        seen = frame(spec, step, loss=0.10 if step < CHANGE else 0.30)
        await streams.append(Output(names.frames, codec.encode(seen).SerializeToString()))
    stop = asyncio.Event()
    running = [asyncio.create_task(worker(streams, names, spec, f"s{steps.start}-{i}").run(stop)) for i in range(workers)]
    try:
        async with asyncio.timeout(20):
            while await streams.lag(names.frames, GROUP_SCORER) != (0, 0):  # noqa: ASYNC110 - the state lies in Redis
                await asyncio.sleep(0.02)
    finally:
        stop.set()
        await asyncio.gather(*running)


async def test_a_change_of_the_network_is_told_over_restarts(streams: Streams, spec: NetworkSpec) -> None:
    names = StreamNames.of(spec.area_id)
    watch = DriftWatch(streams, names, spec)
    assert (await watch.status()).state == "learning"
    await streams.ensure_group(names.frames, GROUP_SCORER)
    for start in range(0, CHANGE, 72):  # three gateways, one after the other
        await play(streams, names, spec, range(start, start + 72))
        assert (await watch.status()).state in ("learning", "ok")
    status = await watch.status()
    assert (status.state, status.blocks, status.last_step) == ("ok", 17, CHANGE - 13)
    assert status.model == "poc-city-1@abababababab"
    assert status.coverage["loss_ratio"][0] == pytest.approx(1.0)
    await play(streams, names, spec, range(CHANGE, LAST))
    status = await watch.status()
    assert status.state == "drift"
    assert CHANGE - 12 < status.since_step <= LAST - 13
    assert any(reason.startswith("loss_ratio of ") and "above" in reason for reason in status.reasons)
    assert metrics.DRIFT_STATE.labels("drift")._value.get() == 1
    assert metrics.DRIFT_STATE.labels("ok")._value.get() == 0
    kinds = [policy_pb2.AuditRecord.FromString(e.payload).kind for e in await streams.range(names.audit, count=5000)]
    assert 2 <= kinds.count("drift") <= 4

    # What one process would have seen, in one go.
    alone = DriftMonitor([s.id for s in spec.slices], DriftOptions(block=spec.timing.horizon_steps))
    frames = {step: frame(spec, step, loss=0.10 if step < CHANGE else 0.30) for step in range(LAST)}
    for step in range(LAST - 12):
        assert feed(alone, forecast_of(good_proposal(spec, step), spec), frames, spec)
    assert alone.dump() == (await watch.monitor())[0].dump()


async def test_two_gateways_keep_one_monitor(streams: Streams, spec: NetworkSpec) -> None:
    names = StreamNames.of(spec.area_id)
    await streams.ensure_group(names.frames, GROUP_SCORER)
    await play(streams, names, spec, range(0, 60), workers=2)
    monitor, _ = await DriftWatch(streams, names, spec).monitor()
    assert monitor.status().blocks == 4
    assert monitor.status().last_step == 47


def test_a_fan_speaks_of_its_own_shares_only(spec: NetworkSpec) -> None:
    monitor = DriftMonitor([s.id for s in spec.slices], DriftOptions(block=1, least_blocks=1))
    forecast = forecast_of(good_proposal(spec, 100), spec)
    frames = {step: frame(spec, step, share=1 / 3 if step < 103 else 0.2) for step in range(100, 113)}
    assert feed(monitor, forecast, frames, spec)
    whole = DriftMonitor([s.id for s in spec.slices], DriftOptions(block=1, least_blocks=1))
    assert feed(whole, forecast, {step: frames[step] for step in (100, 101, 102)}, spec)
    assert monitor.dump() == whole.dump()
    assert not feed(monitor, forecast_of(good_proposal(spec, 104), spec), {104: frames[101], 105: frames[105]}, spec)


async def test_damaged_state_is_begun_anew(streams: Streams, spec: NetworkSpec, caplog: pytest.LogCaptureFixture) -> None:
    names = StreamNames.of(spec.area_id)
    await streams.write([], [KeyWrite(names.key("gateway-drift"), b"\xff{}")])
    assert (await DriftWatch(streams, names, spec).status()).state == "learning"
    assert "drift state" in caplog.text
