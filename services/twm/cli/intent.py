"""`twm intent "..."`: compile an intent and print what was understood, or what is unclear; --activate makes it count.

Asks a running gateway, or with --offline compiles here. Exit 0 understood, 2 bad input, 4 there are questions.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twm.cli.gateway_client import DEFAULT_URL, MAX_ANSWER_BYTES, ask, bearer
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.network import load_network
from twm.core.paths import find_network

EXIT_QUESTIONS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "text", nargs="?", metavar="TEXT", help="the intent in words; left out with --structured, --list, --withdraw"
    )
    parser.add_argument("--structured", type=Path, metavar="FILE", help="a structured intent (JSON) instead of words")
    parser.add_argument("--activate", action="store_true", help="make it count, where it is clear")
    parser.add_argument("--list", action="store_true", help="show the active intents")
    parser.add_argument("--withdraw", metavar="ID", help="take an active intent back")
    parser.add_argument("--gateway", default=DEFAULT_URL, metavar="URL", help="gateway to ask (default: %(default)s)")
    parser.add_argument("--offline", action="store_true", help="compile here, without a gateway and without effect")
    parser.add_argument(
        "--network", default="poc-city", metavar="NAME|FILE", help="network spec for --offline (default: %(default)s)"
    )
    parser.add_argument(
        "--timezone", metavar="ZONE", help="IANA time zone that times are said in (default: this machine's, else UTC)"
    )
    parser.add_argument("--now", metavar="TIME", help="with --offline: moment it is said at, ISO 8601 (default: now)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Do it, print, return the exit code. A bearer token is taken from TWM_TOKEN."""
    given = sum((args.text is not None, args.structured is not None, args.list, args.withdraw is not None))
    if given != 1:
        raise InvalidInputError("intent: give one of TEXT, --structured, --list, --withdraw")
    args.timezone = args.timezone or _local_zone()
    if args.offline:
        if args.list or args.withdraw or args.activate:
            raise InvalidInputError("--offline: only compiles; nothing is activated, listed or withdrawn")
        return _print(_offline(args), args.json)
    if args.list:
        return _print_list(_call(args.gateway, "GET", "/v1/intents"), args.json)
    if args.withdraw is not None:
        found = _call(args.gateway, "DELETE", f"/v1/intents/{args.withdraw}")
        print(json.dumps(found) if args.json else f"withdrawn: {found['intent_id']}")
        return 0
    body: dict[str, Any] = {"structured": _read(args.structured)} if args.structured else {"text": args.text}
    if args.timezone:
        body["timezone"] = args.timezone
    if not args.activate:
        return _print(_call(args.gateway, "POST", "/v1/intents/compile", body), args.json)
    answer = _call(args.gateway, "POST", "/v1/intents", body)
    intent = answer.get("intent") or {}
    shown = {**intent, "questions": answer.get("questions", []), "readings": answer.get("readings", [])}
    return _print(shown, args.json, head=f"active: {intent.get('intent_id')}" if answer.get("activated") else "")


def _local_zone() -> str | None:
    """IANA name of this machine's time zone; None where it cannot be told."""
    name = os.environ.get("TZ", "").removeprefix(":") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return name


def _offline(args: argparse.Namespace) -> dict[str, Any]:
    from twm.gateway.intents.grammar import GrammarCompiler
    from twm.gateway.intents.plain import to_plain
    from twm.gateway.intents.structured import compile_structured
    from twm.gateway.intents.told import told

    spec = load_network(find_network(args.network))
    try:
        zone: dt.tzinfo = zoneinfo.ZoneInfo(args.timezone) if args.timezone else dt.UTC
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError(f"--timezone: {args.timezone!a} is no IANA time zone") from error
    try:
        now = dt.datetime.fromisoformat(args.now) if args.now else dt.datetime.now(zone)
    except ValueError as error:
        raise InvalidInputError(f"--now: {args.now!a} is no ISO 8601 time") from error
    now = (now if now.tzinfo else now.replace(tzinfo=zone)).astimezone(zone)
    if args.structured is not None:
        result = compile_structured(_read(args.structured), spec, now)
    else:
        result = GrammarCompiler().compile(args.text, spec, now)
    out: dict[str, Any] = {"compiler": result.compiler, "questions": [], "intent": None, "intent_id": None, "told": []}
    if result.HasField("questions"):
        for q in result.questions.items:
            out["questions"].append({"code": q.code, "field": q.field, "text": q.text, "choices": list(q.choices)})
    else:
        out |= {
            "intent_id": result.spec.intent_id,
            "intent": to_plain(result.spec, spec),
            "told": told(result.spec, spec, zone),
        }
    return out


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_ANSWER_BYTES:
            raise InvalidInputError(f"--structured: {path} is larger than {MAX_ANSWER_BYTES} bytes")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"--structured: {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"--structured: {path} is not JSON: {str(error)[:200]}") from error


def _call(gateway: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        return dict(ask(gateway, method, path, body, authorization=bearer(os.environ.get("TWM_TOKEN", ""))))
    except UnavailableError as error:
        raise UnavailableError(f"{error}; --offline compiles without one") from error


def _print(found: dict[str, Any], as_json: bool, *, head: str = "") -> int:
    questions: Sequence[dict[str, Any]] = found.get("questions") or []
    if as_json:
        print(json.dumps(found, indent=2, sort_keys=True))
        return EXIT_QUESTIONS if questions else 0
    for q in questions:
        place = f" ({q['field']})" if q["field"] else ""
        print(f"? {q['text']}  [{q['code']}{place}]")
        if q["choices"]:
            print(f"    {' | '.join(q['choices'])}")
    for reading in found.get("readings") or []:
        print(f"{reading['source']} reads: {'; '.join(reading['told'])}")
        print(f"    --structured: {json.dumps(reading['intent'])}")
    if questions:
        print("Nothing was activated.", file=sys.stderr)
        return EXIT_QUESTIONS
    if head:
        print(head)
    for line in found.get("told") or []:
        print(f"- {line}")
    return 0


def _print_list(found: dict[str, Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps(found, indent=2, sort_keys=True))
        return 0
    if not found["items"]:
        print("no active intents")
    for item in found["items"]:
        until = f", until {item['expires']}" if item["expires"] else ""
        print(f"{item['intent_id']}  by {item['subject']}{until}")
        for line in item["told"]:
            print(f"  - {line}")
    return 0
