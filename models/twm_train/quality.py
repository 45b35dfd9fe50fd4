"""Measured quality for the card, on validation seeds that neither training nor the conformal fit has seen.

Shape suffixes: B windows, H horizon steps, S slices, P KPIs, C cells, F field features, K candidates, M mixture components.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twm.core.features import FIELD_FEATURES, KPI_NAMES, action_vector, exogenous_layout, knows_events
from twm.core.frames import Float
from twm.core.kpis import kpi_quantiles, kpi_to_z, weighted_p99
from twm.core.network import NetworkSpec
from twm.core.scm import least_margin, scm
from twm.core.zoo import Conformal
from twm.planner.library import library_policies
from twm_train.conformal import coverage
from twm_train.controllable import ControllableModel
from twm_train.data import SCENARIOS, Episodes, calendar_of, derive
from twm_train.exogenous import ExogenousModel
from twm_train.fwm import DEMAND_LEVELS, FIELD_LEVELS, FieldModel
from twm_train.losses import demand_truth, summed_prb
from twm_train.prediction import Predictions, predict
from twm_train.windows import NEWEST_LEAST, Windows, cut
from twm_twin.recording import frame_blocks
from twm_twin.simulator import Twin

Quality = dict[str, Any]


@torch.no_grad()
def field_quality(model: FieldModel, episodes: Episodes, stride: int = 2) -> Quality:
    """Quality of the forecasts without and with a calendar.

    Of the field: R2 of the median per feature (now, ahead), R2 of persistence ahead, coverage of the 90 % interval ahead. Of
    demand: 1 - pinball loss / that of persistence with its own error quantiles, by step; coverage of the outermost interval.
    """
    ahead = [offset - 1 for offset in model.offsets if offset]
    out: Quality = {}
    for variant, knows in (("history", False), ("calendar", True)):
        windows, _ = validation_windows(episodes, model.window, model.horizon, stride, knows=knows)
        field, demand = [], []
        for start in range(0, windows.history.shape[1], 128):
            piece = slice(start, start + 128)
            rows = windows.history[:, piece].expand(model.members, -1, -1, -1)
            forecast = model.forecast(rows)
            now = windows.field_now[:, piece].expand(model.members, -1, -1, -1)
            field.append(model.predict_field(forecast, now).mean(0).numpy())
            demand.append(forecast.demand_log.mean(0).numpy())
        truth = torch.cat([windows.field_now.unsqueeze(2), windows.field[:, :, ahead]], 2)[0].numpy()
        out[variant] = _field_scores(np.concatenate(field), truth)
        out[variant]["demand"] = _demand_scores(np.concatenate(demand), windows, model)
    return out


def _field_scores(field_BTQCF: Float, truth_BTCF: Float) -> Quality:
    median = field_BTQCF[:, :, len(FIELD_LEVELS) // 2]
    held = np.broadcast_to(truth_BTCF[:, :1], truth_BTCF.shape)
    inside = (truth_BTCF >= field_BTQCF[:, :, 0] - 1e-6) & (truth_BTCF <= field_BTQCF[:, :, -1] + 1e-6)
    out: Quality = {"r2_now": {}, "r2_ahead": {}, "r2_ahead_persistence": {}, "coverage_90_ahead": {}}
    for f, name in enumerate(FIELD_FEATURES):
        known = np.isfinite(truth_BTCF[:, 1:, :, f])
        if not known.any():
            continue
        out["r2_now"][name] = _r2(median[:, 0, :, f], truth_BTCF[:, 0, :, f])
        out["r2_ahead"][name] = _r2(median[:, 1:, :, f], truth_BTCF[:, 1:, :, f])
        out["r2_ahead_persistence"][name] = _r2(held[:, 1:, :, f], truth_BTCF[:, 1:, :, f])
        out["coverage_90_ahead"][name] = _round((inside[:, 1:, :, f] & known).sum() / known.sum())
    out["windows"] = len(truth_BTCF)
    return out


def _demand_scores(quantiles_BHQCS: Float, windows: Windows, model: FieldModel) -> Quality:
    truth, known = (x[0].numpy() for x in demand_truth(windows.exogenous, model))
    c, s, _ = model.sizes
    now = np.log1p(windows.history[0, :, -1, model.demand_columns].numpy().reshape(-1, c, s))
    now_known = windows.history[0, :, -1, model.value_count + model.demand_columns].numpy().reshape(-1, c, s) > 0
    level = np.array(DEMAND_LEVELS).reshape(-1, 1, 1, 1)
    skill, covered = [], []
    for h in range(truth.shape[1]):
        good = (known[:, h] > 0) & now_known
        errors = np.where(good, truth[:, h] - now, np.nan)
        spread = np.nan_to_num(np.nanquantile(errors, DEMAND_LEVELS, axis=0)) if good.any() else np.zeros((len(level), c, s))

        def pinball_of(quantiles_QBCS: Float, h: int = h, good: NDArray[np.bool_] = good) -> float:
            error = truth[:, h] - quantiles_QBCS
            return float(np.maximum(level * error, (level - 1) * error)[:, good].mean()) if good.any() else float("nan")

        own = np.moveaxis(quantiles_BHQCS[:, h], 1, 0)
        base = pinball_of(now + spread[:, None])
        skill.append(_round(1 - pinball_of(own) / base) if base else 0.0)
        inside = (truth[:, h] >= own[0]) & (truth[:, h] <= own[-1])
        covered.append(_round(float(inside[good].mean())) if good.any() else None)
    return {
        "pinball_skill_by_step": skill,
        "coverage_by_step": covered,
        "coverage_nominal": _round(DEMAND_LEVELS[-1] - DEMAND_LEVELS[0]),
    }


def _r2(predicted: Float, truth: Float) -> float | None:
    """Share of the variance explained, pooled over cells and offsets; None where nothing varies."""
    known = np.isfinite(predicted) & np.isfinite(truth)
    y, p = truth[known].astype(np.float64), predicted[known].astype(np.float64)
    spread = ((y - y.mean()) ** 2).sum() if len(y) else 0.0
    return _round(1.0 - ((y - p) ** 2).sum() / spread) if spread > 1e-9 else None


def validation_starts(episodes: Episodes, window: int, horizon: int, stride: int) -> NDArray[np.intp]:
    """Newest history steps of validation windows in each episode."""
    return np.arange(min(window, NEWEST_LEAST, episodes.steps - horizon) - 1, episodes.steps - horizon, stride)


def validation_windows(
    episodes: Episodes, window: int, horizon: int, stride: int, *, knows: bool | None = None
) -> tuple[Windows, NDArray[np.intp]]:
    """Windows [1, B, ...] at every `stride`-th step of the episodes, and each one's episode.

    `knows`: whether they see the calendar; None: each second episode does.
    """
    newest = validation_starts(episodes, window, horizon, stride)
    episode, at = (grid.reshape(1, -1) for grid in np.meshgrid(np.arange(episodes.count), newest, indexing="ij"))
    told = episode // len(SCENARIOS) % 2 == 1 if knows is None else np.full(episode.shape, knows)
    return cut(episodes, episode, at, window, horizon, told), episode[0]


def shifted_windows(episodes: Episodes, episode_B: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether the windows' episodes are out of distribution."""
    return np.array([SCENARIOS[i].endswith("-ood") for i in episodes.scenario_N], bool)[episode_B]


