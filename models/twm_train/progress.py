"""Where a long computation reports to."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Where a run reports to."""

    def start(self, name: str, total: int) -> None:
        """A stage of `total` units begins."""

    def advance(self, count: int, note: str = "") -> None:
        """`count` more units are done."""

    def note(self, text: str) -> None:
        """Something worth reading."""


class Silent:
    """Reports nothing."""

    def start(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, count: int, note: str = "") -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""
