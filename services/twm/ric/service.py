"""The RIC process put together: one adapter, the forwarder to the ingester, and what hangs on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from twm.core.errors import InvalidInputError
from twm.core.serving import Runtime, grpc_channel
from twm.core.settings import split_address
from twm.core.streams import Streams
from twm.ric.control.controller import E2Controller
from twm.ric.control.e2ap import load_e2ap
from twm.ric.control.state import AppliedFile
from twm.ric.descriptor import xapp_version
from twm.ric.forwarder import Forwarder
from twm.ric.http_client import HttpClient, tls_context
from twm.ric.nodes import Nodes, load_nodes
from twm.ric.settings import RicSettings, public_config, xapp_config


async def serve() -> int:
    """Run until told to stop. Returns the exit code."""
    settings = RicSettings.load()
    nodes = load_nodes(settings.spec(), settings.ric_nodes)
    async with Runtime(settings, "ric") as runtime, grpc_channel(settings.ingester_target) as channel:
        forwarder = Forwarder(
            channel, nodes.spec.area_id, capacity=settings.ric_queue_reports, deadline_s=settings.ric_deadline_s
        )
        runtime.spawn(forwarder.run(runtime.stop), "forwarder")
        async with contextlib.AsyncExitStack() as stack:
            if settings.ric_adapter == "oransc":
                await stack.enter_async_context(_oransc(settings, nodes, runtime, forwarder))
            elif settings.ric_adapter == "flexric":
                from twm.ric.flexric.adapter import FlexRicAdapter

                adapter = FlexRicAdapter(nodes, forwarder, settings)
                stack.callback(adapter.close)
                runtime.spawn(adapter.run(runtime.set_ready, runtime.stop), "flexric")
            else:
                from twm.ric.pm.adapter import PmAdapter

                runtime.spawn(PmAdapter(nodes, forwarder, settings).run(runtime.set_ready, runtime.stop), "pm")
            return await runtime.wait()


@contextlib.asynccontextmanager
async def _oransc(settings: RicSettings, nodes: Nodes, runtime: Runtime, forwarder: Forwarder) -> AsyncIterator[None]:
    from twm.ric.oransc.a1 import A1Inbound
    from twm.ric.oransc.adapter import Inventory, OranScAdapter
    from twm.ric.oransc.appmgr import registration, stay_registered
    from twm.ric.oransc.book import Book
    from twm.ric.oransc.discovery import E2Manager, Functions
    from twm.ric.oransc.http_server import XappHttp
    from twm.ric.oransc.submgr import ClientEndpoint, SubscriptionManager
    from twm.ric.oransc.subscriber import Patience, Subscriber
    from twm.ric.rmr.messages import RmrTransport
    from twm.ric.sdl.store import SdlStore, sdl_url
    from twm.ric.ue_slices import send_ue_slices

    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        transport: RmrTransport
        if settings.ric_transport == "rmr":
            from twm.ric.rmr.librmr import LibRmr

            transport = LibRmr(settings.ric_rmr_port)
        else:
            from twm.ric.rmr.tcp import TcpRmr

            transport = TcpRmr(settings.ric_rmr_port)

        tls = tls_context(settings.ric_tls_ca, settings.ric_tls_cert, settings.ric_tls_key)

        def client(url: str) -> HttpClient:
            made = HttpClient(url, timeout_s=settings.ric_http_timeout_s, context=tls)
            stack.callback(made.close)
            return made

        sdl: SdlStore | None = None
        address = sdl_url(settings.ric_sdl_url)
        if settings.ric_discovery == "sdl" or settings.ric_sdl_ue_namespace:
            if not address:
                raise InvalidInputError("TWM_RIC_SDL_URL: empty, and DBAAS_SERVICE_HOST is not set")
            sdl = SdlStore.connect(address)
            stack.push_async_callback(sdl.close)
        inventory: Inventory | None = None
        if settings.ric_discovery == "sdl" and sdl is not None:
            inventory = sdl.inventory
        elif settings.ric_discovery == "e2mgr":
            manager = E2Manager(client(settings.ric_e2mgr_url))
            names = [name for node_id in nodes.node for name in nodes.ran_names(node_id)]
            inventory = lambda: manager.inventory(names)

        book = Book(callback_s=settings.ric_callback_s, retry_s=settings.ric_retry_s)
        subscriber: Subscriber | None = None
        host, port = split_address(settings.ric_http_listen)

        def on_response(body: object) -> None:
            if subscriber is not None:
                loop.call_soon_threadsafe(subscriber.on_response_safely, body)

        config = public_config(xapp_config())
        http = XappHttp(host, port, runtime.health, lambda: _config_list(settings, config), on_response)
        stack.callback(http.close)
        endpoint = ClientEndpoint(
            host=settings.ric_client_host,
            http_port=settings.ric_client_http_port or http.port,
            rmr_port=settings.ric_client_rmr_port or settings.ric_rmr_port,
        )
        if settings.ric_submgr_url:
            subscriber = Subscriber(
                SubscriptionManager(client(settings.ric_submgr_url)),
                book,
                endpoint,
                settings.state_dir / f"ric-subscriptions-{nodes.spec.area_id}.json",
                Patience(silence_s=settings.ric_silence_s, settle_s=settings.ric_settle_s, check_s=settings.ric_check_s),
            )
        a1: A1Inbound | None = None
        if settings.a1_types:
            gateway = await stack.enter_async_context(grpc_channel(settings.gateway_target))
            a1 = A1Inbound(
                transport,
                gateway,
                area_id=nodes.spec.area_id,
                types=settings.a1_types,
                handler_id=settings.ric_handler_id,
                token_file=settings.ric_gateway_token_file,
            )
            runtime.spawn(a1.run(runtime.stop), "a1")
        functions: dict[str, Functions] = {}
        controller: E2Controller | None = None
        if settings.ric_control != "off":
            controller = E2Controller(
                nodes,
                transport,
                settings.ric_control,
                lambda node_id: functions.get(nodes.ran_name(node_id), Functions()),
                requestor_id=settings.ric_requestor_id,
                ack_s=settings.ric_control_ack_s,
                file=AppliedFile(settings.state_dir / f"ric-control-{nodes.spec.area_id}.json"),
            )
            runtime.spawn(_control(settings, controller, runtime.stop), "E2 control")
        adapter = OranScAdapter(
            nodes,
            transport,
            forwarder,
            book,
            subscriber=subscriber,
            a1=a1,
            control=controller,
            functions=functions,
            inventory=inventory,
            inventory_s=settings.ric_discovery_s,
            health=runtime.health,
        )
        transport.start(adapter.deliver)
        stack.callback(transport.close)
        runtime.spawn(adapter.watch(runtime.set_ready, runtime.stop), "health")
        runtime.spawn(adapter.keep_subscribed(runtime.stop), "inventory")
        if subscriber is not None:
            runtime.spawn(subscriber.run(runtime.stop), "subscriptions")
        if settings.ric_appmgr_url:
            request = registration(settings.ric_xapp_name, xapp_version(), endpoint, config)
            runtime.spawn(stay_registered(client(settings.ric_appmgr_url), request, runtime.stop), "registration")
        runtime.spawn(send_ue_slices(nodes, sdl, settings.ric_sdl_ue_namespace, forwarder, runtime.stop), "UE slices")
        yield


async def _control(settings: RicSettings, controller: E2Controller, stop: asyncio.Event) -> None:
    await asyncio.to_thread(load_e2ap)
    await controller.run(lambda: Streams.connect(settings.redis_url), stop)


def _config_list(settings: RicSettings, config: dict[str, object]) -> list[dict[str, object]]:
    """What the application manager asks for: XappConfigList."""
    return [{"metadata": {"xappName": settings.ric_xapp_name, "configType": "json"}, "config": config}]
