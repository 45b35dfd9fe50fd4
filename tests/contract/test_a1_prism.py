"""The policy management adapters against Prism, which checks each request by our description of the API and makes up answers.

Needs the npm package @stoplight/prism-cli: `prism` on the path, or TWM_PRISM naming the program.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable

import pytest

from twm.core.paths import a1_folder
from twm.gateway.a1 import SLA_TYPE_3
from twm.gateway.a1_inbound import TypeIds
from twm.gateway.delivery.client import A1Client, ClientSettings
from twm.gateway.delivery.desired import Instance
from twm.gateway.delivery.peer import Outcome
from twm.gateway.delivery.pms import Pms2, Pms3, ServiceInfo

BODY = {"scope": {"sliceId": {"sst": 1, "sd": "000001", "plmnId": {"mcc": "001", "mnc": "01"}}},
        "sliceSlaObjectives": {"maxDlPacketDelayPerUe": 20}}  # fmt: skip


def prism() -> str:
    found = os.environ.get("TWM_PRISM") or shutil.which("prism")
    if not found or not shutil.which("node"):
        pytest.skip("prism (npm package @stoplight/prism-cli) is not installed")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "base", "adapter"), [("v2", "/a1-policy/v2", Pms2), ("v3", "/a1-policy-management/v1", Pms3)]
)
async def test_every_request_fits_the_description(
    version: str, base: str, adapter: type[Pms2], free_port: Callable[[], int]
) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        prism(), "mock", "-h", "127.0.0.1", "-p", str(port), "--errors", str(a1_folder() / f"pms-{version}.openapi.yaml"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while b"listening" not in (await process.stdout.readline()):
                pass
        reading = asyncio.create_task(process.stdout.read())
        client = A1Client(ClientSettings(base_url=f"http://127.0.0.1:{port}", timeout_s=10))
        info = ServiceInfo(service_id="twm-poc-city", ric_id="ric1", keep_alive_s=60, callback_url="")
        peer = adapter(client, info, TypeIds({}))
        instance = Instance("twm~poc-city~sla3~embb", SLA_TYPE_3, "poc-city.embb", json.dumps(BODY), "d", 0.0)
        await peer.open()
        assert SLA_TYPE_3 in await peer.types() and await peer.listed() == {}
        for present in (False, True):
            put = await peer.put(instance, instance.remote_id, present, "")
            assert put.answer.outcome is Outcome.DONE, put
            assert put.held_id
        assert isinstance(await peer.content(SLA_TYPE_3, instance.remote_id), dict)
        assert (await peer.status(SLA_TYPE_3, instance.remote_id)).enforced is True
        assert await peer.keep_alive()
        assert (await peer.delete(SLA_TYPE_3, instance.remote_id)).done
        # Prism refuses what does not fit: the check above is one.
        refused = await client.call("put", "PUT", "/services", content='{"keep_alive_interval_seconds": 0}')
        assert refused.outcome is Outcome.REJECTED
        await client.close()
        process.terminate()
        await reading
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
