"""deploy/Dockerfile, its locks and its build context, as far as they can be checked without a container engine.

No engine has built or run the images here; `python deploy/image_sizes.py` puts them together by the same locks and imports
their entry points, and the rehearsal starts their commands.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).resolve().parents[2]
DOCKERFILE = REPO / "deploy" / "Dockerfile"
LOCKS = REPO / "deploy" / "requirements"
TARGETS = {
    "ingester": ["python", "-m", "twm.ingester"],
    "inference": ["python", "-m", "twm.inference"],
    "inference-gpu": ["python", "-m", "twm.inference"],
    "planner": ["python", "-m", "twm.planner"],
    "gateway": ["python", "-m", "twm.gateway"],
    "ric": ["python", "-m", "twm.ric"],
    "twin": ["python", "-m", "twm_twin"],
}
EXTRAS = {"base": ["otel"], "ric": ["ric-oransc", "ric-kafka"]}
"""Extras of a lock file; by default the one of its name."""


@functools.cache
def structure() -> list[dict[str, str]]:
    """Instructions in order."""
    parsed: list[dict[str, str]] = DockerfileParser(fileobj=io.BytesIO(DOCKERFILE.read_bytes())).structure
    return parsed


def stages() -> dict[str, list[tuple[str, str]]]:
    """(instruction, value) of each stage by name, comments left out; the first is FROM."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for part in structure():
        if part["instruction"] == "FROM":
            name = part["value"].split()[-1]
            found[name] = []
        if name and part["instruction"] != "COMMENT":
            found[name].append((part["instruction"], part["value"]))
    return found


def lineage(name: str) -> list[tuple[str, str]]:
    """Instructions of a stage and of the stages it stands on."""
    known = stages()
    parent = known[name][0][1].split()[0]
    return [*(lineage(parent) if parent in known else []), *known[name]]


def blocks(lock: str) -> dict[str, str]:
    """Requirement blocks of a lock file by name."""
    text = (LOCKS / f"{lock}.txt").read_text()
    found = [block for block in re.split(r"\n(?=\S)", text.strip()) if not block.startswith("#")]
    return {canonicalize_name(block.partition("==")[0]): block for block in found}


