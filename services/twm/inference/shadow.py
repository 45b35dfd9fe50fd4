"""Champion and challenger in the shadow: both are asked, in hindsight, for every step whose horizon has been seen, and scored.

Runs only while a challenger is pinned (twm.core.pins). The pairs are a key in Redis, so that they survive restarts and replicas
keep one set; `twm models promote` reads them. Nothing here answers a request.
"""

from __future__ import annotations

import asyncio
import logging

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import metrics
from twm.core.errors import InvalidInputError, TwmError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.hindsight import origin
from twm.core.network import NetworkSpec
from twm.core.paired import Gain, PairedScores
from twm.core.pins import unseen_from
from twm.core.stream_worker import Backoff, pause
from twm.core.streams import KeyWrite, StreamNames, Streams
from twm.inference.forecaster import Forecaster
from twm.inference.loading import LoadedDynamics
from twm.inference.model_store import ModelStore

log = logging.getLogger(__name__)

SHADOW_KEY = "inference-shadow"
BACKLOG = 512
"""Frames that lie in the stream already and are looked at too, when a challenger comes or the process starts."""
_PAGE = 32


class Shadow:
    """Scores the champion and the challenger of one network on its frames."""

    def __init__(self, store: ModelStore, spec: NetworkSpec) -> None:
        self._store, self._spec = store, spec
        self._names = StreamNames.of(spec.area_id)
        self._codec = FrameCodec(spec)
        self._horizon = spec.timing.horizon_steps
        self._frames: dict[int, FrameArrays] = {}
        self._cursor = ""
        self._models: tuple[LoadedDynamics, LoadedDynamics] | None = None
        self._forecasters: tuple[Forecaster, Forecaster] | None = None

    async def run(self, url: str, stop: asyncio.Event, *, poll_s: float = 1.0) -> None:
        """Follow the frames until `stop`; connects to Redis only while there is a challenger."""
        streams: Streams | None = None
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    if self._take_models():
                        streams = streams or await Streams.connect(url)
                        while not stop.is_set() and await self.advance(streams):
                            pass
                    await pause(stop, poll_s)
                except TwmError as error:
                    log.warning("shadow: %s; trying again", error)
                    await backoff.wait(stop)
        finally:
            if streams is not None:
                await streams.close()

    def _take_models(self) -> bool:
        """Whether there are two models; new ones start with new frames."""
        champion, challenger = self._store.dynamics.current, self._store.challenger.current
        models = (champion, challenger) if champion is not None and challenger is not None else None
        if [id(model) for model in models or ()] != [id(model) for model in self._models or ()]:
            self._models, self._frames, self._cursor = models, {}, ""
            self._forecasters = None
            if models is not None:
                self._forecasters = Forecaster(models[0], self._spec), Forecaster(models[1], self._spec)
                log.info("shadow: %s against %s", models[1].card.version, models[0].card.version)
        return models is not None

    async def advance(self, streams: Streams) -> bool:
        """Read some frames and score what they complete. Returns whether there were any. Raises TwmError."""
        if not self._take_models() or self._forecasters is None:
            return False
        champion, challenger = (forecaster.card for forecaster in self._forecasters)
        keep = max(champion.window, challenger.window) + 2 * self._horizon
        key = self._names.key(SHADOW_KEY)
        stored = await streams.get(key) or b""
        pairs = self._pairs(stored, champion.version, challenger.version)
        if not self._cursor:
            entries = await streams.last(self._names.frames, BACKLOG)
        else:
            entries = await streams.range(self._names.frames, after=self._cursor, count=_PAGE)
        before = len(pairs), pairs.last_step
        for entry in entries:
            try:
                frame = self._codec.decode(telemetry_pb2.KpiFrame.FromString(entry.payload))
            except (InvalidInputError, ValueError):
                continue  # its own reader sends it to the dead letters
            self._frames[frame.step] = frame
            await self._score(frame.step - self._horizon, pairs)
            for old in [step for step in self._frames if step < frame.step - keep]:
                del self._frames[old]
        if (len(pairs), pairs.last_step) != before:
            # Where another replica was faster its pairs count, and these are made again from what it left out.
            if not await streams.write([], [KeyWrite(key, pairs.dump(), stored)]):
                self._frames, self._cursor = {}, ""
                return True
            _publish(pairs.gain())
        if entries:
            self._cursor = entries[-1].id
        return bool(entries)

    async def _score(self, step: int, pairs: PairedScores) -> None:
        if self._forecasters is None or step <= pairs.last_step:
            return
        cards = [forecaster.card for forecaster in self._forecasters]
        if step < unseen_from(cards):
            return
        window = max(card.window for card in cards)
        found = origin(self._frames, step, window, self._spec)
        if found is None or len(found.history) < (window + 1) // 2:
            return
        champion, challenger = self._forecasters
        pairs.add(step, await asyncio.to_thread(champion.score, found), await asyncio.to_thread(challenger.score, found))

    def _pairs(self, stored: bytes, champion: str, challenger: str) -> PairedScores:
        if stored:
            try:
                found = PairedScores.load(stored)
                if (found.champion, found.challenger) == (champion, challenger):
                    return found
            except InvalidInputError as error:
                log.warning("%s; beginning anew", error)
        return PairedScores(champion, challenger, self._horizon)


async def read_gain(streams: Streams, area_id: str) -> Gain | None:
    """The gain measured so far; None where nothing was. Raises InvalidInputError, UnavailableError."""
    stored = await streams.get(StreamNames.of(area_id).key(SHADOW_KEY))
    return PairedScores.load(stored).gain() if stored else None


def _publish(gain: Gain | None) -> None:
    if gain is not None:
        metrics.SHADOW_FORECASTS.set(gain.count)
        for bound in ("low", "mean", "high"):
            metrics.SHADOW_GAIN.labels(bound).set(max(min(getattr(gain, bound), 1e9), -1e9))
