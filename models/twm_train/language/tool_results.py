"""What tools say, made up in the form of `twm.gateway.tools.answers`, about made-up networks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from twm.core.features import FIELD_FEATURES
from twm.core.kpis import KPI_NAMES
from twm_train.language.networks import MadeNetwork

LEVELS = [0.05, 0.5, 0.95]


def _kpis(rng: random.Random) -> dict[str, float]:
    values = (rng.uniform(0, 0.2), rng.uniform(3, 120), rng.uniform(0.2, 1), rng.uniform(5, 600))
    return {name: round(value, 4 if name.endswith("ratio") else 2) for name, value in zip(KPI_NAMES, values, strict=True)}


def _fan(rng: random.Random) -> dict[str, list[float]]:
    rows = sorted((_kpis(rng) for _ in range(3)), key=lambda row: row["delay_p99_ms"])
    return {name: sorted(row[name] for row in rows) for name in KPI_NAMES}


def _share(rng: random.Random, most: float = 1.0) -> float:
    return round(rng.uniform(0, most), 4)


def state_result(rng: random.Random, net: MadeNetwork) -> dict[str, Any]:
    """What query_state says."""
    step = rng.randrange(10, 30000)
    slices = {
        name: {
            "kpis": _kpis(rng),
            "sla": {
                "loss_max_ratio": rng.choice((0.01, 0.05, 0.1, 0.2)),
                **({"delay_p99_max_ms": rng.choice((10.0, 20.0, 50.0))} if rng.random() < 0.5 else {}),
            },
            "mean_prb_share": _share(rng, 0.7),
            "mean_bandwidth_share": _share(rng, 0.7),
        }
        for name in net.slices
    }
    zones = {zone: sorted(rng.sample(net.cells, rng.randint(1, 3)), key=net.cells.index) for zone in net.zones}
    alarms = (
        [
            {
                "object": rng.choice(net.cells),
                "severity": rng.choice(("major", "minor", "critical")),
                "event_type": "equipment",
                "text": "link down",
            }
        ]
        if rng.random() < 0.3
        else []
    )
    return {
        "step": step,
        "slices": slices,
        "cells": {},
        "zones": zones,
        "alarms": alarms,
        "sla_window_steps_left": rng.randint(1, 15),
        "newest_proposal_step": step - 1 if rng.random() < 0.8 else None,
    }


def rolled_result(rng: random.Random, net: MadeNetwork, count: int = 1) -> dict[str, Any]:
    """What roll_out says."""
    return {
        "levels": LEVELS,
        "plans": [
            {
                "scm_mean": _share(rng), "scm_cvar": _share(rng), "any_violation_probability": _share(rng, 0.5),
                "violation_probability": {name: _share(rng, 0.4) for name in net.slices},
                "disagreement": _share(rng, 0.2), "ood_score": _share(rng, 3), "saving_ratio": _share(rng, 0.1),
                "kpis": {name: _fan(rng) for name in net.slices},
            }
            for _ in range(count)
        ],
    }  # fmt: skip


def twin_result(rng: random.Random, net: MadeNetwork, scenarios: int) -> dict[str, Any]:
    """What verify_in_twin says."""
    broken = {name: round(rng.choice((0, 0, 1)) * rng.randint(0, scenarios - 1) / scenarios, 4) for name in net.slices}
    mean = _share(rng)
    return {
        "scenarios": scenarios,
        "played_steps": rng.randint(0, 15),
        "plans": [
            {
                "scm_mean": mean,
                "scm_least": round(mean - _share(rng, 0.5), 4),
                "violation_ratio": max(broken.values()),
                "violation_ratio_by_slice": broken,
            }
        ],
    }


def candidates_result(rng: random.Random, net: MadeNetwork, count: int) -> dict[str, Any]:
    """What propose_candidates says."""
    step, chosen = rng.randrange(10, 30000), rng.randrange(count)
    found = [
        {
            "index": i,
            "origin": rng.choice(("search", "actor", "reactive", "library", "running")),
            "chosen": i == chosen,
            "scm_mean": _share(rng),
            "violation_probability": _share(rng, 0.4),
            "saving_ratio": _share(rng, 0.1),
        }
        for i in range(count)
    ]
    return {
        "step": step,
        "proposal_step": step - 1,
        "candidates": found,
        "actor_mean_prb_share": [{name: _share(rng, 0.7) for name in net.slices}],
    }


def forecast_result(rng: random.Random, places: Sequence[str], feature: str) -> dict[str, Any]:
    """What forecast_field says."""
    made = {place: {feature: [sorted(round(rng.uniform(5, 150), 2) for _ in LEVELS) for _ in range(3)]} for place in places}
    return {"features": list(FIELD_FEATURES), "step_offsets": [1, 6, 12], "levels": LEVELS, "places": made}


def explain_result(rng: random.Random, net: MadeNetwork, step: int) -> dict[str, Any]:
    """What explain says, shortened as an explanation with little to tell is."""
    good, name = rng.random() < 0.4, rng.choice(net.slices)
    value, bound = round(rng.uniform(0.02, 0.4), 3), rng.choice((0.1, 0.15, 0.2))
    decision = "accepted" if good else "refused"
    told = f"the violation probability is {100 * value:g} %, at most {100 * bound:g} % is allowed."
    headline = f"{decision.title()} at step {step}: {told}"
    return {
        "proposal_id": f"area/{step}/1",
        "step": step,
        "decision": decision,
        "handling": "shadow" if good else "unspecified",
        "source": "search",
        "headline": headline,
        "text": f"{headline}\n{name} is nearest its bound.",
        "text_source": "template",
        "text_findings": [],
        "horizon_steps": 12,
        "moves": [],
        "forecasts": [],
        "outlooks": [],
        "binding": {"slice": name, "kpi": "loss_ratio", "value": {"median": value}, "bound": bound, "margin_ratio": 0.1},
        "checks": [{"name": "violation_probability", "passed": good, "value": value, "bound": bound, "message": ""}],
        "confidence": {"violation_probability": value},
        "turns": [],
        "fallback_reason": "",
    }
