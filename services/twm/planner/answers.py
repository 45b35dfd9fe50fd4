"""What world model, actor and twin answered, checked and unpacked (twm.planner.answer_checks does both).

Shape suffixes: K candidates, M policies of the actor or KPI targets, P finalists, H slow steps, Q quantile levels, S slices,
C cells, L links, J scenarios.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays
from twm.planner.objective import Predictions


@dataclass(frozen=True, kw_only=True)
class Scenarios:
    """Exogenous futures in the layout of RolloutResponse.exogenous_scenarios."""

    demand_mbps_JHCS: NDArray[np.float32]
    spectral_efficiency_JHC: NDArray[np.float32]
    """[bit/s/Hz]."""
    link_capacity_mbps_JHL: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Scenarios, J."""
        return len(self.demand_mbps_JHCS)

    def spread_over(self, count: int, states: int) -> tuple[Scenarios, NDArray[np.intp]]:
        """`count` of them, as many of each assumed state, and the state of each: see `spread`."""
        state_J = np.arange(self.count) * states // self.count
        parts = []
        for state in range(states):
            block = Scenarios(**{name: array[state_J == state] for name, array in vars(self).items()})
            parts.append(block.spread(min(max(count // states, 1), block.count)))
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(self)}
        return Scenarios(**joined), np.repeat(np.arange(states), [part.count for part in parts])

    def spread(self, count: int) -> Scenarios:
        """`count` of them, evenly spaced by rank of the total demand, so that light and heavy futures are both there."""
        order = np.argsort(self.demand_mbps_JHCS.sum((1, 2, 3)), kind="stable")
        picks = order[np.round((np.arange(count) + 0.5) / count * len(order) - 0.5).astype(int)]
        return Scenarios(**{name: block[picks] for name, block in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class TargetColumns:
    """How K policies stand to M KPI targets."""

    predicted_M: NDArray[np.bool_]
    violation_KM: NDArray[np.float64]
    excess_KM: NDArray[np.float64]
    quantiles_KMQ: NDArray[np.float64]
    """5, 50, 95 %."""
    reach_KM: NDArray[np.float64]
    """Bound that is violated with just the accepted probability."""

    def take(self, indices: list[int]) -> TargetColumns:
        """Those of some policies."""
        columns = {name: array[indices] for name, array in vars(self).items() if name != "predicted_M"}
        return TargetColumns(predicted_M=self.predicted_M, **columns)


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """A checked answer of the world model."""

    predictions: Predictions
    models: tuple[tuple[str, str, str], ...]
    """(name, version, digest) of each model."""
    sample_count: int
    quantile_levels: tuple[float, ...] = ()
    kpi_names: tuple[str, ...] = ()
    fans_KHQSP: NDArray[np.float32] | None = None
    scenarios: Scenarios | None = None
    targets: TargetColumns | None = None
    """None where nothing was asked for."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the world model expects, whatever is done."""

    scenarios: Scenarios
    models: tuple[tuple[str, str, str], ...]
    """(name, version, digest) of each model."""


@dataclass(frozen=True, kw_only=True)
class ActorPlans:
    """A checked answer of the actor: its policies [M], the best guess first; not yet within floors and rate."""

    policies: PolicyArrays
    model: tuple[str, str, str]
    """(name, version, digest)."""


@dataclass(frozen=True, kw_only=True)
class TwinVerdict:
    """A checked answer of the twin."""

    scm_PJ: NDArray[np.float64]
    violated_PJ: NDArray[np.bool_]
    """Whether any slice's SLA is broken."""
    loss_PJS: NDArray[np.float64]
    delay_PJS: NDArray[np.float64]
    """99th percentile [ms]."""
    call_count: int
    target_measured_M: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    target_PJM: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 0)))
    """Value of each target's KPI."""
