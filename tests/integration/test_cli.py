"""The command line: help, exit codes, pass-through."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from twm.cli.__main__ import COMMANDS


def twm(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twm.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        **options,  # type: ignore[call-overload]
    )


def test_help_lists_commands_and_exit_codes() -> None:
    done = twm("--help")
    assert done.returncode == 0
    for word in (*COMMANDS, "exit codes", "verification failed"):
        assert word in done.stdout


@pytest.mark.parametrize("command", ["run", "replay", "verify-audit", "decode"])
def test_each_command_has_help(command: str) -> None:
    done = twm(command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: twm {command}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "COMMAND"),
        (("fly",), "fly"),
        (("run", "--speed", "0"), "--speed: 0 is outside"),
        (("run", "--speed", "nan"), "--speed: nan is outside"),
        (("run", "--steps", "0"), "--steps: 0"),
        (("run", "--http-port-base", "80"), "--http-port-base: 80 is outside"),
        (("run", "--network", "atlantis"), "'atlantis' is neither a file nor a shipped spec"),
        (("run", "--redis-url", "ftp://:hunter2@h"), "is not a Redis URL"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_wrong(arguments: tuple[str, ...], named: str) -> None:
    done = twm(*arguments)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_no_redis_there_is_1(free_port: Callable[[], int]) -> None:
    done = twm("run", "--redis-url", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    assert done.returncode == 1
    assert "redis://:***@127.0.0.1" in done.stderr


def test_state_folder_belongs_to_one_run(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = twm("run", "--state-dir", str(tmp_path))
    assert done.returncode == 2
    assert "in use by another run" in done.stderr


def test_train_passes_arguments_and_exit_code_through(tmp_path: Path) -> None:
    package = tmp_path / "twm_train"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; print(sys.argv[1:]); sys.exit(5)")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from twm.cli.__main__ import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script, "train", "--help", "--epochs=3"],
        capture_output=True,
        text=True,
        timeout=90,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (5, "['--help', '--epochs=3']\n")


def test_ctrl_c_ends_the_trained_module_with_it(tmp_path: Path) -> None:
    package = tmp_path / "twm_train"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import time\nprint('up', flush=True)\ntry: time.sleep(60)\n"
        "except KeyboardInterrupt: print('saved', flush=True); raise SystemExit(7)"
    )
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from twm.cli.__main__ import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "train"],
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (7, "saved\n")
