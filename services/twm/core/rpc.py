"""gRPC servers and channels as every service has them: validated requests, errors as status codes, metrics, size limits."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from twm.core import metrics, tracing
from twm.core.errors import (
    AuditError,
    AuthenticationError,
    ConflictError,
    DeadlineError,
    ForbiddenError,
    InvalidInputError,
    ModelMismatchError,
    RateLimitError,
    TwmError,
    UnavailableError,
)
from twm.core.validation import validate

log = logging.getLogger(__name__)

MAX_CONCURRENT_RPCS = 256
MAX_DETAILS_CHARACTERS = 1000

_STATUS: tuple[tuple[type[TwmError], grpc.StatusCode], ...] = (
    (InvalidInputError, grpc.StatusCode.INVALID_ARGUMENT),
    (ModelMismatchError, grpc.StatusCode.FAILED_PRECONDITION),
    (DeadlineError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
    (AuditError, grpc.StatusCode.DATA_LOSS),
    (AuthenticationError, grpc.StatusCode.UNAUTHENTICATED),
    (ForbiddenError, grpc.StatusCode.PERMISSION_DENIED),
    (RateLimitError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (ConflictError, grpc.StatusCode.FAILED_PRECONDITION),
)


def status_of(error: TwmError) -> grpc.StatusCode:
    """Status code of an error (core/errors.py has the table); INTERNAL for the base class."""
    return next((code for kind, code in _STATUS if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def grpc_server(*, max_message_mb: int = 64) -> grpc.aio.Server:
    """A server that checks every request message, unary or streamed, against its proto rules, and maps TwmError to a status.

    Request streams are read by iteration (`async for`), not by `context.read()`, which would pass the check by.
    """
    limit = max_message_mb * 1024 * 1024
    return grpc.aio.server(
        interceptors=(_Boundary(),),
        options=(
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
        ),
        maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS,
    )


def grpc_channel(target: str, *, max_message_mb: int = 64) -> grpc.aio.Channel:
    """A channel that reconnects within a second or two. Every call on it needs a `timeout`."""
    limit = max_message_mb * 1024 * 1024
    return grpc.aio.insecure_channel(
        target,
        interceptors=tracing.client_interceptors(),
        options=(
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            ("grpc.enable_http_proxy", 0),
        ),
    )


class _Boundary(grpc.aio.ServerInterceptor):
    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """The handler, wrapped, for the methods of this project."""
        handler = await continuation(handler_call_details)
        method: str = handler_call_details.method
        if handler is None or not method.startswith("/twm."):
            return handler
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                _single(handler.unary_unary, method, streamed=False), handler.request_deserializer, handler.response_serializer
            )
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(
                _single(handler.stream_unary, method, streamed=True), handler.request_deserializer, handler.response_serializer
            )
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                _many(handler.unary_stream, method, streamed=False), handler.request_deserializer, handler.response_serializer
            )
        return grpc.stream_stream_rpc_method_handler(
            _many(handler.stream_stream, method, streamed=True), handler.request_deserializer, handler.response_serializer
        )


def _single(behaviour: Any, method: str, *, streamed: bool) -> Any:
    async def call(request: Any, context: Any) -> Any:
        async with _answering(method, context):
            with tracing.span(method.lstrip("/"), kind="SERVER", header=tracing.header_of(context)):
                return await behaviour(_checked(request, streamed), context)

    return call


def _many(behaviour: Any, method: str, *, streamed: bool) -> Any:
    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        async with _answering(method, context):
            responses = behaviour(_checked(request, streamed), context)
            if inspect.isawaitable(responses):
                raise TypeError(f"{method}: streaming handlers must be async generators")
            async for response in responses:
                yield response

    return call


@asynccontextmanager
async def _answering(method: str, context: Any) -> AsyncIterator[None]:
    """Turns what a handler raises into a status, and counts the call under its code; CANCELLED where neither came."""
    began_s = time.perf_counter()
    code = grpc.StatusCode.CANCELLED
    try:
        yield
        code = context.code() or grpc.StatusCode.OK
    except grpc.aio.AbortError:
        code = context.code()
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: whatever a handler raises becomes a status
        code, details, reason = _judge(method, error)
        await context.abort(code, details, (("twm-reason", reason),))
    finally:
        _record(method, code, began_s)


def _checked(request: Any, streamed: bool) -> Any:
    if not streamed:
        validate(request)
        return request

    async def each() -> AsyncIterator[Message]:
        async for message in request:
            if isinstance(message, Message):  # a method that takes raw bytes judges them itself, item by item
                validate(message)
            yield message

    return each()


def _judge(method: str, error: Exception) -> tuple[grpc.StatusCode, str, str]:
    """Status code, details for the caller, and reason; logs it."""
    if isinstance(error, TwmError):
        code, details, reason = status_of(error), str(error)[:MAX_DETAILS_CHARACTERS], error.reason
    else:
        code, details, reason = grpc.StatusCode.INTERNAL, "internal error; the service's log has it", "internal"
    if code is grpc.StatusCode.INTERNAL:
        log.error("%s failed", method, exc_info=error)
    else:
        log.info("%s refused: %s", method, details)
    return code, details, reason


def _record(method: str, code: Any, began_s: float) -> None:
    name = code.name if isinstance(code, grpc.StatusCode) else str(code)
    metrics.RPC_SECONDS.labels(method, name).observe(time.perf_counter() - began_s)
