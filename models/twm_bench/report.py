"""`python -m twm_bench.report FOLDER`: page, plots, targets and README table anew from a report.json; nothing is played."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from twm.core.errors import TwmError
from twm_bench.publish import publish
from twm_bench.results import Report


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m twm_bench.report", description="Publish a report.json anew.")
    parser.add_argument("folder", type=Path, help="folder with report.json; page and plots go there too")
    parser.add_argument("--readme", type=Path, default=None, help="README to write the results table into")
    options = parser.parse_args(argv)
    try:
        for path in publish(Report.read(options.folder), options.folder, options.readme):
            print(path)
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