def dynamics_quality(
    exogenous: ExogenousModel,
    predictions: Predictions,
    episodes: Episodes,
    windows: Windows,
    episode_B: NDArray[np.intp],
    truth_BHSP: Float,
    persisted_BSP: Float,
    conformal: Conformal,
    spec: NetworkSpec,
) -> Quality:
    """RMSE against persistence, coverage of 90 % (all, ID, OOD, by step) and 50 % intervals, exogenous forecast skill."""
    median = kpi_quantiles(predictions.kpi_mean_MBHSP, predictions.kpi_std_MBHSP, (0.5,))[0]
    shifted, told = shifted_windows(episodes, episode_B), knows_events(windows.history[0].numpy(), spec)
    corrected = lambda which: coverage(predictions.take(which), truth_BHSP[which], conformal, told[which])
    raw, every = coverage(predictions, truth_BHSP, None, told), corrected(np.ones(len(shifted), bool))
    inside, outside = corrected(~shifted), corrected(shifted)
    half = coverage(predictions, truth_BHSP, conformal, told, nominal=0.5)
    out: Quality = {"kpi": {}, "windows": len(shifted)}
    for p, name in enumerate(KPI_NAMES):
        if not np.isfinite(truth_BHSP[..., p]).any():
            continue
        held = np.broadcast_to(persisted_BSP[:, None, :, p], truth_BHSP.shape[:-1])
        out["kpi"][name] = {
            "rmse": _rmse(median[..., p], truth_BHSP[..., p]),
            "rmse_persistence": _rmse(held, truth_BHSP[..., p]),
            "rmse_by_slice": [_rmse(median[:, :, s, p], truth_BHSP[:, :, s, p]) for s in range(truth_BHSP.shape[2])],
            "rmse_persistence_by_slice": [_rmse(held[:, :, s], truth_BHSP[:, :, s, p]) for s in range(truth_BHSP.shape[2])],
            "r2_z": _r2(kpi_to_z(median)[..., p], kpi_to_z(truth_BHSP)[..., p]),
            "coverage_90": _mean(every[..., p]),
            "coverage_90_raw": _mean(raw[..., p]),
            "coverage_90_id": _mean(inside[..., p]),
            "coverage_90_ood": _mean(outside[..., p]),
            "coverage_50": _mean(half[..., p]),
            "coverage_90_by_step": [_mean(step) for step in every[..., p]],
        }
    out["exogenous"] = _exogenous_quality(exogenous, predictions, windows, spec)
    return out


