"""Live training curves for TensorBoard: `tensorboard --logdir <work folder>`. Nothing is written where it is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

EVERY = 10
"""Training steps between two points of a curve."""


class Curves:
    """Scalars of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "curves"
        self._writer: Any = None
        self._wanted = find_spec("tensorboard") is not None

    def __call__(self, name: str, step: int, terms: Mapping[str, float]) -> None:
        """Write the terms of a step of stage `name`."""
        if not self._wanted or step % EVERY:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder))  # type: ignore[no-untyped-call]
        for key, value in terms.items():
            self._writer.add_scalar(f"{name}/{key}", value, step)
