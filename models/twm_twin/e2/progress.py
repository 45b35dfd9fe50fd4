"""How far the emulator has come, in a file that survives kill -9: which tick was accepted last, and of which run."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from twm.core.errors import UnavailableError
from twm.core.network import NetworkSpec
from twm_twin.e2.settings import E2Settings


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is kept."""

    run: str
    """Digest of all that determines the reports; another one means another run, which begins anew."""
    first_step: int
    """Slow step the run began with (Unix time over step length)."""
    steps: int = 0
    """Slow steps whose reports were all accepted."""
    ticks: int = 0
    """Ticks of the next slow step that were accepted besides."""


def run_digest(spec: NetworkSpec, settings: E2Settings) -> str:
    """Digest of what determines the reports."""
    parts = (
        spec.digest(),
        settings.e2_seed,
        settings.e2_scenarios,
        settings.e2_scenario_steps,
        settings.e2_running,
        settings.e2_start,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class ProgressFile:
    """Reads and replaces the file."""

    def __init__(self, folder: Path, area_id: str) -> None:
        self.path = folder / f"e2-emulator-{area_id}.json"

    def read(self, run: str) -> Progress | None:
        """The progress of that run; None where there is none, or the file cannot be understood."""
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            progress = Progress(**data)
        except (OSError, ValueError, TypeError):
            return None
        numbers = (progress.first_step, progress.steps, progress.ticks)
        if progress.run != run or not all(isinstance(n, int) and n >= 0 for n in numbers):
            return None
        return progress

    def write(self, progress: Progress) -> None:
        """Replace the file at once. Raises UnavailableError where the folder cannot be written."""
        temporary = self.path.with_suffix(".tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(asdict(progress), file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            raise UnavailableError(f"TWM_STATE_DIR: cannot write {self.path}: {error.strerror}") from error
