"""`python -m twm_bench.language intents`: fields, exact match, clarification recall and false questions of a compiler."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import statistics
import time
import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.gateway.intents.compiler import Compiler
from twm.gateway.intents.grammar import GrammarCompiler
from twm_bench.language.atoms import compare, items_of, reference_of

FOLDER = Path(__file__).resolve().parent
SETS: Mapping[str, tuple[str, str]] = {
    "heldout": ("heldout", "unclear"),
    "second": ("second", "second-unclear"),
    "third": ("third", "third-unclear"),
    "fourth": ("fourth", "fourth-unclear"),
    "fifth": ("fifth", "fifth-unclear"),
    "sixth": ("sixth", "sixth-unclear"),
    "seventh": ("seventh", "seventh-unclear"),
    "dev": ("dev", "dev-unclear"),
    "strangers": ("strangers", "strangers-unclear"),
}
"""Name to (clear, unclear) files."""
HELDOUT = ("heldout", "second", "third", "fourth", "fifth", "sixth", "seventh")
TOGETHER = "all"
"""All held-out sets as one."""
TARGETS = {"field_f1": 0.95, "clarification_recall": 0.90, "false_question_ratio": 0.05}
FITTING: Mapping[str, frozenset[str]] = {
    "missing_bound": frozenset({"missing_bound", "not_understood", "missing_comparator", "missing_unit"}),
    "relative": frozenset({"relative_bound", "missing_bound"}),
    "unknown_zone": frozenset({"unknown_zone", "fuzzy_name"}),
    "unknown_slice": frozenset({"unknown_slice", "fuzzy_name"}),
    "unknown_cell": frozenset({"unknown_cell", "fuzzy_name"}),
    "unknown_link": frozenset({"unknown_link", "fuzzy_name", "missing_link"}),
    "fuzzy": frozenset({"fuzzy_name"}),
    "ambiguous_scope": frozenset({"ambiguous_scope", "missing_bound", "unknown_cell"}),
    "clash": frozenset({"clashing_bounds", "clashing_shares", "clashing_ranks", "clashing_change", "missing_comparator"}),
    "unit": frozenset({"unit_mismatch", "missing_unit", "ambiguous_unit"}),
    "past": frozenset({"window_past", "window_empty"}),
    "impossible": frozenset({"impossible_bound", "out_of_range"}),
    "chitchat": frozenset({"out_of_domain"}),
    "out_of_domain": frozenset({"out_of_domain", "unsupported_action", "not_understood"}),
    "question": frozenset({"no_goal", "out_of_domain", "missing_bound"}),
    "injection": frozenset(
        {"out_of_domain", "unsupported_action", "no_goal", "not_understood", "missing_bound", "missing_link"}
    ),
    "unsupported": frozenset({"unsupported_kpi", "unsupported_recurrence", "unsupported_scope", "unsupported_action"}),
    "condition": frozenset(
        {"unsupported_condition", "unsupported_action", "unsupported_scope", "ambiguous_window", "not_understood"}
    ),
    "time": frozenset({"ambiguous_time", "ambiguous_window"}),
    "vague": frozenset({"no_goal", "missing_bound", "ambiguous_scope", "out_of_domain"}),
}
"""Class of an unclear intent to the question codes that fit it."""


@dataclass
class Tally:
    """Counts of one class."""

    count: int = 0
    exact: int = 0
    asked: int = 0
    right: int = 0
    expected: int = 0
    found: int = 0

    def summary(self) -> dict[str, float | int]:
        """Measures."""
        total = self.expected + self.found
        return {
            "count": self.count,
            "field_f1": round(2 * self.right / total, 4) if total else 0.0,
            "exact_match": round(self.exact / self.count, 4) if self.count else 0.0,
            "false_question_ratio": round(self.asked / self.count, 4) if self.count else 0.0,
            "wrong_without_question": self.count - self.exact - self.asked,
        }


def load(name: str) -> list[dict[str, Any]]:
    """Lines of a set."""
    return [json.loads(line) for line in (FOLDER / "sets" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines() if line]


def network(name: str) -> NetworkSpec:
    """A spec that ships, or one of this folder's."""
    own = FOLDER / "networks" / f"{name}.yaml"
    return load_network(own if own.is_file() else find_network(name))


def measure(compiler: Compiler, set_name: str) -> dict[str, Any]:
    """All measures of one set, or of all held-out ones together (TOGETHER), with the lines that went wrong."""
    names = HELDOUT if set_name == TOGETHER else (set_name,)
    specs: dict[str, NetworkSpec] = {}
    total, by_style, by_kind, by_network = Tally(), defaultdict(Tally), defaultdict(Tally), defaultdict(Tally)
    wrong_fields: Counter[str] = Counter()
    misses: list[dict[str, Any]] = []
    times_ms: list[float] = []
    for row in (row for name in names for row in load(SETS[name][0])):
        spec = _spec_of(row["network"], specs)
        result, elapsed = _timed(compiler, row, spec)
        times_ms.append(elapsed)
        expected = items_of(row["expect"])
        asked = result is None or result.HasField("questions")
        found = [] if asked else items_of(reference_of(result.spec, spec))
        right, n_expected, n_found, wrong = compare(expected, found)
        kinds = {i["kind"] for i in expected}
        for tally in (total, by_style[row["style"]], by_network[row["network"]], *(by_kind[k] for k in kinds)):
            tally.count += 1
            tally.exact += not wrong
            tally.asked += asked
            tally.right += right
            tally.expected += n_expected
            tally.found += n_found
        if wrong:
            codes = [q.code for q in result.questions.items] if result is not None and asked else []
            wrong_fields.update([f"question:{c}" for c in codes] if asked else wrong)
            misses.append({"id": row["id"], "text": row["text"], "wrong": wrong if not asked else [], "questions": codes})
    recall = _unclear(compiler, [row for name in names for row in load(SETS[name][1])], specs, times_ms)
    return {
        "set": set_name,
        "compiler": compiler.name,
        **total.summary(),
        **{k: recall[k] for k in ("clarification_recall", "right_class_ratio", "unclear_count", "guessed_unclear")},
        "milliseconds": {
            "median": round(statistics.median(times_ms), 3),
            "p99": round(statistics.quantiles(times_ms, n=100)[98], 3),
            "max": round(max(times_ms), 3),
        },
        "by_style": {k: v.summary() for k, v in sorted(by_style.items())},
        "by_kind": {k: v.summary() for k, v in sorted(by_kind.items())},
        "by_network": {k: v.summary() for k, v in sorted(by_network.items())},
        "unclear_by_class": recall["by_class"],
        "wrong_fields": dict(wrong_fields.most_common(40)),
        "misses": misses,
        "unclear_misses": recall["misses"],
    }


