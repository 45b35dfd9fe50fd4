"""Two methods on the same horizons: paired differences, and what cannot be compared."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from twm_bench.compare import main
from twm_bench.results import UnitResult


def write(work: Path, key: str, method: str, scenario: str, scm: list[float], at: float) -> None:
    n = len(scm)
    unit = UnitResult(
        key=key, variant="calendar", method=method, scenario=scenario, seeds=list(range(n)), scm=scm, saving=[0.08] * n,
        violated=[[value < 0.2, False, False] for value in scm], loss=[[0.1] * 3] * n, delay_ms=[[5.0] * 3] * n,
        seconds=[[0.1] * 12] * n, predicted_scm=[[0.5] * 12] * n, verified_scm=[[None] * 12] * n, twin_calls=[4] * 12,
        evaluations=[10] * 12, prepare_calls=0, notes={"blend": 12 * n}, wall_s=1.0,
    )  # fmt: skip
    path = work / key[:12] / method / f"calendar-{scenario}-0-{n}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(unit.model_dump_json())
    os.utime(path, (at, at))


def test_paired_differences_of_the_newest_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(3)
    base = random.uniform(0.1, 0.6, (2, 8))
    for key, gain, at in (("a" * 64, -0.1, 100.0), ("b" * 64, 0.02, 200.0)):
        for scenario, scm in zip(("hotspot-id", "wave-ood"), base, strict=True):
            write(tmp_path, key, "one", scenario, (scm + gain * scenario.endswith("ood")).tolist(), at)
            write(tmp_path, key, "other", scenario, scm.tolist(), at)
    assert main(["one", "other", "--work", str(tmp_path), "--out", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["key"] == "b" * 64
    rows = found["rows"]
    assert list(rows) == ["hotspot-id", "wave-ood", "in distribution", "out of distribution", "all"]
    assert rows["hotspot-id"]["scm_difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert rows["out of distribution"]["scm_difference"] == {"mean": 0.02, "low": 0.02, "high": 0.02}
    assert rows["all"]["scm_difference"]["mean"] == 0.01
    assert found["twin_calls_a_horizon_at_most"] == {"one": 48, "other": 48}
    assert "| wave-ood | +0.0200 |" in capsys.readouterr().out


def test_what_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["one", "other", "--work", str(tmp_path / "nowhere")]) == 1
    write(tmp_path, "c" * 64, "one", "wave-id", [0.3], 1.0)
    assert main(["one", "other", "--work", str(tmp_path)]) == 1
    write(tmp_path, "c" * 64, "other", "wave-ood", [0.3], 1.0)
    assert main(["one", "other", "--work", str(tmp_path)]) == 2
    (tmp_path / "cccccccccccc" / "other" / "calendar-wave-id-0-1.json").write_text("{}")
    assert main(["one", "other", "--work", str(tmp_path)]) == 2
    assert "share no scenario" in capsys.readouterr().err
