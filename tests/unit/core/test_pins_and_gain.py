"""Pins, promotion on measured gain, rollback, and the paired gain behind them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_zoo import write_dynamics

from twm.cli.__main__ import main
from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.kpis import kpi_from_z
from twm.core.network import NetworkSpec
from twm.core.paired import Gain, PairedScores, block_interval, quantile_score
from twm.core.pins import challenge, history, in_use, load_pins, pins_path, promote, rollback
from twm.core.zoo import find_model

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
NET = "poc-city"
BETTER = Gain(
    champion="city-1", challenger="city-1-a1", count=100, mean=0.2, low=0.1, high=0.3, champion_score=1.0,
    challenger_score=0.8, champion_coverage=0.7, challenger_coverage=0.9, first_step=0, last_step=99,
)  # fmt: skip


@pytest.fixture
def zoo(tmp_path: Path, spec: NetworkSpec) -> Path:
    write_dynamics(tmp_path, spec, version="city-1")
    adaptation = {"parent": "city-1", "method": "recalibration", "frames_sha256": "0" * 64, "steps": (0, 99)}
    write_dynamics(tmp_path, spec, version="city-1-a1", scale=1.1, adaptation=adaptation)
    return tmp_path


def test_an_adapted_version_is_in_use_only_where_pinned(zoo: Path, spec: NetworkSpec) -> None:
    assert in_use(zoo, NET, "cdwm", load_pins(zoo, NET)) == "city-1"
    assert find_model(zoo, "cdwm", spec.topology_digest()).card.version == "city-1"
    pins = challenge(zoo, NET, "cdwm", "city-1-a1", reason="drift")
    assert (pins.of("cdwm").active, pins.of("cdwm").challenger) == ("city-1", "city-1-a1")
    # The version in use is pinned with it: a later training does not slip in between.
    write_dynamics(zoo, spec, version="city-2")
    assert in_use(zoo, NET, "cdwm", load_pins(zoo, NET)) == "city-1"


def test_promotion_and_rollback_are_logged_changes_of_one_file(zoo: Path) -> None:
    challenge(zoo, NET, "cdwm", "city-1-a1", reason="drift")
    pins = promote(zoo, NET, "cdwm", "city-1-a1", reason="better", gain=BETTER)
    assert (pins.of("cdwm").active, pins.of("cdwm").challenger, pins.of("cdwm").previous) == ("city-1-a1", None, ("city-1",))
    pins = rollback(zoo, NET, "cdwm", reason="complaints")
    assert (pins.of("cdwm").active, pins.of("cdwm").previous) == ("city-1", ())
    assert load_pins(zoo, NET) == pins
    log = history(zoo, NET)
    assert [(e["action"], e["from"], e["to"], e["reason"]) for e in log] == [
        ("challenge", "city-1", "city-1-a1", "drift"),
        ("promote", "city-1", "city-1-a1", "better"),
        ("rollback", "city-1-a1", "city-1", "complaints"),
    ]
    assert log[1]["gain"]["low"] == 0.1  # type: ignore[index]
    with pytest.raises(InvalidInputError, match="nothing to go back to"):
        rollback(zoo, NET, "cdwm", reason="again")


@pytest.mark.parametrize(
    ("gain", "message"),
    [
        (None, "no gain over city-1 was measured"),
        (replace(BETTER, low=-0.01), "the interval must lie above 0"),
        (replace(BETTER, low=float("nan")), "the interval must lie above 0"),
        (replace(BETTER, count=95), "95 forecasts, at least 96"),
        (replace(BETTER, champion="city-0"), "measured for city-1-a1 against city-0, in use is city-1"),
    ],
)
def test_promotion_needs_a_measured_gain(zoo: Path, gain: Gain | None, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        promote(zoo, NET, "cdwm", "city-1-a1", reason="hope", gain=gain)
    assert not pins_path(zoo, NET).exists()
    with pytest.raises(InvalidInputError, match="--reason: empty"):
        promote(zoo, NET, "cdwm", "city-1-a1", reason=" ", gain=gain, force=True)
    promote(zoo, NET, "cdwm", "city-1-a1", reason="fire", gain=gain, force=True)
    assert history(zoo, NET)[-1]["forced"] is True


def test_wrong_versions_and_files_are_named(zoo: Path) -> None:
    with pytest.raises(InvalidInputError, match="'city-9' is none of cdwm of poc-city: city-1, city-1-a1"):
        challenge(zoo, NET, "cdwm", "city-9", reason="")
    with pytest.raises(InvalidInputError, match="in use already"):
        promote(zoo, NET, "cdwm", "city-1", reason="", force=False)
    path = pins_path(zoo, NET)
    for data, message in (
        (b"\xff\xfe\x00", "not YAML"),
        (b"[]", "pins:"),
        (yaml.safe_dump({"network": "other"}).encode(), "network: found 'other'"),
        (yaml.safe_dump({"network": NET, "models": {"cdwm": {"active": "../x"}}}).encode(), "models.cdwm.active"),
    ):
        path.write_bytes(data)
        with pytest.raises(ModelMismatchError, match=message):
            load_pins(zoo, NET)


def test_the_command_says_what_is_in_use(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--zoo", str(zoo), "--network", NET]
    assert main(["models", "challenge", *at, "--version", "city-1-a1", "--reason", "drift"]) == 0
    assert "cdwm city-1 in use, challenger city-1-a1" in capsys.readouterr().out
    assert main(["models", "promote", *at]) == 2
    assert "no gain over city-1 was measured" in capsys.readouterr().err
    assert main(["models", "promote", *at, "--force", "--reason", "exercise"]) == 0
    assert main(["models", "rollback", *at, "--reason", "over"]) == 0
    assert main(["models", "list", *at]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("city-1 " in line and "in use" in line and "trained" in line for line in lines)
    assert any("city-1-a1" in line and "adapted from city-1" in line for line in lines)
    assert lines[-1].endswith("rollback cdwm: city-1-a1 -> city-1 over")


def fans(shift: float, sigma: float) -> np.ndarray:
    z = np.array([-1.645, -0.674, 0, 0.674, 1.645])[None, :, None, None] * sigma + np.array([1, 2, 0.5, 4.0]) + shift
    return kpi_from_z(np.broadcast_to(z, (6, 5, 2, 4)))


def test_the_score_is_least_for_the_true_distribution() -> None:
    generator = np.random.default_rng(0)
    totals = {"right": 0.0, "shifted": 0.0, "narrow": 0.0, "wide": 0.0}
    for _ in range(200):
        seen = kpi_from_z(np.array([1, 2, 0.5, 4.0]) + 0.1 * generator.standard_normal((6, 2, 4)))
        for name, (shift, sigma) in zip(totals, ((0, 0.1), (0.1, 0.1), (0, 0.03), (0, 0.3)), strict=True):
            score = quantile_score(LEVELS, fans(shift, sigma), seen)
            totals[name] += float(score.quantile_SP.mean())
            assert score.count == 48
    assert totals["right"] == min(totals.values())
    assert all(value > 1.1 * totals["right"] for name, value in totals.items() if name != "right")


def test_gain_is_found_and_survives_a_restart() -> None:
    generator = np.random.default_rng(1)
    pairs = PairedScores("a", "b", 6)
    assert pairs.gain() is None
    for step in range(120):
        seen = kpi_from_z(np.array([1, 2, 0.5, 4.0]) + 0.1 * generator.standard_normal((6, 2, 4)))
        seen[:, 1, 3] = np.nan
        pairs.add(step, quantile_score(LEVELS, fans(0.1, 0.1), seen), quantile_score(LEVELS, fans(0, 0.1), seen))
        pairs = PairedScores.load(pairs.dump())
    gain = pairs.gain()
    assert gain is not None
    assert (gain.count, gain.first_step, gain.last_step) == (120, 0, 119)
    assert 0.1 < gain.low < gain.mean < gain.high < 0.6
    assert gain.champion_coverage < 0.85 < gain.challenger_coverage
    assert Gain.of(gain.summary()).count == 120
    for wrong in (b"", b"{}", b'{"format":1,"champion":"a","challenger":"b","block":6,"rows":[[1,[1],[1,2],[1,1,1]]]}'):
        with pytest.raises(InvalidInputError, match="shadow scores"):
            PairedScores.load(wrong)


def test_the_interval_holds_with_overlapping_horizons() -> None:
    generator = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        noise = generator.standard_normal(311)
        series = np.convolve(noise, np.ones(12) / 12, "valid")  # as forecasts of 12 steps share their horizon
        low, high = block_interval(series, 24, 0)
        held += low <= 0 <= high
    assert 0.85 < held / 200 <= 1
    assert block_interval(np.ones(40), 24, 0) == (float("-inf"), float("inf"))