def _unclear(
    compiler: Compiler, rows: list[dict[str, Any]], specs: dict[str, NetworkSpec], times_ms: list[float]
) -> dict[str, Any]:
    asked, fitting = Counter(), Counter()
    counts: Counter[str] = Counter()
    misses = []
    guessed = 0
    for row in rows:
        spec = _spec_of(row["network"], specs)
        result, elapsed = _timed(compiler, row, spec)
        times_ms.append(elapsed)
        guessed += result is not None and not result.HasField("questions")
        codes = {q.code for q in result.questions.items} if result is not None and result.HasField("questions") else set()
        kind = row["class"]
        counts[kind] += 1
        asked[kind] += bool(codes)
        fits = bool(codes & FITTING[kind])
        fitting[kind] += fits
        if not fits:
            misses.append({"id": row["id"], "class": kind, "text": row["text"], "questions": sorted(codes)})
    n = len(rows)
    return {
        "clarification_recall": round(sum(asked.values()) / n, 4),
        "right_class_ratio": round(sum(fitting.values()) / n, 4),
        "unclear_count": n,
        "guessed_unclear": guessed,
        "by_class": {
            k: {"count": counts[k], "recall": round(asked[k] / counts[k], 4), "right_class": round(fitting[k] / counts[k], 4)}
            for k in sorted(counts)
        },
        "misses": misses,
    }


def _spec_of(name: str, known: dict[str, NetworkSpec]) -> NetworkSpec:
    if name not in known:
        known[name] = network(name)
    return known[name]


def _timed(compiler: Compiler, row: dict[str, Any], spec: NetworkSpec) -> tuple[Any, float]:
    now = dt.datetime.fromisoformat(row["now"]).astimezone(zoneinfo.ZoneInfo(row["timezone"]))
    started = time.process_time()
    try:
        result = compiler.compile(row["text"], spec, now)
    except InvalidInputError:
        result = None
    return result, 1000 * (time.process_time() - started)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--set", choices=(*sorted(SETS), TOGETHER), help="one set only (default: each held-out set, then all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measures here")
    parser.add_argument("--misses", action="store_true", help="print the lines that went wrong")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write; 0 where every target is met in every set."""
    names = (args.set,) if args.set else (*HELDOUT, TOGETHER)
    reports = {name: measure(GrammarCompiler(), name) for name in names}
    for found in reports.values():
        _print(found, misses=args.misses)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(reports, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(map(_met, reports.values())) else 1


def _met(found: Mapping[str, Any]) -> bool:
    return bool(
        found["field_f1"] >= TARGETS["field_f1"]
        and found["clarification_recall"] >= TARGETS["clarification_recall"]
        and found["false_question_ratio"] <= TARGETS["false_question_ratio"]
    )


def _print(found: Mapping[str, Any], *, misses: bool) -> None:
    print(f"{found['set']}: {found['count']} clear, {found['unclear_count']} unclear, compiler {found['compiler']}")
    for name, key in (
        ("field F1", "field_f1"),
        ("exact match", "exact_match"),
        ("false questions", "false_question_ratio"),
        ("clarification recall", "clarification_recall"),
        ("... with a fitting code", "right_class_ratio"),
    ):
        print(f"  {name:24} {found[key]:.3f}")
    print(f"  {'wrong, no question':24} {found['wrong_without_question']} clear, {found['guessed_unclear']} unclear")
    times = found["milliseconds"]
    print(f"  {'CPU time':24} {times['median']:.2f} ms median, {times['p99']:.2f} ms p99, {times['max']:.2f} ms worst")
    for title in ("by_style", "by_kind", "by_network"):
        for key, row in found[title].items():
            line = f"n={row['count']:3d}  F1 {row['field_f1']:.3f}  exact {row['exact_match']:.3f}"
            line += f"  asked {row['false_question_ratio']:.3f}  wrong {row['wrong_without_question']}"
            print(f"  {title[3:]:8} {key:16} {line}")
    for key, row in found["unclear_by_class"].items():
        print(f"  unclear  {key:16} n={row['count']:3d}  recall {row['recall']:.3f}  fitting {row['right_class']:.3f}")
    print("  wrong:", ", ".join(f"{k} {v}" for k, v in found["wrong_fields"].items()) or "nothing")
    if misses:
        for miss in (*found["misses"], *found["unclear_misses"]):
            print("   ", json.dumps(miss, ensure_ascii=False))
