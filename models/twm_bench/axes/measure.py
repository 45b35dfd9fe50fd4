"""All axes but the decision axis, for a zoo: what goes into `axes` of report.json. Finished parts are kept and not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from twm.core.errors import TwmError
from twm.core.network import NetworkSpec
from twm_bench.axes.baselines import DemandPersistence, Spread, persistence, seasonal_naive
from twm_bench.axes.episodes import VARIANTS, Recording, Windows, record, tuning_recording, windows_of
from twm_bench.axes.field import FieldCase, field_axis, unseen_cities
from twm_bench.axes.ranking import Start, ranking, starts_of
from twm_bench.axes.scores import plain
from twm_bench.axes.served import ServedModels
from twm_bench.axes.speed import speed_axis, without_path
from twm_bench.axes.trajectory import KpiQuantiles, trajectory_axis
from twm_twin.seeds import Purpose, seeds

REVISION = 1
"""Part of the key of kept parts: raise it when the same models would be measured otherwise."""


class Progress(Protocol):
    """Where the work reports to."""

    def start(self, name: str, total: int) -> None:
        """A stage of `total` units begins."""

    def advance(self, count: int, note: str = "") -> None:
        """`count` more units are done."""


class Silent:
    """Reports nothing."""

    def start(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, count: int, note: str = "") -> None:
        """Nothing."""


def measure_axes(
    spec: NetworkSpec,
    zoo: Path,
    *,
    network: str,
    purpose: Purpose,
    seed_count: int,
    first_seed: int = 0,
    candidates: int = 64,
    stride: int = 3,
    rivals: Mapping[str, Callable[[Recording], KpiQuantiles]] | None = None,
    unseen: Mapping[str, FieldCase] | None = None,
    with_speed: bool = True,
    cycles: int = 120,
    work: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure what the zoo has; a part that cannot be measured is {"skipped": reason}.

    `network` is the spec's name or path, as services take it. `rivals`: further KPI forecasters, made ready on the tuning
    recording. `unseen`: cases by name for the field axis. `work`: folder for finished parts. Raises InvalidInputError where
    seeds leave the range of `purpose`.
    """
    report = progress or Silent()
    chosen = seeds(purpose, seed_count, first_seed)
    models = ServedModels(spec, zoo)
    digests = models.digests()
    key = _key([REVISION, spec.digest(), digests, purpose, chosen, candidates, stride, sorted(rivals or {}), cycles])
    lazy = _Lazy(spec, purpose, chosen, candidates, stride, rivals or {}, report)
    out: dict[str, Any] = {
        "purpose": purpose,
        "seeds": [chosen[0], chosen[-1]],
        "models": digests,
        "trajectory": {},
        "ranking": {},
        "field": {},
    }

    def part(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        path = work / f"axes-{key}-{name}.json" if work else None
        if path and path.is_file():
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return kept
        try:
            found: dict[str, Any] = plain(make())
        except TwmError as error:
            return {"skipped": without_path(str(error), zoo)}
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(found), encoding="utf-8")
            partial.replace(path)
        return found

    for variant in VARIANTS:
        out["trajectory"][variant] = part(f"trajectory-{variant}", lambda v=variant: lazy.trajectory(models, v))  # type: ignore[misc]
        out["ranking"][variant] = part(f"ranking-{variant}", lambda v=variant: lazy.ranking(models, v))  # type: ignore[misc]
        out["field"][variant] = part(f"field-{variant}", lambda v=variant: lazy.field(models, v))  # type: ignore[misc]
    out["unseen"] = unseen_cities(unseen or {}, lambda r: windows_of(r, stride), "history")
    if with_speed:
        out["speed"] = part("speed", lambda: speed_axis(spec, zoo, network=network, cycles=cycles))
    return out


class _Lazy:
    """What several parts look at, made when the first one does."""

    def __init__(
        self,
        spec: NetworkSpec,
        purpose: Purpose,
        chosen: Sequence[int],
        candidates: int,
        stride: int,
        rivals: Mapping[str, Callable[[Recording], KpiQuantiles]],
        progress: Progress,
    ) -> None:
        self._spec, self._purpose, self._chosen = spec, purpose, list(chosen)
        self._candidates, self._stride, self._progress = candidates, stride, progress
        self._makers = rivals
        self._windows: Windows | None = None
        self._starts: list[Start] | None = None
        self._baselines: tuple[dict[str, KpiQuantiles], DemandPersistence] | None = None

    def trajectory(self, models: ServedModels, variant: str) -> dict[str, Any]:
        windows = self._recorded()
        rivals, demand = self._fitted()
        self._progress.start(f"trajectories, {variant}", windows.count)
        return trajectory_axis(models, windows, variant, rivals, demand, progress=self._progress.advance)

    def ranking(self, models: ServedModels, variant: str) -> dict[str, Any]:
        if self._starts is None:
            self._progress.start("candidates in the twin", 4 * len(self._chosen))
            self._starts = starts_of(
                self._spec, self._purpose, self._chosen, candidates=self._candidates, progress=self._progress.advance
            )
        self._progress.start(f"ranking, {variant}", len(self._starts))
        return ranking(models, self._starts, variant, progress=self._progress.advance)

    def field(self, models: ServedModels, variant: str) -> dict[str, Any]:
        windows = self._recorded()
        self._progress.start(f"field, {variant}", windows.count)
        return field_axis(windows, models.predict_field, variant, progress=self._progress.advance)

    def _recorded(self) -> Windows:
        if self._windows is None:
            self._windows = windows_of(record(self._spec, self._purpose, self._chosen), self._stride)
        return self._windows

    def _fitted(self) -> tuple[dict[str, KpiQuantiles], DemandPersistence]:
        if self._baselines is None:
            tuning = tuning_recording(self._spec)
            made: dict[str, KpiQuantiles] = {
                "persistence": Spread.fit(persistence, tuning).quantiles,
                "seasonal-naive": Spread.fit(seasonal_naive, tuning).quantiles,
            }
            made |= {name: make(tuning) for name, make in self._makers.items()}
            self._baselines = made, DemandPersistence.fit(tuning)
        return self._baselines


def _key(parts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
