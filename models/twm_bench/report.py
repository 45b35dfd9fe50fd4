"""`python -m twm_bench.report FOLDER`: page, plots, targets and README table anew from a report.json; nothing is played.

`--parts` measures parts anew, or adds those that the report has not: for these no unit of the decision axis is needed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from twm.core.errors import InvalidInputError, TwmError
from twm.core.network import load_network
from twm.core.paths import find_network, zoo_folder
from twm_bench.publish import publish
from twm_bench.results import Report


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m twm_bench.report", description="Publish a report.json anew.")
    add = parser.add_argument
    add("folder", type=Path, help="folder with report.json; page and plots go there too")
    add("--readme", type=Path, default=None, help="README to write the results table into")
    add("--parts", default="", help="measure these: models, field-ceiling, unseen, adaptation, traces (comma-separated)")
    add("--work", type=Path, default=Path("build/bench"), help="folder of finished parts (default: %(default)s)")
    add("--zoo", type=Path, default=None, help="model zoo (default: the one that ships)")
    add("--network", default=None, help="shipped network spec or path (default: the report's)")
    add("--axes-seeds", type=int, default=8, metavar="N", help="seeds of these measurements (default: %(default)s)")
    add("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="processes (default: cores)")
    add("--ray", nargs="?", const="local", default=None, metavar="ADDRESS", help="on a Ray cluster, or a local one")
    add("--data", type=Path, default=None, metavar="DIR", help="recorded traces (default: shared/data beside the checkout)")
    options = parser.parse_args(argv)
    try:
        report = Report.read(options.folder)
        if options.parts:
            from twm_bench.__main__ import measure

            options.network = options.network or report.network
            spec = load_network(find_network(options.network))
            if spec.digest() != report.spec_hash:
                raise InvalidInputError(f"--network: digest {spec.digest()[:12]}, the report is of {report.spec_hash[:12]}")
            measure(report, spec, options.zoo or zoo_folder(), options)
        for path in publish(report, options.folder, options.readme):
            print(path)
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InvalidInputError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
