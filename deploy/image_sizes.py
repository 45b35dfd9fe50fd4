"""How large the images are, put together here as deploy/Dockerfile does it, without a container engine.

    python deploy/image_sizes.py [IMAGE ...]     # default: all but inference-gpu, whose wheels are large

Installs the locks (hashes checked) into empty folders, copies the code, imports each entry point with nothing else on the path,
and sizes each layer as a registry would hold it: one gzip-compressed tar. The base image's size cannot be had here: what is
added for it is what its registry states, rounded up.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from prune import prune

REPO = Path(__file__).resolve().parents[1]
PYTHON_BASE_MB = 46
"""docker.io/library/python:3.11-slim-bookworm, linux/amd64, compressed, about."""
CUDA_BASE_MB = 1900
"""docker.io/nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04, linux/amd64, compressed, with Ubuntu's python3, about."""


@dataclass(frozen=True)
class Image:
    """What an image holds beside base, lib and services."""

    modules: tuple[str, ...]
    lock: str = ""
    copies: tuple[str, ...] = ()
    base_mb: int = PYTHON_BASE_MB


IMAGES = {
    "ingester": Image(("twm.ingester.__main__", "pycrate_asn1dir.E2AP"), "ingester"),
    "inference": Image(("twm.inference.__main__",), "inference", ("models/zoo",)),
    "planner": Image(("twm.planner.__main__", "twm.cli.healthcheck")),
    "gateway": Image(("twm.gateway.__main__",), "gateway"),
    "ric": Image(("twm.ric.__main__", "pycrate_asn1dir.E2AP"), "ric"),
    "twin": Image(("twm_twin.__main__", "twm_twin.e2.__main__"), "twin", ("models/twm_twin",)),
    "inference-gpu": Image(("twm.inference.__main__",), "inference-gpu", ("models/zoo",), CUDA_BASE_MB),
}
COPIED = ("services/buf", "services/twm", "deploy/networks", "deploy/guardrail", "deploy/a1")


def install(lock: str, target: Path) -> None:
    """A lock file's wheels, hashes checked, into a folder. Raises CalledProcessError."""
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--link-mode=copy"]
    command += [
        "--python",
        sys.executable,
        "--target",
        str(target),
        "-r",
        str(REPO / "deploy" / "requirements" / f"{lock}.txt"),
    ]
    subprocess.run(command, check=True)
    prune(target)


def copy(relative: str, root: Path) -> None:
    """A folder of the checkout, without what the build context leaves out."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")
    shutil.copytree(REPO / relative, root / relative, ignore=ignored)


class _Count:
    """A file that only counts."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes) -> int:
        """Count."""
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held."""


def compressed_mb(*folders: Path) -> float:
    """Size of a gzip-compressed tar of these folders [MB]."""
    counter = _Count()
    with (
        gzip.GzipFile(fileobj=cast(BinaryIO, counter), mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for folder in folders:
            if folder.is_dir():
                archive.add(folder, arcname=folder.name)
    return counter.size / 1e6


def check_imports(image: Image, root: Path) -> None:
    """Import the entry points with only the image's folders on the path. Raises CalledProcessError."""
    path = [root / "services", root / "models", root / "extra", root / "lib"]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1"}
    program = f"import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]; import {', '.join(image.modules)}"
    program += "; assert not {'torch', 'twm_train', 'twm_bench'} & set(sys.modules)"
    subprocess.run([sys.executable, "-S", "-c", program], env=environment, cwd=root, check=True)


def main(arguments: list[str]) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description="Sizes of the images, put together without a container engine.")
    present = [name for name in IMAGES if (REPO / "deploy/requirements" / f"{IMAGES[name].lock or 'base'}.txt").is_file()]
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"of {', '.join(present)}")
    names = parser.parse_args(arguments).images or [name for name in present if name != "inference-gpu"]
    unknown = [name for name in names if name not in present]
    if unknown:
        parser.error(f"{unknown[0]!r} is not one of {', '.join(present)}")
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder) / "shared"
        install("base", shared / "lib")
        for relative in COPIED:
            copy(relative, shared)
        shared_mb = compressed_mb(shared / "lib", shared / "services", shared / "deploy")
        sys.stdout.write(f"base image {PYTHON_BASE_MB} MB (as its registry states), shared layers {shared_mb:.1f} MB\n")
        sys.stdout.write("| image | own layers, MB | whole image, MB compressed |\n|---|---|---|\n")
        for name in names:
            image, root = IMAGES[name], Path(folder) / name
            root.mkdir()
            for part in ("lib", "services", "deploy"):
                (root / part).symlink_to(shared / part)
            if image.lock:
                install(image.lock, root / "extra")
            for relative in image.copies:
                copy(relative, root)
            check_imports(image, root)
            own_mb = compressed_mb(root / "extra", root / "models")
            sys.stdout.write(f"| {name} | {own_mb:.1f} | {image.base_mb + shared_mb + own_mb:.0f} |\n")
            sys.stdout.flush()
            shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
