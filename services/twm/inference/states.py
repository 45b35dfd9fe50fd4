"""Assumed states of the network: what is taken for granted on top of what the models expect, sample by sample.

Each state has its block of the exogenous samples, so everything that is computed from the samples is the mean over the states,
at the cost of no further call of a graph. A link that is down is a capacity of 0, as the models know it; one with a part of its
capacity left narrows the bandwidth shares that a policy gives on it, since to the models a part of the capacity means a part of
the time.

Shape suffixes: H slow steps, E members, J exogenous samples, X exogenous width, K candidates, A action width, C cells,
S slices, L links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.queueing import DOWN_RATIO

Float = NDArray[np.float32]


def state_of(samples: int, states: int) -> NDArray[np.intp]:
    """State of each sample [J]: blocks of equal size, so that antithetic pairs of samples stay together."""
    return np.asarray(np.arange(samples) * max(states, 1) // max(samples, 1), np.intp)


@dataclass(frozen=True, kw_only=True)
class AssumedStates:
    """States of one request, for each of its samples."""

    count: int
    """Number of states; 1 where only what is certain was assumed."""
    demand_factor_HJD: Float
    """Factor on the demand columns, D = C x S."""
    link_factor_HJL: Float
    """Share of its capacity that a link has left."""
    slices: int

    @classmethod
    def of(
        cls, messages: Sequence[worldmodel_pb2.AssumedState], spec: NetworkSpec, steps: int, samples: int
    ) -> AssumedStates | None:
        """None where nothing is assumed. Raises InvalidInputError naming field, sizes and bound."""
        if not messages:
            return None
        c, s, n_links = spec.sizes
        demand, links = np.ones((steps, samples, c * s), np.float32), np.ones((steps, samples, n_links), np.float32)
        for i, message in enumerate(messages):
            for name, out, values in (
                ("demand_factor", demand, message.demand_factor),
                ("link_factor", links, message.link_factor),
            ):
                width = out.shape[2]
                if not len(values):
                    continue
                if not width or len(values) % width or len(values) < steps * width:
                    raise InvalidInputError(
                        f"states[{i}].{name}: {len(values)} values, expected {width} for each of {steps} steps"
                    )
                factor = np.array(values, np.float32).reshape(-1, 1, width)[:steps]
                if not np.isfinite(factor).all() or (factor < 0).any():
                    raise InvalidInputError(f"states[{i}].{name}: a value is negative or not finite")
                out[:, state_of(samples, len(messages)) == i] = factor
        return cls(count=len(messages), demand_factor_HJD=demand, link_factor_HJL=np.minimum(links, 1.0), slices=s)

    def applied(self, exogenous_HEJX: Float) -> Float:
        """The futures in their states: demand scaled, links that are down without capacity."""
        out = exogenous_HEJX.copy()
        out[..., : self.demand_factor_HJD.shape[2]] *= self.demand_factor_HJD[:, None]
        self.take_down(out)
        return out

    def first(self, samples: int) -> slice:
        """Samples of the first state."""
        return slice(0, max(int((state_of(samples, self.count) == 0).sum()), 1))

    def take_down(self, exogenous_HEJX: Float) -> None:
        """In place: links that are down have no capacity."""
        links = self.link_factor_HJL.shape[2]
        if links:
            exogenous_HEJX[..., -links:] *= (self.link_factor_HJL >= DOWN_RATIO)[:, None]

    def narrow(self, action_KJA: Float, step: int) -> None:
        """In place: bandwidth shares of links that have a part of their capacity left."""
        factor_JL = self.link_factor_HJL[step]
        if factor_JL.size and (factor_JL < 1.0).any():
            scale_JL = np.where(factor_JL >= DOWN_RATIO, factor_JL, 1.0)
            action_KJA[..., -scale_JL.shape[1] * self.slices :] *= np.repeat(scale_JL, self.slices, axis=1)

    def capacity(self, link_capacity_HEJL: Float) -> Float:
        """Capacities that are there: what `applied` leaves, times the part of it that is left."""
        return np.asarray(link_capacity_HEJL * self.link_factor_HJL[:, None], np.float32)
