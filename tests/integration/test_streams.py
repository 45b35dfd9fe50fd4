"""Streams on a real server: the atomic write, redelivery, bounds and back-pressure, durability, hostile entries."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from twm.cli.embedded_redis import EmbeddedRedis, server_command
from twm.core.errors import InvalidInputError, TwmError, UnavailableError
from twm.core.redis_link import RedisLink
from twm.core.streams import MAX_DEAD_LETTER_BYTES, KeyWrite, Output, StreamNames, Streams

pytestmark = pytest.mark.redis

NAMES = StreamNames.of("city")
GROUP = "planner"


async def read_one(streams: Streams, consumer: str = "a") -> str:
    (entry,) = await streams.read(NAMES.frames, GROUP, consumer, count=1, block_ms=1000)
    return entry.id


async def raw(url: str, *command: str | bytes | int) -> object:
    link = RedisLink(url, 5.0)
    try:
        return await link.call(*command)
    finally:
        await link.close()


async def test_entry_comes_back_as_written(streams: Streams) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    await streams.ensure_group(NAMES.frames, GROUP)
    payload = bytes(range(256))
    entry_id = await streams.append(Output(NAMES.frames, payload, "ab" * 16, {"kind": "x"}))
    (entry,) = await streams.read(NAMES.frames, GROUP, "a", count=10, block_ms=10)
    assert (entry.id, entry.payload, entry.trace_id, entry.delivery_count) == (entry_id, payload, "ab" * 16, 1)
    assert entry.extra == {"kind": b"x"}
    assert await streams.read(NAMES.frames, GROUP, "a", count=10, block_ms=10) == []


async def test_group_made_late_reads_from_the_first_entry(streams: Streams) -> None:
    ids = await streams.append_many([Output(NAMES.frames, b"%d" % i) for i in range(5)])
    await streams.ensure_group(NAMES.frames, GROUP)
    entries = await streams.read(NAMES.frames, GROUP, "a", count=10, block_ms=10)
    assert [e.id for e in entries] == ids


async def test_effect_happens_once_however_often_it_is_replayed(streams: Streams) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    await streams.append(Output(NAMES.frames, b"f"))
    entry_id = await read_one(streams)
    outputs, keys = [Output(NAMES.proposals, b"p"), Output(NAMES.verdicts, b"v")], [KeyWrite(NAMES.key("state"), b"1")]
    done = await asyncio.gather(*(streams.write_and_ack(NAMES.frames, GROUP, [entry_id], outputs, keys) for _ in range(20)))
    assert sorted(done) == [False] * 19 + [True]
    assert await streams.length(NAMES.proposals) == await streams.length(NAMES.verdicts) == 1
    assert await streams.lag(NAMES.frames, GROUP) == (0, 0)


async def test_one_acknowledged_entry_refuses_the_whole_effect(streams: Streams) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    await streams.append_many([Output(NAMES.frames, b"f")] * 3)
    ids = [e.id for e in await streams.read(NAMES.frames, GROUP, "a", count=3, block_ms=100)]
    assert await streams.write_and_ack(NAMES.frames, GROUP, [ids[1]], [])
    key = NAMES.key("state")
    assert not await streams.write_and_ack(NAMES.frames, GROUP, ids, [Output(NAMES.proposals, b"p")], [KeyWrite(key, b"1")])
    assert await streams.length(NAMES.proposals) == 0
    assert await streams.get(key) is None
    assert await streams.lag(NAMES.frames, GROUP) == (0, 2)


async def test_guarded_key_is_compare_and_set(streams: Streams) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    await streams.append_many([Output(NAMES.frames, b"f")] * 2)
    key, other = NAMES.key("head"), NAMES.key("other")
    first, second = await read_one(streams), await read_one(streams)
    assert await streams.write_and_ack(NAMES.frames, GROUP, [first], [], [KeyWrite(key, b"1", expected=b"")])
    refused = [KeyWrite(other, b"x"), KeyWrite(key, b"2", expected=b"")]
    assert not await streams.write_and_ack(NAMES.frames, GROUP, [second], [Output(NAMES.proposals, b"p")], refused)
    assert await streams.get(other) is None
    assert await streams.is_pending(NAMES.frames, GROUP, second)
    assert await streams.write_and_ack(NAMES.frames, GROUP, [second], [], [KeyWrite(key, b"2", expected=b"1")])
    assert await streams.get(key) == b"2"
    assert not await streams.write([Output(NAMES.proposals, b"p")], [KeyWrite(key, b"3", expected=b"1")])
    assert await streams.write([Output(NAMES.proposals, b"p")], [KeyWrite(key, b"3", expected=b"2")])
    assert await streams.length(NAMES.proposals) == 1


async def test_same_id_twice_counts_once(streams: Streams) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    await streams.append(Output(NAMES.frames, b"f"))
    entry_id = await read_one(streams)
    assert await streams.write_and_ack(NAMES.frames, GROUP, [entry_id, entry_id], [Output(NAMES.proposals, b"p")])
    assert await streams.length(NAMES.proposals) == 1


async def test_own_pending_entries_come_again_with_counts(streams: Streams) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    await streams.append_many([Output(NAMES.frames, b"%d" % i) for i in range(4)])
    entries = await streams.read(NAMES.frames, GROUP, "a", count=4, block_ms=100)
    again = await streams.pending(NAMES.frames, GROUP, "a", count=2)
    assert [(e.id, e.delivery_count) for e in again] == [(e.id, 2) for e in entries[:2]]
    rest = await streams.pending(NAMES.frames, GROUP, "a", count=10, after=again[-1].id)
    assert [(e.id, e.delivery_count) for e in rest] == [(e.id, 2) for e in entries[2:]]
    assert await streams.pending(NAMES.frames, GROUP, "b", count=10) == []


async def test_stale_entries_change_hands_and_live_ones_do_not(streams: Streams) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    await streams.append_many([Output(NAMES.frames, b"%d" % i) for i in range(40)])
    held = [e.id for e in await streams.read(NAMES.frames, GROUP, "dead", count=40, block_ms=100)]
    assert await streams.claim_stale(NAMES.frames, GROUP, "heir", min_idle_ms=60_000, count=5) == []
    await asyncio.sleep(0.2)
    # All but the last two show a sign of life: the scan has to look past them.
    assert await streams.touch(NAMES.frames, GROUP, "dead", held[:38]) == 38
    taken = await streams.claim_stale(NAMES.frames, GROUP, "heir", min_idle_ms=150, count=1)
    taken += await streams.claim_stale(NAMES.frames, GROUP, "heir", min_idle_ms=150, count=1)
    assert [(e.id, e.delivery_count) for e in taken] == [(held[38], 2), (held[39], 2)]
    assert await streams.touch(NAMES.frames, GROUP, "dead", held[38:]) == 0


async def test_dead_letter_keeps_source_reason_and_bounded_payload(streams: Streams) -> None:
    await streams.ensure_group(NAMES.intake, "ingester")
    payload = b"x" * (MAX_DEAD_LETTER_BYTES + 5)
    await streams.append(Output(NAMES.intake, payload, "cd" * 16))
    (entry,) = await streams.read(NAMES.intake, "ingester", "a", count=1, block_ms=100)
    assert await streams.dead_letter(entry, "ingester", "malformed: bad\nbytes " + "y" * 1000)
    assert not await streams.dead_letter(entry, "ingester", "again")
    (letter,) = await streams.last(NAMES.dead, 5)
    assert letter.payload == payload[:MAX_DEAD_LETTER_BYTES]
    assert letter.reason.startswith("malformed: bad\nbytes")
    assert len(letter.reason) == 500
    assert letter.extra["stream"] == NAMES.intake.encode()
    assert letter.extra["id"] == entry.id.encode()
    assert letter.extra["bytes"] == b"%d" % len(payload)
    assert letter.trace_id == "cd" * 16
    assert await streams.lag(NAMES.intake, "ingester") == (0, 0)


async def test_last_and_range(streams: Streams) -> None:
    assert await streams.last(NAMES.frames, 5) == []
    ids = await streams.append_many([Output(NAMES.frames, b"%d" % i) for i in range(10)])
    assert [e.id for e in await streams.last(NAMES.frames, 3)] == ids[-3:]
    assert [e.id for e in await streams.range(NAMES.frames, count=4)] == ids[:4]
    assert [e.id for e in await streams.range(NAMES.frames, after=ids[3], count=100)] == ids[4:]
    assert await streams.added(NAMES.frames) == 10
    assert await streams.added(NAMES.scores) == 0


@pytest.mark.parametrize("bound", [32, 2048])
async def test_trimming_drops_only_what_every_group_acknowledged(redis_url: str, bound: int) -> None:
    streams = await Streams.connect(redis_url, bounds={"frames": bound})
    try:
        for group in ("fast", "slow"):
            await streams.ensure_group(NAMES.frames, group)
        written: list[str] = []

        async def fill() -> None:
            for i in range(4 * bound):
                written.append(await streams.append(Output(NAMES.frames, b"%d" % i)))
                for entry in await streams.read(NAMES.frames, "fast", "a", count=1, block_ms=100):
                    await streams.write_and_ack(NAMES.frames, "fast", [entry.id], [])

        with pytest.raises(UnavailableError, match="stream frames: full") as refused:
            await fill()
        assert refused.value.reason == "stream_full"
        assert bound <= len(written) <= bound + bound // 8
        # The slow group reads on: nothing was lost, and writing goes on while it keeps up.
        seen: list[str] = []
        while entries := await streams.read(NAMES.frames, "slow", "b", count=50, block_ms=10):
            seen += [e.id for e in entries]
            await streams.write_and_ack(NAMES.frames, "slow", [e.id for e in entries], [])
        assert seen == written
        for i in range(bound):
            await streams.append(Output(NAMES.frames, b"%d" % i))
            for group in ("fast", "slow"):
                (entry,) = await streams.read(NAMES.frames, group, "c", count=1, block_ms=100)
                await streams.write_and_ack(NAMES.frames, group, [entry.id], [])
        assert await streams.length(NAMES.frames) <= bound + bound // 8
    finally:
        await streams.close()


async def test_pending_entry_survives_trimming(redis_url: str) -> None:
    streams = await Streams.connect(redis_url, bounds={"frames": 16})
    try:
        await streams.ensure_group(NAMES.frames, GROUP)
        stuck = await streams.append(Output(NAMES.frames, b"stuck"))
        assert await read_one(streams, "gone") == stuck

        async def fill() -> None:
            for _ in range(100):
                await streams.append(Output(NAMES.frames, b"x"))
                await streams.write_and_ack(NAMES.frames, GROUP, [await read_one(streams)], [])

        with pytest.raises(UnavailableError):
            await fill()
        (entry,) = await streams.pending(NAMES.frames, GROUP, "gone", count=1)
        assert (entry.id, entry.payload) == (stuck, b"stuck")
    finally:
        await streams.close()


async def test_full_output_refuses_the_effect_and_leaves_the_entry(redis_url: str) -> None:
    streams = await Streams.connect(redis_url, bounds={"proposals": 8})
    try:
        await streams.ensure_group(NAMES.frames, GROUP)
        await streams.ensure_group(NAMES.proposals, "gateway")
        await streams.append(Output(NAMES.frames, b"f"))
        entry_id = await read_one(streams)
        for _ in range(9):
            await streams.append(Output(NAMES.proposals, b"p"))
        with pytest.raises(UnavailableError, match="full"):
            await streams.write_and_ack(NAMES.frames, GROUP, [entry_id], [Output(NAMES.proposals, b"p")])
        assert await streams.is_pending(NAMES.frames, GROUP, entry_id)
        for entry in await streams.read(NAMES.proposals, "gateway", "g", count=9, block_ms=100):
            await streams.write_and_ack(NAMES.proposals, "gateway", [entry.id], [])
        assert await streams.write_and_ack(NAMES.frames, GROUP, [entry_id], [Output(NAMES.proposals, b"p")])
    finally:
        await streams.close()


async def test_stream_without_readers_keeps_the_newest(redis_url: str) -> None:
    streams = await Streams.connect(redis_url, bounds={"policies": 20})
    try:
        for i in range(100):
            await streams.append(Output(NAMES.policies, b"%d" % i))
        kept = [int(e.payload) for e in await streams.last(NAMES.policies, 100)]
        assert kept == list(range(100 - len(kept), 100))
        assert 10 <= len(kept) <= 22
    finally:
        await streams.close()


async def test_server_out_of_memory_is_back_pressure(redis_server: Callable[[], EmbeddedRedis]) -> None:
    server = redis_server()
    streams = await Streams.connect(server.url)
    try:
        await streams.ensure_group(NAMES.frames, GROUP)
        await streams.append(Output(NAMES.frames, b"f"))
        await raw(server.url, "CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(UnavailableError, match=r"memory|OOM"):
            await streams.append(Output(NAMES.intake, b"x" * 1000))
        # Readers still drain, which is what frees memory.
        assert await streams.write_and_ack(NAMES.frames, GROUP, [await read_one(streams)], [])
    finally:
        await streams.close()


async def test_foreign_entries_are_read_leniently(streams: Streams, redis_url: str) -> None:
    await raw(redis_url, "XADD", NAMES.frames, "*", b"\xff\xfe", b"\x00", "t", b"\xff" * 100)
    await raw(redis_url, "XADD", NAMES.frames, "*", "a", "1", "a", "2")
    first, second = await streams.range(NAMES.frames, count=5)
    assert first.payload == b""
    assert len(first.trace_id) == 64
    assert second.extra == {"a": b"2"}


async def test_entry_deleted_by_hand_is_let_go(streams: Streams, redis_url: str) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    gone, kept = await streams.append_many([Output(NAMES.frames, b"1"), Output(NAMES.frames, b"2")])
    await streams.read(NAMES.frames, GROUP, "a", count=2, block_ms=100)
    await raw(redis_url, "XDEL", NAMES.frames, gone)
    assert [e.id for e in await streams.pending(NAMES.frames, GROUP, "a", count=5)] == [kept]
    assert await streams.lag(NAMES.frames, GROUP) == (0, 1)


async def test_forgotten_scripts_are_loaded_again(streams: Streams, redis_url: str) -> None:
    await streams.append(Output(NAMES.frames, b"1"))
    await raw(redis_url, "SCRIPT", "FLUSH")
    await streams.append(Output(NAMES.frames, b"2"))
    assert await streams.length(NAMES.frames) == 2


async def test_idle_consumers_are_forgotten_unless_they_hold_entries(streams: Streams) -> None:
    await streams.ensure_group(NAMES.frames, GROUP)
    await streams.append(Output(NAMES.frames, b"1"))
    await read_one(streams, "holder")
    await streams.read(NAMES.frames, GROUP, "idle", count=1, block_ms=1)
    await asyncio.sleep(0.05)
    assert await streams.forget_consumers(NAMES.frames, GROUP, idle_ms=20) == 1
    assert len(await streams.pending(NAMES.frames, GROUP, "holder", count=1)) == 1


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://127.0.0.1:1/0", UnavailableError),
        ("redis://:secret@127.0.0.1:1", UnavailableError),
        ("ftp://x", InvalidInputError),
    ],
)
async def test_no_server_is_a_clear_error_without_the_password(url: str, kind: type[TwmError]) -> None:
    with pytest.raises(kind) as raised:
        await Streams.connect(url, timeout_s=1.0)
    assert "secret" not in str(raised.value)


async def test_bad_arguments_are_named(streams: Streams) -> None:
    with pytest.raises(InvalidInputError, match="has no bound"):
        await streams.append(Output("twm:{city}:unknown", b"x"))
    with pytest.raises(InvalidInputError, match="entry_ids: empty"):
        await streams.write_and_ack(NAMES.frames, GROUP, [], [])
    with pytest.raises(InvalidInputError, match="at most"):
        await streams.append_many([Output(NAMES.frames, b"x")] * 2000)


async def test_lost_group_is_unavailable_not_a_crash(streams: Streams) -> None:
    with pytest.raises(UnavailableError) as raised:
        await streams.read(NAMES.frames, "nobody", "a", count=1, block_ms=1)
    assert raised.value.reason == "lost_group"


@pytest.mark.parametrize("durable", [True, False])
async def test_policy_writes_wait_for_the_disk_where_the_server_does_not_by_itself(
    tmp_path: Path, free_port: Callable[[], int], caplog: pytest.LogCaptureFixture, durable: bool
) -> None:
    port = free_port()
    command = server_command(port, tmp_path, appendonly="yes" if durable else "no", appendfsync="everysec")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(100):
                try:
                    streams = await Streams.connect(f"redis://127.0.0.1:{port}")
                    break
                except UnavailableError:
                    await asyncio.sleep(0.05)
        try:
            await streams.append(Output(NAMES.policies, b"p"))
            link = RedisLink(f"redis://127.0.0.1:{port}", 5.0)
            called = b"waitaof" in await link.call("INFO", "commandstats")
            await link.close()
            assert called == durable
            assert ("no append-only file" in caplog.text) != durable
        finally:
            await streams.close()
    finally:
        process.kill()
        process.wait()


async def test_hash_tag_cannot_be_escaped() -> None:
    for area in ("", "a}b", "a:b", "x" * 65):
        with pytest.raises(InvalidInputError, match="area_id"):
            StreamNames.of(area)
    assert StreamNames.of("north-1").frames == "twm:{north-1}:frames"
