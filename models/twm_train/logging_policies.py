"""Logging policies: who acted while the training data was recorded, and how probable each act was.

Kinds: "library" (a policy of the planner's library, uniformly drawn), "perturbed" (one of these with multiplicative noise),
"simplex" (random rows, held), "wander" (a random walk of shares), "reactive" (the rule, varied, with noise). The recorded log
propensity is the log probability (density, for continuous draws) of a new draw given the kind, and 0 in steps where the last
draw is held.

Shape suffixes: B parallel episodes, R rows (C cells, then L links), S slices, H horizon steps, K library policies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import project_shares
from twm.core.frames import Float, FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.library import library_policies
from twm.planner.reactive import ReactiveParameters, reactive_shares

POLICY_SHARES = {"library": 0.3, "perturbed": 0.25, "simplex": 0.2, "wander": 0.1, "reactive": 0.15}
"""Logging policy to its share of the episodes."""
HOLD_STEPS = (1, 2, 4, 12)
PERTURBATION, WANDER, REACTIVE_NOISE = 0.35, 0.25, 0.12
"""Standard deviations of the log-share noise."""


class LoggingPolicies:
    """Acts in B parallel episodes."""

    def __init__(self, spec: NetworkSpec, kinds: Sequence[str], generator: np.random.Generator) -> None:
        self._spec, self._kinds, self._generator = spec, list(kinds), generator
        self._cells, self._slices, self._links = spec.sizes
        topology = spec.topology()
        self._floors = (topology.prb_floor, topology.bandwidth_floor)
        library, _ = library_policies(spec)
        self._library_KHRS = np.concatenate([library.prb_share_KHCS, library.bandwidth_share_KHLS], 2)
        rows = self._cells + self._links
        self.shares_BRS = np.full((len(self._kinds), rows, self._slices), 1.0 / self._slices, np.float32)
        self._pick = np.zeros(len(self._kinds), np.int64)
        self._rules = [_random_rule(generator) for _ in self._kinds]
        self._hold = generator.choice(HOLD_STEPS, len(self._kinds))

    def act(self, step: int, frames: Sequence[FrameArrays | None]) -> tuple[Float, Float, NDArray[np.float64]]:
        """(PRB shares [B, C, S], bandwidth shares [B, L, S], log propensities [B]) of a step, from frames before it."""
        log_propensity = np.zeros(len(self._kinds))
        for b, kind in enumerate(self._kinds):
            self.shares_BRS[b], log_propensity[b] = self._draw(b, kind, step, frames[b])
        return self.shares_BRS[:, : self._cells].copy(), self.shares_BRS[:, self._cells :].copy(), log_propensity

    def _draw(self, b: int, kind: str, step: int, frame: FrameArrays | None) -> tuple[Float, float]:
        horizon = self._library_KHRS.shape[1]
        held = step % int(self._hold[b]) != 0
        logp = 0.0
        if kind in {"library", "perturbed"}:
            if step % horizon == 0:
                self._pick[b] = self._generator.integers(len(self._library_KHRS))
                logp -= math.log(len(self._library_KHRS))
            target = self._library_KHRS[self._pick[b], step % horizon]
            if kind == "library":
                return target, logp
            if held and step % horizon != 0:
                return self.shares_BRS[b], 0.0
            noisy, density = self._noisy(target, PERTURBATION)
            return noisy, logp + density
        if kind == "reactive" and frame is not None:
            running = (self.shares_BRS[b, : self._cells], self.shares_BRS[b, self._cells :])
            return self._noisy(np.concatenate(reactive_shares(self._spec, frame, running, self._rules[b])), REACTIVE_NOISE)
        if held and step > 0:
            return self.shares_BRS[b], 0.0
        if kind == "wander" and step > 0:
            return self._noisy(self.shares_BRS[b], WANDER)
        return self._simplex()

    def _simplex(self) -> tuple[Float, float]:
        """Rows u x Dirichlet(2), u uniform in 0.6 .. 1 and 1 half of the time; half of the draws share one row all over."""
        rows, s = self._cells + self._links, self._slices
        common = self._generator.random() < 0.5
        drawn = self._generator.dirichlet(np.full(s, 2.0), 1 if common else rows)
        density = float((math.lgamma(2.0 * s) + np.log(np.maximum(drawn, 1e-12)).sum(-1)).sum())
        full = self._generator.random() < 0.5
        used = 1.0 if full else self._generator.uniform(0.6, 1.0)
        shares = np.broadcast_to(drawn * used, (rows, s))
        return self._feasible(shares), density + 2 * math.log(0.5) - (0.0 if full else math.log(0.4))

    def _noisy(self, shares_RS: NDArray[np.floating], sigma: float) -> tuple[Float, float]:
        noise = self._generator.standard_normal(shares_RS.shape)
        density = float((-0.5 * noise**2 - 0.5 * math.log(2 * math.pi) - math.log(sigma)).sum())
        return self._feasible(np.maximum(shares_RS, 1e-3) * np.exp(sigma * noise)), density

    def _feasible(self, shares_RS: NDArray[np.floating]) -> Float:
        cells, links = shares_RS[: self._cells], shares_RS[self._cells :]
        parts = [project_shares(cells, self._floors[0])]
        if self._links:
            parts.append(project_shares(links, self._floors[1]))
        return np.concatenate(parts)


def _random_rule(generator: np.random.Generator) -> ReactiveParameters:
    """Parameters around the tuned ones: what a planner that searches near the rule will visit."""
    return ReactiveParameters(
        elastic_margin=generator.uniform(1.0, 1.4),
        bounded_margin=generator.uniform(1.1, 2.0),
        cell_headroom=generator.uniform(0.05, 0.3),
        link_headroom=generator.uniform(0.05, 0.3),
        spare=generator.uniform(0.0, 1.0),
    )
