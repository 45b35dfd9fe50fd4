"""The twin as a Gymnasium environment: one horizon an episode, one slow step a step.

Observation: one history row of twm.core.features (values, then "known" flags). Action: a number 0..1 for each (cell, slice) and
(link, slice), brought onto the simplex above the floors. Reward: the least SLA margin of the step (clipped to -1 .. 1) less
`cost_weight` x the step's control cost. `info` after the last step holds the outcome of the horizon.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, control_cost, project_shares, saving_ratio
from twm.core.errors import InvalidInputError
from twm.core.features import HistoryLayout, history_columns
from twm.core.network import NetworkSpec
from twm.core.scm import sla_margins
from twm_twin.outcomes import horizon_outcome
from twm_twin.recording import FrameBatch, frame_blocks
from twm_twin.scenarios import SCENARIOS
from twm_twin.seeds import RANGES
from twm_twin.simulator import StepResult, Twin

_HIGHEST = 1e9
Shares = tuple[NDArray[np.float32], NDArray[np.float32]]


class SliceEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """One network. `reset(seed=n)` begins network seed n; later resets draw from the training range.

    Options of `reset`: "scenario" (a name; default: drawn), "network_seed" (an int, wins over the draw).
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - declared so by gymnasium

    def __init__(self, spec: NetworkSpec, *, cost_weight: float = 0.1) -> None:
        self.network = spec
        self._cost_weight = cost_weight
        self._twin = Twin(spec, 1)
        self._topology = spec.topology()
        c, s, n_links = spec.sizes
        width = HistoryLayout.of(spec).width
        self.observation_space = gymnasium.spaces.Box(0.0, _HIGHEST, (width,), np.float32)
        self.action_space = gymnasium.spaces.Box(0.0, 1.0, ((c + n_links) * s,), np.float32)
        self._results: list[StepResult] = []
        self._shares: list[Shares] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode: one step under uniform shares is played, so that there is something to see.

        Raises InvalidInputError for an unknown option or scenario.
        """
        super().reset(seed=seed)
        given = dict(options or {})
        scenario = given.pop("scenario", None)
        drawn_scenario = SCENARIOS[int(self.np_random.integers(len(SCENARIOS)))]
        drawn_seed = int(self.np_random.choice(np.asarray(RANGES["training"])))
        network_seed = int(given.pop("network_seed", drawn_seed if seed is None else seed))
        if given:
            raise InvalidInputError(f"options: {', '.join(map(repr, given))} are not known")
        self._twin.reset([network_seed], [scenario or drawn_scenario], quiet_steps=1)
        self._results, self._shares = [], []
        c, s, n_links = self.network.sizes
        uniform = (np.full((c, s), 1.0 / s, np.float32), np.full((n_links, s), 1.0 / s, np.float32))
        self._before = uniform
        batch = self._twin.frames(self._twin.step(uniform[0][None], uniform[1][None]))
        return self._observe(batch), {"network_seed": network_seed, "scenario": scenario or drawn_scenario}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One slow step; truncated after the horizon."""
        c, s, n_links = self.network.sizes
        rows = np.asarray(action, np.float64).reshape(c + n_links, s)
        shares = (
            project_shares(rows[:c], self._topology.prb_floor),
            project_shares(rows[c:], self._topology.bandwidth_floor),
        )
        result = self._twin.step(shares[0][None], shares[1][None])
        self._results.append(result)
        self._shares.append(shares)
        outcome = horizon_outcome(self.network, [result])
        margin = float(np.nanmin(sla_margins(outcome.loss_ratio_S, outcome.delay_p99_ms_S, self._topology), initial=1.0))
        cost = float(control_cost(_policy([shares]), self.network, _policy([self._before]))[0])
        self._before = shares
        info: dict[str, Any] = {"scm": float(outcome.scm[0]), "control_cost": cost}
        done = len(self._results) >= self.network.timing.horizon_steps
        if done:
            whole = horizon_outcome(self.network, self._results)
            info["horizon_scm"] = float(whole.scm[0])
            info["horizon_violated"] = bool(whole.violated_S.any())
            info["horizon_saving_ratio"] = float(saving_ratio(_policy(self._shares), self.network)[0])
        reward = float(np.clip(margin, -1.0, 1.0)) - self._cost_weight * cost
        return self._observe(self._twin.frames(result)), reward, False, done, info

    def _observe(self, batch: FrameBatch) -> NDArray[np.float32]:
        row = history_columns(frame_blocks(batch), self.network)[0]
        return np.asarray(np.clip(row, 0.0, _HIGHEST), np.float32)


def _policy(shares: list[Shares]) -> PolicyArrays:
    return PolicyArrays(
        prb_share_KHCS=np.stack([a for a, _ in shares])[None], bandwidth_share_KHLS=np.stack([b for _, b in shares])[None]
    )
