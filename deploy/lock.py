"""Writes deploy/requirements/*.txt: what each image installs, pinned with hashes, from pyproject.toml and constraints.txt.

    python deploy/lock.py            # write (asks the package index; needs uv, in the check extra)
    python deploy/lock.py --check    # exit 1 where a file differs from what would be written

base.txt is what every image holds; the file of an image holds what comes on top. All hashes of all files of a version are
listed, so one lock serves every platform and Python version. tests/contract/test_image_files.py checks without a network that
the files fit pyproject.toml and constraints.txt.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
FOLDER = REPO / "deploy" / "requirements"
IMAGES = {
    "ingester": ("ingester",),
    "inference": ("inference",),
    "inference-gpu": ("inference-gpu",),
    "gateway": ("gateway",),
    "ric": ("ric-oransc", "ric-kafka"),
    "twin": ("twin",),
}
"""Extras of each image that has any; the planner needs the base only."""
BASE = ("otel",)
"""Extras of every image."""
OLDEST_PYTHON = "3.11"
HEADER = "# Written by `python deploy/lock.py`; do not edit.\n"


def resolve(extras: tuple[str, ...]) -> dict[str, str]:
    """Pinned requirement with hashes by name, for these extras or the base. Raises CalledProcessError where nothing fits."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lock.txt"
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes"]
        command += ["--no-header", "--no-annotate", "-c", "constraints.txt", "-o", str(output), "pyproject.toml"]
        subprocess.run([*command, *(f"--extra={extra}" for extra in extras)], cwd=REPO, check=True)
        return blocks(output.read_text())


def blocks(text: str) -> dict[str, str]:
    """Requirement blocks (pin, marker, hashes) of a lock file by name."""
    found = {}
    for block in re.split(r"\n(?=\S)", text.strip()):
        if not block.startswith("#"):
            found[block.partition("==")[0]] = block
    return found


def pin(block: str) -> str:
    """name==version of a block."""
    return block.split(maxsplit=1)[0]


def locks() -> dict[str, str]:
    """Content of every lock file by name."""
    base = resolve(BASE)
    files = {"base.txt": HEADER + "\n".join(base.values()) + "\n"}
    for image, extras in IMAGES.items():
        whole = resolve((*BASE, *extras))
        different = [name for name in base if pin(whole.get(name, base[name])) != pin(base[name])]
        if different:
            raise SystemExit(f"image {image} needs another version of {', '.join(different)} than the base")
        on_top = [block for name, block in whole.items() if block != base.get(name)]
        files[f"{image}.txt"] = HEADER + "".join(f"{block}\n" for block in on_top)
    return files


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    wrong = []
    for name, text in locks().items():
        path = FOLDER / name
        if arguments == ["--check"]:
            if not path.is_file() or path.read_text() != text:
                wrong.append(name)
        else:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text)
    if wrong:
        sys.stderr.write(f"{', '.join(wrong)}: not what `python deploy/lock.py` writes: run it\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
