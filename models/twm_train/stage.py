"""What every stage of a run of the recipe knows, and how a stage trains: resumable, with progress, curves and its time kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from twm.core.network import NetworkSpec
from twm_train.curves import Curves
from twm_train.data import Episodes
from twm_train.optimise import Schedule, Terms, train
from twm_train.progress import Progress, Silent
from twm_train.sizes import Recipe


@dataclass(kw_only=True)
class Run:
    """One run; its stages keep what they made in `folder`."""

    spec: NetworkSpec
    recipe: Recipe
    seed: int
    folder: Path
    command: str
    """Stands in the cards."""
    given: Path | Episodes | None = None
    """File of recorded training episodes, or episodes of a real network; None: the twin is recorded."""
    ray: str | None = None
    """Ray cluster that records."""
    progress: Progress = field(default_factory=Silent)
    spent: dict[str, float] = field(default_factory=dict)
    """CPU seconds by stage."""

    def __post_init__(self) -> None:
        self.curves = Curves(self.folder)

    @property
    def horizon(self) -> int:
        """Slow steps of a horizon."""
        return self.spec.timing.horizon_steps

    @property
    def real(self) -> bool:
        """Whether the episodes are a real network's, for which the planner plays no twin."""
        return isinstance(self.given, Episodes)

    def train(self, name: str, model: torch.nn.Module, steps: int, loss_of: Callable[[int], Any], rate: float) -> None:
        """Train `model` in place for `steps`, or as far as the checkpoint of stage `name` left it."""
        self.progress.start(f"train {name}", steps)
        done = [0]

        def report(step: int, terms: Terms) -> None:
            self.progress.advance(step - done[0], " ".join(f"{k} {v:.3f}" for k, v in terms.items()))
            self.curves(name, step, terms)
            done[0] = step

        schedule = Schedule(steps=steps, peak_rate=rate)
        checkpoint = self.folder / f"{name}.pt"
        self.spent[name] = train(model, loss_of, schedule, seed=self.seed, checkpoint=checkpoint, progress=report)
