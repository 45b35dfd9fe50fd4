"""A small made report with every part the page shows. Its numbers are made up; nothing was played."""

from __future__ import annotations

from typing import Any

import numpy as np

from twm_bench.results import MEAN, Ablation, Difference, Horizons, MethodResult, Report, Score, SeedsUsed

SCENARIOS = ["hotspot-id", "wave-id", "hotspot-ood", "wave-ood"]
METHODS = {
    "uniform": (0.15, 0.0),
    "proportional": (0.17, 0.02),
    "reactive": (0.30, 0.12),
    "best-static": (0.276, 0.05),
    "dt-fair-cost": (0.082, 0.20),
    "dt-fair-scm": (0.258, 0.04),
    "dt-cem-12": (0.28, 0.09),
    "dt-cem-96": (0.33, 0.10),
    "dt-cem-3840": (0.414, 0.10),
    "fwm-only": (0.2, 0.06),
    "cdwm-only": (0.31, 0.11),
    "analytic": (0.363, 0.12),
    "ppo": (0.25, 0.07),
    "actor-only": (0.34, 0.13),
    "twm": (0.40, 0.13),
    "oracle": (0.488, 0.09),
}


def score(scm: float, saving: float, gap: float | None) -> Score:
    return Score(
        count=4,
        scm=scm,
        scm_low=scm - 0.02,
        scm_high=scm + 0.02,
        scm_worst_5_percent=scm / 3,
        scm_of_mean_losses=scm + 0.03,
        saving=saving,
        p_violation=max(0.0, 0.5 - scm),
        p_violation_by_slice={"embb": 0.1, "urllc": 0.2, "fwa": 0.05},
        loss_by_slice={"embb": 0.1, "urllc": 0.02, "fwa": 0.05},
        delay_p99_ms_by_slice={"embb": 900.0, "urllc": 14.0, "fwa": None},
        regret=max(0.0, 0.488 - scm),
        gap_recovered=gap,
        horizons=Horizons(scm=[scm] * 4, saving=[saving] * 4, violated=[False] * 4),
    )


def method(scm: float, saving: float, shift: float = 0.0) -> MethodResult:
    scores = {s: score(scm + 0.05 * (1 - i) + shift, saving, (scm + shift - 0.15) / 0.338) for i, s in enumerate(SCENARIOS)}
    scores[MEAN] = score(scm + shift, saving, (scm + shift - 0.15) / 0.338)
    return MethodResult(
        scores=scores, calls_per_horizon=12, evaluations_per_decision=300, decision_s_p50=0.05, decision_s_p99=0.09
    )


def difference(mean: float) -> dict[str, Difference]:
    return {s: Difference(mean=mean, low=mean - 0.02, high=mean + 0.02, better=0.7) for s in [*SCENARIOS, MEAN]}


