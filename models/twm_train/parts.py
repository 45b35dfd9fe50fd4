"""Training of both learned parts: the field model, and the controllable part in rounds with the planner."""

from __future__ import annotations

import time

import torch

from twm.core import ood
from twm_train.build import build_controllable, build_field
from twm_train.cards import draft_card, ood_statistics
from twm_train.controllable import ControllableModel
from twm_train.data import TRAINING_SEED, Episodes
from twm_train.exogenous import ExogenousModel
from twm_train.fwm import FieldModel
from twm_train.losses import OVERSHOOTING, Paths, controllable_loss, field_loss
from twm_train.sizes import split_steps
from twm_train.stage import Run
from twm_train.visited import HOLD_STEPS, planner_on, record_visited
from twm_train.windows import WindowSampler

FIRST_RATE, LATER_RATE = 3e-3, 1e-3
"""Peak rates: from the beginning, and of what was trained before."""
VISITED_OFFSET = 0x8000
"""Part of the training range that the planner's own episodes begin at."""
VISITED_SHARE = 0.4
"""Share of training windows that come from the planner's episodes, once there are some."""


def trained_field(run: Run, training: Episodes) -> FieldModel:
    """The Field World Model, trained or as its checkpoint has it."""
    recipe = run.recipe
    torch.manual_seed(run.seed)
    model = build_field(run.spec, training, members=recipe.members, window=recipe.window)
    sampler = WindowSampler(training, run.spec, recipe.members, recipe.window, run.seed)
    run.train(
        "field",
        model,
        recipe.field_steps,
        lambda i: field_loss(model, sampler.draw(i, recipe.field_batch)),
        FIRST_RATE,
    )
    return model


def trained_controllable(
    run: Run, exogenous: ExogenousModel, training: Episodes, *, paths: Paths = OVERSHOOTING, name: str = "controllable"
) -> ControllableModel:
    """The controllable part: trained on the logged data, then in rounds also on what the planner visits with it.

    Under another `name` than the default its stages have checkpoints of their own, and share the visits of the run.
    """
    recipe = run.recipe
    torch.manual_seed(run.seed)
    controllable = build_controllable(run.spec, training, members=recipe.members, recent=recipe.recent)
    statistics = ood_statistics(run, training)
    seen = training
    for index, steps in enumerate(split_steps(recipe.controllable_steps, 0 if run.real else recipe.rounds)):
        if index:
            visits = _visits(run, index, exogenous, controllable, statistics)
            steps_kept = min(seen.steps, visits.steps)
            seen = Episodes.concatenate([part.take(slice(None), steps_kept) for part in (seen, visits)])
        sampler = WindowSampler(seen, run.spec, recipe.members, recipe.window, run.seed + 1 + index, visited=VISITED_SHARE)
        run.train(
            f"{name}-{index}",
            controllable,
            steps,
            lambda i, s=sampler: controllable_loss(controllable, exogenous, s.draw(i, recipe.batch), paths),  # type: ignore[misc]
            LATER_RATE if index else FIRST_RATE,
        )
    return controllable


def _visits(
    run: Run,
    index: int,
    exogenous: ExogenousModel,
    controllable: ControllableModel,
    statistics: ood.OodStatistics,
) -> Episodes:
    """Episodes of round `index` that the planner makes with the models as they are."""
    path = run.folder / f"visited-{index}.npz"
    if path.is_file():
        return Episodes.load(path)
    start = time.process_time()
    count = run.recipe.visited_episodes
    first = TRAINING_SEED + VISITED_OFFSET + (index - 1) * count
    decisions = count * -(-2 * run.horizon // HOLD_STEPS)
    run.progress.start(f"planner visits, round {index}", decisions)
    exogenous.eval(), controllable.eval()
    cycle = planner_on(run.spec, exogenous, controllable, draft_card(run, statistics), f"{run.seed}-{index}")
    seeds = list(range(first, first + count))
    episodes = record_visited(run.spec, cycle, seeds, progress=run.progress.advance)
    episodes.save(path)
    run.spent[f"visits-{index}"] = time.process_time() - start
    return episodes
