"""Units of work: a method on a few seeds of a scenario, played anywhere, kept as JSON under a key of all it depends on."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from twm.core.errors import ModelMismatchError
from twm.core.network import NetworkSpec
from twm.core.zoo import CARD_NAME, ModelCard, find_model, load_card
from twm_bench.methods.catalogue import EVERYTHING
from twm_bench.methods.method import AbsentError, ModelFolders, Task
from twm_bench.results import UnitResult
from twm_train.in_process import VARIANTS, Variant, play

ANY = "any"
"""Variant of a unit whose method cannot read the calendar."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One unit; picklable."""

    variant: str
    method: str
    scenario: str
    seeds: tuple[int, ...]
    folders: ModelFolders
    key: str
    overrides: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """File name in the work folder."""
        return f"{self.key[:12]}/{self.method}/{self.variant}-{self.scenario}-{self.seeds[0]}-{len(self.seeds)}.json"


@dataclass(frozen=True)
class Absent:
    """A unit that could not be played."""

    method: str
    reason: str


def make_units(
    spec: NetworkSpec,
    folders: ModelFolders,
    *,
    methods: Iterable[str],
    variants: Iterable[Variant],
    scenarios: Sequence[str],
    seeds: Sequence[int],
    chunk: int,
    overrides: tuple[str, ...] = (),
) -> list[Unit]:
    """Units of every method, variant and scenario; those that cannot tell the variants apart once for all."""
    key = run_key(spec, folders, overrides)
    asked = list(variants)
    parts = [tuple(seeds[at : at + chunk]) for at in range(0, len(seeds), chunk)]
    return [
        Unit(variant=variant, method=method, scenario=scenario, seeds=part, folders=folders, key=key, overrides=overrides)
        for method in methods
        for variant in (asked if EVERYTHING[method].informed else [ANY])
        for scenario in scenarios
        for part in parts
    ]


def run_key(spec: NetworkSpec, folders: ModelFolders, overrides: tuple[str, ...] = ()) -> str:
    """Hash of network, models and code: results under another key are others' results."""
    parts: dict[str, object] = {
        "spec": spec.digest(),
        "code": code_revision(),
        "models": model_digests(spec, folders),
        "set": overrides,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def code_revision() -> str:
    """Hash of the sources that a result depends on."""
    import twm
    import twm_bench
    import twm_train
    import twm_twin

    roots = [
        *(Path(twm.__path__[0]) / part for part in ("core", "planner", "inference")),
        Path(twm_twin.__path__[0]),
        *(Path(twm_bench.__path__[0]) / part for part in ("methods", "rivals")),
        Path(twm_train.__path__[0]) / "in_process.py",
    ]
    digest = hashlib.sha256()
    for root in roots:
        for file in [root] if root.is_file() else sorted([*root.rglob("*.py"), *root.rglob("*.npz")]):
            digest.update(f"{root.name}/{file.name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def model_digests(spec: NetworkSpec, folders: ModelFolders) -> dict[str, dict[str, str]]:
    """Version and digest of each model that is there, by role."""
    found: dict[str, dict[str, str]] = {}
    for name in ("cdwm", "fwm", "actor"):
        try:
            card = find_model(folders.zoo, name, spec.topology_digest()).card
        except ModelMismatchError:
            continue
        found[name] = {"version": card.version, "digest": card.digest} | _maps(card)
    if folders.llm_url:
        found["llm"] = {"version": folders.llm_model, "digest": folders.llm_url}
    for role in ("analytic", "teacher_forced"):
        folder: Path | None = getattr(folders, role)
        if folder is not None and (folder / CARD_NAME).is_file():
            card = load_card(folder)
            found[role] = {"version": card.version, "digest": card.digest} | _maps(card)
    return found


def _maps(card: ModelCard) -> dict[str, str]:
    """What the card changes about the answers of its graphs, and the planner sees."""
    return {} if card.violations is None else {"violations": card.violations.model_dump_json()}


def run_unit(spec_json: str, unit: Unit) -> UnitResult | Absent:
    """Play one unit; the same in any process."""
    spec = NetworkSpec.model_validate_json(spec_json)
    begin = time.perf_counter()
    variant: Variant = next((v for v in VARIANTS if v == unit.variant), "history")
    task = Task(
        spec=spec,
        variant=variant,
        scenario=unit.scenario,
        seeds=unit.seeds,
        folders=unit.folders,
        overrides=unit.overrides,
    )
    try:
        method = EVERYTHING[unit.method].prepare(task)
        outcome = play(spec, method.decide, unit.seeds, [unit.scenario] * len(unit.seeds), variant)
    except AbsentError as error:
        return Absent(unit.method, str(error)[:500])
    return UnitResult(
        key=unit.key,
        variant=unit.variant,
        method=unit.method,
        scenario=unit.scenario,
        seeds=list(unit.seeds),
        scm=outcome.scm_B.tolist(),
        saving=outcome.saving_B.tolist(),
        violated=outcome.violated_BS.tolist(),
        loss=outcome.loss_BS.tolist(),
        delay_ms=_finite(outcome.delay_BS),
        seconds=outcome.seconds_BH.tolist(),
        predicted_scm=_finite(outcome.predicted_BH),
        verified_scm=_finite(outcome.verified_BH),
        twin_calls=outcome.twin_calls_H,
        evaluations=outcome.evaluations_H,
        prepare_calls=method.prepare_calls,
        notes=dict(Counter(note for notes in outcome.notes_BH for note in notes if note)),
        wall_s=time.perf_counter() - begin,
    )


def _finite(values: NDArray[np.float64]) -> list[list[float | None]]:
    return [[float(v) if math.isfinite(v) else None for v in row] for row in values]


def load(unit: Unit, work: Path) -> UnitResult | None:
    """The unit's result where it is done; None where it is not, or the file is not one."""
    try:
        found = UnitResult.model_validate_json((work / unit.path).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.key == unit.key and found.seeds == list(unit.seeds) else None


def store(unit: Unit, result: UnitResult, work: Path) -> None:
    """Keep the result."""
    path = work / unit.path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(result.model_dump_json(), encoding="utf-8")
    partial.replace(path)
