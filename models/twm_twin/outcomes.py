"""What a horizon amounts to: loss, delay, SCM; from recorded steps, or straight from the kernel for many policies.

Shape suffixes: B environments, J exogenous paths, K policies, H slow steps, T fast steps, C cells, L links, S slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays
from twm.core.kpis import weighted_p99
from twm.core.network import NetworkSpec
from twm.core.scm import scm, violated
from twm_twin.exogenous import ExogenousPath
from twm_twin.kernel import horizons
from twm_twin.layout import TwinLayout
from twm_twin.simulator import StepResult, delay_constants, feasible, queue_constants, radio_constants

Doubles = NDArray[np.float64]
DELAY_LEVEL = 0.99


@dataclass(frozen=True)
class Outcome:
    """Horizons with any leading axes."""

    loss_ratio_S: Doubles
    """Lost share of the offered volume over cells and horizon [..., S]."""
    delay_p99_ms_S: Doubles
    """0.99 quantile of the delay over cells and fast steps, weighted by offered volume [..., S]; NaN where not asked for."""
    scm: Doubles
    """SLA compliance margin [...]."""
    violated_S: NDArray[np.bool_]
    """Whether the slice's SLA was broken [..., S]."""


def outcome_of(spec: NetworkSpec, loss_ratio_S: Doubles, delay_p99_ms_S: Doubles) -> Outcome:
    """SCM and violations of these KPIs."""
    topology = spec.topology()
    return Outcome(
        loss_ratio_S,
        delay_p99_ms_S,
        scm(loss_ratio_S, delay_p99_ms_S, topology),
        violated(loss_ratio_S, delay_p99_ms_S, topology),
    )


def horizon_outcome(spec: NetworkSpec, results: Sequence[StepResult]) -> Outcome:
    """Outcome [B] of consecutive steps."""
    offered = np.stack([r.offered_mbit_BTCS for r in results], 1)
    lost = np.stack([r.lost_mbit_BTCS for r in results], 1)
    delay = np.stack([r.delay_ms_BTCS for r in results], 1)
    b, h, t, c, s = offered.shape
    total = offered.sum((1, 2, 3))
    loss = np.divide(lost.sum((1, 2, 3)), total, out=np.zeros_like(total), where=total > 0)

    def as_CST(array: Doubles) -> Doubles:
        return np.moveaxis(array.reshape(b, h * t, c, s), 1, -1)

    return outcome_of(spec, loss, weighted_p99(as_CST(delay), as_CST(offered), DELAY_LEVEL))


@dataclass(frozen=True, kw_only=True)
class Futures:
    """J exogenous horizons with the state they start from: all that a policy's outcome depends on besides the policy."""

    demand_mbps_JHTCS: Doubles
    fading_JHTC: Doubles
    noise_JCQ: Doubles
    interference_JCQJ: Doubles
    efficiency_scale_JHC: Doubles
    """Factor on the capacity that the geometry gives."""
    link_capacity_mbps_JHL: Doubles
    """0 while down."""
    route_JHC: NDArray[np.int64]
    queue_mbit_JCS: Doubles
    link_queue_mbit_JLS: Doubles
    retry_mbit_JCS: Doubles

    @classmethod
    def drawn(cls, layout: TwinLayout, seeds: Sequence[int], scenarios: Sequence[str]) -> Futures:
        """The first horizon of each seed and scenario, from empty queues: as `Twin.reset` followed by a horizon of steps."""
        paths = [ExogenousPath(layout, int(seed), name) for seed, name in zip(seeds, scenarios, strict=True)]
        blocks = [path.next_block() for path in paths]
        up = np.stack([block.link_up_HL for block in blocks])
        j, h, (c, s, n_links) = len(paths), layout.spec.timing.horizon_steps, layout.spec.sizes
        return cls(
            demand_mbps_JHTCS=np.stack([block.demand_mbps_HTCS for block in blocks]),
            fading_JHTC=np.stack([block.fading_HTC for block in blocks]),
            noise_JCQ=np.stack([path.geometry.noise_CQ for path in paths]),
            interference_JCQJ=np.stack([path.geometry.interference_CQJ for path in paths]),
            efficiency_scale_JHC=np.ones((j, h, c)),
            link_capacity_mbps_JHL=up * layout.topology.link_capacity_mbps,
            route_JHC=layout.route_choice(up),
            queue_mbit_JCS=np.zeros((j, c, s)),
            link_queue_mbit_JLS=np.zeros((j, n_links, s)),
            retry_mbit_JCS=np.zeros((j, c, s)),
        )

    @property
    def count(self) -> int:
        """Number of futures, J."""
        return int(self.demand_mbps_JHTCS.shape[0])

    @property
    def steps(self) -> int:
        """Slow steps, H."""
        return int(self.demand_mbps_JHTCS.shape[1])

    def first(self, steps: int) -> Futures:
        """The first slow steps of all of them."""
        whole = {name: getattr(self, name) for name in self.__dataclass_fields__}
        cut = {name: np.ascontiguousarray(array[:, :steps]) for name, array in whole.items() if "_JH" in name}
        return Futures(**{**whole, **cut})

    def take(self, index: int) -> Futures:
        """One of them."""
        return Futures(**{name: getattr(self, name)[index : index + 1] for name in self.__dataclass_fields__})


def simulate(layout: TwinLayout, policies: PolicyArrays, futures: Futures, *, all_delays: bool = False) -> Outcome:
    """Outcome [K, J] of every policy in every future: K x J twin calls.

    Delays only for slices with a delay bound, unless `all_delays`. Releases the interpreter lock.
    """
    s = len(layout.spec.slices)
    loss = np.empty((policies.count, futures.count, s))
    delay = np.empty_like(loss)
    horizons(
        layout.spec.timing.fast_step_s,
        futures.demand_mbps_JHTCS,
        futures.fading_JHTC,
        futures.noise_JCQ,
        futures.interference_JCQJ,
        futures.efficiency_scale_JHC,
        radio_constants(layout),
        feasible(policies.prb_share_KHCS.astype(np.float64)),
        feasible(policies.bandwidth_share_KHLS.astype(np.float64)),
        futures.link_capacity_mbps_JHL,
        futures.route_JHC,
        *queue_constants(layout),
        delay_constants(layout),
        np.ones(s, bool) if all_delays else layout.delay_bounded_S,
        DELAY_LEVEL,
        futures.queue_mbit_JCS,
        futures.link_queue_mbit_JLS,
        futures.retry_mbit_JCS,
        loss,
        delay,
    )
    return outcome_of(layout.spec, loss, delay)
