"""`python -m twm_bench.language model`: what a language model alone reads in the sets, and what it adds to the grammar.

Each line is asked once, held to the schema; what is done is kept (`--state`) and a later run goes on from there. A reading
counts as the product counts it: checked by the same code, unusable where it fails. Beside it stand the grammar's, and what the
operator gets from both (`twm.gateway.language.opinion`).
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import statistics
import sys
import threading
import time
import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import twm_train.language
from twm.api.intent.v1 import intent_pb2
from twm.core.errors import TwmError
from twm.core.network import NetworkSpec
from twm.gateway.intents.agree import agree
from twm.gateway.intents.grammar import GrammarCompiler
from twm.gateway.language.breaker import BreakerSettings
from twm.gateway.language.client import Endpoint, ModelClient
from twm.gateway.language.compiler import ModelCompiler
from twm.gateway.language.offline import OfflineModel, packaged_model, server, shipped_adapter
from twm_bench.language.atoms import compare, items_of, reference_of
from twm_bench.language.intents import SETS, Tally, load, network

OWN = "validation"
"""Phrasings that training may be looked at with; the others are measured only."""
NEVER = BreakerSettings(failures=10**9)
"""A circuit that does not open: every line is asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--url", help="base URL of an OpenAI-compatible endpoint (default: the offline model, started here)")
    parser.add_argument("--model", default="", help="name of the model there")
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help="bearer token for it")
    parser.add_argument("--prompt", choices=("full", "short"), help="prompt (default: full with --url, else short)")
    parser.add_argument("--adapter", type=Path, metavar="GGUF", help="adapter of the offline model (default: the shipped one)")
    parser.add_argument("--no-adapter", action="store_true", help="the offline model as it is")
    parser.add_argument("--threads", type=int, default=2, help="threads of the offline model (default %(default)d)")
    parser.add_argument("--set", choices=(*sorted(SETS), OWN), default="heldout", help="sentences (default: %(default)s)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th line of the set only (default: all)")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop asking after this long [min] (default %(default)g)")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="longest a call may take [s] (default %(default)g)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="answers so far, one JSON a line (default: var/...)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measures here")


def run(args: argparse.Namespace) -> int:
    """Ask, measure, print; 0 where every line of the subset was asked."""
    try:
        with served(args) as (url, name):
            style = args.prompt or ("full" if args.url else "short")
            key = args.api_key_file
            endpoint = Endpoint(url=url, model=name, api_key_file=key, timeout_s=args.timeout_s, breaker=NEVER)
            compiler = ModelCompiler(ModelClient(endpoint), style, timeout_s=args.timeout_s)
            state = args.state or Path("var/language") / f"{name.replace('/', '-')}-{style}-{args.set}.jsonl"
            rows, whole = ask(compiler, args.set, args.every, state, args.minutes)
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = {"name": name, "prompt": style, "set": args.set, "every": args.every, **measures(rows)}
    show(found)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if whole else 1


def ask(compiler: ModelCompiler, set_name: str, every: int, state: Path, minutes: float) -> tuple[list[dict[str, Any]], bool]:
    """Answers to the subset's lines, and whether there is one to each."""
    lines = [("clear" if "expect" in row else "unclear", row) for part in _parts(set_name) for row in part[::every]]
    state.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if state.is_file():
        known = {row["id"]: row for row in map(json.loads, state.read_text(encoding="utf-8").splitlines())}
    grammar, specs = GrammarCompiler(), dict[str, NetworkSpec]()
    until = time.monotonic() + 60 * minutes
    began, asked_now = time.monotonic(), 0
    with state.open("a", encoding="utf-8") as file:
        for i, (kind, row) in enumerate(lines):
            if row["id"] in known:
                continue
            if time.monotonic() > until:
                break
            spec = specs.setdefault(row["network"], network(row["network"]))
            known[row["id"]] = _asked(compiler, grammar, kind, row, spec)
            file.write(json.dumps(known[row["id"]]) + "\n")
            file.flush()
            asked_now += 1
            if asked_now % 10 == 0:
                pace = (time.monotonic() - began) / asked_now
                print(
                    f"{i + 1}/{len(lines)}, {pace:.1f} s a line, {pace * (len(lines) - i - 1) / 60:.0f} min to go", flush=True
                )
    done = [known[row["id"]] for _, row in lines if row["id"] in known]
    return done, len(done) == len(lines)


def _parts(set_name: str) -> list[list[dict[str, Any]]]:
    if set_name != OWN:
        return [load(name) for name in SETS[set_name]]
    text = Path(twm_train.language.__file__).with_name("phrasings.jsonl").read_text(encoding="utf-8")
    return [[json.loads(line) for line in text.splitlines()]]


