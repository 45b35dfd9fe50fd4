"""Takes out of an image's packages what no process imports: python prune.py FOLDER. Standard library only: images run it.

pycrate carries every telecom protocol (250 MB unpacked) and E2AP is the only one in use; numba and numpy carry their tests.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

USED_PROTOCOLS = {"__init__.py", "E2AP.py"}
TESTS = ("numba/tests", "numba/cuda/tests", "numpy/*/tests", "numpy/tests", "pycrate_corenet", "pycrate_csn1dir")


def prune(folder: Path) -> None:
    """Prune the packages of one folder. Raises FileNotFoundError where pycrate is there without E2AP."""
    protocols = folder / "pycrate_asn1dir"
    if protocols.is_dir():
        if not (protocols / "E2AP.py").is_file():
            raise FileNotFoundError(f"{protocols}: no E2AP.py")
        for path in protocols.iterdir():
            if path.is_file() and path.name not in USED_PROTOCOLS:
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
    for pattern in TESTS:
        for path in folder.glob(pattern):
            shutil.rmtree(path)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        prune(Path(argument))
