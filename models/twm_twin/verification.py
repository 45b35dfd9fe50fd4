"""Verification: finalist policies in the twin, from an observed frame, under given exogenous scenarios.

A scenario says the mean demand, spectral efficiency and link capacity of each slow step. The twin adds the fast noise (of mean
zero within a step, the same for every policy) and what a policy changes: queues, losses, delays, and the interference that a
changed PRB use causes, by the ratio that the reference geometry shows between the policy's PRB use and that of the running
shares. Lost volume does not come back: the scenarios' demand was learned from offered load, which holds the retries.

Shape suffixes: P policies, J scenarios, H slow steps, T fast steps, C cells, L links, S slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from twm.api.intent.v1 import intent_pb2
from twm.core.actions import PolicyArrays, saving_ratio
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm_twin.kernel import first_order_noise
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures, Outcome, outcome_of, simulate
from twm_twin.radio import Geometry, draw_geometry, efficiency
from twm_twin.scoped import Part, play, values

Doubles = NDArray[np.float64]
_REFERENCE_SEED = 0x5EED
_DOWN_BELOW_RATIO = 0.1
"""A scenario's link is down where its capacity is below this share of the nominal one."""
_EFFICIENCY_LEAST = 1e-3
_VARIATION_LEAST = 0.05


