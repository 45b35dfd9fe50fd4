"""The RIC process between a subscription manager, an RMR peer and the real ingester: what gNBs indicate becomes frames."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ric_peers import RicProcess, RmrPeer, SubscriptionManagerPeer, wait_until

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams
from twm.ingester.kpm.e2ap import encode_ric_indication
from twm.ingester.kpm.types import RicIndication
from twm.ric.rmr.messages import MessageType, RmrMessage
from twm_twin.e2.indications import CellIndications
from twm_twin.e2.kpm_encoder import encode_header, encode_message
from twm_twin.e2.periods import PeriodLoads

pytestmark = pytest.mark.redis


@pytest.fixture
def submgr() -> Iterator[SubscriptionManagerPeer]:
    peer = SubscriptionManagerPeer()
    yield peer
    peer.close()


@pytest.fixture
def ric(free_port: Callable[[], int], tmp_path: Path) -> Iterator[Callable[..., RicProcess]]:
    started: list[RicProcess] = []

    def start(**settings: object) -> RicProcess:
        started.append(RicProcess(free_port, tmp_path / f"ric-{len(started)}", **settings))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def ingester(redis_url: str, free_port: Callable[[], int]) -> Iterator[str]:
    target = f"127.0.0.1:{free_port()}"
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWM_")}
    env |= {"TWM_REDIS_URL": redis_url, "TWM_GRPC_LISTEN": target, "TWM_NETWORK": "poc-city", "TWM_LEASE_S": "1.5"}
    process = subprocess.Popen([sys.executable, "-m", "twm.ingester"], env=env, stderr=subprocess.DEVNULL)
    yield target
    process.kill()
    process.wait(10)


def indications(spec: NetworkSpec, steps: int, first_step: int) -> Iterator[tuple[str, str, bytes, bytes]]:
    """(node, cell, KPM header, KPM message) of every gNB in the format and dialect it is configured with, in time order.

    Cell c serves 1000 (c + 1) kbit of slice 0 in each period, twice and three times that of the others.
    """
    c, s, _ = spec.sizes
    served = 1000.0 * np.arange(1, c + 1)[:, None] * np.arange(1, s + 1)
    loads = PeriodLoads(
        offered_kbit_PCS=served[None] * 1.25,
        served_kbit_PCS=served[None],
        prb_used_ratio_PCS=np.full((1, c, s), 0.2),
        drop_ratio_PCS=np.full((1, c, s), 0.01),
        delay_ms_PCS=np.full((1, c, s), 12.5),
        users_PCS=np.full((1, c, s), 3.0),
    )
    nodes = {node.id: node for node in spec.e2_nodes}
    period_s = spec.e2_nodes[0].report_period_s
    for period in range(round(steps * spec.timing.slow_step_s / period_s)):
        start_s = first_step * spec.timing.slow_step_s + period * period_s
        for i, cell in enumerate(spec.cells):
            node = nodes[cell.e2_node]
            message = encode_message(CellIndications(spec, node, i).message(loads, 0), node.kpm_dialect)
            yield node.id, cell.id, encode_header(start_s, node.kpm_dialect), message


async def frames_of(redis_url: str, spec: NetworkSpec, count: int, timeout_s: float = 20.0) -> list[telemetry_pb2.KpiFrame]:
    streams = await Streams.connect(redis_url)
    try:
        until = time.monotonic() + timeout_s
        while True:
            entries = await streams.range(StreamNames.of(spec.area_id).frames, count=1000)
            if len(entries) >= count or time.monotonic() > until:
                return [telemetry_pb2.KpiFrame.FromString(entry.payload) for entry in entries]
            await asyncio.sleep(0.1)
    finally:
        await streams.close()


def test_indications_become_frames(
    redis_url: str, ingester: str, submgr: SubscriptionManagerPeer, ric: Callable[..., RicProcess], spec: NetworkSpec
) -> None:
    """Ten cells are subscribed to, each with its own id; what their gNBs indicate reaches the right cell of a frame.

    Beside it: health over RMR (100, 101) and on the routes of the xApp framework.
    """
    process = ric(TWM_INGESTER_TARGET=ingester, TWM_RIC_SUBMGR_URL=submgr.url)
    wait_until(lambda: len(submgr.active) == len(spec.cells), what="subscription of every cell")
    assert {body["Meid"] for body in submgr.posts} == {node.id for node in spec.e2_nodes}
    assert all(body["ClientEndpoint"]["RMRPort"] == process.rmr_port for body in submgr.posts)
    wait_until(lambda: 'twm_ric_subscriptions{state="active"} 10.0' in process.metrics(), what="callbacks")

    events = {e["body"]["SubscriptionDetails"][0]["XappEventInstanceId"]: e for e in submgr.active.values()}
    assert sorted(events) == list(range(1, 11))
    sub_ids = {cell.id: events[i + 1]["instance"] for i, cell in enumerate(_in_order_of_nodes(spec))}
    step = int(time.time() // 60) - 3
    peer = RmrPeer(process.rmr_port)
    for number, (node_id, cell_id, header, message) in enumerate(indications(spec, 2, step)):
        pdu = encode_ric_indication(RicIndication(123, sub_ids[cell_id], 2, 1, number % 65536, header, message))
        peer.send(RmrMessage(MessageType.RIC_INDICATION, pdu, sub_ids[cell_id], node_id))
    peer.send(RmrMessage(MessageType.RIC_INDICATION, b"\0\5nonsense", 4242, "gnb-1"))

    frames = asyncio.run(frames_of(redis_url, spec, 1))
    assert frames, process.log.read_text()[-2000:]
    frame = FrameCodec(spec).decode(frames[0])
    mbps = frame.cell_slice_feature("served_mbps")
    cells, slices, _ = spec.sizes
    expected = np.arange(1, cells + 1)[:, None] * np.arange(1, slices + 1) / spec.e2_nodes[0].report_period_s
    np.testing.assert_allclose(mbps, expected, rtol=1e-3)
    text = process.metrics()
    assert 'twm_ric_messages_total{direction="in",outcome="unknown_subscription",type="RIC_INDICATION"} 1.0' in text
    peer.send(RmrMessage(MessageType.RIC_HEALTH_CHECK_REQ, b"ping"))
    assert peer.wait(MessageType.RIC_HEALTH_CHECK_RESP).payload == b"OK\n"
    assert get(process, "/ric/v1/health/alive") == (200, b'{"status": "alive"}')
    assert get(process, "/ric/v1/health/ready")[0] == 200
    assert get(process, "/ric/v1/config")[1].startswith(b'[{"metadata": {"xappName": "twm"')
    assert get(process, "/etc/passwd")[0] == 404
    peer.close()
    assert process.stop() == 0
    assert not submgr.active, "every subscription is deleted on shutdown"


def get(process: RicProcess, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{process.http_port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def _in_order_of_nodes(spec: NetworkSpec) -> list[Any]:
    return [cell for node in spec.e2_nodes for cell in spec.cells if cell.e2_node == node.id]


def test_start_order_refusals_silence_and_restarts(submgr: SubscriptionManagerPeer, ric: Callable[..., RicProcess]) -> None:
    """503 while the gNB is away, a refusal, silence, a RIC that forgets, kill -9: one live subscription after each."""
    submgr.e2_up = False
    process = ric(
        TWM_NETWORK="explora-cell",
        TWM_INGESTER_TARGET="127.0.0.1:1",
        TWM_RIC_SUBMGR_URL=submgr.url,
        TWM_RIC_SILENCE_S="0.8",
        TWM_RIC_CHECK_S="0.3",
    )
    wait_until(lambda: len(submgr.posts) >= 2, what="another try after 503")
    submgr.refuse, submgr.e2_up = 1, True
    wait_until(lambda: len(submgr.active) == 1, what="subscription after a refusal")
    first = next(iter(submgr.active))
    wait_until(lambda: first in submgr.deleted and len(submgr.active) == 1, what="renewal of a silent subscription")
    assert 'twm_ric_subscription_events_total{event="renewed_silent"}' in process.metrics()

    peer = RmrPeer(process.rmr_port)
    keep = {"on": True}

    def chatter() -> None:
        while keep["on"]:
            for held in list(submgr.active.values()):
                peer.send(RmrMessage(MessageType.RIC_INDICATION, b"\0\5", held["instance"], "scope-bs"))
            time.sleep(0.1)

    thread = threading.Thread(target=chatter, daemon=True)
    thread.start()
    second = next(iter(submgr.active))
    time.sleep(1.2)
    assert set(submgr.active) == {second}, "one that talks is left alone"
    submgr.restart()
    wait_until(lambda: len(submgr.active) == 1, what="subscription after the RIC forgot it")
    third = next(iter(submgr.active))
    wait_until(lambda: 'twm_ric_subscriptions{state="active"} 1.0' in process.metrics(), what="callback")
    posts = len(submgr.posts)
    keep["on"] = False
    thread.join()
    process.kill()
    peer.close()
    process.restart()
    wait_until(lambda: 'twm_ric_subscriptions{state="active"} 1.0' in process.metrics(), what="resumption")
    assert len(submgr.posts) == posts, "taken over, not asked for again"
    assert set(submgr.active) == {third}
    assert process.stop() == 0
    assert not submgr.active
