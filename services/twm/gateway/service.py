"""The gateway put together: proposals to verdicts and policies, frames to scores, audit stream to file, REST."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import grpc
import uvicorn
from fastapi import FastAPI

from twm.api.operations.v1 import operations_pb2_grpc
from twm.api.twin.v1 import twin_pb2_grpc
from twm.api.worldmodel.v1 import worldmodel_pb2_grpc
from twm.core.clock import Clock, SystemClock
from twm.core.errors import TwmError, UnavailableError
from twm.core.probes import Health
from twm.core.rpc import grpc_channel
from twm.core.serving import Runtime, grpc_server
from twm.core.settings import split_address
from twm.core.stream_worker import Backoff, StreamWorker, pause
from twm.core.streams import GROUP_GATEWAY, GROUP_SCORER, StreamNames, Streams
from twm.gateway import rest_models as models
from twm.gateway.a1 import A1Options
from twm.gateway.a1_inbound import TypeIds
from twm.gateway.a1_policies import SlaPolicies
from twm.gateway.a1_routes import router as sla_policy_routes
from twm.gateway.access.configured import access_of
from twm.gateway.alarms.book import AlarmBook
from twm.gateway.alarms.routes import router as alarm_routes
from twm.gateway.audit import Event
from twm.gateway.audit_stream import AuditFollower, log_path
from twm.gateway.console.assets import asset_routes
from twm.gateway.console.routes import Console, ConsoleDeps
from twm.gateway.delivery.loop import Delivery
from twm.gateway.delivery.routes import router as delivery_routes
from twm.gateway.delivery.settings import DeliverySettings
from twm.gateway.explain.routes import router as explanation_routes
from twm.gateway.intents.grammar import GrammarCompiler
from twm.gateway.intents.routes import IntentDeps
from twm.gateway.intents.routes import router as intent_routes
from twm.gateway.intents.standing import newest_proposal
from twm.gateway.intents.store import IntentStore
from twm.gateway.judgement import Judge, newest_step, start_event
from twm.gateway.language.configured import language_of
from twm.gateway.language.routes import router as assistant_routes
from twm.gateway.language.template_offers import TemplateOffers
from twm.gateway.modes.desk import Desk, publish
from twm.gateway.modes.handling import Known
from twm.gateway.modes.router import router as operations_routes
from twm.gateway.modes.rpc import SERVICE as OPERATIONS
from twm.gateway.modes.rpc import Operations
from twm.gateway.recorder import Recorder
from twm.gateway.rest import build_app, stream_states
from twm.gateway.rules import load_rules
from twm.gateway.scorer import Scorer
from twm.gateway.settings import GatewaySettings
from twm.gateway.tools.routes import router as tool_routes
from twm.gateway.tools.session import ToolDeps
from twm.gateway.trace.routes import router as trace_routes

log = logging.getLogger(__name__)

MAX_REQUESTS = 128
READY_POLL_S = 1.0


class GatewayService:
    """One gateway process of one planning area."""

    def __init__(self, settings: GatewaySettings, streams: Streams, health: Health, *, clock: Clock | None = None) -> None:
        """Raises InvalidInputError where the network spec or the guardrail rules do not hold."""
        self._settings = settings
        self._streams = streams
        self._health = health
        self._spec = settings.spec()
        self._rules = load_rules(settings.guardrail)
        self._names = StreamNames.of(self._spec.area_id)
        self._clock = clock or SystemClock()
        now_s = self._clock.now_s
        self._recorder = Recorder(streams, self._names, now_s)
        self._follower = AuditFollower(streams, self._names, log_path(settings.state_dir, self._names), self._recorder.moved)
        options = A1Options(sla_type=settings.a1_sla_type, ttl_steps=settings.policy_ttl_steps)
        self._rules.check_names(self._spec)
        self._judge = Judge(streams, self._names, self._recorder, self._spec, self._rules, options, now_s)
        self._desk = Desk(streams, self._names, self._recorder, self._spec, self._rules, options, now_s)
        self._access = access_of(settings, record=lambda kind, payload: self._recorder.record(Event(kind, payload)))
        store = IntentStore(streams, self._names, self._recorder, self._spec, now_s)
        self._language = language_of(settings)
        second = None if self._language is None else self._language.opinion
        self._intents = IntentDeps(
            spec=self._spec,
            compiler=GrammarCompiler(),
            store=store,
            timezone=settings.zone,
            clock=now_s,
            plans=newest_proposal(streams, self._names),
            second=second,
        )
        type_ids = TypeIds.parse(settings.a1_type_ids)
        self._sla_policies = SlaPolicies(streams, self._names, self._recorder, self._spec, store, type_ids, now_s)
        wanted = DeliverySettings.of(settings, self._spec.area_id)
        self._delivery = (
            None
            if wanted is None
            else Delivery(
                wanted,
                streams,
                self._names,
                self._recorder,
                clock=self._clock,
                instance=settings.instance,
                healthy=lambda: self.ready,
            )
        )
        self._scorer = Scorer(streams, self._names, self._recorder, self._spec, min_steps=settings.score_min_steps)

    @property
    def alive(self) -> bool:
        """The event loop turns."""
        return self._health.alive

    @property
    def ready(self) -> bool:
        """Workers run, Redis answers and the audit file follows."""
        return self._health.ready and self._health.alive

    async def start(self, runtime: Runtime) -> int:
        """Join the audit chain, start the workers and REST; returns the HTTP port.

        Raises AuditError where the audit file and Redis hold different chains, UnavailableError where the port is taken.
        """
        listener = listen(self._settings.http_listen)
        try:
            await self._join_chain(runtime.stop)
        except BaseException:
            listener.close()
            raise
        names, instance = self._names, self._settings.instance
        proposals = StreamWorker(self._streams, names.proposals, GROUP_GATEWAY, instance, self._judge.handle)
        frames = StreamWorker(self._streams, names.frames, GROUP_SCORER, instance, self._scorer.handle)
        runtime.spawn(proposals.run(runtime.stop), "proposals worker")
        runtime.spawn(frames.run(runtime.stop), "scorer")
        runtime.spawn(self._follower.run(runtime.stop), "audit follower")
        if self._delivery is not None:
            runtime.spawn(self._delivery.run(runtime.stop), "A1 delivery")
        if self._language is not None and self._settings.llm_templates:
            offers = TemplateOffers(
                self._language.client,
                self._streams,
                names,
                self._spec,
                self._clock.now_s,
                timeout_s=self._settings.llm_timeout_s,
            )
            runtime.spawn(offers.run(runtime.stop), "template offers")
        server = grpc_server(max_message_mb=1)
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(  # type: ignore[no-untyped-call]
            Operations(self._desk, self._access, self._sla_policies), server
        )
        await runtime.serve_grpc(server, [OPERATIONS])
        tools = self._tools(runtime)
        routers = [
            operations_routes(self._desk),
            intent_routes(self._intents),
            explanation_routes(
                self._streams,
                names,
                self._spec,
                None if self._language is None else self._language.writer,
                timeout_s=self._settings.llm_timeout_s,
            ),
            trace_routes(self._streams, names),
            delivery_routes(self._delivery, self._clock),
            sla_policy_routes(self._sla_policies),
            tool_routes(tools),
            *([] if self._language is None else [assistant_routes(tools, self._language.client)]),
            alarm_routes(AlarmBook(self._streams, names, self._spec), self._clock.now_s),
            self._console(runtime).routes(),
            asset_routes(),
        ]
        app = build_app(self._streams, names, self._spec, self, self._access, routers)
        runtime.spawn(serve_http(app, listener, runtime.stop), "rest")
        runtime.spawn(self._watch(runtime), "readiness")
        port = int(listener.getsockname()[1])
        log.info("REST on port %d, guardrail %s", port, self._rules.label)
        return port

    def _console(self, runtime: Runtime) -> Console:
        """The console's views; inference need not be there."""
        settings = self._settings
        deps = ConsoleDeps(
            spec=self._spec,
            streams=self._streams,
            names=self._names,
            desk=self._desk,
            gateway=self,
            clock=self._clock.now_s,
            inference_target=settings.inference_target,
            zoo=settings.zoo,
            development=settings.auth == "development",
            max_streams=settings.console_streams,
            stop=runtime.stop,
        )
        console = Console(deps)
        runtime.spawn(console.run(), "console")
        return console

    def _tools(self, runtime: Runtime) -> ToolDeps:
        """Sessions on inference and twin; neither needs to be there until a tool asks."""
        world, twin = (grpc_channel(target) for target in (self._settings.inference_target, self._settings.twin_target))
        runtime.spawn(_close_at(runtime.stop, world, twin), "channels of the tools")
        return ToolDeps(
            spec=self._spec,
            streams=self._streams,
            names=self._names,
            world=worldmodel_pb2_grpc.WorldModelServiceStub(world),  # type: ignore[no-untyped-call]
            twin=twin_pb2_grpc.TwinServiceStub(twin),  # type: ignore[no-untyped-call]
            recorder=self._recorder,
            clock=self._clock,
        )

    async def status(self) -> models.Status:
        """The gateway at a glance."""
        accepted, head = await self._judge.accepted(), await self._recorder.head()
        mode = (await Known.read(self._streams, self._names)).mode
        return models.Status(
            area_id=self._spec.area_id,
            network=self._spec.name,
            mode=mode.mode,
            stopped=mode.stopped,
            ready=self.ready,
            guardrail_version=self._rules.label,
            newest_step=await newest_step(self._streams, self._names),
            last_accepted_step=None if accepted is None else accepted.step,
            audit_sequence=head.sequence,
            audit_hash=head.hash,
            audit_log_sequence=self._follower.last_sequence,
            audit_problem=self._follower.problem,
            streams=await stream_states(self._streams, self._names),
        )

    async def _join_chain(self, stop: asyncio.Event) -> None:
        """Make sure that file and Redis hold one chain, and record the start; waits for Redis."""
        file = await self._follower.open()
        backoff = Backoff()
        start = start_event(self._settings.mode_value, self._rules, self._spec, self._settings.instance)
        while not stop.is_set():
            try:
                if file is not None:
                    await self._recorder.continue_from(file)
                await self._recorder.record(start)
                await self._sla_policies.refresh()
                return
            except UnavailableError as error:
                log.warning("audit chain: %s; trying again", error)
                await backoff.wait(stop)

    async def _watch(self, runtime: Runtime) -> None:
        """Ready while Redis answers and the audit file follows."""
        while not runtime.stop.is_set():
            try:
                await self._streams.ping()
                publish((await Known.read(self._streams, self._names)).mode)
                runtime.set_ready(not self._follower.problem)
            except TwmError:
                runtime.set_ready(False)
            await pause(runtime.stop, READY_POLL_S)


async def connect(url: str, stop: asyncio.Event) -> Streams | None:
    """Streams, as soon as Redis answers; None where `stop` came first. Raises InvalidInputError where `url` is none."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            return await Streams.connect(url)
        except UnavailableError as error:
            log.warning("%s; trying again", error)
            await backoff.wait(stop)
    return None


async def _close_at(stop: asyncio.Event, *channels: grpc.aio.Channel) -> None:
    await stop.wait()
    for channel in channels:
        await channel.close()


def listen(address: str) -> socket.socket:
    """A listening socket on "host:port". Raises UnavailableError where it is taken."""
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UnavailableError(f"TWM_HTTP_LISTEN: cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


class _Server(uvicorn.Server):
    """Leaves the signals to the Runtime."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing to capture."""
        yield


async def serve_http(app: FastAPI, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answer until `stop`, then finish what is being answered."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_REQUESTS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=16 * 1024,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        listener.close()