def _asked(
    compiler: ModelCompiler, grammar: GrammarCompiler, kind: str, row: dict[str, Any], spec: NetworkSpec
) -> dict[str, Any]:
    now = dt.datetime.fromisoformat(row["now"]).astimezone(zoneinfo.ZoneInfo(row["timezone"]))
    first = grammar.compile(row["text"], spec, now)
    second, reason = None, ""
    began = time.perf_counter()
    try:
        second = compiler.compile(row["text"], spec, now)
    except TwmError as error:
        reason = error.reason
    elapsed_s = time.perf_counter() - began
    both = agree(first, second, spec)
    out: dict[str, Any] = {
        "id": row["id"],
        "kind": kind,
        "network": row["network"],
        "seconds": round(elapsed_s, 3),
        "unusable": reason,
        "agreement": intent_pb2.Agreement.Name(both.agreement).removeprefix("AGREEMENT_").lower(),
        "asked_together": both.HasField("questions"),
    }
    for name, result in (("model", second), ("grammar", first)):
        reads = result is not None and result.HasField("spec")
        out[name] = {"reads": reads}
        if kind == "clear":
            expected = items_of(row["expect"])
            found = items_of(reference_of(result.spec, spec)) if result is not None and reads else []
            right, n_expected, n_found, wrong = compare(expected, found)
            out[name] |= {"right": right, "expected": n_expected, "found": n_found, "wrong": wrong}
            out["kinds"] = sorted({item["kind"] for item in expected})
            out["window"] = any(k.startswith("window.") for item in expected for k in item)
            out["parts"] = len(expected)
    return out


def measures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Measures of the answers."""
    clear, unclear = ([r for r in rows if r["kind"] == kind] for kind in ("clear", "unclear"))
    seconds = sorted(r["seconds"] for r in rows) or [0.0]
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in clear:
        for kind in row["kinds"]:
            groups[f"kind {kind}"].append(row)
        groups["with a window" if row["window"] else "without a window"].append(row)
        groups["one part" if row["parts"] == 1 else "several parts"].append(row)
        groups[f"network {row['network']}"].append(row)
    wrong = [r for r in clear if r["grammar"]["reads"] and r["grammar"]["wrong"]]
    right = [r for r in clear if r["grammar"]["reads"] and not r["grammar"]["wrong"]]
    return {
        "clear": len(clear),
        "unclear": len(unclear),
        "model": _tally(clear, "model"),
        "grammar": _tally(clear, "grammar"),
        "unusable": dict(Counter(r["unusable"] for r in rows if r["unusable"])),
        "unclear_recall": {name: _share([not r[name]["reads"] for r in unclear]) for name in ("model", "grammar")},
        "agreement": dict(Counter(r["agreement"] for r in clear)),
        "together": {
            "asked_of_clear": _share([r["asked_together"] for r in clear]),
            "asked_where_grammar_right": _share([r["asked_together"] for r in right]),
            "grammar_wrong_without_a_question": len(wrong),
            "of_them_asked": sum(r["asked_together"] for r in wrong),
        },
        "seconds": {"median": statistics.median(seconds), "p95": seconds[int(0.95 * (len(seconds) - 1))], "max": seconds[-1]},
        "by": {name: _tally(group, "model") for name, group in sorted(groups.items())},
        "wrong_fields": dict(Counter(w for r in clear for w in r["model"]["wrong"]).most_common(12)),
    }


def _tally(rows: list[dict[str, Any]], name: str) -> dict[str, float | int]:
    tally = Tally()
    for row in rows:
        found = row[name]
        tally.count += 1
        tally.exact += not found["wrong"]
        tally.asked += not found["reads"]
        tally.right += found["right"]
        tally.expected += found["expected"]
        tally.found += found["found"]
    return tally.summary()


def _share(found: list[bool]) -> float | None:
    return round(sum(found) / len(found), 4) if found else None


def show(found: dict[str, Any]) -> None:
    """Print the measures."""
    model, grammar, both = found["model"], found["grammar"], found["together"]
    lines = f"{found['clear']} clear and {found['unclear']} unclear lines of {found['set']}"
    print(f"{found['name']}, prompt {found['prompt']}: {lines}")
    print(f"  field F1           model {model['field_f1']:.3f}  grammar {grammar['field_f1']:.3f}")
    print(f"  exact              model {model['exact_match']:.3f}  grammar {grammar['exact_match']:.3f}")
    print(f"  no reading         model {model['false_question_ratio']:.3f}  grammar {grammar['false_question_ratio']:.3f}")
    print(f"  unclear, no reading: {found['unclear_recall']}; unusable: {found['unusable']}")
    print(f"  agreement: {found['agreement']}; together: {both}")
    print(f"  seconds: {found['seconds']}")
    for name, row in found["by"].items():
        print(f"  {name:22} n={row['count']:3d}  F1 {row['field_f1']:.3f}  exact {row['exact_match']:.3f}")
    print("  wrong:", ", ".join(f"{k} {v}" for k, v in found["wrong_fields"].items()) or "nothing")


@contextlib.contextmanager
def served(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """(URL, model name); the offline model is served on loopback meanwhile."""
    if args.url:
        yield args.url, args.model
        return
    adapter = None if args.no_adapter else args.adapter or shipped_adapter()
    model = OfflineModel(packaged_model(), adapter, threads=args.threads, deadline_s=args.timeout_s)
    listener = server(model, 0)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}/v1", model.name
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(timeout=5)
