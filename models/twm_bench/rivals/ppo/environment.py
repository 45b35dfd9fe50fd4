"""Many scored horizons at once as a vectorised environment of stable-baselines3.

Reward: the SLA margin pooled over the horizon so far (the least of all SLA terms; below 0 it counts LEAK of itself), as its
change from step to step, so that the rewards of a horizon add up to the horizon's margin; less price x control cost. What the
reactive rule would have earned on the same horizon is taken off: it does not depend on the actions and takes most of the noise
away. The price moves with the mean saving (a Lagrange multiplier).

Shape suffixes: B environments, T fast steps, C cells, L links, S slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numba import njit
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from twm.core.frames import Float
from twm.core.scm import sla_margins
from twm.planner.reactive import ReactiveParameters
from twm_bench.rivals.ppo.method import CORRECTION_MOST, corrected
from twm_bench.rivals.ppo.observation import ObservationLayout, Observer, Shares
from twm_twin.kernel import weighted_quantile
from twm_twin.outcomes import DELAY_LEVEL
from twm_twin.recording import frame_blocks
from twm_twin.scored import ReplayTwin, ScoredHorizons
from twm_twin.simulator import StepResult

LEAK = 0.15
REWARD_SCALE = 10.0
_compile: Any = njit(cache=True, nogil=True, error_model="numpy")


@_compile
def _quantiles(values_BN: Any, weights_BN: Any, count: int, level: float) -> Any:
    out = np.empty(values_BN.shape[0])
    for b in range(values_BN.shape[0]):
        out[b] = weighted_quantile(values_BN[b, :count], weights_BN[b, :count], level)
    return out


class RunningMargin:
    """The horizon's SLA margins after each step; after the last they are those of twm_twin.outcomes.horizon_outcome."""

    def __init__(self, horizons: ScoredHorizons, batch: int) -> None:
        spec = horizons.spec
        self._topology = spec.topology()
        (c, s, _), timing = spec.sizes, spec.timing
        self._bounded = np.flatnonzero(np.isfinite(self._topology.delay_p99_max_ms))
        self._count, self._of_step = 0, timing.fast_steps * c
        self._delay_SBN = np.empty((len(self._bounded), batch, self._of_step * timing.horizon_steps))
        self._weight_SBN = np.empty_like(self._delay_SBN)
        self._offered_BS, self._lost_BS = np.zeros((batch, s)), np.zeros((batch, s))

    def begin(self) -> None:
        """A new horizon."""
        self._count = 0
        self._offered_BS[:] = 0.0
        self._lost_BS[:] = 0.0

    def add(self, result: StepResult) -> NDArray[np.float64]:
        """Least margin [B] with this step, not floored."""
        b = len(self._offered_BS)
        self._offered_BS += result.offered_mbit_BTCS.sum((1, 2))
        self._lost_BS += result.lost_mbit_BTCS.sum((1, 2))
        at = slice(self._count, self._count + self._of_step)
        self._count += self._of_step
        delay = np.full(self._offered_BS.shape, np.nan)
        for row, s in enumerate(self._bounded):
            self._delay_SBN[row, :, at] = result.delay_ms_BTCS[..., s].reshape(b, -1)
            self._weight_SBN[row, :, at] = result.offered_mbit_BTCS[..., s].reshape(b, -1)
            delay[:, s] = _quantiles(self._delay_SBN[row], self._weight_SBN[row], self._count, DELAY_LEVEL)
        loss = self._lost_BS / np.maximum(self._offered_BS, 1e-12)
        margins = sla_margins(loss, delay, self._topology).reshape(b, -1)
        return np.asarray(np.where(np.isnan(margins), np.inf, margins).min(-1))


