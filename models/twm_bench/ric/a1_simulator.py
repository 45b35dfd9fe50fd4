"""A1 terminations to test against: STD_2.0.0 (A1-P v2), OSC_2.1.0 (O-RAN SC mediator), PMS (policy management v2 and v3).

`python -m twm_bench.ric.a1_simulator --version STD_2.0.0 --port 8085 --types deploy/a1`

Beside the A1 API it has the control API of the O-RAN SC simulator (PUT and DELETE /policytype?id=, POST /deleteinstances,
/deleteall, /forceresponse?code=, /forcedelay?delay=, PUT /status?policyid=&status=&reason=, POST /sendstatus?policyid=, GET
/counter/{name}) and of its own: POST /faults, /lose?count=, /restart?keep=&seconds=, GET /held, /writes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

import jsonschema

from twm_bench.ric.a1_faults import PROBLEMS, Faults, Forced
from twm_bench.ric.a1_pms import PolicyManagement
from twm_bench.ric.a1_std import Mediator, Standard
from twm_bench.ric.http_server import HttpServer, Lost, Request, Reset, Response

VERSIONS = ("STD_2.0.0", "OSC_2.1.0", "PMS")


class A1Simulator:
    """One simulated termination."""

    def __init__(
        self,
        version: str,
        *,
        port: int = 0,
        base: str | None = None,
        rics: tuple[str, ...] = ("ric1",),
        own_ids: bool = False,
        token: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`base`: path the A1 API hangs under; `own_ids`: the service gives policies ids of its own (old version 3);
        `token`: bearer token that requests must carry."""
        if version not in VERSIONS:
            raise ValueError(f"version: {version!r} is none of {', '.join(VERSIONS)}")
        self.version = version
        self.faults, self.forced = Faults(), Forced()
        self.counts: Counter[str] = Counter()
        """Requests by method, writes that took effect ("created", "updated", "deleted"), and refusals by code."""
        self.token = token
        self.api: Standard | Mediator | PolicyManagement
        if version == "STD_2.0.0":
            self.api = Standard(self.counts, base or "/A1-P/v2")
        elif version == "OSC_2.1.0":
            self.api = Mediator(self.counts, base or "/a1-p")
        else:
            self.api = PolicyManagement(self.counts, rics, own_ids=own_ids)
        self.server = HttpServer(self._handle, port=port, tls=tls)

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url

    @property
    def held(self) -> dict[str, Any]:
        """Policies by id."""
        return self.api.held()

    @property
    def writes(self) -> int:
        """Requests that would change something, whatever came of them; control requests do not count."""
        return sum(self.counts[method] for method in ("PUT", "POST", "DELETE"))

    async def restart(self, *, keep: bool, seconds: float = 1.0) -> None:
        """Be away for a while; with or without what it held afterwards (types stay)."""
        await self.server.stop()
        if not keep:
            self.api.clear()
        await asyncio.sleep(seconds)
        await self.server.start()

    async def _handle(self, request: Request) -> Response:
        if not self.api.serves(request.path):
            return await self._control(request)
        self.counts[request.method] += 1
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return problem(401, "no good token")
        if self.forced.delay_s:
            await asyncio.sleep(self.forced.delay_s)
        if self.forced.lose > 0:
            self.forced.lose -= 1
            self._do(request)
            raise Lost
        if self.forced.codes:
            code, *rest = self.forced.codes
            self.forced.codes = tuple(rest)
            headers = {"Retry-After": self.forced.retry_after} if self.forced.retry_after else {}
            return problem(code, "forced", headers)
        fault, code = self.faults.draw()
        if fault == "error":
            self.counts[f"fault {code}"] += 1
            return problem(code, "by chance")
        if fault:
            self.counts[f"fault {fault}"] += 1
            if fault.endswith("-late"):
                self._do(request)
            raise Reset if fault.startswith("reset") else Lost
        return self._do(request)

    def _do(self, request: Request) -> Response:
        response = self.api.answer(request, time.monotonic())
        if response.status >= 400:
            self.counts[f"refused {response.status}"] += 1
        return response

    async def _control(self, request: Request) -> Response:
        """Requests that are not A1: those of the O-RAN SC simulator, and ours."""
        q, path = request.query, request.path
        match (request.method, path):
            case ("GET", "/"):
                return text(200, "OK")
            case ("PUT", "/policytype"):
                return text(*self.api.put_type(q.get("id", ""), request.body))
            case ("DELETE", "/policytype"):
                self.api.drop_type(q.get("id", ""))
                return Response(204)
            case ("POST", "/deleteinstances"):
                self.api.clear()
                return text(200, "All policy instances deleted")
            case ("POST", "/deleteall"):
                self.api.clear(types=True)
                return text(200, "All policy instances and types deleted")
            case ("POST", "/forceresponse"):
                codes = tuple(int(c) for c in q.get("code", "").split(",") if c)
                self.forced.codes, self.forced.retry_after = codes, q.get("retry_after", "")
                return text(200, f"Force response code: {q.get('code')} set for one single A1 response")
            case ("POST", "/forcedelay"):
                self.forced.delay_s = float(q.get("delay") or 0)
                return text(200, f"Force delay: {self.forced.delay_s:g} sec set for all A1 responses")
            case ("POST", "/lose"):
                self.forced.lose = int(q.get("count", "1"))
                return text(200, "answers will be lost")
            case ("POST", "/faults"):
                self.faults = Faults(
                    **{k: tuple(v) if k == "codes" else v for k, v in json.loads(request.body or b"{}").items()}
                )
                return text(200, "faults set")
            case ("POST", "/restart"):
                task = asyncio.create_task(
                    self.restart(keep=q.get("keep", "true") == "true", seconds=float(q.get("seconds", "1")))
                )
                self._restarting = task
                return text(200, "restarting")
            case ("PUT", "/status"):
                return text(*self.api.set_status(q.get("policyid", ""), q.get("status", ""), q.get("reason")))
            case ("POST", "/sendstatus"):
                return await self._send_status(q.get("policyid", ""))
            case ("PUT", "/held"):  # policies of somebody else
                self.api.adopt(json.loads(request.body))
                return text(200, "held")
            case ("GET", "/held"):
                return Response(200, self.held)
            case ("GET", "/writes"):
                return Response(200, {"writes": self.writes, **self.counts})
        if request.method == "GET" and path.startswith("/counter/"):
            return self._counter(path.removeprefix("/counter/"))
        return problem(404, "no such path")

    def _counter(self, name: str) -> Response:
        values = {"num_instances": len(self.held), "num_types": len(self.api.types), "interface": self.version}
        return text(200, str(values[name])) if name in values else text(404, f"Counter name: {name} not found.")

    async def _send_status(self, policy_id: str) -> Response:
        """As the O-RAN SC simulator does: the status as a JSON string inside JSON, and the answer is read as JSON."""
        import httpx

        target, status = self.api.callback(policy_id)
        if not target:
            return text(404, "no callback")
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            try:
                answer = await client.post(target, json=json.dumps(status))
                found = answer.json()
            except (httpx.HTTPError, ValueError) as error:
                return text(500, f"Post status failed: {type(error).__name__}")
        return Response(200, {"code": answer.status_code, "answer": found})


