"""`twm bench`: what it refuses, which seeds it may touch, and that workers of any kind give one result."""

from __future__ import annotations

from pathlib import Path

import pytest

from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder
from twm.core.zoo import ModelEntry, check_digests, check_network, load_card
from twm_bench.__main__ import main, parser, seeds_of, shipped_variant
from twm_bench.methods.method import ModelFolders, choosing_seeds
from twm_bench.results import UnitResult
from twm_bench.runner import run
from twm_bench.units import Unit, make_units, run_key
from twm_twin.seeds import purpose_of


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--tune", "--methods", "magic"], "magic"),
        (["--tune", "--methods", "uniform", "--scenarios", "storm"], "storm"),
        (["--tune", "--methods", "uniform", "--variants", "prophecy"], "prophecy"),
        (["--tune", "--methods", "uniform", "--seeds", "100000"], "validation"),
        (["--tune", "--methods", "uniform", "--jobs", "0"], "jobs"),
        (["--tune", "--methods", "twm", "--set", "weights.charm=1", "--jobs", "1"], "charm"),
        (["--tune", "--methods", "twm", "--set", "weights.risk=-1", "--jobs", "1"], "risk"),
        (["--tune", "--methods", "twm", "--set", "nonsense", "--jobs", "1"], "nonsense"),
        (["--network", "atlantis"], "atlantis"),
        (["--full", "--seeds", "33"], "evaluation"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--work", str(tmp_path)]) == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize("forbidden", [["--set", "weights.risk=0.2"], ["--first-seed", "3"]])
def test_nothing_is_chosen_on_evaluation_seeds(
    forbidden: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--full", "--methods", "uniform", "--work", str(tmp_path), *forbidden]) == 2
    assert "evaluation seeds" in capsys.readouterr().err


def test_only_the_full_run_plays_evaluation_seeds() -> None:
    def purposes(*arguments: str) -> set[str | None]:
        used = seeds_of(parser().parse_args(arguments))
        assert set(used.ablation_seeds) <= set(used.seeds)
        return {purpose_of(seed) for seed in used.seeds} | {used.purpose}

    assert purposes() == purposes("--full") == {"evaluation"}
    assert purposes("--quick") == purposes("--tune") == purposes("--tune", "--first-seed", "1000") == {"validation"}
    assert {purpose_of(seed) for seed in choosing_seeds(64)} == {"validation"}
    quick = set(seeds_of(parser().parse_args(["--quick"])).seeds)
    assert not quick & set(choosing_seeds(64))


@pytest.fixture
def folders() -> ModelFolders:
    return ModelFolders(zoo=zoo_folder())


def small(spec: NetworkSpec, folders: ModelFolders) -> list[Unit]:
    return make_units(
        spec,
        folders,
        methods=["uniform", "reactive"],
        variants=["history", "calendar"],
        scenarios=["hotspot-id"],
        seeds=[0xB7800, 0xB7801, 0xB7802],
        chunk=2,
    )


def comparable(results: list[UnitResult]) -> list[dict[str, object]]:
    kept = [result.model_dump(exclude={"seconds", "wall_s"}) for result in results]
    return sorted(kept, key=lambda result: (result["method"], result["seeds"]))


def test_methods_that_cannot_read_the_calendar_play_once(spec: NetworkSpec, folders: ModelFolders) -> None:
    units = small(spec, folders)
    assert [(u.method, u.variant, len(u.seeds)) for u in units] == [
        ("uniform", "any", 2), ("uniform", "any", 1), ("reactive", "any", 2), ("reactive", "any", 1)
    ]  # fmt: skip


def test_the_key_depends_on_settings(spec: NetworkSpec, folders: ModelFolders) -> None:
    assert run_key(spec, folders) == run_key(spec, folders)
    assert run_key(spec, folders) != run_key(spec, folders, ("weights.risk=0.2",))


def test_chunks_and_processes_do_not_change_a_result(spec: NetworkSpec, folders: ModelFolders, tmp_path: Path) -> None:
    units = small(spec, folders)
    alone = run(spec, units, tmp_path / "one", jobs=1)
    many = run(spec, units, tmp_path / "two", jobs=2)
    assert (alone.played, many.played) == (4, 4)
    assert comparable(alone.results) == comparable(many.results)
    again = run(spec, units, tmp_path / "two", jobs=2)
    assert again.played == 0
    assert comparable(again.results) == comparable(alone.results)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")
def test_ray_gives_what_local_processes_give(spec: NetworkSpec, folders: ModelFolders, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    units = small(spec, folders)
    local = run(spec, units, tmp_path / "local", jobs=1)
    on_ray = run(spec, units, tmp_path / "ray", jobs=1, ray="local")
    assert on_ray.played == len(units)
    assert comparable(on_ray.results) == comparable(local.results)


@pytest.mark.parametrize("kind", ["analytic", "teacher-forced"])
def test_variants_of_the_world_model_ship_for_their_network_only(kind: str, spec: NetworkSpec) -> None:
    folder = shipped_variant(spec, kind)
    assert folder is not None
    card = load_card(folder)
    check_network(card, spec)
    check_digests(ModelEntry(folder, card))
    assert kind in card.training.command
    assert shipped_variant(load_network(find_network("explora-cell")), kind) is None
