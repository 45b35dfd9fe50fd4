"""A world model whose exogenous part is persistence: the last observation held, with or without a spread around it.

Takes the place of the learned forecast in ablations; the controllable part stays as it is.

Shape suffixes: W window, D history width, E members, J samples, H slow steps, X exogenous width, Z noise width, S slices.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.features import HistoryLayout, exogenous_of
from twm.core.frames import BLOCKS
from twm.core.network import NetworkSpec
from twm.inference.dynamics import Float, Latents
from twm.inference.loading import LoadedDynamics
from twm_bench.methods.method import choosing_seeds
from twm_twin.exogenous import ExogenousPath
from twm_twin.layout import TwinLayout
from twm_twin.scenarios import SCENARIOS

ERROR_SEEDS = 16
_EFFICIENCY_SIGMA = 0.02
"""Spread of the logarithm of the spectral efficiency that a slow step's mean fading leaves."""
_CORRELATION = 0.8
"""Of the noise of a slow step with that of the one before."""
_MIX_SEED = 0x9E7


class PersistentExogenous:
    """Protocol DynamicsModel over another one, whose exogenous part is not asked."""

    def __init__(self, model: Any, spec: NetworkSpec, *, spread: bool) -> None:
        self._model, self._spec = model, spec
        self.sizes = model.sizes
        self.digest = f"{model.digest}/persistence{'-spread' if spread else ''}"
        h, x = spec.timing.horizon_steps, self.sizes.exogenous
        self._sigma_HX = _persistence_errors(spec.model_dump_json()) if spread else np.zeros((h, x))

    def encode(self, history_WD: Float) -> Latents:
        """The exogenous latent is the last observation, with the step behind it."""
        latents = self._model.encode(history_WD)
        seen_X = last_seen(history_WD, self._spec)
        state = np.concatenate([seen_X, [0.0]]).astype(np.float32)
        members = self.sizes.members
        return replace(
            latents,
            exogenous_deter_EG=np.repeat(state[None], members, 0),
            exogenous_stoch_EZ=np.zeros((members, len(seen_X)), np.float32),
        )

    def exogenous_step(self, deter_EJG: Float, stoch_EJZ: Float, noise_EJZ: Float) -> tuple[Float, Float, Float]:
        """One slow step: the observation times the exponential of a correlated noise."""
        step = min(int(deter_EJG[0, 0, -1]), len(self._sigma_HX) - 1)
        fresh = noise_EJZ @ _mix(noise_EJZ.shape[-1], self.sizes.exogenous)
        noise = fresh if step == 0 else _CORRELATION * stoch_EJZ + np.sqrt(1 - _CORRELATION**2) * fresh
        value = deter_EJG[..., :-1] * np.exp(self._sigma_HX[step] * noise)
        after = deter_EJG.copy()
        after[..., -1] += 1
        return after, noise.astype(np.float32), value.astype(np.float32)

    def controllable_pass(self, row_count: int) -> Any:
        """That of the world model."""
        return self._model.controllable_pass(row_count)


def persistent(loaded: LoadedDynamics, spec: NetworkSpec, *, spread: bool) -> LoadedDynamics:
    """The same world model with persistence for a forecast."""
    model: Any = PersistentExogenous(loaded.model, spec, spread=spread)
    return replace(loaded, model=model)


def last_seen(history_WD: Float, spec: NetworkSpec) -> NDArray[np.float64]:
    """Exogenous values [X] as last measured within the window; 0 (links: nominal) where they never were."""
    layout = HistoryLayout.of(spec)
    blocks = {}
    for name in BLOCKS:
        columns, shape = layout.blocks[name]
        values = history_WD[:, columns]
        known = history_WD[:, layout.known(name)] > 0.5
        blocks[name] = np.where(known, values, np.nan).reshape(len(history_WD), *shape)
    seen_WX = exogenous_of(blocks, spec)
    nominal_L = spec.topology().link_capacity_mbps
    found = np.concatenate([np.zeros(seen_WX.shape[1] - len(nominal_L)), nominal_L])
    for row in seen_WX:
        found = np.where(np.isfinite(row), row, found)
    return np.asarray(found, np.float64)


@lru_cache(maxsize=4)
def _mix(noise_width: int, exogenous_width: int) -> Float:
    """Fixed directions [Z, X] that make unit normal noise of each exogenous value out of the model's noise."""
    directions = np.random.default_rng(_MIX_SEED).standard_normal((noise_width, exogenous_width))
    return np.asarray(directions / np.linalg.norm(directions, axis=0), np.float32)


@lru_cache(maxsize=4)
def _persistence_errors(spec_json: str) -> NDArray[np.float64]:
    """Standard deviation of log(later / now) by horizon step [H, X], over validation seeds and all scenarios."""
    spec = NetworkSpec.model_validate_json(spec_json)
    layout, h = TwinLayout.of(spec), spec.timing.horizon_steps
    c, s, n_links = spec.sizes
    squares_HCS = np.zeros((h, c, s))
    count = ERROR_SEEDS * len(SCENARIOS)
    for seed in choosing_seeds(ERROR_SEEDS):
        for scenario in SCENARIOS:
            path = ExogenousPath(layout, seed, scenario, h)
            log_TCS = np.log(np.concatenate([path.next_block().demand_mbps_HTCS.mean(1) for _ in range(2)]))
            for lead in range(1, h + 1):
                squares_HCS[lead - 1] += ((log_TCS[h - 1 + lead :] - log_TCS[h - 1 : -lead]) ** 2).mean(0) / count
    efficiency, capacity = np.full((h, c), _EFFICIENCY_SIGMA), np.zeros((h, n_links))
    return np.concatenate([np.sqrt(squares_HCS).reshape(h, -1), efficiency, capacity], 1)
