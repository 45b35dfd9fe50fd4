"""`twm decode`: print an E2SM-KPM header or message as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from twm.core.e2sm.dialects import DIALECTS
from twm.core.errors import DecodeError, InvalidInputError
from twm.core.per import MAX_BYTES
from twm.ingester.kpm import decode_header, decode_message, to_json
from twm.ingester.kpm.e2ap import decode_ric_indication

_MAX_TEXT = 4 * MAX_BYTES
"""Most bytes read: hex text with white space of the largest PDU."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--dialect", required=True, choices=sorted(DIALECTS), help="KPM dialect of the E2 node")
    parser.add_argument(
        "--pdu",
        choices=("header", "message", "e2ap"),
        default="message",
        help="what the bytes are: KPM indication header or message, or a whole E2AP RICindication (default: message)",
    )
    parser.add_argument(
        "--received", type=float, metavar="UNIX_S", help="when it was received; decides between time stamp clocks"
    )
    parser.add_argument("--compact", action="store_true", help="one line of JSON")
    parser.add_argument(
        "source", metavar="HEX|FILE", help="hex digits, a file with hex text or raw bytes, or - for standard input"
    )


def run(args: argparse.Namespace) -> int:
    """Print the JSON; exit code 2 and a message on standard error where the input cannot be decoded."""
    try:
        data = read_source(args.source)
        result: object
        if args.pdu == "header":
            result = to_json(decode_header(data, args.dialect, received_s=args.received))
        elif args.pdu == "message":
            result = to_json(decode_message(data, args.dialect))
        else:
            indication = decode_ric_indication(data)
            result = {
                "ricRequestorID": indication.ric_request_id,
                "ricInstanceID": indication.instance_id,
                "RANfunctionID": indication.ran_function_id,
                "RICactionID": indication.action_id,
                "RICindicationSN": indication.sn,
                "header": to_json(decode_header(indication.header, args.dialect, received_s=args.received)),
                "message": to_json(decode_message(indication.message, args.dialect)),
            }
    except InvalidInputError as error:
        hint = "; where the bytes are whole, the node speaks another --dialect" if isinstance(error, DecodeError) else ""
        print(f"twm decode: {error} ({error.reason}){hint}", file=sys.stderr)
        return 2
    print(json.dumps(result, separators=(",", ":")) if args.compact else json.dumps(result, indent=2))
    return 0


def read_source(source: str) -> bytes:
    """Bytes of hex digits, of a file (hex text or raw), or of standard input ("-"). Raises InvalidInputError."""
    if source == "-":
        return _bytes_of(sys.stdin.buffer.read(_MAX_TEXT + 1))
    if os.path.isfile(source):  # unlike Path.is_file it is False, not an error, for text no path can be
        try:
            with Path(source).open("rb") as file:
                return _bytes_of(file.read(_MAX_TEXT + 1))
        except OSError as error:
            raise InvalidInputError(f"{source[:80]!r}: cannot be read: {error.strerror}") from error
    digits = _from_hex(source)
    if digits is None:
        raise InvalidInputError(f"{source[:80]!r}: neither hex digits nor a file")
    return digits


def _bytes_of(content: bytes) -> bytes:
    if len(content) > _MAX_TEXT:
        raise InvalidInputError(f"input: more than {_MAX_TEXT} bytes")
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        return content
    digits = _from_hex(text)
    return content if digits is None else digits


def _from_hex(text: str) -> bytes | None:
    compact = "".join(text.split())
    if compact[:2] in ("0x", "0X"):
        compact = compact[2:]
    try:
        return bytes.fromhex(compact) if compact else None
    except ValueError:
        return None
