"""A city that no model was trained on: the zoo's weights carried over, measured as at home, and the closed loop played there.

Field and ranking axes as of the network at home; twm against reactive rule, physics alone and clairvoyant search, on the first
few seeds of every scenario. The reactive rule keeps the numbers it was tuned to at home, as the weights do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from twm.core.network import NetworkSpec
from twm.core.zoo import CARD_NAME
from twm_bench.assemble import assemble
from twm_bench.axes.episodes import VARIANTS, record, windows_of
from twm_bench.axes.field import field_axis, unseen_city
from twm_bench.axes.ranking import ranking
from twm_bench.axes.served import ServedModels
from twm_bench.methods.method import ModelFolders
from twm_bench.results import MEAN, SeedsUsed
from twm_bench.robustness.carry import ANALYTIC, Weights, carried
from twm_bench.runner import run
from twm_bench.units import make_units
from twm_train.starts import starts_of
from twm_twin.scenarios import SCENARIOS
from twm_twin.seeds import Purpose

METHODS = ("uniform", "reactive", "analytic", "twm", "oracle")
PLAYED_SEEDS = 4
STRIDE = 3
Note = Callable[[str], None]


def carried_zoo(source: NetworkSpec, city: NetworkSpec, zoo: Path, work: Path) -> Path:
    """Zoo of the city with the carried models, made where it is not there yet. Raises ModelMismatchError."""
    weights = Weights.of(zoo, source)
    out = work / f"zoo-{city.digest()[:12]}-{weights.cdwm.card.digest[:12]}-{weights.fwm.card.digest[:12]}"
    if not (out / ANALYTIC / CARD_NAME).is_file():
        torch.set_num_threads(1)
        carried(weights, source, city, out)
    return out


def unseen_axis(
    source: NetworkSpec,
    zoo: Path,
    purpose: Purpose,
    chosen: Sequence[int],
    *,
    work: Path,
    jobs: int = 1,
    ray: str | None = None,
    played_seeds: int = PLAYED_SEEDS,
    note: Note = lambda _: None,
) -> dict[str, Any]:
    """Field and ranking by variant, and the closed loop. Raises ModelMismatchError where the weights cannot be carried."""
    city = unseen_city(source)
    note(f"unseen city: carrying weights to {city.name}, {len(city.cells)} cells")
    theirs = carried_zoo(source, city, zoo, work)
    models = ServedModels(city, theirs)
    windows = windows_of(record(city, purpose, list(chosen)), STRIDE)
    starts = starts_of(city, purpose, list(chosen))
    out: dict[str, Any] = {
        "cells": len(city.cells),
        "weights": "trained on the network at home; nothing is trained here",
        "constants": "interference coupling, link load, levels: measured in 128 recorded episodes of the city",
        "seeds": [int(chosen[0]), int(chosen[-1])],
        "field": {},
        "ranking": {},
    }
    for variant in VARIANTS:
        note(f"unseen city: field and ranking, {variant}")
        out["field"][variant] = field_axis(windows, models.predict_field, variant)
        found = ranking(models, starts, variant)
        out["ranking"][variant] = {k: v for k, v in found.items() if k != "scatter"}
    # the field axis reads these of a case
    out |= out["field"]["history"]
    note("unseen city: closed loop")
    out["closed_loop"] = _closed_loop(city, theirs, purpose, list(chosen)[:played_seeds], work, jobs, ray)
    return out


def _closed_loop(
    city: NetworkSpec, zoo: Path, purpose: Purpose, seeds: list[int], work: Path, jobs: int, ray: str | None
) -> dict[str, Any]:
    folders = ModelFolders(zoo=zoo, analytic=zoo / ANALYTIC)
    units = make_units(
        city, folders, methods=METHODS, variants=["calendar"], scenarios=list(SCENARIOS), seeds=seeds, chunk=len(seeds)
    )
    done = run(city, units, work / "units", jobs=jobs, ray=ray)
    used = SeedsUsed(purpose=purpose, seeds=seeds, ablation_seeds=seeds)
    report = assemble(city, folders, done, variants=["calendar"], scenarios=list(SCENARIOS), seeds=used, command="")
    found = report.variants["calendar"]
    keys = ("scm", "scm_low", "scm_high", "saving", "p_violation", "scm_worst_5_percent", "gap_recovered")
    return {
        "variant": "calendar",
        "seeds": len(seeds),
        "methods": {
            name: {key: getattr(result.scores[MEAN], key) for key in keys}
            | {"by_scenario": {s: result.scores[s].scm for s in report.scenarios}}
            for name, result in found.items()
        },
        "twm_better_by": {
            rival: {"mean": d[MEAN].mean, "interval": [d[MEAN].low, d[MEAN].high]}
            for rival, d in report.comparisons["calendar"].items()
        },
        "absent": report.absent,
    }
