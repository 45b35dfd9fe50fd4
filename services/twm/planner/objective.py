"""What a candidate policy is worth, and what it may not do.

Shape suffixes: K candidates, S slices, P finalists, J scenarios. SCM is the SLA compliance margin, Eq. 2 of "Telecom World
Models". All terms are in SCM units, so that a weight reads as "how much SCM one unit of this is worth".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError

Float = NDArray[np.float64]
WORST_SHARE = 0.25
"""Share of the futures that the CVaR is the mean of, in the twin as in the world model."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveWeights:
    """Weights of the score; SCM itself has weight 1. Tuned on validation seeds only."""

    risk: float = 0.10
    """SCM lost per unit of violation probability; also what ranks candidates whose SCM is 0 everywhere."""
    soft: float = 0.0
    """Share of the soft minimum of the SLA margins in the SCM that counts, 0..1."""
    cvar: float = 0.0
    """Share of the CVaR in the SCM that counts, 0..1: 0 the mean over all futures, 1 the mean over the worst quarter only."""
    shortfall: float = 0.5
    """SCM lost per unit of expected shortfall below the floor: the search has a slope where no candidate holds all SLAs."""
    disagreement: float = 0.5
    """SCM lost per unit of ensemble disagreement [SCM]: candidates the members do not agree on are not searched into."""
    ood: float = 0.02
    """SCM lost per unit of out-of-distribution score above `ood_free`."""
    ood_free: float = 1.0
    """Out-of-distribution score that costs nothing (1 = as far out as typical training data)."""
    saving_wanted_ratio: float = 0.08
    """Control saving relative to uniform that an operator wants without asking."""
    saving_shortfall: float = 1.0
    """SCM lost per unit of saving missing to `saving_wanted_ratio`: the full 8 % missing costs 0.08 SCM, so SCM comes first."""
    saving_extra: float = 0.05
    """SCM gained per unit of saving beyond it."""
    churn: float = 0.0
    """SCM lost per unit of mean change from the shares in force to the first step, on top of what that costs in saving: each
    decision changes them again, on what may have been noise."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            most = 1.0 if name in ("cvar", "soft") else 100.0
            if not 0.0 <= value <= most:
                raise InvalidInputError(f"objective.{name}: {value} is outside 0..{most:g}")


@dataclass(frozen=True, kw_only=True)
class PlanLimits:
    """What a finalist may not exceed; otherwise the reactive rule is proposed."""

    violation_probability_max: float = 0.95
    """Largest predicted probability that any SLA is violated, 0..1."""
    disagreement_max: float = 0.25
    """Largest ensemble disagreement [SCM]."""
    twin_violation_ratio_max: float = 0.75
    """Largest share of twin scenarios with a violated SLA, 0..1: above it, the twin says it fails (nearly) everywhere."""

    harm_tolerance_scm: float = 0.02
    """Predicted SCM may be lower than that of the running shares by this (ensemble noise) [SCM]."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise InvalidInputError(f"limits.{name}: {value} is outside 0..1")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What the world model says of K candidates."""

    scm_mean_K: Float
    """Mean SCM over members and samples."""
    violation_KS: Float
    """Violation probability per slice, 0..1."""
    any_violation_K: Float
    """Probability that any SLA is violated, 0..1."""
    disagreement_K: Float
    """Standard deviation of the members' mean SCM."""
    ood_K: Float
    """Out-of-distribution score, 0 = inside."""
    cvar_K: Float = field(default_factory=lambda: np.zeros(0))
    """Mean SCM of the worst quarter of the futures; NaN where the world model does not say."""
    soft_K: Float = field(default_factory=lambda: np.zeros(0))
    """Expected soft minimum of the SLA margins; NaN where the world model does not say."""
    shortfall_K: Float = field(default_factory=lambda: np.zeros(0))
    """Expected shortfall below the SCM's floor, 0..1; 0 where the world model does not say."""
    goal_K: Float = field(default_factory=lambda: np.zeros(0))
    """What the active intents take off [SCM] (twm.planner.goals); 0 where there are none."""

    def __post_init__(self) -> None:
        if self.cvar_K.shape != self.scm_mean_K.shape:
            object.__setattr__(self, "cvar_K", np.full(self.scm_mean_K.shape, np.nan))
        if self.soft_K.shape != self.scm_mean_K.shape:
            object.__setattr__(self, "soft_K", np.full(self.scm_mean_K.shape, np.nan))
        if self.shortfall_K.shape != self.scm_mean_K.shape:
            object.__setattr__(self, "shortfall_K", np.zeros(self.scm_mean_K.shape))
        if self.goal_K.shape != self.scm_mean_K.shape:
            object.__setattr__(self, "goal_K", np.zeros(self.scm_mean_K.shape))

    def take(self, indices: NDArray[np.intp] | list[int] | slice) -> Predictions:
        """Those of some candidates."""
        return Predictions(**{name: column[indices] for name, column in vars(self).items()})

    def replaced(self, indices: NDArray[np.intp] | list[int], closer: Predictions) -> Predictions:
        """The same with `closer` at `indices`."""
        columns = {name: column.copy() for name, column in vars(self).items()}
        for name, column in columns.items():
            column[indices] = getattr(closer, name)
        return Predictions(**columns)

    def corrected(self, indices: NDArray[np.intp], closer: Predictions) -> Predictions:
        """`closer` at `indices`; the rest moved by what those lost in SCM and won in violations: the best of many was lucky."""
        luck = max(float((self.scm_mean_K[indices] - closer.scm_mean_K).mean()), 0.0)
        worse = max(float((closer.any_violation_K - self.any_violation_K[indices]).mean()), 0.0)
        moved = replace(
            self,
            scm_mean_K=np.maximum(self.scm_mean_K - luck, np.minimum(self.scm_mean_K, 0.0)),
            any_violation_K=np.minimum(self.any_violation_K + worse, 1.0),
        )
        return moved.replaced(indices, closer)

    @staticmethod
    def concatenate(parts: list[Predictions]) -> Predictions:
        """All candidates of `parts`, in order."""
        return Predictions(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def saving_term(saving_K: Float, weights: ObjectiveWeights) -> Float:
    """What the saving is worth [K]."""
    missing = np.maximum(weights.saving_wanted_ratio - saving_K, 0.0)
    extra = np.maximum(saving_K - weights.saving_wanted_ratio, 0.0)
    return np.asarray(weights.saving_extra * extra - weights.saving_shortfall * missing)


def doubt_term(predictions: Predictions, weights: ObjectiveWeights) -> Float:
    """What is taken off for not knowing [K]: disagreement and distance to the training data; never positive."""
    far = np.maximum(predictions.ood_K - weights.ood_free, 0.0)
    return np.asarray(-weights.disagreement * predictions.disagreement_K - weights.ood * far)


def score(predictions: Predictions, saving_K: Float, weights: ObjectiveWeights, move_K: Float | float = 0.0) -> Float:
    """Score [K] that the search maximises. `move_K`: mean change from the shares in force to the first step."""
    certain = risky_scm(predictions.scm_mean_K, predictions.cvar_K, weights) - weights.risk * predictions.any_violation_K
    certain = certain - weights.shortfall * predictions.shortfall_K
    soft = np.where(np.isnan(predictions.soft_K), certain, predictions.soft_K)
    certain = (1.0 - weights.soft) * certain + weights.soft * soft - predictions.goal_K
    return np.asarray(certain + doubt_term(predictions, weights) + saving_term(saving_K, weights) - weights.churn * move_K)


def risky_scm(mean_K: Float, cvar_K: Float, weights: ObjectiveWeights) -> Float:
    """The SCM that counts [K]: between the mean and the CVaR; the mean alone where no CVaR is known."""
    known = np.where(np.isnan(cvar_K), mean_K, cvar_K)
    return np.asarray((1.0 - weights.cvar) * mean_K + weights.cvar * known)


def verified_score(
    scm_PJ: Float,
    violation_ratio_P: Float,
    predictions: Predictions,
    saving_P: Float,
    weights: ObjectiveWeights,
    move_P: Float | float = 0.0,
) -> Float:
    """Score [P] of finalists with the twin's SCM and violations in place of the predicted ones."""
    worst = max(round(WORST_SHARE * scm_PJ.shape[1]), 1)
    cvar_P = np.sort(scm_PJ, 1)[:, :worst].mean(1)
    certain = risky_scm(scm_PJ.mean(1), cvar_P, weights) - weights.risk * violation_ratio_P
    certain = certain - weights.shortfall * predictions.shortfall_K - predictions.goal_K
    return np.asarray(certain + doubt_term(predictions, weights) + saving_term(saving_P, weights) - weights.churn * move_P)


def within_limits(predictions: Predictions, violation_ratio_P: Float, limits: PlanLimits) -> NDArray[np.bool_]:
    """Which finalists [P] hold every limit."""
    return np.asarray(
        (predictions.any_violation_K <= limits.violation_probability_max)
        & (predictions.disagreement_K <= limits.disagreement_max)
        & (violation_ratio_P <= limits.twin_violation_ratio_max)
    )
