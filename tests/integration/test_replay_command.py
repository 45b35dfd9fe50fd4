"""`twm replay` with real processes: ingester, planner and gateway. Without inference and twin the planner falls back to its
reactive rule, so that the command is tested without a trained model."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from twm.cli import run as run_command
from twm.cli.__main__ import main

pytestmark = pytest.mark.redis

HEAD = (
    "experiment,timestamp,report,row,slice_id,dl_buffer [bytes],tx_brate downlink [Mbps],ratio_granted_req,slice_prb,"
    "tx_pkts downlink\n"
)
ACTIONS = (
    "experiment,timestamp,sched_slice0,sched_slice1,sched_slice2,rbg_slice0,rbg_slice1,rbg_slice2,prb_slice0,prb_slice1,"
    "prb_slice2\n"
)


def write_trace(folder: Path, seconds: int) -> None:
    rows, actions = [], []
    for name in ("lab/a", "lab/b"):
        for t in range(seconds):
            stamp = f"2022-09-28 21:{30 + t // 60:02d}:{t % 60:02d}.000"
            for sample in range(2):
                for slice_id, rate, prbs in ((2, 0.2, 11), (1, 0.1, 3), (0, 2.0, 36)):
                    rows.append(f"{name},{stamp},{t},{sample},{slice_id},{100 * (t % 5)},{rate},1.00,{prbs},9\n")
            actions.append(f"{name},{stamp},0,1,0,12,1,4,36,3,11\n")
    for file, text in (("reports.csv.gz", HEAD + "".join(rows)), ("actions.csv.gz", ACTIONS + "".join(actions))):
        with gzip.open(folder / file, "wt") as out:
            out.write(text)


def test_a_trace_becomes_frames_proposals_policies_and_a_score_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_trace(tmp_path, 100)
    for module in ("twin", "inference"):
        monkeypatch.delitem(run_command.MODULES, module)
    report = tmp_path / "out" / "report.json"
    arguments = [
        "--trace",
        "explora",
        str(tmp_path),
        "--plain",
        "--report",
        str(report),
        "--state-dir",
        str(tmp_path / "state"),
    ]
    code = main(["replay", *arguments])
    shown = capsys.readouterr().out
    assert code == 0, shown
    data = json.loads(report.read_text())
    assert data["complete"]
    assert data["frames"] == data["expected_frames"] == 20
    assert data["proposals"] == data["verdicts"] == 20
    assert data["policies"] > 0
    assert data["rejected"] == {}
    assert [e["experiment"] for e in data["experiments"]] == ["lab/a", "lab/b"]
    assert all(e["frames"] == 10 and e["missing_report_ratio"] == 0 for e in data["experiments"])
    assert "lab/b" in shown
    run = json.loads((tmp_path / "state" / "run.json").read_text())
    assert all(not Path(f"/proc/{p['pid']}").exists() for p in run["processes"].values() if p["pid"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trace", "explora", "/nowhere"], "'/nowhere' does not exist"),
        (["--trace", "explora", "{}", "--speed", "0"], "--speed: '0'"),
        (["--trace", "explora", "{}", "--experiment", "lab/z"], "'lab/z' is not in"),
        (["--trace", "explora", "{}", "--max-steps", "0"], "--max-steps: 0"),
        (["--trace", "explora", "{}", "--network", "no-such"], "'no-such' is neither a file nor"),
    ],
)
def test_wrong_arguments_are_told(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_trace(tmp_path, 3)
    assert main(["replay", *[a.format(tmp_path) for a in arguments]]) == 2
    assert message in capsys.readouterr().err


def test_experiments_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trace(tmp_path, 3)
    assert main(["replay", "--trace", "explora", str(tmp_path), "--list"]) == 0
    assert capsys.readouterr().out == "lab/a\nlab/b\n"
