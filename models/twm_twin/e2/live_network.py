"""The network that the emulator plays: one environment of the twin under running shares, scenario after scenario.

Deterministic by seed, scenarios and rule: two of them give the same steps, so that a restart continues by fast-forward.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twm.core.network import NetworkSpec
from twm.planner.reactive import proportional_batch, reactive_shares
from twm_twin.e2.settings import Running
from twm_twin.simulator import StepResult, Twin


class LiveNetwork:
    """One network in operation."""

    def __init__(
        self, spec: NetworkSpec, *, seed: int, scenarios: Sequence[str], scenario_steps: int, running: Running
    ) -> None:
        self._spec, self._seed, self._scenarios, self._scenario_steps = spec, seed, tuple(scenarios), scenario_steps
        self._running = running
        self._twin = Twin(spec, 1)
        c, s, links = spec.sizes
        self._uniform = np.full((c, s), 1.0 / s), np.full((links, s), 1.0 / s)
        self._shares: tuple[NDArray[np.floating], NDArray[np.floating]] = self._uniform
        self.steps = 0
        """Slow steps taken."""

    @property
    def scenario(self) -> str:
        """Scenario of the next step."""
        return self._scenarios[self.steps // self._scenario_steps % len(self._scenarios)]

    def step(self) -> StepResult:
        """Move on by one slow step."""
        index, within = divmod(self.steps, self._scenario_steps)
        if within == 0:
            self._twin.reset([self._seed + index], [self.scenario])
            self._shares = self._uniform
        prb_CS, bandwidth_LS = self._shares
        result = self._twin.step(prb_CS[None], bandwidth_LS[None])
        self.steps += 1
        self._shares = self._next_shares(result)
        return result

    def forward(self, steps: int) -> None:
        """Take `steps` slow steps whose outcome nobody needs."""
        for _ in range(steps):
            self.step()

    def _next_shares(self, result: StepResult) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        if self._running == "uniform":
            return self._uniform
        frame = self._twin.frames(result).frame(0)
        if self._running == "reactive":
            return reactive_shares(self._spec, frame, (result.prb_share_BCS[0], result.bandwidth_share_BLS[0]))
        prb_BCS, bandwidth_BLS = proportional_batch(self._spec, {name: block[None] for name, block in frame.blocks().items()})
        return prb_BCS[0], bandwidth_BLS[0]