def _exogenous_quality(model: ExogenousModel, predictions: Predictions, windows: Windows, spec: NetworkSpec) -> Quality:
    """1 - RMSE / RMSE of persistence of the mean forecast, over cells; demand also against the mean of the window."""
    layout = exogenous_layout(spec)
    share = summed_prb(windows.action, spec.sizes)
    truth = model.action_free(windows.exogenous, share)[0].numpy()
    values, known = windows.history[0, :, -1].split(model.value_count, -1)
    log_se, se_known = model.field.efficiency(values, known)
    nan = torch.tensor(torch.nan)
    held_parts = [
        torch.where(known[:, model.field.demand_columns] > 0, values[:, model.field.demand_columns], nan),
        torch.where(se_known > 0, torch.exp(log_se), nan),
    ]
    if model.sizes[2]:
        up = torch.where(known[:, model.field.up_columns] > 0, values[:, model.field.up_columns], torch.ones(()))
        capacity = values[:, model.field.capacity_columns] * up
        held_parts.append(torch.where(known[:, model.field.capacity_columns] > 0, capacity, nan))
    held = torch.cat(held_parts, -1).numpy()
    forecast = predictions.exogenous_MBHX.mean(0)
    out: Quality = {}
    parts = zip(
        ("demand", "spectral_efficiency", "link_capacity"),
        layout.split(forecast),
        layout.split(truth),
        layout.split(held),
        strict=True,
    )
    for name, predicted, true, last in parts:
        if true.size == 0:
            continue
        last_wide = np.broadcast_to(last[:, None], true.shape)
        both = np.isfinite(true) & np.isfinite(last_wide)
        error, base = _rmse(predicted[both], true[both]), _rmse(last_wide[both], true[both])
        steps = []
        for h in range(true.shape[1]):
            at = both[:, h]
            if at.any():
                model_rmse = float(np.sqrt(((predicted[:, h] - true[:, h])[at] ** 2).mean()))
                held_rmse = float(np.sqrt(((last_wide[:, h] - true[:, h])[at] ** 2).mean()))
                steps.append(_round(1 - model_rmse / held_rmse) if held_rmse > 1e-9 else 0.0)
        out[name] = {
            "rmse": error,
            "rmse_persistence": base,
            "skill": _round(1 - error / base) if base else 0.0,
            "skill_by_step": steps,
        }
        if name == "demand":
            low, high = np.quantile(layout.split(predictions.exogenous_MBHX)[0], (0.05, 0.95), axis=0)
            out[name]["coverage_90_raw"] = _round(float(((true >= low) & (true <= high))[np.isfinite(true)].mean()))
    return out