def problem(code: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A problem+json answer."""
    body = {"title": PROBLEMS.get(code, "Unknown"), "status": code, "detail": detail}
    return Response(code, body, headers or {}, "application/problem+json")


def text(code: int, words: str) -> Response:
    """A plain answer."""
    return Response(code, words.encode(), media_type="text/plain")


def load_types(simulator: A1Simulator, folder: Path) -> int:
    """Make the policy types of a folder of JSON schemas; how many."""
    count = 0
    for path in sorted(folder.glob("*_*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft7Validator.check_schema(schema)
        if simulator.api.offer(path.stem, schema):
            count += 1
    return count


async def _main(arguments: argparse.Namespace) -> None:
    simulator = A1Simulator(arguments.version, port=arguments.port, base=arguments.base, own_ids=arguments.own_ids)
    if arguments.types:
        load_types(simulator, arguments.types)
    async with simulator:
        print(f"{arguments.version} on {simulator.url}", flush=True)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="A1 simulator for tests.")
    parser.add_argument("--version", choices=VERSIONS, default="STD_2.0.0")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, printed")
    parser.add_argument("--base", help="path that the A1 API hangs under")
    parser.add_argument("--types", type=Path, help="folder of JSON schemas to offer as policy types")
    parser.add_argument("--own-ids", action="store_true", help="PMS v3: give policies ids of its own")
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
