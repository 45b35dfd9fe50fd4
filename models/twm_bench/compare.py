"""Two methods on the same horizons: `python -m twm_bench.compare FIRST SECOND --work build/bench --out FILE`.

Reads the units of a run that played both (the newest one, by its key) and writes paired differences FIRST - SECOND with
bootstrap intervals: by scenario, over those in and out of distribution, over all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from twm.core.errors import InvalidInputError, UnavailableError
from twm_bench.results import MEAN, UnitResult
from twm_bench.statistics import Played, difference, interval

GROUPS = {"in distribution": "-id", "out of distribution": "-ood"}
"""Scenarios by the end of their names."""
DIGITS = 4


def newest_units(work: Path, first: str, second: str, variant: str) -> dict[str, list[UnitResult]]:
    """Units of both methods under the newest key that has them. Raises UnavailableError."""
    found = []
    for key in sorted(path for path in work.iterdir() if path.is_dir()) if work.is_dir() else []:
        units = {name: _read(key / name, variant) for name in (first, second)}
        if all(units.values()):
            newest = max(path.stat().st_mtime for name in units for path in (key / name).iterdir())
            found.append((newest, key.name, units))
    if not found:
        raise UnavailableError(f"{work}: no run has units of both {first} and {second} in variant {variant}")
    return max(found, key=lambda one: one[:2])[2]


def _read(folder: Path, variant: str) -> list[UnitResult]:
    units = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            unit = UnitResult.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise InvalidInputError(f"{path}: not the result of a unit") from error
        if unit.variant in (variant, "any"):
            units.append(unit)
    return units


def compared(units: dict[str, list[UnitResult]], first: str, second: str) -> dict[str, Any]:
    """Differences of the horizons that both played. Raises InvalidInputError where there are none."""
    pairs = [{(u.scenario, seed) for u in units[name] for seed in u.seeds} for name in (first, second)]
    both = pairs[0] & pairs[1]
    seeds = sorted({seed for _, seed in both})
    scenarios = tuple(dict.fromkeys(u.scenario for u in units[first] if all((u.scenario, s) in both for s in seeds)))
    played = [Played.of(units[name], scenarios, seeds) for name in (first, second)] if both else [None, None]
    one, other = played
    if not seeds or one is None or other is None:
        raise InvalidInputError(f"{first} and {second} share no scenario on all of the same seeds")
    rows = {name: _row(one, other, [name]) for name in scenarios}
    for group, end in GROUPS.items():
        if names := [name for name in scenarios if name.endswith(end)]:
            rows[group] = _row(one, other, names)
    rows["all"] = _row(one, other, list(scenarios))
    return {
        "first": first,
        "second": second,
        "seeds": seeds,
        "key": units[first][0].key,
        "rows": rows,
        "twin_calls_a_horizon_at_most": {name: max(sum(unit.twin_calls) for unit in units[name]) for name in (first, second)},
        "seconds_a_decision": {
            name: round(float(np.mean([np.mean(unit.seconds) for unit in units[name]])), 3) for name in (first, second)
        },
        "decisions": {name: dict(sum((Counter(unit.notes) for unit in units[name]), Counter())) for name in (first, second)},
    }


def _row(first: Played, second: Played, names: list[str]) -> dict[str, Any]:
    index = [first.scenarios.index(name) for name in names]
    parts = [
        replace(
            played,
            scenarios=tuple(names),
            scm_YN=played.scm_YN[index],
            saving_YN=played.saving_YN[index],
            violated_YNS=played.violated_YNS[index],
            loss_YNS=played.loss_YNS[index],
            delay_YNS=played.delay_YNS[index],
        )
        for played in (first, second)
    ]
    scm, saving = difference(*parts)[MEAN], parts[0].saving_YN - parts[1].saving_YN
    low, high = interval(saving)
    return {
        "horizons": int(saving.size),
        "scm": [round(float(part.scm_YN.mean()), DIGITS) for part in parts],
        "scm_difference": {"mean": round(scm.mean, DIGITS), "low": round(scm.low, DIGITS), "high": round(scm.high, DIGITS)},
        "better": round(scm.better, DIGITS),
        "least_difference": round(float((parts[0].scm_YN - parts[1].scm_YN).min()), DIGITS),
        "saving": [round(float(part.saving_YN.mean()), DIGITS) for part in parts],
        "saving_difference": {
            "mean": round(float(saving.mean()), DIGITS), "low": round(low, DIGITS), "high": round(high, DIGITS)
        },
        "violated": [round(float(part.violated_YNS.any(-1).mean()), DIGITS) for part in parts],
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 on bad input, 1 where nothing is to be compared."""
    made = argparse.ArgumentParser(prog="python -m twm_bench.compare", description=(__doc__ or "").splitlines()[0])
    made.add_argument("first")
    made.add_argument("second")
    made.add_argument(
        "--work", type=Path, default=Path("build/bench"), help="folder of the results of units (default: %(default)s)"
    )
    made.add_argument("--variant", default="calendar", help="default: %(default)s")
    made.add_argument("--out", type=Path, default=None, help="JSON file; default: print only")
    options = made.parse_args(argv)
    try:
        found = compared(
            newest_units(options.work, options.first, options.second, options.variant), options.first, options.second
        )
    except InvalidInputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except UnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = {"variant": options.variant, **found}
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    return 0


def table(found: dict[str, Any]) -> str:
    """The differences as Markdown."""
    lines = [f"| {found['first']} - {found['second']} | SCM | 95 % interval | saving |", "|---|---|---|---|"]
    for name, row in found["rows"].items():
        scm = row["scm_difference"]
        interval_text = f"{scm['low']:+.4f} to {scm['high']:+.4f}"
        lines.append(f"| {name} | {scm['mean']:+.4f} | {interval_text} | {row['saving_difference']['mean']:+.4f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
