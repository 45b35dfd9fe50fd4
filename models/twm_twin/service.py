"""TwinService over gRPC: messages in, messages out, with admission, deadlines and threads around `Verifier`.

The event loop only hands work on, so that it answers health checks while a verification runs.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

from twm.api.twin.v1 import twin_pb2, twin_pb2_grpc
from twm.core.actions import decode_policies
from twm.core.errors import DeadlineError, InvalidInputError, UnavailableError
from twm.core.features import exogenous_layout
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.packed import extend_packed
from twm_twin.scoped import Part
from twm_twin.verification import Verifier

Context = grpc.aio.ServicerContext[Any, Any]
SERVICE_NAME = "twm.api.twin.v1.TwinService"


class VerificationCall:
    """One request, checked and answered."""

    def __init__(self, spec: NetworkSpec, verifier: Verifier, max_calls: int) -> None:
        self._spec, self._verifier, self._max_calls = spec, verifier, max_calls
        self._codec = FrameCodec(spec)
        self._digest = spec.digest()

    def answer(self, request: twin_pb2.VerifyRequest, check: Callable[[], None]) -> twin_pb2.VerifyResponse:
        """Simulate. Raises InvalidInputError where the request does not fit the network, DeadlineError from `check`."""
        check()
        if request.area_id != self._spec.area_id:
            raise InvalidInputError(f"area_id: {request.area_id[:64]!r}, expected {self._spec.area_id!r}")
        start = self._codec.decode(request.start)
        calls = request.policies.policy_count * request.scenario_count
        if calls > self._max_calls:
            raise InvalidInputError(
                f"policies x scenarios: {request.policies.policy_count} x {request.scenario_count} = {calls} twin calls, "
                f"no more than {self._max_calls}"
            )
        horizon = self._spec.timing.horizon_steps
        if request.policies.step_count != horizon:
            raise InvalidInputError(f"policies.step_count: {request.policies.step_count}, expected {horizon}")
        policies = decode_policies(request.policies, self._spec)
        if request.played_steps > horizon:
            raise InvalidInputError(f"played_steps: {request.played_steps}, no more than {horizon}")
        demand, efficiency, capacity = self._scenarios(request)
        parts = [Part.of(message, self._spec, i) for i, message in enumerate(request.targets)]
        outcome, saving = self._verifier.verify(
            start,
            policies,
            demand,
            efficiency,
            capacity,
            seed=request.seed,
            played_steps=request.played_steps or horizon,
            check=check,
        )
        response = twin_pb2.VerifyResponse(twin_call_count=calls, spec_digest=self._digest)
        extend_packed(response, "scm", outcome.scm)
        extend_packed(response, "saving_ratio", saving)
        extend_packed(response, "loss_ratio", outcome.loss_ratio_S)
        extend_packed(response, "delay_p99_ms", np.nan_to_num(outcome.delay_p99_ms_S))
        response.violated.extend(outcome.violated_S.reshape(-1).tolist())
        if parts:
            check()
            futures = self._verifier.futures(start, demand, efficiency, capacity, request.seed)
            measured, value = self._verifier.scoped(policies, futures.first(request.played_steps or horizon), parts)
            response.target_measured.extend(measured.tolist())
            extend_packed(response, "target_value", value)
        return response

    def _scenarios(self, request: twin_pb2.VerifyRequest) -> tuple[np.ndarray[Any, Any], ...]:
        """(demand [J, H, C, S], spectral efficiency [J, H, C], link capacity [J, H, L]): three blocks, one after another."""
        c, s, n_links = self._spec.sizes
        j, h = request.scenario_count, self._spec.timing.horizon_steps
        expected = j * h * exogenous_layout(self._spec).width
        count = len(request.exogenous_scenarios)
        if count != expected:
            raise InvalidInputError(
                f"exogenous_scenarios: {count} values, expected {j} x {h} x ({c} x {s} + {c} + {n_links}) = {expected}"
            )
        flat = np.fromiter(request.exogenous_scenarios, np.float64, count)
        first, second = j * h * c * s, j * h * c * (s + 1)
        return (
            flat[:first].reshape(j, h, c, s),
            flat[first:second].reshape(j, h, c),
            flat[second:].reshape(j, h, n_links),
        )


class TwinService(twin_pb2_grpc.TwinServiceServicer):
    """Answers Verify."""

    def __init__(self, call: VerificationCall, *, concurrent_calls: int, max_pending: int, max_call_s: float) -> None:
        self._call = call
        self._pool = ThreadPoolExecutor(concurrent_calls, thread_name_prefix="twin-call")
        self._max_pending, self._max_call_s = max_pending, max_call_s
        self._pending = 0

    async def Verify(self, request: twin_pb2.VerifyRequest, context: Context) -> twin_pb2.VerifyResponse:
        """Simulates each policy under each scenario."""
        if self._pending >= self._max_pending:
            raise UnavailableError(f"calls: {self._pending} wait or run, no more than {self._max_pending}", reason="overloaded")
        left_s = context.time_remaining()
        allowed_s = self._max_call_s if left_s is None else min(left_s, self._max_call_s)
        end, gone = time.monotonic() + allowed_s, threading.Event()

        def check() -> None:
            if gone.is_set():
                raise DeadlineError("call: cancelled by the client")
            if time.monotonic() > end:
                raise DeadlineError(f"call: not done within {allowed_s:.3f} s")

        self._pending += 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._call.answer, request, check)
        # The thread holds its place until it has stopped, not until its client is gone.
        work.add_done_callback(self._done)
        try:
            return await asyncio.shield(work)
        finally:
            gone.set()

    def _done(self, work: asyncio.Future[Any]) -> None:
        self._pending -= 1
        if not work.cancelled():
            work.exception()  # seen: where the client is gone nobody else looks at it

    def close(self) -> None:
        """Stop taking work. Running calls end at their next policy."""
        self._pool.shutdown(wait=False, cancel_futures=True)
