"""`python -m twm_bench`, also `twm bench`: plays TelecomWorldBench and writes its report.

The full run plays the evaluation seeds of every scenario; nothing may be chosen by it. `--quick` and `--tune` play validation
seeds. What is done stays in the work folder: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from twm.core.errors import InvalidInputError, TwmError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder
from twm.core.zoo import CARD_NAME, load_card
from twm_bench import publish
from twm_bench.assemble import assemble, table
from twm_bench.methods.catalogue import ABLATED, EVERYTHING, METHODS, chosen
from twm_bench.methods.method import ModelFolders
from twm_bench.progress import Stages
from twm_bench.results import Report, SeedsUsed
from twm_bench.robustness.measure import PARTS, Where, add_parts
from twm_bench.runner import MAX_JOBS, expected_s, run
from twm_bench.units import Unit, make_units
from twm_train.in_process import VARIANTS, Variant
from twm_twin.scenarios import SCENARIOS
from twm_twin.seeds import require, seeds

FULL_SEEDS, FULL_ABLATION_SEEDS, AXES_SEEDS, QUICK_SEEDS, TUNE_SEEDS, CHUNK = 32, 16, 8, 2, 8, 8
VALIDATION_FIRST = 0x7800
"""Validation seeds that no method chooses anything on; --quick and --tune begin here."""
QUICK_METHODS = ("uniform", "proportional", "reactive", "dt-cem-12", "dt-cem-96", "twm", "oracle")
OUT = Path("models/twm_bench/report")
WORK = Path("build/bench")
MODELS = "models"
"""The axes of the models: field, trajectory, ranking, speed."""
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
VARIANTS_FOLDER = Path(__file__).parent / "variants"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="twm bench", description=(__doc__ or "").splitlines()[0])
    add = made.add_argument
    size = made.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="evaluation seeds 0-31 of every scenario (default)")
    size.add_argument("--quick", action="store_true", help="few methods on a few validation seeds: does it all work")
    size.add_argument("--tune", action="store_true", help="validation seeds; no report is written unless --out is given")
    add("--network", default="poc-city", help="shipped network spec or path (default: %(default)s)")
    add("--variants", default=None, help=f"comma-separated (default: {','.join(VARIANTS)}; --quick: calendar)")
    add("--methods", default=None, help=f"comma-separated, of {', '.join(EVERYTHING)} (default: all; --quick: some)")
    add("--scenarios", default=",".join(SCENARIOS), help="comma-separated (default: %(default)s)")
    add("--seeds", type=int, default=None, metavar="N", help="seeds of each scenario (default: 32; --quick: 2; --tune: 8)")
    add("--first-seed", type=int, default=0, metavar="N", help="with --tune: index of the first one (default: 0)")
    add("--ablation-seeds", type=int, default=None, metavar="N", help="seeds of the ablations (default: 16)")
    add("--ablation-variants", default="calendar", help="comma-separated (default: %(default)s)")
    add("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="processes (default: cores)")
    add("--ray", nargs="?", const="local", default=None, metavar="ADDRESS", help="on a Ray cluster, or a local one")
    add("--work", type=Path, default=WORK, help="folder of the results of units (default: %(default)s)")
    add("--out", type=Path, default=None, help=f"folder of the report (default: {OUT}; --quick: the work folder)")
    add("--zoo", type=Path, default=None, help="model zoo (default: the one that ships)")
    add("--analytic", type=Path, default=None, help="folder of the CDWM with its residuals off (default: as it ships)")
    add("--teacher-forced", type=Path, default=None, help="folder of the CDWM without overshooting (default: as above)")
    add("--llm-url", default="", metavar="URL", help="OpenAI-compatible endpoint for llm-only, up to and with /v1")
    add("--llm-model", default="default", metavar="NAME", help="the model there (default: %(default)s)")
    add("--axes", action=argparse.BooleanOptionalAction, default=None, help="measure the models as well (default: --full only)")
    add("--axes-seeds", type=int, default=AXES_SEEDS, metavar="N", help="seeds of these measurements (default: %(default)s)")
    add("--parts", default=",".join((MODELS, *PARTS)), help="of these measurements, comma-separated (default: %(default)s)")
    add("--data", type=Path, default=None, metavar="DIR", help="recorded traces (default: shared/data beside the checkout)")
    add("--readme", type=Path, default=None, help="write the results table into this file, between its markers")
    add("--set", action="append", default=[], metavar="NAME=JSON", help="with --tune: planner setting, e.g. weights.risk=0.2")
    return made


def bench(options: argparse.Namespace, command: str) -> Report:
    """Play and assemble. Raises InvalidInputError, UnavailableError."""
    spec = load_network(find_network(options.network))
    folders = ModelFolders(
        zoo=options.zoo or zoo_folder(),
        analytic=options.analytic or shipped_variant(spec, "analytic"),
        teacher_forced=options.teacher_forced or shipped_variant(spec, "teacher-forced"),
        llm_url=options.llm_url,
        llm_model=options.llm_model,
    )
    used = seeds_of(options)
    if not 1 <= options.jobs <= MAX_JOBS:
        raise InvalidInputError(f"--jobs: {options.jobs} is outside 1..{MAX_JOBS}")
    variants = _variants(options.variants or ("calendar" if options.quick else ",".join(VARIANTS)), "variants")
    names = chosen(_split(options.methods) if options.methods else QUICK_METHODS if options.quick else EVERYTHING)
    scenarios = _split(options.scenarios)
    for name in scenarios:
        if name not in SCENARIOS:
            raise InvalidInputError(f"scenarios: {name[:64]!r} is not one of {', '.join(SCENARIOS)}")
    common = {"scenarios": scenarios, "chunk": CHUNK, "overrides": tuple(options.set)}
    units = make_units(spec, folders, methods=[m for m in names if m in METHODS], variants=variants, seeds=used.seeds, **common)
    ablated = [v for v in _variants(options.ablation_variants, "ablation-variants") if v in variants]
    units += make_units(
        spec, folders, methods=[m for m in names if m in ABLATED], variants=ablated, seeds=used.ablation_seeds, **common
    )
    report = _play(spec, folders, units, used, variants, scenarios, options, command)
    if options.axes if options.axes is not None else not (options.quick or options.tune):
        measure(report, spec, folders.zoo, options)
    return report


def measure(report: Report, spec: NetworkSpec, zoo: Path, options: argparse.Namespace) -> None:
    """The parts of a report that need no unit, those of `options.parts`; what the work folder has is not measured again."""
    parts, console = _split(options.parts), Console(stderr=True)
    for name in parts:
        if name not in (MODELS, *PARTS):
            raise InvalidInputError(f"--parts: {name[:64]!r} is not one of {', '.join((MODELS, *PARTS))}")
    console.print(f"measuring: {', '.join(parts)}")
    work, seed_count = options.work / "axes", options.axes_seeds
    data = options.data or DATA
    with Stages(console) as stages:
        if MODELS in parts:
            publish.add_axes(report, spec, zoo, network=options.network, seed_count=seed_count, work=work, progress=stages)
        where = Where(
            spec=spec, zoo=zoo, work=work, data=data, seed_count=seed_count, jobs=options.jobs, ray=options.ray, stages=stages
        )
        add_parts(report, where, [name for name in parts if name != MODELS])


def shipped_variant(spec: NetworkSpec, kind: str) -> Path | None:
    """Folder of a world model that `twm_train.variants` made and that ships with the benchmark; None for another network."""
    folder = VARIANTS_FOLDER / kind
    fits = (folder / CARD_NAME).is_file() and load_card(folder).topology_digest == spec.topology_digest()
    return folder if fits else None


def seeds_of(options: argparse.Namespace) -> SeedsUsed:
    """Seeds that this run plays. Raises InvalidInputError where the range does not hold them, or may not be used so."""
    tuning = options.quick or options.tune
    if not tuning and (options.set or options.first_seed):
        raise InvalidInputError("--set, --first-seed: only with --tune: nothing is chosen on evaluation seeds")
    count = options.seeds or (QUICK_SEEDS if options.quick else TUNE_SEEDS if options.tune else FULL_SEEDS)
    if tuning:
        found = seeds("validation", count, VALIDATION_FIRST + options.first_seed)
    else:
        found = seeds("evaluation", count)
    require("validation" if tuning else "evaluation", found)
    ablation = min(options.ablation_seeds or (count if tuning else FULL_ABLATION_SEEDS), count)
    return SeedsUsed(purpose="validation" if tuning else "evaluation", seeds=found, ablation_seeds=found[:ablation])


def _play(
    spec: NetworkSpec,
    folders: ModelFolders,
    units: list[Unit],
    used: SeedsUsed,
    variants: list[Variant],
    scenarios: list[str],
    options: argparse.Namespace,
    command: str,
) -> Report:
    console = Console(stderr=True)
    expected = expected_s(units)
    console.print(
        f"{spec.name} {spec.digest()[:12]}: {len(units)} units, about {expected / 60:.0f} CPU-minutes, "
        f"{expected / 60 / options.jobs:.0f} minutes in {options.jobs} processes; done units are in {options.work}"
    )
    bar = Progress(
        TextColumn("{task.description:32s}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} s"),
        TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=expected)
        count = 0

        def progress(unit: Unit) -> None:
            nonlocal count
            count += 1
            bar.update(task, advance=expected_s([unit]), description=f"{unit.method} {unit.variant} {unit.scenario}")
            if not console.is_terminal and count % 20 == 0:
                console.print(f"{count}/{len(units)} units")

        done = run(spec, units, options.work, jobs=options.jobs, ray=options.ray, progress=progress)
    console.print(f"{done.played} units played, {len(done.results) - done.played} were done before")
    return assemble(spec, folders, done, variants=variants, scenarios=scenarios, seeds=used, command=command)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _variants(text: str, option: str) -> list[Variant]:
    names = _split(text)
    for name in names:
        if name not in VARIANTS:
            raise InvalidInputError(f"{option}: {name[:64]!r} is not one of {', '.join(VARIANTS)}")
    return [variant for variant in VARIANTS if variant in names]


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 on bad input, 1 where something is not to be had."""
    given = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(given)
    try:
        report = bench(options, shlex.join(["twm", "bench", *given]))
        out = options.out or (options.work if options.quick else None if options.tune else OUT)
        if out is not None:
            for path in publish.publish(report, out, options.readme):
                print(f"wrote {path}", file=sys.stderr)
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InvalidInputError) else 1
    except KeyboardInterrupt:
        return 130
    print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
