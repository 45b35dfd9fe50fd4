"""Targets, page, plots and README table of a made report; hostile names stay text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from made_report import made_report, study

from twm.core.errors import InvalidInputError
from twm_bench import html, markup, plots, table
from twm_bench.ceiling_notes import ceiling_note
from twm_bench.figures import style
from twm_bench.report import main
from twm_bench.results import MEAN, Report
from twm_bench.targets import AIM, MET, MISSED, NOT_MEASURED, TARGETS, evaluate

HOSTILE = "<script>alert(1)</script>$\\frac{x|y}`*"


@pytest.fixture(scope="module")
def report() -> Report:
    return made_report()


@pytest.fixture
def small() -> Report:
    """One variant and nothing but its decision axis: quick to draw."""
    found = made_report()
    del found.variants["history"]
    found.axes = {}
    return found


def test_every_target_of_the_table_has_a_verdict_that_follows_from_the_report(report: Report) -> None:
    found = evaluate(report)
    assert list(found) == [target.key for target in TARGETS]
    assert len(found) == 17
    verdicts = {key: entry["verdict"] for key, entry in found.items()}
    assert verdicts["gap_calendar"] == AIM
    assert verdicts["twin_search"] == MET
    assert verdicts["rivals"] == AIM
    assert verdicts["ranking"] == MET
    assert verdicts["field"] == MET
    assert verdicts["cycle"] == MET
    assert verdicts["explora"] == verdicts["actor"] == NOT_MEASURED
    assert "history 0.50 of 0.70, calendar 0.50 of 0.90" in found["field"]["ceiling"]
    assert found["gemm"]["ceiling"] == "0.55: what the graph's shapes allow, one thread."
    json.dumps(found, allow_nan=False)


def test_verdicts_turn_when_the_figures_do() -> None:
    worse = made_report()
    worse.variants["calendar"]["twm"].scores[MEAN].saving = 0.05
    worse.comparisons["history"]["reactive"]["wave-ood"].low = -0.01
    worse.axes["ranking"]["calendar"]["spearman"]["ood_feasible"] = 0.5
    worse.axes["trajectory"]["history"]["kpi"]["id"]["loss_ratio"]["coverage_by_step"]["90"][3] = 0.8
    worse.axes["ranking"]["history"]["disagreement"]["contested"] = 0.1
    worse.axes["trajectory"]["history"]["demand"]["all"]["skill"]["12"] = 0.05
    worse.axes["unseen"]["unseen city"]["r2_now"] = 0.8
    worse.axes["speed"]["cycle"]["p99_ms"] = 501.0
    found = evaluate(worse)
    for key in ("gap_calendar", "rivals", "ranking", "coverage", "uncertainty", "demand", "field", "cycle"):
        assert found[key]["verdict"] == MISSED, key
    assert "saving below" in found["gap_calendar"]["measured"]
    assert found["gap_history"]["verdict"] == AIM
    worse.axes["traces"] = {"explora": study("gbm")}
    explora = evaluate(worse)["explora"]
    assert explora["verdict"] == MET
    assert explora["values"] == {"nrmse": 0.25, "crps": 0.1}
    del worse.comparisons["history"]["ppo"]
    assert "ppo (history)" in evaluate(worse)["rivals"]["measured"]


def test_nothing_measured_is_no_verdict() -> None:
    empty = made_report()
    empty.axes, empty.variants, empty.comparisons, empty.ablations = {}, {}, {}, {}
    empty.robustness, empty.adaptation = {}, {}
    assert {entry["verdict"] for entry in evaluate(empty).values()} == {NOT_MEASURED}
    text = html.page(empty)
    assert "not measured" in text
    assert plots.draw(empty).keys() == set()


def test_the_page_is_whole_in_one_file(report: Report, tmp_path: Path) -> None:
    text = html.write_html(report, tmp_path).read_text(encoding="utf-8")
    assert len(text) < 3_000_000
    assert text.count("<svg") >= 10
    for key in (
        "targets",
        "decision",
        "rivals",
        "ablations",
        "trajectory",
        "field",
        "robustness",
        "traces",
        "speed",
        "provenance",
    ):
        assert f'<section id="{key}">' in text
    for part in ("Unseen city", "Out of distribution", "Rare events", "Shift over time", "Beside the paper"):
        assert part in text
    assert "no folder of recorded traces" in text
    assert "<script" not in text
    assert not re.search(r"""(src|href)\s*=\s*["'](https?:)?//""", text)
    assert "prefers-color-scheme: dark" in text
    drawn = text.partition("</style>")[2]
    assert "var(--series-0)" in drawn
    assert not [colour for colour in (plots.INK, *style.SERIES) if colour in drawn]
    assert report.models["cdwm"]["digest"] in text


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("series", "scheme"), [(style.SERIES, 0), (style.ON_DARK, 1)], ids=["light", "dark"])
def test_series_stand_out_from_the_ground_in_both_themes(series: tuple[str, ...], scheme: int) -> None:
    """At least 3:1, as WCAG asks of graphics."""
    ground = re.findall(r"--ground: (#[0-9a-f]{3,6})", html.CSS)[scheme].replace("#fff", "#ffffff")
    for colour in series:
        light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3.0, colour


