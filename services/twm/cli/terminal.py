"""Lines and a status line: live at the bottom of a terminal, plain lines elsewhere. No threads: the supervisor forks."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

PLAIN_STATUS_PERIOD_S = 10.0


class Terminal:
    """Standard output. Enter it to have the live status line."""

    def __init__(self, *, plain: bool = False) -> None:
        self._live: Any = None
        self._plain = plain or not sys.stdout.isatty()
        self._next_status_s = 0.0

    def __enter__(self) -> Self:
        """Open the live line, where there is a terminal."""
        if not self._plain:
            from rich.console import Console
            from rich.live import Live

            console = Console(highlight=False, markup=False, emoji=False)
            self._live = Live("", console=console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the live line."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, line: str) -> None:
        """One line that stays."""
        if self._live is not None:
            self._live.console.print(f"{time.strftime('%H:%M:%S')} {line}", soft_wrap=True)
            return
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stdout.flush()

    def status(self, line: str) -> None:
        """What is true now; on plain output only every ten seconds."""
        if self._live is not None:
            self._live.update(line, refresh=True)
            return
        if time.monotonic() >= self._next_status_s:
            self.say(line)
            self._next_status_s = time.monotonic() + PLAIN_STATUS_PERIOD_S
