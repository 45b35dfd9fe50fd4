"""Redis: reachable, new enough, durable, not behind; and which processes were at the streams lately."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import ResponseError

from twm.cli.checks.findings import Finding, Surroundings
from twm.core.errors import InvalidInputError, TwmError
from twm.core.redis_link import RedisLink
from twm.core.stream_names import GROUP_GATEWAY, GROUP_INGESTER, GROUP_PLANNER, STREAM_BOUNDS, StreamNames

LEAST_VERSION = 7
SLOW_PING_MS = 20.0
SKEW_WARN_S, SKEW_FAIL_S = 1.0, 30.0
LAG_WARN = 64
SEEN_LATELY_S = 30.0
_PINGS = 5
WORKERS = (
    ("ingester", "intake", GROUP_INGESTER),
    ("planner", "frames", GROUP_PLANNER),
    ("gateway", "proposals", GROUP_GATEWAY),
)
"""Processes that read a stream in a group: when they last did tells whether they are alive."""
_RUN = "Start Redis (or Valkey) 7.2 or newer with --appendonly yes, and set TWM_REDIS_URL to it."


async def check_redis(around: Surroundings) -> list[Finding]:
    """Everything that one connection can tell."""
    try:
        link = RedisLink(around.base.redis_url, around.timeout_s)
    except InvalidInputError as error:
        return [Finding("redis", "FAIL", str(error), "Write it as redis://user:password@host:6379/0, or rediss:// for TLS.")]
    try:
        return await _look(link, around)
    except TwmError as error:
        return [Finding("redis", "FAIL", f"{link.address}: {_why(str(error))}", _advice(str(error)))]
    finally:
        await link.close()


async def _look(link: RedisLink, around: Surroundings) -> list[Finding]:
    times_ms = []
    for _ in range(_PINGS):
        began_s = time.perf_counter()
        await link.call("PING")
        times_ms.append((time.perf_counter() - began_s) * 1e3)
    ping_ms = statistics.median(times_ms)
    sections = await link.call_many([("INFO", name) for name in ("server", "persistence", "memory", "replication")])
    refused = next((section for section in sections if isinstance(section, ResponseError)), None)
    if refused is not None:
        return [
            Finding("redis", "OK", f"{link.address} answers in {ping_ms:.1f} ms"),
            Finding(
                "redis version",
                "WARN",
                f"INFO is refused: {refused}",
                "Allow INFO to this user, or check version and AOF by hand.",
            ),
        ]
    info = _info(sections)
    found = [_speed(link, ping_ms), _version(info), *_durable(info), _role(info), _memory(info), await _clock(link)]
    if around.spec is not None:
        found += await _streams(link, around)
    return found


def _info(sections: list[Any]) -> Mapping[str, str]:
    text = b"\n".join(bytes(section) for section in sections).decode("utf-8", "replace")
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))


def _speed(link: RedisLink, ping_ms: float) -> Finding:
    if ping_ms > SLOW_PING_MS:
        return Finding(
            "redis",
            "WARN",
            f"{link.address} answers in {ping_ms:.0f} ms, more than {SLOW_PING_MS:g}",
            "Bring it nearer to the services, or look at what else it does (SLOWLOG GET, LATENCY DOCTOR).",
        )
    return Finding("redis", "OK", f"{link.address} answers in {ping_ms:.1f} ms")


def _version(info: Mapping[str, str]) -> Finding:
    version = info.get("redis_version", "")
    named = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {version or 'of unknown version'}"
    major = version.split(".")[0]
    if not major.isdigit() or int(major) < LEAST_VERSION:
        return Finding(
            "redis version", "FAIL", f"{named}, expected {LEAST_VERSION} or newer", "Take Redis or Valkey 7.2 or newer."
        )
    return Finding("redis version", "OK", named)


def _durable(info: Mapping[str, str]) -> list[Finding]:
    found = []
    if info.get("aof_enabled") == "1":
        found.append(Finding("redis durability", "OK", "append-only file on"))
    else:
        found.append(
            Finding(
                "redis durability",
                "FAIL",
                "append-only file off: policies, audit records and intents are lost when Redis restarts",
                "Start it with --appendonly yes --appendfsync everysec, or CONFIG SET appendonly yes and CONFIG REWRITE.",
            )
        )
    for name, what in (("aof_last_write_status", "append-only file"), ("rdb_last_bgsave_status", "snapshot")):
        if info.get(name, "ok") != "ok":
            found.append(
                Finding(
                    "redis durability", "FAIL", f"the last write of the {what} failed", "Look at its disk: full or read-only?"
                )
            )
    return found


def _role(info: Mapping[str, str]) -> Finding:
    if info.get("role") == "slave":
        return Finding(
            "redis role", "FAIL", "it is a replica: writes are refused", "Point TWM_REDIS_URL at the primary (or at Sentinel)."
        )
    replicas = info.get("connected_slaves", "0")
    return Finding("redis role", "OK", f"primary with {replicas} replica{'' if replicas == '1' else 's'}")


def _memory(info: Mapping[str, str]) -> Finding:
    used, limit = (int(info.get(name, "0") or 0) for name in ("used_memory", "maxmemory"))
    policy = info.get("maxmemory_policy", "noeviction")
    if limit and policy != "noeviction":
        return Finding(
            "redis memory",
            "FAIL",
            f"maxmemory-policy is {policy}: streams can vanish under load",
            "CONFIG SET maxmemory-policy noeviction.",
        )
    if limit and used > 0.85 * limit:
        return Finding("redis memory", "WARN", f"{used / limit:.0%} of {limit / 1e6:.0f} MB used", "Raise maxmemory.")
    return Finding(
        "redis memory", "OK", f"{used / 1e6:.0f} MB used" + (f" of {limit / 1e6:.0f} MB" if limit else ", no limit set")
    )


async def _clock(link: RedisLink) -> Finding:
    before_s = time.time()
    seconds, micros = await link.call("TIME")
    skew_s = (before_s + time.time()) / 2 - (int(seconds) + int(micros) / 1e6)
    if abs(skew_s) > SKEW_WARN_S:
        return Finding(
            "clock",
            "FAIL" if abs(skew_s) > SKEW_FAIL_S else "WARN",
            f"this machine's clock is {abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} Redis'",
            "Let both follow NTP (chronyc tracking): reports with times too far off are refused.",
        )
    return Finding("clock", "OK", f"{skew_s * 1e3:+.0f} ms against Redis")


async def _streams(link: RedisLink, around: Surroundings) -> list[Finding]:
    assert around.spec is not None
    names = StreamNames.of(around.spec.area_id)
    kinds = list(STREAM_BOUNDS)
    streams = [f"twm:{{{names.area_id}}}:{kind}" for kind in kinds]
    lengths = await link.call_many([("XLEN", stream) for stream in streams])
    groups = await link.call_many([("XINFO", "GROUPS", stream) for stream in streams])
    held = {kind: int(n) for kind, n in zip(kinds, lengths, strict=True) if not isinstance(n, ResponseError)}
    found = [_total(names.area_id, held)]
    for kind, listed in zip(kinds, groups, strict=True):
        if not isinstance(listed, ResponseError):
            found += [_lag(kind, group, held.get(kind, 0)) for group in listed]
    if held.get("dead"):
        found.append(
            Finding(
                "dead letters",
                "WARN",
                f"{held['dead']} entries were given up",
                f"XREVRANGE '{names.dead}' + - COUNT 5 names the reasons.",
            )
        )
    found += await asyncio.gather(*(_worker(link, names, *worker) for worker in WORKERS))
    found += [await _freshness(link, names, around)]
    return found


def _total(area_id: str, held: Mapping[str, int]) -> Finding:
    if not any(held.values()):
        return Finding(
            "streams",
            "WARN",
            f"none of area {area_id!r} yet",
            "Are the services started, with this TWM_NETWORK and TWM_REDIS_URL, and do reports arrive?",
        )
    return Finding("streams", "OK", f"area {area_id!r}: " + ", ".join(f"{kind} {n}" for kind, n in held.items() if n))


def _lag(kind: str, group: Mapping[bytes, Any], length: int) -> Finding:
    name = bytes(group[b"name"]).decode("utf-8", "replace")[:64]
    lag = length if group[b"lag"] is None else int(group[b"lag"])
    pending = int(group[b"pending"])
    check = f"lag of {name} at {kind}"
    if lag > LAG_WARN:
        return Finding(
            check,
            "WARN",
            f"{lag} entries not yet read, {pending} in work",
            f"Is the process that reads {kind!r} running and ready?",
        )
    return Finding(check, "OK", f"{lag} not yet read, {pending} in work")


async def _worker(link: RedisLink, names: StreamNames, process: str, kind: str, group: str) -> Finding:
    (listed,) = await link.call_many([("XINFO", "CONSUMERS", f"twm:{{{names.area_id}}}:{kind}", group)])
    check = f"{process} process"
    start = f"Start it (python -m twm.{process}) and look at its log; see its /readyz."
    if isinstance(listed, ResponseError) or not listed:
        return Finding(check, "FAIL", f"has never read stream {kind!r}", start)
    idle_s = min(int(consumer[b"idle"]) for consumer in listed) / 1e3
    if idle_s > SEEN_LATELY_S:
        return Finding(check, "FAIL", f"last read stream {kind!r} {idle_s:.0f} s ago", start)
    return Finding(check, "OK", f"read stream {kind!r} {idle_s:.1f} s ago")


async def _freshness(link: RedisLink, names: StreamNames, around: Surroundings) -> Finding:
    assert around.spec is not None
    rows = await link.call("XREVRANGE", names.frames, "+", "-", "COUNT", 1)
    if not rows:
        return Finding(
            "frames", "WARN", "no frame was ever assembled", "Do reports arrive? See twm_reports_total of the ingester."
        )
    entry_id = bytes(rows[0][0])
    seconds, _ = await link.call("TIME")
    age_s = int(seconds) - int(entry_id.split(b"-")[0]) / 1e3
    expected_s = 3 * around.spec.timing.slow_step_s
    if age_s > max(expected_s, 10.0):
        return Finding(
            "frames",
            "WARN",
            f"the newest is {age_s:.0f} s old, a step is {around.spec.timing.slow_step_s:g} s",
            "Do reports still arrive? See twm_reports_total and twm_decode_errors_total of the ingester.",
        )
    return Finding("frames", "OK", f"the newest is {max(age_s, 0.0):.0f} s old")


def _why(message: str) -> str:
    """Without the address, which stands before it."""
    words = message.partition(": ")[2] or message
    if "Connect call failed" in words or "Connection refused" in words:
        return "nobody listens there (connection refused)"
    return words


def _advice(message: str) -> str:
    lowered = message.lower()
    if any(word in lowered for word in ("noauth", "wrongpass", "invalid username", "authentication")):
        return "Correct user and password in TWM_REDIS_URL (redis://user:password@host:6379/0)."
    if "certificate" in lowered or "ssl" in lowered:
        return "rediss:// needs a certificate that this machine trusts and that names the host (?ssl_ca_certs=/path/ca.crt)."
    if "name or service not known" in lowered or "resolution" in lowered or "getaddrinfo" in lowered:
        return "The host name in TWM_REDIS_URL is not known here: check it and the DNS."
    if "no answer within" in lowered:
        return "Something swallows the packets: check firewall, network policy, and that it is Redis that listens there."
    return _RUN
