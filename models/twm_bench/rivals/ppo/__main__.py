"""`python -m twm_bench.rivals.ppo train`: trains the rival and writes its policy and card."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from twm.core.errors import TwmError
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.planner.reactive import ReactiveParameters


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 on bad input."""
    from twm_bench.rivals.ppo.train import PpoOptions, train

    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m twm_bench.rivals.ppo", description=(__doc__ or "").splitlines()[0])
    command = parser.add_subparsers(dest="command", required=True).add_parser("train", help="train and write policy and card")
    command.add_argument("--network", default="poc-city", help="shipped network spec or path (default: %(default)s)")
    command.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to (default: the package's)")
    for field in fields(PpoOptions):
        kind = float if isinstance(field.default, float) else int
        command.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default, help="default: %(default)s")
    chosen = parser.parse_args(given)
    try:
        spec = load_network(find_network(chosen.network))
        options = PpoOptions(**{field.name: getattr(chosen, field.name) for field in fields(PpoOptions)})
        card = train(spec, ReactiveParameters(), options, chosen.out, "python -m twm_bench.rivals.ppo " + " ".join(given))
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"quality": card["quality"], "rule": card["quality_of_rule"]}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
