"""The report's numbers from the results of units."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
from collections import defaultdict
from collections.abc import Sequence

from twm.core.network import NetworkSpec
from twm_bench.methods.catalogue import ABLATED, EVERYTHING, METHODS, ORACLE, OURS, UNIFORM
from twm_bench.methods.method import ModelFolders
from twm_bench.results import Ablation, Report, SeedsUsed, UnitResult
from twm_bench.runner import Run
from twm_bench.statistics import Played, difference, method_result
from twm_bench.units import ANY, code_revision, model_digests

_PACKAGES = ("twm", "numpy", "numba", "onnxruntime")


def assemble(
    spec: NetworkSpec,
    folders: ModelFolders,
    done: Run,
    *,
    variants: Sequence[str],
    scenarios: Sequence[str],
    seeds: SeedsUsed,
    command: str,
) -> Report:
    """All tables that the units allow; a method of which a horizon is missing is absent."""
    results: dict[tuple[str, str], list[UnitResult]] = defaultdict(list)
    for unit in done.results:
        for variant in variants if unit.variant == ANY else [unit.variant]:
            results[variant, unit.method].append(unit)

    def played(variant: str, method: str, seed_list: Sequence[int]) -> Played | None:
        return Played.of(results[variant, method], scenarios, seed_list)

    report = Report(
        spec_hash=spec.digest(),
        network=spec.name,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        command=command,
        seeds=seeds,
        scenarios=list(scenarios),
        versions=versions(),
        models=model_digests(spec, folders),
        variants={},
        comparisons={},
        ablations={},
        absent=dict(done.absent),
        calls={},
        wall_s=sum(unit.wall_s for unit in done.results),
    )
    for variant in variants:
        everyone = {m: p for m in METHODS if (p := played(variant, m, seeds.seeds)) is not None}
        marks = everyone.get(UNIFORM), everyone.get(ORACLE)
        report.variants[variant] = {m: method_result(spec, p, *marks) for m, p in everyone.items()}
        ours = everyone.get(OURS)
        report.comparisons[variant] = {m: difference(ours, p) for m, p in everyone.items() if ours is not None and m != OURS}
        whole = played(variant, OURS, seeds.ablation_seeds)
        few = [played(variant, m, seeds.ablation_seeds) for m in (UNIFORM, ORACLE)]
        report.ablations[variant] = {
            m: Ablation(result=method_result(spec, p, *few), difference=difference(whole, p))
            for m in ABLATED
            if whole is not None and (p := played(variant, m, seeds.ablation_seeds)) is not None
        }
        for method, result in report.variants[variant].items():
            report.calls[method] = {"horizon": result.calls_per_horizon, "before": float(result.prepare_calls)}
    return report


def versions() -> dict[str, str]:
    """What the numbers were made with."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "code": code_revision()[:16]}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def table(report: Report) -> str:
    """The decision axis in text."""
    lines = []
    for variant, methods in report.variants.items():
        names = [*report.scenarios, "mean"]
        lines.append(f"{variant}: " + ", ".join(names) + ", saving, P(violation), gap recovered, twin calls a horizon")
        for method, result in methods.items():
            mean = result.scores["mean"]
            gap = "     -" if mean.gap_recovered is None else f"{100 * mean.gap_recovered:5.0f}%"
            lines.append(
                f"  {method:14s}"
                + "".join(f"{result.scores[name].scm:7.3f}" for name in names)
                + f"  {100 * mean.saving:6.1f}% {mean.p_violation:6.2f} {gap} {result.calls_per_horizon:7.0f}"
                + f"   {result.decision_s_p50:.3f} s"
            )
        lines += [
            f"  {name:22s} {entry.result.scores['mean'].scm:.3f}, twm better by {entry.difference['mean'].mean:+.3f} "
            f"[{entry.difference['mean'].low:+.3f}, {entry.difference['mean'].high:+.3f}]"
            for name, entry in report.ablations[variant].items()
        ]
    lines += [f"  {name}: {reason}" for name, reason in report.absent.items() if name in EVERYTHING]
    return "\n".join(lines)
