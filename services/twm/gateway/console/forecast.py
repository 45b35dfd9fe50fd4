"""Field forecast for the map: asked of inference once a slow step for all who look, and kept with what went wrong.

Shape suffixes: T horizon offsets, Q quantile levels, C cells, F field features.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import grpc.aio
import numpy as np
from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core.features import FIELD_FEATURES
from twm.core.frames import Float
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.streams import StreamNames, Streams
from twm.core.text import clean

HISTORY_STEPS = 16
TIMEOUT_S = 4.0
RETRY_S = 10.0
LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, kw_only=True)
class FieldForecast:
    """Forecast from one frame on, or why there is none."""

    step: int | None = None
    """Slow step of the newest frame it was made from."""
    offsets: tuple[int, ...] = ()
    """Slow steps ahead, T; 0 is now."""
    values_QTCF: Float | None = None
    """5, 50 and 95 % quantiles in the order of FIELD_FEATURES."""
    model: str = ""
    problem: str = ""


class Forecaster:
    """Asks, at most once for each newest frame; after a failure not again for RETRY_S."""

    def __init__(
        self, streams: Streams, names: StreamNames, spec: NetworkSpec, target: str, clock: Callable[[], float]
    ) -> None:
        """`clock`: Unix [s]."""
        self._streams, self._names, self._spec = streams, names, spec
        self._target, self._clock = target, clock
        self._channel: grpc.aio.Channel | None = None
        self._lock = asyncio.Lock()
        self._kept = FieldForecast(problem="no frame has come yet")
        self._not_before_s = 0.0

    async def newest(self, step: int) -> FieldForecast:
        """The forecast from frame `step` on, or the last one. Raises UnavailableError for Redis only."""
        async with self._lock:
            now_s = self._clock()
            if self._kept.step == step or now_s < self._not_before_s:
                return self._kept
            history = await self._history()
            if not history:
                return self._kept
            try:
                self._kept = await self._ask(history)
            except grpc.aio.AioRpcError as error:
                self._not_before_s = now_s + RETRY_S
                self._kept = FieldForecast(problem=_told(error))
            except ValueError as error:
                self._not_before_s = now_s + RETRY_S
                self._kept = FieldForecast(problem=str(error))
            return self._kept

    async def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close()

    async def _history(self) -> list[telemetry_pb2.KpiFrame]:
        """Consecutive frames up to the newest, oldest first."""
        found: dict[int, telemetry_pb2.KpiFrame] = {}
        for entry in await self._streams.last(self._names.frames, HISTORY_STEPS):
            try:
                message = telemetry_pb2.KpiFrame.FromString(entry.payload)
            except (ProtobufDecodeError, UnicodeDecodeError):
                continue
            found[message.step] = message
        step = max(found, default=-1)
        out: list[telemetry_pb2.KpiFrame] = []
        while step in found:
            out.append(found[step])
            step -= 1
        return out[::-1]

    async def _ask(self, history: list[telemetry_pb2.KpiFrame]) -> FieldForecast:
        if self._channel is None:
            self._channel = grpc_channel(self._target)
        stub = worldmodel_pb2_grpc.WorldModelServiceStub(self._channel)  # type: ignore[no-untyped-call]
        request = worldmodel_pb2.PredictFieldRequest(area_id=self._spec.area_id, history=history)
        answer: worldmodel_pb2.PredictFieldResponse = await stub.PredictField(request, timeout=TIMEOUT_S)
        t, q = len(answer.step_offsets), len(answer.quantile_levels)
        shape = (t, q, len(self._spec.cells), len(answer.feature_names))
        if tuple(answer.feature_names) != FIELD_FEATURES or not q or len(answer.values) != int(np.prod(shape)):
            raise ValueError("inference: the forecast's sizes or features do not fit")
        values = np.array(answer.values, np.float32).reshape(shape)
        levels = np.array(answer.quantile_levels)
        kept = [int(np.argmin(np.abs(levels - level))) for level in LEVELS]
        return FieldForecast(
            step=history[-1].step,
            offsets=tuple(int(offset) for offset in answer.step_offsets),
            values_QTCF=np.moveaxis(values[:, kept], 1, 0),
            model=clean(f"{answer.model.name} {answer.model.version}", 128).text,
        )


def _told(error: grpc.aio.AioRpcError) -> str:
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return "inference does not answer"
    return f"inference: {error.code().name}: {clean(error.details() or '', 300).text}"
