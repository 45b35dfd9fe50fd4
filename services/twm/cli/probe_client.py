"""Asks processes on loopback whether they are there. No threads: the supervisor forks."""

from __future__ import annotations

import asyncio
import contextlib


async def probe(port: int, path: str, timeout_s: float = 1.0) -> int:
    """HTTP status of GET `path` on loopback; 0 where nobody answers in time."""
    reply = await _ask(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode(), timeout_s)
    words = reply.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


async def ping_redis(port: int, timeout_s: float = 1.0) -> bool:
    """Whether a Redis-protocol server on loopback answers PING."""
    return (await _ask(port, b"*1\r\n$4\r\nPING\r\n", timeout_s)).startswith(b"+PONG")


async def _ask(port: int, request: bytes, timeout_s: float) -> bytes:
    """First line of the answer; empty where there is none in time."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            return await reader.readline()
    except (OSError, TimeoutError, ValueError):
        return b""
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
