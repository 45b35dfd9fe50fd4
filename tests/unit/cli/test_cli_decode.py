"""`twm decode`: bad input ends with exit code 2 and one line on standard error."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from twm.cli import decode

MESSAGE = "0000000003000100020003"


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    decode.add_arguments(parser)
    return decode.run(parser.parse_args(["--dialect", "kpm_v3.00_standard", *arguments]))


def test_compact_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--compact", "0x" + MESSAGE) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)["measData"][0]["measRecord"] == [["integer", 1], ["integer", 2], ["integer", 3]]


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(bytes.fromhex(MESSAGE))))
    assert _run("-") == 0
    assert json.loads(capsys.readouterr().out)["format"] == 1


@pytest.mark.parametrize("source", ["no such file", "", "zz", MESSAGE + "00", "0c", "x" * 5000])
def test_bad_input(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(source) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("twm decode: ")
    assert captured.err.count("\n") == 1


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "pdu").write_bytes(b"\xff" * 40)
    assert _run(str(tmp_path / "pdu")) == 2
