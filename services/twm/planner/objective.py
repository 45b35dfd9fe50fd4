"""What a candidate policy is worth, and what it may not do.

Shape suffixes: K candidates, S slices, P finalists, J scenarios. SCM is the SLA compliance margin, Eq. 2 of "Telecom World
Models". All terms are in SCM units, so that a weight reads as "how much SCM one unit of this is worth".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError

Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ObjectiveWeights:
    """Weights of the score; SCM itself has weight 1. Tuned on validation seeds only."""

    risk: float = 0.10
    """SCM lost per unit of violation probability; also what ranks candidates whose SCM is 0 everywhere."""
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

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= 100.0:
                raise InvalidInputError(f"objective.{name}: {value} is outside 0..100")


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


def score(predictions: Predictions, saving_K: Float, weights: ObjectiveWeights) -> Float:
    """Score [K] that the search maximises."""
    certain = predictions.scm_mean_K - weights.risk * predictions.any_violation_K
    return np.asarray(certain + doubt_term(predictions, weights) + saving_term(saving_K, weights))


def verified_score(
    scm_PJ: Float, violation_ratio_P: Float, predictions: Predictions, saving_P: Float, weights: ObjectiveWeights
) -> Float:
    """Score [P] of finalists with the twin's SCM and violations in place of the predicted ones."""
    certain = scm_PJ.mean(1) - weights.risk * violation_ratio_P
    return np.asarray(certain + doubt_term(predictions, weights) + saving_term(saving_P, weights))


def within_limits(predictions: Predictions, violation_ratio_P: Float, limits: PlanLimits) -> NDArray[np.bool_]:
    """Which finalists [P] hold every limit."""
    return np.asarray(
        (predictions.any_violation_K <= limits.violation_probability_max)
        & (predictions.disagreement_K <= limits.disagreement_max)
        & (violation_ratio_P <= limits.twin_violation_ratio_max)
    )
