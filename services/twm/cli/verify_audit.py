"""`twm verify-audit`: check the audit hash chain of a file, or of the stream in Redis. Exit 0 holds, 3 broken, 2 bad input."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from pathlib import Path

from twm.core.errors import AuditError, InvalidInputError, TwmError
from twm.core.streams import StreamNames, Streams
from twm.gateway.audit import ChainHead, ChainVerifier
from twm.gateway.audit_log import read_records
from twm.gateway.audit_stream import verify_stream

EXIT_BROKEN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", metavar="FILE", type=Path, help="audit log of a gateway, audit-<area>.jsonl")
    source.add_argument("--redis-url", metavar="URL", help="check the audit stream of a running system instead")
    parser.add_argument("--area", default="poc-city", help="planning area of the stream (default: %(default)s)")
    parser.add_argument(
        "--expect-head",
        metavar="[SEQUENCE:]HASH",
        help="hash (and number) the last record must have, noted earlier: only this shows that the end was cut off",
    )
    parser.add_argument(
        "--partial", action="store_true", help="the file may begin later than record 1, as after a trimmed stream"
    )


def run(args: argparse.Namespace) -> int:
    """Check, print the result, return the exit code."""
    try:
        expected = _expected_head(args.expect_head)
        if args.redis_url is not None:
            where, verifier = f"audit stream of {args.area}", asyncio.run(_verify_stream(args.redis_url, args.area, expected))
        else:
            where, verifier = str(args.file), _verify_file(args.file, expected, partial=args.partial)
    except AuditError as error:
        print(f"audit chain broken: {error}", file=sys.stderr)
        return EXIT_BROKEN
    except OSError as error:
        print(f"verify-audit: {args.file}: {error.strerror}", file=sys.stderr)
        return 2
    except TwmError as error:
        print(f"verify-audit: {error}", file=sys.stderr)
        return 2
    if verifier.count == 0:
        print(f"{where}: no records")
    else:
        first, last = verifier.first_sequence, verifier.head
        print(f"{where}: {verifier.count} records ({first} to {last.sequence}) hold, head {last.sequence}:{last.hash}")
    return 0


def _expected_head(text: str | None) -> ChainHead | None:
    if text is None:
        return None
    found = re.fullmatch(r"(?:(\d{1,19}):)?([0-9a-f]{64})", text)
    if found is None:
        raise InvalidInputError(f"--expect-head: {text[:100]!r} is not [SEQUENCE:]HASH with 64 hexadecimal digits")
    return ChainHead(int(found[1] or 0), found[2])


def _verify_file(path: Path, expected: ChainHead | None, *, partial: bool) -> ChainVerifier:
    verifier = ChainVerifier(partial=partial)
    for number, record in enumerate(read_records(path), 1):
        try:
            verifier.feed(record)
        except AuditError as error:
            raise AuditError(f"line {number}: {error}") from error
    verifier.finish(expected)
    return verifier


async def _verify_stream(url: str, area: str, expected: ChainHead | None) -> ChainVerifier:
    streams = await Streams.connect(url)
    try:
        verifier = await verify_stream(streams, StreamNames.of(area))
    finally:
        await streams.close()
    verifier.finish(expected)
    return verifier