def trajectory() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    steps = np.arange(1, 13)

    def kpi() -> dict[str, Any]:
        by = {n: (a * np.sqrt(steps)).round(4).tolist() for n, a in (("twm", 0.1), ("persistence", 0.2), ("gru", 0.15))}
        return {
            "nrmse_by_step": by,
            "mae_by_step": by,
            "cumulative_mae_by_step": by,
            "crps_by_step": by,
            "crps": {name: float(np.mean(values)) for name, values in by.items()},
            "coverage": {"50": 0.5, "90": 0.9, "95": 0.95},
            "coverage_by_step": {k: [v] * 12 for k, v in (("50", 0.5), ("90", 0.9), ("95", 0.95))},
            "coverage_by_slice": [0.9, 0.9, 0.9],
            "calibration": {"20": 0.22, "40": 0.41, "50": 0.5, "60": 0.6, "80": 0.79, "90": 0.9, "95": 0.95},
        }

    kpis = {name: kpi() for name in ("loss_ratio", "delay_p99_ms", "utilisation_ratio", "served_mbps")}
    skill = [0.15, 0.24, 0.27, 0.3, 0.32, 0.3, 0.3, 0.3, 0.28, 0.26, 0.23, 0.22]
    demand = {
        "crps_by_step": {"twm": [20.0] * 12, "persistence": [40.0] * 12, "persistence_spread": [30.0] * 12},
        "skill_by_step": skill,
        "skill_plain_by_step": [v + 0.2 for v in skill],
        "skill": {"3": 0.27, "6": 0.3, "12": 0.22},
        "skill_plain": {"3": 0.47, "6": 0.5, "12": 0.42},
        "coverage_90_by_step": [0.88] * 12,
    }
    fans = []
    for scenario in SCENARIOS:
        for piece, name, bound, level in (
            ("embb", "loss_ratio", 0.25, 0.1),
            ("urllc", "loss_ratio", 0.1, 0.03),
            ("urllc", "delay_p99_ms", 20.0, 12.0),
            ("fwa", "loss_ratio", 0.2, 0.08),
        ):
            middle = level * (1 + 0.3 * np.sin(steps / 3))
            fans.append(
                {
                    "scenario": scenario,
                    "seed": 0,
                    "newest_step": 17,
                    "slice": piece,
                    "kpi": name,
                    "bound": bound,
                    "levels": [0.05, 0.25, 0.5, 0.75, 0.95],
                    "quantiles": [(middle * f).tolist() for f in (0.6, 0.85, 1.0, 1.15, 1.5)],
                    "truth": (middle * rng.uniform(0.8, 1.3, 12)).tolist(),
                    "past": [level, None, level, level, level, level],
                }
            )
    splits = dict.fromkeys(("all", "id", "ood"), kpis)
    return {
        "windows": {"all": 80, "id": 40, "ood": 40},
        "kpi": splits,
        "demand": dict.fromkeys(splits, demand),
        "fans": fans,
    }


def ranking() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    true = np.round(np.maximum(rng.normal(0.2, 0.25, 300), 0), 4)
    predicted = np.round(np.clip(true + rng.normal(0, 0.05, 300), 0, 1), 4)
    bins = {
        "ece": 0.03,
        "brier": 0.05,
        "count": 300,
        "predicted": [0.05, 0.35, 0.65, 0.95],
        "observed": [0.07, 0.3, 0.7, 0.93],
        "bin_count": [50, 20, 30, 200],
    }
    names = [f"{part}{end}" for part in ("all", "id", "ood", "library") for end in ("", "_feasible")]
    rank: dict[str, float | None] = dict.fromkeys(names, 0.9)
    return {
        "starts": 8,
        "candidates": 64,
        "spearman": rank | {"id": 0.95, "library_feasible": None},
        "starts_ranked": dict.fromkeys(names, 8),
        "spearman_pooled": dict.fromkeys(("all", "id", "ood", "all_feasible", "id_feasible", "ood_feasible"), 0.9),
        "feasible_share": 0.3,
        "scm_rmse": 0.05,
        "scm_bias": 0.0,
        "regret_of_best_predicted": 0.03,
        "regret_of_random": 0.3,
        "disagreement": {"all": 0.6, "id": 0.6, "ood": 0.5, "within_start": 0.5},
        "violation": {"any": bins, "any_id": bins, "any_ood": bins, "by_slice": {"urllc": bins}, "pooled": bins},
        "scatter": {"predicted": predicted.tolist(), "true": true.tolist(), "ood": (np.arange(300) % 2 == 0).tolist()},
    }


