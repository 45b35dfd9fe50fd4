"""`python -m twm_train.reproduce`: train a network's models anew from their seeds and compare them with those that ship.

The sizes and the seed are those of the training command in the shipped cards. What is made lies in the work folder: an
interrupted run goes on when the same command is given again; a new check of changed code needs a new folder. Exit code 1
where a figure of quality lies outside its tolerance (tolerances.yaml).
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from twm.core.errors import InvalidInputError, TwmError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder
from twm.core.zoo import CONTRACTS, ModelCard, find_model, list_models
from twm_train.__main__ import COLUMNS, RichProgress
from twm_train.__main__ import parser as training_parser
from twm_train.likeness import TOLERANCES, Compared, compare, load_tolerances


def shipped_cards(zoo: Path, spec: NetworkSpec) -> list[ModelCard]:
    """Cards of the newest models of the network. Raises ModelMismatchError where there is none."""
    found = [name for name in CONTRACTS if any(m.card.network == spec.name for m in list_models(zoo, name))]
    return [find_model(zoo, name, spec.topology_digest()).card for name in found or CONTRACTS]


def training_of(cards: Sequence[ModelCard]) -> argparse.Namespace:
    """The options that the models were trained with.

    Raises InvalidInputError where the cards differ in it, or name no `python -m twm_train` on the twin.
    """
    command = cards[0].training.command
    for card in cards:
        if card.training.command != command:
            raise InvalidInputError(f"{card.name} {card.version}: trained by another command than {cards[0].name}")
    words = shlex.split(command)
    if words[:3] != ["python", "-m", "twm_train"]:
        raise InvalidInputError(f"training.command: {command[:100]!r} is no run of `python -m twm_train`")
    options = training_parser().parse_args(words[3:])
    if options.data != "twin" or options.quick:
        raise InvalidInputError(f"training.command: {command[:100]!r} is no whole run on the twin's data")
    return options


def train_anew(spec: NetworkSpec, cards: Sequence[ModelCard], work: Path, console: Console) -> list[ModelCard]:
    """Train as the cards say, into `work`; returns the new cards."""
    options = training_of(cards)
    from twm_train.recipe import run
    from twm_train.sizes import Recipe

    with Progress(*COLUMNS, console=console) as bars:
        return run(
            spec,
            Recipe.of_minutes(options.minutes),
            seed=options.seed,
            zoo=work / "zoo",
            work=work / "train",
            command=cards[0].training.command,
            version=cards[0].version,
            threads=options.threads,
            progress=RichProgress(bars),
        )


def table_of(rows: Sequence[Compared]) -> Table:
    """The comparison for the terminal."""
    table = Table("model", "figure", "shipped", "anew", "difference", "tolerance", "")
    for row in rows:
        known = row.shipped is not None and row.found is not None
        difference = f"{row.found - row.shipped:+.4f}" if known else "-"  # type: ignore[operator]
        values = ["-" if value is None else f"{value:.4f}" for value in (row.shipped, row.found)]
        table.add_row(row.model, row.figure, *values, difference, f"{row.within:g}", "" if row.alike else "OUTSIDE")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 1 outside the tolerances, 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m twm_train.reproduce", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", default="poc-city", metavar="NAME|FILE")
    parser.add_argument("--zoo", type=Path, help="what is to be reproduced (default: the shipped zoo)")
    parser.add_argument("--work", type=Path, default=Path("var/reproduce"), help="folder of the run (default: %(default)s)")
    parser.add_argument("--found", type=Path, metavar="ZOO", help="compare with this zoo and train nothing")
    parser.add_argument("--tolerances", type=Path, default=TOLERANCES, help="file of tolerances (default: the shipped one)")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        spec = load_network(find_network(options.network))
        tolerances = load_tolerances(options.tolerances)
        cards = shipped_cards(options.zoo or zoo_folder(), spec)
        anew = shipped_cards(options.found, spec) if options.found else train_anew(spec, cards, options.work, console)
        by_name = {card.name: card for card in anew}
        missing = [card.name for card in cards if card.name not in by_name]
        if missing:
            raise InvalidInputError(f"{options.found}: no {', '.join(missing)} for network {spec.name}")
        rows = [row for card in cards for row in compare(card, by_name[card.name], tolerances.get(card.name, []))]
    except TwmError as error:
        console.print(f"twm_train.reproduce: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("twm_train.reproduce: interrupted; the same command goes on from the last checkpoint")
        return 130
    Console(width=None if sys.stdout.isatty() else 140).print(table_of(rows))
    outside = [row for row in rows if not row.alike]
    same = [card.name for card in cards if card.graphs == by_name[card.name].graphs]
    print(
        f"{len(rows) - len(outside)} of {len(rows)} figures within tolerance; the same bit by bit: {', '.join(same) or 'none'}"
    )
    return 1 if outside else 0


if __name__ == "__main__":
    raise SystemExit(main())
