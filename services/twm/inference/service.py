"""WorldModelService over gRPC: admission, deadlines and threads around `Answers`.

The event loop only hands work on, so that it answers health checks while a rollout runs.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from prometheus_client import Histogram

from twm.api.worldmodel.v1 import worldmodel_pb2, worldmodel_pb2_grpc
from twm.core import metrics
from twm.core.errors import DeadlineError, ModelMismatchError, UnavailableError
from twm.inference.actor import Proposer
from twm.inference.answers import Answers, Check
from twm.inference.model_store import ModelStore

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]
SERVICE_NAME = "twm.api.worldmodel.v1.WorldModelService"


class Watch:
    """Says whether a call still has time; used from the thread that works on it."""

    def __init__(self, time_left_s: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._allowed_s = time_left_s
        self._end = monotonic() + time_left_s
        self._gone = threading.Event()

    def cancel(self) -> None:
        """The client is gone."""
        self._gone.set()

    def check(self) -> None:
        """Raise DeadlineError where the deadline has passed or the client is gone."""
        if self._gone.is_set():
            raise DeadlineError("call: cancelled by the client")
        if self._monotonic() > self._end:
            raise DeadlineError(f"call: not done within {self._allowed_s:.3f} s")


class WorldModelService(worldmodel_pb2_grpc.WorldModelServiceServicer):
    """Answers PredictField, Rollout and Propose."""

    def __init__(
        self,
        answers: Answers,
        *,
        concurrent_calls: int,
        max_pending: int,
        max_call_s: float,
        proposer: Proposer | None = None,
    ) -> None:
        """`proposer`: None answers every Propose with ModelMismatchError."""
        self._answers, self._proposer = answers, proposer
        self._pool = ThreadPoolExecutor(concurrent_calls, thread_name_prefix="inference-call")
        # a proposal is the answer where there is no time: it does not queue behind rollouts
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="inference-quick")
        self._max_pending, self._max_call_s = max_pending, max_call_s
        self._pending = 0

    async def PredictField(
        self, request: worldmodel_pb2.PredictFieldRequest, context: Context
    ) -> worldmodel_pb2.PredictFieldResponse:
        """Field features per cell now and over the horizon."""

        def answer(request: worldmodel_pb2.PredictFieldRequest, check: Check) -> worldmodel_pb2.PredictFieldResponse:
            check()
            return self._answers.predict_field(request)

        return await self._call(answer, request, context, metrics.FIELD_SECONDS)

    async def Rollout(self, request: worldmodel_pb2.RolloutRequest, context: Context) -> worldmodel_pb2.RolloutResponse:
        """What each candidate policy would lead to."""
        return await self._call(self._answers.rollout, request, context, metrics.ROLLOUT_SECONDS)

    async def Propose(self, request: worldmodel_pb2.ProposeRequest, context: Context) -> worldmodel_pb2.ProposeResponse:
        """Policies in one pass of the actor."""
        proposer = self._proposer
        if proposer is None:
            raise ModelMismatchError("actor: this service has none")

        def answer(request: worldmodel_pb2.ProposeRequest, check: Check) -> worldmodel_pb2.ProposeResponse:
            check()
            return proposer.propose(request)

        return await self._call(answer, request, context, metrics.PROPOSE_SECONDS, self._quick)

    async def _call(
        self,
        answer: Callable[[Request, Check], Response],
        request: Request,
        context: Context,
        seconds: Histogram,
        pool: ThreadPoolExecutor | None = None,
    ) -> Response:
        if self._pending >= self._max_pending:
            raise UnavailableError(f"calls: {self._pending} wait or run, no more than {self._max_pending}", reason="overloaded")
        left_s = context.time_remaining()
        watch = Watch(self._max_call_s if left_s is None else min(left_s, self._max_call_s))
        self._pending += 1
        work = asyncio.get_running_loop().run_in_executor(pool or self._pool, answer, request, watch.check)
        # The thread holds its place until it has stopped, not until its client is gone.
        work.add_done_callback(self._done)
        try:
            with seconds.time():
                return await asyncio.shield(work)
        finally:
            watch.cancel()

    def _done(self, work: asyncio.Future[Any]) -> None:
        self._pending -= 1
        if not work.cancelled():
            work.exception()  # seen: where the client is gone nobody else looks at it

    @property
    def pending(self) -> int:
        """Calls that wait or run."""
        return self._pending

    def close(self) -> None:
        """Stop taking work. Running calls end at their next step."""
        for pool in (self._pool, self._quick):
            pool.shutdown(wait=False, cancel_futures=True)


async def follow_zoo(store: ModelStore, set_ready: Callable[[bool], None], stop: asyncio.Event, *, poll_s: float) -> None:
    """Load models, then look for new ones every `poll_s` until `stop`; ready as soon as and while both models are there."""
    ready = False
    while not stop.is_set():
        await asyncio.to_thread(store.refresh)
        if store.ready != ready:
            ready = store.ready
            set_ready(ready)
        try:
            await asyncio.wait_for(stop.wait(), poll_s)
        except TimeoutError:
            continue
