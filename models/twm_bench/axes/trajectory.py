"""Trajectory axis: KPIs and demand over the horizon under the logged actions, beside forecasters without a world model.

Free running always: no window sees anything of its horizon but the actions. Errors of KPIs are in z (twm.core.kpis.kpi_to_z)
over the standard deviation of the truth, since delay spans four decades; the physical absolute error stands beside.

Shape suffixes: Q quantile levels, B windows, H horizon steps, C cells, S slices, P KPIs, E members, J exogenous samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.features import exogenous_layout
from twm.core.kpis import KPI_NAMES, kpi_to_z
from twm_bench.axes.baselines import DemandPersistence, demand_ahead, demand_last
from twm_bench.axes.episodes import Windows
from twm_bench.axes.scores import (
    INTERVALS,
    LEVELS,
    coverage,
    crps_quantiles,
    crps_samples,
    nanmean,
    plain,
    quiet_quantile,
    rmse,
    skill,
)
from twm_bench.axes.served import ServedModels

Doubles = NDArray[np.float64]
KpiQuantiles = Callable[[Windows], Doubles]
"""Quantiles of the slice KPIs [Q, B, H, S, P] at LEVELS, physical."""
Progress = Callable[[int], None]

SAMPLES = 16
MEDIAN = LEVELS.index(0.5)
SKILL_STEPS = (3, 6, 12)
NOMINAL = tuple(
    (round(100 * (high - low)), low, high) for low, high in ((0.5 - w / 2, 0.5 + w / 2) for w in (0.2, 0.4, 0.6, 0.8))
)
FAN_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
FAN_PAST_STEPS = 6


def trajectory_axis(
    models: ServedModels,
    windows: Windows,
    variant: str,
    rivals: Mapping[str, KpiQuantiles],
    persistence: DemandPersistence,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure one variant. Raises ModelMismatchError where the zoo has no CDWM for the network."""
    truth = windows.ahead(windows.recording.kpis_NTSP).astype(np.float64)
    quantiles = np.empty((len(LEVELS), *truth.shape))
    layout, demand = exogenous_layout(windows.recording.spec), demand_ahead(windows)
    crps_BHCS = np.empty(demand.shape)
    inside_BHCS = np.empty(demand.shape)
    for b in range(windows.count):
        episode, newest = int(windows.episode_B[b]), int(windows.newest_B[b])
        frames = windows.recording.frames(episode, newest, models.window, variant)
        found = models.forecast(frames, windows.recording.policy(episode, newest), samples=SAMPLES, seed=seed + b)
        quantiles[:, b] = found.quantiles_QKHSP[:, 0]
        futures_NHCS = layout.split(np.moveaxis(found.exogenous_HEJX, 0, 2).reshape(-1, *found.exogenous_HEJX.shape[::3]))[0]
        futures_NHCS = np.maximum(futures_NHCS, 0.0)
        crps_BHCS[b] = crps_samples(futures_NHCS, demand[b])
        low, high = np.quantile(futures_NHCS, (0.05, 0.95), axis=0)
        inside_BHCS[b] = np.where(np.isfinite(demand[b]), (demand[b] >= low) & (demand[b] <= high), np.nan)
        if progress:
            progress(1)
    others = {name: make(windows) for name, make in rivals.items()}
    splits = {"all": np.ones(windows.count, bool), "id": ~windows.shifted_B, "ood": windows.shifted_B}
    return {
        "windows": {name: int(which.sum()) for name, which in splits.items()},
        "kpi": {
            name: kpi_errors(
                quantiles[:, which],
                truth[which],
                {k: v[:, which] for k, v in others.items()},
                truth,
                windows.episode_B[which],
            )
            for name, which in splits.items()
            if which.any()
        },
        "demand": {
            name: demand_errors(windows, which, crps_BHCS, inside_BHCS, persistence)
            for name, which in splits.items()
            if which.any()
        },
        "fans": fans(windows, quantiles, truth),
    }


