"""The episodes of a run: training, quality and conformal split, recorded in the twin or taken from a real network's."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

from twm.core.errors import InvalidInputError
from twm.core.zoo import DataCard
from twm_train.data import SCENARIOS, TRAINING_SEED, VALIDATION_SEED, Episodes, record
from twm_train.logging_policies import POLICY_SHARES
from twm_train.stage import Run
from twm_train.violations import VIOLATIONS_OFFSET, violation_seeds

CONFORMAL_OFFSET, RANKING_OFFSET = 0x4000, 0x8000
"""Parts of the validation range: quality from its begin, the conformal fit and the ranking from these offsets."""


def recorded(run: Run) -> tuple[Episodes, Episodes, Episodes]:
    """(training, quality, conformal) episodes: recorded, or as the work folder has them.

    Raises InvalidInputError where a real network's episodes are too few for two splits.
    """
    start = time.process_time()
    if isinstance(run.given, Episodes):
        edges = [round(run.given.count * part / 6) for part in (0, 4, 5, 6)]
        parts = [run.given.take(slice(a, b)) for a, b in pairwise(edges)]
        if not all(part.count for part in parts):
            raise InvalidInputError(f"data: {run.given.count} episodes, expected at least 6 to hold out two splits")
        run.spent["data"] = 0.0
        return parts[0], parts[1], parts[2]
    held_out = run.recipe.validation_episodes
    training = _episodes(run, "training", TRAINING_SEED, run.recipe.episodes, run.given)
    quality = _episodes(run, "quality", VALIDATION_SEED, held_out)
    fitting = _episodes(run, "conformal", VALIDATION_SEED + CONFORMAL_OFFSET, held_out)
    run.spent["data"] = time.process_time() - start
    return training, quality, fitting


def _episodes(run: Run, name: str, first_seed: int, count: int, given: Path | None = None) -> Episodes:
    if given is not None:
        return Episodes.load(given)
    path = run.folder / f"{name}.npz"
    if path.is_file():
        return Episodes.load(path)
    run.progress.start(f"record {name} episodes", count)
    steps = max(run.recipe.episode_steps, run.recipe.window + run.horizon)
    episodes = record(run.spec, first_seed, count, steps, ray=run.ray, progress=run.progress.advance)
    episodes.save(path)
    return episodes


def data_card(run: Run, training: Episodes) -> DataCard:
    """What the models learn from."""
    n, first = run.recipe.validation_episodes, VALIDATION_SEED + RANKING_OFFSET
    maps_first = VALIDATION_SEED + VIOLATIONS_OFFSET
    seeds = {
        "training": (int(training.seed_N.min()), int(training.seed_N.max())),
        "quality": (VALIDATION_SEED, VALIDATION_SEED + n - 1),
        "conformal": (VALIDATION_SEED + CONFORMAL_OFFSET, VALIDATION_SEED + CONFORMAL_OFFSET + n - 1),
        "ranking": (first, first + run.recipe.ranking_starts - 1),
        "violations": (maps_first, maps_first + violation_seeds(run.recipe.ranking_starts) - 1),
    }
    return DataCard(
        sha256=training.digest(),
        episodes=training.count,
        steps=training.steps,
        scenarios=() if run.real else SCENARIOS,
        policies={} if run.real else POLICY_SHARES,
        seeds={} if run.real else seeds,
    )
