"""`python -m twm_bench.language tools`: which tool a language model calls for an operator's question, and with what.

Each task of `sets/tools.jsonl` is one turn of the assistant (`twm.gateway.tools.agent`): the chat as it is sent, the call or
answer that comes back, judged by what it would do. Beside it stands what happens without a model (`tool_baselines`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twm.core.errors import TwmError
from twm.core.network import NetworkSpec
from twm.gateway.language.client import Endpoint, ModelClient
from twm.gateway.tools.declarations import chat_tools
from twm_bench.language.intents import network
from twm_bench.language.model import NEVER, served
from twm_bench.language.tool_baselines import BASELINES
from twm_bench.language.tool_score import judged, measures
from twm_bench.language.tool_set import chat_of, tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--url", help="base URL of an OpenAI-compatible endpoint (default: the offline model, started here)")
    parser.add_argument("--model", default="", help="name of the model there")
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help="bearer token for it")
    parser.add_argument("--adapter", type=Path, metavar="GGUF", help="adapter of the offline model (default: the shipped one)")
    parser.add_argument("--no-adapter", action="store_true", help="the offline model as it is")
    parser.add_argument("--baseline", choices=sorted(BASELINES), help="no model: this rule instead")
    parser.add_argument("--threads", type=int, default=2, help="threads of the offline model (default %(default)d)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th task only (default: all)")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N tasks (default: all)")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop asking after this long [min] (default %(default)g)")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="longest a turn may take [s] (default %(default)g)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="answers so far, one JSON a line (default: var/...)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measures here")


def run(args: argparse.Namespace) -> int:
    """Ask, measure, print; 0 where every task was asked."""
    rows = tasks(args.every, args.limit)
    try:
        if args.baseline:
            name, rule, specs = args.baseline, BASELINES[args.baseline], dict[str, NetworkSpec]()
            found = []
            for row in rows:
                spec = specs.setdefault(row["network"], network(row["network"]))
                found.append(judged(row, rule(row, spec), spec))
        else:
            with served(args) as (url, name):
                endpoint = Endpoint(
                    url=url, model=name, api_key_file=args.api_key_file, timeout_s=args.timeout_s, breaker=NEVER
                )
                state = args.state or Path("var/language") / f"{name.replace('/', '-')}-tools.jsonl"
                found = _ask(ModelClient(endpoint), rows, state, args.minutes, args.timeout_s)
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    seconds = sorted(one["seconds"] for one in found if "seconds" in one)
    out: dict[str, Any] = {"name": name, "set": "tools", "every": args.every, **measures(found)}
    if seconds:
        p95 = seconds[int(0.95 * (len(seconds) - 1))]
        out["seconds"] = {"median": statistics.median(seconds), "p95": p95, "max": seconds[-1]}
    _show(out)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    return 0 if len(found) == len(rows) else 1


def _ask(
    client: ModelClient, rows: list[dict[str, Any]], state: Path, minutes: float, timeout_s: float
) -> list[dict[str, Any]]:
    state.parent.mkdir(parents=True, exist_ok=True)
    known: dict[str, dict[str, Any]] = {}
    if state.is_file():
        known = {one["id"]: one for one in map(json.loads, state.read_text(encoding="utf-8").splitlines())}
    specs: dict[str, NetworkSpec] = {}
    began, asked_now = time.monotonic(), 0
    with state.open("a", encoding="utf-8") as file:
        for i, row in enumerate(rows):
            if row["id"] in known:
                continue
            if time.monotonic() - began > 60 * minutes:
                break
            spec = specs.setdefault(row["network"], network(row["network"]))
            known[row["id"]] = asyncio.run(_asked(client, row, spec, timeout_s))
            file.write(json.dumps(known[row["id"]]) + "\n")
            file.flush()
            asked_now += 1
            if asked_now % 10 == 0:
                print(f"{i + 1}/{len(rows)}, {(time.monotonic() - began) / asked_now:.1f} s a task", flush=True)
    return [known[row["id"]] for row in rows if row["id"] in known]


async def _asked(client: ModelClient, row: Mapping[str, Any], spec: NetworkSpec, timeout_s: float) -> dict[str, Any]:
    turn, reason = None, ""
    began = time.perf_counter()
    try:
        turn = await client.complete(chat_of(row, spec), chat_tools(), timeout_s=timeout_s)
    except TwmError as error:
        reason = error.reason
    seconds = round(time.perf_counter() - began, 3)
    return {**judged(row, turn, spec), "seconds": seconds, **({"unusable": reason} if reason else {})}


def _show(found: Mapping[str, Any]) -> None:
    first, refusals, after = found["first"], found["refusals"], found["after"]
    print(f"{found['name']}: {found['tasks']} tasks, {_text(found['right'])} right, {_text(found['valid'])} of a valid form")
    print(
        f"  first call         n={first['count']:3d}  tool {_text(first['tool_right'])}  with arguments {_text(first['right'])}"
    )
    no_call, right = _text(refusals["no_call"]), _text(refusals["right"])
    print(f"  refusals           n={refusals['count']:3d}  no call {no_call}  says so {right}")
    print(
        f"  after an answer    n={after['count']:3d}  right {_text(after['right'])}"
        f"  answers {_text(after['answers_right'])}  calls {_text(after['calls_right'])}"
    )
    for name, row in found["by"].items():
        print(f"  {name:22} n={row['count']:3d}  tool {_text(row['tool_right'])}  right {_text(row['right'])}")
    print("  taken for:", ", ".join(f"{k} {v}" for k, v in found["taken_for"].items()) or "nothing else")
    if "seconds" in found:
        print(f"  seconds: {found['seconds']}")


def _text(share: float | None) -> str:
    return "    -" if share is None else f"{share:.3f}"
