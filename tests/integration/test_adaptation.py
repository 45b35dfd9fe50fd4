"""Demand shifts in the middle of a run: the monitor tells, a challenger is tuned, wins in the shadow, is promoted, rolled back.

Real twin, shipped model, real Redis, real gRPC; the running service follows every change of the pins.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.cli.__main__ import main
from twm.core.actions import encode_policies, uniform_policy
from twm.core.frame_file import load_frames
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.hindsight import Origin, origins
from twm.core.network import NetworkSpec
from twm.core.pins import challenge, history, in_use, load_pins
from twm.core.serving import grpc_channel, grpc_server
from twm.core.streams import Output, StreamNames, Streams
from twm.core.zoo import ModelEntry, load_card, write_card
from twm.inference.answers import Answers
from twm.inference.engine import EngineOptions
from twm.inference.forecaster import ENGINE, Forecaster
from twm.inference.loading import load_dynamics
from twm.inference.model_store import ModelStore
from twm.inference.service import WorldModelService
from twm.inference.shadow import Shadow, read_gain
from twm_train.adapt.challenger import AdaptOptions, adapt, pin_where_better
from twm_train.adapt.experiment import monitor
from twm_train.adapt.fine_tune import TuneOptions
from twm_train.adapt.schedule import Plan, recent_frames, tick
from twm_train.adapt.shift import FIRST_STEP, shifted_run
from twm_train.progress import Silent

pytestmark = pytest.mark.redis

BEFORE, AFTER, FIT = 20, 20, 13
"""Horizons before and after the shift; horizons after it that are adapted on."""
SAMPLES, LEAST = 2, 48
QUICK = AdaptOptions(samples=SAMPLES, tune=TuneOptions(steps=6, batch=3, look_every=3, look_windows=4))


@dataclass
class Scene:
    """What all steps share."""

    spec: NetworkSpec
    frames: list[FrameArrays]
    shift_step: int

    def between(self, first: int, last: int) -> list[FrameArrays]:
        """Frames of horizons first .. last - 1 after the shift."""
        h = self.spec.timing.horizon_steps
        return [f for f in self.frames if self.shift_step + first * h <= f.step < self.shift_step + last * h]


@pytest.fixture(scope="module")
def scene(spec: NetworkSpec) -> Scene:
    frames = shifted_run(spec, seed=0xB7200, scenario="hotspot-id", horizons_before=BEFORE, horizons_after=AFTER, factor=1.4)
    return Scene(spec, frames, FIRST_STEP + BEFORE * spec.timing.horizon_steps)


@pytest.fixture(scope="module")
def adapted_zoo(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models in use, and a challenger tuned on frames after the shift, pinned."""
    zoo = tmp_path_factory.mktemp("zoo")
    threads = torch.get_num_threads()
    adapted = adapt(scene.spec, scene.between(0, FIT), zoo, options=QUICK)
    assert torch.get_num_threads() == threads
    assert adapted.gain.mean > 0
    assert adapted.card.version == f"{adapted.gain.champion}-a1"
    assert pin_where_better(zoo, adapted)
    return zoo


def forecaster(zoo: Path, version: str, spec: NetworkSpec) -> Forecaster:
    folder = zoo / "cdwm" / version
    return Forecaster(load_dynamics(ModelEntry(folder, load_card(folder)), spec, ENGINE), spec, samples=SAMPLES)


def test_the_monitor_tells_after_the_shift_and_not_before(scene: Scene, adapted_zoo: Path) -> None:
    version = load_pins(adapted_zoo, scene.spec.name).of("cdwm").active
    assert version is not None
    model = forecaster(adapted_zoo, version, scene.spec)
    h, stride = scene.spec.timing.horizon_steps, 4
    found: list[Origin] = origins(scene.frames, model.card.window, scene.spec)[::stride]
    seen = [o for o in found if o.step < scene.shift_step + (AFTER - 1) * h]
    said = monitor(model, seen, scene.spec, scene.shift_step, stride, Silent())
    assert said["alarms_before_shift"] == 0
    assert said["detection_delay_horizons"] is not None
    assert 0 < said["detection_delay_horizons"] <= AFTER
    assert said["reasons"]


def test_the_challenger_says_where_it_came_from(adapted_zoo: Path, scene: Scene) -> None:
    pin = load_pins(adapted_zoo, scene.spec.name).of("cdwm")
    assert pin.challenger is not None
    card = load_card(adapted_zoo / "cdwm" / pin.challenger)
    assert card.adaptation is not None
    assert card.adaptation.parent == pin.active
    assert card.adaptation.steps == (scene.between(0, FIT)[0].step, scene.between(0, FIT)[-1].step)
    assert card.quality["held_out"]["challenger_score"] < card.quality["held_out"]["champion_score"]
    assert set(card.quality["choice_score"]) == {"recalibrate", "fine-tune"}
    assert card.ood is not None
    # Its own zoo: the shipped one knows nothing of it, and neither does a service that follows no pin.
    assert in_use(adapted_zoo, scene.spec.name, "cdwm", load_pins(adapted_zoo / "absent", scene.spec.name)) == pin.active


@dataclass
class Served:
    """A running service and a client of it."""

    store: ModelStore
    stub: worldmodel_pb2_grpc.WorldModelServiceStub
    request: worldmodel_pb2.RolloutRequest

    async def version(self) -> str:
        """Version that answers, after a look at the zoo."""
        await asyncio.to_thread(self.store.refresh)
        return (await self.stub.Rollout(self.request, timeout=20)).models[0].version


