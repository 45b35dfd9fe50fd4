"""Progress of the measurements on the terminal: a bar a stage, or a line a stage where no one watches."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Stages:
    """Stages of known length, one after the other; fits twm_bench.axes.measure.Progress and twm_train.recipe.Progress."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:36s}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None

    def __enter__(self) -> Stages:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def start(self, name: str, total: int) -> None:
        """A stage of `total` units begins."""
        if not self._console.is_terminal:
            self._console.print(f"{name}: {total}", markup=False)
        self._task = self._bars.add_task(name[:36], total=total)

    def advance(self, count: int, note: str = "") -> None:
        """`count` more units are done."""
        if self._task is not None:
            self._bars.advance(self._task, count)

    def note(self, text: str) -> None:
        """Something worth reading."""
        self._console.print(text, markup=False)