def kpi_errors(
    quantiles_QBHSP: Doubles,
    truth_BHSP: Doubles,
    others: Mapping[str, Doubles],
    all_BHSP: Doubles,
    episode_B: NDArray[np.intp],
) -> dict[str, Any]:
    """Errors by KPI: the model's and each rival's by step, cumulative, CRPS; the model's coverage.

    Windows of one episode (`episode_B`) err together, so the interval of the coverage is a bootstrap over episodes.
    """
    spread_SP = np.sqrt(nanmean((kpi_to_z(all_BHSP) - nanmean(kpi_to_z(all_BHSP), (0, 1))) ** 2, (0, 1)))
    scale_SP = np.where(spread_SP > 1e-9, spread_SP, np.nan)
    everyone = {"twm": quantiles_QBHSP, **others}
    z_truth = kpi_to_z(truth_BHSP) / scale_SP
    steps = np.arange(1, truth_BHSP.shape[1] + 1)[:, None, None]
    running = lambda values: np.cumsum(values, 1) / steps
    out: dict[str, Any] = {}
    for p, name in enumerate(KPI_NAMES):
        if not np.isfinite(truth_BHSP[..., p]).any():
            continue
        entry: dict[str, Any] = {
            "nrmse_by_step": {},
            "mae_by_step": {},
            "cumulative_mae_by_step": {},
            "crps_by_step": {},
            "crps": {},
        }
        for who, q in everyone.items():
            z = kpi_to_z(q) / scale_SP
            entry["nrmse_by_step"][who] = plain(rmse(z[MEDIAN, ..., p], z_truth[..., p], (0, 2)))
            entry["mae_by_step"][who] = plain(nanmean(np.abs(q[MEDIAN] - truth_BHSP)[..., p], (0, 2)))
            summed = np.abs(running(q[MEDIAN]) - running(truth_BHSP))[..., p]
            entry["cumulative_mae_by_step"][who] = plain(nanmean(summed, (0, 2)))
            crps = nanmean(crps_quantiles(z[..., p], LEVELS, z_truth[..., p]), (0, 2))
            entry["crps_by_step"][who], entry["crps"][who] = plain(crps), plain(float(nanmean(crps)))
        entry["coverage"], entry["coverage_by_step"] = {}, {}
        for nominal, (low, high) in INTERVALS.items():
            bounds = quantiles_QBHSP[LEVELS.index(low), ..., p], quantiles_QBHSP[LEVELS.index(high), ..., p]
            entry["coverage"][nominal] = plain(float(coverage(*bounds, truth_BHSP[..., p])))
            entry["coverage_by_step"][nominal] = plain(coverage(*bounds, truth_BHSP[..., p], (0, 2)))
        entry["coverage_90_interval_by_step"] = plain(
            coverage_interval(_at(quantiles_QBHSP, 0.05, p), _at(quantiles_QBHSP, 0.95, p), truth_BHSP[..., p], episode_B)
        )
        entry["coverage_by_slice"] = plain(_coverage_90(quantiles_QBHSP, truth_BHSP, p))
        entry["calibration"] = {
            str(nominal): plain(
                float(coverage(_at(quantiles_QBHSP, low, p), _at(quantiles_QBHSP, high, p), truth_BHSP[..., p]))
            )
            for nominal, low, high in NOMINAL
        } | entry["coverage"]
        out[name] = entry
    return out


def coverage_interval(
    low_BHS: Doubles, high_BHS: Doubles, truth_BHS: Doubles, episode_B: NDArray[np.intp], draws: int = 500
) -> Doubles:
    """95 % interval [H, 2] of the coverage by step, episodes drawn with replacement."""
    names, which = np.unique(episode_B, return_inverse=True)
    known = np.isfinite(truth_BHS)
    inside = np.stack(
        [coverage(low_BHS[which == i], high_BHS[which == i], truth_BHS[which == i], (0, 2)) for i in range(len(names))]
    )
    count = np.stack([known[which == i].sum((0, 2)) for i in range(len(names))])
    pick = np.random.default_rng(0).integers(len(names), size=(draws, len(names)))
    total = np.maximum(count[pick].sum(1), 1)
    return quiet_quantile((np.nan_to_num(inside) * count)[pick].sum(1) / total, (0.025, 0.975)).T