def field() -> dict[str, Any]:
    scores = {
        "r2": 0.9,
        "r2_now": 0.999,
        "r2_ahead": 0.6,
        "r2_ahead_persistence": 0.3,
        "r2_by_offset": [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
        "rmse_now": 0.1,
        "rmse_ahead": 1.0,
        "rmse_ahead_persistence": 1.5,
        "crps_by_offset": [0.1] * 7,
        "coverage_50": 0.5,
        "coverage_90": 0.9,
        "ssim_by_offset": {"twm": 0.9, "twm_by_offset": [1.0] + [0.9] * 6, "persistence_by_offset": [1.0] + [0.8] * 6},
    }
    return {
        "windows": 80,
        "step_offsets": [0, 1, 2, 3, 6, 9, 12],
        "features": dict.fromkeys(("offered_mbps", "loss_ratio", "queue_mbit"), scores),
        "r2_now": 0.99,
        "r2_ahead": 0.6,
        "r2": 0.7,
        "r2_ahead_persistence": 0.3,
        "ssim": 0.9,
        "coverage": {"50": 0.5, "90": 0.9},
    }


def field_ceiling() -> dict[str, Any]:
    """What twm_bench.axes.field_ceiling says of one variant."""
    keys = ("r2_now", "r2_unreported", "r2_ahead")
    entry = {f"{key}{space}": 0.5 for key in keys for space in ("", "_log")}
    entry |= {f"ceiling_shocks_{k}{space}": v for k, v in (("known", 0.9), ("unknown", 0.7)) for space in ("", "_log")}
    features = {name: entry | {"shares_act": name == "loss_ratio"} for name in ("offered_mbps", "loss_ratio")}
    return {"windows": 80, "draws": 8, "features": features, "mean": entry}


def unseen() -> dict[str, Any]:
    """What twm_bench.robustness.unseen says of a city."""
    figures = {"scm": 0.4, "scm_low": 0.3, "scm_high": 0.5, "saving": 0.08, "p_violation": 0.2, "scm_worst_5_percent": 0.0}
    loop = {
        "variant": "calendar",
        "seeds": 4,
        "methods": dict.fromkeys(("twm", "reactive"), figures | {"gap_recovered": None}),
        "twm_better_by": {"reactive": {"mean": 0.05, "interval": [0.01, 0.09]}},
    }
    words = {"cells": 13, "weights": "as at home", "constants": "measured there"}
    return field() | words | {"ranking": {"history": ranking()}, "closed_loop": loop}


def rare() -> dict[str, Any]:
    """What twm_bench.robustness.rare says."""
    entry = {"scm": 0.3, "p_violation": 0.4, "scm_worst_5_percent": 0.0, "saving": 0.08}
    lead = {"twm_better_by": 0.1, "interval": [None, None]}
    event = {"horizons": 3, "by_scenario": {}, "methods": {"twm": entry, "reactive": entry | lead}}
    return {"events": {"link-failure": "a link is down"}, "variants": {"calendar": {"link-failure": event}}}


def adaptation() -> dict[str, Any]:
    """What twm_train.adapt.experiment says."""
    return {
        "scenario": "hotspot-id",
        "demand_factor": 1.4,
        "alarms_before_shift": 0,
        "detection_delay_horizons": 2.0,
        "reasons": ["coverage"],
        "challenger": {"method": "recalibrate", "held_out": {"mean": 0.1}, "cpu_s": 1.0},
        "shadow": {"mean": 0.1},
        "rollback": {"back": True},
    }


def speed() -> dict[str, Any]:
    return {
        "machine": {"cores": 2, "processor": "a processor", "load_before": 0.1},
        "rollouts": {
            "candidates": 512,
            "samples": 4,
            "members": 3,
            "trajectories_per_cpu_s": 9605.0,
            "candidate_futures_per_cpu_s": 3202.0,
            "candidates_per_cpu_s": 800.0,
            "twin_horizons_per_cpu_s": 4483.0,
            "ratio_to_twin": 2.143,
            "ratio_to_twin_members_as_one": 0.714,
        },
        "gemm_gflop_per_cpu_s": 96.0,
        "graph": {
            "batches": {
                rows: {"ms_per_step": 9.0, "mflop_per_step": 266.0, "gflop_per_cpu_s": 45.0, "share_of_gemm_peak": share}
                for rows, share in (("128", 0.3), ("512", 0.45), ("1024", 0.42))
            },
            "members": 3,
        },
        "cycle": {
            "cycles": 100,
            "p50_ms": 90.0,
            "p99_ms": 140.0,
            "max_ms": 150.0,
            "fallbacks": 0,
            "evaluations": 600,
            "twin_calls": 12,
        },
        "actor": {"skipped": "no actor in the zoo"},
    }


def study(rival: str) -> dict[str, Any]:
    """What twm_bench.traces says of one set of experiments, with one rival of that name."""

    def figures(nrmse: float, crps: float) -> dict[str, Any]:
        both = {"nrmse": nrmse, "crps": crps}
        return {k: {"mean": v, "interval": [v - 0.1, v + 0.1]} for k, v in both.items()} | {"coverage_90": {"mean": 0.9}}

    gains = {
        key: {"baseline": rival, "lower_by": by, "difference_interval": [0.0, 0.1], "experiments_better": 3, "experiments": 4}
        for key, by in (("nrmse", 0.25), ("crps", 0.1))
    }
    estimate = {
        "wis": 0.5,
        "wis_interval": [0.4, 0.6],
        "dr": 0.5,
        "dr_interval": [0.4, None],
        "effective_sample_size": 12.3,
        "blocks": 100,
        "verdict": f"cannot be judged {rival}",
    }
    return {
        "split": {"test": ["a", "b"]},
        "horizon_steps": 5,
        "methods": {"cdwm": figures(0.3, 0.2), rival: figures(0.4, 0.3)},
        "against_best_baseline": gains,
        "off_policy": {"rewards": {"scm": {"1": {rival: estimate}}}},
    }


def made_report(extra: str | None = None) -> Report:
    """The report; `extra` is one more method of that name."""
    variants = {}
    for variant, shift in (("history", 0.0), ("calendar", 0.03)):
        variants[variant] = {n: method(*v, shift if n not in ("uniform", "oracle") else 0.0) for n, v in METHODS.items()}
        if extra is not None:
            variants[variant][extra] = method(0.2, 0.05)
    rivals = [name for name in METHODS if name not in ("twm", "oracle")]
    return Report(
        spec_hash="1bce8e0a",
        network="poc-city",
        created="2026-11-22T08:00:00+00:00",
        command="twm bench",
        seeds=SeedsUsed(purpose="evaluation", seeds=[0], ablation_seeds=[0]),
        scenarios=SCENARIOS,
        versions={"numpy": "2"},
        models={"cdwm": {"version": "poc-city-4", "digest": "ab" * 32}},
        variants=variants,
        comparisons={v: {r: difference(0.40 - METHODS[r][0]) for r in rivals} for v in variants},
        ablations={
            v: {
                n: Ablation(result=method(0.36, 0.12), difference=difference(d))
                for n, d in (("twm-no-fwm", 0.03), ("twm-actor-seeds", -0.01))
            }
            for v in variants
        },
        absent={"llm-only": "belongs to the language layer"},
        calls={"twm": {"horizon": 12, "before": 0}},
        wall_s=100.0,
        axes={
            "purpose": "evaluation",
            "seeds": [0, 0],
            "models": {},
            "trajectory": {v: trajectory() for v in variants},
            "ranking": {v: ranking() for v in variants},
            "field": {v: field() for v in variants},
            "field_ceiling": {v: field_ceiling() for v in variants},
            "ceilings": {"gemm": {"value": 0.55, "why": "what the graph's shapes allow", "experiment": "one thread"}},
            "traces": {"skipped": "no folder of recorded traces: give it with --data"},
            "unseen": {"unseen city": unseen(), "coast": {"skipped": "no model serves this network"}},
            "speed": speed(),
        },
        robustness={"rare": rare()},
        adaptation=adaptation(),
    )
