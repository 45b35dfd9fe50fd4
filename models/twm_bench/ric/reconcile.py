"""Reconciles many policies against one A1 termination that fails, and counts what is left wrong.

`python -m twm_bench.ric.reconcile --policies 10000`: a tenth each of requests end in a 5xx, a lost answer, a reset (half of the
lost and reset ones after the work was done), and the termination restarts in the middle. Several areas share it, each delivered
by the product's own loop from its own policy stream on a real Redis; policies of somebody else stand there too. Ends when each
area's delivery has nothing left to do and a comparison with failures switched off agrees.

With `--url` (and `--kind`) it delivers to a termination that runs already, compares, and takes everything back.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twm.api.policy.v1 import policy_pb2
from twm.cli.embedded_redis import running_redis
from twm.core.clock import SystemClock
from twm.core.errors import UnavailableError
from twm.core.paths import a1_folder
from twm.core.streams import KeyWrite, Output, StreamNames, Streams
from twm.gateway.a1 import SLA_TYPE_1
from twm.gateway.delivery.connections import Attempt, Connections
from twm.gateway.delivery.loop import Delivery
from twm.gateway.delivery.settings import DeliverySettings, peer_of
from twm.gateway.modes.state import MODE_KEY, ModeState
from twm.gateway.recorder import Recorder
from twm.gateway.settings import GatewaySettings

AREA_POLICIES = 2500
FOREIGN = 100


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to."""

    kind: str
    policies: int
    seconds: float
    """From the first entry of a policy stream until everything is as wanted."""
    orphans: int
    """Own instances at the termination that nobody wants."""
    missing: int
    duplicates: int
    """Instances beyond one for each wanted one."""
    wrong: int
    """Instances whose content is another than is wanted."""
    foreign_touched: int
    requests: int
    faults: dict[str, int]


class _Area:
    """One area's policies and its delivery."""

    def __init__(self, name: str, count: int, settings: DeliverySettings, streams: Streams) -> None:
        self.names, self.count, self._streams = StreamNames.of(name), count, streams
        recorder = Recorder(streams, self.names, time.time)
        self.delivery = Delivery(
            settings, streams, self.names, recorder, clock=SystemClock(), instance=f"bench-{name}", healthy=lambda: True
        )

    async def write(self, version: int) -> None:
        """A policy of the whole area, in force for ten minutes."""
        state = ModeState(mode="autonomous", version=1, changed_by="bench", changed_s=time.time())
        await self._streams.write([], [KeyWrite(self.names.key(MODE_KEY), state.encode())])
        policy = policy_pb2.SlicePolicy(
            policy_set_id=f"{self.names.area_id}/{version}",
            area_id=self.names.area_id,
            mode=policy_pb2.MODE_AUTONOMOUS,
            ttl_s=600.0,
            enforcement=policy_pb2.ENFORCEMENT_ENFORCE,
            mode_version=1,
        )
        policy.effective.FromMilliseconds(int(time.time() * 1000))
        for index in range(self.count):
            policy.policies.add(
                policy_type_id=SLA_TYPE_1,
                policy_id=f"{self.names.area_id}.slice-{index}",
                policy_json=json.dumps(_content(self.names.area_id, index, version)),
            )
        await self._streams.append(Output(self.names.policies, policy.SerializeToString()))

    async def withdraw(self) -> None:
        """Nothing is in force any more."""
        policy = policy_pb2.SlicePolicy(
            policy_set_id=f"{self.names.area_id}/withdraw", area_id=self.names.area_id, mode=policy_pb2.MODE_SHADOW, ttl_s=1.0,
            enforcement=policy_pb2.ENFORCEMENT_WITHDRAW, mode_version=1,
        )  # fmt: skip
        await self._streams.append(Output(self.names.policies, policy.SerializeToString()))

    def settled(self, version: int) -> bool:
        """Whether the delivery has nothing left to do for that version."""
        engine = self.delivery.engine
        if engine is None or len(engine.wanted) != self.count:
            return False
        first = next(iter(engine.wanted.values()))
        return first.policy_set_id.endswith(f"/{version}") and engine.settled


def _content(area: str, index: int, version: int) -> dict[str, Any]:
    number = int(hashlib.sha256(f"{area}/{index}".encode()).hexdigest()[:6], 16)
    slice_id = {"sst": index % 256, "sd": f"{number:06x}", "plmnId": {"mcc": "001", "mnc": "01"}}
    return {"scope": {"sliceId": slice_id}, "sliceSlaObjectives": {"guaDlThptPerSlice": 1000 + index + 100_000 * version}}


