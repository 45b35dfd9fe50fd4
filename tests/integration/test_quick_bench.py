"""TelecomWorldBench end to end in small, with the models that ship: orders that must hold, the report, resuming, seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twm.core.errors import ModelMismatchError
from twm.core.network import NetworkSpec
from twm.core.paths import zoo_folder
from twm.core.zoo import find_model
from twm_bench.__main__ import main
from twm_bench.results import MEAN, Report
from twm_twin.seeds import purpose_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SCENARIOS = ("hotspot-id", "wave-id")
COMMAND = ["--quick", "--scenarios", ",".join(SCENARIOS), "--seeds", "2", "--jobs", "2"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, spec: NetworkSpec) -> Path:
    """A work folder with the quick run done."""
    for name in ("cdwm", "fwm"):
        try:
            find_model(zoo_folder(), name, spec.topology_digest())
        except ModelMismatchError as error:
            pytest.skip(f"no model for the PoC city in the zoo: {error}")
    folder = Path(tmp_path_factory.mktemp("bench"))
    assert main([*COMMAND, "--work", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def report(work: Path) -> Report:
    return Report.read(work)


def test_orders_that_must_hold(report: Report) -> None:
    scm = {method: result.scores[MEAN].scm for method, result in report.variants["calendar"].items()}
    print({name: round(value, 3) for name, value in scm.items()})
    assert scm["oracle"] >= scm["twm"] >= scm["uniform"]
    assert scm["twm"] > scm["proportional"]
    assert scm["oracle"] > scm["dt-cem-96"] >= scm["dt-cem-12"] - 0.05
    assert scm["reactive"] > scm["proportional"]
    assert report.variants["calendar"]["oracle"].scores[MEAN].saving >= 0.08 - 1e-6


def test_calls_are_counted_by_the_horizon(report: Report) -> None:
    calls = {method: counted["horizon"] for method, counted in report.calls.items()}
    assert calls["uniform"] == calls["reactive"] == calls["proportional"] == 0
    assert (calls["dt-cem-12"], calls["dt-cem-96"]) == (12, 96)
    assert 0 < calls["twm"] <= 12
    assert calls["oracle"] >= 3456


def test_the_report_says_what_it_is_made_of(report: Report, spec: NetworkSpec) -> None:
    assert report.spec_hash == spec.digest()
    assert {purpose_of(seed) for seed in report.seeds.seeds} == {"validation"}
    assert report.seeds.purpose == "validation"
    assert not report.absent
    ours = report.variants["calendar"]["twm"]
    assert set(ours.scores) == {*SCENARIOS, MEAN}
    assert ours.scores[MEAN].count == 4 == len(ours.scores[MEAN].horizons.scm)
    assert ours.scores[MEAN].scm == pytest.approx(sum(ours.scores[s].scm for s in SCENARIOS) / 2)
    assert ours.scores[MEAN].scm_low <= ours.scores[MEAN].scm <= ours.scores[MEAN].scm_high
    assert report.variants["calendar"]["uniform"].scores[MEAN].gap_recovered == pytest.approx(0.0)
    assert report.variants["calendar"]["oracle"].scores[MEAN].gap_recovered == pytest.approx(1.0)
    rival = report.comparisons["calendar"]["reactive"][MEAN]
    assert rival.low <= rival.mean <= rival.high
    assert rival.mean == pytest.approx(ours.scores[MEAN].scm - report.variants["calendar"]["reactive"].scores[MEAN].scm)
    assert set(report.models) >= {"cdwm", "fwm"}


def test_a_second_run_plays_nothing_and_says_the_same(work: Path, report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--work", str(work)]) == 0
    assert "0 units played" in capsys.readouterr().err
    again, before = (json.loads(r.model_dump_json(exclude={"created"})) for r in (Report.read(work), report))
    assert again == before


def test_a_lost_unit_is_played_again_to_the_same_result(work: Path, report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    lost = next(work.rglob("reactive/*.json"))
    lost.write_text("{}")
    assert main([*COMMAND, "--work", str(work)]) == 0
    assert "1 units played" in capsys.readouterr().err
    again = Report.read(work).variants["calendar"]["reactive"].scores[MEAN]
    assert again == report.variants["calendar"]["reactive"].scores[MEAN]
