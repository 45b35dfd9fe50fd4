"""The consumer loop: exactly-once effects under kills, outages, poison, slow handlers and competition."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from twm.cli.embedded_redis import EmbeddedRedis
from twm.core.errors import DecodeError, UnavailableError
from twm.core.stream_worker import Effect, StreamWorker
from twm.core.streams import Entry, KeyWrite, Output, StreamNames, Streams

pytestmark = pytest.mark.redis

NAMES = StreamNames.of("city")
GROUP = "planner"
Handler = Callable[[Entry], Awaitable[Effect]]


@pytest.fixture
async def streams(redis_url: str) -> AsyncIterator[Streams]:
    connected = await Streams.connect(redis_url)
    await connected.ensure_group(NAMES.frames, GROUP)
    yield connected
    await connected.close()


async def copy(entry: Entry) -> Effect:
    return Effect([Output(NAMES.proposals, entry.payload)])


def worker(streams: Streams, handle: Handler, consumer: str = "a", **options: int | float) -> StreamWorker:
    settings = {"batch": 8, "block_ms": 50, "stale_ms": 300, **options}
    return StreamWorker(streams, NAMES.frames, GROUP, consumer, handle, **settings)  # type: ignore[arg-type]


async def payloads(streams: Streams, stream: str) -> list[bytes]:
    found: list[bytes] = []
    after = "-"
    while entries := await streams.range(stream, after=after, count=1000):
        found += [e.payload for e in entries]
        after = entries[-1].id
    return found


@contextlib.asynccontextmanager
async def running(*workers: StreamWorker) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(w.run(stop)) for w in workers]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 40.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def drained(streams: Streams) -> bool:
    return await streams.lag(NAMES.frames, GROUP) == (0, 0)


async def test_every_entry_has_its_effect_in_order(streams: Streams) -> None:
    wanted = [b"%d" % i for i in range(200)]
    await streams.append_many([Output(NAMES.frames, p) for p in wanted])
    async with running(worker(streams, copy)):
        await until(lambda: drained(streams))
    assert await payloads(streams, NAMES.proposals) == wanted


async def test_competing_workers_that_stall_and_die_do_each_entry_once(streams: Streams) -> None:
    wanted = [b"%d" % i for i in range(300)]
    dice = random.Random(5)

    async def sometimes_stall(entry: Entry) -> Effect:
        if dice.random() < 0.02:
            await asyncio.sleep(0.05)
        return await copy(entry)

    stop = asyncio.Event()
    tasks = {name: asyncio.create_task(worker(streams, sometimes_stall, name).run(stop)) for name in ("a", "b", "c")}
    for start in range(0, 300, 30):
        await streams.append_many([Output(NAMES.frames, p) for p in wanted[start : start + 30]])
        name = dice.choice(list(tasks))
        await asyncio.sleep(0.03)
        tasks[name].cancel()  # like a kill: nothing is handed back
        with contextlib.suppress(asyncio.CancelledError):
            await tasks[name]
        # Half of the dead come back under their name, the others' entries have to be taken over.
        revived = name if dice.random() < 0.5 else f"{name}'"
        del tasks[name]
        tasks[revived] = asyncio.create_task(worker(streams, sometimes_stall, revived).run(stop))
    await until(lambda: drained(streams))
    stop.set()
    await asyncio.gather(*tasks.values())
    assert Counter(await payloads(streams, NAMES.proposals)) == Counter(wanted)
    assert await streams.length(NAMES.dead) == 0


async def test_slow_handler_that_lives_is_not_robbed(streams: Streams) -> None:
    await streams.append_many([Output(NAMES.frames, b"%d" % i) for i in range(4)])
    handled: list[tuple[str, str]] = []

    def slow(name: str) -> Handler:
        async def handle(entry: Entry) -> Effect:
            handled.append((name, entry.id))
            await asyncio.sleep(0.4)
            return await copy(entry)

        return handle

    async with running(worker(streams, slow("a"), "a")):
        await asyncio.sleep(0.1)
        async with running(worker(streams, slow("b"), "b")):
            await until(lambda: drained(streams))
    assert [name for name, _ in handled] == ["a"] * 4


async def test_invalid_entry_is_a_dead_letter_at_once_and_the_rest_goes_on(streams: Streams) -> None:
    tries: Counter[bytes] = Counter()

    async def handle(entry: Entry) -> Effect:
        tries[entry.payload] += 1
        if entry.payload == b"bad":
            raise DecodeError("value_count: 3, expected 4", reason="value_count")
        return await copy(entry)

    await streams.append_many([Output(NAMES.frames, p) for p in (b"1", b"bad", b"2")])
    async with running(worker(streams, handle)):
        await until(lambda: drained(streams))
    assert await payloads(streams, NAMES.proposals) == [b"1", b"2"]
    (letter,) = await streams.last(NAMES.dead, 5)
    assert (letter.payload, letter.reason) == (b"bad", "value_count: value_count: 3, expected 4")
    assert tries[b"bad"] == 1


async def test_failing_entry_is_a_dead_letter_after_three_deliveries(streams: Streams) -> None:
    tries: Counter[bytes] = Counter()

    async def handle(entry: Entry) -> Effect:
        tries[entry.payload] += 1
        if entry.payload == b"bad" or (entry.payload == b"shaky" and tries[b"shaky"] < 3):
            raise ZeroDivisionError("equal counters")
        return await copy(entry)

    await streams.append_many([Output(NAMES.frames, p) for p in (b"bad", b"shaky", b"good")])
    async with running(worker(streams, handle)):
        await until(lambda: drained(streams))
    assert await payloads(streams, NAMES.proposals) == [b"shaky", b"good"]
    (letter,) = await streams.last(NAMES.dead, 5)
    assert letter.reason == "ZeroDivisionError: equal counters"
    assert tries == {b"bad": 3, b"shaky": 3, b"good": 1}


async def test_handler_that_hangs_is_given_up(streams: Streams) -> None:
    async def handle(entry: Entry) -> Effect:
        if entry.payload == b"hang":
            await asyncio.sleep(60)
        return await copy(entry)

    await streams.append_many([Output(NAMES.frames, b"hang"), Output(NAMES.frames, b"good")])
    async with running(worker(streams, handle, handle_timeout_s=0.05)):
        await until(lambda: drained(streams))
    assert await payloads(streams, NAMES.proposals) == [b"good"]
    assert (await streams.last(NAMES.dead, 1))[0].reason.startswith("TimeoutError")


async def test_entry_that_kills_its_process_ends_as_dead_letter_and_spares_those_behind_it(streams: Streams) -> None:
    await streams.append_many([Output(NAMES.frames, p) for p in (b"killer", b"1", b"2")])

    async def handle(entry: Entry) -> Effect:
        if entry.payload == b"killer":
            raise SystemExit(139)
        return await copy(entry)

    async def life(stop: asyncio.Event) -> None:
        with contextlib.suppress(SystemExit):
            await worker(streams, handle).run(stop)

    for _ in range(40):
        stop = asyncio.Event()
        task = asyncio.create_task(life(stop))
        await asyncio.wait({task}, timeout=0.3)
        stop.set()
        await task
        if await drained(streams):
            break
    assert await payloads(streams, NAMES.proposals) == [b"1", b"2"]
    (letter,) = await streams.last(NAMES.dead, 5)
    assert letter.payload == b"killer"
    assert letter.reason.startswith("deliveries_exhausted")
    assert letter.extra["deliveries"] == b"4"


async def test_peer_outage_is_waited_out_without_counting(streams: Streams) -> None:
    tries = 0

    async def handle(entry: Entry) -> Effect:
        nonlocal tries
        tries += 1
        if tries <= 4:
            raise UnavailableError("inference 127.0.0.1:1: connection refused")
        return await copy(entry)

    await streams.append(Output(NAMES.frames, b"1"))
    async with running(worker(streams, handle)):
        await until(lambda: drained(streams))
    assert await payloads(streams, NAMES.proposals) == [b"1"]
    assert await streams.length(NAMES.dead) == 0


async def test_refused_effect_asks_the_handler_again_after_reloading(streams: Streams) -> None:
    key = NAMES.key("head")
    head = b""
    refusals = 0

    async def handle(entry: Entry) -> Effect:
        return Effect([Output(NAMES.proposals, entry.payload + head)], [KeyWrite(key, entry.payload, expected=head)])

    async def reload(entry: Entry) -> None:
        nonlocal head, refusals
        refusals += 1
        head = await streams.get(key) or b""

    await streams.write([], [KeyWrite(key, b"moved")])
    await streams.append(Output(NAMES.frames, b"1"))
    options = {"batch": 8, "block_ms": 50, "stale_ms": 300}
    async with running(StreamWorker(streams, NAMES.frames, GROUP, "a", handle, on_refused=reload, **options)):  # type: ignore[arg-type]
        await until(lambda: drained(streams))
    assert refusals == 1
    assert await payloads(streams, NAMES.proposals) == [b"1moved"]


async def _through_outage(
    server: EmbeddedRedis, away_s: float, leave: Callable[[EmbeddedRedis], None], back: Callable[[EmbeddedRedis], None]
) -> None:
    """A producer that retries and two workers, through an outage: every entry's effect exactly once."""
    streams = await Streams.connect(server.url, timeout_s=1.0)
    stop, sent = asyncio.Event(), 0
    seen: Counter[bytes] = Counter()

    async def produce() -> None:
        nonlocal sent
        while not stop.is_set():
            try:
                # The guarded counter makes the retry of a write whose answer was lost harmless.
                counter = KeyWrite(NAMES.key("sent"), b"%d" % (sent + 1), b"%d" % sent if sent else b"")
                done = await streams.write([Output(NAMES.frames, b"%d" % sent)], [counter])
                sent += 1 if done or await streams.get(NAMES.key("sent")) == b"%d" % (sent + 1) else 0
                await asyncio.sleep(0.002)
            except UnavailableError:
                await asyncio.sleep(0.1)

    async def handle(entry: Entry) -> Effect:
        seen[entry.payload] += 1
        return await copy(entry)

    async def flowing() -> bool:
        return sent > 20

    try:
        producer = asyncio.create_task(produce())
        async with running(worker(streams, handle, "a"), worker(streams, handle, "b")):
            await until(flowing)
            leave(server)
            await asyncio.sleep(away_s)
            back(server)
            before = sent

            async def moved_on() -> bool:
                return sent > before + 50

            await until(moved_on)
            stop.set()
            await producer

            async def finished() -> bool:
                try:
                    return await drained(streams)
                except UnavailableError:
                    return False

            await until(finished)
        results = await payloads(streams, NAMES.proposals)
        assert Counter(results) == Counter(b"%d" % i for i in range(sent))
        assert sent > 60
        assert await streams.length(NAMES.dead) == 0
    finally:
        stop.set()
        await streams.close()


@pytest.mark.parametrize("how", ["crash", "restart", "freeze"])
async def test_redis_outage_loses_and_doubles_nothing(redis_server: Callable[[], EmbeddedRedis], how: str) -> None:
    leave = {"crash": EmbeddedRedis.kill, "restart": EmbeddedRedis.stop, "freeze": EmbeddedRedis.freeze}[how]
    back = EmbeddedRedis.thaw if how == "freeze" else EmbeddedRedis.start
    await _through_outage(redis_server(), 1.5, leave, back)


@pytest.mark.slow
async def test_redis_gone_for_thirty_seconds(redis_server: Callable[[], EmbeddedRedis]) -> None:
    await _through_outage(redis_server(), 30.0, EmbeddedRedis.kill, EmbeddedRedis.start)
