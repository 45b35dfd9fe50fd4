"""Registration at the application manager (ric-plt-appmgr: POST /ric/v1/register, /ric/v1/deregister).

The xApp works without it where routes come by another way, so that a failure is logged and tried again, never fatal.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from twm.core.errors import TwmError
from twm.core.stream_worker import pause
from twm.core.text import shown
from twm.ric.http_client import HttpClient
from twm.ric.oransc.submgr import ClientEndpoint

log = logging.getLogger(__name__)

RETRY_S = 10.0
REFRESH_S = 300.0
"""Registered again in case the application manager was restarted."""


def registration(name: str, version: str, endpoint: ClientEndpoint, config: Mapping[str, Any]) -> dict[str, Any]:
    """RegisterRequest. The configuration goes along: the manager takes message types and policies from it."""
    return {
        "appName": name,
        "appVersion": version,
        "appInstanceName": name,
        "httpEndpoint": f"{endpoint.host}:{endpoint.http_port}",
        "rmrEndpoint": f"{endpoint.host}:{endpoint.rmr_port}",
        "configPath": "",
        "config": json.dumps(config, separators=(",", ":")),
    }


async def stay_registered(client: HttpClient, request: Mapping[str, Any], stop: asyncio.Event) -> None:
    """Register, again where it fails, and deregister at the end."""
    registered = warned = False
    while not stop.is_set():
        try:
            answer = await client.call("POST", "/ric/v1/register", request)
            good = answer.status in (200, 201, 204)
            said = "" if good else f"HTTP {answer.status} {shown(answer.body.decode('utf-8', 'replace'), 120)}"
        except TwmError as error:
            good, said = False, str(error)
        if good and not registered:
            log.info("registered at the application manager as %s", request["appName"])
        if not good and not warned:
            log.warning("not registered at the application manager: %s; trying again each %.0f s", said, RETRY_S)
        registered, warned = good or registered, not good
        await pause(stop, REFRESH_S if good else RETRY_S)
    if registered:
        body = {"appName": request["appName"], "appInstanceName": request["appInstanceName"]}
        try:
            await client.call("POST", "/ric/v1/deregister", body)
        except TwmError as error:
            log.warning("not deregistered: %s", error)
