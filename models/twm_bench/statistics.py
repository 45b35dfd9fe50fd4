"""Numbers of the report from the results of units.

Intervals are paired bootstraps over the seeds. A seed is one city draw that all scenarios share, so a resampled seed brings its
horizon of every scenario with it.

Shape suffixes: Y scenarios, N seeds, M = Y x N horizons, S slices, R resamples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.network import NetworkSpec
from twm.core.scm import scm
from twm_bench.results import MEAN, Difference, Horizons, MethodResult, Score, UnitResult

Doubles = NDArray[np.float64]
RESAMPLES, LEVEL = 10_000, 0.95
_BOOTSTRAP_SEED = 0xB007
_WORST = 0.05


@dataclass(frozen=True, kw_only=True)
class Played:
    """All horizons of one method in one variant."""

    scenarios: tuple[str, ...]
    scm_YN: Doubles
    saving_YN: Doubles
    violated_YNS: NDArray[np.bool_]
    loss_YNS: Doubles
    delay_YNS: Doubles
    units: Sequence[UnitResult]

    @classmethod
    def of(cls, results: Sequence[UnitResult], scenarios: Sequence[str], seeds: Sequence[int]) -> Played | None:
        """Horizons of these seeds; None unless all are there."""
        rows: dict[tuple[str, int], tuple[UnitResult, int]] = {
            (unit.scenario, seed): (unit, i) for unit in results for i, seed in enumerate(unit.seeds)
        }
        if any((scenario, seed) not in rows for scenario in scenarios for seed in seeds):
            return None

        def column(name: str) -> Doubles:
            values = [[getattr(unit, name)[i] for unit, i in (rows[y, n] for n in seeds)] for y in scenarios]
            return np.array(values, np.float64)

        used = {id(unit): unit for (y, n), (unit, _) in rows.items() if y in scenarios and n in seeds}
        return cls(
            scenarios=tuple(scenarios),
            scm_YN=column("scm"),
            saving_YN=column("saving"),
            violated_YNS=column("violated").astype(bool),
            loss_YNS=column("loss"),
            delay_YNS=column("delay_ms"),
            units=list(used.values()),
        )

    def part(self, name: str) -> slice:
        """Rows of a scenario, or of "mean"."""
        if name == MEAN:
            return slice(None)
        at = self.scenarios.index(name)
        return slice(at, at + 1)

    @property
    def names(self) -> list[str]:
        """Scenarios and "mean"."""
        return [*self.scenarios, MEAN]


def resampled_means(values_YN: Doubles, resamples: int = RESAMPLES) -> Doubles:
    """Means [R] over seeds drawn with replacement."""
    by_seed_N = values_YN.mean(0)
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    index = generator.integers(len(by_seed_N), size=(resamples, len(by_seed_N)))
    return np.asarray(by_seed_N[index].mean(1))


def interval(values_YN: Doubles) -> tuple[float, float]:
    """Bootstrap interval of the mean."""
    low, high = np.quantile(resampled_means(values_YN), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def difference(first: Played, second: Played) -> dict[str, Difference]:
    """first - second, by scenario and "mean"."""
    found = {}
    for name in first.names:
        delta_YN = first.scm_YN[first.part(name)] - second.scm_YN[second.part(name)]
        low, high = interval(delta_YN)
        found[name] = Difference(mean=float(delta_YN.mean()), low=low, high=high, better=float((delta_YN > 0).mean()))
    return found


def score(spec: NetworkSpec, played: Played, name: str, uniform: Played | None, oracle: Played | None) -> Score:
    """One scenario of a method, or "mean"."""
    part, slices = played.part(name), [s.id for s in spec.slices]
    scm_YN, violated_YNS = played.scm_YN[part], played.violated_YNS[part]
    loss_S = played.loss_YNS[part].mean((0, 1))
    delay_S = _known_mean(played.delay_YNS[part])
    worst = np.sort(scm_YN.reshape(-1))[: max(math.ceil(_WORST * scm_YN.size), 1)]
    low, high = interval(scm_YN)
    mean = float(scm_YN.mean())
    best = float(oracle.scm_YN[part].mean()) if oracle else None
    least = float(uniform.scm_YN[part].mean()) if uniform else None
    recovered = (mean - least) / (best - least) if best is not None and least is not None and best > least else None
    return Score(
        count=scm_YN.size,
        scm=mean,
        scm_low=low,
        scm_high=high,
        scm_worst_5_percent=float(worst.mean()),
        scm_of_mean_losses=float(scm(loss_S, delay_S, spec.topology())),
        scm_of_median_kpis=float(scm(_median(played.loss_YNS[part]), _median(played.delay_YNS[part]), spec.topology())),
        saving=float(played.saving_YN[part].mean()),
        p_violation=float(violated_YNS.any(-1).mean()),
        p_violation_by_slice=dict(zip(slices, violated_YNS.mean((0, 1)).tolist(), strict=True)),
        loss_by_slice=dict(zip(slices, loss_S.tolist(), strict=True)),
        delay_p99_ms_by_slice={s: float(v) if math.isfinite(v) else None for s, v in zip(slices, delay_S, strict=True)},
        regret=None if best is None else best - mean,
        gap_recovered=recovered,
        horizons=Horizons(
            scm=scm_YN.reshape(-1).tolist(),
            saving=played.saving_YN[part].reshape(-1).tolist(),
            violated=violated_YNS.any(-1).reshape(-1).tolist(),
        ),
    )


def method_result(spec: NetworkSpec, played: Played, uniform: Played | None, oracle: Played | None) -> MethodResult:
    """Scores of a method and what it costs."""
    units = played.units
    seconds = np.concatenate([np.array(unit.seconds).reshape(-1) for unit in units])
    weights = [len(unit.seeds) for unit in units]
    return MethodResult(
        scores={name: score(spec, played, name, uniform, oracle) for name in played.names},
        calls_per_horizon=float(np.average([sum(unit.twin_calls) for unit in units], weights=weights)),
        prepare_calls=max(unit.prepare_calls for unit in units),
        evaluations_per_decision=float(np.average([np.mean(unit.evaluations) for unit in units], weights=weights)),
        decision_s_p50=float(np.median(seconds)),
        decision_s_p99=float(np.quantile(seconds, 0.99)),
        predicted_scm=_mean_of([unit.predicted_scm for unit in units]),
        verified_scm=_mean_of([unit.verified_scm for unit in units]),
        notes=dict(sum((Counter(unit.notes) for unit in units), Counter[str]())),
    )


def _known_mean(values_YNS: Doubles) -> Doubles:
    flat = values_YNS.reshape(-1, values_YNS.shape[-1])
    known = np.isfinite(flat)
    count = known.sum(0)
    return np.where(count > 0, np.where(known, flat, 0.0).sum(0) / np.maximum(count, 1), np.nan)


def _median(values_YNS: Doubles) -> Doubles:
    """Over horizons, of what is known; a delay that was lost is none."""
    flat = values_YNS.reshape(-1, values_YNS.shape[-1])
    return np.array([float(np.median(known)) if len(known := column[np.isfinite(column)]) else np.nan for column in flat.T])


def _mean_of(lists: Sequence[Sequence[Sequence[float | None]]]) -> float | None:
    known = [value for rows in lists for row in rows for value in row if value is not None]
    return float(np.mean(known)) if known else None
