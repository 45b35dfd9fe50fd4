"""The UE-to-slice map on its way to the ingester: from TWM_RIC_NODES and from the SDL, at start and every minute.

The ingester learns from what it is sent, and forgets with its process; so the map is sent again, whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import TwmError
from twm.core.stream_worker import pause
from twm.ric.forwarder import Forwarder
from twm.ric.nodes import Nodes
from twm.ric.sdl.store import SdlStore

log = logging.getLogger(__name__)

PERIOD_S = 60.0
ENTRIES_PER_REPORT = 4096


def reports(slices: Mapping[str, Mapping[str, str]]) -> list[telemetry_pb2.Report]:
    """Reports with a UE-to-slice map: slice id by UE key by node id."""
    out = []
    for node_id, entries in slices.items():
        items = list(entries.items())
        for i in range(0, len(items), ENTRIES_PER_REPORT):
            report = telemetry_pb2.Report(node_id=node_id)
            report.received.GetCurrentTime()
            for ue_key, slice_id in items[i : i + ENTRIES_PER_REPORT]:
                report.ue_slices.entries.add(ue_key=ue_key, slice_id=slice_id)
            out.append(report)
    return out


async def send_ue_slices(
    nodes: Nodes, sdl: SdlStore | None, namespace: str, forwarder: Forwarder, stop: asyncio.Event, period_s: float = PERIOD_S
) -> None:
    """Send the map until `stop`."""
    configured = {node_id: link.ue_slices for node_id, link in nodes.link.items() if link.ue_slices}
    told = -1
    while not stop.is_set():
        slices: dict[str, dict[str, str]] = {node_id: dict(entries) for node_id, entries in configured.items()}
        if sdl is not None and namespace:
            try:
                found, left_out = await sdl.ue_slices(namespace, nodes)
                for node_id, entries in found.items():
                    slices.setdefault(node_id, {}).update(entries)
                if left_out != told:
                    told = left_out
                    if left_out:
                        log.warning("SDL %s: %d entries name no node, UE or slice of this network", namespace, left_out)
            except TwmError as error:
                log.warning("UE-to-slice map: %s", error)
        for report in reports(slices):
            forwarder.put(report)
        await pause(stop, period_s)
