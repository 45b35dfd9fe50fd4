"""What a method is: made ready for one task, then asked for the next step's shares of a batch of horizons.

Shape suffixes: B horizons, C cells, L links, S slices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from twm.core.network import NetworkSpec
from twm_train.in_process import Decided, Observed, Variant
from twm_twin.seeds import seeds

PREPARE_FIRST_SEED = 0x6800
"""Validation seeds from here on choose what a method fixes before it plays."""


@dataclass(frozen=True, kw_only=True)
class ModelFolders:
    """Where methods find what was trained."""

    zoo: Path
    """Zoo of the world models (and of the actor)."""
    analytic: Path | None = None
    """CDWM with its residuals off; a folder with a card."""
    teacher_forced: Path | None = None
    """CDWM trained without overshooting."""
    llm_url: str = ""
    """OpenAI-compatible endpoint of a language model, up to and with /v1; empty: there is none."""
    llm_model: str = "default"
    """Name of the model there."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a method is made ready for. Every method of a variant knows the scenario's name; only the oracle reads `seeds`."""

    spec: NetworkSpec
    variant: Variant
    scenario: str
    seeds: tuple[int, ...]
    folders: ModelFolders
    overrides: tuple[str, ...] = ()
    """Planner settings to try, as `name=JSON`; on validation seeds only."""


class Method(Protocol):
    """A method ready to play the horizons of its task, once."""

    prepare_calls: int
    """Twin calls made to get ready."""

    def decide(self, observed: Observed) -> Decided:
        """Shares for the next step of every horizon."""


Prepare = Callable[[Task], Method]


class AbsentError(Exception):
    """What the method needs is not there; the message says what and how to make it."""


def choosing_seeds(count: int) -> list[int]:
    """Validation seeds on which a method may choose what it fixes."""
    return seeds("validation", count, PREPARE_FIRST_SEED)
