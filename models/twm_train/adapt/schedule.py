"""Adaptation on schedule: where the drift monitor asks for it a challenger is made, and the shadow's word decides on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.drift import DriftStatus
from twm.core.errors import FrameError, InvalidInputError, TwmError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.paired import Gain
from twm.core.pins import challenge, load_pins, promote
from twm.core.stream_names import STREAM_BOUNDS
from twm.core.stream_worker import pause
from twm.core.streams import StreamNames, Streams
from twm.gateway.drift_watch import DriftWatch
from twm.inference.shadow import read_gain
from twm_train.adapt.challenger import LEAST_HORIZONS, AdaptOptions, adapt, pin_where_better

PATIENCE = 4
"""A challenger that is neither better nor worse after so many times the least count is dismissed."""
_PAGE = 256


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a tick may do."""

    spec: NetworkSpec
    zoo: Path
    options: AdaptOptions
    least_count: int
    """Forecasts a promotion needs."""
    always: bool
    """Adapt at every tick, not only where the monitor says drift."""
    command: str


async def tick(plan: Plan, streams: Streams) -> str:
    """One round: judge the challenger, or make one. Returns what was done. Raises TwmError."""
    network = plan.spec.name
    challenger = load_pins(plan.zoo, network).of("cdwm").challenger
    if challenger is not None:
        return _judge(plan, challenger, await read_gain(streams, plan.spec.area_id))
    status = await DriftWatch(streams, StreamNames.of(plan.spec.area_id), plan.spec).status()
    if status.state != "drift" and not plan.always:
        return f"nothing to do: {status.state}"
    frames = _since(await recent_frames(streams, plan.spec), status, plan)
    adapted = await asyncio.to_thread(adapt, plan.spec, frames, plan.zoo, options=plan.options, command=plan.command)
    gain = adapted.gain
    word = "in the shadow" if pin_where_better(plan.zoo, adapted) else "not better, left aside"
    return f"{adapted.card.version}: held-out gain {gain.mean:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}]: {word}"


async def follow(plan: Plan, url: str, every_s: float, say: Callable[[str], None], stop: asyncio.Event) -> None:
    """A tick every `every_s` until `stop`; what fails is said and tried again at the next."""
    while not stop.is_set():
        try:
            streams = await Streams.connect(url)
            try:
                done = await tick(plan, streams)
            finally:
                await streams.close()
        except TwmError as error:
            done = f"not done: {error}"
        say(done)
        await pause(stop, every_s)


def _judge(plan: Plan, challenger: str, gain: Gain | None) -> str:
    if gain is None or gain.challenger != challenger or gain.count < plan.least_count:
        count = gain.count if gain is not None and gain.challenger == challenger else 0
        return f"{challenger}: {count} of {plan.least_count} forecasts seen in the shadow"
    word = f"gain {gain.mean:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}] over {gain.count} forecasts"
    network = plan.spec.name
    if gain.low > 0:
        promote(plan.zoo, network, "cdwm", challenger, reason=word, gain=gain, least_count=plan.least_count)
        return f"{challenger}: promoted: {word}"
    if gain.high < 0 or gain.count >= PATIENCE * plan.least_count:
        challenge(plan.zoo, network, "cdwm", None, reason=word)
        return f"{challenger}: dismissed: {word}"
    return f"{challenger}: undecided: {word}"


def _since(frames: list[FrameArrays], status: DriftStatus, plan: Plan) -> list[FrameArrays]:
    """Frames since the drift, a block earlier to be sure; all where these are too few."""
    horizon = plan.spec.timing.horizon_steps
    newer = [frame for frame in frames if frame.step >= status.since_step - horizon]
    enough = (LEAST_HORIZONS + 3) * horizon
    return newer if status.state == "drift" and len(newer) >= enough else frames


async def recent_frames(streams: Streams, spec: NetworkSpec) -> list[FrameArrays]:
    """The frames the stream holds, by rising step; those that do not fit the spec are left out.

    Raises InvalidInputError where there is none.
    """
    names, codec = StreamNames.of(spec.area_id), FrameCodec(spec)
    found: dict[int, FrameArrays] = {}
    cursor = "-"
    while len(found) <= 2 * STREAM_BOUNDS["frames"]:
        entries = await streams.range(names.frames, after=cursor, count=_PAGE)
        if not entries:
            break
        cursor = entries[-1].id
        for entry in entries:
            try:
                frame = codec.decode(telemetry_pb2.KpiFrame.FromString(entry.payload))
            except (FrameError, ValueError):
                continue
            found[frame.step] = frame
    if not found:
        raise InvalidInputError(f"frames: none of area {spec.area_id} there")
    return [found[step] for step in sorted(found)]
