"""What a rollout needs of a dynamics model: the seam "cdwm/1" as a protocol.

Shape suffixes: W window, D history width, E ensemble members, J exogenous samples, N = candidates x J, X exogenous
width, A action width, S slices, P slice KPIs, Z stochastic and G deterministic latent width (of the part in question).
Physical units at every boundary: normalisation lives inside the graphs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class DynamicsSizes:
    """Array sizes of one model."""

    window: int
    """Slow steps of history, W."""
    history_width: int
    """Values per slow step of history, D."""
    members: int
    """Ensemble members, E."""
    exogenous_deter: int
    """Deterministic latent width of the exogenous part."""
    exogenous_stoch: int
    """Stochastic latent width of the exogenous part."""
    deter: int
    """Deterministic latent width of the controllable part, G."""
    stoch: int
    """Stochastic latent width of the controllable part, Z."""
    exogenous: int
    """Exogenous values per step, X."""
    action: int
    """Action values per step, A."""
    slices: int
    """Slices, S."""
    kpis: int
    """KPIs per slice, P."""


@dataclass(frozen=True, kw_only=True)
class Latents:
    """Latent state after the history."""

    exogenous_deter_EG: Float
    exogenous_stoch_EZ: Float
    controllable_deter_EG: Float
    controllable_stoch_EZ: Float


class ControllablePass(Protocol):
    """The controllable part over N rows: fill the inputs, then `step`; the latent state moves on inside."""

    noise_ENZ: Float
    action_NA: Float
    exogenous_ENX: Float

    def reset(self, deter_EG: Float, stoch_EZ: Float) -> None:
        """Put every row into its member's state."""

    def step(self) -> tuple[Float, Float]:
        """One slow step. Returns views of the KPI means and standard deviations [E, N, S, P], overwritten by the next."""


class DynamicsModel(Protocol):
    """A loaded control/dynamics world model. Safe to use from several threads."""

    @property
    def sizes(self) -> DynamicsSizes:
        """Array sizes."""

    @property
    def digest(self) -> str:
        """Identifies the weights."""

    def encode(self, history_WD: Float) -> Latents:
        """Latent state after the history."""

    def exogenous_step(self, deter_EJG: Float, stoch_EJZ: Float, noise_EJZ: Float) -> tuple[Float, Float, Float]:
        """One slow step of the exogenous part: next deter, next stoch, exogenous values [E, J, X]."""

    def controllable_pass(self, row_count: int) -> ControllablePass:
        """Buffers and bindings for `row_count` rows, for one thread."""
