"""All methods by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from twm.core.errors import InvalidInputError
from twm_bench.methods import fixed, rules
from twm_bench.methods.ceilings import Ceiling
from twm_bench.methods.forecast import ForecastRule
from twm_bench.methods.language import LlmOnly
from twm_bench.methods.learned import ActorOnly, Ppo
from twm_bench.methods.method import Prepare
from twm_bench.methods.planner import ABLATIONS, ANALYTIC, CDWM_ONLY, TWM
from twm_bench.methods.twin_search import TwinSearch

UNIFORM, ORACLE, OURS = "uniform", "oracle", "twm"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One method of the benchmark."""

    prepare: Prepare
    informed: bool = True
    """Whether it may read the calendar; what cannot plays once for both variants."""
    horizon_s: float
    """CPU seconds of one horizon, about: for the expected duration only."""


METHODS: dict[str, Entry] = {
    UNIFORM: Entry(prepare=rules.Uniform, informed=False, horizon_s=0.05),
    "proportional": Entry(prepare=rules.Proportional, informed=False, horizon_s=0.05),
    "reactive": Entry(prepare=rules.Reactive, informed=False, horizon_s=0.05),
    "best-static": Entry(prepare=fixed.best_static, informed=False, horizon_s=0.1),
    "dt-fair-cost": Entry(prepare=fixed.fair_cost, informed=False, horizon_s=0.1),
    "dt-fair-scm": Entry(prepare=fixed.fair_scm, informed=False, horizon_s=0.1),
    "dt-cem-12": Entry(prepare=partial(TwinSearch, calls_per_horizon=12), horizon_s=0.6),
    "dt-cem-96": Entry(prepare=partial(TwinSearch, calls_per_horizon=96), horizon_s=0.8),
    "dt-cem-3840": Entry(prepare=partial(TwinSearch, calls_per_horizon=3840), horizon_s=3.0),
    "fwm-only": Entry(prepare=ForecastRule, horizon_s=0.6),
    "cdwm-only": Entry(prepare=CDWM_ONLY, horizon_s=4.0),
    "analytic": Entry(prepare=ANALYTIC, horizon_s=4.0),
    "ppo": Entry(prepare=Ppo, horizon_s=0.2),
    "actor-only": Entry(prepare=ActorOnly, horizon_s=0.2),
    "llm-only": Entry(prepare=LlmOnly, informed=False, horizon_s=1.0),
    OURS: Entry(prepare=TWM, horizon_s=4.0),
    ORACLE: Entry(prepare=fixed.oracle, informed=False, horizon_s=2.5),
}
"""Contenders and the yardsticks, in the order of the tables."""

ABLATED: dict[str, Entry] = {name: Entry(prepare=kind, horizon_s=4.0) for name, kind in ABLATIONS.items()} | {
    "twm-perfect-control": Entry(prepare=partial(Ceiling, foresight=False), horizon_s=8.0),
    "twm-perfect-forecast": Entry(prepare=partial(Ceiling, foresight=True), horizon_s=8.0),
}
"""`twm` without one of its parts, or with one that cannot be better."""

EVERYTHING: dict[str, Entry] = METHODS | ABLATED


def chosen(names: Iterable[str]) -> list[str]:
    """Names in the order of the catalogue. Raises InvalidInputError for one that is not there."""
    wanted = list(names)
    for name in wanted:
        if name not in EVERYTHING:
            raise InvalidInputError(f"methods: {name[:64]!r} is not one of {', '.join(EVERYTHING)}")
    return [name for name in EVERYTHING if name in wanted]
