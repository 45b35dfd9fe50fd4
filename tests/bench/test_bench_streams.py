"""Stream hop with packed columns: KpiFrame of the PoC city written, read, decoded to arrays and acknowledged, per CPU-second.

Baseline in the same run: the same bytes through the same server with bare hiredis packing on a blocking socket, no decoding.
"""

from __future__ import annotations

import asyncio
import socket
import time
from urllib.parse import urlparse

import hiredis
import numpy as np
import pytest

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.frames import FrameArrays, FrameCodec, block_shapes
from twm.core.network import NetworkSpec
from twm.core.streams import Output, StreamNames, Streams

pytestmark = [pytest.mark.bench, pytest.mark.redis]

FRAME_COUNT = 3000
BATCH = 100
ROUNDS = 3
# The floor is a ratio within one run: the hop, decoding included, against moving bare bytes.
LEAST_RATIO = 0.05


def _frame(spec: NetworkSpec) -> FrameArrays:
    random = np.random.default_rng(7)
    frame = FrameArrays.missing(spec, 3)
    for name, shape in block_shapes(spec).items():
        values = random.uniform(0, 500, shape).astype(np.float32)
        values[random.random(shape) < 0.05] = np.nan
        setattr(frame, name, values)
    return frame


async def _hop(streams: Streams, names: StreamNames, codec: FrameCodec, payload: bytes) -> float:
    """CPU seconds of the process for FRAME_COUNT hops."""
    began_s = time.process_time()
    for _ in range(FRAME_COUNT // BATCH):
        await streams.append_many([Output(names.frames, payload)] * BATCH)
        entries = await streams.read(names.frames, "bench", "one", count=BATCH, block_ms=100)
        for entry in entries:
            codec.decode(telemetry_pb2.KpiFrame.FromString(entry.payload))
        assert await streams.write_and_ack(names.frames, "bench", [e.id for e in entries], [])
    return time.process_time() - began_s


def _bare(url: str, payload: bytes) -> float:
    """CPU seconds of the process for FRAME_COUNT pipelined XADD and reads of bare bytes."""
    address = urlparse(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        reader = hiredis.Reader()

        def ask(packed: bytes, replies: int) -> None:
            connection.sendall(packed)
            while replies:
                reader.feed(connection.recv(1 << 20))
                while reader.gets() is not False:
                    replies -= 1

        began_s = time.process_time()
        for _ in range(FRAME_COUNT // BATCH):
            ask(hiredis.pack_command(("XADD", "bare", "*", "p", payload)) * BATCH, BATCH)
            ask(hiredis.pack_command(("XREVRANGE", "bare", "+", "-", "COUNT", BATCH)), 1)
        return time.process_time() - began_s


async def test_stream_hop_rate(redis_url: str, spec: NetworkSpec) -> None:
    names = StreamNames.of(spec.area_id)
    codec = FrameCodec(spec)
    frame = _frame(spec)
    payload = codec.encode(frame).SerializeToString()
    decoded = codec.decode(telemetry_pb2.KpiFrame.FromString(payload))
    for name, block in frame.blocks().items():
        np.testing.assert_array_equal(block, getattr(decoded, name))
    streams = await Streams.connect(redis_url)
    try:
        await streams.ensure_group(names.frames, "bench")
        hop_s = min([await _hop(streams, names, codec, payload) for _ in range(ROUNDS)])
    finally:
        await streams.close()
    bare_s = min(await asyncio.to_thread(lambda: [_bare(redis_url, payload) for _ in range(ROUNDS)]))
    encode_s = _encode_seconds(codec, frame)
    hop_rate, bare_rate = FRAME_COUNT / hop_s, FRAME_COUNT / bare_s
    print(
        f"\nstream hop, {codec.value_count} values ({len(payload)} bytes): {hop_rate:,.0f} frames per CPU-second with decoding "
        f"({1e6 / hop_rate:.0f} us; encoding besides {1e6 * encode_s:.0f} us); bare bytes {bare_rate:,.0f} per CPU-second; "
        f"ratio {hop_rate / bare_rate:.2f}"
    )
    assert hop_rate / bare_rate > LEAST_RATIO


def _encode_seconds(codec: FrameCodec, frame: FrameArrays) -> float:
    began_s = time.process_time()
    for _ in range(500):
        codec.encode(frame).SerializeToString()
    return (time.process_time() - began_s) / 500