def leaky(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    """The margin; below 0 only LEAK of it, and not below -1."""
    return np.where(margin > 0, margin, LEAK * np.maximum(margin, -1.0))


class HorizonEnv(VecEnv):
    """B horizons in lockstep; every episode ends after the spec's horizon, for all at once."""

    def __init__(
        self,
        horizons: ScoredHorizons,
        batch: int,
        base: ReactiveParameters,
        *,
        seed: int = 0,
        price: float = 0.3,
        price_rate: float = 1.0,
        saving_min_ratio: float = 0.08,
    ) -> None:
        spec = horizons.spec
        self.horizons, self.spec, self.price = horizons, spec, price
        self.noise_cost = 0.0
        """What the noise of the actions costs of the saving: the price is for the saving without it."""
        self.savings: list[float] = []
        """Mean saving of every batch of horizons so far."""
        self.saving_B = np.zeros(batch)
        self.margin_B = np.zeros(batch)
        """Of the horizons that ended last."""
        self._price_rate, self._saving_min = price_rate, saving_min_ratio
        self._generator = np.random.default_rng([0x990, seed])
        self._twin, self._observer = ReplayTwin(horizons, batch), Observer(spec, base)
        self._running_margin = RunningMargin(horizons, batch)
        c, s, n_links = spec.sizes
        self._uniform: Shares = (
            np.full((batch, c, s), 1.0 / s, np.float32),
            np.full((batch, n_links, s), 1.0 / s, np.float32),
        )
        self._order = np.zeros(0, np.intp)
        self._actions: NDArray[np.floating] = np.zeros((batch, (c + n_links) * s), np.float32)
        observation = gymnasium.spaces.Box(-np.inf, np.inf, (self._observer.layout.width,), np.float32)
        action = gymnasium.spaces.Box(-CORRECTION_MOST, CORRECTION_MOST, (self._actions.shape[1],), np.float32)
        self.render_mode = None
        super().__init__(batch, observation, action)
        self._rule_margin_NH, self._rule_cost_NH = self._rule_alone()

    @property
    def layout(self) -> ObservationLayout:
        """Columns of the observation."""
        return self._observer.layout

    def begin(self, which: NDArray[np.intp], known_B: NDArray[np.floating]) -> Float:
        """Begin the horizons `which` [B], with the calendar where `known_B` is 1. Returns the observation."""
        self._which, self._known_B, self._step = which, known_B, 0
        self._running_margin.begin()
        self._margin_B = np.ones(self.num_envs)
        self.saving_B = np.ones(self.num_envs)
        self._running = self._uniform
        self._observer.begin(frame_blocks(self._twin.frames(self._twin.begin(which))), self._running)
        return self._observe()

    def play(self, action_BA: NDArray[np.floating]) -> tuple[Float, NDArray[np.float64], bool]:
        """(observation, reward [B], whether the horizons are over)."""
        shares = corrected(self.spec, self._rule, action_BA)
        margin, cost = self._advance(shares)
        at = self._which, self._step
        before = self._rule_margin_NH[self._which, self._step - 1] if self._step else np.ones(self.num_envs)
        rule_gain = leaky(self._rule_margin_NH[at]) - leaky(before)
        gain = leaky(margin) - leaky(self._margin_B) - rule_gain
        reward = REWARD_SCALE * (gain - self.price * (cost - self._rule_cost_NH[at]))
        self._margin_B = margin
        self._step += 1
        over = self._step >= self.spec.timing.horizon_steps
        if over:
            self.margin_B = margin.copy()
            return np.zeros((self.num_envs, self.observation_space.shape[0]), np.float32), reward, True  # type: ignore[index]
        return self._observe(), reward, False

    def _advance(self, shares: Shares) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        b, horizon = self.num_envs, self.spec.timing.horizon_steps
        result = self._twin.step(*shares)
        flat, before = (
            np.concatenate([a.reshape(b, -1) for a in pair], -1).astype(np.float64) for pair in (shares, self._running)
        )
        # As twm.core.actions.control_cost; the change from the uniform shares of the quiet horizon counts.
        change = self.spec.control.change_cost_weight * np.abs(flat - before).mean(-1)
        cost = (flat.mean(-1) * len(self.spec.slices) + change) / horizon
        self.saving_B = self.saving_B - cost
        self._running = shares
        calendar = None if self.horizons.calendar_NHCH is None else self.horizons.calendar_NHCH[self._which, self._step]
        self._observer.see(frame_blocks(self._twin.frames(result)), shares, calendar)
        return self._running_margin.add(result), cost

    def _observe(self) -> Float:
        self._rule = self._observer.rule()
        told = self.horizons.calendar_NHCH
        c, h = len(self.spec.cells), self.spec.timing.horizon_steps
        calendar = np.zeros((self.num_envs, c, h), np.float32) if told is None else told[self._which, self._step]
        return self._observer.observe(calendar, self._known_B, self._rule)

    def _rule_alone(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        n, horizon, b = self.horizons.count, self.spec.timing.horizon_steps, self.num_envs
        margins, costs = np.zeros((n, horizon)), np.zeros((n, horizon))
        for first in range(0, n, b):
            which = np.minimum(np.arange(first, first + b), n - 1)
            self.begin(which, np.zeros(b))
            for step in range(horizon):
                margins[which, step], costs[which, step] = self._advance(self._rule)
                self._step += 1
                if self._step < horizon:
                    self._rule = self._observer.rule()
        return margins, costs

    def reset(self) -> Float:  # type: ignore[override]
        """Begin horizons that follow each other in a random order."""
        if len(self._order) < self.num_envs:
            self._order = np.concatenate([self._order, self._generator.permutation(self.horizons.count)])
        which, self._order = self._order[: self.num_envs], self._order[self.num_envs :]
        known = self._generator.random(self.num_envs) < (0.0 if self.horizons.calendar_NHCH is None else 0.5)
        return self.begin(which, known.astype(np.float64))

    def step_async(self, actions: NDArray[np.floating]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Observation, reward, done, infos; after the last step the next horizons begin and the price moves."""
        observation, reward, over = self.play(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if over:
            self.savings.append(float(self.saving_B.mean()))
            self.price = max(self.price + self._price_rate * (self._saving_min - self.noise_cost - self.savings[-1]), 0.0)
            for i, info in enumerate(infos):
                info["terminal_observation"] = observation[i]
            observation = self.reset()
        return observation, reward.astype(np.float32), np.full(self.num_envs, over), infos

    def close(self) -> None:
        """Nothing is held."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute, once an environment."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set it for all."""
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of the whole."""
        return [getattr(self, method_name)(*method_args, **method_kwargs)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Never."""
        return [False] * len(list(self._get_indices(indices)))


def training_pairs(seeds: Sequence[int], scenarios: Sequence[str]) -> tuple[list[int], list[str]]:
    """Every seed in every scenario."""
    return [seed for seed in seeds for _ in scenarios], list(scenarios) * len(seeds)
