"""Generate the Python code of the protobuf contracts into services/, or check that the committed code is current.

`python proto/generate.py` writes; `--check` compares and exits 1 with the names of stale files.
"""

from __future__ import annotations

import filecmp
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PROTO_ROOT = Path(__file__).resolve().parent
TARGET = PROTO_ROOT.parent / "services"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py")


def generate(out: Path) -> list[Path]:
    """Run protoc for every contract; return the generated files relative to `out`."""
    sources = sorted(str(path.relative_to(PROTO_ROOT)) for path in PROTO_ROOT.rglob("*.proto"))
    with_services = [source for source in sources if "\nservice " in (PROTO_ROOT / source).read_text()]
    include = [f"-I{PROTO_ROOT}", f"-I{files('grpc_tools') / '_proto'}"]
    if protoc.main(["protoc", *include, f"--python_out={out}", f"--pyi_out={out}", *sources]) != 0:
        raise SystemExit("protoc failed; see its message above")
    if protoc.main(["protoc", *include, f"--grpc_python_out={out}", *with_services]) != 0:
        raise SystemExit("protoc failed; see its message above")
    written = [path for pattern in GENERATED for path in out.rglob(pattern)]
    for package in {parent for path in written for parent in path.parents if out in parent.parents}:
        if package.relative_to(out) != Path("twm"):
            (package / "__init__.py").touch()
    return sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())


def main() -> int:
    """Write or check; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        fresh = generate(out)
        if "--check" in sys.argv[1:]:
            stale = [p for p in fresh if not (TARGET / p).exists() or not filecmp.cmp(out / p, TARGET / p, shallow=False)]
            for path in stale:
                print(f"stale: services/{path}: run `make proto`", file=sys.stderr)
            return 1 if stale else 0
        for path in fresh:
            (TARGET / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(out / path, TARGET / path)
        print(f"wrote {len(fresh)} files under services/")
        return 0


if __name__ == "__main__":
    sys.exit(main())
