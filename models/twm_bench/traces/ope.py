"""Off-policy evaluation: what a policy would have earned, from decisions that another policy took.

WIS: self-normalised importance sampling (Precup et al. 2000), per decision in blocks of several. DR: doubly robust (Dudik et
al. 2011; per decision in blocks, Jiang and Li 2016), unbiased if the propensities or the reward model are right. A figure whose
effective sample size (Kish 1965) is under its bound says nothing: it is then reported as one that cannot be judged.

Shape suffixes: N decisions, K actions, B blocks, J decisions of a block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_ESS, LEAST_ESS_RATIO = 100.0, 0.05
"""A figure can be judged from that many effective decisions (or blocks) on, and that share of all."""
RESAMPLES = 1000
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Log:
    """Logged decisions, in blocks that are independent of each other as far as can be had."""

    action_BJ: NDArray[np.int64]
    reward_BJ: Array
    behaviour_BJK: Array
    """Propensities of the logging policy."""
    value_BJK: Array
    """Reward model of every action."""


@dataclass(frozen=True)
class Estimate:
    """Mean reward of a decision under a policy."""

    wis: float
    wis_interval: tuple[float, float]
    dr: float
    dr_interval: tuple[float, float]
    gain_interval: tuple[float, float]
    """What both estimators allow of the difference from the logged policy, on the same drawn blocks: from the lower of their
    lower ends to the higher of their upper ends."""
    ess: float
    """Effective blocks, of `blocks`: of the weight of a whole block."""
    blocks: int

    @property
    def judged(self) -> bool:
        """Whether there is enough overlap."""
        return self.ess >= LEAST_ESS and self.ess >= LEAST_ESS_RATIO * self.blocks


def effective(weight: Array) -> float:
    """(sum w)^2 / sum w^2; 0 where all weights are 0."""
    total = float((weight**2).sum())
    return float(weight.sum()) ** 2 / total if total > 0 else 0.0


def weights(log: Log, policy_BJK: Array) -> Array:
    """Product of policy / behaviour up to and with each decision of a block [B, J]."""
    at = log.action_BJ[..., None]
    ratio = np.take_along_axis(policy_BJK, at, -1)[..., 0] / np.take_along_axis(log.behaviour_BJK, at, -1)[..., 0]
    return np.asarray(ratio.cumprod(-1))


def wis_of(weight_BJ: Array, reward_BJ: Array) -> float:
    """Per-decision WIS."""
    total = weight_BJ.sum(0)
    each = (weight_BJ * reward_BJ).sum(0) / np.where(total > 0, total, np.nan)
    return float(each.mean())


def dr_terms(log: Log, policy_BJK: Array) -> Array:
    """Doubly robust estimate of each block [B], per decision."""
    ratio = weights(log, policy_BJK)
    before = np.concatenate([np.ones_like(ratio[:, :1]), ratio[:, :-1]], 1)
    expected = (policy_BJK * log.value_BJK).sum(-1)
    taken = np.take_along_axis(log.value_BJK, log.action_BJ[..., None], -1)[..., 0]
    return np.asarray((before * expected + ratio * (log.reward_BJ - taken)).mean(-1))


def evaluate(log: Log, policy_BJK: Array, *, seed: int = 0) -> Estimate:
    """WIS and DR with 95 % bootstrap intervals over blocks."""
    weight, doubly = weights(log, policy_BJK), dr_terms(log, policy_BJK)
    rows = np.random.default_rng(seed).integers(len(doubly), size=(RESAMPLES, len(doubly)))
    drawn = np.array([wis_of(weight[r], log.reward_BJ[r]) for r in rows])
    span = lambda values: (float(np.nanquantile(values, 0.025)), float(np.nanquantile(values, 0.975)))
    logged = log.reward_BJ.mean(-1)[rows].mean(-1)
    gains = [span(drawn - logged), span(doubly[rows].mean(-1) - logged)]
    return Estimate(
        wis=wis_of(weight, log.reward_BJ),
        wis_interval=span(drawn),
        dr=float(doubly.mean()),
        dr_interval=span(doubly[rows].mean(-1)),
        gain_interval=(min(g[0] for g in gains), max(g[1] for g in gains)),
        ess=effective(weight[:, -1]),
        blocks=len(doubly),
    )