@asynccontextmanager
async def serve(scene: Scene, zoo: Path) -> AsyncIterator[Served]:
    store = ModelStore(zoo, scene.spec, EngineOptions(use_cuda=False))
    service = WorldModelService(
        Answers(scene.spec, store, default_samples=2, max_rows=256, cache_capacity=2),
        concurrent_calls=1,
        max_pending=4,
        max_call_s=20,
    )
    server = grpc_server()
    worldmodel_pb2_grpc.add_WorldModelServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    codec = FrameCodec(scene.spec)
    request = worldmodel_pb2.RolloutRequest(
        area_id=scene.spec.area_id,
        history=[codec.encode(frame) for frame in scene.frames[-4:]],
        policies=encode_policies(uniform_policy(scene.spec)),
    )
    try:
        async with grpc_channel(f"127.0.0.1:{port}") as channel:
            yield Served(store, worldmodel_pb2_grpc.WorldModelServiceStub(channel), request)
    finally:
        await server.stop(0)
        service.close()


async def fill(streams: Streams, scene: Scene, frames: list[FrameArrays]) -> None:
    names, codec = StreamNames.of(scene.spec.area_id), FrameCodec(scene.spec)
    for frame in frames:
        await streams.append(Output(names.frames, codec.encode(frame).SerializeToString()))


async def follow(shadow: Shadow, streams: Streams) -> None:
    while await shadow.advance(streams):
        pass


async def test_won_in_the_shadow_promoted_and_rolled_back_under_way(
    scene: Scene, adapted_zoo: Path, tmp_path: Path, streams: Streams, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo, spec = tmp_path / "zoo", scene.spec
    shutil.copytree(adapted_zoo, zoo)
    pin = load_pins(zoo, spec.name).of("cdwm")
    champion, challenger = str(pin.active), str(pin.challenger)
    arguments = ["--zoo", str(zoo), "--network", spec.name]
    command = ["models", "promote", *arguments, "--redis-url", redis_url, "--least", str(LEAST)]

    async def twm(*call: str) -> int:
        return await asyncio.to_thread(main, list(call))

    async with serve(scene, zoo) as served:
        assert await served.version() == champion
        assert served.store.challenger.current is not None
        assert await twm(*command) == 2
        assert "no gain" in capsys.readouterr().err

        newest = scene.between(FIT, AFTER)
        await fill(streams, scene, newest[: len(newest) // 2])
        await follow(Shadow(served.store, spec), streams)
        await fill(streams, scene, newest[len(newest) // 2 :])
        await follow(Shadow(served.store, spec), streams)  # another process goes on where the first was
        gain = await read_gain(streams, spec.area_id)
        assert gain is not None
        assert (gain.champion, gain.challenger) == (champion, challenger)
        assert gain.count >= LEAST
        assert gain.low > 0
        assert gain.first_step < gain.last_step
        assert await served.version() == champion

        assert await twm(*command, "--reason", "better since the shift") == 0
        assert await served.version() == challenger
        assert served.store.challenger.current is None
        assert history(zoo, spec.name)[-1]["gain"]["low"] > 0  # type: ignore[index]

        assert await twm("models", "rollback", *arguments, "--reason", "exercise") == 0
        assert await served.version() == champion
        assert [e["action"] for e in history(zoo, spec.name)] == ["challenge", "promote", "rollback"]
        # The same gain promotes again, by the file of frames as well as by the stream.
        path = tmp_path / "recent.frames"
        assert await twm("frames", "--area", spec.area_id, "--redis-url", redis_url, "--out", str(path)) == 0
        assert len(load_frames(path, spec)) == len(newest) == len(await recent_frames(streams, spec))


async def test_a_worse_challenger_is_refused_and_dismissed(
    scene: Scene, adapted_zoo: Path, tmp_path: Path, streams: Streams, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo, spec = tmp_path / "zoo", scene.spec
    shutil.copytree(adapted_zoo, zoo)
    champion = str(load_pins(zoo, spec.name).of("cdwm").active)
    worse = zoo / "cdwm" / f"{champion}-a2"
    shutil.copytree(zoo / "cdwm" / f"{champion}-a1", worse)
    card = load_card(zoo / "cdwm" / f"{champion}-a1")
    assert card.conformal is not None
    wide = card.conformal.model_copy(
        update={"factor": tuple(tuple(tuple(8.0 for _ in row) for row in step) for step in card.conformal.factor)}
    )
    write_card(card.model_copy(update={"version": worse.name, "conformal": wide}), worse)
    challenge(zoo, spec.name, "cdwm", worse.name, reason="exercise")
    store = ModelStore(zoo, spec, EngineOptions(use_cuda=False))
    store.refresh()
    await fill(streams, scene, scene.between(FIT, AFTER))
    await follow(Shadow(store, spec), streams)
    gain = await read_gain(streams, spec.area_id)
    assert gain is not None
    assert gain.high < 0
    command = ["models", "promote", "--zoo", str(zoo), "--redis-url", redis_url, "--least", str(LEAST)]
    assert await asyncio.to_thread(main, command) == 2
    assert "the interval must lie above 0" in capsys.readouterr().err
    plan = Plan(spec=spec, zoo=zoo, options=QUICK, least_count=1000, always=False, command="test")
    assert "of 1000 forecasts seen" in await tick(plan, streams)
    assert "dismissed" in await tick(replace(plan, least_count=LEAST), streams)
    assert load_pins(zoo, spec.name).of("cdwm").challenger is None
    assert await tick(replace(plan, least_count=LEAST), streams) == "nothing to do: learning"
    store.refresh()
    assert store.challenger.current is None
    assert store.dynamics.get().card.version == champion
    lines = [json.loads(line) for line in (zoo / "active" / f"{spec.name}.log.jsonl").read_text().splitlines()]
    assert [line["action"] for line in lines] == ["challenge", "challenge", "dismiss"]
