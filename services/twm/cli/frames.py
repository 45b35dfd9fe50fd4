"""`twm frames`: the newest KPI frames of a running system into a file, for fine-tuning and study (twm.core.frame_file)."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from twm.core.errors import InvalidInputError
from twm.core.frame_file import write_frames
from twm.core.stream_names import STREAM_BOUNDS
from twm.core.streams import StreamNames, Streams

MAX_COUNT = 2 * STREAM_BOUNDS["frames"]
_PAGE = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--area", default="poc-city", help="planning area (default: %(default)s)")
    parser.add_argument("--redis-url", required=True, metavar="URL", help="server with the area's streams")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="where to write; replaced as a whole")
    parser.add_argument("--count", type=int, default=STREAM_BOUNDS["frames"], metavar="N", help="newest frames to take")


def run(args: argparse.Namespace) -> int:
    """Write the file, print how many frames it holds. Raises InvalidInputError, UnavailableError."""
    if not 1 <= args.count <= MAX_COUNT:
        raise InvalidInputError(f"--count: {args.count} is outside 1..{MAX_COUNT}")
    payloads = asyncio.run(newest_frames(args.redis_url, args.area, args.count))
    if not payloads:
        raise InvalidInputError(f"--area: no frames of {args.area[:64]!r} there")
    print(f"{args.out}: {write_frames(args.out, payloads)} frames")
    return 0


async def newest_frames(url: str, area: str, count: int) -> list[bytes]:
    """The newest `count` serialised KpiFrames of an area, oldest first. Raises InvalidInputError, UnavailableError."""
    names = StreamNames.of(area)
    streams = await Streams.connect(url)
    try:
        excess = max(await streams.length(names.frames) - count, 0)
        cursor, found = "-", []
        while entries := await streams.range(names.frames, after=cursor, count=_PAGE):
            cursor = entries[-1].id
            found += [entry.payload for entry in entries[max(excess, 0) :]]
            excess -= len(entries)
        return found[-count:]
    finally:
        await streams.close()
