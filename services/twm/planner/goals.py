"""What the active intents ask of one decision: weights, bounds on shares and KPIs, and states of the network to plan for.

twm.planner.goal_reading reads them; here they say what a candidate is worth. ADR 11 says how each part enters the plan.

Shape suffixes: S slices, M targets, K candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import InvalidInputError
from twm.core.intents import ACCEPTED_PROBABILITY
from twm.planner.bounded import ShareBounds
from twm.planner.objective import ObjectiveWeights, Predictions

Float = NDArray[np.float64]
_SAVING_MARGIN = 0.002
"""Saving aimed for beyond a target, so that what is shifted by rounding still reaches it."""


@dataclass(frozen=True, kw_only=True)
class GoalSettings:
    """How intents weigh against the standing objective."""

    accepted_probability: float = ACCEPTED_PROBABILITY
    """Violation probability that counts as held where an intent names none."""
    aim_ratio: float = 0.25
    """The search aims for this share of the accepted probability: what is found on few samples was also lucky."""
    target_risk: float = 1.0
    """SCM lost per unit of probability beyond that, for a KPI constraint of priority 3."""
    target_excess: float = 0.5
    """SCM lost per unit of expected excess over a bound, relative to it: a slope where every candidate violates."""
    hold_risk: float = 2.0
    """SCM lost per unit of probability that any SLA is violated beyond the accepted one, where an intent says they hold."""
    harm: float = 3.0
    """SCM lost per unit of predicted SCM below that of the running shares, and of violation probability beyond both theirs and
    `harm_violation`: an intent is not worth a plan that the guardrail refuses."""
    harm_violation: float = 0.85
    """Violation probability of the SLAs up to which a plan does no harm whatever the running shares' is."""
    saving_shortfall: float = 3.0
    """SCM lost per unit of saving missing to a target that an intent names."""
    slice_risk: float = 0.2
    """SCM lost per unit of violation probability of a slice and of its weight above 1."""
    lead_steps: int = 2
    """Slow steps that a limit is held before its window begins: a policy stays in force that long (TWM_POLICY_TTL_STEPS)."""
    scenario_count: int = 8
    """Futures that the twin plays for each finalist while an intent bounds a KPI or names a surge."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("accepted_probability", 0.0, 1.0),
            ("aim_ratio", 0.0, 1.0),
            ("target_risk", 0.0, 100.0),
            ("target_excess", 0.0, 100.0),
            ("hold_risk", 0.0, 100.0),
            ("harm", 0.0, 100.0),
            ("harm_violation", 0.0, 1.0),
            ("saving_shortfall", 0.0, 100.0),
            ("slice_risk", 0.0, 100.0),
            ("lead_steps", 0, 256),
            ("scenario_count", 1, 256),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(f"goals.{name}: {getattr(self, name)} is outside {low}..{high}")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One KPI constraint in the steps of this decision."""

    intent_id: str
    index: int
    """In IntentSpec.constraints."""
    message: worldmodel_pb2.KpiTarget
    factor: float
    """What the priority of the intent makes of the penalty."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What an intent strives for."""

    intent_id: str
    wanted_ratio: float
    """Control saving; 0: none is named."""
    hold_slas: bool


@dataclass(frozen=True, kw_only=True)
class Goals:
    """What one decision is planned for."""

    settings: GoalSettings = field(default_factory=GoalSettings)
    set_version: int = 0
    problem: str = ""
    """Why intents were left out; empty: none was."""
    weights: ObjectiveWeights = field(default_factory=ObjectiveWeights)
    hold_slas: bool = False
    saving_wanted: float | None = None
    """Control saving that an intent names; None: none does."""
    slice_weight_S: Float | None = None
    """None: all slices count the same."""
    targets: tuple[Target, ...] = ()
    objectives: tuple[Objective, ...] = ()
    bounds: ShareBounds | None = None
    states: tuple[worldmodel_pb2.AssumedState, ...] = ()
    """As RolloutRequest.states."""

    @property
    def messages(self) -> tuple[worldmodel_pb2.KpiTarget, ...]:
        """The targets as RolloutRequest.targets, in their order."""
        return tuple(target.message for target in self.targets)

    @property
    def on(self) -> bool:
        """Whether anything changes what a candidate is worth."""
        return bool(self.targets or self.hold_slas or self.saving_wanted is not None or self.slice_weight_S is not None)

    @property
    def closer(self) -> bool:
        """Whether the twin is asked about more futures than usual."""
        return bool(self.targets or self.states)

    def sample_count(self, samples: int) -> int:
        """Exogenous samples, so that each state has as many as a decision without states."""
        return min(samples * max(len(self.states), 1), 256)

    def target_penalty(self, violation_KM: Float, excess_KM: Float) -> Float:
        """What the KPI constraints take off [K], in SCM; arguments in the order of `targets`."""
        own = self.settings
        total = np.zeros(len(violation_KM))
        for m, target in enumerate(self.targets):
            aim = own.aim_ratio * target.message.accepted_probability
            beyond = np.maximum(violation_KM[:, m] - aim, 0.0)
            total += target.factor * (own.target_risk * beyond + own.target_excess * excess_KM[:, m])
        return total

    def saving_penalty(self, saving_K: Float, move_K: Float, change_weight: float, steps: int) -> Float:
        """What a saving that is missing to a target takes off [K], in SCM.

        A plan pays for its first move once in its whole horizon; planned anew in each step, that is paid in each.
        """
        if self.saving_wanted is None:
            return np.zeros(len(saving_K))
        steady = saving_K - change_weight * (1.0 - 1.0 / steps) * move_K
        return np.asarray(self.settings.saving_shortfall * np.maximum(self.saving_wanted + _SAVING_MARGIN - steady, 0.0))

    def harm_of(self, found: Predictions, running: Predictions | None, tolerance_scm: float) -> Float:
        """How far each plan [K] is worse than the running shares where that counts; 0 where it does no harm."""
        if running is None:
            return np.zeros(len(found.scm_mean_K))
        worse = np.maximum(running.scm_mean_K[0] - tolerance_scm - found.scm_mean_K, 0.0)
        most = max(self.settings.harm_violation, float(running.any_violation_K[0]))
        return np.asarray(worse + np.maximum(found.any_violation_K - most, 0.0))

    def sla_penalty(self, violation_KS: Float, any_violation_K: Float) -> Float:
        """What words about SLAs and slices take off [K], in SCM."""
        own = self.settings
        total = np.zeros(len(any_violation_K))
        if self.hold_slas:
            total += own.hold_risk * np.maximum(any_violation_K - own.aim_ratio * own.accepted_probability, 0.0)
        if self.slice_weight_S is not None:
            total += own.slice_risk * violation_KS @ (self.slice_weight_S - 1.0)
        return total
