"""Installs a lock into a folder of an image, then prunes it: python install.py LOCK FOLDER [PIP OPTION ...].

The lock is LOCK.txt beside this file. Wheels only, every hash checked, nothing that the lock does not name. Standard library
and pip only: images run it while they are built.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prune import prune

OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--no-cache-dir",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
)


def main(arguments: list[str]) -> int:
    """pip's exit code."""
    lock, folder, *more = arguments
    requirements = Path(__file__).with_name(f"{lock}.txt")
    command = [sys.executable, "-m", "pip", "install", *OPTIONS, *more, f"--target={folder}", f"--requirement={requirements}"]
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        prune(Path(folder))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