class _Ric:
    """The simulated termination, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process, self.url = process, url
        self._http = Connections(url, None, 4)

    @classmethod
    async def start(cls, version: str) -> _Ric:
        """Start it with our policy types."""
        command = ("-m", "twm_bench.ric.a1_simulator", "--version", version, "--types", str(a1_folder()))
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        return cls(process, line.decode().split()[-1])

    async def ask(self, method: str, target: str, body: Any = None) -> Any:
        """A control request; JSON of its answer, or its text."""
        data = None if body is None else json.dumps(body).encode()
        found = await asyncio.wait_for(self._http.request(method, target, {}, data, 2**26, Attempt()), 30)
        try:
            return json.loads(found.data)
        except ValueError:
            return found.data.decode()

    async def until_holds(self, count: int) -> None:
        """Wait until it holds so many policies."""
        while True:
            with contextlib.suppress(UnavailableError):
                if int(await self.ask("GET", "/counter/num_instances")) >= count:
                    return
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End it."""
        await self._http.close()
        self._process.terminate()
        await self._process.wait()


async def run_outside(kind: str, policies: int, url: str, *, redis_url: str, ric_id: str, concurrency: int = 16) -> Outcome:
    """Deliver to a termination that is not ours (its policy types must be there), compare, and take everything back."""
    async with AsyncExitStack() as stack:
        areas = [
            await _area(stack, number, size, kind, url, redis_url, ric_id, 5.0, concurrency)
            for number, size in enumerate(_sizes(policies))
        ]
        stop = asyncio.Event()
        tasks = [asyncio.create_task(area.delivery.run(stop)) for area in areas]
        try:
            began = time.monotonic()
            await asyncio.gather(*(area.write(0) for area in areas))
            await _until(lambda: all(area.settled(0) for area in areas))
            seconds = time.monotonic() - began
            peer = peer_of(areas[0].delivery.settings)
            await peer.open()
            own = [i for i in await peer.listed() if i.startswith("twm~area-")]
            wanted = _wanted(areas)
            wrong = 0
            for remote_id in list(wanted)[:: max(1, len(wanted) // 500)]:
                wrong += await peer.content(SLA_TYPE_1, remote_id) != wanted[remote_id]
            for area in areas:
                await area.withdraw()
            await _until(lambda: all(area.delivery.engine is not None and not area.delivery.engine.records for area in areas))
            left = [i for i in await peer.listed() if i.startswith("twm~area-")]
            await peer.close()
            return Outcome(
                kind=kind,
                policies=len(wanted),
                seconds=round(seconds, 2),
                orphans=len(set(own) - wanted.keys()) + len(left),
                missing=len(wanted.keys() - set(own)),
                duplicates=len(own) - len(set(own)),
                wrong=wrong,
                foreign_touched=0,
                requests=0,
                faults={},
            )
        finally:
            stop.set()
            await asyncio.gather(*tasks)


def _sizes(policies: int) -> list[int]:
    return [AREA_POLICIES] * (policies // AREA_POLICIES) + ([policies % AREA_POLICIES] if policies % AREA_POLICIES else [])


async def _area(
    stack: AsyncExitStack,
    number: int,
    size: int,
    kind: str,
    url: str,
    redis_url: str,
    ric_id: str,
    timeout_s: float,
    concurrency: int,
) -> _Area:
    streams = await Streams.connect(redis_url)
    stack.push_async_callback(streams.close)
    settings = GatewaySettings.model_validate(
        {
            "a1_peer": kind,
            "a1_url": url,
            "a1_ric_id": ric_id,
            "a1_timeout_s": timeout_s,
            "a1_concurrency": concurrency,
            "a1_retry_first_s": 0.1,
            "a1_retry_most_s": 2.0,
            "a1_reconcile_s": 5.0,
        }
    )
    found = DeliverySettings.of(settings, f"area-{number}")
    assert found is not None
    return _Area(f"area-{number}", size, found, streams)


async def run(
    kind: str,
    policies: int,
    *,
    redis_url: str,
    ratio: float = 0.1,
    timeout_s: float = 1.0,
    concurrency: int = 32,
    keep: bool = True,
) -> Outcome:
    """One run. `ratio`: share of each kind of failure; `keep`: whether the termination holds its policies over the restart."""
    version = {"a1p": "STD_2.0.0", "oransc": "OSC_2.1.0", "pms2": "PMS", "pms3": "PMS"}[kind]
    foreign = {} if kind == "oransc" else {f"foreign-{n}": _content("foreign", n, 0) for n in range(FOREIGN)}
    async with AsyncExitStack() as stack:
        ric = await _Ric.start(version)
        stack.push_async_callback(ric.stop)
        if foreign:
            await ric.ask("PUT", "/held", foreign)
        areas = []
        for number, size in enumerate(_sizes(policies)):
            areas.append(await _area(stack, number, size, kind, ric.url, redis_url, "ric1", timeout_s, concurrency))
        stop = asyncio.Event()
        tasks = [asyncio.create_task(area.delivery.run(stop)) for area in areas]
        try:
            faults = {"error_ratio": ratio, "timeout_ratio": ratio, "reset_ratio": ratio, "seed": 1}
            return await _measure(kind, ric, areas, foreign, faults, keep)
        finally:
            stop.set()
            await asyncio.gather(*tasks)


async def _measure(
    kind: str, ric: _Ric, areas: Sequence[_Area], foreign: dict[str, Any], faults: dict[str, float], keep: bool
) -> Outcome:
    total = sum(area.count for area in areas)
    await ric.ask("POST", "/faults", faults)
    began = time.monotonic()
    await asyncio.gather(*(area.write(0) for area in areas))
    await ric.until_holds(total // 2)
    await ric.ask("POST", f"/restart?keep={str(keep).lower()}&seconds=1")
    await asyncio.sleep(1.5)
    if foreign and not keep:
        await ric.ask("PUT", "/held", foreign)
    await _until(lambda: all(area.settled(0) for area in areas))
    await ric.ask("POST", "/faults", {})
    for area in areas:
        assert area.delivery.engine is not None
        await area.delivery.engine.reconcile()
    await _until(lambda: all(area.settled(0) for area in areas))
    seconds = time.monotonic() - began
    return _judged(kind, await ric.ask("GET", "/held"), await ric.ask("GET", "/writes"), areas, foreign, seconds)


def _wanted(areas: Sequence[_Area]) -> dict[str, Any]:
    return {
        f"twm~{area.names.area_id}~sla1~slice-{index}": _content(area.names.area_id, index, 0)
        for area in areas
        for index in range(area.count)
    }


async def _until(holds: Callable[[], bool]) -> None:
    while True:
        if holds():
            return
        await asyncio.sleep(0.25)


def _judged(
    kind: str,
    there: dict[str, Any],
    counts: dict[str, int],
    areas: Sequence[_Area],
    foreign: dict[str, Any],
    seconds: float,
) -> Outcome:
    wanted = _wanted(areas)
    held = {i: body for i, body in there.items() if i not in foreign}
    slices = [json.dumps(body["scope"], sort_keys=True) for body in held.values()]
    return Outcome(
        kind=kind,
        policies=len(wanted),
        seconds=round(seconds, 2),
        orphans=len(held.keys() - wanted.keys()),
        missing=len(wanted.keys() - held.keys()),
        duplicates=len(slices) - len(set(slices)),
        wrong=sum(held[i] != wanted[i] for i in held.keys() & wanted.keys()),
        foreign_touched=sum(there.get(i) != body for i, body in foreign.items()),
        requests=sum(counts.get(m, 0) for m in ("GET", "PUT", "POST", "DELETE")),
        faults={name: n for name, n in sorted(counts.items()) if name.startswith("fault")},
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Reconcile many policies against a failing A1 termination.")
    parser.add_argument("--policies", type=int, default=10_000)
    parser.add_argument("--kind", choices=("a1p", "oransc", "pms2", "pms3"), default="a1p")
    parser.add_argument("--lose-state", action="store_true", help="the termination forgets its policies in the restart")
    parser.add_argument(
        "--url", help="a termination that runs already, such as the O-RAN SC A1 simulator: no failures are made"
    )
    parser.add_argument("--ric", default="ric1", help="with --url and a policy management service: the near-RT RIC")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_redis(Path(folder)) as url:
        if arguments.url:
            work = run_outside(arguments.kind, arguments.policies, arguments.url, redis_url=url, ric_id=arguments.ric)
        else:
            work = run(arguments.kind, arguments.policies, redis_url=url, keep=not arguments.lose_state)
        found = asyncio.run(work)
    print(json.dumps(asdict(found), indent=2))


if __name__ == "__main__":
    main()