def ranking_quality(
    spec: NetworkSpec,
    exogenous: ExogenousModel,
    controllable: ControllableModel,
    *,
    first_seed: int,
    starts: int,
    candidates: int,
    warmup: int,
    samples: int,
    seed: int,
    calendar: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Quality:
    """Spearman of predicted against true SCM over library policies from the same state with common random numbers.

    Besides, over the least margin before the floor at 0: where no policy keeps all SLAs, SCM ranks nothing.

    Each start runs a library policy for `warmup` quiet steps; then every candidate runs the horizon under the same seed.
    """
    generator = np.random.default_rng([seed, first_seed])
    library, _ = library_policies(spec)
    horizon = spec.timing.horizon_steps
    rank: dict[str, list[float]] = {"all": [], "id": [], "ood": [], "feasible": [], "margin": []}
    errors, regrets, gains = [], [], []
    for start in range(starts):
        scenario = SCENARIOS[start % len(SCENARIOS)]
        pick = generator.choice(library.count, min(candidates, library.count), replace=False)
        chosen = library.take(pick)
        k = chosen.count
        before = library.take([int(generator.integers(library.count))])
        twin = Twin(spec, k)
        twin.reset(np.full(k, first_seed + start, np.int64), [scenario] * k, quiet_steps=warmup)
        seen: list[dict[str, Float]] = []
        for t in range(warmup + horizon):
            source, at = (before, t % horizon) if t < warmup else (chosen, t - warmup)
            prb, bandwidth = (
                np.broadcast_to(a[:, at], (k, *a.shape[2:])) for a in (source.prb_share_KHCS, source.bandwidth_share_KHLS)
            )
            batch = twin.frames(twin.step(np.ascontiguousarray(prb), np.ascontiguousarray(bandwidth)))
            seen.append({name: np.array(block, np.float32) for name, block in frame_blocks(batch).items()})
        past = {name: np.stack([frame[name][:1] for frame in seen[:warmup]], 1) for name in seen[0]}
        future = {name: np.stack([frame[name] for frame in seen[warmup:]], 1) for name in seen[0]}
        true, true_margin = true_scores(future, spec)
        zeros = np.zeros(1, np.int64)
        record = derive(
            spec,
            past,
            action_NTA=np.zeros((1, warmup, action_vector(chosen).shape[-1]), np.float32),
            log_propensity_NT=np.zeros((1, warmup)),
            calendar_NTC=calendar_of(spec, first_seed + start, scenario, warmup, warmup)[None],
            kind_N=zeros,
            scenario_N=zeros,
            seed_N=zeros,
        )
        newest, told = np.full((1, 1), warmup - 1), np.full((1, 1), calendar)
        at = cut(record, np.zeros((1, 1), np.intp), newest, exogenous.window, horizon, told, with_future=False)
        history = at.history[0]
        actions = torch.from_numpy(action_vector(chosen))
        futures = predict(exogenous, controllable, history.expand(k, -1, -1), actions, samples, seed)
        predicted, margin = futures.scores(spec)
        if np.isfinite(by_margin := spearman(margin, true_margin)):
            rank["margin"].append(by_margin)
        value = spearman(predicted, true)
        if np.isfinite(value):
            rank["all"].append(value)
            rank["ood" if scenario.endswith("-ood") else "id"].append(value)
        feasible = true > 0
        if feasible.sum() >= 5 and np.isfinite(inner := spearman(predicted[feasible], true[feasible])):
            rank["feasible"].append(inner)
        errors.append(predicted - true)
        regrets.append(true.max() - true[np.argmax(predicted)])
        gains.append(true.max() - true.mean())
        if progress:
            progress(1)
    error = np.concatenate(errors)
    return {
        **{f"spearman_{name}": _mean(values) for name, values in rank.items()},
        "scm_rmse": _round(float(np.sqrt((error**2).mean()))),
        "scm_bias": _round(float(error.mean())),
        "regret_of_best_predicted": _round(float(np.mean(regrets))),
        "regret_of_random": _round(float(np.mean(gains))),
        "starts": starts,
        "starts_with_ranks": len(rank["all"]),
        "candidates": candidates,
    }


def true_scores(blocks: dict[str, Float], spec: NetworkSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(SCM [K], least margin [K]) of recorded horizons, blocks [K, H, ...].

    Loss is weighted by load, the p99 delay pooled over cells and fast steps of the whole horizon.
    """
    pooled = {name: block.reshape(block.shape[0], -1, *block.shape[3:]) for name, block in blocks.items()}
    cs, fast = pooled["cell_slice"], pooled["fast"]
    offered, loss = cs[..., 0], np.where(np.isnan(cs[..., 6]), cs[..., 4], cs[..., 6])
    known = np.isfinite(offered) & np.isfinite(loss)
    total = np.where(known, offered, 0).sum(1)
    lost = np.where(known, offered * loss, 0).sum(1) / np.maximum(total, 1e-9)
    delay = weighted_p99(fast[..., 1], fast[..., 0])
    return scm(lost, delay, spec.topology()), least_margin(lost, delay, spec.topology())


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Rank correlation with mean ranks for ties; NaN where one side is constant."""
    ranks = []
    for values in (a, b):
        _, inverse, counts = np.unique(np.round(values, 9), return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2.0)[inverse])
    x, y = (r - r.mean() for r in ranks)
    scale = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum() / scale) if scale > 0 else float("nan")


def _rmse(predicted: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    known = np.isfinite(predicted) & np.isfinite(truth)
    error = np.asarray(predicted, np.float64)[known] - np.asarray(truth, np.float64)[known]
    return _round(float(np.sqrt((error**2).mean()))) if len(error) else 0.0


def _mean(values: Any) -> float | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = float(np.nanmean(np.asarray(values, np.float64))) if np.size(values) else float("nan")
    return _round(mean) if np.isfinite(mean) else None


def _round(value: float) -> float:
    return float(f"{value:.4g}")