def test_a_cell_that_is_cut_says_so() -> None:
    assert markup.cell("now 0.99" * 60) == "now 0.99" * 60
    assert markup.cell("x" * 5000) == "x" * markup.MAX_CELL + "…"


def test_hostile_names_are_shown_and_not_interpreted() -> None:
    hostile = made_report(extra=HOSTILE)
    del hostile.variants["history"]
    hostile.axes = {}
    hostile.absent[HOSTILE] = HOSTILE
    hostile.axes["traces"] = {HOSTILE: study(HOSTILE)}
    text = html.page(hostile)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    line = next(row for row in table.markdown(hostile).splitlines() if "alert(1)" in row)
    assert "<script" not in line
    assert line.count("|") - line.count("\\|") == 12


def test_plots_are_small_files(tmp_path: Path) -> None:
    lean = made_report()
    del lean.variants["history"]
    del lean.axes["ranking"]["history"]
    paths = plots.write_plots(lean, tmp_path)
    assert {"pareto-calendar", "gap-recovered", "ablations", "calibration", "fans", "ranking"} <= {p.stem for p in paths}
    assert max(path.stat().st_size for path in paths) < 150_000


def test_the_readme_table_goes_between_its_markers_and_nowhere_else(report: Report, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# Name\n\n{table.BEGIN}\nstale\n{table.END}\n\nrest\n", encoding="utf-8")
    table.write_readme_table(report, readme)
    once = readme.read_text(encoding="utf-8")
    table.write_readme_table(report, readme)
    assert readme.read_text(encoding="utf-8") == once
    assert once.startswith("# Name\n")
    assert once.endswith("\n\nrest\n")
    assert "stale" not in once
    assert "| **twm** | 0.430 ±0.020 |" in once
    readme.write_text("# Name\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="bench:begin"):
        table.write_readme_table(report, readme)


def test_page_and_table_are_made_anew_from_a_written_report(
    small: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small.write(tmp_path)
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "report.html").is_file()
    assert Report.read(tmp_path).targets["twin_search"]["verdict"] == MET
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_note_on_coverage_counts_cells_and_those_that_chance_does_not_explain() -> None:
    report = made_report()
    kpi = report.axes["trajectory"]["history"]["kpi"]["id"]["loss_ratio"]
    every = sum(
        len(k["coverage_by_step"]["90"])
        for entry in report.axes["trajectory"].values()
        for split in ("id", "ood")
        for k in entry["kpi"][split].values()
    )
    assert f"{every} of {every} cells" in ceiling_note(report, "coverage")
    kpi["coverage_by_step"]["90"][:2] = [0.85, 0.95]
    kpi["coverage_90_interval_by_step"] = [
        [0.82, 0.88],
        [0.94, 0.96],
        *[[0.88, 0.92]] * (len(kpi["coverage_by_step"]["90"]) - 2),
    ]
    assert f"{every - 2} of {every} cells" in ceiling_note(report, "coverage")
    assert "; 1 lie outside with all of" in ceiling_note(report, "coverage")
