"""All axes but the decision axis, for a zoo: `axes` of report.json. Finished parts are kept and not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from twm.core.errors import ModelMismatchError, TwmError
from twm.core.network import NetworkSpec
from twm_bench.axes.baselines import DemandPersistence, Spread
from twm_bench.axes.episodes import VARIANTS, Windows, record, tuning_recording, windows_of
from twm_bench.axes.field import FieldCase, field_axis, unseen_cities, unseen_city
from twm_bench.axes.ranking import ranking
from twm_bench.axes.scores import plain
from twm_bench.axes.served import ServedModels
from twm_bench.axes.speed import speed_axis, without_path
from twm_bench.axes.trajectory import KpiQuantiles, trajectory_axis
from twm_bench.ceilings.notes import notes
from twm_bench.ceilings.study import ceilings
from twm_bench.rivals import gru, seasonal
from twm_train.starts import Start, starts_of
from twm_twin.seeds import Purpose, seeds

UNSEEN_SEEDS = 8
REVISION = 3
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
    unseen: Mapping[str, FieldCase] | None = None,
    with_speed: bool = True,
    cycles: int = 120,
    work: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure what the zoo has; a part that cannot be measured is {"skipped": reason}.

    `network` is the spec's name or path, as services take it. `unseen`: cases by name for the field axis (None: a city made of
    the spec, which the zoo may hold a field model for). `work`: folder for finished parts. Raises InvalidInputError where seeds
    leave the range of `purpose`.
    """
    report = progress or Silent()
    chosen = seeds(purpose, seed_count, first_seed)
    models = ServedModels(spec, zoo)
    digests = models.digests()
    key = _key([REVISION, spec.digest(), digests, models.corrections(), purpose, chosen, candidates, stride, cycles])
    lazy = _Lazy(spec, purpose, chosen, candidates, stride, report)
    out: dict[str, Any] = {
        "purpose": purpose,
        "seeds": [chosen[0], chosen[-1]],
        "models": digests,
        "trajectory": {},
        "ranking": {},
        "ceilings": {},
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
        out["ceilings"][variant] = part(f"ceilings-{variant}", lambda v=variant: lazy.ceilings(models, v))  # type: ignore[misc]
        out["field"][variant] = part(f"field-{variant}", lambda v=variant: lazy.field(models, v))  # type: ignore[misc]
    out["ceilings"] |= notes(out["ceilings"])
    cases = {"unseen city": unseen_case(unseen_city(spec), zoo, purpose, chosen)} if unseen is None else unseen
    out["unseen"] = plain(unseen_cities(cases, lambda r: windows_of(r, stride), "history"))
    if with_speed:
        out["speed"] = part("speed", lambda: speed_axis(spec, zoo, network=network, cycles=cycles))
    return out


def unseen_case(city: NetworkSpec, zoo: Path, purpose: Purpose, chosen: Sequence[int]) -> FieldCase:
    """A network that the models were not trained on, with the field model that the zoo has for it."""
    predictor = ServedModels(city, zoo)
    if predictor.field is None:
        return FieldCase(city.name, None, None, "no field model in the zoo serves this network")
    return FieldCase(city.name, record(city, purpose, list(chosen)[:UNSEEN_SEEDS]), predictor.predict_field)


class _Lazy:
    """What several parts look at, made when the first one does."""

    def __init__(
        self,
        spec: NetworkSpec,
        purpose: Purpose,
        chosen: Sequence[int],
        candidates: int,
        stride: int,
        progress: Progress,
    ) -> None:
        self._spec, self._purpose, self._chosen = spec, purpose, list(chosen)
        self._candidates, self._stride, self._progress = candidates, stride, progress
        self._windows: Windows | None = None
        self._starts: list[Start] | None = None
        self._baselines: tuple[dict[str, Spread], DemandPersistence] | None = None

    def trajectory(self, models: ServedModels, variant: str) -> dict[str, Any]:
        windows = self._recorded()
        spreads, demand = self._fitted()
        rivals: dict[str, KpiQuantiles] = {name: spread.quantiles for name, spread in spreads.items()}
        absent: dict[str, str] = {}
        try:
            forecaster = gru.GruForecaster.load(self._spec)
            rivals["gru"] = lambda some: forecaster.quantiles(some, variant)
        except (ModelMismatchError, OSError) as error:
            absent["gru"] = str(error) if isinstance(error, ModelMismatchError) else "its weights are not there"
        self._progress.start(f"trajectories, {variant}", windows.count)
        found = trajectory_axis(models, windows, variant, rivals, demand, progress=self._progress.advance)
        return found | {"absent": absent}

    def ranking(self, models: ServedModels, variant: str) -> dict[str, Any]:
        starts = self._played()
        self._progress.start(f"ranking, {variant}", len(starts))
        return ranking(models, starts, variant, progress=self._progress.advance)

    def ceilings(self, models: ServedModels, variant: str) -> dict[str, Any]:
        starts = self._played()
        self._progress.start(f"ceilings, {variant}", len(starts))
        return ceilings(models, starts, variant, progress=self._progress.advance)

    def _played(self) -> list[Start]:
        if self._starts is None:
            self._progress.start("candidates in the twin", 4 * len(self._chosen))
            self._starts = starts_of(
                self._spec, self._purpose, self._chosen, candidates=self._candidates, progress=self._progress.advance
            )
        return self._starts

    def field(self, models: ServedModels, variant: str) -> dict[str, Any]:
        windows = self._recorded()
        self._progress.start(f"field, {variant}", windows.count)
        return field_axis(windows, models.predict_field, variant, progress=self._progress.advance)

    def _recorded(self) -> Windows:
        if self._windows is None:
            self._windows = windows_of(record(self._spec, self._purpose, self._chosen), self._stride)
        return self._windows

    def _fitted(self) -> tuple[dict[str, Spread], DemandPersistence]:
        if self._baselines is None:
            tuning = tuning_recording(self._spec)
            spreads = {name: Spread.fit(seasonal.points(name), tuning) for name in seasonal.FORECASTERS}
            self._baselines = spreads, DemandPersistence.fit(tuning)
        return self._baselines


def _key(parts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
