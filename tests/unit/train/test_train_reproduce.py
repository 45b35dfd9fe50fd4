"""The check that training reproduces the zoo: what counts as alike, and what the command makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.paths import zoo_folder
from twm.core.zoo import ModelCard, write_card
from twm_train.likeness import Tolerance, compare, load_tolerances
from twm_train.reproduce import main, shipped_cards, training_of


@pytest.fixture(scope="module")
def cards(spec: NetworkSpec) -> dict[str, ModelCard]:
    return {card.name: card for card in shipped_cards(zoo_folder(), spec)}


@pytest.fixture
def other_zoo(cards: dict[str, ModelCard], tmp_path: Path) -> Callable[[str, Callable[[dict[str, Any]], None]], Path]:
    """A function that writes the shipped cards with the quality of one model changed, and returns the zoo."""

    def write(name: str, change: Callable[[dict[str, Any]], None]) -> Path:
        for card in cards.values():
            data = card.model_dump(mode="json")
            if card.name == name:
                change(data["quality"])
            folder = tmp_path / card.name / card.version
            folder.mkdir(parents=True)
            write_card(ModelCard.model_validate(data), folder)
        return tmp_path

    return write


def test_what_ships_is_like_itself_in_every_figure_of_the_promise(
    cards: dict[str, ModelCard], capsys: pytest.CaptureFixture[str]
) -> None:
    tolerances = load_tolerances()
    assert set(tolerances) == set(cards) == {"cdwm", "fwm", "actor"}
    rows = [row for name, card in cards.items() for row in compare(card, card, tolerances[name])]
    assert all(row.alike for row in rows)
    figures = {f"{row.model}: {row.figure}" for row in rows}
    kpis = ("loss_ratio", "delay_p99_ms", "utilisation_ratio", "served_mbps")
    assert {f"cdwm: kpi/{kpi}/coverage_90" for kpi in kpis} <= figures
    assert {f"cdwm: kpi/{kpi}/rmse / rmse_persistence" for kpi in kpis} <= figures
    assert {f"cdwm: ranking_{variant}/spearman_all" for variant in ("history", "calendar")} <= figures
    assert {
        "cdwm: exogenous/demand/skill",
        "fwm: calendar/demand/pinball_skill_by_step",
        "actor: twin/actor_0.08/scm",
    } <= figures
    assert main(["--found", str(zoo_folder())]) == 0
    assert "the same bit by bit: fwm, cdwm, actor" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "path", "factor"),
    [
        ("cdwm", ("kpi", "loss_ratio", "coverage_90"), 0.95),
        ("cdwm", ("kpi", "delay_p99_ms", "rmse"), 1.2),
        ("cdwm", ("kpi", "delay_p99_ms", "rmse_persistence"), 0.8),
        ("cdwm", ("ranking_history", "spearman_all"), 0.9),
        ("fwm", ("history", "r2_ahead", "loss_ratio"), 1.2),
        ("actor", ("twin", "actor_0.08", "scm"), 0.9),
        ("actor", ("twin", "actor_0.08", "scm"), float("nan")),
    ],
)
def test_a_figure_outside_its_tolerance_fails_the_check(
    model: str,
    path: tuple[str, ...],
    factor: float,
    other_zoo: Callable[[str, Callable[[dict[str, Any]], None]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def change(quality: dict[str, Any]) -> None:
        for part in path[:-1]:
            quality = quality[part]
        quality[path[-1]] *= factor

    assert main(["--found", str(other_zoo(model, change))]) == 1
    shown = [line for line in capsys.readouterr().out.splitlines() if "OUTSIDE" in line]
    assert len(shown) == 1
    assert "/".join(path[:2]) in shown[0]


def test_small_differences_pass_and_a_missing_figure_does_not(
    cards: dict[str, ModelCard], other_zoo: Callable[[str, Callable[[dict[str, Any]], None]], Path]
) -> None:
    actor = cards["actor"].model_copy(deep=True)
    actor.quality["twin"]["actor_0.08"]["scm"] += 0.02
    assert all(row.alike for row in compare(cards["actor"], actor, load_tolerances()["actor"]))
    assert main(["--found", str(other_zoo("fwm", lambda quality: quality["calendar"].pop("demand")))]) == 1


def test_what_cannot_be_checked_is_refused(
    cards: dict[str, ModelCard], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidInputError, match="kpi/magic: no such figure"):
        compare(cards["cdwm"], cards["cdwm"], [Tolerance(figure="kpi/magic", within=0.1)])
    (tmp_path / "tolerances.yaml").write_text("cdwm: [{figure: kpi, within: -1}]")
    assert main(["--found", str(zoo_folder()), "--tolerances", str(tmp_path / "tolerances.yaml")]) == 2
    assert "within" in capsys.readouterr().err
    assert main(["--found", str(tmp_path)]) == 2
    options = training_of(list(cards.values()))
    assert (options.network, options.seed, options.quick) == ("poc-city", 1, False)
    for command in ("python -m twm_train --minutes 31", "python train.py"):
        training = cards["fwm"].training.model_copy(update={"command": command})
        with pytest.raises(InvalidInputError, match="another command"):
            training_of([cards["cdwm"], cards["fwm"].model_copy(update={"training": training})])
    with pytest.raises(InvalidInputError, match="is no run of"):
        training_of([cards["fwm"].model_copy(update={"training": training})])
