"""Tuning takes what is better on the same horizons, and plays nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.planner.cycle import CycleSettings
from twm.planner.search import SearchSettings
from twm_bench.tune_planner import FIRST_SEED, SAVING_WANTED, Trial, Tuner, descend, main
from twm_twin.seeds import RANGES


def made_up(settings: CycleSettings) -> Trial:
    """SCM is best at a risk of 0.2; saving follows the wish."""
    scm = 0.4 - (settings.weights.risk - 0.2) ** 2
    return Trial(
        scm=[scm, scm + 0.1], saving=[settings.weights.saving_wanted_ratio] * 2, violated=[0.0, 1.0], moving=[0.0, 0.0]
    )


def test_the_best_value_of_each_axis_stays(capsys: pytest.CaptureFixture[str]) -> None:
    axes = ["weights.risk=0.05,0.2,0.6", "weights.saving_wanted_ratio=0.04,0.09"]
    chosen = descend(made_up, CycleSettings(), ["weights.risk=0.05"], axes, gain=0.001)
    assert chosen == ["weights.risk=0.2", "weights.saving_wanted_ratio=0.09"]
    assert "+0.0225" in capsys.readouterr().out


def test_settings_that_go_together_are_tried_together() -> None:
    axis = "weights.risk=0.2 weights.saving_wanted_ratio=0.05|weights.risk=0.3 weights.saving_wanted_ratio=0.1"
    chosen = descend(made_up, CycleSettings(), ["weights.risk=0.05", "search_samples=3"], [axis], gain=0.001)
    assert chosen == ["search_samples=3", "weights.risk=0.3", "weights.saving_wanted_ratio=0.1"]


def test_a_gain_within_the_noise_changes_nothing() -> None:
    assert descend(made_up, CycleSettings(), [], ["weights.risk=0.2"], gain=0.1) == []


def test_missing_saving_costs() -> None:
    lean, rich = (
        Trial(scm=[scm], saving=[saving], violated=[0.0], moving=[0.0]) for scm, saving in ((0.5, 0.06), (0.46, 0.09))
    )
    assert rich.worth > lean.worth
    assert rich.worth == pytest.approx(0.46)
    assert SAVING_WANTED > 0.08


@pytest.mark.parametrize("axis", ["weights.risk", "weights.nonsense=1", "weights.risk=-1", "weights.risk=x"])
def test_a_bad_axis_is_named(axis: str) -> None:
    with pytest.raises(InvalidInputError, match=r"axis: |--set |objective\.risk"):
        descend(made_up, CycleSettings(), [], [axis], gain=0.0)


def test_the_command_line_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--variants", "oracle"]) == 2
    assert "oracle" in capsys.readouterr().err


def test_a_trial_is_played_once_on_tuning_seeds(spec: NetworkSpec, tmp_path: Path) -> None:
    tiny = CycleSettings(
        library_count=1,
        rerank_count=0,
        final_samples=1,
        scenario_count=0,
        search_samples=1,
        search=SearchSettings(populations=(1,)),
    )
    tuner = Tuner(spec, None, tmp_path, 1, ("history",), scenarios=("wave-id",))
    first = tuner.play(tiny)
    assert len(first.scm) == 1
    (kept,) = tmp_path.glob("*.json")
    kept.write_text(kept.read_text().replace(str(first.scm[0]), "0.123"))
    assert tuner.play(tiny).scm[0] == 0.123
    assert RANGES["validation"][FIRST_SEED] == 0xB0000 + 0x6000
