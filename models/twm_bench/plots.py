"""Plots of a report, each as a matplotlib figure: SVG that follows the page's colours for the HTML, PNG for the README."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from twm_bench.figures.decisions import ablations, gap_recovered, ordered, pareto, scm_by_scenario
from twm_bench.figures.models import field, gemm_share, ranking
from twm_bench.figures.style import INK, OURS, SERIES, Plot, styled, variable_of
from twm_bench.figures.trajectories import calibration, demand_skill, fans, forecast_by_step
from twm_bench.plots_robustness import PLOTS
from twm_bench.results import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["INK", "OURS", "draw", "ordered", "svg", "write_plots"]

PNG_DOTS = 420_000
"""Most pixels of a PNG: what keeps it under 150 kB."""


def svg(figure: Figure) -> str:
    """The figure as an `<svg>` element that takes its colours from the page."""
    with styled() as mpl:
        mpl.rcParams["svg.hashsalt"] = "twm"
        out = io.StringIO()
        figure.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    for colour in SERIES:
        text = text.replace(colour, f"var({variable_of(colour)})")
    return text


def draw(report: Report) -> dict[str, Figure]:
    """All plots the report has numbers for, by name."""
    found: dict[str, Figure] = {}
    with styled():
        for name, plot in _plots(report).items():
            figure = plot(report)
            if figure is not None:
                found[name] = figure
    return found


def write_plots(report: Report, folder: Path) -> list[Path]:
    """Write each plot as PNG on white into the folder; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in draw(report).items():
        path = folder / f"{name}.png"
        dots = PNG_DOTS / max(1.0, figure.get_figwidth() * figure.get_figheight())
        with styled():
            figure.savefig(
                path,
                dpi=min(100.0, dots**0.5),
                facecolor="white",
                metadata={"Software": None},
                pil_kwargs={"optimize": True},
            )
        paths.append(path)
    return paths


def _plots(report: Report) -> dict[str, Plot]:
    out: dict[str, Plot] = {}
    for variant in report.variants:
        out[f"pareto-{variant}"] = lambda r, v=variant: pareto(r, v)  # type: ignore[misc]
        out[f"scm-by-scenario-{variant}"] = lambda r, v=variant: scm_by_scenario(r, v)  # type: ignore[misc]
    return (
        out
        | {
            "gap-recovered": gap_recovered,
            "ablations": ablations,
            "calibration": calibration,
            "fans": fans,
            "ranking": ranking,
            "forecast-by-step": forecast_by_step,
            "demand-skill": demand_skill,
            "field": field,
            "gemm-share": gemm_share,
        }
        | PLOTS
    )
