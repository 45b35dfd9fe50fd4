"""Three recorded EXPLORA experiments through every service: frames, forecasts, shadow policies and a shadow-score report."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from twm.cli.__main__ import main
from twm.core.network import load_network
from twm.core.paths import find_network, zoo_folder

pytestmark = [pytest.mark.slow, pytest.mark.redis]

EXPERIMENTS = ("main/exp1", "main/exp10", "spring-2023/exp10")  # most others pause for minutes after the first report
STEPS = 16


def test_three_explora_experiments_yield_forecasts_policies_and_scores(shared_data: Path, tmp_path: Path) -> None:
    digest = load_network(find_network("explora-cell")).topology_digest()
    if not any(digest in card.read_text() for card in zoo_folder().glob("cdwm/*/card.yaml")):
        pytest.skip("the zoo holds no world model for explora-cell")
    if importlib.util.find_spec("twm_twin.__main__") is None:
        pytest.skip("the twin's service is not installed")
    report = tmp_path / "report.json"
    arguments = ["--trace", "explora", str(shared_data / "explora-colosseum-slicing"), "--max-steps", str(STEPS), "--plain"]
    for name in EXPERIMENTS:
        arguments += ["--experiment", name]
    assert main(["replay", *arguments, "--report", str(report)]) == 0
    data = json.loads(report.read_text())
    assert data["complete"]
    assert data["frames"] == data["proposals"] == data["verdicts"] == data["expected_frames"] >= 3 * (STEPS - 1)
    assert data["forecasts"] > 0.8 * data["proposals"]
    assert data["rollouts"] > 0
    assert data["policies"] > 0
    for scores in data["experiments"]:
        assert scores["policies_scored"] > 0
        assert scores["missing_report_ratio"] < 0.1
    assert any(scores["coverage_ratio"] is not None for scores in data["experiments"])