def _at(quantiles_QBHSP: Doubles, level: float, p: int) -> Doubles:
    return np.asarray(quantiles_QBHSP[int(np.argmin(np.abs(np.array(LEVELS) - level))), ..., p])


def _coverage_90(quantiles_QBHSP: Doubles, truth_BHSP: Doubles, p: int) -> Doubles:
    return coverage(_at(quantiles_QBHSP, 0.05, p), _at(quantiles_QBHSP, 0.95, p), truth_BHSP[..., p], (0, 1))


def demand_errors(
    windows: Windows, which_B: NDArray[np.bool_], crps_BHCS: Doubles, inside_BHCS: Doubles, persistence: DemandPersistence
) -> dict[str, Any]:
    """CRPS of the sampled demand by step [Mbps] beside persistence, plain and spread with the quantiles of its past errors."""
    some = Windows(windows.recording, windows.episode_B[which_B], windows.newest_B[which_B])
    truth = demand_ahead(some)
    held = nanmean(np.abs(demand_last(some)[:, None] - truth), (0, 2, 3))
    spread = nanmean(crps_quantiles(persistence.quantiles(some), LEVELS, truth), (0, 2, 3))
    model = nanmean(crps_BHCS[which_B], (0, 2, 3))
    against = lambda base: [skill(float(m), float(b)) for m, b in zip(model, base, strict=True)]
    by_plain, by_spread = against(held), against(spread)
    at = lambda values: {str(h): values[h - 1] for h in SKILL_STEPS if h <= len(values)}
    return {
        "crps_by_step": {"twm": plain(model), "persistence": plain(held), "persistence_spread": plain(spread)},
        "skill_by_step": by_spread,
        "skill_plain_by_step": by_plain,
        "skill": at(by_spread),
        "skill_plain": at(by_plain),
        "coverage_90_by_step": plain(nanmean(inside_BHCS[which_B], (0, 2, 3))),
    }


def fans(windows: Windows, quantiles_QBHSP: Doubles, truth_BHSP: Doubles) -> list[dict[str, Any]]:
    """One window a scenario for the plots: the first that begins half a horizon after the quiet one, whatever it shows."""
    spec, recording = windows.recording.spec, windows.recording
    horizon = spec.timing.horizon_steps
    out: list[dict[str, Any]] = []
    seen: set[str] = set()
    rows = [int(np.argmin(np.abs(np.array(LEVELS) - level))) for level in FAN_LEVELS]
    past = windows.past(recording.kpis_NTSP, FAN_PAST_STEPS)
    order = np.argsort(np.abs(windows.newest_B - (horizon - 1 + horizon // 2)), kind="stable")
    for b in order.tolist():
        scenario = recording.scenarios[int(windows.episode_B[b])]
        if scenario in seen:
            continue
        seen.add(scenario)
        for s, piece in enumerate(spec.slices):
            for p in (KPI_NAMES.index("loss_ratio"), KPI_NAMES.index("delay_p99_ms")):
                bound = (piece.sla.loss_max_ratio, piece.sla.delay_p99_max_ms)[p] if p < 2 else None
                if bound is None:
                    continue
                out.append(
                    {
                        "scenario": scenario,
                        "seed": int(recording.seed_N[windows.episode_B[b]]),
                        "newest_step": int(windows.newest_B[b]),
                        "slice": piece.id,
                        "kpi": KPI_NAMES[p],
                        "bound": bound,
                        "levels": list(FAN_LEVELS),
                        "quantiles": plain(quantiles_QBHSP[rows, b, :, s, p]),
                        "truth": plain(truth_BHSP[b, :, s, p]),
                        "past": plain(past[b, :, s, p]),
                    }
                )
    return sorted(out, key=lambda fan: (fan["scenario"], fan["kpi"], fan["slice"]))
