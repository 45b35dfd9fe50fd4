"""`python -m twm_train`: train the Field and the Control/Dynamics World Model of a network and put them into the zoo."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from twm.core.errors import TwmError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder

if TYPE_CHECKING:
    from twm_train.data import Episodes

COLUMNS = (
    TextColumn("{task.description:32}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
    TextColumn("{task.fields[note]}"),
)


class RichProgress:
    """Progress bars on stderr; where that is no terminal, a line at every tenth of a stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._name, self._done, self._total = "", 0, 1

    def start(self, name: str, total: int) -> None:
        """A stage of `total` units begins."""
        self._name, self._done, self._total = name, 0, max(total, 1)
        self._task = self._progress.add_task(name, total=total, note="")

    def advance(self, count: int, note: str = "") -> None:
        """`count` more units are done."""
        before, self._done = self._done, self._done + count
        if self._task is not None:
            self._progress.update(self._task, advance=count, note=note)
        if not self._progress.console.is_terminal and 10 * self._done // self._total > 10 * before // self._total:
            self._progress.console.print(f"{self._name}: {self._done}/{self._total} {note}".rstrip(), highlight=False)

    def note(self, text: str) -> None:
        """Something worth reading."""
        self._progress.console.print(text)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m twm_train", description=__doc__)
    made.add_argument("--network", default="poc-city", metavar="NAME|FILE", help="shipped network spec or network.yaml")
    made.add_argument("--out", type=Path, metavar="ZOO", help="model zoo (default: the shipped one)")
    made.add_argument("--minutes", type=float, default=30.0, help="about how many CPU-minutes to spend; sets step counts")
    made.add_argument("--quick", action="store_true", help="a run of under a minute that shows everything works; poor models")
    made.add_argument("--seed", type=int, default=1, help="seed of initialisation, bootstrap and sampling (default 1)")
    made.add_argument(
        "--data",
        default="twin",
        metavar="twin|frames:PATH|FILE",
        help="twin: record episodes in the twin (default); frames:PATH: frame file, folder of *.frames, or a folder of EXPLORA "
        "or TRACTOR; FILE: training episodes recorded before (.npz)",
    )
    made.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="record episodes on a Ray cluster, or a local one (extra `ray`)",
    )
    made.add_argument("--version", help="folder name in the zoo (default: NETWORK-<next number>)")
    made.add_argument(
        "--work", type=Path, default=Path("var/train"), metavar="DIR", help="checkpoints; an interrupted run goes on"
    )
    made.add_argument("--threads", type=int, default=1, help="torch threads (default 1: small matrices gain nothing from more)")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Parse, train, print the measured quality. Returns the exit code."""
    options = parser().parse_args(arguments)
    console = Console(stderr=True)
    if not 0 < options.minutes <= 24 * 60:
        console.print(f"twm_train: --minutes: {options.minutes}, expected more than 0 and at most 1440")
        return 2
    # torch takes seconds to import: only when the arguments make sense
    from twm_train.recipe import run
    from twm_train.sizes import Recipe

    recipe = Recipe.quick() if options.quick else Recipe.of_minutes(options.minutes)
    try:
        spec = load_network(find_network(options.network))
        with Progress(*COLUMNS, console=console) as bars:
            cards = run(
                spec,
                recipe,
                seed=options.seed,
                zoo=options.out or zoo_folder(),
                work=options.work,
                command=shlex.join(["python", "-m", "twm_train", *(arguments if arguments is not None else sys.argv[1:])]),
                version=options.version,
                data=_data(spec, options.data),
                ray=options.ray,
                threads=options.threads,
                progress=RichProgress(bars),
            )
    except TwmError as error:
        console.print(f"twm_train: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("twm_train: interrupted; the same command goes on from the last checkpoint")
        return 130
    for card in cards:
        print(f"{card.name} {card.version}: {card.training.cpu_s:.0f} CPU-s")
        for name, value in sorted(_flatten(card.quality)):
            print(f"  {name} = {value}")
    return 0


def _data(spec: NetworkSpec, text: str) -> Path | Episodes | None:
    kind, _, path = text.partition(":")
    if text == "twin":
        return None
    if kind == "frames":
        from twm_train.traces.frames import load_frames

        return load_frames(spec, Path(path))
    return Path(text)


def _flatten(value: object, prefix: str = "") -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [item for key, inner in value.items() for item in _flatten(inner, f"{prefix}.{key}" if prefix else str(key))]
    return [(prefix, value)]


if __name__ == "__main__":
    raise SystemExit(main())