class Verifier:
    """Verification for one network. Thread-safe."""

    def __init__(self, spec: NetworkSpec) -> None:
        layout = TwinLayout.of(spec)
        self.spec = spec
        self.layout = replace(layout, retry_ratio_S=np.zeros_like(layout.retry_ratio_S))
        self.geometry: Geometry = draw_geometry(layout, np.random.default_rng(_REFERENCE_SEED))

    def warm_up(self) -> None:
        """Compile everything a call needs, for arrays laid out as its are: several scenarios, all steps played or fewer."""
        c, s, n_links = self.spec.sizes
        h, j = self.spec.timing.horizon_steps, 2
        policies = PolicyArrays(
            prb_share_KHCS=np.full((j, h, c, s), 1.0 / s, np.float32),
            bandwidth_share_KHLS=np.full((j, h, n_links, s), 1.0 / s, np.float32),
        )
        capacity = np.broadcast_to(self.layout.topology.link_capacity_mbps, (j, h, n_links)).copy()
        demand, efficiency_JHC = np.ones((j, h, c, s)), np.ones((j, h, c))
        for played in (h, max(h - 1, 1)):
            start = FrameArrays.missing(self.spec, 0)
            self.verify(start, policies, demand, efficiency_JHC, capacity, seed=0, played_steps=played)
        futures = self.futures(FrameArrays.missing(self.spec, 0), demand, efficiency_JHC, capacity, 0)
        whole = Part(kpi=intent_pb2.KPI_LOSS_RATIO, slices=tuple(range(s)), cells=tuple(range(c)), links=(), steps=())
        self.scoped(policies, futures.first(1), [whole])

    def verify(
        self,
        start: FrameArrays,
        policies: PolicyArrays,
        demand_mbps_JHCS: NDArray[np.floating],
        spectral_efficiency_JHC: NDArray[np.floating],
        link_capacity_mbps_JHL: NDArray[np.floating],
        *,
        seed: int,
        played_steps: int | None = None,
        check: Callable[[], None] | None = None,
    ) -> tuple[Outcome, Doubles]:
        """(outcome [P, J] of the first `played_steps` slow steps (None: all), control saving [P] of all).

        `check` is called before each policy and may raise.

        Queues begin as the frame says (radio; transport and what was not measured: empty), running shares likewise (not
        measured: uniform). Raises InvalidInputError where sizes differ or a scenario holds a negative or not finite value.
        """
        futures = self.futures(start, demand_mbps_JHCS, spectral_efficiency_JHC, link_capacity_mbps_JHL, seed)
        if played_steps is not None:
            futures = futures.first(played_steps)
        parts = []
        for p in range(policies.count):
            if check is not None:
                check()
            parts.append(simulate(self.layout, policies.take([p]).first(futures.steps), futures, all_delays=True))
        loss = np.concatenate([part.loss_ratio_S for part in parts])
        delay = np.concatenate([part.delay_p99_ms_S for part in parts])
        prb_CS, bandwidth_LS = self._running(start)
        running = PolicyArrays(prb_share_KHCS=prb_CS[None, None], bandwidth_share_KHLS=bandwidth_LS[None, None])
        return outcome_of(self.spec, loss, delay), saving_ratio(policies, self.spec, running)

    def scoped(self, policies: PolicyArrays, futures: Futures, parts: Sequence[Part]) -> tuple[NDArray[np.bool_], Doubles]:
        """(whether a part of the network has a value [M], its KPI [P, J, M]) in futures made by `futures`."""
        played = play(self.layout, policies.first(futures.steps), futures)
        measured, value = values(parts, played, self.spec.timing.fast_step_s)
        return measured, value.reshape(policies.count, futures.count, len(parts))

    def _running(self, start: FrameArrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        uniform = np.float32(1.0 / len(self.spec.slices))
        rows = []
        for shares in (start.cell_slice_feature("prb_share"), start.link_slice_feature("bandwidth_share")):
            known = np.where(np.isnan(shares).any(-1, keepdims=True), uniform, np.clip(shares, 0.0, 1.0))
            rows.append((known / np.maximum(known.sum(-1, keepdims=True), 1.0)).astype(np.float32))
        return rows[0], rows[1]

    def futures(
        self,
        start: FrameArrays,
        demand_JHCS: NDArray[np.floating],
        efficiency_JHC: NDArray[np.floating],
        capacity_JHL: NDArray[np.floating],
        seed: int,
    ) -> Futures:
        """The scenarios with fast noise, from what the frame says: what policies are played in. Raises as `verify`."""
        timing, (c, s, n_links) = self.spec.timing, self.spec.sizes
        j, h = int(demand_JHCS.shape[0]), timing.horizon_steps
        for name, array, shape in (
            ("demand_mbps", demand_JHCS, (j, h, c, s)),
            ("spectral_efficiency_bps_hz", efficiency_JHC, (j, h, c)),
            ("link_capacity_mbps", capacity_JHL, (j, h, n_links)),
        ):
            if array.shape != shape:
                raise InvalidInputError(f"exogenous_scenarios.{name}: shape {array.shape}, expected {shape}")
            if not np.isfinite(array).all() or (array < 0).any():
                bad = int(np.argmax(~np.isfinite(array) | (array < 0)))
                raise InvalidInputError(
                    f"exogenous_scenarios.{name}: {array.reshape(-1)[bad]} at flat index {bad} is negative or not finite"
                )
        layout, radio = self.layout, self.layout.parameters.radio
        prb_CS, _ = self._running(start)
        activity = radio.idle_activity + (1.0 - radio.idle_activity) * prb_CS.sum(-1).clip(0.0, 1.0)
        layers = self.spec.prb_grid.layers
        seen = efficiency(self.geometry.noise_CQ, self.geometry.interference_CQJ, activity.astype(np.float64), radio) * layers
        nominal = layout.topology.link_capacity_mbps
        capacity = np.minimum(capacity_JHL.astype(np.float64), nominal)
        up = capacity >= _DOWN_BELOW_RATIO * nominal
        demand, fading = self._with_noise(demand_JHCS.astype(np.float64), seed)
        queue = np.clip(np.nan_to_num(start.cell_slice_feature("queue_mbit").astype(np.float64)), 0.0, layout.buffer_mbit_S)
        return Futures(
            demand_mbps_JHTCS=demand,
            fading_JHTC=fading,
            noise_JCQ=_repeat(self.geometry.noise_CQ, j),
            interference_JCQJ=_repeat(self.geometry.interference_CQJ, j),
            efficiency_scale_JHC=np.maximum(efficiency_JHC.astype(np.float64), _EFFICIENCY_LEAST) / seen,
            link_capacity_mbps_JHL=np.where(up, capacity, 0.0),
            route_JHC=layout.route_choice(up),
            queue_mbit_JCS=_repeat(queue, j),
            link_queue_mbit_JLS=np.zeros((j, n_links, s)),
            retry_mbit_JCS=np.zeros((j, c, s)),
        )

    def _with_noise(self, demand_JHCS: Doubles, seed: int) -> tuple[Doubles, Doubles]:
        """(demand [J, H, T, C, S], fading [J, H, T, C]); scenario j has the same noise whatever J is."""
        j, h, c, s = demand_JHCS.shape
        t = self.spec.timing.fast_steps
        demand = np.empty((j, h, t, c, s))
        fading = np.empty((j, h, t, c))
        for index in range(j):
            generator = np.random.default_rng([seed, index])
            noise_NM = generator.standard_normal((h * t, c * s))
            first_order_noise(noise_NM, generator.standard_normal(c * s), self.layout.parameters.noise_correlation)
            noise = noise_NM.reshape(h, t, c, s)
            variation = np.maximum(1.0 + self.layout.noise_sigma_S * (noise - noise.mean(1, keepdims=True)), _VARIATION_LEAST)
            demand[index] = demand_JHCS[index][:, None] * variation
            sigma = self.layout.parameters.radio.fading_sigma
            fading[index] = np.maximum(1.0 + sigma * generator.standard_normal((h, t, c)), _VARIATION_LEAST)
        return demand, fading


def simulate_scenarios(
    spec: NetworkSpec,
    start: FrameArrays,
    policies: PolicyArrays,
    demand_JHCS: NDArray[np.floating],
    spectral_efficiency_JHC: NDArray[np.floating],
    link_capacity_JHL: NDArray[np.floating],
    seed: int,
) -> tuple[Outcome, Doubles]:
    """(outcome [P, J], control saving [P]) without keeping a Verifier: see `Verifier.verify`."""
    return Verifier(spec).verify(start, policies, demand_JHCS, spectral_efficiency_JHC, link_capacity_JHL, seed=seed)


def _repeat(array: Doubles, count: int) -> Doubles:
    return np.ascontiguousarray(np.broadcast_to(array, (count, *array.shape)))
