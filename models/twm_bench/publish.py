"""The finished report: the models' own axes beside the decision axis, targets, page, plots."""

from __future__ import annotations

from pathlib import Path

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm_bench.axes.measure import Progress, measure_axes
from twm_bench.html import write_html
from twm_bench.plots import write_plots
from twm_bench.results import Report
from twm_bench.robustness.rare import rare_events
from twm_bench.table import write_readme_table
from twm_bench.targets import evaluate
from twm_twin.seeds import RANGES, Purpose

OWN_PARTS = ("unseen", "field_ceiling", "traces", "ceilings")
"""Axes that twm_bench.robustness and twm_bench.ceilings measure: kept when the others are measured anew."""


def add_axes(
    report: Report,
    spec: NetworkSpec,
    zoo: Path,
    *,
    network: str,
    seed_count: int,
    work: Path,
    progress: Progress | None = None,
) -> None:
    """Measure field, trajectory, ranking and speed anew, on the first `seed_count` seeds that the report's methods played."""
    purpose: Purpose = "evaluation" if report.seeds.purpose == "evaluation" else "validation"
    kept = {name: part for name, part in report.axes.items() if name in OWN_PARTS}
    report.axes = kept | measure_axes(
        spec,
        zoo,
        network=network,
        purpose=purpose,
        seed_count=min(seed_count, len(report.seeds.seeds)),
        first_seed=report.seeds.seeds[0] - RANGES[purpose].start,
        unseen={},
        work=work,
        progress=progress,
    )
    report.axes["unseen"] = kept.get("unseen", {})


def publish(report: Report, folder: Path, readme: Path | None = None) -> list[Path]:
    """Write report.json, report.html and the plots into the folder, and the table into the README; the paths."""
    add_rare_events(report)
    report.targets = evaluate(report)
    written = [report.write(folder), write_html(report, folder), *write_plots(report, folder)]
    if readme is not None:
        write_readme_table(report, readme)
        written.append(readme)
    return written


def add_rare_events(report: Report) -> None:
    """Rare events of the report's horizons; left out where its network is not at hand, or not as it was."""
    try:
        spec = load_network(find_network(report.network))
    except InvalidInputError:
        return
    if spec.digest() == report.spec_hash:
        report.robustness["rare"] = rare_events(spec, report)
