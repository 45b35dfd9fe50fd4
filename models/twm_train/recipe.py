"""The recipe: twin data, FWM, CDWM on the frozen FWM, conformal fit, measured quality, actor, export, cards.

Everything follows from (network spec, recipe, seed). Stages keep their results in the work folder, so that an interrupted run
goes on where it stopped and ends with the same models.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from twm.core.features import FIELD_FEATURES, KPI_NAMES
from twm.core.network import NetworkSpec
from twm.core.zoo import CONTRACTS, DataCard, ModelCard, list_models, write_card
from twm_train import export
from twm_train.actor_recipe import train_actor
from twm_train.build import fit_exogenous
from twm_train.cards import model_card, ood_statistics
from twm_train.controllable import ControllableModel
from twm_train.data import Episodes
from twm_train.exogenous import ExogenousModel
from twm_train.fwm import DEMAND_LEVELS, FIELD_LEVELS, FieldModel
from twm_train.parts import trained_controllable, trained_field
from twm_train.progress import Progress, Silent
from twm_train.quality import field_quality, validation_windows
from twm_train.sizes import Recipe, run_key
from twm_train.splits import data_card, recorded
from twm_train.stage import Run
from twm_train.validation import STRIDE, Corrections, calibrated, measured
from twm_train.windows import Windows


def run(
    spec: NetworkSpec,
    recipe: Recipe,
    *,
    seed: int,
    zoo: Path,
    work: Path,
    command: str,
    version: str | None = None,
    data: Path | Episodes | None = None,
    ray: str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> list[ModelCard]:
    """Train the models and put them into the zoo. Returns their cards: FWM, CDWM, actor.

    `data`: file of recorded training episodes (Episodes.save) to use instead of recording new ones; or episodes of a real
    network, of which the last two sixths are held out for the quality and the conformal split, and for which the planner plays
    no twin. `ray`: address of a Ray cluster, or "local", that records the episodes; None: this process.
    """
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.use_deterministic_algorithms(True)
    folder = work / f"{spec.name}-{run_key(spec, recipe, seed)}"
    folder.mkdir(parents=True, exist_ok=True)
    this = Run(
        spec=spec,
        recipe=recipe,
        seed=seed,
        folder=folder,
        command=command,
        given=data,
        ray=ray,
        progress=progress or Silent(),
    )
    return every_stage(this, zoo, version or next_version(zoo, spec))


def next_version(zoo: Path, spec: NetworkSpec) -> str:
    """Name of the next model of the network."""
    taken = [m.card.order[0][-1] for n in CONTRACTS for m in list_models(zoo, n) if m.card.network == spec.name]
    return f"{spec.name}-{max(taken, default=0) + 1}"


def every_stage(run: Run, zoo: Path, version: str) -> list[ModelCard]:
    """All stages of a run, into `zoo`/<model>/`version`."""
    training, quality, fitting = recorded(run)
    data = data_card(run, training)
    field = trained_field(run, training)
    cards = [put_field(run, zoo / "fwm" / version, field, quality, data)]
    exogenous = fit_exogenous(run.spec, field, training)
    controllable = trained_controllable(run, exogenous, training).eval()
    start = time.process_time()
    run.progress.start("conformal fit and quality", 2 + 2 * run.recipe.ranking_starts)
    corrections, windows = calibrated(run, exogenous, controllable, fitting)
    run.progress.advance(1)
    found = measured(run, exogenous, controllable, quality, corrections.intervals)
    run.spent["validation"] = time.process_time() - start
    folder = zoo / "cdwm" / version
    cards.append(put_dynamics(run, folder, exogenous, controllable, training, corrections, windows, data, found))
    actor = train_actor(
        run.spec,
        exogenous,
        controllable,
        training,
        quality,
        run.recipe.actor,
        seed=run.seed,
        folder=zoo / "actor" / version,
        data=data,
        command=run.command,
        checkpoint=run.folder / "actor.pt",
        progress=run.progress,
    )
    return [*cards, actor]


def put_field(run: Run, folder: Path, model: FieldModel, quality: Episodes, data: DataCard) -> ModelCard:
    """Measure the field model and export it into `folder` with its card."""
    start = time.process_time()
    found = field_quality(model, quality)
    windows, _ = validation_windows(quality, run.recipe.window, run.horizon, STRIDE)
    folder.mkdir(parents=True, exist_ok=True)
    graphs = export.export_fwm(model, run.spec, folder, windows.history[0, 0].numpy(), windows.field_now[0, 0].numpy())
    run.spent["field_validation"] = time.process_time() - start
    card = model_card(
        "fwm",
        folder.name,
        run.spec,
        data=data,
        command=run.command,
        seed=run.seed,
        cpu_s=run.spent["data"] + run.spent["field"] + run.spent["field_validation"],
        quality=found,
        graphs=graphs,
        window=run.recipe.window,
        members=run.recipe.members,
        feature_names=FIELD_FEATURES,
        step_offsets=model.offsets,
        quantile_levels=FIELD_LEVELS,
        demand_levels=DEMAND_LEVELS,
    )
    write_card(card, folder)
    return card


def put_dynamics(
    run: Run,
    folder: Path,
    exogenous: ExogenousModel,
    controllable: ControllableModel,
    training: Episodes,
    corrections: Corrections,
    windows: Windows,
    data: DataCard,
    found: dict[str, Any],
) -> ModelCard:
    """Export both parts into `folder` with their card. `windows` hold a real history, for the check of the export."""
    folder.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    graphs = export.export_cdwm(exogenous, controllable, run.spec, folder, windows.history[0, 0].numpy())
    run.spent["export"] = time.process_time() - start
    card = model_card(
        "cdwm",
        folder.name,
        run.spec,
        data=data,
        command=run.command,
        seed=run.seed,
        cpu_s=sum(run.spent.values()),
        quality=found | ({"violations": corrections.violation_quality} if corrections.violation_quality else {}),
        graphs=graphs,
        window=run.recipe.window,
        members=run.recipe.members,
        kpi_names=KPI_NAMES,
        quantile_levels=FIELD_LEVELS,
        conformal=corrections.intervals,
        violations=corrections.violations,
        ood=ood_statistics(run, training),
    )
    write_card(card, folder)
    return card
