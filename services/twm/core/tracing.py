"""OpenTelemetry traces, where an endpoint is configured (extra `otel`); otherwise nothing, at the cost of one comparison.

One trace is one slow step: the ingester derives the trace id from area and step, stream entries carry it, and so do proposals,
verdicts and policies. Spans: handling of a stream entry (consumer), each gRPC call on both sides. The parent travels with
stream entries (SPAN_FIELD) and calls (W3C `traceparent`). Spans wait in a bounded queue, dropped when the collector is away.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc.aio

from twm.core.errors import InvalidInputError

log = logging.getLogger(__name__)

HEADER = "traceparent"
EXPORT_TIMEOUT_S, EXPORT_PERIOD_MS, MAX_WAITING = 5.0, 1000, 2048
_TRACE = re.compile(r"^[0-9a-f]{32}$")
_SPAN = re.compile(r"^[0-9a-f]{16}$")
_PARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")


class _State:
    """The process's tracer; None: not configured. OpenTelemetry's own API is process-wide too."""

    tracer: Any = None


def configure(process: str, area: str, endpoint: str, ratio: float) -> Callable[[], None]:
    """Begin to export to an OTLP/HTTP endpoint ("" does nothing); returns what flushes and ends it.

    `ratio`: share of the steps that are traced, by trace id, so that all processes choose the same. Raises InvalidInputError
    where the extra is missing.
    """
    if not endpoint:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
    except ImportError as error:
        raise InvalidInputError(f"TWM_OTLP_ENDPOINT: the extra twm[otel] is not installed ({error.name})") from error
    resource = Resource.create({"service.name": f"twm-{process}", "service.namespace": "twm", "twm.area": area})
    provider = TracerProvider(resource=resource, sampler=TraceIdRatioBased(ratio))
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=MAX_WAITING,
            schedule_delay_millis=EXPORT_PERIOD_MS,
            max_export_batch_size=256,
        )
    )
    _State.tracer = provider.get_tracer("twm")
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)

    def end() -> None:
        _State.tracer = None
        provider.shutdown()

    return end


def configured() -> bool:
    """Whether spans are made."""
    return _State.tracer is not None


@contextlib.contextmanager
def span(
    name: str,
    *,
    kind: str = "INTERNAL",
    trace_id: str = "",
    parent: str = "",
    header: str = "",
    attributes: Mapping[str, str | int | float] | None = None,
) -> Iterator[None]:
    """A span around what happens inside; an exception is recorded and goes on.

    Parent: `header` (traceparent of a call), else `parent` (span id, 16 hex digits) in `trace_id` (32), else `trace_id` alone,
    else the span around this one. What is malformed counts as absent.
    """
    tracer = _State.tracer
    if tracer is None:
        yield
        return
    from opentelemetry import trace

    context = None
    found = _PARENT.match(header)
    if found is not None:
        trace_id, parent = found.group(1), found.group(2)
    if _TRACE.match(trace_id) and int(trace_id, 16):
        span_id = int(parent, 16) if _SPAN.match(parent) else 0
        # Without a parent's id the spans of a trace hang under one id that all processes derive from the trace id.
        remote = trace.SpanContext(
            int(trace_id, 16), span_id or int(trace_id[:16], 16) or 1, True, trace.TraceFlags(trace.TraceFlags.SAMPLED)
        )
        context = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    with tracer.start_as_current_span(
        name, context=context, kind=trace.SpanKind[kind], attributes=dict(attributes or {}), end_on_exit=True
    ):
        yield


def current() -> tuple[str, str]:
    """(trace id, span id) of the span around here; ("", "") outside of one."""
    if _State.tracer is None:
        return "", ""
    from opentelemetry import trace

    here = trace.get_current_span().get_span_context()
    return (f"{here.trace_id:032x}", f"{here.span_id:016x}") if here.is_valid else ("", "")


def header_of(context: Any) -> str:
    """The traceparent that a gRPC caller sent; "" none."""
    if _State.tracer is None:
        return ""
    return next((str(value) for key, value in context.invocation_metadata() or () if key == HEADER), "")


def client_interceptors() -> list[Any]:
    """For channels made while tracing is configured."""
    return [_UnaryCalls(), _StreamCalls()] if configured() else []


def _with_header(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    trace_id, span_id = current()
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if span_id:
        metadata.add(HEADER, f"00-{trace_id}-{span_id}-01")
    return grpc.aio.ClientCallDetails(details.method, details.timeout, metadata, details.credentials, details.wait_for_ready)


def _name(method: Any) -> str:
    text = method.decode() if isinstance(method, bytes) else str(method)
    return text.lstrip("/")


class _UnaryCalls(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """A client span around the call, its id with the call."""
        with span(_name(client_call_details.method), kind="CLIENT", attributes={"rpc.system": "grpc"}):
            call = await continuation(_with_header(client_call_details), request)
            await call.code()
            return call


class _StreamCalls(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        """The id of the span around here with the call."""
        return await continuation(_with_header(client_call_details), request_iterator)
