"""`python -m twm_bench.traces`: forecasts and off-policy evaluation on recorded experiments of real base stations."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from twm.core.errors import TwmError
from twm_bench.traces.study import run, table


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, print. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m twm_bench.traces", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the folders of the traces")
    parser.add_argument("--network", default="explora-cell", metavar="NAME|FILE", help="network whose SLAs make the SCM")
    parser.add_argument("--seed", type=int, default=1, help="seed of training and resampling (default 1)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the whole result there as JSON")
    parser.add_argument("--only", choices=("explora", "tractor"), help="one of the traces (default: both)")
    parser.add_argument("--quick", action="store_true", help="a short run that shows everything works; its figures say nothing")
    parser.add_argument("--ablation", action="store_true", help="also boosting with the inputs of our base prediction")
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        sys.stderr.write(f"traces: --data: {str(options.data)!r} is no folder\n")
        return 2
    say = lambda text: sys.stderr.write(f"{text}\n")
    try:
        result = run(
            options.data,
            seed=options.seed,
            network=options.network,
            quick=options.quick,
            ablation=options.ablation,
            only=options.only,
            note=say,
        )
    except TwmError as error:
        sys.stderr.write(f"traces: {error}\n")
        return 2
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
