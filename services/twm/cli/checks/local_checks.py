"""What lies on this machine: network spec, model zoo, state folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from twm.cli.checks.findings import Finding, Surroundings
from twm.core.errors import TwmError
from twm.core.zoo import check_digests, check_network, find_model

MODELS = ("cdwm", "fwm")
LEAST_FREE_BYTES = 500_000_000


async def check_network_spec(around: Surroundings) -> list[Finding]:
    """What the network spec says."""
    spec = around.spec
    if spec is None:
        return []  # among the problems of the surroundings
    return [
        Finding(
            "network",
            "OK",
            f"{spec.name} (area {spec.area_id}): {len(spec.cells)} cells, {len(spec.slices)} slices, "
            f"{len(spec.e2_nodes)} E2 nodes",
        )
    ]


async def check_zoo(around: Surroundings) -> list[Finding]:
    """Models of the zoo against the network: topology, frames, horizon, digests of every file."""
    if around.spec is None:
        return [Finding("model zoo", "SKIP", "no network spec to hold models against")]
    return await asyncio.to_thread(_zoo, around)


def _zoo(around: Surroundings) -> list[Finding]:
    spec, zoo = around.spec, around.base.zoo
    assert spec is not None
    if not zoo.is_dir():
        return [
            Finding(
                "model zoo",
                "FAIL",
                f"{zoo}: no such folder",
                "Set TWM_ZOO to the folder that holds cdwm/ and fwm/, or mount it.",
            )
        ]
    found = []
    for name in MODELS:
        check = f"model {name}"
        try:
            entry = find_model(zoo, name, spec.topology_digest())
            check_network(entry.card, spec)
            check_digests(entry)
        except TwmError as error:
            found.append(
                Finding(
                    check,
                    "FAIL" if name == "cdwm" else "WARN",
                    str(error),
                    f"Train one for this network (twm train), or mount a zoo for topology {spec.topology_digest()[:12]}.",
                )
            )
            continue
        found.append(Finding(check, "OK", f"{entry.card.version} fits {spec.name}, files as on its card"))
    return found


async def check_state_dir(around: Surroundings) -> list[Finding]:
    """The state folder can be written, and has room."""
    return [await asyncio.to_thread(_state_dir, around.base.state_dir)]


def _state_dir(folder: Path) -> Finding:
    check = "state folder"
    advice = "Mount a volume there that this user may write, or set TWM_STATE_DIR to a folder that is."
    try:
        present = folder.is_dir()
        if not present and folder.exists():
            return Finding(check, "FAIL", f"{folder} is no folder", advice)
        where = folder if present else _nearest(folder)
        if not present and not os.access(where, os.W_OK | os.X_OK):
            return Finding(check, "FAIL", f"{folder} is not there, and {where} does not let us make it", advice)
        if present:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".twm-doctor-") as file:
                file.write(b"twm")
                file.flush()
                os.fsync(file.fileno())
        free = shutil.disk_usage(where).free
    except OSError as error:
        return Finding(check, "FAIL", f"{folder}: {error.strerror or error}", advice)
    room = f"{free / 1e9:.1f} GB free"
    if free < LEAST_FREE_BYTES:
        return Finding(check, "WARN", f"{folder}: {room}", "Make room: the audit log grows by a few kilobytes a decision.")
    return Finding(check, "OK", f"{folder}: {'writable' if present else 'will be made'}, {room}")


def _nearest(folder: Path) -> Path:
    """The nearest folder above that is there."""
    for parent in folder.absolute().parents:
        if parent.is_dir():
            return parent
    return Path("/")
