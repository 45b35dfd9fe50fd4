"""FlexRIC put together: the SDK's nodes to those of the spec, a KPM subscription each, indications to the forwarder."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import metrics
from twm.core.stream_worker import pause
from twm.ric.flexric.indications import Pool, raw_octets
from twm.ric.flexric.sdk import ConnectedNode, FlexRicSdk
from twm.ric.forwarder import Forwarder
from twm.ric.nodes import Nodes
from twm.ric.settings import RicSettings
from twm.ric.ue_slices import send_ue_slices

log = logging.getLogger(__name__)

FLUSH_S = 1.0


class FlexRicAdapter:
    """One xApp of a FlexRIC."""

    def __init__(self, nodes: Nodes, forwarder: Forwarder, settings: RicSettings) -> None:
        """Loads the SDK. Raises UnavailableError saying what to install."""
        self._nodes, self._forwarder, self._settings = nodes, forwarder, settings
        self._sdk = FlexRicSdk(settings.flexric_sdk)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flexric")  # the SDK is not made for several
        self._reports: dict[str, tuple[int, Any]] = {}
        self._pools: list[Pool] = []
        self._strangers: set[str] = set()

    async def run(self, set_ready: Callable[[bool], None], stop: asyncio.Event) -> None:
        """Connect, subscribe to nodes as they come, until `stop`; then unsubscribe."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._sdk.init, self._settings.flexric_args)
        interval = self._sdk.interval(self._settings.flexric_interval)
        set_ready(True)
        slices = asyncio.create_task(send_ue_slices(self._nodes, None, "", self._forwarder, stop), name="UE slices")
        flushing = asyncio.create_task(self._flush(stop), name="flush")
        try:
            while not stop.is_set():
                for node in await loop.run_in_executor(self._thread, self._sdk.nodes):
                    if node.key not in self._reports:
                        await self._subscribe(node, interval)
                metrics.RIC_NODES.labels("connected").set(len(self._reports))
                await pause(stop, self._settings.flexric_wait_s)
        finally:
            for task in (slices, flushing):
                task.cancel()
            for handle, _ in self._reports.values():
                await loop.run_in_executor(self._thread, self._sdk.remove_kpm, handle)
            for _ in range(20):
                if await loop.run_in_executor(self._thread, self._sdk.try_stop):
                    break
                await asyncio.sleep(0.1)

    def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def node_of(self, node: ConnectedNode) -> str | None:
        """The spec's node; without configuration, the only one there is."""
        configured = {node_id: link.flexric for node_id, link in self._nodes.link.items() if link.flexric is not None}
        for node_id, link in configured.items():
            if node.fits(link):
                return node_id
        return next(iter(self._nodes.node)) if not configured and len(self._nodes.node) == 1 else None

    async def _subscribe(self, node: ConnectedNode, interval: Any) -> None:
        node_id = self.node_of(node)
        if node_id is None or len(self._nodes.cells[node_id]) != 1:
            if node.key not in self._strangers:
                self._strangers.add(node.key)
                why = "is none of TWM_RIC_NODES (nodes.<id>.flexric)" if node_id is None else f"{node_id} has several cells"
                log.warning("FlexRIC node %s: %s; its indications name no cell, so it is left out", node.key, why)
            return
        cell_id = self._nodes.cells[node_id][0].id
        pool = Pool(node_id, cell_id, self._nodes.node[node_id].report_period_s, self._forwarder.put)
        self._pools.append(pool)

        def handle(ind: Any) -> None:
            octets = raw_octets(ind)
            if octets is None:
                pool.add(ind)
                return
            report = telemetry_pb2.Report(node_id=node_id, cell_id=cell_id)
            report.kpm.header, report.kpm.message = octets
            report.received.GetCurrentTime()
            self._forwarder.put(report)

        loop = asyncio.get_running_loop()
        self._reports[node.key] = await loop.run_in_executor(self._thread, self._sdk.report_kpm, node, interval, handle)
        log.info("FlexRIC node %s reports as %s, cell %s", node.key, node_id, cell_id)

    async def _flush(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for pool in self._pools:
                pool.flush()
            await pause(stop, FLUSH_S)
