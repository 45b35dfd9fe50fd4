"""World models that the benchmark takes apart: `python -m twm_train.variants`, from the checkpoints of a run of the recipe.

All have the run's Field World Model and sampler. `analytic`: of the controllable part only the physics, untrained: constants
measured in frames, no residual. The others are trained as the recipe does, on the same data, along other paths:
`teacher-forced` along the posterior's alone, which sees every KPI before it predicts the next; `sampled-futures` also on
sampled exogenous futures, by the likelihood of their mixture.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from twm.core.errors import InvalidInputError, TwmError
from twm.core.network import load_network
from twm.core.paths import find_network
from twm_train.build import build_controllable, fit_exogenous
from twm_train.losses import SAMPLED_FUTURES, TEACHER_FORCED
from twm_train.parts import trained_controllable, trained_field
from twm_train.recipe import put_dynamics
from twm_train.sizes import Recipe, run_key
from twm_train.splits import data_card, recorded
from twm_train.stage import Run
from twm_train.validation import calibrated

PATHS = {"teacher-forced": TEACHER_FORCED, "sampled-futures": SAMPLED_FUTURES}
KINDS = ("analytic", *PATHS)


def make(run: Run, kind: str, folder: Path) -> None:
    """Make one variant into `folder`. Raises InvalidInputError for another kind, or a run that is not done."""
    if kind not in KINDS:
        raise InvalidInputError(f"kind: {kind[:64]!r} is not one of {', '.join(KINDS)}")
    if not (run.folder / "field.pt").is_file():
        raise InvalidInputError(f"{run.folder}: no trained Field World Model; run the recipe with the same sizes first")
    missing = [index for index in range(1, run.recipe.rounds + 1) if not (run.folder / f"visited-{index}.npz").is_file()]
    if kind in PATHS and missing:
        raise InvalidInputError(f"{run.folder}: no visits of round {missing[0]}; let the recipe's run end first")
    training, _, fitting = recorded(run)
    exogenous = fit_exogenous(run.spec, trained_field(run, training), training)
    torch.manual_seed(run.seed)
    if kind in PATHS:
        controllable = trained_controllable(run, exogenous, training, paths=PATHS[kind], name=kind)
    else:
        controllable = build_controllable(run.spec, training, members=run.recipe.members, recent=run.recipe.recent)
    corrections, windows = calibrated(run, exogenous, controllable.eval(), fitting)
    put_dynamics(run, folder, exogenous, controllable, training, corrections, windows, data_card(run, training), {})


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m twm_train.variants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", default="poc-city", metavar="NAME|FILE")
    parser.add_argument("--minutes", type=float, default=30.0, help="as the recipe's run was started with")
    parser.add_argument("--seed", type=int, default=1, help="the same")
    parser.add_argument("--work", type=Path, default=Path("var/train"), help="the same")
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("models/twm_bench/variants"))
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given)
    console = Console(stderr=True)
    try:
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        spec, recipe = load_network(find_network(options.network)), Recipe.of_minutes(options.minutes)
        folder = options.work / f"{spec.name}-{run_key(spec, recipe, options.seed)}"
        command = shlex.join(["python", "-m", "twm_train.variants", *given])
        for kind in options.kinds.split(","):
            out = options.out / kind.strip()
            make(Run(spec=spec, recipe=recipe, seed=options.seed, folder=folder, command=command), kind.strip(), out)
            console.print(f"{kind.strip()}: {out}")
    except TwmError as error:
        console.print(f"twm_train.variants: {error}", markup=False)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
