"""A world model of which only the first ensemble member is heard: what the ensemble is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from twm.inference.dynamics import Float, Latents
from twm.inference.loading import LoadedDynamics


class OneMember:
    """Protocol DynamicsModel over an ensemble."""

    def __init__(self, model: Any) -> None:
        self._model, self._members = model, model.sizes.members
        self.sizes = replace(model.sizes, members=1)
        self.digest = f"{model.digest}/one-member"

    def encode(self, history_WD: Float) -> Latents:
        """That of the first member."""
        latents = self._model.encode(history_WD)
        return Latents(**{name: array[:1] for name, array in vars(latents).items()})

    def exogenous_step(self, deter_EJG: Float, stoch_EJZ: Float, noise_EJZ: Float) -> tuple[Float, Float, Float]:
        """One slow step of the first member."""
        every = [np.repeat(array, self._members, 0) for array in (deter_EJG, stoch_EJZ, noise_EJZ)]
        deter, stoch, exogenous = self._model.exogenous_step(*every)
        return deter[:1], stoch[:1], exogenous[:1]

    def controllable_pass(self, row_count: int) -> OneMemberPass:
        """Buffers for `row_count` rows."""
        return OneMemberPass(self._model.controllable_pass(row_count), self._members)


class OneMemberPass:
    """Protocol ControllablePass over that of the ensemble."""

    def __init__(self, inner: Any, members: int) -> None:
        self._inner, self._members = inner, members
        self.noise_ENZ: Float = np.empty_like(inner.noise_ENZ[:1])
        self.exogenous_ENX: Float = np.empty_like(inner.exogenous_ENX[:1])
        self.action_NA: Float = inner.action_NA

    def reset(self, deter_EG: Float, stoch_EZ: Float) -> None:
        """Put every row into the member's state."""
        self._inner.reset(np.repeat(deter_EG, self._members, 0), np.repeat(stoch_EZ, self._members, 0))

    def step(self) -> tuple[Float, Float]:
        """One slow step."""
        self._inner.noise_ENZ[:] = self.noise_ENZ
        self._inner.exogenous_ENX[:] = self.exogenous_ENX
        mean, std = self._inner.step()
        return mean[:1], std[:1]


def one_member(loaded: LoadedDynamics) -> LoadedDynamics:
    """The same world model with one member."""
    model: Any = OneMember(loaded.model)
    return replace(loaded, model=model)
