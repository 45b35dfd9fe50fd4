"""The frame of a service process: logs, signals, probes, gRPC with health, critical tasks, orderly drain.

async with Runtime(settings, name="planner") as runtime:
    runtime.spawn(worker.run(runtime.stop), "frames worker")
    await runtime.serve_grpc(server, ["twm.api.worldmodel.v1.WorldModelService"])
    runtime.set_ready(True)
    return await runtime.wait()
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from twm.core import metrics, tracing
from twm.core.errors import TwmError, UnavailableError
from twm.core.logs import configure_logging
from twm.core.probes import Health, ProbeServer
from twm.core.rpc import grpc_channel, grpc_server
from twm.core.settings import ServiceSettings, split_address

__all__ = ["Runtime", "grpc_channel", "grpc_server", "run_service"]

log = logging.getLogger(__name__)

GRPC_GRACE_S = 5.0
DRAIN_S = 8.0
BEAT_S = 1.0


class Runtime:
    """One process's life. Enter it inside the event loop; `wait` returns the exit code."""

    def __init__(self, settings: ServiceSettings, name: str, *, http: bool = True, signals: bool = True) -> None:
        self.settings = settings
        self.name = name
        self.stop = asyncio.Event()
        """Set by SIGTERM, SIGINT or the failure of a critical task."""
        self.health = Health()
        self.http_port = 0
        """Port of the probes, once entered (0 with http=False)."""
        self._http = http
        self._signals = signals
        self._probes: ProbeServer | None = None
        self._server: grpc.aio.Server | None = None
        self._servicer: Any = None
        self._services: tuple[str, ...] = ()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._updates: set[asyncio.Task[Any]] = set()
        self._failed = False
        self._end_traces: Callable[[], None] = lambda: None

    async def __aenter__(self) -> Self:
        """Take over logs and signals, and open the probes. Raises UnavailableError where their port is taken."""
        configure_logging(self.name, self.settings.log_level)
        self._end_traces = tracing.configure(
            self.name, self.settings.network, self.settings.otlp_endpoint, self.settings.otlp_ratio
        )
        if self._signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop.set)
        if self._http:
            host, port = split_address(self.settings.http_listen)
            try:
                self._probes = ProbeServer(host, port, self.health)
            except OSError as error:
                raise UnavailableError(f"TWM_HTTP_LISTEN: cannot listen on {host}:{port}: {error.strerror}") from error
            self.http_port = self._probes.port
            log.info("probes on %s:%d", host, self.http_port)
        self._hold(asyncio.create_task(self._beat(), name="beat"), self._updates)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain, whatever the reason."""
        self.stop.set()
        await self._drain()
        await asyncio.to_thread(self._end_traces)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run a critical task: if it fails, the process logs it, stops and exits with 1. Tasks end by watching `stop`."""
        task = asyncio.create_task(coroutine, name=name)
        self._hold(task, self._tasks)
        task.add_done_callback(self._task_done)
        return task

    async def serve_grpc(self, server: grpc.aio.Server, services: Sequence[str]) -> int:
        """Add the health service for `services`, bind TWM_GRPC_LISTEN, start, and return the port.

        Raises UnavailableError where the address cannot be bound.
        """
        address = self.settings.grpc_listen
        self._servicer = health.aio.HealthServicer()
        self._services = ("", *services)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise UnavailableError(f"TWM_GRPC_LISTEN: cannot listen on {address}: {str(error)[:200]}") from error
        await self._publish_health()
        await server.start()
        self._server = server
        log.info("gRPC on port %d", port)
        return int(port)

    def set_ready(self, ready: bool) -> None:
        """Tell /readyz, gRPC health and the metric."""
        if ready != self.health.ready:
            log.info("ready" if ready else "not ready")
        self.health.ready = ready
        metrics.READY.set(ready)
        if self._servicer is not None:
            self._hold(asyncio.create_task(self._publish_health(), name="health"), self._updates)

    async def wait(self) -> int:
        """Until `stop`; then drains. 0 after an asked-for stop, 1 after the failure of a critical task."""
        await self.stop.wait()
        await self._drain()
        return 1 if self._failed else 0

    async def _drain(self) -> None:
        self.set_ready(False)
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(GRPC_GRACE_S)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_S)
            for task in late:
                log.warning("%s did not end within %g s: cancelled", task.get_name(), DRAIN_S)
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        for task in tuple(self._updates):
            task.cancel()
        await asyncio.gather(*self._updates, return_exceptions=True)
        if self._probes is not None:
            probes, self._probes = self._probes, None
            await asyncio.to_thread(probes.close)

    async def _publish_health(self) -> None:
        serving = health_pb2.HealthCheckResponse.SERVING
        status = serving if self.health.ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in self._services:
            await self._servicer.set(service, status)

    async def _beat(self) -> None:
        while True:
            self.health.beat()
            await asyncio.sleep(BEAT_S)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._failed = True
            log.error("%s failed: %s", task.get_name(), error, exc_info=None if isinstance(error, TwmError) else error)
            self.stop.set()

    @staticmethod
    def _hold(task: asyncio.Task[Any], group: set[asyncio.Task[Any]]) -> None:
        group.add(task)
        task.add_done_callback(group.discard)


def run_service(name: str, serve: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """What a service's `__main__` does: run `serve()`; an error of this project is one clear log line and exit code 2 for bad
    input or settings, 1 otherwise."""
    try:
        return asyncio.run(serve())
    except TwmError as error:
        if not logging.getLogger().handlers:
            configure_logging(name)
        log.critical("%s", error)
        return 2 if error.reason in ("invalid_input", "bad_network_spec", "model_mismatch") else 1
