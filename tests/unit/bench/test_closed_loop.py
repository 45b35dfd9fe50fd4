"""The closed-loop comparison: its arithmetic, and what its command line refuses."""

from __future__ import annotations

import pytest

from twm_bench.closed_loop import main


def test_uniform_saves_nothing_and_the_table_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "1", "--methods", "uniform,reactive", "--scenarios", "hotspot-id,wave-ood"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["method", "hotspot-id", "wave-ood", "mean", "saving", "moving", "P(viol)"]
    figures = {row.split()[0]: [float(v) for v in row.split()[1:]] for row in rows if not row.startswith(" ")}
    assert set(figures) == {"uniform", "reactive"}
    assert figures["uniform"][3] == pytest.approx(0.0, abs=1e-3)
    for first, second, mean, _, _, violated in figures.values():
        assert mean == pytest.approx((first + second) / 2, abs=2e-3)
        assert 0.0 <= violated <= 1.0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--methods", "magic"], "magic"),
        (["--set", "weights.risk=-1", "--methods", "uniform"], "risk"),
        (["--set", "weights.charm=1", "--methods", "uniform"], "charm"),
        (["--set", "nonsense", "--methods", "uniform"], "nonsense"),
        (["--seeds", "100000", "--methods", "uniform"], "validation"),
        (["--network", "atlantis"], "atlantis"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scenarios", "hotspot-id", *(["--seeds", "1"] if "--seeds" not in arguments else []), *arguments]) == 2
    assert word in capsys.readouterr().err