def test_hadolint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    said = subprocess.run([linter, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stdout
    assert said.stdout == ""


@pytest.mark.parametrize(("target", "entry"), TARGETS.items())
def test_a_target_runs_its_process_as_nobody(target: str, entry: list[str]) -> None:
    """Exec form, numeric user, a health check without a shell, labels; nothing is installed as the user that runs."""
    whole = lineage(target)
    last = dict(whole)
    assert last["ENTRYPOINT"] == str(entry).replace("'", '"')
    assert last["USER"] == "10001:10001"
    assert last["HEALTHCHECK"].endswith('CMD ["python", "-m", "twm.cli.healthcheck"]')
    assert last["STOPSIGNAL"] == "SIGTERM"
    labels = "".join(value for instruction, value in whole if instruction == "LABEL")
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in labels
    environment = " ".join(value for instruction, value in whole if instruction == "ENV")
    for variable in ("PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONSAFEPATH=1"):
        assert variable in environment
    after_user = whole[[instruction for instruction, _ in whole].index("USER") :]
    assert not [value for instruction, value in after_user if instruction in ("RUN", "ADD")]


def test_only_the_gpu_image_stands_on_another_base() -> None:
    roots = {target: lineage(target)[0][1].split()[0] for target in TARGETS}
    assert roots.pop("inference-gpu") == "${CUDA_IMAGE}"
    assert set(roots.values()) == {"${PYTHON_IMAGE}"}
    (cuda,) = (part["value"] for part in structure() if part["value"].startswith("CUDA_IMAGE="))
    assert cuda.split(":")[1].startswith("13."), "onnxruntime-gpu wants CUDA 13"


def test_installs_are_locked_and_entry_points_are_tried() -> None:
    """Everything is installed by deploy/install.py; each process is imported while its image is built."""
    text = DOCKERFILE.read_text()
    runs = [value for its in stages().values() for instruction, value in its if instruction == "RUN"]
    installs = [json.loads(value) for value in runs if value.startswith("[") and "install.py" in value]
    assert Counter(lock for _, _, lock, *_ in installs) == Counter({"base": 2, **{t: 1 for t in TARGETS if t != "planner"}})
    assert {(program, script) for program, script, *_ in installs} == {("python", "/locks/install.py")}
    assert {(lock == "base", folder) for _, _, lock, folder, *_ in installs} == {
        (True, "/opt/twm/lib"),
        (False, "/opt/twm/extra"),
    }
    assert not [value for value in runs if re.search(r"\bpip\b", value.replace("python3-pip", ""))]
    for module in ("ingester", "inference", "planner", "gateway", "ric"):
        assert f"import twm.{module}.__main__" in text or f", twm.{module}.__main__" in text
    assert "import twm_twin.__main__, twm_twin.e2.__main__" in text
    assert not re.search(r"curl|wget|twm_train|twm_bench|torch ", text.replace("holds torch, a compiler", ""))


def test_an_install_takes_no_wheel_without_its_hash(tmp_path: Path) -> None:
    for script in ("install.py", "prune.py"):
        shutil.copy(REPO / "deploy" / script, tmp_path)
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("tiny.py", "")
        packed.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Dist: no\n")
        packed.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr("tiny-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for name, options in (("none", ""), ("good", f" --hash=sha256:{digest}")):
        (tmp_path / f"{name}.txt").write_text(f"tiny @ {wheel.as_uri()}{options}\n")
        command = [sys.executable, "install.py", name, str(tmp_path / name), "--no-index"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode == 0) is (name == "good"), done.stdout + done.stderr
        assert (tmp_path / name / "tiny.py").is_file() is (name == "good")


@pytest.mark.parametrize("lock", ["base", *(t for t in TARGETS if t != "planner")])
def test_a_lock_is_what_the_project_asks_for(lock: str) -> None:
    """Every requirement of the extra is pinned within its bounds, as constraints.txt pins it, with hashes; and no torch."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    base, own = blocks("base"), blocks(lock)
    pinned = {**base, **own}
    constraints = dict(
        line.split("==") for line in (REPO / "constraints.txt").read_text().splitlines() if "==" in line and line[0] != "#"
    )
    constraints = {canonicalize_name(name): version for name, version in constraints.items()}
    asked = list(project["dependencies"])
    for extra in EXTRAS.get(lock, [lock]):
        asked += project["optional-dependencies"][extra]
    for item in asked:
        requirement = Requirement(item)
        if canonicalize_name(requirement.name) == "twm":
            asked += [r for extra in requirement.extras for r in project["optional-dependencies"][extra]]
            continue
        block = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(block.split("==")[1].split()[0]), block[:60]
    for name, block in own.items():
        assert "--hash=sha256:" in block, name
        assert constraints.get(name, block.split("==")[1].split()[0]) == block.split("==")[1].split()[0], name
    assert not {"torch", "onnx", "pytest", "ray", "matplotlib"} & set(pinned)
    assert ("onnxruntime" in pinned) == (lock == "inference")


def test_the_build_context_is_what_is_copied() -> None:
    """Everything is ignored but what COPY names."""
    lines = (REPO / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines[1] == "**"
    taken = {line[1:].removesuffix("/**").removesuffix("/*.txt") for line in lines if line.startswith("!")}
    copied = set()
    for its in stages().values():
        for instruction, value in its:
            if instruction == "COPY" and "--from" not in value:
                *sources, _ = [word for word in value.split() if not word.startswith("--")]
                copied |= {str(Path(s).parent) if s.endswith(".txt") else s for s in sources}
    assert copied == taken
    assert all((REPO / path).exists() for path in copied)
