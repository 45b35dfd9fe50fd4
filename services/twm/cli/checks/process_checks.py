"""Our own processes: gRPC health of those with a target, HTTP probes of those named on the command line."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Coroutine
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from twm.cli.checks import web
from twm.cli.checks.findings import Finding, Surroundings
from twm.core.rpc import grpc_channel


async def check_processes(around: Surroundings) -> list[Finding]:
    """Every process whose address is known."""
    base = around.base
    targets = [
        ("ingester", "TWM_INGESTER_TARGET", base.ingester_target),
        ("inference", "TWM_INFERENCE_TARGET", base.inference_target),
        ("twin", "TWM_TWIN_TARGET", base.twin_target),
    ]
    if "TWM_GATEWAY_TARGET" in os.environ and around.ric is not None:
        targets.append(("gateway", "TWM_GATEWAY_TARGET", around.ric.gateway_target))
    work: list[Coroutine[Any, Any, Finding]] = [_grpc_health(*target, around.timeout_s) for target in targets]
    work += [_probe(name, address, around.timeout_s) for name, address in around.probes]
    found = list(await asyncio.gather(*work))
    asked = {name for name, _ in around.probes} | {name for name, _, _ in targets}
    for name in ("planner", "gateway"):
        if name not in asked:
            found.append(
                Finding(
                    f"{name} probe",
                    "SKIP",
                    f"its address is not known here; add --probe {name}=HOST:PORT (TWM_HTTP_LISTEN's port)",
                )
            )
    return found


async def _grpc_health(name: str, variable: str, target: str, timeout_s: float) -> Finding:
    check = f"{name} gRPC"
    channel = grpc_channel(target)
    try:
        async with asyncio.timeout(timeout_s):
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    except TimeoutError:
        return Finding(check, "FAIL", f"{target}: no answer within {timeout_s:g} s", _start(name, variable))
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return Finding(check, "FAIL", f"{target}: speaks gRPC, but is none of ours", f"Check {variable}.")
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Finding(check, "FAIL", f"{target}: no answer within {timeout_s:g} s", _start(name, variable))
        return Finding(check, "FAIL", f"{target}: {_grpc_words(error)}", _start(name, variable))
    finally:
        await channel.close()
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return Finding(
            check, "FAIL", f"{target}: is there, but not ready", f"Look at the log of {name}: it waits for something."
        )
    return Finding(check, "OK", f"{target}: serving")


def _grpc_words(error: grpc.aio.AioRpcError) -> str:
    details = (error.details() or "").lower()
    if "refused" in details:
        return "nobody listens there (connection refused)"
    if "dns" in details or "name resolution" in details:
        return "the host name is not known here"
    if "http2" in details or "settings frame" in details or "socket closed" in details or "handshake" in details:
        return "what answers there does not speak gRPC"
    return f"{error.code().name}: {(error.details() or '')[:160]}"


def _start(name: str, variable: str) -> str:
    module = "twm_twin" if name == "twin" else f"twm.{name}"
    return f"Is {name} (python -m {module}) running with TWM_GRPC_LISTEN on that port, and does {variable} name it?"


async def _probe(name: str, address: str, timeout_s: float) -> Finding:
    check = f"{name} probe"
    reply = await web.get(f"http://{address}/readyz", timeout_s=timeout_s)
    if reply.status == 200:
        return Finding(check, "OK", f"{address}: ready")
    if reply.status == 503:
        return Finding(check, "FAIL", f"{address}: alive, but not ready", f"Look at the log of {name}: it waits for something.")
    if reply.status:
        return Finding(check, "FAIL", f"{address}: HTTP {reply.status} for /readyz", "Is that one of ours? Check the port.")
    return Finding(check, "FAIL", f"{address}: {reply.problem}", f"Is {name} running, with TWM_HTTP_LISTEN on that port?")


def parse_probes(texts: list[str]) -> list[tuple[str, str]]:
    """NAME=HOST:PORT. Raises ValueError."""
    found = []
    for text in texts:
        name, mark, address = text.partition("=")
        host, colon, port = address.rpartition(":")
        if not mark or not name or not colon or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{text[:100]!r} is not NAME=HOST:PORT")
        found.append((name[:32], address[:260]))
    return found


def to_json(findings: list[Finding]) -> str:
    """The report for machines."""
    rows = [{"check": f.check, "level": f.level, "message": f.message, "advice": f.advice} for f in findings]
    counts = {level: sum(f.level == level for f in findings) for level in ("OK", "WARN", "FAIL", "SKIP")}
    return json.dumps({"checks": rows, "counts": counts}, indent=2)
