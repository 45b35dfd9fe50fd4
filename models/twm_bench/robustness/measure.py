"""The parts of a report that need no unit of the decision axis: each is measured once, kept, and can be added to any report.

A part that cannot be measured is {"skipped": why}; that is not kept, so that the next run tries again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from twm.core.errors import InvalidInputError, TwmError
from twm.core.network import NetworkSpec
from twm_bench.axes.episodes import VARIANTS, record, windows_of
from twm_bench.axes.field_ceiling import field_ceiling
from twm_bench.axes.scores import plain
from twm_bench.axes.served import ServedModels
from twm_bench.axes.speed import without_path
from twm_bench.results import Report
from twm_bench.units import code_revision
from twm_twin.seeds import RANGES, Purpose, seeds

REVISION = 1
"""Part of the key of kept parts: raise it when the same things would be measured otherwise."""
UNSEEN = "unseen city"
SHIFT_FACTOR, SHIFT_SCENARIO, SHIFT_SEED = 1.4, "hotspot-id", 1
CEILING_SEEDS = 8


class Stages(Protocol):
    """Where the work reports to."""

    def start(self, name: str, total: int) -> None:
        """A stage of `total` units begins."""

    def advance(self, count: int, note: str = "") -> None:
        """`count` more units are done."""

    def note(self, text: str) -> None:
        """Something worth reading."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """What the parts are measured on."""

    spec: NetworkSpec
    zoo: Path
    work: Path
    """Finished parts are kept here."""
    data: Path | None
    """Folder with the folders of the recorded traces; None: not there."""
    seed_count: int
    jobs: int
    ray: str | None
    stages: Stages


def add_parts(report: Report, where: Where, parts: Sequence[str]) -> None:
    """Measure these parts (of PARTS) and put them into the report. Raises InvalidInputError for another name."""
    for name in parts:
        if name not in PARTS:
            raise InvalidInputError(f"parts: {name[:64]!r} is not one of {', '.join(PARTS)}")
    for name in parts:
        PARTS[name](report, where)


def _chosen(report: Report, count: int) -> tuple[Purpose, list[int]]:
    """The first `count` seeds that the report's methods played."""
    purpose: Purpose = "evaluation" if report.seeds.purpose == "evaluation" else "validation"
    first = report.seeds.seeds[0] - RANGES[purpose].start
    return purpose, seeds(purpose, min(count, len(report.seeds.seeds)), first)


def _kept(where: Where, name: str, key: Sequence[Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps([REVISION, name, *key], sort_keys=True).encode()).hexdigest()[:12]
    path = where.work / f"part-{digest}-{name}.json"
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    try:
        found = plain(make())
    except TwmError as error:
        return {"skipped": without_path(str(error), where.zoo)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(found), encoding="utf-8")
    partial.replace(path)
    return found


def _field_ceiling(report: Report, where: Where) -> None:
    purpose, chosen = _chosen(report, min(where.seed_count, CEILING_SEEDS))
    models = ServedModels(where.spec, where.zoo)
    key = [where.spec.digest(), models.digests(), purpose, chosen]

    def make() -> dict[str, Any]:
        windows = windows_of(record(where.spec, purpose, chosen))
        where.stages.start("field and its ceiling", len(VARIANTS))
        out = {}
        for variant in VARIANTS:
            out[variant] = field_ceiling(windows, models.predict_field, variant)
            where.stages.advance(1)
        return out

    report.axes["field_ceiling"] = _kept(where, "field-ceiling", key, make)


def _unseen(report: Report, where: Where) -> None:
    purpose, chosen = _chosen(report, where.seed_count)
    models = ServedModels(where.spec, where.zoo)
    key = [where.spec.digest(), models.digests(), code_revision(), purpose, chosen]
    work = where.work / "unseen"

    def make() -> dict[str, Any]:
        from twm_bench.robustness.unseen import unseen_axis  # torch takes seconds to import: only when something is run

        return unseen_axis(
            where.spec, where.zoo, purpose, chosen, work=work, jobs=where.jobs, ray=where.ray, note=where.stages.note
        )

    report.axes["unseen"] = {UNSEEN: _kept(where, "unseen", key, make)}


def _adaptation(report: Report, where: Where) -> None:
    models = ServedModels(where.spec, where.zoo)
    key = [where.spec.digest(), models.digests(), SHIFT_FACTOR, SHIFT_SCENARIO, SHIFT_SEED]

    def make() -> dict[str, Any]:
        from twm_train.adapt import experiment  # torch takes seconds to import: only when something is run

        return experiment.run(
            where.spec, seed=SHIFT_SEED, scenario=SHIFT_SCENARIO, factor=SHIFT_FACTOR, zoo=where.zoo, progress=where.stages
        )

    report.adaptation = _kept(where, "adaptation", key, make)


def _traces(report: Report, where: Where) -> None:
    data = where.data
    if data is None or not data.is_dir():
        report.axes["traces"] = {"skipped": "no folder of recorded traces: give it with --data"}
        return
    from twm_bench.traces import study

    folders = [data / name for name in (study.EXPLORA, study.TRACTOR)]
    files = sorted((str(f.relative_to(data)), f.stat().st_size) for folder in folders for f in folder.rglob("*") if f.is_file())
    if not files:
        report.axes["traces"] = {"skipped": f"no folder {study.EXPLORA} or {study.TRACTOR} in the one that was given"}
        return
    report.axes["traces"] = _kept(where, "traces", [files], lambda: study.run(data, note=where.stages.note))


PARTS: dict[str, Callable[[Report, Where], None]] = {
    "field-ceiling": _field_ceiling,
    "unseen": _unseen,
    "adaptation": _adaptation,
    "traces": _traces,
}
"""By name, in the order of cost."""
